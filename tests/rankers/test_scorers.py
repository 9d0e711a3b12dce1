"""Scorers: what each of them is; laws/test_scorer_laws.py has what all keep."""

import jax
import numpy as np
import pytest

from ltr import NeuralRanker
from ltr.compare.rankers import make_ranker, scorer_and_loss
from ltr.datasets import make_ranking
from ltr.scorers import (
    SCORERS,
    AdapterScorer,
    AttentionScorer,
    LinearScorer,
    MLPScorer,
    Scorer,
    TwoTowerScorer,
    get_scorer,
)
from ltr.scorers.base import init_dense

DATA = make_ranking(20, n_features=4, n_informative=2, random_state=0)


def drawn(scorer, seed=0):
    """Parameters that are not at their special start."""
    params = scorer.init(jax.random.key(seed), 6)
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda p: np.asarray(p + 0.3 * rng.normal(size=p.shape)), params
    )


class TwoHeads(Scorer):
    """The sum of two linear scorers: it needs no parameter and overrides nothing."""

    def init(self, key, n_features):
        return init_dense(key, n_features, 2)

    def apply(self, params, X, where=None, weights=None):
        return params(X).sum(axis=-1)


def one_step(scorer):
    """A ranker after one step on one batch."""
    ranker = NeuralRanker(
        "softmax",
        scorer,
        hidden_layer_sizes=(8,),
        n_query_features=2,
        max_epochs=1,
        early_stopping=False,
        random_state=0,
    )
    return ranker.fit(DATA.X, DATA.y, DATA.qid)


@pytest.mark.parametrize("name", SCORERS)
def test_every_name_of_a_scorer(name):
    """A ranker makes it from its parameters and takes a step."""
    ranker = one_step(name)
    assert type(ranker.make_scorer()) is SCORERS[name]
    assert np.isfinite(ranker.predict(DATA.X, DATA.qid)).all()


def test_a_line_in_scorers_is_enough(monkeypatch):
    """A new name works in rankers and on the command line, with an underscore too."""
    monkeypatch.setitem(SCORERS, "two_heads", TwoHeads)
    ranker = one_step("two_heads")
    assert isinstance(ranker.make_scorer(), TwoHeads)
    assert np.isfinite(ranker.predict(DATA.X, DATA.qid)).all()
    assert scorer_and_loss("two_heads_approx_ndcg") == ("two_heads", "approx_ndcg")
    assert scorer_and_loss("two_tower_softmax") is None
    named = make_ranker("two_heads_approx_ndcg")
    assert (named.scorer, named.loss) == ("two_heads", "approx_ndcg")
    with pytest.raises(
        ValueError, match="with the scorer linear, .* or two_heads and the loss "
    ):
        make_ranker("three_heads_softmax")


def test_attention_looks_at_the_list():
    """The score of an item depends on its competitors."""
    scorer = AttentionScorer((8,), n_blocks=2, n_heads=2)
    params, X = drawn(scorer), np.random.default_rng(1).normal(size=(5, 6))
    alone = scorer.apply(params, X[:1])
    assert scorer.uses_list
    assert abs(alone[0] - scorer.apply(params, X)[0]) > 1e-3


@pytest.mark.parametrize("n_items", [7, 12])
def test_attention_in_blocks_of_queries(n_items, monkeypatch, x64):
    """Long lists: the same scores and gradients as from the whole matrix of logits."""
    from ltr.scorers import attention

    scorer = AttentionScorer((8,), n_blocks=2, n_heads=2)
    params = drawn(scorer)
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(3, n_items, 6)), rng.uniform(0, 2, (3, n_items))
    where, weights[1, 2] = np.arange(n_items) < np.array([[n_items], [5], [3]]), 0.0

    def value(params, X):
        scores = scorer.apply(params, X, where, weights)
        return ((scores * where) ** 2).sum(), scores

    def outputs():
        differentiate = jax.jit(jax.value_and_grad(value, (0, 1), has_aux=True))
        (_, scores), gradient = differentiate(params, X)
        return scores, scorer.apply(params, X, where, weights), gradient

    whole = outputs()
    sizes = []
    plain = attention._attend
    monkeypatch.setattr(
        attention,
        "_attend",
        lambda query, *rest: sizes.append(query.shape[-2]) or plain(query, *rest),
    )
    monkeypatch.setattr(attention, "_MAX_LOGITS", 1)
    monkeypatch.setattr(attention, "_BLOCK_LOGITS", 6 * 3 * n_items)
    jax.tree.map(
        lambda block, all_: np.testing.assert_allclose(block, all_, 1e-12, 1e-14),
        outputs(),
        whole,
    )
    assert max(sizes) == 3


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


@pytest.mark.parametrize("similarity", ["cosine", "dot", "bilinear"])
@pytest.mark.parametrize("width", [2, 6])
def test_two_towers_of_unequal_width(similarity, width):
    """A narrow and a wide embedding: the formula, and lengths that are kept on average."""
    X = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    scorer = TwoTowerScorer(width, similarity, temperature=1.0)
    params = scorer.init(jax.random.key(0), 8)
    q, d = X[:, :width], X[:, width:]
    if similarity == "bilinear":
        expected = np.einsum("ni,ij,nj->n", q, params["matrix"], d)
    else:
        wide = "query" if width == 6 else "item"
        assert params[wide].shape == (6, 2)
        assert params[{"query": "item", "item": "query"}[wide]].tolist() == [[0, 0]] * 2
        q, d = (q @ params[wide], d) if wide == "query" else (q, d @ params[wide])
        expected = (q * d).sum(axis=1)
    if similarity == "cosine":
        expected /= np.linalg.norm(q, axis=1) * np.linalg.norm(d, axis=1)
    np.testing.assert_allclose(scorer.apply(params, X), expected, rtol=1e-4, atol=1e-5)
    ranker = NeuralRanker(
        "listnet", scorer, max_epochs=2, random_state=0, optimizer="adam"
    )
    y, qid = (X[:, 0] * X[:, 7] > 0).astype(int), np.repeat(np.arange(10), 5)
    assert np.isfinite(ranker.fit(X, y, qid).predict(X)).all()


@pytest.mark.parametrize("connected", [True, False])
def test_adapters_start_at_the_cosine(connected):
    """Untrained, they rank as the embeddings do; connected ones have more parameters."""
    X = np.random.default_rng(0).normal(size=(20, 8))
    scorer = AdapterScorer(4, rank=2, connected=connected, temperature=1.0)
    params = scorer.init(jax.random.key(0), 8)
    q, d = X[:, :4], X[:, 4:]
    lengths = np.linalg.norm(q, axis=1) * np.linalg.norm(d, axis=1)
    expected = (q * d).sum(1) / lengths
    np.testing.assert_allclose(scorer.apply(params, X), expected, rtol=1e-5)
    n_numbers = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert n_numbers == 4 * 4 * 2 + (8 if connected else 0)


def test_connected_adapters_by_hand():
    """One column each: the formula of the docstring, term by term."""
    scorer = AdapterScorer(1, rank=1, temperature=1.0)
    numbers = {"query_down": 2, "query_up": 3, "item_down": 5, "item_up": -1}
    numbers |= {"link": 7, "head": 0.5}
    params = {name: np.array([[float(value)]]) for name, value in numbers.items()}
    # h_q = 2, h_d = 15; q' = 1 + 3 · 2 = 7; d' = 3 − (15 + 7 · 2) = −26; M: 2 · 0.5 · 15
    score = scorer.apply(params, np.array([[1.0, 3.0]]))
    np.testing.assert_allclose(score, [-1.0 + 15.0])


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
    with pytest.raises(ValueError, match="=6, which leave 0 columns to the item. Low"):
        TwoTowerScorer(6).init(key, 6)
    with pytest.raises(ValueError, match="adapter needs rows of .*n_features=6 and n_"):
        AdapterScorer(4).init(key, 6)
    with pytest.raises(ValueError, match="rank must be a whole number >= 1; got 0"):
        AdapterScorer(3, 0).init(key, 6)
    with pytest.raises(ValueError, match="Use scorer='two_tower'"):
        get_scorer("adapter", n_query_features=3, similarity="dot")
    with pytest.raises(ValueError, match="n_query_features is required"):
        get_scorer("adapter")
    with pytest.raises(ValueError, match="similarity must be one of"):
        TwoTowerScorer(3, "euclid").init(key, 6)
    with pytest.raises(ValueError, match="scorer must be one of 'linear', 'mlp'"):
        get_scorer("mpl")
    with pytest.raises(ValueError, match="n_query_features is required"):
        get_scorer("two_tower")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_draws_of_numpy(dtype):
    """Keys of jax.random exactly, its numbers but for rounding."""
    from ltr.scorers import draws

    with jax.enable_x64(dtype == np.float64):
        assert draws.seed_key(2**31 + 7) == jax.random.key(2**31 + 7)
        key = draws.seed_key(5)
        keys = draws.split(key, 3)
        expected = jax.random.split(key, 3)
        assert all(a == b for a, b in zip(keys, expected, strict=True))
        pairs = [
            (draws.normal(keys[2], (9, 4), 0.3), jax.random.normal(keys[2], (9, 4))),
            (draws.uniform(keys[2], (9, 4), 0.3),
             jax.random.uniform(keys[2], (9, 4), minval=-1.0)),
        ]  # fmt: skip
        for numbers, reference in pairs:
            assert numbers.dtype == reference.dtype == dtype
            rtol = 30 * np.finfo(dtype).eps
            np.testing.assert_allclose(numbers, 0.3 * reference, rtol=rtol)


def test_draws_of_other_keys():
    """Those of another generator, those of old, many numbers, and tracers."""
    from ltr.scorers import draws

    for key in (jax.random.key(0, impl="rbg"), jax.random.PRNGKey(0)):
        np.testing.assert_array_equal(
            draws.normal(key, (3,)), jax.random.normal(key, (3,))
        )
        assert len(draws.split(key, 3)) == 3
    shape = jax.eval_shape(lambda key: draws.normal(key, (3,)), jax.random.key(0))
    assert shape.shape == (3,)
