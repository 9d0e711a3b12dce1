"""Relevant items against the others, pair by pair: bpref and the area under ROC."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics.averages import Empty, Mean
from ltr.metrics.declaration import Measured, RankingMetric, ranking_metric, score
from ltr.metrics.ranked import RankedLists, Ties
from ltr.queries import BoolArray, FloatArray, IntArray


def auc(lists: RankedLists, *, threshold: float = 0.0) -> Measured:
    """Kernel of :func:`auc_score`."""
    relevant = lists.relevant(threshold)
    n_other = lists.queries.sizes - relevant.total
    above, tied = _others(lists, lists.labels <= threshold, relevant.slot)
    below = n_other[relevant.lists] - above - tied
    n_pairs = relevant.total * n_other
    value = relevant.sum_lists(below + 0.5 * tied) / np.maximum(n_pairs, 1)
    return Measured(value, blank=n_pairs == 0)


@ranking_metric(kernel=auc, needs="items of both kinds", whole_order=True)
def auc_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    threshold: float = 0.0,
    empty: Empty = "skip",
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Area under the ROC curve of each list (grouped AUC).

    The probability that a relevant item of the list has a higher score than one that
    is not relevant; equal scores count one half. It equals Rocchio's
    normalized recall.

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
        Lists whose items are all relevant, or none: leave out, or count as 0 or 1.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    auc : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    References
    ----------
    .. [1] Hanley & McNeil, "The meaning and use of the area under a receiver operating
       characteristic (ROC) curve", Radiology 1982; per list Zhu et al., "Optimized cost
       per click in Taobao display advertising", KDD 2017, eq. (13).

    Examples
    --------
    >>> auc_score([1, 0, 0, 1], [0.9, 0.5, 0.1, 0.1])
    0.625
    """
    return score(
        auc_score.info,
        y_true,
        y_score,
        qid,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        threshold=threshold,
    )


def bpref(lists: RankedLists, *, threshold: float = 0.0) -> Measured:
    """Kernel of :func:`bpref_score`."""
    relevant = lists.relevant(threshold)
    is_other = (lists.labels >= 0) & (lists.labels <= threshold)
    if lists.judged is not None:
        is_other &= lists.judged
    n_other = lists.sum_lists(is_other)
    above, tied = _others(lists, is_other, relevant.slot)
    # A relevant item with `above` others in earlier tie groups and `tied` in its own
    # stands below n_r = above, above + 1, …, above + tied others, equally likely:
    # E min(n_r, R) is a difference of the sums S(n) = Σ_{i ≤ n} min(i, R).
    r = relevant.total[relevant.lists]
    capped = _sum_of_capped(above + tied, r) - _sum_of_capped(above - 1.0, r)
    capped /= tied + 1.0
    bound = np.minimum(n_other, relevant.total)[relevant.lists]
    value = relevant.sum_lists(1.0 - capped / np.maximum(bound, 1.0))
    value = np.clip(value / np.maximum(relevant.total, 1), 0.0, 1.0)
    return Measured(value, blank=relevant.total == 0)


@ranking_metric(kernel=bpref)
def bpref_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    threshold: float = 0.0,
    mean: Mean = "arithmetic",
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Binary preference: judged relevant items before judged others.

    .. math:: \mathrm{bpref} = \frac{1}{R} \sum_{r} \Big( 1 -
        \frac{\min(n_r, R)}{\min(N, R)} \Big)

    over the returned relevant items r, with R relevant items, N judged others, and
    :math:`n_r` of the latter above r. Items without a judgment change nothing.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels; an item with a label below 0 is not judged.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    mean : {"arithmetic", "geometric"}, default="arithmetic"
        Mean over queries. Geometric (trec_eval's ``gm_bpref``; values below 1e-5 count
        as 1e-5) weighs poor queries more; it has no values per query.
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
    bpref : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    References
    ----------
    .. [1] Buckley & Voorhees, "Retrieval evaluation with incomplete information", SIGIR
       2004, with the denominator of trec_eval 8.0 and later.

    Examples
    --------
    >>> bpref_score([0, 1, -1, 1], [0.9, 0.5, 0.3, 0.1])
    0.0
    >>> bpref_score([1, 0, 0, 1], [0.9, 0.5, 0.3, 0.1])
    0.5
    """
    return score(
        bpref_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        mean=mean,
        query_weight=query_weight,
        per_query=per_query,
        threshold=threshold,
    )


def _others(
    ranked: RankedLists, is_other: BoolArray, slots: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Items of a kind in earlier tie groups of its list, and in its own, per slot."""
    total = np.append(0.0, np.cumsum(is_other))
    start = slots - ranked.position[slots]
    begin = start + ranked.tie_begin[slots]
    end = start + ranked.tie_end[slots]
    return total[begin] - total[start], total[end] - total[begin]


def _sum_of_capped(n: FloatArray, r: FloatArray) -> FloatArray:
    """Σ min(i, r) over i = 0 … n."""
    low = np.minimum(n, r)
    return low * (low + 1.0) / 2.0 + np.maximum(n - r, 0.0) * r


METRICS: dict[str, RankingMetric[..., FloatArray | float]] = {
    "auc": auc_score,
    "bpref": bpref_score,
}
