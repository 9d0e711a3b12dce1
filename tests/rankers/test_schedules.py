"""Learning rates by step, clipping, dropout, the plot of a history."""

from __future__ import annotations

import functools
import re

import jax
import matplotlib
import numpy as np
import optax
import pytest
from support.programs import n_compiled_steps

from ltr import LambdaMARTRanker, LinearRanker, NeuralRanker
from ltr.arguments import ArgumentError
from ltr.datasets import make_ranking
from ltr.plotting import LearningCurveDisplay
from ltr.scorers import AttentionScorer, LinearScorer, MLPScorer, with_dropout
from ltr.training import Schedule

matplotlib.use("Agg")
DATA = make_ranking(12, list_size=6, n_features=4, n_informative=2, random_state=0)
TRAIN = DATA.X, DATA.y, DATA.qid


def linear(**options):
    """A ranker that trains for four epochs of three steps."""
    ranker = NeuralRanker("listnet", "linear", learning_rate=0.1, batch_size=4)
    return ranker.set_params(**{"max_epochs": 4, "random_state": 0, **options})


def rates_of(form, n=40, **options):
    """Rates of steps that are equal shares of a fit."""
    schedule = Schedule(form, rate=0.5, max_epochs=4, patience=2, **options)
    return np.array([schedule(step, step / n, 1 / n) for step in range(n)])


def test_names():
    """Against the formulas of optax, which know the number of steps, too."""
    cosine = optax.cosine_decay_schedule(0.5, 40)
    expected = [cosine(i) for i in range(40)]
    np.testing.assert_allclose(rates_of("cosine"), expected, atol=1e-6)
    warm = rates_of("warmup_cosine")
    np.testing.assert_allclose(warm[:3], [0.25, 0.5, 0.5])
    rest = optax.cosine_decay_schedule(0.5, 38)
    np.testing.assert_allclose(warm[2:], [rest(i) for i in range(38)], atol=1e-6)
    np.testing.assert_array_equal(rates_of("reduce_on_plateau"), 0.5)
    np.testing.assert_array_equal(
        rates_of(lambda step: 0.1 * step), 0.1 * np.arange(40)
    )


def test_plateaus():
    """A fifth after two epochs without a better metric, or a clearly lower loss."""
    schedule = Schedule("reduce_on_plateau", rate=1.0, max_epochs=9, patience=2)
    scores = [0.5, 0.4, 0.5, 0.6, 0.6, 0.6, 0.5]
    factors = [schedule.after([1.0] * i, scores[:i]) for i in range(8)]
    np.testing.assert_allclose(factors, [1, 1, 1, 0.2, 0.2, 0.2, 0.04, 0.04])
    assert schedule.after([1.0, 0.99999, 0.99995], []) == pytest.approx(0.2)
    assert schedule.after([1.0, 0.9, 0.8], []) == 1
    assert Schedule("cosine", 1.0, 9, 2).after([1.0] * 9, []) == 1
    repeated = Schedule("reduce_on_plateau", 1.0, 9, 2, replay=tuple(scores))
    assert repeated.after([5.0] * 3, []) == pytest.approx(0.2)


def test_rates_of_a_fit():
    """They are in the history, know the steps, and compile nothing anew."""
    ranker = linear(learning_rate_schedule="cosine").fit(*TRAIN)
    last_steps = [(1 + np.cos(np.pi * (3 * e + 2) / 12)) / 20 for e in range(4)]
    np.testing.assert_allclose(ranker.history_["learning_rate"], last_steps)
    n_programs = n_compiled_steps()
    same = linear(learning_rate_schedule=lambda step: 0.1).fit(*TRAIN)
    linear(learning_rate_schedule="warmup_cosine").fit(*TRAIN)
    constant = linear().fit(*TRAIN)
    assert n_compiled_steps() == n_programs
    assert "learning_rate" not in constant.history_
    np.testing.assert_array_equal(same.coef_, constant.coef_)
    slower = linear(learning_rate_schedule=optax.constant_schedule(0.05)).fit(*TRAIN)
    half = linear(learning_rate=0.05).fit(*TRAIN)
    np.testing.assert_allclose(slower.coef_, half.coef_, rtol=1e-5)


def test_checkpoints_know_the_step(tmp_path, monkeypatch):
    """A fit that goes on has the same rates, metrics and weights."""
    options = {"learning_rate_schedule": "cosine", "metrics": ["mrr"]}
    validation = {"X_val": DATA.X, "y_val": DATA.y, "qid_val": DATA.qid}
    whole = linear(**options).fit(*TRAIN, **validation)

    def stop(state):
        if state.epoch == 2:
            raise RuntimeError("killed")

    options |= {"checkpoint_dir": tmp_path, "checkpoint_every_s": 0.0}
    with pytest.raises(RuntimeError, match="killed"):
        linear(callbacks=[stop], **options).fit(*TRAIN, **validation)
    epochs = []
    ranker = linear(callbacks=[lambda s: epochs.append(s.epoch)], **options)
    ranker.fit(*TRAIN, **validation)
    assert epochs[-1] == 4
    assert len(epochs) < 4
    for name in ("learning_rate", "mrr", "ndcg@10", "loss"):
        assert ranker.history_[name] == whole.history_[name]
    np.testing.assert_array_equal(ranker.coef_, whole.coef_)
    assert not list(tmp_path.iterdir())


def test_clip_norm():
    """Plain gradient descent moves by at most rate · norm; a large norm clips nothing."""
    options = {
        "optimizer": "sgd",
        "batch_size": 12,
        "max_epochs": 1,
        "weight_decay": 0.0,
    }
    free = linear(**options).fit(*TRAIN).coef_ / 0.1
    clipped = linear(**options, clip_norm=0.01).fit(*TRAIN).coef_ / 0.1
    start = linear(**options, learning_rate_schedule=lambda step: 0.0).fit(*TRAIN).coef_
    moved = clipped - start / 0.1
    assert np.linalg.norm(moved) <= 0.01 * (1 + 1e-4)
    direction = free - start / 0.1
    np.testing.assert_allclose(
        moved / np.linalg.norm(moved), direction / np.linalg.norm(direction), rtol=1e-3
    )
    loose = linear(**options, clip_norm=1e6).fit(*TRAIN).coef_ / 0.1
    np.testing.assert_allclose(loose, free, rtol=1e-5)


@pytest.mark.parametrize("form", [MLPScorer, AttentionScorer])
def test_dropout(form):
    """Other units at each key, none without one; the mean is the same."""
    scorer = with_dropout(form((8,)), 0.25)
    params = scorer.init(jax.random.key(0), 4)
    X = jax.numpy.asarray(DATA.X[:6])
    plain, whole = form((8,)).apply(params, X), scorer.apply(params, X)
    np.testing.assert_array_equal(plain, whole)
    first, again, other = (
        scorer.apply(params, X, key=jax.random.key(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    if form is MLPScorer:
        keys = jax.random.split(jax.random.key(3), 4000)
        draws = jax.vmap(lambda key: scorer.apply(params, X, key=key))(keys)
        np.testing.assert_allclose(draws.mean(axis=0), whole, atol=0.02)


def test_dropout_trains():
    """Training with it differs; what predicts has none."""
    make = functools.partial(
        NeuralRanker, "listnet", "mlp", hidden_layer_sizes=(8,), max_epochs=2,
        random_state=0, early_stopping=False,
    )  # fmt: skip
    dropped, plain = make(dropout=0.5).fit(*TRAIN), make().fit(*TRAIN)
    assert dropped.history_["loss"][0] != plain.history_["loss"][0]
    scores = dropped.predict(*TRAIN[::2])
    np.testing.assert_array_equal(scores, dropped.predict(*TRAIN[::2]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"learning_rate_schedule": "cosin"},
            "learning_rate_schedule must be one of 'cosine', 'warmup_cosine', "
            "'reduce_on_plateau', None, or a function of the number of the step; got "
            "'cosin'.",
        ),
        (
            {"learning_rate_schedule": lambda step: -1.0},
            "learning_rate_schedule must return a learning rate, a finite number >= 0; "
            "got -1.0 for step 0.",
        ),
        (
            {"learning_rate_schedule": lambda step: None},
            "learning_rate_schedule must return a learning rate, a finite number >= 0; "
            "got None for step 0.",
        ),
        ({"checkpoint_dir": ""}, "checkpoint_dir must be a path or None; got ''."),
        ({"clip_norm": 0}, "clip_norm must be a number > 0, or None; got 0."),
        ({"dropout": 1.0}, "dropout must be a number >= 0 and < 1; got 1.0."),
        (
            {"dropout": 0.5},
            "dropout is for scorer='mlp', 'wide_deep' or 'attention', which have hidden "
            f"units; got {LinearScorer()!r}. Set dropout=0.0.",
        ),
    ],
)
def test_messages(options, message):
    """In full."""
    with pytest.raises(ArgumentError) as failure:
        linear(**options).fit(*TRAIN)
    assert str(failure.value) == message


def test_partial_fit_knows_no_number_of_steps():
    """A schedule is refused there."""
    message = (
        "learning_rate_schedule needs the number of steps, which partial_fit does not "
        "know. Use fit or fit_stream, or set learning_rate_schedule=None."
    )
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        linear(learning_rate_schedule="cosine").partial_fit(*TRAIN)


HISTORY = {
    "loss": [0.9, 0.5, 0.4],
    "seconds": [1.0] * 3,
    "ndcg@10": [0.3, 0.5, 0.45],
    "mrr": [np.nan, 0.5, 0.6],
}


def test_learning_curves():
    """What is drawn: all metrics and the loss of one ranker, a metric of several."""
    display = LearningCurveDisplay({"mlp": HISTORY}).plot()
    assert display.best_epochs == {("mlp", "ndcg@10"): 2, ("mlp", "mrr"): 3}
    assert display.loss_ax_.lines[0].get_ydata().tolist() == HISTORY["loss"]
    assert display.ax_.lines[0].get_ydata().tolist() == HISTORY["ndcg@10"]
    assert display.loss_ax_.get_xlabel() == "epoch"
    trees = {"ndcg@10": [0.2, 0.4]}
    display = LearningCurveDisplay({"mlp": HISTORY, "trees": trees}).plot()
    assert list(display.curves) == [("mlp", "ndcg@10"), ("trees", "ndcg@10")]
    assert display.loss_ax_ is None
    assert display.ax_.get_ylabel() == "ndcg@10"
    alone = LearningCurveDisplay({"mlp": {"loss": [2.0, 1.0]}}).plot()
    assert alone.best_epochs == {("mlp", "loss"): 2}
    blank = LearningCurveDisplay({"trees": {"mrr": [np.nan]}}).plot()
    assert blank.ax_.texts[0].get_text() == "no epoch has a value"
    matplotlib.pyplot.close("all")


def test_messages_of_learning_curves():
    """Nothing to draw, an unknown column, a ranker without a history."""
    message = (
        "history_ of 'LambdaMARTRanker' must have a column to draw; got none. Fit with "
        "X_val or early_stopping=True, which measure a metric."
    )
    ranker = LambdaMARTRanker(n_estimators=1, n_jobs=1).fit(*TRAIN)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LearningCurveDisplay.from_rankers(ranker)
    with pytest.raises(ValueError, match="^metrics must be columns of history_"):
        LearningCurveDisplay({"mlp": HISTORY}, metrics=["map"])
    with pytest.raises(TypeError, match="^rankers must be fitted and have a history_"):
        LearningCurveDisplay.from_rankers({"ridge": LinearRanker()})
