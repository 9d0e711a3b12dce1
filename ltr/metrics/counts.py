"""Metrics that count relevant items: hits, success, F, R-precision, pool recall."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_number
from ltr.metrics.averages import Empty
from ltr.metrics.declaration import Measured, RankingMetric, ranking_metric, score
from ltr.metrics.ranked import RankedLists, Ties
from ltr.metrics.relevant import expected_at_first
from ltr.queries import FloatArray

_ROUNDING = 0.9  # trec_eval's, of multiples of R


def hits(
    lists: RankedLists, *, k: int | None = None, threshold: float = 0.0
) -> Measured:
    """Kernel of :func:`hits_score`."""
    relevant = lists.relevant(threshold)
    value = relevant.in_top(lists.queries.sizes if k is None else k)
    return Measured(value, blank=relevant.total == 0)


@ranking_metric(kernel=hits, range=(0.0, np.inf))
def hits_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Count the relevant items among the first ``k``.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Cut-off. None: the whole list.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores; see :mod:`ltr.metrics`.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    hits : float ≥ 0, or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    Notes
    -----
    Hits@k in the literature on knowledge graphs, the share of queries with a relevant
    item among the first k, is :func:`success_score`.

    Examples
    --------
    >>> hits_score([0, 1, 1], [0.9, 0.5, 0.1], k=2)
    1.0
    """
    return score(
        hits_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
        threshold=threshold,
    )


def success(
    lists: RankedLists, *, k: int | None = None, threshold: float = 0.0
) -> Measured:
    """Kernel of :func:`success_score`."""
    relevant = lists.relevant(threshold)
    weights = lists.cut(np.ones(lists.max_size), k)
    value = np.minimum(expected_at_first(relevant, weights), 1.0)
    return Measured(value, blank=relevant.total == 0)


@ranking_metric(kernel=success)
def success_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Whether a relevant item is among the first ``k``; its mean is the hit rate.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Cut-off. None: the whole list.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores; see :mod:`ltr.metrics`.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    success : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    Examples
    --------
    >>> success_score([0, 1, 1], [0.9, 0.5, 0.1], k=1)
    0.0
    >>> success_score([0, 1, 1], [0.9, 0.9, 0.1], k=1)
    0.5
    """
    return score(
        success_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
        threshold=threshold,
    )


def f(
    lists: RankedLists,
    *,
    k: int | None = None,
    beta: float = 1.0,
    threshold: float = 0.0,
) -> Measured:
    """Kernel of :func:`f_score`."""
    check_number("beta", beta, low=0.0, open_low=True)
    relevant = lists.relevant(threshold)
    depth = lists.n_returned if k is None else k
    # With h hits, P = h / depth and R = h / total, so
    # F = (1 + β²) P R / (β² P + R) = (1 + β²) h / (depth + β² total).
    size = depth + beta**2 * relevant.total
    value = (1.0 + beta**2) * relevant.in_top(depth) / np.maximum(size, 1.0)
    return Measured(value, blank=relevant.total == 0)


@ranking_metric(kernel=f)
def f_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    beta: float = 1.0,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Weighted harmonic mean of precision and recall among the first ``k``.

    .. math:: F_\beta = \frac{(1 + \beta^2) P R}{\beta^2 P + R}

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Cut-off. None: the whole list, all that a run returned.
    beta : float, default=1.0
        Recall is ``beta`` times as important as precision; > 0 and finite.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores; see :mod:`ltr.metrics`.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    f : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, ``beta`` is not > 0 and finite, or
        an option is unknown.

    References
    ----------
    .. [1] Manning, Raghavan & Schütze, "Introduction to Information Retrieval", 2008,
       eq. (8.5).

    Examples
    --------
    >>> f_score([0, 1, 1, 1], [0.9, 0.5, 0.1, 0.0], k=2)
    0.4
    """
    return score(
        f_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
        beta=beta,
        threshold=threshold,
    )


def r_precision(
    lists: RankedLists, *, multiple: float = 1.0, threshold: float = 0.0
) -> Measured:
    """Kernel of :func:`r_precision_score`."""
    check_number("multiple", multiple, low=0.0, open_low=True)
    relevant = lists.relevant(threshold)
    rank = np.floor(multiple * relevant.total + _ROUNDING).astype(np.intp)
    value = relevant.in_top(rank) / np.maximum(rank, 1)
    return Measured(value, blank=relevant.total == 0)


@ranking_metric(kernel=r_precision)
def r_precision_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    multiple: float = 1.0,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Precision at rank R, where R is the number of relevant items of the list.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    multiple : float, default=1.0
        Rank to measure at, in units of R; > 0 and finite. A rank that is not whole is
        rounded up, unless it exceeds a whole one by less than 0.1 (trec_eval's
        ``Rprec_mult``).
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores; see :mod:`ltr.metrics`.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    r_precision : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, ``multiple`` is not > 0 and finite, or
        an option is unknown.

    References
    ----------
    .. [1] Manning, Raghavan & Schütze, "Introduction to Information Retrieval", 2008,
       section 8.4.

    Examples
    --------
    >>> r_precision_score([0, 1, 1, 0], [0.9, 0.5, 0.1, 0.0])
    0.5
    >>> r_precision_score([0, 1, 1, 0], [0.9, 0.5, 0.1, 0.0], multiple=0.5)
    0.0
    """
    return score(
        r_precision_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        multiple=multiple,
        threshold=threshold,
    )


def normalized_recall(
    lists: RankedLists,
    *,
    k: int | None = None,
    cap: bool = False,
    threshold: float = 0.0,
) -> Measured:
    """Kernel of :func:`normalized_recall_score`."""
    relevant = lists.relevant(threshold)
    retrieved = relevant.in_top(lists.queries.sizes)
    z = retrieved if k is None or not cap else np.minimum(retrieved, k)
    value = relevant.in_top(lists.queries.sizes if k is None else k)
    return Measured(value / np.maximum(z, 1), blank=retrieved == 0)


@ranking_metric(kernel=normalized_recall)
def normalized_recall_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    cap: bool = False,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Recall among the relevant items that were retrieved at all.

    It separates the work of a reranker from that of the retriever, which may have
    missed relevant documents. Only a run, in :func:`evaluate_run`, can miss any; for
    rows of arrays it is :func:`recall_score`, unless ``cap`` is set.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Cut-off. None: the whole list, so 1.
    cap : bool, default=False
        Divide by at most ``k``, so that a perfect order has recall 1.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores; see :mod:`ltr.metrics`.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a retrieved relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    recall : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    References
    ----------
    .. [1] Agarwal et al., "LitLLMs, LLMs for literature review: are we there yet?",
       TMLR 2025.

    Examples
    --------
    >>> normalized_recall_score([0, 1, 1], [0.9, 0.5, 0.1], k=1)
    0.0
    >>> normalized_recall_score([1, 1, 0], [0.9, 0.5, 0.1], k=1, cap=True)
    1.0
    """
    return score(
        normalized_recall_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
        cap=cap,
        threshold=threshold,
    )


METRICS: dict[str, RankingMetric[..., FloatArray | float]] = {
    "hits": hits_score,
    "success": success_score,
    "f": f_score,
    "r_precision": r_precision_score,
    "normalized_recall": normalized_recall_score,
}
