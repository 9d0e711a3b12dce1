"""Memory of training, checked before parameters or the arrays of a step exist."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax

from ltr.lists import Bucket
from ltr.memory import check_memory
from ltr.scorers import Scorer

# Parameters, gradient, two moments, the best and the last ones, and in float64.
_COPIES = 8
_SMALL = 2**26  # entries of an array that is not worth a check


@functools.lru_cache(maxsize=64)
def count_parameters(scorer: Scorer, n_features: int) -> int:
    """Number of parameters that ``init`` would draw; 0 if that cannot be known.

    Parameters
    ----------
    scorer : Scorer
        Not initialized.
    n_features : int
        Number of input features.

    Returns
    -------
    n_parameters : int

    Examples
    --------
    >>> from ltr.scorers import MLPScorer
    >>> count_parameters(MLPScorer((10,)), 4)
    61
    """
    try:
        shapes = jax.eval_shape(
            lambda key: scorer.init(key, n_features), jax.random.key(0)
        )
    except TypeError:  # init of a user's own that is not traceable
        return 0
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


def check_parameters(scorer: Scorer, n_features: int, dtype: str) -> None:
    """Raise a MemoryError if there are too many parameters to train."""
    n_parameters = count_parameters(scorer, n_features)
    if n_parameters > _SMALL:
        check_memory(
            _COPIES * n_parameters * (8 if dtype == "float64" else 4),
            f"training {n_parameters} weights of {type(scorer).__name__} on "
            f"{n_features} features",
            "Lower hidden_layer_sizes.",
        )


def greatest_width(params: Any) -> int:
    """Greatest width of a layer, or number of features, among these parameters."""
    widths = [max(leaf.shape, default=1) for leaf in jax.tree.leaves(params)]
    return max(widths, default=1)


def is_large(bucket: Bucket, params: Any) -> bool:
    """Whether a step on these lists may need much memory."""
    n_rows = bucket.batch_size * bucket.list_size
    return n_rows * max(bucket.list_size, greatest_width(params)) > _SMALL


def check_step(bucket: Bucket, params: Any, lowered: jax.stages.Lowered) -> None:
    """Raise a MemoryError if a step on these lists would not fit.

    What a step needs is known once it is compiled, before it runs; the program is then
    the one that runs.

    Parameters
    ----------
    bucket : Bucket
        The lists.
    params : pytree of arrays
        Parameters of the scorer.
    lowered : jax.stages.Lowered
        The step for the shape of their mini-batches.
    """
    analysis = lowered.compile().memory_analysis()
    if analysis is None or jax.default_backend() != "cpu":
        return  # an accelerator has its own memory, and its runtime the say
    n_lists, list_size = bucket.batch_size, bucket.list_size
    cures = ["batch_size"] * (n_lists > 1)
    cures += ["hidden_layer_sizes"] * (greatest_width(params) > list_size)
    cure = f"Lower {' or '.join(cures)}. " if cures else ""
    if greatest_width(params) <= list_size:
        cure += "Train on fewer items of each list, or with a loss without pairs."
    check_memory(
        analysis.temp_size_in_bytes + analysis.output_size_in_bytes,
        f"a training step on {n_lists} list{'s' * (n_lists > 1)} of {list_size} items",
        cure.rstrip(),
    )
