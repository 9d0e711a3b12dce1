"""Orderings in CP-SAT: by pairs, to optimize; by positions, to find any order."""

from dataclasses import replace
from typing import Any

import numpy as np

from ltr.queries import IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.cp_sat import solve_model
from ltr.solvers.core.solution import Outcome, Status
from ltr.solvers.orderings.problem import OrderingProblem, sorted_by
from ltr.solvers.orderings.subset_dp import DP_ITEMS, best_by_sets
from ltr.solvers.orderings.watch import Watch

# If gains have no common unit, the unit is the greatest gain divided by this.
_STEPS = 2**38


def optimize_pairs(
    problem: OrderingProblem, start: IntArray, budget: Budget, watch: Watch
) -> tuple[IntArray, float]:
    """Find a best order and a bound: a boolean per pair, clauses against 3-cycles.

    Parameters
    ----------
    problem : OrderingProblem
        The problem to solve.
    start : int array of shape (n,)
        An order that keeps the constraints, passed as a hint.
    budget : Budget
        Ends the search.
    watch : Watch
        Better orders and bounds are reported to it.

    Returns
    -------
    order : int array of shape (n,)
        ``start`` if no better one was found.
    bound : float
        Upper bound on the value of every order, rounding added.
    """
    from ortools.sat.python import cp_model

    n = len(problem)
    model = cp_model.CpModel()
    order, value = start, problem.value(start)
    rows, columns = np.triu_indices(n, 1)
    trivial = float(np.abs(problem.gains[rows, columns]).sum())
    before = _pairs(model, problem, budget)
    if before is None:
        return order, trivial
    unit = problem.unit or problem.scale / _STEPS
    rounded = np.rint(2 * problem.gains / unit).astype(np.int64)
    terms = [before[i][j] for i, j in zip(rows.tolist(), columns.tolist(), strict=True)]
    model.maximize(
        cp_model.LinearExpr.weighted_sum(terms, rounded[rows, columns].tolist())
    )
    position = np.empty(n, dtype=np.int64)
    position[start] = np.arange(n)
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
        model.add_hint(before[i][j], bool(position[i] < position[j]))

    # With z = 2x - 1 the value of an order is Σ gains·(2x - 1), and the objective of
    # the model Σ rounded·x, rounded ≈ 2·gains / unit; as x ≤ 1, what rounding changes
    # is at most Σ |2·gains - unit·rounded|.
    gains = problem.gains[rows, columns]
    rounding = np.abs(2 * gains - unit * rounded[rows, columns]).sum()

    def bound_of(model_bound: float) -> float:
        return float(unit * model_bound - gains.sum() + rounding)

    def order_of(values: IntArray) -> IntArray:
        is_before = np.zeros((n, n), dtype=np.int64)
        is_before[rows, columns] = values
        is_before[columns, rows] = 1 - is_before[rows, columns]
        return np.argsort(-is_before.sum(axis=1), kind="stable")

    def report(values: IntArray | None, model_bound: float) -> None:
        if values is not None:
            watch.offer(order_of(values))
        watch.tighten(bound_of(model_bound))

    result = solve_model(
        model, budget, variables=terms, report=report if watch.is_on else None
    )
    if result.has_solution:
        by_wins = order_of(result.values(terms))
        if problem.keeps(by_wins) and problem.value(by_wins) > value:
            order, value = by_wins, problem.value(by_wins)
    bound = bound_of(result.bound)
    return order, max(value, min(trivial, bound))


def _pairs(
    model: Any, problem: OrderingProblem, budget: Budget
) -> list[list[Any]] | None:
    """Booleans before[i][j], and all constraints on them; None: the budget ended.

    No three items may form a 3-cycle, in either direction: ¬(i → j → k → i) is
    before[i][k] ∨ before[k][j] ∨ before[j][i].
    """
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
    for window in problem.windows:
        earlier = [before[i][window.item] for i in range(n) if i != window.item]
        model.add_linear_constraint(sum(earlier), window.first, window.end(n))
    for group in problem.together:
        leader, *members = group.items
        for other in sorted(set(range(n)) - set(group.items)):
            for member in members:
                model.add(before[other][leader] == before[other][member])
    return before


def find_order(problem: OrderingProblem, budget: Budget) -> Outcome:
    """Find any order that keeps the constraints; gains are not read.

    Returns
    -------
    outcome : Outcome
        FEASIBLE with an order; INFEASIBLE; or UNKNOWN, if the budget ended first.
    """
    n = len(problem)
    if problem.has_cycle:
        return Outcome(Status.INFEASIBLE)
    if problem.is_free:
        order = sorted_by(problem.settled)
        return Outcome(Status.FEASIBLE, np.array(order, dtype=np.int64))
    if n <= DP_ITEMS:
        return best_by_sets(replace(problem, gains=np.zeros((n, n))))
    return _find_positions(problem, budget)


def _find_positions(problem: OrderingProblem, budget: Budget) -> Outcome:
    """One integer per item, its position; all different."""
    from ortools.sat.python import cp_model

    n = len(problem)
    model = cp_model.CpModel()
    position = [model.new_int_var(0, n - 1, "") for _ in range(n)]
    model.add_all_different(position)
    for i, j in np.argwhere(problem.settled).tolist():
        model.add(position[i] < position[j])
    for window in problem.windows:
        model.add_linear_constraint(position[window.item], window.first, window.end(n))
    for group in problem.together:
        first, last = (model.new_int_var(0, n - 1, "") for _ in range(2))
        model.add_min_equality(first, [position[i] for i in group.items])
        model.add_max_equality(last, [position[i] for i in group.items])
        model.add(last - first == len(group.items) - 1)
    result = solve_model(model, budget)
    if result.has_solution:
        return Outcome(Status.FEASIBLE, np.argsort(result.values(position)))
    return Outcome(result.status)
