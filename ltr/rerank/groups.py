"""Scores given to groups of items, in several shuffled partitions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ltr.arguments import ArgumentError, abridged, check_whole
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
from ltr.rerank.pointwise import by_score, read_number
from ltr.rerank.protocol import Driver, Kind, Reading, Verdict
from ltr.rerank.results import Reranking


def groupwise_rerank(
    ids: Iterable[Any],
    score: Callable[..., Any],
    *,
    size: int = 20,
    repeats: int = 2,
    k: int | None = None,
    calls: Calls = PLAIN_CALLS,
    extra: Mapping[Any, Any] | None = None,
    random_state: int | np.random.Generator | None = 0,
) -> Reranking:
    """Score items in groups, and order them by their mean score.

    A judge that sees a group scores on one scale; shuffled groups make the scales of
    different groups comparable. All groups of all repeats are one round.

    Parameters
    ----------
    ids : sequence of hashables
        Distinct ids, in the order of the first stage, which breaks ties.
    score : callable
        ``score(ids)``: one number for each, or ``{id: number}``; NaN or None: none.
    size : int, default=20
        Most items in a group. Groups of a repeat differ by at most one item.
    repeats : int, default=2
        How often all items are shuffled and scored: n / size calls each time, rounded
        up.
    k : int, default=None
        Places asked for. All items are scored and ordered, whatever it is.
    calls : Calls, default=Calls()
        How the judge is called: budget, cache, retries, threads.
    extra : mapping, default=None
        By id; passed on as keyword ``extra``, restricted to the ids of the group.
    random_state : int, Generator or None, default=0
        Of the shuffles. None: others each time, which no cache answers.

    Returns
    -------
    reranking : Reranking
        Items that no answer scored follow all others; their ``scores`` are NaN.

    Raises
    ------
    ArgumentError
        If ids repeat, or an answer is neither one number an id nor a mapping.

    References
    ----------
    .. [1] "GroupRank: A groupwise reranking paradigm driven by reinforcement learning",
       2025.
    .. [2] S. Agarwal et al., "LitLLMs, LLMs for literature review: Are we there yet?",
       2024: batches of ten with a probability for each paper.

    Examples
    --------
    >>> from ltr.rerank import groupwise_rerank
    >>> def score(ids):
    ...     return [len(id) for id in ids]
    >>> reranking = groupwise_rerank(["a", "bbb", "cc"], score, size=2)
    >>> reranking.ids, reranking.n_calls, reranking.n_rounds
    (['bbb', 'cc', 'a'], 4, 1)
    """
    check_whole("size", size, low=1)
    check_whole("repeats", repeats, low=1)
    entries = distinct_ids(ids)
    n = len(entries)
    return judge(
        _groups(n, size, repeats, generator_of(random_state)),
        score,
        GROUPWISE,
        entries,
        k=check_top(k, n),
        method="groups",
        calls=calls,
        extra=extra,
        most=repeats * math.ceil(n / size),
    )


def _groups(n: int, size: int, repeats: int, rng: np.random.Generator) -> Driver:
    groups = [
        tuple(int(item) for item in group)
        for _ in range(repeats)
        for group in np.array_split(rng.permutation(n), math.ceil(n / size) or 1)
        if group.size
    ]
    answers = yield groups
    totals, counts = np.zeros(n), np.zeros(n)
    for group, scores in zip(groups, answers, strict=True):
        for item, number in zip(group, scores or (), strict=False):
            if not math.isnan(number):
                totals[item] += number
                counts[item] += 1
    means = np.divide(totals, counts, out=np.full(n, np.nan), where=counts > 0)
    n_scored = int((counts > 0).sum())
    is_constant = n_scored > 1 and np.unique(means[counts > 0]).size == 1
    n_answers = sum(scores is not None for scores in answers) if is_constant else None
    return Verdict(by_score(means), means, n_undecided=n_answers, n_decisions=n_answers)


def _read(raw: Any, items: Question, ids: Question, strict: bool) -> Reading:
    if raw is None:
        return Reading(None, None)
    if isinstance(raw, Mapping):
        return _read_mapping(raw, ids, strict)
    is_sequence = hasattr(raw, "__len__") and hasattr(raw, "__iter__")
    if not is_sequence or isinstance(raw, (str, bytes, set)) or len(raw) != len(ids):
        content = f"{len(raw)}" if is_sequence else abridged(raw)
        raise ArgumentError(
            f"score must return one number for each of the {len(ids)} ids, or "
            f"{{id: number}}; got {content} for {abridged(ids)}."
        )
    numbers = tuple(read_number(number, "score", ids) for number in raw)
    return Reading(numbers, numbers)


def _read_mapping(raw: Mapping[Any, Any], ids: Question, strict: bool) -> Reading:
    places = {entry: place for place, entry in enumerate(ids)}
    numbers = [math.nan] * len(ids)
    is_missing = [True] * len(ids)
    unknown = 0
    for entry, number in raw.items():
        place = place_of(entry, places)
        if place is None:
            unknown += 1
            if strict:
                raise ArgumentError(
                    "score must score the ids that it was given; got "
                    f"{abridged(entry)} for {abridged(ids)}."
                )
        else:
            numbers[place] = read_number(number, "score", ids)
            is_missing[place] = False
    missing = sum(is_missing)
    if strict and missing:
        raise ArgumentError(
            f"score must score all ids that it was given; got none for "
            f"{ids[is_missing.index(True)]!r}."
        )
    return Reading(tuple(numbers), tuple(numbers), unknown=unknown, missing=missing)


GROUPWISE = Kind("groupwise", "score", _read)
