"""solve_ordering and solve_orderings: every method against every order."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.linalg import block_diag
from support.brute_force import best, ordering_value
from support.ordering_checks import check, close, scale, without_diagonal
from support.strategies_solvers import matrices

from ltr.solvers import (
    FixedPosition,
    Precedence,
    Status,
    Together,
    solve_ordering,
)
from ltr.solvers.core.budget import Budget
from ltr.solvers.orderings.branch_and_cut import branch_and_cut
from ltr.solvers.orderings.cycle_relaxation import CycleRelaxation
from ltr.solvers.orderings.insertions import InsertionTable
from ltr.solvers.orderings.local_search import bound_by_cycles, move_gains, moved
from ltr.solvers.orderings.problem import ordering_problem
from ltr.solvers.orderings.solve import METHODS
from ltr.solvers.orderings.watch import Watch

EXACT = ("auto", "dp", "branch_and_cut", "cp_sat")


@st.composite
def constraints(draw, n):
    """Up to three constraints on n items, clashing or not."""
    if n < 2:
        return []
    items = st.integers(0, n - 1)
    two = st.lists(items, min_size=2, max_size=2, unique=True)
    kinds = st.one_of(
        two.map(lambda pair: Precedence(*pair)),
        st.tuples(items, items).map(lambda pair: FixedPosition(*pair)),
        st.lists(items, min_size=2, max_size=n, unique=True).map(
            lambda group: Together(tuple(group))
        ),
    )
    return draw(st.lists(kinds, max_size=3))


@settings(max_examples=60)
@given(matrices(), st.data())
def test_exact_methods_equal_brute_force(matrix, data):
    """All of them prove the greatest value, with and without constraints."""
    n = len(matrix)
    limits = data.draw(constraints(n)) if data.draw(st.booleans()) else []
    plain = without_diagonal(matrix)
    greatest, _ = best(lambda order: ordering_value(order, plain), n, limits)
    for method in EXACT:
        solution = solve_ordering(matrix, constraints=limits, method=method)
        if greatest is None:
            assert solution.status is Status.INFEASIBLE
            check_conflict(solution.conflict, limits, n)
            continue
        check(solution, matrix, limits)
        assert solution.status is Status.OPTIMAL
        assert abs(solution.objective - greatest) <= 1e-6 * scale(matrix)


def check_conflict(conflict, limits, n):
    """It clashes, and without any one of it there is an order."""
    assert set(conflict) <= set(limits)
    assert best(lambda order: 0.0, n, conflict)[0] is None
    for left_out in conflict:
        rest = [limit for limit in conflict if limit is not left_out]
        assert best(lambda order: 0.0, n, rest)[0] is not None


@settings(max_examples=40)
@given(matrices(), st.data())
def test_local_search_is_valid_and_bounded(matrix, data):
    """Its order keeps the constraints, and its bound holds."""
    n = len(matrix)
    limits = data.draw(constraints(n))
    plain = without_diagonal(matrix)
    greatest, _ = best(lambda order: ordering_value(order, plain), n, limits)
    solution = solve_ordering(matrix, constraints=limits, method="local_search")
    if greatest is None:
        assert solution.status is Status.INFEASIBLE
    else:
        check(solution, matrix, limits)
        assert solution.bound >= greatest - 1e-9 * scale(matrix)
        assert solution.objective <= greatest + 1e-9 * scale(matrix)


@settings(max_examples=40)
@given(matrices(min_size=1, kinds=("normal", "tied", "preference")), st.data())
def test_laws(matrix, data):
    """Symmetric parts do not matter; scale, shift, renaming and reversal act as told."""
    n = len(matrix)
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    base = solve_ordering(matrix)
    symmetric = rng.normal(size=(n, n))
    symmetric += symmetric.T
    value = lambda order, m: ordering_value(order, without_diagonal(m))
    shifted = solve_ordering(matrix + symmetric)
    assert close(value(shifted.order, matrix), base.objective, matrix)
    scaled = solve_ordering(3.0 * matrix + 5.0)
    assert close(scaled.objective, 3 * base.objective + 2.5 * n * (n - 1), matrix + 9)
    turned = solve_ordering(np.transpose(matrix))
    assert close(turned.objective, base.objective, matrix)
    assert close(value(turned.order[::-1], matrix), base.objective, matrix)
    p = rng.permutation(n)
    renamed = solve_ordering(np.asarray(matrix)[np.ix_(p, p)])
    assert close(renamed.objective, base.objective, matrix)
    assert close(value(p[renamed.order], matrix), base.objective, matrix)


def test_forbidden_pairs_are_precedences():
    """-inf at [i, j] is Precedence(j, i); both ways round is a contradiction."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(5, 5))
    matrix[0, 3] = matrix[1, 4] = -np.inf
    finite = np.where(np.isfinite(matrix), matrix, 0.0)
    limits = [Precedence(3, 0), Precedence(4, 1)]
    for method in METHODS:
        one = solve_ordering(matrix, method=method)
        two = solve_ordering(finite, constraints=limits, method=method)
        assert one.objective == pytest.approx(two.objective)
    matrix[3, 0] = -np.inf
    for method in METHODS:
        solution = solve_ordering(matrix, method=method)
        assert solution.status is Status.INFEASIBLE
        assert solution.conflict == ()
        assert solution.order is None
        assert solution.bound == -np.inf


def test_golden():
    """Numbers of the specification."""
    matrix = [[0, 0.5, -0.2, 0.1], [0.3, 0, 0.8, -0.4]]
    matrix += [[-0.6, 0.2, 0, 0.9], [0.7, -0.1, 0.4, 0]]
    for method in METHODS:
        solution = solve_ordering(matrix, method=method)
        assert solution.order.tolist() == [3, 0, 1, 2]
        assert solution.objective == pytest.approx(2.1, abs=1e-12)


def test_components_are_exact():
    """Parts that all pairs put in one order are solved by themselves."""
    rng = np.random.default_rng(1)
    parts = [rng.random((n, n)) for n in (4, 1, 13, 5)]
    for part in parts:
        np.fill_diagonal(part, 0.0)
        part += 2 * np.roll(np.eye(len(part)), 1, axis=1) * (len(part) > 1)
    inside = block_diag(*parts)
    n = len(inside)
    between = (rng.random((n, n)) + 3) * np.triu(
        block_diag(*(np.ones_like(part) for part in parts)) == 0
    )
    p = rng.permutation(n)
    solution = solve_ordering((inside + between)[np.ix_(p, p)])
    expected = sum(solve_ordering(part, method="dp").objective for part in parts)
    assert solution.is_optimal
    assert solution.objective == pytest.approx(expected + between.sum())


@pytest.mark.parametrize("seed", range(3))
def test_large_parts_equal_the_table(seed):
    """Branch and cut, and CP-SAT, at a size that needs cuts and branching."""
    matrix = np.random.default_rng(seed).random((15, 15))
    table = solve_ordering(matrix, method="dp")
    for method in ("auto", "branch_and_cut", "cp_sat"):
        solution = solve_ordering(matrix, method=method)
        assert solution.is_optimal
        assert solution.objective == pytest.approx(table.objective)
    search = solve_ordering(matrix, method="local_search")
    assert search.objective <= table.objective + 1e-9
    assert search.bound >= table.objective


def test_branching_is_reached():
    """The first program of this matrix is fractional: branching proves the order."""
    for seed in range(20):
        matrix = np.random.default_rng(seed).random((16, 16))
        problem = ordering_problem(without_diagonal(matrix))
        relaxation = CycleRelaxation(problem)
        budget = Budget()
        while relaxation.add_cuts(Budget()):
            assert relaxation.solve(budget) is Status.OPTIMAL
        if not relaxation.is_integral:
            break
    else:
        pytest.fail("no fractional program among them")
    rng = np.random.default_rng(0)
    order, bound = branch_and_cut(problem, np.arange(16), rng, budget, Watch(problem))
    table = solve_ordering(matrix, method="dp")
    assert problem.value(order) == pytest.approx(problem.value(table.order))
    assert bound == pytest.approx(problem.value(order))
    assert relaxation.bound > bound + 1e-6


@settings(max_examples=15)
@given(matrices(min_size=3, kinds=("normal", "tied", "huge", "tiny")))
def test_any_multipliers_bound(matrix):
    """Each program's bound is above the optimum, before the cuts suffice too."""
    plain = without_diagonal(matrix)
    problem = ordering_problem(plain)
    optimum = problem.value(solve_ordering(plain, method="dp").order)
    relaxation, budget = CycleRelaxation(problem), Budget()
    slack = 1e-9 * scale(matrix)
    assert bound_by_cycles(problem, budget) >= optimum - slack
    assert relaxation.bound >= optimum - slack
    while relaxation.add_cuts(Budget()):
        relaxation.solve(budget)
        assert relaxation.bound >= optimum - slack


@given(matrices(min_size=2, kinds=("normal", "tied")), st.data())
def test_move_gains(matrix, data):
    """The table of all insertions against moving and adding up anew."""
    problem = ordering_problem(without_diagonal(matrix))
    n = len(problem)
    order = np.array(data.draw(st.permutations(range(n))))
    table = move_gains(problem.gains, order)
    for a in range(n):
        for b in range(n):
            gain = problem.value(moved(order, a, b)) - problem.value(order)
            assert table[a, b] == pytest.approx(gain, abs=1e-9)


@given(matrices(min_size=2, kinds=("normal", "tied")), st.data())
def test_insertion_table(matrix, data):
    """Its gains stay right after moves, and a climb ends where no insertion gains."""
    problem = ordering_problem(without_diagonal(matrix))
    n = len(problem)
    order = np.array(data.draw(st.permutations(range(n))))
    table = InsertionTable(problem.gains, order, 1e-9 * problem.scale)
    positions = st.integers(0, n - 1)
    for a, b in data.draw(st.lists(st.tuples(positions, positions), max_size=4)):
        before, gain = problem.value(table.order), table.gain(a, b)
        if a != b:
            table.move(a, b)
        assert problem.value(table.order) - before == pytest.approx(gain, abs=1e-9)
    before = problem.value(table.order)
    gain = table.climb()
    assert problem.value(table.order) - before == pytest.approx(gain, abs=1e-9)
    assert table.is_locally_best
    assert move_gains(problem.gains, table.order).max() <= 1e-8 * problem.scale


def test_local_search_uses_its_work():
    """More work, a better order; the same work, the same order."""
    matrix = np.random.default_rng(0).random((60, 60))
    limits = (0.05, 0.05, 1.0)
    short, again, long = (
        solve_ordering(matrix, method="local_search", work_limit=limit)
        for limit in limits
    )
    assert short.order.tolist() == again.order.tolist()
    assert long.objective > short.objective


def test_nested_groups():
    """Groups within groups, beyond the table's size, against CP-SAT."""
    matrix = np.random.default_rng(3).random((16, 16))
    limits = [
        Together((0, 5, 9)),
        Together((0, 5, 9, 2, 3)),
        Together((11, 12)),
        Precedence(12, 11),
        Precedence(11, 0),
    ]
    solution = solve_ordering(matrix, constraints=limits)
    check(solution, matrix, limits)
    assert solution.is_optimal
    other = solve_ordering(matrix, constraints=limits, method="cp_sat")
    assert solution.objective == pytest.approx(other.objective)


def test_places_and_overlapping_groups():
    """What no split allows goes through equations, and agrees with the table."""
    matrix = np.random.default_rng(4).random((14, 14))
    limits = [
        FixedPosition(3, 5),
        FixedPosition(8, 0),
        Together((0, 1, 2)),
        Together((2, 4)),
    ]
    table = solve_ordering(matrix, constraints=limits, method="dp")
    for method in ("auto", "cp_sat"):
        solution = solve_ordering(matrix, constraints=limits, method=method)
        check(solution, matrix, limits)
        assert solution.is_optimal
        assert solution.objective == pytest.approx(table.objective)
    search = solve_ordering(matrix, constraints=limits, method="local_search")
    check(search, matrix, limits)
    assert search.bound >= table.objective


def test_conflict_beyond_the_table():
    """The smallest set is found by CP-SAT too."""
    limits = [
        Precedence(4, 5),
        FixedPosition(5, 0),
        FixedPosition(6, 13),
        Together((1, 2)),
    ]
    solution = solve_ordering(np.zeros((14, 14)), constraints=limits)
    assert solution.status is Status.INFEASIBLE
    assert solution.conflict == (Precedence(4, 5), FixedPosition(5, 0))
