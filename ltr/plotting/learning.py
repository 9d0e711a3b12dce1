"""Metrics and loss after each epoch of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ltr.arguments import ArgumentError
from ltr.plotting._drawing import (
    REFERENCE_COLOR,
    SMALL,
    axes_for,
    draw_reason,
    label_lines,
    short,
    style,
)
from ltr.queries import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

History = Mapping[str, Sequence[float]]
_NO_METRICS = ("loss", "seconds", "compile_seconds", "learning_rate")


class LearningCurveDisplay:
    """Validation metrics, and the training loss, by epoch or tree.

    A loss that falls while the metric falls, too, shows a model that fits noise: the
    dot, the best epoch, is where early stopping would have ended.

    Parameters
    ----------
    histories : mapping of str to mapping of str to sequence of float
        Rankers by name: their ``history_``.
    metrics : sequence of str, default=None
        Columns to draw; ``"loss"`` may be one of them. None: all metrics of one ranker,
        the first metric of several, and the loss where there is no metric.

    Attributes
    ----------
    curves : dict of (str, str) to float array of shape (n_epochs,)
        Values by name and column.
    best_epochs : dict of (str, str) to int
        Number of the epoch of the greatest value of each metric, from 1; of the least
        loss.
    losses : dict of str to float array of shape (n_epochs,)
        Loss of one ranker with metrics, for a panel of its own; else empty.
    ax_, figure_ : Axes and Figure
        Set by :meth:`plot`.
    loss_ax_ : Axes or None
        Of the loss, if it has a panel of its own.

    Raises
    ------
    ValueError
        If there is nothing to draw.

    Examples
    --------
    >>> history = {"loss": [0.9, 0.5, 0.4], "ndcg@10": [0.3, 0.5, 0.45]}
    >>> display = LearningCurveDisplay({"mlp": history})
    >>> display.best_epochs
    {('mlp', 'ndcg@10'): 2}
    """

    def __init__(
        self,
        histories: Mapping[str, History],
        *,
        metrics: Sequence[str] | None = None,
    ) -> None:
        self.curves: dict[tuple[str, str], FloatArray] = {}
        self.losses: dict[str, FloatArray] = {}
        self.unit = "tree"
        for name, history in histories.items():
            columns = _columns(history, metrics, is_single=len(histories) == 1)
            for column in columns:
                values = np.asarray(history[column], dtype=np.float64)
                self.curves[str(name), column] = values
            if "loss" in history:
                self.unit = "epoch"
                if len(histories) == 1 and "loss" not in columns:
                    values = np.asarray(history["loss"], dtype=np.float64)
                    self.losses[str(name)] = values
        if not self.curves:
            names = ", ".join(map(repr, histories)) or "no ranker"
            raise ValueError(
                f"history_ of {names} must have a column to draw; got none. Fit with "
                "X_val or early_stopping=True, which measure a metric."
            )
        self.best_epochs: dict[tuple[str, str], int] = {}
        for key, values in self.curves.items():
            if not np.isnan(values).all():
                best = np.nanargmin if key[1] == "loss" else np.nanargmax
                self.best_epochs[key] = int(best(values)) + 1

    @classmethod
    def from_rankers(
        cls, rankers: Any, *, metrics: Sequence[str] | None = None
    ) -> LearningCurveDisplay:
        """Make the display from fitted rankers.

        Parameters
        ----------
        rankers : ranker or mapping of str to ranker
            With a ``history_``.
        metrics : sequence of str, default=None
            See the class.

        Returns
        -------
        display : LearningCurveDisplay

        Raises
        ------
        TypeError
            If one has no ``history_``.
        """
        if not isinstance(rankers, Mapping):
            rankers = {type(rankers).__name__: rankers}
        histories = {}
        for name, ranker in rankers.items():
            history = getattr(ranker, "history_", None)
            if not isinstance(history, Mapping):
                raise ArgumentError(
                    "rankers must be fitted and have a history_, as NeuralRanker, "
                    f"TSPRanker and LambdaMARTRanker have; got {ranker!r:.100}."
                )
            histories[name] = history
        return cls(histories, metrics=metrics)

    def plot(self, ax: Axes | None = None) -> LearningCurveDisplay:
        """Draw a line for each metric; the loss beneath, if there is room.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw the metrics on. None: those of a new figure, which has a second
            panel for the loss of one ranker.

        Returns
        -------
        display : LearningCurveDisplay
            Itself, with ``ax_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.loss_ax_ = None
        if ax is None and self.losses:
            ax = axes_for(None, "LearningCurveDisplay.plot")
            figure: Any = ax.figure
            self.loss_ax_ = figure.add_subplot()
            grid = figure.add_gridspec(2, 1, height_ratios=(3, 2))
            ax.set_subplotspec(grid[0])
            self.loss_ax_.set_subplotspec(grid[1])
            self.loss_ax_.sharex(ax)
        self.ax_ = ax = axes_for(ax, "LearningCurveDisplay.plot")
        self.figure_ = ax.figure
        if not self.best_epochs:
            draw_reason(ax, "no epoch has a value")
            return self
        names = {name for name, _ in self.curves}
        columns = {column for _, column in self.curves}
        lines = []
        for number, (key, values) in enumerate(self.curves.items()):
            name, column = key
            label = column if len(names) == 1 else name
            if len(names) > 1 and len(columns) > 1:
                label = f"{name} {column}"
            epochs = np.arange(1, len(values) + 1)
            lines += ax.plot(epochs, values, label=short(label, ax), **style(number))
            if key in self.best_epochs:
                best = self.best_epochs[key]
                ax.plot(
                    best,
                    values[best - 1],
                    marker="o",
                    markersize=5,
                    color=lines[-1].get_color(),
                    markeredgecolor=ax.get_facecolor(),
                    zorder=3,
                )
        if len(columns) == 1:
            ax.set_ylabel(short(next(iter(columns))), parse_math=False)
        longest = max(map(len, self.curves.values()))
        ax.set_xlim(1, max(2, longest))
        ax.locator_params(axis="x", integer=True)
        note = f"dots: best {self.unit}"
        ax.set_title(note, loc="right", fontsize=SMALL, fontweight="normal")
        if self.loss_ax_ is not None:
            self._draw_loss(self.loss_ax_)
        else:
            ax.set_xlabel(self.unit)
        if len(lines) > 1:
            label_lines(ax, lines)
        return self

    def _draw_loss(self, ax: Axes) -> None:
        ((_, values),) = self.losses.items()
        ax.plot(np.arange(1, len(values) + 1), values, color=REFERENCE_COLOR)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_ylabel("training loss")
        ax.set_xlabel(self.unit)
        self.ax_.tick_params(axis="x", labelbottom=False)


def _columns(
    history: History, metrics: Sequence[str] | None, *, is_single: bool
) -> list[str]:
    """Columns of a history to draw."""
    if metrics is not None:
        for column in metrics:
            if column not in history:
                raise ValueError(
                    f"metrics must be columns of history_, {list(history)}; got "
                    f"{column!r}."
                )
        return list(metrics)
    columns = [column for column in history if column not in _NO_METRICS]
    if not columns and "loss" in history:
        return ["loss"]
    return columns if is_single else columns[:1]
