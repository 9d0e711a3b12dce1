"""Constraints on groups of items: quotas, caps and shares of the exposure.

A group is the set of items that share a value of an attribute; an item whose value is
missing (None, NaN, NA) belongs to no group.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ltr.arguments import ArgumentError, check_number, check_whole
from ltr.queries import is_missing
from ltr.solvers.core.groups import Group, Share, Stretch, prefix_bounds
from ltr.solvers.core.rule import Rule

if TYPE_CHECKING:
    from ltr.solvers.core.attributes import Attributes


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
        …; longer prefixes are free. :func:`fair_minimums` computes such numbers.
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

    def groups(self, attributes: Attributes, k: int) -> list[Group]:
        """Return the group with its bounds on prefixes."""
        members = attributes.members(self.attribute, self.value)
        lower, upper = prefix_bounds(
            k,
            lower=self.lower,
            upper=self.upper,
            min_share=self.min_share,
            max_share=self.max_share,
            top=self.top,
        )
        return [Group(members, lower, upper)]

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
        Count in any ``window`` consecutive positions among these. None: in all.

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

    def groups(self, attributes: Attributes, k: int) -> list[Group]:
        """Return the group of each value that more than ``count`` items share."""
        end = k if self.top is None else min(self.top, k)
        upper = np.arange(k + 1)
        windows: tuple[Stretch, ...] = ()
        if self.window is None or self.window >= end:
            upper[: end + 1] = np.minimum(upper[: end + 1], self.count)
        else:
            windows = (Stretch(self.count, self.window, end),)
        lower = np.zeros(k + 1, dtype=np.int64)
        return [
            Group(members, lower, upper, windows)
            for members in attributes.larger_groups(self.attribute, self.count)
        ]

    def fact(self, values: list[Any]) -> str:
        """Return the number of different values, given each item's value."""
        n_values = len({value for value in values if not is_missing(value)})
        return f"({len(values)} items have {n_values} values of {self.attribute}.)"


@dataclass(frozen=True)
class ExposureShare(Rule):
    """Bounds on a group's share of the exposure, the sum of all discounts.

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

    def groups(self, attributes: Attributes, k: int) -> list[Group]:
        """Return the group with its share of the exposure."""
        members = attributes.members(self.attribute, self.value)
        share = Share(float(self.lower), float(self.upper))
        return [replace(Group.free(members, k), shares=(share,))]

    def fact(self, values: list[Any]) -> str:
        """Return the size of the group, given each item's value."""
        return _group_size(self, values)


def _group_size(group: Quota | ExposureShare, values: list[Any]) -> str:
    n_members = sum(bool(value == group.value) for value in values)
    name = f"{group.attribute} {group.value!r}"
    return f"({n_members} of the {len(values)} items have {name}.)"


def _first(top: int) -> str:
    return f"among the first {top}"


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
