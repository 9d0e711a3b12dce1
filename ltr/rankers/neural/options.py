"""The parameters of training, checked once and frozen."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import jax

from ltr.arguments import (
    ArgumentError,
    check_choice,
    check_flag,
    check_number,
    check_seed,
    check_verbose,
    check_whole,
)
from ltr.callbacks import Callbacks, check_callbacks
from ltr.files import PathLike
from ltr.rankers.neural.scaling import PREPROCESS, Preprocess
from ltr.rankers.validation import EarlyStopping
from ltr.scorers import ModuleScorer, Scorer
from ltr.scorers.products import Precision, array_type
from ltr.training import get_optimizer
from ltr.training.devices import find_mesh
from ltr.training.schedules import ScheduleLike, check_schedule


class Replay(NamedTuple):
    """A fit that another one repeats on more queries, up to its best epoch.

    Attributes
    ----------
    max_epochs, patience : int
        Its limits, which its learning rates depend on.
    scores : tuple of float
        Metric to stop on after each of its epochs.
    """

    max_epochs: int
    patience: int
    scores: tuple[float, ...]


@dataclass(frozen=True)
class TrainingOptions:
    """How to train a scorer, as the parameters of a ranker say.

    Attributes
    ----------
    scorer : Scorer
        What to train.
    loss : callable
        What to minimize.
    loss_name : object
        The parameter ``loss``, for messages.
    optimizer : str or callable
        For :func:`ltr.training.get_optimizer`.
    learning_rate : float or "auto"
        Step size, > 0; for ``"auto"`` see :func:`ltr.training.optimizers.auto_rate`.
    weight_decay : float or "auto"
        Decoupled weight decay; for ``"auto"`` see
        :func:`ltr.training.optimizers.auto_decay`.
    batch_size : int
        Lists in a mini-batch.
    max_epochs : int or "auto"
        Maximum number of passes over the training lists.
    n_iter_no_change : int or "auto"
        Epochs without a better validation metric before training stops.
    stopping : EarlyStopping
        When to stop before that.
    preprocess : {"auto", "query", "standard", "log1p", None}
        Feature scaling.
    normalize : bool
        Whether to divide the loss of a list by the weight of its terms.
    dtype : {"float32", "float64", "bfloat16"}
        Precision; with ``"bfloat16"``, of the scorer's matrix products.
    warm_start : bool
        Whether to keep the state from which another fit continues.
    is_stream : bool
        Whether the data is a piece of a stream: shapes should recur from piece to
        piece, and nothing is held out.
    random_state : int, RandomState or None
        Seed.
    verbose : int
        1: a line of progress every 5 seconds; 2: one per epoch.
    checkpoint_dir : path-like or None
        Folder of the state of a fit that is not over.
    checkpoint_every_s : float
        Seconds between two writings of it.
    devices : None, "all", int or Mesh, default=None
        Devices that share a mini-batch.
    in_batch : bool, default=False
        Whether every query of a mini-batch scores the items of all its lists.
    schedule : str, callable or None, default=None
        See :mod:`ltr.training.schedules`.
    clip_norm : float or None, default=None
        Greatest norm of a gradient.
    callbacks : sequence of callbacks or None, default=None
        What to call after each epoch.
    refit : bool, default=False
        Whether to train again on all queries after early stopping.
    replay : Replay or None, default=None
        The fit that this one repeats.

    Raises
    ------
    ValueError
        If one of them is invalid.
    """

    scorer: Scorer
    loss: Callable[..., jax.Array]
    loss_name: Any
    optimizer: str | Callable[..., Any]
    learning_rate: float | Literal["auto"]
    weight_decay: float | Literal["auto"]
    batch_size: int
    max_epochs: int | Literal["auto"]
    n_iter_no_change: int | Literal["auto"]
    stopping: EarlyStopping
    preprocess: Preprocess
    normalize: bool
    dtype: Precision
    warm_start: bool
    is_stream: bool
    random_state: Any
    verbose: int
    checkpoint_dir: PathLike | None
    checkpoint_every_s: float
    devices: Any = None
    in_batch: bool = False
    schedule: ScheduleLike = None
    clip_norm: float | None = None
    callbacks: Callbacks = None
    refit: bool = False
    replay: Replay | None = None

    def __post_init__(self) -> None:
        if not _is_auto(self.learning_rate):
            check_number("learning_rate", self.learning_rate, low=0.0, open_low=True)
        if not _is_auto(self.weight_decay):
            check_number("weight_decay", self.weight_decay, low=0.0)
        check_whole("batch_size", self.batch_size, low=1)
        if not _is_auto(self.max_epochs):
            check_whole("max_epochs", self.max_epochs, low=0)
        if not _is_auto(self.n_iter_no_change):
            check_whole("n_iter_no_change", self.n_iter_no_change, low=1)
        for name in ("normalize", "warm_start", "in_batch", "refit"):
            check_flag(name, getattr(self, name))
        check_choice("preprocess", self.preprocess, PREPROCESS)
        if self.preprocess == "query" and self.scorer.wants_raw_features:
            raise ArgumentError(
                f"preprocess='query' does not fit {self.scorer!r}: the embedding of a "
                "query is constant within its list, and would be 0. Set "
                "preprocess='auto'."
            )
        check_choice("dtype", self.dtype, get_args(Precision))
        if self.dtype == "bfloat16" and isinstance(self.scorer, ModuleScorer):
            raise ArgumentError(
                "dtype='bfloat16' does not reach the products inside a module; got "
                f"{self.scorer!r}. Set dtype='float32', and let the module compute in "
                "bfloat16."
            )
        get_optimizer(self.optimizer)
        self._check_schedule()
        check_callbacks(self.callbacks)
        if self.in_batch and self.n_query_features is None:
            raise ArgumentError(
                "in_batch=True needs a scorer with n_query_features, which says which "
                f"columns describe the query; got {self.scorer!r}. Set "
                "scorer='two_tower'."
            )
        check_seed("random_state", self.random_state)
        check_verbose(self.verbose)
        is_path = isinstance(self.checkpoint_dir, (str, os.PathLike, type(None)))
        if not is_path or self.checkpoint_dir == "":
            raise ArgumentError(
                f"checkpoint_dir must be a path or None; got {self.checkpoint_dir!r}."
            )
        check_number("checkpoint_every_s", self.checkpoint_every_s, low=0.0)
        find_mesh(self.devices)

    def _check_schedule(self) -> None:
        check_number("clip_norm", self.clip_norm, low=0.0, open_low=True, optional=True)
        check_schedule(self.schedule)
        if self.schedule is not None and self.is_stream:
            raise ArgumentError(
                "learning_rate_schedule needs the number of steps, which partial_fit "
                "does not know. Use fit or fit_stream, or set "
                "learning_rate_schedule=None."
            )

    @property
    def array_dtype(self) -> Literal["float32", "float64"]:
        """Type of features, parameters and losses."""
        return array_type(self.dtype)

    @property
    def n_query_features(self) -> int | None:
        """How many columns of a row describe its query; None if no scorer says so."""
        n: int | None = getattr(self.scorer, "n_query_features", None)
        return n

    @property
    def keeps_features(self) -> bool:
        """Whether the scorer gets the features as they are."""
        is_raw = self.preprocess == "auto" and self.scorer.wants_raw_features
        return is_raw or self.preprocess is None


def _is_auto(value: object) -> bool:
    """Whether it is the word, also where an array would compare entry by entry."""
    return isinstance(value, str) and value == "auto"
