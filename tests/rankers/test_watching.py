"""Callbacks, watched metrics, history over warm starts, refit: for all rankers alike."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ltr import LambdaMARTRanker, NeuralRanker, TSPRanker
from ltr.arguments import ArgumentError
from ltr.callbacks import Watch, check_callbacks, joined_history
from ltr.datasets import make_ranking
from ltr.rankers.persistence import load_ranker, save_ranker

SHAPE = {"list_size": 6, "n_features": 4, "n_informative": 2}
DATA = make_ranking(24, **SHAPE, random_state=0)
TRAIN = tuple(column[:72] for column in (DATA.X, DATA.y, DATA.qid))
X_VAL, Y_VAL, QID_VAL = (column[72:] for column in (DATA.X, DATA.y, DATA.qid))
VALIDATION = {"X_val": X_VAL, "y_val": Y_VAL, "qid_val": QID_VAL}
RANKERS = {
    "neural": lambda **options: NeuralRanker(
        "listnet", "linear", max_epochs=4, random_state=3, **options
    ),
    "pairs": lambda **options: TSPRanker(
        "pairwise", encoder="identity", max_epochs=4, random_state=3, n_jobs=1,
        **options,
    ),
    "trees": lambda **options: LambdaMARTRanker(
        n_estimators=4, min_child_samples=5, random_state=0, n_jobs=1, **options
    ),
}  # fmt: skip


class Recorder:
    """A callback that keeps the states, and stops after some epochs."""

    def __init__(self, last=None):
        self.states, self.last = [], last

    def on_epoch(self, state):
        """Keep the state."""
        self.states.append(state)
        return None if self.last is None else state.epoch >= self.last


@pytest.fixture(scope="module", params=RANKERS)
def watched(request):
    """A ranker with validation, what its callbacks have seen, and how it was made."""
    recorder, epochs = Recorder(), []
    ranker = RANKERS[request.param](
        metrics=["mrr", "map"], callbacks=[recorder, lambda s: epochs.append(s.epoch)],
        warm_start=True,
    )  # fmt: skip
    ranker.fit(*TRAIN, **VALIDATION)
    assert epochs == [1, 2, 3, 4]
    return request.param, ranker, recorder.states


def test_states(watched):
    """The numbers of the history, and a ranker of each epoch."""
    name, ranker, states = watched
    metrics = [ranker.metric, "mrr", "map"]
    assert [state.max_epochs for state in states] == [4] * 4
    for i, state in enumerate(states):
        assert list(state.metrics) == metrics
        assert [state.metrics[m] for m in metrics] == [
            ranker.history_[m][i] for m in metrics
        ]
        score = state.ranker.score(X_VAL, Y_VAL, QID_VAL)
        assert score == pytest.approx(state.score)
    best = states[-1].best_epoch
    assert states[-1].best_score == pytest.approx(ranker.best_score_)
    assert best == (ranker.n_iter_ if name == "trees" else ranker.best_epoch_)
    losses = [state.loss for state in states]
    assert (
        losses == ranker.history_["loss"] if name != "trees" else np.isnan(losses).all()
    )
    seconds = [state.seconds for state in states]
    assert seconds[0] > 0
    assert seconds == sorted(seconds)


def test_history_goes_on(watched, tmp_path):
    """A warm start appends to it, and counts on, also after saving and loading."""
    name, ranker, states = watched
    if name == "trees":
        ranker.set_params(n_estimators=ranker.n_iter_ + 2)
    save_ranker(ranker, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model").set_params(metrics=["mrr"])
    first = {key: list(column) for key, column in ranker.history_.items()}
    n_before = ranker.n_iter_ if name == "trees" else 4
    ranker.set_params(metrics=["mrr"]).fit(*TRAIN, **VALIDATION)
    n_new = len(ranker.history_["mrr"]) - n_before
    for key, column in ranker.history_.items():
        assert column[:n_before] == first[key][:n_before]
        assert len(column) == n_before + n_new
    assert np.isnan(ranker.history_["map"][n_before:]).all()
    loaded.fit(*TRAIN, **VALIDATION)
    assert loaded.history_["mrr"] == ranker.history_["mrr"]
    scores = loaded.predict(X_VAL, QID_VAL)
    np.testing.assert_array_equal(scores, ranker.predict(X_VAL, QID_VAL))
    assert states[-1].epoch == n_before + n_new


@pytest.mark.parametrize("name", RANKERS)
def test_stopping(name):
    """True ends training after the epoch; other answers do not; errors change nothing."""
    make = RANKERS[name]
    ranker = make(early_stopping=False, callbacks=[Recorder(last=2), lambda state: 1])
    assert ranker.fit(*TRAIN).n_iter_ == 2
    before = ranker.predict(X_VAL, QID_VAL)

    def fails(state):
        raise RuntimeError("pruned")

    with pytest.raises(RuntimeError, match="^pruned$"):
        ranker.set_params(callbacks=[fails]).fit(X_VAL, Y_VAL, QID_VAL)
    np.testing.assert_array_equal(ranker.predict(X_VAL, QID_VAL), before)


@pytest.mark.parametrize("name", ["neural", "trees"])
def test_watching_without_stopping(name):
    """With early_stopping=False, X_val and metrics: the last epoch counts."""
    ranker = RANKERS[name](early_stopping=False, metrics=["mrr"])
    ranker.fit(*TRAIN, **VALIDATION)
    unwatched = RANKERS[name](early_stopping=False).fit(*TRAIN)
    assert ranker.n_iter_ == unwatched.n_iter_ == 4
    expected = unwatched.predict(X_VAL, QID_VAL)
    np.testing.assert_array_equal(ranker.predict(X_VAL, QID_VAL), expected)
    assert ranker.best_score_ == ranker.history_["ndcg@10"][-1]


@pytest.mark.parametrize("name", RANKERS)
def test_refit(name):
    """The same as a fit on all rows for the best number of epochs."""
    ranker = RANKERS[name](refit=True).fit(*TRAIN, **VALIDATION)
    stopped = RANKERS[name]().fit(*TRAIN, **VALIDATION)
    without_time = [k for k in ranker.history_ if "seconds" not in k]
    for key in without_time:
        assert ranker.history_[key] == stopped.history_[key]
    assert ranker.best_score_ == stopped.best_score_
    n_best = stopped.n_iter_ if name == "trees" else stopped.best_epoch_
    assert n_best > 0
    whole = RANKERS[name](early_stopping=False)
    whole.set_params(**{"n_estimators" if name == "trees" else "max_epochs": n_best})
    whole.fit(DATA.X, DATA.y, DATA.qid)
    expected = whole.predict(DATA.X, DATA.qid)
    np.testing.assert_allclose(ranker.predict(DATA.X, DATA.qid), expected, rtol=1e-6)


def test_own_metrics_see_the_ids_of_the_user():
    """A function of rows stops training, with the ids that fit was given."""
    seen = set()

    def first_letters(y_true, y_score, qid):
        seen.update(qid)
        return float(np.mean(y_score))

    qid_val = [f"query {q}" for q in QID_VAL]
    ranker = RANKERS["neural"](metric=first_letters)
    ranker.fit(*TRAIN, X_val=X_VAL, y_val=Y_VAL, qid_val=qid_val)
    assert seen == set(qid_val)
    assert list(ranker.history_)[-1] == "first_letters"


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        (True, True),
        (np.bool_(True), True),
        (np.array(True), True),
        (np.array(False), False),
        (1, False),
        (np.array([True]), False),
        (None, False),
    ],
)
def test_what_ends_training(answer, ends):
    """True, also as an array without axes, as a comparison of JAX is."""
    assert Watch([lambda state: answer])(None) is ends


def test_saved_rankers_have_no_callbacks(tmp_path):
    """They watch a fit, and need not be plain values."""
    ranker = RANKERS["trees"](callbacks=[lambda state: None], metrics=["mrr"])
    ranker.fit(*TRAIN, **VALIDATION)
    save_ranker(ranker, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    assert loaded.callbacks is None
    assert tuple(loaded.metrics) == ("mrr",)


@pytest.mark.parametrize(
    ("callbacks", "ending"),
    [
        (print, f"{print!r}. Pass it in a list."),
        ([Recorder], f"{Recorder!r}. Pass an instance."),
        ([3], "3."),
        ("print", "'print'."),
    ],
)
def test_messages_of_callbacks(callbacks, ending):
    """What callbacks are, and what to do."""
    message = (
        "callbacks must be a list of functions of a TrainingState, or of objects with a "
        f"method on_epoch(state); got {ending}"
    )
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        check_callbacks(callbacks)
    for ranker in (
        NeuralRanker(callbacks=callbacks),
        LambdaMARTRanker(callbacks=callbacks),
    ):
        with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
            ranker.fit(*TRAIN)


def test_messages_of_metrics_and_refit():
    """A name in place of a list; validation rows without what the loss needs."""
    message = (
        "metrics must be a list of metrics to watch besides metric, such as ['map', "
        "'mrr']; got 'map'."
    )
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        LambdaMARTRanker(metrics="map").fit(*TRAIN)
    message = (
        "refit=True trains on the validation queries, too, and needs their "
        "teacher_scores, which fit does not take. Leave X_val out, so that queries are "
        "held out, or set refit=False."
    )
    ranker = NeuralRanker("kl_distillation", refit=True)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.fit(*TRAIN, teacher_scores=TRAIN[1], **VALIDATION)
    with pytest.warns(UserWarning, match="^metrics are measured on validation queries"):
        LambdaMARTRanker(metrics=["map"], n_estimators=1).fit(*TRAIN)


def test_joined_history():
    """Epochs that a warm start dropped are not in it."""
    past = {"ndcg": [0.1, 0.2, 0.3], "map": [0.5, 0.6, 0.7]}
    assert joined_history(past, 2, {"ndcg": [0.4]}) == {
        "ndcg": [0.1, 0.2, 0.4],
        "map": [0.5, 0.6, pytest.approx(np.nan, nan_ok=True)],
    }
    assert joined_history(past, 0, {"ndcg": [0.4]}) == {"ndcg": [0.4]}
