"""Which method solves which part of an ordering problem."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.solution import IntArray
from ltr.solvers.orderings.branch_and_cut import branch_and_cut
from ltr.solvers.orderings.cp_sat import find_order, optimise_pairs
from ltr.solvers.orderings.local_search import borda_order, bound_by_cycles, search
from ltr.solvers.orderings.problem import OrderingProblem, sorted_by
from ltr.solvers.orderings.subset_dp import (
    DP_ITEMS,
    allowed_next,
    forbidden_as_inf,
    order_by_sets,
)

# Kicks of the iterated search before CP-SAT, and when it is all there is.
_FEW_KICKS, _MANY_KICKS = 30, 300
# With more items a linear program takes long, so that a search and a quick bound come
# first; with still more it does not fit.
_MANY_ITEMS, _MAX_LP_ITEMS = 100, 300
# From the least to the most that a method may have left open.
_METHODS = ("components", "dp", "cutting_planes", "cp_sat", "local_search")


@dataclass(frozen=True, eq=False)
class Part:
    """Items in a good order, how much better another may be, and what found it."""

    order: IntArray
    gap: float
    method: str


def solve_part(
    problem: OrderingProblem, method: str, rng: np.random.Generator, budget: Budget
) -> Part | bool:
    """Solve a problem by a method.

    Parameters
    ----------
    problem : OrderingProblem
        What to order.
    method : str
        "auto", "dp", "cutting_planes", "cp_sat" or "local_search".
    rng : Generator
        Draws of the local search.
    budget : Budget
        Limits.

    Returns
    -------
    part : Part or bool
        False: no order keeps the constraints; True: none was found within the budget.
    """
    if problem.has_cycle:
        return False
    n = len(problem)
    if method == "dp" and budget.is_spent:
        method = "local_search"
    if method == "dp" or (method == "auto" and n <= DP_ITEMS):
        return _by_sets(problem)
    if method == "auto":
        if problem.is_free:
            return _by_components(problem, rng, budget)
        units = _by_groups(problem, rng, budget)
        if units is not None:
            return units
    start = borda_order(problem.steep)
    if not problem.is_free:
        found = find_order(problem, budget)
        if isinstance(found, bool):
            return found
        start = found
    return _by_search(problem, start, method, rng, budget)


def _by_sets(problem: OrderingProblem) -> Part | bool:
    orders, values = order_by_sets(
        forbidden_as_inf(problem)[None], allowed_next(problem)
    )
    return Part(orders[0], 0.0, "dp") if values[0] > -np.inf else False


def _by_search(
    problem: OrderingProblem,
    start: IntArray,
    method: str,
    rng: np.random.Generator,
    budget: Budget,
) -> Part:
    """Search, then prove what was found, if the method is to prove anything."""
    if method == "auto":
        method = "cutting_planes" if len(problem) <= _MAX_LP_ITEMS else "local_search"
    quick = float("inf")
    if method == "local_search" or len(problem) > _MANY_ITEMS:
        quick = bound_by_cycles(problem, budget)
    if method == "local_search":
        order, bound = search(problem, start, rng, budget, _MANY_KICKS), quick
    elif method == "cutting_planes":
        if len(problem) > _MANY_ITEMS:
            start = search(problem, start, rng, budget, _FEW_KICKS)
        order, bound = branch_and_cut(problem, start, rng, budget)
        if budget.is_spent and len(problem) <= _MANY_ITEMS:
            quick = bound_by_cycles(problem, Budget(work_limit=1.0))
    else:
        order = search(problem, start, rng, budget, _FEW_KICKS)
        order, bound = optimise_pairs(problem, order, budget)
    bound = min(bound, quick)
    return Part(order, max(0.0, bound - problem.value(order)), method)


def _by_components(
    problem: OrderingProblem, rng: np.random.Generator, budget: Budget
) -> Part | bool:
    """Solve each strong component of "would gain, or must come, before" by itself.

    Between two components all pairs can have their better way round at once.
    """
    before = (problem.steep > 0) & ~np.eye(len(problem), dtype=bool)
    n = len(problem)
    i, j = np.nonzero(before)
    graph = csr_array((np.ones(len(i)), (i, j)), shape=(n, n))
    n_parts, label = connected_components(graph, connection="strong")
    members = [np.flatnonzero(label == part) for part in range(n_parts)]
    belongs = np.zeros((n_parts, len(problem)))
    belongs[label, np.arange(len(problem))] = 1.0
    follows = belongs @ before @ belongs.T > 0
    np.fill_diagonal(follows, False)
    ranked = sorted_by(follows)
    assert ranked is not None
    parts = []
    for items in (members[part] for part in ranked):
        inside = problem.part(items)
        if len(items) == 1:
            parts.append(Part(items, 0.0, "components"))
            continue
        if len(items) <= DP_ITEMS:
            solved = _by_sets(inside)
        else:
            solved = _by_search(inside, borda_order(inside.steep), "auto", rng, budget)
        if isinstance(solved, bool):
            return solved
        parts.append(Part(items[solved.order], solved.gap, solved.method))
    return Part(
        np.concatenate([part.order for part in parts]),
        sum(part.gap for part in parts),
        max((part.method for part in parts), key=_METHODS.index),
    )


def _by_groups(
    problem: OrderingProblem, rng: np.random.Generator, budget: Budget
) -> Part | bool | None:
    """Order each group by itself, then groups and items; None if groups overlap.

    The order inside of a group does not matter to the others, so that this is exact.
    """
    groups = sorted((set(group.items) for group in problem.together), key=len)
    overlap = any(a & b and not a <= b for a, b in combinations(groups, 2))
    if problem.fixed or overlap:
        return None
    units = [np.array([item]) for item in range(len(problem))]
    gap, methods = 0.0, ["components"]
    for group in [*groups, set(range(len(problem)))]:
        inside = [unit for unit in units if group.issuperset(unit.tolist())]
        merged = problem.merged(inside)
        solved = solve_part(merged, "auto", rng, budget)
        if isinstance(solved, bool):
            return solved
        joined = np.concatenate([inside[unit] for unit in solved.order])
        units = [unit for unit in units if not group.issuperset(unit.tolist())]
        units.append(joined)
        gap += solved.gap
        methods.append(solved.method)
    return Part(units[0], gap, max(methods, key=_METHODS.index))
