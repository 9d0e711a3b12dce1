"""Values and constraints of all orders of a problem, as the docstrings read.

Only :func:`ltr.solvers.verify` uses this: it must share nothing with the solvers.
Arrays have a row per order.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import combinations, permutations
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

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
from ltr.solvers.verification.procedures import committee_of

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


class Pairs(CandidateSet):
    """Orders valued by neighbors (a path) or by all pairs (an ordering)."""

    def __init__(self, matrix: Any, start: Any, end: Any, constraints: Any) -> None:
        n = len(matrix)
        self.matrix = np.array(matrix, dtype=np.float64).reshape(n, n)
        np.fill_diagonal(self.matrix, 0.0)
        super().__init__(n, n, constraints)
        self.is_path = start is not None
        self.start, self.end = (
            np.zeros(n) if gains is None or not self.is_path else np.array(gains, float)
            for gains in (start, end)
        )
        if not self.is_path:
            self.start = self.end = np.zeros(n)
        self.is_whole = all(
            _is_whole(gains) for gains in (self.matrix, self.start, self.end)
        )

    def terms(self, orders: IntArray) -> FloatArray:
        """Gains of the neighbors and of both ends; or of all pairs."""
        if not self.is_path:
            first, second = np.triu_indices(self.k, 1)
            return np.asarray(self.matrix[orders[:, first], orders[:, second]])
        arcs = self.matrix[orders[:, :-1], orders[:, 1:]]
        ends = [self.start[orders[:, :1]], self.end[orders[:, -1:]]]
        return np.concatenate([arcs, *ends], axis=1)


class Tours(Pairs):
    """Closed tours that start at item 0."""

    def __init__(self, matrix: Any, constraints: Any) -> None:
        super().__init__(matrix, np.zeros(len(matrix)), None, constraints)

    @property
    def n_orders(self) -> float:
        """Number of tours."""
        return math.factorial(max(0, self.n_items - 1))

    def all_orders(self) -> IntArray:
        """Every tour."""
        orders = super().all_orders()
        return orders[orders[:, 0] == 0] if self.n_items else orders

    def is_order(self, order: IntArray) -> bool:
        """Whether an array has all items, item 0 first."""
        return super().is_order(order) and not order[:1].any()

    def terms(self, orders: IntArray) -> FloatArray:
        """Gains of the arcs, with that from the last item to the first."""
        return np.asarray(self.matrix[orders, np.roll(orders, -1, axis=1)])

    def extent(self, place: IntArray) -> IntArray:
        """Number of arcs around the group: all but the longest gap between its items.

        With the positions p_1 < … < p_m the gaps are p_2 - p_1, …, p_1 + n - p_m.
        """
        place = np.sort(place, axis=1)
        gaps = np.diff(place, axis=1, append=place[:, :1] + self.n_items)
        return np.asarray(self.n_items - gaps.max(axis=1))


class Positions(CandidateSet):
    """Items at positions: gains of a matrix, or scores times a discount."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        gain = np.array(arguments["gain"], dtype=np.float64)
        k = arguments["k"]
        if k is None:
            k = gain.shape[-1]
        super().__init__(
            len(gain), k, arguments["constraints"], arguments["attributes"]
        )
        if arguments["discount"] is not None:
            self.discount = np.array(arguments["discount"], dtype=np.float64)[:k]
        if gain.ndim == 1:
            self.gain = gain[:, None] * self.discount
        else:
            self.gain = gain[:, :k]
            self.is_whole = _is_whole(gain)

    def terms(self, orders: IntArray) -> FloatArray:
        """Gain at each position."""
        return np.asarray(self.gain[orders, np.arange(self.k)])


class Votes(CandidateSet):
    """Orders valued by their agreement with votes: Kemeny's, or Spearman's footrule."""

    def __init__(self, arguments: Mapping[str, Any], *, by_pairs: bool) -> None:
        levels = _levels(arguments["rankings"], arguments["n_items"])
        n = levels.shape[1]
        super().__init__(n, n, arguments.get("constraints", ()))
        is_last = arguments["absent"] == "last"
        if is_last:
            levels = np.where(np.isnan(levels), n, levels)
        weights = _weights(arguments["weights"], len(levels))
        self.by_pairs = by_pairs
        self.is_whole = by_pairs and _is_whole(weights)
        gain = np.zeros((n, n))
        if by_pairs:
            for i, j in permutations(range(n), 2):
                gain[i, j] = weights[levels[:, i] < levels[:, j]].sum()
                if arguments["ties"] == "half":
                    gain[i, j] += weights[levels[:, i] == levels[:, j]].sum() / 2
            self.is_whole &= _is_whole(gain)
        else:
            for vote, weight in zip(levels, weights, strict=True):
                is_ranked = ~np.isnan(vote)
                for item in np.flatnonzero(is_ranked).tolist():
                    n_below, n_tied = (
                        (vote < vote[item]).sum(),
                        (vote == vote[item]).sum(),
                    )
                    rank = (
                        (n_below + (n_tied + 1) / 2) * (n + 1) / (is_ranked.sum() + 1)
                    )
                    gain[item] -= weight * np.abs(rank - np.arange(1, n + 1))
        self.gain = gain

    def terms(self, orders: IntArray) -> FloatArray:
        """Votes that agree with each pair; or minus the displacement of each item."""
        if not self.by_pairs:
            return np.asarray(self.gain[orders, np.arange(self.k)])
        first, second = np.triu_indices(self.k, 1)
        return np.asarray(self.gain[orders[:, first], orders[:, second]])


class DiverseSets(CandidateSet):
    """Sets of k items, valued by relevance and by the similarity of pairs."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.relevance = np.array(arguments["relevance"], dtype=np.float64)
        similarity = np.array(arguments["similarity"], dtype=np.float64)
        self.similarity = (similarity + similarity.T) / 2
        self.trade_off = float(arguments["trade_off"])
        super().__init__(len(self.relevance), int(arguments["k"]))

    @property
    def n_orders(self) -> float:
        """Number of sets."""
        return math.comb(self.n_items, self.k)

    def all_orders(self) -> IntArray:
        """Every set."""
        return np.array(list(combinations(range(self.n_items), self.k)), dtype=np.int64)

    def terms(self, orders: IntArray) -> FloatArray:
        """λ times each relevance; minus each similarity times 2 (1 - λ) / (k - 1)."""
        terms = self.trade_off * self.relevance[orders]
        if self.k == 1:
            return np.asarray(terms)
        first, second = np.triu_indices(self.k, 1)
        pairs = self.similarity[orders[:, first], orders[:, second]]
        share = 2 * (1 - self.trade_off) / (self.k - 1)
        return np.concatenate([terms, -share * pairs], axis=1)


class Committees(CandidateSet):
    """Committees of k items, valued by a rule; an order is a committee."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        groups, n_items, k = (arguments[name] for name in ("groups", "n_items", "k"))
        if groups is not None and not isinstance(groups, Mapping):
            labels = list(groups)
            n_items = len(labels)
            groups = {
                label: [i for i, other in enumerate(labels) if other == label]
                for label in set(labels)
            }
        self.groups = groups or {}
        self.rule = arguments["rule"]
        self.utility = _utilities(arguments["rankings"], k, self.rule, n_items)
        bounds = [
            Quota("group", label, lower=count)
            for label, count in (arguments["lower"] or {}).items()
            if count > 0
        ] + [
            Quota("group", label, upper=count)
            for label, count in (arguments["upper"] or {}).items()
        ]
        super().__init__(self.utility.shape[1], k, bounds)
        self.weights = _weights(arguments["weights"], len(self.utility))
        self.elected: list[int] | None = None
        if self.rule in ("equal_shares", "phragmen"):
            completion = arguments["completion"]
            self.elected = committee_of(
                self.utility.tolist(), self.weights.tolist(), k, self.rule, completion
            )
            self.k = len(self.elected)
        self.is_whole = (
            self.rule != "pav" and _is_whole(self.utility) and _is_whole(self.weights)
        )

    @property
    def n_orders(self) -> float:
        """Number of committees; a procedure elects one."""
        return math.comb(self.n_items, self.k) if self.elected is None else 1

    def all_orders(self) -> IntArray:
        """Every committee that the rule may elect."""
        if self.elected is not None:
            return np.array([self.elected], dtype=np.int64)
        return np.array(list(combinations(range(self.n_items), self.k)), dtype=np.int64)

    def order_fault(self, order: IntArray) -> str:
        """As for all problems; and a procedure elects one committee only."""
        if self.elected is None or order.tolist() == self.elected:
            return super().order_fault(order)
        return (
            f"rule {self.rule!r} elects {self.elected}; the order is {order.tolist()}"
        )

    def _keeps_groups(self, orders: IntArray, constraint: Any) -> BoolArray:
        members = np.isin(np.arange(self.n_items), self.groups[constraint.value])
        counts = members[orders].sum(axis=1)
        upper = self.k if constraint.upper is None else constraint.upper
        return np.asarray((counts >= constraint.lower) & (counts <= upper))

    def terms(self, orders: IntArray) -> FloatArray:
        """Weighted utility of each voter (of each seat, for Monroe's rule)."""
        inside = self.utility[:, orders]  # (n_voters, n_orders, k)
        if self.rule == "monroe":
            return np.array([self._seats(inside[:, i]) for i in range(len(orders))])
        if self.rule == "cc":
            utility = inside.max(axis=2)
        elif self.rule == "pav":
            harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, self.k + 1))])
            utility = harmonic[inside.sum(axis=2).astype(int)]
        else:
            utility = inside.sum(axis=2)
        return np.asarray((self.weights[:, None] * utility).T)

    def _seats(self, inside: FloatArray) -> FloatArray:
        """Utility of each voter in the best assignment of voters to seats.

        ⌊n/k⌋ seats of each item must be filled, one more of n mod k items may be.
        """
        voters = np.repeat(inside, self.weights.astype(int), axis=0)
        share = len(voters) // self.k
        seats = np.repeat(voters, share, axis=1) + 1e6
        seats = np.concatenate([seats, voters], axis=1)
        rows, columns = linear_sum_assignment(seats, maximize=True)
        item = np.where(columns < share * self.k, columns // max(share, 1), columns)
        item = np.where(columns < share * self.k, item, columns - share * self.k)
        return np.asarray(voters[rows, item])


def _is_whole(gains: FloatArray) -> bool:
    finite = gains[np.isfinite(gains)]
    return bool((finite == np.rint(finite)).all())


def _weights(weights: Any, n_votes: int) -> FloatArray:
    return np.ones(n_votes) if weights is None else np.array(weights, dtype=np.float64)


def _levels(rankings: Any, n_items: int | None) -> FloatArray:
    """Tie group of each item in each vote, NaN if it is absent."""
    votes = [
        [
            set(group) if isinstance(group, (tuple, list, set, frozenset)) else {group}
            for group in vote
        ]
        for vote in rankings
    ]
    named = [item for vote in votes for group in vote for item in group]
    n = max(named, default=-1) + 1 if n_items is None else n_items
    levels = np.full((len(votes), n), np.nan)
    for row, vote in zip(levels, votes, strict=True):
        for level, group in enumerate(vote):
            row[list(group)] = level
    return levels


def _utilities(rankings: Any, k: int, rule: str, n_items: int | None) -> FloatArray:
    """Borda points; or 1 for an approved item."""
    if isinstance(rankings, np.ndarray) and rankings.dtype == bool:
        return rankings.astype(np.float64)
    levels = _levels(rankings, n_items)
    levels = np.where(np.isnan(levels), np.inf, levels)
    lower = (levels[:, None, :] > levels[:, :, None]).sum(axis=2)
    tied = (levels[:, None, :] == levels[:, :, None]).sum(axis=2) - 1
    if rule in ("cc", "monroe", "borda"):
        return np.asarray(lower + tied / 2)
    n_approved = 1 if rule == "sntv" else k
    higher = levels.shape[1] - 1 - lower - tied
    is_in = np.isfinite(levels) & (higher + tied < n_approved)
    return np.asarray(is_in, dtype=np.float64)
