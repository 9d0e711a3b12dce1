"""Which solver of paths is tried when."""

from typing import Any

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.conflicts import smallest_conflict
from ltr.solvers.core.solution import Solution, Status, solved, unsolved
from ltr.solvers.paths.assignment_relaxation import branch_and_bound, greedy, relax
from ltr.solvers.paths.branch_and_cut import branch_and_cut
from ltr.solvers.paths.cp_sat import cp_sat
from ltr.solvers.paths.held_karp import solve_batch
from ltr.solvers.paths.lists import PathList
from ltr.solvers.paths.local_search import local_search
from ltr.solvers.paths.problem import Incumbent, path_problem
from ltr.solvers.paths.routing import routing

# Up to this size a list is solved by dynamic programming, alone if it has constraints.
MAX_BATCHED = 12
# Nodes of the branch and bound before something else is tried.
_MAX_NODES = 100
# Nodes of the branch and cut before CP-SAT has a turn, its work, and its greatest size.
_MAX_CUT_NODES, _CP_SAT_WORK, _MAX_CP_SAT = 150, 3.0, 150


def solve_one(
    one: PathList, method: str, budget: Budget, random_state: int | None
) -> Solution:
    """Solve one list, all arguments checked."""
    if not one.n_items:
        return solved(
            [], 0.0, 0.0, tolerance=0.0, method="trivial", started=budget.started
        )
    best = Incumbent(path_problem(one.matrix, one.start, one.end, one.constraints))
    _search(best, method, budget, random_state)
    return finish(best, budget)


def solve_together(job: list[PathList], budget: Budget) -> list[Solution]:
    """Solve lists of one size with the same constraints by dynamic programming."""
    found = [
        Incumbent(path_problem(one.matrix, one.start, one.end, one.constraints))
        for one in job
    ]
    solve_batch(found)
    return [finish(best, budget) for best in found]


def _search(
    best: Incumbent, method: str, budget: Budget, random_state: int | None
) -> None:
    """Improve order and bound until they meet or the budget is spent."""
    problem = best.problem
    n_cycles = relax(best)
    if best.is_closed:
        return
    if problem.constraints and best.order is None:
        _offer_greedy(best)
    if method == "branch_and_bound":
        branch_and_bound(best, budget)
    elif method == "branch_and_cut":
        branch_and_cut(best, budget)
    elif method == "cp_sat":
        cp_sat(best, budget)
    elif method == "routing":
        routing(best, budget)
    elif method == "local_search":
        local_search(best, budget, 10 * problem.n_items, random_state)
    elif method == "dp":
        if not budget.is_spent:
            solve_batch([best])
    else:
        _portfolio(best, n_cycles, budget, random_state)


def _portfolio(
    best: Incumbent, n_cycles: int, budget: Budget, random_state: int | None
) -> None:
    """Try what is likely to be fast first.

    An assignment of many cycles, most of them pairs, is the sign of costs that are
    nearly symmetric, where its bound is weak.
    """
    problem = best.problem
    if problem.constraints or n_cycles < 4 + problem.n_items / 8:
        branch_and_bound(best, budget, max_nodes=_MAX_NODES)
    if best.is_closed or budget.is_spent:
        return
    if problem.constraints and problem.n_items <= MAX_BATCHED:
        solve_batch([best])
        return
    arcs = branch_and_cut(best, budget, 0 if problem.constraints else _MAX_CUT_NODES)
    if best.is_closed or budget.is_spent:
        return
    if problem.constraints:
        cp_sat(best, budget, arcs)
    elif problem.n_items <= _MAX_CP_SAT:
        cp_sat(best, budget, arcs, _CP_SAT_WORK)
    if not (best.is_closed or budget.is_spent):
        branch_and_cut(best, budget)
    local_search(best, budget, 10 * problem.n_items, random_state)


def _offer_greedy(best: Incumbent) -> None:
    order = greedy(best.problem, best.problem.cost)
    if order is not None:
        best.offer(order, best.problem.tour_cost(order), "greedy")


def finish(best: Incumbent, budget: Budget) -> Solution:
    """Make the solution; if there is none, find out which constraints clash."""
    solution = best.solution(budget.started)
    if solution.status is not Status.INFEASIBLE:
        return solution
    problem = best.problem

    def is_feasible(constraints: tuple[Any, ...]) -> bool:
        some = Incumbent(
            path_problem(problem.matrix, problem.start, problem.end, constraints)
        )
        _offer_greedy(some)
        if some.order is None and not budget.is_spent:
            small = problem.n_items <= MAX_BATCHED
            _search(some, "dp" if small else "cp_sat", budget, None)
        return not some.is_infeasible

    return unsolved(
        Status.INFEASIBLE,
        method=solution.method,
        started=budget.started,
        conflict=smallest_conflict(problem.constraints, is_feasible),
    )
