"""Values of all consensus orders and committees, as the docstrings read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations, permutations
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.constraints import Quota
from ltr.solvers.verification.candidates import CandidateSet, is_whole_array
from ltr.solvers.verification.procedures import committee_of


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
        self.is_whole = by_pairs and is_whole_array(weights)
        gain = np.zeros((n, n))
        if by_pairs:
            for i, j in permutations(range(n), 2):
                gain[i, j] = weights[levels[:, i] < levels[:, j]].sum()
                if arguments["ties"] == "half":
                    gain[i, j] += weights[levels[:, i] == levels[:, j]].sum() / 2
            self.is_whole &= is_whole_array(gain)
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
            self.rule != "pav"
            and is_whole_array(self.utility)
            and is_whole_array(self.weights)
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
