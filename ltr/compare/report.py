"""A comparison of rankers as one HTML page: tables, figures, data, provenance.

The page is a single file without scripts. Figures are inline SVG whose colors are CSS
variables, so that they follow the reader's light or dark mode, and print.
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

from ltr.compare.leaderboard import ALPHA, Leaderboard, parameters_of
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
    "svg.fonttype": "none",  # text, not outlines
    "axes.facecolor": "#fffffe",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    **dict.fromkeys(_TEXT, "#1c1c22"),
}


def cutoff_metrics(metrics: Sequence[str], largest: int) -> list[str]:
    """Other cut-offs of the first metric with a cut-off, for the figure by cut-off.

    Parameters
    ----------
    metrics : sequence of str
        Metrics of a comparison.
    largest : int
        Rows of the longest test list; the last cut-off is the first one that covers
        it.

    Returns
    -------
    names : list of str
        Those not yet among ``metrics``; none if no metric has a cut-off.

    Examples
    --------
    >>> cutoff_metrics(["map", "ndcg@3", "ndcg@1"], 6)
    ['ndcg@2', 'ndcg@4', 'ndcg@5', 'ndcg@7']
    """
    family = _family(metrics)
    if family is None:
        return []
    n_cutoffs = int(np.searchsorted(_CUTOFFS, largest)) + 1
    names = [f"{family}@{k}" for k in _CUTOFFS[:n_cutoffs]]
    return [name for name in names if name not in metrics]


def comparison_report(
    board: Leaderboard,
    *,
    metrics: Sequence[str] | None = None,
    what: str = "",
    description: Description | None = None,
    command: str = "",
) -> str:
    """Render a comparison as an HTML page that needs no network and no scripts.

    Parameters
    ----------
    board : Leaderboard
        From :func:`ltr.compare.compare_rankers`.
    metrics : sequence of str, default=None
        Metrics of the table, the first one as in ``board``; others at more cut-offs
        (see :func:`cutoff_metrics`) appear in the figure only. None: all.
    what : str, default=""
        Summary of the data.
    description : Description, default=None
        Description of the training data, from :func:`ltr.datasets.describe`.
    command : str, default=""
        Command that made the comparison.

    Returns
    -------
    page : str
        HTML; names and texts are escaped. Every figure is included twice, for wide and
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
    >>> page = comparison_report(board, what="twelve queries")
    >>> page.count("<figure>"), "twelve queries" in page
    (3, True)
    """
    tabled = board.select(metrics)
    table = tabled.table()
    parts = {
        "what": escape(what),
        "verdict": _verdict(tabled, table),
        "warnings": _warnings(description),
        "failures": _failures(board),
        "table": _leaderboard(tabled, table),
        "figures": "".join(_figures(board)),
        "data": _data(description) + _parameters(tabled),
        "origin": _origin(board, command),
    }
    return Template(PAGE).substitute(parts)


def _verdict(board: Leaderboard, table: pd.DataFrame) -> str:
    """The best ranker, and those that differ from it significantly or not."""
    main = board.metrics[0]
    if not len(table):
        return "<p>Every fit failed.</p>"
    if np.isnan(table[main].iloc[0]):
        return f"<p>{escape(main)} is undefined for every test query.</p>"
    best = str(table.index[0])
    interval = (
        f"[{table[f'{main} low'].iloc[0]:.4f}, {table[f'{main} high'].iloc[0]:.4f}]"
    )
    text = (
        f"<p><strong>{escape(best)}</strong> has the highest {escape(main)}: "
        f"{table[main].iloc[0]:.4f} {interval} over {_queries(board.n_counted)}."
    )
    others = table.iloc[1:]
    is_worse = others["p"] < ALPHA
    similar = [str(name) for name in others.index[~is_worse]]
    worse = [str(name) for name in others.index[is_worse]]
    if similar:
        text += f" Not significantly different (p ≥ {ALPHA}): {_emphasized(similar)}."
    if worse:
        text += f" Significantly worse (p &lt; {ALPHA}): {_emphasized(worse)}."
    return f"{text}</p>"


def _queries(number: int) -> str:
    return f"{number:,} test {'query' if number == 1 else 'queries'}"


def _emphasized(names: Sequence[str]) -> str:
    return ", ".join(f"<em>{escape(name)}</em>" for name in names)


def _warnings(description: Description | None) -> str:
    if description is None or not description.problems:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in description.problems)
    return (
        '<section class="warning"><h2>Problems of the data</h2>'
        f"<p>In the training data of the first fold:</p><ul>{items}</ul></section>"
    )


def _failures(board: Leaderboard) -> str:
    if not board.failures:
        return ""
    items = "".join(
        f"<li><em>{escape(name)}</em>: {escape(why)}</li>"
        for name, why in board.failures.items()
    )
    return f'<section class="warning"><h2>Failed fits</h2><ul>{items}</ul></section>'


def _leaderboard(board: Leaderboard, table: pd.DataFrame) -> str:
    """Means and differences with intervals, p-values, spread over seeds, time."""
    main, *others = board.metrics
    if not len(table):
        return ""
    head = ["ranker", main, "difference from best", "p", *others]
    head += ["seed sd", "fit", "compile"]
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
            *(
                f"{_number(row[column], '.1f')} s" if np.isfinite(row[column]) else ""
                for column in ("fit s", "compile s")
            ),
        ]
        rows.append(cells)
    notes = (
        "Means over queries and seeds, with 95 % bootstrap intervals over queries. "
        "Differences are paired with the best ranker by query; p is that of a paired "
        "randomization test with Holm’s correction over the rankers; * means p &lt; "
        f"{ALPHA}. A row without a time was picked on validation queries."
    )
    return f'{_table(head, rows)}<p class="note">{notes}</p>'


def _parameters(board: Leaderboard) -> str:
    """Each ranker as one would type it; unfolded, all its hyperparameters."""
    items = ""
    for name in board.per_query:
        ranker = board.rankers.get(name)
        if ranker is None:
            continue
        facts = parameters_of(ranker)
        del facts["class"]
        typed = escape(" ".join(repr(ranker).split()))
        items += (
            f"<details><summary><em>{escape(name)}</em> <code>{typed}</code></summary>"
            f"{_facts(facts)}</details>\n"
        )
    if not items:
        return ""
    return (
        '<h2>Hyperparameters</h2><p class="note">Those that differ from the defaults; '
        f"unfold a ranker to see all.</p>{items}"
    )


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """HTML table of escaped cells; the first cell of a row is its header."""
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{header}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>\n"
        for header, *cells in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{columns}</tr></thead>\n'
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
    """The four figures, except those with nothing to draw."""
    names = _rankers_to_draw(board)
    if not names:
        return
    drawn, main = board.select(rankers=names), escape(board.metrics[0])
    n_rankers = len(board.per_query)
    note = (
        f" The figures show the best {len(names)} of {n_rankers} rankers, without "
        "duplicates of another ranker or of random order."
        if len(names) < n_rankers
        else ""
    )
    if len(board.seeds) == 1:
        note += " With one seed there is no spread over seeds: pass --seeds 3."
    yield _figure(
        SeedReliabilityDisplay.from_leaderboard(drawn),
        "Variation over seeds and queries",
        "Each point is the mean of a seed, the bar the 95 % interval over queries. "
        "“seeds ±” is the standard deviation over seeds, “queries ±” the standard "
        "error over queries: a smaller lead may be chance, unless the paired test of "
        f"the table says otherwise.{note}",
    )
    if len(names) > 1:
        comparison = drawn.comparison(names[1])
        yield _figure(
            QueryDifferencesDisplay.from_comparison(comparison, names[0]),
            "The best ranker and the runner-up, query by query",
            f"Every test query, sorted by the difference in {main}; the gray line is "
            "the mean difference, the band its 95 % interval.",
        )
    family = _family(board.metrics)
    if family is not None:
        yield _figure(
            MetricAtKDisplay.from_comparison(
                drawn.comparison(), metric=family, random_order=drawn.random_values()
            ),
            f"{family} by cut-off",
            "The quality of the top k; bands are 95 % intervals over queries.",
        )
    yield _figure(
        ListLengthDisplay.from_leaderboard(board.select(rankers=names[:3])),
        "Short and long lists",
        f"{main} by the length of the lists. Long lists are harder, so compare with "
        "a random order. Points are queries of the best ranker; lines are means of "
        "bins, with 95 % intervals.",
    )


def _rankers_to_draw(board: Leaderboard) -> list[str]:
    """The best rankers, without duplicates of one another or of random order."""
    names: list[str] = []
    columns = [board.random_order[:, 0]] if len(board.per_query) > 1 else []
    for name, values in board.per_query.items():
        column = values[:, 0]
        if any(np.allclose(column, other, equal_nan=True) for other in columns):
            continue
        columns.append(column)
        names.append(name)
    return (names or list(board.per_query))[:_MOST_DRAWN]


def _family(metrics: Sequence[str]) -> str | None:
    """Name, without the cut-off, of the first metric that has one."""
    parts = (name.rpartition("@") for name in metrics)
    return next((name for name, at, k in parts if at and k.isdecimal()), None)


def _figure(display: Any, title: str, caption: str) -> str:
    drawings = "\n".join(_svg(display, title, width) for width in _INCHES)
    return (
        f"<figure><h3>{escape(title)}</h3>{drawings}"
        f"<figcaption>{caption}</figcaption></figure>\n"
    )


def _svg(display: Any, title: str, width: str) -> str:
    """Draw inline SVG, with text as text and colors as CSS variables."""
    from matplotlib import style
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    # ids are the same from run to run, but differ between figures
    salt = {"svg.hashsalt": title + width}
    with style.context(["default", _STYLE | salt]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing")  # browsers have these
        figure = Figure(figsize=_INCHES[width], layout="constrained")
        display.plot(figure.subplots())
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg ") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    opening_tag, body = text.split(">", 1)
    view_box = re.search(r'viewBox="[^"]*"', opening_tag)
    assert view_box is not None, "matplotlib writes one"
    referenced = set(re.findall(r"#([\w-]+)", body))
    body = re.sub(
        r'(<\w+) id="([^"]*)"',
        lambda tag: tag[0] if tag[2] in referenced else tag[1],
        body,
    )
    body = re.sub(
        r"(fill|stroke): (#\w{6})",
        lambda rule: f"{rule[1]}: {THEMED.get(rule[2], rule[2])}",
        body,
    )
    attributes = f'class="{width}" role="img" aria-label="{escape(title)}"'
    return f"<svg {view_box[0]} {attributes}>{body.rstrip()}"


def _data(description: Description | None) -> str:
    if description is None:
        return ""
    size = (
        f"{description.n_lists:,} queries, {description.n_rows:,} rows, "
        f"{description.n_features:,} features"
    )
    facts = {"training data": size, **description.facts()}
    if "in the other" in facts:
        facts["also in the test data"] = facts.pop("in the other")
    return f"<h2>Data</h2><p>Training data of the first fold.</p>{_facts(facts)}"


def _origin(board: Leaderboard, command: str) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    facts = {
        "folds": f"{board.lists['fold'].max()}, {_queries(len(board.lists))}",
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
