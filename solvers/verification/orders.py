"""Values of paths, tours, orderings, assignments and diverse sets, as documented."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from ltr.queries import FloatArray, IntArray
from ltr.solvers.verification.candidates import CandidateSet, is_whole_array


class Pairs(CandidateSet):
    """Orders valued by neighbors (a path) or by all pairs (an ordering)."""

    def __init__(
        self,
        matrix: Any,
        start: Any,
        end: Any,
        constraints: Any,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        n = len(matrix)
        self.matrix = np.array(matrix, dtype=np.float64).reshape(n, n)
        np.fill_diagonal(self.matrix, 0.0)
        super().__init__(n, n, constraints, attributes)
        self.is_path = start is not None
        self.start, self.end = (
            np.zeros(n) if gains is None or not self.is_path else np.array(gains, float)
            for gains in (start, end)
        )
        if not self.is_path:
            self.start = self.end = np.zeros(n)
        self.is_whole = all(
            is_whole_array(gains) for gains in (self.matrix, self.start, self.end)
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

    def __init__(
        self, matrix: Any, constraints: Any, attributes: Mapping[str, Any] | None
    ) -> None:
        start = np.zeros(len(matrix))
        super().__init__(matrix, start, None, constraints, attributes)

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
            self.is_whole = is_whole_array(gain)

    def terms(self, orders: IntArray) -> FloatArray:
        """Gain at each position."""
        return np.asarray(self.gain[orders, np.arange(self.k)])


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
