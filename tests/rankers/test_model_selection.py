"""qid in splitting, fitting and scoring of scikit-learn's tools."""

import pickle
import re
from typing import ClassVar

import hypothesis.strategies as st
import numpy as np
import pytest
import sklearn
from hypothesis import given
from sklearn.base import clone
from sklearn.feature_selection import RFECV
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from support.strategies import query_ids

from ltr import (
    LambdaMARTRanker,
    NeuralRanker,
    SingleFeatureRanker,
    load_ranker,
    save_ranker,
)
from ltr.datasets import make_ranking
from ltr.metrics import Measured, ndcg_score, ranking_metric
from ltr.model_selection import (
    QueryKFold,
    QueryMinMaxScaler,
    QueryShuffleSplit,
    QueryStandardScaler,
    cross_validate_ranker,
    make_ranking_scorer,
)

DATA = make_ranking(24, list_size=(3, 9), n_features=4, n_informative=3, random_state=0)
ORDER = np.random.default_rng(0).permutation(len(DATA.y))
X, Y = DATA.X[ORDER], DATA.y[ORDER]
QID = np.array([f"list {q}" for q in DATA.qid])[ORDER]  # interleaved, strings
RANKER = NeuralRanker("ranknet", "linear", max_epochs=2, random_state=0)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


SPLITTERS = [
    QueryKFold(2),
    QueryKFold(2, shuffle=True, random_state=0),
    QueryShuffleSplit(3, test_size=0.4, random_state=0),
]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
@given(qid=query_ids(), data=st.data())
def test_no_list_is_cut(splitter, qid, data):
    """Training and test parts hold whole lists, and none in common."""
    if len(set(qid)) < 2:
        return
    parts = list(splitter.split(np.zeros((len(qid), 1)), qid=qid))
    assert len(parts) == splitter.get_n_splits()
    for train, test in parts:
        a, b = {qid[i] for i in train}, {qid[i] for i in test}
        assert a
        assert b
        assert not a & b
        assert sorted(train) == [i for i, q in enumerate(qid) if q in a]
        assert sorted(test) == [i for i, q in enumerate(qid) if q in b]


@given(qid=query_ids())
def test_k_folds_cover_every_row_once(qid):
    """Each row is in one test part, and in training otherwise."""
    k = min(3, len(set(qid)))
    if k < 2:
        return
    tests = []
    for train, test in QueryKFold(k).split(qid, qid=qid):
        assert sorted([*train, *test]) == list(range(len(qid)))
        tests += test.tolist()
    assert sorted(tests) == list(range(len(qid)))


def test_groups_is_another_name():
    """Without routing groups= reaches the splitter, but nothing else: a warning."""
    with pytest.warns(UserWarning, match="without it each fold counts as one query"):
        (train, _), _ = QueryKFold(2).split(X, Y, QID)
    assert set(QID[train]).isdisjoint(QID[np.setdiff1d(np.arange(len(X)), train)])


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(RANKER, {"learning_rate": [1e-6, 0.1]}, cv=QueryKFold(3)),
        RandomizedSearchCV(
            RANKER,
            {"learning_rate": [1e-6, 0.1]},
            n_iter=2,
            cv=QueryShuffleSplit(2, test_size=0.4, random_state=0),
            scoring=make_ranking_scorer("ndcg@10"),
        ),
    ],
)
def test_searches(search):
    """The score of a candidate is the mean over the lists of each fold."""
    search.fit(X, Y, qid=QID)
    expected = []
    for train, test in search.cv.split(X, qid=QID):
        ranker = sklearn.clone(RANKER).set_params(learning_rate=0.1)
        ranker.fit(X[train], Y[train], QID[train])
        scores = ranker.predict(X[test])
        expected.append(ndcg_score(Y[test], scores, qid=QID[test], k=10))
    at = [p["learning_rate"] for p in search.cv_results_["params"]].index(0.1)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"][at], np.mean(expected)
    )
    assert search.score(X, Y, qid=QID) == search.best_estimator_.score(X, Y, QID)


@pytest.mark.usefixtures("routing")
def test_cross_validate_and_group_k_fold():
    """Our scorers work with scikit-learn's own group splitters, by an alias."""
    cv = GroupKFold(3).set_split_request(groups="qid")
    result = cross_validate(
        RANKER,
        X,
        Y,
        cv=cv,
        params={"qid": QID},
        scoring={"a": make_ranking_scorer("ndcg@10"), "b": make_ranking_scorer("map")},
    )
    for i, (train, test) in enumerate(cv.split(X, groups=QID)):
        ranker = sklearn.clone(RANKER).fit(X[train], Y[train], QID[train])
        assert result["test_a"][i] == ranker.score(X[test], Y[test], QID[test])


@pytest.mark.usefixtures("routing")
def test_pipeline_with_query_scaler():
    """qid reaches the scaler's transform and the ranker's fit, predict and score."""
    pipeline = make_pipeline(QueryStandardScaler(), RANKER).fit(X, Y, qid=QID)
    Z = QueryStandardScaler().fit_transform(X, qid=QID)
    by_hand = sklearn.clone(RANKER).fit(Z, Y, QID)
    np.testing.assert_array_equal(pipeline.predict(X, qid=QID), by_hand.predict(Z))
    assert pipeline.score(X, Y, qid=QID) == by_hand.score(Z, Y, QID)
    result = cross_validate_ranker(pipeline, X, Y, QID, cv=3)
    assert np.isfinite(result["test_ndcg@10"]).all()


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("ranker", [RANKER, LambdaMARTRanker(n_estimators=3, n_jobs=1)])
def test_rfecv(ranker):
    """Feature elimination scored by list."""
    selector = RFECV(ranker, cv=QueryKFold(3), scoring=make_ranking_scorer("ndcg@10"))
    selector.fit(X, Y, qid=QID)
    scores = selector.cv_results_["mean_test_score"]
    assert len(scores) == 4
    expected = cross_validate_ranker(ranker, X, Y, QID, cv=3)["test_ndcg@10"].mean()
    np.testing.assert_allclose(scores[-1], expected)


@pytest.mark.usefixtures("routing")
def test_rfecv_without_scoring_is_r2():
    """scikit-learn's fallback, which the docs warn of: scores below 0 show it."""
    selector = RFECV(RANKER, cv=QueryKFold(3)).fit(X, Y, qid=QID)
    assert (selector.cv_results_["mean_test_score"] < 0).all()


def test_cross_validate_ranker_keeps_lists_whole():
    """Splitters by row are refused, scikit-learn's group splitters work."""
    ranker = NeuralRanker("ranknet", "linear", max_epochs=1, random_state=0)
    for qid, queries in (
        ([5, 5, 6, 6, 6, 6, 7, 7], "qid 6"),
        ([5, 5, 6, 6, 5, 5, 6, 6], "qid 5 and of 1 other query"),
        ([5, 6, 7, 7, 5, 6, 7, 7], "qid 5 and of 2 other queries"),
    ):
        message = (
            "cv must keep queries whole; got KFold(n_splits=2, random_state=None, "
            f"shuffle=False), which has rows of {queries} on both sides of fold 0. Use "
            "ltr.model_selection.QueryKFold."
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            cross_validate_ranker(ranker, DATA.X[:8], DATA.y[:8], qid, cv=KFold(2))
    result = cross_validate_ranker(ranker, DATA.X, DATA.y, DATA.qid, cv=GroupKFold(3))
    assert len(result["test_ndcg@10"]) == 3


def test_cross_validate_ranker():
    """One call does routing, splitting by query and scoring by list."""
    result = cross_validate_ranker(
        RANKER, X, Y, QID, cv=3, metrics=["ndcg@10", "mrr"], return_estimator=True
    )
    assert result["test_mrr"].shape == (3,)
    for i, (_, test) in enumerate(QueryKFold(3).split(X, qid=QID)):
        expected = result["estimator"][i].score(X[test], Y[test], QID[test])
        assert result["test_ndcg@10"][i] == expected
    weights = np.linspace(0.5, 2, len(Y))
    weighted = cross_validate_ranker(
        RANKER, X, Y, QID, cv=3, fit_params={"sample_weight": weights}
    )
    assert not np.array_equal(weighted["test_ndcg@10"], result["test_ndcg@10"])


def test_any_regressor():
    """A regressor without qid is scored by list all the same."""
    message = "metrics must be given for an estimator without a metric of its own; got "
    message += "None for Ridge(). Pass metrics='ndcg@10', say."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        cross_validate_ranker(Ridge(), X, Y, QID, cv=3)
    result = cross_validate_ranker(Ridge(), X, Y, QID, cv=3, metrics="ndcg@10")
    train, test = next(QueryKFold(3).split(X, qid=QID))
    scores = Ridge().fit(X[train], Y[train]).predict(X[test])
    np.testing.assert_allclose(
        result["test_ndcg@10"][0], ndcg_score(Y[test], scores, qid=QID[test], k=10)
    )


@pytest.mark.parametrize("wrap", [lambda ranker: ranker, make_pipeline])
def test_the_metric_of_the_ranker_is_the_default(wrap):
    """Also at the end of a pipeline; parts may be given in place of a splitter."""
    ranker = wrap(sklearn.clone(RANKER).set_params(metric="spearman"))
    parts = list(QueryKFold(3).split(X, qid=QID))
    result = cross_validate_ranker(ranker, X, Y, QID, cv=iter(parts))
    for (train, test), score in zip(parts, result["test_spearman"], strict=True):
        fitted = sklearn.clone(ranker[-1] if wrap is make_pipeline else ranker)
        fitted.fit(X[train], Y[train], QID[train])
        assert score == fitted.score(X[test], Y[test], QID[test])


def test_splits_that_are_none():
    """What cv may be."""
    message = "cv must be a number of folds, a splitter, or pairs of rows; got '5'."
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        cross_validate_ranker(RANKER, X, Y, QID, cv="5")


NEEDS_QID = re.escape("needs qid because fit was given one; got qid=None.")


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (
            lambda: GridSearchCV(
                RANKER, {"learning_rate": [0.1]}, cv=3, error_score="raise"
            ).fit(X, Y, qid=QID),
            NEEDS_QID,
        ),
        (
            lambda: RandomizedSearchCV(
                RANKER, {"learning_rate": [0.1]}, n_iter=1, cv=QueryKFold(2),
                error_score="raise",
            ).fit(X, Y, qid=QID),
            "split needs the query of each row; got qid=None",
        ),
        (
            lambda: GridSearchCV(
                RANKER, {"learning_rate": [0.1]}, cv=QueryKFold(2), error_score="raise"
            ).fit(X, Y, groups=QID, qid=QID),
            NEEDS_QID,
        ),
        (
            lambda: cross_validate(RANKER, X, Y, cv=3, params={"qid": QID}, error_score="raise"),
            NEEDS_QID,
        ),
        (
            lambda: cross_val_score(
                RANKER, X, Y, cv=QueryKFold(2), groups=QID,
                scoring=make_ranking_scorer("ndcg@10"), error_score="raise",
            ),
            re.escape("scoring by 'ndcg@10' needs the query of each row; got qid=None."),
        ),
        (
            lambda: make_pipeline(QueryStandardScaler(), RANKER)
            .fit(X, Y, neuralranker__qid=QID)
            .score(X, Y),
            NEEDS_QID,
        ),
        (
            lambda: make_pipeline(QueryStandardScaler(), RANKER)
            .fit(X, Y, querystandardscaler__qid=QID, neuralranker__qid=QID)
            .predict(X),
            "transform needs qid because fit was given one; got qid=None.",
        ),
        (
            lambda: RFECV(
                RANKER, cv=QueryKFold(2), scoring=make_ranking_scorer("mrr")
            ).fit(X, Y, qid=QID),
            "split needs the query of each row; got qid=None|enable_metadata_routing",
        ),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:groups keeps queries whole")
def test_without_routing_there_is_an_error(run, message):
    """A fold is never scored as one list in silence: an error says how."""
    error = (ValueError, TypeError)
    with pytest.raises(error, match=message):
        run()


@pytest.mark.parametrize("scaler", [QueryStandardScaler(), QueryMinMaxScaler()])
def test_scalers(scaler):
    """Each list by itself, in row order; a constant feature is 0."""
    Z = sklearn.clone(scaler).fit(X, qid=QID).transform(X, qid=QID)
    constant = X.copy()
    constant[:, 0] = 7.0
    assert (sklearn.clone(scaler).fit_transform(constant, qid=QID)[:, 0] == 0).all()
    for q in set(QID):
        rows = QID == q
        part = X[rows]
        if isinstance(scaler, QueryStandardScaler):
            expected = (part - part.mean(0)) / part.std(0)
        else:
            expected = (part - part.min(0)) / (part.max(0) - part.min(0))
        np.testing.assert_allclose(Z[rows], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("splitter", "qid", "message"),
    [
        (
            QueryKFold(5),
            [1, 1, 2],
            "QueryKFold needs at least 5 queries for n_splits=5; got 2.",
        ),
        (QueryKFold(1), [1, 2], "n_splits must be a whole number >= 2; got 1."),
        (QueryKFold(2.5), [1, 2], "n_splits must be a whole number >= 2; got 2.5."),
        (
            QueryShuffleSplit("3"),
            [1, 2],
            "n_splits must be a whole number >= 1; got '3'.",
        ),
        (
            QueryShuffleSplit(1, test_size=2.0),
            [1, 2],
            "test_size must be a number > 0 and < 1; got 2.0.",
        ),
    ],
)
def test_errors(splitter, qid, message):
    """What is wrong with a splitter and its lists."""
    with pytest.raises(ValueError, match=re.escape(message)):
        list(splitter.split(np.zeros((len(qid), 1)), qid=qid))


@ranking_metric(range=(0.0, 1.0))
def half_recall(lists, *, k=None, threshold=0.0):
    """Half the recall; of a user."""
    relevant = lists.relevant(threshold)
    n_hits = relevant.in_top(lists.queries.sizes if k is None else k)
    return Measured(n_hits / np.maximum(relevant.total, 1) / 2, relevant.total == 0)


@pytest.mark.filterwarnings("ignore:early_stopping=True chooses")
@pytest.mark.parametrize(
    "ranker",
    [
        NeuralRanker("ranknet", "linear", max_epochs=2, random_state=0),
        LambdaMARTRanker(n_estimators=2, n_jobs=1, random_state=0),
    ],
    ids=lambda ranker: type(ranker).__name__,
)
def test_own_metric_of_a_ranker(ranker, tmp_path):
    """It stops, scores, is cloned and pickled as a named one, and saved by its name."""
    named = clone(ranker).set_params(metric="recall", early_stopping=True)
    own = clone(ranker).set_params(metric=half_recall, early_stopping=True)
    own, named = clone(own).fit(X, Y, QID), named.fit(X, Y, QID)
    halves = [value / 2 for value in named.history_["recall"]]
    assert own.history_["half_recall"] == halves
    assert own.best_score_ == named.best_score_ / 2
    assert own.score(X, Y, QID) == named.score(X, Y, QID) / 2
    assert pickle.loads(pickle.dumps(own)).metric is half_recall
    save_ranker(own, tmp_path / "own")
    name = f"{__name__}:half_recall"
    with pytest.raises(
        ValueError, match=f"metric is the function '{name}', and loading"
    ):
        load_ranker(tmp_path / "own")
    for trusted in ([half_recall], [name]):
        assert load_ranker(tmp_path / "own", trusted=trusted).metric is half_recall


def test_own_metric_in_cross_validation():
    """As the ranker's metric, as ``metrics=`` and in a scorer."""
    ranker = clone(RANKER).set_params(metric=half_recall)
    result = cross_validate_ranker(ranker, X, Y, QID, cv=2)
    other = cross_validate_ranker(RANKER, X, Y, QID, cv=2, metrics=half_recall)
    np.testing.assert_array_equal(result["test_half_recall"], other["test_half_recall"])
    assert repr(make_ranking_scorer(half_recall, k=3)) == (
        "make_ranking_scorer('half_recall@3')"
    )


class Recorder(SingleFeatureRanker):
    """Notes what its fits got."""

    seen: ClassVar[list] = []

    def fit(self, X, y, qid=None, sample_weight=None, *, X_val=None, note=None):
        self.seen.append((len(X), sample_weight, X_val, note))
        return super().fit(X, y, qid)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("n_more", [-3, 0, 1])
def test_validation_data_are_passed_whole(n_more):
    """Also if they happen to have as many rows as X; weights are split by name."""
    Recorder.seen.clear()
    ranker = Recorder().set_fit_request(sample_weight=True, X_val=True)
    X_val = np.zeros((len(X) + n_more, X.shape[1]))
    weights = np.arange(len(X)) + 1.0
    params = {"sample_weight": weights, "X_val": X_val}
    expected = cross_validate_ranker(Recorder(), X, Y, QID, cv=3)
    result = cross_validate_ranker(ranker, X, Y, QID, cv=3, fit_params=params)
    np.testing.assert_array_equal(result["test_ndcg@10"], expected["test_ndcg@10"])
    splits = QueryKFold(3).split(X, Y, qid=QID)
    for (n_rows, weight, validation, _), (train, _) in zip(
        Recorder.seen[3:], splits, strict=True
    ):
        assert n_rows == len(train)
        np.testing.assert_array_equal(weight, weights[train])
        np.testing.assert_array_equal(validation, X_val)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"note": np.zeros(len(X))},
            "fit_params['note'] has as many values as X has rows, but "
            "cross_validate_ranker splits no other parameters than position, "
            "query_weight, reference_scores, sample_weight, teacher_scores. Pass it to "
            "sklearn.model_selection.cross_validate with "
            "scoring=make_ranking_scorer(...), which splits it by its length.",
        ),
        (
            {"sample_weight": np.ones(3)},
            f"fit_params['sample_weight'] must have one value for each of the {len(X)} "
            "rows of X; got 3.",
        ),
    ],
)
def test_fit_parameters_of_another_kind(params, message):
    """A length alone says nothing."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        cross_validate_ranker(Recorder(), X, Y, QID, cv=3, fit_params=params)
