"""Good orders quickly: best insertions, then iterated search; and a bound for all n.

The neighbourhood is that of Schiavinotto and Stützle (2004), "The linear ordering
problem: instances, search space analysis and algorithms": take an item out and put it
in anywhere. The gains of all n² such moves are one cumulative sum.
"""

import numpy as np

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.solution import FloatArray, IntArray
from ltr.solvers.orderings.problem import OrderingProblem

# Moves that gain less than this share of the greatest gain are rounding.
_LEAST_GAIN = 1e-9


def borda_order(gains: FloatArray) -> IntArray:
    """Items by the sum of their gains, greatest first; ties by number.

    Examples
    --------
    >>> borda_order(np.array([[0.0, -1.0], [1.0, 0.0]]))
    array([1, 0])
    """
    return np.argsort(-gains.sum(axis=1), kind="stable")


def move_gains(gains: FloatArray, order: IntArray) -> FloatArray:
    """What it gains to move the item at place a to place b, for all a and b.

    Examples
    --------
    >>> move_gains(np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([0, 1]))
    array([[0., 2.],
           [2., 0.]])
    """
    n = len(order)
    places = np.arange(n)
    total = np.zeros((n, n + 1))
    np.cumsum(gains[order].take(order, axis=1), axis=1, out=total[:, 1:])
    here = total[places, places][:, None]
    return 2 * np.where(
        places > places[:, None], here - total[:, 1:], here - total[:, :-1]
    )


def moved(order: IntArray, a: int, b: int) -> IntArray:
    """The order with the item at place a put at place b.

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
    """Insert while that gains; moves that do not touch each other are done at once."""
    if not problem.is_free:
        return _climb_within(problem, order, budget)
    gains, least = problem.steep, _LEAST_GAIN * problem.scale
    n = len(order)
    while n > 1:
        table = move_gains(gains, order)
        budget.spend(3e-5 + 1e-8 * n * n)
        targets = table.argmax(axis=1)
        won = table[np.arange(n), targets]
        touched = np.zeros(n, dtype=bool)
        for a in np.argsort(-won, kind="stable").tolist():
            if won[a] <= least:
                break
            b = int(targets[a])
            between = slice(min(a, b), max(a, b) + 1)
            if not touched[between].any():
                touched[between] = True
                order = moved(order, a, b)
        if not touched.any() or budget.is_spent:
            break
    return order


def _climb_within(
    problem: OrderingProblem, order: IntArray, budget: Budget
) -> IntArray:
    """Insert one item or exchange two, while that gains and keeps the constraints."""
    gains, least = problem.steep, _LEAST_GAIN * problem.scale
    n = len(order)
    while n > 1 and not budget.is_spent:
        insertions, swaps = move_gains(gains, order), _swap_gains(gains, order)
        budget.spend(1e-4 + 4e-8 * n * n)
        won = np.concatenate([insertions.ravel(), swaps.ravel()])
        found = None
        for move in np.argsort(-won, kind="stable")[: (won > least).sum()].tolist():
            kind, (a, b) = move // (n * n), divmod(move % (n * n), n)
            other = moved(order, a, b)
            if kind:
                other = order.copy()
                other[[a, b]] = other[[b, a]]
            budget.spend(1e-5)
            if problem.keeps(other):
                found = other
                break
        if found is None:
            break
        order = found
    return order


def _swap_gains(gains: FloatArray, order: IntArray) -> FloatArray:
    """What it gains to exchange the items at places a < b, for all a and b."""
    n = len(order)
    there = gains[np.ix_(order, order)]
    total = np.zeros((n, n + 1))
    np.cumsum(there, axis=1, out=total[:, 1:])
    places = np.arange(n)
    # the item at a loses to those at a+1, …, b; the item at b wins against a+1, …, b-1
    lost = total[:, 1:] - total[places, places + 1][:, None]
    won = (total[places, places][:, None] - total[:, 1:]).T
    return np.where(places > places[:, None], 2 * (won - lost), 0.0)


def search(
    problem: OrderingProblem,
    start: IntArray,
    rng: np.random.Generator,
    budget: Budget,
    n_kicks: int,
) -> IntArray:
    """Climb; then move a few items at random, climb again, and keep what is no worse.

    Parameters
    ----------
    problem : OrderingProblem
        What to order.
    start : int array of shape (n,)
        An order that keeps the constraints.
    rng : Generator
        Draws the kicks.
    budget : Budget
        Ends the search.
    n_kicks : int
        How often.

    Returns
    -------
    order : int array of shape (n,)
        It keeps the constraints.
    """
    n = len(start)
    gains = problem.steep
    best = climb(problem, start, budget)
    if n < 3:
        return best
    value = _value(gains, best)
    for _ in range(n_kicks):
        if budget.is_spent:
            break
        order = best
        for a, b in rng.integers(n, size=(max(3, n // 12), 2)).tolist():
            kicked = moved(order, a, b)
            if problem.is_free or problem.keeps(kicked):
                order = kicked
        order = climb(problem, order, budget)
        if _value(gains, order) >= value:
            best, value = order, _value(gains, order)
    return best


def _value(gains: FloatArray, order: IntArray) -> float:
    return float(np.triu(gains[np.ix_(order, order)], 1).sum())


def bound_by_cycles(problem: OrderingProblem, budget: Budget) -> float:
    """Bound the value: every pair its better way round, less what 3-cycles must lose.

    Of three pairs that form a cycle i → j → k → i one must be the wrong way round, so
    twice the least gain of the three is lost; that gain is taken from all three, and
    further cycles are sought in what remains.

    Examples
    --------
    >>> from ltr.solvers.orderings.problem import ordering_problem
    >>> cycle = ordering_problem(np.array([[0.0, 2, 0], [0, 0, 2], [2, 0, 0]]))
    >>> bound_by_cycles(cycle, Budget())
    1.0
    """
    wins = np.maximum(problem.gains, 0.0)
    bound = float(wins.sum())
    wins[problem.settled] = np.inf  # the other two pairs of a cycle lose
    n = len(wins)
    least = _LEAST_GAIN * problem.scale
    for i in range(n):
        if budget.is_spent:
            break
        budget.spend(5e-7 * n + 2e-9 * n * n)
        for j in np.flatnonzero(wins[i] > least).tolist():
            while wins[i, j] > least:
                lost = np.minimum(wins[j], wins[:, i])
                k = int(lost.argmax())
                cut = min(lost[k], wins[i, j])
                if not least < cut < np.inf:
                    break
                bound -= 2 * float(cut)
                wins[i, j] -= cut
                wins[j, k] -= cut
                wins[k, i] -= cut
    return bound
