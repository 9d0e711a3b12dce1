"""The learning rate of each step, as a share of a training that knows its length."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ltr.arguments import ArgumentError, check_choice

SCHEDULES = ("cosine", "warmup_cosine", "reduce_on_plateau")
_WARMUP = 0.05  # share of the steps
_PLATEAU_FACTOR, _PLATEAU_CHANGE = 0.2, 1e-4

ScheduleLike: TypeAlias = (
    Literal["cosine", "warmup_cosine", "reduce_on_plateau"]
    | Callable[[int], Any]
    | None
)


@dataclass(frozen=True)
class Schedule:
    """Learning rates of the steps of a fit.

    They are computed between the steps and passed to the compiled step as a number, so
    that nothing is recompiled and the state of the optimizer is the same with and
    without one. They depend on the number of the step, and for ``"reduce_on_plateau"``
    on the history, so training that goes on from a checkpoint has the same ones.

    Attributes
    ----------
    form : str or callable
        Name, or a function of the number of the step, from 0.
    rate : float
        Learning rate of the ranker, the highest one of a name.
    max_epochs : int
        Epochs of the fit.
    patience : int
        Epochs without improvement after which ``"reduce_on_plateau"`` goes down.
    replay : tuple of float, default=()
        Scores of the epochs of another fit, to go by in place of one's own.

    Examples
    --------
    >>> schedule = Schedule("cosine", rate=0.1, max_epochs=2, patience=5)
    >>> [round(schedule(step, step / 4, 0.25), 3) for step in range(4)]
    [0.1, 0.085, 0.05, 0.015]
    """

    form: Any
    rate: float
    max_epochs: int
    patience: int
    replay: tuple[float, ...] = ()

    def __call__(self, step: int, progress: float, step_share: float) -> float:
        """Learning rate of a step.

        Parameters
        ----------
        step : int
            Number of the step in this fit, from 0.
        progress : float
            Share of the fit that is done, in [0, 1].
        step_share : float
            Share of the fit that a step is.

        Returns
        -------
        rate : float
        """
        if callable(self.form):
            return _checked(self.form(step), step)
        if self.form in ("constant", "reduce_on_plateau"):
            return self.rate
        if self.form == "cosine":
            return self.rate * _cosine(progress)
        if progress < _WARMUP:
            return self.rate * min(1.0, (progress + step_share) / _WARMUP)
        return self.rate * _cosine((progress - _WARMUP) / (1 - _WARMUP))

    def after(self, losses: Sequence[float], scores: Sequence[float]) -> float:
        """Factor of the learning rate after some epochs.

        Parameters
        ----------
        losses, scores : sequence of float of length n_epochs
            Training loss, and the metric to stop on; the latter may be empty.

        Returns
        -------
        factor : float
            1 but for ``"reduce_on_plateau"``: a fifth for each time that the metric,
            or else the loss by a share of 0.0001, has not improved for ``patience``
            epochs.
        """
        if self.form != "reduce_on_plateau":
            return 1.0
        factor, n_worse, best = 1.0, 0, -math.inf
        scores = self.replay[: len(losses)] or scores
        change = 0.0 if scores else _PLATEAU_CHANGE
        for value in scores or [-loss for loss in losses]:
            n_worse += 1
            if value > best + change * abs(value):
                best, n_worse = value, 0
            if n_worse >= self.patience:
                factor, n_worse = factor * _PLATEAU_FACTOR, 0
        return factor


def constant_rate(rate: float) -> Schedule:
    """The same rate at each step."""
    return Schedule("constant", rate, max_epochs=1, patience=1)


def check_schedule(form: Any) -> None:
    """Raise unless it is a name of a schedule, a function, or None.

    Examples
    --------
    >>> check_schedule("cosine")
    """
    if form is None or callable(form):
        return
    check_choice(
        "learning_rate_schedule",
        form,
        (*SCHEDULES, None),
        alternative="a function of the number of the step",
    )


def _cosine(progress: float) -> float:
    """Half a wave of the cosine, from 1 to 0."""
    return 0.5 * (1.0 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))


def _checked(rate: Any, step: int) -> float:
    """A rate of a function of the user's own, also of optax."""
    try:
        value = math.nan if isinstance(rate, (bool, str)) else float(rate)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value < math.inf:
        raise ArgumentError(
            "learning_rate_schedule must return a learning rate, a finite number >= 0; "
            f"got {rate!r} for step {step}."
        )
    return value
