"""The loop over epochs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltr.deadline import has_deadline, is_past_deadline
from ltr.scorers import PairScorer, PublishedPairScorer
from ltr.scorers.draws import seed_key
from ltr.training.batches import Data, Lists
from ltr.training.checkpoint import Checkpoint, Snapshot
from ltr.training.convergence import EpochLimits, Trend, loss_trend
from ltr.training.devices import share
from ltr.training.hosts import LOST, Hosts
from ltr.training.masks import check_mask, is_ours
from ltr.training.plan import TrainingPlan
from ltr.training.programs import Programs
from ltr.training.result import TrainingResult
from ltr.training.schedules import Schedule, constant_rate
from ltr.training.steps import (
    Losses,
    StepNumbers,
    in_calls,
    init_optimizer,
    lower_steps,
    take_steps,
)

__all__ = ["Data", "StepNumbers", "init_optimizer", "train"]  # as ltr 0.1 had them

Pytree = Any
# Called with the epoch, the result so far, and what makes the parameters of the epoch;
# True ends training.
OnEpoch = Callable[[int, TrainingResult, Callable[[], Pytree]], bool]


def train(
    plan: TrainingPlan,
    params: Pytree,
    optimizer_state: Pytree,
    lists: Lists,
    *,
    numbers: StepNumbers,
    rng: np.random.Generator,
    limits: EpochLimits,
    start_params: Pytree = None,
    validate: Callable[[Pytree], dict[str, float]] | None = None,
    tol: float = 0.0,
    schedule: Schedule | None = None,
    on_epoch: OnEpoch | None = None,
    checkpoint: Checkpoint | None = None,
    finish: Callable[[Pytree], Pytree] | None = None,
    hosts: Hosts | None = None,
    programs: Programs | None = None,
) -> TrainingResult:
    """Train for some epochs over mini-batches of whole lists.

    A step moves along the gradient of Σ loss / full batch size, so that every list has
    the same say in an epoch even when its batch is not full.

    Parameters
    ----------
    plan : TrainingPlan
        Scorer, loss and optimizer.
    params, optimizer_state : pytree
        Where to start.
    lists : Lists
        The lists to visit, with their rows.
    numbers : StepNumbers
        Learning rate, weight decay and the traced options of the loss.
    rng : numpy Generator
        Order of the lists and seed of losses that draw.
    limits : EpochLimits
        When to stop.
    start_params : pytree, optional
        Parameters that predict before training: epoch 0 of the validation. Default:
        ``params``, from which training starts.
    validate : callable, optional
        Parameters → metrics by name, after each epoch; the first is to be maximized.
        Default: none, no stopping.
    tol : float, default=0.0
        An improvement must exceed this to count.
    schedule : Schedule, optional
        Learning rate of each step. Default: always the same.
    on_epoch : callable, optional
        Called with the epoch, the result so far, and a function that makes the
        parameters of the epoch, to predict with. True ends training.
    checkpoint : Checkpoint, optional
        Where to go on from, and to write to.
    finish : callable, optional
        Parameters after an epoch → those to predict and validate with. Default: the
        same. Training goes on from the former.
    hosts : Hosts, optional
        Devices that share the lists of a mini-batch, and the processes that have them.
        Default: one device.
    programs : Programs, optional
        Steps for the shapes of ``lists``, of ``lower_steps``. Default: they are
        compiled before the first epoch.

    Returns
    -------
    result : TrainingResult
        On Ctrl-C, the state after the last whole epoch; ``interrupted`` says so.

    Raises
    ------
    ValueError
        If the loss or a weight is no longer finite, or a loss of the user's own counts
        padding.
    MemoryError
        If a step on the longest lists needs more memory than there is.
    ConnectionError
        If another process is lost.
    """
    hosts = hosts or Hosts()
    key = seed_key(int(rng.integers(2**31)))
    numbers = numbers._replace(lists_per_step=float(lists.batch_size))
    state = jax.tree.map(jnp.asarray, (params, optimizer_state))
    best = state[0] if start_params is None else start_params
    result = TrainingResult(_copy(best), _copy(state[1]), _copy(state[0]))
    result.learning_rate = float(numbers.learning_rate)
    schedule = schedule or constant_rate(result.learning_rate)
    result.n_steps = lists.steps_per_epoch or 0
    selects = validate is not None and limits.selects
    if validate is not None:
        result.best_score, *_ = validate(result.params).values()
    if limits.max_epochs and not is_ours(plan.loss.function):
        with hosts.together():
            _check_own_loss(plan, numbers, lists)
    n_steps, n_skipped, totals = 0, 0, Losses()
    if checkpoint is not None and checkpoint.exists:
        state, result, snapshot = _resumed(checkpoint, state, result, rng)
        n_steps, n_skipped = snapshot.n_steps, snapshot.step
        totals = Losses(snapshot.totals)
    if hosts.mesh is not None:
        lists, state = share(lists, state, hosts.mesh)
    reached = state
    try:
        if limits.max_epochs and lists.shapes:
            with hosts.together():
                if programs is None:
                    programs = Programs()
                    steps = lower_steps(plan, state, numbers, lists.data, lists.batches)
                    for step in steps:
                        programs.add(step)
                result.compile_seconds = programs.wait(lists.shapes, state[0])
        while not (is_over := _is_over(result, limits, hosts)) and (
            len(result.losses) < limits.max_epochs
        ):
            epoch, generator = len(result.losses) + 1, rng.bit_generator.state
            started = time.perf_counter()
            numbers = numbers._replace(epoch=epoch - 1.0)
            rates_of = _rates_of_epoch(schedule, result)
            batches = islice(lists.epoch(epoch - 1, rng), n_skipped, None)
            for data, rows in in_calls(batches, plan.steps_per_call):
                rates = rates_of(n_steps, len(totals), len(rows))
                call = plan, state, numbers, data, rows, rates, key, n_steps
                state, n_steps = take_steps(*call, totals), n_steps + len(rows)
                if checkpoint is not None and checkpoint.is_due:
                    checkpoint.save(generator, n_steps, totals.each, state, result)
            loss = float(np.sum(totals.each)) / lists.n_lists
            (rate,) = rates_of(n_steps - 1, len(totals) - 1, 1)
            _check_finite(epoch, loss, state[0], rate)
            seconds = time.perf_counter() - started
            if not result.losses:
                result.advice = hosts.advice(seconds, len(totals), state[0], lists)
            changes = _epoch_changes(result, loss, seconds, rate, len(totals))
            finished = partial(_finished, state[0], finish)
            if validate is not None:
                candidate = finished()
                finished = partial(_itself, candidate)
                metrics = validate(candidate)
                changes |= _judged(result, metrics, candidate, limits, tol)
            # One assignment, so that Ctrl-C comes before or after an epoch.
            result, reached = replace(result, **changes), state
            n_skipped, totals = 0, Losses()
            watch = on_epoch and partial(on_epoch, epoch, result, finished)
            if is_over := hosts.ends(watch):
                break
        if not is_over:
            result.unfinished = _unfinished(result, validated=selects, limits=limits)
        if checkpoint is not None:
            checkpoint.save(rng.bit_generator.state, n_steps, [], state, result)
    except KeyboardInterrupt:
        result.interrupted = True
    except LOST as error:
        hosts.check_alive(error, f"in epoch {len(result.losses) + 1}", checkpoint)
        raise
    result.last_params, result.optimizer_state = _copy(reached[0]), _copy(reached[1])
    if not selects:
        result.params = result.last_params
        if finish is not None and result.losses:
            result.params = finish(result.last_params)
        result.best_epoch = len(result.losses)
    return result


def _rates_of_epoch(
    schedule: Schedule, result: TrainingResult
) -> Callable[[int, int, int], list[float]]:
    """Number of a step, in this fit and in this epoch → learning rates from it on."""
    n_steps = result.n_steps  # of the last epoch; about as many are in this one
    n_epochs, factor = len(result.losses), schedule.after(result.losses, result.scores)

    def rate_of(step: int, step_of_epoch: int) -> float:
        share = min(step_of_epoch / n_steps, 1.0) if n_steps else 0.0
        progress = (n_epochs + share) / schedule.max_epochs
        step_share = 1.0 / (schedule.max_epochs * (n_steps or 1))
        return schedule(step, progress, step_share) * factor

    def rates_of(step: int, step_of_epoch: int, n: int) -> list[float]:
        return [rate_of(step + i, step_of_epoch + i) for i in range(n)]

    return rates_of


def _finished(params: Pytree, finish: Callable[[Pytree], Pytree] | None) -> Pytree:
    """Parameters to predict with, of those of a step."""
    params = _copy(params)
    return params if finish is None else finish(params)


def _sharding(leaf: jax.Array) -> Any:
    return leaf.sharding


def _itself(params: Pytree) -> Pytree:
    return params


def _epoch_changes(
    result: TrainingResult, loss: float, seconds: float, rate: float, n_steps: int
) -> dict[str, Any]:
    """What an epoch of training changes in the result."""
    return {
        "losses": [*result.losses, loss],
        "seconds": [*result.seconds, seconds],
        "rates": [*result.rates, rate],
        "n_steps": n_steps,
    }


def _judged(
    result: TrainingResult,
    metrics: dict[str, float],
    candidate: Pytree,
    limits: EpochLimits,
    tol: float,
) -> dict[str, Any]:
    """What the metrics of an epoch change in the result."""
    score, *_ = metrics.values()
    past = result.watched or {name: [] for name in list(metrics)[1:]}
    changes: dict[str, Any] = {
        "scores": [*result.scores, score],
        "watched": {name: [*past[name], metrics[name]] for name in past},
    }
    improves = score > result.best_score + tol or np.isnan(result.best_score)
    if improves or not limits.selects:
        changes["params"], changes["best_score"] = candidate, score
        changes["best_epoch"] = len(result.losses) + 1
    return changes


def _is_over(result: TrainingResult, limits: EpochLimits, hosts: Hosts) -> bool:
    """Whether training ends before the last epoch."""
    n_epochs = len(result.losses)
    if n_epochs == 0:
        return False
    has_waited = n_epochs - result.best_epoch >= limits.patience
    if result.scores and limits.selects and has_waited:
        return True
    is_late = has_deadline() and hosts.any(is_past_deadline())
    return limits.ends_settled(result.losses) or is_late


def _resumed(
    checkpoint: Checkpoint, state: Any, result: TrainingResult, rng: np.random.Generator
) -> tuple[Any, TrainingResult, Snapshot]:
    """State and result of a checkpoint, where those of the start were."""
    snapshot = checkpoint.load(state, result.params)
    rng.bit_generator.state = snapshot.generator
    state = jax.device_put(snapshot.state, jax.tree.map(_sharding, state))
    return state, snapshot.result_of(result), snapshot


def _unfinished(
    result: TrainingResult, *, validated: bool, limits: EpochLimits
) -> Trend | None:
    """The trend of the loss, unless training has converged as far as one can tell."""
    trend = loss_trend(result.losses, is_linear=limits.is_linear)
    if trend is None or not trend.falls:
        return None
    # Training until the loss has settled has promised more than not to stop too early.
    waited_in_vain = limits.settle_epochs is not None and not trend.has_settled
    if not (trend.still_falls or waited_in_vain):
        return None
    n_epochs = len(result.losses)
    if validated and result.best_epoch <= n_epochs - max(1, n_epochs // 10):
        return None  # the metric has stopped improving before the loss
    return trend


def _check_own_loss(plan: TrainingPlan, numbers: StepNumbers, lists: Lists) -> None:
    """Try the mask on a batch with padding; without padding nothing depends on it."""
    if plan.loss.info.per_batch:
        return
    data = lists.data
    for bucket in lists.packed.buckets:
        where = bucket.rows < data.n_samples
        if not where.all():
            rows = bucket.rows[np.argsort(where.sum(axis=1))[: bucket.batch_size]]
            check_mask(
                plan.loss,
                numbers.loss,
                data.y[rows],
                rows < data.n_samples,
                None if data.weights is None else data.weights[rows],
                {name: values[rows] for name, values in data.extras.items()},
                scores_pairs=isinstance(plan.scorer, (PairScorer, PublishedPairScorer)),
            )
            return


def _check_finite(
    epoch: int, loss: float, params: Pytree, learning_rate: float
) -> None:
    finite = np.isfinite(loss) and all(
        np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)
    )
    if not finite:
        raise ValueError(
            f"training diverged in epoch {epoch}: the loss is {loss:g} and the weights "
            "are no longer all finite. Lower learning_rate (now "
            f"{learning_rate:g}), scale the features (preprocess), or check "
            "a loss of your own for NaN."
        )


def _copy(tree: Pytree) -> Pytree:
    return jax.tree.map(lambda leaf: np.array(leaf), tree)
