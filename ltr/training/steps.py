"""The jitted step, and several of them in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, repeat
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from ltr.scorers.draws import seed_key
from ltr.training.batches import (
    Batch,
    Data,
    batches_of,
    gather,
    gather_all,
    of_all_lists,
)
from ltr.training.memory import part_size
from ltr.training.optimizers import OPTIMIZERS, OptimizerFactory, build_optimizer
from ltr.training.padding import score_items
from ltr.training.plan import (
    TrainingPlan,
    check_one_per_list,
    errors_of,
    loss_arguments,
)
from ltr.training.sums import sum_over_parts, sum_over_processes

Pytree = Any
_DROPOUT = 1  # its keys are others than those of losses that draw


class StepNumbers(NamedTuple):
    """Numbers that a compiled step takes as arguments: changing one recompiles nothing.

    Attributes
    ----------
    learning_rate, weight_decay : float
        Of the optimizer.
    loss : dict of str to float
        Options of the loss, by their own names.
    clip_norm : float or None, default=None
        Greatest norm of the gradient; a longer one is scaled down.
    lists_per_step : float, default=1.0
        Lists in a full mini-batch; set by :func:`train`.
    epoch : float, default=0.0
        Epochs before this step; set by :func:`train`.
    """

    learning_rate: Any
    weight_decay: Any
    loss: dict[str, Any]
    clip_norm: Any = None
    lists_per_step: Any = 1.0
    epoch: Any = 0.0


def init_optimizer(plan: TrainingPlan, params: Pytree) -> Pytree:
    """Fresh optimizer state for ``params``."""
    if plan.optimizer in OPTIMIZERS.values():
        return _init_ours(params, optimizer=plan.optimizer)
    return build_optimizer(plan.optimizer, 0.0, 0.0).init(params)


@partial(jax.jit, static_argnames="optimizer")
def _init_ours(params: Pytree, *, optimizer: OptimizerFactory) -> Pytree:
    """State of an optimizer of ours: one program for all fits of a scorer."""
    return build_optimizer(optimizer, 0.0, 0.0).init(params)


def lower_steps(
    plan: TrainingPlan,
    state: tuple[Pytree, Pytree],
    numbers: StepNumbers,
    data: Data,
    batches: list[jax.ShapeDtypeStruct],
) -> Iterator[jax.stages.Lowered]:
    """Trace the steps of a fit, one after the other.

    Parameters
    ----------
    plan : TrainingPlan
        Scorer, loss and optimizer.
    state : (pytree, pytree)
        Parameters and state of the optimizer.
    numbers : StepNumbers
        As for :func:`train`.
    data : Data
        The rows, or ShapeDtypeStructs of their arrays.
    batches : list of ShapeDtypeStruct
        Mini-batches, see :func:`ltr.training.batches.batches_of`.

    Returns
    -------
    lowered : iterator of jax.stages.Lowered
        A step is traced when it is read: no frame of ours stands between.
    """
    state = jax.tree.map(jnp.asarray, state)
    lower: Any = _step.lower
    after_rows: list[Any] = [repeat(seed_key(0)), repeat(0)]
    if (size := plan.steps_per_call) > 1:
        rates = _column([numbers.learning_rate], size, data.y.dtype)
        numbers = numbers._replace(learning_rate=rates)
        batches = batches_of([(size, *batch.shape) for batch in batches])
        lower, after_rows = _steps.lower, [*after_rows, repeat(0)]
    before_rows = map(repeat, (plan, state, numbers, data))
    return map(lower, *before_rows, batches, *after_rows)


class Losses:
    """Summed losses of the steps of an epoch, which the device may still compute.

    Parameters
    ----------
    before : sequence of scalars, default=()
        Those of the steps that are done.
    """

    def __init__(self, before: Sequence[Any] = ()) -> None:
        self._calls: list[tuple[Any, int]] = [(loss, 1) for loss in before]
        self._n_steps = len(before)  # a step asks for it

    def add(self, losses: Any, n_steps: int = 1) -> None:
        """Append those of a call, the first ``n_steps`` of an array, or a number."""
        self._calls.append((losses, n_steps))
        self._n_steps += n_steps

    def __len__(self) -> int:
        return self._n_steps

    @property
    def each(self) -> list[Any]:
        """The loss of each step, in the precision of training."""
        return [x for losses, n in self._calls for x in np.atleast_1d(losses)[:n]]


def in_calls(
    batches: Iterable[tuple[Data, Any]], size: int
) -> Iterator[tuple[Data, list[Any]]]:
    """Mini-batches of the same rows and shape, ``size`` of them at a time."""
    batches = iter(batches)
    while some := list(islice(batches, size)):
        yield some[0][0], [rows for _, rows in some]


def take_steps(
    plan: TrainingPlan,
    state: tuple[Pytree, Pytree],
    numbers: StepNumbers,
    data: Data,
    batches: list[Any],
    rates: list[float],
    key: jax.Array,
    first: int,
    losses: Losses,
) -> tuple[Pytree, Pytree]:
    """Update the parameters with some mini-batches, one after the other.

    Parameters
    ----------
    plan : TrainingPlan
        Scorer, loss and optimizer, and how many mini-batches there may be.
    state : (pytree, pytree)
        Parameters and state of the optimizer.
    numbers : StepNumbers
        But the learning rate.
    data : Data
        The rows.
    batches : list of int arrays of shape (n_lists, list_size)
        Row of each item.
    rates : list of float
        Learning rate of each step.
    key : PRNG key
        Source of the keys of all steps.
    first : int
        Steps of this fit before.
    losses : Losses
        To add the summed loss of each step to.

    Returns
    -------
    state : (pytree, pytree)
    """
    size, n_steps = plan.steps_per_call, len(batches)
    if size == 1:
        numbers = numbers._replace(learning_rate=rates[0])
        state, loss = _step(plan, state, numbers, data, batches[0], key, first)
        losses.add(loss)
        return state
    rows = np.zeros((size, *batches[0].shape), batches[0].dtype)
    rows[:n_steps] = batches
    numbers = numbers._replace(learning_rate=_column(rates, size, data.y.dtype))
    state, values = _steps(plan, state, numbers, data, rows, key, first, n_steps)
    losses.add(values, n_steps)
    return state


def _column(values: list[float], length: int, dtype: Any) -> NDArray[Any]:
    column = np.zeros(length, dtype)
    column[: len(values)] = values
    return column


@partial(jax.jit, static_argnames=("plan",))
def _steps(
    plan: TrainingPlan,
    state: tuple[Pytree, Pytree],
    numbers: StepNumbers,
    data: Data,
    rows: jax.Array,
    key: jax.Array,
    first: int,
    n_steps: int,
) -> tuple[tuple[Pytree, Pytree], jax.Array]:
    """Updates from the first batches of (k, n_lists, list_size); also their losses."""

    def update(i: jax.Array, so_far: Any) -> Any:
        state, losses = so_far
        own = numbers._replace(learning_rate=numbers.learning_rate[i])
        state, loss = _step(plan, state, own, data, rows[i], key, first + i)
        return state, losses.at[i].set(loss)

    start = state, jnp.zeros(len(rows), data.y.dtype)
    updated: tuple[tuple[Pytree, Pytree], jax.Array] = jax.lax.fori_loop(
        0, n_steps, update, start
    )
    return updated


@partial(jax.jit, static_argnames=("plan",))
def _step(
    plan: TrainingPlan,
    state: tuple[Pytree, Pytree],
    numbers: StepNumbers,
    data: Data,
    rows: jax.Array,
    key: jax.Array,
    step_number: int,
) -> tuple[tuple[Pytree, Pytree], jax.Array]:
    """One update from a batch of rows (n_lists, list_size); also the summed loss."""
    params, optimizer_state = state
    key = jax.random.fold_in(key, step_number)
    n_lists, list_size = rows.shape[-2:]
    differentiate = jax.value_and_grad(partial(_mean_loss, plan, numbers, step_number))
    if not plan.is_sum_over_lists:
        batch = gather(data, rows) if rows.ndim == 2 else gather_all(data, rows)
        loss, gradient = differentiate(params, batch, key)
    elif plan.mesh is not None:
        loss, gradient = sum_over_processes(
            differentiate, params, data, rows, key, plan=plan
        )
    elif part_size(n_lists, list_size, params, plan) < n_lists:
        loss, gradient = sum_over_parts(
            differentiate, params, data, rows, key, plan=plan
        )
    else:
        loss, gradient = differentiate(params, gather(data, rows), key)
    if numbers.clip_norm is not None:  # g · min(1, c / ‖g‖)
        clip = optax.clip_by_global_norm(numbers.clip_norm)
        gradient, _ = clip.update(gradient, optax.EmptyState())
    optimizer = build_optimizer(
        plan.optimizer, numbers.learning_rate, numbers.weight_decay
    )
    updates, optimizer_state = optimizer.update(gradient, optimizer_state, params)
    params = optax.apply_updates(params, updates)
    return (params, optimizer_state), loss * numbers.lists_per_step


def _mean_loss(
    plan: TrainingPlan,
    numbers: StepNumbers,
    step_number: int,
    params: Pytree,
    batch: Batch,
    key: jax.Array,
) -> jax.Array:
    """Σ loss / full batch size over the lists of a batch."""
    # (b, n), (b, n, n_features), (b, n), …; list_weights (b,) are 0 for empty lists
    where, X, y, weights, list_weights, extras, pairs = batch
    inputs = {} if pairs is None else {"pair_features": pairs}  # (b, n, n, k)
    if getattr(plan.scorer, "dropout", 0.0) > 0.0:
        inputs["key"] = jax.random.fold_in(key, _DROPOUT)
    is_list = where[:, 0]  # (b,); False for the empty lists of the last mini-batch
    if plan.n_query_features is not None:
        X, y, where, weights = of_all_lists(X, y, where, weights, plan.n_query_features)
    scores = score_items(plan, params, X, where, weights, **inputs)
    values, options = loss_arguments(
        plan.loss,
        numbers.loss,
        scores,
        weights=weights,
        extras=extras,
        key=key,
        epoch=numbers.epoch,
        step=step_number,
    )
    with errors_of(plan.loss):  # the call stands here: no frame of ours between
        losses = plan.loss.function(values, y, where=where, **options)
    check_one_per_list(plan.loss, losses, values)
    if plan.loss.info.per_batch:  # of a full batch as much as b lists
        losses = losses * is_list
    total = jnp.sum(list_weights * losses) / numbers.lists_per_step
    penalty = getattr(plan.scorer, "penalty", None)
    return total if penalty is None else total + penalty(params, X, where)
