"""Files of trees are checked before LightGBM reads them."""

import re

import lightgbm
import numpy as np
import pytest

from ltr import LambdaMARTRanker, load_ranker, save_ranker
from ltr.rankers.trees.tree_file import check_tree_file
from tests.support.forging import sign

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4))
X[:, 2] = RNG.integers(0, 40, 200)
X[RNG.random(X.shape) < 0.1] = np.nan
Y = (np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 2]) % 3).clip(0, 4).astype(int)
QID = np.repeat(np.arange(20), 10)
SMALL = {
    "verbosity": -1,
    "num_threads": 1,
    "min_data_in_leaf": 2,
    "num_leaves": 6,
    "min_data_per_group": 2,
}


def trees(*, labels=Y, categorical=(), **params):
    """LightGBM's own file."""
    params = SMALL | {"objective": "lambdarank"} | params
    group = [10] * 20 if "rank" in str(params["objective"]) else None
    rows = lightgbm.Dataset(
        X, labels, group=group, categorical_feature=list(categorical), params=params
    )
    return lightgbm.train(params, rows, 3).model_to_string()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"categorical": [2]},
        {"objective": "rank_xendcg", "use_missing": False},
        {"objective": "regression", "reg_sqrt": True, "zero_as_missing": True},
        {"objective": "binary", "labels": Y > 1},
        {"objective": "quantile", "alpha": 0.9},
        {"boosting": "dart", "drop_rate": 0.5},
        {
            "objective": "regression",
            "boosting": "rf",
            "bagging_freq": 1,
            "subsample": 0.6,
        },
        {"objective": "regression", "linear_tree": True, "categorical": [2]},
        {"objective": "regression", "linear_tree": True},
        {"objective": "regression", "monotone_constraints": [1, 0, 0, -1]},
        {"objective": "regression", "interaction_constraints": [[0, 1], [2, 3]]},
        {"labels": np.zeros(200)},
        {"objective": "regression", "labels": np.ones(200)},
        {"min_data_in_leaf": 150, "label_gain": [0, 1, 2.5, 7, 15]},
        {"objective": "regression", "labels": Y * 1e30},
        {"objective": lambda scores, rows: (scores - rows.get_label(), scores * 0 + 1)},
    ],
    ids=lambda options: ",".join(options) or "lambdarank",
)
def test_files_of_lightgbm_are_taken(options):
    """Constant trees, categories, missing values, linear leaves, forests, …"""
    file = check_tree_file(trees(**options), 4)
    assert file.n_trees == lightgbm.Booster(model_str=trees(**options)).num_trees()
    assert file.categories is None


def test_infinite_threshold_and_categories_of_a_frame():
    """LightGBM writes "inf" where a missing value alone goes to one side."""
    import pandas as pd

    frame = pd.DataFrame(X).assign(city=pd.Categorical(np.where(Y > 1, "ro:me", 'o"s')))
    rows = lightgbm.Dataset(frame, Y, group=[10] * 20)
    text = lightgbm.train(
        SMALL | {"objective": "lambdarank"}, rows, 3
    ).model_to_string()
    assert check_tree_file(text, 5).categories == [['o"s', "ro:me"]]
    first = re.search(r"threshold=\S{8,}", text)[0]
    changed = text.replace(first, "threshold=inf".ljust(len(first)), 1)
    assert check_tree_file(changed, 5).n_trees == 3


FORGED = {  # what is replaced, by what (as long as what it replaces), the message
    "num_cat": (
        r"num_cat=\d",
        "num_cat=9",
        "num_cat of tree 0 must be numbers from 0 to 5",
    ),
    "num_leaves": (
        "num_leaves=6",
        "num_leaves=7",
        "leaf_value of tree 0 must be 7 numb",
    ),
    "fewer leaves": ("num_leaves=6", "num_leaves=5", "num_cat|must be 5 numbers"),
    "no leaves": ("num_leaves=6", "num_leaves=0", "must be numbers from 1 to 131072"),
    "child": (
        r"left_child=-?\d",
        "left_child=9",
        "left_child of tree 0 must be numbers",
    ),
    "cycle": (
        r"left_child=-?\d",
        "left_child=0",
        "each node and leaf once, after its par",
    ),
    "feature": (r"split_feature=\d", "split_feature=4", "must be numbers from 0 to 3"),
    "leaf": (
        r"leaf_value=\S+",
        "leaf_value=nan ",
        "leaf_value of tree 0 must be fin",
    ),
    "boundary": ("cat_boundaries=0 ", "cat_boundaries=1 ", "must be to rise from 0"),
    "huge set": (r"cat_boundaries=0 \d", "cat_boundaries=0 9", "cat_|numbers"),
    "number": (r"threshold=\S", "threshold=x", "threshold of tree 0 must be plain"),
    "missing type": (r"decision_type=\d", "decision_type=12", "tree|missing type"),
    "num_class": ("num_class=1", "num_class=2", "num_class must be '1'; got 2"),
    "trees per round": ("iteration=1", "iteration=2", "num_tree_per_iteration must be"),
    "width": ("max_feature_idx=3", "max_feature_idx=9", "max_feature_idx must be '3'"),
    "names": ("Column_0 ", "Column_00", "feature_names must be 4 words; got 3"),
    "objective": ("=regression", "=multiclass", "objective must be one of"),
    "size": (r"tree_sizes=\d", "tree_sizes=9", "tree_sizes must be numbers of bytes"),
    "order": ("Tree=1", "Tree=2", "tree 1 must be to begin with 'Tree=1'"),
    "end": ("end of trees", "end of threes", "end of trees"),
    "parameter": (r"\[boosting: ", "[boosting; ", "a line of parameters must be"),
    "categories": (
        "pandas_categorical:null",
        "pandas_categorical:[1]",
        "lists of text",
    ),
    "deep": (
        "categorical:null",
        "categorical:" + "[" * 10**5,
        "pandas_categorical must",
    ),
    "field": ("shrinkage=", "shrinking=", "each known field once"),
    "carriage return": ("\nTree=1", "\rTree=1", "text with line feeds only"),
}


@pytest.fixture(scope="module")
def text():
    """A file with two categorical splits in its first tree."""
    labels = np.nan_to_num(X[:, 2]) % 3
    options = {"cat_smooth": 0, "cat_l2": 0, "max_bin": 63}
    text = trees(objective="regression", labels=labels, categorical=[2], **options)
    assert re.search("Tree=0\nnum_leaves=6\nnum_cat=[1-5]\n", text)
    return text


@pytest.mark.parametrize("name", FORGED)
def test_forged_files_are_refused(text, name):
    """With the field and the tree in the message."""
    pattern, replacement, message = FORGED[name]
    forged = re.sub(pattern, lambda m: replacement.ljust(len(m[0])), text, count=1)
    assert forged != text
    with pytest.raises(ValueError, match=message):
        check_tree_file(forged, 4)


def test_cut_anywhere(text):
    """No beginning of a file is a file, but for the last line feed."""
    for length in range(0, len(text.rstrip("\n")), 7):
        with pytest.raises(
            ValueError, match=r"^trees\.txt is not a file that LightGBM"
        ):
            check_tree_file(text[:length], 4)


def test_forged_checksums(tmp_path):
    """load_ranker refuses what would have been a segmentation fault."""
    ranker = LambdaMARTRanker(n_estimators=2, min_child_samples=1, n_jobs=1)
    save_ranker(ranker.fit(X, Y, QID), tmp_path / "m")
    path = tmp_path / "m" / "trees.txt"
    path.write_text(path.read_text().replace("num_cat=0", "num_cat=1000000000"))
    sign(tmp_path / "m")
    with pytest.raises(
        ValueError, match=f"^{re.escape(str(tmp_path / 'm'))}: trees.txt"
    ):
        load_ranker(tmp_path / "m")
