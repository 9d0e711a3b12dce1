"""Exact orders by dynamic programming over all sets of items, many lists at once.

With V[S] the greatest value of an order of the items in S, which come first,

    V[S] = max over the last item j in S of V[S - j] + Σ_{i in S - j} matrix_ij

(Lawler, 1964, "A comment on minimum feedback arc sets"). Sets of one size are processed
together; lists are lanes, the last and contiguous axis of all arrays.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.solution import Margin, Outcome, Status
from ltr.solvers.orderings.problem import OrderingProblem

# Up to the first number of items the table is the fastest exact method, and up to the
# second it fits in memory.
DP_ITEMS, MAX_DP_ITEMS = 12, 18
# Number of lists of 12 items that share a table; the maximum for shorter lists.
LANES, MAX_LANES = 128, 512
# Gains below this share of a loss count as lost in its rounding; the table is filled
# again at most this number of times.
_ROUNDED, _MAX_ROUNDS = 1e-9, 5


def order_by_sets(
    matrices: FloatArray, allowed: BoolArray | None = None
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Find the best order of each list.

    Parameters
    ----------
    matrices : float array of shape (b, n, n)
        Gain of i before j; -inf forbids it.
    allowed : bool array of shape (n, 2**n), default=None
        Whether an item may come next after a set of items, the bits of a number.

    Returns
    -------
    orders : int array of shape (b, n)
        Of several best orders, the one whose last items have the greatest numbers.
    values : float array of shape (b,)
        -inf if there is no order.
    margins : float array of shape (b,)
        How much less the second-best order has; inf if there is no other.

    Examples
    --------
    >>> order_by_sets(np.array([[[0.0, 1.0], [3.0, 0.0]]]))
    (array([[1, 0]]), array([3.]), array([2.]))
    """
    n_lists, n = matrices.shape[:2]
    if not n:
        margins = np.full(n_lists, np.inf)
        return np.zeros((n_lists, 0), dtype=np.int64), np.zeros(n_lists), margins
    added = _gains_of_next(matrices, allowed)
    best = np.empty((1 << n, n_lists))
    best[0] = 0.0
    for sets, before, row in _layers(n):
        greatest = best[before[0]] + added[row[0]]
        for members, gain in zip(before[1:], row[1:], strict=True):
            value = best[members]
            value += added[gain]
            np.maximum(greatest, value, out=greatest)
        best[sets] = greatest
    orders, margins = _read_back(best, added, n)
    return orders, best[-1].copy(), margins


def _gains_of_next(matrices: FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Σ_{i in S} matrix_ij for each item j and set S without j: row _row(j, S, n).

    By doubling: the sums of the sets with bit b are those without it plus one entry.
    """
    n_lists, n = matrices.shape[:2]
    by_lane = np.ascontiguousarray(np.moveaxis(matrices, 0, -1))  # (n, n, b)
    added = np.empty((n, 1 << n - 1, n_lists))
    added[:, 0] = 0.0
    for item in range(n):
        sums = added[item]
        for bit, other in enumerate(i for i in range(n) if i != item):
            half = 1 << bit
            np.add(sums[:half], by_lane[other, item], out=sums[half : 2 * half])
    if allowed is not None:
        for item in range(n):
            has_not = np.arange(1 << n) >> item & 1 == 0
            added[item, ~allowed[item, has_not]] = -np.inf
    return added.reshape(n << n - 1, n_lists)


def _row(item: IntArray, members: IntArray, n: int) -> IntArray:
    """Row of the gains of an item after a set without it: the item's bit is cut out."""
    low = members & ((1 << item) - 1)
    return (item << n - 1) + (members - low >> 1) + low


def _read_back(
    best: FloatArray, added: FloatArray, n: int
) -> tuple[IntArray, FloatArray]:
    """Take the best last item, then the best one before it, and so on.

    Any other order agrees with this one from its end down to some set S of first items,
    whose last item differs: it loses at least what the second-best last item of S does,
    and the best of them loses no more. The least such loss over all S is the margin.
    """
    n_lists = best.shape[1]
    lists = np.arange(n_lists)
    orders = np.zeros((n_lists, n), dtype=np.int64)
    sets = np.full(n_lists, (1 << n) - 1)
    items = np.arange(n)[:, None]
    by_last = np.empty((n, n, n_lists))  # value of a first set by its last item
    for position in range(n - 1, -1, -1):
        before = sets & ~(1 << items)  # (n, b)
        value = best[before, lists] + added[_row(items, before, n), lists]
        value[before == sets] = np.nan  # the item is not in the set
        by_last[position] = value
        last = _last_maximum(value)
        orders[:, position] = last
        sets = sets & ~(1 << last)
    if n == 1:
        return orders, np.full(n_lists, np.inf)
    by_last[np.isnan(by_last)] = -np.inf
    by_last.partition(n - 2, axis=1)
    with np.errstate(invalid="ignore"):  # -inf less -inf: there is no order
        losses = by_last[:, n - 1] - by_last[:, n - 2]
    return orders, losses.min(axis=0)


def _last_maximum(value: FloatArray) -> IntArray:
    greatest = np.nanmax(value, axis=0)
    return len(value) - 1 - np.argmax((value == greatest)[::-1], axis=0)


class Layer(NamedTuple):
    """Sets of one size, the sets without their r-th item, and rows of its gains.

    Shapes (n_sets,), (size, n_sets) and (size, n_sets).
    """

    sets: IntArray
    before: IntArray
    row: IntArray


def _layers(n: int) -> list[Layer]:
    """Layers of sizes 1, …, n, cached for lists that are solved often."""
    return _cached_layers(n) if n <= DP_ITEMS else _make_layers(n)


def _make_layers(n: int) -> list[Layer]:
    has = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
    size = has.sum(axis=1)
    layers = []
    for k in range(1, n + 1):
        sets = np.flatnonzero(size == k)
        items = np.nonzero(has[sets])[1].reshape(-1, k).T
        before = sets ^ (1 << items)
        layers.append(Layer(sets, before, _row(items, before, n)))
    return layers


_cached_layers = lru_cache(maxsize=DP_ITEMS + 1)(_make_layers)


def losses(problem: OrderingProblem) -> FloatArray:
    """What i before j loses, as a gain <= 0; -inf where a settled pair is reversed.

    Their sums differ from those of the gains by a constant, and have no rounding from
    pairs that an order has in their better direction.
    """
    return np.where(problem.settled.T, -np.inf, np.minimum(2 * problem.gains, 0.0))


def allowed_next(problem: OrderingProblem) -> BoolArray | None:
    """Return which items may come next after a set, by fixed positions and groups.

    Parameters
    ----------
    problem : OrderingProblem
        Its settled pairs are not read.

    Returns
    -------
    allowed : bool array of shape (n, 2**n) or None
        None if all may.
    """
    if problem.is_free:
        return None
    n = len(problem)
    sets = np.arange(1 << n)
    size = ((sets[:, None] >> np.arange(n)) & 1).sum(axis=1)
    allowed = np.ones((n, 1 << n), dtype=bool)
    # at position p an item comes after p others; no item comes next if one is overdue
    for window in problem.windows:
        has_not = sets >> window.item & 1 == 0
        end = window.end(n)
        allowed[window.item] &= (size >= window.first) & (size <= end)
        overdue = has_not & (size >= end)
        of_item = allowed[window.item] & (size == end)
        allowed[:, overdue] = False
        allowed[window.item, overdue] = of_item[overdue]
    # while a group is incomplete, only its items may come next
    for group in problem.together:
        bits = sum(1 << item for item in group.items)
        is_open = (sets & bits != 0) & (sets & bits != bits)
        outside = np.setdiff1d(np.arange(n), group.items)
        allowed[np.ix_(outside, is_open)] = False
    return allowed


def best_by_sets(problem: OrderingProblem) -> Outcome:
    """Solve one problem exactly, constraints included.

    Constraints may force a loss that takes the digits of all others. Then the table is
    filled again with what each pair gains relative to the order found, until no order
    gains: of pairs that both have in the same direction, nothing is added.
    """
    allowed, scores = allowed_next(problem), losses(problem)
    orders, values, margins = order_by_sets(scores[None], allowed)
    if values[0] == -np.inf:
        return Outcome(Status.INFEASIBLE)
    order = orders[0]
    if not problem.is_free and _is_wide(problem, order):
        for _ in range(_MAX_ROUNDS):
            place = np.argsort(order)
            is_same = place[:, None] <= place
            relative = np.where(is_same, 0.0, 2 * problem.gains)
            relative[problem.settled.T] = -np.inf
            orders, values, margins = order_by_sets(relative[None], allowed)
            if not values[0] > 0:
                break
            order = orders[0]
    margin = Margin(float(margins[0]), float(margins[0]))
    return Outcome(Status.FEASIBLE, order, problem.value(order), "dp", margin)


def _is_wide(problem: OrderingProblem, order: IntArray) -> bool:
    """Whether some gain is lost in the rounding of the order's loss."""
    sizes = np.abs(problem.gains[problem.gains != 0])
    return bool(sizes.min(initial=np.inf) < _ROUNDED * problem.loss(order))
