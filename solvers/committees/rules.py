"""What a committee is worth under each rule, what one more item adds, and a bound.

The bound is the Lagrangian one. Give each voter a price λ; then no committee is worth
more than a constant plus the total of ``k`` item values, both functions of λ:

- Chamberlin-Courant: Σ_v w_v λ_v, and Σ_v w_v max(0, u_vi - λ_v) for item i;
- PAV: Σ_v w_v max_c (H_c - λ_v c), and Σ_v w_v λ_v a_vi, with H_c = 1 + 1/2 + … + 1/c;
- Monroe: Σ_v w_v λ_v, and the best ⌊n/k⌋ or ⌈n/k⌉ voters of item i at u_vi - λ_v.

With λ_v at what a voter has from a committee (PAV: at what one more item would add) it
is, for the first two, no weaker than the value plus the k greatest gains [1]_.

References
----------
.. [1] G. L. Nemhauser, L. A. Wolsey and M. L. Fisher. An analysis of approximations for
   maximizing submodular set functions, I. Mathematical Programming 14, 1978.
"""

import math
from typing import Protocol

import numpy as np

from ltr.solvers.committees.quotas import Chosen
from ltr.solvers.core.solution import BoolArray, FloatArray, IntArray

# Scores of PAV are multiples of 1 / lcm(1, …, k); finer units than 1e-6 are not used.
_FINEST = 1_000_000


Served = FloatArray | BoolArray


def _weighted(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Sums over the voters; not by BLAS, whose threads cost more than they save."""
    return np.asarray(np.einsum("v,vi->i", weights, values))


def unit_of(values: FloatArray, weights: FloatArray) -> float:
    """1 or 1/2 if every sum of weighted values is a multiple of it, else 0."""
    if (weights != np.rint(weights)).any():
        return 0.0
    return 1.0 if (values == np.rint(values)).all() else 0.5


class Score(Protocol):
    """A rule on given ballots.

    Attributes
    ----------
    values : float array of shape (n_voters, n_items)
        What an item is worth to a voter.
    weights : float array of shape (n_voters,)
        How much a voter counts.
    unit : float
        All committees are worth a multiple of it; 0 if none is known.
    is_submodular : bool
        Whether greedy has its guarantee.
    work : float
        About how many seconds one pass takes.
    """

    values: FloatArray
    weights: FloatArray
    unit: float
    is_submodular: bool
    work: float

    def value(self, chosen: Chosen) -> float:
        """Worth of a committee."""

    def gains(self, chosen: Chosen) -> FloatArray:
        """What each item would add to those chosen so far."""

    def swap_gains(self, chosen: IntArray) -> FloatArray | None:
        """Change if item i replaces the s-th of the committee; None: not known."""

    def prices(self, chosen: Chosen) -> FloatArray:
        """Prices λ to start the bound from."""

    def dual(self, prices: FloatArray) -> tuple[float, FloatArray, Served]:
        """Constant, item values, and how often each item then serves each voter."""

    def slope(self, prices: FloatArray, served: FloatArray) -> FloatArray:
        """Slope of the bound in each price; ``served`` by the best items together."""


class ChamberlinCourant:
    """Each voter counts the best item of the committee.

    Parameters
    ----------
    values : float array of shape (n_voters, n_items)
        What an item is worth to a voter, >= 0.
    weights : float array of shape (n_voters,)
        How much a voter counts.
    k : int
        Size of the committee.

    Examples
    --------
    >>> score = ChamberlinCourant(np.array([[2.0, 1.0, 0.0]]), np.ones(1), 2)
    >>> score.value([1, 2]), score.gains([1]).tolist()
    (1.0, [1.0, 0.0, 0.0])
    """

    def __init__(self, values: FloatArray, weights: FloatArray, k: int) -> None:
        self.values, self.weights, self.k = values, weights, k
        self.unit, self.is_submodular = unit_of(values, weights), True
        self.work = 2e-5 + 4e-9 * values.size

    def _best(self, chosen: Chosen) -> FloatArray:
        return np.asarray(self.values[:, list(chosen)].max(axis=1, initial=0.0))

    def value(self, chosen: Chosen) -> float:
        """Σ_v w_v max_{i in S} u_vi."""
        return float(self.weights @ self._best(chosen))

    def gains(self, chosen: Chosen) -> FloatArray:
        """Σ_v w_v max(0, u_vi - best so far)."""
        rise = self.values - self._best(chosen)[:, None]
        return _weighted(self.weights, np.maximum(rise, 0.0, out=rise))

    def swap_gains(self, chosen: IntArray) -> FloatArray:
        """What i adds, less what voters lose whose best item leaves."""
        inside = self.values[:, chosen]
        best, mine = inside.max(axis=1)[:, None], inside.argmax(axis=1)
        second = np.zeros_like(best)
        if len(chosen) > 1:
            second = np.partition(inside, -2, axis=1)[:, -2:-1]
        lost = best - np.maximum(second, np.minimum(self.values, best))
        is_mine = (mine == np.arange(len(chosen))[:, None]) * self.weights
        return np.asarray(self.gains(chosen) - is_mine @ lost)

    def prices(self, chosen: Chosen) -> FloatArray:
        """Best item of the committee."""
        return self._best(chosen)

    def dual(self, prices: FloatArray) -> tuple[float, FloatArray, Served]:
        """See the module."""
        rise = self.values - prices[:, None]
        served = rise > 0
        worth = _weighted(self.weights, np.maximum(rise, 0.0, out=rise))
        return float(self.weights @ prices), worth, served

    def slope(self, prices: FloatArray, served: FloatArray) -> FloatArray:
        """w_v (1 - number of the best items above the price)."""
        return np.asarray(self.weights * (1.0 - served))


class Proportional:
    """Each voter counts 1 + 1/2 + … + 1/c for c approved items (PAV).

    Parameters
    ----------
    values : float array of shape (n_voters, n_items)
        1 where a voter approves an item, else 0.
    weights : float array of shape (n_voters,)
        How much a voter counts.
    k : int
        Size of the committee.

    Examples
    --------
    >>> score = Proportional(np.array([[1.0, 1.0, 0.0]]), np.ones(1), 2)
    >>> score.value([0, 1]), score.gains([0]).tolist()
    (1.5, [0.0, 0.5, 0.0])
    """

    def __init__(self, values: FloatArray, weights: FloatArray, k: int) -> None:
        self.values, self.weights, self.k = values, weights, k
        self.harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, k + 1))])
        self.most = np.minimum(values.sum(axis=1), k)
        denominator = math.lcm(*range(1, int(self.most.max()) + 1))
        coarse = denominator <= _FINEST
        self.unit = unit_of(values, weights) / denominator if coarse else 0.0
        self.is_submodular, self.work = True, 2e-5 + 4e-9 * values.size

    def _counts(self, chosen: Chosen) -> FloatArray:
        return np.asarray(self.values[:, list(chosen)].sum(axis=1))

    def value(self, chosen: Chosen) -> float:
        """Σ_v w_v H_c(v)."""
        return float(self.weights @ self.harmonic[self._counts(chosen).astype(int)])

    def gains(self, chosen: Chosen) -> FloatArray:
        """Σ_v w_v a_vi / (c + 1); 0 for the chosen."""
        gains = _weighted(self.weights / (self._counts(chosen) + 1), self.values)
        gains[list(chosen)] = 0.0
        return gains

    def swap_gains(self, chosen: IntArray) -> FloatArray:
        """Voters who approve just one of the two win 1/(c+1) or lose 1/c."""
        counts, inside = self._counts(chosen), self.values[:, chosen]
        up = self.weights / (counts + 1)
        down = self.weights / np.maximum(counts, 1)
        won = ((1 - inside).T * up) @ self.values
        return np.asarray(won - (inside.T * down) @ (1 - self.values))

    def prices(self, chosen: Chosen) -> FloatArray:
        """What one more item would add."""
        return np.asarray(1 / (self._counts(chosen) + 1))

    def _demand(self, prices: FloatArray) -> FloatArray:
        """Greatest c with 1/c > price, at most what the voter approves."""
        return np.minimum(np.ceil(1 / np.maximum(prices, 1e-9)) - 1, self.most)

    def dual(self, prices: FloatArray) -> tuple[float, FloatArray, Served]:
        """See the module."""
        demand = self._demand(prices)
        constant = self.weights @ (self.harmonic[demand.astype(int)] - prices * demand)
        worth = _weighted(self.weights * prices, self.values)
        return float(constant), worth, self.values

    def slope(self, prices: FloatArray, served: FloatArray) -> FloatArray:
        """w_v (approved among the best items - demand at the price)."""
        return np.asarray(self.weights * (served - self._demand(prices)))


class Monroe:
    """Each item represents an equal share of the voters, each voter counts one item.

    Parameters
    ----------
    values : float array of shape (n_voters, n_items)
        What an item is worth to a voter, in half units, >= 0.
    weights : float array of shape (n_voters,)
        How many voters each row stands for, integers.
    k : int
        Size of the committee; with n voters each of its items represents ⌊n/k⌋ or
        ⌈n/k⌉ of them.

    Examples
    --------
    >>> score = Monroe(np.array([[2.0, 1, 0], [2.0, 0, 1]]), np.ones(2), 2)
    >>> score.value([0, 1]), score.value([0, 2])
    (3.0, 3.0)
    """

    def __init__(self, values: FloatArray, weights: FloatArray, k: int) -> None:
        self.values, self.weights, self.k = values, weights, k
        self.share, self.n_larger = divmod(round(float(weights.sum())), k)
        self.unit, self.is_submodular = unit_of(values, weights), False
        self.work = 5e-5 + 4e-8 * values.size

    def value(self, chosen: Chosen) -> float:
        """Best assignment of voters to the committee: a minimum-cost flow."""
        from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

        n, k = len(self.values), len(chosen)
        counts = self.weights.astype(np.int64)
        flow = SimpleMinCostFlow()
        voters, seats = np.arange(n), n + np.arange(k)
        of_item = self.values[:, list(chosen)]
        flow.add_arcs_with_capacity_and_unit_cost(
            np.repeat(voters, k),
            np.tile(seats, n),
            np.repeat(counts, k),
            -np.rint(2 * of_item).astype(np.int64).ravel(),
        )
        flow.add_arcs_with_capacity_and_unit_cost(
            seats, np.full(k, n + k), np.ones(k, dtype=np.int64), np.zeros(k, np.int64)
        )
        flow.set_nodes_supplies(voters, counts)
        flow.set_nodes_supplies(seats, np.full(k, -self.share))
        flow.set_nodes_supplies(np.array([n + k]), np.array([-self.n_larger]))
        status = flow.solve()
        if status != flow.OPTIMAL:
            raise RuntimeError(f"the flow of Monroe's rule ended with {status}")
        return -flow.optimal_cost() / 2

    def _represented(
        self, values: FloatArray, left: FloatArray, share: int
    ) -> tuple[FloatArray, FloatArray]:
        """Worth of the best ``share`` voters for each item, and who they are."""
        order = np.argsort(-values, axis=0, kind="stable")
        through = np.cumsum(left[order], axis=0)
        taken = np.minimum(through, share) - np.minimum(through - left[order], share)
        served = np.zeros_like(values)
        np.put_along_axis(served, order, taken, axis=0)
        return (values * served).sum(axis=0), served

    def gains(self, chosen: Chosen) -> FloatArray:
        """Worth of the best share of the voters that the chosen leave over [2]_.

        References
        ----------
        .. [2] P. Skowron, P. Faliszewski and A. Slinko. Achieving fully proportional
           representation: approximability results. Artificial Intelligence 222, 2015,
           Algorithm A.
        """
        left = self.weights.copy()
        shares = [self.share + (place < self.n_larger) for place in range(self.k)]
        for item, share in zip(chosen, shares, strict=False):
            left -= self._represented(self.values[:, [item]], left, share)[1][:, 0]
        gains = self._represented(self.values, left, shares[len(chosen)])[0]
        gains[list(chosen)] = 0.0
        return gains

    def swap_gains(self, chosen: IntArray) -> None:
        """Not known without a flow for each swap."""

    def prices(self, chosen: Chosen) -> FloatArray:
        """Best item of the committee."""
        return np.asarray(self.values[:, list(chosen)].max(axis=1, initial=0.0))

    def dual(self, prices: FloatArray) -> tuple[float, FloatArray, Served]:
        """See the module."""
        rise = self.values - prices[:, None]
        worth, served = self._represented(rise, self.weights, self.share)
        if self.n_larger:
            more, by_more = self._represented(rise, self.weights, self.share + 1)
            served = np.where(more > worth, by_more, served)
            worth = np.maximum(worth, more)
        return float(self.weights @ prices), worth, served

    def slope(self, prices: FloatArray, served: FloatArray) -> FloatArray:
        """Voters less how often they are represented."""
        return np.asarray(self.weights - served)
