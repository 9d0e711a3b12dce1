"""The local search for paths with precedences: feasibility table, moves, orders."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ltr.solvers import Precedence, Together, Window, solve_path
from ltr.solvers.core.budget import Budget, BudgetSpent
from ltr.solvers.paths.assignment_relaxation import greedy
from ltr.solvers.paths.held_karp import cheapest_tours
from ltr.solvers.paths.problem import Incumbent, path_problem
from ltr.solvers.paths.segment_search import (
    Move,
    SegmentSearch,
    first_conflicts,
    first_ordered,
    segment_search,
)


def draw(n, density, seed):
    """A random matrix, and precedences along a hidden order."""
    rng = np.random.default_rng(seed)
    hidden = rng.permutation(n)
    pairs = np.argwhere(np.triu(rng.random((n, n)) < density, 1))
    rules = [Precedence(int(hidden[i]), int(hidden[j])) for i, j in pairs]
    return rng.normal(size=(n, n)), rules


def problem_of(n, density, seed):
    matrix, rules = draw(n, density, seed)
    return path_problem(matrix, np.zeros(n), np.zeros(n), rules)


@given(size=st.integers(3, 9), density=st.floats(0, 1), seed=st.integers(0, 999))
def test_first_conflicts(size, density, seed):
    """Two segments can be swapped exactly if none of the pairs across is ordered."""
    rng = np.random.default_rng(seed)
    before = np.triu(rng.random((size, size)) < density, 1)
    limit = first_conflicts(before)
    for h, i, j in combinations(range(size), 3):
        is_free = not before[h + 1 : i + 1, i + 1 : j + 1].any()
        assert (j < limit[h, i]) == is_free


@given(size=st.integers(3, 9), density=st.floats(0, 0.5), seed=st.integers(0, 999))
def test_first_ordered(size, density, seed):
    """A segment can be reversed exactly if no pair is ordered and no arc one-way."""
    rng = np.random.default_rng(seed)
    before = np.triu(rng.random((size, size)) < density, 1)
    one_way = rng.random(size - 1) < density
    limit = first_ordered(before, one_way)
    for i, j in combinations(range(size), 2):
        inside = before[i : j + 1, i : j + 1]
        assert (j < limit[i]) == (not inside.any() and not one_way[i:j].any())


@given(density=st.floats(0, 0.3), share=st.floats(0, 0.3), seed=st.integers(0, 99))
def test_a_descent_ends_where_no_move_gains(density, share, seed):
    """Neither a swap nor a reversal that the constraints allow costs less."""
    n = 9
    matrix, rules = draw(n, density, seed)
    matrix = matrix + matrix.T  # where reversals gain
    matrix[np.random.default_rng(seed).random((n, n)) < share] = -np.inf
    problem = path_problem(matrix, np.zeros(n), np.zeros(n), rules)
    search = SegmentSearch(problem, np.array(greedy(problem, problem.cost)))
    search.descend(Budget())
    assume(search.cost < problem.forbidden)
    assert problem.keeps(search.order)
    swaps = combinations(range(n + 1), 3)
    reversals = ((h, j, j) for h, j in combinations(range(n + 1), 2))
    for h, i, j in [*swaps, *reversals]:
        changed = search.moved(Move(0.0, h, i, j))[1:-1]
        if problem.keeps(changed.tolist()):
            assert problem.tour_cost(changed) > search.cost - 1e-6


@pytest.mark.parametrize("density", [0, 0.05, 0.3])
def test_descent_and_kicks_keep_the_precedences(density):
    """Costs are those of the path, and every order is allowed."""
    problem = problem_of(25, density, 1)
    search = SegmentSearch(problem, np.array(greedy(problem, problem.cost)))
    start = search.cost
    search.descend(Budget())
    assert search.cost < start
    for k in range(60):
        search.descend(Budget(), search.kick() if k % 2 else search.reinsert())
        assert sorted(search.order) == list(range(25))
        assert problem.keeps(search.order)
        assert search.cost == pytest.approx(problem.tour_cost(search.order))


@given(density=st.floats(0, 0.6), seed=st.integers(0, 99))
def test_search_finds_the_best_of_seven(density, seed):
    """Kicks reach the optimum of the dynamic program on short lists."""
    matrix, rules = draw(7, density, seed)
    exact = solve_path(matrix, constraints=rules, method="dp")
    problem = path_problem(matrix, np.zeros(7), np.zeros(7), rules)
    best = Incumbent(problem)
    order = greedy(problem, problem.cost)
    best.offer(order, problem.tour_cost(order), "greedy")
    segment_search(best, Budget(work_limit=0.05), patience=0.05)
    assert problem.objective(best.order) == pytest.approx(exact.objective)


def test_a_greedy_order_with_forbidden_arcs_is_mended():
    """The only item that may be last is no dead end of the local search."""
    matrix, rules = draw(30, 0.02, 3)
    end = np.where(np.arange(30) == 7, 0.0, -np.inf)
    solution = solve_path(
        matrix, end=end, constraints=rules, method="local_search", work_limit=0.01
    )
    assert solution.order[-1] == 7
    assert np.isfinite(solution.objective)


def test_the_search_ends_by_accepted_work_and_repeats():
    """A work limit is used, not a number of kicks that constraints reject."""
    matrix, rules = draw(60, 0.11, 5)
    solve = [
        solve_path(matrix, constraints=rules, method="local_search", work_limit=work)
        for work in (0.02, 0.3, 0.3)
    ]
    assert solve[0].objective < solve[1].objective == solve[2].objective


@given(seed=st.integers(0, 9999))
def test_keeps(seed):
    """An order keeps the constraints exactly if there is no broken chain."""
    rng = np.random.default_rng(seed)
    n = 6
    order = rng.permutation(n).tolist()
    i, j, k = rng.choice(n, 3, replace=False).tolist()
    rules = [Precedence(i, j), Window(k, 0, 3), Together([i, k])]
    kept = rng.random(3) < 0.6
    rules = [rule for rule, is_in in zip(rules, kept, strict=True) if is_in]
    problem = path_problem(np.zeros((n, n)), np.zeros(n), np.zeros(n), rules)
    assert problem.keeps(order) == (problem.broken_chain(order) is None)


def test_the_dynamic_program_ends_with_the_budget():
    """Before its sets are laid out, and between blocks of them."""
    problem = path_problem(
        np.zeros((16, 16)), np.zeros(16), np.zeros(16), [Together(range(9))]
    )
    costs = problem.cost[:, :, None]
    with pytest.raises(BudgetSpent):
        cheapest_tours(costs, problem.rules, Budget(work_limit=0.0))

    class ThirdLook(Budget):
        looks = 0

        @property
        def is_spent(self):
            self.looks += 1
            return self.looks >= 3

    with pytest.raises(BudgetSpent):
        cheapest_tours(costs, problem.rules, ThirdLook())


def test_a_part_of_a_budget_counts_in_the_whole():
    """The part ends first; its work is work of the whole."""
    budget = Budget(work_limit=1.0)
    part = budget.part(0.25)
    part.spend(0.25)
    assert part.is_spent
    assert not budget.is_spent
    assert budget.work_left == 0.75
    assert part.work_done == 0.25
