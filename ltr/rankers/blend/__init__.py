"""Blends: rankers that average or stack the scores of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltr.lazy import lazy_names

if TYPE_CHECKING:
    from ltr.rankers.blend.auto import AutoRanker
    from ltr.rankers.blend.stacking import StackingRanker
    from ltr.rankers.blend.voting import VotingRanker

__all__ = ["AutoRanker", "StackingRanker", "VotingRanker"]
__getattr__ = lazy_names(
    __name__,
    {
        "AutoRanker": "ltr.rankers.blend.auto",
        "StackingRanker": "ltr.rankers.blend.stacking",
        "VotingRanker": "ltr.rankers.blend.voting",
    },
)
