"""Held and Karp's dynamic program over sets of items, for many lists at once.

The value of (set, last) is the cost of the cheapest path through the items of the set
that ends with ``last``. Lists are lanes: each step is one operation on all of them.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.solvers.core.constraints import FixedPosition, Together
from ltr.solvers.core.solution import BoolArray, FloatArray, IntArray
from ltr.solvers.paths.problem import Incumbent, precedence_closure

MAX_ITEMS = 16
# Lanes are chosen so that the table of values has about this many entries.
_TABLE = 2**23
# Units of work of one transition of one list.
_WORK_PER_STEP = 2e-9


def lanes(n: int) -> int:
    """How many lists of n items go well through one table."""
    return int(np.clip(_TABLE // (n * 2**n), 8, 512))


def work(n: int) -> float:
    """Units of work of one list of n items."""
    return _WORK_PER_STEP * n * n * 2.0**n


def prefixes(n: int, constraints: tuple[Any, ...]) -> BoolArray:
    """Which (set, last) may begin an order that keeps the constraints.

    Returns
    -------
    allowed : bool array of shape (2ⁿ, n)
        Entry [S, i]: the first items are those of the bit set S, the last of them is i.
    """
    sets = np.arange(2**n)
    has = (sets[:, None] >> np.arange(n)) & 1 > 0
    size = has.sum(axis=1)
    allowed = has.copy()
    before = precedence_closure(n, constraints)
    for i in range(n):
        allowed[:, i] &= has[:, before[:, i]].all(axis=1)
        allowed[:, i] &= ~has[:, before[i]].any(axis=1)
    for constraint in constraints:
        if isinstance(constraint, FixedPosition):
            item, place = constraint.item, constraint.position
            allowed[:, item] &= size == place + 1
            others = np.arange(n) != item
            allowed[np.ix_(size == place + 1, others)] = False
        elif isinstance(constraint, Together):
            items = np.array(constraint.items)
            others = np.setdiff1d(np.arange(n), items)
            n_in = has[:, items].sum(axis=1)
            allowed[np.ix_((n_in > 0) & (n_in < len(items)), others)] = False
    return allowed


@lru_cache(maxsize=16)
def steps(
    n: int, constraints: tuple[Any, ...]
) -> tuple[list[tuple[int, IntArray, IntArray]], BoolArray]:
    """Sets in an order in which each comes after its subsets, and what is reached.

    Returns
    -------
    steps : list of (set, lasts, nexts)
        Items that the set can end with, items that can follow.
    reached : bool array of shape (2ⁿ, n)
        Which (set, last) have a value.
    """
    allowed = prefixes(n, constraints)
    reached = np.zeros_like(allowed)
    single = 1 << np.arange(n)
    reached[single, np.arange(n)] = allowed[single, np.arange(n)]
    found = []
    for members in range(1, 2**n - 1):
        lasts = np.flatnonzero(reached[members])
        if lasts.size:
            nexts = np.flatnonzero(members & single == 0)
            nexts = nexts[allowed[members | single[nexts], nexts]]
            if nexts.size:
                reached[members | single[nexts], nexts] = True
                found.append((members, lasts, nexts))
    return found, reached


def held_karp(
    costs: NDArray[np.int32], constraints: tuple[Any, ...]
) -> tuple[IntArray, IntArray]:
    """Cheapest tours of many lists by dynamic programming, O(2ⁿ n²) each.

    Parameters
    ----------
    costs : int32 array of shape (n + 1, n + 1, b)
        b lists as the last axis; the sum of any n + 1 of them must fit. Node n is the
        depot.
    constraints : tuple
        The same for all lists.

    Returns
    -------
    orders : int array of shape (b, n)
        Best order of each list; rubbish where the constraints allow none.
    values : int array of shape (b,)
        Its cost, the greatest int32 where the constraints allow none.
    """
    n, n_lists = len(costs) - 1, costs.shape[2]
    schedule, reached = steps(n, constraints)
    value = np.empty((2**n, n, n_lists), dtype=np.int32)
    single = 1 << np.arange(n)
    value[single, np.arange(n)] = costs[n, :n]
    for members, lasts, nexts in schedule:
        through = costs[lasts[:, None], nexts]
        through += value[members, lasts][:, None]
        value[members | single[nexts], nexts] = through.min(axis=0)

    lanes = np.arange(n_lists)
    sets = np.full(n_lists, 2**n - 1)
    following = np.full(n_lists, n)
    orders = np.empty((n_lists, n), dtype=np.int64)
    none = np.int64(np.iinfo(np.int32).max)
    best = np.full(n_lists, none)
    for place in range(n - 1, -1, -1):
        total = value[sets, :, lanes] + costs[:n, following, lanes].T.astype(np.int64)
        total = np.where(reached[sets], total, none)
        last = total.argmin(axis=1)
        if place == n - 1:
            best = total[lanes, last]
        orders[:, place] = last
        sets = sets & ~single[last]
        following = last
    return orders, best


def scaled(
    costs: FloatArray, forbidden: FloatArray
) -> tuple[NDArray[np.int32], FloatArray]:
    """Round the costs of many lists down to integers whose sums fit in 32 bits.

    Parameters
    ----------
    costs : float array of shape (b, n + 1, n + 1)
        Costs of tours, from 0 up.
    forbidden : float array of shape (b,)
        What a forbidden arc costs, more than n + 1 times any other.

    Returns
    -------
    integers : int32 array of shape (n + 1, n + 1, b)
        Forbidden arcs cost more than any tour of others.
    unit : float array of shape (b,)
        Size of 1.
    """
    m = costs.shape[1]
    # m forbidden arcs must fit: each costs a little more than m allowed ones.
    unit = forbidden * m / (2.0**31 - m)
    integers = np.floor(costs / unit[:, None, None])
    return np.ascontiguousarray(integers.transpose(1, 2, 0), dtype=np.int32), unit


def solve_batch(found: list[Incumbent]) -> None:
    """Solve lists of one size with the same constraints to the end.

    Rounding down makes the integer optimum a lower bound.
    """
    problems = [best.problem for best in found]
    costs = np.stack([problem.cost for problem in problems])
    forbidden = np.array([problem.forbidden for problem in problems])
    integers, unit = scaled(costs, forbidden)
    orders, values = held_karp(integers, problems[0].constraints)
    is_allowed = values < np.floor(forbidden / unit)
    for k, best in enumerate(found):
        if is_allowed[k]:
            best.raise_bound(float(values[k] * unit[k]), "dp")
            order = orders[k].tolist()
            best.offer(order, best.problem.tour_cost(order), "dp")
        else:
            best.raise_bound(best.problem.forbidden, "dp")
