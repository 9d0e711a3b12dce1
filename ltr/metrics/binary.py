"""Metrics that only ask whether an item is relevant: AP, RR, precision, recall."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from ltr.metrics.ranked import Empty, RankedLists, Ties, check_k, rank_lists, summarize
from ltr.queries import BoolArray, FloatArray


def average_precision_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    threshold: float = 0.0,
    denominator: Literal["relevant", "min"] = "relevant",
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Mean precision at the ranks of the relevant items; its mean over lists is MAP.

    .. math:: \mathrm{AP@}k = \frac{1}{Z} \sum_{r \le k,\ \pi_r \text{ relevant}}
        \frac{\#\{q \le r : \pi_q \text{ relevant}\}}{r}

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    k : int, default=None
        Cut-off. None: the whole list.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    denominator : {"relevant", "min"}, default="relevant"
        Z: the relevant items of the list (trec_eval, LETOR), or at most ``k`` of them
        (LightGBM, XGBoost). They differ only with ``k``.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: expected value over their orders; row order; lowest label first;
        trec_eval's rule, which needs ``docids``.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    ap : float in [0, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    References
    ----------
    .. [1] Manning, Raghavan & Schütze, "Introduction to Information Retrieval", 2008,
       eq. (8.8); under ties McSherry & Najork, ECIR 2008, section 2.3.

    Examples
    --------
    >>> round(average_precision_score([1, 0, 1], [0.9, 0.5, 0.1]), 4)
    0.8333
    """
    check_k(k)
    if denominator not in ("relevant", "min"):
        raise ValueError(
            f"denominator must be 'relevant' or 'min'; got {denominator!r}."
        )
    ranked = rank_lists(y_true, y_score, qid, ties, docids)
    relevant = ranked.labels > threshold
    n_relevant = ranked.sum_lists(relevant)
    total = ranked.sum_lists(_expected_precisions(ranked, relevant, k))
    z = (
        n_relevant
        if denominator == "relevant" or k is None
        else np.minimum(n_relevant, k)
    )
    return summarize(total / np.maximum(z, 1), n_relevant == 0, empty, per_query)


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
    per_query: bool = False,
) -> FloatArray | float:
    """1 / rank of the first relevant item; its mean over lists is MRR.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    k : int, default=None
        Cut-off: 0 if the first relevant item comes later. None: the whole list.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: expected value over their orders; row order; lowest label first;
        trec_eval's rule, which needs ``docids``.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    rr : float in [0, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

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
    check_k(k)
    ranked = rank_lists(y_true, y_score, qid, ties, docids)
    relevant = ranked.labels > threshold
    value = _expected_reciprocal_rank(ranked, relevant, k)
    return summarize(value, ranked.sum_lists(relevant) == 0, empty, per_query)


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
    per_query: bool = False,
) -> FloatArray | float:
    """Share of relevant items among the first ``k``.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    k : int, default=None
        Cut-off and denominator, also for a shorter list (as trec_eval and LETOR do).
        None: the size of the list.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: expected value over their orders; row order; lowest label first;
        trec_eval's rule, which needs ``docids``.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    precision : float in [0, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    Examples
    --------
    >>> precision_score([0, 1, 1], [0.9, 0.5, 0.1], k=2)
    0.5
    """
    check_k(k)
    ranked = rank_lists(y_true, y_score, qid, ties, docids)
    relevant = ranked.labels > threshold
    depth = ranked.queries.sizes if k is None else k
    value = _relevant_in_top(ranked, relevant, k) / depth
    return summarize(value, ranked.sum_lists(relevant) == 0, empty, per_query)


def recall_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Share of the relevant items that stand among the first ``k``.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    k : int, default=None
        Cut-off. None: the whole list, so 1.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: expected value over their orders; row order; lowest label first;
        trec_eval's rule, which needs ``docids``.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    recall : float in [0, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    Examples
    --------
    >>> recall_score([0, 1, 1], [0.9, 0.5, 0.1], k=2)
    0.5
    """
    check_k(k)
    ranked = rank_lists(y_true, y_score, qid, ties, docids)
    relevant = ranked.labels > threshold
    n_relevant = ranked.sum_lists(relevant)
    value = _relevant_in_top(ranked, relevant, k) / np.maximum(n_relevant, 1)
    return summarize(value, n_relevant == 0, empty, per_query)


def _relevant_in_top(
    ranked: RankedLists, relevant: BoolArray, k: int | None
) -> FloatArray:
    inside = np.ones(int(ranked.queries.sizes.max()))
    if k is not None:
        inside[k:] = 0.0
    return ranked.sum_lists(relevant * ranked.expected_weight(inside))


def _group_counts(
    ranked: RankedLists, relevant: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return, per slot, the relevant items before its tie group and inside it."""
    total = np.concatenate([[0.0], np.cumsum(relevant)])
    list_start = np.arange(len(relevant)) - ranked.position
    before = total[list_start + ranked.tie_begin] - total[list_start]
    inside = total[list_start + ranked.tie_end] - total[list_start + ranked.tie_begin]
    return before, inside


def _expected_precisions(
    ranked: RankedLists, relevant: BoolArray, k: int | None
) -> FloatArray:
    """Return each slot's expected share of the sum of precisions.

    In a tie group of m items, r of them relevant, after b relevant ones, the item at
    0-based position p is relevant with probability r/m, and then finds
    b + 1 + (p − tie_begin)(r − 1)/(m − 1) relevant ones up to and with itself.
    """
    before, inside = _group_counts(ranked, relevant)
    size = ranked.tie_end - ranked.tie_begin
    share = inside / size
    others = (inside - 1.0) / np.maximum(size - 1, 1)
    found = before + 1.0 + (ranked.position - ranked.tie_begin) * others
    value = share * found / (ranked.position + 1.0)
    if k is not None:
        value[ranked.position >= k] = 0.0
    return np.asarray(value)


def _expected_reciprocal_rank(
    ranked: RankedLists, relevant: BoolArray, k: int | None
) -> FloatArray:
    """Expected 1 / rank of the first relevant item.

    It lies in the first tie group with a relevant item. With m items, r of them
    relevant, it is the j-th of the group with probability C(m − j, r − 1) / C(m, r).
    """
    before, inside = _group_counts(ranked, relevant)
    slots = np.flatnonzero((before == 0) & (inside > 0))
    m = (ranked.tie_end - ranked.tie_begin)[slots].astype(np.float64)
    r = inside[slots]
    j = (ranked.position - ranked.tie_begin)[slots] + 1.0
    possible = m - j >= r - 1
    slots, m, r, j = slots[possible], m[possible], r[possible], j[possible]
    log_probability = _log_binomial(m - j, r - 1) - _log_binomial(m, r)
    value = np.zeros(len(relevant))
    value[slots] = np.exp(log_probability) / (ranked.position[slots] + 1.0)
    if k is not None:
        value[ranked.position >= k] = 0.0
    return ranked.sum_lists(value)


def _log_binomial(n: FloatArray, k: FloatArray) -> FloatArray:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))
