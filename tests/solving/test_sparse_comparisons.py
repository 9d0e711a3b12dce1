"""Bradley-Terry on sparse counts: as on dense ones, pair by pair."""

import re
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array, lil_matrix

from ltr.solvers import bradley_terry, comparisons_to_matrix
from ltr.solvers.consensus import sparse_comparisons


def comparisons(n, n_games, seed=0):
    """Winners and losers; a ring both ways connects all items."""
    rng = np.random.default_rng(seed)
    worth = rng.normal(size=n)
    i = rng.integers(0, n, n_games)
    j = (i + rng.integers(1, n, n_games)) % n
    is_win = rng.random(n_games) < 1 / (1 + np.exp(worth[j] - worth[i]))
    ring = np.arange(n)
    winners = [np.where(is_win, i, j), ring, (ring + 1) % n]
    losers = [np.where(is_win, j, i), (ring + 1) % n, ring]
    return np.concatenate(winners), np.concatenate(losers)


@settings(max_examples=15)
@given(
    st.integers(2, 30),
    st.integers(0, 60),
    st.sampled_from([0.0, 1e-6, 0.5, 100.0]),
    st.integers(0, 99),
)
def test_sparse_counts_give_the_dense_result(n, n_games, ridge, seed):
    """Scores and standard errors; also from a matrix class, and with duplicates."""
    winners, losers = comparisons(n, n_games, seed)
    weights = np.random.default_rng(seed).random(len(winners)) + 0.1
    dense = comparisons_to_matrix(winners, losers, weights)
    expected = bradley_terry(dense, ridge=ridge, return_std=True)
    for counts in (
        comparisons_to_matrix(winners, losers, weights, sparse=True),
        coo_array((weights, (winners, losers)), shape=(n, n)),
        lil_matrix(dense),
    ):
        fit = bradley_terry(counts, ridge=ridge, return_std=True)
        np.testing.assert_allclose(fit[0], expected[0], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(fit[1], expected[1], rtol=1e-7, atol=1e-9)
    assert (bradley_terry(counts, ridge=ridge) == fit[0]).all()


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_sparse_enough_dense_counts_are_fitted_by_pair(ridge, monkeypatch):
    """Above 200 items, with the result of the dense code."""
    winners, losers = comparisons(220, 800)
    counts = comparisons_to_matrix(winners, losers)
    calls = []
    fit = sparse_comparisons.newton
    monkeypatch.setattr(
        sparse_comparisons, "newton", lambda *a, **k: calls.append(1) or fit(*a, **k)
    )
    by_pair = bradley_terry(counts, ridge=ridge)
    assert calls == [1]
    module = sys.modules["ltr.solvers.consensus.bradley_terry"]  # not the function
    monkeypatch.setattr(module, "_MANY_ITEMS", 10**6)
    np.testing.assert_allclose(by_pair, bradley_terry(counts, ridge=ridge), atol=1e-9)
    assert calls == [1]


def test_a_long_chain_is_factorized():
    """Conjugate gradients would take a step per link; each link is worth log 3."""
    n = 3000
    items = np.arange(n - 1)
    winners = np.concatenate([items, items + 1])
    losers = np.concatenate([items + 1, items])
    weights = np.repeat([3.0, 1.0], n - 1)
    scores, std = bradley_terry(
        comparisons_to_matrix(winners, losers, weights, sparse=True), return_std=True
    )
    np.testing.assert_allclose(np.diff(scores), -np.log(3.0), rtol=1e-9)
    # differences of neighbors are independent, with the information n p (1 - p) = 3/4
    assert std[0] == pytest.approx(std[-1])
    assert std[n // 2] < std[0]


def test_counts_of_different_sizes():
    """Two groups that hardly met: 1e9 games inside, one between each way."""
    inside = np.array([[0.0, 2e9], [1e9, 0.0]])
    counts = np.kron(np.eye(2), inside)
    counts[0, 2], counts[2, 0] = 3.0, 1.0
    sparse, dense = bradley_terry(csr_array(counts)), bradley_terry(counts)
    np.testing.assert_allclose(sparse, dense, atol=1e-8)
    assert sparse[0] - sparse[2] == pytest.approx(np.log(3.0))


def test_many_items_take_little_memory():
    """A dense matrix of them would take 13 GB."""
    winners, losers = comparisons(40_000, 0)
    scores = bradley_terry(
        comparisons_to_matrix(winners[:10], losers[:10], n_items=40_000, sparse=True),
        ridge=1.0,
    )
    assert scores.shape == (40_000,)
    assert scores[20_000] == pytest.approx(scores[30_000])


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (
            csr_array((2, 3)),
            "counts must be square, [i, j] how often i beat j; got shape (2, 3).",
        ),
        (
            csr_array([[0.0, 1.0], [-2.0, 0.0]]),
            "counts must be finite and >= 0; got -2.0 at [1, 0].",
        ),
        (
            csr_array([[0.0, np.nan], [1.0, 0.0]]),
            "counts must be finite and >= 0; got nan at [0, 1].",
        ),
        (
            csr_array([[0.0, 1.0], [0.0, 0.0]]),
            "item 0 never lost to any other item, so the likelihood has no finite "
            "maximum. Pass ridge > 0, say 0.1, or leave it out.",
        ),
        (
            csr_array(np.kron(np.eye(2), [[0.0, 1.0], [1.0, 0.0]])),
            "items 0, 1 never met items 2, 3, directly or through others, so the scores "
            "of the one group are not comparable with those of the other: finite scores "
            "are best, but not unique. Pass ridge > 0, say 0.1, or fit each group alone.",
        ),
    ],
)
def test_messages(counts, text):
    """Those of dense counts."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        bradley_terry(counts)


def test_rare_pairs_keep_their_digits():
    wins = np.array([[0, 3e24, 1e-20], [0, 0, 0], [3e-2, 3e22, 0]])
    wins[1, 0] = 2e-20
    scores = bradley_terry(csr_array(wins))
    np.testing.assert_allclose(scores, bradley_terry(wins), rtol=1e-9)


@pytest.mark.parametrize("as_matrix", [np.array, csr_array])
def test_standard_errors_are_not_lost_in_silence(as_matrix):
    wins = np.zeros((4, 4))
    wins[0, 1] = wins[1, 0] = 1e30
    wins[2, 3] = wins[3, 2] = 1e30
    wins[1, 2] = wins[2, 1] = 1e-10
    with pytest.raises(
        ValueError,
        match="^"
        + re.escape(
            "standard errors are lost in rounding: counts and ridge differ by too many "
            "orders of magnitude. Pass a larger ridge, or merge rare comparisons."
        ),
    ):
        bradley_terry(as_matrix(wins), return_std=True)
