"""The subtour relaxation as a linear program that grows by arcs and by cuts.

Dantzig, Fulkerson and Johnson (1954): each node is left once and entered once, and no
set S of nodes holds more than |S| - 1 arcs. Sets are added when they are violated, arcs
when they have a negative reduced cost. Where costs are nearly symmetric, this bound is
much tighter than that of the assignment, whose solutions are full of 2-cycles.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.solution import BoolArray, FloatArray
from ltr.solvers.paths.problem import PathProblem

# The greatest cost in the linear program: GLOP's tolerances are absolute.
_TOP = 1e3
# Units of work of one solve: fixed, per row, per column.
_WORK, _WORK_PER_ROW, _WORK_PER_ARC = 1e-4, 2e-6, 1e-6


class Unsolved(Exception):
    """The linear program was not solved within the limit."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A weighted number of arcs in a tour is at most so much.

    Attributes
    ----------
    counts : int8 array of shape (n + 1, n + 1)
        How much each arc counts.
    at_most : int
        Greatest sum.
    """

    counts: NDArray[np.int8]
    at_most: int

    @property
    def key(self) -> bytes:
        """The same for the same arcs."""
        return self.counts.tobytes()


class SubtourRelaxation:
    """The linear program, solved again warm after each change.

    Rows have slacks that cost more than a forbidden arc, so the program always has a
    solution; the rows of cuts share theirs, as a new column would end the warm start.
    Bounds are computed from the dual values and hold however accurate these
    are.

    Attributes
    ----------
    tails, heads : int arrays of shape (n_arcs,)
        The arcs that are columns.
    x : float array of shape (n_arcs,)
        The last solution.
    bound : float
        No solution of the program, branched as it is, costs less.
    cuts : list of Cut
        Those that are rows.
    """

    def __init__(self, problem: PathProblem, arcs: BoolArray) -> None:
        from ortools.linear_solver import linear_solver_pb2, pywraplp

        self.problem = problem
        self._scale = _TOP / (problem.top or 1.0)
        self._cost = problem.cost * self._scale
        self._missing = 10 * problem.forbidden * self._scale
        self._lp: Any = pywraplp.Solver.CreateSolver("GLOP")
        self._lp.SetSolverSpecificParametersAsString(
            "use_preprocessing: false use_dual_simplex: true use_scaling: false"
        )
        self._response = linear_solver_pb2.MPSolutionResponse()
        self._infinity = self._lp.infinity()
        self._objective = self._lp.Objective()
        self._objective.SetMinimization()
        self._columns: list[Any] = []
        self._rows = [self._lp.Constraint(1.0, 1.0) for _ in range(2 * len(arcs))]
        for row in self._rows:
            row.SetCoefficient(self._add_slack(), 1.0)
        self._excess = self._add_slack()
        self.tails = self.heads = np.empty(0, dtype=np.int64)
        self.cuts: list[Cut] = []
        self._seen: set[bytes] = set()
        self._cut_rows: list[Any] = []
        self._counts: NDArray[np.int8] = np.empty((0, 0), dtype=np.int8)
        self._low = self._high = np.empty(0, dtype=bool)
        self.add_arcs(arcs)

    def _add_slack(self) -> Any:
        slack = self._lp.NumVar(0.0, self._infinity, "")
        self._objective.SetCoefficient(slack, self._missing)
        return slack

    def add_arcs(self, arcs: BoolArray) -> None:
        """Add columns."""
        tails, heads = np.nonzero(arcs)
        costs = self._cost[tails, heads].tolist()
        size = len(self._cost)
        new = []
        for i, j, cost in zip(tails.tolist(), heads.tolist(), costs, strict=True):
            x = self._lp.NumVar(0.0, self._infinity, "")
            self._rows[i].SetCoefficient(x, 1.0)
            self._rows[size + j].SetCoefficient(x, 1.0)
            self._objective.SetCoefficient(x, cost)
            new.append(x)
        for row, cut in zip(self._cut_rows, self.cuts, strict=True):
            count = cut.counts[tails, heads]
            for k in np.flatnonzero(count).tolist():
                row.SetCoefficient(new[k], float(count[k]))
        self._columns += new
        self.tails = np.append(self.tails, tails)
        self.heads = np.append(self.heads, heads)
        counts = [cut.counts[self.tails, self.heads] for cut in self.cuts]
        self._counts = np.array(counts).reshape(len(self.cuts), len(self.tails))
        self._low = np.append(self._low, np.zeros(len(new), dtype=bool))
        self._high = np.append(self._high, np.ones(len(new), dtype=bool))

    @property
    def present(self) -> BoolArray:
        """Which arcs are columns."""
        arcs = np.zeros(self._cost.shape, dtype=bool)
        arcs[self.tails, self.heads] = True
        return arcs

    def add_cut(self, cut: Cut) -> bool:
        """Add a row; False if it is there."""
        if cut.key in self._seen:
            return False
        self._seen.add(cut.key)
        row = self._lp.Constraint(-self._infinity, float(cut.at_most))
        counts = cut.counts[self.tails, self.heads]
        for k in np.flatnonzero(counts).tolist():
            row.SetCoefficient(self._columns[k], float(counts[k]))
        row.SetCoefficient(self._excess, -1.0)
        self._counts = np.vstack([self._counts, counts])
        self.cuts.append(cut)
        self._cut_rows.append(row)
        return True

    def branch(self, low: BoolArray, high: BoolArray) -> None:
        """Say which columns are at least 1, and which may be more than 0."""
        for k in np.flatnonzero((low != self._low) | (high != self._high)).tolist():
            # that no column exceeds 1 follows from the degrees
            self._columns[k].SetBounds(
                float(low[k]), self._infinity if high[k] else 0.0
            )
        self._low, self._high = low, high

    def solve(self, budget: Budget) -> None:
        """Solve the program as it is, and set ``x`` and ``bound``."""
        if budget.is_spent:
            raise Unsolved
        if budget.seconds_left < math.inf:
            self._lp.SetTimeLimit(math.ceil(budget.seconds_left * 1e3))
        n_rows = len(self._rows) + len(self.cuts)
        budget.spend(
            _WORK + _WORK_PER_ROW * n_rows + _WORK_PER_ARC * len(self._columns)
        )
        if self._lp.Solve() != self._lp.OPTIMAL:
            raise Unsolved
        self._lp.FillSolutionResponseProto(self._response)
        values = np.array(self._response.variable_value)
        self.x = values[-len(self._columns) :]
        # Any prices give a bound, if those of the rows with "at most" are not positive.
        prices = np.array(self._response.dual_value)
        n_rows, size = len(self._rows), len(self._cost)
        self._prices = prices[:n_rows]
        self._weights = np.minimum(prices[n_rows:], 0.0)
        reduced = (
            self._cost[self.tails, self.heads]
            - self._prices[self.tails]
            - self._prices[size + self.heads]
            - self._weights @ self._counts
        )
        at_most = np.array([cut.at_most for cut in self.cuts])
        total = self._prices.sum() + self._weights @ at_most
        total += reduced[self._low].sum()
        total += np.minimum(reduced[self._high & ~self._low], 0.0).sum()
        self.bound = float(total) / self._scale

    def reduced(self) -> FloatArray:
        """Reduced costs of all arcs, columns or not, at the last solution."""
        size = len(self._cost)
        reduced = self._cost - self._prices[:size, None] - self._prices[size:]
        for weight, cut in zip(self._weights.tolist(), self.cuts, strict=True):
            if weight:
                reduced -= weight * cut.counts
        return reduced / self._scale
