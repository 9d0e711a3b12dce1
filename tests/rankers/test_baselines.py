"""The baselines do what their names say."""

import numpy as np

from ltr import RandomRanker, SingleFeatureRanker
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
