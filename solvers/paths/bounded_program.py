"""The dynamic program over sets, without states that cannot lead to a better order.

A state is a set of items that may come first, given the precedences, with its last
item. Many precedences leave few such sets (Salii, 2019, "Revisiting dynamic programming
for precedence-constrained traveling salesman problem"); bounds remove most of the
others (Morin and Marsten, 1976, "Branch-and-bound strategies for dynamic programming").
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.queries import FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.paths.problem import Incumbent, PathProblem

Words = NDArray[np.uint64]
# Units of work of a state and item that are looked at, per word of the set, and of a
# state that is reached.
_WORK_PER_LOOK, _WORK_PER_STATE = 1.2e-8, 4e-7
# Most states in memory, of all positions.
_MAX_STATES = 6_000_000
# Most states of one position in the first quarter: with more, the rest will not fit.
_MAX_EARLY = 100_000


class Layer(NamedTuple):
    """States of one position.

    Attributes
    ----------
    sets : uint64 array of shape (m, w)
        Bit i % 64 of word i // 64: item i is at this position or before.
    last : int16 array of shape (m,)
        The item at this position.
    cost, reduced : float arrays of shape (m,)
        Of the cheapest path through the set to the last item: its cost, and the sum of
        its reduced costs.
    parent : int32 array of shape (m,)
        Its state at the position before.
    """

    sets: Words
    last: NDArray[np.int16]
    cost: FloatArray
    reduced: FloatArray
    parent: NDArray[np.int32]


def bounded_program(
    best: Incumbent,
    budget: Budget,
    reduced: FloatArray,
    lower: float,
    max_states: int = _MAX_STATES,
) -> None:
    """Close the gap position by position, or raise the bound.

    With reduced costs d ≥ 0 of a relaxation whose bound is L, a tour costs at least
    L + Σ d_ij over any of its arcs. A state whose cheapest path has L + Σ d at the
    incumbent or above is in no better tour: neither is a dearer path to the same
    state, which has the same ways to go on. Each tour has a state at each position, so
    the least L + Σ d of a position is a bound on all of them.

    Parameters
    ----------
    best : Incumbent
        Its order is what states must beat; without one, or with items that stay
        together, or bounds on groups, nothing is done.
    budget : Budget
        When it is spent, the program ends.
    reduced : float array of shape (n + 1, n + 1)
        d, of all arcs.
    lower : float
        L.
    max_states : int
        States of all positions, beyond which the program gives up.
    """
    problem, rules = best.problem, best.problem.rules
    if best.order is None or best.is_closed or rules.together or rules.groups:
        return
    expand = _Expansion(best, budget, np.maximum(reduced, 0.0), lower)
    n = problem.n_items
    layer = expand.start()
    steps = [(layer.last, layer.parent)]
    n_states = len(layer.last)
    for position in range(1, n):
        if len(layer.last):
            grown = expand(layer, position)
            if grown is None:
                return
            layer = grown
        if not len(layer.last):
            best.raise_bound(best.proven, "dp")
            return
        n_states += len(layer.last)
        is_early = 4 * position < n
        if n_states > max_states or (is_early and len(layer.last) > _MAX_EARLY):
            return
        steps.append((layer.last, layer.parent))
        if position < n - 1:
            least = lower + float(layer.reduced.min())
            best.raise_bound(min(least, best.proven), "dp")
    total = layer.cost + problem.cost[layer.last, n]
    state = int(total.argmin())
    value, order = float(total[state]), []
    for last, parent in reversed(steps):
        order.append(int(last[state]))
        state = int(parent[state])
    # orders without a state cost as much as the incumbent
    proven = best.proven
    best.offer(order[::-1], problem.tour_cost(order[::-1]), "dp")
    best.raise_bound(min(value, proven, best.cost), "dp")


class _Expansion:
    """From the states of a position to those of the next."""

    def __init__(
        self, best: Incumbent, budget: Budget, reduced: FloatArray, lower: float
    ) -> None:
        problem: PathProblem = best.problem
        n = problem.n_items
        self._budget = budget
        self._cost, self._reduced = problem.cost, reduced
        self._gap = best.proven - lower
        self._is_usable = (problem.cost < problem.forbidden) & (reduced < self._gap)
        self._first, self._last = problem.rules.intervals(n)
        n_words = (n + 63) // 64
        self._bit = np.zeros((n, n_words), dtype=np.uint64)
        items = np.arange(n)
        self._bit[items, items // 64] = np.uint64(1) << (items % 64).astype(np.uint64)
        before = problem.rules.before(n)
        # sums of distinct bits are unions; (item, word)
        self._before = np.stack(
            [self._bit[before[:, item]].sum(axis=0) for item in items]
        ).astype(np.uint64)

    def start(self) -> Layer:
        """The items that may come first."""
        n = len(self._bit)
        is_first = self._is_usable[n, :n] & (self._first == 0)
        is_first &= ~self._before.any(axis=1)
        items = np.flatnonzero(is_first)
        return Layer(
            self._bit[items],
            items.astype(np.int16),
            self._cost[n, items],
            self._reduced[n, items],
            np.zeros(len(items), dtype=np.int32),
        )

    def __call__(self, layer: Layer, position: int) -> Layer | None:
        """The states of a position, the cheapest of each; None if the budget ends."""
        parts = []
        for item in range(len(self._bit)):
            if self._budget.is_spent:
                return None
            self._budget.spend(_WORK_PER_LOOK * layer.sets.size)
            if self._first[item] <= position <= self._last[item]:
                part = self._append(layer, item)
                self._budget.spend(_WORK_PER_STATE * len(part.last))
                parts.append(part)
        return Layer(*(np.concatenate(field) for field in zip(*parts, strict=True)))

    def _append(self, layer: Layer, item: int) -> Layer:
        """Put an item after all states that allow it; the cheapest path to each set."""
        is_in = (layer.sets & self._bit[item]).any(axis=1)
        lacks = (~layer.sets & self._before[item]).any(axis=1)
        reduced = layer.reduced + self._reduced[layer.last, item]
        allowed = self._is_usable[layer.last, item] & (reduced < self._gap)
        states: IntArray = np.flatnonzero(allowed & ~is_in & ~lacks)
        sets = layer.sets[states] | self._bit[item]
        cost = layer.cost[states] + self._cost[layer.last[states], item]
        by_set = np.lexsort((cost, *sets.T))
        sets = sets[by_set]
        is_new = np.ones(len(by_set), dtype=bool)
        is_new[1:] = (sets[1:] != sets[:-1]).any(axis=1)
        cheapest = by_set[is_new]
        states = states[cheapest]
        return Layer(
            sets[is_new],
            np.full(len(states), item, dtype=np.int16),
            cost[cheapest],
            reduced[states],
            states.astype(np.int32),
        )
