"""Best insertions, with and without constraints; and a bound for any n.

The neighborhood is that of Schiavinotto and Stützle (2004), "The linear ordering
problem: instances, search space analysis and algorithms": remove an item and insert it
anywhere. The gains of all n² such moves are one cumulative sum.
"""

import numpy as np

from ltr.queries import FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.orderings.insertions import InsertionTable
from ltr.solvers.orderings.problem import OrderingProblem

# Gains below this share of the greatest gain of a pair are rounding errors.
LEAST_GAIN = 1e-9
# Units of work between two looks at the budget.
_WORK_OF_CLIMB = 0.02


def borda_order(gains: FloatArray) -> IntArray:
    """Return the items by the sum of their gains, greatest first; ties by index.

    Examples
    --------
    >>> borda_order(np.array([[0.0, -1.0], [1.0, 0.0]]))
    array([1, 0])
    """
    return np.argsort(-gains.sum(axis=1), kind="stable")


def move_gains(gains: FloatArray, order: IntArray) -> FloatArray:
    """Return the gain of moving the item at position a to position b, for all a and b.

    Let T[a, b] be the sum of the gains of item a over the items at positions < b.
    Moving it down past a + 1, …, b reverses those pairs, which gains
    2·(T[a, a] - T[a, b + 1]); moving it up past b, …, a - 1 gains 2·(T[a, a] -
    T[a, b]).

    Examples
    --------
    >>> move_gains(np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([0, 1]))
    array([[0., 2.],
           [2., 0.]])
    """
    n = len(order)
    positions = np.arange(n)
    total = np.zeros((n, n + 1))
    np.cumsum(gains[order].take(order, axis=1), axis=1, out=total[:, 1:])
    own = total[positions, positions][:, None]
    is_forward = positions > positions[:, None]
    return 2 * np.where(is_forward, own - total[:, 1:], own - total[:, :-1])


def moved(order: IntArray, a: int, b: int) -> IntArray:
    """Return the order with the item at position a moved to position b.

    Examples
    --------
    >>> moved(np.array([0, 1, 2, 3]), 0, 2)
    array([1, 2, 0, 3])
    """
    new = order.copy()
    if a < b:
        new[a:b] = order[a + 1 : b + 1]
    else:
        new[b + 1 : a + 1] = order[b:a]
    new[b] = order[a]
    return new


def climb(problem: OrderingProblem, order: IntArray, budget: Budget) -> IntArray:
    """Insert while that improves and keeps the constraints."""
    if not problem.is_free:
        return _climb_within(problem, order, budget)
    table = InsertionTable(problem.steep, order, LEAST_GAIN * problem.scale)
    work = 0.0
    while not (table.is_locally_best or budget.is_spent):
        table.climb(_WORK_OF_CLIMB)
        budget.spend(table.work - work)
        work = table.work
    return table.order


def _climb_within(
    problem: OrderingProblem, order: IntArray, budget: Budget
) -> IntArray:
    """Insert one item or swap two, while that improves and keeps the constraints."""
    gains, least = problem.steep, LEAST_GAIN * problem.scale
    n = len(order)
    while n > 1 and not budget.is_spent:
        insertions, swaps = move_gains(gains, order), _swap_gains(gains, order)
        budget.spend(1e-4 + 4e-8 * n * n)
        table = np.concatenate([insertions.ravel(), swaps.ravel()])
        n_gaining = int((table > least).sum())
        for move in np.argsort(-table, kind="stable")[:n_gaining].tolist():
            is_swap, (a, b) = move >= n * n, divmod(move % (n * n), n)
            if is_swap:
                candidate = order.copy()
                candidate[[a, b]] = candidate[[b, a]]
            else:
                candidate = moved(order, a, b)
            budget.spend(1e-5)
            if problem.keeps(candidate):
                order = candidate
                break
        else:
            break
    return order


def _swap_gains(gains: FloatArray, order: IntArray) -> FloatArray:
    """Return the gain of swapping the items at positions a < b; 0 for other a, b.

    It reverses the pairs of item a with those at a + 1, …, b, and of item b with those
    at a + 1, …, b - 1.
    """
    n = len(order)
    total = np.zeros((n, n + 1))
    np.cumsum(gains[np.ix_(order, order)], axis=1, out=total[:, 1:])
    positions = np.arange(n)
    loss = total[:, 1:] - total[positions, positions + 1][:, None]
    win = (total[positions, positions][:, None] - total[:, 1:]).T
    return np.where(positions > positions[:, None], 2 * (win - loss), 0.0)


def bound_by_cycles(problem: OrderingProblem, budget: Budget) -> float:
    """Bound the value: every pair in its better direction, minus the loss of 3-cycles.

    Let w_ij = max(gains_ij, 0). Of the pairs of a cycle i → j → k → i one must be
    reversed, which loses at least 2·δ, δ = min(w_ij, w_jk, w_ki). Subtracting δ from
    all three leaves weights for further cycles (a greedy packing of 3-cycles).

    Examples
    --------
    >>> from ltr.solvers.orderings.problem import ordering_problem
    >>> cycle = ordering_problem(np.array([[0.0, 2, 0], [0, 0, 2], [2, 0, 0]]))
    >>> bound_by_cycles(cycle, Budget())
    1.0
    """
    w = np.maximum(problem.gains, 0.0)
    bound = float(w.sum())
    w[problem.settled] = np.inf  # never reversed, so another pair of the cycle must be
    n = len(w)
    least = LEAST_GAIN * problem.scale
    for i in range(n):
        if budget.is_spent:
            break
        budget.spend(5e-7 * n + 2e-9 * n * n)
        for j in np.flatnonzero(w[i] > least).tolist():
            while w[i, j] > least:
                through = np.minimum(w[j], w[:, i])  # min(w_jk, w_ki) for each k
                k = int(through.argmax())
                delta = min(through[k], w[i, j])
                if not least < delta < np.inf:
                    break
                bound -= 2 * float(delta)
                w[i, j] -= delta
                w[j, k] -= delta
                w[k, i] -= delta
    return bound
