"""The linear relaxation over 3-cycles, cut by cut, with a bound that needs no trust.

Grötschel, Jünger and Reinelt (1984), "A cutting plane algorithm for the linear ordering
problem". With ``z[i, j] = 1`` if i is before j and -1 if not, an order has
``z[i, j] + z[j, k] + z[k, i] <= 1`` for all i, j, k. Rows are added when violated.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.solution import FloatArray, IntArray
from ltr.solvers.orderings.problem import OrderingProblem

# What counts as violated, and as whole.
_VIOLATED, _WHOLE = 1e-6, 1e-5
# In one round no pair gets more new rows than this, and not more are added in all.
_CUTS_OF_PAIR, _MAX_CUTS = 4, 3000
# The basis of the last round is kept: no presolve, and the dual simplex method.
_GLOP = "use_dual_simplex: true use_preprocessing: false"


class Relaxation:
    """A linear program over the pairs i < j that grows by violated 3-cycles.

    Parameters
    ----------
    problem : OrderingProblem
        Its settled pairs are fixed; places and neighbours are equations.

    Attributes
    ----------
    z : float array of shape (n, n)
        Antisymmetric: the last solution.
    bound : float
        No order within ``lower`` and ``upper`` has a greater value: the least bound
        since they were last set.
    lower, upper : float array of shape (n * (n - 1) / 2,)
        Bounds of the variables, the pairs i < j row by row.
    """

    def __init__(self, problem: OrderingProblem) -> None:
        from ortools.linear_solver import pywraplp

        self.problem = problem
        n = len(problem)
        self.first, self.second = np.triu_indices(n, 1)
        number = np.zeros((n, n), dtype=np.int64)
        number[self.first, self.second] = np.arange(len(self.first))
        self._pair = (number + number.T).tolist()
        self._scaled = problem.gains[self.first, self.second] / problem.scale
        settled = problem.settled
        self.upper = np.where(settled.T[self.first, self.second], -1.0, 1.0)
        self.lower = np.where(settled[self.first, self.second], 1.0, -1.0)
        self._set = (self.lower.copy(), self.upper.copy())

        self._solver = pywraplp.Solver.CreateSolver("GLOP")
        self._variables = [
            self._solver.NumVar(low, high, "")
            for low, high in zip(self.lower.tolist(), self.upper.tolist(), strict=True)
        ]
        goal = self._solver.Objective()
        goal.SetMaximization()
        for variable, gain in zip(self._variables, self._scaled.tolist(), strict=True):
            goal.SetCoefficient(variable, gain)
        self._rows: list[Any] = []
        self._columns: list[list[int]] = []
        self._signs: list[list[int]] = []
        self._sides: list[float] = []
        self._equal: list[bool] = []
        self._add_equations()
        start = np.where(self._scaled < 0, -1.0, 1.0)
        self.z = self._matrix(np.clip(start, self.lower, self.upper))
        self.bound = float(np.abs(self._scaled).sum()) * problem.scale

    def _matrix(self, values: FloatArray) -> FloatArray:
        n = len(self.problem)
        z = np.zeros((n, n))
        z[self.first, self.second] = values
        return z - z.T

    def _add_row(
        self, pairs: list[tuple[int, int]], signs: list[int], side: float, equal: bool
    ) -> None:
        """Add the sum of ±z over pairs <= side, or = side."""
        columns = [self._pair[i][j] for i, j in pairs]
        signs = [
            sign if i < j else -sign for sign, (i, j) in zip(signs, pairs, strict=True)
        ]
        least = side if equal else -self._solver.infinity()
        row = self._solver.Constraint(least, side)
        for column, sign in zip(columns, signs, strict=True):
            row.SetCoefficient(self._variables[column], sign)
        self._rows.append(row)
        self._columns.append(columns)
        self._signs.append(signs)
        self._sides.append(side)
        self._equal.append(equal)

    def _add_equations(self) -> None:
        """An item at a place has so many before it; a group is one item to others."""
        n = len(self.problem)
        for fixed in self.problem.fixed:
            others = [j for j in range(n) if j != fixed.item]
            pairs = [(fixed.item, j) for j in others]
            side = n - 1 - 2.0 * fixed.position
            self._add_row(pairs, [1] * len(pairs), side, equal=True)
        for group in self.problem.together:
            leader, *members = group.items
            for other in sorted(set(range(n)) - set(group.items)):
                for member in members:
                    pairs = [(other, leader), (other, member)]
                    self._add_row(pairs, [1, -1], 0.0, equal=True)

    def add_cuts(self) -> int:
        """Add the 3-cycles that ``z`` violates most, some per pair; say how many."""
        n_new = [0] * len(self.first)
        pair = self._pair
        n_before = len(self._rows)
        for i, j, k in _violated(self.z).tolist():
            a, b, c = pair[i][j], pair[j][k], pair[k][i]
            if max(n_new[a], n_new[b], n_new[c]) < _CUTS_OF_PAIR:
                n_new[a] += 1
                n_new[b] += 1
                n_new[c] += 1
                self._add_row([(i, j), (j, k), (k, i)], [1, 1, 1], 1.0, equal=False)
                if len(self._rows) - n_before >= _MAX_CUTS:
                    break
        return len(self._rows) - n_before

    def solve(self, budget: Budget) -> str:
        """Solve the program as it is: "solved", "infeasible" or "stopped"."""
        solver = self._solver
        self._pass_bounds()
        limits = _GLOP
        if budget.work_left < np.inf:
            limits += f" max_deterministic_time: {budget.work_left}"
        solver.SetSolverSpecificParametersAsString(limits)
        if budget.seconds_left < np.inf:
            solver.SetTimeLimit(max(1, int(1000 * budget.seconds_left)))
        status = solver.Solve()
        n_rows = len(self._rows) + len(self.first)
        budget.spend(2e-8 * n_rows * (20 + max(0, solver.iterations())))
        if status == solver.INFEASIBLE:
            return "infeasible"
        if status != solver.OPTIMAL:
            return "stopped"
        self.z = self._matrix(np.array([v.solution_value() for v in self._variables]))
        self._read_bound()
        return "solved"

    def _pass_bounds(self) -> None:
        changed = (self.lower != self._set[0]) | (self.upper != self._set[1])
        for index in np.flatnonzero(changed).tolist():
            self._variables[index].SetBounds(
                float(self.lower[index]), float(self.upper[index])
            )
        self._set = (self.lower.copy(), self.upper.copy())

    def _read_bound(self) -> None:
        """Bound by multipliers, >= 0 on cuts; they need not be the optimal ones."""
        prices = np.array([row.dual_value() for row in self._rows])
        prices = np.where(self._equal, prices, np.maximum(prices, 0.0))
        lengths = [len(columns) for columns in self._columns]
        rows = csr_array(
            (
                np.concatenate([*self._signs, []]),
                np.concatenate([*self._columns, []]).astype(np.int64),
                np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            ),
            shape=(len(lengths), len(self.first)),
        )
        self._reduced = self._scaled - prices @ rows
        bound = (
            prices @ np.array(self._sides)
            + np.maximum(self._reduced * self.lower, self._reduced * self.upper).sum()
        )
        self._bound_of_prices = float(bound) * self.problem.scale
        self.bound = min(self.bound, self._bound_of_prices)

    def fix(self, needed: float) -> None:
        """Fix pairs whose other way round leaves no order of the value ``needed``."""
        width = (self.upper - self.lower) * np.abs(self._reduced) * self.problem.scale
        fixed = (self._bound_of_prices - width < needed) & (self.lower < self.upper)
        side = np.where(self._reduced > 0, 1.0, -1.0)
        self.lower[fixed] = side[fixed]
        self.upper[fixed] = side[fixed]

    def enter(self, lower: FloatArray, upper: FloatArray, bound: float) -> None:
        """Go to a node of the tree: bounds of the variables, and on the value."""
        self.lower, self.upper, self.bound = lower.copy(), upper.copy(), bound

    @property
    def is_whole(self) -> bool:
        """Whether ``z`` has only 1 and -1."""
        entries = self.z[self.first, self.second]
        return bool((np.abs(np.abs(entries) - 1) < _WHOLE).all())

    def branching_pair(self) -> tuple[int, bool]:
        """The pair whose entry is nearest to 0, and whether it is above."""
        entries = self.z[self.first, self.second]
        size = np.abs(entries) - 1e-3 * np.abs(self._scaled)
        size[self.lower == self.upper] = np.inf
        pair = int(size.argmin())
        return pair, bool(entries[pair] > 0)


def _violated(z: FloatArray) -> IntArray:
    """3-cycles (i, j, k) with z[i, j] + z[j, k] + z[k, i] > 1, the worst first."""
    n = len(z)
    entries = z.ravel()
    first, second, third = _triples(n)
    total = entries[first] + entries[second] - entries[third]
    wrong = np.flatnonzero(np.abs(total) > 1 + _VIOLATED)
    wrong = wrong[np.argsort(-np.abs(total[wrong]), kind="stable")]
    forward = total[wrong] > 0
    i, j = np.divmod(first[wrong], n)
    k = third[wrong] % n
    return np.column_stack([i, np.where(forward, j, k), np.where(forward, k, j)])


@lru_cache(maxsize=4)
def _triples(n: int) -> tuple[IntArray, IntArray, IntArray]:
    """For all i < j < k, the places of (i, j), (j, k) and (i, k) in a flat matrix."""
    each = np.arange(n)
    sorted_ = (each[:, None, None] < each[:, None]) & (each[:, None] < each)
    i, j, k = np.nonzero(sorted_)
    return i * n + j, j * n + k, i * n + k
