"""Rows of a small data set as pandas objects, and rankers for them."""

import pandas as pd

from ltr import (
    ConstrainedRanker,
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    TSPRanker,
)
from ltr.datasets import make_ranking

DATA = make_ranking(8, list_size=5, n_features=3, n_informative=2, random_state=0)
X = pd.DataFrame(DATA.X, columns=["a", "b", "c"])
Y, QID = pd.Series(DATA.y, name="y"), pd.Series(DATA.qid, name="qid")
S = X["a"]
NEURAL = NeuralRanker("mse", "linear", max_epochs=0, random_state=0)
TREES = LambdaMARTRanker(n_estimators=1, min_child_samples=1, n_jobs=1)
RANKERS = {
    "random": RandomRanker(),
    "feature": SingleFeatureRanker(),
    "linear": LinearRanker(preprocess="query"),
    "neural": NEURAL,
    "pairs": TSPRanker(encoder="identity", max_epochs=0, random_state=0),
    "trees": TREES,
    "constrained": ConstrainedRanker(SingleFeatureRanker()),
}
