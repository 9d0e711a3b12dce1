"""Several steps of a fit in one call of the program are those steps one by one."""

from functools import partial

import jax
import numpy as np
import optax
import pytest

from ltr import NeuralRanker, TSPRanker
from ltr.datasets import make_ranking
from ltr.losses import combine, gumbel_ndcg_loss, listnet_loss
from ltr.rankers.neural import placement, training
from ltr.scorers import LinearScorer, MLPScorer, ModuleScorer
from ltr.training.steps import Losses
from ltr.training.work import STEPS_PER_CALL

# 42 lists, 4 of them a step: 11 steps an epoch, so that the second call has 3
DATA = make_ranking(42, list_size=(3, 6), n_features=4, n_informative=2, random_state=0)
WEIGHTS = np.random.default_rng(0).uniform(0.5, 2.0, len(DATA.y))
OPTIONS = {"max_epochs": 3, "batch_size": 4, "random_state": 0, "dtype": "float64"}
SMALL = {"hidden_layer_sizes": (5,), **OPTIONS}


def own_loss(scores, labels, *, where, weights):
    """A loss that is not of this library."""
    return listnet_loss(scores, labels, where=where, weights=weights)


def make_module(key, n_features):
    """A scorer that is a module of another library."""
    return jax.tree_util.Partial(jax.numpy.dot, jax.random.normal(key, (n_features,)))


class OwnScorer(LinearScorer):
    """A scorer that is not of this library."""


def own_optimizer(learning_rate):
    """An optimizer that is not of this library."""
    return optax.sgd(learning_rate)


def fit(ranker):
    """The ranker, trained on weighted rows if it takes weights."""
    weights = {} if isinstance(ranker, TSPRanker) else {"sample_weight": WEIGHTS}
    return ranker.fit(DATA.X, DATA.y, DATA.qid, **weights)


@pytest.fixture
def plans(monkeypatch):
    """By steps of a call: the plans of the fits of a test."""
    collected, train = {}, training.train

    def collect(plan, *arguments, **options):
        collected.setdefault(plan.steps_per_call, []).append(plan)
        return train(plan, *arguments, **options)

    monkeypatch.setattr(training, "train", collect)
    return collected


@pytest.mark.parametrize(
    "ranker",
    [
        NeuralRanker("listnet", "linear", optimizer="lion", **OPTIONS),
        NeuralRanker("ranknet", learning_rate_schedule="warmup_cosine", **SMALL),
        NeuralRanker(partial(gumbel_ndcg_loss, n_samples=2), clip_norm=0.01, **SMALL),
        NeuralRanker("lambdarank", MLPScorer((5,), dropout=0.3), **OPTIONS),
        NeuralRanker("ranklist", early_stopping=True, **SMALL),
        NeuralRanker(combine((1.0, "listnet"), (0.5, "mse")), "attention", **OPTIONS),
        TSPRanker("pairwise", encoder="identity", **OPTIONS),
    ],
    ids=["lion", "schedule", "draws", "dropout", "skip", "attention", "tsp"],
)
def test_same_steps(ranker, plans, monkeypatch):
    """With their rates, keys and numbers; the losses of all of them are summed."""
    together = fit(ranker)
    of_together, history = together._learned_state, together.history_
    monkeypatch.setattr(placement, "STEPS_PER_CALL", 1)
    alone = fit(ranker)
    assert [*plans] == [STEPS_PER_CALL, 1]
    for name in ("loss", "learning_rate", "ndcg@10"):
        if name in history:
            np.testing.assert_allclose(history[name], alone.history_[name], rtol=1e-9)
    pairs = zip(
        jax.tree.leaves(of_together.params),
        jax.tree.leaves(alone._learned_state.params),
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": own_loss},
        {"optimizer": own_optimizer},
        {"scorer": OwnScorer()},
        {"scorer": ModuleScorer(make_module)},
        {"batch_size": 42},
    ],
    ids=["own loss", "own optimizer", "own scorer", "own module", "one step"],
)
def test_alone(options, plans):
    """Where a loop may not carry the state, or has nothing to save."""
    fit(NeuralRanker(**{"loss": "listnet", "scorer": "linear", **OPTIONS, **options}))
    assert [*plans] == [1]


def test_long_steps(plans, monkeypatch):
    """A call takes no time beside them."""
    monkeypatch.setattr(placement, "SHORT_STEP", 1.0)
    fit(NeuralRanker("listnet", "linear", **OPTIONS))
    assert [*plans] == [1]


def test_two_shapes(plans, monkeypatch):
    """Most calls would be of a single step."""
    monkeypatch.setattr(placement, "COMPILATION_ROWS", 0)
    short, long = DATA, make_ranking(9, list_size=40, n_features=4, random_state=1)
    X, y = np.concatenate([short.X, long.X]), np.concatenate([short.y, long.y])
    qid = np.concatenate([short.qid, long.qid + 100])
    options = {**SMALL, "max_epochs": 1000, "n_iter_no_change": 1}
    NeuralRanker("listnet", callbacks=[lambda _: True], **options).fit(X, y, qid)
    assert [*plans] == [1]


def test_losses():
    """Those of the calls that are done, without what a short call leaves over."""
    losses = Losses([1.0, 2.0])
    losses.add(np.float32(3.0))
    losses.add(np.array([4.0, 5.0, 0.0], np.float32), 2)
    assert len(losses) == 5
    assert losses.each == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert losses.each[-1].dtype == np.float32
