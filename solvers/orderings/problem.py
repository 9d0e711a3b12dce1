"""A linear ordering problem in the form in which all of its methods read it.

An order is worth the sum of ``matrix[i, j]`` over the pairs with i before j. With
``z[i, j] = 1`` if i is before j and -1 if not, that is a constant plus the sum of
``gains[i, j] * z[i, j]`` over i < j, with ``gains = (matrix - matrix.T) / 2``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

import numpy as np

from ltr.solvers.core.constraints import FixedPosition, Precedence, Together
from ltr.solvers.core.solution import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class OrderingProblem:
    """Gains, pairs whose order is settled, items with a place, items that stay close.

    Attributes
    ----------
    gains : float array of shape (n, n)
        Antisymmetric and finite; 0 for settled pairs.
    settled : bool array of shape (n, n)
        ``settled[i, j]``: i must come before j. Transitively closed; an item before
        itself means that there is no order.
    fixed : tuple of FixedPosition
        Items with a place.
    together : tuple of Together
        Items that stand next to each other.

    Examples
    --------
    >>> problem = ordering_problem(np.array([[0.0, 4.0], [1.0, 0.0]]))
    >>> problem.gains.tolist(), problem.value(np.array([1, 0]))
    ([[0.0, 1.5], [-1.5, 0.0]], -1.5)
    """

    gains: FloatArray
    settled: BoolArray
    fixed: tuple[FixedPosition, ...] = ()
    together: tuple[Together, ...] = ()

    def __len__(self) -> int:
        return len(self.gains)

    @cached_property
    def scale(self) -> float:
        """Greatest gain of a pair; 1 if there is none."""
        return float(np.abs(self.gains).max(initial=0.0)) or 1.0

    @cached_property
    def unit(self) -> float:
        """The values of two orders differ by a multiple of this; 0 if none is known."""
        entries = np.abs(2 * self.gains[np.triu_indices(len(self), 1)])
        whole = entries.size and entries.max() < 2**40
        if not whole or (entries != np.rint(entries)).any():
            return 0.0
        return float(np.gcd.reduce(entries.astype(np.int64)))

    @property
    def has_cycle(self) -> bool:
        """Whether the settled pairs contradict each other."""
        return bool(self.settled.diagonal().any())

    @property
    def is_free(self) -> bool:
        """Whether nothing but settled pairs constrains the order."""
        return not (self.fixed or self.together)

    @cached_property
    def steep(self) -> FloatArray:
        """Gains in which no insertion makes up for breaking a settled pair."""
        penalty = 2 * len(self) * self.scale
        return self.gains + penalty * (self.settled * 1.0 - self.settled.T)

    def value(self, order: IntArray) -> float:
        """Sum of the gains of the earlier over the later items."""
        return float(np.triu(self.gains[np.ix_(order, order)], 1).sum())

    def keeps(self, order: IntArray) -> bool:
        """Whether an order keeps every constraint."""
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        if np.tril(self.settled[np.ix_(order, order)]).any():
            return False
        if any(place[c.item] != c.position for c in self.fixed):
            return False
        return all(
            np.ptp(place[list(c.items)]) == len(c.items) - 1 for c in self.together
        )

    def part(self, items: IntArray) -> "OrderingProblem":
        """The settled pairs and gains of some items."""
        chosen = np.ix_(items, items)
        return OrderingProblem(self.gains[chosen], self.settled[chosen])

    def merged(self, units: list[IntArray]) -> "OrderingProblem":
        """The problem in which each unit of items is one item."""
        member = np.zeros((len(units), len(self)))
        for row, unit in zip(member, units, strict=True):
            row[unit] = 1.0
        settled = closure(member @ self.settled @ member.T > 0, across=True)
        gains = member @ self.gains @ member.T
        gains = (gains - gains.T) / 2
        gains[settled | settled.T] = 0.0
        return OrderingProblem(gains, settled)


def ordering_problem(
    matrix: FloatArray,
    constraints: Iterable[Precedence | FixedPosition | Together] = (),
) -> OrderingProblem:
    """Read a matrix (-inf at [i, j]: i not before j) and constraints."""
    constraints = tuple(constraints)
    settled = np.isneginf(matrix).T
    for constraint in constraints:
        if isinstance(constraint, Precedence):
            settled[constraint.before, constraint.after] = True
    if settled.any():
        settled = closure(settled)
        matrix = np.where(settled | settled.T, 0.0, matrix)
    half = matrix / 2  # halved first: the difference of two huge numbers stays finite
    return OrderingProblem(
        half - half.T,
        settled,
        tuple(c for c in constraints if isinstance(c, FixedPosition)),
        tuple(c for c in constraints if isinstance(c, Together)),
    )


def sorted_by(before: BoolArray) -> list[int] | None:
    """Return an order in which each ``before[i, j]`` has i first; None: a cycle.

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
    """Add what follows: i before j and j before k puts i before k.

    Parameters
    ----------
    before : bool array of shape (n, n)
        Pairs that are settled.
    across : bool, default=False
        Whether the diagonal is to be left out.

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
    for i in reversed(order):
        after = np.flatnonzero(before[i])
        if len(after):
            before[i] |= before[after].any(axis=0)
    return before
