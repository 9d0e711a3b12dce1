"""Models of LightGBM as fitted rankers, and trees added to them."""

import pickle
import re

import lightgbm
import numpy as np
import pandas as pd
import pytest

from ltr import LambdaMARTRanker, LinearRanker
from ltr.arguments import ArgumentError
from ltr.datasets import make_ranking
from ltr.rankers.persistence import load_ranker, save_ranker

DATA = make_ranking(
    20, list_size=10, n_features=4, n_informative=2, n_grades=3, random_state=0
)
X, Y, QID, GROUP = DATA.X, DATA.y, DATA.qid, [10] * 20
OTHER = make_ranking(20, list_size=10, n_features=4, n_informative=2, random_state=1).X
QUIET = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}


def train(objective="lambdarank", n_trees=6, **params):
    params = {**QUIET, "objective": objective, **params}
    return lightgbm.train(params, lightgbm.Dataset(X, Y, group=GROUP), n_trees)


@pytest.fixture(scope="module")
def booster():
    """A ranker of LightGBM."""
    return train(learning_rate=0.2, num_leaves=7, bagging_fraction=0.5, bagging_freq=2)


@pytest.fixture(scope="module")
def frame():
    """Two columns with unordered and ordered categories; a name with a blank."""
    rng = np.random.default_rng(0)
    colors = pd.Categorical(rng.choice(["red", "green", "blue"], len(X)))
    sizes = pd.Categorical(rng.choice(list("sml"), len(X)), list("sml"), ordered=True)
    return pd.DataFrame({"the first": X[:, 0], "color": colors, "size": sizes})


def refuses(error, message, model, **options):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        LambdaMARTRanker.from_booster(model, **options)


@pytest.mark.parametrize(
    ("objective", "options"),
    [
        ("lambdarank", {}),
        ("rank_xendcg", {}),
        ("regression", {"linear_tree": True}),
        ("binary", {}),
        ("poisson", {}),
        ("regression", {"boosting": "dart"}),
        ("regression", {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
    ],
)
def test_predictions_are_those_of_the_booster(objective, options, tmp_path):
    """To the bit: from the booster, its file, a saved ranker and a pickled one."""
    labels = Y > 0 if objective == "binary" else Y
    params = {**QUIET, "objective": objective, **options}
    data = lightgbm.Dataset(X, labels, group=GROUP, params=params)
    booster = lightgbm.train(params, data, 6)
    booster.save_model(tmp_path / "model.txt")
    ranker = LambdaMARTRanker.from_booster(booster, n_jobs=1)
    save_ranker(ranker, tmp_path / "saved")
    for copy in (
        ranker,
        LambdaMARTRanker.from_booster(tmp_path / "model.txt"),
        load_ranker(tmp_path / "saved"),
        pickle.loads(pickle.dumps(ranker)),
        LambdaMARTRanker.from_booster(ranker),
    ):
        np.testing.assert_array_equal(copy.predict(OTHER), booster.predict(OTHER))
    assert ranker.n_iter_ == 6
    assert ranker.n_features_in_ == 4
    assert np.isnan(ranker.best_score_)
    assert ranker.history_ == {}
    with pytest.raises(ValueError, match="^score needs qid because fit was given one"):
        ranker.score(X, Y)


def test_parameters_and_names(booster):
    """What growing trees has in common is read; names are those of the booster."""
    ranker = LambdaMARTRanker.from_booster(booster, metric="map", min_child_samples=9)
    assert repr(ranker) == repr(
        LambdaMARTRanker(
            learning_rate=0.2,
            metric="map",
            min_child_samples=9,
            n_estimators=6,
            num_leaves=7,
            subsample=0.5,
            subsample_freq=2,
        )
    )
    assert LambdaMARTRanker.from_booster(train("rank_xendcg")).loss == "xe_ndcg"
    assert not hasattr(ranker, "feature_names_in_")  # Column_0 … are LightGBM's own
    names = list("abcd")
    named = lightgbm.Dataset(X, Y, group=GROUP, feature_name=names)
    named = lightgbm.train({**QUIET, "objective": "lambdarank"}, named, 2)
    ranker = LambdaMARTRanker.from_booster(named)
    assert ranker.feature_names_in_.tolist() == names
    with pytest.raises(ValueError, match="^The feature names should match those"):
        ranker.predict(pd.DataFrame(X, columns=list("abdc")))


def test_best_iteration():
    """Trees after the best iteration are left out, as in the booster's predict."""
    booster = train(n_trees=8)
    booster.best_iteration = 3
    ranker = LambdaMARTRanker.from_booster(booster)
    assert ranker.n_iter_ == ranker.booster_.num_trees() == 3
    np.testing.assert_array_equal(ranker.predict(OTHER), booster.predict(OTHER))
    booster.best_iteration = 8  # the ranker has trees of its own
    assert ranker.n_iter_ == 3


def test_categories(frame):
    """Of columns of a frame: found in the trees, or named."""
    model = lightgbm.LGBMRanker(n_estimators=4, min_child_samples=5, verbosity=-1)
    model.fit(frame[["color"]], Y, group=GROUP)
    ranker = LambdaMARTRanker.from_booster(model)
    scores = ranker.predict(frame[["color"]].iloc[::-1])
    np.testing.assert_array_equal(scores[::-1], model.predict(frame[["color"]]))
    model.fit(frame, Y, group=GROUP)
    message = (
        "category_columns must name the 2 columns of category dtype that the trees were "
        "grown on, in their order; got None, and the trees do not tell which they are. "
        "Their categories are [['blue', 'green', 'red'], ['s', 'm', 'l']]."
    )
    refuses(ValueError, message, model)
    message = (
        "category_columns must be columns of the trees, 0 to 2 or 'the_first', 'color', "
        "'size'; got 'colour'."
    )
    refuses(ValueError, message, model, category_columns=["colour", "size"])
    ranker = LambdaMARTRanker.from_booster(
        model, category_columns=["color", "size"], feature_names=list(frame)
    )
    np.testing.assert_array_equal(ranker.predict(frame), model.predict(frame))
    more = LambdaMARTRanker(n_estimators=2).fit(frame, Y, QID, init_model=ranker)
    assert more.n_iter_ == 6
    assert more.booster_.pandas_categorical == ranker.booster_.pandas_categorical
    message = (
        "X must have category dtype in the columns whose categories init_model knows, "
        "1, 2; got it in 1. Convert them."
    )
    codes = frame.assign(size=frame["size"].cat.codes)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LambdaMARTRanker().fit(codes, Y, QID, init_model=ranker)


def test_messages(booster, tmp_path):
    """What was expected, what came, and what to do."""
    classes = {"objective": "multiclass", "num_class": 3, **QUIET}
    message = (
        "booster must have one output, the score of an item; got a model with 3, such as "
        "a classifier of 3 classes. Train a ranker, a regression or a binary classifier."
    )
    classifier = lightgbm.train(classes, lightgbm.Dataset(X, Y), 1)
    refuses(ValueError, message, classifier)
    message = (
        "booster must be the path of a model of LightGBM, a lightgbm.Booster, or a "
        "fitted LambdaMARTRanker or LGBMRanker; got {}."
    )
    unfitted = lightgbm.LGBMRanker()
    refuses(ArgumentError, message.format("an unfitted LGBMRanker"), unfitted)
    refuses(ArgumentError, message.format("bytes"), b"tree")
    linear = LinearRanker().fit(X, Y, QID)
    refuses(ArgumentError, message.format("LinearRanker"), linear)
    save_ranker(linear, tmp_path / "saved")
    with pytest.raises(OSError, match=r"; .*\. Pass load_ranker of this folder: "):
        LambdaMARTRanker.from_booster(tmp_path / "saved")
    path = tmp_path / "model.txt"
    with pytest.raises(FileNotFoundError, match="booster must be the path of a model"):
        LambdaMARTRanker.from_booster(path)
    cure = (
        " If you trust it, and this LightGBM can read it, pass "
        "lightgbm.Booster(model_file=...) and save that again."
    )
    path.write_text("tree\n")
    message = f"{path} must be a model of LightGBM; got no line max_feature_idx."
    refuses(ValueError, message + cure, path)
    text = booster.model_to_string()
    path.write_text(text.replace("num_cat=0", "num_cat=9", 1))
    message = (
        f"{path} must be a file that LightGBM can read without harm: num_cat of tree 0 "
        "must be numbers from 0 to 6; got 9."
    )
    refuses(ValueError, message + cure, path)
    path.write_bytes(b"tree\n\xff")
    message = f"{path} must be text in UTF-8; got byte 5 that is none."
    refuses(ValueError, message + cure, path)
    message = (
        "feature_names must be 4 different names, one per column of the trees; got 3, 2 "
        "different."
    )
    refuses(ValueError, message, booster, feature_names=["a", "b", "b"])
    for names in ("abcd", [1, 2, 3, 4]):
        message = f"feature_names must be a sequence of text; got {names!r}."
        refuses(ArgumentError, message, booster, feature_names=names)
    untrained = lightgbm.Booster(QUIET, lightgbm.Dataset(X, Y, params=QUIET))
    message = "booster must have at least one tree; got none."
    refuses(ValueError, message, untrained)


def test_init_model_is_that_of_lightgbm(booster, tmp_path):
    """Trees are added, as LightGBM adds them: to a booster, a file, a ranker."""
    booster.save_model(tmp_path / "model.txt")
    data = lightgbm.Dataset(X, Y, group=GROUP, free_raw_data=False)
    params = {**QUIET, "objective": "lambdarank", "seed": 3}
    peer = lightgbm.train(params, data, 4, init_model=booster)
    ranker = LambdaMARTRanker(
        n_estimators=4, min_child_samples=5, random_state=3, n_jobs=1
    )
    first = LambdaMARTRanker.from_booster(booster)
    for model in (booster, tmp_path / "model.txt", first):
        ranker.fit(X, Y, QID, init_model=model)
        assert ranker.n_iter_ == 10
        np.testing.assert_array_equal(ranker.predict(OTHER), peer.predict(OTHER))
    assert first.n_iter_ == booster.num_trees() == 6
    ranker.fit(X, Y, QID, init_model=booster, X_val=X, y_val=Y.max() - Y, qid_val=QID)
    assert ranker.n_iter_ < 10  # no tree that makes the metric worse


def test_messages_of_init_model(booster, frame):
    """Trees of other columns, two starts, and forests."""

    unfitted = LambdaMARTRanker(n_estimators=2)

    def refused(message, X=X, ranker=unfitted, init_model=booster):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            ranker.fit(X, Y, QID, init_model=init_model)

    message = "X must have the 4 columns that init_model was trained on; got 3."
    refused(message, X[:, :3])
    message = (
        "X must have category dtype in the columns whose categories init_model knows, "
        "none; got it in 1, 2. Convert them."
    )
    refused(message, frame)
    warm = LambdaMARTRanker(n_estimators=2, warm_start=True).fit(X, Y, QID)
    message = (
        "init_model and warm_start are both trees to add to; got both. Leave init_model "
        "out, or set warm_start=False."
    )
    refused(message, ranker=warm)
    forest = train(boosting="rf", bagging_freq=1, bagging_fraction=0.5)
    message = (
        "init_model cannot add trees to a random forest, as LightGBM draws and averages "
        "them in one go; the trees so far have boosting='rf'. Fit all n_estimators at "
        "once, or leave init_model out."
    )
    refused(message, init_model=forest)
    names = pd.DataFrame(X, columns=list("abcd"))
    named = LambdaMARTRanker(n_estimators=2).fit(names, Y, QID)
    with pytest.raises(ValueError, match="^The feature names should match those"):
        named.fit(names[list("abdc")], Y, QID, init_model=named)
