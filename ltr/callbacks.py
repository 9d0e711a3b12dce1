"""Watching training: what a callback is, and what it is shown after each epoch.

A *callback* is a function of a :class:`TrainingState`, or an object with a method
``on_epoch(state)``. It is called after each epoch, or each tree, of every ranker with a
parameter ``callbacks``. Returning True ends training, as early stopping does; an
exception ends it, too, and leaves the ranker as it was before ``fit``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np

from ltr.arguments import ArgumentError

__all__ = ["EpochCallback", "TrainingState"]


@dataclass(frozen=True)
class TrainingState:
    """Training after an epoch, or after a tree.

    Attributes
    ----------
    epoch : int
        Number of the epoch or tree, from 1; those before a warm start count. Each
        member of an ensemble begins with 1.
    max_epochs : int
        Number of the last one, unless training ends early.
    loss : float
        Mean training loss of the epoch; NaN for trees, for which it is not computed.
    metrics : dict of str to float
        Validation metrics by name: ``metric`` first, then ``metrics``. Empty without
        validation.
    best_score : float
        Best value of ``metric`` so far; NaN without validation.
    best_epoch : int
        Number of the epoch of that value.
    seconds : float
        Time since ``fit`` began to train, compilation and validation included.
    learning_rate : float
        Step size of the last step of the epoch.
    member : int, default=0
        Number within an ensemble, ``n_estimators`` of :class:`ltr.TSPRanker`.

    Examples
    --------
    >>> state = TrainingState(
    ...     epoch=3, max_epochs=10, loss=0.5, metrics={"ndcg@10": 0.25},
    ...     best_score=0.3, best_epoch=2, seconds=1.5, learning_rate=0.001,
    ... )
    >>> state.score
    0.25
    """

    epoch: int
    max_epochs: int
    loss: float
    metrics: dict[str, float]
    best_score: float
    best_epoch: int
    seconds: float
    learning_rate: float
    member: int = 0
    make_ranker: Callable[[], Any] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def score(self) -> float:
        """Value of ``metric`` after this epoch; NaN without validation."""
        return next(iter(self.metrics.values()), float("nan"))

    @cached_property
    def ranker(self) -> Any:
        """A fitted copy of the ranker with the weights or trees of this epoch.

        It predicts and can be saved; it is made when it is first asked for.
        """
        if self.make_ranker is None:
            raise AttributeError("this state was made without a ranker")
        return self.make_ranker()


class EpochCallback(Protocol):
    """An object that watches training."""

    def on_epoch(self, state: TrainingState) -> bool | None:
        """Look at the state after an epoch; True ends training."""


Callback: TypeAlias = EpochCallback | Callable[[TrainingState], Any]
Callbacks: TypeAlias = Sequence[Callback] | None


def check_callbacks(callbacks: Any) -> list[Callable[[TrainingState], Any]]:
    """Return the functions to call after each epoch.

    Parameters
    ----------
    callbacks : sequence of callbacks or None
        Parameter of a ranker.

    Returns
    -------
    functions : list of callable

    Raises
    ------
    ArgumentError
        If it is something else.

    Examples
    --------
    >>> check_callbacks([print]) == [print], check_callbacks(None)
    (True, [])
    """
    if callbacks is None:
        return []
    is_several = isinstance(callbacks, Iterable) and not isinstance(
        callbacks, (str, dict)
    )
    functions = []
    for callback in callbacks if is_several else [callbacks]:
        function = getattr(callback, "on_epoch", callback)
        is_class = isinstance(callback, type)
        if not is_several or is_class or not callable(function):
            cure = ""
            if callable(function):
                cure = " Pass it in a list." if not is_class else " Pass an instance."
            raise ArgumentError(
                "callbacks must be a list of functions of a TrainingState, or of "
                f"objects with a method on_epoch(state); got {callback!r}.{cure}"
            )
        functions.append(function)
    return functions


class Watch:
    """The callbacks of a fit, and when it began.

    Parameters
    ----------
    callbacks : list of callable
        Of :func:`check_callbacks`.
    """

    def __init__(self, callbacks: Sequence[Callable[[TrainingState], Any]]) -> None:
        self._callbacks = callbacks
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time since the fit began."""
        return time.perf_counter() - self._start

    def __call__(self, state: TrainingState) -> bool:
        """Call all of them; whether one wants training to end."""
        answers = [callback(state) for callback in self._callbacks]
        return any(_is_true(answer) for answer in answers)


def _is_true(answer: Any) -> bool:
    """Whether it is True, as a bool or as a boolean array without axes."""
    if isinstance(answer, bool):
        return answer
    is_flag = getattr(answer, "shape", None) == () and answer.dtype == np.bool_
    return is_flag and bool(answer)


def joined_history(
    before: dict[str, list[float]] | None,
    n_before: int,
    columns: dict[str, list[float]],
) -> dict[str, list[float]]:
    """The history of a fit that goes on after another one.

    Parameters
    ----------
    before : dict of str to list of float or None
        History of the fits before.
    n_before : int
        Epochs or trees before; later ones were dropped.
    columns : dict of str to list of float
        History of this fit.

    Returns
    -------
    history : dict of str to list of float
        All columns, NaN where one of the two has none.

    Examples
    --------
    >>> joined_history({"loss": [3.0, 2.0]}, 2, {"loss": [1.0], "ndcg": [0.5]})
    {'loss': [3.0, 2.0, 1.0], 'ndcg': [nan, nan, 0.5]}
    """
    if not n_before:
        return columns
    missing = [float("nan")]
    n_epochs = max(map(len, columns.values()), default=0)
    past = before or {}
    names = [*columns, *(name for name in past if name not in columns)]
    history = {}
    for name in names:
        first = past.get(name, [])[:n_before]
        first = first + missing * (n_before - len(first))
        history[name] = first + columns.get(name, missing * n_epochs)
    return history
