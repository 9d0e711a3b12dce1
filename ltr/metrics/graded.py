"""Metrics on graded labels: DCG, NDCG, ERR and RBP."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_fraction, check_number
from ltr.metrics.averages import Empty
from ltr.metrics.declaration import Measured, RankingMetric, ranking_metric, score
from ltr.metrics.gains import Discount, Gain, check_labels, discounts, gains_of
from ltr.metrics.ranked import RankedLists, Ties
from ltr.metrics.stopping import expected_stop
from ltr.queries import FloatArray, IntArray

_MANY_GRADES = 32  # with more, sorting takes less time than counting


def dcg(
    lists: RankedLists,
    *,
    k: int | None = None,
    gain: Gain = "exp2",
    discount: Discount = "log2",
) -> Measured:
    """Kernel of :func:`dcg_score`."""
    weights = discounts(lists.max_size, discount, k)
    return _discounted_gain(lists, gain, weights)


@ranking_metric(kernel=dcg, range=(0.0, np.inf), labels="graded")
def dcg_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    gain: Gain = "exp2",
    discount: Discount = "log2",
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Discounted cumulative gain.

    .. math:: \mathrm{DCG@}k = \sum_{r \le k} G(y_{\pi_r}) \, D(r)

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels; what they may be depends on ``gain``.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Cut-off. None: the whole list.
    gain : {"exp2", "linear"}, array-like or callable, default="exp2"
        2^y − 1, y, a table indexed by label, or a function of the labels.
    discount : {"log2", "letor"} or callable, default="log2"
        1 / log2(rank + 1); LETOR's (1, 1, then 1 / log2(rank)); or a function of ranks.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores; see :mod:`ltr.metrics`.
    empty : {"skip", 0, 1}, default="skip"
        Lists without any gain: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    dcg : float, or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or a label does not fit ``gain``.

    References
    ----------
    .. [1] Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques",
       TOIS 2002; gain 2^y − 1 after Burges et al., ICML 2005.

    Examples
    --------
    >>> round(dcg_score([3, 2, 0], [0.1, 0.5, 0.3]), 4)
    6.5
    """
    return score(
        dcg_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
        gain=gain,
        discount=discount,
    )


def ndcg(
    lists: RankedLists,
    *,
    k: int | None = None,
    gain: Gain = "exp2",
    discount: Discount = "log2",
) -> Measured:
    """Kernel of :func:`ndcg_score`."""
    weights = discounts(lists.max_size, discount, k)
    value = _discounted_gain(lists, gain, weights).values
    ideal = _ideal_dcg(lists, gain, weights)
    # a discount may be 0 at all positions of a list, whose ideal DCG then is 0 too
    blank = ideal == 0
    value = np.minimum(value / np.where(blank, 1.0, ideal), 1.0)  # 1 + 2e-16: rounding
    if discount == "letor" and k is not None:
        value = np.where(lists.n_returned < k, 0.0, value)
    return Measured(value, blank)


@ranking_metric(kernel=ndcg, labels="graded")
def ndcg_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    gain: Gain = "exp2",
    discount: Discount = "log2",
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Normalized discounted cumulative gain: DCG over the DCG of the ideal order.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels; what they may be depends on ``gain``.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Cut-off, also of the ideal order. None: the whole list.
    gain : {"exp2", "linear"}, array-like or callable, default="exp2"
        2^y − 1, y, a table indexed by label, or a function of the labels.
    discount : {"log2", "letor"} or callable, default="log2"
        1 / log2(rank + 1); LETOR's evaluator (1, 1, then 1 / log2(rank), and 0 for a
        list with fewer than ``k`` rows); or a function of the 1-based ranks.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores; see :mod:`ltr.metrics`.
    empty : {"skip", 0, 1}, default="skip"
        Lists without any gain: leave out, or count as 0 (LETOR, trec_eval,
        scikit-learn) or as 1 (LightGBM, XGBoost).
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    ndcg : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or a label does not fit ``gain``.

    References
    ----------
    .. [1] Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques",
       TOIS 2002; gain 2^y − 1 after Burges et al., ICML 2005.

    Examples
    --------
    >>> round(ndcg_score([3, 2, 0], [0.1, 0.5, 0.3]), 4)
    0.7309

    A constant score has the value of a random order, whatever the order of the rows:

    >>> [round(ndcg_score(y, [0, 0, 0]), 4) for y in ([3, 2, 0], [0, 2, 3])]
    [0.7987, 0.7987]
    """
    return score(
        ndcg_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
        gain=gain,
        discount=discount,
    )


def err(
    lists: RankedLists, *, k: int | None = None, max_label: float | None = None
) -> Measured:
    """Kernel of :func:`err_score`."""
    check_number("max_label", max_label, low=0.0, optional=True)
    top = float(lists.labels.max()) if max_label is None else float(max_label)
    if lists.labels.max() > top:
        raise ValueError(
            f"max_label must be at least the largest label; got max_label={top:g} and "
            f"a label of {lists.labels.max():g}."
        )
    stop = gains_of(lists.labels, "exp2") / 2.0**top
    value = lists.sum_lists(expected_stop(lists, stop, k))
    return Measured(value, blank=lists.sum_lists(stop) == 0)


@ranking_metric(kernel=err, labels="graded")
def err_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    max_label: float | None = None,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Expected reciprocal rank of the item at which a user stops.

    .. math::
        \mathrm{ERR@}k = \sum_{r \le k} \frac{1}{r} R_{\pi_r}
        \prod_{q < r} (1 - R_{\pi_q}), \quad R_i = \frac{2^{y_i} - 1}{2^{y_{\max}}}

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels in [0, max_label].
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Cut-off. None: the whole list.
    max_label : float, default=None
        Highest grade y_max. None: the largest label in ``y_true``; pass it to compare
        values on different data.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores; see :mod:`ltr.metrics`.
    empty : {"skip", 0, 1}, default="skip"
        Lists whose labels are all 0: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    err : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or a label is outside [0, max_label].

    References
    ----------
    .. [1] Chapelle et al., "Expected reciprocal rank for graded relevance", CIKM 2009,
       eq. (4) and (5).

    Examples
    --------
    >>> err_score([2, 0, 1], [0.9, 0.5, 0.1])
    0.7708333333333334
    """
    return score(
        err_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
        max_label=max_label,
    )


def rbp(
    lists: RankedLists,
    *,
    k: int | None = None,
    persistence: float = 0.8,
    gain: Gain = "linear",
    threshold: float | None = None,
) -> Measured:
    """Kernel of :func:`rbp_score`."""
    check_fraction("persistence", persistence)
    weights = lists.cut(persistence ** np.arange(float(lists.max_size)), k)
    if threshold is None:
        return _discounted_gain(lists, gain, (1.0 - persistence) * weights)
    if not (isinstance(gain, str) and gain == "linear"):
        raise ArgumentError(
            "threshold makes every gain 0 or 1; got it with another gain. Pass one of "
            "threshold and gain."
        )
    check_number("threshold", threshold)
    relevant = lists.relevant(threshold)
    expected_weight = relevant.expected_weight((1.0 - persistence) * weights)
    return Measured(relevant.sum_lists(expected_weight), blank=relevant.total == 0)


@ranking_metric(kernel=rbp, range=(0.0, np.inf), labels="graded")
def rbp_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    persistence: float = 0.8,
    gain: Gain = "linear",
    threshold: float | None = None,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Rank-biased precision.

    .. math:: \mathrm{RBP} = (1 - p) \sum_r G(y_{\pi_r}) \, p^{r-1}

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels. Gains up to 1 keep the value in [0, 1]; with grades from 0 to 4 it goes
        up to 4, unless ``threshold`` makes them binary or ``gain`` scales them, as in
        ``gain=[0, 0.25, 0.5, 0.75, 1]``.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Cut-off. None: the whole list.
    persistence : float, default=0.8
        Probability p that the user goes on to the next item, in (0, 1).
    gain : {"exp2", "linear"}, array-like or callable, default="linear"
        2^y − 1, y, a table indexed by label, or a function of the labels.
    threshold : float, default=None
        Labels above it have gain 1 and the others 0, as in the original; ir_measures
        writes ``RBP(rel=1)`` for 0. None: the gains of the labels.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores; see :mod:`ltr.metrics`.
    empty : {"skip", 0, 1}, default="skip"
        Lists without any gain: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    rbp : float, or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, a label does not fit ``gain``,
        ``persistence`` is outside (0, 1), or both ``threshold`` and ``gain`` are given.

    Notes
    -----
    As in trec_eval 10, no relevance level (``-l``) applies: ``-l 2`` leaves its ``rbp``
    as it is. ``threshold=1`` makes labels from 2 on relevant.

    References
    ----------
    .. [1] Moffat & Zobel, "Rank-biased precision for measurement of retrieval
       effectiveness", TOIS 2008, eq. (2).

    Examples
    --------
    >>> round(rbp_score([1, 0, 1], [0.9, 0.5, 0.1], persistence=0.5), 4)
    0.625
    """
    return score(
        rbp_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
        persistence=persistence,
        gain=gain,
        threshold=threshold,
    )


def _discounted_gain(lists: RankedLists, gain: Gain, weights: FloatArray) -> Measured:
    """Σ G(y) E[weight] over the slots of each list; blank if it has no gain."""
    if isinstance(gain, str):  # labels of 0 have no gain: their slots are left out
        check_labels(lists.labels, gain)
        relevant = lists.relevant(0.0)
        gains = gains_of(lists.labels[relevant.slot], gain)
        value = relevant.sum_lists(gains * relevant.expected_weight(weights))
        return Measured(value, blank=relevant.total == 0)
    gains = gains_of(lists.labels, gain)
    value = lists.sum_lists(gains * lists.expected_weight(weights))
    return Measured(value, blank=lists.sum_lists(gains) == 0)


def _ideal_dcg(ranked: RankedLists, gain: Gain, weights: FloatArray) -> FloatArray:
    """Sum of gain times weight in the best order of each list."""
    labels, n_slots = ranked.labels, ranked.queries.sizes
    if isinstance(gain, str):  # labels of 0 have no gain
        labels = labels[labels > 0]
        n_slots = ranked.relevant(0.0).total.astype(np.intp)
    lists = np.repeat(np.arange(len(n_slots)), n_slots)
    gains = _best_first(labels, gains_of(labels, gain), lists, len(n_slots))
    position = np.arange(len(lists)) - (np.cumsum(n_slots) - n_slots)[lists]
    total = np.bincount(lists, gains * weights[position], minlength=len(n_slots))
    return total.astype(np.float64, copy=False)


def _best_first(
    labels: FloatArray, gains: FloatArray, lists: IntArray, n_lists: int
) -> FloatArray:
    """Gains in descending order within each list.

    With few grades by counting sort: cell (list, place of the grade from the best).
    """
    grades = labels.astype(np.intp)
    n_grades = int(grades.max(initial=0)) + 1
    if n_grades > _MANY_GRADES or (grades != labels).any() or (grades < 0).any():
        return gains[np.lexsort((-gains, lists))]
    gain_of_grade = np.zeros(n_grades)
    gain_of_grade[grades] = gains
    by_gain = np.argsort(-gain_of_grade)
    place = np.empty(n_grades, dtype=np.intp)
    place[by_gain] = np.arange(n_grades)
    cells = lists * n_grades + place[grades]
    count = np.bincount(cells, minlength=n_lists * n_grades)
    return np.repeat(np.tile(gain_of_grade[by_gain], n_lists), count)


METRICS: dict[str, RankingMetric[..., FloatArray | float]] = {
    "dcg": dcg_score,
    "ndcg": ndcg_score,
    "err": err_score,
    "rbp": rbp_score,
}
