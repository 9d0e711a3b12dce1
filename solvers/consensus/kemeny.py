"""Kemeny's consensus: the order at least total Kendall distance to the votes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from ltr.solvers.consensus.counts import pairwise_counts
from ltr.solvers.core.constraints import OrderConstraint
from ltr.solvers.core.inputs import check_counts
from ltr.solvers.core.observation import Callback
from ltr.solvers.core.rankings import Rankings
from ltr.solvers.core.solution import Solution
from ltr.solvers.orderings import solve_ordering


def kemeny(
    rankings: Rankings,
    *,
    n_items: int | None = None,
    weights: ArrayLike | None = None,
    ties: str = "half",
    absent: str = "ignore",
    constraints: Iterable[OrderConstraint] = (),
    method: str = "auto",
    time_limit_s: float | None = None,
    work_limit: float | None = None,
    random_state: int | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
) -> Solution:
    """Find the order that agrees with the votes on the most pairs.

    Kemeny's consensus [1]_ is the best linear ordering of the pairwise counts. The
    objective is the number of pairs, over all votes, on which order and vote agree;
    :func:`kemeny_distance` is the number on which they disagree.

    Parameters
    ----------
    rankings : int array-like of shape (n_rankings, k), or sequence of rankings
        Item numbers, best first; tied items in an inner tuple.
    n_items : int, default=None
        Number of items. None: one more than the greatest item number.
    weights : array-like of shape (n_rankings,), default=None
        Weight of each ranking. None: 1.
    ties : {"half", "ignore"}, default="half"
        See :func:`pairwise_counts`. It does not change the order.
    absent : {"ignore", "last"}, default="ignore"
        See :func:`pairwise_counts`.
    constraints : iterable of Precedence, FixedPosition or Together, default=()
        Constraints that the order must keep.
    method : str, default="auto"
        See :func:`solve_ordering`.
    time_limit_s : float, default=None
        Wall-clock seconds. None: no time limit.
    work_limit : float, default=None
        Units of work; see :func:`solve_ordering`.
    random_state : int, default=None
        Seed of the search. None: 0.
    callback : callable, default=None
        See :func:`solve_ordering`.
    verbose : int, default=0
        See :func:`solve_ordering`.

    Returns
    -------
    solution : Solution
        With ``order``, ``objective``, ``bound`` and ``status``.

    Raises
    ------
    TypeError, ValueError
        As :func:`pairwise_counts` and :func:`solve_ordering`.

    References
    ----------
    .. [1] J. G. Kemeny. Mathematics without numbers. Daedalus 88, 1959.

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
        callback=callback,
        verbose=verbose,
    )


def kemeny_distance(order: ArrayLike, counts: ArrayLike) -> float:
    """Count the pairs, over all votes, on which an order disagrees with the vote.

    Parameters
    ----------
    order : int array-like of shape (n,)
        Item numbers, best first.
    counts : array-like of shape (n, n)
        From :func:`pairwise_counts`; with ``ties="half"`` a pair that a vote ties adds
        1/2 to the distance of every order.

    Returns
    -------
    distance : float
        Sum of the Kendall distances to the votes.

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
    is_integer = order.dtype.kind in "iu" and order.shape == (len(matrix),)
    if not is_integer or (np.sort(order) != np.arange(len(matrix))).any():
        raise ValueError(
            f"order must have each of the items 0, …, {len(matrix) - 1} once; got "
            f"{order.tolist()}."
        )
    # with items renumbered by the order, disagreeing votes are below the diagonal
    return float(np.tril(matrix[np.ix_(order, order)], -1).sum())
