"""Rankers: estimators with ``fit(X, y, qid)``, ``predict``, ``rank`` and ``score``."""

from ltr.rankers.base import BaseRanker
from ltr.rankers.baselines import RandomRanker, SingleFeatureRanker
from ltr.rankers.constrained import ConstrainedRanker
from ltr.rankers.neural import NeuralRanker
from ltr.rankers.pairs.tsprank import TSPRanker
from ltr.rankers.persistence import load_ranker, save_ranker
from ltr.rankers.trees.lambdamart import LambdaMARTRanker

__all__ = [
    "BaseRanker",
    "ConstrainedRanker",
    "LambdaMARTRanker",
    "NeuralRanker",
    "RandomRanker",
    "SingleFeatureRanker",
    "TSPRanker",
    "load_ranker",
    "save_ranker",
]
