"""Constraints on orders, reduced to the basic kinds that the methods read."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ltr.queries import BoolArray, IntArray
from ltr.solvers.core.attributes import Attributes
from ltr.solvers.core.constraints import Constraint, Precedence, Together, Window
from ltr.solvers.core.groups import Group, GroupBounds


@dataclass(frozen=True)
class OrderRules:
    """The basic constraints that the constraints of a problem amount to, by kind.

    Attributes
    ----------
    precedences : tuple of Precedence
        Pairs of items, one somewhere before the other.
    windows : tuple of Window
        Items with a range of positions.
    together : tuple of Together
        Groups of items that stand next to each other.
    groups : tuple of GroupBounds
        Groups of items, with bounds on their number in prefixes and windows.
    """

    precedences: tuple[Precedence, ...] = ()
    windows: tuple[Window, ...] = ()
    together: tuple[Together, ...] = ()
    groups: tuple[GroupBounds, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether every order keeps them."""
        return not (self.precedences or self.windows or self.together or self.groups)

    @property
    def has_positions(self) -> bool:
        """Whether they may confine items to some positions."""
        return bool(self.windows or self.groups)

    @property
    def is_local(self) -> bool:
        """Whether prefixes and pairs of neighbors decide if an order keeps them."""
        return all(group.is_local for group in self.groups)

    def intervals(self, n_items: int) -> tuple[IntArray, IntArray]:
        """Return the first and the last position of each item, by windows and groups.

        An item whose windows have no position in common has none: last < first.
        """
        first, last = intervals(self.windows, n_items)
        for group in self.groups:
            is_in = np.zeros(n_items, dtype=bool)
            is_in[list(group.items)] = True
            for members, (low, high) in zip(
                (is_in, ~is_in), group.intervals(), strict=True
            ):
                first[members] = np.maximum(first[members], low)
                last[members] = np.minimum(last[members], high)
        return first, last

    def before(self, n_items: int) -> BoolArray:
        """Return which item must come before which, shape (n_items, n_items).

        The transitive closure of the precedences (Warshall, 1962); if they contradict
        each other, its diagonal is not all False. An item outside of a group that
        stands together comes before, or after, all of its items.
        """
        before = np.zeros((n_items, n_items), dtype=bool)
        for precedence in self.precedences:
            before[precedence.before, precedence.after] = True
        n_pairs = -1
        while n_pairs < (n_pairs := int(before.sum())):
            for k in np.flatnonzero(before.any(axis=0) & before.any(axis=1)).tolist():
                before |= before[:, k, None] & before[k]
            for group in self.together if n_pairs else ():
                inside = np.zeros(n_items, dtype=bool)
                inside[list(group.items)] = True
                later = before[inside].any(axis=0) & ~inside
                earlier = before[:, inside].any(axis=1) & ~inside
                before |= inside[:, None] & later
                before |= earlier[:, None] & inside
            if not self.together:
                break
        return before


def intervals(windows: Iterable[Window], n_items: int) -> tuple[IntArray, IntArray]:
    """Intersect the windows of each item; see :meth:`OrderRules.intervals`.

    Examples
    --------
    >>> first, last = intervals([Window(1, 1), Window(1, 0, 1)], 3)
    >>> first.tolist(), last.tolist()
    ([0, 1, 0], [2, 1, 2])
    """
    first, last = np.zeros(n_items, dtype=np.int64), np.full(n_items, n_items - 1)
    for window in windows:
        first[window.item] = max(first[window.item], window.first)
        last[window.item] = min(last[window.item], window.end(n_items))
    return first, last


_NO_RULES = OrderRules()


def basic_parts(constraints: Iterable[Constraint]) -> list[Constraint]:
    """Replace constraints by their parts until all are of a basic kind.

    Examples
    --------
    >>> from ltr.solvers import FixedPosition
    >>> basic_parts([FixedPosition(3, 0)])
    [Window(item=3, first=0, last=0)]
    """
    basic: list[Constraint] = []
    for constraint in constraints:
        parts = constraint.parts()
        basic += parts if parts == (constraint,) else basic_parts(parts)
    return basic


def order_rules(
    constraints: Iterable[Constraint],
    attributes: Attributes | None = None,
    n_items: int = 0,
) -> OrderRules:
    """Sort the parts of constraints by kind.

    Parameters
    ----------
    constraints : iterable of constraints
        What the order must keep.
    attributes : Attributes, default=None
        Attributes of the items. None: constraints on groups are left out.
    n_items : int, default=0
        Length of the order; read only with attributes.

    Examples
    --------
    >>> order_rules([Together((0, 1)), Precedence(2, 0)]).precedences
    (Precedence(before=2, after=0),)
    """
    constraints = tuple(constraints)
    if not constraints:
        return _NO_RULES
    parts = basic_parts(constraints)
    return OrderRules(
        tuple(part for part in parts if isinstance(part, Precedence)),
        tuple(part for part in parts if isinstance(part, Window)),
        tuple(part for part in parts if isinstance(part, Together)),
        () if attributes is None else group_bounds(parts, attributes, n_items),
    )


def group_bounds(
    parts: Iterable[Constraint], attributes: Attributes, n_items: int
) -> tuple[GroupBounds, ...]:
    """Return the bounds of basic constraints on groups, one for each set of members.

    Examples
    --------
    >>> from ltr.solvers import AtMost, Quota
    >>> group = Attributes({"seller": ["x", "y", "x"]}, 3)
    >>> group_bounds([Quota("seller", "x", upper=1, top=2)], group, 3)[0].lower
    (0, 0, 1, 2)
    >>> group_bounds([AtMost("seller", 1, window=2)], group, 3)[0].windows
    (Stretch(limit=1, length=2, top=3),)
    """
    groups: dict[bytes, Group] = {}
    for part in parts:
        for group in part.groups(attributes, n_items):
            key = group.members.tobytes()
            groups[key] = groups[key].intersect(group) if key in groups else group
    bounds = [GroupBounds.of(group) for group in groups.values()]
    return tuple(group for group in bounds if not group.is_trivial)
