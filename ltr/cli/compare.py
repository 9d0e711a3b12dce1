"""The command ``ltr compare``."""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np

from ltr.cli.data import FILES, add_data_options, load, load_alike
from ltr.cli.evaluate import metric_names
from ltr.compare.peers import PEERS
from ltr.compare.rankers import (
    DEFAULT_RANKERS,
    Fold,
    compare_rankers,
    make_ranker,
    part_folds,
    query_folds,
)
from ltr.compare.report import comparison_report, cutoff_metrics
from ltr.compilation import compilation_cache
from ltr.datasets import RankingData, describe, make_ranking
from ltr.files import check_target, whole_file
from ltr.plotting import check_matplotlib
from ltr.queries import group_queries

METRICS = "ndcg@10,ndcg@1,ndcg@5,map"
RANKERS = (
    "auto, random, best_feature, linear, pointwise_trees, lambdamart, or "
    "<scorer>_<loss> such as linear_lambdarank, mlp_ranknet, attention_softmax; "
    "their parameters are those of ltr.compare.make_ranker"
)
_VALIDATION_PART = 5  # the fifth of the training queries, without --valid


def add_compare_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ltr compare`` to a parser.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of the command.
    """
    parser.add_argument("data", nargs="*", help=f"{FILES}, split by query")
    parser.add_argument(
        "--folds", type=int, help="number of folds of DATA (default: 5)"
    )
    parser.add_argument(
        "--parts", nargs="+", help="files S1, S2, …, rotated to folds as in LETOR"
    )
    parser.add_argument("--train", help="training file")
    parser.add_argument(
        "--valid",
        help="validation file (default: a fifth of the training queries, drawn with "
        "seed 0)",
    )
    parser.add_argument("--test", help="test file")
    parser.add_argument(
        "--rankers",
        default=",".join(DEFAULT_RANKERS),
        help=f"comma-separated: {RANKERS}; and lightgbm, xgboost, catboost, if "
        "installed: each with its defaults and with well-known good settings",
    )
    parser.add_argument(
        "--metrics", default=METRICS, help="metric names, comma-separated"
    )
    parser.add_argument(
        "--seeds", type=positive, default=1, help="number of seeds: 0, 1, …"
    )
    parser.add_argument("--markdown", help="write the table to this file")
    parser.add_argument("--latex", help="write the table for LaTeX to this file")
    parser.add_argument("--json", help="write all numbers to this file")
    parser.add_argument("--report", help="write tables and figures to this HTML file")
    parser.add_argument("--work-dir", help="cache finished fits here, to resume")
    add_data_options(parser)
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    for path in (options.markdown, options.latex, options.json, options.report):
        if path:
            check_target(path)
    if options.report:
        check_matplotlib("--report")
    keep_programs()
    folds, data_summary = _folds(options)
    names = _names(options.rankers)
    metrics = metric_names([options.metrics], METRICS)
    by_cutoff: list[str] = []
    if options.report:
        longest = max(np.unique(f.test.qid, return_counts=True)[1].max() for f in folds)
        by_cutoff = cutoff_metrics(metrics, int(longest))
    seeds = range(options.seeds)
    train = folds[0].train
    description = describe(train.X, train.y, train.qid, other=folds[0].test)
    if not options.quiet:
        repeats = f"{len(folds)} fold(s), {len(seeds)} seed(s)"
        print(f"{data_summary}; {repeats}", file=sys.stderr)
        for problem in description.problems:
            print(f"! training data of fold 1: {problem}", file=sys.stderr)
    rankers = {name: make_ranker(name) for name in names}
    for ranker in rankers.values():
        if options.jobs is not None and "n_jobs" in ranker.get_params():
            ranker.set_params(n_jobs=options.jobs)
    full_board = compare_rankers(
        rankers,
        folds,
        metrics=[*metrics, *by_cutoff],
        metric_options={"empty": empty_value(options.empty)}
        | {"discount": options.discount},
        seeds=list(seeds),
        work_dir=options.work_dir,
        progress=None if options.quiet else lambda line: print(line, file=sys.stderr),
    )
    board = full_board.select(metrics)
    print(board.to_text(), end="")
    if options.markdown:
        heading = f"# ltr compare\n\n{data_summary}.\n\n"
        write(options.markdown, heading + board.to_markdown())
    if options.latex:
        write(options.latex, board.to_latex())
    if options.json:
        document = {"data": data_summary, **board.to_dict()}
        write(options.json, json.dumps(document, indent=1))
    if options.report:
        page = comparison_report(
            full_board,
            metrics=metrics,
            what=data_summary,
            description=description,
            command=options.line,
        )
        write(options.report, page)
    return 0 if board.per_query else 2


def keep_programs() -> None:
    """Read and keep what JAX compiles for the rankers of this command."""
    try:
        compilation_cache()
    except OSError as error:
        print(
            f"! compiled programs are not kept: {error}. Set JAX_COMPILATION_CACHE_DIR "
            "to a folder that can be written.",
            file=sys.stderr,
        )


def _names(words: str) -> list[str]:
    """Names of rankers; another library stands for two, its defaults and good ones."""
    names: list[str] = []
    for word in words.split(","):
        name = word.strip()
        names += [name, f"{name}_good"] if name in PEERS else [name]
    return list(dict.fromkeys(names))


def positive(word: str) -> int:
    """Whole number ≥ 1 of the command line."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1; got {word!r}")
    return int(word)


def empty_value(word: str) -> str | int:
    """Value of ``empty`` for a word of the command line."""
    return word if word == "skip" else int(word)


def write(path: str, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def _folds(options: argparse.Namespace) -> tuple[list[Fold], str]:
    """Folds from DATA, ``--parts`` or ``--train``, and a summary of the data."""
    files = [options.train, options.valid, options.test]
    n_sources = bool(options.data) + bool(options.parts) + any(files)
    if n_sources > 1 or (any(files) and not (options.train and options.test)):
        raise ValueError(
            "pass one of DATA (split by query), --parts, or --train with --test, and "
            "with --valid if you have it."
        )
    if options.folds is not None and (options.parts or any(files)):
        raise ValueError("--folds splits DATA; drop it with --parts or --train.")
    n_folds = 5 if options.folds is None else options.folds
    if options.parts:
        parts = load_alike(options.parts, options)
        return part_folds(parts), _summary("parts " + " ".join(options.parts), *parts)
    if options.train:
        return _train_and_test(options)
    if options.data:
        data = load(options.data, options)
        name = " ".join(options.data)
    else:
        data = make_ranking(200, random_state=0)
        name = "generated data (pass files to use your own)"
    return query_folds(data, n_folds), _summary(name, data)


def _train_and_test(options: argparse.Namespace) -> tuple[list[Fold], str]:
    """The fold of ``--train``, ``--valid`` and ``--test``."""
    if options.valid:
        paths = [options.train, options.valid, options.test]
        train, valid, test = load_alike(paths, options)
        return [Fold(train, valid, test)], _summary(options.train, train, valid, test)
    both, test = load_alike([options.train, options.test], options)
    queries = group_queries(both.qid, len(both.y))
    n_valid = queries.n_lists // _VALIDATION_PART
    if n_valid == 0:
        raise ValueError(
            f"without --valid, --train must have at least {_VALIDATION_PART} queries, "
            f"a fifth of which validate; {options.train} has {queries.n_lists}. Pass "
            "--valid."
        )
    drawn = np.random.default_rng(0).permutation(queries.n_lists)
    valid, train = (
        both.take(queries.subset(np.sort(part)))
        for part in (drawn[:n_valid], drawn[n_valid:])
    )
    summary = _summary(options.train, both, test)
    split = f"{n_valid} of {queries.n_lists} training queries validate (no --valid)"
    return [Fold(train, valid, test)], f"{summary}; {split}"


def _summary(name: str, *data: RankingData) -> str:
    n_queries = sum(part.n_queries for part in data)
    n_rows, n_features = sum(len(part.y) for part in data), data[0].X.shape[1]
    return f"{name}: {n_queries} queries, {n_rows} rows, {n_features} features"
