"""Rankers: estimators with ``fit(X, y, qid)``, ``predict``, ``rank`` and ``score``."""

from ltr.rankers.lambdamart import LambdaMARTRanker
from ltr.rankers.neural import NeuralRanker

__all__ = ["LambdaMARTRanker", "NeuralRanker"]
