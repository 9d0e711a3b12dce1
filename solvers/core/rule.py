"""The base class of all constraints: the interface that solvers rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ltr.queries import IntArray

if TYPE_CHECKING:
    from ltr.solvers.core.attributes import Attributes
    from ltr.solvers.core.constraints import Constraint
    from ltr.solvers.core.groups import Group


class Rule:
    """Base class of constraints.

    A subclass overrides the methods that apply to it; the defaults are those of a
    constraint that names no items and bounds no groups.
    """

    def in_words(self) -> str:
        """Return the constraint as a clause, without a full stop: itself as code."""
        return repr(self)

    def parts(self) -> tuple[Constraint, ...]:
        """Return constraints of the basic kinds that together are equivalent.

        The basic kinds, which the solvers read, return themselves.
        """
        return (self,)  # type: ignore[return-value]

    def named_items(self) -> tuple[int, ...]:
        """Return the items that the constraint names by their numbers."""
        return ()

    def checked(self, n_items: int, where: str = "") -> Self:
        """Return the constraint with its items and positions as ints, or raise.

        Parameters
        ----------
        n_items : int
            Items and positions must be in 0, …, n_items - 1.
        where : str, default=""
            Phrase for messages that names the list.
        """
        return self

    def renumbered(self, numbers: IntArray) -> Self:
        """Return the constraint in other item numbers.

        Parameters
        ----------
        numbers : int array
            New number of each item.
        """
        return self

    def groups(self, attributes: Attributes, k: int) -> list[Group]:
        """Return the groups that the constraint bounds in an assignment.

        Parameters
        ----------
        attributes : Attributes
            Attributes of the items.
        k : int
            Number of positions.
        """
        return []

    def fact(self, values: list[Any]) -> str:
        """Return a sentence on its attribute that helps to explain a conflict.

        Parameters
        ----------
        values : list
            Value of each item.
        """
        return ""
