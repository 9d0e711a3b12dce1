"""Costs instead of gains, and closed tours, against every order."""

from itertools import permutations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given
from support.brute_force import best, ordering_value, path_value
from support.strategies_solvers import matrices

from ltr.arguments import ArgumentError
from ltr.solvers import (
    FixedPosition,
    Precedence,
    Solution,
    Status,
    Together,
    solve_assignment,
    solve_ordering,
    solve_orderings,
    solve_path,
    solve_paths,
    verify,
)
from ltr.solvers.paths.solve import METHODS

TAME = matrices(min_size=1, max_size=5, kinds=("normal", "tied", "symmetric"))
DISTANCE = [[0, 2, 9, 10], [1, 0, 6, 4], [15, 7, 0, 8], [6, 3, 12, 0]]


def tour_value(order, matrix):
    """Sum over neighbors on the tour."""
    return sum(matrix[i, j] for i, j in zip(order, [*order[1:], order[0]], strict=True))


@given(TAME, st.sampled_from(METHODS))
def test_least_cost_is_minus_the_greatest_gain(matrix, method):
    costs = -matrix
    solution = solve_path(costs, method=method, sense="min")
    value = -best(lambda order: path_value(order, matrix), len(matrix))[0]
    assert solution.sense == "min"
    assert solution.bound <= value + 1e-9
    assert solution.objective >= value - 1e-9
    assert solution.objective == pytest.approx(path_value(solution.order, costs))
    if method != "local_search":
        assert solution.is_optimal
        assert solution.objective == pytest.approx(value, abs=1e-9)


@given(TAME, st.sampled_from(METHODS), st.sampled_from(["max", "min"]))
@example(np.zeros((1, 1)), "auto", "min")
@example(np.array([[0.0, 2], [3, 0]]), "dp", "max")
def test_closed_tours(matrix, method, sense):
    if method == "local_search":
        method = "auto"
    np.fill_diagonal(matrix, 0.0)
    solution = solve_path(matrix, method=method, sense=sense, closed=True)
    n = len(matrix)
    tours = [(0, *others) for others in permutations(range(1, n))]
    values = [tour_value(order, matrix) for order in tours]
    value = max(values) if sense == "max" else min(values)
    assert solution.is_optimal
    assert solution.order[0] == 0
    assert solution.objective == pytest.approx(value, abs=1e-9)
    assert solution.objective == pytest.approx(
        tour_value(solution.order, matrix), abs=1e-9
    )
    arguments = {"sense": sense, "closed": True}
    assert verify(solution, solve_path, matrix, **arguments).is_right


@given(TAME)
def test_orderings_and_assignments_of_least_cost(matrix):
    n = len(matrix)
    np.fill_diagonal(matrix, 0.0)
    value = min(ordering_value(order, matrix) for order in permutations(range(n)))
    for solution in (
        solve_ordering(matrix, sense="min"),
        solve_orderings([matrix], sense="min")[0],
    ):
        assert solution.is_optimal
        assert solution.objective == pytest.approx(value, abs=1e-9)
    value = min(matrix[order, range(n)].sum() for order in permutations(range(n)))
    solution = solve_assignment(matrix, sense="min")
    assert solution.is_optimal
    assert solution.objective == pytest.approx(value, abs=1e-9)


def test_scores_as_costs_come_in_increasing_order():
    solution = solve_assignment([3.0, 1.0, 2.0], sense="min", discount=[1, 0.5, 0])
    assert solution.order.tolist() == [1, 2, 0]
    assert solution.bound == solution.objective == 2.0


def test_gap_is_relative_to_a_lower_bound():
    solution = Solution(
        np.array([0, 1]), 8.0, 6.0, Status.FEASIBLE, "x", 0.0, sense="min"
    )
    assert solution.gap == 0.25
    rng = np.random.default_rng(0)
    weak = solve_path(rng.random((40, 40)), sense="min", work_limit=0.0)
    assert weak.bound < weak.objective
    assert weak.gap == (weak.objective - weak.bound) / weak.objective


def test_infinite_costs_forbid_and_infeasible_bounds_are_infinite():
    costs = [[0, np.inf], [np.inf, 0]]
    for solve in (solve_path, solve_ordering):
        solution = solve(costs, sense="min")
        assert solution.status is Status.INFEASIBLE
        assert solution.bound == np.inf
    solution = solve_assignment([[np.inf, 1.0], [2.0, np.inf]], sense="min")
    assert solution.order.tolist() == [1, 0]


def test_padded_tours_start_at_the_first_real_item():
    padded = np.full((5, 5), 0.5)
    padded[1:, 1:] = DISTANCE
    where = [False, True, True, True, True]
    (solution,) = solve_paths([padded], where=[where], sense="min", closed=True)
    assert solution.order.tolist() == [1, 3, 4, 2]
    assert solution.objective == 21
    many = solve_paths(np.array([DISTANCE] * 9), sense="min", closed=True)
    assert {tuple(solution.order.tolist()) for solution in many} == {(0, 2, 3, 1)}


@pytest.mark.parametrize(
    ("constraint", "order"),
    [
        (Precedence(1, 2), [0, 1, 2, 3]),
        (FixedPosition(3, 1), [0, 3, 1, 2]),
        (Together((0, 2)), [0, 2, 3, 1]),  # neighbors at the seam
        (Together((3, 0, 1)), [0, 2, 3, 1]),
    ],
)
def test_constraints_of_tours(constraint, order):
    solution = solve_path(DISTANCE, sense="min", closed=True, constraints=[constraint])
    checked = verify(
        solution,
        solve_path,
        DISTANCE,
        sense="min",
        closed=True,
        constraints=[constraint],
    )
    assert checked.is_right
    assert solution.objective == checked.best
    if isinstance(constraint, Together):
        assert solution.order.tolist() == order


@pytest.mark.parametrize("constraint", [Precedence(2, 0), FixedPosition(1, 0)])
def test_a_tour_starts_at_item_0(constraint):
    solution = solve_path(DISTANCE, closed=True, constraints=[constraint])
    assert solution.status is Status.INFEASIBLE
    assert solution.conflict == (constraint,)


def test_conflicts_name_the_constraint_that_was_passed():
    rules = [Together((0, 1)), FixedPosition(1, 2)]
    solution = solve_path(DISTANCE, closed=True, constraints=rules)
    assert solution.conflict == tuple(rules)


def test_verify_knows_the_sense():
    solution = solve_path(DISTANCE, sense="min", closed=True)
    arguments = {"sense": "min", "closed": True}
    checked = verify(solution, solve_path, DISTANCE, **arguments)
    assert checked.is_right
    assert checked.objective == checked.best == 21
    (fault,) = verify(solution, solve_path, DISTANCE, closed=True).faults
    assert fault.text == "sense is 'min'; that of the call is 'max'"
    worse = Solution(
        np.array([0, 1, 2, 3]), 22.0, 22.0, Status.OPTIMAL, "x", 0.0, sense="min"
    )
    checked = verify(worse, solve_path, DISTANCE, **arguments)
    assert [fault.text for fault in checked.faults] == [
        "the bound is 22.0, but an order has the value 21.0",
        "OPTIMAL, with a value of 22.0; the best has 21.0",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sense": "least"}, "sense must be one of 'max', 'min'; got 'least'."),
        ({"closed": 1}, "closed must be True or False; got 1."),
        (
            {"closed": True, "end": [0, 0, 1, 0]},
            "end must be None with closed=True: a closed tour has no first and no last "
            "item. Add the gains to the entries of the matrix.",
        ),
    ],
)
def test_arguments(arguments, message):
    for solve, value in ((solve_path, DISTANCE), (solve_paths, [DISTANCE])):
        if solve is solve_paths and "end" in arguments:
            arguments = arguments | {"end": [arguments["end"]]}
        with pytest.raises(ArgumentError) as error:
            solve(value, **arguments)
        assert str(error.value) == message


@pytest.mark.parametrize("solve", [solve_path, solve_ordering])
def test_minus_infinity_is_no_cost(solve):
    with pytest.raises(ValueError, match="matrix") as error:
        solve([[0, -np.inf], [1, 0]], sense="min")
    assert str(error.value) == (
        "matrix must be finite (inf forbids); got -inf at [0, 1]. Replace it by a "
        "number, or by inf to forbid it."
    )


@pytest.mark.parametrize("method", ["branch_and_bound", "branch_and_cut", "cp_sat"])
def test_what_all_arcs_share_is_no_scale_of_a_proof(method):
    """Arcs of 1000 and a little more: the gap is measured by the little more."""
    matrix = 1000 + np.array(
        [
            [0, 0, 0.4909446386164, 0],
            [0, 0, 0, 1.1864208427174],
            [1.8342233109914, 0, 0, 1.257399305861],
            [0, 0, 0.2712284704022, 0],
        ]
    )
    solution = solve_path(matrix, method=method, closed=True)
    assert verify(solution, solve_path, matrix, method=method, closed=True).is_right
