"""Orders of a few items at a time: windows that slide from the tail to the head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import combinations, pairwise
from typing import Any, Literal

import numpy as np

from ltr.arguments import ArgumentError, abridged, check_choice, check_whole
from ltr.rerank.answers import repaired
from ltr.rerank.calls import PLAIN_CALLS, Calls, Question, check_top, distinct_ids
from ltr.rerank.certificates import warn_of_contradictions
from ltr.rerank.closure import Closure, open_items
from ltr.rerank.judging import judge
from ltr.rerank.protocol import BudgetSpent, Driver, Kind, Reading, Verdict
from ltr.rerank.results import Reranking


def listwise_rerank(
    ids: Iterable[Any],
    order: Callable[..., Any],
    *,
    k: int = 10,
    method: Literal["windows", "tournament"] = "windows",
    window: int | None = 20,
    step: int = 10,
    passes: int | Literal["stable"] = 1,
    depth: int | None = None,
    parse: Callable[[Any, tuple[Any, ...]], Any] | None = None,
    calls: Calls = PLAIN_CALLS,
    extra: Mapping[Any, Any] | None = None,
) -> Reranking:
    """Order items by asking for the order of a window at a time.

    Parameters
    ----------
    ids : sequence of hashables
        Distinct ids, in the order of the first stage.
    order : callable
        ``order(ids)``: the ids, best first, or a text for ``parse``; None: no
        preference. Unknown and repeated ids are dropped, and missing ones follow in the
        order of the question; ``repairs`` counts them.
    k : int, default=10
        Places asked for; more than there are means all.
    method : {"windows", "tournament"}, default="windows"
        "windows": windows slide from the tail to the head, as in RankGPT. The head is
        always in the last one: of 25 items with windows of 20, places 5–25 and then
        0–15. "tournament": asks about the items that can still belong to the top k,
        until the chains of answers prove which do. It takes the fewest calls if the
        judge hardly ever contradicts itself: the top 10 of 100 with 6 windows of 20.
        A judge that errs often misleads it, which is warned about.
    window : int, default=20
        Items in a call. None: all of them in one call.
    step : int, default=10
        How far a window is from the next, at most ``window``. With windows of w, a pass
        carries w − step items from the tail to the head.
    passes : int or "stable", default=1
        How often the windows slide; windows seen before are answered from memory.
        "stable": until a pass changes nothing, which sorts all items if the judge is
        consistent.
    depth : int, default=None
        Reorder only the first ``depth`` items. None: all.
    parse : callable, default=None
        ``parse(answer, ids)`` turns an answer into ids, such as
        :func:`~ltr.rerank.parse_ranking`. None: answers are ids.
    calls : Calls, default=Calls()
        How the judge is called: budget, cache, retries, threads.
    extra : mapping, default=None
        By id, such as ``{id: {"score": …, "rank": …}}`` of the first stage; passed on
        as keyword ``extra``, restricted to the ids of the window.

    Returns
    -------
    reranking : Reranking

    Raises
    ------
    ArgumentError
        If ids repeat, an option is out of range, or an answer is no ranking at all;
        with ``Calls(strict=True)``, also if it would have to be repaired.

    References
    ----------
    .. [1] W. Sun et al., "Is ChatGPT good at search? Investigating large language
       models as re-ranking agents", EMNLP 2023.
    .. [2] W. Liu et al., "Sliding windows are not the end: Exploring full ranking with
       long-context large language models", 2024, for ``window=None`` and several
       passes.
    .. [3] "InsertRank: LLMs can reason over BM25 scores to improve listwise reranking",
       2025, for ``extra``.

    Examples
    --------
    >>> from ltr.rerank import listwise_rerank, parse_ranking
    >>> first_stage = [5, 2, 7, 0, 3, 6, 1, 4]
    >>> reranking = listwise_rerank(first_stage, sorted, k=3, window=4, step=2)
    >>> reranking.ids, reranking.n_calls
    ([0, 1, 2, 5, 3, 7, 4, 6], 3)

    A judge that answers in words:

    >>> reranking = listwise_rerank(
    ...     ["a", "b", "c"], lambda ids: "[3] > [1]", parse=parse_ranking
    ... )
    >>> reranking.ids, reranking.repairs.missing
    (['c', 'a', 'b'], 1)
    """
    check_choice("method", method, ("windows", "tournament"))
    check_whole("window", window, low=2, optional=True)
    if passes != "stable":
        check_whole("passes", passes, low=1)
    check_whole("depth", depth, low=1, optional=True)
    entries = distinct_ids(ids)
    n, top = len(entries), check_top(k, len(entries))
    n_moving = n if depth is None else min(depth, n)
    width = max(n_moving, 2) if window is None else window
    if method == "windows":
        stride = width if window is None else check_step(step, width)
        driver = _sliding(n, n_moving, width, stride, passes)
    else:
        driver = _tournament(n, n_moving, top, width)
    is_fixed = method == "windows" and passes != "stable"
    reranking = judge(
        driver,
        order,
        _kind(parse),
        entries,
        k=top,
        method=method,
        calls=calls,
        extra=extra,
        most=len(windows(n_moving, width, stride)) * int(passes) if is_fixed else None,
    )
    if method == "tournament":
        warn_of_contradictions(
            reranking, "Use method='windows', or pairwise_rerank(method='verified')."
        )
    return reranking


def check_step(step: Any, window: int) -> int:
    """The step of sliding windows.

    Parameters
    ----------
    step : int
        How far a window is from the next.
    window : int
        Items of a window.

    Returns
    -------
    step : int

    Raises
    ------
    ArgumentError
        If windows would not move, or would skip items.
    """
    check_whole("step", step)
    if not 1 <= step <= window:
        reason = (
            "A step of 0 never moves."
            if step == 0
            else "A negative step moves away from the head."
            if step < 0
            else "A longer step skips items."
        )
        raise ArgumentError(
            f"step must be from 1 to window={window}; got {step}. {reason}"
        )
    return int(step)


def windows(n: int, window: int, step: int) -> list[tuple[int, int]]:
    """Places of sliding windows, from the tail to the head.

    Parameters
    ----------
    n : int
        Number of items.
    window : int
        Items of a window.
    step : int
        How far a window is from the next.

    Returns
    -------
    windows : list of (int, int)
        First place, and the place behind the last. The last window begins at 0, and is
        the shorter, not the further back, for it.

    Examples
    --------
    >>> windows(25, 20, 10)
    [(5, 25), (0, 15)]
    """
    spans = []
    end = n
    while n:
        start = max(0, end - window)
        spans.append((start, end))
        if start == 0:
            break
        end -= step
    return spans


def _sliding(
    n: int, n_moving: int, window: int, step: int, passes: int | Literal["stable"]
) -> Driver:
    order = list(range(n))
    spans = [(i, j) for i, j in windows(n_moving, window, step) if j - i > 1]
    # a pass settles window − step places at the head, if the judge is consistent; more
    # passes than that only serve a judge that contradicts itself
    n_settled = max(1, window - step)
    n_passes = -(-n // n_settled) + 1 if passes == "stable" else passes
    with suppress(BudgetSpent):  # then the best order known
        for _ in range(n_passes):
            before = list(order)
            for start, end in spans:
                (answer,) = yield [tuple(order[start:end])]
                if answer is not None:
                    order[start:end] = answer
            if order == before:
                break
    return Verdict(order)


def _tournament(n: int, n_moving: int, k: int, size: int) -> Driver:
    """Order sets of open candidates until the closure of answers implies the top k."""
    closure = Closure(n_moving)
    gains = np.zeros((n_moving, n_moving))
    with suppress(BudgetSpent):  # then the best order known
        while items := open_items(closure, min(k, n_moving), size):
            (answer,) = yield [tuple(items)]
            # without an answer the first stage decides, which closes the question too
            for better, worse in pairwise(sorted(items) if answer is None else answer):
                closure.add(better, worse)
            for better, worse in combinations(answer or (), 2):
                gains[better, worse] += 1.0
    return Verdict([*closure.best_order(gains), *range(n_moving, n)])


def _kind(parse: Callable[[Any, tuple[Any, ...]], Any] | None) -> Kind:
    def read(raw: Any, items: Question, ids: Question, strict: bool) -> Reading:
        if raw is None:
            return Reading(None, None)
        if parse is None:
            ranking, repairs = repaired(
                raw, ids, "order's answer", "Pass parse=parse_ranking to read it."
            )
        else:
            ranking, repairs = repaired(parse(raw, ids), ids, "parse's answer")
        unknown, repeated, missing, _ = repairs
        if strict and any(repairs):
            raise ArgumentError(
                "order must return all ids that it was given, each once; got "
                f"{unknown} unknown, {repeated} repeated and {missing} missing "
                f"for {abridged(ids)}."
            )
        if missing == len(ids):  # it named none: no answer
            return Reading(None, None, unknown, repeated, missing)
        return Reading(
            tuple([items[place] for place in ranking]),
            tuple([ids[place] for place in ranking]),
            unknown,
            repeated,
            missing,
        )

    return Kind("listwise", "order", read)
