"""Steps of a fit, compiled while its rows are scaled and placed."""

import logging

import jax
import numpy as np
import pytest

from ltr import NeuralRanker
from ltr.datasets import make_ranking
from ltr.losses import listnet_loss
from ltr.rankers.neural import training


@pytest.fixture
def compiled(caplog):
    """Names of what XLA has compiled since the test began."""
    was = jax.config.jax_log_compiles
    jax.config.update("jax_log_compiles", True)
    caplog.set_level(logging.WARNING, logger="jax")

    def names():
        words = [message.split() for message in caplog.messages]
        return [w[4] for w in words if w[:3] == ["Finished", "XLA", "compilation"]]

    yield names
    jax.config.update("jax_log_compiles", was)


def draw(n_features):
    """Lists of two padded sizes in a fit of a thousand epochs, and row weights."""
    data = make_ranking(
        60, list_size=400, n_features=n_features, n_informative=2, random_state=0
    )
    keep = (data.qid < 30) | (np.arange(len(data.y)) % 8 == 0)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, keep.sum())
    return data.X[keep], data.y[keep], data.qid[keep], weights


def own_loss(scores, labels, *, where, weights):
    """A loss that is not of this library."""
    return listnet_loss(scores, labels, where=where, weights=weights)


@pytest.mark.parametrize(
    ("n_features", "options"),
    [
        (17, {}),
        (18, {"dtype": "float64"}),
        (19, {"warm_start": True, "n_iter_no_change": 1}),
        (20, {"loss": own_loss}),
    ],
)
def test_each_step_is_compiled_once(n_features, options, compiled):
    """The programs that are begun early are those that the epochs run."""
    X, y, qid, weights = draw(n_features)
    ranker = NeuralRanker(**{"loss": "listnet", "max_epochs": 1000} | options)
    ranker.set_params(scorer="mlp", random_state=0, callbacks=[lambda state: True])
    ranker.fit(X, y, qid, sample_weight=weights)
    assert compiled().count("jit(_step)") == 2
    ranker.fit(X, y, qid, sample_weight=weights)
    assert compiled().count("jit(_step)") == 2


def test_a_fit_that_may_stop_early_compiles_less(compiled):
    """It is not expected to take the thousand epochs, for which two steps would pay."""
    X, y, qid, weights = draw(21)
    ranker = NeuralRanker("listnet", "mlp", max_epochs=1000, random_state=0)
    ranker.set_params(early_stopping=True, callbacks=[lambda state: True])
    ranker.fit(X, y, qid, sample_weight=weights)
    assert compiled().count("jit(_step)") == 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_what_is_compiled_early_changes_no_bit(dtype, monkeypatch):
    """As if the steps were compiled when the rows are placed."""
    data = make_ranking(60, list_size=(5, 40), random_state=0)
    X, y, qid = data.X, data.y, data.qid
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    ranker = NeuralRanker("lambdarank", dtype=dtype, max_epochs=2, random_state=0)
    early = ranker.fit(X, y, qid, sample_weight=weights).predict(X, qid)
    assert ranker.history_["compile_seconds"][0] > 0.0
    monkeypatch.setattr(training, "compile_early", lambda *_: None)
    late = ranker.fit(X, y, qid, sample_weight=weights).predict(X, qid)
    assert early.tolist() == late.tolist()


def test_no_epochs_compile_nothing(compiled):
    """There is nothing to run."""
    X, y, qid, _ = draw(21)
    NeuralRanker("listnet", "mlp", max_epochs=0, random_state=0).fit(X, y, qid)
    assert "jit(_step)" not in compiled()
