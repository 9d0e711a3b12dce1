"""Held and Karp's dynamic program over sets of items, for many lists at once.

With V[S, j] the cost of the cheapest path from the depot through the items of S that
ends at j in S (Held and Karp, 1962),

    V[{j}, j] = c[depot, j],    V[S + k, k] = min over j in S of V[S, j] + c[j, k].

Lists are lanes, the last axis of all arrays: each step is one operation on all of them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.budget import Budget, BudgetSpent
from ltr.solvers.core.order_rules import OrderRules
from ltr.solvers.core.solution import Margin
from ltr.solvers.paths.problem import Incumbent, PathProblem

MAX_ITEMS = 16
# A table of values has as many lanes as keep it to about this number of entries.
_TABLE = 2**23
# Units of work of one transition of one list.
_WORK_PER_STEP = 2e-9
# Seconds of one set, for a single list.
_SECONDS_PER_SET = 2e-6
# Transitions of lists that are computed at once: their sums stay in the cache.
_BLOCK = 2**16
# Schedules that are kept, the oldest of which goes first.
_MAX_SCHEDULES = 16


def lanes(n: int) -> int:
    """Return a good number of lists of n items for one table."""
    return int(np.clip(_TABLE // (n * 2**n), 8, 512))


def work(n: int) -> float:
    """Return the units of work of one list of n items."""
    return _WORK_PER_STEP * n * n * 2.0**n


def prefixes(n: int, rules: OrderRules) -> BoolArray:
    """Return which (set, last) may begin an order that keeps the constraints.

    Bounds on members in windows are not read: the arcs keep those on neighbors.

    Returns
    -------
    allowed : bool array of shape (2ⁿ, n)
        Entry [S, i]: the first items are those of the bit set S, the last of them is i.
    """
    sets = np.arange(2**n)
    has = (sets[:, None] >> np.arange(n)) & 1 > 0
    size = has.sum(axis=1)
    allowed = has.copy()
    before = rules.before(n)
    for i in range(n):
        allowed[:, i] &= has[:, before[:, i]].all(axis=1)
        allowed[:, i] &= ~has[:, before[i]].any(axis=1)
    # the last of the first p + 1 items is at position p; none comes too late
    for window in rules.windows:
        item, end = window.item, window.end(n)
        allowed[:, item] &= (size > window.first) & (size <= end + 1)
        allowed[(size > end) & ~has[:, item]] = False
    # while a group is incomplete, the last item belongs to it
    for group in rules.together:
        items = np.array(group.items)
        others = np.setdiff1d(np.arange(n), items)
        n_in = has[:, items].sum(axis=1)
        allowed[np.ix_((n_in > 0) & (n_in < len(items)), others)] = False
    for bounds in rules.groups:
        n_in = has[:, list(bounds.items)].sum(axis=1)
        lower, upper = np.array(bounds.lower), np.array(bounds.upper)
        allowed[(n_in < lower[size]) | (n_in > upper[size])] = False
    return allowed


class Layer(NamedTuple):
    """Sets with as many members, as many possible last items and possible next ones.

    Attributes
    ----------
    members : int array of shape (n_sets,)
        The sets, as bit masks.
    lasts : int array of shape (n_sets, n_lasts)
        Members that an order of the set can end with.
    nexts : int array of shape (n_sets, n_nexts)
        Items that can follow.
    """

    members: IntArray
    lasts: NDArray[np.int8]
    nexts: NDArray[np.int8]


_schedules: dict[tuple[int, OrderRules], tuple[list[Layer], BoolArray]] = {}


def layers(n: int, rules: OrderRules) -> tuple[list[Layer], BoolArray]:
    """Return the sets to process, each after its subsets, and the reachable values.

    The last few schedules are kept.

    Returns
    -------
    schedule : list of Layer
        By increasing size of the sets.
    reached : bool array of shape (2ⁿ, n)
        Which pairs (set, last) have a value.
    """
    cached = _schedules.get((n, rules))
    if cached is not None:
        return cached
    items = np.arange(n)
    single = 1 << items
    allowed = prefixes(n, rules)
    reached = np.zeros_like(allowed)
    reached[single, items] = allowed[single, items]
    sets = np.arange(2**n)
    size = ((sets[:, None] & single) > 0).sum(axis=1)
    schedule = []
    for k in range(1, n):
        of_size = sets[(size == k) & reached.any(axis=1)]
        with_next = of_size[:, None] | single  # (n_sets, n)
        is_next = (of_size[:, None] & single == 0) & allowed[with_next, items]
        row, item = np.nonzero(is_next)
        reached[with_next[row, item], item] = True
        is_last = reached[of_size]
        counts = is_last.sum(axis=1) * (n + 1) + is_next.sum(axis=1)
        for count in np.unique(counts).tolist():
            alike = np.flatnonzero(counts == count)
            n_lasts, n_nexts = divmod(count, n + 1)
            if n_nexts:
                lasts = np.nonzero(is_last[alike])[1].reshape(-1, n_lasts)
                nexts = np.nonzero(is_next[alike])[1].reshape(-1, n_nexts)
                schedule.append(
                    Layer(of_size[alike], lasts.astype(np.int8), nexts.astype(np.int8))
                )
    while len(_schedules) >= _MAX_SCHEDULES:
        _schedules.pop(next(iter(_schedules)), None)
    _schedules[n, rules] = schedule, reached
    return schedule, reached


class Tours(NamedTuple):
    """Cheapest tours of b lists.

    Attributes
    ----------
    orders : int array of shape (b, n)
        Best order of each list; arbitrary where the constraints allow none.
    values : array of shape (b,)
        Its cost, inf where the constraints allow none.
    others : array of shape (b,)
        No other order of the list costs less; inf if there is none.
    """

    orders: IntArray
    values: FloatArray
    others: FloatArray


def cheapest_tours(
    costs: NDArray[np.int32] | FloatArray,
    rules: OrderRules,
    budget: Budget | None = None,
) -> Tours:
    """Return cheapest tours of many lists, in O(2ⁿ n²) each.

    An order other than the best one has the same items after some position and another
    item at it: the cheapest of these, over all positions, is the second best.

    Parameters
    ----------
    costs : int32 or float array of shape (n + 1, n + 1, b)
        b lists as the last axis; the sum of any n + 1 costs must fit. Node n is the
        depot.
    rules : OrderRules
        The same for all lists.
    budget : Budget, default=None
        None: no limit.

    Raises
    ------
    BudgetSpent
        If the budget ends first.
    """
    if budget is not None and budget.is_spent:
        raise BudgetSpent
    n, n_lists = len(costs) - 1, costs.shape[2]
    schedule, reached = layers(n, rules)
    # rows of tables: (set, last) is set · n + last, the arc i → j is i · (n + 1) + j
    arcs = costs.reshape(-1, n_lists)
    value = np.empty((2**n * n, n_lists), dtype=costs.dtype)
    if costs.dtype == np.float64:
        value.fill(np.inf)  # what is not reached is read, and then masked
    single = 1 << np.arange(n)
    value[single * n + np.arange(n)] = costs[n, :n]
    for layer in schedule:
        n_lasts, n_nexts = layer.lasts.shape[1], layer.nexts.shape[1]
        n_sets = max(1, _BLOCK // (n_lasts * n_nexts * n_lists))
        for begin in range(0, len(layer.members), n_sets):
            if budget is not None and budget.is_spent:
                raise BudgetSpent
            members, lasts, nexts = (
                array[begin : begin + n_sets].astype(np.intp) for array in layer
            )
            # V[S, j] + c[j, k] of n_sets sets S: (n_sets, n_lasts, n_nexts, b)
            rows = lasts[:, :, None] * (n + 1) + nexts[:, None]
            through = arcs.take(rows.reshape(-1), axis=0)
            through = through.reshape(-1, n_lasts, n_nexts, n_lists)
            before = value.take((members[:, None] * n + lasts).reshape(-1), axis=0)
            through += before.reshape(-1, n_lasts, 1, n_lists)
            rows = (members[:, None] | single[nexts]) * n + nexts
            value[rows] = through.min(axis=1)
    value = value.reshape(2**n, n, n_lists)

    # read back: the last item of a set is the one that attains the minimum
    lanes = np.arange(n_lists)
    sets = np.full(n_lists, 2**n - 1)
    successor = np.full(n_lists, n)
    orders = np.empty((n_lists, n), dtype=np.int64)
    best = np.full(n_lists, np.inf)
    others = best.copy()
    after = np.zeros(n_lists)  # cost of the arcs after the position
    for position in range(n - 1, -1, -1):
        arcs = costs[:n, successor, lanes].T  # (b, n)
        total = np.where(
            reached[sets], value[sets, :, lanes] + arcs.astype(float), np.inf
        )
        last = total.argmin(axis=1)
        if position == n - 1:
            best = total[lanes, last]
        total[lanes, last] = np.inf
        others = np.minimum(others, total.min(axis=1) + after)
        after += arcs[lanes, last]
        orders[:, position] = last
        sets = sets & ~single[last]
        successor = last
    return Tours(orders, best, others)


def scaled(
    costs: FloatArray, forbidden: FloatArray
) -> tuple[NDArray[np.int32], FloatArray]:
    """Round the costs of many lists down to multiples of units; sums fit in 32 bits.

    Parameters
    ----------
    costs : float array of shape (b, n + 1, n + 1)
        Costs >= 0 of arcs.
    forbidden : float array of shape (b,)
        Cost of a forbidden arc, more than n + 1 times any other.

    Returns
    -------
    integers : int32 array of shape (n + 1, n + 1, b)
        Forbidden arcs cost more than any tour of others.
    unit : float array of shape (b,)
        Cost that an integer 1 stands for.
    """
    m = costs.shape[1]
    # m forbidden arcs must fit: each costs a little more than m allowed ones.
    unit = forbidden * m / (2.0**31 - m)
    integers = np.floor(costs / unit[:, None, None])
    return np.ascontiguousarray(integers.transpose(1, 2, 0), dtype=np.int32), unit


def held_karp(incumbents: list[Incumbent]) -> None:
    """Solve lists of one size with the same constraints, in double precision."""
    problems = [best.problem for best in incumbents]
    costs = np.stack([problem.cost for problem in problems], axis=-1)
    costs[costs >= np.array([problem.forbidden for problem in problems])] = np.inf
    tours = cheapest_tours(costs, problems[0].rules)
    for best, order, value, other in zip(
        incumbents, tours.orders, tours.values, tours.others, strict=True
    ):
        _record(best, order.tolist(), float(value), float(other))


def _record(best: Incumbent, order: list[int], value: float, other: float) -> None:
    """Offer a cheapest order; an infinite cost proves that there is none."""
    if value < np.inf:
        best.offer(order, best.problem.tour_cost(order), "dp")
        least = other if best.order == order else value
        best.others = Margin(least, least)
        best.raise_bound(min(value, best.cost), "dp")
    else:
        best.raise_bound(best.problem.forbidden, "dp")


def can_tabulate(best: Incumbent, budget: Budget) -> bool:
    """Whether :func:`held_karp_of_one` fits into memory and into the budget."""
    n = len(_free_items(best.problem))
    seconds = _SECONDS_PER_SET * 2.0**n
    return (
        best.problem.rules.is_local
        and n <= MAX_ITEMS
        and work(n) <= budget.work_left
        and seconds <= budget.seconds_left
    )


def held_karp_of_one(best: Incumbent, budget: Budget) -> None:
    """Solve a single list, without the items whose position the arcs determine.

    If the depot has one arc out, to item f, any tour begins with f: depot and f become
    one node, which is left as f is and entered as the depot is. Likewise for the only
    item l with an arc to the depot.
    """
    problem = best.problem
    cost = np.where(problem.cost >= problem.forbidden, np.inf, problem.cost)
    n, items = problem.n_items, _free_items(problem)
    if len(items) == n or not len(items):
        first = last = n
    else:
        first, last = _end(cost[n]), _end(cost[:, n])
    rows, columns = np.append(items, first), np.append(items, last)
    inside = cost[np.ix_(rows, columns)]
    number = np.full(n, -1)
    number[items] = np.arange(len(items))
    rules = problem.rules
    if len(items) < n:
        pairs = [
            pair.renumbered(number)
            for pair in rules.precedences
            if number[pair.before] >= 0 and number[pair.after] >= 0
        ]
        rules = OrderRules(tuple(pairs))
    budget.spend(work(len(items)))
    try:
        tours = cheapest_tours(inside[..., None], rules, budget)
    except BudgetSpent:
        return
    ends = [first] if first < n else [], [last] if last < n else []
    order = [*ends[0], *items[tours.orders[0]].tolist(), *ends[1]]
    fixed = sum(cost[n, i] for i in ends[0]) + sum(cost[i, n] for i in ends[1])
    value, other = float(tours.values[0] + fixed), float(tours.others[0] + fixed)
    _record(best, order, value, other)


def _end(cost: FloatArray) -> int:
    """The only item with an arc to or from the depot; the depot if there are more."""
    items = np.flatnonzero(cost[:-1] < np.inf)
    return int(items[0]) if len(items) == 1 else len(cost) - 1


def _free_items(problem: PathProblem) -> IntArray:
    """Items that are not the only one that can be first, or last.

    All items, if a constraint counts positions, or if one of these two items must come
    after, or before, another.
    """
    n, rules = problem.n_items, problem.rules
    everything = np.arange(n)
    if rules.has_positions or rules.together or n < 4:
        return everything
    cost = np.where(problem.cost >= problem.forbidden, np.inf, problem.cost)
    first, last = _end(cost[n]), _end(cost[:, n])
    is_late = any(pair.after == first for pair in rules.precedences)
    is_early = any(pair.before == last for pair in rules.precedences)
    if first == last or is_late or is_early:
        return everything
    return np.setdiff1d(everything, [first, last])
