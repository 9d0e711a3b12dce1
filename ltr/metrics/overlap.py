"""Overlap of the tops of two orders: rank-biased and average overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_fraction
from ltr.metrics.averages import Empty
from ltr.metrics.declaration import Measured, RankingMetric, ranking_metric, score
from ltr.metrics.ranked import RankedLists
from ltr.queries import BoolArray, FloatArray, IntArray


def rbo(
    lists: RankedLists,
    *,
    k: int | None = None,
    persistence: float = 0.9,
    extrapolate: bool = True,
) -> Measured:
    """Kernel of :func:`rbo_score`."""
    if persistence == 1.0:
        raise ValueError(
            "persistence must be < 1; got 1.0. For p = 1 use average_overlap_score."
        )
    check_fraction("persistence", persistence)
    agreement, blank = _agreement(lists)
    sizes = lists.queries.sizes
    depth = sizes if k is None else np.minimum(sizes, k)
    weights = (1.0 - persistence) * persistence**lists.position
    in_depth = lists.position < np.repeat(depth, sizes)
    value = lists.sum_lists(agreement * weights * in_depth)
    if extrapolate:
        last = agreement[lists.queries.starts[:-1] + depth - 1]
        value += last * persistence**depth
    return Measured(np.minimum(value, 1.0), blank)


@ranking_metric(
    kernel=rbo, labels="real", needs="two distinct labels", whole_order=True
)
def rbo_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    persistence: float = 0.9,
    extrapolate: bool = True,
    empty: Empty = "skip",
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Rank-biased overlap of the order of the scores and that of the labels.

    .. math:: \mathrm{RBO} = (1 - p) \sum_{d \le k} p^{d-1} A_d \;[+\; p^k A_k],
        \quad A_d = |\text{top } d \text{ by score} \cap \text{top } d \text{ by label}|
        / d

    Equal scores and equal labels are averaged over their orders, independently.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, any real numbers; for a given order, minus its ranks.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Depth of evaluation. None, or deeper than a list: the whole list.
    persistence : float, default=0.9
        Probability p that the reader goes on to the next depth, in (0, 1).
    extrapolate : bool, default=True
        Assume the last agreement beyond the depth of evaluation (the term in brackets),
        so that the RBO of equal orders is 1. False: the finite sum, a lower bound.
    empty : {"skip", 0, 1}, default="skip"
        Lists without two distinct labels: leave out, or count as 0 or 1.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    rbo : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or ``persistence`` is outside (0, 1).

    References
    ----------
    .. [1] Webber, Moffat & Zobel, "A similarity measure for indefinite rankings", TOIS
       2010, eq. (4) and (30); ties: Corsi & Urbano, "The treatment of ties in
       rank-biased overlap", SIGIR 2024, RBO^a.

    Examples
    --------
    >>> round(rbo_score([3, 2, 1], [0.5, 0.9, 0.1], persistence=0.5), 4)
    0.5
    """
    return score(
        rbo_score.info,
        y_true,
        y_score,
        qid,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
        persistence=persistence,
        extrapolate=extrapolate,
    )


def average_overlap(lists: RankedLists, *, k: int | None = None) -> Measured:
    """Kernel of :func:`average_overlap_score`."""
    agreement, blank = _agreement(lists)
    sizes = lists.queries.sizes
    depth = sizes if k is None else np.minimum(sizes, k)
    in_depth = lists.position < np.repeat(depth, sizes)
    value = np.minimum(lists.sum_lists(agreement * in_depth) / depth, 1.0)
    return Measured(value, blank)


@ranking_metric(
    kernel=average_overlap, labels="real", needs="two distinct labels", whole_order=True
)
def average_overlap_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    empty: Empty = "skip",
    query_weight: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Mean share of common items over the depths 1 … ``k`` of two orders.

    .. math:: \mathrm{AO@}k = \frac{1}{k} \sum_{d \le k} A_d

    with the agreement :math:`A_d` of :func:`rbo_score`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, any real numbers; for a given order, minus its ranks.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        Query of each row, in any order. None: one query.
    k : int, default=None
        Deepest depth. None, or deeper than a list: the whole list.
    empty : {"skip", 0, 1}, default="skip"
        Lists without two distinct labels: leave out, or count as 0 or 1.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the mean; constant within a query.
    per_query : bool, default=False
        Return one value per query.

    Returns
    -------
    overlap : float in [0, 1], or array of shape (n_queries,) if ``per_query``
        Mean over queries; per query in order of first appearance, NaN if skipped.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    References
    ----------
    .. [1] Wu & Crestani, "Methods for ranking information retrieval systems without
       relevance judgments", SAC 2003; Fagin, Kumar & Sivakumar, "Comparing top k
       lists", SIAM J. Discrete Mathematics 2003.

    Examples
    --------
    >>> average_overlap_score([4, 3, 2, 1], [3, 4, 2, 1])
    0.75
    """
    return score(
        average_overlap_score.info,
        y_true,
        y_score,
        qid,
        empty=empty,
        query_weight=query_weight,
        per_query=per_query,
        k=k,
    )


def _agreement(lists: RankedLists) -> tuple[FloatArray, BoolArray]:
    """Expected A_d at the slot of depth d, and which lists have one label only."""
    by_label = lists.by_label()
    begin, end = np.empty_like(by_label.rows), np.empty_like(by_label.rows)
    begin[by_label.rows], end[by_label.rows] = by_label.tie_begin, by_label.tie_end
    sizes = lists.queries.sizes
    common = expected_common(
        sizes,
        lists.list_of_slot,
        (lists.tie_begin, lists.tie_end),
        (begin, end),
    )
    has_one_label = by_label.tie_end[lists.queries.starts[:-1]] == sizes
    return common / (lists.position + 1.0), has_one_label


def expected_common(
    depths: IntArray,
    lists: IntArray,
    places: tuple[IntArray, IntArray],
    other_places: tuple[IntArray, IntArray],
) -> FloatArray:
    """Expected number of items that are among the first d of both orders, for each d.

    Parameters
    ----------
    depths : int array of shape (n_lists,)
        Largest d of each list, at least the end of any of its items.
    lists : int array of shape (n_items,)
        List of each item that both orders have.
    places, other_places : pairs of int arrays of shape (n_items,)
        Begin and end of the positions of each item's tie group, in either order.

    Returns
    -------
    common : float array of shape (sum(depths),)
        For d = 1, 2, … of each list.

    Notes
    -----
    In an order where its tie group takes positions [b, e), an item is among the first d
    with probability clip((d − b) / (e − b), 0, 1). The product of two such ramps is a
    polynomial in d on each of three pieces,

    * ρ ρ' (d − b) (d − b') from max(b, b') to min(e, e'), with slopes ρ = 1 / (e − b);
    * ρ (d − b) of the ramp that ends later, from there to max(e, e');
    * 1 from there on,

    so each item adds its coefficients where a piece begins and subtracts them where it
    ends; a running sum over d gives the coefficients of the sum over all items.

    Examples
    --------
    >>> one = np.array([0])
    >>> expected_common(np.array([3]), one, (one, one + 1), (one, one + 2)).tolist()
    [0.5, 1.0, 1.0]
    """
    (b, e), (b2, e2) = places, other_places
    starts = np.cumsum(depths) - depths
    start, n = starts[lists], depths[lists]
    slope, slope2 = 1.0 / (e - b), 1.0 / (e2 - b2)
    ends_later = e >= e2
    later_b = np.where(ends_later, b, b2)
    later_slope = np.where(ends_later, slope, slope2)
    both_begun = np.maximum(b, b2)
    one_ended = np.maximum(
        np.minimum(e, e2), both_begun
    )  # if one ends before the other
    both_ended = np.maximum(e, e2)
    pieces = (  # from, to, coefficients of 1, d and d²
        (
            both_begun,
            one_ended,
            (slope * slope2 * b * b2, -slope * slope2 * (b + b2), slope * slope2),
        ),
        (one_ended, both_ended, (-later_slope * later_b, later_slope)),
        (both_ended, n, (np.ones(len(b)),)),
    )
    coefficients = np.zeros((3, int(depths.sum()) + 1))
    for low, high, terms in pieces:
        for coefficient, term in zip(coefficients, terms, strict=False):
            size = len(coefficient)
            coefficient += np.bincount(start + low, term, minlength=size)
            coefficient -= np.bincount(start + high, term, minlength=size)
    running = np.cumsum(coefficients[:, :-1], axis=1)
    d = np.arange(1.0, running.shape[1] + 1.0) - np.repeat(starts, depths)
    return running[0] + d * (running[1] + d * running[2])


METRICS: dict[str, RankingMetric[..., FloatArray | float]] = {
    "rbo": rbo_score,
    "average_overlap": average_overlap_score,
}
