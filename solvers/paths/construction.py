"""A first order that keeps the constraints."""

import numpy as np

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.cp_sat import solve_model
from ltr.solvers.core.solution import Status
from ltr.solvers.paths.assignment_relaxation import greedy
from ltr.solvers.paths.cp_sat import add_counts, positions
from ltr.solvers.paths.problem import Incumbent

# Greedy orders that are tried, with other costs each time, and the units of work of one
# per item and arc.
_N_ATTEMPTS, _WORK_OF_ATTEMPT = 50, 4e-7
# Share of the budget for CP-SAT, and the units of work of building its model, per item
# and position.
_CP_SAT_SHARE, _WORK_PER_PLACE = 0.3, 1e-6


def construct(best: Incumbent, budget: Budget | None = None) -> list[int] | None:
    """Offer the greedy order; where it fails, any order that is found.

    Random costs make the greedy order begin, and go on, elsewhere. If no attempt ends
    in an order, CP-SAT looks for one by positions.

    Parameters
    ----------
    best : Incumbent
        Receives the order; or, if no order keeps the constraints, that as its bound.
    budget : Budget, default=None
        Of the other attempts. None: the greedy order only.

    Returns
    -------
    order : list of int or None
        The order of the last attempt that found one; if rejected, it has forbidden
        arcs.
    """
    problem = best.problem
    order = greedy(problem, problem.cost)
    if order is not None:
        best.offer(order, problem.tour_cost(order), "greedy")
    if budget is None or order is not None:
        return order
    rng, n = np.random.default_rng(0), problem.n_items
    for _ in range(_N_ATTEMPTS):
        if order is not None or budget.is_spent:
            return order
        budget.spend(_WORK_OF_ATTEMPT * n * n)
        cost = problem.cost * rng.exponential(size=problem.cost.shape)
        # begin anywhere, as the cost of the first item is that of one arc
        cost[n] = rng.random(n + 1) + problem.cost[n] * (
            problem.cost[n] >= problem.forbidden
        )
        order = greedy(problem, cost)
        if order is not None:
            best.offer(order, problem.tour_cost(order), "greedy")
    if order is None:
        order = _find_positions(best, budget.part(_CP_SAT_SHARE))
    return order


def _find_positions(best: Incumbent, budget: Budget) -> list[int] | None:
    """One integer per item, its position; arcs of -inf are not read.

    A group of m items stands together if and only if all are among m positions.
    """
    from ortools.sat.python import cp_model

    problem = best.problem
    n, rules = problem.n_items, problem.rules
    budget.spend(_WORK_PER_PLACE * n * n)
    model = cp_model.CpModel()
    position = positions(model, n, rules)
    if position is not None:
        model.add_all_different(position)
        for pair in rules.precedences:
            model.add(position[pair.before] < position[pair.after])
        for group in rules.together:
            begin = model.new_int_var(0, n - len(group.items), "")
            for item in group.items:
                model.add(position[item] >= begin)
                model.add(position[item] < begin + len(group.items))
        add_counts(model, position, rules)
        result = solve_model(model, budget)
        if result.has_solution:
            place = result.values(position)
            order: list[int] = place.argsort().tolist()
            best.offer(order, problem.tour_cost(order), "cp_sat")
            return order
        if result.status is not Status.INFEASIBLE:
            return None
    best.raise_bound(problem.forbidden, "cp_sat")
    return None
