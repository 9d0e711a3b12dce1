"""Counts and problems of data that no machine holds."""

from __future__ import annotations

from typing import Any

from ltr.dask.pieces import Piece, read_pieces
from ltr.dask.placement import (
    find_client,
    find_workers,
    place,
    read_queries,
    share_lists,
)
from ltr.dask.rounds import run_together
from ltr.datasets import Description, RankingData
from ltr.datasets.counts import Counts, Marks, count, marks_of, merged
from ltr.datasets.description import description_of


def describe(
    X: Any,
    y: Any = None,
    qid: Any = None,
    *,
    other: RankingData | None = None,
    client: Any = None,
) -> Description:
    """Summarize ranking data on a cluster and flag problems, before training.

    Lists are brought together on the workers, which send their counts; all numbers are
    exactly those of :func:`ltr.datasets.describe` on the rows together.

    Parameters
    ----------
    X : Dask array of shape (n_samples, n_features) or sequence of RankingData
        Features, in chunks of any size; or RankingData, delayed or not.
    y, qid : Dask arrays of shape (n_samples,), default=None
        Labels and queries, in any order. None: ``X`` has them.
    other : RankingData, default=None
        Another part, such as the test data, in which to look for repeated rows and
        lists. The workers get 8 bytes a row of it.
    client : distributed.Client, default=None
        The cluster. None: the client that is active.

    Returns
    -------
    description : Description

    Raises
    ------
    ValueError
        If something is missing, lengths differ, there is no row or column, or ``other``
        has another number of features.
    TypeError
        If ``X`` is neither of these.

    Examples
    --------
    >>> from ltr.dask import describe                                # doctest: +SKIP
    >>> print(describe(X, y, qid, client=client))                    # doctest: +SKIP
    """
    client = find_client(client)
    if X is None:
        raise ValueError("X is required; got None.")
    workers = find_workers(client)
    pieces = read_pieces(client, X, y, qid, {})
    queries, starts = read_queries(client, pieces)
    active = workers[: min(len(workers), queries.n_lists)]
    shares = share_lists(queries.sizes, len(active))
    parts = place(client, pieces, queries, starts, shares, active)
    marks = None if other is None else marks_of(other.X)
    counts = run_together(
        client,
        active,
        _count,
        [(part, marks) for part in parts],
        doing="counting rows",
    )
    return description_of(merged(counts))


def _count(part: Piece, marks: Marks | None) -> Counts:
    return count(part.X, part.y, part.qid, marks)
