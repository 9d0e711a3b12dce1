"""TSPRanker: scores of pairs, and a solver that turns them into an order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltr.lazy import lazy_names

if TYPE_CHECKING:
    from ltr.rankers.pairs.tsprank import (
        TSPRanker,
    )

__all__ = [
    "TSPRanker",
]
__getattr__ = lazy_names(
    __name__,
    {
        "TSPRanker": "ltr.rankers.pairs.tsprank",
    },
)
