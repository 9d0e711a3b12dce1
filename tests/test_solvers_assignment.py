"""Assignments: every method equals brute force, or says why there is no order."""

from itertools import permutations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from scipy.optimize import linear_sum_assignment
from scipy.stats import binom

from ltr.solvers import (
    AtMost,
    ExposureShare,
    FixedPosition,
    Precedence,
    Quota,
    Together,
    det_const_sort,
    explain_conflict,
    fair_minimums,
    solve_assignment,
)
from ltr.solvers._assignment_exact import solve_by_matching
from ltr.solvers.assignment import METHODS

DISCOUNT = 1 / np.log2(2 + np.arange(2000))


def keeps(order, constraint, attributes, k):
    """Whether an order keeps a constraint, as its docstring reads."""
    place = {item: position for position, item in enumerate(order)}
    if isinstance(constraint, Precedence):
        return place.get(constraint.before, k) < place.get(constraint.after, k + 1)
    if isinstance(constraint, FixedPosition):
        return place.get(constraint.item) == constraint.position
    values = [attributes[constraint.attribute][item] for item in order]
    if isinstance(constraint, ExposureShare):
        exposure = sum(
            d
            for d, value in zip(DISCOUNT, values, strict=False)
            if value == constraint.value
        )
        share = exposure / DISCOUNT[:k].sum()
        return constraint.lower - 1e-6 <= share <= constraint.upper + 1e-6
    top = min(constraint.top or k, k)
    if isinstance(constraint, AtMost):
        w = min(constraint.window or top, top)
        windows = [values[s : s + w] for s in range(top - w + 1)]
        return all(
            window.count(value) <= constraint.count
            for window in windows
            for value in window
            if value is not None
        )
    for t in range(1, top + 1):
        found = values[:t].count(constraint.value)
        low, high = [], []
        for bound, numbers in ((low, constraint.lower), (high, constraint.upper)):
            if isinstance(numbers, tuple):
                bound += list(numbers[t - 1 : t])
            elif t == top and numbers is not None:
                bound.append(numbers)
        low.append(np.floor(constraint.min_share * t + 1e-9))
        high.append(np.ceil(constraint.max_share * t - 1e-9))
        if found < max(low) or found > min(high):
            return False
    return True


def brute_force(gain, k, constraints, attributes):
    """Greatest value of an order of k items that keeps all constraints, or -inf."""
    values = [
        gain[list(order), np.arange(k)].sum()
        for order in permutations(range(len(gain)), k)
        if all(keeps(order, c, attributes, k) for c in constraints)
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
            if "is not exact" not in str(error) or method in ("auto", "highs", "cpsat"):
                raise
            continue
        if best == -np.inf:
            assert solution.status == "INFEASIBLE"
            assert solution.bound == -np.inf
            continue
        assert solution.status == "OPTIMAL"
        assert len(set(solution.order.tolist())) == k
        assert all(keeps(solution.order, c, attributes, k) for c in chosen)
        value = matrix[solution.order, np.arange(k)].sum()
        assert solution.objective == pytest.approx(value, rel=1e-12, abs=1e-12 * span)
        assert solution.bound >= best - 1e-12 * k * (span + abs(best))
        slack = 1e-6 if solution.method in ("highs", "cpsat") else 1e-12
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
    assert all(keeps(lazy.order, rule, attributes, 12) for rule in rules)
    caps = [AtMost("seller", 1, window=4)]
    without = solve_assignment(scores, constraints=caps, attributes=attributes, k=12)
    assert without.objective >= lazy.objective


def test_work_limits_keep_the_bound():
    """Ended early, the order keeps the constraints or there is none, and repeats."""
    rng = np.random.default_rng(4)
    scores, attributes = rng.normal(size=24), {"group": rng.integers(0, 2, 24)}
    rules = [ExposureShare("group", 1, lower=0.5, upper=0.5001)]
    rules += [Precedence(i, i + 1) for i in range(8)]
    for method in ("highs", "cpsat"):
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
            assert all(keeps(first.order, rule, attributes, 10) for rule in rules)


@given(
    st.integers(1, 12), st.sampled_from([0.2, 0.5, 0.7]), st.sampled_from([0.05, 0.2])
)
@example(10, 0.5, 0.1)
def test_fair_minimums(k, share, alpha):
    """Unadjusted, the quantiles; adjusted, the strictest with failure below alpha."""
    plain = fair_minimums(k, share, alpha, adjust=False)
    t = np.arange(1, k + 1)
    assert (binom.cdf(plain, t, share) > alpha).all()
    assert (binom.cdf(plain - 1, t, share) <= alpha).all()
    adjusted = fair_minimums(k, share, alpha)
    assert (adjusted <= plain).all()
    assert (np.diff(adjusted) >= 0).all()
    draws = (np.arange(2**k)[:, None] >> np.arange(k)) & 1
    chance = np.where(draws, share, 1 - share).prod(axis=1)
    fails = (draws.cumsum(axis=1) < adjusted).any(axis=1)
    assert chance[fails].sum() <= alpha + 1e-12


def test_fair_minimums_of_the_paper():
    """Table 1 of Zehlike et al. 2017, alpha = 0.1, unadjusted."""
    table = {
        0.1: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        0.3: [0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
        0.5: [0, 0, 0, 1, 1, 1, 2, 2, 3, 3],
        0.7: [0, 1, 1, 2, 2, 3, 3, 4, 5, 5],
    }
    for share, row in table.items():
        assert fair_minimums(10, share, adjust=False).tolist() == row


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.2, 0.35, 0.5]))
def test_det_const_sort(seed, share):
    """Two groups: every prefix has its minimum, and no order is worth more than ours."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat([0, 1], 30))
    scores = rng.normal(size=60)
    shares = {0: 1 - share, 1: share}
    order = det_const_sort(scores, group, shares, k=25)
    assert len(set(order.tolist())) == 25
    quotas = [Quota("group", g, min_share=p) for g, p in shares.items()]
    assert all(keeps(order, q, {"group": group}, 25) for q in quotas)
    exact = solve_assignment(
        scores, constraints=quotas, attributes={"group": group}, k=25
    )
    assert scores[order] @ DISCOUNT[:25] <= exact.bound + 1e-9


def test_det_const_sort_where_a_group_runs_out():
    """The others fill the list."""
    order = det_const_sort([3, 2, 1], list("aab"), {"a": 0.0, "b": 1.0})
    assert order.tolist() == [2, 0, 1]


def test_empty():
    """No items, or no positions."""
    assert solve_assignment([]).order.tolist() == []
    assert solve_assignment([1.0, 2.0], k=0).is_optimal


def raises(message, function, *args, kind=ValueError, **kwargs):
    with pytest.raises(kind) as caught:
        function(*args, **kwargs)
    assert str(caught.value) == message


def test_messages():
    """What was expected, what came and where, and what to do."""
    raises(
        "gain must have shape (n_items,), scores, or (n_items, n_positions); got shape "
        "(1, 1, 1).",
        solve_assignment,
        [[[1]]],
    )
    raises(
        "gain must be finite if it is one score per item; got -inf at [1]. Leave that "
        "item out, or pass a matrix with -inf where it must not stand.",
        solve_assignment,
        [1.0, -np.inf],
    )
    raises(
        "k must be in 0, …, 2, as there are 2 items; got 3.",
        solve_assignment,
        [1, 2],
        k=3,
    )
    raises(
        "discount must be finite, >= 0 and not rise from one position to the next; got "
        "2.0 at position 1.",
        solve_assignment,
        [1, 2],
        discount=[1, 2],
    )
    raises(
        "attributes must have 'seller', of which a constraint speaks; got 'group'. Pass "
        "attributes={'seller': one value per item}.",
        solve_assignment,
        [1, 2],
        constraints=[AtMost("seller", 1)],
        attributes={"group": [1, 2]},
    )
    raises(
        "attributes['seller'] must have one value per item, shape (2,); got shape (3,).",
        solve_assignment,
        [1, 2],
        constraints=[AtMost("seller", 1)],
        attributes={"seller": [1, 2, 3]},
    )
    raises(
        "positions must be in 0, …, 0; got 1 in FixedPosition(item=0, position=1).",
        solve_assignment,
        [1, 2],
        constraints=[FixedPosition(0, 1)],
        k=1,
    )
    raises(
        "constraints must be of Precedence, FixedPosition, Quota, AtMost, "
        "ExposureShare; got Together(items=(0, 1)).",
        solve_assignment,
        [1, 2],
        constraints=[Together((0, 1))],
        kind=TypeError,
    )
    raises(
        "method='sort' is not exact, or too much work, for these constraints. Use "
        "method='auto'.",
        solve_assignment,
        [1, 2],
        constraints=[FixedPosition(0, 1)],
        method="sort",
    )
    raises(
        "lower of Quota must be a whole number >= 0; got 0.3.",
        Quota,
        "group",
        1,
        lower=0.3,
        kind=TypeError,
    )
    raises(
        "min_share of Quota must be at most max_share; got 0.6 and 0.5.",
        Quota,
        "group",
        1,
        min_share=0.6,
        max_share=0.5,
    )
    raises(
        "top of AtMost must be a whole number >= 1; got 0.", AtMost, "seller", 1, top=0
    )
    raises(
        "shares must be >= 0, sum to 1, and have every group; got {'a': 0.5}, which "
        "sum to 0.5.",
        det_const_sort,
        [1],
        ["a"],
        {"a": 0.5},
    )
    raises(
        "solution must be INFEASIBLE to have a conflict; got status OPTIMAL.",
        explain_conflict,
        solve_assignment([1.0]),
    )


def test_a_conflict_in_words():
    """Counts of the groups help to see why."""
    attributes = {"group": list("aaab"), "seller": list("xxxx")}
    rules = [
        Precedence(0, 1),
        Quota("group", "b", lower=2, top=3),
        AtMost("seller", 2, top=3),
    ]
    solution = solve_assignment([4, 3, 2, 1], constraints=rules, attributes=attributes)
    assert len(solution.conflict) == 1
    solution = solve_assignment(
        [4, 3, 2, 1], constraints=rules[:2], attributes=attributes
    )
    assert explain_conflict(solution, attributes) == (
        "No order keeps this constraint:\n"
        "- at least 2 items with group 'b' among the first 3\n"
        "(1 of the 4 items have group 'b'.)"
    )
    solution = solve_assignment(
        [4, 3, 2, 1], constraints=rules[2:], attributes=attributes
    )
    assert explain_conflict(solution, attributes) == (
        "No order keeps this constraint:\n"
        "- at most 2 items of one seller among the first 3\n"
        "(4 items have 1 values of seller.)"
    )
    forbidden = solve_assignment([[-np.inf], [-np.inf]])
    assert explain_conflict(forbidden) == (
        "No order is possible: too many entries are -inf, which forbids them."
    )


def test_a_wrong_order_is_not_certified(monkeypatch):
    """Every order is checked before it is returned."""
    import ltr.solvers.assignment as module

    def wrong(gains, rules):
        order = solve_by_matching(gains, rules)
        return order[::-1].copy()

    monkeypatch.setattr(module, "solve_by_matching", wrong)
    with pytest.raises(RuntimeError, match="item 1 at position 0, not 0"):
        solve_assignment([1.0, 2.0], constraints=[FixedPosition(0, 0)])


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NA])
def test_items_without_a_value_are_in_no_group(nothing):
    """Nor do lists of mixed values become strings."""
    attributes = {"g": ["b", nothing, nothing, 1]}
    rules = [AtMost("g", 1, top=3), Quota("g", 1, lower=1, top=1)]
    solution = solve_assignment(
        [3.0, 2, 1, 0], constraints=rules, attributes=attributes
    )
    assert solution.order.tolist() == [3, 0, 1, 2]
    frame = pd.DataFrame({"g": pd.array(["b", pd.NA, pd.NA], dtype="string")})
    solution = solve_assignment([3.0, 2, 1], constraints=rules[:1], attributes=frame)
    assert solution.order.tolist() == [0, 1, 2]


@pytest.mark.parametrize("group", [[], ["a", "a"]])
def test_no_position_for_a_quota(group):
    """INFEASIBLE with its conflict, in words."""
    rule = Quota("g", "a", lower=1)
    solution = solve_assignment(
        np.zeros(len(group)), k=0, constraints=[rule], attributes={"g": group}
    )
    assert (solution.status.value, solution.conflict) == ("INFEASIBLE", (rule,))
    assert "(0 of the 0 items" in explain_conflict(solution, {"g": []})
    with pytest.raises(ValueError, match="^attributes must have 'g', of which"):
        explain_conflict(solution, {})


def test_precedences_have_an_order_in_no_time():
    """Greedy, with a bound, where the program is not begun."""
    rules = [Precedence(2, 0), Precedence(3, 2)]
    scores = [4.0, 3.0, 2.0, 1.0]
    solution = solve_assignment(scores, constraints=rules, time_limit_s=0.0)
    assert solution.order.tolist() == [1, 3, 2, 0]
    assert solution.method == "greedy"
    best = solve_assignment(scores, constraints=rules)
    assert solution.objective <= best.objective <= solution.bound


def test_sizes_and_values():
    """What could not be added, or is no value."""
    message = "^discount must be at most 1e\\+290 in size, so that gains can be added; "
    with pytest.raises(ValueError, match=message):
        solve_assignment([3.0, 1e300], discount=[1e300, 1.0])
    with pytest.raises(ValueError, match="^gain must be at most 1e"):
        solve_assignment([[1e300]])
    with pytest.raises(TypeError, match="^value of Quota must be one value of the"):
        Quota("g", ["a"], lower=1)
