"""What a compiled training step depends on, and what may change without recompiling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jax
from jax.sharding import Mesh

from ltr.losses.combination import Combination
from ltr.losses.declaration import LossFunction, LossInfo, loss_info, split_partial
from ltr.scorers import PairScores, Scorer
from ltr.training.optimizers import OptimizerFactory


@dataclass(frozen=True)
class LossPlan:
    """A loss with its options, split into those that compile and those that do not.

    Attributes
    ----------
    function : callable
        The loss itself.
    options : tuple of (str, value)
        Options that are part of the compiled program, sorted by name.
    info : LossInfo
        What the loss declares and takes. Not compared: it follows from the function,
        except for the bounds of a combination, which depend on its weights.
    """

    function: LossFunction
    options: tuple[tuple[str, Any], ...]
    info: LossInfo = field(compare=False)


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that a compiled step depends on besides shapes. Hashable.

    Attributes
    ----------
    scorer : Scorer
        Features to scores.
    loss : LossPlan
        Scores to a number per list.
    optimizer : callable
        Factory of the optax transformation.
    n_query_features : int or None, default=None
        With in-batch negatives: how many of the first columns describe the query. Every
        query of a mini-batch then scores the items of all its lists. None: each scores
        its own.
    rounds_products : bool, default=False
        Whether the operands of the scorer's matrix products are rounded to bfloat16.
    in_parts : bool, default=True
        Whether a step may compute the sum over its lists part by part.
    mesh : Mesh or None, default=None
        Devices of several processes, each of which has lists of its own.
    steps_per_call : int, default=1
        Steps that one call of the program makes, one after the other.
    """

    scorer: Scorer
    loss: LossPlan
    optimizer: OptimizerFactory
    n_query_features: int | None = None
    rounds_products: bool = False
    in_parts: bool = True
    mesh: Mesh | None = None
    steps_per_call: int = 1

    @property
    def is_sum_over_lists(self) -> bool:
        """Whether the loss of a mini-batch is the sum of what each list gives alone."""
        return not (
            self.loss.info.per_batch
            or self.n_query_features is not None
            or hasattr(self.scorer, "penalty")
        )


def plan_loss(
    loss: LossFunction, *, normalize: bool = True
) -> tuple[LossPlan, dict[str, float]]:
    """Split a loss into a plan and its numbers.

    Parameters
    ----------
    loss : callable
        A loss, or a ``functools.partial`` of one that sets options by keyword. Options
        whose default is a float are numbers: they are traced, so that changing them
        recompiles nothing.
    normalize : bool, default=True
        Value of that option of the loss, unless the partial sets it.

    Returns
    -------
    plan : LossPlan
        Hashable.
    numbers : dict of str to float
        Traced options.

    Raises
    ------
    TypeError
        If the loss takes no ``where``.

    Examples
    --------
    >>> import functools
    >>> from ltr.losses import ranknet_loss
    >>> plan, numbers = plan_loss(functools.partial(ranknet_loss, sigma=2.0))
    >>> plan.function is ranknet_loss, plan.options, numbers
    (True, (('normalize', True),), {'sigma': 2.0})
    """
    info = loss_info(loss)
    if isinstance(loss, Combination):
        loss = loss.as_partial()
    function, options = split_partial(loss)
    if not info.takes("where"):
        raise TypeError(
            "a loss must take (scores, labels, *, where) and return one number per "
            f"list; got {function!r}, which has no argument where. Add it: True marks "
            "real items, False padding."
        )
    options = info.arguments(normalize=normalize) | options
    numbers = info.traced(options)
    static = {name: value for name, value in options.items() if name not in numbers}
    return LossPlan(function, tuple(sorted(static.items())), info), numbers


def loss_arguments(
    plan: LossPlan,
    numbers: Mapping[str, Any],
    scores: jax.Array | PairScores,
    *,
    weights: jax.Array | None,
    extras: Mapping[str, jax.Array],
    key: jax.Array,
    epoch: jax.Array | float,
    step: jax.Array | int,
) -> tuple[jax.Array, dict[str, Any]]:
    """What the loss of a plan is called with: scores or matrices, and its options."""
    # Options set by the user's partial override inputs that the step offers: an option
    # of a loss may be called epoch.
    options = plan.info.arguments(weights=weights, key=key, epoch=epoch, step=step)
    options |= {**dict(plan.options), **numbers, **extras}
    values: jax.Array = scores.matrix if isinstance(scores, PairScores) else scores
    if isinstance(scores, PairScores) and scores.start is not None:
        options |= {"start": scores.start, "end": scores.end}
    return values, options


@contextmanager
def errors_of(plan: LossPlan) -> Iterator[None]:
    """Name the loss of a plan in the error that JAX raises where it calls NumPy."""
    try:
        yield
    except jax.errors.TracerArrayConversionError as error:
        raise TypeError(
            f"a loss must compute with jax.numpy; {plan.function!r} calls NumPy, which "
            "JAX cannot trace. Import jax.numpy as jnp, and write jnp in place of np."
        ) from error


def check_one_per_list(plan: LossPlan, losses: Any, values: jax.Array) -> None:
    """Raise unless ``losses`` of these scores or matrices has shape (n_lists,).

    A loss per batch returns one number instead.
    """
    shape = getattr(losses, "shape", None)
    if plan.info.per_batch:
        if shape != ():
            raise ValueError(
                "a loss with per_batch must return one number for scores of shape "
                f"{values.shape}; got {type(losses).__name__} of shape {shape} from "
                f"{plan.function!r}."
            )
        return
    if shape != values.shape[:1]:
        outcome, cure = f"shape {shape}", "Sum over the last axis only."
        if losses is None:
            outcome, cure = "None", "Add the missing return."
        elif shape is None:
            outcome = type(losses).__name__
        raise ValueError(
            f"a loss must return one number per list, shape {values.shape[:1]} for "
            f"scores of shape {values.shape}; got {outcome} from {plan.function!r}. "
            f"{cure}"
        )
