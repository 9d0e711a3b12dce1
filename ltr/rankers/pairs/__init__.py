"""TSPRanker: scores of pairs, and a solver that makes an order of them."""

from ltr.rankers.pairs.tsprank import (
    TSPRanker,
)

__all__ = [
    "TSPRanker",
]
