"""Recipes of the documentation: pruned trials, and trackers of experiments."""

from __future__ import annotations

import re

import pytest

from ltr import LambdaMARTRanker
from ltr.datasets import make_ranking

DATA = make_ranking(30, list_size=8, n_features=4, n_informative=2, random_state=0)
TRAIN = tuple(column[:160] for column in (DATA.X, DATA.y, DATA.qid))
VALIDATION = {
    name: column[160:]
    for name, column in zip(
        ("X_val", "y_val", "qid_val"), (DATA.X, DATA.y, DATA.qid), strict=True
    )
}


def fit(callback, **options):
    """Five trees, watched."""
    ranker = LambdaMARTRanker(n_estimators=5, n_jobs=1, random_state=0, **options)
    ranker.set_params(callbacks=[callback], min_child_samples=5)
    return ranker.fit(*TRAIN, **VALIDATION)


def test_optuna_prunes():
    """An exception in a callback ends fit; the pruner sees the metric of each tree."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial):
        def report(state):
            trial.report(state.score, state.epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        rate = trial.suggest_categorical("learning_rate", [0.1, 1e-9])
        return fit(report, learning_rate=rate).best_score_

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.GridSampler({"learning_rate": [0.1, 1e-9]}, seed=0),
        pruner=optuna.pruners.ThresholdPruner(lower=2.0, n_warmup_steps=3),
    )
    study.optimize(objective, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "PRUNED"]
    assert [sorted(t.intermediate_values) for t in study.trials] == [[1, 2, 3]] * 2


def test_tensorboard(tmp_path):
    """Any writer with add_scalar, by tag and step."""
    tensorboard = pytest.importorskip("tensorboardX")
    with tensorboard.SummaryWriter(str(tmp_path)) as writer:
        fit(
            lambda state: [
                writer.add_scalar(name, value, state.epoch)
                for name, value in state.metrics.items()
            ],
            metrics=["map"],
        )
    assert [path.name.startswith("events.") for path in tmp_path.iterdir()] == [True]


def test_mlflow():
    """Names as MLflow takes them, values that are numbers, steps from 1."""
    logged = []

    def log_metrics(metrics, step):
        for name, value in metrics.items():
            assert re.fullmatch(r"[\w\-. /:]+", name)  # mlflow.utils.validation
            logged.append((name, float(value), step))

    def log(state):
        metrics = {
            name.replace("@", "_at_"): value for name, value in state.metrics.items()
        }
        log_metrics(metrics, step=state.epoch)

    ranker = fit(log, metrics=["map"])
    expected = [
        (key, ranker.history_[name][i], i + 1)
        for i in range(5)
        for name, key in (("ndcg@10", "ndcg_at_10"), ("map", "map"))
    ]
    assert logged == expected
