"""The command ``ltr fuse``: merge run files, measure the result."""

from __future__ import annotations

import argparse
import inspect
import sys
from typing import Any

from ltr.datasets import write_run
from ltr.fusion import FUSIONS, tune_alpha
from ltr.metrics import compare_runs


def add_fuse_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``ltr fuse``.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of the command.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_fuse_options(parser)
    >>> parser.parse_args(["a.run", "b.run"]).method
    'rrf'
    """
    parser.add_argument("runs", nargs="+", help="TREC run files, .jsonl or .tsv")
    parser.add_argument("--method", default="rrf", choices=list(FUSIONS))
    parser.add_argument("--out", help="file for the fused run (TREC, or .jsonl)")
    parser.add_argument("--norm", choices=["minmax", "zscore", "rank", "none"])
    parser.add_argument("--weights", help="comma-separated, one per run")
    parser.add_argument("--k", type=float, help="constant of rrf (60)")
    parser.add_argument("--depth", type=int, help="documents to read per query and run")
    parser.add_argument("--ties", choices=["trec", "average", "first"])
    parser.add_argument(
        "--alpha", help="for interpolate: weight of the first run (0.5), or 'tune'"
    )
    parser.add_argument(
        "--qrels", help="judgments: compare the runs with the fused one"
    )
    parser.add_argument("--metrics", default="ndcg@10,map", help="comma-separated")
    parser.set_defaults(run=fuse)


def fuse(options: argparse.Namespace) -> int:
    """Run ``ltr fuse``.

    Parameters
    ----------
    options : Namespace
        What :func:`add_fuse_options` declares.

    Returns
    -------
    status : int
        0.

    Raises
    ------
    ValueError
        If an option has no use with the method, or there is nothing to do.
    """
    if not (options.out or options.qrels):
        raise ValueError("pass --out to write the fused run, --qrels to measure it.")
    function, metrics = FUSIONS[options.method], options.metrics.split(",")
    chosen = _given(options)
    for name in sorted(set(chosen) - set(inspect.signature(function).parameters)):
        raise ValueError(f"--{name} has no use with --method {options.method}.")
    if options.alpha == "tune":
        if not options.qrels:
            raise ValueError("--alpha tune needs --qrels of the queries to tune on.")
        del chosen["alpha"]
        alpha, _ = tune_alpha(options.runs, options.qrels, metrics[0], **chosen)
        sys.stdout.write(
            f"alpha {alpha:g} is best for {metrics[0]} on these queries; report it on "
            "others\n"
        )
        chosen["alpha"] = alpha
    fused = function(options.runs, **chosen)
    if options.out:
        write_run(fused, options.out, tag=options.method)
    if options.qrels:
        runs: dict[str, Any] = {options.method: fused}
        runs |= {path: path for path in options.runs}
        sys.stdout.write(compare_runs(runs, options.qrels, metrics).to_text())
    return 0


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Options of the method that were passed."""
    names = ("norm", "weights", "k", "depth", "ties", "alpha")
    chosen = {name: getattr(options, name) for name in names}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if "weights" in chosen:
        chosen["weights"] = [float(weight) for weight in options.weights.split(",")]
    if chosen.get("alpha", "tune") != "tune":
        chosen["alpha"] = float(options.alpha)
    return chosen
