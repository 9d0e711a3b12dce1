"""Which method solves which part of an ordering problem."""

from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.conflicts import smallest_conflict
from ltr.solvers.core.constraints import Constraint
from ltr.solvers.core.lists import ItemList
from ltr.solvers.core.solution import (
    Margin,
    Outcome,
    Solution,
    Status,
    certify,
    least_margin,
    without_order,
)
from ltr.solvers.core.tolerance import (
    EPSILON,
    EXACT,
    RELATIVE,
    are_whole,
    tolerance,
)
from ltr.solvers.orderings.branch_and_cut import branch_and_cut
from ltr.solvers.orderings.cp_sat import find_order, optimize_pairs
from ltr.solvers.orderings.local_search import (
    borda_order,
    bound_by_cycles,
    climb,
)
from ltr.solvers.orderings.margins import margin_across, margin_of_moves
from ltr.solvers.orderings.memetic import KICKS, Memetic
from ltr.solvers.orderings.problem import OrderingProblem, ordering_problem, sorted_by
from ltr.solvers.orderings.subset_dp import (
    DP_ITEMS,
    best_by_sets,
    losses,
    order_by_sets,
)
from ltr.solvers.orderings.watch import Parts, Watch, watch_units

# Steps of the search before CP-SAT.
_FEW_STEPS = 30
# Above the first number of items the linear program is slow, so a quick bound comes
# first; above the second it does not fit.
_MANY_ITEMS, _MAX_LP_ITEMS = 100, 300
# By the gap that they typically leave, smallest first.
_METHODS = ("components", "dp", "branch_and_cut", "cp_sat", "local_search")
# Units of work per set and item of a table of sets.
_WORK_PER_STEP = 2e-9
# Gains so small that their unit would underflow are first multiplied by this.
_LIFT = 2.0**960
# Rounding is added to a gap if it exceeds this share of the objective.
_NOTICED = 1e-12
# Gains that differ by more than this ratio are worth a search for pairs that no best
# order reverses.
_WIDE = 1e-3


def solve_list(
    item_list: ItemList, method: str, budget: Budget, random_state: int
) -> Solution:
    """Solve one list."""
    matrix = item_list.matrix
    problem = ordering_problem(matrix, item_list.constraints)
    lift = _LIFT if problem.scale < 1 / _LIFT else 1.0
    problem = replace(problem, gains=problem.gains * lift)
    rng = np.random.default_rng(random_state)
    excluded = Margin(np.inf, np.inf)
    if not _by_table(method, len(problem)):
        problem, excluded = narrowed(problem, budget)

    def certified(outcome: Outcome) -> Solution:
        solution = _certified(outcome, matrix, problem, lift, excluded, budget)
        return item_list.in_user_numbers(solution)

    watch, observer = Watch(problem), budget.observer
    if observer is not None:
        watch = Watch(
            problem,
            lambda order, bound: observer.report(
                certified(Outcome(Status.FEASIBLE, order, bound, method))
            ),
        )
    outcome = solve_problem(problem, method, rng, budget, watch)
    if outcome.status is Status.INFEASIBLE:
        solution = without_order(
            Status.INFEASIBLE,
            method=method if method != "auto" else "constraints",
            started=budget.started,
            conflict=_conflict(item_list, budget),
        )
    elif outcome.order is None:
        # every pair in its better direction
        greater = np.maximum(matrix, matrix.T)[np.triu_indices(len(matrix), 1)]
        solution = without_order(
            Status.UNKNOWN,
            method=method,
            started=budget.started,
            bound=float(greater.sum()),
        )
    else:
        return certified(outcome)
    return item_list.in_user_numbers(solution)


def _certified(
    outcome: Outcome,
    matrix: FloatArray,
    problem: OrderingProblem,
    lift: float,
    excluded: Margin,
    budget: Budget,
) -> Solution:
    """The solution of a list, from an outcome of its problem that has an order.

    Gains of the problem are those of the matrix, multiplied by ``lift``.
    """
    assert outcome.order is not None
    objective = ordering_value(matrix, outcome.order)
    gap = max(0.0, outcome.bound - problem.value(outcome.order)) / lift
    rounding, is_whole = 4 * EPSILON * problem.spread / lift, are_whole(matrix)
    is_exact = is_whole or outcome.method == "dp"
    if not is_exact and rounding > _NOTICED * abs(objective):
        gap += rounding  # of the gains that constraints lose
    greatest_gap = tolerance(
        ordering_terms(matrix, outcome.order), problem.spread / lift, is_whole=is_whole
    )
    margin = least_margin([outcome.margin, excluded])
    return certify(
        outcome.order,
        objective,
        objective + gap,
        tolerance=greatest_gap,
        method=outcome.method,
        started=budget.started,
        is_whole=is_whole,
        is_unique=margin.is_unique(greatest_gap * lift),
    )


def _conflict(item_list: ItemList, budget: Budget) -> tuple[Constraint, ...]:
    """A smallest set of constraints that clash; larger if the budget runs out."""

    def is_feasible(constraints: tuple[Constraint, ...]) -> bool:
        problem = ordering_problem(item_list.matrix, constraints)
        return find_order(problem, budget).status is not Status.INFEASIBLE

    return smallest_conflict(item_list.constraints, is_feasible)


def ordering_value(matrix: FloatArray, order: IntArray) -> float:
    """Sum of ``matrix[i, j]`` over all i before j in the order.

    Examples
    --------
    >>> ordering_value(np.array([[0.0, 1.0], [2.0, 0.0]]), np.array([1, 0]))
    2.0
    """
    return float(ordering_terms(matrix, order).sum())


def ordering_terms(matrix: FloatArray, order: IntArray) -> FloatArray:
    """Entries ``matrix[i, j]`` for all i before j in the order, shape (n·(n - 1)/2,).

    Examples
    --------
    >>> ordering_terms(np.array([[0.0, 1.0], [2.0, 0.0]]), np.array([1, 0]))
    array([2.])
    """
    return np.asarray(matrix[np.ix_(order, order)][np.triu_indices(len(order), 1)])


def narrowed(
    problem: OrderingProblem, budget: Budget
) -> tuple[OrderingProblem, Margin]:
    """Settle pairs that no best order reverses, if gains are of different sizes.

    Each round may remove the greatest gains, so that the next one, with less rounding,
    finds a better order. The margin is that of orders which reverse such a pair: they
    lose its gain at least, less what the order found loses.
    """
    lower = np.inf
    while not (problem.has_cycle or budget.is_spent):
        sizes = np.abs(problem.gains[problem.gains != 0])
        if not sizes.size or sizes.min() > _WIDE * problem.scale:
            break
        order = borda_order(problem.steep)
        if not problem.is_free:
            outcome = find_order(problem, budget)
            if outcome.order is None:
                break
            order = outcome.order
        order = climb(problem, order, budget)
        if not problem.keeps(order):
            break
        loss = problem.loss(order)
        reduced = problem.without_losers(loss)
        if reduced is problem:
            break
        is_sure = problem.are_losers(loss)
        lower = min(lower, 2 * float(problem.gains[is_sure].min()) - loss)
        problem = reduced
    return problem, Margin(lower, np.inf)


def solve_lists(
    lists: list[ItemList], budget: Budget, *, method: str, random_state: int
) -> list[Solution]:
    """Solve the lists of a job: several, of one size, by one table of sets."""
    if len(lists) == 1 or budget.is_spent:
        return [
            solve_list(item_list, method, budget, random_state) for item_list in lists
        ]
    return _by_one_table(lists, budget)


def _by_one_table(lists: list[ItemList], budget: Budget) -> list[Solution]:
    """Solve lists of one size without constraints."""
    matrices = np.stack([item_list.matrix for item_list in lists])  # (b, n, n)
    n_lists, n = matrices.shape[:2]
    if np.isneginf(matrices).any():
        problems = [ordering_problem(matrix) for matrix in matrices]
        scores = np.stack([losses(problem) for problem in problems])
    else:
        scores = np.minimum(matrices - matrices.transpose(0, 2, 1), 0.0)
    budget.spend(_WORK_PER_STEP * n_lists * n * 2**n)
    orders, values, margins = order_by_sets(scores)
    # rows and columns of each matrix, permuted by the best order of its list
    permuted = np.take_along_axis(matrices, orders[:, :, None], axis=1)
    permuted = np.take_along_axis(permuted, orders[:, None, :], axis=2)
    rows, columns = np.triu_indices(n, 1)
    terms = permuted[:, rows, columns]
    objectives = terms.sum(axis=1)
    are_unique = _are_unique(matrices, terms, scores, margins)
    solutions = []
    for item_list, order, value, objective, is_unique in zip(
        lists, orders, values, objectives.tolist(), are_unique.tolist(), strict=True
    ):
        if value > -np.inf:
            solution = certify(
                order,
                objective,
                objective,
                tolerance=0.0,
                method="dp",
                started=budget.started,
                is_unique=is_unique,
            )
        else:
            solution = without_order(
                Status.INFEASIBLE, method="constraints", started=budget.started
            )
        solutions.append(item_list.in_user_numbers(solution))
    return solutions


def _are_unique(
    matrices: FloatArray, terms: FloatArray, scores: FloatArray, margins: FloatArray
) -> BoolArray:
    """Which lists have a margin that no rounding explains: see ``tolerance``."""
    sizes = np.abs(terms).sum(axis=1)  # (b,)
    spreads = -np.where(np.isneginf(scores), 0.0, scores).sum(axis=(1, 2))
    limits = 2 * EPSILON * terms.shape[1] * sizes
    limits += RELATIVE * np.minimum(sizes, spreads)
    if are_whole(matrices[:1]):
        is_whole = (matrices == np.rint(matrices)).all(axis=(1, 2)) & (sizes < EXACT)
        limits[is_whole] = 0.5
    return np.asarray(margins > limits)


def solve_problem(
    problem: OrderingProblem,
    method: str,
    rng: np.random.Generator,
    budget: Budget,
    watch: Watch,
) -> Outcome:
    """Solve a problem by a method.

    Parameters
    ----------
    problem : OrderingProblem
        The problem to solve.
    method : str
        "auto", "dp", "branch_and_cut", "cp_sat" or "local_search".
    rng : Generator
        Draws of the local search.
    budget : Budget
        Limits.
    watch : Watch
        Better orders and bounds are reported to it.

    Returns
    -------
    outcome : Outcome
        Its bound is on the values of ``problem``.
    """
    if problem.has_cycle:
        return Outcome(Status.INFEASIBLE)
    n = len(problem)
    if method == "dp" and budget.is_spent:
        method = "local_search"
    if _by_table(method, n):
        return best_by_sets(problem)
    if method == "auto":
        if problem.is_free:
            return _by_components(problem, rng, budget, watch)
        if _can_split(problem):
            return _by_groups(problem, rng, budget, watch)
    start = borda_order(problem.steep)
    if not problem.is_free:
        outcome = find_order(problem, budget)
        if outcome.order is None:
            return outcome
        start = outcome.order
    return _by_search(problem, start, method, rng, budget, watch)


def _by_table(method: str, n_items: int) -> bool:
    """Whether a table of sets solves the problem; it adds up losses only."""
    return method == "dp" or (method == "auto" and n_items <= DP_ITEMS)


def _by_search(
    problem: OrderingProblem,
    start: IntArray,
    method: str,
    rng: np.random.Generator,
    budget: Budget,
    watch: Watch,
) -> Outcome:
    """Find an order and a bound, starting from an order that keeps the constraints."""
    if method == "auto":
        method = "branch_and_cut" if len(problem) <= _MAX_LP_ITEMS else "local_search"
    watch.offer(start)
    quick_bound = float("inf")
    if method == "local_search" or len(problem) > _MANY_ITEMS:
        quick_bound = bound_by_cycles(problem, budget)
        watch.tighten(quick_bound)
    if method == "local_search":
        # without a limit, the kicks alone: they nearly always suffice for short lists
        n_steps = np.inf if budget.is_limited else KICKS
        memetic = Memetic(problem, start, rng, watch)
        order, bound = memetic.run(budget, n_steps=n_steps), quick_bound
    elif method == "branch_and_cut":
        order, bound = branch_and_cut(problem, start, rng, budget, watch)
        if budget.is_spent and len(problem) <= _MANY_ITEMS:
            quick_bound = bound_by_cycles(problem, Budget(work_limit=1.0))
    else:
        memetic = Memetic(problem, start, rng, watch)
        order = memetic.run(budget, n_steps=_FEW_STEPS)
        order, bound = optimize_pairs(problem, order, budget, watch)
    bound = max(min(bound, quick_bound), problem.value(order))
    margin = margin_of_moves(problem, order)
    return Outcome(Status.FEASIBLE, order, bound, method, margin)


def _by_components(
    problem: OrderingProblem, rng: np.random.Generator, budget: Budget, watch: Watch
) -> Outcome:
    """Solve each strong component separately, and join them in topological order.

    In the graph with an arc i → j if gains_ij > 0 or i must come before j, the strong
    components C_1, C_2, … can be sorted so that all arcs between them go forwards.
    Then every pair of items in two components is in its better direction, whatever the
    orders inside, so the gap of the whole is the sum of the gaps of the components.
    """
    n = len(problem)
    arcs = (problem.steep > 0) & ~np.eye(n, dtype=bool)
    i, j = np.nonzero(arcs)
    graph = csr_array((np.ones(len(i)), (i, j)), shape=(n, n))
    n_components, label = connected_components(graph, connection="strong")
    # the condensation: component a → b if any item of a has an arc to one of b
    member = np.zeros((n_components, n))
    member[label, np.arange(n)] = 1.0
    condensed = member @ arcs @ member.T > 0
    np.fill_diagonal(condensed, False)
    topological = sorted_by(condensed)
    assert topological is not None
    orders, gap, methods, margins = [], 0.0, ["components"], []
    parts = [np.flatnonzero(label == component) for component in topological]
    joint = Parts(watch, problem, parts)
    for number, items in enumerate(parts):
        if len(items) == 1:
            orders.append(items)
            continue
        inside = problem.part(items)
        if len(items) <= DP_ITEMS:
            outcome = best_by_sets(inside)
        else:
            start = borda_order(inside.steep)
            part_watch = joint.watch(number, inside)
            outcome = _by_search(inside, start, "auto", rng, budget, part_watch)
        if outcome.order is None:
            return outcome
        orders.append(items[outcome.order])
        gap += outcome.bound - inside.value(outcome.order)
        methods.append(outcome.method)
        margins.append(outcome.margin)
    order = np.concatenate(orders)
    margins.append(margin_across(problem, orders))
    return _joined(problem, order, gap, methods, margins)


def _can_split(problem: OrderingProblem) -> bool:
    """Whether groups are nested or disjoint, and no item has a range of positions."""
    groups = [set(group.items) for group in problem.together]
    overlap = any(a & b and not (a <= b or b <= a) for a, b in combinations(groups, 2))
    return not problem.windows and not overlap


def _by_groups(
    problem: OrderingProblem, rng: np.random.Generator, budget: Budget, watch: Watch
) -> Outcome:
    """Order each group separately, then order groups and other items as units.

    A group stands together, so its inner order changes no pair with an item outside:
    the gap of the whole is the sum of the gaps. Small groups come first, so that those
    inside a larger one are units within it.
    """
    groups = sorted((set(group.items) for group in problem.together), key=len)
    units = [np.array([item]) for item in range(len(problem))]
    gap, methods, margins = 0.0, ["components"], []
    for group in [*groups, set(range(len(problem)))]:
        inside = [unit for unit in units if group.issuperset(unit.tolist())]
        merged = problem.merged(inside)
        unit_watch = Watch(merged)
        if len(group) == len(problem):
            unit_watch = watch_units(watch, problem, merged, inside, gap)
        outcome = solve_problem(merged, "auto", rng, budget, unit_watch)
        if outcome.order is None:
            return outcome
        joined = np.concatenate([inside[unit] for unit in outcome.order])
        units = [unit for unit in units if not group.issuperset(unit.tolist())]
        units.append(joined)
        gap += outcome.bound - merged.value(outcome.order)
        methods.append(outcome.method)
        margins.append(outcome.margin)
    return _joined(problem, units[0], gap, methods, margins)


def _joined(
    problem: OrderingProblem,
    order: IntArray,
    gap: float,
    methods: list[str],
    margins: list[Margin],
) -> Outcome:
    """The outcome of parts: their order, and the method that left the most open."""
    method = max(methods, key=_METHODS.index)
    bound = problem.value(order) + gap
    return Outcome(Status.FEASIBLE, order, bound, method, least_margin(margins))
