"""Rankers: estimators with ``fit(X, y, qid)``, ``predict``, ``rank`` and ``score``."""

from ltr.rankers.base import BaseRanker
from ltr.rankers.baselines import RandomRanker, SingleFeatureRanker
from ltr.rankers.lambdamart import LambdaMARTRanker
from ltr.rankers.neural import NeuralRanker
from ltr.rankers.persistence import load_ranker, save_ranker

__all__ = [
    "BaseRanker",
    "LambdaMARTRanker",
    "NeuralRanker",
    "RandomRanker",
    "SingleFeatureRanker",
    "load_ranker",
    "save_ranker",
]
