"""A linear ordering problem in the form that all of its methods read.

The value of an order is Σ matrix_ij over the pairs with i before j. With z_ij = 1 if i
is before j and z_ij = -1 if not,

    Σ_{i<j} (matrix_ij·(1 + z_ij)/2 + matrix_ji·(1 - z_ij)/2)
        = Σ_{i<j} (matrix_ij + matrix_ji)/2 + Σ_{i<j} gains_ij·z_ij,

gains = (matrix - matrix')/2. The first sum is the same for all orders. An order loses
2·gains_ij for each pair with gains_ij > 0 that it reverses, so the best order has the
least loss. Losses are sums of what an order actually reverses: a penalty of -1e12 that
it avoids adds no rounding to its loss, but does to the sum of gains.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.constraints import Constraint, Together, Window
from ltr.solvers.core.order_rules import order_rules
from ltr.solvers.core.tolerance import EPSILON


@dataclass(frozen=True, eq=False)
class OrderingProblem:
    """Gains, settled pairs, fixed positions, and groups that stand together.

    Attributes
    ----------
    gains : float array of shape (n, n)
        Antisymmetric and finite; 0 for settled pairs.
    settled : bool array of shape (n, n)
        ``settled[i, j]``: i must come before j. Transitively closed; if an item must
        come before itself, there is no order.
    windows : tuple of Window
        Items with a range of positions.
    together : tuple of Together
        Groups of items that stand next to each other.

    Examples
    --------
    >>> problem = ordering_problem(np.array([[0.0, 4.0], [1.0, 0.0]]))
    >>> problem.gains.tolist(), problem.value(np.array([1, 0]))
    ([[0.0, 1.5], [-1.5, 0.0]], -1.5)
    """

    gains: FloatArray
    settled: BoolArray
    windows: tuple[Window, ...] = ()
    together: tuple[Together, ...] = ()

    def __len__(self) -> int:
        return len(self.gains)

    @cached_property
    def scale(self) -> float:
        """Greatest gain of a pair; 1 if all are 0."""
        return float(np.abs(self.gains).max(initial=0.0)) or 1.0

    @cached_property
    def unit(self) -> float:
        """A common divisor of all differences of values; 0 if none is known.

        Reversing a pair changes the value by 2·gains_ij: if these are integers, it is
        their greatest common divisor.
        """
        entries = np.abs(2 * self.gains[np.triu_indices(len(self), 1)])
        is_small = entries.size and entries.max() < 2**40
        if not is_small or (entries != np.rint(entries)).any():
            return 0.0
        return float(np.gcd.reduce(entries.astype(np.int64)))

    @property
    def has_cycle(self) -> bool:
        """Whether the settled pairs contradict each other."""
        return bool(self.settled.diagonal().any())

    @property
    def is_free(self) -> bool:
        """Whether settled pairs are all that constrains the order."""
        return not (self.windows or self.together)

    @cached_property
    def steep(self) -> FloatArray:
        """Gains with a penalty on reversed settled pairs that no insertion can offset.

        Moving one item changes at most n - 1 pairs, by at most 2·scale each.
        """
        penalty = 2 * len(self) * self.scale
        return self.gains + penalty * (self.settled * 1.0 - self.settled.T)

    def value(self, order: IntArray) -> float:
        """Sum of gains_ij over the pairs with i before j."""
        return float(np.triu(self.gains[np.ix_(order, order)], 1).sum())

    def loss(self, order: IntArray) -> float:
        """What an order loses by reversing pairs."""
        below = np.tril(self.gains[np.ix_(order, order)], -1)
        return 2 * float(np.maximum(below, 0.0).sum())

    @cached_property
    def spread(self) -> float:
        """Most that an order can lose: every pair in its worse direction."""
        return float(np.abs(self.gains).sum())

    def without_losers(self, loss: float) -> "OrderingProblem":
        """The problem in which no pair is reversed that loses more than ``loss``.

        An order that reverses one loses more than that: with the loss of an order as
        the limit, no better order does.
        """
        is_sure = self.are_losers(loss)
        if not is_sure.any():
            return self
        settled = closure(self.settled | is_sure)
        gains = np.where(settled | settled.T, 0.0, self.gains)
        return OrderingProblem(gains, settled, self.windows, self.together)

    def are_losers(self, loss: float) -> BoolArray:
        """Which pairs lose more than ``loss`` if they are reversed, rounding apart."""
        limit = loss * (1 + 4 * EPSILON * len(self) ** 2)
        return np.asarray(2 * self.gains > limit)

    def keeps(self, order: IntArray) -> bool:
        """Whether an order keeps every constraint."""
        position = np.empty(len(order), dtype=np.int64)
        position[order] = np.arange(len(order))
        if np.tril(self.settled[np.ix_(order, order)]).any():
            return False
        end = len(order) - 1
        for window in self.windows:
            last = end if window.last is None else window.last
            if not window.first <= position[window.item] <= last:
                return False
        return all(
            np.ptp(position[list(c.items)]) == len(c.items) - 1 for c in self.together
        )

    def part(self, items: IntArray) -> "OrderingProblem":
        """The problem of some items: their gains and settled pairs."""
        inside = np.ix_(items, items)
        return OrderingProblem(self.gains[inside], self.settled[inside])

    def merged(self, units: list[IntArray]) -> "OrderingProblem":
        """The problem in which each unit of items is one item.

        With member_ui = 1 if item i is in unit u, the gains of units are the sums
        member · gains · member'; a unit is before another if any of its items must be.
        """
        member = np.zeros((len(units), len(self)))
        for row, unit in zip(member, units, strict=True):
            row[unit] = 1.0
        settled = closure(member @ self.settled @ member.T > 0, across=True)
        gains = member @ self.gains @ member.T
        gains = (gains - gains.T) / 2
        gains[settled | settled.T] = 0.0
        return OrderingProblem(gains, settled)


def ordering_problem(
    matrix: FloatArray, constraints: Iterable[Constraint] = ()
) -> OrderingProblem:
    """Turn a matrix (-inf at [i, j]: i not before j) and constraints into a problem."""
    rules = order_rules(constraints)
    settled = np.isneginf(matrix).T
    for pair in rules.precedences:
        settled[pair.before, pair.after] = True
    if rules.windows:
        n = len(matrix)
        first, last = rules.intervals(n)
        # an item without a position comes before itself: there is no order
        settled |= last[:, None] < first
        for item in {window.item for window in rules.windows}:
            others = np.arange(n) != item
            settled[item, others] |= last[item] == 0
            settled[others, item] |= first[item] == n - 1
    if settled.any():
        settled = closure(settled)
        matrix = np.where(settled | settled.T, 0.0, matrix)
    half = matrix / 2  # halved first: the difference of two huge numbers stays finite
    return OrderingProblem(half - half.T, settled, rules.windows, rules.together)


def sorted_by(before: BoolArray) -> list[int] | None:
    """Return an order with i before j wherever ``before[i, j]``; None: a cycle.

    Examples
    --------
    >>> sorted_by(np.array([[False, False], [True, False]]))
    [1, 0]
    """
    graph = {j: np.flatnonzero(before[:, j]).tolist() for j in range(len(before))}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        return None


def closure(before: BoolArray, across: bool = False) -> BoolArray:
    """Return the transitive closure: i before j and j before k imply i before k.

    Parameters
    ----------
    before : bool array of shape (n, n)
        Pairs that are settled.
    across : bool, default=False
        Whether to ignore the diagonal.

    Returns
    -------
    closed : bool array of shape (n, n)
        If the pairs contradict each other, its diagonal is not all False.
    """
    before = before.copy()
    if across:
        np.fill_diagonal(before, False)
    order = sorted_by(before)
    if order is None:
        return before | np.eye(len(before), dtype=bool)
    # backwards, so that the rows of the successors of i are already closed
    for i in reversed(order):
        after = np.flatnonzero(before[i])
        if len(after):
            before[i] |= before[after].any(axis=0)
    return before
