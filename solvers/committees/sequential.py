"""Rules that elect one item after another: Phragmén's, and the method of equal shares.

Both are procedures, without an objective that the committee would maximize. Ties are
real (equal voters, equal items), so loads and budgets are rational numbers. Intervals
in floating point discard most items in each round; those that remain are compared as
fractions, and the lowest index wins a tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ltr.queries import FloatArray, IntArray
from ltr.solvers.core.budget import Budget, BudgetSpent

SEQUENTIAL_RULES = ("equal_shares", "phragmen")
COMPLETIONS = ("phragmen", "utilitarian", "none")
# Relative width of the intervals: far above the rounding of a sum over the voters.
_WIDTH = 1e-9


class Electorate:
    """Approvals of weighted voters, and the items that were elected so far.

    Parameters
    ----------
    approvals : float array of shape (n_voters, n_items)
        1 where a voter approves an item, else 0.
    weights : float array of shape (n_voters,)
        Weights >= 0 of the voters, not all 0.
    budget : Budget
        Limits, checked before each seat.

    Examples
    --------
    >>> voters = Electorate(np.array([[1.0, 1, 0], [0, 0, 1]]), np.ones(2), Budget())
    >>> voters.elect_by_phragmen(2)
    >>> voters.elected
    [0, 2]
    """

    def __init__(
        self, approvals: FloatArray, weights: FloatArray, budget: Budget
    ) -> None:
        total = sum(map(Fraction, weights.tolist()), Fraction())
        # shares p_v of the voters, which sum to 1
        self.shares = [Fraction(weight) / total for weight in weights.tolist()]
        self.loads = [Fraction()] * len(weights)
        self.approvals, self.budget = approvals, budget
        scaled = weights / weights.max()
        self._shares = scaled / scaled.sum()
        self._support = self._shares @ approvals
        self.supporters = [np.flatnonzero(column) for column in approvals.T > 0]
        self.elected: list[int] = []

    def _next_seat(self) -> None:
        if self.budget.is_spent:
            raise BudgetSpent
        self.budget.spend(2e-5 + 2e-8 * self.approvals.size)

    def _close_to_least(self, lows: FloatArray, highs: FloatArray) -> list[int]:
        """Items that may have the least value, given intervals; not the elected."""
        is_open = np.ones(len(lows), dtype=bool)
        is_open[self.elected] = False
        is_number = is_open & ~np.isnan(highs)
        least = highs[is_number].min(initial=np.inf)
        return np.flatnonzero(is_open & ~(lows > least)).tolist()

    def elect_by_phragmen(self, k: int) -> None:
        """Elect up to ``k`` items in all: each time the one that costs least load.

        The supporters N_i of item i share its load of 1 so that their loads are equal:
        s_i = (1 + Σ_{v ∈ N_i} p_v x_v) / Σ_{v ∈ N_i} p_v, in units of a voter of share
        1. Items without supporters come last.
        """
        while len(self.elected) < k:
            self._next_seat()
            loads = _floats(self.loads)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                total = 1 + (self._shares * loads) @ self.approvals
                width = _WIDTH * (1 + (self._shares * np.abs(loads)) @ self.approvals)
                lows = (total - width) / self._support
                highs = (total + width) / self._support
            costs = {}
            for item in self._close_to_least(lows, highs):
                cost = self._equal_load(self.supporters[item])
                if cost is not None:
                    costs[item] = cost
            if not costs:
                is_open = np.setdiff1d(np.arange(len(lows)), self.elected)
                self.elected += is_open[: k - len(self.elected)].tolist()
                return
            item = min(costs, key=lambda i: (costs[i], i))
            for voter in self.supporters[item].tolist():
                self.loads[voter] = costs[item]
            self.elected.append(item)

    def _equal_load(self, voters: IntArray) -> Fraction | None:
        """Load of the supporters after they share one more item; None: no share."""
        support, load = Fraction(), Fraction(1)
        for voter in voters.tolist():
            support += self.shares[voter]
            load += self.shares[voter] * self.loads[voter]
        return load / support if support else None

    def elect_by_equal_shares(self, k: int) -> None:
        """Elect the items that their supporters can afford, from equal budgets.

        A voter of share 1 has the budget k, an item the price 1. Item i costs ρ_i, if
        Σ_{v ∈ N_i} p_v min(b_v, ρ_i) = 1; the least ρ_i is elected. What the voters
        have left becomes a negative load, with which Phragmén's rule may go on.
        """
        money = [Fraction(k)] * len(self.shares)
        while len(self.elected) < k:
            self._next_seat()
            lows, highs = self._price_intervals(_floats(money))
            prices = {}
            for item in self._close_to_least(lows, highs):
                price = self._price(self.supporters[item], money)
                if price is not None:
                    prices[item] = price
            if not prices:
                break
            item = min(prices, key=lambda i: (prices[i], i))
            for voter in self.supporters[item].tolist():
                money[voter] -= min(money[voter], prices[item])
            self.elected.append(item)
        self.loads = [-amount for amount in money]

    def _price_intervals(self, money: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds of ρ_i; inf if the supporters cannot afford item i.

        ρ_i grows with the price of the item, so prices of 1 ± ``_WIDTH`` bound it.
        """
        voters = np.argsort(money, kind="stable")
        share = self._shares[voters, None] * self.approvals[voters]  # (n_voters, m)
        # where ρ lies between the budgets of voter v - 1 and v: those before v pay all
        paid = np.cumsum(share * money[voters, None], axis=0)
        before = np.vstack([np.zeros((1, share.shape[1])), paid[:-1]])
        support = np.cumsum(share[::-1], axis=0)[::-1]
        bounds = []
        for price in (1 - _WIDTH, 1 + _WIDTH):
            with np.errstate(divide="ignore", invalid="ignore"):
                level = (price - before) / support
            fits = (level <= money[voters, None]) & (support > 0)
            first = fits.argmax(axis=0)
            level = np.take_along_axis(level, first[None], axis=0)[0]
            bounds.append(np.where(fits.any(axis=0), level, np.inf))
        # supporters who have the price but for rounding may still afford it
        is_close = paid[-1] >= 1 - _WIDTH
        lows = np.where(is_close & np.isinf(bounds[0]), 0.0, bounds[0])
        return lows, bounds[1]

    def _price(self, voters: IntArray, money: list[Fraction]) -> Fraction | None:
        """The least ρ for which the supporters pay 1 together; None: they cannot."""
        support = sum((self.shares[voter] for voter in voters.tolist()), Fraction())
        price = Fraction(1)
        for voter in sorted(voters.tolist(), key=lambda v: money[v]):
            if support and price <= money[voter] * support:
                return price / support
            price -= self.shares[voter] * money[voter]
            support -= self.shares[voter]
        return None

    def elect_by_support(self, k: int) -> None:
        """Elect the items of most support, up to ``k`` in all."""
        self._next_seat()
        support = [
            sum((self.shares[voter] for voter in voters.tolist()), Fraction())
            for voters in self.supporters
        ]
        items = sorted(range(len(support)), key=lambda i: (-support[i], i))
        items = [item for item in items if item not in self.elected]
        self.elected += items[: k - len(self.elected)]


def elect(
    approvals: FloatArray,
    weights: FloatArray,
    k: int,
    rule: str,
    completion: str,
    budget: Budget,
) -> Sequence[int] | None:
    """Return the committee of a sequential rule in order of election.

    Parameters
    ----------
    approvals : float array of shape (n_voters, n_items)
        1 where a voter approves an item, else 0.
    weights : float array of shape (n_voters,)
        Weights >= 0 of the voters, not all 0.
    k : int
        Size of the committee.
    rule : {"equal_shares", "phragmen"}
        Name of the rule.
    completion : {"phragmen", "utilitarian", "none"}
        How the seats are filled that equal shares leave open.
    budget : Budget
        Limits.

    Returns
    -------
    committee : sequence of int or None
        None if a limit was reached. Fewer than ``k`` items only without a completion.

    Examples
    --------
    >>> approvals = np.array([[1.0, 1, 0, 0]] * 3 + [[0, 0, 1, 1.0]])
    >>> for completion in COMPLETIONS:
    ...     elect(approvals, np.ones(4), 3, "equal_shares", completion, Budget())
    [0, 1, 2]
    [0, 1, 2]
    [0, 1]
    """
    voters = Electorate(approvals, weights, budget)
    try:
        if rule == "phragmen":
            voters.elect_by_phragmen(k)
            return voters.elected
        voters.elect_by_equal_shares(k)
        if completion == "utilitarian":
            voters.elect_by_support(k)
        elif completion == "phragmen":
            voters.elect_by_phragmen(k)
    except BudgetSpent:
        return None
    return voters.elected


def _floats(numbers: list[Fraction]) -> FloatArray:
    """Nearest floats; inf where there is none."""
    greatest = Fraction(np.finfo(np.float64).max)
    return np.array([float(x) if x <= greatest else np.inf for x in numbers])
