"""check_solver finds the faults that are planted in solvers, and passes ours."""

import dataclasses

import numpy as np
import pytest

from ltr.solvers import Status, solve_assignment, solve_ordering, solve_path
from ltr.testing import (
    LawBroken,
    check_solver,
)

# ---------------------------------------------------------------- losses


def low_bound(matrix, *, start=None, end=None):
    solution = solve_path(matrix, start=start, end=end)
    return dataclasses.replace(solution, bound=solution.bound - 1e-3)


def reversed_order(matrix, *, start=None, end=None):
    solution = solve_path(matrix, start=start, end=end)
    if solution.order is None:
        return solution
    return dataclasses.replace(solution, order=solution.order[::-1])


def rows_in_order(matrix):
    order = np.arange(len(matrix))
    value = sum(matrix[i, i + 1] for i in order[:-1])
    solution = solve_path(matrix)
    if value == -np.inf:
        return solution
    bound = max(value, solution.bound)
    return dataclasses.replace(
        solution, order=order, objective=value, bound=bound, status=Status.OPTIMAL
    )


def forgets_an_item(matrix):
    solution = solve_path(matrix)
    if solution.order is None:
        return solution
    return dataclasses.replace(solution, order=solution.order[1:])


def always_infeasible(matrix):
    return solve_path(np.full((2, 2), -np.inf))


def drops_constraints(matrix, *, constraints=()):
    return solve_path(matrix)


@pytest.mark.parametrize(
    ("solve", "law"),
    [
        (low_bound, "bound_is_no_less_than_the_best"),
        (reversed_order, "objective_is_the_value_of_the_order"),
        (rows_in_order, "optimal_is_the_best"),
        (forgets_an_item, "order_is_a_permutation"),
        (always_infeasible, "infeasible_means_that_no_order_is_left"),
        (drops_constraints, "constraints_are_kept"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_planted_faults_of_a_solver(solve, law):
    """Each is found, and the law that it breaks is named."""
    with pytest.raises(LawBroken) as caught:
        check_solver(solve, "path")
    assert caught.value.law == law


def test_message_of_a_solver():
    """A matrix that can be pasted."""
    with pytest.raises(LawBroken) as caught:
        check_solver(reversed_order)
    assert str(caught.value) == (
        "reversed_order breaks the law objective_is_the_value_of_the_order.\n"
        "Law: The objective is what the gains of the order sum to.\n"
        "Smallest input found:\n"
        "    matrix = [[0.0, 0.0], [-1.0, 0.0]]\n"
        "Expected: -1.0, the value of order [1, 0]\n"
        "Got: 0.0\n"
        'If that is intended, pass skip=("objective_is_the_value_of_the_order",).'
    )


@pytest.mark.parametrize(
    ("solve", "problem"),
    [
        (solve_path, "path"),
        (solve_ordering, "ordering"),
        (solve_assignment, "assignment"),
    ],
    ids=["path", "ordering", "assignment"],
)
@pytest.mark.parametrize("scales", ["tame", "wild"])
def test_our_solvers_pass(solve, problem, scales):
    """On matrices whose entries are all of one size, and among penalties."""
    table = check_solver(solve, problem, scales=scales, max_examples=20)
    assert table["optimal_is_the_best"] == 20


# ---------------------------------------------------------------- without hypothesis
