"""Rewards of rankings: golden values, slow references and laws."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.metrics import average_overlap_score, ndcg_score, recall_score
from ltr.rewards import (
    exact_choice_reward,
    format_reward,
    inverse_cube_reward,
    length_normalized,
    listwise_rank_reward,
    multi_view_reward,
    pool_ranks,
    prefix_deviation,
    weighted_edit_distance,
)

MASS = {"G": 57.02146, "N": 114.04293, "K": 128.09496, "A": 71.03711, "Q": 128.05858}
UNIT = {name: mass / 51.4238 for name, mass in MASS.items()}
ORDERS = st.integers(2, 12).flatmap(lambda n: st.permutations(range(n)))


def test_golden_values():
    gold, relevant = [1, 2, 3, 4], {1, 4}
    assert multi_view_reward([2, 1, 3, 4], gold, relevant) == pytest.approx(
        0.9259209298
    )
    assert multi_view_reward(gold, gold, {1, 2}) == pytest.approx(1.3)
    assert multi_view_reward([1, 2, 3], gold, relevant) == 0.0
    assert multi_view_reward([1, 2, 3, 3], gold, relevant) == 0.0
    assert multi_view_reward(None, gold, relevant) == -1.0
    assert multi_view_reward([[1], 2, 3, 4], gold, relevant) == -1.0
    assert multi_view_reward(np.array([4, 3, 2, 1]), gold, ()) == pytest.approx(
        0.0416667
    )
    assert inverse_cube_reward([2, 4], 2) == 0.125
    assert format_reward([2, 2, 9], 4) == 0.25
    assert pool_ranks([[9, 7], [8, 3], [5, 2]]).tolist() == [[1, 3], [2, 5], [4, 6]]
    swap = lambda x, y: abs(UNIT[x] - UNIT[y])
    assert weighted_edit_distance("GGK", "NK", swap) == pytest.approx(2.1088537)
    assert weighted_edit_distance("AK", "AQ", swap) == pytest.approx(
        0.00070745, abs=1e-8
    )
    deviations = prefix_deviation("GGK", "NK", UNIT)
    assert deviations == pytest.approx([-1.1088537, 0.0, 0.0], abs=1e-6)
    assert prefix_deviation("", "NK", UNIT).shape == (0,)
    assert exact_choice_reward(3, 3) == 1.0


@given(ORDERS, st.data())
def test_multi_view_is_the_sum_of_our_metrics(order, data):
    """NDCG and recall at k, and the average overlap with the reference."""
    gold, k = list(range(len(order))), data.draw(st.integers(1, 12))
    some = st.sets(st.sampled_from(gold), min_size=1, max_size=len(gold) - 1)
    relevant = data.draw(some)
    labels = np.isin(order, list(relevant)).astype(float)
    scores = -np.arange(len(order))
    place = np.argsort(order)  # of each id of the reference
    expected = [
        ndcg_score(labels, scores, k=k),
        recall_score(labels, scores, k=k),
        average_overlap_score(-np.arange(len(order)), -place),
    ]
    parts = [
        multi_view_reward(order, gold, relevant, weights=weights, k=k)
        for weights in np.eye(3)
    ]
    assert parts == pytest.approx(expected)


@given(st.lists(st.integers(-2, 9), max_size=8), st.integers(1, 6))
def test_format_reward_is_1_for_permutations_only(raw, n):
    """Repeats and foreign numbers cost; what is no number is no item."""
    reward = format_reward(raw, n)
    assert 0.0 <= reward <= 1.0
    assert (reward == 1.0) == (sorted(raw) == list(range(1, n + 1)))
    assert format_reward([*raw, "x", True], n) <= 1.0


@given(st.integers(1, 6), st.data())
def test_inverse_cubes_order_answers(n, data):
    """1 for the best ranks; a better rank of any positive is a greater reward."""
    ranks = data.draw(st.sets(st.integers(1, 20), max_size=n))
    reward = inverse_cube_reward(sorted(ranks), n)
    assert 0.0 <= reward <= 1.0
    assert inverse_cube_reward(range(1, n + 1), n) == 1.0
    for rank in ranks:
        if rank > 1 and rank - 1 not in ranks:
            assert inverse_cube_reward([*(ranks - {rank}), rank - 1], n) > reward


def test_listwise_rank_reward():
    """Positives by rank, negatives above them by the penalty, others by distance."""
    scores = [[9, 7], [8, 3], [5, np.nan]]
    rewards = listwise_rank_reward(
        scores, [True, False, False], [0, 2, 5.5], penalty=2.0
    )
    assert rewards.tolist() == [[1.0, 1 / 3], [-2.0, -1.0], [-0.25, -2.0]]
    unscored = listwise_rank_reward([[np.nan], [1.0]], [True, False], 1.0)
    assert unscored.tolist() == [[-1.0], [0.0]]
    message = "scores must have shape (n_docs, n_rollouts), and positive (n_docs,); got (2,) and (2,)."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        listwise_rank_reward([1, 2], [True, False], 0.0)


WORDS = st.text("GNKA", max_size=5)


def slow_distance(a, b, swap, gap):
    """Over all pairs of equally long subsequences that may be matched."""
    best = gap * (len(a) + len(b))
    for size in range(1, min(len(a), len(b)) + 1):
        for left in itertools.combinations(a, size):
            for right in itertools.combinations(b, size):
                cost = sum(map(swap, left, right))
                best = min(best, cost + gap * (len(a) + len(b) - 2 * size))
    return best


@given(WORDS, WORDS, st.floats(0.1, 2.0))
def test_edit_distance(a, b, gap):
    """Equal to the best of all alignments, symmetric, 0 for equal sequences."""
    swap = lambda x, y: abs(UNIT[x] - UNIT[y])
    distance = weighted_edit_distance(a, b, swap, gap)
    assert distance == pytest.approx(slow_distance(a, b, swap, gap))
    assert distance == pytest.approx(weighted_edit_distance(b, a, swap, gap))
    assert weighted_edit_distance(a, a, swap, gap) == 0.0


def test_length_normalized():
    """α = 1 is the mean log-probability per token; a length of 0 is refused."""
    assert length_normalized([-4.0], [2], alpha=1.0).tolist() == [-2.0]
    with pytest.raises(ValueError, match=r"^lengths must be >= 1; got 0\.0\.$"):
        length_normalized([-1.0, -1.0], [0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: inverse_cube_reward([2, 2], 3),
            "ranks must be distinct whole numbers from 1; got [2.0, 2.0].",
        ),
        (
            lambda: inverse_cube_reward([1, 2], 1),
            "ranks must be those of at most n_positive=1 items; got 2.",
        ),
        (
            lambda: multi_view_reward([1], [1, 1], {1}),
            "gold must be distinct ids; got [1, 1].",
        ),
        (
            lambda: prefix_deviation("G", "", UNIT),
            "b must have at least one element; got none.",
        ),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_scores_of_any_size_and_kind():
    """−inf is a score and NaN is none; ids in an array; a great number of positives."""
    inf, nan = float("inf"), float("nan")
    assert pool_ranks([[inf, -inf, nan], [1, 1, nan]]).tolist() == [
        [1, 4, 5],
        [2, 2, 5],
    ]
    gold = np.array([3, 1, 2])
    assert multi_view_reward(gold, gold, {1}) == multi_view_reward(
        [3, 1, 2], [3, 1, 2], {1}
    )
    zeta_3 = 1.2020569031595942
    assert inverse_cube_reward([1], 10**12) == pytest.approx(1 / zeta_3, rel=1e-12)
