"""Constraints on an order, as small immutable objects.

Items are row numbers of the matrix, positions are 0-based: position 0 is the best. A
group is the set of items that share a value of an attribute; an item whose value is
missing (None, NaN, NA) belongs to no group.

A new kind of constraint is a subclass of :class:`Rule` that is added to one of the
unions below. If existing kinds can express it, :meth:`Rule.parts` is all that the
solvers need to know about it; if it bounds groups of items, :meth:`Rule.groups` is all
that paths and assignments need.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, Union, get_args

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_whole
from ltr.queries import IntArray, check_rows
from ltr.solvers.core.attributes import read_column
from ltr.solvers.core.group_constraints import AtMost, ExposureShare, Quota
from ltr.solvers.core.rule import Rule
from ltr.solvers.core.solution import Solution, Status


@dataclass(frozen=True)
class Precedence(Rule):
    """Item ``before`` comes somewhere before item ``after``.

    Attributes
    ----------
    before, after : int
        Two different items.

    Examples
    --------
    >>> Precedence(before=2, after=0)
    Precedence(before=2, after=0)
    """

    before: int
    after: int

    def in_words(self) -> str:
        """Return the constraint in words."""
        return f"item {self.before} comes before item {self.after}"

    def named_items(self) -> tuple[int, ...]:
        """Return both items."""
        return (self.before, self.after)

    def checked(self, n_items: int, where: str = "") -> Self:
        """Return it with two different items in range, or raise."""
        before = _index(self.before, n_items, "items", self, where)
        after = _index(self.after, n_items, "items", self, where)
        if before == after:
            raise ValueError(
                f"{self} must name two different items; no item comes before itself."
            )
        return type(self)(before, after)

    def renumbered(self, numbers: IntArray) -> Self:
        """Return it with new item numbers."""
        return type(self)(int(numbers[self.before]), int(numbers[self.after]))


@dataclass(frozen=True)
class Window(Rule):
    """Item ``item`` is at one of the positions ``first``, …, ``last``.

    In an assignment of fewer positions than items, an item without a position counts as
    coming after all others: a window that ends there does not require a position.

    Attributes
    ----------
    item : int
        Row number.
    first : int, default=0
        Its best position, 0-based.
    last : int, default=None
        Its worst position. None, or more than there are: the end of the order.

    See Also
    --------
    within : Windows around the positions of an order.
    FixedPosition : A window of one position.

    Examples
    --------
    >>> Window(3, last=9).in_words()
    'item 3 is among the first 10'
    >>> from ltr.solvers import solve_ordering
    >>> votes = [[0, 3, 2], [1, 0, 4], [3, 1, 0]]
    >>> solve_ordering(votes, constraints=[Window(0, first=1)]).order
    array([1, 2, 0])
    """

    item: int
    first: int = 0
    last: int | None = None

    def end(self, n_positions: int) -> int:
        """Return the last position.

        Parameters
        ----------
        n_positions : int
            Length of the order.

        Returns
        -------
        last : int
            0-based, at most n_positions - 1.
        """
        return n_positions - 1 if self.last is None else min(self.last, n_positions - 1)

    def in_words(self) -> str:
        """Return the constraint in words."""
        if self.last is None:
            return f"item {self.item} is at position {self.first} or later"
        if self.first == self.last:
            return f"item {self.item} is at position {self.first}"
        if self.first == 0:
            return f"item {self.item} is among the first {self.last + 1}"
        return (
            f"item {self.item} is at one of the positions {self.first}, …, {self.last}"
        )

    def named_items(self) -> tuple[int, ...]:
        """Return the item."""
        return (self.item,)

    def checked(self, n_items: int, where: str = "") -> Self:
        """Return it with item and first position in range, or raise."""
        item = _index(self.item, n_items, "items", self, where)
        first = _index(self.first, n_items, "positions", self, where)
        last = check_whole("last of Window", self.last, low=0, optional=True)
        if last is not None and last < first:
            raise ValueError(f"{self} must have first <= last.")
        return type(self)(item, first, last)

    def renumbered(self, numbers: IntArray) -> Self:
        """Return it with a new item number."""
        return type(self)(int(numbers[self.item]), self.first, self.last)


def within(order: ArrayLike, places: int = 2) -> tuple[Window, ...]:
    """Return windows that keep items near their positions in an order.

    Parameters
    ----------
    order : array-like of int
        Item indices, best first: the order of last week, of a ranker, of an editor. It
        need not have all items.
    places : int, default=2
        By how many positions an item may move, up or down.

    Returns
    -------
    windows : tuple of Window
        One for each item of the order.

    Raises
    ------
    ValueError, TypeError
        If the order is not a sequence of different item numbers, or ``places`` is no
        whole number >= 0.

    Examples
    --------
    >>> within([2, 0, 1], places=1)  # doctest: +NORMALIZE_WHITESPACE
    (Window(item=2, first=0, last=1),
     Window(item=0, first=0, last=2),
     Window(item=1, first=1, last=3))
    """
    places = check_whole("places", places, low=0)
    items = np.asarray(order)
    if not items.size:
        items = items.astype(np.int64)
    if items.ndim != 1 or items.dtype.kind not in "iu":
        raise ArgumentError(
            "order must be a sequence of item numbers, best first; got an array of "
            f"{items.dtype} and shape {items.shape}."
        )
    if len(np.unique(items)) < len(items) or (items < 0).any():
        raise ArgumentError(
            f"order must have different items >= 0; got {items.tolist()}."
        )
    return tuple(
        Window(item, max(0, position - places), position + places)
        for position, item in enumerate(items.tolist())
    )


@dataclass(frozen=True)
class FixedPosition(Rule):
    """Item ``item`` is at ``position``: a :class:`Window` of one position.

    Attributes
    ----------
    item : int
        Row number.
    position : int
        0-based; 0 is the best.

    Examples
    --------
    >>> FixedPosition(item=3, position=0)
    FixedPosition(item=3, position=0)
    """

    item: int
    position: int

    def in_words(self) -> str:
        """Return the constraint in words."""
        return f"item {self.item} is at position {self.position}"

    def parts(self) -> tuple[Window, ...]:
        """Return its window."""
        return (Window(self.item, self.position, self.position),)

    def named_items(self) -> tuple[int, ...]:
        """Return the item."""
        return (self.item,)

    def checked(self, n_items: int, where: str = "") -> Self:
        """Return it with item and position in range, or raise."""
        return type(self)(
            _index(self.item, n_items, "items", self, where),
            _index(self.position, n_items, "positions", self, where),
        )

    def renumbered(self, numbers: IntArray) -> Self:
        """Return it with a new item number."""
        return type(self)(int(numbers[self.item]), self.position)


@dataclass(frozen=True)
class Together(Rule):
    """The items stand next to each other, in any order among themselves.

    Attributes
    ----------
    items : tuple of int
        Two items or more.

    Examples
    --------
    >>> Together((0, 4))
    Together(items=(0, 4))
    """

    items: tuple[int, ...]

    def in_words(self) -> str:
        """Return the constraint in words."""
        return f"items {', '.join(map(str, self.items))} stand next to each other"

    def named_items(self) -> tuple[int, ...]:
        """Return the items."""
        return self.items

    def checked(self, n_items: int, where: str = "") -> Self:
        """Return it with at least two different items in range, or raise."""
        if not hasattr(self.items, "__iter__"):
            raise TypeError(f"items of Together must be a tuple of items; got {self}.")
        items = tuple(_index(i, n_items, "items", self, where) for i in self.items)
        if len(items) < 2 or len(set(items)) < len(items):
            raise ValueError(f"{self} must name at least two items, each once.")
        return type(self)(items)

    def renumbered(self, numbers: IntArray) -> Self:
        """Return it with new item numbers."""
        return type(self)(tuple(numbers[list(self.items)].tolist()))


OrderConstraint = Precedence | Window | FixedPosition | Together
GroupConstraint = Quota | AtMost | ExposureShare
Constraint = Union[OrderConstraint, GroupConstraint]  # noqa: UP007
PathConstraint = Union[OrderConstraint, Quota, AtMost]  # noqa: UP007
# Kinds that orderings accept, kinds that paths accept, kinds that assignments accept.
ORDER_KINDS: tuple[type, ...] = get_args(OrderConstraint)
PATH_KINDS: tuple[type, ...] = (*ORDER_KINDS, Quota, AtMost)
ASSIGNMENT_KINDS: tuple[type, ...] = (*ORDER_KINDS, *get_args(GroupConstraint))


def explain_conflict(
    solution: Solution, attributes: Mapping[str, ArrayLike] | None = None
) -> str:
    """Explain in words why no order keeps the constraints.

    Parameters
    ----------
    solution : Solution
        An INFEASIBLE solution, as returned by a solver.
    attributes : mapping of str to array-like of shape (n_items,), default=None
        If given, the sizes of the groups and the values of the items that the conflict
        names are added.

    Returns
    -------
    words : str
        One line for each constraint of ``solution.conflict``.

    Raises
    ------
    ValueError
        If the solution is not INFEASIBLE, or ``attributes`` lack one that a constraint
        of the conflict names.

    Examples
    --------
    >>> from ltr.solvers import solve_assignment
    >>> solution = solve_assignment(
    ...     [3, 2, 1],
    ...     constraints=[Quota("group", "b", lower=1, top=1), FixedPosition(0, 0)],
    ...     attributes={"group": ["a", "b", "b"]},
    ... )
    >>> print(explain_conflict(solution))
    No order keeps these 2 constraints together, but one can keep any 1 of them:
    - at least 1 item with group 'b' among the first 1
    - item 0 is at position 0
    """
    if solution.status is not Status.INFEASIBLE:
        raise ValueError(
            "solution must be INFEASIBLE to have a conflict; got status "
            f"{solution.status.value}."
        )
    conflict = solution.conflict
    if not conflict:
        return "No order is possible: too many entries are -inf, which forbids them."
    if len(conflict) == 1:
        first = "No order keeps this constraint:"
    else:
        first = (
            f"No order keeps these {len(conflict)} constraints together, but one can "
            f"keep any {len(conflict) - 1} of them:"
        )
    lines = [f"- {constraint.in_words()}" for constraint in conflict]
    facts = [] if attributes is None else _facts(conflict, attributes)
    return "\n".join([first, *lines, *facts])


def _facts(conflict: tuple[Any, ...], attributes: Mapping[str, ArrayLike]) -> list[str]:
    """Sizes of the groups that are named, and the values that named items have."""
    items = [item for constraint in conflict for item in constraint.named_items()]
    check_rows({f"attributes[{name!r}]": v for name, v in attributes.items()})
    facts = []
    for constraint in conflict:
        if not isinstance(constraint, GroupConstraint):
            continue
        name = constraint.attribute
        if name not in attributes:
            raise ValueError(
                f"attributes must have {name!r}, to which the conflict refers. Pass "
                f"attributes={{{name!r}: one value per item}}, or none at all."
            )
        values = read_column(attributes[name]).tolist()
        facts.append(constraint.fact(values))
        if items:
            named = [f"item {i} has {values[i]!r}" for i in dict.fromkeys(items)]
            facts.append(f"({name}: {', '.join(named)}.)")
    return list(dict.fromkeys(facts))


def _index(
    value: Any, n_items: int, name: str, constraint: Rule, where: str = ""
) -> int:
    try:
        index = operator.index(value)
    except TypeError as error:
        raise TypeError(
            f"{name} must be integers; got {value!r} in {constraint}."
        ) from error
    if not 0 <= index < n_items:
        raise ValueError(
            f"{name} must be in 0, …, {n_items - 1}{where}; got {index} in "
            f"{constraint}."
        )
    return index


__all__ = [
    "ASSIGNMENT_KINDS",
    "ORDER_KINDS",
    "PATH_KINDS",
    "AtMost",
    "Constraint",
    "ExposureShare",
    "FixedPosition",
    "GroupConstraint",
    "OrderConstraint",
    "PathConstraint",
    "Precedence",
    "Quota",
    "Rule",
    "Together",
    "Window",
    "explain_conflict",
    "within",
]
