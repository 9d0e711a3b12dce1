"""The spread of a metric over seeds, and over queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics import bootstrap_interval, get_metric
from ltr.metrics.names import MetricLike
from ltr.plotting._drawing import (
    SMALL,
    axes_for,
    count_of,
    draw_reason,
    evaluate_all,
    means_of_columns,
    short,
    style,
)
from ltr.queries import FloatArray, check_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ltr.compare.leaderboard import Leaderboard


class SeedReliabilityDisplay:
    """The mean of a metric for each seed, beside its interval over queries.

    Two spreads tell how far a mean can be trusted. The points are fits that differ only
    in the seed: an advantage smaller than their spread may be chance. The bar is the
    95 % bootstrap interval over queries of the mean over seeds: a smaller
    advantage may be chance, too (though a paired comparison can detect smaller
    differences, see :class:`QueryDifferencesDisplay`).

    Parameters
    ----------
    seed_means : mapping of str to array-like of shape (n_seeds,)
        Rankers by name: the mean over queries for each seed. Numbers of seeds may
        differ.
    list_values : mapping of str to array-like of shape (n_queries,)
        Rankers by name: the mean over seeds for each query; NaN for queries to skip.
    metric : str, default="metric"
        Name of the metric.

    Attributes
    ----------
    seed_means : dict of str to float array of shape (n_seeds,)
    means : dict of str to float
        Means over queries and seeds.
    intervals : dict of str to tuple of two float
        95 % bootstrap intervals over queries.
    seed_deviation : dict of str to float
        Standard deviation over seeds; NaN with one seed.
    list_error : dict of str to float
        Standard error of the mean over queries; NaN with one query.
    ax_, figure_ : Axes and Figure
        Set by :meth:`plot`.

    Raises
    ------
    ValueError
        If the names of the two mappings differ.

    Examples
    --------
    >>> display = SeedReliabilityDisplay.from_values(
    ...     {"mlp": [[0.8, 0.2, 0.5], [0.6, 0.2, 0.4]]})
    >>> round(display.means["mlp"], 2), round(display.seed_deviation["mlp"], 3)
    (0.45, 0.071)
    """

    def __init__(
        self,
        seed_means: Mapping[str, ArrayLike],
        list_values: Mapping[str, ArrayLike],
        *,
        metric: str = "metric",
    ) -> None:
        if set(seed_means) != set(list_values) or not seed_means:
            raise ValueError(
                "seed_means and list_values must have the same rankers; got "
                f"{list(seed_means)} and {list(list_values)}."
            )
        self.metric = metric
        self.seed_means: dict[str, FloatArray] = {}
        self.means: dict[str, float] = {}
        self.intervals: dict[str, tuple[float, float]] = {}
        self.seed_deviation: dict[str, float] = {}
        self.list_error: dict[str, float] = {}
        self.n_queries = 0
        for name, means in seed_means.items():
            values = np.asarray(list_values[name], dtype=np.float64)
            values = values[~np.isnan(values)]
            by_seed = np.atleast_1d(np.asarray(means, dtype=np.float64))
            self.seed_means[name] = by_seed
            self.means[name] = float(values.mean()) if len(values) else float("nan")
            self.intervals[name] = bootstrap_interval(values)
            self.seed_deviation[name] = _deviation(by_seed)
            self.list_error[name] = _deviation(values) / np.sqrt(max(1, len(values)))
            self.n_queries = max(self.n_queries, len(values))

    @classmethod
    def from_values(
        cls, values: Mapping[str, ArrayLike], *, metric: str = "metric"
    ) -> SeedReliabilityDisplay:
        """Make the display from values of a metric for each seed and query.

        Parameters
        ----------
        values : mapping of str to array-like of shape (n_seeds, n_queries)
            Rankers by name; NaN for queries to skip.
        metric : str, default="metric"
            Name of the metric.

        Returns
        -------
        display : SeedReliabilityDisplay

        Raises
        ------
        ValueError
            If an array is not two-dimensional, or if the seeds of a ranker are pandas
            objects with the queries in different orders.
        """
        for name, by_seed in values.items():
            if isinstance(by_seed, (list, tuple)):
                check_rows({f"values[{name!r}][{i}]": v for i, v in enumerate(by_seed)})
        arrays = {str(name): np.asarray(v, np.float64) for name, v in values.items()}
        for name, array in arrays.items():
            if array.ndim != 2:
                raise ValueError(
                    "values must have shape (n_seeds, n_queries); got shape "
                    f"{array.shape} for {name!r}."
                )
        return cls(
            {name: means_of_columns(array.T) for name, array in arrays.items()},
            {name: array.mean(axis=0) for name, array in arrays.items()},
            metric=metric,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: Mapping[str, Sequence[ArrayLike]],
        qid: ArrayLike | None = None,
        *,
        metric: MetricLike = "ndcg@10",
        **options: Any,
    ) -> SeedReliabilityDisplay:
        """Make the display from labels and the scores of several fits.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels.
        y_score : mapping of str to sequence of array-like of shape (n_samples,)
            Rankers by name: the scores of each seed.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: all rows belong to one query.
        metric : str or callable, default="ndcg@10"
            Metric for :func:`ltr.metrics.get_metric`.
        **options : dict
            Options of the metric.

        Returns
        -------
        display : SeedReliabilityDisplay
        """
        check_rows(
            {
                "y_true": y_true,
                "qid": qid,
                **{
                    f"y_score[{name!r}][{seed}]": column
                    for name, scores in y_score.items()
                    for seed, column in enumerate(scores)
                },
            }
        )
        values, title = {}, get_metric(metric, **options).name
        for name, scores in y_score.items():
            by_seed = {str(seed): column for seed, column in enumerate(scores)}
            tables = evaluate_all(y_true, by_seed, qid, [metric], options)
            values[name] = np.array([t[title].to_numpy() for t in tables.values()])
        return cls.from_values(values, metric=title)

    @classmethod
    def from_leaderboard(cls, board: Leaderboard) -> SeedReliabilityDisplay:
        """Make the display from a comparison of rankers.

        Parameters
        ----------
        board : Leaderboard
            From :func:`ltr.compare.compare_rankers`; its first metric is drawn.

        Returns
        -------
        display : SeedReliabilityDisplay
        """
        return cls(
            board.seed_means,
            {name: values[:, 0] for name, values in board.per_query.items()},
            metric=board.metrics[0],
        )

    def plot(self, ax: Axes | None = None) -> SeedReliabilityDisplay:
        """Draw a row for each ranker, the first one on top.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on. None: those of a new figure.

        Returns
        -------
        display : SeedReliabilityDisplay
            Itself, with ``ax_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = axes_for(ax, "SeedReliabilityDisplay.plot")
        self.figure_ = ax.figure
        if np.isnan(list(self.means.values())).all():
            draw_reason(ax, "no query has a value")
            return self
        for number, (name, mean) in enumerate(self.means.items()):
            color, (low, high) = style(number)["color"], self.intervals[name]
            ax.plot(
                [low, high],
                [number, number],
                color=color,
                alpha=0.28,
                linewidth=9,
                solid_capstyle="butt",
            )
            ax.plot([mean, mean], [number - 0.24, number + 0.24], color=color)
            seeds = np.sort(self.seed_means[name])
            # shift points up and down, so that neighbors do not hide each other
            shift = np.zeros(len(seeds))
            shift[1::2], shift[2::4] = 0.09, -0.09
            ax.plot(
                seeds,
                number + shift,
                linestyle="",
                marker="o",
                markersize=4.5,
                color=color,
                markeredgecolor=ax.get_facecolor(),
                markeredgewidth=0.5,
            )
            ax.annotate(
                self._spread(name),
                (0.0, number),
                xycoords=ax.get_yaxis_transform(),
                xytext=(-4, -1),
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize=SMALL - 0.5,
                alpha=0.8,
            )
        names = [short(name, ax) for name in self.means]
        ax.set_yticks(range(len(names)), names, va="bottom", parse_math=False)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        note = f"points: seeds; bars: 95 % over {count_of(self.n_queries)}"
        ax.set_title(note, loc="right", fontsize=SMALL, fontweight="normal")
        ax.set_xlabel(short(self.metric), parse_math=False)
        return self

    def _spread(self, name: str) -> str:
        seeds, queries = self.seed_deviation[name], self.list_error[name]
        parts = [f"seeds ±{seeds:.4f}"] if np.isfinite(seeds) else ["one seed"]
        parts += [f"queries ±{queries:.4f}"] if np.isfinite(queries) else []
        return ", ".join(parts)


def _deviation(values: FloatArray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")
