"""Learning to rank."""

from ltr.queries import group_sizes_to_qid
from ltr.rankers import LambdaMARTRanker, NeuralRanker

__all__ = ["LambdaMARTRanker", "NeuralRanker", "group_sizes_to_qid"]
