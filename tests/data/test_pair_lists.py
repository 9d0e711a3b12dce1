"""Preference pairs as lists of two."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from ltr import LambdaMARTRanker, NeuralRanker
from ltr.datasets import pairs_to_lists

ITEMS = np.random.default_rng(0).normal(size=(30, 3))
PAIRS = np.random.default_rng(1).integers(30, size=(2, 400))


def test_logistic_regression_of_differences():
    """RankNet on pairs is a logistic regression without intercept."""
    better = ITEMS @ [1.0, -0.5, 0.2]
    chance = 1 / (1 + np.exp(-(better[PAIRS[0]] - better[PAIRS[1]])))
    first = np.random.default_rng(2).random(400) < chance
    winners, losers = np.where(first, PAIRS, PAIRS[::-1])
    lists = pairs_to_lists(winners, losers, features=ITEMS)
    ranker = NeuralRanker(
        "ranknet",
        "linear",
        optimizer="adam",
        learning_rate=0.05,
        max_epochs=300,
        early_stopping=False,
        preprocess=None,
        random_state=0,
    )
    ranker.fit(lists.X, lists.y, lists.qid)
    differences = ITEMS[winners] - ITEMS[losers]
    signs = np.where(np.arange(400) % 2, 1, -1)
    reference = LogisticRegression(C=1e6, fit_intercept=False, tol=1e-8)
    reference.fit(signs[:, None] * differences, signs)
    scores = ranker.predict(ITEMS) - ranker.predict(ITEMS[:1])
    expected = (ITEMS - ITEMS[:1]) @ reference.coef_[0]
    assert scores == pytest.approx(expected, abs=0.05)


def test_weights_are_repetitions():
    repeated = pairs_to_lists([[1.0], [1.0], [0.0]], [[0.0], [0.0], [1.0]])
    weighted = pairs_to_lists([[1.0], [0.0]], [[0.0], [1.0]], [2, 1])
    trees = LambdaMARTRanker(n_estimators=3, min_child_samples=1, n_jobs=1)
    one = trees.fit(*repeated[:3]).predict(repeated.X[:2])
    other = trees.fit(*weighted[:3], query_weight=weighted.query_weight)
    assert other.predict(repeated.X[:2]) == pytest.approx(one)


def test_frames_keep_their_columns():
    frame = pd.DataFrame(
        {"price": [1.0, 2.0], "kind": pd.Categorical(["a", "b"])}, index=["x", "y"]
    )
    lists = pairs_to_lists(["y", "y"], ["x", "x"], features=frame)
    assert lists.X["price"].tolist() == [2.0, 1.0, 2.0, 1.0]
    assert lists.X["kind"].dtype == "category"
    assert lists.X.index.tolist() == [0, 1, 2, 3]
    same = pairs_to_lists(frame.iloc[[1, 1]], frame.iloc[[0, 0]].reset_index(drop=True))
    pd.testing.assert_frame_equal(same.X, lists.X)


MESSAGES = {
    "two widths": (
        lambda: pairs_to_lists([[1.0, 2.0]], [[1.0]]),
        "winners and losers must both have shape (n_pairs, n_features); got (1, 2) and "
        "(1, 1). To name items, pass their features as features=.",
    ),
    "more winners than losers": (
        lambda: pairs_to_lists([0, 1, 2], [1, 2], features=ITEMS[:3]),
        "winners and losers must have one item per pair each; got 3 and 2.",
    ),
    "a row that is not there": (
        lambda: pairs_to_lists([0, 3], [1, 2], features=ITEMS[:3]),
        "winners must be rows of features, 0 to 2; got 3 at row 1. Items of other names "
        "need a DataFrame with them as index.",
    ),
    "names without an index": (
        lambda: pairs_to_lists(["a"], ["b"], features=ITEMS),
        "winners must be rows of features, 0 to 29; got a at row 0. Items of other "
        "names need a DataFrame with them as index.",
    ),
    "a name that is not there": (
        lambda: pairs_to_lists(["a"], ["c"], features=pd.DataFrame([[1]], index=["a"])),
        "losers must be items of features; got c at row 0, which is not in its index.",
    ),
    "a name twice": (
        lambda: pairs_to_lists(["a"], ["a"], features=pd.DataFrame(ITEMS, ["a"] * 30)),
        "features must have an index of distinct items; 'a' is repeated.",
    ),
    "a negative weight": (
        lambda: pairs_to_lists([[1.0]], [[2.0]], [-1]),
        "weights must be finite and >= 0; got -1.0 at pair 0. Swap winner and loser of "
        "a pair whose weight is negative.",
    ),
    "other columns": (
        lambda: pairs_to_lists(
            pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}), weights=[1]
        ),
        "winners and losers must have the same columns; got ['a'] and ['b'].",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message(name):
    call, message = MESSAGES[name]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()
