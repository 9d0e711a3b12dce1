"""Whether a ranker is better on short lists or on long ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics import bootstrap_interval
from ltr.plotting._drawing import (
    SMALL,
    axes_for,
    counted,
    draw_random_order,
    label_lines,
    means_of_columns,
    measured,
    predicted,
    random_order_of,
    round_ticks,
    rows_of_lists,
    say_nothing_to_draw,
    short,
    style,
)
from ltr.queries import FloatArray, IntArray, group_queries

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from ltr.compare.leaderboard import Leaderboard

_MOST_POINTS = 300


class ListLengthDisplay:
    """A metric by the length of the lists, beside what a random order is worth.

    Long lists are harder, and a metric on short ones is high for any order; what counts
    is the distance to the random order. The lists are put into bins of about equal
    numbers by their length; lines show the mean of each bin with its 95 % bootstrap
    interval. The lists of the first ranker are drawn as points.

    Parameters
    ----------
    values : mapping of str to array-like of shape (n_lists,)
        Rankers by name; NaN for lists to leave out.
    sizes : array-like of shape (n_lists,)
        Rows of each list.
    metric : str, default="metric"
        What the values are.
    random_order : array-like of shape (n_lists,), default=None
        Expected value of a random order for each list.
    n_bins : int, default=8
        Bins at most; lists of one length stay together.

    Attributes
    ----------
    values : dict of str to float array of shape (n_counted,)
        Without the lists that are NaN for all.
    sizes : int array of shape (n_counted,)
        Their lengths.
    bins : int array of shape (n_counted,)
        Bin of each.
    bin_sizes : float array of shape (n_bins,)
        Mean length in each bin.
    bin_counts : int array of shape (n_bins,)
        Lists in each bin.
    means : dict of str to float array of shape (n_bins,)
        Means of the bins.
    intervals : dict of str to float array of shape (n_bins, 2)
        Their 95 % bootstrap intervals over lists.
    ax_, figure_ : Axes and Figure
        Where it is drawn, after :meth:`plot`.

    Raises
    ------
    ValueError
        If the arrays have other lengths, or ``n_bins`` is below 1.

    Examples
    --------
    >>> values = {"ours": [1.0, 0.8, 0.5, 0.3]}
    >>> display = ListLengthDisplay(values, [2, 2, 9, 11], n_bins=2)
    >>> display.bin_sizes.tolist(), display.means["ours"].tolist()
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
        arrays, all_sizes = rows_of_lists(values), np.asarray(sizes, dtype=np.intp)
        shape = next(iter(arrays.values())).shape
        if shape != all_sizes.shape or len(shape) != 1:
            raise ValueError(
                "values and sizes must have one entry for each list; got shapes "
                f"{shape} and {all_sizes.shape}."
            )
        if n_bins < 1:
            raise ValueError(f"n_bins must be >= 1; got {n_bins!r}.")
        self.metric = metric
        kept = ~np.isnan(list(arrays.values())).all(axis=0)
        self.values = {name: array[kept] for name, array in arrays.items()}
        self.sizes: IntArray = all_sizes[kept]
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
                np.asarray(random_order, dtype=np.float64)[kept]
            )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: Mapping[str, ArrayLike],
        qid: ArrayLike | None = None,
        *,
        metric: str = "ndcg@10",
        n_bins: int = 8,
        **options: Any,
    ) -> ListLengthDisplay:
        """From labels and the scores of rankers.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels.
        y_score : mapping of str to array-like of shape (n_samples,)
            Scores by name.
        qid : array-like of shape (n_samples,), default=None
            List of each row. None: one list.
        metric : str, default="ndcg@10"
            Name for :func:`ltr.metrics.get_metric`.
        n_bins : int, default=8
            Bins at most.
        **options : dict
            Options of the metric.

        Returns
        -------
        display : ListLengthDisplay

        Raises
        ------
        ValueError
            If the metric does not take the input.
        """
        tables = measured(y_true, y_score, qid, [metric], options)
        expected = random_order_of(y_true, qid, [metric], options)
        return cls(
            {name: table[metric] for name, table in tables.items()},
            group_queries(qid, len(np.asarray(y_true)), rows_of="y_true").sizes,
            metric=metric,
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
        metric: str = "ndcg@10",
        n_bins: int = 8,
        **options: Any,
    ) -> ListLengthDisplay:
        """From fitted rankers.

        Parameters
        ----------
        estimators : mapping of str to estimator
            Fitted rankers by name.
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        qid : array-like of shape (n_samples,), default=None
            List of each row. None: one list.
        metric : str, default="ndcg@10"
            Name for :func:`ltr.metrics.get_metric`.
        n_bins : int, default=8
            Bins at most.
        **options : dict
            Options of the metric.

        Returns
        -------
        display : ListLengthDisplay
        """
        return cls.from_predictions(
            y,
            predicted(estimators, X, qid),
            qid,
            metric=metric,
            n_bins=n_bins,
            **options,
        )

    @classmethod
    def from_leaderboard(
        cls, board: Leaderboard, *, n_bins: int = 8
    ) -> ListLengthDisplay:
        """From a comparison of rankers.

        Parameters
        ----------
        board : Leaderboard
            What :func:`ltr.compare.compare_rankers` returns; its first metric is drawn.
        n_bins : int, default=8
            Bins at most.

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
        """Draw the lists of the first ranker, and the bins of all.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; names stand at the right of it. None: a new figure.

        Returns
        -------
        display : ListLengthDisplay
            Itself, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = axes_for(ax, "ListLengthDisplay.plot")
        self.figure_ = ax.figure
        if not len(self.sizes):
            say_nothing_to_draw(ax, "no list has a value")
            return self
        n_drawn = self._draw_points(ax)
        lines: list[Line2D] = []
        if self.random_means is not None:
            known = ~np.isnan(self.random_means)
            lines += draw_random_order(
                ax, self.bin_sizes[known], self.random_means[known]
            )
        for number, (name, mean) in enumerate(self.means.items()):
            known, look = ~np.isnan(mean), style(number)
            beside = 1.0 + 0.03 * (number - (len(self.means) - 1) / 2)
            x = beside * self.bin_sizes[known]
            low, high = self.intervals[name][known].T
            ax.vlines(x, low, high, color=look["color"], alpha=0.45, linewidth=1.2)
            lines += ax.plot(
                x,
                mean[known],
                label=name,
                marker="o",
                markersize=4,
                linewidth=1.6,
                **look,
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
        """Lists of the first ranker, a sample if they are many; how many are drawn."""
        values = next(iter(self.values.values()))
        lists = np.flatnonzero(~np.isnan(values))
        if len(lists) > _MOST_POINTS:
            lists = np.random.default_rng(0).choice(lists, _MOST_POINTS, replace=False)
        ax.plot(
            self.sizes[lists],
            values[lists],
            linestyle="",
            marker="o",
            markersize=3,
            markeredgewidth=0,
            alpha=0.25,
            color=style(0)["color"],
            zorder=1,
        )
        return len(lists)

    def _note(self, n_drawn: int) -> str:
        n, n_bins = len(self.sizes), len(self.bin_counts)
        note = f"{counted(n)} in {counted(n_bins, 'bin')}"
        return f"{note}, {n_drawn:,} drawn" if n_drawn < n else note

    def _members(self) -> list[IntArray]:
        return [np.flatnonzero(self.bins == i) for i in range(len(self.bin_counts))]

    def _means(self, values: FloatArray) -> FloatArray:
        return np.array(
            [means_of_columns(values[rows, None])[0] for rows in self._members()]
        )


def _bins(sizes: IntArray, n_bins: int) -> IntArray:
    """Bin of each list: ascending lengths, closed once they hold their share of lists.

    Lists of one length stay together; a last bin of less than half its share joins the
    one before.
    """
    lengths, which, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    share = len(sizes) / n_bins
    bin_of_length = np.zeros(len(lengths), dtype=np.intp)
    number, held = 0, 0
    for i, count in enumerate(counts):
        bin_of_length[i] = number
        held += count
        if held >= share:
            number, held = number + 1, 0
    if 0 < held < share / 2 and number:
        bin_of_length[bin_of_length == number] = number - 1
    return bin_of_length[which]
