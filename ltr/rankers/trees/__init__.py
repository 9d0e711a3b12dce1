"""LambdaMARTRanker: LightGBM's boosted trees, without what hurts about them."""

from ltr.rankers.trees.lambdamart import (
    LambdaMARTRanker,
)

__all__ = [
    "LambdaMARTRanker",
]
