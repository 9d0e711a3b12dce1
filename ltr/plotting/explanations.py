"""Figures of :mod:`ltr.inspection`: importance, dependence, contributions, pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from ltr.arguments import check_choice, check_whole
from ltr.formatting import format_number, format_value
from ltr.plotting._drawing import (
    COLORS,
    REFERENCE_COLOR,
    SMALL,
    axes_for,
    count_of,
    draw_reason,
    short,
)
from ltr.queries import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ltr.inspection import (
        Contributions,
        PairExplanation,
        PartialDependence,
        PermutationImportance,
    )

_FOR, _AGAINST = COLORS[0], COLORS[1]
_MOST_CURVES = 100
_LABEL_ROOM = 0.27  # share of the range of the bars


class PermutationImportanceDisplay:
    """What a metric loses when a feature is permuted, with intervals over queries.

    Parameters
    ----------
    importance : PermutationImportance
        From :func:`ltr.inspection.permutation_importance`.
    max_features : int, default=15
        How many features to draw, the most important ones.

    Attributes
    ----------
    importance : PermutationImportance
        The numbers.
    columns : int array of shape (n_drawn,)
        The features that are drawn, the most important one first.
    ax_, figure_ : Axes and Figure
        Set by :meth:`plot`.

    Examples
    --------
    >>> from ltr import LinearRanker
    >>> from ltr.datasets import make_ranking
    >>> from ltr.inspection import permutation_importance
    >>> data = make_ranking(20, random_state=0)
    >>> ranker = LinearRanker().fit(data.X, data.y, data.qid)
    >>> importance = permutation_importance(
    ...     ranker, data.X, data.y, data.qid, n_repeats=2, random_state=0
    ... )
    >>> len(PermutationImportanceDisplay(importance, max_features=3).columns)
    3
    """

    def __init__(
        self, importance: PermutationImportance, *, max_features: int = 15
    ) -> None:
        check_whole("max_features", max_features, low=1)
        self.importance = importance
        self.columns: IntArray = np.argsort(-importance.mean, kind="stable")[
            :max_features
        ]

    def plot(self, ax: Axes | None = None) -> PermutationImportanceDisplay:
        """Draw a point and an interval for each feature.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on. None: those of a new figure.

        Returns
        -------
        display : PermutationImportanceDisplay
            Itself, with ``ax_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = axes_for(ax, "PermutationImportanceDisplay.plot")
        self.figure_ = ax.figure
        result = self.importance
        heights = -np.arange(len(self.columns))
        low, high = result.intervals[self.columns].T
        ax.axvline(0.0, color=REFERENCE_COLOR, linewidth=0.8, linestyle=(0, (2, 2)))
        ax.hlines(heights, low, high, color=_FOR, alpha=0.45, linewidth=1.6)
        mean = result.mean[self.columns]
        ax.plot(mean, heights, linestyle="", marker="o", markersize=5, color=_FOR)
        _name_rows(ax, heights, [short(result.features[i]) for i in self.columns])
        ax.set_xlabel(f"{short(result.metric)} lost", parse_math=False)
        n_queries = int((~np.isnan(result.drops[0])).sum())
        where = "over all rows" if result.permute == "rows" else "within lists"
        _set_note(
            ax,
            f"permuted {where}; {result.score:.3f} without, {count_of(n_queries)}",
        )
        return self


class PartialDependenceDisplay:
    """Ranks or scores of items as functions of a feature: an item a line, and the mean.

    Parameters
    ----------
    dependence : PartialDependence
        From :func:`ltr.inspection.partial_dependence`.
    kind : {"rank", "score"}, default="rank"
        Rank in the list, the best one on top, or change of the score.

    Attributes
    ----------
    dependence : PartialDependence
        The numbers.
    curves : float array of shape (n_items, n_points)
        What is drawn.
    ax_, figure_ : Axes and Figure
        Set by :meth:`plot`.

    Examples
    --------
    >>> from ltr import LinearRanker
    >>> from ltr.inspection import partial_dependence
    >>> X = [[5.0], [2.0]]
    >>> ranker = LinearRanker(alpha=0.0, preprocess=None).fit(X, [1, 0])
    >>> dependence = partial_dependence(ranker, X, 0, grid=[0.0, 9.0])
    >>> PartialDependenceDisplay(dependence).curves.tolist()
    [[2.0, 1.0], [2.0, 1.0]]
    """

    def __init__(
        self,
        dependence: PartialDependence,
        *,
        kind: Literal["rank", "score"] = "rank",
    ) -> None:
        check_choice("kind", kind, ("rank", "score"))
        self.dependence = dependence
        self.kind = kind
        is_rank = kind == "rank"
        self.curves: FloatArray = dependence.ranks if is_rank else dependence.changes

    def plot(self, ax: Axes | None = None) -> PartialDependenceDisplay:
        """Draw the curves of items, thin, and their mean.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on. None: those of a new figure.

        Returns
        -------
        display : PartialDependenceDisplay
            Itself, with ``ax_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = axes_for(ax, "PartialDependenceDisplay.plot")
        self.figure_ = ax.figure
        grid = np.asarray(self.dependence.grid)
        is_number = grid.dtype.kind in "biuf"
        x = grid.astype(np.float64) if is_number else np.arange(len(grid))
        drawn = self.curves[:_MOST_CURVES]
        ax.plot(x, drawn.T, color=REFERENCE_COLOR, alpha=0.35, linewidth=0.8)
        mean = self.curves.mean(axis=0)
        marker = None if is_number else "o"
        ax.plot(x, mean, color=_FOR, linewidth=2.2, marker=marker)
        if is_number:
            self._draw_values(ax, float(x.min()), float(x.max()))
        else:
            ax.set_xticks(x, [short(value) for value in grid], parse_math=False)
        if self.kind == "rank":
            ax.set_ylim(self.curves.max() + 0.5, 0.5)
        ax.set_xlabel(short(self.dependence.feature), parse_math=False)
        label = "rank in the list" if self.kind == "rank" else "change of the score"
        ax.set_ylabel(label)
        note = f"mean of {count_of(len(self.curves), 'item', 'items')}"
        if len(drawn) < len(self.curves):
            note += f", {len(drawn)} drawn"
        _set_note(ax, note)
        return self

    def _draw_values(self, ax: Axes, low: float, high: float) -> None:
        """Short marks at the bottom: where the items are."""
        values = np.asarray(self.dependence.values, dtype=np.float64)
        values = values[(values >= low) & (values <= high)]
        ax.plot(
            values,
            np.full(len(values), 0.01),
            transform=ax.get_xaxis_transform(),
            linestyle="",
            marker="|",
            markersize=7,
            color=REFERENCE_COLOR,
            alpha=0.6,
        )


class ContributionsDisplay:
    """What each feature adds to the score of an item, the largest on top.

    Parameters
    ----------
    contributions : Contributions
        From :func:`ltr.inspection.contributions`.
    item : int, default=0
        Which of its rows to draw: an index of ``contributions.rows``.
    max_features : int, default=12
        How many features to draw; the others are one bar.

    Attributes
    ----------
    contributions : Contributions
        The numbers.
    labels : list of str
        Names of the bars, with the values of the features.
    values, errors : float arrays of shape (n_bars,)
        Their lengths, and standard errors.
    ax_, figure_ : Axes and Figure
        Set by :meth:`plot`.

    Examples
    --------
    >>> from ltr import LinearRanker
    >>> from ltr.inspection import contributions
    >>> X = [[5.0], [2.0]]
    >>> ranker = LinearRanker(alpha=0.0, preprocess="standard").fit(X, [1, 0])
    >>> display = ContributionsDisplay(contributions(ranker, X))
    >>> display.labels, display.values.round(3).tolist()
    (['f0 = 5'], [1.0])
    """

    def __init__(
        self, contributions: Contributions, item: int = 0, *, max_features: int = 12
    ) -> None:
        check_whole("item", item, low=0, high=len(contributions.rows) - 1)
        check_whole("max_features", max_features, low=1)
        self.contributions = contributions
        self.item = item
        inputs = contributions.inputs[item]
        names = [
            f"{short(name)} = {short(format_value(value))}"
            for name, value in zip(contributions.features, inputs, strict=True)
        ]
        self.labels, self.values, self.errors = _largest(
            names,
            contributions.values[item],
            contributions.errors[item],
            max_features,
        )

    def plot(self, ax: Axes | None = None) -> ContributionsDisplay:
        """Draw a bar for each feature.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on. None: those of a new figure.

        Returns
        -------
        display : ContributionsDisplay
            Itself, with ``ax_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = axes_for(ax, "ContributionsDisplay.plot")
        self.figure_ = ax.figure
        _draw_bars(ax, self.labels, self.values, self.errors)
        score = self.contributions.scores[self.item]
        baseline = self.contributions.baseline[self.item]
        total = score - baseline
        sign = "+" if total >= 0 else "−"
        ax.set_xlabel("added to the score")
        row = int(self.contributions.rows[self.item])
        _set_note(
            ax,
            f"row {row}: score {format_number(score)} = baseline "
            f"{format_number(baseline)} {sign} {format_number(abs(total))}",
        )
        return self


class PairExplanationDisplay:
    """Why one item ranks above another: what each feature adds to the difference.

    Parameters
    ----------
    explanation : PairExplanation
        From :func:`ltr.inspection.explain_pair`.
    max_features : int, default=12
        How many features to draw; the others are one bar.

    Attributes
    ----------
    explanation : PairExplanation
        The numbers.
    labels : list of str
        Names of the bars, with the values of both items.
    values, errors : float arrays of shape (n_bars,)
        Their lengths, and standard errors.
    ax_, figure_ : Axes and Figure
        Set by :meth:`plot`.

    Examples
    --------
    >>> from ltr import LinearRanker
    >>> from ltr.inspection import explain_pair
    >>> X = [[5.0], [2.0]]
    >>> ranker = LinearRanker(alpha=0.0, preprocess=None).fit(X, [1, 0])
    >>> display = PairExplanationDisplay(explain_pair(ranker, X, 0, 1))
    >>> display.labels, display.values.round(3).tolist()
    (['f0: 5 against 2'], [2.0])
    """

    def __init__(self, explanation: PairExplanation, *, max_features: int = 12) -> None:
        check_whole("max_features", max_features, low=1)
        self.explanation = explanation
        names = [
            f"{short(name)}: {short(format_value(first))} against "
            f"{short(format_value(second))}"
            for name, first, second in zip(
                explanation.features, *explanation.inputs, strict=True
            )
        ]
        self.labels, self.values, self.errors = _largest(
            names, explanation.values, explanation.errors, max_features
        )

    def plot(self, ax: Axes | None = None) -> PairExplanationDisplay:
        """Draw a bar for each feature, to the side of the item that it favors.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on. None: those of a new figure.

        Returns
        -------
        display : PairExplanationDisplay
            Itself, with ``ax_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = axes_for(ax, "PairExplanationDisplay.plot")
        self.figure_ = ax.figure
        _draw_bars(ax, self.labels, self.values, self.errors)
        first, second = (short(name) for name in self.explanation.names)
        for x, text, color, side in (
            (1.0, f"for {first} →", _FOR, "right"),
            (0.0, f"← for {second}", _AGAINST, "left"),
        ):
            ax.annotate(
                text,
                (x, 1.0),
                xycoords="axes fraction",
                xytext=(0, 3),
                textcoords="offset points",
                ha=side,
                va="bottom",
                color=color,
                fontsize=SMALL,
                parse_math=False,
            )
        difference = format_number(self.explanation.difference)
        ax.set_xlabel(f"added to the difference of the scores, {difference}")
        return self


def _largest(
    names: list[str], values: FloatArray, errors: FloatArray, max_features: int
) -> tuple[list[str], FloatArray, FloatArray]:
    """The largest contributions, and one bar for all others."""
    order = np.argsort(-np.abs(values), kind="stable")
    order = order[values[order] != 0]
    top, others = order[:max_features], order[max_features:]
    labels = [names[i] for i in top]
    if not len(others):
        return labels, values[top], errors[top]
    labels.append(count_of(len(others), "other feature", "other features"))
    total = values[others].sum()
    # a bound of the error of a sum, whatever the correlations
    error = errors[others].sum()
    return labels, np.append(values[top], total), np.append(errors[top], error)


def _draw_bars(
    ax: Axes, labels: list[str], values: FloatArray, errors: FloatArray
) -> None:
    """Horizontal bars, the first on top, with their values at the ends."""
    if not len(values):
        draw_reason(ax, "no feature contributes")
        return
    heights = -np.arange(len(values))
    colors = [_FOR if value > 0 else _AGAINST for value in values]
    ax.barh(heights, values, height=0.62, color=colors)
    if errors.any():
        ax.hlines(heights, values - errors, values + errors, color="black", linewidth=1)
    ax.axvline(0.0, color="black", linewidth=0.8)
    for height, value, error in zip(heights, values, errors, strict=True):
        sign = 1 if value > 0 else -1
        ax.annotate(
            format_number(value),
            (value + sign * error, height),
            xytext=(4 * sign, 0),
            textcoords="offset points",
            ha="left" if value > 0 else "right",
            va="center",
            fontsize=SMALL,
        )
    low = min(0.0, float(np.min(values - errors)))
    high = max(0.0, float(np.max(values + errors)))
    room = _LABEL_ROOM * (high - low)  # for the numbers at the ends
    ax.set_xlim(low - room * (low < 0), high + room * (high > 0))
    _name_rows(ax, heights, labels)


def _name_rows(ax: Axes, heights: IntArray, names: list[str]) -> None:
    ax.set_yticks(heights, names, parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(heights.min() - 0.6, heights.max() + 0.6)


def _set_note(ax: Axes, note: str) -> None:
    ax.set_title(note, loc="left", fontsize=SMALL, fontweight="normal")
