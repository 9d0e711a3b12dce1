"""OR-Tools CP-SAT: a circuit over the arcs that a better tour may have."""

import math
from typing import Any

import numpy as np

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.constraints import FixedPosition, Precedence, Together
from ltr.solvers.core.cp_sat import solve_model
from ltr.solvers.core.solution import BoolArray
from ltr.solvers.paths.problem import Incumbent, precedence_closure

# Costs are rounded down to this many steps.
_STEPS = 2.0**27
# CP-SAT's deterministic second is about a second.
_WORK_PER_ARC = 2e-6
# Making the model takes about so long; with less than twice this left it is not begun.
_SECONDS_PER_ARC = 1.5e-5


def cp_sat(
    best: Incumbent,
    budget: Budget,
    arcs: BoolArray | None = None,
    work_limit: float = math.inf,
) -> None:
    """Close the gap with ``add_circuit``, one worker, linear relaxation at level 2.

    Parameters
    ----------
    best : Incumbent
        Gets a better order and bound.
    budget : Budget
        Its seconds and work that are left are CP-SAT's limits.
    arcs : bool array of shape (n + 1, n + 1)
        The arcs that tours cheaper than the best one may have. None: all allowed ones.
    work_limit : float
        Units of work, if the budget has more.
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
    unit = 1.0 if problem.is_whole else problem.top / _STEPS
    integers = np.floor(problem.cost[tails, heads] / unit).astype(np.int64)
    model = cp_model.CpModel()
    literal = {
        arc: model.new_bool_var("")
        for arc in zip(tails.tolist(), heads.tolist(), strict=True)
    }
    model.add_circuit([(i, j, x) for (i, j), x in literal.items()])
    cost = cp_model.LinearExpr.weighted_sum(list(literal.values()), integers.tolist())
    model.minimize(cost)
    if problem.constraints:
        add_constraints(model, literal, n, problem.constraints)
        rounding = 0 if problem.is_whole else n + 1
        model.add(cost >= math.floor(best.lower / unit) - rounding)
    result = solve_model(
        model,
        budget,
        work_limit=work_limit,
        presolve=False,
        bound_by_tree_search=bool(problem.constraints),
    )
    if result.has_solution:
        in_tour = result.values(literal.values()) > 0
        successor = dict(
            zip(tails[in_tour].tolist(), heads[in_tour].tolist(), strict=True)
        )
        order = [successor[n]]
        while successor[order[-1]] != n:
            order.append(successor[order[-1]])
        best.offer(order, problem.tour_cost(order), "cp_sat")
    # without a solution nothing is cheaper than a forbidden arc; tours with arcs that
    # were left out cost at least as much as the incumbent did
    lower = min(result.bound * unit, problem.forbidden, best.cost)
    best.raise_bound(lower, "cp_sat")


def add_constraints(
    model: Any,
    literal: dict[tuple[int, int], Any],
    n: int,
    constraints: tuple[Any, ...],
) -> None:
    """Say in CP-SAT's terms what the order must keep.

    Items that stand together are the ends of all but one of as many arcs; the other
    constraints need the position of each item.
    """
    from ortools.sat.python import cp_model

    for constraint in constraints:
        if isinstance(constraint, Together):
            items = set(constraint.items)
            inside = [x for (i, j), x in literal.items() if i in items and j in items]
            model.add(cp_model.LinearExpr.sum(inside) == len(items) - 1)
    if not any(isinstance(c, (Precedence, FixedPosition)) for c in constraints):
        return
    before = precedence_closure(n, constraints)
    earliest, latest = before.sum(axis=0), n - 1 - before.sum(axis=1)
    if (earliest > latest).any():
        model.add_bool_or([])
        return
    position = [
        model.new_int_var(int(a), int(b), "")
        for a, b in zip(earliest, latest, strict=True)
    ]
    for (i, j), x in literal.items():
        if i == n:
            model.add(position[j] == 0).only_enforce_if(x)
        elif j == n:
            model.add(position[i] == n - 1).only_enforce_if(x)
        else:
            model.add(position[j] == position[i] + 1).only_enforce_if(x)
    for constraint in constraints:
        if isinstance(constraint, Precedence):
            before, after = position[constraint.before], position[constraint.after]
            model.add(before + 1 <= after)
        elif isinstance(constraint, FixedPosition):
            model.add(position[constraint.item] == constraint.position)
