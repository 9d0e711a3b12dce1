"""A metric by the length of the lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_whole
from ltr.metrics import bootstrap_interval, get_metric
from ltr.metrics.names import MetricLike
from ltr.plotting._drawing import (
    SMALL,
    arrays_by_name,
    axes_for,
    count_of,
    draw_random_order,
    draw_reason,
    evaluate_all,
    expected_in_random_order,
    label_lines,
    means_of_columns,
    predict_all,
    round_ticks,
    short,
    style,
)
from ltr.queries import FloatArray, IntArray, check_rows, group_queries

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from ltr.compare.leaderboard import Leaderboard

_MOST_POINTS = 300


class ListLengthDisplay:
    """A metric by the length of the lists, compared with a random order.

    Long lists are harder, and on short ones a metric is high for any order: what counts
    is the distance to the random order. Queries are binned by the length of their lists
    into bins of about equal size; lines show the mean of each bin with its 95 %
    bootstrap interval. The queries of the first ranker are drawn as points.

    Parameters
    ----------
    values : mapping of str to array-like of shape (n_queries,)
        Rankers by name; NaN for queries to skip.
    sizes : array-like of shape (n_queries,)
        List length (rows) of each query.
    metric : str, default="metric"
        Name of the metric.
    random_order : array-like of shape (n_queries,), default=None
        Expected value of a random order for each query.
    n_bins : int, default=8
        Maximum number of bins; equal lengths share a bin.

    Attributes
    ----------
    values : dict of str to float array of shape (n_counted,)
        Values without the queries that are NaN for all rankers.
    sizes : int array of shape (n_counted,)
        Their list lengths.
    bins : int array of shape (n_counted,)
        Their bins.
    bin_sizes : float array of shape (n_bins,)
        Mean list length of each bin.
    bin_counts : int array of shape (n_bins,)
        Number of queries in each bin.
    means : dict of str to float array of shape (n_bins,)
        Mean of each bin.
    intervals : dict of str to float array of shape (n_bins, 2)
        Its 95 % bootstrap interval over queries.
    ax_, figure_ : Axes and Figure
        Set by :meth:`plot`.

    Raises
    ------
    ValueError
        If lengths differ, or ``n_bins`` is below 1.

    Examples
    --------
    >>> values = {"mlp": [1.0, 0.8, 0.5, 0.3]}
    >>> display = ListLengthDisplay(values, [2, 2, 9, 11], n_bins=2)
    >>> display.bin_sizes.tolist(), display.means["mlp"].tolist()
    ([2.0, 10.0], [0.9, 0.4])
    """

    def __init__(
        self,
        values: Mapping[str, ArrayLike],
        sizes: ArrayLike,
        *,
        metric: str = "metric",
        random_order: ArrayLike | None = None,
        n_bins: int = 8,
    ) -> None:
        by_ranker = {f"values[{name!r}]": v for name, v in values.items()}
        check_rows({"sizes": sizes, **by_ranker, "random_order": random_order})
        arrays, all_sizes = arrays_by_name(values), np.asarray(sizes, dtype=np.intp)
        shape = next(iter(arrays.values())).shape
        if shape != all_sizes.shape or len(shape) != 1:
            raise ValueError(
                "values and sizes must have one entry per query; got shapes "
                f"{shape} and {all_sizes.shape}."
            )
        check_whole("n_bins", n_bins, low=1)
        self.metric = metric
        has_value = ~np.isnan(list(arrays.values())).all(axis=0)
        self.values = {name: array[has_value] for name, array in arrays.items()}
        self.sizes: IntArray = all_sizes[has_value]
        self.bins = _bins(self.sizes, n_bins)
        self.bin_counts: IntArray = np.bincount(self.bins).astype(np.intp)
        self.bin_sizes: FloatArray = (
            np.bincount(self.bins, self.sizes) / self.bin_counts
        )
        self.means = {name: self._means(v) for name, v in self.values.items()}
        self.intervals = {
            name: np.array([bootstrap_interval(v[rows]) for rows in self._members()])
            for name, v in self.values.items()
        }
        self.random_means = None
        if random_order is not None:
            self.random_means = self._means(
                np.asarray(random_order, dtype=np.float64)[has_value]
            )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: Mapping[str, ArrayLike],
        qid: ArrayLike | None = None,
        *,
        metric: MetricLike = "ndcg@10",
        n_bins: int = 8,
        **options: Any,
    ) -> ListLengthDisplay:
        """Make the display from labels and the scores of rankers.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels.
        y_score : mapping of str to array-like of shape (n_samples,)
            Scores by name.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: all rows belong to one query.
        metric : str or callable, default="ndcg@10"
            Metric for :func:`ltr.metrics.get_metric`.
        n_bins : int, default=8
            Maximum number of bins.
        **options : dict
            Options of the metric.

        Returns
        -------
        display : ListLengthDisplay

        Raises
        ------
        ValueError
            If the metric rejects the input.
        """
        tables = evaluate_all(y_true, y_score, qid, [metric], options)
        expected = expected_in_random_order(y_true, qid, [metric], options)
        title = get_metric(metric, **options).name
        return cls(
            {name: table[title] for name, table in tables.items()},
            group_queries(qid, len(np.asarray(y_true)), rows_of="y_true").sizes,
            metric=title,
            random_order=expected[:, 0],
            n_bins=n_bins,
        )

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        metric: MetricLike = "ndcg@10",
        n_bins: int = 8,
        **options: Any,
    ) -> ListLengthDisplay:
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
        metric : str or callable, default="ndcg@10"
            Metric for :func:`ltr.metrics.get_metric`.
        n_bins : int, default=8
            Maximum number of bins.
        **options : dict
            Options of the metric.

        Returns
        -------
        display : ListLengthDisplay
        """
        return cls.from_predictions(
            y,
            predict_all(estimators, X, y, qid),
            qid,
            metric=metric,
            n_bins=n_bins,
            **options,
        )

    @classmethod
    def from_leaderboard(
        cls, board: Leaderboard, *, n_bins: int = 8
    ) -> ListLengthDisplay:
        """Make the display from a comparison of rankers.

        Parameters
        ----------
        board : Leaderboard
            From :func:`ltr.compare.compare_rankers`; its first metric is drawn.
        n_bins : int, default=8
            Maximum number of bins.

        Returns
        -------
        display : ListLengthDisplay
        """
        return cls(
            {name: values[:, 0] for name, values in board.per_query.items()},
            board.lists["size"],
            metric=board.metrics[0],
            random_order=board.random_order[:, 0],
            n_bins=n_bins,
        )

    def plot(self, ax: Axes | None = None) -> ListLengthDisplay:
        """Draw the queries of the first ranker as points, and the bins of all.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on, with room for names at the right. None: those of a new
            figure.

        Returns
        -------
        display : ListLengthDisplay
            Itself, with ``ax_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = axes_for(ax, "ListLengthDisplay.plot")
        self.figure_ = ax.figure
        if not len(self.sizes):
            draw_reason(ax, "no query has a value")
            return self
        n_drawn = self._draw_points(ax)
        lines: list[Line2D] = []
        if self.random_means is not None:
            defined = ~np.isnan(self.random_means)
            lines += draw_random_order(
                ax, self.bin_sizes[defined], self.random_means[defined]
            )
        for number, (name, mean) in enumerate(self.means.items()):
            defined, line_style = ~np.isnan(mean), style(number)
            # shift rankers sideways, so that their intervals do not hide each other
            shift = 1.0 + 0.03 * (number - (len(self.means) - 1) / 2)
            x = shift * self.bin_sizes[defined]
            low, high = self.intervals[name][defined].T
            color = line_style["color"]
            ax.vlines(x, low, high, color=color, alpha=0.45, linewidth=1.2)
            lines += ax.plot(
                x,
                mean[defined],
                label=name,
                marker="o",
                markersize=4,
                linewidth=1.6,
                **line_style,
            )
        round_ticks(ax, max(1, self.sizes.min()), self.sizes.max())
        ax.set_title(
            self._note(n_drawn), loc="left", fontsize=SMALL, fontweight="normal"
        )
        ax.set_xlabel("list length in rows")
        ax.set_ylabel(short(self.metric), parse_math=False)
        label_lines(ax, lines)
        return self

    def _draw_points(self, ax: Axes) -> int:
        """Draw the queries of the first ranker, or a sample; return their number."""
        values = next(iter(self.values.values()))
        queries = np.flatnonzero(~np.isnan(values))
        if len(queries) > _MOST_POINTS:
            rng = np.random.default_rng(0)
            queries = rng.choice(queries, _MOST_POINTS, replace=False)
        ax.plot(
            self.sizes[queries],
            values[queries],
            linestyle="",
            marker="o",
            markersize=3,
            markeredgewidth=0,
            alpha=0.25,
            color=style(0)["color"],
            zorder=1,
        )
        return len(queries)

    def _note(self, n_drawn: int) -> str:
        n, n_bins = len(self.sizes), len(self.bin_counts)
        note = f"{count_of(n)} in {count_of(n_bins, 'bin', 'bins')}"
        return f"{note}, {n_drawn:,} drawn" if n_drawn < n else note

    def _members(self) -> list[IntArray]:
        return [np.flatnonzero(self.bins == i) for i in range(len(self.bin_counts))]

    def _means(self, values: FloatArray) -> FloatArray:
        return np.array(
            [means_of_columns(values[rows, None])[0] for rows in self._members()]
        )


def _bins(sizes: IntArray, n_bins: int) -> IntArray:
    """Bin of each query: ascending lengths, a bin closed once it has its share.

    Equal lengths share a bin; a last bin of less than half the share joins the one
    before.
    """
    lengths, inverse, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    share = len(sizes) / n_bins
    bin_of_length = np.zeros(len(lengths), dtype=np.intp)
    number, n_in_bin = 0, 0
    for i, count in enumerate(counts):
        bin_of_length[i] = number
        n_in_bin += count
        if n_in_bin >= share:
            number, n_in_bin = number + 1, 0
    if 0 < n_in_bin < share / 2 and number:
        bin_of_length[bin_of_length == number] = number - 1
    return bin_of_length[inverse]
