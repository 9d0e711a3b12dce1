"""Which methods for paths are tried, and in which order."""

import math

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.conflicts import smallest_conflict
from ltr.solvers.core.constraints import Constraint
from ltr.solvers.core.lists import ItemList
from ltr.solvers.core.solution import Solution, Status, certify, without_order
from ltr.solvers.paths.annealing import anneal
from ltr.solvers.paths.assignment_relaxation import branch_and_bound, relax
from ltr.solvers.paths.bounded_program import bounded_program
from ltr.solvers.paths.branch_and_cut import branch_and_cut
from ltr.solvers.paths.construction import construct
from ltr.solvers.paths.cp_sat import cp_sat
from ltr.solvers.paths.held_karp import (
    can_tabulate,
    held_karp,
    held_karp_of_one,
    work,
)
from ltr.solvers.paths.local_search import local_search
from ltr.solvers.paths.problem import Incumbent, path_problem
from ltr.solvers.paths.problem_stack import solve_stack, stack_of
from ltr.solvers.paths.routing import routing
from ltr.solvers.paths.segment_search import segment_search

# python examples/benchmark_portfolio.py prints the table to choose these thresholds by.
# Up to this size the dynamic program solves lists of a batch: at 13 items, a list takes
# .4 ms, and asymmetric ones take branch and bound .3 ms each.
MAX_BATCHED = 12
# Nodes of branch and bound before another method is tried. It proves asymmetric lists
# of 40 items in 1 ms (branch and cut 14, CP-SAT 60-90); nearly symmetric ones, which
# skip it, take branch and cut 9-40 ms, CP-SAT 70-130 and branch and bound 70 or more.
_MAX_NODES = 100
# Nodes of branch and cut before CP-SAT is tried, CP-SAT's units of work, and the
# maximum number of items it is tried on.
_MAX_CUT_NODES, _CP_SAT_WORK, _MAX_CP_SAT = 150, 3.0, 150
# The assignment is solved again, without the arcs that no better order has, if the cost
# of an order is less than this share of the greatest cost of an arc.
_MUCH_LESS = 1e-2
# Kicks of the local search.
_KICKS_PER_ITEM = 10
# With constraints: the maximum number of items and states for which the bounded dynamic
# program goes before everything else but branch and bound; it ends in .1 s if they do
# not suffice. Cities in the plane with random precedences ("ordered" in the benchmark):
# 16 items .02-.18 s with it, .06-.34 s without; 20 items and a density of .1 or .2
# .03-.09 s, 4-5 s without.
_MAX_PROGRAM, _MAX_FIRST_STATES = 20, 150_000
# With constraints: share of the budget for a search before the proof, and for the root
# of branch and cut; then turns of CP-SAT, the bounded dynamic program and the search,
# each a share of what remains, and the search again. Compared on TSPLIB's SOP and on
# random precedences: CP-SAT closes a gap soon after the root or hardly ever, and so
# does the program, so most of the rest goes to the search.
_SEARCH_SHARE, _ROOT_SHARE, _TURNS = (
    0.2,
    0.4,
    ((0.15, 0.4, 0.6), (0.3, 0.5, 0.8)),
)
# Share of a long search for annealing; the rest polishes its order.
_ANNEALING_SHARE = 0.9
# Units of work per squared item after which a search without a better order ends, and
# of one cooling.
_PATIENCE, _LONG_PATIENCE, _COOLING = 1e-4, 2e-3, 5e-4
_MIN_ANNEALED = 64  # items; a kick costs little among fewer


def solve_list(
    item_list: ItemList, method: str, budget: Budget, random_state: int | None
) -> Solution:
    """Solve one list."""
    if not item_list.n_items:
        empty = certify(
            [], 0.0, 0.0, tolerance=0.0, method="trivial", started=budget.started
        )
        return item_list.in_user_numbers(empty)
    best = _incumbent(item_list, item_list.constraints)
    observer = budget.observer
    if observer is not None:
        best.report = lambda best: observer.report(
            item_list.in_user_numbers(best.solution(budget.started))
        )
    _search(best, method, budget, random_state)
    return _finish(best, item_list, budget)


def solve_lists(
    lists: list[ItemList], budget: Budget, *, method: str, random_state: int
) -> list[Solution]:
    """Solve the lists of a job: several, of one size and constraints, by one table."""
    is_affordable = work(lists[0].n_items) <= budget.work_left
    if len(lists) == 1 or budget.is_spent or not is_affordable:
        return [
            solve_list(item_list, method, budget, random_state) for item_list in lists
        ]
    stack = stack_of(lists)
    solutions = solve_stack(stack, budget.started)
    unproven = [k for k, solution in enumerate(solutions) if solution is None]
    if unproven:
        incumbents = [Incumbent(stack.problem(k)) for k in unproven]
        held_karp(incumbents)
        finished = {
            k: _finish(best, lists[k], budget)
            for k, best in zip(unproven, incumbents, strict=True)
        }
    return [
        finished[k] if solution is None else item_list.in_user_numbers(solution)
        for k, (item_list, solution) in enumerate(zip(lists, solutions, strict=True))
    ]


def _incumbent(item_list: ItemList, constraints: tuple[Constraint, ...]) -> Incumbent:
    """An incumbent without an order, for all or some of the constraints of a list."""
    return Incumbent(
        path_problem(
            item_list.matrix,
            item_list.start,
            item_list.end,
            constraints,
            item_list.attributes,
        )
    )


def _search(
    best: Incumbent, method: str, budget: Budget, random_state: int | None
) -> None:
    """Improve order and bound until they meet or the budget is spent."""
    n_cycles = relax(best)
    if best.is_closed:
        return
    if not best.problem.rules.is_empty:
        start = None
        if best.order is None:
            is_long = best.problem.n_items > MAX_BATCHED or method == "local_search"
            start = construct(best, budget if is_long else None)
            if best.is_closed:
                return
        segment_search(best, budget, patience=0.0, start=start)
    top = best.problem.top
    is_wide = best.cost < _MUCH_LESS * top
    if (is_wide or method != "auto") and best.narrow() and is_wide:
        relax(best)  # again, with less rounding
    problem = best.problem
    if method == "branch_and_bound":
        branch_and_bound(best, budget)
    elif method == "branch_and_cut":
        branch_and_cut(best, budget)
    elif method == "cp_sat":
        cp_sat(best, budget)
    elif method == "routing":
        routing(best, budget)
    elif method == "local_search" and not problem.rules.is_empty:
        _quick_search(best, budget.part(_SEARCH_SHARE), random_state or 0)
        _long_search(best, budget, random_state or 0)
    elif method == "local_search":
        local_search(best, budget, _KICKS_PER_ITEM * problem.n_items, random_state)
    elif method == "dp":
        if not budget.is_spent:
            held_karp_of_one(best, budget)
    elif problem.rules.is_empty:
        _portfolio(best, n_cycles, budget, random_state)
    else:
        _constrained_portfolio(best, budget, random_state)


def _constrained_portfolio(
    best: Incumbent, budget: Budget, random_state: int | None
) -> None:
    """Search for a good order until that stagnates; prove it, and search on, by turns.

    CP-SAT closes most gaps that it can close soon after the root, and the bounded
    dynamic program ends early where it is hopeless: they go before the long search.
    Both get another turn for a better incumbent.
    """
    branch_and_bound(best, budget, max_nodes=_MAX_NODES)
    if best.is_closed or budget.is_spent:
        return
    if can_tabulate(best, budget):
        held_karp_of_one(best, budget)
        return
    if best.problem.n_items <= _MAX_PROGRAM:
        # costs are reduced by rows and columns, which is a bound of 0
        bounded_program(best, budget, best.problem.cost, 0.0, _MAX_FIRST_STATES)
        if best.is_closed or budget.is_spent:
            return
    seed = random_state or 0
    _quick_search(best, budget.part(_SEARCH_SHARE), seed)
    best.narrow()
    n_nodes = _MAX_CUT_NODES if best.problem.rules.together else 0
    root = branch_and_cut(best, budget.part(_ROOT_SHARE), n_nodes)
    if best.is_closed or budget.is_spent:
        return
    arcs = None if root is None else root.arcs
    programmed = math.inf  # cost of the incumbent that the program could not prove
    for turn, shares in enumerate(_TURNS, 1):
        cp_sat_share, program_share, search_share = shares
        cp_sat(best, budget.part(cp_sat_share), arcs)
        if root is not None and best.cost < programmed:
            programmed, part = best.cost, budget.part(program_share)
            bounded_program(best, part, root.reduced, root.lower)
        _long_search(best, budget.part(search_share), seed + turn)
        if best.is_closed or budget.is_spent:
            return
    _long_search(best, budget, seed + len(_TURNS) + 1)
    branch_and_cut(best, budget)


def _quick_search(best: Incumbent, budget: Budget, seed: int) -> None:
    """Descend, and kick until that stagnates."""
    patience = _PATIENCE * best.problem.n_items**2
    segment_search(best, budget, patience=patience, random_state=seed)


def _long_search(best: Incumbent, budget: Budget, seed: int) -> None:
    """Anneal until that stagnates, and kick the best order; short lists: only kick."""
    n_items = best.problem.n_items
    if n_items < _MIN_ANNEALED:
        patience = _LONG_PATIENCE * n_items**2
        segment_search(best, budget, patience=patience, random_state=seed)
        return
    length = _COOLING * n_items**2
    anneal(best, budget.part(_ANNEALING_SHARE), length=length, random_state=seed)
    _quick_search(best, budget, seed)


def _portfolio(
    best: Incumbent, n_cycles: int, budget: Budget, random_state: int | None
) -> None:
    """Try what is likely to be fast first.

    An assignment with many cycles, most of them of two nodes, is a sign of nearly
    symmetric costs, for which its bound is weak.
    """
    problem = best.problem
    if n_cycles < 4 + problem.n_items / 8:
        branch_and_bound(best, budget, max_nodes=_MAX_NODES)
    if best.is_closed or budget.is_spent:
        return
    best.narrow()
    root = branch_and_cut(best, budget, _MAX_CUT_NODES)
    if best.is_closed or budget.is_spent:
        return
    if can_tabulate(best, budget):
        held_karp_of_one(best, budget)
        return
    if problem.n_items <= _MAX_CP_SAT:
        cp_sat(best, budget, None if root is None else root.arcs, _CP_SAT_WORK)
    if not (best.is_closed or budget.is_spent):
        branch_and_cut(best, budget)
    local_search(best, budget, _KICKS_PER_ITEM * problem.n_items, random_state)


def _finish(best: Incumbent, item_list: ItemList, budget: Budget) -> Solution:
    """Return the solution in the user's numbers; if infeasible, with its conflict."""
    solution = best.solution(budget.started)
    if solution.status is not Status.INFEASIBLE:
        return item_list.in_user_numbers(solution)

    def is_feasible(constraints: tuple[Constraint, ...]) -> bool:
        attempt = _incumbent(item_list, constraints)
        construct(attempt)
        if attempt.order is None and not budget.is_spent:
            is_small = item_list.n_items <= MAX_BATCHED
            can_tabulate = is_small and attempt.problem.rules.is_local
            _search(attempt, "dp" if can_tabulate else "cp_sat", budget, None)
        return not attempt.is_infeasible

    conflict = smallest_conflict(item_list.constraints, is_feasible)
    return item_list.in_user_numbers(
        without_order(
            Status.INFEASIBLE,
            method=solution.method,
            started=budget.started,
            conflict=conflict,
        )
    )
