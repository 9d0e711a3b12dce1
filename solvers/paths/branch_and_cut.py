"""Branch and cut: the subtour relaxation, arcs removed by reduced costs, then a search.

Padberg and Rinaldi (1991), for costs that need not be symmetric.
"""

import heapq
import math
from typing import NamedTuple

import numpy as np

from ltr.queries import BoolArray, FloatArray
from ltr.solvers.core.budget import Budget, BudgetSpent
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
from ltr.solvers.paths.local_search import descend
from ltr.solvers.paths.problem import Incumbent, PathProblem
from ltr.solvers.paths.segment_search import SegmentSearch
from ltr.solvers.paths.separation import violated_cuts
from ltr.solvers.paths.subtour_relaxation import Cut, SubtourRelaxation

_EPSILON = 1e-6
# The relaxation starts with this number of cheapest arcs out of and into each node.
_N_NEAREST = 6
# Every how many nodes of the search a solution is rounded to a tour.
_ROUND_EVERY = 8
# The search starts only if at most this many arcs per node remain.
_MAX_ARCS_PER_NODE = 100
# If many more arcs remain than this number per node, it first looks for tours of fewer.
_FEW_ARCS_PER_NODE = 12


class Root(NamedTuple):
    """What the root tells about better tours.

    Attributes
    ----------
    arcs : bool array of shape (n + 1, n + 1)
        Arcs that a tour better than the incumbent may use.
    reduced : float array of shape (n + 1, n + 1)
        Reduced costs of all arcs.
    lower : float
        A tour costs at least this plus the reduced costs of any of its arcs, those
        below 0 taken as 0.
    cuts : list of Cut
        Cuts of the relaxation.
    """

    arcs: BoolArray
    reduced: FloatArray
    lower: float
    cuts: list[Cut]


def branch_and_cut(
    best: Incumbent, budget: Budget, max_nodes: float = math.inf
) -> Root | None:
    """Close the gap, or raise the bound.

    Parameters
    ----------
    best : Incumbent
        Receives better orders and a better bound.
    budget : Budget
        When it is spent, the search ends.
    max_nodes : float
        Maximum number of nodes to branch on.

    Returns
    -------
    root : Root or None
        None if the gap is closed, the root is unsolved, or too many arcs remain.
    """
    root = None
    separate = PrecedenceCuts(best.problem)
    try:
        root = _root(best, separate, budget)
        if root is None:
            return None
        for cutoff in _cutoffs(best, root):
            _search(best, root, separate, budget, max_nodes, cutoff)
            if best.is_closed or best.lower < min(cutoff, best.proven):
                break
    except BudgetSpent:
        pass
    return root


def _root(best: Incumbent, separate: PrecedenceCuts, budget: Budget) -> Root | None:
    """Add cuts and columns until none is missing; then drop arcs by reduced costs.

    The relaxation has few of the arcs. Let d be the reduced costs of all arcs at its
    solution. Out-degree is one, so in any tour each node contributes at most its most
    negative reduced cost among the arcs that are not columns (absent):

        cost of a tour ≥ bound + Σ_i min(0, min_j absent d_ij).

    Once no absent arc has d < 0, a tour with arc (i, j) costs at least bound + d_ij:
    arcs for which that is not below the incumbent are in no better tour.

    Returns
    -------
    root : Root or None
        With the arcs that remain. None if the gap is closed, or too wide to search.
    """
    problem = best.problem
    allowed = problem.cost < problem.forbidden
    present = _nearest_arcs(best)
    relaxation = SubtourRelaxation(problem, present, budget)
    for cut in together_cuts(problem):
        relaxation.add_cut(cut)
    while True:
        _cut(best, relaxation, separate, budget)
        reduced = relaxation.reduced()
        absent = np.where(allowed & ~present, reduced, 0.0)
        lower = relaxation.bound + float(np.minimum(absent.min(axis=1), 0.0).sum())
        best.raise_bound(min(lower, best.proven), "branch_and_cut")
        if best.is_closed:
            return None
        _round_off(best, relaxation, budget)
        missing = absent < -_EPSILON * problem.top
        if not missing.any():
            break
        relaxation.add_arcs(missing)
        present |= missing
    alive = allowed & (reduced < best.proven - lower)
    if not alive.any():
        best.raise_bound(best.proven, "branch_and_cut")
        return None
    if alive.sum() > _MAX_ARCS_PER_NODE * len(alive):
        return None
    return Root(alive, reduced, lower, relaxation.cuts)


def _cutoffs(best: Incumbent, root: Root) -> list[float]:
    """Costs below which tours are searched for, one after the other.

    A tour with an arc of reduced cost d costs at least lower + d. So one that costs
    less than lower + d, for d the k-th smallest reduced cost, has fewer than k arcs to
    choose from, as if the incumbent cost that much. An incumbent that leaves many more
    arcs is nearly always worse than that; if no tour costs less, lower + d is a bound.
    """
    cutoffs = [math.inf]
    n_few = _FEW_ARCS_PER_NODE * len(root.arcs)
    if root.arcs.sum() > 1.5 * n_few:
        few = np.partition(root.reduced[root.arcs], n_few)[n_few]
        cutoffs.insert(0, root.lower + float(few))
    return cutoffs


def _nearest_arcs(best: Incumbent) -> BoolArray:
    """The cheapest arcs out of and into each node, and those of the incumbent."""
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
    cutoff: float = math.inf,
) -> None:
    """Solve and add violated cuts until there are none, or the node is pruned."""
    while True:
        relaxation.solve()
        if relaxation.bound >= min(best.proven, cutoff):
            return
        cuts = violated_cuts(
            relaxation.tails,
            relaxation.heads,
            relaxation.x,
            len(best.problem.cost),
            budget,
        )
        if not cuts and not best.problem.rules.is_empty:
            cuts = _constraint_cuts(best.problem, relaxation, separate, budget)
        if not sum([relaxation.add_cut(cut) for cut in cuts]):
            return


def _constraint_cuts(
    problem: PathProblem,
    relaxation: SubtourRelaxation,
    separate: PrecedenceCuts,
    budget: Budget,
) -> list[Cut]:
    """Cuts of the precedences; without any, the broken chain of an integral tour."""
    x = np.zeros(problem.cost.shape)
    x[relaxation.tails, relaxation.heads] = relaxation.x
    cuts = separate(x, budget)
    order = None if cuts else _tour(relaxation)
    chain = None if order is None else chain_cut(problem, order)
    return cuts if chain is None else [chain]


def _tour(relaxation: SubtourRelaxation) -> list[int] | None:
    """The order of an integral solution; None if it is fractional or has subtours."""
    if np.minimum(relaxation.x, 1 - relaxation.x).max() >= _EPSILON:
        return None
    size = len(relaxation.present)
    flow = np.zeros((size, size))
    flow[relaxation.tails, relaxation.heads] = relaxation.x
    cycles = cycles_of(flow.argmax(axis=1).tolist())
    return order_of(cycles[0]) if len(cycles) == 1 else None


def _round_off(best: Incumbent, relaxation: SubtourRelaxation, budget: Budget) -> None:
    """Round the solution to a tour by an assignment, improve the tour, and offer it.

    Costs are lowered by x_ij times the greatest cost, which favors arcs with large x.
    """
    problem = best.problem
    order = _tour(relaxation)
    if order is None or not problem.keeps(order):
        cost = problem.cost.copy()
        cost[relaxation.tails, relaxation.heads] -= relaxation.x * problem.top
        if not problem.rules.is_empty:
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
    if problem.rules.is_empty:
        order = descend(problem, order, budget).tolist()
    elif problem.keeps(order):
        search = SegmentSearch(problem, np.array(order))
        search.descend(budget)
        order = search.order
    best.offer(order, problem.tour_cost(order), "branch_and_cut")


class _Node(NamedTuple):
    """A node of the search: a bound, and the arcs that are required and allowed.

    The queue compares bounds, then takes the newest node.
    """

    lower: float
    minus_number: int
    required: BoolArray
    allowed: BoolArray


def _search(
    best: Incumbent,
    start: Root,
    separate: PrecedenceCuts,
    budget: Budget,
    max_nodes: float,
    cutoff: float,
) -> None:
    """Branch on the arc whose x is nearest to one half; find tours below the cutoff.

    Dive on the child that requires the arc, for which the last basis is nearly optimal;
    at the end of a dive, take the node with the least bound.
    """
    limit = cutoff - start.lower + best.problem.rounding(cutoff)
    arcs = start.arcs & (start.reduced < limit)
    relaxation = SubtourRelaxation(best.problem, arcs, budget)
    for cut in start.cuts:
        relaxation.add_cut(cut)
    tails, heads = relaxation.tails, relaxation.heads
    root: tuple[float, FloatArray] | None = None  # bound and reduced costs
    none = np.zeros(len(tails), dtype=bool)
    queue = [_Node(best.lower, 0, none, ~none)]
    n_made = n_done = 0
    child: _Node | None = None
    closed = math.inf  # least bound of the nodes whose solution is a tour
    while queue or child is not None:
        if child is None:
            node = heapq.heappop(queue)
            best.raise_bound(
                min(node.lower, best.proven, closed, cutoff), "branch_and_cut"
            )
            if best.is_closed or n_done >= max_nodes:
                return
        else:
            node, child = child, None
        n_done += 1
        allowed = node.allowed
        if root is not None:
            allowed = allowed & (root[1] < min(best.proven, cutoff) - root[0])
        relaxation.branch(node.required, allowed)
        _cut(best, relaxation, separate, budget, cutoff)
        if root is None:
            root = relaxation.bound, relaxation.reduced_of_arcs
        x = relaxation.x
        fraction = np.minimum(x, 1 - x)
        if fraction.max() < _EPSILON or n_done % _ROUND_EVERY == 0:
            _round_off(best, relaxation, budget)
        lower = max(node.lower, relaxation.bound)
        if lower >= min(best.proven, cutoff):
            continue
        if fraction.max() < _EPSILON and _tour(relaxation) is not None:
            # a tour, with all cuts: what is missing is rounding of the bound
            closed = min(closed, lower)
            continue
        arc = int(fraction.argmax())
        n_made += 2
        excluded = allowed.copy()
        excluded[arc] = False
        heapq.heappush(queue, _Node(lower, -n_made, node.required, excluded))
        required = node.required.copy()
        required[arc] = True
        # a required arc is the only one out of its tail and the only one into its head
        is_apart = (tails != tails[arc]) & (heads != heads[arc])
        child = _Node(lower, 1 - n_made, required, allowed & (is_apart | required))
    best.raise_bound(min(best.proven, closed, cutoff), "branch_and_cut")
