"""The assignment relaxation: its bound, Karp's patching, branch and bound.

Without the condition that a tour is one cycle, an assignment problem remains: each node
has one successor and one predecessor. Its least cost bounds that of a tour; its cycles
can be patched into one tour (Karp, 1979); branching on the arcs of one cycle makes it
exact (Carpaneto and Toth, 1980).
"""

import heapq
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from ltr.queries import FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.paths.blocks import Blocks
from ltr.solvers.paths.problem import Incumbent, PathProblem

Arc = tuple[int, int]
# Units of work of one assignment with m nodes: fixed, per m² and per m³.
_WORK, _WORK_PER_ARC, _WORK_PER_CUBE = 2e-5, 1.2e-8, 2.5e-10


def assign(cost: FloatArray) -> tuple[IntArray, float]:
    """Return the successor of each node in a cheapest assignment, and its cost."""
    nodes, successor = linear_sum_assignment(cost)
    return successor, float(np.add.reduce(cost[nodes, successor]))


def cycles_of(successor: Sequence[int]) -> list[list[int]]:
    """Split a permutation into its cycles, each a list of nodes."""
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
    """Return the items of a closed tour from after the depot, its greatest node."""
    depot = tour.index(len(tour) - 1)
    return tour[depot + 1 :] + tour[:depot]


def patch(cost: FloatArray, successor: IntArray, cycles: list[list[int]]) -> list[int]:
    """Join the cycles of an assignment pairwise, each time by the cheapest swap.

    Swapping the successors σ(i) and σ(j) of nodes in two cycles joins the cycles and
    adds c[i, σ(j)] - c[i, σ(i)] + c[j, σ(i)] - c[j, σ(j)] (Karp, 1979).
    """
    size = len(successor)
    successor = successor.copy()
    label = np.empty(size, dtype=np.int64)
    for number, cycle in enumerate(cycles):
        label[cycle] = number
    # (i, j): first c[i, σ(j)] - c[i, σ(i)], then the sum over both directions
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
        # only i and j have new successors: their rows and columns change
        own = cost[np.arange(size), successor]
        for k in (i, j):
            extra[k] = cost[k, successor] + cost[:, successor[k]] - own - own[k]
            extra[:, k] = extra[k]
        extra[label[:, None] == label] = np.inf
    return cycles_of(successor.tolist())[0]


def relax(best: Incumbent) -> int:
    """Solve the assignment relaxation, patch it, and return its number of cycles."""
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


class _Node(NamedTuple):
    """A node of the search; the queue compares bounds, then takes the newest."""

    lower: float
    minus_number: int
    required: tuple[Arc, ...]
    excluded: tuple[Arc, ...]
    successor: IntArray


def branch_and_bound(
    best: Incumbent, budget: Budget, max_nodes: float = float("inf")
) -> None:
    """Close the gap by branching on sets of arcs that no tour contains entirely.

    A node of the search requires some arcs and excludes others. Let a₁, …, aₖ be the
    arcs, other than required ones, of a subtour of its assignment, or of a chain that
    breaks a constraint; then child i requires a₁, …, aᵢ₋₁ and excludes aᵢ, so that each
    tour of the node is in exactly one child. The node with the least bound is next.

    Parameters
    ----------
    best : Incumbent
        Receives better orders, and at the end the least bound of the open nodes.
    budget : Budget
        When it is spent, the search ends.
    max_nodes : float
        Maximum number of nodes to branch on.
    """
    problem = best.problem
    successor, lower = assign(problem.cost)
    m = len(problem.cost)
    work = _WORK + _WORK_PER_ARC * m**2 + _WORK_PER_CUBE * m**3
    queue = [_Node(lower, 0, (), (), successor)]
    n_made, n_done = 0, 0
    while queue:
        node = heapq.heappop(queue)
        if node.lower >= best.target:
            break
        if n_done >= max_nodes or budget.is_spent:
            best.raise_bound(node.lower, "branch_and_bound")
            return
        n_done += 1
        cycles = cycles_of(node.successor.tolist())
        restricted = restrict(problem, node.required, node.excluded)
        if n_done > 1:
            offer_patched(best, node.successor, cycles, "branch_and_bound")
        free = free_arcs(problem, cycles, set(node.required))
        target = best.target
        for k, arc in enumerate(free):
            if budget.is_spent:  # one node of a long list has hundreds of children
                best.raise_bound(node.lower, "branch_and_bound")
                return
            # all later children also require the arcs before this one; only this child
            # excludes it
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
            budget.spend(work)
            if child_lower < target:
                n_made += 1
                required = node.required + tuple(free[:k])
                excluded = (*node.excluded, arc)
                heapq.heappush(
                    queue, _Node(child_lower, -n_made, required, excluded, child)
                )
            if budget.is_spent:
                best.raise_bound(node.lower, "branch_and_bound")
                return
    best.raise_bound(best.target, "branch_and_bound")


def restrict(
    problem: PathProblem, required: Sequence[Arc], excluded: Sequence[Arc]
) -> FloatArray:
    """Return costs that allow the tours with all required and no excluded arcs."""
    cost = problem.cost.copy()
    if excluded:
        i, j = np.array(excluded).T
        cost[i, j] = problem.forbidden
    if required:
        i, j = np.array(required).T
        value = cost[i, j]
        cost[i] = problem.forbidden
        cost[:, j] = problem.forbidden
        cost[i, j] = value
    return cost


def free_arcs(
    problem: PathProblem, cycles: list[list[int]], required: set[Arc]
) -> list[Arc]:
    """Return the arcs to branch on: of the cycle with the fewest that are not required.

    A single cycle is a tour: then those of the chain that breaks a constraint, or none
    if it keeps all constraints.
    """
    if len(cycles) > 1:
        runs = [[*cycle, cycle[0]] for cycle in cycles]
    else:
        chain = problem.broken_chain(order_of(cycles[0]))
        runs = [] if chain is None else [chain]
    free = [[arc for arc in pairwise(run) if arc not in required] for run in runs]
    return min(free, key=len, default=[])


def greedy(problem: PathProblem, cost: FloatArray) -> list[int] | None:
    """Append the item with the cheapest arc among those that the constraints allow.

    With precedences alone this always ends in an order that keeps them; otherwise it
    may run into a dead end, and return None. Where as many items are due by a position
    as there are positions up to it, one of them comes next (Jackson, 1955).
    """
    n, rules = problem.n_items, problem.rules
    before = rules.before(n)
    n_before = before.sum(axis=0)
    first, last = rules.intervals(n)
    if (first > last).any():
        return None
    groups = [np.isin(np.arange(n), group.items) for group in rules.together]
    blocks, bits = Blocks(rules.together), 2**n - 1
    remaining, node = np.ones(n, dtype=bool), n
    order: list[int] = []
    for position in range(n):
        allowed = remaining & (n_before == 0) & (first <= position)
        if rules.groups:
            allowed &= problem.group_counts.candidates(order)
        if rules.has_positions:
            n_due = np.bincount(last[remaining], minlength=n).cumsum()
            is_tight = n_due >= np.arange(n) - position + 1
            allowed &= last <= int(is_tight[position:].argmax()) + position
        for group in groups:
            is_open = (group & remaining).any() and (group & ~remaining).any()
            if is_open:
                allowed &= group
        candidates = np.flatnonzero(allowed)
        candidates = candidates[np.argsort(cost[node, candidates], kind="stable")]
        following = (i for i in candidates.tolist() if blocks.admits(bits & ~(1 << i)))
        node = next(following, n)
        if node == n:
            return None
        order.append(node)
        remaining[node] = False
        bits &= ~(1 << node)
        n_before -= before[node]
    return order
