"""LambdaMARTRanker and LightGBM itself: one prediction, whoever computes it."""

import copy
import json
import re
import tempfile

import lightgbm
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ltr import LambdaMARTRanker
from ltr.datasets import make_ranking

DATA = make_ranking(
    30, list_size=(4, 12), n_features=4, n_informative=3, random_state=0
)
TRAIN, TEST = DATA.train_test_split(0.4, random_state=0)
OF_TEST = {"X_val": TEST.X, "y_val": TEST.y, "qid_val": TEST.qid}
VALUES = {
    "strings": ["rome", "oslo", "köln", "", "None", "7"],
    "ints": [3, -1, 10**12, 7, 0, 1],
    "floats": [0.1, -2.5, 1e300, 3.0, 1.0, 0.0],
    "bools": [True, False],
    "mixed": [1, "1", 2.5, "b"],
}


def small(**parameters):
    parameters = {"n_estimators": 5, "n_jobs": 1, "random_state": 0} | parameters
    return LambdaMARTRanker(min_child_samples=1, **parameters)


def from_file(booster):
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        booster.save_model(file.name)
        return lightgbm.Booster(model_file=file.name)


@st.composite
def columns(draw):
    """Dtype of a category column, its values in training, and requests of it."""
    values = draw(st.permutations(draw(st.sampled_from(list(VALUES.values())))))
    declared = values[: draw(st.integers(1, len(values)))]
    seed = draw(st.integers(0, 1000))
    return declared, values, draw(st.booleans()), seed


@pytest.mark.filterwarnings("ignore:.* rows have a category in column")
@settings(max_examples=12)
@given(columns(), columns())
def test_frames_with_categories(a, b):
    """LightGBM's trees; the booster, its file and plain LightGBM give our scores."""
    frame, requests = {"x": TRAIN.X[:, 0]}, [{"x": TEST.X[:, 0]} for _ in range(3)]
    for name, (declared, values, ordered, seed) in (("a", a), ("b", b)):
        rng = np.random.default_rng(seed)
        present = [*declared[: max(1, len(declared) - 1)], None]  # one never occurs
        frame[name] = pd.Categorical(
            draw_from(present, rng, len(TRAIN.y)), declared, ordered=ordered
        )
        for request in requests:
            known = [values[i] for i in rng.permutation(len(values))]
            request[name] = pd.Categorical(
                draw_from([*known, None], rng, len(TEST.y)), known, ordered=ordered
            )
    frame = pd.DataFrame(frame)
    y = TRAIN.y + (frame["a"].cat.codes.to_numpy() == 0)
    ranker = small().fit(frame, y, TRAIN.qid)
    saved = from_file(ranker.booster_)
    plain = lightgbm.LGBMRanker(
        n_estimators=5, min_child_samples=1, n_jobs=1, random_state=0, verbosity=-1
    ).fit(frame, y, group=np.bincount(TRAIN.qid)[np.unique(TRAIN.qid)])
    tables = [pd.DataFrame(request) for request in requests]
    tables[1] = tables[1].iloc[:1]
    for name in "ab":  # a request that knows of nothing but its own row
        tables[1] = tables[1].assign(
            **{name: tables[1][name].cat.remove_unused_categories()}
        )
    for table in [frame, *tables]:
        scores = ranker.predict(table)
        assert_array_equal(ranker.booster_.predict(table), scores)
        assert_array_equal(saved.predict(table), scores)
        assert_array_equal(plain.predict(table), scores)
        shares = ranker.predict_contrib(table)
        assert shares.shape == (len(table), 4)
        assert_allclose(shares.sum(axis=1), scores, atol=1e-9)


def draw_from(values, rng, n):
    return [values[i] for i in rng.integers(len(values), size=n)]


def test_one_row_that_knows_one_category():
    """Codes are those of fit, not those of the request."""
    city = np.random.default_rng(0).choice(["oslo", "paris", "rome"], len(TRAIN.y))
    frame = pd.DataFrame({"x": TRAIN.X[:, 0], "city": pd.Categorical(city)})
    ranker = small().fit(frame, (city == "rome").astype(int), TRAIN.qid)
    request = pd.DataFrame({"x": [0.0], "city": pd.Categorical(["rome"])})
    assert ranker.booster_.pandas_categorical == [["oslo", "paris", "rome"]]
    assert_array_equal(ranker.booster_.predict(request), ranker.predict(request))
    text = ranker.booster_.model_to_string()
    assert text.endswith('\npandas_categorical:[["oslo", "paris", "rome"]]\n')
    assert json.loads(text.splitlines()[-1].split(":", 1)[1])
    with pytest.raises(ValueError, match="categorical_feature do not match"):
        ranker.booster_.predict(request.assign(city=[0.0]))


@pytest.mark.parametrize(
    "categories",
    [
        pd.cut([0.5, 1.5], [0, 1, 2]),
        pd.Categorical(pd.to_datetime(["2020-01-01", "2020-01-02"])),
        pd.Categorical([(1, 2), (3, 4)]),
    ],
)
def test_categories_that_no_file_holds(categories):
    """LightGBM's JSON cannot hold them: said before training, with the cure."""
    frame = pd.DataFrame({"x": [0.0, 1.0], "c": categories})
    message = (
        "categories must be strings, numbers or booleans, which LightGBM's files can "
        f"hold; got {categories.categories[0]!r} in column 'c' of X. Convert them, here "
        "and for predict, with .cat.rename_categories(str)."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        small().fit(frame, [0, 1])
    frame["c"] = frame["c"].cat.rename_categories(str)
    assert len(small(early_stopping=False).fit(frame, [0, 1]).predict(frame)) == 2


def test_the_booster_ends_with_the_best_tree(capsys):
    """Its file holds the trees that predict uses, so LightGBM predicts the same."""
    ranker = small(n_estimators=60, learning_rate=0.5, n_iter_no_change=5, verbose=2)
    ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid, **OF_TEST)
    n_scores = len(ranker.history_["ndcg@10"])
    assert ranker.n_iter_ < n_scores < 60
    assert len(capsys.readouterr().err.splitlines()) == n_scores
    scores = ranker.predict(TEST.X)
    assert ranker.booster_.num_trees() == ranker.n_iter_
    assert_array_equal(from_file(ranker.booster_).predict(TEST.X), scores)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"extra_params": {"boosting": "dart"}},
        {"extra_params": {"boosting": "dart", "xgboost_dart_mode": True}},
        {"extra_params": {"boosting_type": "rf"}, "subsample": 0.5},
        {"extra_params": {"data_sample_strategy": "goss"}, "loss": "xe_ndcg"},
        {"extra_params": {"linear_tree": True}, "loss": "mse"},
        {"min_child_samples": 40, "subsample": 0.7},  # iterations without a split
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:boosting='dart' rescales")
def test_best_score_is_the_score(options):
    """best_score_ is that of the trees in use, and never falls with warm_start."""
    options = {"n_estimators": 25, "n_iter_no_change": 8, "metric": "ndcg@3"} | options
    base = {"n_jobs": 1, "random_state": 0, "warm_start": True}
    ranker = LambdaMARTRanker(**(base | options))
    ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid, **OF_TEST)
    best = ranker.best_score_
    assert_allclose(ranker.score(TEST.X, TEST.y, TEST.qid), best, rtol=1e-12)
    is_forest = "rf" in options.get("extra_params", {}).values()
    for learning_rate in () if is_forest else (0.9, 0.05):
        n_trees = ranker.n_iter_ + 30
        ranker.set_params(n_estimators=n_trees, learning_rate=learning_rate)
        ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid, **OF_TEST)
        assert ranker.best_score_ >= best
        best = ranker.best_score_
        assert_allclose(ranker.score(TEST.X, TEST.y, TEST.qid), best, rtol=1e-12)


def test_a_start_that_stays_the_best():
    """Trees that learn nonsense are not added, and training stops in time."""
    ranker = small(n_estimators=20, warm_start=True, n_iter_no_change=4)
    ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid, **OF_TEST)
    text, best = ranker.booster_.model_to_string(), ranker.best_score_
    ranker.set_params(n_estimators=200, learning_rate=0.001)
    ranker.fit(TRAIN.X, -TRAIN.y + 4, TRAIN.qid, **OF_TEST)
    assert ranker.best_score_ == best
    assert len(ranker.history_["ndcg@10"]) == 4
    assert ranker.booster_.num_trees() == ranker.n_iter_
    trees = [text.split("parameters:")[0].split("Tree=0")[1]]
    assert trees[0] in ranker.booster_.model_to_string()


def test_dart_keeps_all_trees():
    """It cannot stop early, and says so."""
    ranker = small(extra_params={"boosting": "dart"}, n_iter_no_change=1)
    message = (
        "boosting='dart' rescales earlier trees with each new one, so training cannot "
        "stop early and predict uses all trees; best_score_ is the metric of all of "
        "them. Set early_stopping=False to say so."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid, **OF_TEST)
    assert ranker.n_iter_ == 5


def test_no_warm_forest():
    """LightGBM's check, in words."""
    ranker = small(warm_start=True, extra_params={"boosting": "rf"}, subsample=0.5)
    ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid).set_params(n_estimators=9)
    message = (
        "warm_start cannot add trees to a random forest, as LightGBM draws and averages "
        "them in one go; got boosting='rf'. Fit all n_estimators at once."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid)


@pytest.mark.parametrize(
    "options", [{}, {"extra_params": {"boosting": "rf"}, "subsample": 0.5}], ids=str
)
def test_contributions(options):
    """They sum to the score: sparse rows, and forests, which average trees."""
    X = np.where(np.abs(TRAIN.X) < 0.5, 0, TRAIN.X)
    ranker = small(**options).fit(X, TRAIN.y, TRAIN.qid)
    shares = ranker.predict_contrib(X)
    assert_allclose(shares.sum(axis=1), ranker.predict(X), atol=1e-9)
    sparse = ranker.predict_contrib(scipy.sparse.csr_matrix(X))
    assert_allclose(sparse.toarray(), shares, atol=1e-12)
    assert ranker.predict_contrib(X[:0]).shape == (0, 5)


def test_linear_leaves_have_no_contributions():
    """Our error instead of LightGBM's."""
    ranker = small(extra_params={"linear_tree": True})
    ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    message = (
        "predict_contrib needs trees with constant leaves; these have linear ones. Fit "
        "without 'linear_tree' in extra_params."
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        ranker.predict_contrib(TRAIN.X)


def test_a_fit_that_fails_leaves_the_trees(monkeypatch):
    """Errors and Ctrl-C, before and in LightGBM: the old columns are still checked."""
    frame = pd.DataFrame(TRAIN.X[:, :3], columns=list("abc"))
    ranker = small().fit(frame, TRAIN.y, TRAIN.qid)
    scores, before = ranker.predict(frame), copy.copy(vars(ranker))
    other = frame[["c", "b", "a"]]
    with pytest.raises(ValueError, match="y must be finite"):
        ranker.fit(other, np.full(len(TRAIN.y), np.nan), TRAIN.qid)

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lightgbm, "train", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ranker.fit(other, TRAIN.y, TRAIN.qid)
    assert vars(ranker) == before
    with pytest.raises(ValueError, match="feature names should match"):
        ranker.predict(other)
    assert_array_equal(ranker.predict(frame), scores)
