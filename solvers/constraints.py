"""Constraints on an order, as small values that say what must hold.

Items are row numbers of the matrix, positions are 0-based: position 0 is the best.
"""

from dataclasses import dataclass


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
