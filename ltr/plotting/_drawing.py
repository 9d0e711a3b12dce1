"""What the pictures share: axes, colours, labels that keep apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression

from ltr.metrics import evaluate, get_metric
from ltr.model_selection.scoring import predict_lists
from ltr.queries import FloatArray, group_queries

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# After Okabe & Ito (2008), darkened: a contrast of 4.5 or more on white, so that a
# label in the colour of its line can be read.
COLORS = ("#0069a6", "#b84a00", "#007a5a", "#a3437c", "#826000", "#56606b")
_LINES = ("-", (0, (6, 1.5)), (0, (3, 1, 1, 1)), (0, (1.5, 1)))
REFERENCE_COLOR = "#777780"
_LONGEST = 24  # letters of a name in a figure of usual width
_LETTERS_PER_INCH = 4.5  # of a figure that is narrow
SMALL = 8.5  # points


def axes_for(ax: Axes | None, what: str) -> Axes:
    """Return the axes, or new ones."""
    check_matplotlib(what)
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
        What needs it, for the message.

    Raises
    ------
    ImportError
        With what to install.

    Examples
    --------
    >>> check_matplotlib("a picture")
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{what} needs matplotlib, which is not installed. Install it with "
            "pip install 'ltr[plot]'."
        ) from error


def style(number: int) -> dict[str, Any]:
    """Colour and dashes of the line of a ranker."""
    rounds = number // len(COLORS)
    return {
        "color": COLORS[number % len(COLORS)],
        "linestyle": _LINES[rounds % len(_LINES)],
    }


def short(name: object, ax: Axes | None = None) -> str:
    """Name that fits into a picture: its two ends, if it is long."""
    longest = _LONGEST
    if ax is not None:
        inches = ax.figure.bbox.width / ax.figure.dpi
        longest = min(longest, max(8, int(_LETTERS_PER_INCH * inches)))
    text = " ".join(str(name).split())
    if len(text) <= longest:
        return text
    end = longest // 3
    return f"{text[: longest - end - 1].rstrip()}…{text[-end:].lstrip()}"


def draw_random_order(ax: Axes, x: ArrayLike, expected: ArrayLike) -> list[Line2D]:
    """Draw what a random order is worth, as a reference."""
    return ax.plot(
        x,
        expected,
        label="random order",
        color=REFERENCE_COLOR,
        linestyle=(0, (2, 2)),
    )


def label_lines(ax: Axes, lines: Sequence[Line2D]) -> None:
    """Write the labels of lines at the right of the axes, tied to where the lines end.

    Labels move as little as they can (in squares) so that none covers another: with the
    gaps taken off, their places are an isotonic regression on the ends of the lines.
    A line without a value has no end, and no label.
    """
    points = [(line, np.asarray(line.get_xydata())) for line in lines]
    drawn = [(line, xy[~np.isnan(xy).any(axis=1)]) for line, xy in points]
    ends = [(line, *xy[-1].tolist()) for line, xy in drawn if len(xy)]
    ends.sort(key=lambda end: end[2])
    low, high = ax.get_ylim()
    inches = ax.get_window_extent().height / ax.figure.dpi
    gaps = np.arange(len(ends)) * 1.15 * SMALL / 72 / inches
    wanted = np.array([(y - low) / (high - low) for _, _, y in ends])
    places = isotonic_regression(wanted - gaps).x + gaps
    for (line, x, y), place in zip(ends, places, strict=True):
        color = line.get_color()
        ax.annotate(
            short(line.get_label(), ax),
            (x, y),
            xytext=(1.03, place),
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
    """Make the horizontal axis logarithmic if it is long, with whole numbers on it."""
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


def say_nothing_to_draw(ax: Axes, why: str) -> None:
    """Empty axes with a reason."""
    ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center")
    ax.set(xticks=[], yticks=[])


def counted(number: int, noun: str = "list") -> str:
    """``1 list``, ``1,200 lists``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def rows_of_lists(values: Mapping[str, ArrayLike]) -> dict[str, FloatArray]:
    """Arrays of one length, by name."""
    arrays = {str(name): np.asarray(v, np.float64) for name, v in values.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1:
        raise ValueError(
            "values must have one array for each ranker, all over the same lists; got "
            f"shapes { {name: array.shape for name, array in arrays.items()} }."
        )
    return arrays


def measured(
    y_true: ArrayLike,
    y_score: Mapping[str, ArrayLike],
    qid: ArrayLike | None,
    metrics: list[str],
    options: Mapping[str, Any],
) -> dict[str, pd.DataFrame]:
    """For each ranker a row per list and a column per metric."""
    if not isinstance(y_score, Mapping):
        raise ValueError(
            "y_score must be a mapping of names to scores, {'ours': scores, …}; got "
            f"{type(y_score).__name__}."
        )
    return {
        str(name): evaluate(y_true, scores, qid, metrics, per_query=True, **options)
        for name, scores in y_score.items()
    }


def random_order_of(
    y_true: ArrayLike,
    qid: ArrayLike | None,
    metrics: list[str],
    options: Mapping[str, Any],
) -> FloatArray:
    """Expected values of a random order: constant scores, whose ties are averaged."""
    labels = np.asarray(y_true)
    queries = group_queries(qid, len(labels), rows_of="y_true")
    constant = np.zeros(len(labels))
    measures = [get_metric(name, **options).with_averaged_ties() for name in metrics]
    return np.stack(
        [measure.per_query(labels, constant, queries) for measure in measures], axis=1
    )


def means_of_columns(values: FloatArray) -> FloatArray:
    """Mean of each column without NaN; NaN where there is nothing else."""
    present = ~np.isnan(values)
    total, n = np.where(present, values, 0.0).sum(axis=0), present.sum(axis=0)
    return np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)


def predicted(
    estimators: Mapping[str, Any], X: ArrayLike, qid: ArrayLike | None
) -> dict[str, FloatArray]:
    """Scores of fitted rankers."""
    return {name: predict_lists(e, X, qid) for name, e in estimators.items()}
