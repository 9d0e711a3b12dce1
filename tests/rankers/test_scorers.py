"""Scorers: shapes, NumPy and JAX agree, lists are sets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr.scorers import (
    AttentionScorer,
    LinearScorer,
    MLPScorer,
    TwoTowerScorer,
    get_scorer,
)

SCORERS = [
    LinearScorer(),
    MLPScorer((8, 4)),
    MLPScorer(()),
    AttentionScorer((8,), n_blocks=2, n_heads=2),
    TwoTowerScorer(3),
    TwoTowerScorer(3, "dot"),
    TwoTowerScorer(3, "bilinear"),
]
every_scorer = pytest.mark.parametrize("scorer", SCORERS, ids=repr)


def drawn(scorer, seed=0):
    """Parameters that are not at their special start."""
    params = scorer.init(jax.random.key(seed), 6)
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda p: np.asarray(p + 0.3 * rng.normal(size=p.shape)), params
    )


@every_scorer
def test_numpy_and_jax_agree(scorer):
    """One apply serves training in JAX and prediction in NumPy."""
    params = drawn(scorer)
    X = np.random.default_rng(1).normal(size=(2, 5, 6))
    ours = scorer.apply(params, X)
    assert isinstance(ours, np.ndarray)
    assert ours.dtype == np.float64
    theirs = jax.jit(scorer.apply)(jax.tree.map(jnp.asarray, params), jnp.asarray(X))
    assert ours.shape == theirs.shape == (2, 5)
    np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)


@every_scorer
def test_permuting_items_permutes_scores(scorer):
    """A list is a set."""
    params, X = drawn(scorer), np.random.default_rng(1).normal(size=(5, 6))
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(
        scorer.apply(params, X[order]), scorer.apply(params, X)[order], rtol=1e-12
    )


@every_scorer
def test_masked_items_do_not_matter(scorer):
    """Padding, whatever it holds, changes no score of a real item."""
    params, X = drawn(scorer), np.random.default_rng(1).normal(size=(5, 6))
    padded = np.concatenate([X, np.full((3, 6), 5.0)])
    where = np.arange(8) < 5
    np.testing.assert_allclose(
        scorer.apply(params, padded, where)[:5], scorer.apply(params, X), rtol=1e-12
    )


@every_scorer
def test_weight_2_is_the_item_twice(scorer):
    """Also for the items that only look at it."""
    params, X = drawn(scorer), np.random.default_rng(1).normal(size=(4, 6))
    weights = np.array([1.0, 2.0, 1.0, 3.0])
    weighted = scorer.apply(params, X, np.ones(4, bool), weights)
    repeated = scorer.apply(params, X.repeat([1, 2, 1, 3], axis=0))
    np.testing.assert_allclose(weighted, repeated[[0, 1, 3, 4]], rtol=1e-12)


def test_attention_looks_at_the_list():
    """The score of an item depends on its competitors."""
    scorer = SCORERS[3]
    params, X = drawn(scorer), np.random.default_rng(1).normal(size=(5, 6))
    alone = scorer.apply(params, X[:1])
    assert scorer.uses_list
    assert abs(alone[0] - scorer.apply(params, X)[0]) > 1e-3


@pytest.mark.parametrize("similarity", ["cosine", "dot", "bilinear"])
def test_two_towers_start_at_the_similarity(similarity):
    """Untrained, they rank as the embeddings do."""
    X = np.random.default_rng(0).normal(size=(20, 8))
    scorer = TwoTowerScorer(4, similarity)
    scores = scorer.apply(scorer.init(jax.random.key(0), 8), X)
    q, d = X[:, :4], X[:, 4:]
    expected = (q * d).sum(1)
    if similarity == "cosine":
        expected /= np.linalg.norm(q, axis=1) * np.linalg.norm(d, axis=1)
        expected /= scorer.temperature
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_initial_scores_are_small_but_not_tied():
    """Near a tie every pair counts; at a tie λ-weights would all be 0."""
    X = np.random.default_rng(0).normal(size=(200, 20))
    for scorer in (LinearScorer(), MLPScorer(), AttentionScorer()):
        scores = scorer.apply(scorer.init(jax.random.key(0), 20), X)
        assert 0.01 < np.std(scores) < 0.5
        assert len(np.unique(scores)) == 200


def test_errors():
    """What is wrong with the parameters of a scorer."""
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="must be a multiple of n_heads"):
        AttentionScorer((10,), n_heads=4).init(key, 6)
    with pytest.raises(ValueError, match="same width; got n_features=6 and n_query"):
        TwoTowerScorer(4).init(key, 6)
    with pytest.raises(ValueError, match="similarity must be one of"):
        TwoTowerScorer(3, "euclid").init(key, 6)
    with pytest.raises(ValueError, match="scorer must be one of 'linear', 'mlp'"):
        get_scorer("mpl")
    with pytest.raises(ValueError, match="n_query_features is required"):
        get_scorer("two_tower")
