"""Groups of items, with bounds on their members in prefixes and windows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray

# Shares of the exposure are kept to within this.
SHARE_TOLERANCE = 1e-6
# Guards ⌊p·t⌋ and ⌈p·t⌉ against 0.29 · 100 = 28.999999999999996.
ROUNDING = 1e-9


class Stretch(NamedTuple):
    """At most ``limit`` members in any ``length`` neighboring positions < ``top``."""

    limit: int
    length: int
    top: int


class Share(NamedTuple):
    """Least and greatest share of the exposure."""

    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Group:
    """A group, with bounds on the number of its members in each prefix.

    Attributes
    ----------
    members : bool array of shape (n_items,)
        Items of the group.
    lower, upper : int array of shape (k + 1,)
        Least and greatest number of members among the first 0, 1, …, k positions.
    windows : tuple of Stretch
        Bounds on members in consecutive positions.
    shares : tuple of Share
        Bounds on the members' share of the exposure.
    """

    members: BoolArray
    lower: IntArray
    upper: IntArray
    windows: tuple[Stretch, ...] = ()
    shares: tuple[Share, ...] = ()

    @classmethod
    def free(cls, members: BoolArray, k: int) -> Group:
        """Return a group without bounds on k positions."""
        return cls(members, np.zeros(k + 1, dtype=np.int64), np.arange(k + 1))

    @property
    def is_prefix_only(self) -> bool:
        """Whether only counts in prefixes are bounded."""
        return not self.windows and not self.shares

    def intersect(self, other: Group) -> Group:
        """Return a group with the bounds of both, which have the same members."""
        return Group(
            self.members,
            np.maximum(self.lower, other.lower),
            np.minimum(self.upper, other.upper),
            self.windows + other.windows,
            self.shares + other.shares,
        )

    def keeps(self, order: IntArray, discount: FloatArray) -> bool:
        """Whether an order keeps all bounds."""
        is_member = self.members[order]
        counts = np.concatenate([[0], np.cumsum(is_member)])
        if ((counts < self.lower) | (counts > self.upper)).any():
            return False
        for limit, length, top in self.windows:
            if (counts[length : top + 1] - counts[: top + 1 - length] > limit).any():
                return False
        share = discount @ is_member / (discount.sum() or 1.0)
        return all(
            lower - SHARE_TOLERANCE <= share <= upper + SHARE_TOLERANCE
            for lower, upper in self.shares
        )


@dataclass(frozen=True)
class GroupBounds:
    """Bounds on the members of a group in an order of all items; hashable.

    The bounds are tight: for each t and each number c between ``lower[t]`` and
    ``upper[t]`` some order has c members among its first t items and keeps the other
    prefix bounds of the group, unless no order does.

    Attributes
    ----------
    items : tuple of int
        Members of the group.
    lower, upper : tuple of int
        Least and greatest number of members among the first 0, 1, …, n items.
    windows : tuple of Stretch, default=()
        Bounds on members in neighboring positions; each could be broken.
    """

    items: tuple[int, ...]
    lower: tuple[int, ...]
    upper: tuple[int, ...]
    windows: tuple[Stretch, ...] = ()

    @classmethod
    def of(cls, group: Group) -> GroupBounds:
        """Tighten the bounds of a group in orders of all items.

        With N_t the number of members among the first t of n items, N_n = m is given
        and N_{t+1} - N_t is 0 or 1. So N_t is at least N_{t-1}, N_{t+1} - 1 and
        m - (n - t), and at most N_{t+1}, N_{t-1} + 1 and m.
        """
        n, m = len(group.members), int(group.members.sum())
        t = np.arange(n + 1)
        lower = np.maximum(group.lower, np.maximum(0, m - (n - t)))
        upper = np.minimum(group.upper, np.minimum(t, m))
        windows = []
        for stretch in group.windows:
            if not stretch.limit:
                upper[: stretch.top + 1] = 0
            elif stretch.limit < min(stretch.length, m):
                windows.append(stretch)
        # the greatest of earlier bounds, and of later ones with t - s steps in between
        lower = np.maximum.accumulate(lower)
        lower = np.maximum.accumulate((lower - t)[::-1])[::-1] + t
        upper = np.minimum.accumulate(upper[::-1])[::-1]
        upper = np.minimum.accumulate(upper - t) + t
        members = np.flatnonzero(group.members).tolist()
        bounds = tuple(lower.tolist()), tuple(upper.tolist())
        return cls(tuple(members), *bounds, tuple(dict.fromkeys(windows)))

    @cached_property
    def is_possible(self) -> bool:
        """Whether an order of all items can keep the prefix bounds."""
        return all(
            low <= high for low, high in zip(self.lower, self.upper, strict=True)
        )

    @cached_property
    def is_trivial(self) -> bool:
        """Whether every order keeps them."""
        n, m = len(self.lower) - 1, len(self.items)
        return not self.windows and all(
            low <= max(0, m - (n - t)) and high >= min(t, m)
            for t, (low, high) in enumerate(zip(self.lower, self.upper, strict=True))
        )

    @cached_property
    def narrow(self) -> tuple[int, ...]:
        """The prefixes whose bounds do not follow from those of their neighbors."""
        n, m = len(self.lower) - 1, len(self.items)
        low, high = self.lower, self.upper
        return tuple(
            t
            for t in range(1, n)
            if low[t] > max(0, m - (n - t), low[t - 1], low[t + 1] - 1)
            or high[t] < min(t, m, high[t + 1], high[t - 1] + 1)
        )

    @cached_property
    def pairs_apart(self) -> bool:
        """Whether no two members may be neighbors, anywhere."""
        n = len(self.lower) - 1
        return any(
            limit == 1 and length >= 2 and top >= n
            for limit, length, top in self.windows
        )

    @cached_property
    def is_local(self) -> bool:
        """Whether prefixes and pairs of neighbors decide if an order keeps them."""
        return all(
            length == 2 and top >= len(self.lower) - 1
            for _, length, top in self.windows
        )

    def intervals(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the first and the last position of members, and of other items.

        A member at position p needs N_{p+1} ≥ 1 and N_p ≤ m - 1.
        """
        n, m = len(self.lower) - 1, len(self.items)
        low, high = np.array(self.lower), np.array(self.upper)
        t = np.arange(n + 1)
        ends = []
        for fewest, most, size in ((low, high, m), (t - high, t - low, n - m)):
            can = np.flatnonzero((most[1:] >= 1) & (fewest[:-1] <= size - 1))
            ends.append((int(can[0]), int(can[-1])) if can.size else (n, -1))
        return ends[0], ends[1]


def prefix_bounds(
    k: int,
    *,
    lower: int | tuple[int, ...] = 0,
    upper: int | tuple[int, ...] | None = None,
    min_share: float = 0.0,
    max_share: float = 1.0,
    top: int | None = None,
) -> tuple[IntArray, IntArray]:
    """Return the bounds of a quota on the first 0, 1, …, k positions.

    The arguments are those of :class:`ltr.solvers.Quota`. A lower bound holds for all
    longer prefixes, too, and an upper bound for all shorter ones.

    Examples
    --------
    >>> least, most = prefix_bounds(4, min_share=0.5, upper=1)
    >>> least.tolist(), most.tolist()
    ([0, 0, 1, 1, 2], [0, 1, 1, 1, 1])
    """
    prefixes = np.arange(k + 1)
    least, most = np.zeros_like(prefixes), prefixes.copy()
    end = k if top is None else min(top, k)
    if isinstance(lower, tuple):
        counts = lower[:end]
        least[1 : len(counts) + 1] = counts
    else:
        least[end] = lower
    if isinstance(upper, tuple):
        counts = upper[:end]
        most[1 : len(counts) + 1] = np.minimum(most[1 : len(counts) + 1], counts)
    elif upper is not None:
        most[: end + 1] = np.minimum(most[: end + 1], upper)
    t = prefixes[: end + 1]
    floors = np.floor(min_share * t + ROUNDING).astype(np.int64)
    ceilings = np.ceil(max_share * t - ROUNDING).astype(np.int64)
    least[: end + 1] = np.maximum(least[: end + 1], floors)
    most[: end + 1] = np.minimum(most[: end + 1], ceilings)
    return np.maximum.accumulate(least), np.minimum.accumulate(most[::-1])[::-1]
