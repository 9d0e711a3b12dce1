"""Functions of (y_true, y_score, qid) wherever the name of a metric is taken."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from ltr import LambdaMARTRanker, NeuralRanker, SingleFeatureRanker
from ltr.datasets import make_ranking
from ltr.fusion import tune_alpha
from ltr.metrics import evaluate, evaluate_run, get_metric, ndcg_score
from ltr.model_selection import cross_validate_ranker, make_ranking_scorer

DATA = make_ranking(12, random_state=0)


def top_label(y_true, y_score, qid):
    """Mean label of the best item."""
    best = [y_true[qid == q][y_score[qid == q].argmax()] for q in set(qid.tolist())]
    return np.mean(best)


def test_values_by_query():
    """All rows at once for the mean, the rows of a query alone for its value."""
    y, s = [0, 3, 1, 2, 5], [0.5, 0.9, 0.1, 0.8, 0.2]
    qid = ["b", "a", "b", "a", "c"]
    metric = get_metric(top_label)
    assert metric.name == "top_label"
    assert metric(y, s, qid) == pytest.approx(8 / 3)
    assert metric.per_query(y, s, qid).tolist() == [0, 3, 5]
    table = evaluate(y, s, qid, [top_label, "mrr"])
    assert table["mean"]["top_label"] == pytest.approx(8 / 3)
    assert table["n_lists"]["top_label"] == 3


def test_rows_come_as_they_are():
    """In their order, with the ids of the user: scores that tie are not sorted."""
    rows = []

    def spy(y_true, y_score, *, qid):
        rows.append((y_true.tolist(), y_score.tolist(), list(qid)))
        return 0.0

    y, s, qid = [1.0, 2.0, 0.0, 3.0], [0.5, 0.5, 0.9, 0.5], ["b", "a", "a", "b"]
    metric = get_metric(spy)
    metric(y, s, qid)
    metric.per_query(y, s, qid)
    assert rows == [
        (y, s, qid),
        ([1.0, 3.0], [0.5, 0.5], ["b", "b"]),
        ([2.0, 0.0], [0.5, 0.9], ["a", "a"]),
    ]


def test_partials_and_lambdas():
    """A partial has the name of its function, a lambda that of its kind."""
    five = get_metric(functools.partial(ndcg_score, k=5))
    assert five.name == "ndcg"
    expected = get_metric("ndcg@5")(DATA.y, DATA.X[:, 0], DATA.qid)
    assert five(DATA.y, DATA.X[:, 0], DATA.qid) == pytest.approx(expected)
    assert get_metric(lambda y, s, qid: 0.5).name == "metric"


def test_what_a_function_returns():
    """NaN is a query that is left out; anything but a number is refused."""
    half = get_metric(lambda y, s, qid: y.mean() if y.any() else np.nan)
    assert half([1, 0, 0, 0], [1, 2, 3, 4], [1, 1, 2, 2]) == 0.25
    table = evaluate([1, 0, 0, 0], [1, 2, 3, 4], [1, 1, 2, 2], half)
    assert table.loc["metric", ["mean", "n_lists"]].tolist() == [0.5, 1]
    message = (
        "^metric 'metric' must return a number, its mean over the queries; got ndarray "
        r"of shape \(2,\)\.$"
    )
    with pytest.raises(TypeError, match=message):
        get_metric(lambda y, s, qid: y)([1, 0], [1, 2], None)


def test_errors_name_the_query():
    """A function that fails on a query alone."""

    def fails(y_true, y_score, qid):
        return 1 / len(y_true[qid == "a"])

    assert get_metric(fails)([1, 0], [1, 2], ["a", "b"]) == 1
    with pytest.raises(ZeroDivisionError) as failure:
        evaluate([1, 0], [1, 2], ["a", "b"], fails)
    assert failure.value.__notes__ == ["metric 'fails' of query np.str_('b') alone"]


def test_all_who_take_a_metric():
    """Rankers, scorers, cross-validation, runs and fusion use one resolver."""
    columns = DATA.X, DATA.y, DATA.qid
    ranker = SingleFeatureRanker(metric=top_label).fit(*columns)
    expected = top_label(DATA.y, ranker.predict(DATA.X), np.asarray(DATA.qid))
    assert ranker.score(*columns) == pytest.approx(expected)
    scorer = make_ranking_scorer(top_label)
    assert scorer(ranker, DATA.X, DATA.y, qid=DATA.qid) == pytest.approx(expected)
    folds = cross_validate_ranker(ranker, *columns, metrics=[top_label], cv=2)
    assert "test_top_label" in folds
    runs = {"q": {"d": 0.5, "e": 0.9}}
    table = evaluate_run(runs, {"q": {"d": 1, "e": 2}}, [top_label])
    assert table["mean"]["top_label"] == 2
    for name in ("lambdamart", "neural"):
        trained = (
            LambdaMARTRanker(n_estimators=3, early_stopping=False, metric=top_label)
            if name == "lambdamart"
            else NeuralRanker("mse", "linear", max_epochs=0, metric=top_label)
        ).fit(*columns)
        assert trained.score(*columns) == pytest.approx(
            top_label(DATA.y, trained.predict(DATA.X), np.asarray(DATA.qid))
        )
    runs = [{"q": {"d": 0.5, "e": 0.9}}, {"q": {"d": 0.9, "e": 0.5}}]
    alpha, means = tune_alpha(runs, {"q": {"d": 1, "e": 0}}, top_label)
    assert means.name == "top_label"
    assert (alpha < 0.5) == (means[alpha] == 1)
