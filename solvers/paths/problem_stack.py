"""Paths of one size under the same constraints, solved as arrays with a row per list.

For short lists, most of the time would go into small arrays and objects.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.lists import ItemList
from ltr.solvers.core.order_rules import OrderRules, order_rules
from ltr.solvers.core.solution import Margin, Solution, certify
from ltr.solvers.core.tolerance import EPSILON, tolerances
from ltr.solvers.paths.held_karp import cheapest_tours, scaled
from ltr.solvers.paths.problem import (
    GREATEST_WHOLE,
    NOTICED,
    WHOLE_STEP,
    PathProblem,
    arc_scores,
)
from ltr.solvers.paths.reduction import ReducedScores, reduce_scores


@dataclass(frozen=True, eq=False)
class ProblemStack:
    """Problems of b lists of n items, as :class:`PathProblem` has them for one.

    Attributes
    ----------
    matrix : float array of shape (b, n, n)
        Scores of neighbors.
    start, end : float arrays of shape (b, n)
        Scores of the first and of the last items.
    rules : OrderRules
        Constraints that each order must keep.
    reduced : ReducedScores
        Costs of tours, and what turns them into scores.
    """

    matrix: FloatArray
    start: FloatArray
    end: FloatArray
    rules: OrderRules
    reduced: ReducedScores

    def problem(self, k: int) -> PathProblem:
        """Return the problem of list k."""
        cost, *numbers = self.reduced
        forbidden, offset, shift, lift = [float(array[k]) for array in numbers]
        arrays = self.matrix[k], self.start[k], self.end[k]
        return PathProblem(*arrays, self.rules, cost[k], forbidden, offset, shift, lift)

    @cached_property
    def top(self) -> FloatArray:
        """Greatest cost of an allowed arc of each list."""
        forbidden = self.reduced.forbidden[:, None, None]
        cost = self.reduced.cost
        return np.asarray(np.where(cost < forbidden, cost, 0.0).max(axis=(1, 2)))

    @cached_property
    def is_whole(self) -> BoolArray:
        """Whether all costs of a list are integers."""
        cost = self.reduced.cost
        is_whole = self.top < GREATEST_WHOLE
        is_whole &= (cost[:, 0] == np.rint(cost[:, 0])).all(axis=1)
        if is_whole.any():
            is_whole &= (cost == np.rint(cost)).all(axis=(1, 2))
        return is_whole

    def tour_costs(self, orders: IntArray) -> FloatArray:
        """Return the cost of one tour per list."""
        nodes = np.pad(orders, ((0, 0), (1, 1)), constant_values=orders.shape[1])
        rows = np.arange(len(orders))[:, None]
        return np.asarray(self.reduced.cost[rows, nodes[:, :-1], nodes[:, 1:]].sum(1))

    def terms(self, orders: IntArray) -> FloatArray:
        """Return the terms of the objective of one order per list, shape (b, n + 1).

        The scores of neighbors come first, those of the first and of the last item
        last.
        """
        rows = np.arange(len(orders))
        inside = self.matrix[rows[:, None], orders[:, :-1], orders[:, 1:]]
        ends = self.start[rows, orders[:, 0]], self.end[rows, orders[:, -1]]
        return np.column_stack([inside, *ends])


def stack_of(lists: list[ItemList]) -> ProblemStack:
    """Return the problems of lists of one size with the same constraints."""
    first = lists[0]
    rules = order_rules(first.constraints, first.attributes, first.n_items)
    matrix = np.stack([item_list.matrix for item_list in lists])
    start = np.stack([item_list.start for item_list in lists])
    end = np.stack([item_list.end for item_list in lists])
    reduced = reduce_scores(arc_scores(matrix, start, end, rules))
    return ProblemStack(matrix, start, end, rules, reduced)


def solve_stack(stack: ProblemStack, started: float) -> list[Solution | None]:
    """Solve many lists in 32-bit integers, which is fastest.

    Costs are rounded down to multiples of a unit, so every order but the one found
    costs at least the second best value in integers times the unit: if the one found
    costs no more, it is best.

    Parameters
    ----------
    stack : ProblemStack
        The problems.
    started : float
        ``time.perf_counter()`` at the beginning.

    Returns
    -------
    solutions : list of Solution or None
        None where integers do not prove the order, or no order is allowed.
    """
    cost, forbidden, _, shift, lift = stack.reduced
    n_nodes = cost.shape[1]
    integers, unit = scaled(cost, forbidden)
    tours = cheapest_tours(integers, stack.rules)
    costs = stack.tour_costs(tours.orders)
    least = tours.others * unit
    rounding = 4 * EPSILON * n_nodes * (costs + shift)
    is_proven = least >= costs - np.where(stack.is_whole, WHOLE_STEP, rounding)
    is_proven &= tours.values < np.floor(forbidden / unit)

    terms = stack.terms(tours.orders)
    objectives = terms[:, -2] + terms[:, :-2].sum(axis=1) + terms[:, -1]
    gaps = tolerances(
        terms,
        n_nodes * stack.top / lift,
        stack.is_whole & (terms == np.rint(terms)).all(axis=1),
    )
    # rounding of both tours, in scores; of arcs that constraints force, it may be more
    # than that of the order's own terms
    rounding *= 2 / lift
    is_noticed = ~stack.is_whole & (rounding > NOTICED * np.abs(objectives))
    bounds = objectives + np.where(is_noticed, rounding, 0.0)
    # another order loses at least this, and as each of its costs was rounded down by
    # less than a unit, not more than n_nodes units more
    losses = (least - costs) / lift
    margins = np.stack(
        [losses - rounding, losses + n_nodes * unit / lift + rounding], axis=1
    )

    first = stack.problem(0)
    solutions: list[Solution | None] = [None] * len(cost)
    for k in np.flatnonzero(is_proven).tolist():
        order = tours.orders[k]
        if first.keeps(order):  # the constraints are the same for all
            solutions[k] = certify(
                order,
                objectives[k],
                bounds[k],
                tolerance=gaps[k],
                method="dp",
                started=started,
                is_unique=Margin(*margins[k]).is_unique(gaps[k]),
            )
    return solutions
