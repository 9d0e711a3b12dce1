"""Items × positions under constraints, checked and compiled to arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_whole
from ltr.queries import FloatArray, IntArray
from ltr.solvers.core.attributes import Attributes
from ltr.solvers.core.constraints import (
    ASSIGNMENT_KINDS,
    Constraint,
    FixedPosition,
    Precedence,
)
from ltr.solvers.core.groups import Group
from ltr.solvers.core.inputs import (
    check_entries,
    check_order_constraints,
    check_sense,
    check_size,
    to_array,
)
from ltr.solvers.core.order_rules import basic_parts, intervals, order_rules
from ltr.solvers.core.tolerance import are_whole, tolerance


@dataclass(frozen=True, eq=False)
class Gains:
    """The gain of each item at each position.

    Attributes
    ----------
    scores : float array of shape (n_items,) or None
        Item i gains scores[i] · discount[t] at position t. None: matrix[i, t].
    discount : float array of shape (k,)
        Exposure of each position, ≥ 0 and nonincreasing.
    matrix : float array of shape (n_items, k) or None
        -inf forbids an entry. None if there are scores.
    fixed : tuple of (position, item)
        Slots that constraints fix.
    """

    scores: FloatArray | None
    discount: FloatArray
    matrix: FloatArray | None
    fixed: tuple[tuple[int, int], ...] = ()

    @property
    def n_items(self) -> int:
        """Number of items."""
        rows = self.matrix if self.scores is None else self.scores
        assert rows is not None
        return len(rows)

    @property
    def k(self) -> int:
        """Number of positions."""
        return len(self.discount)

    @property
    def exposure(self) -> float:
        """Sum of the discounts, used as a divisor; 1 if all are 0."""
        return float(self.discount.sum()) or 1.0

    def rows(self, items: IntArray) -> FloatArray:
        """Gains of items at every position, shape (len(items), k)."""
        if self.scores is not None:
            return np.outer(self.scores[items], self.discount)
        assert self.matrix is not None
        return self.matrix[items]

    def value(self, order: IntArray) -> float:
        """Objective of an order: the sum of its gains."""
        if self.scores is not None:
            return float(self.scores[order] @ self.discount)
        assert self.matrix is not None
        return float(self.matrix[order, np.arange(len(order))].sum())

    def terms(self, order: IntArray) -> FloatArray:
        """Gain of each item of an order at its position."""
        if self.scores is not None:
            return self.scores[order] * self.discount[: len(order)]
        assert self.matrix is not None
        return self.matrix[order, np.arange(len(order))]

    @cached_property
    def greatest(self) -> FloatArray:
        """Greatest gain at each position, shape (k,); 0 if no item may stand there.

        A fixed slot has one item, which stands nowhere else.
        """
        is_free = np.ones(self.n_items, dtype=bool)
        is_free[[item for _, item in self.fixed]] = False
        if self.scores is not None:
            free = self.scores[is_free]
            greatest = (free.max() if len(free) else 0.0) * self.discount
        else:
            assert self.matrix is not None
            greatest = self.matrix[is_free].max(axis=0, initial=-np.inf)
        for position, item in self.fixed:
            greatest[position] = self.rows(np.array([item]))[0, position]
        return np.where(np.isfinite(greatest), greatest, 0.0)

    def losses(self, items: IntArray) -> FloatArray:
        """What each item loses at each position to the greatest gain there.

        An order fills all positions, so its value is the sum of the greatest gains less
        the sum of its losses. Losses are >= 0: that of an order has no rounding from
        entries that it does not use. Shape (len(items), k); inf where forbidden.
        """
        return self.greatest - self.rows(items)

    def loss(self, order: IntArray) -> float:
        """What an order loses to the greatest gain at each position."""
        return float((self.greatest - self.terms(order)).sum())

    def as_zeros(self) -> Gains:
        """The same entries forbidden, and no gains."""
        if self.scores is not None:
            return replace(self, scores=np.zeros_like(self.scores), fixed=())
        assert self.matrix is not None
        zeros = np.where(np.isfinite(self.matrix), 0.0, -np.inf)
        return replace(self, matrix=zeros, fixed=())

    @cached_property
    def is_whole(self) -> bool:
        """Whether all gains are integers."""
        return self.matrix is not None and are_whole(self.matrix)

    def tolerance(self, order: IntArray) -> float:
        """Greatest gap that proves an order.

        Another one that may be better loses less.
        """
        return tolerance(
            self.terms(order), self.k * self.loss(order), is_whole=self.is_whole
        )


@dataclass(frozen=True, eq=False)
class Rules:
    """The constraints of one list, compiled.

    Attributes
    ----------
    fixed : dict of position to item
        Fixed slots.
    groups : tuple of Group
        One for each set of members, all its bounds combined.
    precedences : tuple of Precedence
        Pairs of items.
    clash : bool
        Whether fixed slots contradict each other or a gain of -inf, or the windows of
        an item have no position in common.
    windows : dict of item to (first, last)
        Positions that an item may have, if not all; it may stay unplaced if
        last = k, and must if first = k.
    together : tuple of tuple of int
        Groups of items that stand next to each other, or are all unplaced.
    """

    fixed: dict[int, int]
    groups: tuple[Group, ...]
    precedences: tuple[Precedence, ...]
    clash: bool
    windows: dict[int, tuple[int, int]] = field(default_factory=dict)
    together: tuple[tuple[int, ...], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether every order keeps them."""
        has_slots = self.fixed or self.windows or self.clash
        return self.is_simple and not (has_slots or self.groups)

    @property
    def is_simple(self) -> bool:
        """Whether there are no precedences and no groups that stand together."""
        return not (self.precedences or self.together)

    def named_items(self) -> set[int]:
        """Items that a constraint other than on groups tells from others."""
        pairs = {i for pair in self.precedences for i in (pair.before, pair.after)}
        inside = {item for items in self.together for item in items}
        return pairs | inside | set(self.fixed.values()) | set(self.windows)


def check_gains(
    gain: ArrayLike, k: int | None, discount: ArrayLike | None, sense: str = "max"
) -> Gains:
    """Check the gains that ``solve_assignment`` maximizes; of costs, the negatives.

    Raises
    ------
    ValueError
        If a shape is wrong, a score is not finite, or the discount is negative or
        increases.

    Examples
    --------
    >>> check_gains([3.0, 1.0], None, None).discount.round(3).tolist()
    [1.0, 0.631]
    """
    check_sense(sense)
    array = to_array(gain, "gain must be an array of numbers")
    if array.ndim not in (1, 2):
        raise ValueError(
            "gain must be scores of shape (n_items,) or a matrix of shape (n_items, "
            f"n_positions); got shape {array.shape}."
        )
    limit = min(array.shape)
    if k is None:
        k = limit if array.ndim == 1 else array.shape[1]
    k = check_whole("k", k, low=0)
    if k > limit:
        sizes = " × ".join(map(str, array.shape))
        axes = "items" if array.ndim == 1 else "items × positions"
        raise ValueError(
            f"k must be at most {limit}, as there are {sizes} {axes}; got {k}."
        )
    weights = check_discount(discount, k)
    if array.ndim == 2:
        matrix = check_entries(array, "gain", sense=sense)[:, :k]
        return Gains(None, weights, matrix)
    if not np.isfinite(array).all():
        row = int((~np.isfinite(array)).argmax())
        raise ValueError(
            f"gain must be finite if it is one score per item; got {array[row]} at "
            f"[{row}]. Leave that item out, or pass a matrix with "
            f"{'-inf' if sense == 'max' else 'inf'} at the positions that are "
            "forbidden."
        )
    check_size(array, "gain", factor=float(weights.max(initial=1.0)))
    return Gains(array if sense == "max" else 0.0 - array, weights, None)


def check_discount(discount: ArrayLike | None, k: int) -> FloatArray:
    """Return the exposure of the first k positions; None: 1 / log2(1 + rank).

    Examples
    --------
    >>> check_discount([1.0, 0.5, 0.0], 2).tolist()
    [1.0, 0.5]
    """
    if discount is None:
        return np.asarray(1 / np.log2(2.0 + np.arange(k)))
    weights = to_array(discount, "discount must be one number per position")
    if weights.ndim != 1 or len(weights) < k:
        raise ValueError(
            f"discount must have one number for each of the {k} positions; got shape "
            f"{weights.shape}."
        )
    weights = weights[:k]
    is_wrong = ~np.isfinite(weights) | (weights < 0)
    is_wrong[1:] |= weights[1:] > weights[:-1]
    if is_wrong.any():
        position = int(is_wrong.argmax())
        raise ValueError(
            "discount must be finite, >= 0 and not increase from one position to the "
            f"next; got {weights[position]} at position {position}."
        )
    check_size(weights, "discount")
    return weights


def check_constraints(
    constraints: Iterable[Constraint], gains: Gains
) -> tuple[Constraint, ...]:
    """Return the constraints as a tuple, their items and positions checked.

    Examples
    --------
    >>> from ltr.solvers import AtMost
    >>> check_constraints([AtMost("seller", 1)], check_gains([1.0], None, None))
    (AtMost(attribute='seller', count=1, top=None, window=None),)
    """
    checked = check_order_constraints(
        constraints, gains.n_items, ASSIGNMENT_KINDS, "solve_assignment"
    )
    for slot in checked:
        if isinstance(slot, FixedPosition) and slot.position >= gains.k:
            raise ValueError(
                f"positions must be in 0, …, {gains.k - 1}; got {slot.position} in "
                f"{slot}."
            )
    return checked


def compile_rules(
    constraints: tuple[Constraint, ...], attributes: Attributes, gains: Gains
) -> Rules:
    """Compile constraints to arrays, combining those on the same members.

    Examples
    --------
    >>> from ltr.solvers import AtMost
    >>> gains = check_gains([3.0, 2.0, 1.0], None, None)
    >>> attributes = Attributes({"seller": ["x", "y", "x"]}, 3)
    >>> rules = compile_rules((AtMost("seller", 1, top=2),), attributes, gains)
    >>> [group.upper.tolist() for group in rules.groups]
    [[0, 1, 1, 3]]
    """
    order, k = order_rules(constraints), gains.k
    slots: dict[int, int] = {}
    windows: dict[int, tuple[int, int]] = {}
    clash = False
    first, last = intervals(order.windows, gains.n_items)
    for item in {window.item: None for window in order.windows}:
        # position k: unplaced
        earliest, latest = min(int(first[item]), k), min(int(last[item]), k)
        clash |= earliest > latest
        if earliest < latest or earliest == k:
            windows[item] = earliest, latest
            continue
        clash |= slots.get(earliest, item) != item
        if gains.matrix is not None:
            clash |= not np.isfinite(gains.matrix[item, earliest])
        slots[earliest] = item
    groups: dict[bytes, Group] = {}
    for part in basic_parts(constraints):
        for group in part.groups(attributes, gains.k):
            key = group.members.tobytes()
            groups[key] = groups[key].intersect(group) if key in groups else group
    together = tuple(group.items for group in order.together)
    return Rules(
        slots, tuple(groups.values()), order.precedences, clash, windows, together
    )
