"""A linear program that grows by columns and rows, with bounds from its dual values.

Minimize c·x subject to l ≤ x ≤ u and low ≤ A·x ≤ high. For *any* row prices y, with
y_i ≤ 0 where low_i = -inf and y_i ≥ 0 where high_i = inf, and reduced costs d = c - yA,

    c·x = y·Ax + d·x ≥ Σ_i min(y_i·low_i, y_i·high_i) + Σ_j min(d_j·l_j, d_j·u_j)

holds for every feasible x (weak duality). So a bound never rests on the tolerances of
the simplex method: it takes the prices that GLOP returns, corrects their signs, and
adds up the right side in double precision.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.interrupts import run_compiled
from ltr.solvers.core.solution import Status

# The dual simplex method, and no presolve, so that it starts from the last basis.
WARM_DUAL_SIMPLEX = "use_dual_simplex: true use_preprocessing: false"
# Programs of more columns may take seconds, during which Ctrl-C should end them.
_MANY_COLUMNS = 3000


class LinearProgram:
    """A program in GLOP, solved again from the last basis after each change.

    Parameters
    ----------
    parameters : str, default=WARM_DUAL_SIMPLEX
        GLOP's parameters, as text of its protocol buffer.

    Attributes
    ----------
    x : float array of shape (n_columns,)
        The last solution.
    prices : float array of shape (n_rows,)
        Dual values y of the last solution, their signs corrected.
    n_iterations : int
        Pivots of the last solve.

    Examples
    --------
    >>> program = LinearProgram()  # minimize x0 + 2 x1 subject to x0 + x1 >= 3
    >>> columns = program.add_columns([1.0, 2.0], upper=2.0)
    >>> (row,) = program.add_rows([3.0], [np.inf])
    >>> program.add_entries([row, row], columns, [1.0, 1.0])
    >>> program.solve().value, program.x.tolist(), program.bound()
    ('OPTIMAL', [2.0, 1.0], 4.0)
    """

    def __init__(self, parameters: str = WARM_DUAL_SIMPLEX) -> None:
        from ortools.linear_solver import linear_solver_pb2, pywraplp

        self._parameters = parameters
        self._glop: Any = pywraplp.Solver.CreateSolver("GLOP")
        self._glop.SetSolverSpecificParametersAsString(parameters)
        self._objective = self._glop.Objective()
        self._objective.SetMinimization()
        self._response = linear_solver_pb2.MPSolutionResponse()
        self._columns: list[Any] = []
        self._rows: list[Any] = []
        self._entries: list[tuple[IntArray, IntArray, FloatArray]] = []
        self._of_columns = np.zeros((4, 0))  # costs, lower, upper, implied upper bounds
        self._of_rows = np.zeros((4, 0))  # low, high, least and greatest price
        self._work_limit = math.inf
        self.x = self.prices = np.zeros(0)
        self._reduced: FloatArray | None = None
        self.n_iterations = 0

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self._columns)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self._rows)

    def add_columns(
        self,
        costs: Sequence[float] | FloatArray,
        *,
        lower: ArrayLike = 0.0,
        upper: ArrayLike = math.inf,
        implied: float = math.inf,
    ) -> IntArray:
        """Add columns without entries, and return their numbers.

        Parameters
        ----------
        costs : array-like of shape (n_new,)
            Their costs.
        lower, upper : float or array-like of shape (n_new,), default=0 and inf
            Their bounds.
        implied : float, default=inf
            Upper bound that holds for the solutions of interest and is not passed to
            GLOP; :meth:`bound` relies on it.
        """
        first = self.n_columns
        columns = np.empty((4, len(costs)))
        columns[0], columns[1], columns[2], columns[3] = costs, lower, upper, implied
        for cost, least, most in columns[:3].T.tolist():
            column = self._glop.NumVar(least, most, "")
            self._objective.SetCoefficient(column, cost)
            self._columns.append(column)
        self._of_columns = np.concatenate([self._of_columns, columns], axis=1)
        return np.arange(first, self.n_columns)

    def add_rows(self, low: ArrayLike, high: ArrayLike) -> IntArray:
        """Add rows without entries, low ≤ A·x ≤ high, and return their numbers."""
        first = self.n_rows
        rows = np.array([low, high, low, high], dtype=np.float64)
        rows[2] = np.where(rows[1] == np.inf, 0.0, -np.inf)
        rows[3] = np.where(rows[0] == -np.inf, 0.0, np.inf)
        for least, most in rows[:2].T.tolist():
            self._rows.append(self._glop.Constraint(least, most))
        self._of_rows = np.concatenate([self._of_rows, rows], axis=1)
        return np.arange(first, self.n_rows)

    def add_entries(
        self, rows: ArrayLike, columns: ArrayLike, values: ArrayLike
    ) -> None:
        """Set entries of A that have been 0 until now."""
        rows, columns = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        values = np.asarray(values, dtype=np.float64)
        for row, column, value in zip(
            rows.tolist(), columns.tolist(), values.tolist(), strict=True
        ):
            self._rows[row].SetCoefficient(self._columns[column], value)
        self._entries.append((rows, columns, values))

    def set_costs(self, columns: IntArray, costs: FloatArray) -> None:
        """Replace the costs of some columns."""
        for column, cost in zip(columns.tolist(), costs.tolist(), strict=True):
            self._objective.SetCoefficient(self._columns[column], cost)
        self._of_columns[0, columns] = costs

    def set_bounds(
        self, columns: IntArray, lower: FloatArray, upper: FloatArray
    ) -> None:
        """Replace the bounds of some columns; only changes reach GLOP."""
        before = self._of_columns[1:3, columns]
        after = np.array([lower, upper])
        for k in np.flatnonzero((before != after).any(axis=0)).tolist():
            self._columns[columns[k]].SetBounds(*after[:, k].tolist())
        self._of_columns[1:3, columns] = after

    def solve(self, budget: Budget | None = None) -> Status:
        """Solve the program as it is now, from the last basis.

        Parameters
        ----------
        budget : Budget, default=None
            Its seconds and work left are GLOP's limits; the caller counts what was
            spent. None: no limit.

        Returns
        -------
        status : Status
            OPTIMAL: ``x`` and ``prices`` are set. INFEASIBLE: there is no
            solution. UNKNOWN: the budget ended first.
        """
        if budget is not None:
            if budget.is_spent:
                return Status.UNKNOWN
            self._limit(budget)
        if budget is not None and self.n_columns > _MANY_COLUMNS:
            status = run_compiled(
                self._glop.Solve,
                is_cancelled=lambda: budget.is_cancelled,
                stop=self._glop.InterruptSolve,
            )
        else:
            status = self._glop.Solve()
        self.n_iterations = max(0, self._glop.iterations())
        if status == self._glop.INFEASIBLE:
            return Status.INFEASIBLE
        if status != self._glop.OPTIMAL:
            return Status.UNKNOWN
        self._glop.FillSolutionResponseProto(self._response)
        self.x = np.array(self._response.variable_value)
        self.prices = np.array(self._response.dual_value).clip(*self._of_rows[2:])
        self._reduced = None
        return Status.OPTIMAL

    def _limit(self, budget: Budget) -> None:
        # parsing the parameters costs time: update them only after 10 % of the work
        if budget.work_left < 0.9 * self._work_limit:
            self._work_limit = budget.work_left
            self._glop.SetSolverSpecificParametersAsString(
                f"{self._parameters} max_deterministic_time: {budget.work_left}"
            )
        if budget.seconds_left < math.inf:
            self._glop.SetTimeLimit(max(1, math.ceil(1e3 * budget.seconds_left)))

    @property
    def reduced(self) -> FloatArray:
        """Reduced costs d = c - yA at the last prices, shape (n_columns,)."""
        if self._reduced is None:
            if len(self._entries) > 1:
                parts = zip(*self._entries, strict=True)
                rows, columns, values = (np.concatenate(part) for part in parts)
                self._entries = [(rows, columns, values)]
            self._reduced = self._of_columns[0].copy()
            for rows, columns, values in self._entries:
                self._reduced -= np.bincount(
                    columns, self.prices[rows] * values, minlength=self.n_columns
                )
        return self._reduced

    def rows_bound(self) -> FloatArray:
        """Contribution of each row to the bound: min(y_i·low_i, y_i·high_i)."""
        low, high = self._of_rows[:2]
        side = np.where(self.prices > 0, low, high)
        side[self.prices == 0] = 0.0
        return self.prices * side

    def columns_bound(self) -> FloatArray:
        """Contribution of each column to the bound: min(d_j·l_j, d_j·u_j)."""
        _, lower, upper, implied = self._of_columns
        side = np.where(self.reduced > 0, lower, np.minimum(upper, implied))
        side[self.reduced == 0] = 0.0
        return self.reduced * side

    def bound(self) -> float:
        """Bound from the last prices: no solution of the program costs less."""
        return float(self.rows_bound().sum() + self.columns_bound().sum())
