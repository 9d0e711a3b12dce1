"""From scores to ranks and orders, list by list."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_whole
from ltr.queries import FloatArray, IntArray, Queries, group_queries
from ltr.rankers.warning import warn_if_many


def check_cut_off(k: Any, qid: Any) -> None:
    """Raise unless k is a whole number ≥ 1 or None, and not in the place of qid."""
    if isinstance(qid, (int, np.integer)) and k is None:
        raise ArgumentError(
            f"qid must have one entry per row of X; got {qid}. To take the first {qid} "
            f"rows of each query, pass k={qid}."
        )
    check_whole("k", k, low=1, optional=True)


def lists_of(
    scores: FloatArray, qid: ArrayLike | None, fitted_with_qid: bool
) -> Queries:
    """The lists that scores are sorted in; an error if a score is NaN."""
    if np.isnan(scores).any():
        raise ValueError(
            "rank needs scores that are numbers; predict gave NaN at row "
            f"{int(np.isnan(scores).argmax())}. Fit the ranker again."
        )
    warn_if_many(len(scores), qid, fitted_with_qid)
    return group_queries(qid, len(scores))


def rank_rows(scores: FloatArray, queries: Queries) -> IntArray:
    """Rank of each row in its list, 1 for the best; equal scores share the smallest."""
    order = np.lexsort((-scores, queries.codes))  # by list, then best first
    sorted_scores = scores[order]
    list_starts = np.repeat(queries.starts[:-1], queries.sizes)
    positions = np.arange(len(scores))
    # The rank of an item is that of the first item of its tie group.
    opens_group = positions == list_starts
    opens_group[1:] |= sorted_scores[1:] != sorted_scores[:-1]
    group_starts = np.maximum.accumulate(np.where(opens_group, positions, 0))
    ranks = np.empty(len(scores), dtype=np.intp)
    ranks[order] = group_starts - list_starts + 1
    return ranks


def order_rows(scores: FloatArray, queries: Queries, k: int | None) -> IntArray:
    """Rows list by list, best first, equal scores in row order; k of each list."""
    rows = np.lexsort((-scores, queries.codes))
    if k is None:
        return rows
    positions = np.arange(len(rows)) - np.repeat(queries.starts[:-1], queries.sizes)
    return rows[positions < k]
