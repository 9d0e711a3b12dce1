"""One item after the other, each picked in view of those picked before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from ltr.arguments import ArgumentError, abridged
from ltr.rerank.answers import place_of
from ltr.rerank.calls import PLAIN_CALLS, Calls, Question, check_top, distinct_ids
from ltr.rerank.judging import judge
from ltr.rerank.protocol import BudgetSpent, Driver, Kind, Reading, Verdict
from ltr.rerank.results import Reranking

ENOUGH = -1


def sequential_rerank(
    ids: Iterable[Any],
    pick: Callable[..., Any],
    *,
    k: int | None = None,
    calls: Calls = PLAIN_CALLS,
    extra: Mapping[Any, Any] | None = None,
) -> Reranking:
    """Pick the next item in view of those picked before, until the judge has enough.

    For evidence that only makes sense together: the second hop of a question depends on
    the first, and a proof ends when it is complete.

    Parameters
    ----------
    ids : sequence of hashables
        Distinct ids, in the order of the first stage.
    pick : callable
        ``pick(chosen, rest)``, two tuples of ids: the next id of ``rest``, or None if
        ``chosen`` is enough.
    k : int, default=None
        Most items to pick. None: all.
    calls : Calls, default=Calls()
        How the judge is called: budget, cache, retries.
    extra : mapping, default=None
        By id; passed on as keyword ``extra``, restricted to the ids of the question.

    Returns
    -------
    reranking : Reranking
        The items picked, and then the others in first-stage order; ``k`` is the number
        of those picked. One call is a round.

    Raises
    ------
    ArgumentError
        If ids repeat, or, with ``Calls(strict=True)``, if the answer is not an id of
        ``rest``; otherwise the first of ``rest`` is taken, and ``repairs`` counts it.

    References
    ----------
    .. [1] R. Aly & A. Vlachos, "Natural logic-guided autoregressive multi-hop document
       retrieval for fact verification", EMNLP 2022.

    Examples
    --------
    >>> from ltr.rerank import sequential_rerank
    >>> follows = {(): "c", ("c",): "a"}
    >>> reranking = sequential_rerank(
    ...     ["a", "b", "c"], lambda chosen, rest: follows.get(chosen)
    ... )
    >>> reranking.ids, reranking.k, reranking.n_calls
    (['c', 'a', 'b'], 2, 3)
    """
    entries = distinct_ids(ids)
    n_most = check_top(k, len(entries))
    return judge(
        _picks(len(entries), n_most),
        pick,
        SEQUENTIAL,
        entries,
        k=n_most,
        method="sequential",
        calls=calls,
        extra=extra,
        most=n_most,
    )


def _picks(n: int, n_most: int) -> Driver:
    picked: list[int] = []
    remaining = list(range(n))
    with suppress(BudgetSpent):  # then the best order known
        while len(picked) < n_most:
            (item,) = yield [(tuple(picked), tuple(remaining))]
            if item == ENOUGH:
                break
            if item is None:  # the call failed, or the budget is spent
                item = remaining[0]
            picked.append(item)
            remaining.remove(item)
    return Verdict([*picked, *remaining], k=len(picked))


def _read(raw: Any, items: Question, ids: Question, strict: bool) -> Reading:
    if raw is None:
        return Reading(ENOUGH, ...)
    picked, remaining = ids
    place = place_of(raw, {entry: place for place, entry in enumerate(remaining)})
    if place is not None:
        return Reading(items[1][place], remaining[place])
    if strict:
        raise ArgumentError(
            "pick must return one of rest, or None; got "
            f"{abridged(raw)} for {abridged(remaining)}."
        )
    is_repeated = place_of(raw, dict.fromkeys(picked, 0)) is not None
    return Reading(
        items[1][0], remaining[0], unknown=not is_repeated, repeated=int(is_repeated)
    )


SEQUENTIAL = Kind("sequential", "pick", _read, is_spread=True, is_nested=True)
