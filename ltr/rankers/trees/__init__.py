"""LambdaMARTRanker: LightGBM's boosted trees, without its restrictions on input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltr.lazy import lazy_names

if TYPE_CHECKING:
    from ltr.rankers.trees.lambdamart import (
        LambdaMARTRanker,
    )

__all__ = [
    "LambdaMARTRanker",
]
__getattr__ = lazy_names(
    __name__,
    {
        "LambdaMARTRanker": "ltr.rankers.trees.lambdamart",
    },
)
