"""The command ``ltr fuse``: fuse run files, and evaluate the result."""

from __future__ import annotations

import argparse
import inspect
import sys
from typing import Any

from ltr.datasets import read_qrels, read_run, write_run
from ltr.fusion import FUSIONS, tune_alpha
from ltr.metrics import compare_runs


def add_fuse_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ltr fuse`` to a parser.

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
    parser.add_argument(
        "--method",
        default="rrf",
        choices=list(FUSIONS),
        help="fusion method (default: rrf)",
    )
    parser.add_argument("--out", help="file for the fused run (TREC, or .jsonl)")
    parser.add_argument(
        "--norm",
        choices=["minmax", "zscore", "rank", "none"],
        help="normalization of scores",
    )
    parser.add_argument("--weights", help="weights of the runs, comma-separated")
    parser.add_argument("--k", type=float, help="constant of rrf (default: 60)")
    parser.add_argument("--depth", type=int, help="documents read per query and run")
    parser.add_argument(
        "--ties", choices=["trec", "average", "first"], help="order of equal scores"
    )
    parser.add_argument(
        "--alpha", help="interpolate: weight of the first run (default: 0.5), or 'tune'"
    )
    parser.add_argument(
        "--qrels", help="judgments, to compare the runs with the fused run"
    )
    parser.add_argument(
        "--metrics", default="ndcg@10,map", help="metric names, comma-separated"
    )
    parser.add_argument(
        "--encoding", default="utf-8", help="encoding of the files, such as latin-1"
    )
    parser.set_defaults(run=fuse)


def fuse(options: argparse.Namespace) -> int:
    """Run ``ltr fuse``.

    Parameters
    ----------
    options : Namespace
        With the options of :func:`add_fuse_options`.

    Returns
    -------
    status : int
        0.

    Raises
    ------
    ValueError
        If an option does not apply to the method, or there is nothing to do.
    """
    if not (options.out or options.qrels):
        raise ValueError(
            "pass --out to write the fused run, or --qrels to evaluate it."
        )
    function, metrics = FUSIONS[options.method], options.metrics.split(",")
    keywords = _keywords(options)
    for name in sorted(set(keywords) - set(inspect.signature(function).parameters)):
        raise ValueError(f"--{name} does not apply to --method {options.method}.")
    tables = [read_run(path, encoding=options.encoding) for path in options.runs]
    qrels = None
    if options.qrels:
        qrels = read_qrels(options.qrels, encoding=options.encoding)
    if options.alpha == "tune":
        if qrels is None:
            raise ValueError("--alpha tune needs --qrels with judgments to tune on.")
        del keywords["alpha"]
        alpha, _ = tune_alpha(tables, qrels, metrics[0], **keywords)
        sys.stdout.write(
            f"alpha {alpha:g} maximizes {metrics[0]} on these queries; report results "
            "on others\n"
        )
        keywords["alpha"] = alpha
    fused = function(tables, **keywords)
    if options.out:
        write_run(fused, options.out, tag=options.method)
    if qrels is not None:
        runs: dict[str, Any] = {options.method: fused}
        runs |= dict(zip(options.runs, tables, strict=True))
        sys.stdout.write(compare_runs(runs, qrels, metrics).to_text())
    return 0


def _keywords(options: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of the method that were passed."""
    names = ("norm", "weights", "k", "depth", "ties", "alpha")
    keywords = {name: getattr(options, name) for name in names}
    keywords = {name: value for name, value in keywords.items() if value is not None}
    if "weights" in keywords:
        keywords["weights"] = [float(weight) for weight in options.weights.split(",")]
    if keywords.get("alpha", "tune") != "tune":
        keywords["alpha"] = float(options.alpha)
    return keywords
