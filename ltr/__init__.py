"""Learning to rank with JAX losses, boosted trees and combinatorial solvers."""

from importlib.metadata import version

from ltr.queries import group_sizes_to_qid
from ltr.rankers import (
    ConstrainedRanker,
    LambdaMARTRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    TSPRanker,
    load_ranker,
    save_ranker,
)

__version__ = version("ltr")

__all__ = [
    "ConstrainedRanker",
    "LambdaMARTRanker",
    "NeuralRanker",
    "RandomRanker",
    "SingleFeatureRanker",
    "TSPRanker",
    "group_sizes_to_qid",
    "load_ranker",
    "save_ranker",
]
