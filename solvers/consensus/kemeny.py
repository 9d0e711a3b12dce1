"""One order from many: Kemeny's consensus, and the scores that it is compared with.

Everywhere a ranking is a sequence of item numbers 0, …, n - 1, best first; items that
are tied stand in an inner tuple, and a partial ranking leaves items out. Thus
``[[2, 0, 1], [(0, 1), 2], [1]]`` are three votes. Rankings of one length without ties
may be an integer array of shape (n_rankings, k). A table of *ranks* becomes rankings by
:func:`orders_from_ranks`.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from ltr.solvers.core.inputs import check_counts, to_array
from ltr.solvers.core.rankings import check_weights, read_levels
from ltr.solvers.core.solution import FloatArray, Solution, solved
from ltr.solvers.orderings import solve_ordering

TIES, ABSENT = ("half", "ignore"), ("ignore", "last")


def orders_from_ranks(ranks: ArrayLike) -> list[list[int | tuple[int, ...]]]:
    """Turn a table of ranks into rankings, the format of this module.

    Parameters
    ----------
    ranks : array-like of shape (n_rankings, n_items)
        Entry [v, i]: the rank of item i in vote v, the least being the best; equal ones
        are ties, NaN is absent. Scores: pass them negated.

    Returns
    -------
    rankings : list of lists
        Item numbers, best first, tied ones in a tuple.

    Raises
    ------
    ValueError
        If the table does not have two dimensions.

    Examples
    --------
    >>> orders_from_ranks([[2, 3, 1], [1, 1, 2], [np.nan, 1, np.nan]])
    [[2, 0, 1], [(0, 1), 2], [1]]
    """
    table = to_array(ranks, "ranks must be a table of numbers, one row per vote")
    if table.ndim != 2:
        raise ValueError(
            "ranks must have shape (n_rankings, n_items), one row per vote; got shape "
            f"{table.shape}."
        )
    rankings = []
    for row in table:
        present = np.flatnonzero(~np.isnan(row))
        order = present[np.argsort(row[present], kind="stable")]
        starts = np.flatnonzero(np.diff(row[order], prepend=-np.inf) > 0)
        groups = np.split(order, starts[1:]) if len(order) else []
        rankings.append(
            [tuple(g.tolist()) if len(g) > 1 else int(g[0]) for g in groups]
        )
    return rankings


def pairwise_counts(
    rankings: ArrayLike | Sequence[Sequence[Any]],
    *,
    n_items: int | None = None,
    weights: ArrayLike | None = None,
    ties: str = "half",
    absent: str = "ignore",
) -> FloatArray:
    """Count for each pair of items how often one stands before the other.

    Parameters
    ----------
    rankings : int array-like of shape (n_rankings, k), or sequence of rankings
        Item numbers, best first; tied items in an inner tuple.
    n_items : int or None, default=None
        How many items there are. None: one more than the greatest number.
    weights : array-like of shape (n_rankings,) or None, default=None
        How often each ranking counts. None: once.
    ties : str, default="half"
        "half": a tied pair counts a half each way round. "ignore": not at all.
    absent : str, default="ignore"
        "ignore": a vote says nothing about a pair unless it ranks both items (as
        ballots on different sets of items need it). "last": absent items are tied
        behind all ranked ones (as top-k lists mean it).

    Returns
    -------
    counts : float array of shape (n_items, n_items)
        Entry [i, j]: weight of the votes with i before j.

    Raises
    ------
    TypeError, ValueError
        If a ranking has something else than item numbers, or one of them twice.

    Examples
    --------
    >>> pairwise_counts([[0, 1, 2], [(0, 1), 2], [2, 1]]).tolist()
    [[0.0, 1.5, 2.0], [0.5, 0.0, 2.0], [0.0, 1.0, 0.0]]
    >>> pairwise_counts([[2]], n_items=3, absent="last").tolist()
    [[0.0, 0.5, 0.0], [0.5, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    _check_choice(ties, TIES, "ties")
    levels = _levels(rankings, n_items, absent)
    n_votes, n = levels.shape
    weight = check_weights(weights, n_votes, "ranking")
    counts = np.zeros((n, n))
    by_item = np.ascontiguousarray(levels.T)
    for i in range(n):
        counts[i] = (by_item[i] < by_item) @ weight
    if ties == "half":
        counts += _tied_counts(levels, weight) / 2
    return counts


def _tied_counts(levels: FloatArray, weight: FloatArray) -> FloatArray:
    """Weight of the votes that rank i and j alike, i ≠ j."""
    n = levels.shape[1]
    n_levels = 1 + np.where(np.isfinite(levels), levels, -1.0).max(axis=1, initial=-1)
    with_ties = np.flatnonzero(n_levels < (~np.isnan(levels)).sum(axis=1))
    by_item = np.ascontiguousarray(levels[with_ties].T)
    counts = np.zeros((n, n))
    if len(with_ties):
        for i in range(n):
            counts[i] = (by_item[i] == by_item) @ weight[with_ties]
        np.fill_diagonal(counts, 0.0)
    return counts


def _levels(rankings: Any, n_items: int | None, absent: str) -> FloatArray:
    _check_choice(absent, ABSENT, "absent")
    levels = read_levels(rankings, n_items)
    if absent == "last":
        levels[np.isnan(levels)] = np.inf
    return levels


def _check_choice(value: str, choices: tuple[str, ...], name: str) -> None:
    if value not in choices:
        names = " or ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be {names}; got {value!r}.")


def comparisons_to_matrix(
    winners: ArrayLike,
    losers: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    n_items: int | None = None,
) -> FloatArray:
    """Add up single comparisons: entry [i, j] is how often i beat j.

    Parameters
    ----------
    winners, losers : int array-like of shape (n_comparisons,)
        Item numbers.
    weights : array-like of shape (n_comparisons,) or None, default=None
        How often each comparison counts. None: once.
    n_items : int or None, default=None
        How many items there are. None: one more than the greatest number.

    Returns
    -------
    matrix : float array of shape (n_items, n_items)
        For :func:`solve_ordering`, :func:`bradley_terry`, :func:`borda`,
        :func:`copeland`.

    Raises
    ------
    ValueError
        If the lengths differ, or an item is compared with itself.

    Examples
    --------
    >>> comparisons_to_matrix([0, 0, 2], [1, 1, 0], weights=[1, 2, 1]).tolist()
    [[0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    pairs = [np.asarray(items) for items in (winners, losers)]
    if pairs[0].shape != pairs[1].shape or pairs[0].ndim != 1:
        raise ValueError(
            "winners and losers must have one item number per comparison each; got "
            f"shapes {pairs[0].shape} and {pairs[1].shape}."
        )
    if pairs[0].size and not all(np.issubdtype(p.dtype, np.integer) for p in pairs):
        raise TypeError(
            "winners and losers must be item numbers, integers from 0; got "
            f"{pairs[0].dtype} and {pairs[1].dtype}. Number names by names, codes = "
            "np.unique([winners, losers], return_inverse=True); winners, losers = "
            "codes.reshape(2, -1)."
        )
    both = np.stack(pairs).astype(np.int64)
    same = both[0] == both[1]
    if same.any():
        first = int(np.argmax(same))
        raise ValueError(
            f"an item cannot be compared with itself; comparison {first} has item "
            f"{both[0, first]} twice."
        )
    least, greatest = int(both.min(initial=0)), int(both.max(initial=-1))
    n = greatest + 1 if n_items is None else n_items
    if least < 0 or greatest >= n:
        raise ValueError(
            f"item numbers must be in 0, …, {n - 1}; got "
            f"{least if least < 0 else greatest}."
        )
    matrix = np.zeros((n, n))
    np.add.at(matrix, tuple(both), check_weights(weights, both.shape[1], "comparison"))
    return matrix


def kemeny(
    rankings: ArrayLike | Sequence[Sequence[Any]],
    *,
    n_items: int | None = None,
    weights: ArrayLike | None = None,
    ties: str = "half",
    absent: str = "ignore",
    constraints: Iterable[Any] = (),
    method: str = "auto",
    time_limit_s: float | None = None,
    work_limit: float | None = None,
    random_state: int | None = None,
) -> Solution:
    """Find the order that agrees with the votes on most pairs.

    Kemeny's (1959) consensus, "Mathematics without numbers": the linear ordering of the
    pairwise counts. The objective is the number of pairs, over all votes, that the
    order has as the votes do; :func:`kemeny_distance` is the number of the others.

    Parameters
    ----------
    rankings : int array-like of shape (n_rankings, k), or sequence of rankings
        Item numbers, best first; tied items in an inner tuple.
    n_items : int or None, default=None
        How many items there are. None: one more than the greatest number.
    weights : array-like of shape (n_rankings,) or None, default=None
        How often each ranking counts. None: once.
    ties : str, default="half"
        See :func:`pairwise_counts`; the order is the same with both.
    absent : str, default="ignore"
        See :func:`pairwise_counts`.
    constraints : iterable of Precedence, FixedPosition or Together, default=()
        What the order must keep.
    method : str, default="auto"
        See :func:`solve_ordering`.
    time_limit_s : float or None, default=None
        Seconds by the clock. None: no such limit.
    work_limit : float or None, default=None
        Units of work; see :func:`solve_ordering`.
    random_state : int or None, default=None
        Seed of the search. None: 0.

    Returns
    -------
    solution : Solution
        With ``order``, ``objective``, ``bound`` and ``status``.

    Raises
    ------
    TypeError, ValueError
        As :func:`pairwise_counts` and :func:`solve_ordering`.

    Examples
    --------
    >>> votes = [[0, 1, 2], [1, 2, 0], [1, (0, 2)]]
    >>> solution = kemeny(votes)
    >>> solution.order, solution.objective, solution.is_optimal
    (array([1, 0, 2]), 6.5, True)
    """
    counts = pairwise_counts(
        rankings, n_items=n_items, weights=weights, ties=ties, absent=absent
    )
    return solve_ordering(
        counts,
        constraints=constraints,
        method=method,
        time_limit_s=time_limit_s,
        work_limit=work_limit,
        random_state=random_state,
    )


def kemeny_distance(order: ArrayLike, counts: ArrayLike) -> float:
    """Count the pairs, over all votes, that an order has the other way round.

    Parameters
    ----------
    order : int array-like of shape (n,)
        Item numbers, best first.
    counts : array-like of shape (n, n)
        From :func:`pairwise_counts`; with ``ties="half"`` a pair that is tied in a
        vote adds a half to each order's distance.

    Returns
    -------
    distance : float
        Sum of Kendall's distances to the votes.

    Raises
    ------
    ValueError
        If the order does not have each item once, or counts are not square.

    Examples
    --------
    >>> kemeny_distance([1, 0, 2], pairwise_counts([[0, 1, 2], [1, 2, 0]]))
    2.0
    """
    matrix, order = check_counts(counts), np.asarray(order)
    whole = order.dtype.kind in "iu" and order.shape == (len(matrix),)
    if not whole or (np.sort(order) != np.arange(len(matrix))).any():
        raise ValueError(
            f"order must have each of the items 0, …, {len(matrix) - 1} once; got "
            f"{order.tolist()}."
        )
    return float(np.tril(matrix[np.ix_(order, order)], -1).sum())


def borda(counts: ArrayLike) -> FloatArray:
    """Score items by their votes against all others, less the votes of those.

    For complete rankings of n items it orders like the Borda count: it is twice the
    points n - rank, less a constant.

    Parameters
    ----------
    counts : array-like of shape (n, n)
        Entry [i, j]: how often i is before j; see :func:`pairwise_counts`.

    Returns
    -------
    scores : float array of shape (n,)
        Higher is better.

    Examples
    --------
    >>> borda(pairwise_counts([[0, 1, 2], [1, 2, 0]]))
    array([ 0.,  2., -2.])
    """
    matrix = check_counts(counts)
    return matrix.sum(axis=1) - matrix.sum(axis=0)


def copeland(counts: ArrayLike) -> FloatArray:
    """Score items by how many others they beat, less how many beat them.

    Parameters
    ----------
    counts : array-like of shape (n, n)
        Entry [i, j]: how often i is before j; see :func:`pairwise_counts`.

    Returns
    -------
    scores : float array of shape (n,)
        Whole numbers; higher is better.

    Examples
    --------
    >>> copeland(pairwise_counts([[0, 1, 2], [1, 2, 0]]))
    array([ 0.,  1., -1.])
    """
    matrix = check_counts(counts)
    return np.sign(matrix - matrix.T).sum(axis=1)


def footrule(
    rankings: ArrayLike | Sequence[Sequence[Any]],
    *,
    n_items: int | None = None,
    weights: ArrayLike | None = None,
    absent: str = "ignore",
) -> Solution:
    """Find the order whose positions are nearest to those of the votes.

    Minimises Spearman's footrule, the sum of abs(position - position in the vote) over
    items and votes, by an assignment of items to positions (Dwork, Kumar, Naor and
    Sivakumar, 2001, "Rank aggregation methods for the Web", §3.1; its Kemeny distance
    is at most twice the least one). Tied items share their mean position.

    Parameters
    ----------
    rankings : int array-like of shape (n_rankings, k), or sequence of rankings
        Item numbers, best first; tied items in an inner tuple.
    n_items : int or None, default=None
        How many items there are. None: one more than the greatest number.
    weights : array-like of shape (n_rankings,) or None, default=None
        How often each ranking counts. None: once.
    absent : str, default="ignore"
        "ignore": positions in a vote on k items are scaled by (n + 1) / (k + 1), and
        absent items do not count. "last": absent items are tied behind the others.

    Returns
    -------
    solution : Solution
        OPTIMAL; the objective is the footrule distance, negated.

    Raises
    ------
    TypeError, ValueError
        As :func:`pairwise_counts`.

    Examples
    --------
    >>> solution = footrule([[0, 1, 2], [0, 2, 1], [1, 0, 2]])
    >>> solution.order, solution.objective
    (array([0, 1, 2]), -4.0)
    """
    started = time.perf_counter()
    levels = _levels(rankings, n_items, absent)
    n_votes, n = levels.shape
    weight = check_weights(weights, n_votes, "ranking")
    cost = np.zeros((n, n))
    places = np.arange(1.0, n + 1)
    if n:
        ranks = rankdata(levels, axis=1, nan_policy="omit")
        n_ranked = np.isfinite(ranks).sum(axis=1, keepdims=True)
        ranks *= (n + 1) / (n_ranked + 1)
        for rank, share in zip(ranks, weight, strict=True):
            cost += share * np.nan_to_num(np.abs(rank[:, None] - places))
    items, positions = linear_sum_assignment(cost)
    value = 0.0 - float(cost[items, positions].sum())
    return solved(
        items[np.argsort(positions)],
        value,
        value,
        tolerance=0.0,
        method="assignment",
        started=started,
    )
