"""The parser of all commands, and the commands ``describe`` and ``evaluate``."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from ltr.cli.compare import (
    METRICS,
    add_compare_options,
    empty_value,
    positive,
    write,
)
from ltr.cli.data import (
    FILES,
    add_data_options,
    add_sparse_option,
    load,
    load_alike,
    row_weights,
)
from ltr.cli.evaluate import add_run_options, evaluate_files, metric_names, run_options
from ltr.cli.export import add_export_options
from ltr.cli.fuse import add_fuse_options
from ltr.cli.rerank import add_rerank_options
from ltr.cli.serve import SUMMARY, add_serve_options
from ltr.cli.train import add_predict_options, add_train_options, columns, load_model
from ltr.cli.words import in_words, warnings_as_lines
from ltr.datasets import describe
from ltr.files import check_target
from ltr.metrics import evaluate
from ltr.queries import FloatArray, group_queries

if TYPE_CHECKING:
    import pandas as pd


def run(words: Sequence[str]) -> int:
    """Run a command.

    Parameters
    ----------
    words : sequence of str
        The command and its options.

    Returns
    -------
    status : int
        0; 2 after an error in the input, which is printed as one line.
    """
    options = build_parser().parse_args(words)
    options.line = shlex.join(["ltr", *words])
    try:
        with warnings_as_lines(options), _threads(getattr(options, "jobs", None)):
            status: int = options.run(options)
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ImportError) as error:
        text = in_words(str(error), options)
    except MemoryError as error:
        text = f"the memory does not suffice. {in_words(str(error), options)}".strip()
    else:
        return status
    print(f"ltr {options.command}: {text}", file=sys.stderr)
    return 2


@contextmanager
def _threads(n_threads: int | None) -> Iterator[None]:
    """Limit the threads of BLAS and OpenMP, and those that JAX is about to start."""
    if n_threads is None:
        yield
        return
    before = os.environ.get("NPROC")
    os.environ["NPROC"] = str(n_threads)  # read by XLA when its client starts
    try:
        with threadpool_limits(n_threads):
            yield
    finally:
        del os.environ["NPROC"]
        if before is not None:
            os.environ["NPROC"] = before


def _describe(options: argparse.Namespace) -> int:
    paths = [options.data] + [options.other] * bool(options.other)
    data, *others = load_alike(paths, options)
    text = describe(data, other=others[0] if others else None)
    for line in str(text).splitlines():
        print(in_words(line, options) if line.startswith("!") else line)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    metrics = metric_names(options.metrics, METRICS)
    if options.json:
        check_target(options.json)
    if options.scores and options.model:
        raise ValueError("pass either --model or --scores, not both.")
    if options.by_query and options.query_weight:
        raise ValueError(
            "--query-weight weights means over queries, and --by-query prints no mean. "
            "Leave one of them out."
        )
    if options.scores or options.model:
        table = _evaluate_rows(options, metrics)
    elif len(options.data) > 1:
        table = evaluate_files(options, metrics)
    else:
        raise ValueError(
            "pass --model or --scores to evaluate LETOR files, or judgments and runs: "
            "ltr evaluate QRELS RUN."
        )
    if options.json:
        write(options.json, table.to_json(orient="index", indent=1) + "\n")
    return 0


def _evaluate_rows(options: argparse.Namespace, metrics: list[str]) -> pd.DataFrame:
    for option in run_options(options):
        raise ValueError(
            f"--{option.replace('_', '-')} applies to judgments and runs only: ltr "
            "evaluate QRELS RUN."
        )
    if options.scores:
        data = load(options.data, options)
        scores = _read_scores(options.scores)
        if len(scores) != len(data.y):
            raise ValueError(
                f"{options.scores} must have one score per row of the data; got "
                f"{len(scores)} scores for {len(data.y)} rows."
            )
    else:
        ranker = load_model(options)
        data = load(options.data, options, ranker)
        scores = ranker.predict(columns(ranker, data), data.qid)
    by_row, n_queries = row_weights(data, options), data.n_queries
    if by_row is not None:
        n_queries = group_queries(data.qid[by_row > 0], int((by_row > 0).sum())).n_lists
    table = evaluate(
        data.y,
        scores,
        data.qid,
        metrics,
        query_weight=by_row,
        per_query=options.by_query,
        empty=empty_value(options.empty or "skip"),
        discount=options.discount or "log2",
    )
    if options.by_query:
        print(table.to_string(float_format="%.4f"))
        return table
    print(table.to_string(float_format="%.4f"))
    for name, n_counted in table["n_lists"].items():
        n_skipped = n_queries - int(n_counted)
        if n_skipped:
            print(
                f"{name}: skipped {n_skipped} of {n_queries} queries, for which "
                "it is undefined (--empty 0 counts those without a relevant item as 0)"
            )
    return table


def _read_scores(path: str) -> FloatArray:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*input contained no data")
            scores = np.loadtxt(path, ndmin=1)
    except ValueError as error:
        raise ValueError(f"{path} must have one number per line: {error}") from error
    if scores.ndim != 1:
        raise ValueError(
            f"{path} must have one number per line; got {scores.shape[1]} columns."
        )
    return scores


class _HelpFormatter(argparse.HelpFormatter):
    """Help with the defaults of the options that have one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help or ""
        default = action.default
        has_default = bool(default) or (default == 0 and default is not False)
        has_default &= default != argparse.SUPPRESS
        if action.option_strings and has_default and "default:" not in text:
            text += " (default: %(default)s)"
        return text


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands and their options."""
    parser = argparse.ArgumentParser(
        prog="ltr", description="Learning to rank: train and compare rankers."
    )
    parser.add_argument("--version", action="version", version=version("ltr"))
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str, more: str = "") -> argparse.ArgumentParser:
        sentence = f"{text[0].upper()}{text[1:]}.{more}"
        return commands.add_parser(
            name, help=text, description=sentence, formatter_class=_HelpFormatter
        )

    compare = command(
        "compare",
        "train several rankers and print a leaderboard",
        " With 95 % bootstrap intervals over queries; without DATA on generated data.",
    )
    add_compare_options(compare)
    _add_metric_options(compare, empty="skip", discount="log2")
    _add_quiet(compare)
    _add_jobs(compare)
    _add_describe_options(command("describe", "summarize data files and flag problems"))
    train = command("train", "train a ranker and save it")
    add_train_options(train)
    _add_quiet(train)
    _add_jobs(train)
    predict = command("predict", "score the rows of data files")
    add_predict_options(predict)
    _add_jobs(predict)
    evaluate_parser = command("evaluate", "compute metrics of runs, a ranker or scores")
    _add_evaluate_options(evaluate_parser)
    _add_jobs(evaluate_parser)
    add_fuse_options(command("fuse", "fuse several runs into one"))
    add_rerank_options(
        command("rerank", "rerank a run by a judge, and report what it cost")
    )
    add_serve_options(command("serve", SUMMARY))
    add_export_options(command("export", "write a saved ranker for other software"))
    return parser


def _add_describe_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="+", help=FILES)
    parser.add_argument(
        "--other", nargs="+", help="other files, to check for shared rows and lists"
    )
    add_data_options(parser)
    add_sparse_option(parser)
    parser.set_defaults(run=_describe)


def _add_evaluate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data",
        nargs="+",
        help="judgments and runs (TREC files, .jsonl or .tsv); LETOR files or "
        "tables with --model or --scores",
    )
    parser.add_argument("--model", help="folder of a saved ranker")
    parser.add_argument("--scores", help="file with one score per row")
    parser.add_argument("--json", help="write the numbers to this file")
    add_run_options(parser)
    # None marks an option that was not passed: runs and rows have different defaults
    _add_metric_options(parser, empty=None, discount=None)
    add_data_options(parser)
    add_sparse_option(parser)
    parser.set_defaults(run=_evaluate)


def _add_metric_options(
    parser: argparse.ArgumentParser, *, empty: str | None, discount: str | None
) -> None:
    parser.add_argument(
        "--empty",
        default=empty,
        choices=["skip", "0", "1"],
        help="skip queries without a relevant item, or count them as 0 or 1 (default: "
        "skip; 0 for runs)",
    )
    parser.add_argument(
        "--discount",
        default=discount,
        choices=["log2", "letor"],
        help="discount of DCG (default: log2)",
    )


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress")


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs",
        type=positive,
        help="number of threads (default: those of the libraries, mostly one a core)",
    )
