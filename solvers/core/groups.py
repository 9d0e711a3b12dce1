"""Groups of items, with bounds on their members in prefixes and windows."""

from __future__ import annotations

from dataclasses import dataclass
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
