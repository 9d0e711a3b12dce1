"""Constraints on an order, as small values that say what must hold.

Items are row numbers of the matrix, positions are 0-based: position 0 is the best. A
group is the items whose attribute has one value; an item whose value is None or NaN
belongs to none.
"""

import numbers
from collections.abc import Hashable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.solvers.core.attributes import is_missing, read_column
from ltr.solvers.core.solution import Solution


@dataclass(frozen=True)
class Precedence:
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
        """Say what must hold."""
        return f"item {self.before} comes before item {self.after}"


@dataclass(frozen=True)
class FixedPosition:
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
        """Say what must hold."""
        return f"item {self.item} is at position {self.position}"


@dataclass(frozen=True)
class Together:
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
        """Say what must hold."""
        return f"items {', '.join(map(str, self.items))} stand next to each other"


@dataclass(frozen=True)
class Quota:
    """So many items of one group, at least and at most, are among the first ones.

    Attributes
    ----------
    attribute : str
        Which attribute.
    value : object
        Which of its values: the group.
    lower, upper : int or tuple of int, default=0 and None
        Least and greatest number among the first ``top``. A tuple or array (c₁, c₂, …)
        is one number for each prefix: c₁ for the first position, c₂ for the first two,
        …; prefixes after its end are free. :func:`fair_minimums` makes such numbers.
    min_share, max_share : float, default=0 and 1
        Among the first t, at least ⌊min_share · t⌋ and at most ⌈max_share · t⌉ items,
        for each t up to ``top`` (Geyik, Ambler, Kenthapadi 2019, equations 1 and 2).
    top : int, default=None
        Which prefix. None, or more than there are positions: all positions.

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
            if hasattr(count, "__len__"):
                count = tuple(_count(entry, f"{name} of Quota") for entry in count)
            elif not (name == "upper" and count is None):
                count = _count(count, f"{name} of Quota")
            object.__setattr__(self, name, count)
        _check_value("Quota", self.value)
        _check_shares("Quota", "min_share", self.min_share, "max_share", self.max_share)
        if self.top is not None:
            _count(self.top, "top of Quota", least=1)
        if _is_free(self):
            raise ValueError(
                "Quota must have a lower, upper, min_share or max_share; got "
                f"{self}, which every order keeps."
            )

    def in_words(self) -> str:
        """Say what must hold."""
        group = f"with {self.attribute} {self.value!r}"
        upto = "every prefix" if self.top is None else f"every prefix up to {self.top}"
        parts = []
        for bound, count in (("least", self.lower), ("most", self.upper)):
            if isinstance(count, tuple):
                counts = ", ".join(map(str, count))
                parts.append(
                    f"at {bound} {counts} items {group} among the first 1, 2, … (so "
                    "many for each prefix)"
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


@dataclass(frozen=True)
class AtMost:
    """At most so many items of each value: of one seller, one artist, one topic.

    Attributes
    ----------
    attribute : str
        Which attribute.
    count : int
        Greatest number of items that share one value of it.
    top : int, default=None
        Among the first ``top`` positions. None: among all.
    window : int, default=None
        Instead of among all of these, among any ``window`` consecutive ones.

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
        object.__setattr__(self, "count", _count(self.count, "count of AtMost"))
        for name in ("top", "window"):
            if getattr(self, name) is not None:
                _count(getattr(self, name), f"{name} of AtMost", least=1)

    def in_words(self) -> str:
        """Say what must hold."""
        items = "item" if self.count == 1 else "items"
        words = f"at most {self.count} {items} of one {self.attribute}"
        if self.window is not None:
            words += f" in any {self.window} consecutive positions"
        if self.top is not None:
            return f"{words} {_first(self.top)}"
        return words if self.window is not None else f"{words} in the list"


@dataclass(frozen=True)
class ExposureShare:
    """A group's share of the exposure: the sum of its discounts over that of all.

    Attributes
    ----------
    attribute : str
        Which attribute.
    value : object
        Which of its values: the group.
    lower, upper : float, default=0 and 1
        Least and greatest share. It is kept to within 1e-6.

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
        """Say what must hold."""
        parts = []
        if self.lower > 0 or self.upper == 1:
            parts.append(f"at least {100 * self.lower:g} %")
        if self.upper < 1:
            parts.append(f"at most {100 * self.upper:g} %")
        get = f"items with {self.attribute} {self.value!r} get"
        return f"{get} {' and '.join(parts)} of the exposure"


def explain_conflict(
    solution: Solution, attributes: Mapping[str, ArrayLike] | None = None
) -> str:
    """Say in words why there is no order.

    Parameters
    ----------
    solution : Solution
        What a solver returned.
    attributes : mapping of str to array-like of shape (n_items,), default=None
        If given, groups that are named are counted, and the values of named items said.

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
    if solution.status != "INFEASIBLE":
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
    items: list[int] = []
    for constraint in conflict:
        if isinstance(constraint, FixedPosition):
            items.append(constraint.item)
        elif isinstance(constraint, Precedence):
            items += [constraint.before, constraint.after]
    facts = []
    for constraint in conflict:
        if not isinstance(constraint, (Quota, AtMost, ExposureShare)):
            continue
        name = constraint.attribute
        if name not in attributes:
            raise ValueError(
                f"attributes must have {name!r}, of which the conflict speaks. Pass "
                f"attributes={{{name!r}: one value per item}}, or none at all."
            )
        values = read_column(attributes[name]).tolist()
        if isinstance(constraint, AtMost):
            n_values = len({value for value in values if not is_missing(value)})
            facts.append(f"({len(values)} items have {n_values} values of {name}.)")
        else:
            n_members = sum(bool(value == constraint.value) for value in values)
            group = f"{name} {constraint.value!r}"
            facts.append(f"({n_members} of the {len(values)} items have {group}.)")
        if items:
            named = [f"item {i} has {values[i]!r}" for i in dict.fromkeys(items)]
            facts.append(f"({name}: {', '.join(named)}.)")
    return list(dict.fromkeys(facts))


def _first(top: int) -> str:
    return f"among the first {top}"


def _count(value: Any, name: str, least: int = 0) -> int:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number >= {least}; got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be a whole number >= {least}; got {value!r}.")
    return int(value)


def _check_value(kind: str, value: Any) -> None:
    if not isinstance(value, Hashable):
        raise TypeError(
            f"value of {kind} must be one value of the attribute; got {value!r}. Write "
            f"one {kind} for each value."
        )


def _check_shares(
    kind: str, low_name: str, low: Any, high_name: str, high: Any
) -> None:
    for name, share in ((low_name, low), (high_name, high)):
        if not isinstance(share, (int, float, np.number)) or isinstance(share, bool):
            raise TypeError(f"{name} of {kind} must be in [0, 1]; got {share!r}.")
        if not 0 <= share <= 1:
            raise ValueError(f"{name} of {kind} must be in [0, 1]; got {share!r}.")
    if low > high:
        raise ValueError(
            f"{low_name} of {kind} must be at most {high_name}; got {low!r} and "
            f"{high!r}."
        )


def _is_free(quota: Quota) -> bool:
    counts = quota.lower == 0 and quota.upper is None
    return counts and quota.min_share == 0 and quota.max_share == 1
