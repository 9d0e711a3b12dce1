"""Learning to rank."""

from ltr.queries import group_sizes_to_qid
from ltr.rankers import NeuralRanker

__all__ = ["NeuralRanker", "group_sizes_to_qid"]
