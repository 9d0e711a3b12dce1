"""NeuralRanker: any scorer trained with any loss, as a scikit-learn estimator."""

from ltr.rankers.neural.neural import (
    NeuralRanker,
)

__all__ = [
    "NeuralRanker",
]
