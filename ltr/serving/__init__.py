"""Saved rankers that predict in a small process, and a server for them.

:func:`load_ranker` reads what :func:`ltr.save_ranker` wrote. In a process that has
imported no estimator it needs NumPy only, and LightGBM's library for trees; JAX,
scikit-learn, pandas and SciPy are loaded when something else than a prediction is asked
for. :func:`create_app` makes a web application of a ranker, which ``ltr serve`` runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltr.lazy import lazy_names

if TYPE_CHECKING:
    from ltr.serving.app import create_app
    from ltr.serving.loading import LoadedRanker, load_ranker
    from ltr.serving.payload import Limits

__all__ = ["Limits", "LoadedRanker", "create_app", "load_ranker"]
__getattr__ = lazy_names(
    __name__,
    {
        "Limits": "ltr.serving.payload",
        "LoadedRanker": "ltr.serving.loading",
        "create_app": "ltr.serving.app",
        "load_ranker": "ltr.serving.loading",
    },
)
