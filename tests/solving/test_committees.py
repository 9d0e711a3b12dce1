"""Committees: every committee tried one by one, bounds, quotas, messages."""

from itertools import combinations, permutations
from math import comb

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ltr.datasets import make_biased_rankings
from ltr.solvers import Quota, Status, explain_conflict, select_committee
from ltr.solvers.committees.rules import ChamberlinCourant, Monroe, Proportional

RULES = ("sntv", "bloc", "borda", "cc", "pav", "monroe")
THREE = [[0, 1, 2, 3, 4], [1, 0, 3, 2, 4], [4, 2, 0, 1, 3]]


def points(ballot, item, n_items):
    """Borda points: items below, and half of those level with it."""
    level = {}
    for place, group in enumerate(ballot):
        for member in group if isinstance(group, tuple) else (group,):
            level[member] = place
    mine = level.get(item, n_items)
    others = [level.get(other, n_items) for other in range(n_items) if other != item]
    return (
        sum(mine < other for other in others)
        + sum(mine == other for other in others) / 2
    )


def first_items(ballot, k):
    """The first k items of a ballot without ties among them."""
    return {item for item in ballot[:k] if not isinstance(item, tuple)}


def worth(ballots, committee, rule, k, n_items):
    """What a committee is worth, as the definitions read."""
    if rule == "sntv":
        return sum(ballot[0] in committee for ballot in ballots)
    if rule == "bloc":
        return sum(len(first_items(b, k) & set(committee)) for b in ballots)
    if rule == "pav":
        counts = [len(first_items(b, k) & set(committee)) for b in ballots]
        return sum(sum(1 / j for j in range(1, c + 1)) for c in counts)
    table = [[points(b, i, n_items) for i in committee] for b in ballots]
    if rule == "borda":
        return sum(map(sum, table))
    if rule == "cc":
        return sum(map(max, table))
    return monroe_worth(table, k)


def monroe_worth(table, k):
    """Every way to share out the voters, sizes differing by one at most."""
    n, best = len(table), 0.0
    for n_larger in [n % k]:
        for larger in combinations(range(k), n_larger):
            seats = [s for s in range(k) for _ in range(n // k + (s in larger))]
            for order in set(permutations(seats)):
                best = max(best, sum(table[v][s] for v, s in enumerate(order)))
    return best


def allowed(committee, groups, lower, upper):
    members = [sum(i in items for i in committee) for items in groups.values()]
    counts = dict(zip(groups, members, strict=True))
    return all(counts[g] >= c for g, c in lower.items()) and all(
        counts[g] <= c for g, c in upper.items()
    )


@st.composite
def elections(draw, max_voters=5, max_items=6):
    """Ballots (complete, or cut short where at least k + 1 items stay), k, quotas."""
    m = draw(st.integers(1, max_items))
    k = draw(st.integers(1, min(m, 3)))
    n = draw(st.integers(1, max_voters))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["complete", "alike", "short"]))
    ballots = [rng.permutation(m).tolist() for _ in range(n)]
    if kind == "alike":
        ballots = [ballots[rng.integers(min(2, n))] for _ in range(n)]
    elif kind == "short":
        ballots = [b[: rng.integers(1, m + 1)] for b in ballots]
    groups, lower, upper = {}, {}, {}
    quotas = draw(st.sampled_from(["none", "disjoint", "overlapping"]))
    if quotas != "none":
        labels = rng.integers(0, 2, size=m)
        groups = {g: np.flatnonzero(labels == g).tolist() for g in (0, 1)}
        if quotas == "overlapping":
            groups[2] = np.flatnonzero(rng.integers(0, 2, size=m)).tolist()
        lower = {g: int(rng.integers(0, 3)) for g in groups if rng.random() < 0.5}
        upper = {g: int(rng.integers(0, 3)) for g in groups if rng.random() < 0.5}
    return ballots, k, m, groups, lower, upper


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=40)
@given(case=elections())
def test_exact_is_the_best_of_all(rule, case):
    """Exact = every committee tried; greedy is between; quotas are kept."""
    ballots, k, m, groups, lower, upper = case
    args = {"rule": rule, "n_items": m, "groups": groups, "lower": lower}
    args["upper"] = upper
    solution = select_committee(ballots, k, **args)
    values = [
        worth(ballots, committee, rule, k, m)
        for committee in combinations(range(m), k)
        if allowed(committee, groups, lower, upper)
    ]
    if not values:
        assert solution.status is Status.INFEASIBLE
        check_conflict(solution.conflict, groups, m, k)
        return
    assert solution.is_optimal
    assert solution.objective == pytest.approx(max(values), abs=1e-9)
    greedy = select_committee(ballots, k, method="greedy", **args)
    for found in (solution, greedy):
        assert len(set(found.order.tolist())) == k
        assert allowed(found.order, groups, lower, upper)
        assert found.objective == pytest.approx(
            worth(ballots, tuple(found.order), rule, k, m), abs=1e-9
        )
        assert found.bound >= max(values) - 1e-9


def check_conflict(conflict, groups, m, k):
    """No committee keeps it; each part but one can be kept."""

    def possible(bounds):
        lower = {b.value: b.lower for b in bounds if b.upper is None}
        upper = {b.value: b.upper for b in bounds if b.upper is not None}
        return any(
            allowed(committee, groups, lower, upper)
            for committee in combinations(range(m), k)
        )

    assert conflict
    assert not possible(conflict)
    for left_out in conflict:
        assert possible([bound for bound in conflict if bound is not left_out])


@settings(max_examples=30)
@given(case=elections(max_voters=8, max_items=8), seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("rule", RULES)
def test_names_and_order_of_voters_do_not_matter(rule, case, seed):
    """Relabelled items and shuffled voters: the same worth; weights are repetition."""
    ballots, k, m, *_ = case
    rng = np.random.default_rng(seed)
    plain = select_committee(ballots, k, rule=rule, n_items=m)
    names = rng.permutation(m)
    renamed = [[int(names[item]) for item in ballot] for ballot in ballots]
    again = select_committee(renamed, k, rule=rule, n_items=m)
    assert again.objective == pytest.approx(plain.objective, abs=1e-9)
    shuffled = [ballots[v] for v in rng.permutation(len(ballots))]
    other = select_committee(shuffled, k, rule=rule, n_items=m)
    assert other.order.tolist() == plain.order.tolist()
    weights = rng.integers(0, 4, size=len(ballots))
    weights[0] += 1
    weighted = select_committee(ballots, k, rule=rule, n_items=m, weights=weights)
    repeated = [b for b, w in zip(ballots, weights, strict=True) for _ in range(w)]
    other = select_committee(repeated, k, rule=rule, n_items=m)
    assert other.order.tolist() == weighted.order.tolist()
    assert other.objective == pytest.approx(weighted.objective, abs=1e-9)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 4))
def test_approvals(seed, k):
    """Bloc, CC, PAV and Monroe on approvals = every committee tried; real weights."""
    rng = np.random.default_rng(seed)
    approvals = rng.random((6, 7)) < rng.uniform(0.1, 0.6)
    weights = rng.uniform(0, 2, size=6)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, k + 1))])
    parts = {
        "bloc": lambda rows: weights @ rows.sum(axis=1),
        "cc": lambda rows: weights @ rows.max(axis=1),
        "pav": lambda rows: weights @ harmonic[rows.sum(axis=1)],
    }
    committees = [list(committee) for committee in combinations(range(7), k)]
    for rule, part in parts.items():
        solution = select_committee(approvals, k, rule=rule, weights=weights)
        assert solution.is_optimal
        best = max(part(approvals[:, committee]) for committee in committees)
        assert solution.objective == pytest.approx(best, rel=1e-6)
        found = part(approvals[:, solution.order])
        assert solution.objective == pytest.approx(found, abs=1e-12)
        assert solution.bound >= best - 1e-12
    if k <= 2:
        best = max(monroe_worth(approvals[:, c].tolist(), k) for c in committees)
        assert select_committee(approvals, k, rule="monroe").objective == best


@pytest.mark.parametrize(
    ("rule", "value", "committees"),
    [
        ("sntv", 2, None),
        ("bloc", 4, [{0, 1}]),
        ("borda", 17, [{0, 1}]),
        ("cc", 11, [{0, 4}, {1, 4}]),
        ("pav", 3.0, None),
    ],
)
def test_golden(rule, value, committees):
    """Three ballots on five items, counted by hand."""
    solution = select_committee(np.array(THREE), 2, rule=rule)
    assert solution.is_optimal
    assert solution.objective == pytest.approx(value, abs=1e-12)
    assert committees is None or set(solution.order.tolist()) in committees


def test_golden_quota():
    """One of {3, 4} is required."""
    groups = np.array(["a", "a", "a", "b", "b"])
    solution = select_committee(THREE, 2, rule="borda", groups=groups, lower={"b": 1})
    assert (set(solution.order.tolist()), solution.objective) == ({0, 4}, 13.0)


@pytest.mark.parametrize("rule", ["cc", "pav"])
def test_no_exchange_is_allowed(rule):
    """A committee that the quotas determine is not improved against them."""
    solution = select_committee(
        [[0, 1]], 1, rule=rule, groups=["a", "b"], upper={"a": 0, "b": 1}
    )
    assert (solution.order.tolist(), solution.is_optimal) == ([1], True)


def test_overlapping_groups_with_huge_weights():
    """The integer program's own tolerance is above a vote: still a proof."""
    groups = {"a": [0, 1, 2], "b": [2, 3, 4]}
    weights = [10_000_001, 10_000_000, 10_000_002]
    solution = select_committee(
        THREE, 2, rule="borda", groups=groups, lower={"a": 2, "b": 1}, weights=weights
    )
    assert solution.is_optimal
    assert set(solution.order.tolist()) == {0, 2}
    assert (
        solution.objective
        == (4 + 2) * 10_000_001 + (3 + 1) * 10_000_000 + (2 + 3) * 10_000_002
    )


def test_ties():
    """Points of tied items are shared; approvals need the tie broken."""
    solution = select_committee([[(0, 1), 2], [2]], 1, rule="borda")
    assert (solution.order.tolist(), solution.objective) == ([0], 2.0)
    solution = select_committee([[(0, 1), 2], [2]], 2, rule="cc")
    assert solution.objective == 3.5
    assert select_committee([[(0, 1), 2], [2]], 2, rule="pav").objective == 2.0


@pytest.mark.parametrize("rule", ["cc", "pav", "monroe"])
def test_middle_sizes_agree_with_every_committee(rule):
    """12 voters, 12 items, 4 seats: 495 committees; the search has to branch."""
    rng = np.random.default_rng(3)
    for _ in range(3):
        rankings = np.argsort(rng.random((12, 12)), axis=1)
        solution = select_committee(rankings, 4, rule=rule)
        assert solution.is_optimal
        assert solution.objective == pytest.approx(best_by_program(rankings, 4, rule))


def best_by_program(rankings, k, rule):
    """Every committee; Monroe's by an assignment with as many seats as voters."""
    from scipy.optimize import linear_sum_assignment

    n, m = rankings.shape
    values = np.empty((n, m))
    np.put_along_axis(values, rankings, np.arange(m)[::-1] + np.zeros((n, 1)), axis=1)
    approved = values >= m - k
    found = []
    for committee in map(list, combinations(range(m), k)):
        if rule == "cc":
            found.append(values[:, committee].max(axis=1).sum())
        elif rule == "pav":
            counts = approved[:, committee].sum(axis=1)
            found.append(sum(1 / j for c in counts for j in range(1, c + 1)))
        else:
            seats = np.repeat(values[:, committee], n // k, axis=1)
            rows, columns = linear_sum_assignment(seats, maximize=True)
            found.append(seats[rows, columns].sum())
    assert len(found) == comb(m, k)
    return max(found)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6), k=st.integers(1, 3))
@pytest.mark.parametrize("kind", [ChamberlinCourant, Proportional, Monroe])
def test_bound_at_any_prices(kind, seed, n, k):
    """Whatever the prices, no committee is worth more than the bound."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2 if kind is Proportional else 5, size=(n, 5)) * 1.0
    score = kind(values, rng.integers(1, 3, size=n) * 1.0, k)
    prices = rng.uniform(0, 1 if kind is Proportional else 5, size=n)
    constant, worth, _ = score.dual(prices)
    bound = constant + np.sort(worth)[-k:].sum()
    for committee in combinations(range(5), k):
        assert score.value(committee) <= bound + 1e-9


def test_limits():
    """At the end of time or work: the best so far and a bound that holds."""
    rankings = np.argsort(np.random.default_rng(0).random((40, 40)), axis=1)
    full = select_committee(rankings, 6)
    assert full.is_optimal
    at_once = select_committee(rankings, 6, time_limit_s=0)
    short = [select_committee(rankings, 6, work_limit=0.002) for _ in range(2)]
    for solution in (at_once, *short):
        assert solution.status is Status.FEASIBLE
        assert solution.objective <= full.objective <= solution.bound
    assert short[0].order.tolist() == short[1].order.tolist()
    assert short[0].bound == short[1].bound
    greedy = select_committee(rankings, 6, method="greedy")
    assert greedy.objective >= (1 - np.exp(-1)) * full.objective
    assert full.bound <= greedy.bound <= greedy.objective / (1 - np.exp(-1)) + 1e-9


def test_order_is_that_of_greedy():
    """Each item is the one that adds most to those before it."""
    rankings = np.argsort(np.random.default_rng(1).random((15, 8)), axis=1)
    order = select_committee(rankings, 4).order.tolist()
    prefix = [
        max(worth(rankings.tolist(), (*order[:t], i), "cc", 4, 8) for i in order[t:])
        for t in range(4)
    ]
    values = [
        worth(rankings.tolist(), tuple(order[: t + 1]), "cc", 4, 8) for t in range(4)
    ]
    assert values == prefix


def test_conflict_in_words():
    """The smallest set of quotas that clash, not all of them."""
    solution = select_committee(
        THREE,
        2,
        groups={"new": [3, 4], "old": [0, 1], "all": range(5)},
        lower={"new": 2, "old": 1, "all": 1},
    )
    assert solution.status is Status.INFEASIBLE
    clash = (Quota("group", "new", lower=2), Quota("group", "old", lower=1))
    assert solution.conflict == clash
    lines = explain_conflict(solution).splitlines()
    assert lines[1:] == [f"- {quota.in_words()}" for quota in clash]
    assert "these 2 constraints" in lines[0]


@pytest.mark.parametrize("model", ["utility", "swap"])
def test_biased_rankings(model):
    """Within the group and outside it nothing changes; across it, more with bias."""
    utilities = np.exp(np.random.default_rng(0).normal(size=10))
    group = np.arange(10) % 2 == 0
    places = []
    for bias in (0.0, 0.3, 0.6, 1.0):
        rankings, unbiased = make_biased_rankings(
            utilities, group, bias, 300, 1, model=model
        )
        again = make_biased_rankings(utilities, group, bias, 300, 1, model=model)
        np.testing.assert_array_equal(rankings, again[0])
        assert (np.sort(rankings, axis=1) == np.arange(10)).all()
        parts = [~group] if model == "swap" else [group, ~group]
        for part in parts:
            kept = [table[part[table]] for table in (rankings, unbiased)]
            np.testing.assert_array_equal(*kept)
        assert bias > 0 or (rankings == unbiased).all()
        places.append(np.flatnonzero(group[rankings].ravel()) % 10)
    means = [place.mean() for place in places]
    assert means == sorted(means)
    assert means[-1] == 7.0  # the last five places
    assert means[1] > means[0] + 0.2


def test_swaps_fall_as_far_as_documented():
    """One item of the group on top passes j others with probability bias^j."""
    group = np.arange(4) == 0
    rankings, _ = make_biased_rankings(
        [8.0, 4.0, 2.0, 1.0], group, 0.5, 20_000, 0, model="swap", noise=0.0
    )
    place = np.argmax(rankings == 0, axis=1)
    shares = np.bincount(place, minlength=4) / 20_000
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.125, 0.125], atol=0.015)


BIASED = [
    (
        {"bias": 1.5},
        "bias must be a number >= 0 and <= 1; got 1.5.",
    ),
    (
        {"group": [0, 1]},
        "group must be one bool per item, shape (2,); got shape (2,) and dtype int64.",
    ),
    (
        {"utilities": [1.0, -1.0]},
        "utilities must be one finite number > 0 per item; got [1.0, -1.0]. Shift or "
        "exponentiate them.",
    ),
    ({"model": "x"}, "model must be one of 'utility', 'swap'; got 'x'."),
]


@pytest.mark.parametrize(("change", "message"), BIASED)
def test_messages_of_biased_rankings(change, message):
    """What was expected, what came, and what to do."""
    plain = {"utilities": [2.0, 1.0], "group": [True, False], "bias": 0.5, "n": 3}
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        make_biased_rankings(**(plain | change))
    assert str(caught.value) == message


MESSAGES = [
    (
        {"rule": "stv"},
        "rule must be one of 'sntv', 'bloc', 'borda', 'cc', 'pav', 'monroe', "
        "'equal_shares', 'phragmen'; got 'stv'.",
    ),
    ({"k": 0}, "k must be a whole number >= 1; got 0."),
    ({"k": 6}, "k must be at most the number of items, 5; got 6."),
    (
        {"groups": ["a", "b"], "n_items": 5},
        "groups must be one label per item, shape (5,), or a dict label → items; got "
        "shape (2,).",
    ),
    (
        {"groups": {"a": [7]}},
        "groups['a'] must hold item indices in 0, …, 4; got 7.",
    ),
    (
        {"lower": {"a": 1}},
        "lower refers to the group 'a'; groups has none: pass groups.",
    ),
    (
        {"groups": {"a": [1]}, "upper": {"a": -1}},
        "upper['a'] must be a whole number >= 0; got -1.",
    ),
    ({"weights": [0, 0, 0]}, "weights must not all be 0: nobody votes."),
    (
        {"weights": [1, 0.5, 1], "rule": "monroe"},
        "rule 'monroe' needs integer weights, because it assigns whole voters; got "
        "0.5 at [1].",
    ),
    (
        {"rankings": [[(0, 1, 2)]], "rule": "pav"},
        "rule 'pav' needs the first 2 of each ballot; rankings[0] ties items 0, 1, 2 "
        "across that position. Break the tie, or pass approvals, a bool array of shape "
        "(n_voters, n_items).",
    ),
    (
        {"rankings": np.ones((2, 3), dtype=bool), "rule": "borda"},
        "rule 'borda' needs rankings; got approvals, a bool array. The rules for "
        "approvals are 'bloc', 'cc', 'pav', 'monroe', 'equal_shares', 'phragmen'.",
    ),
    (
        {"method": "best"},
        "method must be one of 'auto', 'greedy', 'exact'; got 'best'.",
    ),
]


@pytest.mark.parametrize(("change", "message"), MESSAGES)
def test_messages(change, message):
    """What was expected, what came, and what to do."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        select_committee(**({"rankings": THREE, "k": 2} | change))
    assert str(caught.value) == message


def test_k_must_be_a_number():
    """A float is refused, even a whole one."""
    with pytest.raises(TypeError) as caught:
        select_committee(THREE, 2.0)
    assert str(caught.value) == "k must be a whole number >= 1; got 2.0."
