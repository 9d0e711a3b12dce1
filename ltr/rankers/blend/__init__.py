"""Blends: rankers that average or stack the scores of others."""

from ltr.rankers.blend.stacking import StackingRanker
from ltr.rankers.blend.voting import VotingRanker

__all__ = ["StackingRanker", "VotingRanker"]
