"""Quotas and caps on groups in paths, and groups that stand together."""

from functools import partial
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.brute_force import best, path_value
from support.strategies_solvers import matrices, rules

from ltr.solvers import (
    AtMost,
    ExposureShare,
    Precedence,
    Quota,
    Status,
    Together,
    explain_conflict,
    solve_path,
    solve_paths,
    verify,
)
from ltr.solvers.core.attributes import Attributes
from ltr.solvers.core.order_rules import order_rules
from ltr.solvers.paths.problem import path_problem

EXACT = ("auto", "dp", "branch_and_bound", "branch_and_cut", "cp_sat")
TAME = matrices(min_size=2, max_size=5, kinds=("normal", "tied"))
TOP = st.none() | st.integers(1, 5)
QUOTAS = st.one_of(
    st.builds(partial(Quota, "g", "a"), lower=st.integers(1, 3), top=TOP),
    st.builds(partial(Quota, "g", "a"), upper=st.integers(0, 2), top=TOP),
    st.builds(partial(Quota, "g", "b"), lower=st.just((0, 1, 1)), top=TOP),
    st.builds(partial(Quota, "g", "b"), upper=st.just((0, 1, 1)), top=TOP),
    st.builds(partial(Quota, "g", "a"), min_share=st.sampled_from([0.34, 0.5])),
    st.builds(partial(Quota, "g", "b"), max_share=st.sampled_from([0.34, 0.5])),
    st.builds(partial(AtMost, "g"), st.integers(0, 3), top=TOP),
)
WINDOWS = st.builds(
    partial(AtMost, "g"), st.integers(0, 2), window=st.integers(1, 4), top=TOP
)


@settings(max_examples=60)
@given(st.data(), TAME, st.sampled_from(EXACT), st.booleans())
def test_groups_against_every_order(data, matrix, method, has_others):
    n = len(matrix)
    np.fill_diagonal(matrix, 0.0)
    labels = data.draw(
        st.lists(st.sampled_from(["a", "b", None]), min_size=n, max_size=n)
    )
    kinds = QUOTAS if method == "dp" else QUOTAS | WINDOWS
    constraints = tuple(
        dict.fromkeys(data.draw(st.lists(kinds, min_size=1, max_size=2)))
    )
    if has_others:
        constraints += data.draw(rules(n))
    arguments = {"constraints": constraints, "attributes": {"g": labels}}
    solution = solve_path(matrix, method=method, **arguments)
    greatest, _ = best(
        lambda order: path_value(order, matrix), n, constraints, {"g": labels}
    )
    if greatest is None:
        assert solution.status is Status.INFEASIBLE
    else:
        assert solution.is_optimal
        assert solution.objective == pytest.approx(greatest, abs=1e-9)
    assert verify(solution, solve_path, matrix, **arguments).is_right


@settings(max_examples=25)
@given(st.data(), st.lists(QUOTAS | WINDOWS, min_size=1, max_size=3))
def test_broken_chains_are_in_no_order_that_keeps_the_groups(data, constraints):
    """Cuts and branches on a chain remove no order that keeps the constraints."""
    n = 5
    labels = data.draw(
        st.lists(st.sampled_from(["a", "b", None]), min_size=n, max_size=n)
    )
    ends = np.zeros(n)
    problem = path_problem(
        np.zeros((n, n)), ends, ends, constraints, Attributes({"g": labels}, n)
    )
    orders = [data.draw(st.permutations(range(n))) for _ in range(3)]
    _, kept = best(lambda _: 0.0, n, constraints, {"g": labels})
    orders += [list(kept)] if kept is not None else []
    chains = [problem.broken_chain(order) for order in orders]
    for order, chain in zip(orders, chains, strict=True):
        is_kept = best(
            lambda other, order=order: 0.0 if list(other) == order else -np.inf,
            n,
            constraints,
            {"g": labels},
        )
        assert (chain is None) == problem.keeps(order) == (is_kept[1] is not None)

        def has_chain(other, chain=chain):
            tour = [n, *other, n]
            arcs = set(pairwise(tour))
            return 0.0 if arcs >= set(pairwise(chain)) else -np.inf

        if chain is not None:
            assert best(has_chain, n, constraints, {"g": labels}) == (None, None)


def test_batches_have_attributes_by_list():
    rng = np.random.default_rng(0)
    matrices_ = rng.normal(size=(10, 5, 5))
    labels = rng.choice(["a", "b"], size=(10, 5))
    where = np.ones((10, 5), dtype=bool)
    where[3, 1] = False
    constraints = [Quota("g", "a", upper=1, top=2), AtMost("g", 2, window=3)]
    for rules_ in (constraints[:1], constraints):
        solutions = solve_paths(
            matrices_, where=where, constraints=rules_, attributes={"g": labels}
        )
        for i, solution in enumerate(solutions):
            inside = np.flatnonzero(where[i])
            alone = solve_path(
                matrices_[i][np.ix_(inside, inside)],
                constraints=rules_,
                attributes={"g": labels[i, inside]},
            )
            assert solution.status is alone.status
            if alone.order is not None:
                assert solution.objective == pytest.approx(alone.objective)


def test_what_a_method_cannot_keep_is_refused():
    matrix, labels = np.zeros((4, 4)), {"g": list("aabb")}
    apart = {"constraints": [AtMost("g", 1, window=3)], "attributes": labels}
    with pytest.raises(ValueError) as error:  # noqa: PT011
        solve_path(matrix, method="dp", **apart)
    assert str(error.value) == (
        "method='dp' takes no AtMost with a window of more than two positions, or up "
        "to a top; use 'auto', 'branch_and_bound', 'branch_and_cut' or 'cp_sat'."
    )
    assert solve_path(matrix, **apart).status is Status.INFEASIBLE
    neighbors = {"constraints": [AtMost("g", 1, window=2)], "attributes": labels}
    assert solve_path(matrix, method="dp", **neighbors).is_optimal
    with pytest.raises(ValueError) as error:  # noqa: PT011
        solve_path(matrix, method="routing", **neighbors)
    assert str(error.value) == (
        "method='routing' takes no constraints; got AtMost(attribute='g', count=1, "
        "top=None, window=2). Use 'cp_sat' or 'auto'."
    )
    with pytest.raises(TypeError) as error:
        solve_path(matrix, constraints=[ExposureShare("g", "a", lower=0.5)])
    assert str(error.value) == (
        "solve_path takes the constraints Precedence, Window, FixedPosition, Together, "
        "Quota, AtMost; got ExposureShare(attribute='g', value='a', lower=0.5, "
        "upper=1.0), which solve_assignment takes."
    )


def test_attributes_that_do_not_fit_are_refused():
    rule = [AtMost("seller", 1, window=2)]
    with pytest.raises(ValueError) as error:  # noqa: PT011
        solve_path(np.zeros((2, 2)), constraints=rule)
    assert str(error.value) == (
        "attributes must have 'seller', to which a constraint refers; got none. Pass "
        "attributes={'seller': one value per item}."
    )
    with pytest.raises(ValueError) as error:  # noqa: PT011
        solve_paths(
            np.zeros((2, 2, 2)), constraints=rule, attributes={"seller": ["xy", "xyz"]}
        )
    assert str(error.value) == (
        "attributes['seller'][0] must have one value per item, shape (2,); got shape "
        "()."
    )


def test_conflicts_of_groups_are_explained():
    rules_ = [Quota("g", "a", lower=2, top=2), Precedence(2, 0), Precedence(3, 2)]
    labels = {"g": ["a", "a", "b", "b"]}
    solution = solve_path(np.zeros((4, 4)), constraints=rules_, attributes=labels)
    assert set(solution.conflict) == {rules_[0], rules_[1]}
    assert explain_conflict(solution, labels) == (
        "No order keeps these 2 constraints together, but one can keep any 1 of them:\n"
        "- at least 2 items with g 'a' among the first 2\n"
        "- item 2 comes before item 0\n"
        "(2 of the 4 items have g 'a'.)\n"
        "(g: item 2 has 'b', item 0 has 'a'.)"
    )


def test_groups_that_stand_together_order_their_precedences():
    constraints = [Together((0, 1)), Together((2, 3)), Precedence(0, 3)]
    before = order_rules(constraints).before(5)
    assert np.argwhere(before).tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]


@pytest.mark.parametrize("kind", ["overlap", "precedence", "spread"])
def test_local_search_begins_with_an_order_that_keeps_the_groups(kind):
    """UNKNOWN, as the greedy order ended in the middle of a group."""
    n, rng = 60, np.random.default_rng(0)
    items, attributes = rng.permutation(n).tolist(), None
    size = 8 if kind == "overlap" else 6
    constraints = [Together(tuple(items[6 * k : 6 * k + size])) for k in range(8)]
    if kind == "precedence":
        constraints += [Precedence(items[6 * k], items[6 * k + 9]) for k in range(6)]
    if kind == "spread":
        constraints = [AtMost("g", 1, window=4), Quota("g", 0, min_share=0.2)]
        attributes = {"g": np.arange(n) % 4}
    arguments = {"constraints": constraints, "attributes": attributes}
    solution = solve_path(
        rng.normal(size=(n, n)), method="local_search", work_limit=0.5, **arguments
    )
    assert solution.status is Status.FEASIBLE
    rng = np.random.default_rng(0)
    rng.permutation(n)
    matrix = rng.normal(size=(n, n))
    assert verify(solution, solve_path, matrix, **arguments).is_right
