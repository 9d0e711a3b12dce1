"""Good orders for as long as one likes: kicks, then a population of local optima.

Schiavinotto and Stützle (2004), "The linear ordering problem: instances, search space
analysis and algorithms", compare iterated local search (section 5) with a memetic
algorithm (section 6), which wins on large instances. Here the first makes the first
member of the population of the second. The crossover is order-based (Syswerda, 1991):
half of the items keep their positions in one parent, and the others fill the gaps in
the order of the other parent.
"""

import numpy as np

from ltr.queries import IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.orderings.insertions import InsertionTable
from ltr.solvers.orderings.local_search import LEAST_GAIN, climb, moved
from ltr.solvers.orderings.problem import OrderingProblem
from ltr.solvers.orderings.watch import Watch

# Kicks from one order before the population is made.
KICKS = 300
# Members of the population; children in a row that do not enter it before all members
# but the best are replaced by new ones.
_MEMBERS, _MAX_FAILURES = 25, 200
# The search ends after this number of steps in a row without a better order, times n².
_PATIENCE = 20
# Units of work between two looks at the budget.
_WORK_OF_CLIMB = 0.02


class Memetic:
    """A search that can be continued; it never forgets its best order.

    Parameters
    ----------
    problem : OrderingProblem
        The problem to solve.
    start : int array of shape (n,)
        An order that keeps the constraints.
    rng : Generator
        Draws of kicks, members and crossovers.
    watch : Watch
        Better orders are offered to it.

    Attributes
    ----------
    best : int array of shape (n,)
        The best order so far; it keeps the constraints.
    n_steps : int
        Number of kicks and children so far.
    work : float
        Units of work so far.
    """

    def __init__(
        self,
        problem: OrderingProblem,
        start: IntArray,
        rng: np.random.Generator,
        watch: Watch,
    ) -> None:
        self.problem, self._rng, self._watch = problem, rng, watch
        self._gains, self._least = problem.steep, LEAST_GAIN * problem.scale
        self.best, self._value = start, _value(problem, start)
        self.n_steps, self._last_gain, self.work = 0, 0, 0.0
        self._members: list[tuple[float, IntArray]] = []
        self._n_failures = 0
        self._table: InsertionTable | None = None
        self._incumbent: InsertionTable | None = None

    def run(
        self, budget: Budget, *, n_steps: float = np.inf, work: float = np.inf
    ) -> IntArray:
        """Continue, and return the best order.

        Parameters
        ----------
        budget : Budget
            Ends the search.
        n_steps : float, default=inf
            Maximum number of further kicks and children.
        work : float, default=inf
            Maximum number of further units of work.
        """
        end, last = self.work + work, self.n_steps + n_steps
        if len(self.best) < 3:
            return climb(self.problem, self.best, budget)
        step = self._step if self.problem.is_free else self._step_within
        before = self.work
        while (
            self.n_steps < last
            and self.work < end
            and not self.is_over
            and not budget.is_spent
        ):
            step(budget)
            if self.problem.is_free:
                budget.spend(self.work - before)
                before = self.work
            self.n_steps += 1
        return self.best

    @property
    def is_over(self) -> bool:
        """Whether it has run for long without a better order."""
        patience = max(2 * KICKS, _PATIENCE * len(self.best) ** 2)
        return self.n_steps - self._last_gain > patience

    def offer(self, order: IntArray) -> None:
        """Take an order that was found elsewhere, if it is better."""
        value = _value(self.problem, order)
        if value > self._value + self._least:
            self._offer(order, value)
            if self._members:
                self._members = [(value, order.copy()), *self._members[:-1]]

    def _offer(self, order: IntArray, value: float) -> None:
        if value > self._value + self._least and self.problem.keeps(order):
            self.best, self._value = order.copy(), value
            self._last_gain = self.n_steps
            self._watch.offer(order)

    def _step(self, budget: Budget) -> None:
        if self._table is None or self._incumbent is None:
            self._table = InsertionTable(self._gains, self.best, self._least)
            self._incumbent = InsertionTable(self._gains, self.best, self._least)
            self._climb(self._incumbent, budget)
            self._table.assign(self._incumbent)
            self._offer(self._table.order, _value(self.problem, self._table.order))
        elif self.n_steps < KICKS:
            self._kick(self._table, self._incumbent, budget)
        elif len(self._members) < _MEMBERS:
            self._add_member(self._table, budget)
        else:
            self._add_child(self._table, budget)

    def _climb(self, table: InsertionTable, budget: Budget) -> float:
        """Climb, with looks at the budget, and count the work."""
        before, gain = table.work, table.climb(_WORK_OF_CLIMB)
        while not table.is_locally_best and table.work - before < budget.work_left:
            if budget.seconds_left == 0:
                break
            gain += table.climb(_WORK_OF_CLIMB)
        self.work += table.work - before
        return gain

    def _kick(
        self, table: InsertionTable, incumbent: InsertionTable, budget: Budget
    ) -> None:
        """Move a few items of the incumbent at random, climb, accept if not worse."""
        n = len(self.best)
        gain = 0.0
        for a, b in self._rng.integers(n, size=(max(3, n // 15), 2)).tolist():
            if a != b:
                gain += table.gain(a, b)
                table.move(a, b)
        gain += self._climb(table, budget)
        if gain >= -self._least:
            incumbent.assign(table)
            if gain > self._least:
                self._offer(table.order, _value(self.problem, table.order))
        else:
            table.assign(incumbent)

    def _add_member(self, table: InsertionTable, budget: Budget) -> None:
        """Add a local optimum to the population; the first one is the best order."""
        if self._members:
            table.set_order(self._rng.permutation(len(self.best)))
        else:
            table.set_order(self.best)
        self._climb(table, budget)
        self._insert(table.order)

    def _insert(self, order: IntArray) -> None:
        value = _value(self.problem, order)
        self._members.append((value, order.copy()))
        self._members.sort(key=lambda member: -member[0])
        self._offer(order, value)

    def _add_child(self, table: InsertionTable, budget: Budget) -> None:
        """Cross two members, climb, and replace the worst one if the child is new."""
        i, j = self._rng.choice(_MEMBERS, 2, replace=False).tolist()
        first, second = self._members[i][1], self._members[j][1]
        place = np.empty_like(second)
        place[second] = np.arange(len(second))
        child = first.copy()
        is_free = self._rng.random(len(first)) < 0.5
        free = first[is_free]
        child[is_free] = free[np.argsort(place[free])]
        table.set_order(child)
        self._climb(table, budget)
        value = _value(self.problem, table.order)
        is_new = all(abs(value - member[0]) > self._least for member in self._members)
        if is_new and value > self._members[-1][0]:
            self._members.pop()
            self._insert(table.order)
            self._n_failures = 0
            return
        self._n_failures += 1
        if self._n_failures > _MAX_FAILURES:
            self._members, self._n_failures = self._members[:1], 0

    def _step_within(self, budget: Budget) -> None:
        """Kick and climb with insertions and swaps that keep the constraints."""
        problem = self.problem
        left = budget.work_left
        order = self.best
        if self.n_steps:
            n = len(order)
            for a, b in self._rng.integers(n, size=(max(3, n // 12), 2)).tolist():
                kicked = moved(order, a, b)
                if problem.keeps(kicked):
                    order = kicked
        order = climb(problem, order, budget)
        value = _value(problem, order)
        if abs(value - self._value) <= self._least:
            self.best = order  # sideways, so that kicks start elsewhere
        self._offer(order, value)
        spent = left - budget.work_left
        self.work += spent if np.isfinite(spent) else _WORK_OF_CLIMB


def _value(problem: OrderingProblem, order: IntArray) -> float:
    return float(np.triu(problem.steep[np.ix_(order, order)], 1).sum())
