"""Differences of a metric between two rankings, query by query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics import RunComparison, bootstrap_interval, get_metric
from ltr.metrics.names import MetricLike
from ltr.plotting._drawing import (
    COLORS,
    SMALL,
    arrays_by_name,
    axes_for,
    count_of,
    draw_reason,
    evaluate_all,
    predict_all,
    short,
)
from ltr.queries import FloatArray, check_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TIE = 1e-9  # differences up to rounding errors
_MOST_BARS = 60  # drawn one by one
_MOST_STEPS = 600


class QueryDifferencesDisplay:
    """Differences of a metric between two rankings, sorted over the queries.

    A mean hides whether a ranker gains a little on every query, or much on a few and
    loses on others. Here every query is a bar; wins, ties and losses are counted, and
    the mean difference is shown with its interval.

    Parameters
    ----------
    differences : array-like of shape (n_queries,)
        Value of the first ranking minus that of the second; NaN for queries to skip.
    names : tuple of two str, default=("first", "second")
        Names of the rankings.
    metric : str, default="metric"
        Name of the metric.
    qid : array-like of shape (n_queries,), default=None
        Query ids; the queries at both ends are labeled.

    Attributes
    ----------
    differences : float array of shape (n_counted,)
        Largest first, without NaN.
    qid : list or None
        Query ids in that order.
    wins, ties, losses : int
        Queries on which the first ranking is better, equal (within 1e-9), worse.
    mean : float
        Mean difference.
    interval : tuple of two float
        Its 95 % bootstrap interval over queries.
    ax_, figure_ : Axes and Figure
        Set by :meth:`plot`.

    Raises
    ------
    ValueError
        If ``qid`` and ``differences`` differ in length.

    Examples
    --------
    >>> display = QueryDifferencesDisplay([0.2, -0.1, 0.0, 0.4], qid=list("abcd"))
    >>> display.wins, display.ties, display.losses, display.qid
    (2, 1, 1, ['d', 'a', 'c', 'b'])
    """

    def __init__(
        self,
        differences: ArrayLike,
        *,
        names: tuple[str, str] = ("first", "second"),
        metric: str = "metric",
        qid: ArrayLike | None = None,
    ) -> None:
        check_rows({"differences": differences, "qid": qid})
        values: FloatArray = np.asarray(differences, dtype=np.float64)
        ids = None if qid is None else list(qid)  # type: ignore[arg-type]
        if values.ndim != 1 or (ids is not None and len(ids) != len(values)):
            raise ValueError(
                "differences must be one-dimensional, and qid of the same length; got "
                f"shape {values.shape} and {None if ids is None else len(ids)} ids."
            )
        order = np.argsort(-values, kind="stable")  # NaN last
        order = order[: int((~np.isnan(values)).sum())]
        self.differences = values[order]
        self.qid = None if ids is None else [ids[i] for i in order]
        self.names = names
        self.metric = metric
        self.wins = int((self.differences > _TIE).sum())
        self.losses = int((self.differences < -_TIE).sum())
        self.ties = len(order) - self.wins - self.losses
        self.mean = float(self.differences.mean()) if len(order) else float("nan")
        self.interval = bootstrap_interval(self.differences)

    @classmethod
    def from_values(
        cls,
        values: Mapping[str, ArrayLike],
        *,
        metric: str = "metric",
        qid: ArrayLike | None = None,
    ) -> QueryDifferencesDisplay:
        """Make the display from values of a metric, query by query.

        Parameters
        ----------
        values : mapping of str to array-like of shape (n_queries,)
            Two rankings by name; the second is subtracted from the first.
        metric : str, default="metric"
            Name of the metric.
        qid : array-like of shape (n_queries,), default=None
            Query ids.

        Returns
        -------
        display : QueryDifferencesDisplay

        Raises
        ------
        ValueError
            If there are not two rankings of the same queries.
        """
        if len(values) != 2:
            raise ValueError(f"values must have two rankings; got {list(values)}.")
        by_name = {f"values[{name!r}]": v for name, v in values.items()}
        check_rows({**by_name, "qid": qid})
        (name_a, a), (name_b, b) = arrays_by_name(values).items()
        return cls(a - b, names=(name_a, name_b), metric=metric, qid=qid)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: Mapping[str, ArrayLike],
        qid: ArrayLike | None = None,
        *,
        metric: MetricLike = "ndcg@10",
        **options: Any,
    ) -> QueryDifferencesDisplay:
        """Make the display from labels and the scores of two rankers.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels.
        y_score : mapping of str to array-like of shape (n_samples,)
            Scores of two rankers by name; the second is subtracted from the first.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: all rows belong to one query.
        metric : str or callable, default="ndcg@10"
            Metric for :func:`ltr.metrics.get_metric`.
        **options : dict
            Options of the metric.

        Returns
        -------
        display : QueryDifferencesDisplay

        Raises
        ------
        ValueError
            If there are not two rankers, or the metric rejects the input.
        """
        tables = evaluate_all(y_true, y_score, qid, [metric], options)
        ids = next((list(table.index) for table in tables.values()), None)
        title = get_metric(metric, **options).name
        values = {name: table[title].to_numpy() for name, table in tables.items()}
        return cls.from_values(values, metric=title, qid=ids)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        metric: MetricLike = "ndcg@10",
        **options: Any,
    ) -> QueryDifferencesDisplay:
        """Make the display from two fitted rankers.

        Parameters
        ----------
        estimators : mapping of str to estimator
            Two fitted rankers by name; the second is subtracted from the first.
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: all rows belong to one query.
        metric : str or callable, default="ndcg@10"
            Metric for :func:`ltr.metrics.get_metric`.
        **options : dict
            Options of the metric.

        Returns
        -------
        display : QueryDifferencesDisplay
        """
        scores = predict_all(estimators, X, y, qid)
        return cls.from_predictions(y, scores, qid, metric=metric, **options)

    @classmethod
    def from_comparison(
        cls, comparison: RunComparison, name: str, *, metric: str | None = None
    ) -> QueryDifferencesDisplay:
        """Make the display from a comparison of runs or rankers.

        Parameters
        ----------
        comparison : RunComparison
            From :func:`ltr.metrics.compare_runs` or ``Leaderboard.comparison``.
        name : str
            Run from which the baseline of the comparison is subtracted.
        metric : str, default=None
            One of the metrics. None: the first.

        Returns
        -------
        display : QueryDifferencesDisplay

        Raises
        ------
        ValueError
            If the run or the metric is unknown.
        """
        metric = comparison.metrics[0] if metric is None else metric
        tables = comparison.per_query
        if name not in tables or metric not in comparison.metrics:
            raise ValueError(
                f"the comparison has the runs {list(tables)} and the metrics "
                f"{comparison.metrics}; got {name!r} and {metric!r}."
            )
        a, b = tables[name][metric], tables[comparison.baseline][metric]
        return cls(
            a.to_numpy() - b.to_numpy(),
            names=(name, comparison.baseline),
            metric=metric,
            qid=list(a.index),
        )

    def plot(self, ax: Axes | None = None) -> QueryDifferencesDisplay:
        """Draw the bars.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on. None: those of a new figure.

        Returns
        -------
        display : QueryDifferencesDisplay
            Itself, with ``ax_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = axes_for(ax, "QueryDifferencesDisplay.plot")
        self.figure_ = ax.figure
        name_a, name_b = (short(name, ax) for name in self.names)
        ax.set_title(f"{name_a} − {name_b}", parse_math=False)
        n = len(self.differences)
        if n == 0:
            draw_reason(ax, "no query has a value for both")
            return self
        self._draw_bars(ax)
        ax.axhline(0.0, color=ax.yaxis.label.get_color(), linewidth=0.8)
        low, high = self.interval
        ax.axhspan(low, high, color=COLORS[-1], alpha=0.25, linewidth=0)
        ax.axhline(self.mean, color=COLORS[-1], linewidth=1.2)
        ax.set_xlim(0, n)
        reach = self._reach()
        ax.set_ylim(-reach, reach)
        ax.set_xlabel(f"{count_of(n)}, from largest gain to largest loss")
        ax.set_ylabel(f"difference in {short(self.metric)}", parse_math=False)
        self._write_counts(ax, name_a, name_b)
        return self

    def _draw_bars(self, ax: Axes) -> None:
        n = len(self.differences)
        drawn = np.linspace(0, n - 1, min(n, _MOST_STEPS)).round().astype(int)
        values = self.differences[drawn]
        edges = np.linspace(0, n, len(drawn) + 1)
        for sign, color in ((1, COLORS[0]), (-1, COLORS[1])):
            side = np.maximum(sign * values, 0.0) * sign
            if n <= _MOST_BARS:
                ax.bar(np.arange(n) + 0.5, side, width=0.8, color=color)
            else:
                ax.stairs(side, edges, fill=True, color=color, linewidth=0)

    def _reach(self) -> float:
        """Half the height of the axes, with room for the text in two corners.

        The text at the upper right takes a quarter of the height, so the bars below it
        (the last two thirds) may reach half of the upper half; likewise at the lower
        left.
        """
        d, third = self.differences, len(self.differences) // 3
        corners = max(d[third], -d[-1 - third], 0.0)
        return float(max(1.08 * np.abs(d).max(), 2.0 * corners)) or 1.0

    def _write_counts(self, ax: Axes, name_a: str, name_b: str) -> None:
        """Write the counts into the two corners that sorted bars leave free."""
        low, high = map(_signed, self.interval)
        gains: list[tuple[str, Any]]
        gains = [(f"{name_a}: better on {self._share(self.wins)}", COLORS[0])]
        losses = [(f"{name_b}: better on {self._share(self.losses)}", COLORS[1])]
        if self.qid and self.wins:
            gains.append((f"most on query {short(self.qid[0], ax)}", COLORS[0]))
        if self.qid and self.losses:
            worst = short(self.qid[-1], ax)
            losses.insert(0, (f"most on query {worst}", COLORS[1]))
        ink = ax.yaxis.label.get_color()
        if self.ties:
            gains.append((f"equal on {self._share(self.ties)}", ink))
        gains.append((f"mean {_signed(self.mean)} [{low}, {high}]", ink))
        options: dict[str, Any]
        options = {"textcoords": "offset points", "xycoords": "axes fraction"}
        options |= {"fontsize": SMALL, "parse_math": False}
        row = 1.4 * SMALL
        for i, (text, color) in enumerate(gains):
            corner: dict[str, Any]
            corner = {"xytext": (-4, -2 - i * row), "ha": "right", "va": "top"}
            ax.annotate(text, (1, 1), color=color, **options, **corner)
        for i, (text, color) in enumerate(reversed(losses)):
            corner = {"xytext": (4, 3 + i * row), "ha": "left", "va": "bottom"}
            ax.annotate(text, (0, 0), color=color, **options, **corner)

    def _share(self, count: int) -> str:
        return f"{count:,} ({count / len(self.differences):.0%})"


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")
