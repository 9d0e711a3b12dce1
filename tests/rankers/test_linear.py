"""LinearRanker: closed form, penalty, weights, scalings and missing values."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.linear_model import Ridge as SklearnRidge

from ltr import LinearRanker, NeuralRanker
from ltr.datasets import make_ranking
from ltr.queries import group_queries
from ltr.rankers.ridge import fit_ridge
from ltr.within_lists import centered, z_scores

TRAIN, TEST = make_ranking(
    40, list_size=(2, 12), n_features=6, n_informative=4, random_state=0
).train_test_split(random_state=0)
QUERIES = group_queries(TRAIN.qid, len(TRAIN.y))
Z, TARGETS = z_scores(TRAIN.X, QUERIES), z_scores(TRAIN.y, QUERIES)


def ranker_of(alpha="auto", preprocess="query"):
    """With z-scores within the list."""
    return LinearRanker(alpha, preprocess=preprocess)


def fitted(*args, **parameters):
    """Fitted to the training part."""
    return ranker_of(*args, **parameters).fit(TRAIN.X, TRAIN.y, TRAIN.qid)


def left_out(Z, targets, qid, alpha):
    """Squared errors on lists, each predicted by a fit to the others."""
    total = 0.0
    for query in np.unique(qid):
        others = qid != query
        model = SklearnRidge(alpha, fit_intercept=False).fit(Z[others], targets[others])
        total += np.sum((targets[~others] - Z[~others] @ model.coef_) ** 2)
    return total


@pytest.mark.parametrize("alpha", [0.5, 30.0])
def test_the_regression(alpha):
    """That of scikit-learn on z-scores; labels may stay as they are."""
    ranker = fitted(alpha)
    model = SklearnRidge(alpha, fit_intercept=False).fit(Z, TARGETS)
    np.testing.assert_allclose(ranker.coef_, model.coef_, rtol=1e-9)
    assert ranker.alpha_ == alpha
    test = z_scores(TEST.X, group_queries(TEST.qid, len(TEST.y)))
    np.testing.assert_allclose(
        ranker.predict(TEST.X, TEST.qid), test @ model.coef_, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("n_features", [6, 300])
def test_the_penalty_by_leaving_lists_out(n_features):
    """The closed form has the minimum of fits without each list, wide or tall."""
    rng = np.random.default_rng(0)
    X = np.hstack([TRAIN.X, rng.normal(size=(len(TRAIN.y), n_features - 6))])
    features = z_scores(X, QUERIES)
    alpha = fit_ridge(features, TARGETS, QUERIES).alpha
    costs = [
        left_out(features, TARGETS, TRAIN.qid, alpha * factor)
        for factor in (0.1, 10**-0.5, 1.0, 10**0.5, 10.0)
    ]
    assert np.argmin(costs) == 2
    assert fit_ridge(features, TARGETS, QUERIES).error == pytest.approx(costs[2])
    scale = (features**2).sum() / n_features
    steps = 2 * np.log10(alpha / scale)
    assert steps == pytest.approx(round(steps))
    assert -8 <= steps <= 4


def test_more_features_than_rows():
    """The weights are those of the other closed form."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 50)), rng.normal(size=20)
    qid = np.repeat(range(4), 5)
    features = z_scores(X, group_queries(qid, 20))
    expected = SklearnRidge(2.0, fit_intercept=False).fit(
        features, z_scores(y, group_queries(qid, 20))
    )
    coef = ranker_of(2.0).fit(X, y, qid).coef_
    np.testing.assert_allclose(coef, expected.coef_, rtol=1e-9)


@pytest.mark.parametrize("alpha", [2.0, "auto"])
@pytest.mark.parametrize("preprocess", ["query", "standard"])
def test_weights(alpha, preprocess):
    """Weight 2 is the row twice in its list, weight 0 no row."""
    weights = np.random.default_rng(0).integers(0, 3, len(TRAIN.y))
    weighted = LinearRanker(alpha, preprocess=preprocess).fit(
        TRAIN.X, TRAIN.y, TRAIN.qid, weights
    )
    rows = np.repeat(np.arange(len(TRAIN.y)), weights)
    repeated = LinearRanker(alpha, preprocess=preprocess).fit(
        TRAIN.X[rows], TRAIN.y[rows], TRAIN.qid[rows]
    )
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-7)
    assert weighted.alpha_ == pytest.approx(repeated.alpha_)


def test_query_weight():
    """Weight 2 is the query twice, weight 0 no query, and it multiplies."""
    by_query = np.array([0, 1, 2])[QUERIES.codes % 3]
    ranker = ranker_of(2.0).fit(TRAIN.X, TRAIN.y, TRAIN.qid, query_weight=by_query)
    once, twice = (np.flatnonzero(by_query >= n) for n in (1, 2))
    rows, qid = np.concatenate([once, twice]), TRAIN.qid.astype(int)
    again = np.concatenate([qid[once], qid[twice] + 10**6])
    expected = ranker_of(2.0).fit(TRAIN.X[rows], TRAIN.y[rows], again)
    np.testing.assert_allclose(ranker.coef_, expected.coef_, rtol=1e-9)
    both = ranker_of(2.0).fit(
        TRAIN.X, TRAIN.y, TRAIN.qid, by_query, query_weight=by_query
    )
    squared = ranker_of(2.0).fit(TRAIN.X, TRAIN.y, TRAIN.qid, by_query**2)
    np.testing.assert_allclose(both.coef_, squared.coef_, rtol=1e-9)


def test_levels_do_not_count():
    """Shifts and scales of features and labels by query change no score."""
    rng = np.random.default_rng(0)
    shift, scale = rng.normal(size=(2, QUERIES.n_lists))
    shift, scale = shift[QUERIES.codes], np.exp(scale)[QUERIES.codes]
    ranker = LinearRanker().fit(
        TRAIN.X * scale[:, None] + shift[:, None], -4 + TRAIN.y * scale, TRAIN.qid
    )
    assert ranker.scales_within_lists_
    np.testing.assert_allclose(ranker.coef_, fitted().coef_, rtol=1e-9)


def test_a_linear_truth():
    """It is found from eight lists, whose levels differ by far more than items do."""
    rng = np.random.default_rng(0)
    qid = np.repeat(np.arange(16), 60)
    X = rng.normal(size=(960, 10)) + 10 * rng.normal(size=(16, 10))[qid]
    utility = X @ rng.normal(size=10) + 0.5 * rng.normal(size=960)
    y = np.concatenate([np.digitize(u, np.quantile(u, [0.5, 0.8, 0.95]))
                        for u in np.split(utility, 16)])  # fmt: skip
    ranker = LinearRanker().fit(X[:480], y[:480], qid[:480])
    assert ranker.score(X[480:], y[480:], qid[480:]) > 0.9


@pytest.mark.parametrize("alpha", ["auto", 5.0])
@pytest.mark.parametrize("within_lists", [True, False])
def test_the_choice_of_the_scaling(alpha, within_lists):
    """The one that predicts lists better that were left out."""
    rng = np.random.default_rng(0)
    qid = np.repeat(np.arange(30), 8)
    X = rng.normal(size=(240, 3))
    spread = rng.choice([0.01, 1.0], 30)[qid]
    y = X[:, 0] + X[:, 1] + 0.3 * rng.normal(size=240)
    if within_lists:  # only the place in the list counts, or also the distance
        X[:, 0] *= spread
    else:
        y += (spread - 1) * X[:, 0]
        X[:, 0] *= spread
    ranker = LinearRanker(alpha).fit(X, y, qid)
    assert ranker.scales_within_lists_ is within_lists
    queries = group_queries(qid, 240)
    targets = z_scores(y, queries)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    errors = {
        False: fit_ridge(centered(scaled, queries), targets, queries).error,
        True: fit_ridge(z_scores(X, queries), targets, queries).error,
    }
    assert errors[within_lists] < errors[not within_lists]
    one = LinearRanker(alpha).fit(X, y)
    assert not one.scales_within_lists_


@pytest.mark.parametrize("preprocess", ["standard", "log1p", None])
def test_other_scalings(preprocess):
    """Of all rows alike: the score of an item does not depend on its list."""
    ranker = fitted(3.0, preprocess=preprocess)
    scores = ranker.predict(TEST.X, TEST.qid)
    alone = np.concatenate([ranker.predict(row[None]) for row in TEST.X])
    np.testing.assert_array_equal(scores, alone)
    scaling = ranker._scaling
    scaled = TRAIN.X if scaling is None else scaling.transform(TRAIN.X)
    model = SklearnRidge(3.0, fit_intercept=False)
    model.fit(centered(scaled, QUERIES), TARGETS)
    np.testing.assert_allclose(ranker.coef_, model.coef_, rtol=1e-9)


@pytest.mark.parametrize("preprocess", ["query", "auto", "log1p", None])
def test_missing_values(preprocess):
    """They count as a mean, in arrays, frames and sparse matrices."""
    X = TRAIN.X.copy()
    X[np.random.default_rng(0).random(X.shape) < 0.3] = np.nan
    X[:, 5] = np.nan
    ranker = LinearRanker(preprocess=preprocess).fit(X, TRAIN.y, TRAIN.qid)
    assert ranker.coef_[5] == 0
    scores = ranker.predict(X, TRAIN.qid)
    assert np.isfinite(scores).all()
    sparse = scipy.sparse.csr_array(X)
    other = LinearRanker(preprocess=preprocess).fit(sparse, TRAIN.y, TRAIN.qid)
    np.testing.assert_array_equal(other.predict(sparse, TRAIN.qid), scores)
    if preprocess == "query":
        queries = group_queries(TRAIN.qid, len(X))
        imputed = np.where(np.isnan(X), X - centered(X, queries), X)
        assert np.isnan(imputed).any()  # lists without a value
        expected = np.nan_to_num(z_scores(X, queries)) @ ranker.coef_
        np.testing.assert_allclose(scores, expected, atol=1e-12)


@pytest.mark.parametrize("preprocess", ["auto", "query", "standard"])
@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_extreme_features(preprocess, factor):
    """Their squares are no numbers, but their scores are those of others."""
    ranker = LinearRanker(preprocess=preprocess)
    expected = ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid).predict(TEST.X, TEST.qid)
    X = np.hstack([TRAIN.X[:, :3] * factor, TRAIN.X[:, 3:]])
    ranker.fit(X, TRAIN.y, TRAIN.qid)
    X = np.hstack([TEST.X[:, :3] * factor, TEST.X[:, 3:]])
    np.testing.assert_allclose(ranker.predict(X, TEST.qid), expected, rtol=1e-7)


def test_equal_rows_have_equal_scores():
    """Wherever they stand: ties are ties."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(203, 37))
    for preprocess in ("query", "standard"):
        ranker = LinearRanker(preprocess=preprocess).fit(X, rng.normal(size=203))
        scores = ranker.predict(np.tile(X[:29], (7, 1)))
        assert len(np.unique(scores)) == 29


def test_one_query_and_no_order():
    """The penalty comes from rows; labels that are all equal teach nothing."""
    ranker = LinearRanker().fit(TRAIN.X[:12], TRAIN.y[:12])
    assert ranker.alpha_ > 0
    assert ranker.coef_.any()
    with pytest.warns(UserWarning, match="^No list has two distinct labels"):
        blank = LinearRanker().fit(TRAIN.X, np.zeros(len(TRAIN.y)), TRAIN.qid)
    assert not blank.coef_.any()
    single = LinearRanker()
    with pytest.warns(UserWarning, match="^No list has two distinct labels"):
        single.fit(TRAIN.X[:3], [1, 2, 3], [0, 1, 2])
    assert not single.predict(TRAIN.X[:3]).any()


def test_messages():
    """In full."""
    with pytest.raises(ValueError, match="^alpha must be a number >= 0; got -1.0.$"):
        fitted(-1.0)
    message = "alpha must be one of 'auto', or a number >= 0; got 'best'."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fitted("best")
    table = pd.DataFrame({"a": [1.0, 2.0], "b": pd.Categorical(["x", "y"])})
    message = (
        "column 'b' of X has dtype category, which is not a number. One-hot encode or "
        "drop it, or use LambdaMARTRanker for categories."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LinearRanker().fit(table, [0, 1])
    message = (
        "X must have squares that are finite; got values up to 1e+200. Scale the "
        "features, or set preprocess='query'."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LinearRanker(preprocess=None).fit([[-1e200], [1e200]], [0, 1])
    assert ranker_of().fit([[-1e200], [1e200]], [0, 1]).coef_ > 0


def test_query_scaling_of_a_neural_ranker():
    """It is the same as z-scores before, in training, validation and prediction."""
    options = {"max_epochs": 3, "random_state": 0, "hidden_layer_sizes": (4,)}
    valid = z_scores(TEST.X, group_queries(TEST.qid, len(TEST.y)))
    weights = np.random.default_rng(0).integers(0, 3, len(TRAIN.y)).astype(float)
    before = z_scores(TRAIN.X, QUERIES, weights)
    a = NeuralRanker("ranknet", preprocess="query", **options)
    a.fit(
        TRAIN.X, TRAIN.y, TRAIN.qid, weights,
        X_val=TEST.X, y_val=TEST.y, qid_val=TEST.qid,
    )  # fmt: skip
    b = NeuralRanker("ranknet", preprocess=None, **options)
    b.fit(
        before, TRAIN.y, TRAIN.qid, weights,
        X_val=valid, y_val=TEST.y, qid_val=TEST.qid,
    )  # fmt: skip
    assert a.history_["ndcg@10"] == b.history_["ndcg@10"]
    np.testing.assert_array_equal(
        a.predict(TEST.X, TEST.qid), b.predict(valid, TEST.qid)
    )
    with pytest.warns(UserWarning, match="^qid is None, so all 1001 rows"):
        a.predict(np.zeros((1001, 6)))
    assert not np.ptp(a.predict(np.ones((2, 6)) * 3.0))


def test_query_scaling_of_embeddings():
    """The embedding of a query is constant in its list."""
    ranker = NeuralRanker(
        "softmax", "two_tower", n_query_features=3, preprocess="query"
    )
    with pytest.raises(ValueError, match="^preprocess='query' does not fit TwoTower"):
        ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid)
