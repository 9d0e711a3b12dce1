"""The command ``ltr evaluate`` on judgments and runs."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from ltr.cli.data import add_query_weight_option
from ltr.metrics import compare_runs, evaluate_run

# what trec_eval prints by default
OFFICIAL = ["num_ret", "num_rel", "num_rel_ret", "map", "gm_map", "Rprec", "bpref"]
OFFICIAL += ["recip_rank", *(f"iprec_at_recall_{i / 10:.2f}" for i in range(11))]
OFFICIAL += [f"P_{k}" for k in (5, 10, 15, 20, 30, 100, 200, 500, 1000)]
_COUNTS = ["n_returned(empty=0)", "n_relevant(empty=0)", "hits(empty=0)"]


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ltr evaluate`` for runs to a parser.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of the command.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_run_options(parser)
    >>> parser.parse_args(["-m", "NDCG@10", "MAP", "--by-query"]).metrics
    ['NDCG@10', 'MAP']
    """
    parser.add_argument(
        "-m",
        "--metrics",
        nargs="+",
        action="extend",
        help="metric names, also as trec_eval and ir_measures spell them, separated by "
        "spaces or commas; 'official' is the default list of trec_eval (default: "
        "ndcg@10,ndcg@1,ndcg@5,map)",
    )
    parser.add_argument(
        "-q", "--by-query", action="store_true", help="print a line per query"
    )
    add_query_weight_option(parser, "in the means")
    group = parser.add_argument_group("judgments and runs")
    group.add_argument(
        "--missing",
        choices=["0", "skip"],
        help="judged queries that the run lacks: count as 0 (default; trec_eval -c) or "
        "skip (trec_eval without -c)",
    )
    group.add_argument(
        "--unjudged",
        choices=["irrelevant", "drop"],
        help="unjudged documents: irrelevant (default), or dropped from the ranking "
        "(trec_eval -J)",
    )
    group.add_argument(
        "--depth", type=int, help="documents read per query (trec_eval -M)"
    )
    group.add_argument(
        "--trec-eval",
        choices=["10", "9"],
        help="version of trec_eval to agree with (default: 10); 9, as in pytrec_eval "
        "and ir_measures, rounds scores to float32",
    )


def metric_names(words: list[str] | None, default: str) -> list[str]:
    """Names of metrics from the words of ``--metrics``.

    Parameters
    ----------
    words : list of str or None
        Each is one or several names, separated by commas.
    default : str
        Names to use for None.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> metric_names(["ndcg@10,map", "P(rel=2, cutoff=5)"], "mrr")
    ['ndcg@10', 'map', 'P(rel=2, cutoff=5)']
    """
    names: list[str] = []
    for word in [default] if words is None else words:
        for name in re.split(r",(?![^(]*\))", word):
            names += OFFICIAL if name.strip() == "official" else [name.strip()]
    return list(dict.fromkeys(names))


def run_options(options: argparse.Namespace) -> dict[str, Any]:
    """Options that apply only to judgments and runs, if they were passed.

    Parameters
    ----------
    options : Namespace
        With the options of :func:`add_run_options`.

    Returns
    -------
    keywords : dict
        Keyword arguments of :func:`ltr.metrics.evaluate_run`.
    """
    names = ("missing", "unjudged", "depth", "trec_eval")
    values = {name: getattr(options, name) for name in names}
    return {name: _number(v) for name, v in values.items() if v is not None}


def evaluate_files(options: argparse.Namespace, metrics: list[str]) -> pd.DataFrame:
    """Measure runs against judgments and print a table.

    Parameters
    ----------
    options : Namespace
        ``data`` has the judgments and at least one run.
    metrics : list of str
        Names.

    Returns
    -------
    table : DataFrame
        The table printed: a row per metric, per query, or per run and metric.

    Raises
    ------
    ValueError
        If a file is malformed, a name is unknown, or options exclude each other.
    """
    qrels, *runs = options.data
    keywords = {**run_options(options), "encoding": options.encoding}
    if options.empty is not None:
        keywords["empty"] = _number(options.empty)
    if options.discount is not None:
        keywords["discount"] = options.discount
    weighted = {**keywords, "query_weight": options.query_weight}
    if len(runs) > 1:
        if options.by_query:
            raise ValueError(
                "--by-query takes a single run; pass judgments and one run."
            )
        comparison = compare_runs(_by_name(runs), qrels, metrics, **weighted)
        sys.stdout.write(comparison.to_text())
        table = comparison.table
        table.index = pd.Index([f"{run} {metric}" for run, metric in table.index])
        return table
    if options.by_query:
        table = evaluate_run(runs[0], qrels, metrics, per_query=True, **keywords)
        sys.stdout.write(table.to_string(float_format="%.4f") + "\n")
        return table
    with_counts = list(dict.fromkeys([*metrics, *_COUNTS]))
    table = evaluate_run(runs[0], qrels, with_counts, **keywords)
    counts = table.loc[_COUNTS]
    if options.query_weight is not None:
        table = evaluate_run(runs[0], qrels, metrics, **weighted)
    n_queries = counts["n_lists"].iloc[0]
    n_returned, n_relevant, n_hits = (counts["mean"] * n_queries).round().astype(int)
    sys.stdout.write(
        f"{runs[0]}: {n_returned:,} documents for {n_queries:,} queries; "
        f"{n_hits:,} of {n_relevant:,} relevant documents\n"
    )
    table = table.loc[metrics]
    sys.stdout.write(table.to_string(float_format="%.4f") + "\n")
    return table


def _number(value: Any) -> Any:
    return int(value) if str(value).isdigit() else value


def _by_name(paths: list[str]) -> dict[str, str]:
    """Runs by file name, or by path if two have the same name."""
    names = [Path(path).name for path in paths]
    if len(set(names)) < len(names):
        return {path: path for path in paths}
    return dict(zip(names, paths, strict=True))
