"""Learning to rank with JAX losses, boosted trees and combinatorial solvers.

A ranker is a scikit-learn estimator: ``fit(X, y, qid)``, then ``predict(X, qid)`` for
scores, ``rank(X, qid)`` for ranks and ``score(X, y, qid)`` for its metric. ``qid`` is
the query of each row; for labels and scores, higher is better.

>>> from ltr import LambdaMARTRanker
>>> from ltr.datasets import make_ranking
>>> train, test = make_ranking(60, random_state=0).train_test_split(random_state=0)
>>> ranker = LambdaMARTRanker(n_estimators=20, n_jobs=1, random_state=0)
>>> ranker.fit(train.X, train.y, train.qid).rank(test.X, test.qid).min()
np.int64(1)

Further packages, imported by name: :mod:`ltr.datasets`, :mod:`ltr.losses`,
:mod:`ltr.metrics`, :mod:`ltr.model_selection`, :mod:`ltr.compare`, :mod:`ltr.plotting`,
:mod:`ltr.export`, :mod:`ltr.inspection`, :mod:`ltr.fusion`, :mod:`ltr.refine`,
:mod:`ltr.rerank`, :mod:`ltr.mining`, :mod:`ltr.rewards`, :mod:`ltr.solvers`,
:mod:`ltr.testing`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ltr import _moved

if TYPE_CHECKING:
    from ltr.compilation import compilation_cache
    from ltr.queries import group_sizes_to_qid
    from ltr.rankers import (
        AutoRanker,
        ConstrainedRanker,
        LambdaMARTRanker,
        LinearRanker,
        ModelIndex,
        NeuralRanker,
        RandomRanker,
        SingleFeatureRanker,
        StackingRanker,
        TSPRanker,
        VotingRanker,
        save_ranker,
    )
    from ltr.serving import load_ranker

    __version__: str

_MODULES = {
    "AutoRanker": "ltr.rankers",
    "ConstrainedRanker": "ltr.rankers",
    "LambdaMARTRanker": "ltr.rankers",
    "LinearRanker": "ltr.rankers",
    "ModelIndex": "ltr.rankers",
    "NeuralRanker": "ltr.rankers",
    "RandomRanker": "ltr.rankers",
    "SingleFeatureRanker": "ltr.rankers",
    "StackingRanker": "ltr.rankers",
    "TSPRanker": "ltr.rankers",
    "VotingRanker": "ltr.rankers",
    "compilation_cache": "ltr.compilation",
    "group_sizes_to_qid": "ltr.queries",
    "load_ranker": "ltr.serving",
    "save_ranker": "ltr.rankers",
}
_moved.install()

__all__ = [
    "AutoRanker",
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
    "compilation_cache",
    "group_sizes_to_qid",
    "load_ranker",
    "save_ranker",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("ltr")
    elif name in _MODULES:
        value = getattr(importlib.import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module 'ltr' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, including those that are not loaded yet."""
    return sorted([*globals(), *__all__, "__version__"])
