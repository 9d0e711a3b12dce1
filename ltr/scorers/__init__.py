"""Scorers: features → one score per item.

A scorer is a small frozen object with two methods::

    params = scorer.init(key, n_features)    # a pytree of JAX arrays
    scores = scorer.apply(params, X, where)  # X without its last axis

``apply`` is written once, in the array namespace of ``X``: it runs under ``jit`` in
training and in NumPy at prediction time, in float64, so a new list size never compiles.
``uses_list`` says whether the score of an item depends on the rest of its list. A line
in :data:`SCORERS` gives a scorer its name; rankers make it by ``from_parameters``.
:class:`PairScorer` scores pairs instead of items; it serves :class:`ltr.TSPRanker`.
:class:`ModuleScorer` makes a scorer of a module of Equinox or Flax NNX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltr.lazy import lazy_names

if TYPE_CHECKING:
    from ltr.scorers.adapter import AdapterScorer
    from ltr.scorers.attention import AttentionScorer
    from ltr.scorers.base import Scorer
    from ltr.scorers.linear import LinearScorer
    from ltr.scorers.mlp import MLPScorer
    from ltr.scorers.modules import ModuleScorer
    from ltr.scorers.names import SCORERS, get_scorer, with_dropout
    from ltr.scorers.pairs import (
        PairEnsemble,
        PairScorer,
        PairScores,
        PublishedPairScorer,
    )
    from ltr.scorers.two_tower import TwoTowerScorer
    from ltr.scorers.wide_deep import WideDeepScorer

__all__ = [
    "SCORERS",
    "AdapterScorer",
    "AttentionScorer",
    "LinearScorer",
    "MLPScorer",
    "ModuleScorer",
    "PairEnsemble",
    "PairScorer",
    "PairScores",
    "PublishedPairScorer",
    "Scorer",
    "TwoTowerScorer",
    "WideDeepScorer",
    "get_scorer",
    "with_dropout",
]
__getattr__ = lazy_names(
    __name__,
    {
        "SCORERS": "ltr.scorers.names",
        "AdapterScorer": "ltr.scorers.adapter",
        "AttentionScorer": "ltr.scorers.attention",
        "LinearScorer": "ltr.scorers.linear",
        "MLPScorer": "ltr.scorers.mlp",
        "ModuleScorer": "ltr.scorers.modules",
        "PairEnsemble": "ltr.scorers.pairs",
        "PairScorer": "ltr.scorers.pairs",
        "PairScores": "ltr.scorers.pairs",
        "PublishedPairScorer": "ltr.scorers.pairs",
        "Scorer": "ltr.scorers.base",
        "Similarity": "ltr.scorers.base",
        "TwoTowerScorer": "ltr.scorers.two_tower",
        "WideDeepScorer": "ltr.scorers.wide_deep",
        "get_scorer": "ltr.scorers.names",
        "layer_sizes": "ltr.scorers.mlp",
        "with_dropout": "ltr.scorers.names",
    },
)
