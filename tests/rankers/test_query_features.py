"""Features of queries, apart from those of items, are the first columns of both."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ltr import (
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    load_ranker,
    save_ranker,
    serving,
)
from ltr.model_selection import cross_val_predict_ranker, cross_validate_ranker
from ltr.rankers import join_query_features
from ltr.rankers.query_features import JoinedRows, read_joined

RNG = np.random.default_rng(0)
IDS = np.array([f"q{i}" for i in RNG.permutation(16)], dtype=object)  # no order of ids
QID = np.repeat(IDS, 5)[RNG.permutation(80)]
ORDER = pd.unique(QID)  # by first appearance
X = RNG.normal(size=(80, 4))
FRAME = pd.DataFrame(RNG.normal(size=(20, 3)), columns=["a", "b", "c"])
FRAME.index = [*IDS, "more", "queries", "than", "needed"]
Q = FRAME.loc[ORDER].to_numpy()
JOINED = np.hstack([FRAME.loc[QID].to_numpy(), X])
Y = np.digitize(JOINED @ RNG.normal(size=7), [0.0, 1.5])
ITEMS = pd.DataFrame(X, columns=list("wxyz"))


def neural(scorer="linear", **parameters):
    return NeuralRanker(
        "listnet",
        scorer,
        **{
            "max_epochs": 2,
            "hidden_layer_sizes": (4,),
            "random_state": 0,
            "batch_size": 4,
        }
        | parameters,
    )


def fit(ranker, *args, **inputs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return ranker.fit(*args, **inputs)


def trees(**parameters):
    return LambdaMARTRanker(
        n_estimators=3, min_child_samples=2, random_state=0, n_jobs=1, **parameters
    )


# The table


@pytest.mark.parametrize(
    ("table", "of_queries"), [(X, Q), (X.tolist(), Q.tolist()), (sp.csr_matrix(X), Q)]
)
def test_the_joined_table(table, of_queries):
    joined = join_query_features(table, QID, of_queries)
    joined = joined.toarray() if sp.issparse(joined) else joined
    np.testing.assert_array_equal(joined, JOINED)


def test_frames_are_joined_by_the_index():
    joined = join_query_features(ITEMS, QID, FRAME)
    assert joined.columns.tolist() == ["a", "b", "c", *"wxyz"]
    np.testing.assert_array_equal(joined.to_numpy(), JOINED)
    shuffled = ITEMS.set_axis(RNG.permutation(80))
    assert join_query_features(shuffled, QID, FRAME).index.equals(shuffled.index)


def test_a_frame_without_index_is_in_the_order_of_the_queries():
    """polars has no index, so that its rows are taken as those of an array."""
    pl = pytest.importorskip("polars")
    joined = join_query_features(ITEMS, QID, pl.DataFrame(Q, schema=["a", "b", "c"]))
    np.testing.assert_array_equal(joined.to_numpy(), JOINED)


def test_one_query_has_one_row():
    joined = join_query_features(X[:2], None, [[7.0]])
    assert joined[:, 0].tolist() == [7.0, 7.0]
    joined = join_query_features(ITEMS[:2], None, FRAME.iloc[5:6])  # its id is no qid
    assert joined["a"].tolist() == [FRAME["a"].iloc[5]] * 2


@pytest.mark.parametrize(
    "rows", [slice(3, 9), np.array([[4, 2], [0, 4]]), np.arange(80) % 3 == 0]
)
def test_rows_of_the_joined_table(rows):
    """Every index that fit and predict use, beside the table."""
    lazy = read_joined(neural(), X, QID, Q, reset=True)
    assert lazy.shape == JOINED.shape
    np.testing.assert_array_equal(np.asarray(lazy[rows]), JOINED[rows])
    assert lazy[rows].shape == JOINED[rows].shape
    other = read_joined(
        neural(), X[:7], QID[:7], FRAME.to_numpy()[: len(set(QID[:7]))], reset=True
    )
    both = np.vstack([lazy, other])
    np.testing.assert_array_equal(lazy.followed_by(other), both)


# Rankers


@pytest.mark.parametrize("scorer", ["linear", "two_tower"])
def test_a_network_learns_as_from_the_joined_table(scorer):
    """Validation, scaling and refit included."""
    options = {"scorer": scorer, "refit": scorer == "linear", "n_query_features": None}
    if scorer == "two_tower":
        options["n_query_features"] = 3
    val = {"y_val": Y[:20], "qid_val": QID[:20]}
    n = len(set(QID[:20]))
    apart = fit(
        neural(**options), X, Y, QID, query_features=Q,
        X_val=X[:20], query_features_val=Q[:n], **val,
    )  # fmt: skip
    joined = fit(neural(**options), JOINED, Y, QID, X_val=JOINED[:20], **val)
    assert apart.n_features_in_ == 7
    assert apart.history_["loss"] == joined.history_["loss"]
    assert apart.best_score_ == joined.best_score_
    expected = joined.predict(JOINED, QID)
    np.testing.assert_array_equal(apart.predict(JOINED, QID), expected)
    np.testing.assert_array_equal(apart.predict(X, QID, query_features=Q), expected)
    np.testing.assert_array_equal(
        apart.rank(X, QID, query_features=Q),
        joined.rank(JOINED, QID),
    )


def test_no_joined_table_is_made(monkeypatch):
    """The most rows that are joined at a time are those of a block."""
    sizes = []
    array = JoinedRows.__array__

    def counting(self, dtype=None, copy=None):
        sizes.append(self.codes.size)
        return array(self, dtype, copy)

    monkeypatch.setattr(JoinedRows, "__array__", counting)
    monkeypatch.setattr("ltr.rankers.neural.scaling._BLOCK_VALUES", 70)
    monkeypatch.setattr("ltr.rankers.neural.fitted._CHUNK_ROWS", 16)
    ranker = fit(neural(early_stopping=True), X, Y, QID, query_features=Q)
    ranker.score(X, Y, QID, query_features=Q)
    assert 0 < max(sizes) <= 16


@pytest.mark.parametrize("make", [neural, trees])
def test_names_saving_and_serving(make, tmp_path):
    ranker = fit(make(), ITEMS, Y, QID, query_features=FRAME)
    joined = join_query_features(ITEMS, QID, FRAME)
    expected = fit(make(), joined, Y, QID).predict(joined)
    assert ranker.feature_names_in_.tolist() == ["a", "b", "c", *"wxyz"]
    save_ranker(ranker, tmp_path / "model")
    for model in (
        ranker,
        load_ranker(tmp_path / "model"),
        serving.load_ranker(tmp_path / "model"),
    ):
        actual = model.predict(ITEMS, QID, query_features=FRAME)
        np.testing.assert_array_equal(actual, expected)
    y_score = ranker.score(ITEMS, Y, QID, query_features=FRAME)
    assert y_score == ranker.score(joined, Y, QID)
    order = ranker.order(ITEMS, QID, k=2, query_features=FRAME)
    np.testing.assert_array_equal(order, ranker.order(joined, QID, k=2))


@pytest.mark.parametrize("make", [neural, trees])
def test_pipelines_are_served(make, tmp_path, monkeypatch):
    """The steps change the features of the items only."""
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), make())
        pipeline.fit(X, Y, qid=QID, query_features=Q)
        expected = pipeline.predict(X, qid=QID, query_features=Q)
    save_ranker(pipeline, tmp_path / "model")
    monkeypatch.setattr("ltr.serving.loading._ESTIMATORS", "no such module")
    served = serving.load_ranker(tmp_path / "model")
    actual = served.predict(X, QID, query_features=Q)
    np.testing.assert_array_equal(actual, expected)
    message = message_of(lambda: served.predict(X, QID))
    assert message.startswith("X has 4 features, but ")
    assert message.endswith(" is expecting 7 features as input.")
    assert message_of(lambda: served.rank(X, QID, features=Q), TypeError) == (
        "Pipeline.predict() got an unexpected keyword argument 'features'"
    )


def test_trees_grow_as_from_the_joined_table():
    val = {"X_val": X[:20], "y_val": Y[:20], "qid_val": QID[:20]}
    n = len(set(QID[:20]))
    apart = trees().fit(X, Y, QID, query_features=Q, query_features_val=Q[:n], **val)
    joined = trees().fit(JOINED, Y, QID, **val | {"X_val": JOINED[:20]})
    assert apart.booster_.model_to_string() == joined.booster_.model_to_string()
    actual = apart.predict(X, QID, query_features=Q)
    np.testing.assert_array_equal(actual, joined.predict(JOINED))


def test_a_search_routes_a_frame():
    """Folds have some of the queries, which the index of the frame tells."""
    with config_context(enable_metadata_routing=True):
        params = {"groups": QID, "qid": QID, "query_features": FRAME}
        scores = cross_val_score(
            trees(metric="ndcg@3"), ITEMS, Y, cv=GroupKFold(2), params=params
        )
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("table", "of_queries"), [(X, Q), (ITEMS, FRAME), (sp.coo_matrix(X), Q)]
)
def test_folds_have_the_features_of_their_own_queries(table, of_queries):
    """Also where the ids are numbers in another order than that of the queries."""
    numbers = pd.Series(np.argsort(IDS), index=IDS)
    qid = numbers.loc[QID].to_numpy()
    if of_queries is FRAME:
        of_queries = FRAME.iloc[:16].rename(index=numbers)
    inputs = {"cv": 2, "fit_params": {"query_features": of_queries}}
    values = cross_validate_ranker(trees(), table, Y, qid, **inputs)
    expected = cross_validate_ranker(trees(), JOINED, Y, qid, cv=2)
    np.testing.assert_array_equal(values["test_ndcg@10"], expected["test_ndcg@10"])
    scores = cross_val_predict_ranker(trees(), table, Y, qid, **inputs)
    expected = cross_val_predict_ranker(trees(), JOINED, Y, qid, cv=2)
    np.testing.assert_array_equal(scores, expected)


# Messages


def message_of(call, kind=ValueError):
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def test_rows_that_do_not_fit_the_queries():
    cases = {
        "query_features must have one row per query, in the order in which qid first "
        "has them; got 3 rows for 16 queries.": Q[:3],
        "query_features must have shape (n_queries, n_query_features); got shape "
        "(16,).": Q[:, 0],
        "query_features must have shape (n_queries, n_query_features); got a dict.": {},
    }
    for message, table in cases.items():
        assert message_of(lambda t=table: join_query_features(X, QID, t)) == message
    assert message_of(lambda: join_query_features(ITEMS, QID, FRAME.drop("q3"))) == (
        "query_features must have a row for each query in its index; got none for 'q3'. "
        "Make the ids the index by set_index, or pass an array with one row per query, "
        "in the order in which qid first has them."
    )
    twice = pd.concat([FRAME, FRAME.loc[["q3"]]])
    assert message_of(lambda: join_query_features(ITEMS, QID, twice)) == (
        "query_features must have each query once in its index; got 'q3' twice. Drop "
        "one of the rows."
    )
    assert message_of(lambda: join_query_features(X, QID, FRAME)) == (
        "query_features and X must both have column names, or neither; got DataFrame "
        "and ndarray. Pass two DataFrames or two arrays."
    )
    message = message_of(
        lambda: join_query_features(X, QID, sp.csr_matrix(Q)), TypeError
    )
    assert message == (
        "query_features must be dense; got a sparse matrix. Pass "
        "query_features.toarray()."
    )


def test_what_a_fit_refuses():
    ranker = neural()
    bad = Q.copy()
    bad[2, 1] = np.nan
    assert message_of(lambda: ranker.fit(X, Y, QID, query_features=bad)) == (
        "query_features must be finite; got NaN at row 2, column 1. Impute it, for "
        "example with sklearn.impute.SimpleImputer, or use LambdaMARTRanker, which takes "
        "NaN."
    )
    fit(ranker, X, Y, QID, query_features=Q)
    assert message_of(lambda: ranker.predict(X, QID, query_features=Q[:, :2])) == (
        "query_features and X must have the columns of fit, 7 together; got 2 and 4."
    )
    within = neural(preprocess="query")
    assert message_of(lambda: within.fit(X, Y, QID, query_features=Q)) == (
        "preprocess='query' does not fit query_features, which are constant within the "
        "list, and would be 0. Set preprocess='auto'."
    )
    sparse = sp.csr_matrix(X)
    call = lambda: ranker.fit(sparse, Y, QID, query_features=Q)
    assert message_of(call, TypeError) == (
        "X must be dense with query_features; got a sparse matrix. Pass "
        "ltr.rankers.join_query_features(X, qid, query_features) as X."
    )


@pytest.mark.parametrize("make", [neural, trees])
def test_validation_features_go_together(make):
    val = {"X_val": X, "y_val": Y, "qid_val": QID}
    together = (
        "query_features and query_features_val must be given together, if X_val is; got "
        "no query_features{}."
    )
    assert message_of(
        lambda: make().fit(X, Y, QID, query_features=Q, **val)
    ) == together.format("_val")
    assert message_of(
        lambda: make().fit(X, Y, QID, query_features_val=Q, **val)
    ) == together.format("")
    assert message_of(
        lambda: make().fit(X, Y, QID, query_features=Q, query_features_val=Q)
    ) == (
        "query_features_val has the features of the queries of X_val, which is None. "
        "Pass X_val, y_val and qid_val, too."
    )
    message = message_of(
        lambda: make().fit(X, Y, QID, query_features=Q, query_features_val=Q[:2], **val)
    )
    assert message.startswith("In the validation set: query_features must have one row")


def test_a_ranker_of_whole_rows_takes_the_joined_table():
    ranker = LinearRanker().fit(join_query_features(X, QID, Q), Y, QID)
    assert ranker.n_features_in_ == 7
    message = message_of(lambda: neural_with_other_columns().predict(X, QID))
    assert re.fullmatch("X has 4 features, but NeuralRanker is expecting 7 .*", message)


def neural_with_other_columns():
    return fit(neural(max_epochs=0), X, Y, QID, query_features=Q)
