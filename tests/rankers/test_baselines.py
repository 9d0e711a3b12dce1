"""The baselines do what their names say."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from ltr import LambdaMARTRanker, RandomRanker, SingleFeatureRanker
from ltr.datasets import make_ranking
from ltr.metrics import get_metric, ndcg_score

DATA = make_ranking(40, n_features=5, n_informative=3, random_state=0)


def test_random_is_the_expectation_of_random_orders():
    """Its score is the mean over many random orders."""
    ranker = RandomRanker().fit(DATA.X, DATA.y, DATA.qid)
    rng = np.random.default_rng(0)
    drawn = [
        ndcg_score(DATA.y, rng.random(len(DATA.y)), qid=DATA.qid, k=10)
        for _ in range(300)
    ]
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(ranker.score(DATA.X, DATA.y, DATA.qid) - np.mean(drawn)) < 4 * error
    assert (ranker.rank(DATA.X, DATA.qid) == 1).all()


def test_single_feature_is_the_best_one():
    """No other column, up or down, ranks the training lists better."""
    ranker = SingleFeatureRanker("map").fit(DATA.X, DATA.y, DATA.qid)
    metric = get_metric("map", empty=0)
    values = [
        metric(DATA.y, sign * column, DATA.qid)
        for column in DATA.X.T
        for sign in (1, -1)
    ]
    best = int(np.argmax(values))
    assert (ranker.feature_, ranker.direction_) == (best // 2, [1, -1][best % 2])
    np.testing.assert_array_equal(
        ranker.predict(DATA.X), ranker.direction_ * DATA.X[:, ranker.feature_]
    )


WITH_GAPS = np.where(DATA.X > 1.5, np.nan, DATA.X)
CATEGORIES = pd.DataFrame(DATA.X, columns=list("abcde")).assign(
    a=pd.Categorical(np.where(DATA.X[:, 0] > 0, "high", "low")), c=WITH_GAPS[:, 2]
)
TABLES = {
    "NaN": WITH_GAPS,
    "categories": CATEGORIES,
    "missing category": CATEGORIES.assign(a=CATEGORIES.a.where(DATA.y > 0)),
    "nullable": pd.DataFrame(np.round(WITH_GAPS)).convert_dtypes(),
    "sparse": scipy.sparse.csr_matrix(np.where(DATA.X > 0, DATA.X, 0.0)),
    "sparse array": scipy.sparse.csc_array(np.where(DATA.X > 0, DATA.X, 0.0)),
    "no values": np.full(DATA.X.shape, np.nan),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("ranker", [RandomRanker(), SingleFeatureRanker()])
def test_baselines_take_what_trees_take(ranker, table):
    """So that a comparison keeps them."""
    X = TABLES[table]
    trees = LambdaMARTRanker(n_estimators=1, n_jobs=1)
    if table != "no values":
        trees.fit(X, DATA.y, DATA.qid).predict(X)
    random = RandomRanker().fit(DATA.X, DATA.y, DATA.qid)
    worth = random.score(DATA.X, DATA.y, DATA.qid)
    value = ranker.fit(X, DATA.y, DATA.qid).score(X, DATA.y, DATA.qid)
    is_random = table == "no values" or isinstance(ranker, RandomRanker)
    assert value == pytest.approx(worth) if is_random else value > worth
    assert ranker.rank(X, DATA.qid).min() == 1
    assert len(ranker.order(X, DATA.qid)) == len(DATA.y)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_missing_values_come_last(sign):
    """Whether high or low values are better, also if there were none in fit."""
    X, y = sign * np.array([[3.0], [2.0], [1.0]]), [2, 1, 0]
    for table in (X, np.array([[3.0], [np.nan], [1.0]]) * sign):
        ranker = SingleFeatureRanker().fit(table, y)
        assert ranker.direction_ == sign
        request = sign * np.array([[-9.0], [np.nan], [9.0], [np.nan]])
        assert ranker.predict(request).tolist() == [-9.0, -np.inf, 9.0, -np.inf]
        assert ranker.order(request).tolist() == [2, 0, 1, 3]


def test_sparse_rows_are_dense_rows():
    """What is not stored is 0."""
    X = TABLES["sparse"]
    sparse = SingleFeatureRanker().fit(X, DATA.y, DATA.qid)
    dense = SingleFeatureRanker().fit(X.toarray(), DATA.y, DATA.qid)
    assert (sparse.feature_, sparse.direction_) == (dense.feature_, dense.direction_)
    np.testing.assert_array_equal(sparse.predict(X), dense.predict(X.toarray()))


def test_what_trees_refuse_is_refused():
    """Infinite values, text and dates."""
    message = "X must be finite or NaN; got inf in a sparse matrix. Clip it."
    with pytest.raises(ValueError, match=f"^{message}$"):
        SingleFeatureRanker().fit(scipy.sparse.csr_matrix([[np.inf], [1.0]]), [0, 1])
    message = "X must be finite or NaN; got inf at row 0, column 0. Clip or replace it."
    with pytest.raises(ValueError, match=f"^{message}$"):
        SingleFeatureRanker().fit([[np.inf], [1.0]], [0, 1])
    words = pd.DataFrame({"w": ["a", "b"]})
    message = (
        f"column 'w' of X has dtype {words.w.dtype}, which is not a number. Convert it "
        "to a category (.astype('category') in pandas, .cast(pl.Categorical) in "
        "polars) or drop it."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        SingleFeatureRanker().fit(words, [0, 1])
    RandomRanker().fit(words, [0, 1])
