"""Windows of positions, and groups that stand together in assignments."""

from itertools import permutations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.brute_force import (
    DISCOUNT,
    best,
    keeps_positions,
    ordering_value,
    path_value,
)
from support.strategies_solvers import matrices, rules

from ltr import ConstrainedRanker, SingleFeatureRanker
from ltr.arguments import ArgumentError
from ltr.solvers import (
    FixedPosition,
    Quota,
    Status,
    Together,
    Window,
    explain_conflict,
    solve_assignment,
    solve_ordering,
    solve_path,
    verify,
    within,
)
from ltr.solvers.orderings.solve import METHODS as ORDERING_METHODS
from ltr.solvers.paths.solve import METHODS as PATH_METHODS

TAME = matrices(min_size=2, max_size=5, kinds=("normal", "tied"))
GROUP = {"group": ["a", "b", "a", "b", "a"]}


@settings(max_examples=60)
@given(st.data(), TAME, st.sampled_from(["path", "ordering"]))
def test_windows_against_every_order(data, matrix, problem):
    n = len(matrix)
    np.fill_diagonal(matrix, 0.0)
    constraints = data.draw(rules(n))
    if problem == "path":
        solve, value = solve_path, lambda order: path_value(order, matrix)
        methods = [m for m in PATH_METHODS if m not in ("routing", "local_search")]
    else:
        solve, value = solve_ordering, lambda order: ordering_value(order, matrix)
        methods = [m for m in ORDERING_METHODS if m != "local_search"]
    method = data.draw(st.sampled_from(methods))
    solution = solve(matrix, constraints=constraints, method=method)
    greatest, _ = best(value, n, constraints)
    if greatest is None:
        assert solution.status is Status.INFEASIBLE
        assert best(value, n, solution.conflict) == (None, None)
    else:
        assert solution.is_optimal
        assert solution.objective == pytest.approx(greatest, abs=1e-9)
    assert verify(solution, solve, matrix, constraints=constraints).is_right


@settings(max_examples=40)
@given(
    st.data(),
    st.integers(1, 5),
    st.sampled_from(["auto", "highs", "cp_sat"]),
    st.booleans(),
)
def test_assignments_against_every_order(data, k, method, is_matrix):
    n = 5
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    gain = rng.normal(size=(n, k)) if is_matrix else rng.normal(size=n)
    constraints = data.draw(rules(n))
    if data.draw(st.booleans()):
        constraints += (Quota("group", "b", lower=1, top=data.draw(st.integers(1, k))),)
    arguments = {"constraints": constraints, "attributes": GROUP, "k": k}
    solution = solve_assignment(gain, method=method, **arguments)

    def value(order):
        if is_matrix:
            return gain[list(order), range(k)].sum()
        return gain[list(order)] @ DISCOUNT[:k]

    values = [
        value(order)
        for order in permutations(range(n), k)
        if all(
            keeps_positions(order, c, {"group": GROUP["group"]}, k) for c in constraints
        )
    ]
    if values:
        assert solution.is_optimal
        assert solution.objective == pytest.approx(max(values), abs=1e-9)
    else:
        assert solution.status is Status.INFEASIBLE
    assert verify(solution, solve_assignment, gain, **arguments).is_right


def test_windows_of_scores_are_matched():
    """No integer program is needed for windows of items without a quota."""
    scores = np.arange(200.0)[::-1]
    solution = solve_assignment(scores, constraints=within(np.arange(200)[::-1], 3))
    assert solution.method == "matching"
    assert np.abs(solution.order - np.arange(200)[::-1]).max() == 3


def test_windows_keep_an_order_near_another_one():
    rng = np.random.default_rng(0)
    reference = rng.permutation(25)
    matrix = rng.random((25, 25))
    for solve in (solve_path, solve_ordering):
        solution = solve(matrix, constraints=within(reference, places=2))
        assert solution.is_optimal
        moved = np.argsort(solution.order) - np.argsort(reference)
        assert 1 <= np.abs(moved).max() <= 2
        fixed = solve(matrix, constraints=within(reference, places=0))
        assert fixed.order.tolist() == reference.tolist()


def test_unplaced_items_come_after_all_others():
    scores = [5.0, 4.0, 3.0, 2.0]
    late = solve_assignment(scores, k=2, constraints=[Window(0, first=1)])
    assert late.order.tolist() == [1, 0]
    out = solve_assignment(scores, k=2, constraints=[Window(0, first=2)])
    assert out.order.tolist() == [1, 2]
    top = solve_assignment(scores, k=2, constraints=[Window(3, last=1)])
    assert top.order.tolist() == [0, 3]


def test_together_is_placed_as_a_whole_or_not_at_all():
    scores = [5.0, 4.0, 3.0, 2.0]
    solution = solve_assignment(scores, k=2, constraints=[Together((0, 3, 2))])
    assert solution.status is Status.INFEASIBLE
    pair = solve_assignment(scores, k=3, constraints=[Together((0, 3))])
    assert pair.order.tolist() == [0, 3, 1]


def test_conflicts_of_windows():
    windows = [Window(0, last=0), Window(1, last=0), Window(2, first=1)]
    text = (
        "No order keeps these 2 constraints together, but one can keep any 1 of them:\n"
        "- item 0 is among the first 1\n"
        "- item 1 is among the first 1"
    )
    for solve, first in (
        (solve_path, np.zeros((4, 4))),
        (solve_ordering, np.zeros((4, 4))),
        (solve_assignment, np.zeros(4)),
    ):
        solution = solve(first, constraints=windows)
        assert solution.conflict == tuple(windows[:2])
        assert explain_conflict(solution) == text.replace(
            "among the first 1", windows[0].in_words()[10:]
        )


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (Window(3, 2), "item 3 is at position 2 or later"),
        (Window(3, 2, 2), "item 3 is at position 2"),
        (Window(3, last=4), "item 3 is among the first 5"),
        (Window(3, 2, 5), "item 3 is at one of the positions 2, …, 5"),
    ],
)
def test_words(window, words):
    assert window.in_words() == words


@pytest.mark.parametrize(
    ("window", "error", "message"),
    [
        (
            Window(3, 0),
            ValueError,
            "items must be in 0, …, 2; got 3 in Window(item=3, first=0, last=None).",
        ),
        (
            Window(0, 3),
            ValueError,
            "positions must be in 0, …, 2; got 3 in Window(item=0, first=3, "
            "last=None).",
        ),
        (
            Window(0, 2, 1),
            ValueError,
            "Window(item=0, first=2, last=1) must have first <= last.",
        ),
    ],
)
def test_messages(window, error, message):
    for solve in (solve_path, solve_ordering):
        with pytest.raises(error) as caught:
            solve(np.zeros((3, 3)), constraints=[window])
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([0, 0], "order must have different items >= 0; got [0, 0]."),
        (
            [0.5],
            "order must be a sequence of item numbers, best first; got an array of "
            "float64 and shape (1,).",
        ),
    ],
)
def test_orders_that_are_none(order, message):
    with pytest.raises(ArgumentError) as error:
        within(order)
    assert str(error.value) == message


def test_a_fixed_position_is_a_window():
    assert FixedPosition(3, 1).parts() == (Window(3, 1, 1),)


def test_constrained_ranker_takes_windows_and_groups_that_stand_together():
    X, y = np.array([[4.0], [3.0], [2.0], [1.0]]), [3, 2, 1, 0]
    near = ConstrainedRanker(
        SingleFeatureRanker(), [Window(3, last=1), Together((3, 2))]
    ).fit(X, y)
    assert near.order(X).tolist() == [0, 3, 2, 1]


def test_windows_behind_the_last_position_agree():
    """An item that is not placed comes after all positions, wherever behind them."""
    rules = [Window(2, first=4, last=4), Window(2, first=2, last=2)]
    solution = solve_assignment([1.0, 2.0, 3.0, 0.0, 0.0], k=1, constraints=rules)
    assert solution.order.tolist() == [1]
    clashing = solve_assignment([1.0, 2.0, 3.0, 0.0, 0.0], k=3, constraints=rules)
    assert clashing.status is Status.INFEASIBLE
