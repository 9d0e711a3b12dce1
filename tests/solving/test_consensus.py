"""Votes to orders: counts, Kemeny's consensus, baselines, Bradley-Terry."""

import re
from itertools import combinations, permutations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata

from ltr.solvers import (
    Precedence,
    borda,
    bradley_terry,
    comparisons_to_matrix,
    copeland,
    footrule,
    kemeny,
    kemeny_distance,
    orders_from_ranks,
    pairwise_counts,
)


@st.composite
def votes(draw, max_items=5):
    """Partial rankings with ties, as a table of ranks and their number of items."""
    n = draw(st.integers(1, max_items))
    rank = st.one_of(st.integers(1, 4).map(float), st.just(np.nan))
    row = st.lists(rank, min_size=n, max_size=n)
    return np.array(draw(st.lists(row, min_size=1, max_size=5)))


def naive_counts(ranks, weights, ties, absent):
    """Pair by pair, vote by vote."""
    n = ranks.shape[1]
    counts = np.zeros((n, n))
    for row, weight in zip(ranks, weights, strict=True):
        for i, j in permutations(range(n), 2):
            a, b = row[i], row[j]
            if absent == "last":
                a, b = (np.inf if np.isnan(x) else x for x in (a, b))
            if a < b:
                counts[i, j] += weight
            elif a == b and ties == "half":
                counts[i, j] += weight / 2
    return counts


@given(
    votes(), st.sampled_from(["half", "ignore"]), st.sampled_from(["ignore", "last"])
)
def test_counts(ranks, ties, absent):
    """Against the definition, for all rules."""
    n_votes, n = ranks.shape
    weights = np.arange(1.0, n_votes + 1)
    found = pairwise_counts(
        orders_from_ranks(ranks),
        n_items=n,
        weights=weights,
        ties=ties,
        absent=absent,
    )
    np.testing.assert_array_equal(found, naive_counts(ranks, weights, ties, absent))


def test_arrays_lists_and_tables_agree():
    """One format: a table of items, lists of items, and what comes from ranks."""
    rng = np.random.default_rng(0)
    orders = np.array([rng.permutation(6) for _ in range(9)])
    ranks = np.argsort(orders, axis=1) + 1
    counts = pairwise_counts(orders)
    assert (counts + counts.T + 9 * np.eye(6) == 9).all()
    np.testing.assert_array_equal(counts, pairwise_counts(orders.tolist()))
    np.testing.assert_array_equal(counts, pairwise_counts([tuple(o) for o in orders]))
    np.testing.assert_array_equal(counts, pairwise_counts(orders_from_ranks(ranks)))


@settings(max_examples=30)
@given(votes())
def test_kemeny_is_the_nearest_order(ranks):
    """No order has a smaller sum of Kendall's distances to the votes."""
    n = ranks.shape[1]
    rankings = orders_from_ranks(ranks)

    def distance(order):
        place = {item: p for p, item in enumerate(order)}
        total = 0.0
        for row in ranks:
            for i, j in combinations(range(n), 2):
                if np.isnan(row[i]) or np.isnan(row[j]):
                    continue
                if row[i] == row[j]:
                    total += 0.5
                else:
                    total += (row[i] < row[j]) != (place[i] < place[j])
        return total

    solution = kemeny(rankings, n_items=n)
    counts = pairwise_counts(rankings, n_items=n)
    least = min(distance(order) for order in permutations(range(n)))
    assert solution.is_optimal
    assert distance(solution.order) == least
    assert kemeny_distance(solution.order, counts) == least
    assert solution.objective == counts.sum() - least
    ignored = kemeny(rankings, n_items=n, ties="ignore")
    assert ignored.order.tolist() == solution.order.tolist()


def test_kemeny_of_one_ranking_is_itself():
    """Of any length, by any method; weights count repetitions."""
    rng = np.random.default_rng(1)
    for n in (1, 2, 7, 30):
        order = rng.permutation(n)
        assert kemeny([order]).order.tolist() == order.tolist()
        assert kemeny_distance(order, pairwise_counts([order])) == 0
    one, other = [0, 1, 2, 3], [3, 2, 1, 0]
    assert kemeny([one, other], weights=[2, 3]).order.tolist() == other
    limited = kemeny([one], constraints=[Precedence(3, 0)])
    assert limited.objective == 3
    assert kemeny([[2]], n_items=3, absent="last").order[0] == 2


def test_condorcet_winner_is_first():
    """An item that beats each other is first in Kemeny's and Copeland's order."""
    rng = np.random.default_rng(2)
    orders = [np.append(0, rng.permutation(8) + 1) for _ in range(4)]
    orders += [rng.permutation(9) for _ in range(3)]
    counts = pairwise_counts(np.array(orders))
    assert kemeny(np.array(orders)).order[0] == 0
    assert copeland(counts).argmax() == 0


def test_golden_borda():
    """Numbers of the specification."""
    matrix = [[0, 0.5, -0.2, 0.1], [0.3, 0, 0.8, -0.4]]
    matrix += [[-0.6, 0.2, 0, 0.9], [0.7, -0.1, 0.4, 0]]
    scores = borda(matrix)
    assert scores == pytest.approx([0.0, 0.1, -0.5, 0.4], abs=1e-12)
    assert np.argsort(-scores).tolist() == [3, 1, 0, 2]


def test_borda_and_copeland_by_hand():
    """Borda is points twice over, less a constant; Copeland counts duels."""
    rng = np.random.default_rng(3)
    orders = np.array([rng.permutation(5) for _ in range(7)])
    counts = pairwise_counts(orders)
    points = (4 - np.argsort(orders, axis=1)).sum(axis=0)
    np.testing.assert_allclose(borda(counts), 2 * points - 7 * 4)
    for i, score in enumerate(copeland(counts)):
        wins = [counts[i, j] > counts[j, i] for j in range(5) if j != i]
        assert score == sum(wins) - (4 - sum(wins))


@settings(max_examples=30)
@given(votes(), st.sampled_from(["ignore", "last"]))
def test_footrule_is_the_least(ranks, absent):
    """Against all orders; tied items share a position, partial votes are scaled."""
    n = ranks.shape[1]
    filled = np.where(np.isnan(ranks), np.inf, ranks) if absent == "last" else ranks

    def distance(order):
        place = np.argsort(order) + 1.0
        total = 0.0
        for row in filled:
            some = ~np.isnan(row)
            mean_ranks = rankdata(row[some]) * (n + 1) / (some.sum() + 1)
            total += np.abs(mean_ranks - place[some]).sum()
        return total

    solution = footrule(orders_from_ranks(ranks), n_items=n, absent=absent)
    least = min(distance(np.array(order)) for order in permutations(range(n)))
    assert distance(solution.order) == pytest.approx(least)
    assert solution.objective == pytest.approx(-least)
    assert solution.is_optimal


def test_comparisons():
    """Winner, loser, weight; repeated pairs add up."""
    matrix = comparisons_to_matrix([0, 2, 0], [1, 1, 1], [1, 2, 0.5], n_items=4)
    expected = np.zeros((4, 4))
    expected[0, 1], expected[2, 1] = 1.5, 2.0
    np.testing.assert_array_equal(matrix, expected)
    assert comparisons_to_matrix([], []).shape == (0, 0)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_bradley_terry_is_the_maximum(ridge):
    """Against a general-purpose optimiser."""
    wins = np.random.default_rng(4).integers(0, 9, size=(6, 6)).astype(float)
    np.fill_diagonal(wins, 50.0)  # not read

    def loss(scores):
        chance = expit(scores[:, None] - scores)
        logs = np.log(chance) * (1 - np.eye(6))
        return -(wins * logs).sum() + ridge / 2 * (scores**2).sum()

    reference = minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-7}).x
    scores = bradley_terry(wins, ridge=ridge)
    assert scores == pytest.approx(reference - reference.mean(), abs=1e-5)
    assert scores.sum() == pytest.approx(0, abs=1e-12)


def test_bradley_terry_recovers_its_model():
    """Expected wins give the scores back; extreme ones too."""
    truth = np.array([-4.0, 0.0, 0.5, 1.5, 12.0])
    truth -= truth.mean()
    wins = 1e6 * expit(truth[:, None] - truth)
    assert bradley_terry(wins) == pytest.approx(truth, abs=1e-6)
    assert bradley_terry(np.zeros((0, 0))).shape == (0,)
    assert bradley_terry([[0, 4], [0, 0]], ridge=1e-3)[0] > 1


@pytest.mark.parametrize(
    ("counts", "pair", "difference"),
    [
        ([[0, 3e-13], [1e-13, 0]], (0, 1), np.log(3)),
        ([[0, 1e13, 0], [1e13, 0, 3], [0, 1, 0]], (1, 2), np.log(3)),
        ([[0, 1e13], [1, 0]], (0, 1), np.log(1e13)),
        ([[0, 1e300], [1, 0]], (0, 1), np.log(1e300)),
    ],
)
def test_bradley_terry_fits_counts_of_any_size(counts, pair, difference):
    """Two items, or a chain: the log of the ratio of wins."""
    scores = bradley_terry(counts)
    assert scores[pair[0]] - scores[pair[1]] == pytest.approx(difference, rel=1e-9)


def test_rankings_may_come_from_a_generator():
    """They are read once."""
    assert kemeny(iter([[1, 0], [1, 0]])).order.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: pairwise_counts([[0, 1, 0]]),
            ValueError,
            "a ranking must name each item once; rankings[0] names item 0 twice.",
        ),
        (
            lambda: pairwise_counts([[1, 0], [0, (1, 1)]]),
            ValueError,
            "a ranking must name each item once; rankings[1] names item 1 twice.",
        ),
        (
            lambda: pairwise_counts([[1, 2, 3], [3, 1, 2]]),
            ValueError,
            "items are numbered from 0; the rankings name 1, …, 3 and never 0. Subtract 1, "
            "or pass n_items; if these are ranks, use orders_from_ranks.",
        ),
        (
            lambda: pairwise_counts([[0, -1]]),
            ValueError,
            "rankings must hold item numbers from 0; got -1 in rankings[0]. Leave absent "
            "items out.",
        ),
        (
            lambda: pairwise_counts([[0.5, 1.0]]),
            TypeError,
            "rankings must hold item numbers, integers from 0; got 0.5 in rankings[0]. Turn "
            "ranks or scores into rankings by orders_from_ranks.",
        ),
        (
            lambda: pairwise_counts([[0, 1], [0, "b", 1]]),
            TypeError,
            "rankings must hold item numbers, integers from 0; got 'b' in rankings[1]. "
            "Number names, as by {name: i for i, name in enumerate(names)}; lists of ids "
            "are fused by ltr.fusion.",
        ),
        (
            lambda: pairwise_counts([0, 1, 2]),
            TypeError,
            "rankings must be a sequence of rankings, each a sequence of item numbers; got "
            "0 at 0. Put a single ranking in a list.",
        ),
        (
            lambda: pairwise_counts([[0, 5]], n_items=3),
            ValueError,
            "n_items must be greater than all item numbers; got 3, and item 5 in the "
            "rankings.",
        ),
        (
            lambda: kemeny([[0, 1]], weights=[1, 2]),
            ValueError,
            "weights must have shape (1,), one number per ranking; got shape (2,).",
        ),
        (
            lambda: kemeny([[0, 1], [1, 0]], weights=[1, -2]),
            ValueError,
            "weights must be finite and >= 0; got -2.0 at [1].",
        ),
        (
            lambda: kemeny([[0, 1]], ties="both"),
            ValueError,
            "ties must be one of 'half', 'ignore'; got 'both'.",
        ),
        (
            lambda: orders_from_ranks([1, 2]),
            ValueError,
            "ranks must have shape (n_rankings, n_items), one row per vote; got shape "
            "(2,).",
        ),
        (
            lambda: comparisons_to_matrix([0, 1], [1, 1]),
            ValueError,
            "an item cannot be compared with itself; comparison 1 has item 1 twice.",
        ),
        (
            lambda: bradley_terry([[0, 1, 0], [2, 0, 0], [1, 1, 0]]),
            ValueError,
            "item 2 never lost to any other item, so the likelihood has no finite "
            "maximum. Pass ridge > 0, say 0.1, or leave it out.",
        ),
        (
            lambda: bradley_terry(
                [[0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 3], [0, 0, 1, 0]]
            ),
            ValueError,
            "items 0, 1 never met items 2, 3, directly or through others, so the scores "
            "of the one group are not comparable with those of the other: finite scores "
            "are best, but not unique. Pass ridge > 0, say 0.1, or fit each group alone.",
        ),
        (
            lambda: bradley_terry(
                [[0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 3], [0, 0, 0, 0]]
            ),
            ValueError,
            "item 2 never lost to any other item, so the likelihood has no finite "
            "maximum. Pass ridge > 0, say 0.1, or leave it out.",
        ),
        (
            lambda: bradley_terry(np.zeros((3, 3))),
            ValueError,
            "item 0 never met items 1, 2, directly or through others, so the scores of "
            "the one group are not comparable with those of the other: finite scores "
            "are best, but not unique. Pass ridge > 0, say 0.1, or fit each group alone.",
        ),
        (
            lambda: bradley_terry([[0, 1e300], [1e-300, 0]]),
            ValueError,
            "counts differ by too many orders of magnitude: 1e-300 at [1, 0] vanishes "
            "beside 1e+300. Pass ridge > 0, or merge rare comparisons.",
        ),
        (
            lambda: bradley_terry(
                np.diag([3.0, 0, 2], 1) + np.diag([1.0, 0, 1], -1), ridge=1e-17
            ),
            ValueError,
            "no convergence in 2000 steps: counts and ridge differ by too many orders of "
            "magnitude. Pass a larger ridge, or merge rare comparisons.",
        ),
        (
            lambda: kemeny([[0, 1, 2], [2, 1, 0]], weights=[1e308, 1e308]),
            ValueError,
            "weights must be at most 1e+290, as larger sums overflow; got 1e+308. Scale them "
            "down.",
        ),
        (
            lambda: bradley_terry([[0, -1], [2, 0]]),
            ValueError,
            "counts must be finite and >= 0; got -1.0 at [0, 1].",
        ),
    ],
)
def test_messages(call, error, message):
    """Expected, got, where, what to do."""
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


TOO_LARGE = (
    "{} must need a table of at most 4 GiB; got {:,} × {:,} numbers, {} GiB, for the items "
    "0, …, {:,}. Leave out items, or number them without gaps."
)


@pytest.mark.parametrize(
    "call",
    [
        lambda n: kemeny([np.arange(n)]),
        lambda n: pairwise_counts(np.arange(n)[None]),
        lambda n: footrule([[n - 1, 0]], absent="last"),
        lambda n: pairwise_counts([[0]], n_items=n),
    ],
)
def test_a_table_that_is_too_large(call):
    """The limit is checked before anything is allocated."""
    n = 100_000
    message = TOO_LARGE.format("rankings", n, n, "74.5", n - 1)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(n)


def test_one_large_item_number():
    """As many votes, or as many comparisons, as one likes: the number is named."""
    message = TOO_LARGE.format("rankings", 1000, 10**9 + 1, "7,450.6", 10**9)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        pairwise_counts([[0, 10**9]] * 1000)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        pairwise_counts([[(0, 10**9)]] * 1000)
    message = TOO_LARGE.format("comparisons", 99_999, 99_999, "74.5", 99_998)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        comparisons_to_matrix([0], [99_998])
