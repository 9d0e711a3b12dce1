"""Several rankers on the same lists, one table with intervals.

>>> from ltr.datasets import make_ranking
>>> folds = query_folds(make_ranking(n_queries=30, random_state=0), n_folds=3)
>>> board = compare_rankers({name: make_ranker(name) for name in
...                          ("random", "best_feature")}, folds)
>>> list(board.table().index)
['best_feature', 'random']
"""

from ltr.compare.rankers import (
    Fold,
    compare_rankers,
    make_ranker,
    part_folds,
    query_folds,
)

__all__ = [
    "Fold",
    "compare_rankers",
    "make_ranker",
    "part_folds",
    "query_folds",
]
