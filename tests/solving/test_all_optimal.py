"""All best solutions, and whether there is one only, against every order."""

from itertools import combinations, permutations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.brute_force import best, keeps, ordering_value, path_value
from support.strategies_solvers import matrices, rules

from ltr.arguments import ArgumentError
from ltr.solvers import (
    Precedence,
    Quota,
    all_optimal,
    kemeny,
    select_committee,
    solve_assignment,
    solve_ordering,
    solve_path,
    solve_paths,
    verify,
)

TIED = matrices(min_size=1, max_size=4, kinds=("tied", "constant"))
VOTES = st.lists(st.permutations(range(4)), min_size=1, max_size=3)


def orders_of(optimal_set):
    orders = [tuple(s.order.tolist()) for s in optimal_set.solutions]
    assert len(set(orders)) == len(orders)
    assert all(s.is_optimal for s in optimal_set.solutions)
    assert all(s.is_unique == (len(orders) == 1) for s in optimal_set.solutions)
    return set(orders)


@settings(max_examples=30)
@given(st.data(), TIED, st.sampled_from(["path", "tour", "ordering", "assignment"]))
def test_every_best_order_once(data, matrix, problem):
    n = len(matrix)
    np.fill_diagonal(matrix, 0.0)
    constraints = data.draw(rules(n)) if n > 1 and data.draw(st.booleans()) else ()
    options = {"closed": True} if problem == "tour" else {}
    if problem == "tour":
        constraints = ()
    solve, value = {
        "path": (solve_path, lambda order: path_value(order, matrix)),
        "tour": (
            solve_path,
            lambda order: (
                path_value(order, matrix) + matrix[order[-1], 0]
                if order[0] == 0
                else -np.inf
            ),
        ),
        "ordering": (solve_ordering, lambda order: ordering_value(order, matrix)),
        "assignment": (
            solve_assignment,
            lambda order: matrix[list(order), range(n)].sum(),
        ),
    }[problem]
    optimal_set = all_optimal(solve, matrix, constraints=constraints, **options)
    greatest, _ = best(value, n, constraints)
    expected = {
        order
        for order in permutations(range(n))
        if greatest is not None
        and all(keeps(order, constraint) for constraint in constraints)
        and value(order) >= greatest - 1e-9
    }
    assert optimal_set.is_complete
    assert orders_of(optimal_set) == expected


@settings(max_examples=20)
@given(VOTES, st.integers(1, 4), st.sampled_from(["cc", "pav", "sntv", "borda"]))
def test_every_best_committee_once(votes, k, rule):
    arguments = {"rule": rule, "groups": {"g": [0, 1]}, "upper": {"g": 1}, "n_items": 4}
    if k > 3:
        arguments |= {"upper": {"g": 2}}
    optimal_set = all_optimal(select_committee, votes, k, **arguments)
    alone = select_committee(votes, k, **arguments)
    expected = set()
    for items in combinations(range(4), k):
        forced = {str(i): [i] for i in items}
        groups, lower = arguments["groups"] | forced, dict.fromkeys(forced, 1)
        other = select_committee(
            votes, k, **arguments | {"groups": groups, "lower": lower}
        )
        if other.order is not None and other.objective >= alone.objective - 1e-9:
            expected.add(items)
    assert optimal_set.is_complete
    assert {tuple(sorted(order)) for order in orders_of(optimal_set)} == expected
    assert alone.is_unique in (None, len(expected) == 1)


@settings(max_examples=20)
@given(VOTES, st.integers(1, 8))
def test_the_limit_is_kept(votes, limit):
    every = all_optimal(kemeny, votes)
    some = all_optimal(kemeny, votes, limit=limit)
    assert every.is_complete
    assert len(some.solutions) == min(limit, len(every.solutions))
    assert some.is_complete == (len(every.solutions) <= limit)
    if len(some.solutions) > 1:
        assert orders_of(some) <= orders_of(every)
    elif some.is_complete:
        assert some.solutions[0].is_unique


def test_what_has_no_order_has_no_best_one():
    none = all_optimal(
        solve_path, np.zeros((2, 2)), constraints=[Precedence(0, 1), Precedence(1, 0)]
    )
    assert none == ((), True)
    late = all_optimal(
        solve_ordering,
        np.random.default_rng(0).normal(size=(30, 30)),
        time_limit_s=1e-6,
    )
    assert late == ((), False)


def test_all_best_orders_keep_groups():
    labels = {"g": ["a", "a", "b"]}
    optimal_set = all_optimal(
        solve_path,
        np.zeros((3, 3)),
        constraints=[Quota("g", "b", lower=1, top=1)],
        attributes=labels,
        sense="min",
    )
    assert orders_of(optimal_set) == {(2, 0, 1), (2, 1, 0)}


def test_nearly_as_good_is_not_as_good():
    """Values a billionth apart are no rounding: item 2 before item 0 is better."""
    high, low, least = 1e6, 999999.6907713288, 999999.6883346697
    matrix = [[0.0, high, least], [high, 0.0, high], [low, high, 0.0]]
    for method in ("auto", "dp"):
        listed = all_optimal(solve_ordering, matrix, method=method)
        orders = sorted(solution.order.tolist() for solution in listed.solutions)
        assert orders == [[1, 2, 0], [2, 0, 1], [2, 1, 0]]
        assert all(verify(s, solve_ordering, matrix).is_right for s in listed.solutions)


def test_other_callables_are_refused():
    with pytest.raises(ArgumentError) as error:
        all_optimal(sorted, [1])
    assert str(error.value) == (
        "solver must be solve_path, solve_ordering, solve_assignment, select_committee "
        "or kemeny; got 'sorted'. Pass the solver, then the arguments of its call: "
        "all_optimal(solve_path, matrix)."
    )
    with pytest.raises(ArgumentError, match=r"got ndarray of shape \(3, 3\)\. Pass"):
        all_optimal(np.zeros((3, 3)), sense="min")


@settings(max_examples=40)
@given(st.data(), matrices(min_size=1, max_size=5), st.booleans())
def test_a_table_tells_whether_a_path_is_unique(data, matrix, is_batch):
    n = len(matrix)
    np.fill_diagonal(matrix, 0.0)
    constraints = data.draw(rules(n)) if n > 1 and data.draw(st.booleans()) else ()
    if is_batch:
        solution = solve_paths([matrix] * 8, constraints=constraints)[3]
    else:
        solution = solve_path(matrix, constraints=constraints, method="dp")
    if solution.order is None:
        return
    values = sorted(
        path_value(order, matrix)
        for order in permutations(range(n))
        if all(keeps(order, constraint) for constraint in constraints)
    )
    scale = np.abs(matrix).max(initial=1e-300)
    margin = values[-1] - values[-2] if len(values) > 1 else np.inf
    if solution.is_optimal and margin == 0:
        assert not solution.is_unique
    elif solution.is_optimal and margin > 1e-6 * scale:
        assert solution.is_unique is not False
        assert solution.is_unique or solution.method != "dp"
    assert verify(solution, solve_path, matrix, constraints=constraints).is_right


def test_a_table_knows_ties():
    symmetric = np.array([[0, 3, 1, 1], [3, 0, 1, 1], [1, 1, 0, 3], [1, 1, 3, 0]])
    ties = solve_path(symmetric, method="dp")
    assert (ties.method, ties.is_unique) == ("dp", False)
    batch = solve_paths(np.random.default_rng(1).normal(size=(9, 6, 6)))
    assert all(solution.is_unique for solution in batch)
    assert not any(s.is_unique for s in solve_paths(np.zeros((9, 6, 6))))


@settings(max_examples=30)
@given(
    st.lists(st.integers(-2, 2), min_size=1, max_size=5),
    st.lists(st.integers(0, 2), min_size=5, max_size=5),
    st.integers(1, 5),
)
def test_sorted_scores_are_unique_without_ties(scores, discount, k):
    k, discount = min(k, len(scores)), sorted(discount, reverse=True)
    solution = solve_assignment(scores, k=k, discount=discount)
    values = [
        sum(scores[i] * d for i, d in zip(order, discount, strict=False))
        for order in permutations(range(len(scores)), k)
    ]
    assert solution.is_unique == (values.count(max(values)) == 1)
