"""How a judge is called, and the checks that all drivers share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ltr.arguments import (
    ArgumentError,
    abridged,
    check_choice,
    check_flag,
    check_number,
    check_seed,
    check_whole,
    plain,
)

Question = tuple[Any, ...]


@dataclass(frozen=True)
class Calls:
    """How a judge is called, and what the calls may cost.

    Parameters
    ----------
    budget : float, default=None
        Most that all calls may cost, attempts that fail included; both orders of a pair
        are two calls. A round that does not fit is cut to its first questions. None: no
        limit; 0: the order of the first stage.
    cost : callable, default=None
        ``cost(question)``, ≥ 0, from the tuple of ids, such as the number of tokens.
        None: 1 a call.
    cache : mutable mapping or path-like, default=None
        Where answers are looked up and stored. A path is a file of JSON lines, flushed
        answer by answer: after a crash, the same path again repeats no call. The key is
        the kind of driver and the whole question, and inside
        :func:`~ltr.rerank.rerank_run` the query, so that one file serves a whole run;
        elsewhere give each query its own.
    batched : bool, default=False
        Whether the judge takes a list of questions (tuples of ids) and returns a list
        of answers, exceptions among them: one call for each round. ``extra`` is then a
        list, too.
    max_concurrency : int, default=1
        Most calls at a time: in threads, or awaited if the judge is ``async def``.
    retries : int, default=0
        How often a call is repeated that raises, or whose answer cannot be read.
    on_failure : {"raise", "keep"}, default="raise"
        "keep": a question whose call fails has no answer, and its items keep the order
        of the first stage; the result is warned about and counts it in ``n_failed``.
    strict : bool, default=False
        Whether a malformed answer is a failure instead of being repaired.
    progress : bool or callable, default=False
        Whether to write progress lines, or ``progress(n_calls, most)``, where ``most``
        is the most calls that can be needed (None: unknown).

    Examples
    --------
    >>> from ltr.rerank import pointwise_rerank
    >>> reranking = pointwise_rerank(
    ...     ["b", "c", "a"], lambda id: -ord(id), calls=Calls(budget=2)
    ... )
    >>> reranking.n_calls, reranking.is_complete
    (2, False)
    """

    budget: float | None = None
    cost: Callable[[Question], float] | None = None
    cache: MutableMapping[Any, Any] | os.PathLike[str] | str | None = None
    batched: bool = False
    max_concurrency: int = 1
    retries: int = 0
    on_failure: Literal["raise", "keep"] = "raise"
    strict: bool = False
    progress: bool | Callable[[int, int | None], Any] = False

    def __post_init__(self) -> None:
        check_number("budget", self.budget, low=0.0, optional=True)
        check_flag("batched", self.batched)
        check_whole("max_concurrency", self.max_concurrency, low=1)
        check_whole("retries", self.retries, low=0)
        check_choice("on_failure", self.on_failure, ("raise", "keep"))
        check_flag("strict", self.strict)
        if self.cost is not None and not callable(self.cost):
            raise ArgumentError(
                f"cost must be a function of a question, or None; "
                f"got {abridged(self.cost)}."
            )
        if not isinstance(self.cache, (MutableMapping, os.PathLike, str, type(None))):
            raise ArgumentError(
                "cache must be a path, a mutable mapping, or None; got "
                f"{abridged(self.cache)}."
            )
        if not callable(self.progress):
            check_flag("progress", self.progress)


PLAIN_CALLS = Calls()


def distinct_ids(ids: Iterable[Any]) -> list[Any]:
    """The ids of a first stage as a list.

    Parameters
    ----------
    ids : iterable
        Distinct hashables, best first.

    Returns
    -------
    ids : list

    Raises
    ------
    ArgumentError
        If they are not distinct.
    """
    is_flat = isinstance(ids, Iterable) and getattr(ids, "ndim", 1) == 1
    if isinstance(ids, (str, bytes, Mapping)) or not is_flat:
        raise ArgumentError(
            f"ids must be a sequence of ids, best first; got {abridged(ids)}."
        )
    entries = [plain(entry) for entry in ids]
    places: dict[Any, int] = {}
    for place, entry in enumerate(entries):
        try:
            first = places.setdefault(entry, place)
        except TypeError:
            raise ArgumentError(
                f"ids must be hashable; got {abridged(entry)} at {place}."
            ) from None
        if first != place:
            raise ArgumentError(
                f"ids must be distinct; got {entry!r} at {first} and {place}. Drop one."
            )
    return entries


def check_top(k: Any, n_items: int) -> int:
    """How many places are asked for.

    Parameters
    ----------
    k : int or None
        Places; None: all.
    n_items : int
        Number of items; a greater ``k`` means all.

    Returns
    -------
    k : int
    """
    if k is None:
        return n_items
    if isinstance(k, (int, np.integer)) and not isinstance(k, bool) and k < 1:
        raise ArgumentError(f"k must be >= 1; got {int(k)}.")
    return min(check_whole("k", k, low=1), n_items)


def generator_of(random_state: Any) -> np.random.Generator:
    """The random numbers of a seed.

    Parameters
    ----------
    random_state : int, Generator, RandomState or None
        None: others each time.

    Returns
    -------
    rng : Generator
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    check_seed("random_state", random_state)
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31))
    return np.random.default_rng(random_state)
