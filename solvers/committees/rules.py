"""The value of a committee under each rule, the gain of one more item, and a bound.

The bound is Lagrangian. In the integer program with x_i = 1 for items of the committee
and y_vi = 1 where item i represents voter v, relax the constraint that couples the
items of voter v (Chamberlin-Courant and Monroe: Σ_i y_vi ≤ 1; PAV: the voter's count
c_v is at most Σ_i a_vi x_i) at the price w_v λ_v. What is left separates: no committee
is worth more than L(λ), a constant plus the greatest total of ``k`` item values,

- Chamberlin-Courant: Σ_v w_v λ_v, and Σ_v w_v max(0, u_vi - λ_v) for item i;
- PAV: Σ_v w_v max_c (H_c - λ_v c), and Σ_v w_v λ_v a_vi, with H_c = 1 + 1/2 + … + 1/c;
- Monroe: Σ_v w_v λ_v, and for item i the sum of u_vi - λ_v over its best ⌊n/k⌋ or
  ⌈n/k⌉ voters.

For the first two, with λ_v the utility that a voter has from a committee (PAV: the gain
of one more approved item), L(λ) is at most the value plus the k greatest gains [1]_.

References
----------
.. [1] G. L. Nemhauser, L. A. Wolsey and M. L. Fisher. An analysis of approximations for
   maximizing submodular set functions, I. Mathematical Programming 14, 1978.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.committees.quotas import Committee

# Values of PAV are multiples of 1 / lcm(1, …, k); units below 1e-6 are not used.
_FINEST = 1_000_000

Served = FloatArray | BoolArray


def _weighted(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Sums over the voters; without BLAS, whose threads cost more than they save."""
    return np.asarray(np.einsum("v,vi->i", weights, values))


def unit_of(values: FloatArray, weights: FloatArray) -> float:
    """1 or 1/2 if every sum of weighted values is a multiple of it, else 0."""
    if (weights != np.rint(weights)).any():
        return 0.0
    return 1.0 if (values == np.rint(values)).all() else 0.5


class Score(Protocol):
    """The value of committees under a rule, for the ballots of an election.

    Attributes
    ----------
    values : float array of shape (n_voters, n_items)
        Utilities u_vi.
    weights : float array of shape (n_voters,)
        Weights w_v of the voters.
    unit : float
        The value of every committee is a multiple of it; 0 if no unit is known.
    is_submodular : bool
        Whether the value is submodular, so that greedy has its guarantee.
    work : float
        Approximate seconds of one pass over the ballots.
    """

    values: FloatArray
    weights: FloatArray
    unit: float
    is_submodular: bool
    work: float

    def value(self, committee: Committee) -> float:
        """Value of a committee."""

    def gains(self, committee: Committee) -> FloatArray:
        """Increase of the value if an item joins, shape (n_items,)."""

    def swap_gains(self, committee: IntArray) -> FloatArray | None:
        """Change if item i replaces the s-th, shape (k, n_items); None: unknown."""

    def prices(self, committee: Committee) -> FloatArray:
        """Prices λ of shape (n_voters,) from which to start the bound."""

    def dual(self, prices: FloatArray) -> tuple[float, FloatArray, Served]:
        """Constant and item values of L(λ), and how often an item serves a voter."""

    def slope(self, prices: FloatArray, served: FloatArray) -> FloatArray:
        """Subgradient of L at λ; ``served``: how often the maximizer serves a voter."""


class ChamberlinCourant:
    """Chamberlin-Courant: a voter's utility is that of the best item of the committee.

    Parameters
    ----------
    values : float array of shape (n_voters, n_items)
        Utilities u_vi >= 0.
    weights : float array of shape (n_voters,)
        Weights w_v of the voters.
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

    def _best(self, committee: Committee) -> FloatArray:
        return np.asarray(self.values[:, list(committee)].max(axis=1, initial=0.0))

    def value(self, committee: Committee) -> float:
        """Σ_v w_v max_{i in S} u_vi."""
        return float(self.weights @ self._best(committee))

    def gains(self, committee: Committee) -> FloatArray:
        """Σ_v w_v max(0, u_vi - max_{j in S} u_vj)."""
        rise = self.values - self._best(committee)[:, None]
        return _weighted(self.weights, np.maximum(rise, 0.0, out=rise))

    def swap_gains(self, committee: IntArray) -> FloatArray:
        """The gain of i, less the loss of the voters whose best item s leaves.

        Such a voter falls from the best item to the second, or to i if that is better
        (up to the best: what i adds beyond it is in its gain).
        """
        inside = self.values[:, committee]
        best, favorite = inside.max(axis=1)[:, None], inside.argmax(axis=1)
        second = np.zeros_like(best)
        if len(committee) > 1:
            second = np.partition(inside, -2, axis=1)[:, -2:-1]
        loss = best - np.maximum(second, np.minimum(self.values, best))
        leaves = (favorite == np.arange(len(committee))[:, None]) * self.weights
        return np.asarray(self.gains(committee) - leaves @ loss)

    def prices(self, committee: Committee) -> FloatArray:
        """λ_v = max_{i in S} u_vi."""
        return self._best(committee)

    def dual(self, prices: FloatArray) -> tuple[float, FloatArray, Served]:
        """L(λ) as in the module docstring."""
        rise = self.values - prices[:, None]
        served = rise > 0
        item_values = _weighted(self.weights, np.maximum(rise, 0.0, out=rise))
        return float(self.weights @ prices), item_values, served

    def slope(self, prices: FloatArray, served: FloatArray) -> FloatArray:
        """w_v (1 - number of items of the maximizer with u_vi > λ_v)."""
        return np.asarray(self.weights * (1.0 - served))


class Proportional:
    """PAV: a voter's utility is H_c = 1 + 1/2 + … + 1/c for c approved items.

    Parameters
    ----------
    values : float array of shape (n_voters, n_items)
        a_vi: 1 where a voter approves an item, else 0.
    weights : float array of shape (n_voters,)
        Weights w_v of the voters.
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
        self.max_count = np.minimum(values.sum(axis=1), k)
        denominator = math.lcm(*range(1, int(self.max_count.max()) + 1))
        coarse = denominator <= _FINEST
        self.unit = unit_of(values, weights) / denominator if coarse else 0.0
        self.is_submodular, self.work = True, 2e-5 + 4e-9 * values.size

    def _counts(self, committee: Committee) -> FloatArray:
        return np.asarray(self.values[:, list(committee)].sum(axis=1))

    def value(self, committee: Committee) -> float:
        """Σ_v w_v H_c(v)."""
        return float(self.weights @ self.harmonic[self._counts(committee).astype(int)])

    def gains(self, committee: Committee) -> FloatArray:
        """Σ_v w_v a_vi / (c_v + 1); 0 for items of the committee."""
        gains = _weighted(self.weights / (self._counts(committee) + 1), self.values)
        gains[list(committee)] = 0.0
        return gains

    def swap_gains(self, committee: IntArray) -> FloatArray:
        """Approving i but not s gains a voter 1/(c + 1); s but not i loses 1/c."""
        counts, inside = self._counts(committee), self.values[:, committee]
        gain = self.weights / (counts + 1)
        loss = self.weights / np.maximum(counts, 1)
        gained = ((1 - inside).T * gain) @ self.values
        return np.asarray(gained - (inside.T * loss) @ (1 - self.values))

    def prices(self, committee: Committee) -> FloatArray:
        """λ_v = 1 / (c_v + 1), the gain of one more approved item."""
        return np.asarray(1 / (self._counts(committee) + 1))

    def _demand(self, prices: FloatArray) -> FloatArray:
        """argmax_c H_c - λ_v c: the greatest c with 1/c > λ_v that approvals allow."""
        return np.minimum(np.ceil(1 / np.maximum(prices, 1e-9)) - 1, self.max_count)

    def dual(self, prices: FloatArray) -> tuple[float, FloatArray, Served]:
        """L(λ) as in the module docstring."""
        demand = self._demand(prices)
        constant = self.weights @ (self.harmonic[demand.astype(int)] - prices * demand)
        item_values = _weighted(self.weights * prices, self.values)
        return float(constant), item_values, self.values

    def slope(self, prices: FloatArray, served: FloatArray) -> FloatArray:
        """w_v (number of approved items in the maximizer - demand)."""
        return np.asarray(self.weights * (served - self._demand(prices)))


class Monroe:
    """Monroe: every voter has one item, and items represent equal shares of the voters.

    Parameters
    ----------
    values : float array of shape (n_voters, n_items)
        Utilities u_vi >= 0, multiples of 1/2.
    weights : float array of shape (n_voters,)
        Number of voters that each row stands for, integers.
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

    def value(self, committee: Committee) -> float:
        """Best assignment of voters to seats: a minimum-cost flow.

        Arcs voter → seat of cost -2 u_vi (integers); a seat keeps ⌊n/k⌋ units and may
        pass one on to the sink, which takes the n mod k larger shares.
        """
        from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

        n, k = len(self.values), len(committee)
        counts = self.weights.astype(np.int64)
        flow = SimpleMinCostFlow()
        voters, seats = np.arange(n), n + np.arange(k)
        of_item = self.values[:, list(committee)]
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
        self, values: FloatArray, weights: FloatArray, share: int
    ) -> tuple[FloatArray, FloatArray]:
        """Total value of the best ``share`` voters of each item, and who they are."""
        order = np.argsort(-values, axis=0, kind="stable")
        # of the w voters of a row, as many are served as the share has room for
        total = np.cumsum(weights[order], axis=0)
        n_served = np.minimum(total, share) - np.minimum(total - weights[order], share)
        served = np.zeros_like(values)
        np.put_along_axis(served, order, n_served, axis=0)
        return (values * served).sum(axis=0), served

    def gains(self, committee: Committee) -> FloatArray:
        """Value of an item's best share of the voters not yet represented [1]_.

        References
        ----------
        .. [1] P. Skowron, P. Faliszewski and A. Slinko. Achieving fully proportional
           representation: approximability results. Artificial Intelligence 222, 2015,
           Algorithm A.
        """
        weights = self.weights.copy()
        shares = [self.share + (place < self.n_larger) for place in range(self.k)]
        for item, share in zip(committee, shares, strict=False):
            column = self.values[:, [item]]
            weights -= self._represented(column, weights, share)[1][:, 0]
        gains = self._represented(self.values, weights, shares[len(committee)])[0]
        gains[list(committee)] = 0.0
        return gains

    def swap_gains(self, committee: IntArray) -> None:
        """Unknown: each swap would need a flow."""

    def prices(self, committee: Committee) -> FloatArray:
        """λ_v = max_{i in S} u_vi."""
        return np.asarray(self.values[:, list(committee)].max(axis=1, initial=0.0))

    def dual(self, prices: FloatArray) -> tuple[float, FloatArray, Served]:
        """L(λ) as in the module docstring."""
        rise = self.values - prices[:, None]
        item_values, served = self._represented(rise, self.weights, self.share)
        if self.n_larger:
            larger = self._represented(rise, self.weights, self.share + 1)
            served = np.where(larger[0] > item_values, larger[1], served)
            item_values = np.maximum(item_values, larger[0])
        return float(self.weights @ prices), item_values, served

    def slope(self, prices: FloatArray, served: FloatArray) -> FloatArray:
        """w_v - how often the maximizer represents voter v."""
        return np.asarray(self.weights - served)
