"""Blends: members, normalization within lists, out-of-fold scores, saving."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from ltr import (
    LambdaMARTRanker,
    LinearRanker,
    RandomRanker,
    SingleFeatureRanker,
    StackingRanker,
    VotingRanker,
    load_ranker,
    save_ranker,
)
from ltr.datasets import make_ranking
from ltr.model_selection import (
    QueryKFold,
    cross_val_predict_ranker,
    make_ranking_scorer,
)
from ltr.queries import group_queries
from ltr.rankers.blend.normalization import NORMALIZATIONS, normalize_scores
from ltr.rankers.blend.numeric import NumericRanker

DATA = make_ranking(30, list_size=(1, 9), n_features=4, n_informative=3, random_state=0)
X, y, qid = DATA.X, DATA.y, DATA.qid
TREES = LambdaMARTRanker(n_estimators=5, num_leaves=4, n_jobs=1, random_state=0)
POINTWISE = clone(TREES).set_params(loss="mse")
PAIR = [("trees", TREES), ("mse", POINTWISE)]


@pytest.fixture(scope="module")
def trees():
    """Trees on all rows."""
    return clone(TREES).fit(X, y, qid)


def slow_normalize(scores, how):
    """One list, by the definition."""
    n, worst = len(scores), 1e-12 * np.abs(scores).max()
    if scores.max() - scores.min() <= worst:
        return np.zeros(n)
    if how == "minmax":
        return (scores - scores.min()) / (scores.max() - scores.min())
    if how == "zscore":
        return (scores - scores.mean()) / scores.std()
    rank = [1 + np.sum(scores > s) + (np.sum(scores == s) - 1) / 2 for s in scores]
    return (n - np.array(rank)) / (n - 1)


@pytest.mark.parametrize("how", NORMALIZATIONS)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-3, 3)), min_size=1, max_size=12),
    st.sampled_from([1.0, 1e-300, 1e300]),
    st.randoms(),
)
def test_normalization(how, rows, scale, random):
    """The definition list by list; the order of the rows changes no bit."""
    lists, values = np.array(rows).T
    scores = scale * values.astype(float)
    queries = group_queries(lists, len(lists))
    normalized = normalize_scores(scores, queries, how)
    for i in np.unique(lists):
        expected = slow_normalize(values[lists == i].astype(float), how)
        np.testing.assert_allclose(normalized[lists == i], expected, atol=1e-12)
        alone = normalize_scores(
            scores[lists == i], group_queries(None, (lists == i).sum()), how
        )
        np.testing.assert_array_equal(normalized[lists == i], alone)
    order = list(range(len(lists)))
    random.shuffle(order)
    permuted = normalize_scores(
        scores[order], group_queries(lists[order], len(lists)), how
    )
    np.testing.assert_array_equal(permuted, normalized[order])


def test_infinite_scores_stand_beyond_the_finite_ones():
    """By one standard deviation, or by 1 where the finite ones have none."""
    queries = group_queries([0, 0, 0, 1, 1, 2, 2], 7)
    scores = np.array([1.0, 3.0, -np.inf, 5.0, np.inf, -np.inf, -np.inf])
    expected = slow_normalize(np.array([1.0, 3.0, 0.0]), "zscore")
    normalized = normalize_scores(scores, queries, "zscore")
    np.testing.assert_allclose(normalized, [*expected, -1, 1, 0, 0], atol=1e-12)


def test_mean_of_members(trees):
    """Weights, dropped members and names, by hand."""
    blend = VotingRanker(
        [*PAIR, ("out", "drop")], weights=[3, 1, 9], normalize="minmax"
    ).fit(X, y, qid)
    queries = group_queries(qid, len(y))
    pointwise = clone(POINTWISE).fit(X, y, qid)
    expected = 0.75 * normalize_scores(trees.predict(X), queries, "minmax")
    expected += 0.25 * normalize_scores(pointwise.predict(X), queries, "minmax")
    np.testing.assert_allclose(blend.predict(X, qid), expected, atol=1e-12)
    assert list(blend.named_rankers_) == ["trees", "mse"]
    shares = [
        m.feature_importances_ / m.feature_importances_.sum() for m in blend.rankers_
    ]
    importances = 0.75 * shares[0] + 0.25 * shares[1]
    np.testing.assert_allclose(blend.feature_importances_, importances)
    assert blend.n_features_in_ == 4


def test_equal_members_order_as_the_member(trees):
    """With any normalization, ties among them."""
    ranks = trees.rank(X, qid)
    for normalize in NORMALIZATIONS:
        blend = VotingRanker([("a", TREES), ("b", TREES)], normalize=normalize)
        np.testing.assert_array_equal(blend.fit(X, y, qid).rank(X, qid), ranks)


def test_parameters_of_members():
    """Nested names, replacement by name, clone."""
    blend = VotingRanker(PAIR, n_jobs=2)
    assert blend.get_params()["trees__num_leaves"] == 4
    copy = clone(blend).set_params(trees__num_leaves=7, mse="drop", weights=[1, 1])
    assert copy.rankers[0][1].num_leaves == 7
    assert copy.rankers[1] == ("mse", "drop")
    assert TREES.num_leaves == 4
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            VotingRanker(PAIR),
            {"trees__n_estimators": [1, 2]},
            cv=QueryKFold(2),
            scoring=make_ranking_scorer("ndcg@10"),
        ).fit(X, y, qid=qid)
    assert search.best_params_["trees__n_estimators"] in (1, 2)


def test_weights_reach_every_member():
    """Weight 2 is the list twice, weight 0 no list; a member without weights refuses."""
    twice = np.where(qid % 2, 2.0, 1.0)
    rows = np.r_[np.arange(len(y)), np.flatnonzero(qid % 2)]
    copies = np.r_[qid, qid[qid % 2 == 1] + 1000]
    members = [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=2))]
    weighted = VotingRanker(members).fit(X, y, qid, twice)
    repeated = VotingRanker(members).fit(X[rows], y[rows], copies)
    np.testing.assert_allclose(
        weighted.predict(X, qid), repeated.predict(X, qid), atol=1e-9
    )
    message = (
        "sample_weight must be taken by every member; the fit of 'feature', "
        "SingleFeatureRanker, takes none. Leave sample_weight out, or 'feature'."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        VotingRanker([("feature", SingleFeatureRanker())]).fit(X, y, qid, twice)


def test_validation_data_reach_members_that_stop(trees):
    """And only those."""
    blend = VotingRanker(
        [
            ("stops", TREES),
            ("goes_on", clone(TREES).set_params(early_stopping=False)),
            ("feature", SingleFeatureRanker()),
        ]
    ).fit(X, y, qid, X_val=X, y_val=y, qid_val=qid)
    assert np.isfinite(blend.named_rankers_.stops.best_score_)
    assert np.isnan(blend.named_rankers_.goes_on.best_score_)
    message = (
        "X_val must be taken by a member; got members that take none. Leave X_val out."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        VotingRanker([("random", RandomRanker())]).fit(
            X, y, qid, X_val=X, y_val=y, qid_val=qid
        )


def test_pipelines_and_regressors():
    """Members that are no rankers, with qid where it is taken."""
    blend = VotingRanker(
        [("pipe", make_pipeline(StandardScaler(), TREES)), ("ridge", Ridge())]
    ).fit(X, y, qid)
    assert np.isfinite(blend.predict(X, qid)).all()
    assert blend.score(X, y, qid) > 0.7


def test_tables():
    """Frames with categories, sparse rows and missing values, as the members take."""
    frame = pd.DataFrame(X, columns=list("abcd")).assign(
        color=pd.Categorical(np.where(y > 1, "red", "blue"))
    )
    frame.iloc[::7, 1] = np.nan
    blend = VotingRanker([("trees", TREES), ("numeric", NumericRanker(POINTWISE))]).fit(
        frame, y, qid
    )
    assert blend.feature_names_in_.tolist() == ["a", "b", "c", "d", "color"]
    assert blend.named_rankers_.numeric.columns_ == [0, 1, 2, 3]
    assert np.isfinite(blend.predict(frame, qid)).all()
    with pytest.raises(ValueError, match="feature names"):
        blend.predict(frame[[*list("bacd"), "color"]], qid)
    sparse = scipy.sparse.csr_array(np.where(X > 0, X, 0.0))
    dense = (
        VotingRanker(PAIR).fit(sparse.toarray(), y, qid).predict(sparse.toarray(), qid)
    )
    scores = VotingRanker(PAIR).fit(sparse, y, qid).predict(sparse, qid)
    np.testing.assert_allclose(scores, dense, atol=1e-12)


@pytest.mark.parametrize(
    ("rankers", "weights", "message"),
    [
        (
            TREES,
            None,
            "rankers must be a list of pairs (name, ranker); got "
            f"{TREES!r:.200}. Pass [('trees', LambdaMARTRanker()), …].",
        ),
        (
            [("a", "drop")],
            None,
            "rankers must have at least one member that is not dropped; got [('a', "
            "'drop')]. Add a ranker.",
        ),
        (
            [("a", SingleFeatureRanker)],
            None,
            "rankers must be pairs of a name and a ranker, or 'drop'; got ('a', "
            f"{SingleFeatureRanker!r:.100}). Pass ('trees', LambdaMARTRanker()).",
        ),
        (
            [("a", SingleFeatureRanker())],
            [1, 2],
            "weights must have one number for each of the 1 rankers; got [1, 2].",
        ),
        (
            [("a", SingleFeatureRanker()), ("b", "drop")],
            [0, 2],
            "weights must have a number above 0 for a ranker that is not dropped; got "
            "[0, 2].",
        ),
    ],
)
def test_messages(rankers, weights, message):
    """What was expected, what came, what to do."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        VotingRanker(rankers, weights=weights).fit(X, y, qid)


def test_error_of_a_member_says_whose():
    """In a note, so that the message is the member's own."""
    with pytest.raises(ValueError, match="num_leaves") as raised:
        VotingRanker([("bad", LambdaMARTRanker(num_leaves=1))]).fit(X, y, qid)
    assert raised.value.__notes__ == ["In member 'bad' of the blend."]


def test_out_of_fold_scores():
    """Row by row those of a ranker that has not seen the query; weights are split."""
    shuffled = np.random.default_rng(0).permutation(len(y))
    weights = 1.0 + qid % 3
    scores = cross_val_predict_ranker(
        TREES,
        X[shuffled],
        y[shuffled],
        qid[shuffled],
        cv=3,
        fit_params={"sample_weight": weights[shuffled]},
    )
    splits = list(QueryKFold(3).split(X[shuffled], qid=qid[shuffled]))
    for train, test in splits:
        rows = shuffled[train]
        fitted = clone(TREES).fit(X[rows], y[rows], qid[rows], weights[rows])
        np.testing.assert_allclose(scores[test], fitted.predict(X[shuffled[test]]))
    message = (
        "cv must have each row in exactly one test part, so that it gets one score; got "
        f"row {splits[1][1][0]} in 0 of them. Use QueryKFold."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        cross_val_predict_ranker(
            TREES, X[shuffled], y[shuffled], qid[shuffled], cv=[splits[0]]
        )


def test_stacking_learns_from_out_of_fold_scores():
    """By hand; the final ranker drops a member of noise."""
    stack = StackingRanker(PAIR, TREES, cv=QueryKFold(3)).fit(X, y, qid)
    queries = group_queries(qid, len(y))
    columns = [
        normalize_scores(
            cross_val_predict_ranker(m, X, y, qid, cv=3), queries, "zscore"
        )
        for _, m in PAIR
    ]
    final = clone(TREES).fit(np.column_stack(columns), y, qid)
    fitted = np.column_stack(
        [
            normalize_scores(clone(m).fit(X, y, qid).predict(X), queries, "zscore")
            for _, m in PAIR
        ]
    )
    np.testing.assert_allclose(stack.predict(X, qid), final.predict(fitted))
    assert stack.predict([], []).shape == (0,)
    default = StackingRanker(PAIR, cv=QueryKFold(3)).fit(X, y, qid)
    linear = LinearRanker().fit(np.column_stack(columns), y, qid)
    np.testing.assert_allclose(default.final_ranker_.coef_, linear.coef_)


@pytest.mark.parametrize("n_rows", [1, 2, 12])
def test_stacking_of_a_single_query(n_rows):
    """Its rows are split; with fewer queries than folds, there are fewer folds."""
    stack = StackingRanker([("feature", SingleFeatureRanker())], SingleFeatureRanker())
    stack.fit(X[:n_rows], np.arange(n_rows) % 3)
    assert stack.predict(X[:n_rows]).shape == (n_rows,)


FRAME = pd.DataFrame(X, columns=list("abcd"))
SAVED = [
    VotingRanker(PAIR, weights=(1, 2), normalize="rank"),
    StackingRanker(
        [*PAIR, ("x", "drop")], TREES, cv=QueryKFold(2, shuffle=True, random_state=1)
    ),
    VotingRanker([("blend", VotingRanker(PAIR)), ("n", NumericRanker(TREES))]),
]


@pytest.mark.parametrize("ranker", SAVED, ids=["voting", "stacking", "nested"])
def test_round_trip(tmp_path, ranker):
    """A loaded blend has the same parameters, and the same scores bit by bit."""
    fitted = clone(ranker).fit(FRAME, y, qid)
    save_ranker(fitted, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    np.testing.assert_array_equal(
        loaded.predict(FRAME, qid), fitted.predict(FRAME, qid)
    )
    assert repr(loaded) == repr(fitted)
    assert list(loaded.named_rankers_) == list(fitted.named_rankers_)
    assert loaded.feature_names_in_.tolist() == list("abcd")
    refitted = clone(loaded).fit(FRAME, y, qid)
    np.testing.assert_array_equal(
        refitted.predict(FRAME, qid), fitted.predict(FRAME, qid)
    )
    save_ranker(RandomRanker().fit(X, y), tmp_path / "model")  # replaces all parts
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "arrays.npz",
        "ranker.json",
    ]


def test_weights_whose_sum_overflows():
    X, y = np.array([[1.0], [2.0], [4.0]]), [0, 1, 2]
    members = [("a", SingleFeatureRanker()), ("b", SingleFeatureRanker())]
    scores = [
        VotingRanker(members, weights=weights).fit(X, y).predict(X)
        for weights in ([1e308, 1e308], [1, 1])
    ]
    np.testing.assert_allclose(*scores, rtol=1e-12)
