"""Annealing of paths under constraints: ranges, moves, orders."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ltr.solvers import Precedence, Together, Window, solve_path
from ltr.solvers.core.budget import Budget
from ltr.solvers.paths.annealing import Successors, _Annealing, anneal
from ltr.solvers.paths.assignment_relaxation import greedy
from ltr.solvers.paths.problem import Incumbent, path_problem


def draw(n, density, seed, constraints=()):
    """A problem with precedences along a hidden order, and a path that keeps them."""
    rng = np.random.default_rng(seed)
    hidden = rng.permutation(n)
    pairs = np.argwhere(np.triu(rng.random((n, n)) < density, 1))
    rules = [Precedence(int(hidden[i]), int(hidden[j])) for i, j in pairs]
    matrix = rng.normal(size=(n, n))
    problem = path_problem(matrix, np.zeros(n), np.zeros(n), [*rules, *constraints])
    return problem, hidden


def incumbent(problem, order):
    best = Incumbent(problem)
    best.offer(order, problem.tour_cost(order), "greedy")
    return best


@given(n=st.integers(1, 9), density=st.floats(0, 1), seed=st.integers(0, 999))
def test_successors(n, density, seed):
    """Ranges, swaps and reversals are those that the pairs in a fixed order leave."""
    problem, hidden = draw(n, density, seed)
    before = problem.rules.before(n)
    successors = Successors(before)
    order = hidden.tolist()
    last, first = successors.ranges(np.array([n, *order, n]))
    for place, item in enumerate(order, 1):
        earlier = [q for q, other in enumerate(order, 1) if before[other, item]]
        later = [q for q, other in enumerate(order, 1) if before[item, other]]
        assert last[place] == max(earlier, default=0)
        assert first[place] == min(later, default=n + 1)
    rng = np.random.default_rng(seed)
    i, j, k = np.sort(rng.integers(0, n + 1, 3)).tolist()
    left, right = order[i:j], order[j:k]
    assert successors.can_swap(left, right) == (not before[np.ix_(left, right)].any())
    assert successors.can_reverse(left) == (not before[np.ix_(left, left)].any())


@given(n=st.integers(8, 12), density=st.floats(0, 0.5), seed=st.integers(0, 999))
def test_moves(n, density, seed):
    """The change of each move is that of the cost of the path."""
    problem, hidden = draw(n, density, seed)
    search = _Annealing(
        incumbent(problem, hidden.tolist()), np.random.default_rng(seed)
    )
    order = [n, *hidden.tolist(), n]
    cost = problem.cost
    before = cost[order[:-1], order[1:]].sum()
    n_kept = 0
    for i, j, k, change in zip(*search._draw(200), strict=True):
        middle = order[j:k] + order[i:j] if j < k else order[i:k][::-1]
        moved = [*order[:i], *middle, *order[k:]]
        if problem.keeps(moved[1:-1]):
            after = sum(cost[a, b] for a, b in pairwise(moved))
            assert after - before == pytest.approx(change, abs=1e-9 * before + 1e-9)
            n_kept += 1
    assert n_kept or density > 0.2


@settings(max_examples=15)
@given(density=st.floats(0, 0.3), seed=st.integers(0, 99), kind=st.integers(0, 2))
def test_anneal_finds_best_orders(density, seed, kind):
    """Of 9 items it finds the best order, and it keeps every kind of constraint."""
    others = ((), (Window(2, 0, 5),), (Together([0, 4, 7]),))[kind]
    problem, _ = draw(9, density, seed, others)
    order = greedy(problem, problem.cost)
    assume(order is not None)
    best = incumbent(problem, order)
    anneal(best, Budget(work_limit=1.0), length=0.04, random_state=seed)
    assert problem.keeps(best.order)
    rules = [*problem.rules.precedences, *others]
    exact = solve_path(problem.matrix, constraints=rules, method="dp")
    assert problem.objective(best.order) == pytest.approx(exact.objective)


def test_anneal_of_long_lists():
    """Cities in the plane, sparse precedences: kicks reach -12.77 in the same work."""
    n, rng = 90, np.random.default_rng(5)
    xy, hidden = rng.random((n, 2)), rng.permutation(n)
    distance = np.hypot(*(xy[:, None] - xy).transpose(2, 0, 1))
    pairs = np.argwhere(np.triu(rng.random((n, n)) < 0.03, 1))
    rules = [Precedence(int(hidden[i]), int(hidden[j])) for i, j in pairs]
    problem = path_problem(-distance, np.zeros(n), np.zeros(n), rules)
    best = incumbent(problem, hidden.tolist())
    anneal(best, Budget(work_limit=0.5), length=0.5)
    assert problem.objective(best.order) > -12.6


def test_anneal_is_repeatable():
    """With a limit of work, the same seed gives the same order."""
    problem, hidden = draw(30, 0.1, 0)
    orders = []
    for _ in range(2):
        best = incumbent(problem, hidden.tolist())
        anneal(best, Budget(work_limit=0.1), length=0.1, random_state=3)
        orders.append(best.order)
    assert orders[0] == orders[1]
