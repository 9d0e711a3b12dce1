"""Orderings as constraint programs: by pairs, to optimise; by places, to find any."""

from typing import Any

import numpy as np

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.cp_sat import solve_model
from ltr.solvers.core.solution import IntArray, Status
from ltr.solvers.orderings.problem import OrderingProblem, sorted_by
from ltr.solvers.orderings.subset_dp import (
    DP_ITEMS,
    allowed_next,
    forbidden_as_inf,
    order_by_sets,
)

# Gains are rounded to integers of up to this size.
_LARGEST = 2**30


def optimise_pairs(
    problem: OrderingProblem, start: IntArray, budget: Budget
) -> tuple[IntArray, float]:
    """Find a best order and a bound by CP-SAT: a boolean per pair, clauses on 3-cycles.

    Parameters
    ----------
    problem : OrderingProblem
        What to order.
    start : int array of shape (n,)
        An order that keeps the constraints; the solver begins with it.
    budget : Budget
        Ends the search.

    Returns
    -------
    order : int array of shape (n,)
        The best one found, ``start`` if none is better.
    bound : float
        No order has a greater value; what rounding may hide is added.
    """
    from ortools.sat.python import cp_model

    n = len(problem)
    model = cp_model.CpModel()
    order, value = start, problem.value(start)
    first, second = np.triu_indices(n, 1)
    trivial = float(np.abs(problem.gains[first, second]).sum())
    before = _pairs(model, problem, budget)
    if before is None:
        return order, trivial
    unit = problem.unit or problem.scale / _LARGEST
    rounded = np.rint(2 * problem.gains / unit).astype(np.int64)
    terms = [before[i][j] for i, j in zip(first.tolist(), second.tolist(), strict=True)]
    model.maximize(
        cp_model.LinearExpr.weighted_sum(terms, rounded[first, second].tolist())
    )
    place = np.empty(n, dtype=np.int64)
    place[start] = np.arange(n)
    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        model.add_hint(before[i][j], bool(place[i] < place[j]))

    result = solve_model(model, budget)
    if result.has_solution:
        is_before = np.zeros((n, n), dtype=np.int64)
        is_before[first, second] = result.values(terms)
        is_before[second, first] = 1 - is_before[first, second]
        by_wins = np.argsort(-is_before.sum(axis=1), kind="stable")
        if problem.keeps(by_wins) and problem.value(by_wins) > value:
            order, value = by_wins, problem.value(by_wins)
    # With z = 2x - 1 the value of an order is Σ gains·(2x - 1), and the objective of
    # the model Σ rounded·x, rounded ≈ 2·gains / unit; as x ≤ 1, what rounding changes
    # is at most Σ |2·gains - unit·rounded|.
    gains = problem.gains[first, second]
    rounding = np.abs(2 * gains - unit * rounded[first, second]).sum()
    bound = unit * result.bound - gains.sum() + rounding
    return order, max(value, min(trivial, float(bound)))


def _pairs(
    model: Any, problem: OrderingProblem, budget: Budget
) -> list[list[Any]] | None:
    """Booleans, entry [i][j]: i is before j; with all constraints; None: no time."""
    n = len(problem)
    before: list[list[Any]] = [[None] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1, n):
            before[i][j] = model.new_bool_var("")
            before[j][i] = before[i][j].negated()
    for i in range(n):
        if budget.is_spent:
            return None
        for j in range(i + 1, n):
            for k in range(j + 1, n):
                model.add_bool_or(before[i][k], before[k][j], before[j][i])
                model.add_bool_or(before[k][i], before[i][j], before[j][k])
    for i, j in np.argwhere(problem.settled).tolist():
        model.add(before[i][j] == 1)
    for fixed in problem.fixed:
        earlier = [before[i][fixed.item] for i in range(n) if i != fixed.item]
        model.add(sum(earlier) == fixed.position)
    for group in problem.together:
        leader, *members = group.items
        for other in sorted(set(range(n)) - set(group.items)):
            for member in members:
                model.add(before[other][leader] == before[other][member])
    return before


def find_order(problem: OrderingProblem, budget: Budget) -> IntArray | bool:
    """Find any order that keeps the constraints.

    Parameters
    ----------
    problem : OrderingProblem
        Its gains are not read.
    budget : Budget
        Ends the search.

    Returns
    -------
    order : int array of shape (n,) or bool
        False: there is none; True: there may be one, but the budget is spent.
    """
    n = len(problem)
    if problem.has_cycle:
        return False
    if problem.is_free:
        order = sorted_by(problem.settled)
        return np.array(order, dtype=np.int64)
    if n <= DP_ITEMS:
        no_gains = OrderingProblem(
            np.zeros((n, n)), problem.settled, problem.fixed, problem.together
        )
        orders, values = order_by_sets(
            forbidden_as_inf(no_gains)[None], allowed_next(no_gains)
        )
        return orders[0] if values[0] == 0 else False
    return _place_items(problem, budget)


def _place_items(problem: OrderingProblem, budget: Budget) -> IntArray | bool:
    """One integer per item, all different: its place."""
    from ortools.sat.python import cp_model

    n = len(problem)
    model = cp_model.CpModel()
    place = [model.new_int_var(0, n - 1, "") for _ in range(n)]
    model.add_all_different(place)
    for i, j in np.argwhere(problem.settled).tolist():
        model.add(place[i] < place[j])
    for fixed in problem.fixed:
        model.add(place[fixed.item] == fixed.position)
    for group in problem.together:
        least, greatest = (model.new_int_var(0, n - 1, "") for _ in range(2))
        model.add_min_equality(least, [place[i] for i in group.items])
        model.add_max_equality(greatest, [place[i] for i in group.items])
        model.add(greatest - least == len(group.items) - 1)
    result = solve_model(model, budget)
    if result.has_solution:
        return np.argsort(result.values(place))
    return result.status is not Status.INFEASIBLE
