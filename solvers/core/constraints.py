"""Constraints on an order: small frozen values that say what must hold.

Items are row numbers of the matrix, positions are 0-based: position 0 is the best. A
group is the items whose attribute has one value; an item whose value is missing (None,
NaN, NA) belongs to none.

A new kind of constraint is a subclass of :class:`Rule` that is added to one of the
unions below. If it can be stated by existing kinds, :meth:`Rule.parts` is all that the
solvers need to know about it.
"""

import operator
from collections.abc import Hashable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self, Union, get_args

from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_number, check_whole
from ltr.queries import IntArray, is_missing
from ltr.solvers.core.attributes import read_column
from ltr.solvers.core.solution import Solution, Status


class Rule:
    """What every constraint can do."""

    def in_words(self) -> str:
        """Return the constraint as a sentence without a full stop."""
        raise NotImplementedError

    def parts(self) -> "tuple[Constraint, ...]":
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
class FixedPosition(Rule):
    """Item ``item`` is at ``position``.

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


@dataclass(frozen=True)
class Quota(Rule):
    """Bounds on the number of items of one group in the first positions.

    Attributes
    ----------
    attribute : str
        Name of the attribute.
    value : object
        Its value for the items of the group.
    lower, upper : int or tuple of int, default=0 and None
        Least and greatest number among the first ``top``. A tuple or array (c₁, c₂, …)
        has one number for each prefix: c₁ for the first position, c₂ for the first two,
        …; longer prefixes are free. :func:`fair_minimums` makes such numbers.
    min_share, max_share : float, default=0 and 1
        Among the first t, at least ⌊min_share · t⌋ and at most ⌈max_share · t⌉ items,
        for each t up to ``top`` (Geyik, Ambler, Kenthapadi 2019, equations 1 and 2).
    top : int, default=None
        Length of the prefix. None, or more than there are positions: all positions.

    Examples
    --------
    >>> Quota("group", "b", lower=2, top=5).in_words()
    "at least 2 items with group 'b' among the first 5"
    >>> Quota("group", "b", min_share=0.3).in_words()
    "at least 30 % of every prefix, rounded down, are items with group 'b'"
    """

    attribute: str
    value: Any
    _: KW_ONLY
    lower: int | tuple[int, ...] = 0
    upper: int | tuple[int, ...] | None = None
    min_share: float = 0.0
    max_share: float = 1.0
    top: int | None = None

    def __post_init__(self) -> None:
        for name in ("lower", "upper"):
            count = getattr(self, name)
            label, optional = f"{name} of Quota", name == "upper"
            if hasattr(count, "__len__"):
                count = tuple(check_whole(label, entry, low=0) for entry in count)
            else:
                count = check_whole(label, count, low=0, optional=optional)
            object.__setattr__(self, name, count)
        _check_value("Quota", self.value)
        _check_shares("Quota", "min_share", self.min_share, "max_share", self.max_share)
        check_whole("top of Quota", self.top, low=1, optional=True)
        counts_are_free = self.lower == 0 and self.upper is None
        if counts_are_free and self.min_share == 0 and self.max_share == 1:
            raise ValueError(
                "Quota must have a lower, upper, min_share or max_share; got "
                f"{self}, which every order keeps."
            )

    def in_words(self) -> str:
        """Return the constraint in words."""
        group = f"with {self.attribute} {self.value!r}"
        upto = "every prefix" if self.top is None else f"every prefix up to {self.top}"
        parts = []
        for bound, count in (("least", self.lower), ("most", self.upper)):
            if isinstance(count, tuple):
                counts = ", ".join(map(str, count))
                parts.append(
                    f"at {bound} {counts} items {group} among the first 1, 2, … "
                    "positions"
                )
            elif count is not None and not (bound == "least" and count == 0):
                items = "item" if count == 1 else "items"
                where = "in the list" if self.top is None else _first(self.top)
                parts.append(f"at {bound} {count} {items} {group} {where}")
        if self.min_share > 0:
            share = f"{100 * self.min_share:g} % of {upto}, rounded down,"
            parts.append(f"at least {share} are items {group}")
        if self.max_share < 1:
            share = f"{100 * self.max_share:g} % of {upto}, rounded up,"
            parts.append(f"at most {share} are items {group}")
        return " and ".join(parts)

    def fact(self, values: list[Any]) -> str:
        """Return the size of the group, given each item's value."""
        return _group_size(self, values)


@dataclass(frozen=True)
class AtMost(Rule):
    """A cap on the items that share a value: one seller, one artist, one topic.

    Attributes
    ----------
    attribute : str
        Name of the attribute.
    count : int
        Greatest number of items that share one value of it.
    top : int, default=None
        Count among the first ``top`` positions. None: among all.
    window : int, default=None
        Count in any ``window`` consecutive positions of these. None: in all of them.

    Examples
    --------
    >>> AtMost("seller", 2, top=10).in_words()
    'at most 2 items of one seller among the first 10'
    >>> AtMost("artist", 1, window=3).in_words()
    'at most 1 item of one artist in any 3 consecutive positions'
    """

    attribute: str
    count: int
    _: KW_ONLY
    top: int | None = None
    window: int | None = None

    def __post_init__(self) -> None:
        count = check_whole("count of AtMost", self.count, low=0)
        object.__setattr__(self, "count", count)
        check_whole("top of AtMost", self.top, low=1, optional=True)
        check_whole("window of AtMost", self.window, low=1, optional=True)

    def in_words(self) -> str:
        """Return the constraint in words."""
        items = "item" if self.count == 1 else "items"
        words = f"at most {self.count} {items} of one {self.attribute}"
        if self.window is not None:
            words += f" in any {self.window} consecutive positions"
        if self.top is not None:
            return f"{words} {_first(self.top)}"
        return words if self.window is not None else f"{words} in the list"

    def fact(self, values: list[Any]) -> str:
        """Return the number of different values, given each item's value."""
        n_values = len({value for value in values if not is_missing(value)})
        return f"({len(values)} items have {n_values} values of {self.attribute}.)"


@dataclass(frozen=True)
class ExposureShare(Rule):
    """Bounds on a group's share of the exposure: its discounts over the sum of all.

    Attributes
    ----------
    attribute : str
        Name of the attribute.
    value : object
        Its value for the items of the group.
    lower, upper : float, default=0 and 1
        Least and greatest share, kept to within 1e-6.

    Examples
    --------
    >>> ExposureShare("group", "b", lower=0.4).in_words()
    "items with group 'b' get at least 40 % of the exposure"
    """

    attribute: str
    value: Any
    _: KW_ONLY
    lower: float = 0.0
    upper: float = 1.0

    def __post_init__(self) -> None:
        _check_value("ExposureShare", self.value)
        _check_shares("ExposureShare", "lower", self.lower, "upper", self.upper)

    def in_words(self) -> str:
        """Return the constraint in words."""
        parts = []
        if self.lower > 0 or self.upper == 1:
            parts.append(f"at least {100 * self.lower:g} %")
        if self.upper < 1:
            parts.append(f"at most {100 * self.upper:g} %")
        get = f"items with {self.attribute} {self.value!r} get"
        return f"{get} {' and '.join(parts)} of the exposure"

    def fact(self, values: list[Any]) -> str:
        """Return the size of the group, given each item's value."""
        return _group_size(self, values)


OrderConstraint = Precedence | FixedPosition | Together
GroupConstraint = Quota | AtMost | ExposureShare
Constraint = Union[OrderConstraint, GroupConstraint]  # noqa: UP007
# What paths and orderings take, and what assignments take.
ORDER_KINDS: tuple[type, ...] = get_args(OrderConstraint)
ASSIGNMENT_KINDS: tuple[type, ...] = (
    Precedence,
    FixedPosition,
    *get_args(GroupConstraint),
)


def explain_conflict(
    solution: Solution, attributes: Mapping[str, ArrayLike] | None = None
) -> str:
    """Explain in words why no order keeps the constraints.

    Parameters
    ----------
    solution : Solution
        What a solver returned.
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


def _group_size(group: Quota | ExposureShare, values: list[Any]) -> str:
    n_members = sum(bool(value == group.value) for value in values)
    name = f"{group.attribute} {group.value!r}"
    return f"({n_members} of the {len(values)} items have {name}.)"


def _first(top: int) -> str:
    return f"among the first {top}"


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


def _check_value(kind: str, value: Any) -> None:
    if not isinstance(value, Hashable):
        raise TypeError(
            f"value of {kind} must be one value of the attribute; got {value!r}. Write "
            f"one {kind} for each value."
        )


def _check_shares(
    kind: str, low_name: str, low: Any, high_name: str, high: Any
) -> None:
    check_number(f"{low_name} of {kind}", low, low=0, high=1)
    check_number(f"{high_name} of {kind}", high, low=0, high=1)
    if low > high:
        raise ArgumentError(
            f"{low_name} of {kind} must be at most {high_name}; got {low!r} and "
            f"{high!r}."
        )
