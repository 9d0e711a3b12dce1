"""Placement of lists: whole, balanced, and the same in every run."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.dask.checks import check_widths
from ltr.dask.pieces import Piece
from ltr.queries import IntArray, Queries, group_queries


class Worker(NamedTuple):
    """A worker of the cluster.

    Attributes
    ----------
    name : str
        Its name, which a cluster gives again in the next run; ranks follow from it.
    address : str
        Where Dask reaches it.
    n_threads : int
        Threads of its own.
    """

    name: str
    address: str
    n_threads: int


def find_client(client: Any) -> Any:
    """Return the client of a cluster, or the active one if it is None.

    Parameters
    ----------
    client : distributed.Client or None
        As the user passed it.

    Returns
    -------
    client : distributed.Client

    Raises
    ------
    ValueError
        If there is none, or it is closed.
    TypeError
        If it is something else.
    """
    import distributed

    if client is not None and not isinstance(client, distributed.Client):
        raise TypeError(
            f"client must be a distributed.Client; got {type(client).__name__}. Make "
            "one: client = distributed.Client(address)."
        )
    if client is not None and client.status != "running":
        raise ValueError(
            f"client must be connected to its cluster; got one that is {client.status}."
            " Make another: client = distributed.Client(address)."
        )
    if client is not None:
        return client
    try:
        return distributed.get_client()
    except ValueError:
        raise ValueError(
            "client is None, and there is no active client. Make one: "
            "client = distributed.Client(address)."
        ) from None


def find_workers(client: Any) -> list[Worker]:
    """Workers of the cluster, by name.

    Parameters
    ----------
    client : distributed.Client
        The cluster.

    Returns
    -------
    workers : list of Worker

    Raises
    ------
    ValueError
        If there is none.
    """
    names = client.run(_name)
    threads = client.nthreads()
    workers = [
        Worker(str(name), address, threads.get(address, 1))
        for address, name in names.items()
    ]
    if not workers:
        raise ValueError(
            "The cluster has no worker. Start some, or wait for them with "
            "client.wait_for_workers(n)."
        )
    return sorted(workers, key=lambda worker: (len(worker.name), worker.name))


def _name(dask_worker: Any) -> Any:
    return dask_worker.name


def share_lists(sizes: IntArray, n_shares: int) -> IntArray:
    """Distribute lists so that the shares have about as many rows each.

    Lists in order of decreasing size go to the smallest share so far, which is at most
    4/3 of the best possible largest share (Graham, 1969).

    Parameters
    ----------
    sizes : int array of shape (n_lists,)
        Rows of each list.
    n_shares : int
        Number of shares.

    Returns
    -------
    shares : int array of shape (n_lists,)
        Share of each list.

    Examples
    --------
    >>> share_lists(np.array([3, 1, 2, 2]), 2).tolist()
    [0, 0, 1, 1]
    """
    shares = np.zeros(len(sizes), dtype=np.intp)
    heap = [(0, share) for share in range(n_shares)]
    for number in np.argsort(-sizes, kind="stable").tolist():
        n_rows, share = heap[0]
        shares[number] = share
        heapq.heapreplace(heap, (n_rows + int(sizes[number]), share))
    return shares


def read_queries(client: Any, pieces: Sequence[Any]) -> tuple[Queries, IntArray]:
    """Queries of all rows, in their order, and the first row of each piece.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    pieces : sequence of futures of Piece
        The rows.

    Returns
    -------
    queries : Queries
    starts : int array of shape (n_pieces + 1,)

    Raises
    ------
    ValueError
        If there are no rows, or a label is not finite.
    """
    columns = client.gather([client.submit(_qid, p, pure=False) for p in pieces])
    starts = np.cumsum([0, *(len(qid) for qid, _ in columns)])
    if not starts[-1]:
        raise ValueError("X must have at least one row; got none.")
    for (_, bad_rows), start in zip(columns, starts[:-1], strict=True):
        if len(bad_rows):  # each worker counts from 0
            raise ValueError(
                f"y must be finite; got NaN or infinity at row {start + bad_rows[0]}. "
                "Drop such rows, or give them a label."
            )
    qid = np.concatenate([qid for qid, _ in columns if len(qid)])
    return group_queries(qid, int(starts[-1])), starts


def _qid(piece: Piece) -> tuple[NDArray[Any], IntArray]:
    """Query of each row, and the rows whose label is not finite."""
    y = np.asarray(piece.y)
    is_bad = ~np.isfinite(y) if y.dtype.kind == "f" else np.zeros(len(y), dtype=bool)
    return np.asarray(piece.qid), np.flatnonzero(is_bad)


def place(
    client: Any,
    pieces: Sequence[Any],
    queries: Queries,
    starts: IntArray,
    shares: IntArray,
    workers: Sequence[Worker],
) -> list[Any]:
    """Bring whole lists to the workers.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    pieces : sequence of futures of Piece
        The rows.
    queries : Queries
        Queries of all rows.
    starts : int array of shape (n_pieces + 1,)
        First row of each piece.
    shares : int array of shape (n_lists,)
        Worker of each list; −1 for lists that stay behind.
    workers : sequence of Worker
        The workers.

    Returns
    -------
    parts : list of futures of Piece
        The rows of each worker, on it, those of a list side by side and lists in order
        of appearance; ``qid`` has their numbers.
    """
    share_of_row = shares[queries.codes]
    cuts: list[list[Any]] = [[] for _ in workers]
    for piece, begin, end in zip(pieces, starts[:-1], starts[1:], strict=True):
        for number in range(len(workers)):
            rows = np.flatnonzero(share_of_row[begin:end] == number)
            if len(rows):
                codes = queries.codes[begin:end][rows]
                cuts[number].append(client.submit(_cut, piece, rows, codes, pure=False))
    return [
        client.submit(
            _join, cuts[number], workers=[worker.address], allow_other_workers=False,
            pure=False,
        )
        for number, worker in enumerate(workers)
    ]  # fmt: skip


def _cut(piece: Piece, rows: IntArray, codes: IntArray) -> Piece:
    columns = {name: np.asarray(values)[rows] for name, values in piece.columns.items()}
    features = None if piece.X is None else piece.X[rows]
    return Piece(features, np.asarray(piece.y)[rows], codes, columns)


def _join(cuts: Sequence[Piece]) -> Piece | None:
    if not cuts:
        return None
    codes = np.concatenate([cut.qid for cut in cuts])
    order = np.argsort(codes, kind="stable")
    columns = {
        name: np.concatenate([cut.columns[name] for cut in cuts])[order]
        for name in cuts[0].columns
    }
    labels = np.concatenate([cut.y for cut in cuts])[order]
    return Piece(_stack([cut.X for cut in cuts], order), labels, codes[order], columns)


def _stack(features: Sequence[Any], order: IntArray) -> Any:
    if features[0] is None:
        return None
    check_widths({X.shape[1] for X in features})
    if all(isinstance(X, np.ndarray) for X in features):
        return np.concatenate(features)[order]
    import scipy.sparse

    return scipy.sparse.vstack(features, format="csr")[order]
