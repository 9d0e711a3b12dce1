"""A metric at increasing cut-offs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics import RunComparison, bootstrap_interval, evaluate_run
from ltr.metrics.runs import check_named_runs
from ltr.plotting._drawing import (
    arrays_by_name,
    axes_for,
    draw_random_order,
    draw_reason,
    evaluate_all,
    expected_in_random_order,
    label_lines,
    means_of_columns,
    predict_all,
    round_ticks,
    style,
)
from ltr.queries import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

CUTOFFS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)


class MetricAtKDisplay:
    """A metric at increasing cut-offs for several rankers, with bands over queries.

    Rankers may differ at the top and agree further down, or vice versa; the cut-off of
    a table is one point of these lines. The bands are 95 % bootstrap intervals of the
    means over queries. Overlapping bands do not mean that the rankers do not differ:
    they are compared on the same queries (see :class:`QueryDifferencesDisplay`).

    Parameters
    ----------
    values : mapping of str to array-like of shape (n_queries, n_cutoffs)
        Rankers by name; NaN for queries to skip.
    k : sequence of int
        Cut-offs, ascending.
    metric : str, default="metric"
        Name of the metric, without a cut-off.
    random_order : array-like of shape (n_queries, n_cutoffs), default=None
        Expected values of a random order, drawn as a reference.

    Attributes
    ----------
    k : list of int
    means : dict of str to float array of shape (n_cutoffs,)
        Means over queries.
    intervals : dict of str to float array of shape (n_cutoffs, 2)
        Their 95 % bootstrap intervals.
    ax_, figure_ : Axes and Figure
        Set by :meth:`plot`.

    Raises
    ------
    ValueError
        If shapes differ, or the number of columns is not that of cut-offs.

    Examples
    --------
    >>> y, qid = [1, 0, 0, 1], ["a", "a", "b", "b"]
    >>> scores = {"mlp": [2, 1, 1, 2], "constant": [0, 0, 0, 0]}
    >>> display = MetricAtKDisplay.from_predictions(y, scores, qid, k=(1, 2))
    >>> {name: mean.round(2).tolist() for name, mean in display.means.items()}
    {'mlp': [1.0, 1.0], 'constant': [0.5, 0.82]}
    """

    def __init__(
        self,
        values: Mapping[str, ArrayLike],
        k: Sequence[int],
        *,
        metric: str = "metric",
        random_order: ArrayLike | None = None,
    ) -> None:
        arrays = arrays_by_name(values)
        shape = next(iter(arrays.values())).shape
        self.k = [int(cut) for cut in k]
        ascending = self.k == sorted(set(self.k)) and self.k and self.k[0] >= 1
        if len(shape) != 2 or shape[1] != len(self.k) or not ascending:
            raise ValueError(
                "values must have shape (n_queries, n_cutoffs), and k ascending "
                f"cut-offs >= 1; got shape {shape} and k={list(k)}."
            )
        self.metric = metric
        self.means = {name: means_of_columns(array) for name, array in arrays.items()}
        self.intervals = {
            name: np.array([bootstrap_interval(column) for column in array.T])
            for name, array in arrays.items()
        }
        self.random_means = None
        if random_order is not None:
            self.random_means = means_of_columns(
                np.asarray(random_order, dtype=np.float64)
            )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: Mapping[str, ArrayLike],
        qid: ArrayLike | None = None,
        *,
        metric: str = "ndcg",
        k: Sequence[int] = CUTOFFS,
        **options: Any,
    ) -> MetricAtKDisplay:
        """Make the display from labels and the scores of several rankers.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels.
        y_score : mapping of str to array-like of shape (n_samples,)
            Scores by name.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: all rows belong to one query.
        metric : str, default="ndcg"
            Metric that takes a cut-off.
        k : sequence of int, default=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
            Cut-offs, ascending.
        **options : dict
            Options of the metric.

        Returns
        -------
        display : MetricAtKDisplay

        Raises
        ------
        ValueError
            If the metric takes no cut-off, or rejects the input.
        """
        names = [f"{metric}@{cut}" for cut in k]
        tables = evaluate_all(y_true, y_score, qid, names, options)
        return cls(
            {name: table.to_numpy() for name, table in tables.items()},
            k,
            metric=metric,
            random_order=expected_in_random_order(y_true, qid, names, options),
        )

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        metric: str = "ndcg",
        k: Sequence[int] = CUTOFFS,
        **options: Any,
    ) -> MetricAtKDisplay:
        """Make the display from fitted rankers.

        Parameters
        ----------
        estimators : mapping of str to estimator
            Fitted rankers by name.
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: all rows belong to one query.
        metric : str, default="ndcg"
            Metric that takes a cut-off.
        k : sequence of int, default=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
            Cut-offs, ascending.
        **options : dict
            Options of the metric.

        Returns
        -------
        display : MetricAtKDisplay
        """
        scores = predict_all(estimators, X, y, qid)
        return cls.from_predictions(y, scores, qid, metric=metric, k=k, **options)

    @classmethod
    def from_runs(
        cls,
        runs: Mapping[str, Any],
        qrels: Any,
        *,
        metric: str = "ndcg",
        k: Sequence[int] = CUTOFFS,
        **options: Any,
    ) -> MetricAtKDisplay:
        """Make the display from runs and judgments, by trec_eval's conventions.

        Parameters
        ----------
        runs : mapping of str to run
            Runs by name, as :func:`ltr.metrics.evaluate_run` takes them.
        qrels : path, DataFrame or {qid: {docid: label}}
            Judgments.
        metric : str, default="ndcg"
            Metric that takes a cut-off.
        k : sequence of int, default=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
            Cut-offs, ascending.
        **options : dict
            Options of :func:`ltr.metrics.evaluate_run`.

        Returns
        -------
        display : MetricAtKDisplay
        """
        check_named_runs(runs)
        names = [f"{metric}@{cut}" for cut in k]
        tables = {
            name: evaluate_run(run, qrels, names, per_query=True, **options)
            for name, run in runs.items()
        }
        return cls(_on_the_same_queries(tables), k, metric=metric)

    @classmethod
    def from_comparison(
        cls,
        comparison: RunComparison,
        *,
        metric: str = "ndcg",
        random_order: pd.DataFrame | None = None,
    ) -> MetricAtKDisplay:
        """Make the display from a comparison by a metric at several cut-offs.

        Parameters
        ----------
        comparison : RunComparison
            Comparison by metrics ``<metric>@<k>``, among others.
        metric : str, default="ndcg"
            Metric without its cut-off, as spelled in the comparison.
        random_order : DataFrame, default=None
            Expected values of a random order, with the same columns.

        Returns
        -------
        display : MetricAtKDisplay

        Raises
        ------
        ValueError
            If the comparison has no cut-off of the metric.
        """
        k = cutoffs_of(comparison.metrics, metric)
        if not k:
            raise ValueError(
                f"the comparison must have metrics such as '{metric}@10'; got "
                f"{comparison.metrics}."
            )
        names = [f"{metric}@{cut}" for cut in k]
        return cls(
            {name: t[names].to_numpy() for name, t in comparison.per_query.items()},
            k,
            metric=metric,
            random_order=None if random_order is None else random_order[names],
        )

    def plot(self, ax: Axes | None = None) -> MetricAtKDisplay:
        """Draw a line for each ranker, with its band.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on, with room for names at the right. None: those of a new
            figure.

        Returns
        -------
        display : MetricAtKDisplay
            Itself, with ``ax_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = axes_for(ax, "MetricAtKDisplay.plot")
        self.figure_ = ax.figure
        if np.isnan(list(self.means.values())).all():
            draw_reason(ax, "no query has a value")
            return self
        lines: list[Line2D] = []
        if self.random_means is not None:
            lines += draw_random_order(ax, self.k, self.random_means)
        for number, (name, mean) in enumerate(self.means.items()):
            line_style, (low, high) = style(number), self.intervals[name].T
            color = line_style["color"]
            ax.fill_between(self.k, low, high, color=color, alpha=0.13, linewidth=0)
            lines += ax.plot(
                self.k, mean, label=name, marker="o", markersize=3.5, **line_style
            )
        round_ticks(ax, self.k[0], self.k[-1])
        if ax.get_xscale() == "linear" and len(self.k) <= 12:
            ax.set_xticks(self.k)
        ax.set_xlabel("cut-off k")
        ax.set_ylabel(f"{self.metric}@k", parse_math=False)
        label_lines(ax, lines)
        return self


def cutoffs_of(metrics: Sequence[str], metric: str) -> list[int]:
    """Cut-offs of a metric among other metrics, ascending.

    Parameters
    ----------
    metrics : sequence of str
        Names such as ``"ndcg@10"``.
    metric : str
        Name without cut-off.

    Returns
    -------
    k : list of int

    Examples
    --------
    >>> cutoffs_of(["ndcg@10", "map", "ndcg@5"], "ndcg")
    [5, 10]
    """
    parts = [name.rpartition("@") for name in metrics]
    return sorted({int(k) for name, _, k in parts if name == metric and k.isdecimal()})


def _on_the_same_queries(tables: Mapping[str, pd.DataFrame]) -> dict[str, FloatArray]:
    """Values of the queries that all tables have."""
    index = next(iter(tables.values())).index
    for table in tables.values():
        index = index.intersection(table.index, sort=False)
    return {name: table.loc[index].to_numpy() for name, table in tables.items()}
