"""What training leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ltr.training.convergence import Trend

Pytree = Any


@dataclass
class TrainingResult:
    """What training leaves behind.

    Attributes
    ----------
    params : pytree of NumPy arrays
        The best ones on the validation lists, or the last ones without any.
    optimizer_state : pytree of NumPy arrays
        After the last step.
    last_params : pytree of NumPy arrays
        After the last step; further training continues from these.
    losses : list of float
        Mean training loss of each epoch.
    seconds : list of float
        Time of each epoch of training, without validation and compilation.
    compile_seconds : float
        Time before the first epoch in which steps were traced, or a fit did nothing but
        wait for their compilation.
    scores : list of float
        Metric to stop on after each epoch; empty without validation.
    watched : dict of str to list of float
        Other metrics by name.
    rates : list of float
        Learning rate of the last step of each epoch.
    best_score : float
        Highest validation metric; NaN without validation.
    best_epoch : int
        Epoch it was reached in, from 1; 0 for the state before training.
    unfinished : Trend or None
        Trend of the loss, if it still falls although there are no more epochs, and with
        validation the metric still improves.
    interrupted : bool
        Whether the user stopped it with Ctrl-C.
    validation : object
        Rows that the metric was measured on, if the caller of :func:`train` puts them
        here.
    learning_rate : float
        Step size.
    n_steps : int
        Steps of the last epoch; before it, those that are expected, or 0.
    advice : str
        What would make steps worth sharing among processes; "" if they are.
    """

    params: Pytree
    optimizer_state: Pytree
    last_params: Pytree
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    compile_seconds: float = 0.0
    scores: list[float] = field(default_factory=list)
    watched: dict[str, list[float]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    best_score: float = float("nan")
    best_epoch: int = 0
    unfinished: Trend | None = None
    interrupted: bool = False
    validation: Any = None
    learning_rate: float = float("nan")
    n_steps: int = 0
    advice: str = ""
