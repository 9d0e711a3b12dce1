"""Constraints on all orders of a problem, as the docstrings read.

Only :func:`ltr.solvers.verify` and :func:`ltr.solvers.all_optimal` use this: it must
share nothing with the solvers. Arrays have a row per order. ``orders`` and ``votes``
have the values of each problem.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import permutations
from typing import Any

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.constraints import (
    AtMost,
    ExposureShare,
    FixedPosition,
    Precedence,
    Quota,
    Together,
    Window,
)

# Shares of the exposure are kept to within this.
_SHARE = 1e-6 + 1e-9


class CandidateSet(ABC):
    """Orders of k of n items, their terms, and which constraints they keep.

    Parameters
    ----------
    n_items, k : int
        Number of items, and of those in an order.
    constraints : sequence of constraints
        What an order must keep.
    attributes : mapping of str to sequence, default=None
        The attributes that constraints refer to.
    """

    is_whole = False
    sense = "max"

    def __init__(
        self,
        n_items: int,
        k: int,
        constraints: Any = (),
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self.n_items, self.k = n_items, k
        self.constraints = tuple(constraints)
        self.attributes = attributes
        self.discount = 1 / np.log2(2.0 + np.arange(k))

    def in_sense(self, value: float) -> float:
        """A value in the sense of the call: gains are what ``terms`` adds up."""
        return float(value) if self.sense == "max" else 0.0 - float(value)

    @property
    def n_orders(self) -> float:
        """Number of orders."""
        return math.perm(self.n_items, self.k)

    def all_orders(self) -> IntArray:
        """Every order, shape (n_orders, k)."""
        orders = list(permutations(range(self.n_items), self.k))
        return np.array(orders, dtype=np.int64).reshape(len(orders), self.k)

    def any_order(self) -> IntArray:
        """Some order, shape (1, k)."""
        return np.arange(self.k)[None]

    def is_order(self, order: IntArray) -> bool:
        """Whether an array has k different items."""
        items = set(order.tolist())
        is_integer = order.dtype.kind in "iu" and order.shape == (self.k,)
        return is_integer and len(items) == self.k and items <= set(range(self.n_items))

    def order_fault(self, order: IntArray) -> str:
        """What is wrong with an order, whatever its value; "" if nothing is."""
        if self.is_order(order):
            return ""
        return f"{order.tolist()} does not have {self.k} different items"

    @abstractmethod
    def terms(self, orders: IntArray) -> FloatArray:
        """Terms of the value of each order, shape (n_orders, n_terms)."""

    def keeps(self, orders: IntArray, constraints: Any) -> BoolArray:
        """Which orders keep all of some constraints."""
        is_kept = np.ones(len(orders), dtype=bool)
        if not constraints:
            return is_kept
        place = np.full((len(orders), self.n_items), self.k)
        np.put_along_axis(place, orders, np.arange(self.k)[None], axis=1)
        for constraint in constraints:
            if isinstance(constraint, Precedence):
                before, after = place[:, constraint.before], place[:, constraint.after]
                is_kept &= (before < after) | (after == self.k)
            elif isinstance(constraint, Window):
                of_item = place[:, constraint.item]
                last = self.n_items if constraint.last is None else constraint.last
                is_unplaced = of_item == self.k
                is_inside = (of_item >= constraint.first) & (of_item <= last)
                is_kept &= np.where(is_unplaced, last >= self.k, is_inside)
            elif isinstance(constraint, FixedPosition):
                is_kept &= place[:, constraint.item] == constraint.position
            elif isinstance(constraint, Together):
                of_group = place[:, list(constraint.items)]
                is_near = self.extent(of_group) == len(constraint.items) - 1
                is_unplaced = of_group == self.k
                is_kept &= is_unplaced.all(axis=1) | (
                    is_near & ~is_unplaced.any(axis=1)
                )
            else:
                is_kept &= self._keeps_groups(orders, constraint)
        return is_kept

    def extent(self, place: IntArray) -> IntArray:
        """Number of arcs from the first to the last of a group, given its positions."""
        return np.asarray(place.max(axis=1) - place.min(axis=1))

    def _keeps_groups(self, orders: IntArray, constraint: Any) -> BoolArray:
        assert self.attributes is not None
        values = list(self.attributes[constraint.attribute])
        top = getattr(constraint, "top", None)
        top = self.k if top is None else min(top, self.k)
        is_kept = np.ones(len(orders), dtype=bool)
        if isinstance(constraint, AtMost):
            width = top if constraint.window is None else min(constraint.window, top)
            for value in {v for v in values if v is not None and v == v}:
                is_member = np.array([v == value for v in values], dtype=bool)[orders]
                for first in range(top - width + 1):
                    inside = is_member[:, first : first + width].sum(axis=1)
                    is_kept &= inside <= constraint.count
            return is_kept
        is_member = np.array([v == constraint.value for v in values], dtype=bool)
        shown = is_member[orders]
        if isinstance(constraint, ExposureShare):
            share = shown @ self.discount / (self.discount.sum() or 1.0)
            return (share >= constraint.lower - _SHARE) & (
                share <= constraint.upper + _SHARE
            )
        assert isinstance(constraint, Quota)
        for t in range(top + 1):
            count = shown[:, :t].sum(axis=1)
            is_kept &= count >= _at(constraint.lower, t, top, 0)
            is_kept &= count <= _at(constraint.upper, t, top, t)
            is_kept &= count >= math.floor(constraint.min_share * t + 1e-9)
            is_kept &= count <= math.ceil(constraint.max_share * t - 1e-9)
        return is_kept


def _at(counts: Any, t: int, top: int, free: int) -> int:
    """The bound of a quota on the first t positions."""
    if counts is None:
        return free
    if isinstance(counts, tuple):
        return counts[t - 1] if 1 <= t <= len(counts) else free
    return counts if t == top else free


def is_whole_array(gains: FloatArray) -> bool:
    """Whether all finite entries are integers."""
    finite = gains[np.isfinite(gains)]
    return bool((finite == np.rint(finite)).all())
