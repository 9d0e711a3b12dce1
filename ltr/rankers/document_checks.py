"""Parameters of saved rankers: each is checked as ``fit`` does."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

from ltr.arguments import check_choice, check_whole
from ltr.metrics import get_metric
from ltr.rankers.blend.members import BlendRanker
from ltr.rankers.blend.numeric import NumericRanker
from ltr.rankers.constrained import ConstrainedRanker
from ltr.rankers.linear import LinearRanker
from ltr.rankers.model_index import ModelIndex
from ltr.rankers.neural.gradient import GradientRanker
from ltr.rankers.trees import parameters
from ltr.rankers.trees.lambdamart import LambdaMARTRanker

_MAX_THREADS = 1024


def check_parameters(ranker: Any) -> None:
    """Raise unless the parameters of a ranker are valid.

    Parameters
    ----------
    ranker : ranker
        Of this library.

    Raises
    ------
    ValueError
        If one is invalid; the message has its name.
    """
    for name, parameter in inspect.signature(type(ranker)).parameters.items():
        value = getattr(ranker, name)
        if isinstance(parameter.default, bool):
            check_choice(name, value, (True, False))
    for name in ("verbose", "n_jobs"):
        value = getattr(ranker, name, None)
        if not isinstance(value, bool):
            limits = {"low": -_MAX_THREADS, "high": _MAX_THREADS}
            check_whole(name, value, **limits, optional=True)
    if isinstance(ranker, (BlendRanker, ConstrainedRanker, NumericRanker)):
        ranker._check_parameters()
    if hasattr(ranker, "random_state"):
        check_whole(
            "random_state", ranker.random_state, low=0, high=2**32 - 1, optional=True
        )
    if isinstance(ranker, ModelIndex):
        ranker._check_parameters()
        return
    get_metric(ranker.metric)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of choices that do not fit well
        if isinstance(ranker, GradientRanker):
            ranker._training_options()
        elif isinstance(ranker, LinearRanker):
            ranker._check_parameters()
        elif isinstance(ranker, LambdaMARTRanker):
            parameters.check_parameters(ranker.get_params(deep=False))
            ranker._early_stopping()
            if not isinstance(ranker.extra_params, (dict, type(None))):
                raise ValueError(
                    f"extra_params must be a dict or None; got {ranker.extra_params!r}."
                )
