"""A network that skips the padding of its mini-batches learns what it learns with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from ltr import NeuralRanker
from ltr.datasets import RankingData
from ltr.list_sizes import NO_SKIPPING
from ltr.losses import wasserstein_batch_loss
from ltr.rankers.neural import streaming, training
from ltr.scorers import MLPScorer
from ltr.training import padding
from ltr.training.padding import RealItems, RealRows

RNG = np.random.default_rng(0)
# one long list, so that most of the mini-batches is padding, in more than one tile
SIZES = np.concatenate([[150], RNG.integers(2, 60, 20)])
QID = np.repeat(np.arange(len(SIZES)), SIZES)
X = RNG.normal(size=(len(QID), 3))
Y = RNG.integers(0, 3, len(QID)).astype(float)
WEIGHTS = RNG.uniform(0.5, 2.0, len(QID))
QUERY_WEIGHTS = RNG.uniform(0.5, 2.0, len(SIZES))[QID]
OF_QUERIES = RNG.normal(size=(len(SIZES), 2))
TABLE = RNG.normal(size=(60, 3))
APPLY = MLPScorer((5,)).apply
PARAMS = MLPScorer((5,)).init(jax.random.key(0), 3)


@jax.jit
def tile_by_tile(params, table, rows, where, pull):
    """Scores, and the gradient of their product with ``pull``."""
    scores, pull_back = jax.vjp(
        lambda params: RealItems(table, rows).scores(APPLY, params, where), params
    )
    return scores, *pull_back(pull)


@jax.jit
def at_once(params, table, rows, where, pull):
    """The same of all items, padding included."""
    scores, pull_back = jax.vjp(
        lambda params: jnp.where(where, APPLY(params, table[rows]), 0.0), params
    )
    return scores, *pull_back(pull)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 40), min_size=8, max_size=8), st.integers(0, 2**32 - 1))
def test_scores_and_gradient(sizes, seed):
    """They are those of all items; padding scores 0, and its gradient is not read."""
    rng = np.random.default_rng(seed)
    where = np.arange(40) < np.array(sizes)[:, None]  # (8, 40): up to three tiles
    rows = np.where(where, rng.integers(0, 59, where.shape), 59).astype(np.int32)
    pull = rng.normal(size=where.shape)
    of_padding = np.where(where, pull, np.nan)
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: np.asarray(leaf, float), PARAMS)
        scores, gradient = at_once(params, TABLE, rows, where, pull)
        own, own_gradient = tile_by_tile(params, TABLE, rows, where, of_padding)
    assert own.dtype == np.float64
    np.testing.assert_allclose(own, scores, rtol=1e-12, atol=1e-14)
    for a, b in zip(*map(jax.tree.leaves, (gradient, own_gradient)), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-11, atol=1e-12)


def test_padding_is_not_computed():
    """A tile that has no item is not scored."""
    tiles = []

    def apply(params, X, where):
        jax.debug.callback(lambda real: tiles.append(int(real.sum())), where)
        return params * X[..., 0]

    where = np.arange(100) < np.array([[100], [80], [0], [0], [0], [0]])
    rows = np.where(where, np.arange(100), 100).astype(np.int32)
    items = RealItems(jnp.ones((101, 1)), jnp.asarray(rows))
    items.scores(apply, jnp.ones(()), jnp.asarray(where)).block_until_ready()
    jax.effects_barrier()
    assert sorted(tiles) == [52, 128]  # of 600


def neural(loss="listnet", scorer="mlp", **options):
    small = {
        "dtype": "float64",
        "hidden_layer_sizes": (300, 4),
        "batch_size": 8,
        "early_stopping": False,
        "random_state": 0,
        "max_epochs": 3,
    }
    return NeuralRanker(loss, scorer, **small | options)


@pytest.fixture
def features(monkeypatch):
    """What the steps of the fits read."""
    read = []

    def train(plan, params, optimizer_state, lists, **options):
        read.append(lists.data.X)
        return original(plan, params, optimizer_state, lists, **options)

    original = training.train
    for module in (training, streaming):
        monkeypatch.setattr(module, "train", train)
    return read


@pytest.mark.parametrize(
    ("ranker", "columns"),
    [
        (neural("listnet"), {}),
        (neural("ranknet"), {"sample_weight": WEIGHTS}),
        (neural("lambdarank"), {"query_weight": QUERY_WEIGHTS}),
        (neural("listnet"), {"query_features": OF_QUERIES}),
        (neural("gumbel_ndcg"), {}),
        (neural(wasserstein_batch_loss), {}),
        (neural("listnet", clip_norm=0.1, weight_decay=0.1), {}),
    ],
    ids=["listnet", "rows", "lists", "query_features", "draws", "batch", "clip"],
)
def test_same_scores(ranker, columns, features, monkeypatch):
    """With and without the padding, to rounding, for every kind of input."""
    scores = ranker.fit(X, Y, QID, **columns)
    inputs = {"query_features": OF_QUERIES} if "query_features" in columns else {}
    without = scores.predict(X, QID, **inputs)
    monkeypatch.setattr(padding, "skipped_work", lambda *of_rows: NO_SKIPPING)
    within = ranker.fit(X, Y, QID, **columns).predict(X, QID, **inputs)
    assert isinstance(features[0], RealRows)
    assert not isinstance(features[1], RealRows)
    np.testing.assert_allclose(without, within, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_single_precision(dtype, features, monkeypatch):
    """And with products of rounded operands, which the backward pass rounds, too."""
    ranker = neural("listnet", dtype=dtype)
    without = ranker.fit(X, Y, QID).predict(X)
    monkeypatch.setattr(padding, "skipped_work", lambda *of_rows: NO_SKIPPING)
    within = ranker.fit(X, Y, QID).predict(X)
    assert isinstance(features[0], RealRows)
    # the bias of the output has no gradient but that of rounding, and no effect
    np.testing.assert_allclose(
        without - without.mean(), within - within.mean(), atol=1e-5
    )


DATA = X, Y, QID
EVEN = X[:150], Y[:150], np.repeat(np.arange(15), 10)


@pytest.mark.parametrize(
    ("ranker", "data"),
    [
        (neural(scorer="attention"), DATA),
        (neural(scorer="linear"), DATA),
        (neural(scorer=MLPScorer((4,), dropout=0.1)), DATA),
        (neural(devices="all"), DATA),
        (neural(), (csr_matrix(X), Y, QID)),
        (neural(), EVEN),
    ],
    ids=["lists", "linear", "dropout", "devices", "sparse", "no padding"],
)
def test_others_read_padding(ranker, data, features):
    """Scorers to which it is of use, or which it costs nothing."""
    ranker.fit(*data)
    assert len(features) == 1
    assert not isinstance(features[0], RealRows)


def test_pieces_share_a_program(features):
    """Whatever the padding of a piece is."""
    ranker = neural()
    ranker.partial_fit(X, Y, QID)
    ranker.partial_fit(X[:160], Y[:160], np.repeat(np.arange(20), 8))
    assert [type(read) for read in features] == [RealRows, RealRows]


@pytest.mark.parametrize("size", [None, 10])
def test_streams_skip_what_their_sample_has(size, features):
    """The same scores as with padding; lists of one size have none to skip."""
    qid = QID if size is None else np.arange(len(QID)) // size
    halves = [qid < np.median(qid), qid >= np.median(qid)]
    pieces = [RankingData(X[rows], Y[rows], qid[rows]) for rows in halves]

    def fit():
        ranker = neural(metric="ndcg").fit_stream(lambda epoch: iter(pieces))
        return ranker.predict(X, qid)

    scores = fit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(padding, "skipped_work", lambda *of_rows: NO_SKIPPING)
        within = fit()
    assert [type(read) is RealRows for read in features] == [size is None, False]
    np.testing.assert_allclose(scores, within, rtol=1e-9, atol=1e-10)
