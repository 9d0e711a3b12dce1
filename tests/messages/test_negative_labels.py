"""Labels below zero or above 1000, for a metric that does not take them."""

import re

import numpy as np
import pytest

from ltr import LambdaMARTRanker, NeuralRanker, SingleFeatureRanker
from ltr.datasets import make_ranking

UNFIT = (
    "metric='ndcg@10' cannot score these labels: labels must be >= 0 for gain='exp2'; "
    "got -2. Shift them, pass gain as a function, or use a metric that takes any label: "
    "kendall_tau_score, spearman_score or pairwise_accuracy_score. For the ranker, set "
    "metric='spearman', 'kendall_tau' or 'pairwise_accuracy'."
)


@pytest.mark.parametrize(
    ("ranker", "trains_on"),
    [
        (NeuralRanker("ranknet", "linear", max_epochs=1), "the labels themselves"),
        (
            LambdaMARTRanker(n_estimators=2, n_jobs=1),
            "their gains, y - min(y) if label_gain is 'auto',",
        ),
        (LambdaMARTRanker("mse", n_estimators=2, n_jobs=1), "the labels themselves"),
    ],
)
def test_labels_that_the_metric_cannot_score(ranker, trains_on):
    """fit says so at the user's line, and splits nothing off for early stopping."""
    data = make_ranking(110, list_size=3, n_features=3, n_informative=2, random_state=0)
    with pytest.warns(UserWarning, match="cannot score these") as caught:
        ranker.fit(data.X, data.y - 2, data.qid)
    assert [(str(w.message), w.filename) for w in caught] == [
        (
            f"{UNFIT} Training goes on with {trains_on}"
            " and without early stopping, but score will raise.",
            __file__,
        )
    ]
    assert np.isnan(ranker.best_score_)
    ranker.set_params(metric="spearman").fit(data.X, data.y - 2, data.qid)


def test_a_baseline_that_is_chosen_by_the_metric():
    """It cannot be fitted without one."""
    data = make_ranking(5, random_state=0)
    with pytest.raises(ValueError, match=f"^{re.escape(UNFIT)}$"):
        SingleFeatureRanker().fit(data.X, data.y - 2, data.qid)


@pytest.mark.parametrize(
    ("metric", "linear"),
    [
        ("ndcg@10", "ndcg(gain=linear)@10"),
        ("ndcg", "ndcg(gain=linear)"),
        ("ndcg(discount=letor)@5", "ndcg(discount=letor,gain=linear)@5"),
    ],
)
def test_labels_above_1000(metric, linear):
    """The cure is a metric that can be pasted, and it works."""
    data = make_ranking(5, random_state=0)
    y = data.y * 400
    ranker = SingleFeatureRanker(metric=metric)
    message = (
        f"metric='{metric}' cannot score these labels: labels must be <= 1000 for "
        f"gain='exp2' (2^label overflows); got {y.max():g}. Set metric='{linear}'."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.fit(data.X, y, data.qid)
    ranker.set_params(metric=linear).fit(data.X, y, data.qid)
