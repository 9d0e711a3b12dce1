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

from ltr import LambdaMARTRanker, SingleFeatureRanker, load_ranker, save_ranker
from ltr.datasets import make_ranking
from ltr.rankers.trees.boosting import max_depth
from ltr.rankers.trees.tree_file import check_tree_file

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


def test_surrogates_that_no_file_holds():
    """Half a character: in categories, and in names of columns of any ranker."""
    categories = pd.Index(["a", "\ud800"], dtype=object)  # Arrow's text holds none
    frame = pd.DataFrame({"c": pd.Categorical.from_codes([0, 1], categories)})
    message = (
        "categories must be text that UTF-8 can encode; got '\\ud800' in column 'c' of "
        "X, which has a surrogate. Rename it, here and for predict, with "
        ".cat.rename_categories."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        small().fit(frame, [0, 1])
    message = (
        "X must have column names that UTF-8 can encode; got 'x\\udfff', which has a "
        "surrogate. Rename the column."
    )
    names = pd.Index(["x\udfff"], dtype=object)
    for ranker in (small(), SingleFeatureRanker()):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            ranker.fit(pd.DataFrame([[0.0], [1.0]], columns=names), [0, 1])


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
    assert len(ranker.history_["ndcg@10"]) == ranker.n_iter_ + 4
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


def test_no_trees_on_top_of_a_forest(tmp_path):
    """They would be added to trees that are averaged; the old ones stay as they are."""
    forest = small(warm_start=True, extra_params={"boosting": "rf"}, subsample=0.5)
    forest.fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    scores = forest.predict(TEST.X)
    save_ranker(forest, tmp_path / "forest")
    message = (
        "warm_start cannot add trees to a random forest, as LightGBM draws and averages "
        "them in one go; the trees so far have boosting='rf'. Fit all n_estimators at "
        "once, or set warm_start=False."
    )
    for ranker in (forest, load_ranker(tmp_path / "forest")):
        for extra_params in (None, {"boosting": "dart"}):
            ranker.set_params(n_estimators=9, extra_params=extra_params, subsample=1.0)
            with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
                ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid)
            assert_array_equal(ranker.predict(TEST.X), scores)
    forest.set_params(warm_start=False, extra_params=None)
    assert forest.fit(TRAIN.X, TRAIN.y, TRAIN.qid).n_iter_ == 9


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
    """Our error instead of LightGBM's, and if only later trees have them."""
    message = (
        "predict_contrib needs trees with constant leaves; these have linear ones. Fit "
        "without 'linear_tree' in extra_params."
    )
    linear = small(extra_params={"linear_tree": True})
    mixed = small(n_estimators=3, warm_start=True).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    assert mixed.predict_contrib(TRAIN.X[:1]).shape == (1, 5)
    mixed.set_params(n_estimators=6, extra_params={"linear_tree": True})
    for ranker in (linear, mixed):
        ranker.fit(TRAIN.X, TRAIN.y, TRAIN.qid)
        with pytest.raises(ValueError, match=f"^{message}$"):
            ranker.predict_contrib(TRAIN.X)


def chain(n_leaves):
    """A ranker with one tree, each node of which has a leaf; LightGBM's text of it."""
    ranker = small(n_estimators=1, num_leaves=2).fit(TRAIN.X, TRAIN.y, TRAIN.qid)
    text, n_nodes = ranker.booster_.model_to_string(), n_leaves - 1
    values = {
        "num_leaves": [n_leaves],
        "threshold": np.linspace(-1, 1, n_nodes),
        "left_child": -np.arange(1, n_nodes + 1),
        "right_child": [*range(1, n_nodes), -n_leaves],
        "leaf_value": np.arange(n_leaves) / n_leaves,
        "internal_count": n_leaves - np.arange(n_nodes),
    }
    constants = {"split_feature": 1, "split_gain": 1, "decision_type": 2}
    constants |= {"internal_value": 1, "internal_weight": 1}
    values |= {name: [value] * n_nodes for name, value in constants.items()}
    values |= {name: [1] * n_leaves for name in ("leaf_weight", "leaf_count")}
    for name, numbers in values.items():
        line = f"\n{name}={' '.join(map(str, numbers))}\n"
        text = re.sub(f"\n{name}=.*\n", line, text, count=1)
    size = text.index("end of trees") - text.index("Tree=0")
    text = re.sub(r"tree_sizes=\d+", f"tree_sizes={size}", text)
    ranker.booster_ = lightgbm.Booster(model_str=text)
    return ranker, text


def test_contributions_of_deep_trees(monkeypatch):
    """LightGBM's memory grows with depth squared, and it aborts where there is none."""
    ranker, text = chain(60_000)
    assert check_tree_file(text, 4).n_trees == 1
    assert max_depth(text) == 59_999
    message = (
        "predict_contrib needs trees of depth <= 5000, as LightGBM recurses to their "
        "leaves; got depth 59999. Limit max_depth in fit."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.predict_contrib(TRAIN.X)
    ranker, text = chain(5001)
    assert max_depth(text) == 5000
    shares = ranker.predict_contrib(TRAIN.X[:3])
    assert_allclose(shares.sum(axis=1), ranker.predict(TRAIN.X[:3]), rtol=1e-9)
    monkeypatch.setattr("ltr.memory.available_bytes", lambda: 4e8)
    message = (
        "predict_contrib on trees of depth 5000 needs about 0.4 GB of memory, but 0.4 "
        "GB are available. Limit max_depth in fit, or set a lower n_jobs."
    )
    with pytest.raises(MemoryError, match=f"^{re.escape(message)}$"):
        ranker.predict_contrib(TRAIN.X)


def test_depth_of_trees():
    """As LightGBM's own table of nodes has it, or leaves - 1 for small trees."""
    rows = np.random.default_rng(0).normal(size=(3000, 3))
    params = {"num_leaves": 700, "min_data_in_leaf": 1, "verbosity": -1}
    booster = lightgbm.train(params, lightgbm.Dataset(rows, rows[:, 0] ** 3), 2)
    depths = booster.trees_to_dataframe()["node_depth"]  # of the root: 1
    assert max_depth(booster.model_to_string()) == depths.max() - 1
    assert max_depth(chain(20)[1]) == 19
    assert max_depth("\nnum_leaves=1\nleft_child=\nright_child=\n") == 0


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
