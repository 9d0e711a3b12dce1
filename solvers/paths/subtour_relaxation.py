"""The subtour relaxation as a linear program that grows by arcs and by cuts.

Dantzig, Fulkerson and Johnson (1954): with x_ij = 1 if the tour has the arc i → j,

    minimize Σ c_ij·x_ij  subject to  Σ_j x_ij = 1 for each i,  Σ_i x_ij = 1 for each j,
    Σ_{i, j in S} x_ij ≤ |S| - 1  for each proper subset S of the nodes,  x ≥ 0.

Cuts are added when they are violated, arcs when they have a negative reduced cost.
Where costs are nearly symmetric, this bound is much tighter than that of the
assignment, whose solutions are full of 2-cycles.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.budget import Budget, BudgetSpent
from ltr.solvers.core.linear_program import WARM_DUAL_SIMPLEX, LinearProgram
from ltr.solvers.core.solution import Status
from ltr.solvers.paths.problem import PathProblem

# The greatest cost in the linear program: GLOP's tolerances are absolute.
_TOP = 1e3
# Cost of a slack, in forbidden arcs.
_SLACK_COST = 10.0
# Units of work of one solve: fixed, per row, per column.
_WORK, _WORK_PER_ROW, _WORK_PER_ARC = 1e-4, 2e-6, 1e-6


@dataclass(frozen=True, eq=False)
class Cut:
    """A valid inequality: Σ counts_ij · x_ij ≤ at_most for every tour.

    Attributes
    ----------
    counts : int8 array of shape (n + 1, n + 1)
        Coefficient of each arc.
    at_most : int
        Right side.
    """

    counts: NDArray[np.int8]
    at_most: int

    @property
    def key(self) -> bytes:
        """Key that cuts with the same coefficients share."""
        return self.counts.tobytes()


class SubtourRelaxation:
    """The linear program over some of the arcs and cuts, re-solved from its last basis.

    Rows have slacks that cost more than a forbidden arc, so the program always has a
    solution. Each degree row has its own; all cuts share one, since a new column would
    end the warm start of the dual simplex method.

    Rows, columns and solves end with :class:`BudgetSpent` once the budget is spent: the
    relaxation is then incomplete.

    Attributes
    ----------
    tails, heads : int arrays of shape (n_arcs,)
        The arcs that are columns.
    x : float array of shape (n_arcs,)
        The last solution.
    bound : float
        No tour of these arcs costs less, within the bounds of the present branch.
    cuts : list of Cut
        Cuts that are rows.
    """

    def __init__(self, problem: PathProblem, arcs: BoolArray, budget: Budget) -> None:
        self.problem, self._budget = problem, budget
        self._scale = _TOP / (problem.top or 1.0)
        self._cost = problem.cost * self._scale
        self._lp = LinearProgram(f"{WARM_DUAL_SIMPLEX} use_scaling: false")
        # rows 0, …, n: out-degrees of the nodes; rows n + 1, …, 2n + 1: in-degrees
        n_degrees = 2 * len(arcs)
        rows = self._lp.add_rows(np.ones(n_degrees), np.ones(n_degrees))
        dear = _SLACK_COST * problem.forbidden * self._scale
        # a tour needs no slack, so bounds take it to be 0
        slacks = self._lp.add_columns(np.full(n_degrees + 1, dear), implied=0.0)
        self._lp.add_entries(rows, slacks[:-1], np.ones(n_degrees))
        self._excess = slacks[-1:]
        self._first_arc = self._lp.n_columns
        self.tails = self.heads = np.empty(0, dtype=np.int64)
        self.cuts: list[Cut] = []
        self._cut_rows = np.empty(0, dtype=np.int64)
        self._keys: set[bytes] = set()
        self.add_arcs(arcs)

    def add_arcs(self, arcs: BoolArray) -> None:
        """Add columns, with their entries in all rows."""
        tails, heads = np.nonzero(arcs)
        self._check_budget()
        # the degree rows imply x ≤ 1
        columns = self._lp.add_columns(self._cost[tails, heads], implied=1.0)
        ones = np.ones(len(columns))
        self._lp.add_entries(tails, columns, ones)
        self._lp.add_entries(len(self._cost) + heads, columns, ones)
        for row, cut in zip(self._cut_rows.tolist(), self.cuts, strict=True):
            self._check_budget()
            self._add_counts(row, columns, cut.counts[tails, heads])
        self.tails = np.append(self.tails, tails)
        self.heads = np.append(self.heads, heads)

    def _add_counts(
        self, row: int, columns: IntArray, counts: NDArray[np.int8]
    ) -> None:
        nonzero = np.flatnonzero(counts)
        self._lp.add_entries(
            np.full(len(nonzero), row), columns[nonzero], counts[nonzero]
        )

    def _check_budget(self) -> None:
        if self._budget.is_spent:
            raise BudgetSpent

    @property
    def present(self) -> BoolArray:
        """Which arcs are columns."""
        arcs = np.zeros(self._cost.shape, dtype=bool)
        arcs[self.tails, self.heads] = True
        return arcs

    @property
    def _arc_columns(self) -> IntArray:
        return np.arange(self._first_arc, self._lp.n_columns)

    def add_cut(self, cut: Cut) -> bool:
        """Add a row; False if it is there already."""
        if cut.key in self._keys:
            return False
        self._check_budget()
        self._keys.add(cut.key)
        rows = self._lp.add_rows([-math.inf], [float(cut.at_most)])
        counts = cut.counts[self.tails, self.heads]
        self._add_counts(int(rows[0]), self._arc_columns, counts)
        self._lp.add_entries(rows, self._excess, [-1.0])
        self.cuts.append(cut)
        self._cut_rows = np.append(self._cut_rows, rows)
        return True

    def branch(self, required: BoolArray, allowed: BoolArray) -> None:
        """Set the bounds of the arcs: 1 ≤ x where required, x ≤ 0 where not allowed."""
        self._lp.set_bounds(
            self._arc_columns,
            required.astype(np.float64),
            np.where(allowed, math.inf, 0.0),
        )

    def solve(self) -> None:
        """Solve the program as it is, and set ``x`` and ``bound``.

        Raises
        ------
        BudgetSpent
            If it is not solved within the budget.
        """
        self._check_budget()
        budget = self._budget
        status = self._lp.solve(budget)
        n_arcs = len(self.tails)
        budget.spend(_WORK + _WORK_PER_ROW * self._lp.n_rows + _WORK_PER_ARC * n_arcs)
        if status is not Status.OPTIMAL:
            raise BudgetSpent
        self.x = self._lp.x[self._first_arc :]
        self.bound = self._lp.bound() / self._scale

    @property
    def reduced_of_arcs(self) -> FloatArray:
        """Reduced costs of the arcs that are columns, at the last solution."""
        return self._lp.reduced[self._first_arc :] / self._scale

    def reduced(self) -> FloatArray:
        """Reduced costs of all arcs, columns or not, at the last solution.

        With the prices u of the out-degrees, v of the in-degrees and w ≤ 0 of the cuts,
        d_ij = c_ij - u_i - v_j - Σ_cuts w · counts_ij.
        """
        size = len(self._cost)
        prices = self._lp.prices
        reduced = self._cost - prices[:size, None] - prices[size : 2 * size]
        weights = prices[self._cut_rows]
        for k in np.flatnonzero(weights).tolist():
            reduced -= weights[k] * self.cuts[k].counts
        return reduced / self._scale
