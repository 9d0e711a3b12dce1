"""Metrics of relevant items: average precision, reciprocal rank, precision, recall."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.metrics.averages import Empty, Mean
from ltr.metrics.declaration import Measured, RankingMetric, ranking_metric, score
from ltr.metrics.ranked import RankedLists, Ties
from ltr.metrics.relevant import RelevantSlots, expected_at_first
from ltr.queries import FloatArray


def average_precision(
    lists: RankedLists,
    *,
    k: int | None = None,
    threshold: float = 0.0,
    denominator: Literal["relevant", "min"] = "relevant",
) -> Measured:
    """Kernel of :func:`average_precision_score`."""
    check_choice("denominator", denominator, ("relevant", "min"))
    relevant = lists.relevant(threshold)
    z = relevant.total
    if denominator == "min" and k is not None:
        z = np.minimum(z, k)
    value = _expected_precisions(relevant, k) / np.maximum(z, 1)
    return Measured(value, blank=relevant.total == 0)


@ranking_metric(kernel=average_precision)
def average_precision_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    threshold: float = 0.0,
    denominator: Literal["relevant", "min"] = "relevant",
    mean: Mean = "arithmetic",
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Mean precision at the ranks of the relevant items; its mean over queries is MAP.

    .. math:: \mathrm{AP@}k = \frac{1}{Z} \sum_{r \le k,\ \pi_r \text{ relevant}}
        \frac{\#\{q \le r : \pi_q \text{ relevant}\}}{r}

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
    denominator : {"relevant", "min"}, default="relevant"
        Z: the relevant items of the list (trec_eval, LETOR), or at most ``k`` of them
        (LightGBM, XGBoost). The two differ only with ``k``.
    mean : {"arithmetic", "geometric"}, default="arithmetic"
        Mean over queries. Geometric (trec_eval's ``gm_map``; values below 1e-5 count as
        1e-5) weighs poor queries more; it has no values per query.
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
    ap : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    References
    ----------
    .. [1] Manning, Raghavan & Schütze, "Introduction to Information Retrieval", 2008,
       eq. (8.8); under ties McSherry & Najork, ECIR 2008, section 2.3; geometric:
       Robertson, "On GMAP: and other transformations", CIKM 2006.

    Examples
    --------
    >>> round(average_precision_score([1, 0, 1], [0.9, 0.5, 0.1]), 4)
    0.8333
    """
    return score(
        average_precision_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        mean=mean,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
        threshold=threshold,
        denominator=denominator,
    )


def reciprocal_rank(
    lists: RankedLists, *, k: int | None = None, threshold: float = 0.0
) -> Measured:
    """Kernel of :func:`reciprocal_rank_score`."""
    relevant = lists.relevant(threshold)
    weights = lists.cut(1.0 / np.arange(1.0, lists.max_size + 1.0), k)
    value = expected_at_first(relevant, weights)
    return Measured(value, blank=relevant.total == 0)


@ranking_metric(kernel=reciprocal_rank)
def reciprocal_rank_score(
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
    """1 / rank of the first relevant item; its mean over queries is MRR.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Cut-off: 0 if the first relevant item comes later. None: the whole list.
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
    rr : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    References
    ----------
    .. [1] Voorhees, "The TREC-8 question answering track report", 1999; under ties
       McSherry & Najork, ECIR 2008, section 2.4.

    Examples
    --------
    >>> reciprocal_rank_score([0, 1, 1], [0.9, 0.5, 0.1])
    0.5
    """
    return score(
        reciprocal_rank_score.info,
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


def precision(
    lists: RankedLists, *, k: int | None = None, threshold: float = 0.0
) -> Measured:
    """Kernel of :func:`precision_score`."""
    relevant = lists.relevant(threshold)
    depth = np.maximum(lists.n_returned, 1) if k is None else k
    return Measured(relevant.in_top(depth) / depth, blank=relevant.total == 0)


@ranking_metric(kernel=precision)
def precision_score(
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
    """Share of the first ``k`` items that are relevant.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Cut-off and denominator, also for a shorter list (as trec_eval and LETOR do).
        None: the size of the list.
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
    precision : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    Examples
    --------
    >>> precision_score([0, 1, 1], [0.9, 0.5, 0.1], k=2)
    0.5
    """
    return score(
        precision_score.info,
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


def recall(
    lists: RankedLists,
    *,
    k: int | None = None,
    cap: bool = False,
    threshold: float = 0.0,
) -> Measured:
    """Kernel of :func:`recall_score`."""
    relevant = lists.relevant(threshold)
    depth = lists.queries.sizes if k is None else k
    z = relevant.total
    if cap:
        z = np.minimum(z, lists.n_returned if k is None else k)
    value = relevant.in_top(depth) / np.maximum(z, 1)
    return Measured(value, blank=relevant.total == 0)


@ranking_metric(kernel=recall)
def recall_score(
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
    """Share of the relevant items that are among the first ``k``.

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
        Divide by at most ``k``, so that a perfect order has recall 1 (trec_eval's
        ``relative_P``, BEIR's capped recall).
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
    recall : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    Examples
    --------
    >>> recall_score([0, 1, 1], [0.9, 0.5, 0.1], k=2)
    0.5
    """
    return score(
        recall_score.info,
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


def _expected_precisions(relevant: RelevantSlots, k: int | None) -> FloatArray:
    """Expected sum of the precisions at the relevant items of each list, up to ``k``.

    A tie group takes the m positions p = s, …, s + m − 1; r of its items are relevant,
    and b relevant items are above it. The item at p is relevant with probability r / m,
    and if so, b + 1 + c (p − s) relevant items are expected up to p, with
    c = (r − 1) / (m − 1). Over the first n positions, those before the cut-off, the
    group contributes, with harmonic numbers H,

        r/m Σ_p (b + 1 + c (p − s)) / (p + 1)
            = r/m (c n + (b + 1 − c (s + 1)) (H_{s+n} − H_s)).

    Each relevant item accounts for 1 / r of this.
    """
    s, b = relevant.begin, relevant.before
    value = (b + 1.0) / (s + 1.0)  # r = m = n = 1
    if k is not None:
        value[s >= k] = 0.0
    tied = np.flatnonzero(relevant.size > 1)
    if len(tied):
        s, b, end = s[tied], b[tied], relevant.end[tied]
        stop = end if k is None else np.maximum(np.minimum(end, k), s)
        m, n = end - s, stop - s
        c = (relevant.inside[tied] - 1.0) / (m - 1.0)
        harmonic = np.append(0.0, np.cumsum(1.0 / np.arange(1.0, end.max() + 1.0)))
        falling = (b + 1.0 - c * (s + 1.0)) * (harmonic[stop] - harmonic[s])
        value[tied] = (c * n + falling) / m
    return relevant.sum_lists(value)


METRICS: dict[str, RankingMetric[..., FloatArray | float]] = {
    "map": average_precision_score,
    "mrr": reciprocal_rank_score,
    "precision": precision_score,
    "recall": recall_score,
}
