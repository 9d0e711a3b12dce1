"""Assignments: every method equals brute force, or says why there is no order."""

from dataclasses import dataclass
from itertools import permutations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import linear_sum_assignment
from support.brute_force import DISCOUNT, keeps_positions

from ltr.solvers import (
    AtMost,
    ExposureShare,
    FixedPosition,
    Precedence,
    Quota,
    explain_conflict,
    solve_assignment,
)
from ltr.solvers.assignment.exact import solve_by_matching
from ltr.solvers.assignment.problem import check_gains, compile_rules
from ltr.solvers.assignment.solve import METHODS
from ltr.solvers.core.attributes import Attributes
from ltr.solvers.core.constraints import Rule


def brute_force(gain, k, constraints, attributes):
    """Greatest value of an order of k items that keeps all constraints, or -inf."""
    values = [
        gain[list(order), np.arange(k)].sum()
        for order in permutations(range(len(gain)), k)
        if all(keeps_positions(order, c, attributes, k) for c in constraints)
    ]
    return max(values, default=-np.inf)


@st.composite
def constraints(draw, n, k):
    """One of any kind."""
    item, position = st.integers(0, n - 1), st.integers(0, k - 1)
    kind = draw(st.integers(0, 8))
    if kind == 0 and n > 1:
        before, after = draw(st.lists(item, min_size=2, max_size=2, unique=True))
        return Precedence(before, after)
    if kind <= 1:
        return FixedPosition(draw(item), draw(position))
    name, value = draw(st.sampled_from(["group", "seller"])), draw(st.integers(0, 2))
    count, top = draw(st.integers(0, 3)), draw(st.integers(1, k + 1))
    if kind == 2:
        return Quota(name, value, lower=count + 1, top=top)
    if kind == 3:
        return Quota(name, value, upper=count, top=top)
    if kind == 4:
        return Quota(name, value, lower=(0, *sorted((count, 1)), 2)[:top])
    if kind == 5:
        low, high = draw(st.sampled_from([(0.2, 1), (0.5, 0.5), (0, 0.6), (0.3, 0.7)]))
        return Quota(name, value, min_share=low, max_share=high)
    if kind == 6:
        return AtMost(name, max(count, 1), top=top)
    if kind == 7:
        return AtMost(name, max(count, 1), window=top)
    low, high = draw(st.sampled_from([(0.2, 1), (0, 0.5), (0.3, 0.7)]))
    return ExposureShare(name, value, lower=low, upper=high)


@st.composite
def problems(draw, kinds=("normal", "tied", "huge", "tiny", "constant", "matrix")):
    """Gain as passed and as a matrix, constraints, attributes, k."""
    n = draw(st.integers(1, 6))
    k = draw(st.integers(1, n))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    attributes = {
        "group": rng.integers(0, 2, n).tolist(),
        "seller": [None if i == 3 else i for i in rng.integers(0, 4, n).tolist()],
    }
    kind = draw(st.sampled_from(kinds))
    gain = {
        "normal": rng.normal(size=n),
        "tied": rng.integers(0, 3, n).astype(float),
        "huge": 1e12 * rng.normal(size=n),
        "tiny": 1e-12 * rng.normal(size=n) - 3e-12,
        "constant": np.full(n, -2.5),
        "matrix": np.where(rng.random((n, k)) < 0.15, -np.inf, rng.normal(size=(n, k))),
    }[kind]
    chosen = draw(st.lists(constraints(n, k), max_size=3))
    matrix = gain if kind == "matrix" else np.outer(gain, DISCOUNT[:k])
    return gain, matrix, chosen, attributes, k


@settings(max_examples=120)
@given(problems())
def test_every_method_is_brute_force(problem):
    """The best order, or INFEASIBLE with a conflict of which every part is needed."""
    gain, matrix, chosen, attributes, k = problem
    best = brute_force(matrix, k, chosen, attributes)
    finite = matrix[np.isfinite(matrix)]
    span = np.ptp(finite) if finite.size else 0.0
    for method in METHODS:
        try:
            solution = solve_assignment(
                gain,
                constraints=chosen,
                attributes=attributes,
                k=k,
                method=method,
            )
        except ValueError as error:
            if "is not exact" not in str(error) or method in (
                "auto",
                "highs",
                "cp_sat",
            ):
                raise
            continue
        if best == -np.inf:
            assert solution.status == "INFEASIBLE"
            assert solution.bound == -np.inf
            continue
        assert solution.status == "OPTIMAL"
        assert len(set(solution.order.tolist())) == k
        assert all(keeps_positions(solution.order, c, attributes, k) for c in chosen)
        value = matrix[solution.order, np.arange(k)].sum()
        assert solution.objective == pytest.approx(value, rel=1e-12, abs=1e-12 * span)
        assert solution.bound >= best - 1e-12 * k * (span + abs(best))
        slack = 1e-6 if solution.method in ("highs", "cp_sat") else 1e-12
        assert solution.objective >= best - slack * k * (span + 1e-9 * abs(best))


@settings(max_examples=60)
@given(problems(("normal", "tied")))
def test_conflicts_are_smallest(problem):
    """No order keeps the conflict; every part of it can be kept; it is in words."""
    gain, matrix, chosen, attributes, k = problem
    chosen = [*chosen, FixedPosition(0, 0), Quota("group", 1, lower=min(k, 2), top=2)]
    solution = solve_assignment(gain, constraints=chosen, attributes=attributes, k=k)
    if solution.status != "INFEASIBLE":
        assert solution.conflict == ()
        return
    conflict = solution.conflict
    assert set(conflict) <= set(chosen)
    assert brute_force(matrix, k, conflict, attributes) == -np.inf
    for left_out in range(len(conflict)):
        part = conflict[:left_out] + conflict[left_out + 1 :]
        assert brute_force(matrix, k, part, attributes) > -np.inf
    words = explain_conflict(solution, attributes)
    assert all(f"- {constraint.in_words()}" in words for constraint in conflict)


@settings(max_examples=30)
@given(problems(("normal",)), st.randoms(use_true_random=False))
def test_equivariance(problem, random):
    """Items in another order give the same order of items."""
    gain, _, chosen, attributes, k = problem
    perm = list(range(len(gain)))
    random.shuffle(perm)
    new = {old: place for place, old in enumerate(perm)}
    renamed = []
    for constraint in chosen:
        if isinstance(constraint, Precedence):
            constraint = Precedence(new[constraint.before], new[constraint.after])
        elif isinstance(constraint, FixedPosition):
            constraint = FixedPosition(new[constraint.item], constraint.position)
        renamed.append(constraint)
    first = solve_assignment(gain, constraints=chosen, attributes=attributes, k=k)
    second = solve_assignment(
        gain[perm],
        constraints=renamed,
        attributes={name: [a[i] for i in perm] for name, a in attributes.items()},
        k=k,
    )
    assert first.status == second.status
    if first.order is not None:
        assert [perm[i] for i in second.order] == first.order.tolist()


def test_the_unconstrained_order_is_a_sort():
    """And a matrix alone a linear assignment."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=50)
    solution = solve_assignment(scores, k=10)
    assert solution.method == "sort"
    np.testing.assert_array_equal(solution.order, np.argsort(-scores)[:10])
    assert solution.objective == pytest.approx(
        np.sort(scores)[::-1][:10] @ DISCOUNT[:10]
    )
    matrix = rng.normal(size=(20, 8))
    items, positions = linear_sum_assignment(matrix, maximize=True)
    solution = solve_assignment(matrix)
    assert solution.method == "matching"
    assert solution.objective == pytest.approx(matrix[items, positions].sum())


def test_fixed_slots_alone_are_a_linear_assignment_of_the_rest():
    """With the fixed rows and columns struck out."""
    matrix = np.random.default_rng(1).normal(size=(9, 7))
    fixed = [FixedPosition(3, 0), FixedPosition(8, 5)]
    solution = solve_assignment(matrix, constraints=fixed)
    rest = np.delete(np.delete(matrix, [3, 8], axis=0), [0, 5], axis=1)
    value = rest[linear_sum_assignment(rest, maximize=True)].sum()
    assert solution.method == "matching"
    assert solution.objective == pytest.approx(value + matrix[3, 0] + matrix[8, 5])


def test_large_lists_by_two_exact_methods():
    """Matching and counting share no code, and agree on many quotas."""
    rng = np.random.default_rng(2)
    for _ in range(10):
        group = rng.integers(0, 3, 400)
        scores = rng.normal(size=400) - 0.8 * group
        quotas = [Quota("group", 1, min_share=0.3), Quota("group", 2, min_share=0.2)]
        quotas += [FixedPosition(int(rng.integers(400)), 4), Quota("group", 0, upper=9)]
        found = [
            solve_assignment(
                scores,
                constraints=quotas,
                attributes={"group": group},
                k=30,
                method=method,
            )
            for method in ("matching", "counting")
        ]
        assert found[0].objective == pytest.approx(found[1].objective, rel=1e-12)


def test_lazy_groups():
    """Many sellers: only those near their cap reach the integer program."""
    rng = np.random.default_rng(3)
    scores, seller = rng.normal(size=200), rng.integers(0, 20, 200)
    group = rng.integers(0, 2, 200)
    rules = [AtMost("seller", 1, window=4), Quota("group", 1, min_share=0.6)]
    attributes = {"seller": seller, "group": group}
    lazy = solve_assignment(scores, constraints=rules, attributes=attributes, k=12)
    assert lazy.is_optimal
    assert all(keeps_positions(lazy.order, rule, attributes, 12) for rule in rules)
    caps = [AtMost("seller", 1, window=4)]
    without = solve_assignment(scores, constraints=caps, attributes=attributes, k=12)
    assert without.objective >= lazy.objective


def test_work_limits_keep_the_bound():
    """Ended early, the order keeps the constraints or there is none, and repeats."""
    rng = np.random.default_rng(4)
    scores, attributes = rng.normal(size=24), {"group": rng.integers(0, 2, 24)}
    rules = [ExposureShare("group", 1, lower=0.5, upper=0.5001)]
    rules += [Precedence(i, i + 1) for i in range(8)]
    for method in ("highs", "cp_sat"):
        first, second = (
            solve_assignment(
                scores,
                constraints=rules,
                attributes=attributes,
                k=10,
                method=method,
                work_limit=0.002,
            )
            for _ in range(2)
        )
        assert first.status == second.status
        assert first.status in ("FEASIBLE", "UNKNOWN")
        assert first.bound <= np.sort(scores)[::-1][:10] @ DISCOUNT[:10] + 1e-9
        if first.order is not None:
            np.testing.assert_array_equal(first.order, second.order)
            assert all(
                keeps_positions(first.order, rule, attributes, 10) for rule in rules
            )


def test_empty():
    """No items, or no positions."""
    assert solve_assignment([]).order.tolist() == []
    assert solve_assignment([1.0, 2.0], k=0).is_optimal


def test_a_wrong_order_is_not_certified(monkeypatch):
    """Every order is checked before it is returned."""
    from ltr.solvers.assignment import solve as module

    def wrong(gains, rules):
        order = solve_by_matching(gains, rules)
        return order[::-1].copy()

    monkeypatch.setattr(module, "solve_by_matching", wrong)
    with pytest.raises(RuntimeError, match="item 1 at position 0, not 0"):
        solve_assignment([1.0, 2.0], constraints=[FixedPosition(0, 0)])


@dataclass(frozen=True)
class Sponsored(Rule):
    """An item in the first slot, and a second of its group among the first three."""

    item: int

    def in_words(self):
        return f"item {self.item} is first, and a second one with group 'a' follows"

    def parts(self):
        quota = Quota("group", "a", lower=2, top=3)
        return FixedPosition(self.item, 0), quota


def test_a_kind_that_consists_of_others():
    """Its parts are compiled in its place."""
    gains = check_gains(np.ones(4), None, None)
    attributes = Attributes({"group": list("aabb")}, 4)
    rule = Sponsored(1)
    whole = compile_rules((rule,), attributes, gains)
    parts = compile_rules(rule.parts(), attributes, gains)
    assert whole.fixed == parts.fixed == {0: 1}
    assert [g.lower.tolist() for g in whole.groups] == [[0, 0, 0, 2, 2]]
    assert [g.lower.tolist() for g in parts.groups] == [[0, 0, 0, 2, 2]]


def test_slots_that_clash_beside_a_quota():
    """The quota has no say in it."""
    slots = [FixedPosition(0, 0), FixedPosition(1, 0)]
    solution = solve_assignment(
        [2.0, 1.0],
        constraints=[*slots, Quota("group", "b", upper=1)],
        attributes={"group": ["a", "b"]},
        k=1,
    )
    assert (solution.status, solution.conflict) == ("INFEASIBLE", tuple(slots))


def test_the_old_name_of_cp_sat():
    """It is still taken, with a warning."""
    constraints = [Precedence(0, 1)]
    with pytest.warns(DeprecationWarning, match="^method='cpsat' is now called"):
        solution = solve_assignment([1.0, 2.0], constraints=constraints, method="cpsat")
    assert solution.method == "cp_sat"


def test_precedences_have_an_order_in_no_time():
    """Greedy, with a bound, where the program is not begun."""
    rules = [Precedence(2, 0), Precedence(3, 2)]
    scores = [4.0, 3.0, 2.0, 1.0]
    solution = solve_assignment(scores, constraints=rules, time_limit_s=0.0)
    assert solution.order.tolist() == [1, 3, 2, 0]
    assert solution.method == "greedy"
    best = solve_assignment(scores, constraints=rules)
    assert solution.objective <= best.objective <= solution.bound


@pytest.mark.parametrize("limit", [{"work_limit": 1e-4}, {"time_limit_s": 0.05}])
@pytest.mark.parametrize("method", ["highs", "cp_sat"])
def test_a_search_that_ends_early(method, limit):
    """Its order is no worse than the greedy one, and its bound holds."""
    rng = np.random.default_rng(0)
    pairs = [np.sort(rng.choice(20, 2, replace=False)).tolist() for _ in range(20)]
    rules = [Precedence(*pair) for pair in pairs]
    scores = rng.normal(size=20)
    greedy = solve_assignment(scores, constraints=rules, time_limit_s=0.0)
    best = solve_assignment(scores, constraints=rules)
    early = solve_assignment(scores, constraints=rules, method=method, **limit)
    assert greedy.objective <= early.objective <= best.objective + 1e-6
    assert early.bound >= best.objective
