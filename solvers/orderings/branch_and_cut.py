"""Branch and cut: the linear relaxation, and branching where it stays fractional."""

import math
from typing import NamedTuple

import numpy as np

from ltr.queries import FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.solution import Status
from ltr.solvers.core.tolerance import RELATIVE
from ltr.solvers.orderings.cycle_relaxation import CycleRelaxation
from ltr.solvers.orderings.local_search import borda_order, climb
from ltr.solvers.orderings.memetic import Memetic
from ltr.solvers.orderings.problem import OrderingProblem
from ltr.solvers.orderings.watch import Watch

# A node is pruned if its bound exceeds the incumbent by at most this share of the
# tolerance's scale.
_CLOSE = 0.5 * RELATIVE
# Rounding of linear programs and sums, as a share of the scale.
_ROUNDING = 1e-9
# Steps of the search before branching; above some number of items, where the first
# programs take long, before these as well.
_STEPS, _FEW_STEPS, _MANY_ITEMS = 100, 30, 100
# Once the programs have taken this many units of work, the search goes on beside them
# and gets this share of their work; the second holds above ``_MANY_ITEMS``, where a
# proof is rare.
_LONG, _SHARE, _SHARE_OF_MANY = 0.2, 0.2, 1.0


class Node(NamedTuple):
    """A node of the tree: bounds of the variables, and on the value of its orders."""

    lower: FloatArray
    upper: FloatArray
    bound: float


def branch_and_cut(
    problem: OrderingProblem,
    start: IntArray,
    rng: np.random.Generator,
    budget: Budget,
    watch: Watch,
) -> tuple[IntArray, float]:
    """Find a best order and a bound on the value of every order.

    The root relaxation usually suffices. If it does not, a local search improves the
    incumbent before branching.

    Parameters
    ----------
    problem : OrderingProblem
        The problem to solve.
    start : int array of shape (n,)
        An order that keeps the constraints.
    rng : Generator
        Draws of the search.
    budget : Budget
        When it is spent, the bound is the greatest of the open nodes.
    watch : Watch
        Better orders and bounds are reported to it.

    Returns
    -------
    order : int array of shape (n,)
        The incumbent, ``start`` if no better one was found.
    bound : float
        Upper bound on the value of every order.
    """
    return _Tree(problem, climb(problem, start, budget), rng, budget, watch).solve()


class _Tree:
    """Depth-first search with an incumbent ``order`` of value ``value``."""

    def __init__(
        self,
        problem: OrderingProblem,
        start: IntArray,
        rng: np.random.Generator,
        budget: Budget,
        watch: Watch,
    ) -> None:
        self.problem, self.budget, self.watch = problem, budget, watch
        self.order, self.value = start, problem.value(start)
        self.memetic = Memetic(problem, start, rng, watch)
        watch.offer(start)
        self.relaxation = CycleRelaxation(problem)

    def solve(self) -> tuple[IntArray, float]:
        relaxation = self.relaxation
        if len(self.problem) > _MANY_ITEMS:
            self._offer(self.memetic.run(self.budget, n_steps=_FEW_STEPS))
        pruned = self.value  # greatest bound of the nodes that are pruned
        nodes = [Node(relaxation.lower, relaxation.upper, relaxation.bound)]
        at_root = True
        while nodes and not self.budget.is_spent:
            node = nodes.pop()
            bound = node.bound
            if not self._is_closed(bound):
                relaxation.enter(node.lower, node.upper, bound)
                is_solved = self._cut(at_root)
                if at_root and is_solved and not self._is_closed(relaxation.bound):
                    self._search()
                at_root, bound = False, relaxation.bound
                if not is_solved:
                    nodes.append(node._replace(bound=bound))
                    break
                if not self._is_closed(bound) and not relaxation.is_integral:
                    nodes.extend(self._children())
                    continue
            pruned = max(pruned, bound)
            if self.watch.is_on:
                self.watch.tighten(self._bound(pruned, nodes))
        return self.order, self._bound(pruned, nodes)

    def _bound(self, pruned: float, nodes: list[Node]) -> float:
        """Bound on the value of every order, whose node is pruned or open."""
        return self._rounded(max([pruned, *(node.bound for node in nodes)]))

    def _is_closed(self, bound: float) -> bool:
        """Whether the bound leaves no order better by more than the tolerance."""
        close = _CLOSE * self.problem.spread
        return self._rounded(bound) <= self.value + close

    def _rounded(self, bound: float) -> float:
        """Round a bound down to a value that an order can have.

        Values differ by multiples of the unit, if there is one: only whole units above
        the incumbent count, as long as rounding is well below a unit.
        """
        unit = self.problem.unit
        above = max(0.0, bound - self.value)
        if unit:
            slack = 1e-6 + _ROUNDING * self.problem.scale / unit
            above = math.floor(above / unit + slack) * unit if slack < 0.5 else above
        return self.value + above

    def _cut(self, at_root: bool) -> bool:
        """Add cuts until none is violated or the node is pruned; False: no budget."""
        relaxation = self.relaxation
        is_first = True
        while relaxation.add_cuts(self.budget) or is_first:
            is_first = False
            status = relaxation.solve(self.budget)
            if status is Status.UNKNOWN:
                return False
            if status is Status.INFEASIBLE:
                relaxation.bound = -math.inf
                return True
            self._try(relaxation.z)
            if at_root:
                self.watch.tighten(self._rounded(relaxation.bound))
            self._search_beside()
            if self._is_closed(relaxation.bound):
                return True
            if at_root:
                self._fix()
            if self.budget.is_spent:
                return False
        return True

    def _search(self) -> None:
        """Improve the incumbent by local search, and fix pairs by its value."""
        if not self.relaxation.is_integral:
            self._offer(self.memetic.run(self.budget, n_steps=_STEPS))
            self._fix()

    def _search_beside(self) -> None:
        """Let the search catch up with its share of the work."""
        is_many = len(self.problem) > _MANY_ITEMS
        share, work = _SHARE_OF_MANY if is_many else _SHARE, self.relaxation.work
        if work > _LONG and share * work > self.memetic.work:
            missing = share * work - self.memetic.work
            self._offer(self.memetic.run(self.budget, work=missing))

    def _fix(self) -> None:
        least = self.value - _ROUNDING * self.problem.scale
        self.relaxation.fix(least + self.problem.unit)

    def _children(self) -> list[Node]:
        """Both directions of one pair; the last, explored first, is the nearer one."""
        relaxation = self.relaxation
        pair, is_positive = relaxation.branching_pair()
        children = []
        for z in (-1.0, 1.0) if is_positive else (1.0, -1.0):
            lower, upper = relaxation.lower.copy(), relaxation.upper.copy()
            lower[pair] = upper[pair] = z
            children.append(Node(lower, upper, relaxation.bound))
        return children

    def _try(self, z: FloatArray) -> None:
        """Round to the order by row sums of z, and climb from there."""
        problem = self.problem
        order = borda_order(z)
        if problem.is_free or problem.keeps(order):
            self._offer(climb(problem, order, self.budget))

    def _offer(self, order: IntArray) -> None:
        value = self.problem.value(order)
        if value > self.value and self.problem.keeps(order):
            self.order, self.value = order, value
            self.memetic.offer(order)
            self.watch.offer(order)
