"""The command ``ltr evaluate`` on TREC files: judgments first, then runs."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from ltr.metrics import compare_runs, evaluate_run

# what trec_eval prints unless asked for something else
OFFICIAL = ["num_ret", "num_rel", "num_rel_ret", "map", "gm_map", "Rprec", "bpref"]
OFFICIAL += ["recip_rank", *(f"iprec_at_recall_{i / 10:.2f}" for i in range(11))]
OFFICIAL += [f"P_{k}" for k in (5, 10, 15, 20, 30, 100, 200, 500, 1000)]
_COUNTS = ["n_returned(empty=0)", "n_relevant(empty=0)", "hits(empty=0)"]


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``ltr evaluate`` that are for runs.

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
        help="names, also as trec_eval and ir_measures write them, with blanks or "
        "commas between; 'official' is trec_eval's list",
    )
    parser.add_argument(
        "-q", "--by-query", action="store_true", help="a line for each query"
    )
    group = parser.add_argument_group("judgments and runs")
    group.add_argument(
        "--missing",
        choices=["0", "skip"],
        help="judged queries that the run leaves out: count as 0 (the default, "
        "trec_eval -c), or leave out (trec_eval without -c)",
    )
    group.add_argument(
        "--unjudged",
        choices=["irrelevant", "drop"],
        help="documents without a judgment: not relevant (the default), or out of the "
        "ranking (-J)",
    )
    group.add_argument("--depth", type=int, help="documents read per query (-M)")


def metric_names(given: list[str] | None, default: str) -> list[str]:
    """Names of metrics from the words of ``--metrics``.

    Parameters
    ----------
    given : list of str or None
        Words, each one or several names with commas between.
    default : str
        Words to use for None.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> metric_names(["ndcg@10,map", "P(rel=2, cutoff=5)"], "mrr")
    ['ndcg@10', 'map', 'P(rel=2, cutoff=5)']
    """
    names: list[str] = []
    for word in [default] if given is None else given:
        for name in re.split(r",(?![^(]*\))", word):
            names += OFFICIAL if name.strip() == "official" else [name.strip()]
    return list(dict.fromkeys(names))


def run_options(options: argparse.Namespace) -> dict[str, Any]:
    """Those of the options that are for judgments and runs alone, if given.

    Parameters
    ----------
    options : Namespace
        What :func:`add_run_options` declares.

    Returns
    -------
    chosen : dict
        For :func:`ltr.metrics.evaluate_run`.
    """
    names = ("missing", "unjudged", "depth")
    chosen = {name: getattr(options, name) for name in names}
    return {name: _number(v) for name, v in chosen.items() if v is not None}


def evaluate_files(options: argparse.Namespace, metrics: list[str]) -> pd.DataFrame:
    """Measure runs against judgments and print a table.

    Parameters
    ----------
    options : Namespace
        ``data`` holds the judgments and at least one run.
    metrics : list of str
        Names.

    Returns
    -------
    table : DataFrame
        What was printed: a row per metric, per query, or per run and metric.

    Raises
    ------
    ValueError
        If a file is malformed, a name is unknown, or options do not go together.
    """
    qrels, *runs = options.data
    chosen = run_options(options)
    if options.empty is not None:
        chosen["empty"] = _number(options.empty)
    if options.discount is not None:
        chosen["discount"] = options.discount
    if len(runs) > 1:
        if options.by_query:
            raise ValueError(
                "--by-query takes one run; pass the judgments and one run."
            )
        comparison = compare_runs(_by_name(runs), qrels, metrics, **chosen)
        sys.stdout.write(comparison.to_text())
        table = comparison.table
        table.index = pd.Index([f"{run} {metric}" for run, metric in table.index])
        return table
    if options.by_query:
        table = evaluate_run(runs[0], qrels, metrics, per_query=True, **chosen)
        sys.stdout.write(table.to_string(float_format="%.4f") + "\n")
        return table
    asked = list(dict.fromkeys([*metrics, *_COUNTS]))
    table = evaluate_run(runs[0], qrels, asked, **chosen)
    counts = table.loc[_COUNTS]
    n_queries = counts["n_lists"].iloc[0]
    returned, relevant, found = (counts["mean"] * n_queries).round().astype(int)
    sys.stdout.write(
        f"{runs[0]}: {returned:,} documents for {n_queries:,} queries; "
        f"{found:,} of {relevant:,} relevant ones\n"
    )
    table = table.loc[metrics]
    sys.stdout.write(table.to_string(float_format="%.4f") + "\n")
    return table


def _number(value: Any) -> Any:
    return int(value) if str(value).isdigit() else value


def _by_name(paths: list[str]) -> dict[str, str]:
    """Runs by file name, by path where names are equal."""
    names = [Path(path).name for path in paths]
    if len(set(names)) < len(names):
        return {path: path for path in paths}
    return dict(zip(names, paths, strict=True))
