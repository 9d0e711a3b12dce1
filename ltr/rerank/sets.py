"""The best of a few items at a time: heaps with many children, and passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import suppress
from typing import Any, Literal

import numpy as np

from ltr.arguments import ArgumentError, abridged, check_choice, check_whole
from ltr.rerank.answers import place_of
from ltr.rerank.calls import (
    PLAIN_CALLS,
    Calls,
    Question,
    check_top,
    distinct_ids,
    generator_of,
)
from ltr.rerank.judging import judge
from ltr.rerank.protocol import BudgetSpent, Driver, Kind, Reading, Verdict
from ltr.rerank.results import Reranking

Best = Generator[list[Question], list[Any], int]  # returns the best item of a set


def setwise_rerank(
    ids: Iterable[Any],
    best: Callable[..., Any],
    *,
    k: int = 10,
    method: Literal["heap", "bubble"] = "heap",
    size: int = 4,
    votes: int = 1,
    calls: Calls = PLAIN_CALLS,
    extra: Mapping[Any, Any] | None = None,
    random_state: int | np.random.Generator | None = None,
) -> Reranking:
    """Find the top k by asking for the best of ``size`` items at a time.

    Parameters
    ----------
    ids : sequence of hashables
        Distinct ids, in the order of the first stage.
    best : callable
        ``best(ids)``: one of the ids, or None for no preference: the first stage then
        decides.
    k : int, default=10
        Places asked for; more than there are means all.
    method : {"heap", "bubble"}, default="heap"
        "heap": heap sort whose nodes have ``size`` − 1 children, stopped after k
        places. "bubble": k passes from the tail to the head, over sets that share an
        item.
    size : int, default=4
        Items in a call, at least 2. Large sets take fewer calls: of 100 items, the top
        10 take about 82 with 4 items and 23 with 20.
    votes : int, default=1
        How often a set is asked about, in orders shuffled differently; the item with
        most votes wins. The calls of a set are one round.
    calls : Calls, default=Calls()
        How the judge is called: budget, cache, retries, threads.
    extra : mapping, default=None
        By id; passed on as keyword ``extra``, restricted to the ids of the set.
    random_state : int, Generator or None, default=None
        Of the shuffles for ``votes``. None: the same as 0.

    Returns
    -------
    reranking : Reranking
        With "heap", the items after place k are in first-stage order.

    Raises
    ------
    ArgumentError
        If ids repeat, an option is out of range, or, with ``Calls(strict=True)``, an
        answer is not one of the ids; otherwise it is counted in ``repairs``, and the
        first item stands.

    References
    ----------
    .. [1] S. Zhuang et al., "A setwise approach for effective and highly efficient
       zero-shot ranking with large language models", SIGIR 2024.
    .. [2] S. Zhuang et al., "Rank-R1: Enhancing reasoning in LLM-based document
       rerankers via reinforcement learning", 2025, with sets of 20.

    Examples
    --------
    >>> from ltr.rerank import setwise_rerank
    >>> reranking = setwise_rerank([5, 2, 7, 0, 3, 6, 1, 4], min, k=3)
    >>> reranking.ids, reranking.n_calls
    ([0, 1, 2, 5, 7, 3, 6, 4], 7)
    """
    check_choice("method", method, ("heap", "bubble"))
    check_whole("size", size, low=2)
    check_whole("votes", votes, low=1)
    entries = distinct_ids(ids)
    n, top = len(entries), check_top(k, len(entries))
    rng = generator_of(0 if random_state is None else random_state)
    ballot = _Ballot(votes, rng)
    driver = (
        _heap(n, top, size, ballot)
        if method == "heap"
        else _bubble(n, top, size, ballot)
    )
    return judge(
        driver,
        best,
        SETWISE,
        entries,
        k=top,
        method=method,
        calls=calls,
        extra=extra,
    )


class _Ballot:
    """Ask for the best of a set, by the majority of some orders of it."""

    def __init__(self, votes: int, rng: np.random.Generator) -> None:
        self._votes, self._rng = votes, rng

    def best(self, items: Question, otherwise: int) -> Best:
        """The best item; ``otherwise`` if there is no answer."""
        if len(items) < 2:
            return items[0]
        shuffles = [
            tuple(int(item) for item in self._rng.permutation(items))
            for _ in range(self._votes - 1)
        ]
        answers = yield [items, *shuffles]
        counts = Counter(answer for answer in answers if answer is not None)
        if not counts:
            return otherwise
        most = max(counts.values())
        return min(item for item in items if counts[item] == most)


def _heap(n: int, k: int, size: int, ballot: _Ballot) -> Driver:
    """Heap sort with size − 1 children a node; the root is the best."""
    heap, n_children = list(range(n)), size - 1
    top: list[int] = []

    def sift(node: int) -> Generator[list[Question], list[Any], None]:
        while (first := n_children * node + 1) < len(heap):
            family = (heap[node], *heap[first : first + n_children])
            item = yield from ballot.best(family, min(family))
            if item == heap[node]:
                return
            child = first + family.index(item) - 1
            heap[node], heap[child] = heap[child], heap[node]
            node = child

    with suppress(BudgetSpent):  # then the best order known
        for node in range((n - 2) // n_children, -1, -1):
            yield from sift(node)
        while len(top) < k:
            top.append(heap[0])
            last = heap.pop()
            if heap and len(top) < k:
                heap[0] = last
                yield from sift(0)
    remaining = set(range(n)) - set(top)
    return Verdict([*top, *sorted(remaining)])


def _bubble(n: int, k: int, size: int, ballot: _Ballot) -> Driver:
    """The best of the last items moves to their front, and on to the next set."""
    order = list(range(n))
    with suppress(BudgetSpent):  # then the best order known
        for place in range(min(k, n - 1)):
            end = n
            while end - place > 1:
                start = max(place, end - size)
                item = yield from ballot.best(tuple(order[start:end]), order[start])
                order.remove(item)
                order.insert(start, item)
                end = start + 1
    return Verdict(order)


def _read(raw: Any, items: Question, ids: Question, strict: bool) -> Reading:
    if raw is None:
        return Reading(None, None)
    place = place_of(raw, {entry: place for place, entry in enumerate(ids)})
    if place is not None:
        return Reading(items[place], ids[place])
    if strict:
        raise ArgumentError(
            "best must return one of the ids that it was given; got "
            f"{abridged(raw)} for {ids!r}."
        )
    return Reading(None, None, unknown=1)


SETWISE = Kind("setwise", "best", _read)
