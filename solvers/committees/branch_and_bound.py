"""Committees: greedy, exchanges, and branch and bound on the Lagrangian bound.

A node of the search includes some items and excludes others. Its bound is lowered by
steps on the prices of the voters (see ``_committee_scores``); items whose inclusion or
exclusion would bring it below the best committee so far are fixed; then it branches on
the item that was in about half of the best committees of its bound.
"""

import heapq
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import numpy as np

from ltr.solvers.committees.quotas import Quotas
from ltr.solvers.committees.rules import Score
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.solution import BoolArray, FloatArray, IntArray

# Steps on the prices at the root and at other nodes, and how many of them may fail to
# lower the bound by a 1e-5th before the steps are halved. Tried on rankings drawn at
# random, 50 to 100 voters and items.
_ROOT_STEPS, _NODE_STEPS, _PATIENCE = 300, 30, 10
_SHORTEST, _MOMENTUM = 1e-2, 0.5


@dataclass(frozen=True)
class Found:
    """A committee, its worth and a bound on all.

    Attributes
    ----------
    chosen : int array of shape (k,)
        Its items.
    value : float
        What it is worth.
    bound : float
        No committee is worth more.
    """

    chosen: IntArray
    value: float
    bound: float


def greedy(score: Score, quotas: Quotas) -> IntArray:
    """Take the item of greatest gain that the quotas allow, k times."""
    chosen: list[int] = []
    for _ in range(quotas.k):
        chosen.append(quotas.next_item(score.gains(chosen), chosen))
    return np.array(chosen, dtype=np.int64)


def in_order(score: Score, chosen: IntArray) -> list[int]:
    """Return a committee in the order in which greedy would take its items."""
    order: list[int] = []
    left = sorted(int(item) for item in chosen)
    while left:
        gains = score.gains(order)[left]
        order.append(left.pop(int(np.argmax(gains))))
    return order


def swap(score: Score, quotas: Quotas, chosen: IntArray, budget: Budget) -> IntArray:
    """Replace one item by another, the best pair each time, while that gains."""
    value = score.value(chosen)
    while not budget.is_spent:
        gains = score.swap_gains(chosen)
        if gains is None:
            break
        budget.spend(len(chosen) * score.work)
        gains = np.where(quotas.swaps(chosen), gains, -np.inf)
        place, item = divmod(int(np.argmax(gains)), gains.shape[1])
        changed = chosen.copy()
        changed[place] = item
        changed_value = score.value(changed)
        if changed_value <= value * (1 + 1e-12):
            break
        chosen, value = changed, changed_value
    return chosen


def greedy_bound(score: Score, quotas: Quotas, chosen: IntArray) -> float:
    """Bound from a greedy committee: its guarantee, or the prices it gives.

    A monotone submodular score is at most 1/(1 - 1/e) times that of greedy, 2 times
    under quotas on disjoint groups [1]_.

    References
    ----------
    .. [1] M. L. Fisher, G. L. Nemhauser and L. A. Wolsey. An analysis of approximations
       for maximizing submodular set functions, II. Mathematical Programming Study 8,
       1978.
    """
    constant, worth, _ = score.dual(score.prices(chosen))
    items, excess = quotas.best(worth)
    assert items is not None
    bound = constant + float(worth[items].sum()) + excess
    if score.is_submodular and quotas.are_disjoint:
        factor = 2.0 if len(quotas.members) else 1 / (1 - np.exp(-1.0))
        bound = min(bound, float(factor) * score.value(chosen))
    return round_down(bound, score.unit)


Bounds = TypeVar("Bounds", float, FloatArray)


def round_down(bound: Bounds, unit: float) -> Bounds:
    """Greatest multiple of the unit that is not above a bound, rounding errors apart.

    Examples
    --------
    >>> float(round_down(3.9, 1.0)), float(round_down(3.9999999999, 1.0))
    (3.0, 4.0)
    """
    bound = bound + 1e-12 * abs(bound)
    return np.floor(bound / unit + 1e-6) * unit if unit else bound


@dataclass(frozen=True)
class _Node:
    bound: float
    prices: FloatArray
    included: BoolArray
    excluded: BoolArray


@dataclass(frozen=True)
class _Tight:
    """The least bound that steps on the prices came to, and what attains it."""

    bound: float
    prices: FloatArray
    items: IntArray
    worth: FloatArray
    share: FloatArray  # in how many steps an item was among the best


class Search:
    """Branch and bound for one score and its quotas.

    Parameters
    ----------
    score : Score
        What committees are worth.
    quotas : Quotas
        Which committees may be; there is one.
    tolerance : float
        Greatest gap that counts as a proof.
    budget : Budget
        Time and work.
    """

    def __init__(
        self, score: Score, quotas: Quotas, tolerance: float, budget: Budget
    ) -> None:
        self.score, self.quotas, self.budget = score, quotas, budget
        self.tolerance = tolerance  # nodes within it are closed
        self.chosen = swap(score, quotas, greedy(score, quotas), budget)
        self.value = score.value(self.chosen)

    def run(self) -> Found:
        """Search until the best committee is proven, or the budget is spent."""
        nobody = np.zeros(self.quotas.n_items, dtype=bool)
        root = _Node(np.inf, self.score.prices(self.chosen), nobody, nobody)
        numbers = count()
        waiting = [(-np.inf, next(numbers), root)]
        n_steps = _ROOT_STEPS
        while waiting and -waiting[0][0] > self.value + self.tolerance:
            if self.budget.is_spent and n_steps < _ROOT_STEPS:
                break
            node = heapq.heappop(waiting)[2]
            tight = self._tighten(node, n_steps)
            n_steps = _NODE_STEPS
            if tight is None or self._is_closed(tight.bound):
                continue
            for child in self._children(node, tight):
                heapq.heappush(waiting, (-child.bound, next(numbers), child))
        left = -waiting[0][0] if waiting else -np.inf
        closed = self.value if self.score.unit else self.value + self.tolerance
        return Found(self.chosen, self.value, max(closed, left))

    def _is_closed(self, bound: Any) -> Any:
        """Whether a bound leaves nothing better than the best committee so far."""
        return round_down(bound, self.score.unit) <= self.value + self.tolerance

    def _consider(self, items: IntArray) -> None:
        """Keep a committee that is better than the best so far, and improve it."""
        if self.score.value(items) > self.value:
            self.chosen = swap(self.score, self.quotas, items, self.budget)
            self.value = self.score.value(self.chosen)

    def _tighten(self, node: _Node, n_steps: int) -> _Tight | None:
        """Lower the bound of a node by Polyak's steps on the prices.

        None if the quotas leave the node no committee.
        """
        score, budget, prices = self.score, self.budget, node.prices
        length, since = 1.0, 0
        best: _Tight | None = None
        share = np.zeros(self.quotas.n_items)
        direction = np.zeros_like(prices)
        for _ in range(n_steps):
            budget.spend(score.work)
            constant, worth, served = score.dual(prices)
            items, excess = self.quotas.best(worth, node.included, node.excluded)
            if items is None:
                return None
            bound = constant + float(worth[items].sum()) + excess
            share[items] += 1
            since += 1
            if best is None or bound < best.bound:
                if best is None or best.bound - bound > 1e-5 * abs(bound):
                    since = 0
                best = _Tight(bound, prices, items, worth, share)
                self._consider(items)
            if self._is_closed(best.bound) or length < _SHORTEST or budget.is_spent:
                break
            if since >= _PATIENCE:
                length, since, prices = length / 2, 0, best.prices
                direction = np.zeros_like(prices)
                continue
            slope = score.slope(prices, served[:, items].sum(axis=1))
            direction = slope + _MOMENTUM * direction
            norm = float(direction @ direction)
            if norm == 0:
                break
            step = length * (bound - self.value) / norm
            prices = np.maximum(prices - step * direction, 0.0)
        return best

    def _children(self, node: _Node, tight: _Tight) -> list[_Node]:
        """Fix what the bound decides, then include and exclude one item."""
        included, excluded = self._fixed(node, tight)
        if included.sum() == self.quotas.k or (~excluded).sum() == self.quotas.k:
            items, _ = self.quotas.best(tight.worth, included, excluded)
            if items is not None:
                self._consider(items)
            return []
        doubt = np.abs(tight.share / tight.share.max() - 0.5)
        item = int(np.argmin(np.where(included | excluded, np.inf, doubt)))
        with_it, without = included.copy(), excluded.copy()
        with_it[item] = without[item] = True
        bound = min(node.bound, round_down(tight.bound, self.score.unit))
        return [
            _Node(bound, tight.prices, with_it, excluded),
            _Node(bound, tight.prices, included, without),
        ]

    def _fixed(self, node: _Node, tight: _Tight) -> tuple[BoolArray, BoolArray]:
        """Items in and out, more of them where the other way cannot be better.

        With disjoint groups, an item that joins the best items of the bound displaces
        one of them, and one that leaves lets another in: the bound falls by at least
        the difference to the worst of those inside, or the best of those outside.
        """
        included, excluded = node.included, node.excluded
        inside = np.zeros_like(included)
        inside[tight.items] = True
        leaving, joining = inside & ~included, ~inside & ~excluded
        if not (self.quotas.are_disjoint and leaving.any() and joining.any()):
            return included, excluded
        worth = tight.worth
        on_joining = tight.bound + worth - worth[leaving].min()
        on_leaving = tight.bound - worth + worth[joining].max()
        excluded = excluded | (joining & self._is_closed(on_joining))
        return included | (leaving & self._is_closed(on_leaving)), excluded
