"""The command line: ``ltr compare``, ``describe``, ``train``, ``predict``, …."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
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
)
from ltr.compare.report import comparison_report, cutoff_metrics
from ltr.datasets import RankingData, describe, load_letor, make_ranking
from ltr.metrics import evaluate
from ltr.plotting import check_matplotlib
from ltr.rankers import load_ranker, save_ranker
from ltr.scorers import SCORERS

if TYPE_CHECKING:
    import pandas as pd

_METRICS = "ndcg@10,ndcg@1,ndcg@5,map"
_RANKER_HELP = (
    "random, best_feature, pointwise_trees, lambdamart, or <scorer>_<loss> such as "
    "linear_lambdarank, mlp_ranknet, attention_softmax; ltr.compare.make_ranker lists "
    "the parameters of each"
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
        0, or 2 after an error in the input, which is printed in one line.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = build_parser().parse_args(given)
    options.line = shlex.join(["ltr", *given])
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
        if path and not Path(path).parent.is_dir():
            raise ValueError(f"{path} cannot be written: there is no such folder.")
    if options.report:
        check_matplotlib("--report")
    folds, what = _folds(options)
    names, metrics = options.rankers.split(","), options.metrics.split(",")
    by_cutoff: list[str] = []
    if options.report:
        longest = max(np.unique(f.test.qid, return_counts=True)[1].max() for f in folds)
        by_cutoff = cutoff_metrics(metrics, int(longest))
    neural = [name for name in names if name.partition("_")[0] in SCORERS]
    seeds = range(options.seeds)
    train = folds[0].train
    found = describe(train.X, train.y, train.qid, other=folds[0].test)
    if not options.quiet:
        print(f"{what}; {len(folds)} fold(s), {len(seeds)} seed(s)", file=sys.stderr)
        for problem in found.problems:
            print(f"! training lists of fold 1: {problem}", file=sys.stderr)
    measured = compare_rankers(
        {name: make_ranker(name) for name in names},
        folds,
        metrics=[*metrics, *by_cutoff],
        metric_options={"empty": _empty(options.empty), "discount": options.discount},
        seeds=list(seeds),
        picks={PICKED: neural} if len(neural) > 1 else None,
        work_dir=options.work_dir,
        progress=None if options.quiet else lambda line: print(line, file=sys.stderr),
    )
    board = measured.select(metrics)
    print(board.to_text(), end="")
    if options.markdown:
        heading = f"# ltr compare\n\n{what}.\n\n"
        _write(options.markdown, heading + board.to_markdown())
    if options.json:
        _write(options.json, json.dumps({"data": what, **board.to_dict()}, indent=1))
    if options.report:
        page = comparison_report(
            measured,
            metrics=metrics,
            what=what,
            description=found,
            command=options.line,
        )
        _write(options.report, page)
    return 0 if board.per_query else 2


def _folds(options: argparse.Namespace) -> tuple[list[Fold], str]:
    """Folds from what was given, and a description of the data."""
    files = [options.train, options.valid, options.test]
    given = [bool(options.data), bool(options.parts), any(files)]
    if sum(given) > 1 or (any(files) and not all(files)):
        raise ValueError(
            "pass either DATA (split by query), or --parts, or --train, --valid and "
            "--test together."
        )
    if options.folds is not None and (options.parts or any(files)):
        raise ValueError("--folds splits DATA; leave it out with --parts or --train.")
    n_folds = 5 if options.folds is None else options.folds
    if options.parts:
        parts = _load_all(options.parts)
        return part_folds(parts), _describe("parts " + " ".join(options.parts), *parts)
    if options.train:
        train, valid, test = _load_all([options.train, options.valid, options.test])
        return [Fold(train, valid, test)], _describe(options.train, train, valid, test)
    if options.data:
        data = load_letor(options.data)
        name = " ".join(options.data)
    else:
        data = make_ranking(200, random_state=0)
        name = "generated lists (pass LETOR files to rank your own)"
    return query_folds(data, n_folds), _describe(name, data)


def _load_all(paths: Sequence[str | list[str]]) -> list[RankingData]:
    """Files with the columns of the widest."""
    loaded = [load_letor(path) for path in paths]
    width = max(data.X.shape[1] for data in loaded)
    return [
        data if data.X.shape[1] == width else load_letor(path, n_features=width)
        for path, data in zip(paths, loaded, strict=True)
    ]


def _describe(name: str, *data: RankingData) -> str:
    n_lists = sum(part.n_lists for part in data)
    n_rows = sum(len(part.y) for part in data)
    return f"{name}: {n_lists} lists, {n_rows} rows, {data[0].X.shape[1]} features"


def _describe_data(options: argparse.Namespace) -> int:
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
        raise ValueError(f"--valid has no use: {options.ranker} does not stop early.")
    if options.valid:
        valid = load_letor(options.valid, n_features=data.X.shape[1])
        validation = {"X_val": valid.X, "y_val": valid.y, "qid_val": valid.qid}
    ranker.fit(data.X, data.y, data.qid, **validation)
    save_ranker(ranker, options.model)
    print(f"{ranker} fitted on {data.n_lists} lists, saved to {options.model}")
    best = getattr(ranker, "best_score_", float("nan"))
    if not np.isnan(best):
        source = options.valid or "held-out lists"
        print(f"best {ranker.metric} on {source}: {best:.4f}")
    return 0


def _predict(options: argparse.Namespace) -> int:
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
    if options.scores and options.model:
        raise ValueError("pass --model or --scores, not both.")
    if options.scores or options.model:
        table = _evaluate_rows(options, metrics)
    elif len(options.data) > 1:
        table = evaluate_files(options, metrics)
    else:
        raise ValueError(
            "pass --model or --scores to say what to evaluate, or judgments and runs: "
            "ltr evaluate QRELS RUN."
        )
    if options.json:
        _write(options.json, table.to_json(orient="index", indent=1) + "\n")
    return 0


def _evaluate_rows(options: argparse.Namespace, metrics: list[str]) -> pd.DataFrame:
    for option in run_options(options):
        raise ValueError(
            f"--{option} is for judgments and runs: ltr evaluate QRELS RUN."
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
        left_out = data.n_lists - int(n_counted)
        if left_out:
            print(
                f"{name}: left out {left_out} of {data.n_lists} lists, on which it is "
                "not defined (--empty 0 counts lists without a relevant item as 0)"
            )
    return table


def _empty(value: str) -> str | int:
    return value if value == "skip" else int(value)


def _write(path: str, text: str) -> None:
    """Write a file whole or not at all."""
    target = Path(path)
    handle, scratch = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(target)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def build_parser() -> argparse.ArgumentParser:
    """Options of all commands."""
    parser = argparse.ArgumentParser(
        prog="ltr", description="Learning to rank: train and compare rankers."
    )
    parser.add_argument("--version", action="version", version=version("ltr"))
    commands = parser.add_subparsers(dest="command", required=True)

    compare = commands.add_parser(
        "compare",
        help="train several rankers and print a leaderboard",
        description="Train several rankers and print a leaderboard with 95 % "
        "bootstrap intervals over lists. Without data: on a generated example.",
    )
    compare.add_argument("data", nargs="*", help="LETOR files, split by query")
    compare.add_argument("--folds", type=int, help="folds of DATA (5)")
    compare.add_argument("--parts", nargs="+", help="files to rotate as LETOR's folds")
    compare.add_argument("--train", help="training file")
    compare.add_argument("--valid", help="validation file")
    compare.add_argument("--test", help="test file")
    compare.add_argument(
        "--rankers",
        default=",".join(DEFAULT_RANKERS),
        help=f"comma-separated: {_RANKER_HELP}",
    )
    compare.add_argument("--seeds", type=int, default=1, help="seeds 0, 1, …")
    compare.add_argument("--markdown", help="write the table to this file")
    compare.add_argument("--json", help="write all numbers to this file")
    compare.add_argument("--report", help="write tables and pictures to this HTML file")
    compare.add_argument("--work-dir", help="keep finished fits here and resume")
    compare.set_defaults(run=_compare)

    about = commands.add_parser("describe", help="what is in LETOR files, what is off")
    about.add_argument("data", nargs="+", help="LETOR files")
    about.add_argument("--other", nargs="+", help="files to look for the same lists in")
    about.set_defaults(run=_describe_data)

    train = commands.add_parser("train", help="train a ranker and save it")
    train.add_argument("data", nargs="+", help="LETOR files")
    train.add_argument("--model", required=True, help="folder to write")
    train.add_argument("--ranker", default="lambdamart", help=_RANKER_HELP)
    train.add_argument(
        "--valid",
        help="LETOR file to stop early on; else a tenth of the lists, if many",
    )
    train.add_argument("--seed", type=int, default=0)
    train.set_defaults(run=_train)

    predict = commands.add_parser("predict", help="score the rows of LETOR files")
    predict.add_argument("data", nargs="+", help="LETOR files")
    predict.add_argument("--model", required=True, help="folder of a saved ranker")
    predict.add_argument("--out", help="file for one score per row; else printed")
    predict.set_defaults(run=_predict)

    score = commands.add_parser(
        "evaluate", help="metrics of runs, of a ranker or of scores"
    )
    score.add_argument(
        "data",
        nargs="+",
        help="judgments and runs (TREC files, .jsonl or .tsv); or, with --model or "
        "--scores, LETOR files",
    )
    score.add_argument("--model", help="folder of a saved ranker")
    score.add_argument("--scores", help="file with one score per row")
    score.add_argument("--json", help="write the numbers to this file")
    add_run_options(score)
    score.set_defaults(run=_evaluate)

    add_fuse_options(commands.add_parser("fuse", help="merge several runs into one"))

    compare.add_argument("--metrics", default=_METRICS, help="comma-separated")
    for command in (compare, score):
        command.add_argument(
            "--empty",
            default="skip",
            choices=["skip", "0", "1"],
            help="lists without a relevant item: leave out, or count as 0 or 1 (runs: "
            "0 unless given)",
        )
        command.add_argument("--discount", default="log2", choices=["log2", "letor"])
    score.set_defaults(empty=None, discount=None)
    for command in (compare, train):
        command.add_argument("--quiet", action="store_true", help="no progress")
    return parser
