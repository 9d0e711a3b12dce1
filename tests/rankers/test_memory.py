"""What does not fit is refused before it is allocated."""

import re
import tracemalloc

import jax
import numpy as np
import pytest

import ltr.memory
from ltr import NeuralRanker, TSPRanker
from ltr.lists import aligned_zeros
from ltr.memory import available_bytes, check_memory
from ltr.queries import group_queries
from ltr.rankers.neural import fitted, scaling
from ltr.rankers.neural.scaling import fit_scaling, transform_into
from ltr.scorers import MLPScorer, Scorer
from ltr.training import memory

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), RNG.integers(0, 3, 40)
QID = np.repeat(np.arange(4), 10)


@pytest.fixture
def one_megabyte(monkeypatch):
    """A machine with little memory, where every array is worth a check."""
    monkeypatch.setattr(ltr.memory, "available_bytes", lambda: 1e6)
    monkeypatch.setattr(memory, "_SMALL", 1)


def test_available_memory(one_megabyte):
    """It is more than this process could do without; the message has both sizes."""
    assert 2**20 < available_bytes() < 2**50
    check_memory(9e5, "an array", "Make it smaller.")
    message = (
        "an array needs about 1,234.5 GB of memory, but 0.0 GB are available. Make it "
        "smaller."
    )
    with pytest.raises(MemoryError, match=f"^{re.escape(message)}$"):
        check_memory(1.2345e12, "an array", "Make it smaller.")


@pytest.mark.parametrize(
    ("ranker", "message"),
    [
        (
            NeuralRanker("neural_sort_cross_entropy", "linear", max_epochs=1),
            r"a training step on 4 lists padded to 512 items needs about 0\.0 GB of "
            r"memory, but 0\.0 GB are available\. Lower batch_size\. Train on fewer "
            "items of each list, or with a loss without pairs",
        ),
        (
            TSPRanker("pairwise", encoder="identity", max_epochs=1, batch_size=1),
            r"a training step on 1 list padded to 512 items needs about .* available\. "
            "Train on fewer",
        ),
        (
            NeuralRanker("mse", "mlp", hidden_layer_sizes=30_000, max_epochs=1),
            "training 150001 weights of MLPScorer on 3 features needs .* Lower "
            "hidden_layer_sizes",
        ),
    ],
    ids=["loss", "pairs", "weights"],
)
def test_a_step_that_does_not_fit(ranker, message, one_megabyte, monkeypatch):
    """The compiled program says what it needs; it is not run."""
    monkeypatch.setattr(memory, "_COPIES", 2)
    features = RNG.normal(size=(1200, 3))
    labels, qid = RNG.integers(0, 3, 1200), np.repeat(np.arange(4), 300)
    with pytest.raises(MemoryError, match=f"^{message}.*\\.$"):
        ranker.fit(features, labels, qid)
    assert not hasattr(ranker, "n_features_in_")


def test_wide_layers_in_training(one_megabyte, monkeypatch):
    """The activations of a wide layer count as well, and the advice is another."""
    monkeypatch.setattr(memory, "check_parameters", lambda *_: None)
    monkeypatch.setattr("ltr.rankers.neural.training.check_parameters", lambda *_: None)
    ranker = NeuralRanker("mse", hidden_layer_sizes=5000, max_epochs=1)
    match = r"Lower batch_size or hidden_layer_sizes\.$"
    with pytest.raises(MemoryError, match=match):
        ranker.fit(X, Y, QID)


def test_a_matrix_of_pairs_that_does_not_fit(monkeypatch):
    """Predict of pairs: before the matrix is computed."""
    ranker = TSPRanker("pairwise", encoder="identity", decoder="borda", max_epochs=0)
    ranker.fit(X, Y, QID)
    monkeypatch.setattr(ltr.memory, "available_bytes", lambda: 1e9)
    message = (
        "the matrix of all pairs of a list of 100000 items needs about 320.0 GB of "
        "memory, but 1.0 GB are available. Rank fewer items per list, or use "
        "NeuralRanker."
    )
    with pytest.raises(MemoryError, match=f"^{re.escape(message)}$"):
        ranker.predict(np.zeros((100_000, 3)), np.zeros(100_000))


def test_a_million_units_twice():
    """Refused on any machine, at once."""
    ranker = NeuralRanker("mse", "mlp", hidden_layer_sizes=(10**6, 10**6), max_epochs=1)
    with pytest.raises(MemoryError, match="training 1000006000001 weights of MLP"):
        ranker.fit(X, Y, QID)


def test_predict_with_wide_layers_goes_by_blocks(monkeypatch):
    """Few rows at a time, the same scores."""
    ranker = NeuralRanker("mse", hidden_layer_sizes=16, max_epochs=0).fit(X, Y, QID)
    expected = ranker.predict(X, QID)
    monkeypatch.setattr(fitted, "_MAX_HIDDEN", 3 * 16)
    n_rows = []
    apply = MLPScorer.apply
    monkeypatch.setattr(
        MLPScorer,
        "apply",
        lambda self, params, Z, **_: n_rows.append(len(Z)) or apply(self, params, Z),
    )
    np.testing.assert_allclose(ranker.predict(X, QID), expected, rtol=1e-12)
    assert sorted(n_rows) == [2] * 2 + [3] * 12


def test_scorers_whose_init_jax_cannot_trace():
    """They are not counted, and train."""

    class FromNumPy(Scorer):
        def init(self, key, n_features):
            seed = np.asarray(jax.random.key_data(key))
            weights = np.random.default_rng(seed).normal(size=n_features)
            return weights.astype(np.float32)

        def apply(self, params, X, where=None, weights=None):
            return X @ params

    assert memory.count_parameters(FromNumPy(), 3) == 0
    ranker = NeuralRanker("mse", FromNumPy(), max_epochs=1, random_state=0)
    assert np.isfinite(ranker.fit(X, Y, QID).predict(X, QID)).all()


@pytest.mark.parametrize("preprocess", ["auto", "query", "standard", "log1p", None])
@pytest.mark.parametrize("weights", [None, np.tile([0.0, 1.0, 2.5, 1.0], 10)])
def test_scaling_in_blocks(preprocess, weights, monkeypatch):
    """Whatever the blocks; rows that are not selected or weigh nothing have no part."""
    features = X.copy()
    features[3, 0], features[:, 2] = 1e3, 1e300 * features[:, 2]
    rows = np.flatnonzero(QID != 2)
    queries = group_queries(QID, 40)
    whole = fit_scaling(features, weights, preprocess, rows)
    expected = features
    if whole is not None:
        expected = whole.transform(features, queries, weights)
    selected = fit_scaling(
        features[rows], None if weights is None else weights[rows], preprocess
    )
    assert str(whole) == str(selected)
    monkeypatch.setattr(scaling, "_BLOCK_VALUES", 7 * 3)
    target = aligned_zeros((44, 3), np.float64)
    blocks = fit_scaling(features, weights, preprocess, rows)
    transform_into(target, features, blocks, queries, weights)
    np.testing.assert_allclose(target[:40], expected, rtol=1e-9, atol=1e-9)
    assert (target[40:] == 0).all()


@pytest.mark.parametrize("n_rows", [0, 1, 20, 21, 22, 95])
@pytest.mark.parametrize("logs", [(), (1,), (0, 1, 2)])
@pytest.mark.parametrize("dtypes", [(np.float32, np.float32), (float, np.float32)])
def test_scaled_rows_are_the_same_bits(n_rows, logs, dtypes, monkeypatch):
    """One by one, in float64, or in blocks, of whatever size."""
    monkeypatch.setattr(scaling, "_CACHED_VALUES", 21 * 3)
    features = 1e3 * RNG.normal(size=(n_rows, 3)).astype(dtypes[0])
    features[:, 2] = np.where(features[:, 2] > 0, np.nan, 1e30)
    mean, scale = np.array([0.3, -1e6, 1e29]), np.array([1e-3, 7.0, 1e28])
    uses_log = np.isin(np.arange(3), logs)
    target = np.full((n_rows + 2, 3), 9, dtypes[1])
    fitted_scaling = scaling.FeatureScaling(uses_log, mean, scale)
    transform_into(target, features, fitted_scaling, None, None)
    for i, row in enumerate(features.astype(np.float64)):
        z = np.where(uses_log, np.copysign(np.log1p(np.abs(row)), row), row)
        expected = ((z - mean) / scale).astype(dtypes[1])
        np.testing.assert_array_equal(target[i], expected)
    assert (target[n_rows:] == 9).all()


def test_fit_makes_one_copy_of_the_features(monkeypatch):
    """In the precision of training, where the device reads them."""
    sizes = []
    monkeypatch.setattr(scaling, "_BLOCK_VALUES", 1000 * 25)
    features = RNG.normal(size=(40_000, 25)).astype(np.float32)
    labels, qid = RNG.integers(0, 3, 40_000), np.arange(40_000) // 20
    ranker = NeuralRanker("mse", "linear", max_epochs=1, early_stopping=False)

    def train_nothing(*_, **__):
        sizes.append(tracemalloc.get_traced_memory()[1])
        raise ZeroDivisionError

    monkeypatch.setattr("ltr.rankers.neural.training.train", train_nothing)
    tracemalloc.start()
    with pytest.raises(ZeroDivisionError):
        ranker.fit(features, labels, qid)
    tracemalloc.stop()
    assert sizes[0] < 1.3 * features.nbytes + 100 * len(features)
