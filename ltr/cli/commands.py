"""The commands ``compare``, ``describe``, ``train``, ``predict`` and ``evaluate``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from ltr.cli.evaluate import add_run_options, evaluate_files, metric_names, run_options
from ltr.cli.fuse import add_fuse_options
from ltr.compare.rankers import (
    DEFAULT_RANKERS,
    PICKED,
    Fold,
    compare_rankers,
    make_ranker,
    part_folds,
    query_folds,
    scorer_and_loss,
)
from ltr.compare.report import comparison_report, cutoff_metrics
from ltr.datasets import RankingData, describe, load_letor, make_ranking
from ltr.files import check_target, whole_file
from ltr.metrics import evaluate
from ltr.plotting import check_matplotlib
from ltr.rankers import load_ranker, save_ranker

if TYPE_CHECKING:
    import pandas as pd

_METRICS = "ndcg@10,ndcg@1,ndcg@5,map"
_RANKER_HELP = (
    "random, best_feature, pointwise_trees, lambdamart, or <scorer>_<loss> such as "
    "linear_lambdarank, mlp_ranknet, attention_softmax; their parameters are those of "
    "ltr.compare.make_ranker"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    status : int
        Exit status: 0; 2 after an error in the input, which is printed as one line; 130
        after an interrupt.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = build_parser().parse_args(words)
    options.line = shlex.join(["ltr", *words])
    try:
        status: int = options.run(options)
    except (ValueError, OSError, ImportError) as error:
        print(f"ltr {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"ltr {options.command}: interrupted", file=sys.stderr)
        return 130
    return status


def _compare(options: argparse.Namespace) -> int:
    for path in (options.markdown, options.json, options.report):
        if path:
            check_target(path)
    if options.report:
        check_matplotlib("--report")
    folds, data_summary = _folds(options)
    names, metrics = options.rankers.split(","), options.metrics.split(",")
    by_cutoff: list[str] = []
    if options.report:
        longest = max(np.unique(f.test.qid, return_counts=True)[1].max() for f in folds)
        by_cutoff = cutoff_metrics(metrics, int(longest))
    neural = [name for name in names if scorer_and_loss(name)]
    seeds = range(options.seeds)
    train = folds[0].train
    description = describe(train.X, train.y, train.qid, other=folds[0].test)
    if not options.quiet:
        repeats = f"{len(folds)} fold(s), {len(seeds)} seed(s)"
        print(f"{data_summary}; {repeats}", file=sys.stderr)
        for problem in description.problems:
            print(f"! training data of fold 1: {problem}", file=sys.stderr)
    full_board = compare_rankers(
        {name: make_ranker(name) for name in names},
        folds,
        metrics=[*metrics, *by_cutoff],
        metric_options={"empty": _empty(options.empty), "discount": options.discount},
        seeds=list(seeds),
        picks={PICKED: neural} if len(neural) > 1 else None,
        work_dir=options.work_dir,
        progress=None if options.quiet else lambda line: print(line, file=sys.stderr),
    )
    board = full_board.select(metrics)
    print(board.to_text(), end="")
    if options.markdown:
        heading = f"# ltr compare\n\n{data_summary}.\n\n"
        _write(options.markdown, heading + board.to_markdown())
    if options.json:
        document = {"data": data_summary, **board.to_dict()}
        _write(options.json, json.dumps(document, indent=1))
    if options.report:
        page = comparison_report(
            full_board,
            metrics=metrics,
            what=data_summary,
            description=description,
            command=options.line,
        )
        _write(options.report, page)
    return 0 if board.per_query else 2


def _folds(options: argparse.Namespace) -> tuple[list[Fold], str]:
    """Folds from DATA, ``--parts`` or ``--train``, and a summary of the data."""
    files = [options.train, options.valid, options.test]
    n_sources = bool(options.data) + bool(options.parts) + any(files)
    if n_sources > 1 or (any(files) and not all(files)):
        raise ValueError(
            "pass one of DATA (split by query), --parts, or --train with --valid and "
            "--test."
        )
    if options.folds is not None and (options.parts or any(files)):
        raise ValueError("--folds splits DATA; drop it with --parts or --train.")
    n_folds = 5 if options.folds is None else options.folds
    if options.parts:
        parts = _load_all(options.parts)
        return part_folds(parts), _summary("parts " + " ".join(options.parts), *parts)
    if options.train:
        train, valid, test = _load_all([options.train, options.valid, options.test])
        return [Fold(train, valid, test)], _summary(options.train, train, valid, test)
    if options.data:
        data = load_letor(options.data)
        name = " ".join(options.data)
    else:
        data = make_ranking(200, random_state=0)
        name = "generated data (pass LETOR files to use your own)"
    return query_folds(data, n_folds), _summary(name, data)


def _load_all(paths: Sequence[str | list[str]]) -> list[RankingData]:
    """Load files, all with as many columns as the widest one."""
    loaded = [load_letor(path) for path in paths]
    width = max(data.X.shape[1] for data in loaded)
    return [
        data if data.X.shape[1] == width else load_letor(path, n_features=width)
        for path, data in zip(paths, loaded, strict=True)
    ]


def _summary(name: str, *data: RankingData) -> str:
    n_queries = sum(part.n_queries for part in data)
    n_rows, n_features = sum(len(part.y) for part in data), data[0].X.shape[1]
    return f"{name}: {n_queries} queries, {n_rows} rows, {n_features} features"


def _describe(options: argparse.Namespace) -> int:
    data, *others = _load_all([options.data] + [options.other] * bool(options.other))
    print(describe(data.X, data.y, data.qid, other=others[0] if others else None))
    return 0


def _train(options: argparse.Namespace) -> int:
    data = load_letor(options.data)
    ranker = make_ranker(options.ranker)
    if "random_state" in ranker.get_params():
        ranker.set_params(random_state=options.seed)
    if "verbose" in ranker.get_params():
        ranker.set_params(verbose=0 if options.quiet else 1)
    validation = {}
    if options.valid and "early_stopping" not in ranker.get_params():
        raise ValueError(
            f"--valid needs a ranker with early stopping; {options.ranker} has none. "
            "Drop the option."
        )
    if options.valid:
        valid = load_letor(options.valid, n_features=data.X.shape[1])
        validation = {"X_val": valid.X, "y_val": valid.y, "qid_val": valid.qid}
    ranker.fit(data.X, data.y, data.qid, **validation)
    save_ranker(ranker, options.model)
    print(f"{ranker} fitted on {data.n_queries} queries, saved to {options.model}")
    best = getattr(ranker, "best_score_", float("nan"))
    if not np.isnan(best):
        source = options.valid or "held-out queries"
        print(f"best {ranker.metric} on {source}: {best:.4f}")
    return 0


def _predict(options: argparse.Namespace) -> int:
    if options.out:
        check_target(options.out)
    ranker = load_ranker(options.model)
    data = load_letor(options.data, n_features=ranker.n_features_in_)
    scores = ranker.predict(data.X, data.qid)
    text = "".join(f"{score!r}\n" for score in scores.tolist())
    if options.out:
        _write(options.out, text)
    else:
        sys.stdout.write(text)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    metrics = metric_names(options.metrics, _METRICS)
    if options.json:
        check_target(options.json)
    if options.scores and options.model:
        raise ValueError("pass either --model or --scores, not both.")
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
        _write(options.json, table.to_json(orient="index", indent=1) + "\n")
    return 0


def _evaluate_rows(options: argparse.Namespace, metrics: list[str]) -> pd.DataFrame:
    for option in run_options(options):
        raise ValueError(
            f"--{option.replace('_', '-')} applies to judgments and runs only: ltr "
            "evaluate QRELS RUN."
        )
    if options.scores:
        data = load_letor(options.data)
        scores = np.loadtxt(options.scores, ndmin=1)
        if len(scores) != len(data.y):
            raise ValueError(
                f"{options.scores} must have one score per row of the data; got "
                f"{len(scores)} scores for {len(data.y)} rows."
            )
    else:
        ranker = load_ranker(options.model)
        data = load_letor(options.data, n_features=ranker.n_features_in_)
        scores = ranker.predict(data.X, data.qid)
    table = evaluate(
        data.y,
        scores,
        data.qid,
        metrics,
        per_query=options.by_query,
        empty=_empty(options.empty or "skip"),
        discount=options.discount or "log2",
    )
    if options.by_query:
        print(table.to_string(float_format="%.4f"))
        return table
    print(table.to_string(float_format="%.4f"))
    for name, n_counted in table["n_lists"].items():
        n_skipped = data.n_queries - int(n_counted)
        if n_skipped:
            print(
                f"{name}: skipped {n_skipped} of {data.n_queries} queries, for which "
                "it is undefined (--empty 0 counts those without a relevant item as 0)"
            )
    return table


def _empty(value: str) -> str | int:
    return value if value == "skip" else int(value)


def _write(path: str, text: str) -> None:
    with whole_file(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands and their options."""
    parser = argparse.ArgumentParser(
        prog="ltr", description="Learning to rank: train and compare rankers."
    )
    parser.add_argument("--version", action="version", version=version("ltr"))
    commands = parser.add_subparsers(dest="command", required=True)
    _add_compare_options(
        commands.add_parser(
            "compare",
            help="train several rankers and print a leaderboard",
            description="Train several rankers and print a leaderboard with 95 % "
            "bootstrap intervals over queries. Without data: on generated data.",
        )
    )
    _add_describe_options(
        commands.add_parser("describe", help="summarize LETOR files and flag problems")
    )
    _add_train_options(commands.add_parser("train", help="train a ranker and save it"))
    _add_predict_options(
        commands.add_parser("predict", help="score the rows of LETOR files")
    )
    _add_evaluate_options(
        commands.add_parser(
            "evaluate", help="compute metrics of runs, a ranker or scores"
        )
    )
    add_fuse_options(commands.add_parser("fuse", help="fuse several runs into one"))
    return parser


def _add_compare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="*", help="LETOR files, split by query")
    parser.add_argument(
        "--folds", type=int, help="number of folds of DATA (default: 5)"
    )
    parser.add_argument(
        "--parts", nargs="+", help="files S1, S2, …, rotated to folds as in LETOR"
    )
    parser.add_argument("--train", help="training file")
    parser.add_argument("--valid", help="validation file")
    parser.add_argument("--test", help="test file")
    parser.add_argument(
        "--rankers",
        default=",".join(DEFAULT_RANKERS),
        help=f"comma-separated: {_RANKER_HELP}",
    )
    parser.add_argument(
        "--metrics", default=_METRICS, help="metric names, comma-separated"
    )
    parser.add_argument(
        "--seeds", type=int, default=1, help="number of seeds: 0, 1, … (default: 1)"
    )
    parser.add_argument("--markdown", help="write the table to this file")
    parser.add_argument("--json", help="write all numbers to this file")
    parser.add_argument("--report", help="write tables and figures to this HTML file")
    parser.add_argument("--work-dir", help="cache finished fits here, to resume")
    _add_metric_options(parser, empty="skip", discount="log2")
    _add_quiet(parser)
    parser.set_defaults(run=_compare)


def _add_describe_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="+", help="LETOR files")
    parser.add_argument(
        "--other", nargs="+", help="other files, to check for shared rows and lists"
    )
    parser.set_defaults(run=_describe)


def _add_train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="+", help="LETOR files")
    parser.add_argument("--model", required=True, help="folder to write")
    parser.add_argument("--ranker", default="lambdamart", help=_RANKER_HELP)
    parser.add_argument(
        "--valid",
        help="LETOR file for early stopping (default: a tenth of the queries, if there "
        "are enough)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    _add_quiet(parser)
    parser.set_defaults(run=_train)


def _add_predict_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="+", help="LETOR files")
    parser.add_argument("--model", required=True, help="folder of a saved ranker")
    parser.add_argument(
        "--out", help="file for the scores, one per row (default: print them)"
    )
    parser.set_defaults(run=_predict)


def _add_evaluate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data",
        nargs="+",
        help="judgments and runs (TREC files, .jsonl or .tsv); LETOR files with "
        "--model or --scores",
    )
    parser.add_argument("--model", help="folder of a saved ranker")
    parser.add_argument("--scores", help="file with one score per row")
    parser.add_argument("--json", help="write the numbers to this file")
    add_run_options(parser)
    # None marks an option that was not passed: runs and rows have different defaults
    _add_metric_options(parser, empty=None, discount=None)
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
