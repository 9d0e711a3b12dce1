"""Rows on a cluster, in the forms that users have, as a list of futures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ltr.datasets import RankingData


class Piece(NamedTuple):
    """Consecutive rows.

    Attributes
    ----------
    X : array or sparse matrix of shape (n_rows, n_features) or None
        Features.
    y, qid : arrays of shape (n_rows,)
        Labels, and the query of each row.
    columns : dict of str to array of shape (n_rows,)
        Weights, extras of a loss, scores.
    """

    X: Any
    y: Any
    qid: Any
    columns: dict[str, Any]


def is_dask_array(value: Any) -> bool:
    """Whether a value is a Dask array."""
    import dask.array

    return isinstance(value, dask.array.Array)


def read_pieces(
    client: Any, X: Any, y: Any, qid: Any, columns: Mapping[str, Any]
) -> list[Any]:
    """Futures of the pieces of a data set.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    X : Dask array of shape (n_rows, n_features), sequence, or None
        Features; or a sequence of :class:`ltr.datasets.RankingData`, as they are, as
        futures, or delayed, in which case ``y`` and ``qid`` are None; or None if there
        are only columns.
    y, qid : Dask arrays of shape (n_rows,) or None
        Labels and queries, in chunks of any size.
    columns : mapping of str to Dask array of shape (n_rows,), or None
        Further columns.

    Returns
    -------
    pieces : list of futures of Piece

    Raises
    ------
    ValueError
        If something is missing, or the lengths differ.
    TypeError
        If it is none of these.
    """
    columns_in_use = {
        name: column for name, column in columns.items() if column is not None
    }
    is_sequence = isinstance(X, Sequence) or (
        isinstance(X, np.ndarray) and X.dtype == object
    )
    if is_sequence and not isinstance(X, (str, bytes)):
        return _of_ranking_data(client, list(X), y, qid, columns_in_use)
    rows = {"y": y, "qid": qid, **columns_in_use}
    if X is not None:
        rows = {"X": X, **rows}
    for name, value in rows.items():
        if value is None:
            raise ValueError(f"{name} is required with Dask arrays; got None.")
        if not is_dask_array(value):
            raise TypeError(
                f"{name} must be a Dask array, or X a sequence of RankingData; got "
                f"{type(value).__name__}. {_cure(value)}"
            )
    return _of_arrays(client, rows)


def _cure(value: Any) -> str:
    """How to make a Dask array of it."""
    if hasattr(value, "to_dask_array"):
        return "A Dask frame becomes one by to_dask_array(lengths=True)."
    return (
        "Make one by dask.array.from_array, or use LambdaMARTRanker for data in memory."
    )


def _of_ranking_data(
    client: Any, parts: list[Any], y: Any, qid: Any, columns: Mapping[str, Any]
) -> list[Any]:
    if y is not None or qid is not None or columns:
        names = [*columns]
        names += [name for name, value in (("y", y), ("qid", qid)) if value is not None]
        raise ValueError(
            f"{', '.join(sorted(names))} must be None if X is a sequence of "
            "RankingData, which have labels and queries of their own."
        )
    if not parts:
        raise ValueError("X must have at least one RankingData; got an empty sequence.")
    from dask.delayed import Delayed

    futures = [
        client.compute(part) if isinstance(part, Delayed) else part for part in parts
    ]
    return list(client.map(_piece_of, futures, range(len(parts)), pure=False))


def _piece_of(data: Any, number: int) -> Piece:
    if not isinstance(data, RankingData):
        raise TypeError(
            "X must be a Dask array or a sequence of RankingData; got "
            f"{type(data).__name__} at {number}."
        )
    return Piece(data.X, np.asarray(data.y), np.asarray(data.qid), {})


def _of_arrays(client: Any, rows: Mapping[str, Any]) -> list[Any]:
    """The rows of each chunk of the first array; the others are cut as it is."""
    first, leader = next(iter(rows.items()))
    if np.isnan(leader.shape[0]):
        leader = leader.compute_chunk_sizes()
    chunks = leader.chunks[0]
    blocks = {}
    for name, array in rows.items():
        if np.isnan(array.shape[0]):
            array = array.compute_chunk_sizes()
        n_axes = 2 if name == "X" else 1
        if array.ndim != n_axes:
            raise ValueError(
                f"{name} must have {n_axes} axes; got shape {array.shape}."
            )
        if array.shape[0] != leader.shape[0]:
            raise ValueError(
                f"{name} and {first} must have the same number of rows; got "
                f"{array.shape[0]} and {leader.shape[0]}."
            )
        cut = array.rechunk({0: chunks} | ({1: -1} if n_axes == 2 else {}))
        blocks[name] = client.compute(list(cut.to_delayed().ravel()))
    names = list(blocks)
    return [
        client.submit(_from_columns, names, *block, pure=False)
        for block in zip(*blocks.values(), strict=True)
    ]


def _from_columns(names: list[str], *values: Any) -> Piece:
    columns = dict(zip(names, values, strict=True))
    return Piece(columns.pop("X", None), columns.pop("y"), columns.pop("qid"), columns)
