"""What a compiled training step depends on, and what may change without compiling."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax

from ltr.scorers import PairScores, Scorer
from ltr.training.optimizers import OptimizerFactory

EXTRAS = ("teacher_scores", "reference_scores", "position")
LossFunction = Callable[..., jax.Array]


@dataclass(frozen=True)
class LossPlan:
    """A loss with its options, split into those that compile and those that do not.

    Attributes
    ----------
    function : callable
        The loss itself.
    options : tuple of (str, value)
        Options that are part of the compiled program, sorted by name.
    extras : tuple of str
        Per-row inputs that the loss takes, among :data:`EXTRAS`.
    required_extras : tuple of str
        Those without a default.
    takes_weights, takes_key, takes_epoch, takes_step : bool
        Whether the loss has those arguments.
    """

    function: LossFunction
    options: tuple[tuple[str, Any], ...]
    extras: tuple[str, ...]
    required_extras: tuple[str, ...]
    takes_weights: bool
    takes_key: bool
    takes_epoch: bool
    takes_step: bool


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
    """

    scorer: Scorer
    loss: LossPlan
    optimizer: OptimizerFactory


def plan_loss(
    loss: LossFunction, *, normalize: bool = True
) -> tuple[LossPlan, dict[str, float]]:
    """Split a loss into a plan and its numbers.

    Parameters
    ----------
    loss : callable
        A loss, or a ``functools.partial`` of one that sets options by keyword. Options
        whose default is a float are numbers: they are traced, so that changing them
        compiles nothing.
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
        If the loss has no argument ``where``.

    Examples
    --------
    >>> from ltr.losses import ranknet_loss
    >>> plan, numbers = plan_loss(functools.partial(ranknet_loss, sigma=2.0))
    >>> plan.function is ranknet_loss, plan.options, numbers
    (True, (('normalize', True),), {'sigma': 2.0})
    """
    function, options = _unwrap(loss)
    parameters = inspect.signature(function).parameters
    if "where" not in parameters:
        raise TypeError(
            "a loss must take (scores, labels, *, where) and return one number per "
            f"list; got {function!r}, which has no argument where. Add it: True marks "
            "real items, False padding."
        )
    if "normalize" in parameters:
        options = {"normalize": normalize, **options}
    numbers = {
        name: float(value)
        for name, value in options.items()
        if name in parameters and _is_number(parameters[name].default, value)
    }
    fixed = {name: value for name, value in options.items() if name not in numbers}
    extras = tuple(name for name in EXTRAS if name in parameters)
    plan = LossPlan(
        function=function,
        options=tuple(sorted(fixed.items())),
        extras=extras,
        required_extras=tuple(
            name
            for name in extras
            if parameters[name].default is inspect.Parameter.empty
        ),
        takes_weights="weights" in parameters,
        takes_key="key" in parameters,
        takes_epoch="epoch" in parameters,
        takes_step="step" in parameters,
    )
    return plan, numbers


def list_losses(
    plan: LossPlan,
    numbers: Mapping[str, Any],
    scores: jax.Array | PairScores,
    labels: jax.Array,
    where: jax.Array,
    weights: jax.Array | None,
    extras: Mapping[str, jax.Array],
    key: jax.Array,
    epoch: jax.Array | float,
    step: jax.Array | int,
) -> jax.Array:
    """Evaluate the loss of a plan on a batch, shape (n_lists,)."""
    options: dict[str, Any] = {**dict(plan.options), **numbers, **extras}
    given: jax.Array = scores.matrix if isinstance(scores, PairScores) else scores
    if isinstance(scores, PairScores) and scores.start is not None:
        options |= {"start": scores.start, "end": scores.end}
    if plan.takes_weights:
        options["weights"] = weights
    if plan.takes_key:
        options["key"] = key
    if plan.takes_epoch:
        options["epoch"] = epoch
    if plan.takes_step:
        options["step"] = step
    losses = plan.function(given, labels, where=where, **options)
    if losses.shape != labels.shape[:-1]:
        raise ValueError(
            f"a loss must return one number per list, shape {labels.shape[:-1]} for "
            f"scores of shape {given.shape}; got shape {losses.shape} from "
            f"{plan.function!r}. Sum over the last axis only."
        )
    return losses


def _unwrap(loss: LossFunction) -> tuple[LossFunction, dict[str, Any]]:
    """Look through partials that set nothing but keywords, and combinations."""
    if hasattr(loss, "as_partial"):
        loss = loss.as_partial()
    if isinstance(loss, functools.partial) and not loss.args:
        return loss.func, dict(loss.keywords)  # a partial of a partial is one
    return loss, {}


def _is_number(default: Any, value: Any) -> bool:
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(default, float) and is_real
