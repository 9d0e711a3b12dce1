"""Average precision of a sample of judgments, and of a set without an order."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics.averages import Empty
from ltr.metrics.declaration import Measured, RankingMetric, ranking_metric, score
from ltr.metrics.ranked import RankedLists, Ties
from ltr.queries import BoolArray, FloatArray

_EPSILON = 1e-5  # of the paper's smoothing, as in trec_eval


def inferred_ap(lists: RankedLists, *, threshold: float = 0.0) -> Measured:
    """Kernel of :func:`inferred_ap_score`."""
    relevant = lists.relevant(threshold)
    is_judged = lists.labels >= 0 if lists.judged is None else lists.judged
    is_relevant = lists.labels > threshold
    is_unsampled = lists.labels < 0 if lists.unsampled is None else lists.unsampled
    r = _expected_before(lists, is_relevant & is_judged, is_relevant=True)
    n = _expected_before(lists, ~is_relevant & is_judged, is_relevant=False)
    u = _expected_before(lists, is_unsampled & ~is_judged, is_relevant=False)
    j = lists.position.astype(np.float64)
    # Of the j documents above, (r + n + u) / j are in the pool, and a share of
    # (r + ε) / (r + n + 2ε) of those is estimated to be relevant; j cancels.
    above = (r + n + u) * (r + _EPSILON) / (r + n + 2.0 * _EPSILON)
    precision = (1.0 + above) / (j + 1.0)
    share = np.zeros(len(precision))  # probability of a relevant document, per slot
    share[relevant.slot] = 1.0
    if len(lists.tied):
        share = _mean_in_group(lists, share)
    value = lists.sum_lists(lists.only_returned(precision * share))
    return Measured(value / np.maximum(relevant.total, 1), blank=relevant.total == 0)


@ranking_metric(kernel=inferred_ap)
def inferred_ap_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Inferred AP: average precision when a random sample of a pool was judged.

    .. math:: \mathrm{infAP} = \frac{1}{R} \sum_{r} \Big( \frac{1}{j} + \frac{j - 1}{j}
        \, \frac{d_j}{j - 1} \, \frac{r_j + \varepsilon}{r_j + n_j + 2 \varepsilon}
        \Big)

    over the returned relevant items, at ranks j, of R; above rank j are
    :math:`d_j` items of the pool, of which :math:`r_j` are judged relevant and
    :math:`n_j` are judged and not relevant; :math:`\varepsilon` is 1e-5. If all items
    are judged it is AP but for :math:`\varepsilon`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels; below 0: in the pool, but not drawn into the sample that was judged.
        In :func:`evaluate_run` a document that the judgments lack is not in the pool.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: the expected value over their orders, with expected counts
        :math:`d_j, r_j, n_j` if some items have no judgment; row order; lowest label
        first; trec_eval's rule, which needs ``docids``.
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
    .. [1] Yilmaz & Aslam, "Estimating average precision with incomplete and imperfect
       judgments", CIKM 2006, section 3.3.

    Examples
    --------
    >>> round(inferred_ap_score([1, 0, 1], [0.9, 0.5, 0.1]), 4)
    0.8333
    >>> round(inferred_ap_score([1, -1, 1], [0.9, 0.5, 0.1]), 4)
    1.0
    """
    return score(
        inferred_ap_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        threshold=threshold,
    )


def set_ap(
    lists: RankedLists, *, k: int | None = None, threshold: float = 0.0
) -> Measured:
    """Kernel of :func:`set_ap_score`."""
    relevant = lists.relevant(threshold)
    depth = np.maximum(lists.n_returned, 1) if k is None else k
    precision = relevant.in_top(depth) / depth
    recall = relevant.in_top(depth) / np.maximum(relevant.total, 1)
    return Measured(precision * recall, blank=relevant.total == 0)


@ranking_metric(kernel=set_ap, expected_under_ties=False)
def set_ap_score(
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
    """Precision times recall of the first ``k``, in any order.

    It is the average precision of a set: the precision is that of the whole set at
    each relevant item in it, and 0 at the others (trec_eval's ``set_map``, SetAP of
    ir_measures).

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
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: expected precision times expected recall; row order; lowest label
        first; trec_eval's rule, which needs ``docids``.
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
    .. [1] trec_eval 10, https://github.com/usnistgov/trec_eval, ``set_map``.

    Examples
    --------
    >>> set_ap_score([0, 1, 1], [0.9, 0.5, 0.1], k=2)
    0.25
    """
    return score(
        set_ap_score.info,
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


def _expected_before(
    lists: RankedLists, kind: BoolArray, *, is_relevant: bool
) -> FloatArray:
    """Items of a kind expected above each slot, given a relevant item in the slot.

    With m items in the tie group at positions s, …, s + m − 1 and c of the kind among
    them, c − 1 for relevant ones, (c or c − 1) (p − s) / (m − 1) are expected at
    s, …, p − 1.
    """
    total = np.append(0.0, np.cumsum(kind))
    start = np.arange(len(kind)) - lists.position
    begin = start + lists.tie_begin
    above = total[begin] - total[start]
    if len(lists.tied) == 0:
        return above
    size = lists.tie_end - lists.tie_begin
    others = total[begin + size] - total[begin] - is_relevant
    passed = (lists.position - lists.tie_begin) / np.maximum(size - 1, 1)
    return above + np.maximum(others, 0.0) * passed


def _mean_in_group(lists: RankedLists, values: FloatArray) -> FloatArray:
    """Mean of a value per slot over its tie group."""
    total = np.append(0.0, np.cumsum(values))
    begin = np.arange(len(values)) - lists.position + lists.tie_begin
    size = lists.tie_end - lists.tie_begin
    return (total[begin + size] - total[begin]) / size


METRICS: dict[str, RankingMetric[..., FloatArray | float]] = {
    "inferred_ap": inferred_ap_score,
    "set_ap": set_ap_score,
}
