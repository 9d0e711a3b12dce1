"""What a driver is: a generator of rounds of questions.

A *driver* decides what to ask and knows nothing of how. It is a generator over item
indices, where item ``i`` stands at place ``i`` of the first stage::

    def driver(n, k):
        order = list(range(n))
        with suppress(BudgetSpent):  # then the best order known
            while ...:
                answers = yield [(0, 1), (2, 3)]  # a round: independent questions
                ...
        return Verdict(order)

A round is a list of questions, tuples of indices; what is sent back is the list of
their answers in the same order, in indices too. An answer is None if there is none: the
judge had no preference, the call failed (``on_failure="keep"``), or the budget did not
reach. A round that the budget cuts short is answered as far as it reaches, and
``BudgetSpent`` is raised at the next ``yield`` that needs a call. A question that was
asked before is answered from memory.

The loop of ``judging.py`` alone calls, caches, retries, counts, holds the budget and
writes the trace, so that a driver is plain, batched, threaded and ``async`` at once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ltr.rerank.calls import Question
from ltr.rerank.results import FloatArray


class BudgetSpent(Exception):
    """Raised in a driver: no further question is answered, return the best order."""


class Verdict(NamedTuple):
    """What a driver returns.

    Attributes
    ----------
    order : sequence of int
        All item indices, best first.
    scores : array of shape (n_items,), default=None
        Scores by item index.
    n_tied : int, default=0
        For ``Repairs.tied``.
    n_undecided, n_decisions : int, default=None
        Answers without a preference, of all; None: answers that are None.
    k : int, default=None
        Places filled, if the judge decides that. None: those asked for.
    """

    order: Any
    scores: FloatArray | None = None
    n_tied: int = 0
    n_undecided: int | None = None
    n_decisions: int | None = None
    k: int | None = None


class Reading(NamedTuple):
    """An answer as the driver gets it and as the trace shows it, and its repairs."""

    answer: Any
    shown: Any
    unknown: int = 0
    repeated: int = 0
    missing: int = 0


@dataclass(frozen=True)
class Kind:
    """A kind of question.

    Attributes
    ----------
    driver : str
        ``"pairwise"``: the key in caches.
    judge : str
        Name of the callable in signatures and messages: ``"compare"``.
    read : callable
        ``read(raw, items, ids, strict)`` → Reading, where ``items`` are the indices and
        ``ids`` the ids of the question. Raises ArgumentError if the answer cannot be
        read, and with ``strict`` if it would have to be repaired.
    is_spread : bool, default=False
        Whether the judge takes the entries of a question as separate arguments.
    is_mirrored : bool, default=False
        Pairs with numbers as answers: whether (b, a) is answered by 1 − (a, b).
    is_nested : bool, default=False
        Whether a question is a tuple of tuples of items.
    """

    driver: str
    judge: str
    read: Callable[[Any, Question, Question, bool], Reading]
    is_spread: bool = False
    is_mirrored: bool = False
    is_nested: bool = False


Driver = Generator[list[Question], list[Any], Verdict]
