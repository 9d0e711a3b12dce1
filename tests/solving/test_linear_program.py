"""The growing linear program against SciPy's, its bounds, and the one way to CP-SAT."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from ortools.sat.python import cp_model
from scipy.optimize import linprog

from ltr.solvers import Status
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.cp_sat import solve_model
from ltr.solvers.core.linear_program import LinearProgram


@settings(max_examples=40)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_it_grows_and_stays_equal_to_scipy(n_columns, n_rows, seed):
    """Columns, rows and new bounds in turn: status, value, bound, reduced costs."""
    rng = np.random.default_rng(seed)
    program = LinearProgram()
    cost, A, high = np.zeros(0), np.zeros((0, 0)), np.zeros(0)
    upper = np.zeros(0)
    for _ in range(3):
        new = rng.normal(size=n_columns)
        columns = program.add_columns(new, upper=1.0)
        block = rng.integers(-2, 3, size=(len(A), n_columns)).astype(float)
        rows, places = np.nonzero(block)
        program.add_entries(rows, columns[places], block[rows, places])
        A, cost = np.hstack([A, block]), np.append(cost, new)
        upper = np.append(upper, np.ones(n_columns))
        more = rng.integers(-2, 3, size=(n_rows, len(cost))).astype(float)
        sides = rng.integers(-1, 4, size=n_rows).astype(float)
        rows = program.add_rows(np.full(n_rows, -np.inf), sides)
        places, columns = np.nonzero(more)
        program.add_entries(rows[places], columns, more[places, columns])
        A, high = np.vstack([A, more]), np.append(high, sides)
        k = rng.integers(len(cost))
        upper[k] = 0.5
        program.set_bounds(np.array([k]), np.zeros(1), upper[[k]])
        status = program.solve(Budget())
        expected = linprog(cost, A, high, bounds=np.column_stack([0 * upper, upper]))
        if expected.status == 2:
            assert status is Status.INFEASIBLE
            return
        assert status is Status.OPTIMAL
        assert cost @ program.x == pytest.approx(expected.fun, abs=1e-6)
        assert program.bound() == pytest.approx(expected.fun, abs=1e-6)
        assert program.reduced == pytest.approx(cost - program.prices @ A)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_any_prices_of_the_right_sign_bound(seed):
    """Weak duality: the bound needs no optimal prices, only their signs."""
    rng = np.random.default_rng(seed)
    program = LinearProgram()
    columns = program.add_columns(rng.normal(size=5), implied=1.0)
    low, high = np.array([1.0, -np.inf, 0.5]), np.array([1.0, 1.5, np.inf])
    rows = program.add_rows(low, high)
    A = rng.random((3, 5))
    program.add_entries(np.repeat(rows, 5), np.tile(columns, 3), A.ravel())
    status = program.solve()
    if status is Status.OPTIMAL and (program.x <= 1).all():
        optimum = program.bound()
        for _ in range(20):
            y = rng.normal(size=3)
            y[1], y[2] = -abs(y[1]), abs(y[2])
            program.prices, program._reduced = y, None
            assert program.bound() <= optimum + 1e-6


def test_a_spent_budget_solves_nothing():
    """UNKNOWN, and the last solution stays."""
    program = LinearProgram()
    program.add_columns([1.0], upper=1.0)
    assert program.solve(Budget(work_limit=0.0)) is Status.UNKNOWN
    assert program.x.size == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_bounds_of_cp_sat(sign):
    """Optimal, infeasible, and none at all: never the 0 that CP-SAT begins with."""
    model = cp_model.CpModel()
    x = [model.new_bool_var("") for _ in range(60)]
    rng = np.random.default_rng(0)
    weights = [rng.integers(1, 10**6, 60).tolist() for _ in range(6)]
    for row in weights[:5]:
        model.add(cp_model.LinearExpr.weighted_sum(x, row) <= sum(row) // 3)
        model.add(cp_model.LinearExpr.weighted_sum(x, row) >= sum(row) // 3 - 9)
    goal = cp_model.LinearExpr.weighted_sum(x, weights[5])
    (model.minimize if sign == 1 else model.maximize)(goal)
    result = solve_model(model, Budget(work_limit=1e-9))
    assert result.status is Status.UNKNOWN
    assert result.bound == -sign * np.inf or 0 < result.bound < sum(weights[5])
    model = cp_model.CpModel()
    y = model.new_int_var(3, 7, "")
    (model.minimize if sign == 1 else model.maximize)(y)
    result = solve_model(model, Budget())
    assert result.status is Status.OPTIMAL
    assert result.bound == result.values([y])[0] == (3 if sign == 1 else 7)
    model.add(y == 9)
    result = solve_model(model, Budget())
    assert result.status is Status.INFEASIBLE
    assert result.bound == sign * np.inf
    assert not result.has_solution
