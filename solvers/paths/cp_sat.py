"""OR-Tools CP-SAT: a circuit constraint over the arcs that a better tour may use."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ltr.queries import BoolArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.cp_sat import solve_model
from ltr.solvers.core.order_rules import OrderRules
from ltr.solvers.paths.problem import Incumbent

# Costs that are not integers are scaled so that the greatest becomes at most this, and
# rounded down.
_STEPS = 2.0**42
# Units of work, and seconds, of building the model, which is not started with less than
# twice these seconds left.
_WORK_PER_ARC, _SECONDS_PER_ARC = 2e-6, 1.5e-5


def cp_sat(
    best: Incumbent,
    budget: Budget,
    arcs: BoolArray | None = None,
    work_limit: float = math.inf,
) -> None:
    """Close the gap with ``add_circuit``.

    Parameters
    ----------
    best : Incumbent
        Receives a better order and bound.
    budget : Budget
        Its seconds and work left are CP-SAT's limits.
    arcs : bool array of shape (n + 1, n + 1)
        Arcs that a tour cheaper than the incumbent may use. None: all allowed arcs.
    work_limit : float
        Cap on the units of work, if the budget has more.
    """
    from ortools.sat.python import cp_model

    problem = best.problem
    n = problem.n_items
    usable = problem.cost < problem.forbidden
    if arcs is not None:
        usable &= arcs
    tails, heads = np.nonzero(usable)
    budget.spend(_WORK_PER_ARC * len(tails))
    if budget.is_spent or budget.seconds_left < 2 * _SECONDS_PER_ARC * len(tails):
        return
    unit, proven = unit_of(best), best.proven
    integers = np.floor(problem.cost[tails, heads] / unit).astype(np.int64)
    model = cp_model.CpModel()
    literal = {
        arc: model.new_bool_var("")
        for arc in zip(tails.tolist(), heads.tolist(), strict=True)
    }
    model.add_circuit([(i, j, x) for (i, j), x in literal.items()])
    cost = cp_model.LinearExpr.weighted_sum(list(literal.values()), integers.tolist())
    model.minimize(cost)
    if not problem.rules.is_empty:
        add_constraints(model, literal, n, problem.rules)
        rounding = 0 if problem.is_whole else n + 1
        model.add(cost >= math.floor(best.lower / unit) - rounding)

    def take(incumbent: Incumbent, values: IntArray | None, bound: float) -> None:
        if values is not None:
            order = order_of(tails[values > 0], heads[values > 0], n)
            incumbent.offer(order, problem.tour_cost(order), "cp_sat")
        # if infeasible, every tour has a forbidden arc; tours with arcs that were left
        # out cost at least as much as the incumbent
        lower = min(bound * unit, problem.forbidden, incumbent.cost)
        lower = lower if arcs is None else min(lower, proven)
        incumbent.raise_bound(lower, "cp_sat")

    # reports are made by a copy, so that the result is the same without them
    report = None if best.report is None else partial(take, replace(best))
    variables = list(literal.values())
    result = solve_model(
        model,
        budget,
        work_limit=work_limit,
        presolve=False,
        bound_by_tree_search=not problem.rules.is_empty,
        variables=variables,
        report=report,
    )
    take(best, result.values(variables) if result.has_solution else None, result.bound)


def order_of(tails: IntArray, heads: IntArray, depot: int) -> list[int]:
    """Return the items of a tour in order, given its arcs.

    Examples
    --------
    >>> order_of(np.array([0, 1, 2]), np.array([2, 0, 1]), 2)
    [1, 0]
    """
    successor = dict(zip(tails.tolist(), heads.tolist(), strict=True))
    order = [successor[depot]]
    while successor[order[-1]] != depot:
        order.append(successor[order[-1]])
    return order


def unit_of(best: Incumbent) -> float:
    """Return the cost that an integer 1 stands for.

    Rounding n + 1 costs down lowers a bound by less than n + 1 units: at most a quarter
    of the tolerance of the incumbent, if 42 bits suffice.
    """
    problem = best.problem
    if problem.is_whole:
        return 1.0
    least = problem.top / _STEPS
    if best.order is None:
        return max(least, problem.top * 2.0**-30)
    return max(least, problem.lift * best.tolerance / (4 * len(problem.cost)))


def add_constraints(
    model: Any, literal: dict[tuple[int, int], Any], n: int, rules: OrderRules
) -> None:
    """Add the constraints on the order to a model with a literal for each arc.

    A group of m items has exactly m - 1 arcs between its items. The other constraints
    need the position of each item, linked by x_ij → position_j = position_i + 1.
    """
    from ortools.sat.python import cp_model

    for group in rules.together:
        items = set(group.items)
        inside = [x for (i, j), x in literal.items() if i in items and j in items]
        model.add(cp_model.LinearExpr.sum(inside) == len(items) - 1)
    if not rules.precedences and not rules.has_positions:
        return
    position = positions(model, n, rules)
    if position is None:
        model.add_bool_or([])  # false
        return
    for (i, j), x in literal.items():
        if i == n:
            model.add(position[j] == 0).only_enforce_if(x)
        elif j == n:
            model.add(position[i] == n - 1).only_enforce_if(x)
        else:
            model.add(position[j] == position[i] + 1).only_enforce_if(x)
    for pair in rules.precedences:
        model.add(position[pair.before] + 1 <= position[pair.after])
    add_counts(model, position, rules)


def positions(model: Any, n: int, rules: OrderRules) -> list[Any] | None:
    """Return a variable for each item's position; None if one has no position.

    All predecessors come earlier, all successors later.
    """
    before = rules.before(n)
    earliest, latest = rules.intervals(n)
    earliest = np.maximum(earliest, before.sum(axis=0))
    latest = np.minimum(latest, n - 1 - before.sum(axis=1))
    if (earliest > latest).any():
        return None
    return [
        model.new_int_var(int(low), int(high), "")
        for low, high in zip(earliest, latest, strict=True)
    ]


def add_counts(model: Any, position: list[Any], rules: OrderRules) -> None:
    """Add the bounds on groups to a model with a variable for each item's position.

    With b_it = 1 if item i is among the first t, the members of a group there are
    Σ_i b_it, and those at the positions s, …, t - 1 are Σ_i (b_it - b_is).
    """
    from ortools.sat.python import cp_model

    n = len(position)
    literals: dict[tuple[int, int], Any] = {}

    def is_among(item: int, t: int) -> Any:
        if (item, t) not in literals:
            literal = model.new_bool_var("")
            model.add(position[item] < t).only_enforce_if(literal)
            model.add(position[item] >= t).only_enforce_if(literal.negated())
            literals[item, t] = literal
        return literals[item, t]

    def count(items: tuple[int, ...], t: int) -> Any:
        if t in (0, n):
            return len(items) if t else 0
        return cp_model.LinearExpr.sum([is_among(item, t) for item in items])

    for group in rules.groups:
        if not group.is_possible:
            model.add_bool_or([])  # false
            return
        for t in group.narrow:
            inside = count(group.items, t)
            model.add_linear_constraint(inside, group.lower[t], group.upper[t])
        for limit, length, top in group.windows:
            for t in range(length, top + 1):
                inside = count(group.items, t) - count(group.items, t - length)
                model.add(inside <= limit)
