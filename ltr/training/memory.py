"""Memory of training, checked before parameters or the arrays of a step exist."""

from __future__ import annotations

import math
from typing import Any

import jax

from ltr.lists import Shape
from ltr.memory import check_memory
from ltr.scorers import Scorer
from ltr.scorers.parameters import greatest_width
from ltr.training.plan import TrainingPlan
from ltr.training.work import parameter_shapes

# glibc returns larger blocks to the system after each step, and gets them back page by
# page in the next one: a third of a step of attention, and more where caches end.
_PART_BYTES = 12 * 2**20
_PAIR_VALUES = 12  # of an item and another one: four heads, forward and back
# Parameters, gradient, two moments, the best and the last ones, and in float64.
_COPIES = 8
_SMALL = 2**26  # entries of an array that is not worth a check


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
    return sum(math.prod(shape) for shape in parameter_shapes(scorer, n_features))


def part_size(n_lists: int, list_size: int, params: Any, plan: TrainingPlan) -> int:
    """Lists whose scores and gradients a step computes at a time.

    A sum over the lists of a large mini-batch is computed part by part, in blocks of
    memory that a CPU reads fast.

    Parameters
    ----------
    n_lists, list_size : int
        Lists of a mini-batch, and their padded size.
    params : pytree of arrays
        Parameters of the scorer.
    plan : TrainingPlan
        What the step does.

    Returns
    -------
    size : int
        At least 1; all of them on an accelerator, or if they are not to be parted.
    """
    if not plan.in_parts:
        return n_lists
    # each array of parameters makes about as many values of a row as its last axis has,
    # and as many more in the backward pass, which the biases stand for
    leaves = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim]
    per_row = sum(leaf.shape[-1] for leaf in leaves) + max(
        (leaf.shape[0] for leaf in leaves), default=0
    )
    per_row += _PAIR_VALUES * list_size * plan.scorer.uses_list
    n_bytes = (
        list_size * per_row * max((leaf.dtype.itemsize for leaf in leaves), default=4)
    )
    n_parts = -(-n_lists // max(1, _PART_BYTES // max(1, n_bytes)))
    return -(-n_lists // n_parts)  # as many in each, with few empty ones in the last


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


def check_step(shape: Shape, params: Any, program: jax.stages.Compiled) -> None:
    """Raise a MemoryError if a step would not fit.

    What a step needs is known once it is compiled, before it runs; the program is then
    the one that runs.

    Parameters
    ----------
    shape : tuple of int
        Lists of a mini-batch, and their padded size.
    params : pytree of arrays
        Parameters of the scorer.
    program : jax.stages.Compiled
        The step for that shape.
    """
    n_lists, list_size = shape
    if n_lists * list_size * max(list_size, greatest_width(params)) <= _SMALL:
        return
    analysis = program.memory_analysis()
    if analysis is None or jax.default_backend() != "cpu":
        return  # an accelerator has its own memory, and its runtime the say
    cures = ["batch_size"] * (n_lists > 1)
    cures += ["hidden_layer_sizes"] * (greatest_width(params) > list_size)
    cure = f"Lower {' or '.join(cures)}. " if cures else ""
    if greatest_width(params) <= list_size:
        cure += "Train on fewer items of each list, or with a loss without pairs."
    check_memory(
        analysis.temp_size_in_bytes + analysis.output_size_in_bytes,
        f"a training step on {n_lists} list{'s' * (n_lists > 1)} padded to {list_size} "
        "items",
        cure.rstrip(),
    )
