"""solve_ordering and solve_orderings: every method against every order."""

import re
import time

import hypothesis.strategies as st
import numpy as np
import pytest
from brute_force import best, keeps, ordering_value
from hypothesis import given, settings
from scipy.linalg import block_diag
from strategies_solvers import matrices

from ltr.solvers import (
    FixedPosition,
    Interrupted,
    Precedence,
    Status,
    Together,
    _ordering_lists,
    solve_ordering,
    solve_orderings,
)
from ltr.solvers._budget import Budget
from ltr.solvers._ordering_branch import branch_and_cut
from ltr.solvers._ordering_problem import ordering_problem
from ltr.solvers._ordering_relaxation import Relaxation
from ltr.solvers._ordering_search import bound_by_cycles, move_gains, moved
from ltr.solvers.dynamic import ordering_marginals
from ltr.solvers.orderings import METHODS

EXACT = ("auto", "dp", "cutting_planes", "cp_sat")


def without_diagonal(matrix):
    matrix = np.array(matrix, dtype=float)
    np.fill_diagonal(matrix, 0.0)
    return matrix


def scale(matrix):
    return np.abs(without_diagonal(matrix)).max(initial=0.0) * max(1, len(matrix)) ** 2


def close(a, b, matrix):
    return abs(a - b) <= 1e-9 * scale(matrix)


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


def check(solution, matrix, limits=()):
    """What holds for every solution that has an order."""
    n = len(matrix)
    assert sorted(solution.order.tolist()) == list(range(n))
    assert all(keeps(solution.order, limit) for limit in limits)
    value = ordering_value(solution.order, without_diagonal(matrix))
    assert close(solution.objective, value, matrix)
    assert solution.bound >= solution.objective


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
    for method in ("auto", "cutting_planes", "cp_sat"):
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
        relaxation = Relaxation(problem)
        budget = Budget()
        while relaxation.add_cuts():
            assert relaxation.solve(budget) == "solved"
        if not relaxation.is_whole:
            break
    else:
        pytest.fail("no fractional program among them")
    rng = np.random.default_rng(0)
    order, bound = branch_and_cut(problem, np.arange(16), rng, budget)
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
    relaxation, budget = Relaxation(problem), Budget()
    slack = 1e-9 * scale(matrix)
    assert bound_by_cycles(problem, budget) >= optimum - slack
    assert relaxation.bound >= optimum - slack
    while relaxation.add_cuts():
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


def test_batch_equals_loop():
    """For any number of threads, sizes and masks."""
    rng = np.random.default_rng(5)
    lists = [rng.normal(size=(n, n)) for n in (0, 1, 2, 5, 5, 5, 9, 9, 14, 17)]
    lists[4][0, 1] = lists[4][1, 0] = -np.inf
    single = [solve_ordering(matrix) for matrix in lists]
    for n_jobs in (1, 2, 5):
        batch = solve_orderings(lists, n_jobs=n_jobs)
        assert [s.status for s in batch] == [s.status for s in single]
        assert [s.objective for s in batch] == pytest.approx(
            [s.objective for s in single], nan_ok=True
        )
        for one, other in zip(batch, single, strict=True):
            assert (one.order is None) == (other.order is None)
            assert one.order is None or one.order.tolist() == other.order.tolist()
    assert single[4].status is Status.INFEASIBLE


def test_padding_is_left_out():
    """Orders name real items by their old numbers; constraints do so too."""
    rng = np.random.default_rng(6)
    matrices_, where = rng.normal(size=(3, 6, 6)), np.ones((3, 6), dtype=bool)
    where[0, [1, 4]] = where[2] = False
    where[2, [0, 2]] = True
    matrices_[~where] = np.nan
    matrices_.transpose(0, 2, 1)[~where] = np.nan
    limit = Precedence(2, 0)
    found = solve_orderings(matrices_, where=where, constraints=[limit])
    for solution, matrix, real in zip(found, matrices_, where, strict=True):
        items = np.flatnonzero(real)
        assert sorted(solution.order.tolist()) == items.tolist()
        assert keeps(solution.order, limit)
        inside = ordering_value(solution.order, np.nan_to_num(matrix))
        assert solution.objective == pytest.approx(inside)


def test_time_limits_are_kept():
    """A list and a batch end soon after their limit, with an order and a bound."""
    rng = np.random.default_rng(7)
    matrix = rng.random((60, 60))
    for method in ("auto", "cp_sat", "local_search"):
        started = time.perf_counter()
        solution = solve_ordering(matrix, method=method, time_limit_s=0.3)
        check(solution, matrix)
        assert time.perf_counter() - started < 2.0  # other tests may run beside it
    many = rng.random((6, 45, 45))
    found = solve_orderings(many, batch_time_limit_s=0.2, n_jobs=2)
    for solution, one in zip(found, many, strict=True):
        check(solution, one)


def test_work_limits_repeat():
    """A solve that its work limit ends gives the same order and bound again."""
    matrix = np.random.default_rng(8).random((45, 45))
    first, second = (solve_ordering(matrix, work_limit=0.3) for _ in range(2))
    assert first.status is Status.FEASIBLE
    assert first.order.tolist() == second.order.tolist()
    assert first.bound == second.bound
    for method in ("auto", "cp_sat", "local_search"):
        check(solve_ordering(matrix, method=method, work_limit=0.0), matrix)
    small = matrix[:16, :16]
    check(solve_ordering(small, method="dp", work_limit=0.0), small)


def test_unknown():
    """Places and overlapping groups, and no work to find an order: a bound is left."""
    matrix = np.random.default_rng(10).random((40, 40))
    limits = [FixedPosition(i, 39 - i) for i in range(9)]
    limits += [Together((i, i + 1)) for i in range(10, 39)]
    limits += [Precedence(i, i - 2) for i in range(12, 39)]
    solution = solve_ordering(matrix, constraints=limits, work_limit=0.0)
    assert solution.status is Status.UNKNOWN
    assert solution.order is None
    assert np.isnan(solution.objective)
    plain = without_diagonal(matrix)
    wins = np.maximum(plain, plain.T)[np.triu_indices(40, 1)].sum()
    assert solution.bound == pytest.approx(wins)


def test_search_of_many_items():
    """Hundreds of items: better than Borda's order, and bounded below the trivial."""
    rng = np.random.default_rng(9)
    n = 200
    skill = rng.normal(size=n)
    matrix = np.maximum(0, skill[:, None] - skill + 2 * rng.normal(size=(n, n)))
    solution = solve_ordering(matrix, work_limit=0.5)
    check(solution, matrix)
    plain = without_diagonal(matrix)
    borda = np.argsort(plain.sum(axis=0) - plain.sum(axis=1))
    assert solution.objective > ordering_value_fast(borda, plain)
    wins = np.maximum(plain, plain.T)[np.triu_indices(n, 1)].sum()
    assert solution.bound < wins
    assert solution.gap < 0.2


def ordering_value_fast(order, matrix):
    return np.triu(matrix[np.ix_(order, order)], 1).sum()


def test_interrupt_keeps_what_is_solved(monkeypatch):
    """Ctrl-C in the third list: the first two are in partial."""
    n_solved = []
    solve = _ordering_lists.OrderingList.solve

    def interrupted(self, *args):
        if len(n_solved) == 2:
            raise KeyboardInterrupt
        n_solved.append(1)
        return solve(self, *args)

    monkeypatch.setattr(_ordering_lists.OrderingList, "solve", interrupted)
    with pytest.raises(Interrupted) as stop:
        solve_orderings([np.zeros((n, n)) for n in (1, 13, 14, 15)], n_jobs=1)
    assert [s is not None for s in stop.value.partial] == [True, True, False, False]


def test_progress(capsys):
    """Lists are counted, not the tables that solve them together."""
    solve_orderings(np.zeros((7, 4, 4)), progress=True, n_jobs=1)
    assert capsys.readouterr().err.endswith("solved 7 of 7 lists\n")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: solve_ordering(np.zeros((2, 3))),
            "matrix must be square, one row and one column per item; got shape (2, 3).",
        ),
        (
            lambda: solve_orderings([np.zeros((2, 2)), [[0, np.nan], [0, 0]]]),
            "matrices[1] must be finite (-inf forbids); got nan at [0, 1]. Replace it by a "
            "number, or by -inf to forbid it.",
        ),
        (
            lambda: solve_orderings(np.zeros((2, 2))),
            "matrices must have shape (b, n, n), or be a sequence with one array per list; "
            "got shape (2, 2).",
        ),
        (
            lambda: solve_orderings(np.zeros((2, 3, 3)), where=[[True] * 3]),
            "where must have one row per list, 2; got 1.",
        ),
        (
            lambda: solve_orderings(np.zeros((1, 3, 3)), where=[[True, True]]),
            "where[0] must be a mask with one bool per item of matrices[0], which has "
            "shape (3, 3); got bool of shape (2,).",
        ),
        (
            lambda: solve_orderings(
                np.zeros((1, 3, 3)),
                where=[[True, True, False]],
                constraints=[Precedence(0, 2)],
            ),
            "constraints must name real items; Precedence(before=0, after=2) names item "
            "2, which is padding in list 0.",
        ),
        (
            lambda: solve_ordering(np.zeros((19, 19)), method="dp"),
            "method='dp' takes at most 18 items; got 19. Use 'auto'.",
        ),
        (
            lambda: solve_ordering(np.zeros((2, 2)), method="simplex"),
            "method must be one of 'auto', 'dp', 'cutting_planes', 'cp_sat', "
            "'local_search'; got 'simplex'.",
        ),
    ],
)
def test_messages(call, message):
    """Expected, got, where, what to do."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("method", ["auto", "dp", "cutting_planes", "cp_sat"])
def test_gains_that_almost_vanish(method):
    """Their units would be 0."""
    matrix = [[0, 5e-323, 0], [0, 0, 1e-323], [1e-322, 0, 0]]
    assert solve_ordering(matrix, method=method).order.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: solve_orderings([np.eye(2)], where=[[1.0, np.nan]]),
            ValueError,
            "where[0] must be a mask with one bool per item of matrices[0], which has "
            "shape (2, 2); got float64 of shape (2,).",
        ),
        (
            lambda: solve_orderings([np.eye(2)], n_jobs=0),
            ValueError,
            "n_jobs must be None or a whole number >= 1; got 0.",
        ),
        (
            lambda: solve_ordering(np.eye(2), random_state="a"),
            TypeError,
            "random_state must be None or a whole number >= 0; got 'a'.",
        ),
        (
            lambda: solve_ordering([[0, 10**400], [0, 0]]),
            ValueError,
            "matrix must be a square array of numbers; int too large to convert to "
            "float.",
        ),
        (
            lambda: solve_ordering(np.eye(4), constraints=[Together(3)]),
            TypeError,
            "items of Together must be a tuple of items; got Together(items=3).",
        ),
        (
            lambda: ordering_marginals([[0.0, np.nan], [1.0, 0.0]]),
            ValueError,
            "matrix must be finite (-inf forbids); got nan at [0, 1]. Replace it by a "
            "number, or by -inf to forbid it.",
        ),
    ],
)
def test_more_messages(call, error, message):
    """Masks, threads, seeds, huge integers, NaN in the dynamic programme."""
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
