"""Paths: every method is the enumeration, and no proof is given without a bound."""

from itertools import combinations, pairwise, permutations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.brute_force import best, keeps, path_value
from support.strategies_solvers import matrices, nearly_symmetric

from ltr.solvers import (
    FixedPosition,
    Precedence,
    Status,
    Together,
    solve_path,
)
from ltr.solvers.core.budget import Budget
from ltr.solvers.paths import branch_and_cut
from ltr.solvers.paths.constraint_cuts import (
    PrecedenceCuts,
    chain_cut,
    together_cuts,
)
from ltr.solvers.paths.problem import Incumbent, path_problem
from ltr.solvers.paths.separation import blossoms, violated_cuts
from ltr.solvers.paths.subtour_relaxation import SubtourRelaxation

EXACT = ("auto", "dp", "branch_and_bound", "branch_and_cut", "cp_sat", "routing")
GOLDEN = {
    "matrix": [
        [0, 0.5, -0.2, 0.1],
        [0.3, 0, 0.8, -0.4],
        [-0.6, 0.2, 0, 0.9],
        [0.7, -0.1, 0.4, 0],
    ],
    "start": [0.2, -0.1, 0.3, 0],
    "end": [-0.2, 0.1, 0, 0.4],
}
few = settings(max_examples=25)


@st.composite
def problems(draw, max_size=5):
    """Matrix, start, end, with some entries forbidden, and constraints."""
    matrix = draw(matrices(max_size=max_size))
    n = len(matrix)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    np.fill_diagonal(matrix, 0.0)
    size = np.abs(matrix).max(initial=1e-12)
    start = size * rng.normal(size=n) if draw(st.booleans()) else None
    end = size * rng.normal(size=n) if draw(st.booleans()) else None
    share = draw(st.sampled_from([0.0, 0.0, 0.2, 0.5]))
    matrix[rng.random((n, n)) < share] = -np.inf
    if start is not None:
        start[rng.random(n) < share] = -np.inf
    constraints = []
    for _ in range(draw(st.integers(0, 3)) if n > 1 else 0):
        items = rng.permutation(n).tolist()
        kind = draw(st.sampled_from([Precedence, FixedPosition, Together]))
        if kind is Together:
            constraints.append(Together(tuple(items[: rng.integers(2, n + 1)])))
        else:
            constraints.append(kind(items[0], items[1]))
    return matrix, start, end, constraints


def check(solution, problem, value):
    """What holds of every solution, whatever the method."""
    matrix, start, end, constraints = problem
    scores = [x for x in (matrix, start, end) if x is not None]
    size = max((np.abs(x[np.isfinite(x)]).max(initial=0) for x in scores), default=0)
    near = 2e-6 * (len(matrix) + 1) * size
    if value is None:
        assert solution.status in (Status.INFEASIBLE, Status.UNKNOWN)
        return
    assert solution.bound >= value - near
    if solution.order is None:
        assert solution.status is Status.UNKNOWN
        return
    order = solution.order.tolist()
    assert sorted(order) == list(range(len(matrix)))
    assert all(keeps(order, constraint) for constraint in constraints)
    assert solution.objective == pytest.approx(path_value(order, matrix, start, end))
    assert solution.bound >= solution.objective
    if solution.is_optimal:
        assert solution.objective >= value - near


@few
@given(problems())
def test_every_method_is_the_enumeration(problem):
    """Exact methods prove the best value of all orders, or that there is none."""
    matrix, start, end, constraints = problem
    value, _ = best(
        lambda order: path_value(order, matrix, start, end), len(matrix), constraints
    )
    for method in (*EXACT, "local_search"):
        if constraints and method == "routing":
            continue
        solution = solve_path(
            matrix, start=start, end=end, constraints=constraints, method=method
        )
        check(solution, problem, value)
        if method != "local_search":
            expected = Status.INFEASIBLE if value is None else Status.OPTIMAL
            assert solution.status is expected


@settings(max_examples=4)
@given(matrices(min_size=7, max_size=7))
def test_seven_items(matrix):
    """All 5,040 orders."""
    np.fill_diagonal(matrix, 0.0)
    value, _ = best(lambda order: path_value(order, matrix), 7)
    for method in EXACT:
        solution = solve_path(matrix, method=method)
        check(solution, (matrix, None, None, ()), value)
        assert solution.is_optimal


@few
@given(problems(), st.sampled_from([1e-6, 3.0, 1e7]), st.sampled_from([0.0, -5.0, 7e3]))
def test_scale_and_shift_change_nothing(problem, scale, shift):
    """All orders have n - 1 arcs, so a shift adds the same to each."""
    matrix, start, end, constraints = problem
    changed = matrix * scale + shift * scale * np.abs(matrix[np.isfinite(matrix)]).max(
        initial=0
    )
    solution, other = (
        solve_path(
            a,
            start=None if start is None else start * s,
            end=None if end is None else end * s,
            constraints=constraints,
        )
        for a, s in ((matrix, 1.0), (changed, scale))
    )
    assert solution.status is other.status
    if solution.order is not None:
        for order in (solution.order, other.order):
            assert path_value(order, matrix, start, end) == pytest.approx(
                solution.objective,
                rel=1e-4,
                abs=1e-5 * np.abs(matrix[np.isfinite(matrix)]).max(initial=0),
            )


@few
@given(problems(), st.integers(0, 99))
def test_items_may_be_renumbered(problem, seed):
    """The value does not depend on the numbers of the items."""
    matrix, start, end, _ = problem
    p = np.random.default_rng(seed).permutation(len(matrix))
    solution = solve_path(matrix, start=start, end=end)
    other = solve_path(
        matrix[np.ix_(p, p)],
        start=None if start is None else start[p],
        end=None if end is None else end[p],
    )
    assert other.status is solution.status
    assert other.objective == pytest.approx(solution.objective, nan_ok=True)


@few
@given(problems())
def test_transposing_reverses(problem):
    """The transposed matrix, start and end exchanged, has the reversed order."""
    matrix, start, end, _ = problem
    solution = solve_path(matrix, start=start, end=end)
    other = solve_path(matrix.T, start=end, end=start)
    assert other.status is solution.status
    assert other.objective == pytest.approx(solution.objective, nan_ok=True)
    if solution.order is not None:
        assert path_value(other.order[::-1], matrix, start, end) == pytest.approx(
            solution.objective
        )


@few
@given(matrices(min_size=2, kinds=("normal", "symmetric", "tied")), st.integers(0, 99))
def test_row_and_column_shifts_with_ends(matrix, seed):
    """Gains of leaving i and of entering j add the same to all orders."""
    n = len(matrix)
    rng = np.random.default_rng(seed)
    leave, enter = 1e3 * rng.normal(size=(2, n))
    np.fill_diagonal(matrix, 0.0)
    plain = solve_path(matrix)
    shifted = solve_path(matrix + leave[:, None] + enter, start=enter, end=leave)
    assert shifted.is_optimal
    assert shifted.objective == pytest.approx(
        plain.objective + leave.sum() + enter.sum(), abs=2e-3 * n
    )


@pytest.mark.parametrize("method", ["auto", "cp_sat", "branch_and_cut"])
def test_telescoping_scores(method):
    """A = f_i - f_j: only the ends of the order count."""
    f = np.random.default_rng(0).normal(size=14)
    solution = solve_path(f[:, None] - f, method=method)
    assert solution.is_optimal
    assert solution.objective == pytest.approx(f.max() - f.min())


@pytest.mark.parametrize("n", [0, 1, 2, 3, 40, 200])
def test_equal_scores_close_at_once(n):
    """Every order is best, and the assignment bound proves it."""
    solution = solve_path(np.full((n, n), 0.1), end=np.full(n, -0.3))
    assert solution.is_optimal
    assert solution.gap == 0
    assert solution.objective == pytest.approx(max(n - 1, 0) * 0.1 - 0.3 * (n > 0))
    assert sorted(solution.order.tolist()) == list(range(n))


@pytest.mark.parametrize("method", ["branch_and_bound", "branch_and_cut", "cp_sat"])
def test_equal_scores_with_constraints(method):
    """Every pair of constraints on three items; any order that keeps them is best."""
    rules = [Precedence(a, b) for a, b in permutations(range(3), 2)]
    rules += [Together(pair) for pair in combinations(range(3), 2)]
    rules += [FixedPosition(i, j) for i in range(3) for j in range(3)]
    for pair in combinations(rules, 2):
        solution = solve_path(np.zeros((3, 3)), constraints=pair, method=method)
        value, _ = best(lambda order: 0.0, 3, pair)
        expected = Status.INFEASIBLE if value is None else Status.OPTIMAL
        assert solution.status is expected, pair


def test_integer_scores_close_at_whole_bounds():
    """Bounds on integers are rounded."""
    matrix = np.random.default_rng(3).integers(0, 3, size=(40, 40))
    solution = solve_path(matrix)
    assert solution.is_optimal
    assert solution.bound == solution.objective == 78


@pytest.mark.parametrize("n", [2, 3, 30])
def test_all_forbidden(n):
    """INFEASIBLE without a conflict: no constraint is to blame."""
    solution = solve_path(np.full((n, n), -np.inf))
    assert solution.status is Status.INFEASIBLE
    assert solution.order is None
    assert solution.bound == -np.inf
    assert solution.conflict == ()


@pytest.mark.parametrize("seed", range(3))
def test_larger_lists_agree(seed):
    """Methods that share nothing but the problem give the same value."""
    matrix = nearly_symmetric(18, seed)
    found = [
        solve_path(matrix, method=method)
        for method in ("branch_and_cut", "cp_sat", "routing", "auto")
    ]
    assert all(solution.is_optimal for solution in found)
    values = [solution.objective for solution in found]
    assert values == pytest.approx([values[0]] * len(values), abs=1e-5)


def test_cuts_never_cut_off_a_tour():
    """Every cut of many small relaxations holds for all 5,040 tours of 8 nodes."""
    tours = np.array([[7, *order] for order in permutations(range(7))])
    kinds = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        matrix = rng.integers(0, 5, size=(7, 7)).astype(float)
        if seed % 2:
            matrix += matrix.T
        problem = path_problem(matrix, np.zeros(7), rng.normal(size=7))
        relaxation = SubtourRelaxation(problem, ~np.eye(8, dtype=bool), Budget())
        for _ in range(30):
            relaxation.solve()
            cuts = violated_cuts(
                relaxation.tails, relaxation.heads, relaxation.x, 8, Budget()
            )
            point = np.zeros((8, 8))
            point[relaxation.tails, relaxation.heads] = relaxation.x
            assert all((cut.counts * point).sum() > cut.at_most for cut in cuts)
            if not sum([relaxation.add_cut(cut) for cut in cuts]):
                break
        best_cost = min(
            problem.tour_cost(tour[1:]) for tour in tours[:: 7 if seed else 1]
        )
        assert relaxation.bound <= best_cost + 1e-9
        for cut in relaxation.cuts:
            assert (
                cut.counts[tours, np.roll(tours, -1, axis=1)].sum(axis=1).max()
                <= cut.at_most
            )
            kinds.add(int(cut.counts.max()))
    assert kinds == {1, 2}


def test_a_set_with_three_teeth():
    """Two triangles of halves, joined by three whole edges: no set is violated."""
    weight = np.zeros((6, 6))
    for a, b in [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)]:
        weight[a, b] = weight[b, a] = 0.5
    for a in range(3):
        weight[a, a + 3] = weight[a + 3, a] = 1.0
    found = blossoms(weight)
    tours = np.array([[5, *order] for order in permutations(range(5))])
    assert len(found) == 2
    for cut in found:
        assert (cut.counts * weight).sum() / 2 == 4.5
        assert (
            cut.counts[tours, np.roll(tours, -1, axis=1)].sum(axis=1).max()
            == cut.at_most
            == 4
        )


def test_cuts_of_constraints_never_cut_off_an_order_that_keeps_them():
    """Flows, groups and chains, for random points and all orders of 6 items."""
    rng = np.random.default_rng(0)
    orders = np.array(list(permutations(range(6))))
    n_cuts = 0
    for _ in range(30):
        items = rng.permutation(6).tolist()
        constraints = (
            Precedence(items[0], items[1]),
            Precedence(items[1], items[2]),
            Together((items[3], items[5])),
            FixedPosition(items[4], int(rng.integers(6))),
        )
        problem = path_problem(np.zeros((6, 6)), np.zeros(6), np.zeros(6), constraints)
        tours = [[6, *order] for order in orders if problem.keeps(order.tolist())]
        cuts = together_cuts(problem)
        for order in orders[rng.choice(len(orders), 5)]:
            point = np.zeros((7, 7))
            for tour in ([6, *order], [6, *rng.permutation(6)]):
                np.add.at(point, (tour, np.roll(tour, -1)), 0.5)
            found = PrecedenceCuts(problem)(point, Budget())
            assert all((cut.counts * point).sum() > cut.at_most for cut in found)
            chain = chain_cut(problem, order.tolist())
            assert (chain is None) == problem.keeps(order.tolist())
            cuts += found + ([] if chain is None else [chain])
        n_cuts += len(cuts)
        if tours:
            following = np.roll(tours, -1, axis=1)
            for cut in cuts:
                assert cut.counts[tours, following].sum(axis=1).max() <= cut.at_most
    assert n_cuts > 300


def test_a_bound_that_is_wrong_is_an_error():
    """Nothing is certified by a bound below the objective."""
    matrix = np.random.default_rng(0).normal(size=(5, 5))
    problem = path_problem(matrix, np.zeros(5), np.zeros(5))
    found = Incumbent(problem)
    order = [0, 1, 2, 3, 4]
    found.offer(order, problem.tour_cost(order), "branch_and_cut")
    found.raise_bound(2 * found.cost + 1, "branch_and_cut")
    with pytest.raises(RuntimeError, match="one of them is wrong"):
        found.solution(0.0)


def test_golden_values():
    """The golden values of the path objective."""
    matrix = np.array(GOLDEN["matrix"])
    solution = solve_path(matrix)
    assert solution.order.tolist() == [1, 2, 3, 0]
    assert solution.objective == pytest.approx(2.4)
    solution = solve_path(matrix, start=GOLDEN["start"], end=GOLDEN["end"])
    assert solution.order.tolist() == [0, 1, 2, 3]
    assert solution.objective == pytest.approx(2.8)


CONFLICT = [
    Precedence(0, 1),
    FixedPosition(3, 2),
    Precedence(1, 2),
    Together((4, 5)),
    Precedence(2, 0),
]


@pytest.mark.parametrize("method", ["auto", "dp", "cp_sat", "branch_and_bound"])
@pytest.mark.parametrize("n", [6, 14])
def test_a_conflict_is_the_smallest(n, method):
    """Three of five constraints clash."""
    solution = solve_path(np.zeros((n, n)), constraints=CONFLICT, method=method)
    assert solution.status is Status.INFEASIBLE
    assert solution.conflict == (CONFLICT[0], CONFLICT[2], CONFLICT[4])


def test_constraints_at_larger_sizes():
    """Methods that share nothing but the problem prove the same value."""
    matrix = np.random.default_rng(1).normal(size=(13, 13))
    constraints = [
        Precedence(3, 2),
        Precedence(2, 9),
        FixedPosition(5, 4),
        Together((0, 1, 7)),
    ]
    found = [
        solve_path(matrix, constraints=constraints, method=method)
        for method in ("auto", "dp", "cp_sat", "branch_and_cut")
    ]
    for solution in found:
        assert solution.is_optimal
        assert all(keeps(solution.order.tolist(), c) for c in constraints)
        assert solution.objective == pytest.approx(found[0].objective, abs=1e-5)
    free = solve_path(matrix)
    assert free.objective > found[0].objective


def test_a_closed_tour_is_a_path_without_a_city():
    """The transformation in the notes of solve_path."""
    cost = np.random.default_rng(0).random((9, 9))
    solution = solve_path(-cost[1:, 1:], start=-cost[0, 1:], end=-cost[1:, 0])
    tour = [0, *(solution.order + 1), 0]
    assert sum(cost[i, j] for i, j in pairwise(tour)) == pytest.approx(
        -solution.objective
    )
    value, _ = best(lambda order: -path_value([0, *(np.array(order) + 1), 0], cost), 8)
    assert -solution.objective == pytest.approx(-value)


@pytest.mark.parametrize("n_few", [1, 2])
def test_a_search_for_tours_of_few_arcs_comes_first(n_few, monkeypatch):
    """Where that finds none, its cutoff is a bound, and the whole search follows."""
    monkeypatch.setattr(branch_and_cut, "_FEW_ARCS_PER_NODE", n_few)
    cutoffs, search = [], branch_and_cut._search

    def spy(best, root, separate, budget, max_nodes, cutoff):
        search(best, root, separate, budget, max_nodes, cutoff)
        cutoffs.append(cutoff)
        assert best.lower >= min(cutoff, best.proven) - 1e-9

    monkeypatch.setattr(branch_and_cut, "_search", spy)
    for seed in range(12):
        matrix = nearly_symmetric(13, seed)
        solution = solve_path(matrix, method="branch_and_cut")
        exact = solve_path(matrix, method="dp")
        assert solution.is_optimal
        assert solution.objective == pytest.approx(exact.objective, rel=1e-12)
    assert np.isfinite(cutoffs).any()
    assert np.isinf(cutoffs).any()
