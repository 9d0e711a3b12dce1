"""The path of greatest score as a closed tour of least cost: one more node, costs >= 0.

Node n, the depot, comes before the first item and after the last: the costs of its arcs
stand for ``start`` and ``end``. The matrix of scores is reduced by rows and columns to
costs >= 0, see :mod:`ltr.solvers.paths.reduction`.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from ltr.queries import FloatArray, IntArray
from ltr.solvers.core import tolerance as rule
from ltr.solvers.core.attributes import Attributes
from ltr.solvers.core.constraints import Constraint
from ltr.solvers.core.order_rules import OrderRules, order_rules
from ltr.solvers.core.solution import (
    Margin,
    Solution,
    Status,
    certify,
    without_order,
)
from ltr.solvers.core.tolerance import EPSILON, are_whole
from ltr.solvers.paths.allowed_arcs import allowed_arcs
from ltr.solvers.paths.group_counts import GroupCounts
from ltr.solvers.paths.reduction import forbidden_cost, reduce_scores

# A bound on integer costs is rounded up if it exceeds an integer by more than this.
_ROUNDING = 1e-3
# Two integer costs differ by more than this, or are equal.
WHOLE_STEP = 1 - 2 * _ROUNDING
# Costs from here on do not count as integers.
GREATEST_WHOLE = 2.0**40
# Rounding counts as a gap if it exceeds this share of the objective.
NOTICED = 1e-12
# Any cost, for the cheapest order other than the incumbent.
_UNKNOWN = Margin()


@dataclass(frozen=True, eq=False)
class PathProblem:
    """A maximum-weight path, and the costs of the tours that represent it.

    Attributes
    ----------
    matrix : float array of shape (n, n)
        Scores of neighbors.
    start, end : float arrays of shape (n,)
        Scores of the first and of the last item.
    rules : OrderRules
        Constraints that the order must keep.
    cost : float array of shape (n + 1, n + 1)
        Costs >= 0 of the arcs; node n is the depot.
    forbidden : float
        Cost of a forbidden arc: more than any tour of allowed arcs costs.
    offset : float
        The objective of an order is this minus the cost of its tour.
    shift : float
        Greatest potential that was subtracted from a column.
    lift : float
        Costs are differences of scores times this.
    """

    matrix: FloatArray
    start: FloatArray
    end: FloatArray
    rules: OrderRules
    cost: FloatArray
    forbidden: float
    offset: float
    shift: float
    lift: float = 1.0

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.matrix)

    @cached_property
    def top(self) -> float:
        """Greatest cost of an allowed arc."""
        allowed = self.cost[self.cost < self.forbidden]
        return float(allowed.max()) if allowed.size else 0.0

    @cached_property
    def is_whole(self) -> bool:
        """Whether all costs are integers, so that bounds can be rounded up."""
        # the first row nearly always decides, and is cheap to check
        if not all(cost.is_integer() for cost in self.cost[0].tolist()):
            return False
        return self.top < GREATEST_WHOLE and bool(
            (self.cost == np.rint(self.cost)).all()
        )

    @property
    def slack(self) -> float:
        """Costs of tours that differ by less count as equal."""
        return self.rounding(self.top)

    def rounding(self, cost: float) -> float:
        """Rounding of a sum of n + 1 arcs that is about ``cost``.

        An arc c_ij = (u_i - s_ij) - v_j has an error of up to EPSILON · (c_ij + v_j).
        """
        return 4 * EPSILON * len(self.cost) * (cost + self.shift)

    def tolerance(self, order: Sequence[int] | IntArray) -> float:
        """Greatest gap, in scores, that proves an order."""
        order = np.asarray(order, dtype=np.int64)
        inside = self.matrix[order[:-1], order[1:]]
        terms = np.append(inside, [self.start[order[0]], self.end[order[-1]]])
        spread = len(self.cost) * self.top / self.lift
        is_whole = self.is_whole and are_whole(terms)
        return rule.tolerance(terms, spread, is_whole=is_whole)

    def within(self, limit: float) -> "PathProblem":
        """The problem without the arcs that cost more than ``limit``.

        All costs are >= 0, so these arcs are in no tour that costs at most the limit:
        with the cost of a tour as the limit, they are in no better one.
        """
        limit += self.rounding(limit)
        if self.top <= limit:
            return self
        cost = self.cost.copy()
        is_out = cost > limit
        top = float(cost[~is_out].max(initial=0.0))
        forbidden = float(forbidden_cost(self.n_items, np.array(top)))
        cost[is_out] = forbidden
        return replace(self, cost=cost, forbidden=forbidden)

    def objective(self, order: Sequence[int] | IntArray) -> float:
        """Score of an order, from the user's matrix, start and end."""
        order = np.asarray(order, dtype=np.int64)
        inside = self.matrix[order[:-1], order[1:]].sum()
        return float(self.start[order[0]] + inside + self.end[order[-1]])

    def tour_cost(self, order: Sequence[int] | IntArray) -> float:
        """Cost of the tour depot → order → depot."""
        tour = np.empty(self.n_items + 2, dtype=np.int64)
        tour[0] = tour[-1] = self.n_items
        tour[1:-1] = order
        return float(self.cost[tour[:-1], tour[1:]].sum())

    def keeps(self, order: Sequence[int] | IntArray) -> bool:
        """Whether an order keeps all constraints; its arcs may be forbidden."""
        if self.rules.is_empty:
            return True
        if self.rules.groups and not self.group_counts.keeps(order):
            return False
        n = self.n_items
        position = np.empty(n, dtype=np.int64)
        position[order] = np.arange(n)
        before, after, item, first, last = self._rule_arrays
        if (position[before] > position[after]).any():
            return False
        place = position[item]
        if (place < first).any() or (place > last).any():
            return False
        # the places of a group of m items span m
        return all(
            position[items].max() - position[items].min() < len(items)
            for items in self._groups
        )

    @cached_property
    def group_counts(self) -> GroupCounts:
        """The bounds on groups of items."""
        return GroupCounts(self.rules.groups, self.n_items)

    @cached_property
    def _rule_arrays(self) -> tuple[IntArray, ...]:
        """Items of the precedences; items of the windows, first and last places."""
        n, rules = self.n_items, self.rules
        pairs = [(pair.before, pair.after) for pair in rules.precedences]
        spans = [(span.item, span.first, span.end(n)) for span in rules.windows]
        return (
            *np.array(pairs, dtype=np.int64).reshape(-1, 2).T,
            *np.array(spans, dtype=np.int64).reshape(-1, 3).T,
        )

    @cached_property
    def _groups(self) -> list[IntArray]:
        """Items of each group that stays together."""
        return [np.array(group.items) for group in self.rules.together if group.items]

    def broken_chain(self, order: Sequence[int]) -> list[int] | None:
        """Return the shortest run of nodes of a tour that breaks a constraint.

        No tour that keeps the constraints has all arcs of the run, so that a cut or a
        branching on them removes the tour.

        Returns
        -------
        chain : list of int or None
            Consecutive nodes, the depot among them; None if every constraint is kept.
        """
        chains = self._chains(order)
        if self.rules.groups:
            n = self.n_items
            tour = [n, *order, n]
            for begin, end in self.group_counts.broken_runs(order):
                # at either end of the order, the depot fixes the positions
                chains.append(tour[begin + (begin > 0) : end + 1 + (end == n)])
        return min(chains, key=len, default=None)

    def _chains(self, order: Sequence[int]) -> list[list[int]]:
        """Runs of nodes that break precedences, windows and groups that are apart."""
        n = self.n_items
        position = [0] * n
        for place, item in enumerate(order):
            position[item] = place
        tour = [n, *order, n]  # the item at position p is tour[p + 1]
        chains = []
        # after → … → before
        for pair in self.rules.precedences:
            last, first = position[pair.before], position[pair.after]
            if last > first:
                chains.append(tour[first + 1 : last + 2])
        # depot → … → item, and item → … → depot: each fixes the position
        for window in self.rules.windows:
            place = position[window.item]
            if not window.first <= place <= window.end(n):
                chains += [tour[: place + 2], tour[place + 1 :]]
        # member → others → next member: a run that leaves the group and comes back
        for group in self.rules.together:
            places = sorted(position[item] for item in group.items)
            chains += [
                tour[left + 1 : right + 2]
                for left, right in pairwise(places)
                if right > left + 1
            ]
        return chains


@dataclass
class Incumbent:
    """The best order so far, and a lower bound on the cost of all orders.

    Attributes
    ----------
    problem : PathProblem
        The problem being solved.
    order : list of int, default=None
        None until an order that keeps the constraints is offered.
    cost : float, default=inf
        Cost of its tour.
    lower : float, default=0
        No tour that is better than the incumbent costs less.
    method, proof : str, default="assignment"
        Methods that found the order and the bound.
    report : callable, default=None
        Called after each change.
    others : Margin, default=Margin(0, inf)
        The cost of the cheapest order other than the incumbent lies in between.
    """

    problem: PathProblem
    order: list[int] | None = None
    cost: float = float("inf")
    lower: float = 0.0
    method: str = "assignment"
    proof: str = "assignment"
    _tolerance_of: tuple[list[int], float] | None = None
    _tolerance: float = 0.0
    report: Callable[["Incumbent"], None] | None = None
    others: Margin = _UNKNOWN

    def offer(self, order: Sequence[int], cost: float, method: str) -> bool:
        """Keep an order if it is better and allowed; return whether it was kept."""
        if cost < min(self.cost, self.problem.forbidden) and self.problem.keeps(order):
            self.order, self.cost, self.method = list(order), cost, method
            self.others = _UNKNOWN
            if self.report is not None:
                self.report(self)
            return True
        return False

    def raise_bound(self, lower: float, method: str) -> None:
        """Keep a lower bound on the cost of better orders if it is higher."""
        if self.problem.is_whole and lower > -math.inf:
            lower = math.ceil(lower - _ROUNDING)
        if lower > self.lower:
            self.lower, self.proof = lower, method
            if self.report is not None:
                self.report(self)

    @property
    def target(self) -> float:
        """Lower bound at which no order can be better than the incumbent.

        With integer costs a better tour costs at least 1 less. Without an incumbent, it
        is the bound that only tours with a forbidden arc reach: there is no order.
        """
        return self._target(0.0)

    @property
    def proven(self) -> float:
        """Lower bound that proves the incumbent: for relaxations in floating point."""
        if self.order is None or self.problem.is_whole:
            return self.target
        return self._target(0.5 * self.problem.lift * self.tolerance)

    def _target(self, step: float) -> float:
        problem = self.problem
        if self.order is not None:
            step = max(step, problem.rounding(self.cost))
        if problem.is_whole:
            step = WHOLE_STEP
        return min(self.cost - step, problem.forbidden * (1 - 1e-12))

    @property
    def tolerance(self) -> float:
        """Greatest gap, in scores, that proves the incumbent."""
        assert self.order is not None
        if self._tolerance_of != (self.order, self.problem.top):
            self._tolerance_of = (self.order, self.problem.top)
            self._tolerance = self.problem.tolerance(self.order)
        return self._tolerance

    @property
    def is_closed(self) -> bool:
        """Whether the incumbent is proven optimal, or the problem infeasible."""
        if self.lower >= self.target:
            return True
        if self.order is None or self.problem.is_whole:
            return False
        gap = (self.cost - self.lower) / self.problem.lift
        # nearly always much wider than the tolerance can be
        is_near = gap <= 1e-7 * len(self.problem.cost) * self.problem.top
        return is_near and gap <= self.tolerance

    def narrow(self) -> bool:
        """Forbid the arcs that no better order has; return whether any was.

        Nor has one that is equally good, up to the tolerance.
        """
        problem = self.problem
        if self.order is None:
            return False
        slack = 0.0 if problem.is_whole else 2 * problem.lift * self.tolerance
        self.problem = problem.within(self.cost + slack)
        return self.problem is not problem

    @property
    def is_infeasible(self) -> bool:
        """Whether no order is allowed."""
        return self.order is None and self.is_closed

    def solution(self, started: float) -> Solution:
        """Return the incumbent as a Solution, with the bound from the gap in costs."""
        problem = self.problem
        if self.order is None:
            if self.is_closed:
                return without_order(
                    Status.INFEASIBLE, method=self.proof, started=started
                )
            return without_order(
                Status.UNKNOWN,
                method=self.proof,
                started=started,
                bound=problem.offset - self.lower / problem.lift,
            )
        objective = problem.objective(self.order)
        gap = (self.cost - self.lower) / problem.lift
        rounding = 2 * problem.rounding(self.cost) / problem.lift
        if abs(gap) <= rounding:
            # of arcs that constraints force, more than that of the order's own terms
            is_noticed = rounding > NOTICED * abs(objective)
            gap = rounding if is_noticed and not problem.is_whole else 0.0
        tolerance = self.tolerance if gap else 0.0
        return certify(
            self.order,
            objective,
            objective + gap,
            tolerance=tolerance,
            method=self.proof if gap <= tolerance else self.method,
            started=started,
            is_unique=self._is_unique(rounding),
        )

    def _is_unique(self, rounding: float) -> bool | None:
        """Whether no other order is equally good, if the incumbent is best."""
        if self.problem.n_items == 1:
            return True
        if self.others == _UNKNOWN:
            return None
        lower, upper = ((cost - self.cost) / self.problem.lift for cost in self.others)
        return Margin(lower - rounding, upper + rounding).is_unique(self.tolerance)


def path_problem(
    matrix: FloatArray,
    start: FloatArray,
    end: FloatArray,
    constraints: Iterable[Constraint] = (),
    attributes: Attributes | None = None,
) -> PathProblem:
    """Return a path as a tour of least cost; arrays are checked, n >= 1."""
    rules = order_rules(constraints, attributes, len(matrix))
    scores = arc_scores(matrix[None], start[None], end[None], rules)
    cost, *numbers = reduce_scores(scores)
    forbidden, offset, shift, lift = [float(array[0]) for array in numbers]
    return PathProblem(
        matrix, start, end, rules, cost[0], forbidden, offset, shift, lift
    )


def arc_scores(
    matrices: FloatArray, starts: FloatArray, ends: FloatArray, rules: OrderRules
) -> FloatArray:
    """Return the scores of all arcs of b lists, -inf where no order has them.

    Parameters
    ----------
    matrices : float array of shape (b, n, n)
        Scores of neighbors.
    starts, ends : float arrays of shape (b, n)
        Scores of the arcs out of the depot, node n, and into it.
    rules : OrderRules
        The same for all lists.
    """
    n_lists, n = starts.shape
    scores = np.empty((n_lists, n + 1, n + 1))
    scores[:, :n, :n], scores[:, n, :n], scores[:, :n, n] = matrices, starts, ends
    scores.reshape(n_lists, -1)[:, :: n + 2] = -np.inf
    if not rules.is_empty:
        scores[:, ~allowed_arcs(n, rules)] = -np.inf
    return scores
