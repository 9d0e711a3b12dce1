"""OR-Tools routing with its CP-SAT search, which proves optimality."""

import math

import numpy as np

from ltr.solvers.core.budget import Budget
from ltr.solvers.paths.cp_sat import unit_of
from ltr.solvers.paths.problem import Incumbent

# Units of work of building the model.
_WORK_PER_ARC = 2e-6
# Status of routing if its CP-SAT search proved the tour optimal, or the model
# infeasible.
_ROUTING_OPTIMAL, _ROUTING_INFEASIBLE = 7, 6


def routing(best: Incumbent, budget: Budget) -> None:
    """Close the gap with one vehicle and ``use_cp_sat``; holds the interpreter lock.

    Routing's own search is off, since it proves nothing. The bound is known only
    at the end, and the clock is the only limit: work left is taken as seconds.
    """
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2
    from ortools.util.optional_boolean_pb2 import BOOL_FALSE, BOOL_TRUE

    problem = best.problem
    n = problem.n_items
    budget.spend(_WORK_PER_ARC * problem.cost.size)
    if budget.is_spent:
        return
    unit = unit_of(best)
    integers = np.floor(problem.cost / unit).astype(np.int64)
    manager = pywrapcp.RoutingIndexManager(n + 1, 1, n)
    model = pywrapcp.RoutingModel(manager)
    model.SetArcCostEvaluatorOfAllVehicles(
        model.RegisterTransitMatrix(integers.tolist())
    )
    for i, j in np.argwhere(problem.cost >= problem.forbidden).tolist():
        if i != j and j != n:
            model.NextVar(manager.NodeToIndex(i)).RemoveValue(manager.NodeToIndex(j))
        elif i != j:
            model.NextVar(manager.NodeToIndex(i)).RemoveValue(model.End(0))
    settings = pywrapcp.DefaultRoutingSearchParameters()
    settings.use_cp = BOOL_FALSE
    settings.use_cp_sat = BOOL_TRUE
    settings.local_search_metaheuristic = (
        routing_enums_pb2.LocalSearchMetaheuristic.GREEDY_DESCENT
    )
    seconds = min(budget.seconds_left, budget.work_left)
    if seconds < float("inf"):
        settings.time_limit.FromMilliseconds(max(1, math.ceil(seconds * 1e3)))
    settings.sat_parameters.catch_sigint_signal = False
    assignment = model.SolveWithParameters(settings)
    if model.status() == _ROUTING_INFEASIBLE:
        best.raise_bound(problem.forbidden, "routing")
    if assignment is None:
        return
    order = []
    index = assignment.Value(model.NextVar(model.Start(0)))
    while not model.IsEnd(index):
        order.append(manager.IndexToNode(index))
        index = assignment.Value(model.NextVar(index))
    cost = problem.tour_cost(order)
    best.offer(order, cost, "routing")
    if model.status() == _ROUTING_OPTIMAL:
        lower = assignment.ObjectiveValue() * unit
        best.raise_bound(min(lower, cost), "routing")
