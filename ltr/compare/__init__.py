"""Comparison of rankers on the same queries: a leaderboard and a report.

>>> from ltr.datasets import make_ranking
>>> folds = query_folds(make_ranking(n_queries=30, random_state=0), n_folds=3)
>>> board = compare_rankers({name: make_ranker(name) for name in
...                          ("random", "best_feature")}, folds)
>>> list(board.table().index)
['best_feature', 'random']
"""

from ltr.compare.leaderboard import Leaderboard
from ltr.compare.rankers import (
    DEFAULT_RANKERS,
    Fold,
    compare_rankers,
    make_ranker,
    part_folds,
    query_folds,
)
from ltr.compare.report import comparison_report, cutoff_metrics

__all__ = [
    "DEFAULT_RANKERS",
    "Fold",
    "Leaderboard",
    "compare_rankers",
    "comparison_report",
    "cutoff_metrics",
    "make_ranker",
    "part_folds",
    "query_folds",
]
