"""Constraints on orders, reduced to the basic kinds that the methods read."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ltr.queries import BoolArray, IntArray
from ltr.solvers.core.constraints import Constraint, Precedence, Together, Window


@dataclass(frozen=True)
class OrderRules:
    """The basic constraints that the constraints of a problem amount to, by kind.

    Attributes
    ----------
    precedences : tuple of Precedence
        Pairs of items, one somewhere before the other.
    windows : tuple of Window
        Items with a range of positions.
    together : tuple of Together
        Groups of items that stand next to each other.
    """

    precedences: tuple[Precedence, ...] = ()
    windows: tuple[Window, ...] = ()
    together: tuple[Together, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether every order keeps them."""
        return not (self.precedences or self.windows or self.together)

    def intervals(self, n_items: int) -> tuple[IntArray, IntArray]:
        """Return the first and the last position of each item by its windows.

        An item whose windows have no position in common has none: last < first.
        """
        return intervals(self.windows, n_items)

    def before(self, n_items: int) -> BoolArray:
        """Return which item must come before which, shape (n_items, n_items).

        The transitive closure of the precedences (Warshall, 1962); if they contradict
        each other, its diagonal is not all False.
        """
        before = np.zeros((n_items, n_items), dtype=bool)
        for precedence in self.precedences:
            before[precedence.before, precedence.after] = True
        for k in np.flatnonzero(before.any(axis=0) & before.any(axis=1)).tolist():
            before |= before[:, k, None] & before[k]
        return before


def intervals(windows: Iterable[Window], n_items: int) -> tuple[IntArray, IntArray]:
    """Intersect the windows of each item; see :meth:`OrderRules.intervals`.

    Examples
    --------
    >>> first, last = intervals([Window(1, 1), Window(1, 0, 1)], 3)
    >>> first.tolist(), last.tolist()
    ([0, 1, 0], [2, 1, 2])
    """
    first, last = np.zeros(n_items, dtype=np.int64), np.full(n_items, n_items - 1)
    for window in windows:
        first[window.item] = max(first[window.item], window.first)
        last[window.item] = min(last[window.item], window.end(n_items))
    return first, last


_NO_RULES = OrderRules()


def basic_parts(constraints: Iterable[Constraint]) -> list[Constraint]:
    """Replace constraints by their parts until all are of a basic kind.

    Examples
    --------
    >>> from ltr.solvers import FixedPosition
    >>> basic_parts([FixedPosition(3, 0)])
    [Window(item=3, first=0, last=0)]
    """
    basic: list[Constraint] = []
    for constraint in constraints:
        parts = constraint.parts()
        basic += parts if parts == (constraint,) else basic_parts(parts)
    return basic


def order_rules(constraints: Iterable[Constraint]) -> OrderRules:
    """Sort the parts of constraints by kind.

    Examples
    --------
    >>> order_rules([Together((0, 1)), Precedence(2, 0)]).precedences
    (Precedence(before=2, after=0),)
    """
    constraints = tuple(constraints)
    if not constraints:
        return _NO_RULES
    parts = basic_parts(constraints)
    return OrderRules(
        tuple(part for part in parts if isinstance(part, Precedence)),
        tuple(part for part in parts if isinstance(part, Window)),
        tuple(part for part in parts if isinstance(part, Together)),
    )
