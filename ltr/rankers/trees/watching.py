"""What happens after each tree: metrics, early stopping, progress, callbacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ltr.callbacks import TrainingState, Watch, check_callbacks
from ltr.deadline import has_deadline, is_past_deadline
from ltr.metrics import Metric
from ltr.progress import SECONDS_BETWEEN_LINES, ProgressLine
from ltr.queries import FloatArray
from ltr.rankers.validation import ValidationRows, metrics_of

_STOPPING, _WATCHING, _END = 30, 40, 50  # after the line of progress


class TreeWatch(NamedTuple):
    """Who looks at the trees.

    Attributes
    ----------
    callbacks : sequence of callbacks or None
        Parameter of the ranker.
    learning_rate : float
        Of the ranker.
    make_ranker : callable
        Booster and number of its trees → fitted ranker.
    """

    callbacks: Any
    learning_rate: float
    make_ranker: Callable[[Any, int], Any]


class Stopping:
    """LightGBM's callback: record the metrics, and say when the first stops improving.

    LightGBM's own counts the first new tree as the start even if there are trees
    before it, and iterations without a split as trees.

    Parameters
    ----------
    patience : int
        Trees without improvement before stopping.
    can_stop : bool
        False: all trees are kept. They must be if later ones change earlier ones.
    """

    def __init__(self, patience: int, *, can_stop: bool) -> None:
        self._patience = patience
        self.can_stop = can_stop
        self.order = _STOPPING
        self._best = self._before = (0, -math.inf)
        self._n_worse = 0
        self.columns: dict[str, list[float]] = {}
        self.is_over = False

    @property
    def scores(self) -> list[float]:
        """The metric to stop on after each tree."""
        return next(iter(self.columns.values()), [])

    def offer(self, n_trees: int, score: float) -> None:
        """Take trees as the best ones if their score is higher."""
        self._n_worse += 1
        if score > self._best[1]:
            self._best, self._n_worse = (n_trees, score), 0
        if not self.columns:
            self._before = self._best

    def best(self, n_all: int) -> tuple[int, float]:
        """Number of trees with the highest score, and the score; all if it is NaN."""
        if not self.can_stop and self.scores:
            self._take_all(n_all)
        n_trees, score = self._best
        return (n_trees, score) if n_trees else (n_all, float("nan"))

    def _take_all(self, n_trees: int) -> None:
        """Take all trees as the best ones, unless those before this fit are better."""
        everything = (n_trees, self.scores[-1])
        self._best = max(self._before, everything, key=lambda trees: trees[1])

    def __call__(self, env: Any) -> None:
        """Record the metrics of a tree."""
        for _, name, value, _ in env.evaluation_result_list:
            self.columns.setdefault(name, []).append(float(value))
        n_trees = env.model.current_iteration()
        if not self.can_stop:
            self._take_all(n_trees)
            return
        self.offer(n_trees, self.scores[-1])
        self.is_over = self._n_worse >= self._patience


def tree_callbacks(
    stopping: Stopping | None, watch: TreeWatch | None, verbose: int
) -> list[Callable[..., Any]]:
    """LightGBM's callbacks, in their order.

    Parameters
    ----------
    stopping : Stopping or None
        With validation rows.
    watch : TreeWatch or None
        Callbacks of the user.
    verbose : int
        1: write a line every 5 seconds; 2 or more: a line per tree.

    Returns
    -------
    callbacks : list of callable
    """
    callbacks: list[Callable[..., Any]] = []
    watcher = None
    if watch is not None and (functions := check_callbacks(watch.callbacks)):
        watcher = _Watcher(functions, stopping, watch)
    if stopping is not None:
        callbacks.append(stopping)
    if verbose > 0:
        callbacks.append(_progress(verbose))
    if watcher is not None:
        callbacks.append(watcher)
    if callbacks or has_deadline():
        callbacks.append(_End([c for c in (stopping, watcher) if c is not None]))
    return callbacks


class _Watcher:
    """LightGBM's callback that calls those of the user."""

    def __init__(
        self,
        functions: Sequence[Callable[[TrainingState], Any]],
        stopping: Stopping | None,
        watch: TreeWatch,
    ) -> None:
        self.order = _WATCHING
        self._watch, self._stopping = Watch(functions), stopping
        self._trees = watch
        self.is_over = False

    def __call__(self, env: Any) -> None:
        n_trees = env.iteration + 1
        metrics, best = {}, (n_trees, float("nan"))
        if self._stopping is not None:
            columns = self._stopping.columns.items()
            metrics = {name: values[-1] for name, values in columns}
            best = self._stopping.best(n_trees)
        state = TrainingState(
            epoch=n_trees,
            max_epochs=env.end_iteration,
            loss=float("nan"),
            metrics=metrics,
            best_score=best[1],
            best_epoch=best[0],
            seconds=self._watch.seconds,
            learning_rate=self._trees.learning_rate,
            make_ranker=lambda: self._trees.make_ranker(env.model, n_trees),
        )
        self.is_over = self._watch(state)


class _End:
    """LightGBM's callback: no further tree once one of these says so, or time is up."""

    def __init__(self, others: Sequence[Stopping | _Watcher]) -> None:
        self.order = _END
        self._others = others

    def __call__(self, env: Any) -> None:
        from lightgbm.callback import EarlyStopException

        if is_past_deadline() or any(other.is_over for other in self._others):
            raise EarlyStopException(env.iteration, env.evaluation_result_list or [])


def evaluation(
    measures: Sequence[Metric], rows: ValidationRows
) -> Callable[[FloatArray, Any], list[tuple[str, float, bool]]]:
    """LightGBM's ``feval``: names, values and directions of the metrics of scores."""

    def feval(scores: FloatArray, _: Any) -> list[tuple[str, float, bool]]:
        values = metrics_of(measures, rows, scores)
        return [(name, value, True) for name, value in values.items()]

    return feval


def _progress(verbose: int) -> Callable[[Any], None]:
    """LightGBM's callback: a line per tree, or every few seconds."""
    progress = ProgressLine(0.0 if verbose >= 2 else SECONDS_BETWEEN_LINES)

    def write(env: Any) -> None:
        tree = env.iteration + 1

        def line() -> str:
            results = env.evaluation_result_list or ()
            scores = [f"  {name} {value:.5f}" for _, name, value, _ in results]
            return f"tree {tree}/{env.end_iteration}{''.join(scores)}"

        progress(line, last=tree == env.end_iteration)

    return write
