"""Rankers: estimators with ``fit(X, y, qid)``, ``predict``, ``rank`` and ``score``.

JAX and LightGBM (OpenMP) have threads of their own, which a *forked* process lacks: a
child that is forked after a fit or a prediction may wait for them forever. Start
workers afresh: ``multiprocessing.get_context("spawn")``, joblib's default "loky", a web
server without preloading. Our own pools do: :func:`cross_validate_ranker
<ltr.model_selection.cross_validate_ranker>` uses joblib, solvers use threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltr.lazy import lazy_names

if TYPE_CHECKING:
    from ltr.rankers.base import BaseRanker
    from ltr.rankers.baselines import RandomRanker, SingleFeatureRanker
    from ltr.rankers.blend import AutoRanker, StackingRanker, VotingRanker
    from ltr.rankers.constrained import ConstrainedRanker
    from ltr.rankers.linear import LinearRanker
    from ltr.rankers.model_index import ModelIndex
    from ltr.rankers.neural import NeuralRanker
    from ltr.rankers.pairs.tsprank import TSPRanker
    from ltr.rankers.persistence import load_ranker, save_ranker
    from ltr.rankers.query_features import join_query_features
    from ltr.rankers.trees.lambdamart import LambdaMARTRanker

__all__ = [
    "AutoRanker",
    "BaseRanker",
    "ConstrainedRanker",
    "LambdaMARTRanker",
    "LinearRanker",
    "ModelIndex",
    "NeuralRanker",
    "RandomRanker",
    "SingleFeatureRanker",
    "StackingRanker",
    "TSPRanker",
    "VotingRanker",
    "join_query_features",
    "load_ranker",
    "save_ranker",
]
__getattr__ = lazy_names(
    __name__,
    {
        "AutoRanker": "ltr.rankers.blend",
        "BaseRanker": "ltr.rankers.base",
        "ConstrainedRanker": "ltr.rankers.constrained",
        "LambdaMARTRanker": "ltr.rankers.trees.lambdamart",
        "LinearRanker": "ltr.rankers.linear",
        "ModelIndex": "ltr.rankers.model_index",
        "NeuralRanker": "ltr.rankers.neural",
        "RandomRanker": "ltr.rankers.baselines",
        "SingleFeatureRanker": "ltr.rankers.baselines",
        "StackingRanker": "ltr.rankers.blend",
        "TSPRanker": "ltr.rankers.pairs.tsprank",
        "VotingRanker": "ltr.rankers.blend",
        "join_query_features": "ltr.rankers.query_features",
        "load_ranker": "ltr.rankers.persistence",
        "save_ranker": "ltr.rankers.persistence",
    },
)
