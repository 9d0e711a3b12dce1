"""Counts behind the other metrics: judged, returned and relevant items."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics.averages import Empty
from ltr.metrics.declaration import Measured, RankingMetric, ranking_metric, score
from ltr.metrics.ranked import RankedLists, Ties
from ltr.queries import FloatArray


def judged(lists: RankedLists, *, k: int | None = None) -> Measured:
    """Kernel of :func:`judged_score`."""
    weights = lists.cut(np.ones(lists.max_size), k)
    is_judged = lists.labels >= 0 if lists.judged is None else lists.judged
    value = lists.sum_lists(lists.expected_weight(weights) * is_judged)
    depth = lists.n_returned if k is None else np.minimum(lists.n_returned, k)
    value = np.minimum(value / np.maximum(depth, 1), 1.0)
    return Measured(value, blank=depth == 0)


@ranking_metric(kernel=judged, labels="real", needs="a document")
def judged_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Share of the first ``k`` items that have a judgment.

    Where it is low, or differs between two runs, the other metrics depend on documents
    that were never judged. One minus it is trec_eval's ``unj``.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels; an item with a label below 0 is not judged.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Cut-off; a shorter list counts as a whole. None: the whole list.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores; see :mod:`ltr.metrics`.
    empty : {"skip", 0, 1}, default="skip"
        Queries for which nothing was returned: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    judged : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    Examples
    --------
    >>> judged_score([0, -1, 2], [0.9, 0.5, 0.1], k=2)
    0.5
    """
    return score(
        judged_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
    )


def n_returned(lists: RankedLists) -> Measured:
    """Kernel of :func:`n_returned_score`."""
    value = lists.n_returned.astype(np.float64)
    return Measured(value, blank=value == 0)


@ranking_metric(
    kernel=n_returned, range=(0.0, np.inf), labels="real", needs="a document"
)
def n_returned_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    empty: Empty = "skip",
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Number of items of a list; of a run, number of documents returned.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    empty : {"skip", 0, 1}, default="skip"
        Queries for which nothing was returned: leave out, or count as 0 or 1.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    n_returned : float ≥ 0, or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    Examples
    --------
    >>> n_returned_score([0, 1, 1], [0.9, 0.5, 0.1])
    3.0
    """
    return score(
        n_returned_score.info,
        y_true,
        y_score,
        qid,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
    )


def n_relevant(lists: RankedLists, *, threshold: float = 0.0) -> Measured:
    """Kernel of :func:`n_relevant_score`."""
    total = lists.relevant(threshold).total
    return Measured(total, blank=total == 0)


@ranking_metric(kernel=n_relevant, range=(0.0, np.inf))
def n_relevant_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    threshold: float = 0.0,
    empty: Empty = "skip",
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Number of relevant items of a list, returned or not.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    n_relevant : float ≥ 0, or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    Examples
    --------
    >>> n_relevant_score([0, 1, 1], [0.9, 0.5, 0.1])
    2.0
    """
    return score(
        n_relevant_score.info,
        y_true,
        y_score,
        qid,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        threshold=threshold,
    )


METRICS: dict[str, RankingMetric[..., FloatArray | float]] = {
    "judged": judged_score,
    "n_returned": n_returned_score,
    "n_relevant": n_relevant_score,
}
