"""The linear relaxation with 3-cycle cuts, and a bound from its dual values.

Grötschel, Jünger and Reinelt (1984), "A cutting plane algorithm for the linear ordering
problem". With z_ij = 1 if i is before j and z_ij = -1 if not, z_ji = -z_ij, relax

    maximize Σ_{i<j} gains_ij·z_ij  subject to  z_ij + z_jk + z_ki ≤ 1  for all i, j, k

and -1 ≤ z ≤ 1. An order has no cycle i → j → k → i, where the sum would be 3. There
are O(n³) of these cuts; those that the last solution violates are added.
"""

from functools import lru_cache

import numpy as np

from ltr.queries import FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.linear_program import LinearProgram
from ltr.solvers.core.solution import Status
from ltr.solvers.orderings.problem import OrderingProblem

# Violations up to the first are ignored; within the second, z counts as integral.
_VIOLATED, _INTEGRAL = 1e-6, 1e-5
# Maximum number of cuts added in one round: per pair, and in total.
_CUTS_OF_PAIR, _MAX_CUTS = 4, 3000
# Units of work per row or column and pivot; the overhead of a solve, in pivots.
_WORK_PER_PIVOT, _PIVOTS_OF_SOLVE = 2e-8, 20


class CycleRelaxation:
    """A linear program over the pairs i < j that grows by violated 3-cycles.

    Parameters
    ----------
    problem : OrderingProblem
        Its settled pairs are fixed; ranges of positions and groups become rows.

    Attributes
    ----------
    z : float array of shape (n, n)
        The last solution, antisymmetric.
    bound : float
        No order within ``lower`` and ``upper`` has a greater value: the least bound
        since they were last set.
    lower, upper : float array of shape (n * (n - 1) / 2,)
        Bounds of the variables, the pairs i < j row by row.
    work : float
        Units of work so far.
    """

    def __init__(self, problem: OrderingProblem) -> None:
        self.problem, self.work = problem, 0.0
        n = len(problem)
        self._i, self._j = np.triu_indices(n, 1)
        column = np.zeros((n, n), dtype=np.int64)
        column[self._i, self._j] = np.arange(len(self._i))
        self._column = column + column.T
        self._gains = problem.gains[self._i, self._j] / problem.scale
        settled = problem.settled
        self.upper = np.where(settled[self._j, self._i], -1.0, 1.0)
        self.lower = np.where(settled[self._i, self._j], 1.0, -1.0)
        self._lp = LinearProgram()  # which minimizes: its costs are minus the gains
        self._lp.add_columns(-self._gains, lower=self.lower, upper=self.upper)
        self._add_order_rows()
        by_gain = np.where(self._gains < 0, -1.0, 1.0)
        self.z = self._matrix(np.clip(by_gain, self.lower, self.upper))
        self.bound = float(np.abs(self._gains).sum()) * problem.scale

    def _matrix(self, values: FloatArray) -> FloatArray:
        n = len(self.problem)
        z = np.zeros((n, n))
        z[self._i, self._j] = values
        return z - z.T

    def _add_rows(
        self, pairs: IntArray, signs: list[int], low: float, high: float
    ) -> None:
        """Add rows low ≤ Σ_p signs[p] · z_ij ≤ high, (i, j) = pairs[row, p].

        The columns are the pairs i < j; z_ij is -z_ji for i > j.
        """
        i, j = pairs[..., 0], pairs[..., 1]  # (n_rows, n_terms)
        n_rows, n_terms = i.shape
        rows = self._lp.add_rows(np.full(n_rows, low), np.full(n_rows, high))
        self._lp.add_entries(
            np.repeat(rows, n_terms),
            self._column[i, j].ravel(),
            np.where(i < j, signs, np.negative(signs)).ravel(),
        )

    def _add_order_rows(self) -> None:
        """Add the rows of ranges of positions and of groups.

        Item i is at position p if p of the others are before it: Σ_j z_ij = n - 1 - 2p.
        The items of a group are next to each other if every other item is before all of
        them or after all of them: z_ka = z_kb for a, b in the group and k outside.
        """
        n = len(self.problem)
        for window in self.problem.windows if n > 1 else ():
            pairs = [[(window.item, j) for j in range(n) if j != window.item]]
            low, high = n - 1 - 2.0 * window.end(n), n - 1 - 2.0 * window.first
            self._add_rows(np.array(pairs), [1] * (n - 1), low, high)
        for group in self.problem.together:
            leader, *members = group.items
            pairs = [
                [(other, leader), (other, member)]
                for other in sorted(set(range(n)) - set(group.items))
                for member in members
            ]
            if pairs:
                self._add_rows(np.array(pairs), [1, -1], 0.0, 0.0)

    def add_cuts(self, budget: Budget) -> int:
        """Add the 3-cycles that ``z`` violates most, and return their number.

        None once the budget is spent.
        """
        if budget.is_spent:
            return 0
        n_cuts_of_pair = [0] * len(self._i)
        triples = _violated(self.z)
        cycles = np.stack([triples, np.roll(triples, -1, axis=1)], axis=2)  # (m, 3, 2)
        columns = self._column[cycles[..., 0], cycles[..., 1]]
        added = []
        for cycle, (a, b, c) in enumerate(columns.tolist()):
            if max(n_cuts_of_pair[a], n_cuts_of_pair[b], n_cuts_of_pair[c]) < (
                _CUTS_OF_PAIR
            ):
                n_cuts_of_pair[a] += 1
                n_cuts_of_pair[b] += 1
                n_cuts_of_pair[c] += 1
                added.append(cycle)
                if len(added) == _MAX_CUTS:
                    break
        if added:
            self._add_rows(cycles[added], [1, 1, 1], -np.inf, 1.0)
        return len(added)

    def solve(self, budget: Budget) -> Status:
        """Solve the program as it is; UNKNOWN: the budget ended first."""
        lp = self._lp
        lp.set_bounds(np.arange(lp.n_columns), self.lower, self.upper)
        status = lp.solve(budget)
        size = lp.n_rows + lp.n_columns
        work = _WORK_PER_PIVOT * size * (_PIVOTS_OF_SOLVE + lp.n_iterations)
        self.work += work
        budget.spend(work)
        if status is Status.OPTIMAL:
            self.z = self._matrix(lp.x)
            self._bound_of_prices = -lp.bound() * self.problem.scale
            self.bound = min(self.bound, self._bound_of_prices)
        return status

    def fix(self, value: float) -> None:
        """Fix pairs whose other direction leaves no order of value ``value`` or more.

        With reduced costs d, the bound takes each pair at the better end of its range.
        At the other end it is less by |d| · (upper - lower): reduced cost fixing.
        """
        reduced = -self._lp.reduced
        loss = np.abs(reduced) * (self.upper - self.lower) * self.problem.scale
        is_fixed = (self._bound_of_prices - loss < value) & (self.lower < self.upper)
        direction = np.where(reduced > 0, 1.0, -1.0)
        self.lower[is_fixed] = self.upper[is_fixed] = direction[is_fixed]

    def enter(self, lower: FloatArray, upper: FloatArray, bound: float) -> None:
        """Go to a node of the tree: bounds of the variables, and on the value."""
        self.lower, self.upper, self.bound = lower.copy(), upper.copy(), bound

    @property
    def is_integral(self) -> bool:
        """Whether all entries of ``z`` are 1 or -1."""
        entries = self.z[self._i, self._j]
        return bool((np.abs(np.abs(entries) - 1) < _INTEGRAL).all())

    def branching_pair(self) -> tuple[int, bool]:
        """The pair i < j whose z is nearest to 0, and whether z_ij > 0.

        Ties favor the greatest gain.
        """
        entries = self.z[self._i, self._j]
        distance = np.abs(entries) - 1e-3 * np.abs(self._gains)
        distance[self.lower == self.upper] = np.inf
        pair = int(distance.argmin())
        return pair, bool(entries[pair] > 0)


def _violated(z: FloatArray) -> IntArray:
    """3-cycles (i, j, k) with z_ij + z_jk + z_ki > 1, the most violated first.

    For i < j < k and total = z_ij + z_jk - z_ik, the cycle i → j → k → i is violated if
    total > 1, and i → k → j → i, whose sum is -total, if total < -1.
    """
    n = len(z)
    entries = z.ravel()
    ij, jk, ik = _triples(n)
    total = entries[ij] + entries[jk] - entries[ik]
    violated = np.flatnonzero(np.abs(total) > 1 + _VIOLATED)
    violated = violated[np.argsort(-np.abs(total[violated]), kind="stable")]
    is_forward = total[violated] > 0
    i, j = np.divmod(ij[violated], n)
    k = ik[violated] % n
    return np.column_stack([i, np.where(is_forward, j, k), np.where(is_forward, k, j)])


@lru_cache(maxsize=4)
def _triples(n: int) -> tuple[IntArray, IntArray, IntArray]:
    """For all i < j < k, the indices of (i, j), (j, k), (i, k) in a raveled matrix."""
    items = np.arange(n)
    i, j, k = np.nonzero(
        (items[:, None, None] < items[:, None]) & (items[:, None] < items)
    )
    return i * n + j, j * n + k, i * n + k
