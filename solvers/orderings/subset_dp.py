"""Exact orders by a table over all sets of items, many lists at once.

``best[S]``, the value of the best order of the items in S when they come first, is the
greatest ``best[S - j] + sum of matrix[i, j] over i in S - j`` of all j in S (Lawler,
1964, "A comment on minimum feedback arc sets", as Held and Karp, 1962, do for paths).
Sets of one size are done together; the lists are the last, contiguous axis of all
arrays.
"""

from functools import lru_cache

import numpy as np

from ltr.solvers.core.solution import BoolArray, FloatArray, IntArray
from ltr.solvers.orderings.problem import OrderingProblem

# Up to here a table is the fastest exact method; up to there it fits into memory.
DP_ITEMS, MAX_DP_ITEMS = 12, 18
# So many lists of 12 items, and of fewer items at most so many, share one table.
LANES, MAX_LANES = 128, 512


def order_by_sets(
    matrices: FloatArray, allowed: BoolArray | None = None
) -> tuple[IntArray, FloatArray]:
    """Find the best order of each list.

    Parameters
    ----------
    matrices : float array of shape (b, n, n)
        What i before j is worth; -inf forbids it.
    allowed : bool array of shape (n, 2**n), default=None
        Whether an item may come next after a set of items, the bits of a number.

    Returns
    -------
    orders : int array of shape (b, n)
        Of several best orders, the one whose last items have the greatest numbers.
    values : float array of shape (b,)
        -inf if there is no order.

    Examples
    --------
    >>> order_by_sets(np.array([[[0.0, 1.0], [3.0, 0.0]]]))
    (array([[1, 0]]), array([3.]))
    """
    n_lists, n = matrices.shape[:2]
    if not n:
        return np.zeros((n_lists, 0), dtype=np.int64), np.zeros(n_lists)
    added = _gains_of_next(matrices, allowed)
    best = np.empty((1 << n, n_lists))
    best[0] = 0.0
    for sets, rest, row in _layers(n):
        top = best[rest[0]] + added[row[0]]
        for before, gain in zip(rest[1:], row[1:], strict=True):
            value = best[before]
            value += added[gain]
            np.maximum(top, value, out=top)
        best[sets] = top
    return _read_back(best, added, n), best[-1].copy()


def _gains_of_next(matrices: FloatArray, allowed: BoolArray | None) -> FloatArray:
    """What item j gains if exactly the items of S are before it: row _row(j, S, n)."""
    n_lists, n = matrices.shape[:2]
    worth = np.ascontiguousarray(np.moveaxis(matrices, 0, -1))
    added = np.empty((n, 1 << n - 1, n_lists))
    added[:, 0] = 0.0
    for item in range(n):
        mine = added[item]
        for bit, other in enumerate(i for i in range(n) if i != item):
            half = 1 << bit
            np.add(mine[:half], worth[other, item], out=mine[half : 2 * half])
    if allowed is not None:
        for item in range(n):
            has_not = np.arange(1 << n) >> item & 1 == 0
            added[item, ~allowed[item, has_not]] = -np.inf
    return added.reshape(n << n - 1, n_lists)


def _row(item: IntArray, rest: IntArray, n: int) -> IntArray:
    """Row of the gains of an item after a set, which has it not: its bit is cut out."""
    low = rest & ((1 << item) - 1)
    return (item << n - 1) + (rest - low >> 1) + low


def _read_back(best: FloatArray, added: FloatArray, n: int) -> IntArray:
    """Take the best last item, then the best one before it, and so on."""
    n_lists = best.shape[1]
    lists = np.arange(n_lists)
    orders = np.zeros((n_lists, n), dtype=np.int64)
    left = np.full(n_lists, (1 << n) - 1)
    items = np.arange(n)[:, None]
    for place in range(n - 1, -1, -1):
        rest = left & ~(1 << items)
        value = best[rest, lists] + added[_row(items, rest, n), lists]
        value[rest == left] = np.nan
        last = _last_maximum(value)
        orders[:, place] = last
        left = left & ~(1 << last)
    return orders


def _last_maximum(value: FloatArray) -> IntArray:
    top = np.nanmax(value, axis=0)
    return len(value) - 1 - np.argmax((value == top)[::-1], axis=0)


def _layers(n: int) -> list[tuple[IntArray, IntArray, IntArray]]:
    """For each size: the sets; without their r-th item; and the row of that item."""
    return _cached_layers(n) if n <= DP_ITEMS else _make_layers(n)


def _make_layers(n: int) -> list[tuple[IntArray, IntArray, IntArray]]:
    has = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
    size = has.sum(axis=1)
    layers = []
    for k in range(1, n + 1):
        sets = np.flatnonzero(size == k)
        items = np.nonzero(has[sets])[1].reshape(-1, k).T
        rest = sets ^ (1 << items)
        layers.append((sets, rest, _row(items, rest, n)))
    return layers


_cached_layers = lru_cache(maxsize=DP_ITEMS + 1)(_make_layers)


def forbidden_as_inf(problem: OrderingProblem) -> FloatArray:
    """Gains with -inf where a settled pair would be the wrong way round."""
    return np.where(problem.settled.T, -np.inf, problem.gains)


def allowed_next(problem: OrderingProblem) -> BoolArray | None:
    """Whether an item may come next after a set, by places and neighbours.

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
    for fixed in problem.fixed:
        here = size == fixed.position
        mine = allowed[fixed.item] & here
        allowed[:, here] = False
        allowed[fixed.item] = mine
    for group in problem.together:
        bits = sum(1 << item for item in group.items)
        begun = (sets & bits != 0) & (sets & bits != bits)
        outside = np.setdiff1d(np.arange(n), group.items)
        allowed[np.ix_(outside, begun)] = False
    return allowed
