"""Rankers: estimators with ``fit(X, y, qid)``, ``predict``, ``rank`` and ``score``."""

from ltr.rankers.neural import NeuralRanker

__all__ = ["NeuralRanker"]
