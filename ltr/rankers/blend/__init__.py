"""Blends: rankers that average or stack the scores of others."""

from ltr.rankers.blend.auto import AutoRanker
from ltr.rankers.blend.stacking import StackingRanker
from ltr.rankers.blend.voting import VotingRanker

__all__ = ["AutoRanker", "StackingRanker", "VotingRanker"]
