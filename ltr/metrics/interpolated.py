"""Interpolated precision: the recall-precision curve and its eleven-point average."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_choice
from ltr.metrics.averages import Empty
from ltr.metrics.declaration import Measured, RankingMetric, ranking_metric, score
from ltr.metrics.ranked import RankedLists, Ties
from ltr.queries import FloatArray

Rounding = Literal["nearest", "up"]
_ELEVEN_POINTS = tuple(i / 10 for i in range(11))
_SHIFTS = {"nearest": 0.5, "up": 0.9}
_SLACK = 1e-9  # for the rounding of sums of shares of tied items


def interpolated_precision(
    lists: RankedLists,
    *,
    recall: float | ArrayLike | None = None,
    threshold: float = 0.0,
    rounding: Rounding = "nearest",
) -> Measured:
    """Kernel of :func:`interpolated_precision_score`."""
    levels = _levels(_ELEVEN_POINTS if recall is None else recall)
    check_choice("rounding", rounding, _SHIFTS)
    total = lists.relevant(threshold).total
    n_relevant = _expected_relevant(lists, threshold)  # n_r of the formula
    precision = n_relevant / (lists.position + 1.0)
    value = np.zeros(len(total))
    for level in levels:
        needed = np.floor(level * total + _SHIFTS[rounding]) - _SLACK
        reached = n_relevant >= np.repeat(needed, lists.queries.sizes)
        starts = lists.queries.starts[:-1]
        value += np.maximum.reduceat(np.where(reached, precision, 0.0), starts)
    value = np.minimum(value / len(levels), 1.0)
    return Measured(value, blank=total == 0)


def _levels(recall: float | ArrayLike) -> FloatArray:
    try:
        levels = np.atleast_1d(np.asarray(recall, dtype=np.float64))
    except (TypeError, ValueError, OverflowError):
        levels = np.zeros(0)
    if levels.ndim == 1 and len(levels) and ((levels >= 0) & (levels <= 1)).all():
        return levels
    raise ArgumentError(f"recall must be one or several of [0, 1]; got {recall!r}.")


@ranking_metric(kernel=interpolated_precision, expected_under_ties=False)
def interpolated_precision_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    recall: float | ArrayLike | None = None,
    threshold: float = 0.0,
    rounding: Rounding = "nearest",
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Highest precision at any rank that reaches a recall, averaged over recalls.

    .. math:: \mathrm{IP}(\rho) = \max_{r:\ n_r \ge \lfloor \rho R + 1/2 \rfloor}
        \frac{n_r}{r}

    with :math:`n_r` relevant items among the first r, of R. One ``recall`` is a point
    of the curve; the default is the mean of its eleven standard points.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    recall : float or array-like of shape (n_levels,), default=None
        Recalls to reach, in [0, 1]. None: the eleven standard ones, 0, 0.1, …, 1.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    rounding : {"nearest", "up"}, default="nearest"
        Relevant items that a recall asks for: ρR rounded, as in trec_eval 10; or ρR +
        0.9 truncated, as up to version 9 and in pytrec_eval, which sometimes is one
        more.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: each takes an equal share of the relevant items of its tie group,
        so the curve is that of the expected precisions; row order; lowest label first;
        trec_eval's rule, which needs ``docids``.
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
        If shapes differ, a value is not finite, a recall is outside [0, 1], or an
        option is unknown.

    References
    ----------
    .. [1] Manning, Raghavan & Schütze, "Introduction to Information Retrieval", 2008,
       eq. (8.7) and figure 8.3.

    Examples
    --------
    >>> round(interpolated_precision_score([0, 1, 1, 0], [4, 3, 2, 1], recall=0.5), 4)
    0.6667
    >>> round(interpolated_precision_score([1, 0, 0, 1], [4, 3, 2, 1]), 4)
    0.8636
    """
    return score(
        interpolated_precision_score.info,
        y_true,
        y_score,
        qid,
        ties=ties,
        docids=docids,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        recall=recall,
        threshold=threshold,
        rounding=rounding,
    )


def _expected_relevant(ranked: RankedLists, threshold: float) -> FloatArray:
    """Expected relevant items up to each slot; 0 at documents not returned."""
    relevant = ranked.relevant(threshold)
    is_relevant = np.zeros(len(ranked.labels))
    is_relevant[relevant.slot] = 1.0
    if len(ranked.tied):
        begin = ranked.tie_begin - ranked.position + np.arange(len(is_relevant))
        n_in_group = np.bincount(begin, is_relevant, minlength=len(is_relevant))
        is_relevant = n_in_group[begin] / (ranked.tie_end - ranked.tie_begin)
    total = np.append(0.0, np.cumsum(is_relevant))
    before = np.repeat(total[ranked.queries.starts[:-1]], ranked.queries.sizes)
    return ranked.only_returned(total[1:] - before)


METRICS: dict[str, RankingMetric[..., FloatArray | float]] = {
    "interpolated_precision": interpolated_precision_score,
}
