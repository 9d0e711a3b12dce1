"""NeuralRanker: any scorer trained with any loss, as a scikit-learn estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltr.lazy import lazy_names

if TYPE_CHECKING:
    from ltr.rankers.neural.neural import (
        NeuralRanker,
    )

__all__ = [
    "NeuralRanker",
]
__getattr__ = lazy_names(
    __name__,
    {
        "NeuralRanker": "ltr.rankers.neural.neural",
    },
)
