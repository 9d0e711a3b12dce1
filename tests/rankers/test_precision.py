"""Training with bfloat16 products: what is rounded, and what is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.programs import products_of

from ltr import NeuralRanker, TSPRanker, load_ranker, save_ranker
from ltr.arguments import ArgumentError
from ltr.datasets import make_ranking
from ltr.losses import listnet_loss
from ltr.metrics import ndcg_score
from ltr.scorers import AttentionScorer, ModuleScorer, get_scorer
from ltr.scorers.pairs import PairScorer
from ltr.scorers.products import bfloat16_products, product

DATA = make_ranking(n_queries=60, random_state=0)
TEST = make_ranking(n_queries=100, random_state=1)
SMALL = {
    "loss": "listnet",
    "hidden_layer_sizes": (16,),
    "max_epochs": 15,
    "early_stopping": False,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def rankers():
    """The same fit in two precisions."""
    return {
        dtype: NeuralRanker(dtype=dtype, **SMALL).fit(DATA.X, DATA.y, DATA.qid)
        for dtype in ("float32", "bfloat16")
    }


SCORERS = {
    "linear": get_scorer("linear"),
    "mlp": get_scorer("mlp", (32, 16)),
    "wide_deep": get_scorer("wide_deep", (32, 16)),
    "two_tower": get_scorer("two_tower", n_query_features=8),
    "adapter": get_scorer("adapter", n_query_features=8),
    "attention": AttentionScorer((32, 16), n_heads=2),
}


@pytest.mark.parametrize("name", SCORERS)
def test_scores_and_gradients_are_near_those_of_float32(name):
    """Scores within 2e-2; every product has operands in bfloat16, also in backward."""
    scorer = SCORERS[name]
    rng = np.random.default_rng(0)
    X = jnp.asarray(rng.normal(size=(6, 10, 16)), jnp.float32)
    y = jnp.asarray(rng.integers(0, 4, (6, 10)), jnp.float32)
    draw = jax.tree.map(
        lambda leaf: leaf + 0.1 * rng.normal(size=leaf.shape).astype(np.float32),
        scorer.init(jax.random.key(0), 16),
    )

    def outputs(params, *, rounds):
        def loss(params):
            with bfloat16_products(rounds):
                scores = scorer.apply(params, X)
            return listnet_loss(scores, y).sum(), scores

        gradient, scores = jax.grad(loss, has_aux=True)(params)
        return [scores, *jax.tree.leaves(gradient)]

    types = products_of(lambda params: outputs(params, rounds=True), draw)
    assert types == {("bfloat16", "bfloat16", "float32")}
    types = products_of(lambda params: outputs(params, rounds=False), draw)
    assert types == {("float32", "float32", "float32")}
    if name not in ("two_tower", "attention"):
        return  # the others are products of the same kind
    run = jax.jit(outputs, static_argnames="rounds")
    rounded, exact = run(draw, rounds=True), run(draw, rounds=False)
    assert all(values.dtype == np.float32 for values in rounded)
    assert 0 < np.abs(rounded[0] - exact[0]).max() < 2e-2 * np.abs(exact[0]).max()
    ours, reference = (
        np.concatenate([*map(np.ravel, x[1:])]) for x in (rounded, exact)
    )
    assert np.linalg.norm(ours - reference) < 5e-2 * np.linalg.norm(reference)


def test_products():
    """Operands are rounded, sums are not; leading axes are those of the first."""
    rng = np.random.default_rng(0)
    a = jnp.asarray(rng.normal(size=(2, 3, 4, 5)), jnp.float32)
    half = lambda x: np.asarray(x.astype(jnp.bfloat16), np.float64)
    for shape in ((5, 6), (2, 3, 5, 6)):
        b = jnp.asarray(rng.normal(size=shape), jnp.float32)
        np.testing.assert_array_equal(product(a, b), a @ b)
        with bfloat16_products():
            np.testing.assert_allclose(product(a, b), half(a) @ half(b), rtol=2e-6)
            slopes = jax.grad(lambda a, b: product(a, b).sum(), (0, 1))(a, b)
        ones = np.ones((2, 3, 4, 6))
        by_b = np.swapaxes(half(a), -1, -2) @ ones
        np.testing.assert_allclose(slopes[0], ones @ np.swapaxes(half(b), -1, -2), 2e-6)
        expected = by_b if b.ndim == 4 else by_b.sum(axis=(0, 1))
        np.testing.assert_allclose(slopes[1], expected, 2e-6)


def test_training(rankers):
    """Other weights than in float32, in float32, and as good a ranking."""
    ndcg = {
        dtype: ndcg_score(TEST.y, ranker.predict(TEST.X), qid=TEST.qid, k=10)
        for dtype, ranker in rankers.items()
    }
    assert ndcg["bfloat16"] == pytest.approx(ndcg["float32"], abs=0.01)
    leaves = {
        dtype: jax.tree.leaves(ranker._learned_state.params)
        for dtype, ranker in rankers.items()
    }
    assert {leaf.dtype for leaf in leaves["bfloat16"]} == {np.dtype("float32")}
    assert any(
        (a != b).any()
        for a, b in zip(leaves["bfloat16"], leaves["float32"], strict=True)
    )


def test_saving(rankers, tmp_path):
    """The same bits after loading, and it goes on from there."""
    ranker = rankers["bfloat16"]
    save_ranker(ranker, tmp_path / "ranker")
    loaded = load_ranker(tmp_path / "ranker")
    assert loaded.dtype == "bfloat16"
    np.testing.assert_array_equal(loaded.predict(TEST.X), ranker.predict(TEST.X))
    loaded.set_params(warm_start=True, max_epochs=1).fit(DATA.X, DATA.y, DATA.qid)
    assert not np.array_equal(loaded.predict(TEST.X), ranker.predict(TEST.X))


def test_pairs():
    """The scores of pairs, and the features of pairs, go through the same products."""
    scorer = PairScorer("mlp", (8,), n_pair_features=2, pair_hidden_layer_sizes=(4,))
    params = scorer.init(jax.random.key(0), 3)
    X, features = np.zeros((2, 4, 3), np.float32), np.zeros((2, 4, 4, 2), np.float32)

    def total(params, X, features):
        with bfloat16_products():
            scores = scorer.apply(params, X, pair_features=features)
        return sum(leaf.sum() for leaf in jax.tree.leaves(scores))

    types = products_of(jax.grad(total), params, X, features)
    assert types == {("bfloat16", "bfloat16", "float32")}
    ranker = TSPRanker(dtype="bfloat16", hidden_layer_sizes=(4,), max_epochs=1)
    few = DATA.qid <= DATA.qid[9]
    ranker.fit(DATA.X[few], DATA.y[few], DATA.qid[few])
    assert np.isfinite(ranker.predict(DATA.X[few], qid=DATA.qid[few])).all()


def test_modules_say_it_themselves():
    """What is inside a module cannot be rounded from outside."""
    scorer = ModuleScorer(print)
    with pytest.raises(ArgumentError) as error:
        NeuralRanker(scorer=scorer, dtype="bfloat16").fit(DATA.X, DATA.y, DATA.qid)
    assert str(error.value) == (
        "dtype='bfloat16' does not reach the products inside a module; got "
        f"{scorer!r}. Set dtype='float32', and let the module compute in bfloat16."
    )
    with pytest.raises(ArgumentError) as error:
        NeuralRanker(dtype="float16").fit(DATA.X, DATA.y, DATA.qid)
    assert str(error.value) == (
        "dtype must be one of 'float32', 'float64', 'bfloat16'; got 'float16'."
    )
