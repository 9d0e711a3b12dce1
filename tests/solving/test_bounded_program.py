"""The dynamic program that bounds remove states from, against all orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.solvers import Precedence, Window, solve_path
from ltr.solvers.core.budget import Budget
from ltr.solvers.paths.assignment_relaxation import greedy
from ltr.solvers.paths.bounded_program import bounded_program
from ltr.solvers.paths.branch_and_cut import branch_and_cut
from ltr.solvers.paths.problem import Incumbent, path_problem


def draw(n, density, seed):
    """A problem with precedences and a window, and an order that keeps them."""
    rng = np.random.default_rng(seed)
    hidden = rng.permutation(n)
    pairs = np.argwhere(np.triu(rng.random((n, n)) < density, 1))
    rules = [Precedence(int(hidden[i]), int(hidden[j])) for i, j in pairs]
    rules.append(Window(int(hidden[2]), 1, 3))
    matrix = np.rint(rng.normal(size=(n, n)) * 10 ** rng.integers(0, 4))
    matrix[rng.random((n, n)) < 0.1] = -np.inf
    matrix[hidden[:-1], hidden[1:]] = -1.0
    problem = path_problem(matrix, np.zeros(n), np.zeros(n), rules)
    best = Incumbent(problem)
    best.offer(hidden.tolist(), problem.tour_cost(hidden), "hidden")
    return matrix, rules, best


@given(density=st.floats(0, 0.6), seed=st.integers(0, 9999))
def test_it_finds_the_best_order_without_a_bound(density, seed):
    """With reduced costs of 0, no state is left out."""
    matrix, rules, best = draw(6, density, seed)
    exact = solve_path(matrix, constraints=rules, method="dp")
    bounded_program(best, Budget(), np.zeros((7, 7)), 0.0)
    assert best.is_closed
    assert best.problem.objective(best.order) == exact.objective


@given(density=st.floats(0, 0.6), seed=st.integers(0, 9999))
def test_it_finds_the_best_order_with_the_bound_of_the_root(density, seed):
    """States that the root's reduced costs remove are in no better order."""
    matrix, rules, best = draw(9, density, seed)
    exact = solve_path(matrix, constraints=rules, method="dp")
    root = branch_and_cut(best, Budget(), 0)
    if root is not None:
        bounded_program(best, Budget(), root.reduced, root.lower)
    assert best.is_closed
    assert best.problem.objective(best.order) == exact.objective


def test_more_items_than_bits_in_a_word():
    """Sets of 70 items; a chain leaves one way to go on but for two items."""
    n = 70
    rules = [Precedence(i, i + 1) for i in range(n - 3)]
    matrix = np.random.default_rng(0).normal(size=(n, n))
    problem = path_problem(matrix, np.zeros(n), np.zeros(n), rules)
    best = Incumbent(problem)
    order = greedy(problem, problem.cost)
    best.offer(order, problem.tour_cost(order), "greedy")
    bounded_program(best, Budget(), np.zeros((n + 1, n + 1)), 0.0)
    exact = solve_path(matrix, constraints=rules, method="cp_sat")
    assert best.is_closed
    assert problem.objective(best.order) == pytest.approx(exact.objective)


def test_a_spent_budget_leaves_the_incumbent():
    """Order and bound stay as they are, and the bound stays below."""
    *_, best = draw(9, 0.1, 3)
    order, lower = best.order, best.lower
    bounded_program(best, Budget(work_limit=0.0), np.zeros((10, 10)), 0.0)
    assert (best.order, best.lower) == (order, lower)
    assert not best.is_closed


def test_auto_proves_what_the_other_methods_leave_open():
    """20 cities in the plane, a tenth of the pairs ordered: open without it."""
    rng = np.random.default_rng([0, 20])
    n = 20
    xy, hidden = rng.random((n, 2)), rng.permutation(n)
    cost = np.hypot(*(xy[:, None] - xy).transpose(2, 0, 1)) + rng.random((n, n)) / 20
    pairs = np.argwhere(np.triu(rng.random((n, n)) < 0.1, 1))
    rules = [Precedence(int(hidden[i]), int(hidden[j])) for i, j in pairs]
    solution = solve_path(-np.rint(1000 * cost), constraints=rules, work_limit=1.0)
    assert solution.is_optimal
    assert solution.method == "dp"
