"""OPTIMAL is best at the scale of the solution's own terms, whatever else is there."""

import re
from dataclasses import replace
from functools import wraps
from itertools import pairwise, permutations

import fuzz_solvers
import numpy as np
import pytest

from ltr.solvers import (
    FixedPosition,
    Precedence,
    Status,
    select_committee,
    solve_assignment,
    solve_ordering,
    solve_orderings,
    solve_path,
    solve_paths,
    verify,
)
from ltr.solvers.core.budget import Budget, BudgetSpent
from ltr.solvers.core.tolerance import tolerance
from ltr.solvers.paths.branch_and_cut import branch_and_cut
from ltr.solvers.paths.held_karp import can_tabulate
from ltr.solvers.paths.problem import Incumbent, path_problem
from ltr.solvers.paths.separation import set_cut
from ltr.solvers.paths.subtour_relaxation import SubtourRelaxation

PENALTY = [[0, 2.24, -1e12], [6.15, 0, 2.35], [3.17, -1e12, 0]]


@pytest.mark.parametrize(
    "method",
    ["auto", "dp", "branch_and_bound", "branch_and_cut", "cp_sat", "routing"],
)
def test_a_penalty_hides_no_better_path(method):
    """The best order avoids the penalties; so its terms are of size 1."""
    solution = solve_path(PENALTY, method=method)
    assert solution.order.tolist() == [1, 2, 0]
    assert solution.objective == pytest.approx(5.52, abs=1e-12)
    assert solution.status is Status.OPTIMAL
    assert solution.bound - 5.52 <= 1e-8


@pytest.mark.parametrize("method", ["auto", "matching", "cp_sat", "highs"])
def test_a_penalty_hides_no_better_assignment(method):
    """Entries that lose more than the incumbent are taken out."""
    solution = solve_assignment([[3, 1], [2.5, 2], [0, -1e9]], method=method)
    assert solution.order.tolist() == [0, 1]
    assert solution.objective == solution.bound == 5.0
    assert solution.status is Status.OPTIMAL


@pytest.mark.parametrize("method", ["auto", "dp", "branch_and_cut", "cp_sat"])
def test_a_penalty_hides_no_better_ordering(method):
    """A pair that loses more than the incumbent is settled."""
    matrix = np.array([[0, 0.3, 0.2], [0.1, 0, 0.7], [-1e12, 0.75, 0]])
    solution = solve_ordering(matrix, method=method)
    assert solution.order.tolist() == [0, 2, 1]
    assert solution.objective == pytest.approx(1.25, abs=1e-12)
    assert solution.is_optimal


def penalized(rng, n, share, penalty):
    matrix = rng.normal(size=(n, n))
    matrix[rng.random((n, n)) < share] = penalty
    return matrix


@pytest.mark.parametrize("penalty", [-1e6, -1e9, -1e12])
def test_paths_among_penalties(penalty):
    """A fifth of the entries are penalties: 19 of 20 were wrong."""
    rng = np.random.default_rng(0)
    matrices = np.stack([penalized(rng, 5, 0.2, penalty) for _ in range(20)])
    for matrix, shared in zip(matrices, solve_paths(matrices), strict=True):
        best = max(
            sum(matrix[i, j] for i, j in pairwise(order))
            for order in permutations(range(5))
        )
        for solution in (solve_path(matrix), shared):
            assert solution.is_optimal
            assert solution.objective == pytest.approx(best, rel=1e-13)


def test_orderings_among_penalties():
    """The same for all pairs, alone and in a batch."""
    rng = np.random.default_rng(1)
    matrices = np.stack([penalized(rng, 5, 0.1, -1e12) for _ in range(20)])
    for matrix, shared in zip(matrices, solve_orderings(matrices), strict=True):
        for solution in (solve_ordering(matrix), shared):
            assert verify(solution, solve_ordering, matrix).is_right


def test_long_lists_with_penalties_are_those_with_forbidden_arcs():
    """30 items, a tenth −1e6: 47 of 60 were wrong, by up to 2.8 %."""
    rng = np.random.default_rng(2)
    for _ in range(5):
        matrix = penalized(rng, 30, 0.1, -1e6)
        expected = solve_path(np.where(matrix == -1e6, -np.inf, matrix))
        solution = solve_path(matrix)
        assert solution.is_optimal
        assert solution.objective == pytest.approx(expected.objective, rel=1e-12)


def test_whole_numbers_are_equal_or_not_optimal():
    """One of 10^12 more or less is seen."""
    matrix = np.array([[0, 10**12, 3], [10**12 - 1, 0, 4], [5, 6, 0]], dtype=float)
    for method in ("auto", "dp", "branch_and_bound", "cp_sat"):
        solution = solve_path(matrix, method=method)
        assert solution.is_optimal
        assert solution.objective == solution.bound == 10**12 + 5


def test_a_constant_changes_no_tolerance():
    """Gains of 1e6 + x are as far apart as gains of x."""
    terms = np.array([0.25, 1.5])
    assert tolerance(terms + 1e6, 3.0) < 1.01 * tolerance(terms, 3.0) + 1e-8
    assert tolerance(terms + 1e6, 3.0) < 1e-8


def test_what_is_not_proven_is_feasible():
    """Half a unit of the last bound is no proof."""
    matrix = np.random.default_rng(0).normal(size=(30, 30))
    solution = solve_path(matrix + matrix.T, method="local_search")
    assert solution.status is Status.FEASIBLE
    assert solution.bound > solution.objective


@pytest.mark.parametrize(
    ("solve", "name"),
    [
        (solve_path, "matrix"),
        (solve_ordering, "matrix"),
        (solve_assignment, "gain"),
    ],
)
@pytest.mark.parametrize("value", [1e308, -1e308])
def test_numbers_near_the_end_of_the_range(solve, name, value):
    """Their sums overflow: one check for all solvers."""
    matrix = np.zeros((4, 4))
    matrix[1, 2] = value
    message = (
        f"{name} must be at most 1e+290 in absolute value, as larger sums overflow; "
        "got 1e+308. Scale it down."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        solve(matrix)


def test_weights_of_different_sizes_in_committees():
    """Squares of the weights do not overflow."""
    votes = [[0, 1, 2, 3], [1, 2, 3, 0], [3, 2, 1, 0]]
    for rule in ("cc", "pav"):
        for weights in ([1e200, 1e190, 3e199], [1e-200, 2e-200, 1.5e-200]):
            arguments = {"k": 2, "rule": rule, "weights": weights}
            solution = select_committee(votes, **arguments)
            assert solution.is_optimal
            assert verify(solution, select_committee, votes, **arguments).is_right


def test_verify_sees_each_kind_of_fault():
    """An order, a value, a bound, a proof and a conflict that are wrong."""
    matrix = np.array([[0, 2, 1], [5, 0, 3], [4, 1, 0]], dtype=float)
    rule = (Precedence(0, 1),)
    right = solve_path(matrix, constraints=rule)
    impossible = solve_path(matrix, constraints=[Precedence(0, 1), Precedence(1, 0)])

    def kinds(solution, **options):
        faults = verify(solution, solve_path, matrix, **options).faults
        return [fault.kind for fault in faults]

    assert kinds(right, constraints=rule) == []
    assert kinds(replace(right, order=np.array([0, 0, 1])), constraints=rule) == [
        "order"
    ]
    assert kinds(replace(right, objective=7.0), constraints=rule) == ["objective"]
    assert kinds(replace(right, bound=5.0), constraints=rule) == ["bound"]
    assert kinds(replace(right, bound=9.0), constraints=rule) == ["optimal"]
    assert kinds(right, constraints=[Precedence(1, 0)]) == [
        "constraint",
        "bound",
        "optimal",
    ]
    assert kinds(right) == ["bound", "optimal"]
    assert kinds(impossible) == ["infeasible"]
    clash = [Precedence(0, 1), Precedence(1, 0)]
    assert kinds(impossible, constraints=clash) == []
    assert kinds(replace(impossible, conflict=()), constraints=clash) == ["infeasible"]
    with pytest.raises(TypeError, match=r"^solver must be solve_path, solve_ordering"):
        verify(right, sorted, [1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: verify([0, 1], solve_path, np.zeros((2, 2))),
            "solution must be a Solution, as the solver returned it; got [0, 1]. "
            "Its place is first: verify(solution, solve_path, matrix).",
        ),
        (
            lambda: verify(solve_path(np.zeros((2, 2))), solve_path),
            "solve_path: missing a required argument: 'matrix'. After the solver, pass "
            "verify the arguments of the call of solve_path that returned the solution.",
        ),
        (
            lambda: verify(solve_path(np.zeros((2, 2))), solve_path, [[0]], gain=1),
            "solve_path: got an unexpected keyword argument 'gain'. After the solver, "
            "pass verify the arguments of the call of solve_path that returned the "
            "solution.",
        ),
        (
            lambda: verify(solve_path(np.zeros((2, 2))), "solve_path", [[0]]),
            "solver must be solve_path, solve_ordering, solve_assignment, "
            "select_committee, diversify, kemeny or footrule; got 'solve_path'. Pass "
            "the solution, the solver and the arguments of its call: "
            "verify(solution, solve_path, matrix).",
        ),
    ],
)
def test_arguments_of_verify(call, message):
    """Whose argument is missing or wrong."""
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        call()


def test_fuzz(capsys):
    """Two seconds of problems of all kinds; ``python tests/fuzz_solvers.py`` runs on."""
    assert fuzz_solvers.main(["--seconds", "2", "--seed", "5"]) == 0, (
        capsys.readouterr().out
    )


def test_the_fuzzer_finds_a_planted_fault(monkeypatch, capsys):
    """It ends with 1, and prints a call that shows the fault."""

    @wraps(solve_path)
    def first_order(matrix, **options):
        solution = solve_path(matrix, **options)
        if solution.order is None:
            return solution
        order = np.arange(len(solution.order))
        return replace(solution, order=order)

    monkeypatch.setattr(fuzz_solvers.solvers, "solve_path", first_order)
    assert fuzz_solvers.main(["--seconds", "0.5"]) == 1
    assert "solve_path([[" in capsys.readouterr().out


def test_highs_sees_what_penalties_hide():
    """Its tolerances are absolute: a loss of 1 beside one of 1e10 was dropped."""
    gain = [[-3.0, -1e10], [-1.0, 6.0], [-1e10, -2.0], [6.0, 7.0], [6.0, -8.0]]
    solution = solve_assignment(gain, k=2, method="highs")
    assert solution.objective == solution.bound == 13.0
    assert solution.order.tolist() == [4, 3]


@pytest.mark.parametrize("seed", range(4))
def test_items_that_must_be_first_or_last_take_no_place_in_the_table(seed):
    """Depot and first item are one node, and so are the last item and the depot."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(6, 6))
    first, last = rng.choice(6, 2, replace=False).tolist()
    start, end = np.full(6, -np.inf), np.full(6, -np.inf)
    start[first] = 0.5
    if seed % 2:
        end[last] = 0.25
    else:
        end = rng.normal(size=6)
    a, b = [i for i in range(6) if i not in (first, last)][:2]
    options = {"start": start, "end": end, "constraints": [Precedence(a, b)]}
    solution = solve_path(matrix, method="dp", **options)
    assert solution.is_optimal
    assert verify(solution, solve_path, matrix, **options).is_right


def test_auto_tabulates_what_its_cuts_leave_open():
    """18 items of which 16 are free, as TSPLIB's br17.10."""
    rng = np.random.default_rng(0)
    points = rng.random((18, 2))
    gain = -np.hypot(*(points[:, None] - points).transpose(2, 0, 1)).round(1)
    ends = np.where(np.arange(18) == 0, 0.0, -np.inf)
    order = rng.permutation(np.arange(1, 17)).tolist()
    rules = [Precedence(order[i], order[j]) for i, j in [(2, 9), (1, 12), (4, 14)]]
    problem = path_problem(gain, ends, ends[::-1].copy(), rules)
    best = Incumbent(problem)
    assert can_tabulate(best, Budget())
    assert not can_tabulate(best, Budget(time_limit_s=0.05))
    assert not can_tabulate(best, Budget(work_limit=0.01))


def test_a_relaxation_grows_only_within_the_budget():
    """Columns, rows and solves: the root was rebuilt after the end."""
    rng = np.random.default_rng(0)
    problem = path_problem(rng.normal(size=(8, 8)), np.zeros(8), np.zeros(8))
    arcs = ~np.eye(9, dtype=bool)
    with pytest.raises(BudgetSpent):
        SubtourRelaxation(problem, arcs, Budget(time_limit_s=0.0))
    budget = Budget(work_limit=1.0)
    relaxation = SubtourRelaxation(problem, arcs, budget)
    budget.spend(2.0)
    for step in (
        lambda: relaxation.add_cut(set_cut(np.arange(9) < 4)),
        lambda: relaxation.add_arcs(arcs),
        relaxation.solve,
    ):
        with pytest.raises(BudgetSpent):
            step()
    branch_and_cut(Incumbent(problem), budget)  # ends


def test_no_bound_is_no_error():
    """CP-SAT without any bound, whole costs: it was an OverflowError."""
    problem = path_problem(np.arange(9.0).reshape(3, 3), np.zeros(3), np.zeros(3))
    best = Incumbent(problem)
    best.raise_bound(-np.inf, "cp_sat")
    assert best.lower == 0.0


def test_a_loss_that_a_constraint_forces_hides_no_better_ordering():
    """Item 1 must be first; what that loses is no part of the order's own terms."""
    matrix = np.zeros((4, 4))
    matrix[0, 1], matrix[3, 2] = 3.3e11, 6.1e-9
    for position in (0, 1):
        rules = [FixedPosition(1, position)] + [FixedPosition(2, 0)] * position
        for method in ("dp", "branch_and_cut"):
            options = {"method": method, "constraints": rules}
            solution = solve_ordering(matrix, **options)
            assert verify(solution, solve_ordering, matrix, **options).is_right


@pytest.mark.parametrize("method", ["auto", "highs", "cp_sat"])
def test_a_fixed_slot_hides_no_better_assignment(method):
    """What its position could gain with another item is no part of the order's terms."""
    gain = np.array([[0.2, 1e11, 0.1], [0.3, 0.5, 0.4], [0.7, 0.1, 0.9]])
    rules = [FixedPosition(1, 1), Precedence(1, 2)]
    options = {"method": method, "constraints": rules}
    solution = solve_assignment(gain, **options)
    assert solution.order.tolist() == [0, 1, 2]
    assert solution.objective == pytest.approx(1.6, abs=1e-12)
    assert verify(solution, solve_assignment, gain, **options).is_right
    assert solution.bound < 1.6 + 1e-8
