"""Rank-biased overlap of two runs, against sets built depth by depth."""

import itertools
import re

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from ltr import metrics as m


def run_of(text):
    """A run of one query that returns the letters in this order."""
    return {"q": {c: float(-i) for i, c in enumerate(text)}}


def slow_rbo(one, two, p):
    """Webber's eq. (32), his lower bound, and an upper bound from lists that reach it."""
    short, long = sorted((list(one), list(two)), key=len)
    s, n = len(short), len(long)
    x = [len(set(short[:d]) & set(long[:d])) for d in range(n + 1)]
    rbo = sum(x[d] / d * p**d for d in range(1, n + 1))
    rbo += sum(x[s] * (d - s) / (s * d) * p**d for d in range(s + 1, n + 1))
    rbo = (1 - p) / p * rbo + ((x[n] - x[s]) / n + x[s] / s) * p**n
    depth = 600
    shared = list(range(depth))
    more = [c for c in long if c not in short], [c for c in short if c not in long]
    best = [(part + new + shared)[:depth] for part, new in zip((short, long), more, strict=True)]  # fmt: skip
    worst = [part + [(i, c) for c in shared] for i, part in enumerate((short, long))]
    low, high = 0.0, 0.0
    for (a, b), sign in ((worst, 0), (best, 1)):
        seen = (set(), set())
        value = 0.0
        for d in range(1, depth + 1):
            seen[0].add(a[d - 1])
            seen[1].add(b[d - 1])
            value += (1 - p) * p ** (d - 1) * len(seen[0] & seen[1]) / d
        low, high = (low, value) if sign else (value, high)
    return rbo, low, high - low


def orders(scores):
    """All orders of a dict of scores in which equal ones stand in any order."""
    for order in itertools.permutations(scores):
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order)):
            yield order


PART = st.dictionaries(
    st.sampled_from("abcdef"), st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=1, max_size=4
)  # fmt: skip


@given(one=PART, two=PART, p=st.sampled_from([0.3, 0.8, 0.9]))
def test_is_the_mean_over_the_orders_of_ties(one, two, p):
    """All three columns, lists of any two lengths."""
    expected = np.mean(
        [slow_rbo(a, b, p) for a in orders(one) for b in orders(two)], axis=0
    )
    found = m.run_overlap({"q": one}, {"q": two}, persistence=p).loc["q"]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (
        found["low"] - 1e-12 <= found["rbo"] <= found["low"] + found["residual"] + 1e-12
    )


@given(one=PART, two=PART)
def test_laws(one, two):
    """Symmetric; 1 for a run and itself without ties; 0 for nothing in common."""
    ab, ba = (
        m.run_overlap({"q": one}, {"q": two}),
        m.run_overlap({"q": two}, {"q": one}),
    )
    np.testing.assert_allclose(ab, ba, atol=1e-14)
    same = m.run_overlap({"q": one}, {"q": one}, ties="first").loc["q"]
    assert same["rbo"] == pytest.approx(1.0)
    assert same["low"] + same["residual"] == pytest.approx(1.0)
    apart = m.run_overlap({"q": one}, {"q": {d.upper(): s for d, s in two.items()}})
    assert apart.loc["q", ["rbo", "low"]].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("one", "two", "p", "rbo"),
    [
        ("ab", "bac", 0.5, 0.5),  # A = 0, 1, 1
        ("a", "ba", 0.5, 0.25),  # A = 0, 1/2
        ("abcdefg", "cbfahzqde", 0.9, 0.6377256626785714),
    ],
)
def test_golden(one, two, p, rbo):
    """By hand, and one long case."""
    found = m.run_overlap(run_of(one), run_of(two), persistence=p)
    assert found["rbo"].item() == pytest.approx(rbo, abs=1e-12)


def test_equal_lists_are_rbo_score():
    """On the same documents it is the overlap of scores and labels."""
    rng = np.random.default_rng(0)
    y, s = rng.integers(0, 4, 30).astype(float), rng.integers(0, 9, 30).astype(float)
    table = lambda v: {"q": {f"d{i}": float(x) for i, x in enumerate(v)}}
    found = m.run_overlap(table(y), table(s))["rbo"].item()
    assert found == pytest.approx(m.rbo_score(y, s), abs=1e-12)


def test_several_queries_and_files(tmp_path):
    """Rows interleaved, queries in one run only left out, each query by itself."""
    one = {"q1": {"a": 2, "b": 1}, "q2": {"a": 1}, "q3": {"x": 1, "y": 0, "z": -1}}
    two = {"q3": {"y": 5, "x": 4}, "q1": {"b": 2, "c": 1}, "q4": {"a": 1}}
    found = m.run_overlap(one, two)
    assert found.index.tolist() == ["q1", "q3"]
    for q in found.index:
        alone = m.run_overlap({q: one[q]}, {q: two[q]})
        np.testing.assert_allclose(found.loc[[q]], alone, atol=1e-14)
    lines = [f"{q} Q0 {d} 1 {s} t\n" for q, z in one.items() for d, s in z.items()]
    (tmp_path / "run").write_text("".join(lines[::2] + lines[1::2]))
    again = m.run_overlap(tmp_path / "run", two)
    np.testing.assert_allclose(again.loc[found.index], found, atol=1e-14)


def test_trecs_rule_of_ties():
    """Descending ids."""
    tied = {"q": {"a": 1, "b": 1, "c": 1}}
    found = m.run_overlap(tied, run_of("cba"), ties="trec")
    assert found["rbo"].item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: m.run_overlap(run_of("ab"), run_of("ab"), persistence=1),
            "persistence must be a number > 0 and < 1; got 1.",
        ),
        (
            lambda: m.run_overlap(run_of("ab"), run_of("ab"), ties="worst"),
            "ties must be one of 'average', 'first', 'trec'; got 'worst'.",
        ),
        (
            lambda: m.run_overlap({"1": {"a": 1}}, {"2": {"a": 1}}),
            "the runs must have a query in common; the first has ['1'], the second "
            "['2'].",
        ),
    ],
)
def test_errors(call, message):
    """The whole message."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()
