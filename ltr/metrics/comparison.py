"""Several runs on the same queries: differences, p-values and a table to publish."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_choice, check_fraction
from ltr.metrics.averages import mean_of
from ltr.metrics.names import MetricLike
from ltr.metrics.run_weights import read_weights, weights_by_id
from ltr.metrics.runs import check_named_runs, measure_run
from ltr.metrics.significance import (
    bootstrap_interval,
    effect_size,
    holm,
    paired_randomization_test,
    paired_t_test,
)
from ltr.queries import FloatArray, check_rows
from ltr.row_values import check_weights

if TYPE_CHECKING:
    import pandas as pd

    from ltr.metrics.run_weights import Weights
    from ltr.metrics.runs import Source

Test = Literal["randomization", "t"]
_TESTS = {
    "randomization": (paired_randomization_test, "paired randomization test"),
    "t": (paired_t_test, "paired t-test"),
}
_LATEX = str.maketrans({c: f"\\{c}" for c in "&%$#_{}"} | {"\\": r"\textbackslash{}"})


def compare_runs(
    runs: Mapping[str, Source],
    qrels: Source,
    metrics: MetricLike | Sequence[MetricLike] = ("ndcg@10", "map", "mrr"),
    *,
    baseline: str | None = None,
    test: Test = "randomization",
    alpha: float = 0.05,
    query_weight: Weights | None = None,
    encoding: str = "utf-8",
    **options: Any,
) -> RunComparison:
    r"""Measure several runs and test each against a baseline, query by query.

    Parameters
    ----------
    runs : mapping of str to run
        Runs by name, each as :func:`evaluate_run` takes it.
    qrels : path, DataFrame or {qid: {docid: label}}
        Judgments.
    metrics : sequence of str or callable, default=("ndcg@10", "map", "mrr")
        Names for :func:`get_metric`, or metrics of your own.
    baseline : str, default=None
        Name of the run to test against. None: the first one.
    test : {"randomization", "t"}, default="randomization"
        Paired randomization test (10,000 random swaps) or Student's paired t-test.
    alpha : float, default=0.05
        Significance level after Holm's correction over the runs, for each metric.
    query_weight : {qid: weight}, Series or path, default=None
        Weight of each judged query in means, differences and tests, as in
        :func:`evaluate_run`. None: each query counts once.
    encoding : str, default="utf-8"
        Encoding of files.
    **options : dict
        Options of :func:`evaluate_run`: ``missing``, ``unjudged``, ``depth``,
        ``trec_eval``, ``gain``, ….

    Returns
    -------
    comparison : RunComparison
        ``table`` has the numbers. It prints as a table of text; ``to_markdown()``,
        ``to_latex()`` and ``to_html()`` are for documents.

    Raises
    ------
    ValueError
        If there are fewer than two runs, a name is unknown or an input is malformed.

    Examples
    --------
    >>> qrels = {f"q{i}": {"a": 1, "b": 0} for i in range(8)}
    >>> good = {q: {"a": 2.0, "b": 1.0} for q in qrels}
    >>> bad = {q: {"a": 1.0, "b": 2.0} for q in qrels}
    >>> comparison = compare_runs({"bad": bad, "good": good}, qrels, ["mrr"])
    >>> print(comparison.to_text().split("\n\n")[0])
    run       mrr
    bad    0.5000
    good  *1.0000†
    >>> print(comparison.to_markdown().split("\n\n")[0])
    | run | mrr |
    |---|---|
    | bad | 0.5000 |
    | good | **1.0000**† |
    """
    import pandas as pd

    from ltr.datasets.runs import qrels_rows, run_rows

    check_named_runs(runs)
    if len(runs) < 2:
        raise ValueError(f"compare_runs needs at least two runs; got {list(runs)}.")
    if "per_query" in options:
        raise ValueError(
            "compare_runs takes no per_query; the values per query are the attribute "
            "per_query of its result."
        )
    weights = read_weights(query_weight, encoding=encoding)
    judgments = None
    values = {}
    for name, run in runs.items():
        named = f"the run {name!r}"
        rows = run_rows(run, encoding=encoding, name=named)
        if judgments is None:
            judgments = qrels_rows(qrels, encoding=encoding)
        measured = measure_run(
            rows,
            judgments,
            metrics,
            name=named,
            query_weight=weights,
            **options,
        )
        index = pd.Index(measured.qids, name="qid")
        values[name] = pd.DataFrame(measured.values, index=index)
    index = next(iter(values.values())).index
    for table in values.values():
        index = index.intersection(table.index, sort=False)
    per_query = {name: table.loc[index] for name, table in values.items()}
    names = next(iter(values.values())).columns.tolist()
    if baseline is None:
        baseline = next(iter(runs))
    of_queries = None if weights is None else weights_by_id(weights, index.to_numpy())
    return RunComparison(per_query, names, baseline, test, alpha, of_queries)


@dataclass(frozen=True, eq=False, repr=False)
class RunComparison:
    """Values of several runs on the same queries.

    Parameters
    ----------
    per_query : dict of str to DataFrame
        For each run a row per query and a column per metric, with equal indices.
    metrics : list of str
        Columns to compare.
    baseline : str
        Run that the others are tested against.
    test : {"randomization", "t"}, default="randomization"
        Paired test.
    alpha : float, default=0.05
        Significance level.
    query_weight : array-like of shape (n_queries,), default=None
        Weight of each query, in the order of the rows, for means, intervals and tests.
        None: 1.

    Raises
    ------
    ValueError
        If the baseline or the test is unknown, ``alpha`` is outside (0, 1), or the
        indices differ in their order.

    Examples
    --------
    >>> import pandas as pd
    >>> a = pd.DataFrame({"map": [0.1, 0.2, 0.3]})
    >>> table = RunComparison({"a": a, "b": a + 0.1}, ["map"], "a").table
    >>> table["difference"].round(2).tolist()
    [nan, 0.1]
    """

    per_query: dict[str, pd.DataFrame]
    metrics: list[str]
    baseline: str
    test: Test = "randomization"
    alpha: float = 0.05
    query_weight: ArrayLike | None = None

    def __post_init__(self) -> None:
        check_choice("baseline", self.baseline, self.per_query)
        check_choice("test", self.test, _TESTS)
        check_fraction("alpha", self.alpha)
        check_rows({**self.per_query, "query_weight": self.query_weight})
        if self.query_weight is not None:
            n_queries = len(next(iter(self.per_query.values())))
            check_weights(
                self.query_weight,
                "query_weight",
                n_queries,
                rows_of="per_query",
                unit="query",
            )

    @property
    def table(self) -> pd.DataFrame:
        """A row per run and metric.

        Columns: ``mean`` with its 95 % bootstrap interval ``low``, ``high``;
        ``difference`` from the baseline with its interval ``difference_low``,
        ``difference_high``; ``p_value`` of the paired test, after Holm's correction
        over the runs; ``effect_size`` (Cohen's d_z); ``n_queries``. In the row of the
        baseline, the comparison columns are NaN.
        """
        import pandas as pd

        challengers = [name for name in self.per_query if name != self.baseline]
        weights = self.query_weight
        if weights is not None:
            weights = np.asarray(weights, dtype=np.float64)
        rows = {}
        for metric in self.metrics:
            column = {n: t[metric].to_numpy() for n, t in self.per_query.items()}
            base = column[self.baseline]
            test = partial(_TESTS[self.test][0], query_weight=weights)
            raw = [test(column[name], base) for name in challengers]
            p_values = dict(zip(challengers, _holm(raw), strict=True))
            for name, values in column.items():
                row = {
                    "mean": mean_of(values, weights=weights),
                    **_interval("", values, weights),
                    "difference": np.nan,
                    "difference_low": np.nan,
                    "difference_high": np.nan,
                    "p_value": np.nan,
                    "effect_size": np.nan,
                    "n_queries": int((~np.isnan(values)).sum()),
                }
                if name != self.baseline:
                    row |= {
                        "difference": mean_of(values - base, weights=weights),
                        **_interval("difference_", values - base, weights),
                        "p_value": p_values[name],
                        "effect_size": effect_size(values, base, query_weight=weights),
                    }
                rows[name, metric] = row
        index = pd.MultiIndex.from_tuples(rows, names=["run", "metric"])
        return pd.DataFrame(list(rows.values()), index=index)

    def __repr__(self) -> str:
        return self.to_text().rstrip("\n")

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_text(self, digits: int = 4) -> str:
        """Means in a table for the terminal: ``*`` is the best, ``†`` significant.

        Parameters
        ----------
        digits : int, default=4
            Decimal places.

        Returns
        -------
        text : str
        """
        rows = [["run", *self.metrics]]
        for name, cells in self._cells(digits):
            rows.append([name, *(_mark(cell, "*{}", "†") for cell in cells)])
        # a cell without † is padded where its column has one, so that digits align
        marked = [
            any(row[c].endswith("†") for row in rows) for c in range(len(rows[0]))
        ]
        for row in rows:
            for c in range(1, len(row)):
                row[c] += " " * (marked[c] and not row[c].endswith("†"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = []
        for row in rows:
            columns = [c.rjust(w) for c, w in zip(row, widths, strict=True)]
            columns[0] = row[0].ljust(widths[0])
            lines.append("  ".join(columns).rstrip())
        return "\n".join(lines) + f"\n\n* best; † {self._note()}\n"

    def to_markdown(self, digits: int = 4) -> str:
        """Means in a Markdown table, best ones bold, significant ones marked †.

        Parameters
        ----------
        digits : int, default=4
            Decimal places.

        Returns
        -------
        text : str
        """
        lines = [["run", *self.metrics], ["---"] * (len(self.metrics) + 1)]
        for name, cells in self._cells(digits):
            lines.append([name, *(_mark(cell, "**{}**", "†") for cell in cells)])
        table = "\n".join(
            f"| {' | '.join(c.replace('|', '/') for c in line)} |" for line in lines
        ).replace("| --- |", "|---|")
        return f"{table.replace(' --- |', '---|')}\n\n† {self._note()}\n"

    def to_latex(self, digits: int = 4) -> str:
        """Means in a LaTeX table (package booktabs).

        Parameters
        ----------
        digits : int, default=4
            Decimal places.

        Returns
        -------
        text : str
        """
        head = " & ".join(name.translate(_LATEX) for name in ("run", *self.metrics))
        lines = [
            rf"\begin{{tabular}}{{l{'r' * len(self.metrics)}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
        ]
        for name, cells in self._cells(digits):
            row = [_mark(cell, r"\textbf{{{}}}", r"$^{\dagger}$") for cell in cells]
            lines.append(rf"{name.translate(_LATEX)} & {' & '.join(row)} \\")
        lines += [r"\bottomrule", r"\end{tabular}"]
        note = self._note().translate(_LATEX).replace("<", "$<$")
        return "\n".join(lines) + f"\n\n$^{{\\dagger}}$ {note}\n"

    def to_html(self, digits: int = 4) -> str:
        """Means in an HTML table.

        Parameters
        ----------
        digits : int, default=4
            Decimal places.

        Returns
        -------
        text : str
        """
        head = "".join(f"<th>{html.escape(n)}</th>" for n in ("run", *self.metrics))
        lines = [f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>"]
        for name, cells in self._cells(digits):
            row = (_mark(cell, "<b>{}</b>", "<sup>†</sup>") for cell in cells)
            data = "".join(f"<td>{cell}</td>" for cell in row)
            lines.append(f"<tr><th>{html.escape(name)}</th>{data}</tr>")
        note = html.escape(self._note())
        return "\n".join(lines) + f"\n</tbody>\n</table>\n<p>† {note}</p>\n"

    def _cells(self, digits: int) -> list[tuple[str, list[tuple[str, bool, bool]]]]:
        """Each run with its means, and whether each is the best and significant."""
        table = self.table
        shape = (len(self.metrics), len(self.per_query))  # as the rows are ordered
        means = table["mean"].to_numpy().reshape(shape).T
        is_best = means == np.nanmax(means, axis=0, initial=-np.inf)
        is_significant = self.alpha > table["p_value"].to_numpy().reshape(shape).T
        return [
            (
                name,
                [
                    (f"{mean:.{digits}f}", bool(bold), bool(sign))
                    for mean, bold, sign in zip(*columns, strict=True)
                ],
            )
            for name, *columns in zip(
                self.per_query, means, is_best, is_significant, strict=True
            )
        ]

    def _note(self) -> str:
        n_challengers = len(self.per_query) - 1
        n_queries = len(next(iter(self.per_query.values())))
        kind = "" if self.query_weight is None else "weighted "
        return (
            f"differs from {self.baseline}, p < {self.alpha:g} ({_TESTS[self.test][1]} "
            f"over {n_queries} {kind}queries, Holm's correction over {n_challengers} "
            f"run{'s' * (n_challengers > 1)})."
        )


def _holm(p_values: list[float]) -> list[float]:
    """Holm's correction over the tests that have a p-value; the others stay NaN."""
    tests = [i for i, p in enumerate(p_values) if not np.isnan(p)]
    adjusted = list(p_values)
    for i, p in zip(tests, holm([p_values[i] for i in tests]), strict=True):
        adjusted[i] = p
    return adjusted


def _interval(
    prefix: str, values: FloatArray, weights: FloatArray | None
) -> dict[str, float]:
    low, high = bootstrap_interval(values, query_weight=weights)
    return {f"{prefix}low": low, f"{prefix}high": high}


def _mark(cell: tuple[str, bool, bool], bold: str, sign: str) -> str:
    text, is_best, is_significant = cell
    return (bold.format(text) if is_best else text) + sign * is_significant
