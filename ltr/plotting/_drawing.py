"""Parts that the figures share: axes, colors, labels that do not overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression

from ltr.metrics import evaluate, get_metric
from ltr.metrics.names import MetricLike
from ltr.model_selection.scoring import predict_lists
from ltr.queries import FloatArray, check_rows, group_queries

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# After Okabe & Ito (2008), darkened to a contrast of at least 4.5 on white, so that
# labels in the color of their line are legible.
COLORS = ("#0069a6", "#b84a00", "#007a5a", "#a3437c", "#826000", "#56606b")
_LINES = ("-", (0, (6, 1.5)), (0, (3, 1, 1, 1)), (0, (1.5, 1)))
REFERENCE_COLOR = "#777780"
_LONGEST = 24  # characters of a name
_CHARACTERS_PER_INCH = 4.5  # of a narrow figure
SMALL = 8.5  # points


def axes_for(ax: Axes | None, feature: str) -> Axes:
    """Return the axes, or make new ones."""
    check_matplotlib(feature)
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def check_matplotlib(what: str) -> None:
    """Raise unless matplotlib is installed.

    Parameters
    ----------
    what : str
        Feature that needs it, for the message.

    Raises
    ------
    ImportError
        If it is not, with the command that installs it.

    Examples
    --------
    >>> check_matplotlib("a figure")
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{what} needs matplotlib, which is not installed. Install it with "
            "pip install 'ltr[plot]'."
        ) from error


def style(number: int) -> dict[str, Any]:
    """Color and dashes of the line of a ranker."""
    rounds = number // len(COLORS)
    return {
        "color": COLORS[number % len(COLORS)],
        "linestyle": _LINES[rounds % len(_LINES)],
    }


def short(name: object, ax: Axes | None = None) -> str:
    """Name that fits into a figure: its two ends, if it is long."""
    longest = _LONGEST
    if ax is not None:
        inches = ax.figure.bbox.width / ax.figure.dpi
        longest = min(longest, max(8, int(_CHARACTERS_PER_INCH * inches)))
    text = " ".join(str(name).split())
    if len(text) <= longest:
        return text
    end = longest // 3
    return f"{text[: longest - end - 1].rstrip()}…{text[-end:].lstrip()}"


def draw_random_order(ax: Axes, x: ArrayLike, expected: ArrayLike) -> list[Line2D]:
    """Draw the expected metric of a random order, as a reference."""
    return ax.plot(
        x,
        expected,
        label="random order",
        color=REFERENCE_COLOR,
        linestyle=(0, (2, 2)),
    )


def label_lines(ax: Axes, lines: Sequence[Line2D]) -> None:
    """Label lines at the right of the axes, with a connector to the end of each.

    Labels get heights t with tᵢ₊₁ − tᵢ ≥ gap that are closest, in least squares, to the
    ends e of the lines. With uᵢ = tᵢ − i · gap that is isotonic regression: minimize
    Σ (uᵢ − (eᵢ − i · gap))² subject to u₁ ≤ u₂ ≤ …. A line without a value has no end,
    and no label.
    """
    points = [(line, np.asarray(line.get_xydata())) for line in lines]
    defined = [(line, xy[~np.isnan(xy).any(axis=1)]) for line, xy in points]
    ends = [(line, *xy[-1].tolist()) for line, xy in defined if len(xy)]
    ends.sort(key=lambda end: end[2])
    low, high = ax.get_ylim()
    inches = ax.get_window_extent().height / ax.figure.dpi
    gaps = np.arange(len(ends)) * 1.15 * SMALL / 72 / inches  # in axes heights
    targets = np.array([(y - low) / (high - low) for _, _, y in ends])
    heights = isotonic_regression(targets - gaps).x + gaps
    for (line, x, y), height in zip(ends, heights, strict=True):
        color = line.get_color()
        ax.annotate(
            short(line.get_label(), ax),
            (x, y),
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            color=color,
            fontsize=SMALL,
            parse_math=False,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linewidth": 0.6,
                "relpos": (0.0, 0.5),
                "shrinkA": 1.0,
                "shrinkB": 3.0,
            },
        )


def round_ticks(ax: Axes, low: float, high: float) -> None:
    """Put integer ticks on the horizontal axis, logarithmic over a wide range."""
    if low == high:
        ax.set_xlim(low - 1, high + 1)
        ax.set_xticks([low])
    elif high > 20 * low or high > 40:
        ax.set_xscale("log")
        steps = (1, 2, 5) if high <= 200 * low else (1,)
        ticks = [step * 10**power for power in range(8) for step in steps]
        ax.set_xticks([t for t in ticks if low <= t <= high] or [low])
        ax.minorticks_off()
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    else:
        ax.locator_params(axis="x", integer=True)


def draw_reason(ax: Axes, reason: str) -> None:
    """Write on empty axes why there is nothing to draw."""
    ax.text(0.5, 0.5, reason, transform=ax.transAxes, ha="center", va="center")
    ax.set(xticks=[], yticks=[])


def count_of(number: int, singular: str = "query", plural: str = "queries") -> str:
    """``1 query``, ``1,200 queries``."""
    return f"{number:,} {singular if number == 1 else plural}"


def arrays_by_name(values: Mapping[str, ArrayLike]) -> dict[str, FloatArray]:
    """Arrays of the same shape, by name of the ranker."""
    check_rows({f"values[{name!r}]": v for name, v in values.items()})
    arrays = {str(name): np.asarray(v, np.float64) for name, v in values.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1:
        raise ValueError(
            "values must have one array per ranker, all for the same queries; got "
            f"shapes { {name: array.shape for name, array in arrays.items()} }."
        )
    return arrays


def evaluate_all(
    y_true: ArrayLike,
    y_score: Mapping[str, ArrayLike],
    qid: ArrayLike | None,
    metrics: Sequence[MetricLike],
    options: Mapping[str, Any],
) -> dict[str, pd.DataFrame]:
    """Table of each ranker, with a row per query and a column per metric."""
    if not isinstance(y_score, Mapping):
        raise ValueError(
            "y_score must map names to scores, {'ranker': scores, …}; got "
            f"{type(y_score).__name__}."
        )
    by_name = {f"y_score[{name!r}]": scores for name, scores in y_score.items()}
    check_rows({"y_true": y_true, "qid": qid, **by_name})
    return {
        str(name): evaluate(y_true, scores, qid, metrics, per_query=True, **options)
        for name, scores in y_score.items()
    }


def expected_in_random_order(
    y_true: ArrayLike,
    qid: ArrayLike | None,
    metrics: Sequence[MetricLike],
    options: Mapping[str, Any],
) -> FloatArray:
    """Expected metrics of a random order: those of tied scores, ties averaged."""
    labels = np.asarray(y_true)
    queries = group_queries(qid, len(labels), rows_of="y_true")
    constant = np.zeros(len(labels))
    measures = [get_metric(name, **options).with_averaged_ties() for name in metrics]
    return np.stack(
        [measure.per_query(labels, constant, queries) for measure in measures], axis=1
    )


def means_of_columns(values: FloatArray) -> FloatArray:
    """Mean of each column, ignoring NaN; NaN for a column without numbers."""
    present = ~np.isnan(values)
    total, n = np.where(present, values, 0.0).sum(axis=0), present.sum(axis=0)
    return np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)


def predict_all(
    estimators: Mapping[str, Any], X: ArrayLike, y: ArrayLike, qid: ArrayLike | None
) -> dict[str, FloatArray]:
    """Scores of fitted rankers, by name; ``y`` must have the rows of ``X``."""
    check_rows({"X": X, "y": y, "qid": qid})
    return {name: predict_lists(e, X, qid) for name, e in estimators.items()}
