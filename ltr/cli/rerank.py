"""The command ``ltr rerank``: rerank a run by a judge, and say what it cost."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from ltr import rerank
from ltr.datasets import read_qrels, read_run, write_run
from ltr.files import check_target
from ltr.metrics import compare_runs
from ltr.rerank import Calls
from ltr.rerank.runs import Head, rerank_heads

# arguments of the judge of each driver
ARGUMENTS = {
    "pairwise": ("qid", "a", "b"),
    "setwise": ("qid", "ids"),
    "listwise": ("qid", "ids"),
    "groupwise": ("qid", "ids"),
    "pointwise": ("qid", "id"),
    "sequential": ("qid", "chosen", "rest"),
}
# options of each driver besides k
DRIVERS: dict[str, tuple[str, ...]] = {
    "pairwise": ("method", "both_orders", "span"),
    "setwise": ("method", "size"),
    "listwise": ("method", "window", "step", "passes"),
    "groupwise": ("size", "repeats"),
    "pointwise": (),
    "sequential": (),
}
Grade = Callable[[Any], float]


def add_rerank_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ltr rerank`` to a parser.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of the command.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_rerank_options(parser)
    >>> parser.parse_args(["bm25.run", "--judge", "judges:compare"]).depth
    100
    """
    parser.add_argument("run_file", metavar="RUN", help="TREC run file, .jsonl or .tsv")
    parser.add_argument(
        "--judge",
        metavar="MODULE:FUNCTION",
        help="a Python function of the query's id and the question of the driver, such "
        "as compare(qid, a, b), plain or async; the working directory is searched too",
    )
    parser.add_argument(
        "--judge-qrels",
        metavar="QRELS",
        help="answer by these judgments instead: what a perfect judge could reach",
    )
    parser.add_argument(
        "--driver",
        default="pairwise",
        choices=list(DRIVERS),
        help="what the judge is asked: compare(qid, a, b), best(qid, ids), order(qid, "
        "ids), score(qid, ids), score(qid, id) or pick(qid, chosen, rest); order may "
        "return a text such as '[2] > [1]'",
    )
    parser.add_argument(
        "--method", help="of the driver (default: that of its function)"
    )
    parser.add_argument("--k", type=int, default=10, help="places asked for")
    parser.add_argument("--depth", type=int, default=100, help="documents per query")
    group = parser.add_argument_group("options of some drivers")
    group.add_argument("--size", type=int, help="documents of a question")
    group.add_argument("--window", type=int, help="documents of a window")
    group.add_argument("--step", type=int, help="how far a window moves")
    group.add_argument("--passes", type=_passes, help="a number, or 'stable'")
    group.add_argument("--repeats", type=int, help="how often groups are formed")
    group.add_argument("--span", type=int, help="neighbors compared in each round")
    group.add_argument(
        "--one-order",
        dest="both_orders",
        action="store_false",
        default=None,
        help="ask about (a, b) alone, not about (b, a) too: half the calls",
    )
    group = parser.add_argument_group("calls")
    group.add_argument("--budget", type=float, help="most calls for each query")
    group.add_argument("--cache", help="file of answers, to resume from")
    group.add_argument(
        "--max-concurrency", type=int, default=1, help="most calls at a time"
    )
    group.add_argument("--retries", type=int, default=0, help="of calls that raise")
    group.add_argument(
        "--on-failure",
        choices=["raise", "keep"],
        default="raise",
        help="keep: the documents of a call that fails keep their order",
    )
    group = parser.add_argument_group("output")
    group.add_argument("--out", help="file for the reranked run (TREC, or .jsonl)")
    group.add_argument(
        "--report",
        help="file for the report per query (.csv; default: the screen): calls, and "
        "pairs that the answers compare, how many are against the order, the least "
        "that any order contradicts, whether chains of answers imply the top, and the "
        "margin: how many would have to be wrong for another document in the top",
    )
    group.add_argument("--qrels", help="judgments, to compare the two runs")
    group.add_argument(
        "--metrics", default="ndcg@10,map", help="metric names, comma-separated"
    )
    group.add_argument(
        "--encoding", default="utf-8", help="encoding of the files, such as latin-1"
    )
    parser.set_defaults(run=rerank_file)


def rerank_file(options: argparse.Namespace) -> int:
    """Run ``ltr rerank``.

    Parameters
    ----------
    options : Namespace
        With the options of :func:`add_rerank_options`.

    Returns
    -------
    status : int
        0.

    Raises
    ------
    ValueError
        If there is no judge, or an option does not apply to the driver.
    """
    if bool(options.judge) == bool(options.judge_qrels):
        raise ValueError("pass either --judge MODULE:FUNCTION or --judge-qrels QRELS.")
    for path in filter(None, (options.out, options.report)):
        check_target(path)
    function = getattr(rerank, f"{options.driver}_rerank")
    keywords = _keywords(options)
    judge_of = _judge_of(options)
    calls = Calls(
        budget=options.budget,
        cache=options.cache,
        max_concurrency=options.max_concurrency,
        retries=options.retries,
        on_failure=options.on_failure,
    )

    def rerank_query(qid: Any, ids: list[Any]) -> Any:
        return function(ids, judge_of(qid), calls=calls, **keywords)

    first_stage = read_run(options.run_file, encoding=options.encoding)
    run, heads = rerank_heads(
        first_stage,
        rerank_query,
        depth=options.depth,
        n_jobs=1,
        on_error="raise",
        progress=sys.stderr.isatty(),
    )
    report = report_of(heads)
    if options.out:
        write_run(run, options.out, tag=options.driver)
    if options.report:
        report.to_csv(options.report, index=False)
    else:
        sys.stdout.write(report.to_string(index=False, na_rep="-") + "\n")
    sys.stdout.write(_summary(report))
    if options.qrels:
        qrels = read_qrels(options.qrels, encoding=options.encoding)
        runs = {options.driver: run, options.run_file: first_stage}
        table = compare_runs(runs, qrels, options.metrics.split(","))
        sys.stdout.write(table.to_text())
    return 0


def report_of(heads: Mapping[Any, Head]) -> pd.DataFrame:
    """Calls, contradictions and margin of each query.

    Parameters
    ----------
    heads : mapping
        What reranking came to, by qid.

    Returns
    -------
    report : DataFrame
        A row for each query; see :class:`~ltr.rerank.Reranking` and
        :class:`~ltr.rerank.Certificate` for the columns.
    """
    rows = []
    for qid, head in heads.items():
        result = head.reranking
        assert result is not None
        row = {
            "qid": qid,
            "calls": result.n_calls,
            "rounds": result.n_rounds,
            "cached": result.n_hits,
            "failed": result.n_failed,
            "repaired": sum(result.repairs[:3]),
            "tied": result.repairs.tied,
            "complete": result.is_complete,
        }
        certificate = result.certificate
        if certificate is not None:
            row |= {
                "answers": certificate.n_answers,
                "against": certificate.n_against,
                "least": certificate.n_against_min,
                "implied": certificate.is_implied,
                "margin": certificate.margin,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _summary(report: pd.DataFrame) -> str:
    n_queries = len(report)
    text = (
        f"{report['calls'].sum()} calls for {n_queries} queries in "
        f"{report['rounds'].sum()} rounds"
    )
    if "answers" in report:
        n_implied = int(report["implied"].sum())
        text += (
            f"; {report['against'].sum()} of {report['answers'].sum()} answers are "
            f"contradicted; the answers imply the top of {n_implied} queries"
        )
    n_incomplete = n_queries - int(report["complete"].sum())
    if n_incomplete:
        text += f"; {n_incomplete} of {n_queries} queries ended early"
    return f"{text}\n"


def _keywords(options: argparse.Namespace) -> dict[str, Any]:
    """Options of the driver that were passed."""
    names = sorted({name for options in DRIVERS.values() for name in options})
    keywords = {name: getattr(options, name) for name in names}
    keywords = {name: value for name, value in keywords.items() if value is not None}
    for name in keywords:
        if name not in DRIVERS[options.driver]:
            option = "one-order" if name == "both_orders" else name
            raise ValueError(f"--{option} does not apply to --driver {options.driver}.")
    if options.driver == "listwise":
        keywords["parse"] = _ids_of
    return {"k": options.k, **keywords}


def _ids_of(answer: Any, ids: Sequence[Any]) -> Any:
    """The ids of an answer that may be the text of a language model."""
    return rerank.parse_ranking(answer, ids) if isinstance(answer, str) else answer


def _passes(word: str) -> int | str:
    return word if word == "stable" else int(word)


def _judge_of(options: argparse.Namespace) -> Callable[[Any], Callable[..., Any]]:
    """The judge of each query."""
    if options.judge:
        target = _load(options.judge)
        _check_arguments(options.judge, target, ARGUMENTS[options.driver])
        return partial(partial, target)
    qrels = read_qrels(options.judge_qrels, encoding=options.encoding)
    grades: dict[Any, dict[Any, float]] = {}
    for qid, docid, grade in zip(
        qrels["qid"], qrels["docid"], qrels.iloc[:, 2], strict=True
    ):
        grades.setdefault(qid, {})[docid] = float(grade)

    def judge_of(qid: Any) -> Callable[..., Any]:
        return _PERFECT[options.driver](
            lambda docid: grades.get(qid, {}).get(docid, 0.0)
        )

    return judge_of


def _load(name: str) -> Callable[..., Any]:
    """The function ``module:function``."""
    module_name, _, path = name.partition(":")
    if not (module_name and path):
        raise ValueError(f"--judge must be module:function; got {name!r}.")
    if module_name.endswith(".py"):
        raise ValueError(
            f"--judge {name}: pass the module without .py: "
            f"{module_name.removesuffix('.py')}:{path}."
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        target: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.partition(".")[0]:
            raise
        raise ValueError(
            f"--judge {name}: there is no module {module_name!r} in the working "
            "directory, nor is one installed."
        ) from error
    for part in path.split("."):
        if not hasattr(target, part):
            raise ValueError(f"--judge {name}: {module_name} has no {path!r}.")
        target = getattr(target, part)
    if not callable(target):
        raise ValueError(f"--judge {name}: it is no function; got {target!r}.")
    return target


def _check_arguments(
    name: str, judge: Callable[..., Any], arguments: tuple[str, ...]
) -> None:
    """The most frequent slip: a judge without the query's id."""
    try:
        signature = inspect.signature(judge)
    except (TypeError, ValueError):  # of a builtin: none
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        raise ValueError(
            f"--judge {name}: it must take ({', '.join(arguments)}); got a function of "
            f"{signature}."
        ) from None


def _comparing(grade: Grade) -> Callable[[Any, Any], bool | None]:
    def compare(a: Any, b: Any) -> bool | None:
        return None if grade(a) == grade(b) else grade(a) > grade(b)

    return compare


def _picking(grade: Grade) -> Callable[[Any, Any], Any]:
    def pick(_: Any, rest: Any) -> Any:
        best = max(rest, key=grade)
        return best if grade(best) > 0 else None

    return pick


_PERFECT: dict[str, Callable[[Grade], Callable[..., Any]]] = {
    "pairwise": _comparing,
    "setwise": lambda grade: partial(max, key=grade),
    "listwise": lambda grade: partial(sorted, key=lambda docid: -grade(docid)),
    "groupwise": lambda grade: lambda ids: [grade(docid) for docid in ids],
    "pointwise": lambda grade: grade,
    "sequential": _picking,
}
