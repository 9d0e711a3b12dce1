"""Weights of queries in ``score``, scorers, searches and cross-validation."""

import re

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ltr import AutoRanker, LinearRanker, SingleFeatureRanker, StackingRanker
from ltr.datasets import make_ranking
from ltr.metrics import ndcg_score
from ltr.model_selection import (
    QueryKFold,
    cross_val_predict_ranker,
    cross_validate_ranker,
    make_ranking_scorer,
)

DATA = make_ranking(n_queries=24, random_state=0)
X, Y, QID = DATA.X, DATA.y, DATA.qid
RNG = np.random.default_rng(0)
OF_QUERY = dict(zip(np.unique(QID), RNG.integers(0, 4, size=24) / 2, strict=True))
W = np.array([OF_QUERY[q] for q in QID])


def ndcg(scores, rows=slice(None), weight=W):
    weight = None if weight is None else weight[rows]
    return ndcg_score(Y[rows], scores, qid=QID[rows], k=10, query_weight=weight)


def test_score():
    """The weighted mean of the metric, also through a pipeline."""
    ranker = LinearRanker(1.0).fit(X, Y, QID)
    assert ranker.score(X, Y, QID, query_weight=W) == ndcg(ranker.predict(X, QID))
    assert ranker.score(X, Y, QID, query_weight=np.full(len(Y), 7.0)) == pytest.approx(
        ranker.score(X, Y, QID), rel=1e-14
    )
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            StandardScaler(), LinearRanker(1.0).set_score_request(query_weight=True)
        ).fit(X, Y, qid=QID)
        score = pipeline.score(X, Y, qid=QID, query_weight=W)
        assert score == ndcg(pipeline.predict(X, qid=QID))
    message = (
        "query_weight must have one weight per row of y_true; got one per query, 24 "
        f"weights for {len(Y)} rows. Repeat the weight of a query for each of its rows."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.score(X, Y, QID, query_weight=list(OF_QUERY.values()))


@pytest.mark.parametrize("kind", ["score", "scorer"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_search(kind, is_weighted):
    """Weights of a search reach the metric on request, by scikit-learn's rules."""
    ranker, scorer = LinearRanker(1.0, metric="ndcg@10"), None
    if kind == "scorer":
        scorer = make_ranking_scorer("ndcg@10")
    with sklearn.config_context(enable_metadata_routing=True):
        if is_weighted:
            (ranker if scorer is None else scorer).set_score_request(query_weight=True)
        search = GridSearchCV(
            ranker, {"alpha": [1.0]}, cv=QueryKFold(3), scoring=scorer, refit=False
        ).fit(X, Y, qid=QID, query_weight=W)
    for fold, (train, test) in enumerate(QueryKFold(3).split(X, Y, qid=QID)):
        fit = LinearRanker(1.0).fit(
            X[train], Y[train], QID[train], query_weight=W[train]
        )
        expected = ndcg(
            fit.predict(X[test], QID[test]), test, W if is_weighted else None
        )
        value = search.cv_results_[f"split{fold}_test_score"][0]
        assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("ranker", "fit_weights"),
    [(LinearRanker(1.0), False), (LinearRanker(1.0), True), (Ridge(), False)],
)
def test_cross_validation(ranker, fit_weights):
    """Weights of metrics and of fits are told apart; any regressor has the former."""
    fit_params = {"query_weight": 1.0 + W} if fit_weights else {}
    result = cross_validate_ranker(
        ranker,
        X,
        Y,
        QID,
        cv=3,
        metrics="ndcg@10",
        fit_params=fit_params,
        query_weight=W,
    )
    scores = cross_val_predict_ranker(ranker, X, Y, QID, cv=3, fit_params=fit_params)
    for fold, (_, test) in enumerate(QueryKFold(3).split(X, Y, qid=QID)):
        value = result["test_ndcg@10"][fold]
        assert value == pytest.approx(ndcg(scores[test], test), rel=1e-12)


def test_a_fold_without_weight():
    """It has no mean; the message says which."""
    last = list(QueryKFold(3).split(X, Y, qid=QID))[2][1]
    weight = np.where(np.isin(np.arange(len(Y)), last), 0.0, 1.0)
    message = (
        "query_weight must have a weight above zero in each test part; got only zeros in "
        "fold 2. Take fewer folds, or leave these queries out."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        cross_validate_ranker(
            SingleFeatureRanker(), X, Y, QID, cv=3, query_weight=weight
        )


def top_label(y, scores, qid):
    """A metric that takes no weights."""
    return np.mean([y[qid == q][scores[qid == q].argmax()] for q in np.unique(qid)])


@pytest.mark.filterwarnings("ignore:early_stopping=True chooses")
def test_early_stopping():
    """Queries that are held out are validated with their weights; rows keep theirs."""
    from ltr import LambdaMARTRanker

    history = {}
    for name, weights in {
        "weighted": {"query_weight": 1.0 + 9.0 * W},
        "scaled": {"query_weight": 2.0 + 18.0 * W},
        "rows": {"sample_weight": 1.0 + 9.0 * W},
        "none": {},
    }.items():
        ranker = LambdaMARTRanker(
            n_estimators=6, n_iter_no_change=6, early_stopping=True, metrics=[top_label],
            metric="ndcg@10", validation_fraction=0.4, n_jobs=1, random_state=0,
        )  # fmt: skip
        history[name] = ranker.fit(X, Y, QID, **weights).history_
    first = {name: columns["ndcg@10"][0] for name, columns in history.items()}
    assert history["weighted"]["ndcg@10"] == pytest.approx(history["scaled"]["ndcg@10"])
    assert first["weighted"] != pytest.approx(first["rows"], abs=1e-6)
    assert history["weighted"]["top_label"] == history["rows"]["top_label"]


@pytest.mark.filterwarnings("ignore:early_stopping=True chooses")
def test_nothing_with_weight_is_held_out():
    """The message says how to go on."""
    from ltr import LambdaMARTRanker

    ranker = LambdaMARTRanker(
        n_estimators=2, early_stopping=True, validation_fraction=0.04, n_jobs=1,
        random_state=0,
    )  # fmt: skip
    message = (
        "query_weight must be above zero for some query that is held out; got 0 for all "
        "1. Leave queries of weight 0 out, pass X_val, or set early_stopping=False."
    )
    caught = []
    for query in np.unique(QID):
        try:
            ranker.fit(X, Y, QID, query_weight=np.where(QID == query, 0.0, 1.0))
        except ValueError as error:
            caught.append(str(error))
    assert caught == [message]


@pytest.mark.parametrize("name", ["sample_weight", "query_weight"])
def test_a_training_part_without_weight(name):
    """The error comes before any fit, and names the fold."""
    only = np.where(QID == QID[0], 1.0, 0.0)
    fold = next(
        i for i, (_, test) in enumerate(QueryKFold(3).split(X, Y, qid=QID)) if 0 in test
    )
    message = (
        f"{name} must have a weight above zero in each training part; got only zeros "
        f"in that of fold {fold}. Leave rows of weight 0 out, or weight more queries."
    )
    inputs = {"cv": 3, "fit_params": {name: only}}
    members = [("a", LinearRanker()), ("b", LinearRanker(1.0))]
    for call in (
        lambda: cross_validate_ranker(LinearRanker(), X, Y, QID, **inputs),
        lambda: cross_val_predict_ranker(LinearRanker(), X, Y, QID, **inputs),
        lambda: StackingRanker(members, cv=3).fit(X, Y, QID, **{name: only}),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            call()


def test_weights_of_auto_ranker_that_are_no_column():
    message = (
        "query_weight must be one-dimensional with one weight per row of X; got a dict. "
        "Pass a list or an array."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        AutoRanker(1.0).fit(X, Y, QID, query_weight=OF_QUERY)
