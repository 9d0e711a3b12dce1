"""Phragmén's rule and equal shares: the papers' axioms, on all groups of voters."""

from itertools import combinations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ltr.solvers import Status, select_committee, verify

RULES = [
    ("phragmen", None),
    ("equal_shares", "none"),
    ("equal_shares", "phragmen"),
    ("equal_shares", "utilitarian"),
]


@st.composite
def approvals(draw, max_voters=7, max_items=6):
    """Approvals, often of a few kinds of voters, and a number of seats."""
    n, m = draw(st.integers(1, max_voters)), draw(st.integers(1, max_items))
    k = draw(st.integers(1, m))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    table = rng.random((n, m)) < draw(st.sampled_from([0.2, 0.5, 0.8]))
    if draw(st.booleans()):
        table = table[rng.integers(min(n, 3), size=n)]
    return table, k


def solve(table, k, rule, completion, **options):
    return select_committee(table, k, rule=rule, completion=completion, **options)


def cohesive_groups(table, k):
    """Groups of ≥ l n / k voters who approve l common items, as (group, l)."""
    n = len(table)
    for size in range(1, n + 1):
        for group in combinations(range(n), size):
            n_common = int(table[list(group)].all(axis=0).sum())
            seats = min(n_common, size * k // n)
            if seats:
                yield list(group), seats


@settings(max_examples=60)
@given(approvals())
def test_equal_shares_give_extended_justified_representation(case):
    """Some voter of an l-cohesive group approves l items of the committee (EJR)."""
    table, k = case
    committee = solve(table, k, "equal_shares", "none").order
    for group, seats in cohesive_groups(table, k):
        assert table[np.ix_(group, committee)].sum(axis=1).max() >= seats


@settings(max_examples=60)
@given(approvals())
def test_phragmen_gives_proportional_justified_representation(case):
    """An l-cohesive group approves l items of the committee together (PJR)."""
    table, k = case
    committee = solve(table, k, "phragmen", None).order
    for group, seats in cohesive_groups(table, k):
        assert table[np.ix_(group, committee)].any(axis=0).sum() >= seats


@pytest.mark.parametrize(("rule", "completion"), RULES)
@settings(max_examples=40)
@given(approvals(), st.integers(0, 2**32 - 1))
def test_laws(rule, completion, case, seed):
    """Exhaustive; equal voters count alike; verified; the objective counts approvals."""
    table, k = case
    rng = np.random.default_rng(seed)
    solution = solve(table, k, rule, completion)
    order = solution.order.tolist()
    assert len(set(order)) == len(order)
    assert len(order) == k or completion == "none"
    assert solution.objective == table[:, order].sum()
    assert (solution.status, solution.bound) == (Status.FEASIBLE, np.inf)
    options = {"rule": rule, "completion": completion}
    assert verify(solution, select_committee, table, k, **options).is_right
    # anonymous: voters in another order, or a weight in place of equal voters
    shuffled = table[rng.permutation(len(table))]
    assert solve(shuffled, k, rule, completion).order.tolist() == order
    voters, counts = np.unique(table, axis=0, return_counts=True)
    weighted = solve(voters, k, rule, completion, weights=counts / 7)
    assert weighted.order.tolist() == order


@pytest.mark.parametrize(("rule", "completion"), RULES)
@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_neutral(rule, completion, seed):
    """Without ties, other names of the items change nothing."""
    rng = np.random.default_rng(seed)
    table, weights = rng.random((6, 6)) < 0.5, rng.random(6) + 0.5
    names = rng.permutation(6)
    order = solve(table, 3, rule, completion, weights=weights).order
    other = solve(table[:, names], 3, rule, completion, weights=weights).order
    has_no_support = ~table.any(axis=0)
    is_equal = (table[:, :, None] == table[:, None, :]).all(axis=0)
    if is_equal.sum() == 6 and not has_no_support.any():
        assert names[other].tolist() == order.tolist()


def test_papers_example():
    """Brill et al., example 1: four kinds of voters, three seats."""
    kinds = [[0, 1], [2], [0, 3], [1, 2]]
    table = np.zeros((4, 4), dtype=bool)
    for voter, items in enumerate(kinds):
        table[voter, items] = True
    # loads: item 0 costs 1/2; 2 costs 1/2 (voters 1, 3); 1 costs (1 + 1/2 + 1/2) / 2
    assert select_committee(table, 3, rule="phragmen").order.tolist() == [0, 2, 1]


def test_ties_are_exact():
    """Items 1 and 4 both cost 11/12 in the third round; floats prefer item 4."""
    table = np.zeros((4, 5), dtype=bool)
    for voter, items in enumerate([[0, 1], [0, 2, 3, 4], [0, 3, 4], [0, 1, 3, 4]]):
        table[voter, items] = True
    assert select_committee(table, 4, rule="phragmen").order.tolist() == [0, 3, 1, 4]
    load = (1 + 3 / 4) / 3
    assert (1 + (1 / 4 + load)) / 2 > (1 + (load + load + load)) / 3


def test_seats_that_nobody_can_pay():
    """Completions differ; an election may even end without any item."""
    table = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0]], bool)
    seats = {
        completion: select_committee(
            table, 2, rule="equal_shares", completion=completion
        ).order.tolist()
        for completion in ("none", "utilitarian", "phragmen")
    }
    assert seats == {"none": [2], "utilitarian": [2, 0], "phragmen": [2, 0]}
    alone = select_committee(
        np.eye(3, dtype=bool), 1, rule="equal_shares", completion="none"
    )
    assert alone.order.tolist() == []
    assert alone.objective == 0.0


def test_verify_refuses_another_committee():
    """A committee that the rule does not elect is a fault."""
    table = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=bool)
    solution = select_committee(table, 2, rule="bloc")
    checked = verify(solution, select_committee, table, 2, rule="phragmen")
    assert [fault.text for fault in checked.faults] == []
    checked = verify(solution, select_committee, table, 3, rule="phragmen")
    text = "rule 'phragmen' elects [0, 1, 2]; the order is [0, 1]"
    assert [(f.kind, f.text) for f in checked.faults] == [("order", text)]


def test_limits():
    """No seat is guessed when time is over."""
    solution = select_committee(
        np.eye(3, dtype=bool), 2, rule="phragmen", time_limit_s=0
    )
    assert solution.status is Status.UNKNOWN
    assert solution.order is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"rule": "phragmen", "method": "exact"},
            "rule 'phragmen' is a procedure, without an objective that a method could "
            "maximize: method must be 'auto'; got 'exact'.",
        ),
        (
            {"rule": "equal_shares", "groups": ["a", "b"], "lower": {"a": 1}},
            "rule 'equal_shares' takes no quotas, because they would overrule the "
            "shares of the voters; got lower or upper. Rule 'pav' is proportional "
            "and takes them.",
        ),
        (
            {"rule": "pav", "completion": "none"},
            "completion fills the seats that rule 'equal_shares' leaves open; got "
            "completion='none' with rule 'pav'.",
        ),
    ],
)
def test_messages(options, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        select_committee([[0, 1]], 1, **options)
    assert str(caught.value) == message
