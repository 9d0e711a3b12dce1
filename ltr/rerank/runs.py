"""Reranking the head of every query of a run."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Literal, NamedTuple

import pandas as pd

from ltr.arguments import ArgumentError, abridged, check_choice, check_flag, check_whole
from ltr.datasets import read_run
from ltr.progress import ProgressLine
from ltr.rerank.answers import repaired
from ltr.rerank.cache import SCOPE, QueryScope, RunScope
from ltr.rerank.results import Reranking

Rerank = Callable[[Any, list[Any]], Any]
COUNTS = ("n_calls", "cost", "n_rounds", "n_hits", "n_failed", "seconds", "is_complete")


class Head(NamedTuple):
    """What reranking the head of a query came to.

    Attributes
    ----------
    ids : list
        The head, reordered.
    reranking : Reranking or None
        None if ``rerank`` returned ids, or raised.
    error : Exception or None
        What it raised.
    """

    ids: list[Any]
    reranking: Reranking | None
    error: Exception | None


def rerank_run(
    run: pd.DataFrame | Mapping[Any, Mapping[Any, float]] | str | os.PathLike[str],
    rerank: Rerank,
    *,
    depth: int = 100,
    n_jobs: int = 1,
    on_error: Literal["raise", "keep"] = "raise",
    progress: bool | Callable[[int, int], Any] = False,
) -> pd.DataFrame:
    """Rerank the first documents of every query of a run.

    Parameters
    ----------
    run : run
        As :func:`ltr.datasets.read_run` takes it. Equal scores are ordered by
        descending document id, as by trec_eval.
    rerank : callable
        ``rerank(qid, ids)`` for the head of each query, best first. Returns a
        :class:`~ltr.rerank.Reranking` or ids, which are repaired. A file given as
        ``Calls(cache=path)`` keeps queries apart, so that all may share it.
    depth : int, default=100
        Documents to rerank of each query. The others follow in their order.
    n_jobs : int, default=1
        Queries at a time, in threads. Times ``Calls.max_concurrency``, it bounds the
        calls at a time.
    on_error : {"raise", "keep"}, default="raise"
        Whether an exception of ``rerank`` is raised, or the query keeps its order and
        the result is warned about.
    progress : bool or callable, default=False
        Whether to write progress lines, or ``progress(n_done, n_queries)``.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` and ``score``, best first within each query. Scores
        are −rank, since those of a judge and those of the tail are on different scales.
        ``run.attrs["calls"]`` is a list with a dict for each query: ``qid``,
        ``n_calls``, ``cost``, ``n_rounds``, ``n_hits``, ``n_failed``, ``seconds``,
        ``is_complete``.

    Warns
    -----
    UserWarning
        If queries keep their order because ``rerank`` raised.

    Examples
    --------
    >>> from ltr.rerank import rerank_run, setwise_rerank
    >>> first_stage = {"q1": {"d1": 3.0, "d2": 2.0, "d3": 1.0}}
    >>> run = rerank_run(
    ...     first_stage, lambda qid, ids: setwise_rerank(ids, max, k=1), depth=2
    ... )
    >>> run["docid"].tolist(), run["score"].tolist()
    (['d2', 'd1', 'd3'], [-1.0, -2.0, -3.0])
    >>> run.attrs["calls"][0]["n_calls"]
    1
    """
    reranked, _ = rerank_heads(
        run, rerank, depth=depth, n_jobs=n_jobs, on_error=on_error, progress=progress
    )
    return reranked


def rerank_heads(
    run: Any,
    rerank: Rerank,
    *,
    depth: int,
    n_jobs: int,
    on_error: str,
    progress: bool | Callable[[int, int], Any],
) -> tuple[pd.DataFrame, dict[Any, Head]]:
    """The run of :func:`rerank_run`, and what it came to for each query.

    Parameters
    ----------
    run, rerank, depth, n_jobs, on_error, progress
        As for :func:`rerank_run`.

    Returns
    -------
    run : DataFrame
    heads : dict
        Head by qid.
    """
    check_whole("depth", depth, low=1)
    check_whole("n_jobs", n_jobs, low=1)
    check_choice("on_error", on_error, ("raise", "keep"))
    if not callable(rerank):
        raise ArgumentError(f"rerank must be a function; got {abridged(rerank)}.")
    if not callable(progress):
        check_flag("progress", progress)
    lists = first_stage_of(run)
    heads = _heads(lists, rerank, depth, n_jobs, on_error, progress)
    docids = {qid: [*heads[qid].ids, *docs[depth:]] for qid, docs in lists.items()}
    table = pd.DataFrame(
        {
            "qid": [qid for qid, docs in docids.items() for _ in docs],
            "docid": [doc for docs in docids.values() for doc in docs],
            "score": [
                -float(rank)
                for docs in docids.values()
                for rank in range(1, len(docs) + 1)
            ],
        }
    )
    table.attrs["calls"] = [
        {
            "qid": qid,
            **{name: getattr(head.reranking, name, None) for name in COUNTS},
        }
        for qid, head in heads.items()
    ]
    _warn_of_errors(heads)
    return table, heads


def first_stage_of(run: Any) -> dict[Any, list[Any]]:
    """Documents of each query, best first.

    Parameters
    ----------
    run : run
        As :func:`ltr.datasets.read_run` takes it.

    Returns
    -------
    lists : dict
        Document ids by qid; equal scores by descending id.
    """
    table = read_run(run)
    lists: dict[Any, list[Any]] = {qid: [] for qid in table["qid"].drop_duplicates()}
    table = table.sort_values(["score", "docid"], ascending=False, kind="stable")
    for qid, docid in zip(table["qid"], table["docid"], strict=True):
        lists[qid].append(docid)
    return lists


def _heads(
    lists: dict[Any, list[Any]],
    rerank: Rerank,
    depth: int,
    n_jobs: int,
    on_error: str,
    progress: bool | Callable[[int, int], Any],
) -> dict[Any, Head]:
    line = ProgressLine() if progress is True else None
    heads: dict[Any, Head] = {}

    def report() -> None:
        if line is not None:
            line(
                lambda: f"query {len(heads)}/{len(lists)}",
                last=len(heads) == len(lists),
            )
        elif callable(progress):
            progress(len(heads), len(lists))

    scope = RunScope()
    requests = [(copy_context(), qid, docs[:depth]) for qid, docs in lists.items()]
    work = lambda request: request[0].run(_head, rerank, scope, *request[1:], on_error)
    try:
        with ThreadPoolExecutor(n_jobs, thread_name_prefix="rerank") as pool:
            head_of = pool.map if n_jobs > 1 else map
            for qid, head in zip(lists, head_of(work, requests), strict=True):
                heads[qid] = head
                report()
    finally:
        scope.close()
    return heads


def _head(
    rerank: Rerank, scope: RunScope, qid: Any, ids: list[Any], on_error: str
) -> Head:
    SCOPE.set(QueryScope(qid, scope))
    try:
        result = rerank(qid, list(ids))
        if isinstance(result, Reranking):
            ranking, reranking = result.ids, result
        else:
            ranking, reranking = result, None
        order, _ = repaired(ranking, ids, "the result of rerank")
    except Exception as error:
        if on_error == "raise":
            error.add_note(f"query {qid!r}")
            raise
        return Head(ids, None, error)
    return Head([ids[place] for place in order], reranking, None)


def _warn_of_errors(heads: Mapping[Any, Head]) -> None:
    errors: Sequence[tuple[Any, Exception]] = [
        (qid, head.error) for qid, head in heads.items() if head.error is not None
    ]
    if errors:
        qid, error = errors[0]
        warnings.warn(
            f"rerank raised for {len(errors)} of {len(heads)} queries, which keep "
            f"their order; the first, {qid!r}: {type(error).__name__}: {error}.",
            UserWarning,
            stacklevel=4,
        )
