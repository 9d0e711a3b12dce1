"""Branch and cut: the subtour relaxation, arcs fixed by reduced costs, then a search.

Padberg and Rinaldi (1991), for costs that need not be symmetric.
"""

import heapq
import math

import numpy as np

from ltr.solvers.core.budget import Budget, BudgetSpent
from ltr.solvers.core.solution import BoolArray, FloatArray
from ltr.solvers.paths.assignment_relaxation import (
    assign,
    cycles_of,
    greedy,
    order_of,
    patch,
)
from ltr.solvers.paths.constraint_cuts import (
    PrecedenceCuts,
    chain_cut,
    together_cuts,
)
from ltr.solvers.paths.local_search import descend, local_search
from ltr.solvers.paths.problem import Incumbent, PathProblem
from ltr.solvers.paths.separation import violated_cuts
from ltr.solvers.paths.subtour_relaxation import Cut, SubtourRelaxation

_EPSILON = 1e-6
# Cheapest arcs out of and into each node that the relaxation begins with.
_N_NEAREST = 6
# Nodes of the search from one rounded solution to the next.
_ROUND_EVERY = 8
# With constraints, orders are hard to round off: a local search is worth its time.
_KICKS_PER_ITEM = 50
# The search begins if there are at most so many arcs per node.
_MAX_ARCS_PER_NODE = 100


def branch_and_cut(
    best: Incumbent, budget: Budget, max_nodes: float = math.inf
) -> BoolArray | None:
    """Close the gap, or raise the bound.

    Parameters
    ----------
    best : Incumbent
        Gets better orders and a better bound.
    budget : Budget
        When it is spent, what is known is kept.
    max_nodes : float
        How many nodes to branch on.

    Returns
    -------
    arcs : bool array of shape (n + 1, n + 1), or None
        Those that a better tour may have; None if that is not known.
    """
    relaxation = None
    separate = PrecedenceCuts(best.problem)
    try:
        relaxation = _root(best, separate, budget)
        if relaxation is not None:
            _search(best, relaxation, separate, budget, max_nodes)
    except BudgetSpent:
        pass
    return None if relaxation is None else relaxation.present


def _root(
    best: Incumbent, separate: PrecedenceCuts, budget: Budget
) -> SubtourRelaxation | None:
    """Cut and price until nothing is missing; keep arcs that a better tour may have.

    Returns
    -------
    relaxation : SubtourRelaxation or None
        With all those arcs and the cuts. None if the gap is closed, or too wide to
        search.
    """
    problem = best.problem
    allowed = problem.cost < problem.forbidden
    present = _nearest_arcs(best)
    relaxation = SubtourRelaxation(problem, present)
    for cut in together_cuts(problem):
        relaxation.add_cut(cut)
    while True:
        _cut(best, relaxation, separate, budget)
        reduced = relaxation.reduced()
        # Each node is left once: so much the missing columns can gain at most.
        absent = np.where(allowed & ~present, reduced, 0.0)
        lower = relaxation.bound + float(np.minimum(absent.min(axis=1), 0.0).sum())
        best.raise_bound(min(lower, best.target), "branch_and_cut")
        if best.is_closed:
            return None
        _round_off(best, relaxation, budget)
        missing = absent < -_EPSILON * problem.top
        if not missing.any():
            break
        relaxation.add_arcs(missing)
        present |= missing
    if problem.constraints:
        local_search(best, budget, _KICKS_PER_ITEM * problem.n_items)
    if best.is_closed:
        return None
    alive = allowed & (reduced < best.target - lower)
    if alive.sum() > _MAX_ARCS_PER_NODE * len(alive):
        return None
    smaller = SubtourRelaxation(problem, alive)
    for cut in relaxation.cuts:
        smaller.add_cut(cut)
    return smaller


def _nearest_arcs(best: Incumbent) -> BoolArray:
    """The cheapest arcs out of and into each node, and those of the best order."""
    problem = best.problem
    cost, size = problem.cost, len(problem.cost)
    k = min(_N_NEAREST, size - 1)
    arcs = np.zeros(cost.shape, dtype=bool)
    arcs[np.arange(size)[:, None], np.argpartition(cost, k - 1, axis=1)[:, :k]] = True
    arcs[np.argpartition(cost, k - 1, axis=0)[:k], np.arange(size)] = True
    if best.order is not None:
        tour = [problem.n_items, *best.order, problem.n_items]
        arcs[tour[:-1], tour[1:]] = True
    return arcs & (cost < problem.forbidden)


def _cut(
    best: Incumbent,
    relaxation: SubtourRelaxation,
    separate: PrecedenceCuts,
    budget: Budget,
) -> None:
    """Solve and add violated cuts until there are none, or no better tour is left."""
    while True:
        relaxation.solve(budget)
        if relaxation.bound >= best.target:
            return
        cuts = violated_cuts(
            relaxation.tails, relaxation.heads, relaxation.x, len(best.problem.cost)
        )
        if best.problem.constraints and not cuts:
            cuts = _constraint_cuts(best.problem, relaxation, separate, budget)
        if not sum([relaxation.add_cut(cut) for cut in cuts]):
            return


def _constraint_cuts(
    problem: PathProblem,
    relaxation: SubtourRelaxation,
    separate: PrecedenceCuts,
    budget: Budget,
) -> list[Cut]:
    """Cuts of the precedences; of a tour, the chain that breaks a constraint."""
    flow = np.zeros(problem.cost.shape)
    flow[relaxation.tails, relaxation.heads] = relaxation.x
    cuts = separate(flow, budget)
    order = None if cuts else _tour(relaxation)
    chain = None if order is None else chain_cut(problem, order)
    return cuts if chain is None else [chain]


def _tour(relaxation: SubtourRelaxation) -> list[int] | None:
    """The order that a solution in whole numbers is; None if it is no single tour."""
    if np.minimum(relaxation.x, 1 - relaxation.x).max() >= _EPSILON:
        return None
    size = len(relaxation.present)
    flow = np.zeros((size, size))
    flow[relaxation.tails, relaxation.heads] = relaxation.x
    cycles = cycles_of(flow.argmax(axis=1).tolist())
    return order_of(cycles[0]) if len(cycles) == 1 else None


def _round_off(best: Incumbent, relaxation: SubtourRelaxation, budget: Budget) -> None:
    """Offer the tour that has most of the solution's arcs, improved by local search."""
    problem = best.problem
    order = _tour(relaxation)
    if order is None or not problem.keeps(order):
        cost = problem.cost.copy()
        cost[relaxation.tails, relaxation.heads] -= relaxation.x * problem.top
        if problem.constraints:
            order = greedy(problem, cost)
        else:
            successor, _ = assign(cost)
            cycles = cycles_of(successor.tolist())
            single = len(cycles) == 1
            order = order_of(
                cycles[0] if single else patch(problem.cost, successor, cycles)
            )
    if order is None:
        return
    order = descend(problem, order, budget).tolist()
    best.offer(order, problem.tour_cost(order), "branch_and_cut")


def _search(
    best: Incumbent,
    relaxation: SubtourRelaxation,
    separate: PrecedenceCuts,
    budget: Budget,
    max_nodes: float,
) -> None:
    """Branch on the arc that is nearest to one half.

    A node that keeps the arc is looked at next, while the solution is warm; when such a
    run ends, the node with the least bound is.
    """
    tails, heads = relaxation.tails, relaxation.heads
    root: tuple[float, FloatArray] | None = None
    low = np.zeros(len(tails), dtype=bool)
    queue = [(best.lower, 0, low, ~low)]
    n_made = n_done = 0
    following = None
    while queue or following:
        if following is None:
            following = heapq.heappop(queue)
            best.raise_bound(min(following[0], best.target), "branch_and_cut")
            if best.is_closed or n_done >= max_nodes:
                return
        lower, _, low, high = following
        following = None
        n_done += 1
        if root is not None:
            high = high & (root[1] < best.target - root[0])
        relaxation.branch(low, high)
        _cut(best, relaxation, separate, budget)
        if root is None:
            root = relaxation.bound, relaxation.reduced_of_arcs
        x = relaxation.x
        half = np.minimum(x, 1 - x)
        if half.max() < _EPSILON or n_done % _ROUND_EVERY == 0:
            _round_off(best, relaxation, budget)
        lower = max(lower, relaxation.bound)
        if lower >= best.target:
            continue
        k = int(half.argmax())
        n_made += 2
        without = high.copy()
        without[k] = False
        heapq.heappush(queue, (lower, -n_made, low, without))
        within = low.copy()
        within[k] = True
        others = high & ((tails != tails[k]) & (heads != heads[k]) | within)
        following = (lower, 1 - n_made, within, others)
    best.raise_bound(best.target, "branch_and_cut")
