"""TSPRanker: scores of pairs, and a solver that turns them into an order."""

from ltr.rankers.pairs.tsprank import (
    TSPRanker,
)

__all__ = [
    "TSPRanker",
]
