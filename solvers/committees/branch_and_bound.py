"""Committees: greedy, exchanges, and branch and bound on the Lagrangian bound.

A node of the search includes some items and excludes others. Subgradient steps on the
prices λ of the voters (see :mod:`ltr.solvers.committees.rules`) lower its bound L(λ);
items whose inclusion or exclusion would bring the bound below the incumbent are fixed;
then the search branches on the item that was in about half of the maximizers of L.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, TypeVar

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.committees.quotas import Quotas
from ltr.solvers.committees.rules import Score
from ltr.solvers.core.budget import Budget, BudgetSpent
from ltr.solvers.core.solution import Margin

# Subgradient steps at the root and at other nodes, and how many of them may fail to
# lower the bound by a relative 1e-5 before the step length is halved. Tuned on random
# rankings, 50 to 100 voters and items.
_ROOT_STEPS, _NODE_STEPS, _PATIENCE = 300, 30, 10
_SHORTEST, _MOMENTUM = 1e-2, 0.5


class Incumbent(NamedTuple):
    """The best committee so far, its value, and a bound on every committee.

    Attributes
    ----------
    items : int array of shape (k,)
        The committee.
    value : float
        Its value.
    bound : float
        No committee has a greater value.
    """

    items: IntArray
    value: float
    bound: float


def greedy(score: Score, quotas: Quotas) -> IntArray:
    """Add the item of greatest gain that the quotas allow, k times."""
    committee: list[int] = []
    for _ in range(quotas.k):
        committee.append(quotas.next_item(score.gains(committee), committee))
    return np.array(committee, dtype=np.int64)


def in_greedy_order(score: Score, committee: IntArray) -> list[int]:
    """Return a committee in the order in which greedy would add its items."""
    order: list[int] = []
    candidates = sorted(int(item) for item in committee)
    while candidates:
        gains = score.gains(order)[candidates]
        order.append(candidates.pop(int(np.argmax(gains))))
    return order


def swap(score: Score, quotas: Quotas, committee: IntArray, budget: Budget) -> IntArray:
    """Swap one item for another, the best swap first, while the value increases."""
    value = score.value(committee)
    while not budget.is_spent:
        gains = score.swap_gains(committee)  # (k, n_items)
        if gains is None:
            break
        budget.spend(len(committee) * score.work)
        is_allowed = quotas.swaps(committee)
        if not is_allowed.any():
            break
        gains = np.where(is_allowed, gains, -np.inf)
        place, item = divmod(int(np.argmax(gains)), gains.shape[1])
        neighbor = committee.copy()
        neighbor[place] = item
        neighbor_value = score.value(neighbor)
        if neighbor_value <= value * (1 + 1e-12):
            break
        committee, value = neighbor, neighbor_value
    return committee


def greedy_bound(score: Score, quotas: Quotas, committee: IntArray) -> float:
    """Bound from a greedy committee: its guarantee, or L(λ) at the prices it gives.

    The best value of a monotone submodular score is at most 1/(1 - 1/e) times that of
    greedy, and at most twice under quotas on disjoint groups [1]_.

    References
    ----------
    .. [1] M. L. Fisher, G. L. Nemhauser and L. A. Wolsey. An analysis of approximations
       for maximizing submodular set functions, II. Mathematical Programming Study 8,
       1978.
    """
    constant, item_values, _ = score.dual(score.prices(committee))
    items, excess = quotas.best(item_values)
    assert items is not None
    bound = constant + float(item_values[items].sum()) + excess
    if score.is_submodular and quotas.are_disjoint:
        factor = 2.0 if len(quotas.members) else 1 / (1 - np.exp(-1.0))
        bound = min(bound, float(factor) * score.value(committee))
    return round_down(bound, score.unit)


Bounds = TypeVar("Bounds", float, FloatArray)


def round_down(bound: Bounds, unit: float) -> Bounds:
    """Round a bound down to a multiple of the unit, allowing for rounding errors.

    Examples
    --------
    >>> float(round_down(3.9, 1.0)), float(round_down(3.9999999999, 1.0))
    (3.0, 4.0)
    """
    bound = bound + 1e-12 * abs(bound)
    return np.floor(bound / unit + 1e-6) * unit if unit else bound


def margin_of_swaps(score: Score, quotas: Quotas, committee: IntArray) -> Margin:
    """Return the margin that one swap of a best committee shows: no lower bound."""
    if quotas.k == quotas.n_items:
        return Margin(np.inf, np.inf)
    gains = score.swap_gains(committee)  # (k, n_items)
    if gains is None:
        return Margin()
    gains = np.where(quotas.swaps(committee), gains, -np.inf)
    return Margin(0.0, max(0.0, -float(gains.max())))


@dataclass(frozen=True)
class _Node:
    bound: float
    prices: FloatArray
    included: BoolArray
    excluded: BoolArray


@dataclass(frozen=True)
class _DualBound:
    """The least L(λ) of the subgradient steps, and the maximizer behind it."""

    bound: float
    prices: FloatArray
    items: IntArray
    item_values: FloatArray
    n_uses: FloatArray  # steps in which each item was in the maximizer


class Search:
    """Branch and bound for one score and its quotas.

    Parameters
    ----------
    score : Score
        Value of a committee.
    quotas : Quotas
        Feasible committees; there is at least one.
    budget : Budget
        Time and work.

    Attributes
    ----------
    committee : int array of shape (k,)
        The best committee so far.
    value : float
        Its value.
    report : callable or None
        Called with the incumbent at each better committee or bound; None: nobody
        watches.
    """

    def __init__(self, score: Score, quotas: Quotas, budget: Budget) -> None:
        self.score, self.quotas, self.budget = score, quotas, budget
        self.tolerance = 0.0  # nodes within it are pruned
        self.report: Callable[[Incumbent], None] | None = None
        self._bound = np.inf  # that was reported
        self.committee = swap(score, quotas, greedy(score, quotas), budget)
        self.value = score.value(self.committee)

    def run(self, tolerance: float) -> Incumbent:
        """Search best bound first, until a proof or the end of the budget.

        Parameters
        ----------
        tolerance : float
            Committees that are better by at most this are not searched for.
        """
        self.tolerance = tolerance
        empty = np.zeros(self.quotas.n_items, dtype=bool)
        root = _Node(np.inf, self.score.prices(self.committee), empty, empty)
        numbers = count()  # equal bounds: the oldest node first
        queue = [(-np.inf, next(numbers), root)]
        n_steps = _ROOT_STEPS
        while queue and -queue[0][0] > self.value + self.tolerance:
            if self.budget.is_spent and n_steps < _ROOT_STEPS:
                break
            entry = heapq.heappop(queue)
            node = entry[2]
            try:
                dual = self._tighten(node, n_steps)
            except BudgetSpent:  # amid an integer program: the node stays open
                heapq.heappush(queue, entry)
                break
            n_steps = _NODE_STEPS
            if dual is None or self._is_pruned(dual.bound):
                continue
            for child in self._children(node, dual):
                heapq.heappush(queue, (-child.bound, next(numbers), child))
            self._lower(-queue[0][0] if queue else -np.inf)
        open_bound = -queue[0][0] if queue else -np.inf
        return Incumbent(self.committee, self.value, self._bound_with(open_bound))

    def _bound_with(self, open_bound: float) -> float:
        """Bound on every committee, with that of the open nodes.

        A pruned node may be better by the tolerance, an open one by its whole gap.
        """
        pruned_bound = self.value if self.score.unit else self.value + self.tolerance
        return max(pruned_bound, open_bound)

    def _lower(self, open_bound: float) -> None:
        """Report the bound if it is better."""
        bound = self._bound_with(open_bound)
        if bound < self._bound:
            self._bound = bound
            self._report()

    def _report(self) -> None:
        if self.report is not None:
            bound = max(self._bound, self._bound_with(-np.inf))
            self.report(Incumbent(self.committee, self.value, bound))

    def _is_pruned(self, bound: float) -> bool:
        """Whether no committee within the bound improves on the incumbent."""
        return bool(round_down(bound, self.score.unit) <= self.value + self.tolerance)

    def _are_pruned(self, bounds: FloatArray) -> BoolArray:
        """:meth:`_is_pruned` for many bounds."""
        limit = self.value + self.tolerance
        return np.asarray(round_down(bounds, self.score.unit) <= limit)

    def _consider(self, items: IntArray) -> None:
        """Make a better committee the incumbent, after improving it by swaps."""
        if self.score.value(items) > self.value:
            self.committee = swap(self.score, self.quotas, items, self.budget)
            self.value = self.score.value(self.committee)
            self._report()

    def _tighten(self, node: _Node, n_steps: int) -> _DualBound | None:
        """Lower L(λ) at a node by subgradient steps of Polyak's length.

        L(λ) = constant(λ) + max over committees S of Σ_{i ∈ S} item value i(λ). It is
        convex and piecewise linear, with subgradient g = ``score.slope`` at the
        maximizer S. A step goes along d, the sum of g and a share of the last d
        (momentum), and has the length t · (L(λ) - incumbent) / ‖d‖²; prices stay ≥ 0.
        While the bound stalls, t is halved and the steps restart at the best prices.

        None if the quotas leave the node no committee.
        """
        score, budget, prices = self.score, self.budget, node.prices
        length, n_stalled = 1.0, 0
        best: _DualBound | None = None
        n_uses = np.zeros(self.quotas.n_items)
        direction = np.zeros_like(prices)
        for _ in range(n_steps):
            budget.spend(score.work)
            constant, item_values, served = score.dual(prices)
            items, excess = self.quotas.best(
                item_values, node.included, node.excluded, budget
            )
            if items is None:
                return None
            bound = constant + float(item_values[items].sum()) + excess
            n_uses[items] += 1
            n_stalled += 1
            if best is None or bound < best.bound:
                if best is None or best.bound - bound > 1e-5 * abs(bound):
                    n_stalled = 0
                    if n_steps == _ROOT_STEPS:
                        self._lower(round_down(bound, score.unit))
                best = _DualBound(bound, prices, items, item_values, n_uses)
                self._consider(items)
            if self._is_pruned(best.bound) or length < _SHORTEST or budget.is_spent:
                break
            if n_stalled >= _PATIENCE:
                length, n_stalled, prices = length / 2, 0, best.prices
                direction = np.zeros_like(prices)
                continue
            slope = score.slope(prices, served[:, items].sum(axis=1))
            direction = slope + _MOMENTUM * direction
            norm = float(direction @ direction)
            if norm == 0:  # a minimizer of L
                break
            step = length * (bound - self.value) / norm
            prices = np.maximum(prices - step * direction, 0.0)
        return best

    def _children(self, node: _Node, dual: _DualBound) -> list[_Node]:
        """Fix items by their bound, then branch on one: include it, or exclude it."""
        included, excluded = self._fix_items(node, dual)
        if included.sum() == self.quotas.k or (~excluded).sum() == self.quotas.k:
            items, _ = self.quotas.best(dual.item_values, included, excluded)
            if items is not None:
                self._consider(items)
            return []
        # the least certain item was in the maximizer in half of the steps
        certainty = np.abs(dual.n_uses / dual.n_uses.max() - 0.5)
        item = int(np.argmin(np.where(included | excluded, np.inf, certainty)))
        with_item, without_item = included.copy(), excluded.copy()
        with_item[item] = without_item[item] = True
        bound = min(node.bound, round_down(dual.bound, self.score.unit))
        return [
            _Node(bound, dual.prices, with_item, excluded),
            _Node(bound, dual.prices, included, without_item),
        ]

    def _fix_items(self, node: _Node, dual: _DualBound) -> tuple[BoolArray, BoolArray]:
        """Fix items in or out where the opposite cannot improve on the incumbent.

        With disjoint groups, an item that joins the maximizer displaces one of its
        items, and an item that leaves is replaced by one from outside. With v the item
        values at the best prices, a committee with an outside item i has the bound
        L + v_i - min v inside, and one without an inside item i has L - v_i + max v
        outside.
        """
        included, excluded = node.included, node.excluded
        inside = np.zeros_like(included)
        inside[dual.items] = True
        leaving, joining = inside & ~included, ~inside & ~excluded
        if not (self.quotas.are_disjoint and leaving.any() and joining.any()):
            return included, excluded
        v = dual.item_values
        bound_if_joining = dual.bound + v - v[leaving].min()
        bound_if_leaving = dual.bound - v + v[joining].max()
        excluded = excluded | (joining & self._are_pruned(bound_if_joining))
        return included | (leaving & self._are_pruned(bound_if_leaving)), excluded
