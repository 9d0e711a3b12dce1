"""LambdaMARTRanker: LightGBM's boosted trees, without its restrictions on input."""

from ltr.rankers.trees.lambdamart import (
    LambdaMARTRanker,
)

__all__ = [
    "LambdaMARTRanker",
]
