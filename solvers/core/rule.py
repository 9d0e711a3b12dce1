"""The base of all constraints: what the solvers ask of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ltr.queries import IntArray

if TYPE_CHECKING:
    from ltr.solvers.core.attributes import Attributes
    from ltr.solvers.core.constraints import Constraint
    from ltr.solvers.core.groups import Group


class Rule:
    """What every constraint can do."""

    def in_words(self) -> str:
        """Return the constraint as a sentence without a full stop."""
        raise NotImplementedError

    def parts(self) -> tuple[Constraint, ...]:
        """Return constraints of the basic kinds that together say the same.

        The basic kinds, which the solvers read, return themselves.
        """
        return (self,)  # type: ignore[return-value]

    def named_items(self) -> tuple[int, ...]:
        """Return the items that the constraint names by their numbers."""
        return ()

    def checked(self, n_items: int, where: str = "") -> Self:
        """Return it with its items and positions as ints in range(n_items), or raise.

        ``where`` says in messages which list it is.
        """
        return self

    def renumbered(self, numbers: IntArray) -> Self:
        """Return it with each item i called ``numbers[i]``."""
        return self

    def groups(self, attributes: Attributes, k: int) -> list[Group]:
        """Return the groups that it bounds in an assignment of k positions."""
        return []
