"""The assignment relaxation: its bound, Karp's patching, branch and bound.

Leaving each node once and entering each node once, cycles allowed, is an assignment
problem. Its value bounds the path's; its cycles can be patched into one tour (Karp,
1979); branching on the arcs of one cycle makes it exact (Carpaneto and Toth, 1980).
"""

import heapq
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.constraints import FixedPosition, Together
from ltr.solvers.core.solution import FloatArray, IntArray
from ltr.solvers.paths.problem import Incumbent, PathProblem, precedence_closure

Arcs = tuple[tuple[int, int], ...]
# Units of work of one assignment with m nodes: fixed, and per m².
_WORK, _WORK_PER_ARC = 2e-5, 1.2e-8


def assign(cost: FloatArray) -> tuple[IntArray, float]:
    """Successor of each node in a cheapest assignment, and what it costs."""
    nodes, successor = linear_sum_assignment(cost)
    return successor, float(np.add.reduce(cost[nodes, successor]))


def cycles_of(successor: Sequence[int]) -> list[list[int]]:
    """Split a permutation into its cycles, each a run of nodes."""
    seen = [False] * len(successor)
    cycles = []
    for first in range(len(successor)):
        if not seen[first]:
            cycle, node = [], first
            while not seen[node]:
                seen[node] = True
                cycle.append(node)
                node = successor[node]
            cycles.append(cycle)
    return cycles


def order_of(tour: list[int]) -> list[int]:
    """Items of a closed tour in order, from after the depot, its greatest node."""
    at = tour.index(len(tour) - 1)
    return tour[at + 1 :] + tour[:at]


def patch(cost: FloatArray, successor: IntArray, cycles: list[list[int]]) -> list[int]:
    """Join the cycles of an assignment two by two, each time by the cheapest swap.

    Swapping the successors of nodes i and j of two cycles makes them one (Karp, 1979).
    """
    size = len(successor)
    successor = successor.copy()
    label = np.empty(size, dtype=np.int64)
    for number, cycle in enumerate(cycles):
        label[cycle] = number
    extra = cost[:, successor]
    extra -= extra.diagonal()[:, None].copy()
    extra = extra + extra.T
    extra[label[:, None] == label] = np.inf
    for n_left in range(len(cycles), 1, -1):
        i, j = divmod(int(extra.argmin()), size)
        successor[i], successor[j] = successor[j], successor[i]
        if n_left == 2:
            break
        label[label == label[j]] = label[i]
        own = cost[np.arange(size), successor]
        for k in (i, j):
            extra[k] = cost[k, successor] + cost[:, successor[k]] - own - own[k]
            extra[:, k] = extra[k]
        extra[label[:, None] == label] = np.inf
    return cycles_of(successor.tolist())[0]


def relax(best: Incumbent) -> int:
    """Solve the assignment relaxation, patch it, and return how many cycles it had."""
    problem = best.problem
    successor, lower = assign(problem.cost)
    best.raise_bound(lower, "assignment")
    cycles = cycles_of(successor.tolist())
    offer_patched(best, successor, cycles, "assignment")
    return len(cycles)


def offer_patched(
    best: Incumbent, successor: IntArray, cycles: list[list[int]], method: str
) -> None:
    """Patch cycles, if there are several, and offer the tour."""
    problem = best.problem
    tour = cycles[0] if len(cycles) == 1 else patch(problem.cost, successor, cycles)
    order = order_of(tour)
    best.offer(order, problem.tour_cost(order), method)


def branch_and_bound(
    best: Incumbent, budget: Budget, max_nodes: float = float("inf")
) -> None:
    """Close the gap by branching on the arcs that the relaxation may not all have.

    A node of the search holds arcs that are in the tour and arcs that are not. If its
    assignment has a cycle, or breaks a constraint, with the free arcs a₁, …, aₖ, then
    child i keeps a₁, …, aᵢ₋₁ and forbids aᵢ. The node with the least bound is next.

    Parameters
    ----------
    best : Incumbent
        Gets better orders, and at the end the least bound of what is left.
    budget : Budget
        When it is spent, the search ends.
    max_nodes : float
        How many nodes to branch on.
    """
    problem = best.problem
    successor, lower = assign(problem.cost)
    spend = _WORK + _WORK_PER_ARC * problem.cost.size
    queue: list[tuple[float, int, Arcs, Arcs, IntArray]] = [
        (lower, 0, (), (), successor)
    ]
    n_made, n_done = 0, 0
    while queue:
        lower, _, kept, dropped, successor = heapq.heappop(queue)
        if lower >= best.target:
            queue = []
            break
        if n_done >= max_nodes or budget.is_spent:
            best.raise_bound(lower, "branch_and_bound")
            return
        n_done += 1
        cycles = cycles_of(successor.tolist())
        restricted = restrict(problem, kept, dropped)
        if n_done > 1:
            offer_patched(best, successor, cycles, "branch_and_bound")
        free = free_arcs(problem, cycles, set(kept))
        target = best.target
        for k, arc in enumerate(free):
            if k:
                i, j = free[k - 1]
                value = restricted[i, j]
                restricted[i] = problem.forbidden
                restricted[:, j] = problem.forbidden
                restricted[i, j] = value
            value = restricted[arc]
            restricted[arc] = problem.forbidden
            child, child_lower = assign(restricted)
            restricted[arc] = value
            budget.spend(spend)
            if child_lower < target:
                n_made += 1
                heapq.heappush(
                    queue,
                    (
                        child_lower,
                        -n_made,
                        kept + tuple(free[:k]),
                        (*dropped, arc),
                        child,
                    ),
                )
            if budget.is_spent:
                best.raise_bound(lower, "branch_and_bound")
                return
    best.raise_bound(best.target, "branch_and_bound")


def restrict(
    problem: PathProblem,
    kept: Sequence[tuple[int, int]],
    dropped: Sequence[tuple[int, int]],
) -> FloatArray:
    """Costs of the tours that have all the kept arcs and none of the dropped ones."""
    cost = problem.cost.copy()
    if dropped:
        i, j = np.array(dropped).T
        cost[i, j] = problem.forbidden
    if kept:
        i, j = np.array(kept).T
        value = cost[i, j]
        cost[i] = problem.forbidden
        cost[:, j] = problem.forbidden
        cost[i, j] = value
    return cost


def free_arcs(
    problem: PathProblem, cycles: list[list[int]], kept: set[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Fewest arcs, not kept, of a cycle or of a chain that breaks a constraint."""
    if len(cycles) > 1:
        runs = [[*cycle, cycle[0]] for cycle in cycles]
    else:
        chain = problem.broken_chain(order_of(cycles[0]))
        runs = [] if chain is None else [chain]
    found = [[arc for arc in pairwise(run) if arc not in kept] for run in runs]
    return min(found, key=len, default=[])


def greedy(problem: PathProblem, cost: FloatArray) -> list[int] | None:
    """Put the cheapest item next among those that the constraints allow now.

    With precedences alone this always ends in an order that keeps them; otherwise it
    may not, and the result may be None.
    """
    n = problem.n_items
    before = precedence_closure(n, problem.constraints)
    n_before = before.sum(axis=0)
    item_at = np.full(n, -1)
    groups = []
    for constraint in problem.constraints:
        if isinstance(constraint, FixedPosition):
            item_at[constraint.position] = constraint.item
        elif isinstance(constraint, Together):
            groups.append(np.isin(np.arange(n), constraint.items))
    is_left, node = np.ones(n, dtype=bool), n
    is_free = ~np.isin(np.arange(n), item_at)
    order: list[int] = []
    for position in range(n):
        may = is_left & (n_before == 0)
        fixed = item_at[position]
        may &= is_free if fixed < 0 else np.arange(n) == fixed
        for group in groups:
            if (group & is_left).any() and (group & ~is_left).any():
                may &= group
        if not may.any():
            return None
        node = int(np.where(may, cost[node, :n], np.inf).argmin())
        order.append(node)
        is_left[node] = False
        n_before -= before[node]
    return order
