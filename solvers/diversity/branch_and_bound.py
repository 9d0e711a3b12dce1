"""The best set, by branch and bound on a Lagrangian bound.

Let I be the items that a node includes, C its candidates and m = k - |I|. A set that
adds M ⊆ C, |M| = m, to I has the value

    f(I) + Σ_{i ∈ M} (a_i - Σ_{j ∈ I} q_ij) - Σ_{i ∈ M} Σ_{j ∈ M - i} (q_ij/2 + u_ij)

for any prices u with u_ij = -u_ji. The inner sum has m - 1 terms, so it is no less than
that of the m - 1 least q_ij/2 + u_ij over j ∈ C - i; then the best M has the m greatest
b_i, which gives the bound. With u = 0 it is that of Pisinger (2006, "Upper bounds and
exact algorithms for p-dispersion problems", section 2); the best u gives the bound of
the linear program with a variable per ordered pair (reformulation-linearization).
At the root it is compared with the bound of the concave relaxation, and the tree goes
on with the better one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.tolerance import EPSILON, tolerance
from ltr.solvers.diversity.concave_bound import ConcaveRelaxation
from ltr.solvers.diversity.dispersion import Dispersion, Relaxation, exchange

# Subgradient steps at the root and at other nodes; steps that may fail to lower the
# bound before the step length is halved, and the length that ends them.
_ROOT_STEPS, _NODE_STEPS, _PATIENCE, _SHORTEST = 200, 20, 8, 1e-2
# Items of which eigenvalues are computed at most.
_MAX_CONCAVE = 2000
# Units of work of a step: overhead, and per pair of candidates.
_WORK_OF_STEP, _WORK_PER_PAIR = 1e-4, 2e-8


class Incumbent(NamedTuple):
    """The best set so far, and a bound on the value of every set.

    Attributes
    ----------
    items : int array of shape (k,)
        The set.
    bound : float
        No set has a greater value.
    """

    items: IntArray
    bound: float


class _Node(NamedTuple):
    bound: float
    included: BoolArray
    excluded: BoolArray


class Search:
    """Depth-first search, the child that includes an item first.

    Parameters
    ----------
    problem : Dispersion
        The problem, with k < n.
    start : int array of shape (k,)
        A set.
    budget : Budget
        Ends the search.

    Attributes
    ----------
    items : int array of shape (k,)
        The best set so far.
    value : float
        Its value.
    root_bound : float
        The first bound, of all sets.
    spread : float
        The first bound, less the value of the first set.
    close : float
        Nodes whose bound exceeds ``value`` by at most this are pruned.
    report : callable or None
        Called with the incumbent at each better set or bound; None: nobody watches.
    """

    def __init__(self, problem: Dispersion, start: IntArray, budget: Budget) -> None:
        self.problem, self.budget = problem, budget
        self.items, self.value, self.close = start, problem.value(start), 0.0
        self.report: Callable[[Incumbent], None] | None = None
        n = len(problem.gains)
        self._prices = np.zeros((n, n))
        self._none = np.zeros(n, dtype=bool)
        self._bound = self._pruned = np.inf
        self._concave: ConcaveRelaxation | None = None
        self.root_bound = max(self.value, self.first_bound())
        self.spread = self.root_bound - self.value
        self._set_close()

    def first_bound(self) -> float:
        """The bound without prices."""
        candidates = np.arange(len(self.problem.gains))
        halves = self.problem.costs / 2
        np.fill_diagonal(halves, np.inf)
        no_items = np.zeros(0, dtype=np.int64)
        return self._relax(no_items, candidates, halves).bound

    def _set_close(self) -> None:
        """Set what the bound of a node may exceed the incumbent by, to be pruned."""
        self.close = tolerance(self.problem.terms(self.items), self.spread) / 2

    def run(self) -> Incumbent:
        """Search until a proof or the end of the budget."""
        nodes = [_Node(self.root_bound, self._none, self._none)]
        self._pruned = -np.inf
        if self.problem.k > 1 and len(self._none) <= _MAX_CONCAVE:
            self._concave = ConcaveRelaxation(self.problem)
        at_root = True
        while nodes:
            self._lower(max(node.bound for node in nodes))
            if self.budget.is_spent:
                break
            node = nodes.pop()
            if not self._is_pruned(node.bound):
                children = self._expand(node, _ROOT_STEPS if at_root else _NODE_STEPS)
                nodes.extend(children)
            else:
                self._pruned = max(self._pruned, node.bound)
            at_root = False
        open_bound = max((node.bound for node in nodes), default=-np.inf)
        return Incumbent(self.items, self._bound_with(open_bound))

    def _bound_with(self, open_bound: float) -> float:
        return max(self.value, self._pruned, open_bound)

    def _lower(self, open_bound: float) -> None:
        bound = self._bound_with(open_bound)
        if bound < self._bound:
            self._bound = bound
            self._report()

    def _report(self) -> None:
        if self.report is not None:
            self.report(Incumbent(self.items, max(self._bound, self.value)))

    def _is_pruned(self, bound: float) -> bool:
        return bound <= self.value + self.close

    def consider(self, items: IntArray) -> None:
        """Make a better set the incumbent, after improving it by exchanges."""
        if self.problem.value(items) > self.value:
            self.items = exchange(self.problem, items, self.budget)
            self.value = self.problem.value(self.items)
            self._set_close()
            self._report()

    def _relax(
        self, included: IntArray, candidates: IntArray, halves: FloatArray
    ) -> Relaxation:
        """Maximize the relaxation; ``halves``: q/2 + u among the candidates."""
        problem, m = self.problem, self.problem.k - len(included)
        linear = problem.gains[candidates]
        across = problem.costs[np.ix_(candidates, included)]
        # the m - 1 least entries of each row come first
        partners = np.argpartition(halves, max(m - 2, 0), axis=1)[:, : m - 1]
        shares = np.take_along_axis(halves, partners, axis=1)
        sizes = np.abs(linear) + np.abs(across).sum(axis=1) + np.abs(shares).sum(axis=1)
        b = linear - across.sum(axis=1) - shares.sum(axis=1)
        b += EPSILON * problem.k * sizes  # rounded up
        top = np.argsort(-b, kind="stable")[:m]
        terms = np.append(problem.terms(included), b[top])
        rounding = EPSILON * problem.k * float(np.abs(terms).sum())
        return Relaxation(float(terms.sum()) + rounding, b, top, partners[top])

    def _tighten(
        self, included: IntArray, candidates: IntArray, n_steps: int
    ) -> Relaxation:
        """Lower the bound by subgradient steps of Polyak's length on the prices.

        With y_ij = 1 if the maximizer has i and pairs it with j, a subgradient of the
        bound at u is y' - y; a step has the length t·(bound - incumbent)/‖y - y'‖².
        """
        block = np.ix_(candidates, candidates)
        halves = self.problem.costs[block] / 2 + self._prices[block]
        np.fill_diagonal(halves, np.inf)
        length, n_stalled = 1.0, 0
        best, best_halves = self._relax(included, candidates, halves), halves
        relaxation = best
        for _ in range(n_steps):
            self.budget.spend(_WORK_OF_STEP + _WORK_PER_PAIR * len(candidates) ** 2)
            if self._is_pruned(best.bound) or length < _SHORTEST:
                break
            if self.budget.is_spent:
                break
            y = np.zeros_like(halves)
            y[relaxation.top[:, None], relaxation.partners] = 1.0
            slope = y - y.T
            norm = float((slope * slope).sum()) / 2
            if norm == 0:  # every pair agrees: the maximizer is a best set
                break
            step = length * (relaxation.bound - self.value) / norm
            halves = halves + step * slope
            relaxation = self._relax(included, candidates, halves)
            n_stalled += 1
            if relaxation.bound < best.bound:
                if best.bound - relaxation.bound > 1e-5 * abs(best.bound - self.value):
                    n_stalled = 0
                best, best_halves = relaxation, halves
                self.consider(np.concatenate([included, candidates[best.top]]))
            elif n_stalled >= _PATIENCE:
                length, n_stalled = length / 2, 0
                halves, relaxation = best_halves, best
        np.fill_diagonal(best_halves, 0.0)
        self._prices[block] = best_halves - self.problem.costs[block] / 2
        return best

    def _expand(self, node: _Node, n_steps: int) -> list[_Node]:
        """Bound a node, and branch; no children if it is solved or pruned."""
        included = np.flatnonzero(node.included)
        candidates = np.flatnonzero(~node.included & ~node.excluded)
        m = self.problem.k - len(included)
        if m <= 1 or m >= len(candidates):
            return self._solve(included, candidates, m)
        relaxation = self._bounded(included, candidates, n_steps)
        self.consider(np.concatenate([included, candidates[relaxation.top]]))
        bound = min(node.bound, relaxation.bound)
        if self._is_pruned(bound):
            self._pruned = max(self._pruned, bound)
            return []
        return self._children(node, candidates, relaxation, bound)

    def _bounded(
        self, included: IntArray, candidates: IntArray, n_steps: int
    ) -> Relaxation:
        """Bound a node by the relaxation that was better at the root."""
        concave = self._concave
        if concave is None:
            return self._tighten(included, candidates, n_steps)
        by_tangent = concave.tighten(
            included, candidates, self.budget, self.value, self._is_pruned
        )
        if n_steps < _ROOT_STEPS or self._is_pruned(by_tangent.bound):
            return by_tangent
        by_pairs = self._tighten(included, candidates, n_steps)
        if by_tangent.bound < by_pairs.bound:
            return by_tangent
        self._concave = None
        return by_pairs

    def _solve(self, included: IntArray, candidates: IntArray, m: int) -> list[_Node]:
        """Solve a node with at most one open place, or without a choice."""
        if m > len(candidates):
            return []
        if m == 1:
            across = self.problem.costs[np.ix_(candidates, included)].sum(axis=1)
            best = int((self.problem.gains[candidates] - across).argmax())
            candidates = candidates[best : best + 1]
        elif m == 0:
            candidates = candidates[:0]
        items = np.concatenate([included, candidates])
        self._pruned = max(self._pruned, self.problem.value(items))
        self.consider(items)
        return []

    def _children(
        self,
        node: _Node,
        candidates: IntArray,
        relaxation: Relaxation,
        bound: float,
    ) -> list[_Node]:
        """Fix candidates by their b, then branch on one: exclude it, or include it.

        With a candidate outside of the maximizer, the bound is less by at least the
        least b inside minus its b; without one inside, by its b minus the greatest b
        outside.
        """
        b, limit = relaxation.b, self.value + self.close
        is_top = np.zeros(len(b), dtype=bool)
        is_top[relaxation.top] = True
        bound_with = relaxation.bound + b - b[is_top].min()
        bound_without = relaxation.bound - b + b[~is_top].max()
        included, excluded = node.included.copy(), node.excluded.copy()
        is_out, is_in = (
            ~is_top & (bound_with <= limit),
            is_top & (bound_without <= limit),
        )
        excluded[candidates[is_out]], included[candidates[is_in]] = True, True
        cut = [bound_with[is_out].max(initial=-np.inf)]
        cut.append(bound_without[is_in].max(initial=-np.inf))
        self._pruned = max(self._pruned, *cut)
        is_open = is_top & ~is_in
        if not is_open.any():
            return [_Node(bound, included, excluded)]
        item = candidates[is_open][b[is_open].argmax()]
        with_item, without_item = included.copy(), excluded.copy()
        with_item[item] = without_item[item] = True
        return [
            _Node(bound, included, without_item),
            _Node(bound, with_item, excluded),
        ]
