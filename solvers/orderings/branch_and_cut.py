"""Branch and cut: the linear relaxation, and where it stays fractional, both ways."""

import math

import numpy as np

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.solution import FloatArray, IntArray, Status
from ltr.solvers.orderings.cycle_relaxation import CycleRelaxation
from ltr.solvers.orderings.local_search import borda_order, climb, search
from ltr.solvers.orderings.problem import OrderingProblem

# A node is done if its bound is this near to the best order, per item, as a share of
# the scale: less than the tolerance of a solution.
_CLOSE = 5e-7
# What linear programs and sums get wrong, as a share of the scale.
_ROUNDING = 1e-9
# Kicks of the search before branching.
_KICKS = 100

Node = tuple[FloatArray, FloatArray, float]


def branch_and_cut(
    problem: OrderingProblem,
    start: IntArray,
    rng: np.random.Generator,
    budget: Budget,
) -> tuple[IntArray, float]:
    """Find a best order and a bound on the value of every order.

    The first program mostly suffices, and then no search is needed. If not, a search
    comes before the branching.

    Parameters
    ----------
    problem : OrderingProblem
        What to order.
    start : int array of shape (n,)
        An order that keeps the constraints.
    rng : Generator
        Draws of the search.
    budget : Budget
        When it is spent, the bound is that of the open nodes.

    Returns
    -------
    order : int array of shape (n,)
        The best one found, ``start`` if none is better.
    bound : float
        No order has a greater value.
    """
    return _Tree(problem, climb(problem, start, budget), rng, budget).solve()


class _Tree:
    def __init__(
        self,
        problem: OrderingProblem,
        start: IntArray,
        rng: np.random.Generator,
        budget: Budget,
    ) -> None:
        self.problem, self.rng, self.budget = problem, rng, budget
        self.order, self.value = start, problem.value(start)
        self.relaxation = CycleRelaxation(problem)

    def solve(self) -> tuple[IntArray, float]:
        relaxation = self.relaxation
        done = self.value  # greatest bound of the nodes that are done
        nodes: list[Node] = [(relaxation.lower, relaxation.upper, relaxation.bound)]
        at_root = True
        while nodes and not self.budget.is_spent:
            lower, upper, bound = nodes.pop()
            if not self._is_closed(bound):
                relaxation.enter(lower, upper, bound)
                is_cut = self._cut(at_root)
                if at_root and is_cut and not self._is_closed(relaxation.bound):
                    self._search()
                at_root, bound = False, relaxation.bound
                if not is_cut:
                    nodes.append((lower, upper, bound))
                    break
                if not self._is_closed(bound) and not relaxation.is_integral:
                    nodes.extend(self._children())
                    continue
            done = max(done, bound)
        return self.order, self._rounded(max([done, *(node[2] for node in nodes)]))

    def _is_closed(self, bound: float) -> bool:
        """Whether orders within a bound are no better, or by too little to count."""
        close = _CLOSE * len(self.problem) * self.problem.scale
        return self._rounded(bound) <= self.value + close

    def _rounded(self, bound: float) -> float:
        """Round a bound down to a value that an order can have."""
        unit = self.problem.unit
        above = max(0.0, bound - self.value)
        if unit:
            slack = 1e-6 + _ROUNDING * self.problem.scale / unit
            above = math.floor(above / unit + slack) * unit if slack < 0.5 else above
        return self.value + above

    def _cut(self, at_root: bool) -> bool:
        """Add rows until none is violated or the node closed; False: out of budget."""
        relaxation = self.relaxation
        is_first = True
        while relaxation.add_cuts() or is_first:
            is_first = False
            status = relaxation.solve(self.budget)
            if status is Status.UNKNOWN:
                return False
            if status is Status.INFEASIBLE:
                relaxation.bound = -math.inf
                return True
            self._try(relaxation.z)
            if self._is_closed(relaxation.bound):
                return True
            if at_root:
                self._fix()
            if self.budget.is_spent:
                return False
        return True

    def _search(self) -> None:
        """Look for a better order, and fix pairs by what it is worth."""
        if not self.relaxation.is_integral:
            self._offer(search(self.problem, self.order, self.rng, self.budget, _KICKS))
            self._fix()

    def _fix(self) -> None:
        least = self.value - _ROUNDING * self.problem.scale
        self.relaxation.fix(least + self.problem.unit)

    def _children(self) -> list[Node]:
        """Both ways round of one pair; the way that is nearer is last, to be first."""
        relaxation = self.relaxation
        pair, is_first = relaxation.branching_pair()
        children = []
        for side in (-1.0, 1.0) if is_first else (1.0, -1.0):
            lower, upper = relaxation.lower.copy(), relaxation.upper.copy()
            lower[pair] = upper[pair] = side
            children.append((lower, upper, relaxation.bound))
        return children

    def _try(self, z: FloatArray) -> None:
        """Order by how many others an item is before, and climb from there."""
        problem = self.problem
        order = borda_order(z)
        if problem.is_free or problem.keeps(order):
            self._offer(climb(problem, order, self.budget))

    def _offer(self, order: IntArray) -> None:
        value = self.problem.value(order)
        if value > self.value and self.problem.keeps(order):
            self.order, self.value = order, value
