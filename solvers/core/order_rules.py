"""Constraints on orders, reduced to the basic kinds that the methods read."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ltr.queries import BoolArray
from ltr.solvers.core.constraints import (
    Constraint,
    FixedPosition,
    Precedence,
    Together,
)


@dataclass(frozen=True)
class OrderRules:
    """The basic constraints that the constraints of a problem amount to, by kind.

    Attributes
    ----------
    precedences : tuple of Precedence
        Pairs of items, one somewhere before the other.
    fixed : tuple of FixedPosition
        Items with a position.
    together : tuple of Together
        Groups of items that stand next to each other.
    """

    precedences: tuple[Precedence, ...] = ()
    fixed: tuple[FixedPosition, ...] = ()
    together: tuple[Together, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether every order keeps them."""
        return not (self.precedences or self.fixed or self.together)

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


_NO_RULES = OrderRules()


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
    parts = [part for constraint in constraints for part in constraint.parts()]
    return OrderRules(
        tuple(part for part in parts if isinstance(part, Precedence)),
        tuple(part for part in parts if isinstance(part, FixedPosition)),
        tuple(part for part in parts if isinstance(part, Together)),
    )
