"""Items × positions with constraints, checked and compiled to arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import is_missing
from ltr.solvers.assignment.fair_prefixes import ROUNDING
from ltr.solvers.core.attributes import read_column
from ltr.solvers.core.constraints import (
    AtMost,
    ExposureShare,
    FixedPosition,
    Precedence,
    Quota,
)
from ltr.solvers.core.inputs import (
    GREATEST,
    check_entries,
    check_order_constraints,
    to_array,
)
from ltr.solvers.core.solution import TOLERANCE, BoolArray, FloatArray, IntArray

KINDS = (Precedence, FixedPosition, Quota, AtMost, ExposureShare)
# Exposure shares are kept to within this; DESIGN of ExposureShare.
SHARE_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Gains:
    """What each item gains at each position.

    Attributes
    ----------
    scores : float array of shape (n_items,) or None
        If the gain is score · discount; None: it is ``matrix``.
    discount : float array of shape (k,)
        Exposure of each position, ≥ 0 and not rising.
    matrix : float array of shape (n_items, k) or None
        -inf forbids an entry.
    """

    scores: FloatArray | None
    discount: FloatArray
    matrix: FloatArray | None

    @property
    def n_items(self) -> int:
        """Number of items."""
        found = self.matrix if self.scores is None else self.scores
        assert found is not None
        return len(found)

    @property
    def k(self) -> int:
        """Number of positions."""
        return len(self.discount)

    @property
    def exposure(self) -> float:
        """Sum of the discounts; 1 if they are all 0, to divide by."""
        return float(self.discount.sum()) or 1.0

    def rows(self, items: IntArray) -> FloatArray:
        """Gains of some items at every position, shape (len(items), k)."""
        if self.scores is not None:
            return np.outer(self.scores[items], self.discount)
        assert self.matrix is not None
        return self.matrix[items]

    def value(self, order: IntArray) -> float:
        """Sum of gains of an order."""
        if self.scores is not None:
            return float(self.scores[order] @ self.discount)
        assert self.matrix is not None
        return float(self.matrix[order, np.arange(len(order))].sum())

    def extremes(self) -> tuple[float, float]:
        """Least and greatest finite gain."""
        if not self.n_items or not self.k:
            return 0.0, 0.0
        if self.scores is not None:
            ends = [self.scores.min(), self.scores.max()]
            corners = np.outer(ends, self.discount[[0, -1]])
            return float(corners.min()), float(corners.max())
        assert self.matrix is not None
        finite = self.matrix[np.isfinite(self.matrix)]
        if not finite.size:
            return 0.0, 0.0
        return float(finite.min()), float(finite.max())

    @property
    def tolerance(self) -> float:
        """The gap that counts as a proof."""
        low, high = self.extremes()
        return TOLERANCE * self.k * (high - low)


@dataclass(frozen=True, eq=False)
class Group:
    """Items of which every prefix has so many.

    Attributes
    ----------
    members : bool array of shape (n_items,)
        Which.
    lower, upper : int array of shape (k + 1,)
        Least and greatest number among the first 0, 1, …, k positions.
    windows : tuple of (count, length, top)
        At most ``count`` in any ``length`` consecutive ones of the first ``top``.
    shares : tuple of (lower, upper)
        Bounds on the share of the exposure.
    """

    members: BoolArray
    lower: IntArray
    upper: IntArray
    windows: tuple[tuple[int, int, int], ...] = ()
    shares: tuple[tuple[float, float], ...] = ()

    @property
    def is_prefix_only(self) -> bool:
        """Whether only counts in prefixes are bounded."""
        return not self.windows and not self.shares

    def keeps(self, order: IntArray, discount: FloatArray) -> bool:
        """Whether an order has as many members as it must, wherever it must."""
        inside = self.members[order]
        counts = np.concatenate([[0], np.cumsum(inside)])
        if ((counts < self.lower) | (counts > self.upper)).any():
            return False
        for count, length, top in self.windows:
            if (counts[length : top + 1] - counts[: top + 1 - length] > count).any():
                return False
        share = discount @ inside / (discount.sum() or 1.0)
        return all(
            low - SHARE_TOLERANCE <= share <= high + SHARE_TOLERANCE
            for low, high in self.shares
        )


@dataclass(frozen=True, eq=False)
class Rules:
    """The constraints of one list.

    Attributes
    ----------
    fixed : dict of position to item
        Slots that are taken.
    groups : tuple of Group
        Each set of items once.
    precedences : tuple of Precedence
        As given.
    clash : bool
        Whether two fixed slots contradict each other, or a gain of -inf forbids one.
    """

    fixed: dict[int, int]
    groups: tuple[Group, ...]
    precedences: tuple[Precedence, ...]
    clash: bool


def check_gains(gain: ArrayLike, k: int | None, discount: ArrayLike | None) -> Gains:
    """Check what ``solve_assignment`` maximises.

    Raises
    ------
    ValueError
        If a shape is wrong, a score is not finite, or the discount is negative or
        rises.

    Examples
    --------
    >>> check_gains([3.0, 1.0], None, None).discount.round(3).tolist()
    [1.0, 0.631]
    """
    array = to_array(gain, "gain must be an array of numbers")
    if array.ndim not in (1, 2):
        raise ValueError(
            "gain must have shape (n_items,), scores, or (n_items, n_positions); got "
            f"shape {array.shape}."
        )
    limit = min(array.shape)
    if k is None:
        k = limit if array.ndim == 1 else array.shape[1]
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)):
        raise TypeError(f"k must be a whole number; got {k!r}.")
    if not 0 <= k <= limit:
        raise ValueError(
            f"k must be in 0, …, {limit}, as there are "
            + " × ".join(map(str, array.shape))
            + f" items{' × positions' if array.ndim == 2 else ''}; got {k}."
        )
    weights = check_discount(discount, int(k))
    if array.ndim == 2:
        gains = Gains(None, weights, check_entries(array, "gain")[:, :k])
        _check_size(gains.matrix, "gain")
        return gains
    if not np.isfinite(array).all():
        row = int((~np.isfinite(array)).argmax())
        raise ValueError(
            f"gain must be finite if it is one score per item; got {array[row]} at "
            f"[{row}]. Leave that item out, or pass a matrix with -inf where it must "
            "not stand."
        )
    _check_size(array, "gain", float(weights.max(initial=1.0)))
    return Gains(array, weights, None)


def _check_size(values: Any, name: str, times: float = 1.0) -> None:
    """Raise if numbers, times the greatest discount, could not be added."""
    finite = np.abs(values[np.isfinite(values)])
    limit = GREATEST / times
    if finite.max(initial=0.0) > limit:
        raise ValueError(
            f"{name} must be at most {limit:g} in size"
            + (f", with a discount of {times:g}" if times > 1 else "")
            + f", so that gains can be added; got {finite.max():g}. Scale it down."
        )


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
    wrong = ~np.isfinite(weights) | (weights < 0)
    wrong[1:] |= weights[1:] > weights[:-1]
    if wrong.any():
        place = int(wrong.argmax())
        raise ValueError(
            "discount must be finite, >= 0 and not rise from one position to the next; "
            f"got {weights[place]} at position {place}."
        )
    _check_size(weights, "discount")
    return weights


def check_constraints(constraints: Any, gains: Gains) -> tuple[Any, ...]:
    """Return the constraints as a tuple; their items and positions exist.

    Examples
    --------
    >>> check_constraints([AtMost("seller", 1)], check_gains([1.0], None, None))
    (AtMost(attribute='seller', count=1, top=None, window=None),)
    """
    checked = check_order_constraints(constraints, gains.n_items, KINDS)
    for constraint in checked:
        if isinstance(constraint, FixedPosition) and constraint.position >= gains.k:
            raise ValueError(
                f"positions must be in 0, …, {gains.k - 1}; got {constraint.position} "
                f"in {constraint}."
            )
    return checked


class Attributes:
    """The attributes of the items, and which items share a value.

    Parameters
    ----------
    attributes : mapping of str to array-like of shape (n_items,), or None
        A DataFrame is one.
    n_items : int
        Number of items.

    Examples
    --------
    >>> attributes = Attributes({"seller": ["x", "y", "x", None]}, 4)
    >>> attributes.members("seller", "x").tolist()
    [True, False, True, False]
    >>> [group.tolist() for group in attributes.crowds("seller", 1)]
    [[True, False, True, False]]
    """

    def __init__(
        self, attributes: Mapping[str, ArrayLike] | None, n_items: int
    ) -> None:
        self._given = {} if attributes is None else attributes
        self._n_items = n_items
        self._columns: dict[str, Any] = {}

    def _column(self, name: str) -> Any:
        if name not in self._columns:
            if name not in self._given:
                known = ", ".join(repr(str(key)) for key in self._given) or "none"
                raise ValueError(
                    f"attributes must have {name!r}, of which a constraint speaks; got "
                    f"{known}. Pass attributes={{{name!r}: one value per item}}."
                )
            column = read_column(self._given[name])
            if column.shape != (self._n_items,):
                raise ValueError(
                    f"attributes[{name!r}] must have one value per item, shape "
                    f"({self._n_items},); got shape {column.shape}."
                )
            self._columns[name] = column
        return self._columns[name]

    def members(self, name: str, value: Any) -> BoolArray:
        """Which items have a value; None and NaN are none."""
        column = self._column(name)
        if is_missing(value):
            return np.zeros(self._n_items, dtype=bool)
        same = column == value
        if isinstance(same, np.ndarray):
            return same.astype(bool)
        return np.full(self._n_items, bool(same))

    def crowds(self, name: str, count: int) -> list[BoolArray]:
        """Return the items of each value that more than ``count`` have."""
        numbers: dict[Any, int] = {}
        codes = np.full(self._n_items, -1)
        for item, value in enumerate(self._column(name).tolist()):
            if not is_missing(value):
                codes[item] = numbers.setdefault(value, len(numbers))
        sizes = np.bincount(codes[codes >= 0], minlength=len(numbers))
        return [codes == code for code in np.flatnonzero(sizes > count)]


def prefix_bounds(constraint: Quota, k: int) -> tuple[IntArray, IntArray]:
    """Least and greatest number in the first 0, 1, …, k positions.

    Examples
    --------
    >>> lower, upper = prefix_bounds(Quota("group", "b", min_share=0.5, upper=1), 4)
    >>> lower.tolist(), upper.tolist()
    ([0, 0, 1, 1, 2], [0, 1, 1, 1, 1])
    """
    prefixes = np.arange(k + 1)
    lower, upper = np.zeros_like(prefixes), prefixes.copy()
    end = k if constraint.top is None else min(constraint.top, k)
    if isinstance(constraint.lower, tuple):
        shown = constraint.lower[:end]
        lower[1 : len(shown) + 1] = shown
    else:
        lower[end] = constraint.lower
    if isinstance(constraint.upper, tuple):
        shown = constraint.upper[:end]
        upper[1 : len(shown) + 1] = np.minimum(upper[1 : len(shown) + 1], shown)
    elif constraint.upper is not None:
        upper[: end + 1] = np.minimum(upper[: end + 1], constraint.upper)
    t = prefixes[: end + 1]
    floors = np.floor(constraint.min_share * t + ROUNDING).astype(np.int64)
    ceilings = np.ceil(constraint.max_share * t - ROUNDING).astype(np.int64)
    lower[: end + 1] = np.maximum(lower[: end + 1], floors)
    upper[: end + 1] = np.minimum(upper[: end + 1], ceilings)
    return np.maximum.accumulate(lower), np.minimum.accumulate(upper[::-1])[::-1]


def compile_rules(
    constraints: tuple[Any, ...], attributes: Attributes, gains: Gains
) -> Rules:
    """Turn constraints into arrays, those on the same items together.

    Examples
    --------
    >>> gains = check_gains([3.0, 2.0, 1.0], None, None)
    >>> attributes = Attributes({"seller": ["x", "y", "x"]}, 3)
    >>> rules = compile_rules((AtMost("seller", 1, top=2),), attributes, gains)
    >>> [group.upper.tolist() for group in rules.groups]
    [[0, 1, 1, 3]]
    """
    k = gains.k
    fixed: dict[int, int] = {}
    clash = False
    groups: dict[bytes, Group] = {}

    def add(members: BoolArray, lower: Any, upper: Any, **more: Any) -> None:
        key = members.tobytes()
        old = groups.get(key, Group(members, np.zeros(k + 1, int), np.arange(k + 1)))
        groups[key] = Group(
            members,
            np.maximum(old.lower, lower),
            np.minimum(old.upper, upper),
            old.windows + more.get("windows", ()),
            old.shares + more.get("shares", ()),
        )

    for constraint in constraints:
        if isinstance(constraint, FixedPosition):
            item, position = constraint.item, constraint.position
            clash |= fixed.get(position, item) != item
            clash |= any(i == item and p != position for p, i in fixed.items())
            if gains.matrix is not None:
                clash |= not np.isfinite(gains.matrix[item, position])
            fixed[position] = item
        elif isinstance(constraint, Quota):
            members = attributes.members(constraint.attribute, constraint.value)
            add(members, *prefix_bounds(constraint, k))
        elif isinstance(constraint, ExposureShare):
            members = attributes.members(constraint.attribute, constraint.value)
            share = (float(constraint.lower), float(constraint.upper))
            add(members, 0, k, shares=(share,))
        elif isinstance(constraint, AtMost):
            end = k if constraint.top is None else min(constraint.top, k)
            upper = np.arange(k + 1)
            windows: tuple[tuple[int, int, int], ...] = ()
            if constraint.window is None or constraint.window >= end:
                upper[: end + 1] = np.minimum(upper[: end + 1], constraint.count)
            else:
                windows = ((constraint.count, constraint.window, end),)
            for members in attributes.crowds(constraint.attribute, constraint.count):
                add(members, 0, upper, windows=windows)
    precedences = tuple(c for c in constraints if isinstance(c, Precedence))
    return Rules(fixed, tuple(groups.values()), precedences, clash)
