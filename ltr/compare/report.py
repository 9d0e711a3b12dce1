"""A comparison of rankers as one HTML page: numbers, pictures, data, how it was made.

The page is a single file without scripts: pictures are inline SVG whose colours are
CSS variables, so that they follow the reader's light or dark mode, and print.
"""

from __future__ import annotations

import io
import platform
import re
import warnings
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from ltr.compare.leaderboard import ALPHA, Leaderboard
from ltr.compare.page import PAGE, THEMED
from ltr.datasets import Description
from ltr.plotting import (
    ListLengthDisplay,
    MetricAtKDisplay,
    QueryDifferencesDisplay,
    SeedReliabilityDisplay,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["comparison_report", "cutoff_metrics"]

_CUTOFFS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100)
_MOST_DRAWN = 6
_PACKAGES = ("ltr", "numpy", "scipy", "scikit-learn", "jax", "lightgbm", "matplotlib")
_INCHES = {"wide": (5.8, 3.9), "narrow": (3.9, 3.6)}  # CSS shows the one that fits
_TEXT = (
    "text.color",
    "axes.labelcolor",
    "axes.edgecolor",
    "xtick.color",
    "ytick.color",
)
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text
    "axes.facecolor": "#fffffe",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    **dict.fromkeys(_TEXT, "#1c1c22"),
}


def cutoff_metrics(metrics: Sequence[str], largest: int) -> list[str]:
    """The first metric that has a cut-off, at others: what a picture by cut-off needs.

    Parameters
    ----------
    metrics : sequence of str
        Metrics of a comparison.
    largest : int
        Rows of the longest test list; no cut-off is above the first one that covers it.

    Returns
    -------
    names : list of str
        Those that are not among ``metrics`` yet; none if no metric has a cut-off.

    Examples
    --------
    >>> cutoff_metrics(["map", "ndcg@3", "ndcg@1"], 6)
    ['ndcg@2', 'ndcg@4', 'ndcg@5', 'ndcg@7']
    """
    family = _family(metrics)
    if family is None:
        return []
    n_used = int(np.searchsorted(_CUTOFFS, largest)) + 1
    names = [f"{family}@{k}" for k in _CUTOFFS[:n_used]]
    return [name for name in names if name not in metrics]


def comparison_report(
    board: Leaderboard,
    *,
    metrics: Sequence[str] | None = None,
    what: str = "",
    description: Description | None = None,
    command: str = "",
) -> str:
    """Write a comparison as an HTML page that needs no network and no script.

    Parameters
    ----------
    board : Leaderboard
        What :func:`ltr.compare.compare_rankers` returns.
    metrics : sequence of str, default=None
        Metrics of the table, the first one as in ``board``; cut-offs beyond them (see
        :func:`cutoff_metrics`) serve the picture alone. None: all.
    what : str, default=""
        What data it is about.
    description : Description, default=None
        Of the training lists, from :func:`ltr.datasets.describe`.
    command : str, default=""
        How the comparison was started.

    Returns
    -------
    page : str
        HTML; names and texts are escaped. Every picture is there twice, for wide and
        for narrow screens.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from ltr.compare import compare_rankers, make_ranker, query_folds
    >>> from ltr.datasets import make_ranking
    >>> folds = query_folds(make_ranking(n_queries=12, random_state=0), n_folds=3)
    >>> names = ("random", "best_feature")
    >>> board = compare_rankers({name: make_ranker(name) for name in names}, folds)
    >>> page = comparison_report(board, what="twelve lists")
    >>> page.count("<figure>"), "twelve lists" in page
    (3, True)
    """
    shown = board.select(metrics)
    table = shown.table()
    parts = {
        "what": escape(what),
        "verdict": _verdict(shown, table),
        "warnings": _warnings(description),
        "failures": _failures(board),
        "table": _leaderboard(shown, table),
        "pictures": "".join(_figures(board)),
        "data": _data(description),
        "origin": _origin(board, command),
    }
    return Template(PAGE).substitute(parts)


def _verdict(board: Leaderboard, table: pd.DataFrame) -> str:
    """Who is best, who cannot be told apart from it, in a sentence or two."""
    main = board.metrics[0]
    if not len(table) or np.isnan(table[main].iloc[0]):
        none = "No ranker could be fitted." if not len(table) else (
            f"{escape(main)} is not defined on any test list."
        )  # fmt: skip
        return f"<p>{none}</p>"
    best = str(table.index[0])
    interval = (
        f"[{table[f'{main} low'].iloc[0]:.4f}, {table[f'{main} high'].iloc[0]:.4f}]"
    )
    text = (
        f"<p><strong>{escape(best)}</strong> has the highest {escape(main)}: "
        f"{table[main].iloc[0]:.4f} {interval} over {_lists(board.n_counted)}."
    )
    rest = table.iloc[1:]
    close = [str(name) for name in rest.index[~(rest["p"] < ALPHA)]]
    worse = [str(name) for name in rest.index[rest["p"] < ALPHA]]
    if close:
        text += f" Not told apart from it (p ≥ {ALPHA}): {_listed(close)}."
    if worse:
        text += f" Worse (p &lt; {ALPHA}): {_listed(worse)}."
    return f"{text}</p>"


def _lists(number: int) -> str:
    return f"{number:,} test list{'' if number == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"<em>{escape(name)}</em>" for name in names)


def _warnings(description: Description | None) -> str:
    if description is None or not description.problems:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in description.problems)
    return (
        '<section class="warning"><h2>Before you trust it</h2>'
        f"<p>In the training lists of the first fold:</p><ul>{items}</ul></section>"
    )


def _failures(board: Leaderboard) -> str:
    if not board.failures:
        return ""
    items = "".join(
        f"<li><em>{escape(name)}</em>: {escape(why)}</li>"
        for name, why in board.failures.items()
    )
    return (
        '<section class="warning"><h2>Could not be fitted</h2>'
        f"<ul>{items}</ul></section>"
    )


def _leaderboard(board: Leaderboard, table: pd.DataFrame) -> str:
    """Means and differences with their intervals, p-values, seeds, time."""
    main, *others = board.metrics
    if not len(table):
        return ""
    head = ["ranker", main, "difference from best", "p", *others, "sd of seeds", "fit"]
    rows = []
    for name, row in table.iterrows():
        is_best = name == table.index[0]
        cells = [
            escape(str(name)).replace("_", "_<wbr>"),
            _interval(row[main], row[f"{main} low"], row[f"{main} high"]),
            "best"
            if is_best
            else _interval(
                row["difference"], row["difference low"], row["difference high"], "+"
            ),
            "" if is_best else _p_value(row["p"]),
            *(_interval(row[m], row[f"{m} low"], row[f"{m} high"]) for m in others),
            _number(row["seed sd"], ".4f"),
            f"{_number(row['fit s'], '.1f')} s" if np.isfinite(row["fit s"]) else "",
        ]
        rows.append(cells)
    notes = (
        "Means over lists and seeds, with 95 % bootstrap intervals over lists. "
        "Differences are taken list by list from the best ranker; p is that of a "
        "paired randomisation test, after Holm’s correction over the rankers; "
        f"* is p &lt; {ALPHA}. A row without a time was picked on validation lists."
    )
    return f'{_table(head, rows)}<p class="note">{notes}</p>'


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table of cells that are escaped already; the first of a row names it."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>'
        + "".join(f"<td>{cell}</td>" for cell in rest)
        + "</tr>\n"
        for first, *rest in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _interval(mean: float, low: float, high: float, sign: str = "") -> str:
    ends = f"[{_number(low, f'{sign}.4f')}, {_number(high, f'{sign}.4f')}]"
    return f'{_number(mean, f"{sign}.4f")} <span class="range">{ends}</span>'


def _number(value: float, form: str) -> str:
    return "–" if np.isnan(value) else f"{value:{form}}".replace("-", "−")


def _p_value(p: float) -> str:
    return f"{_number(p, '.4f')}{'*' if p < ALPHA else ''}"


def _figures(board: Leaderboard) -> Iterable[str]:
    """The four pictures, where there is something to draw."""
    drawn = _worth_drawing(board)
    if not drawn:
        return
    chosen, main = board.select(rankers=drawn), escape(board.metrics[0])
    left_out = len(board.per_query) - len(drawn)
    of_all = (
        f" Drawn: the best {len(drawn)} rankers; {left_out} more (equal to one of "
        "them, worth a random order, or further down) are in the table."
        if left_out
        else ""
    )
    yield _figure(
        SeedReliabilityDisplay.from_leaderboard(chosen),
        "Seeds against lists",
        "Each point is the mean of one seed, the bar the 95 % interval over lists. "
        "“seeds ±” is the standard deviation between seeds, “lists ±” the standard "
        "error over lists: a lead smaller than these may be luck, unless the paired "
        f"test of the table says otherwise.{of_all}"
        + (" With one seed, run with --seeds 3." if len(board.seeds) == 1 else ""),
    )
    if len(drawn) > 1:
        yield _figure(
            QueryDifferencesDisplay.from_comparison(
                chosen.comparison(drawn[1]), drawn[0]
            ),
            "The best against the next, list by list",
            f"Every test list, sorted by the difference in {main}; the grey line is "
            "the mean difference, the band its 95 % interval.",
        )
    family = _family(board.metrics)
    if family is not None:
        comparison = chosen.comparison()
        yield _figure(
            MetricAtKDisplay.from_comparison(
                comparison, metric=family, random_order=chosen.random_values()
            ),
            f"{family} by cut-off",
            "How good the top of the lists is, by how far down one looks; bands are "
            "95 % intervals over lists.",
        )
    yield _figure(
        ListLengthDisplay.from_leaderboard(board.select(rankers=drawn[:3])),
        "Short lists and long ones",
        f"{main} by the number of rows of a list: what counts is the distance to the "
        "random order. Points are lists of the best ranker, lines means of bins with "
        "95 % intervals.",
    )


def _worth_drawing(board: Leaderboard) -> list[str]:
    """The best rankers, without copies of one another and of a random order."""
    drawn: list[str] = []
    seen = [board.random_order[:, 0]] if len(board.per_query) > 1 else []
    for name, values in board.per_query.items():
        column = values[:, 0]
        if any(np.allclose(column, other, equal_nan=True) for other in seen):
            continue
        seen.append(column)
        drawn.append(name)
    return (drawn or list(board.per_query))[:_MOST_DRAWN]


def _family(metrics: Sequence[str]) -> str | None:
    """Name without its cut-off of the first metric that has one."""
    parts = (name.rpartition("@") for name in metrics)
    return next((name for name, at, k in parts if at and k.isdecimal()), None)


def _figure(display: Any, title: str, caption: str) -> str:
    pictures = "\n".join(_svg(display, title, width) for width in _INCHES)
    return (
        f"<figure><h3>{escape(title)}</h3>{pictures}"
        f"<figcaption>{caption}</figcaption></figure>\n"
    )


def _svg(display: Any, title: str, width: str) -> str:
    """Draw inline SVG with text that is text and colours that are CSS variables."""
    from matplotlib import style
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    # ids repeat from run to run, not between pictures
    salt = {"svg.hashsalt": title + width}
    with style.context(["default", _STYLE | salt]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing")  # the browser has it
        figure = Figure(figsize=_INCHES[width], layout="constrained")
        display.plot(figure.subplots())
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg ") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    head, rest = text.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', head)
    assert view is not None, "matplotlib writes one"
    used = set(re.findall(r"#([\w-]+)", rest))
    rest = re.sub(
        r'(<\w+) id="([^"]*)"', lambda tag: tag[0] if tag[2] in used else tag[1], rest
    )
    rest = re.sub(
        r"(fill|stroke): (#\w{6})",
        lambda rule: f"{rule[1]}: {THEMED.get(rule[2], rule[2])}",
        rest,
    )
    kind = f'class="{width}" role="img" aria-label="{escape(title)}"'
    return f"<svg {view[0]} {kind}>{rest.rstrip()}"


def _data(description: Description | None) -> str:
    if description is None:
        return ""
    size = (
        f"{description.n_lists:,} lists, {description.n_rows:,} rows, "
        f"{description.n_features:,} features"
    )
    facts = {"training lists": size, **description.facts()}
    if "in the other" in facts:
        facts["also in the test lists"] = facts.pop("in the other")
    return f"<h2>Data</h2><p>Training lists of the first fold.</p>{_facts(facts)}"


def _origin(board: Leaderboard, command: str) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    facts = {
        "folds": f"{board.lists['fold'].max()}, {_lists(len(board.lists))}",
        "seeds": ", ".join(map(str, board.seeds)),
        "versions": f"{versions}, Python {platform.python_version()}",
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    line = f"<pre>{escape(command)}</pre>" if command else ""
    return f"{line}{_facts(facts)}"


def _facts(facts: dict[str, str]) -> str:
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"
        for name, text in facts.items()
    )
    return f"<dl>{items}</dl>"
