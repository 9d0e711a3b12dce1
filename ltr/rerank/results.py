"""What a reranking returns: an order, what it cost, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import abridged

if TYPE_CHECKING:
    from ltr.solvers import Status

FloatArray = NDArray[np.float64]


class Answer(NamedTuple):
    """One answer of a judge, in ``Reranking.answers``.

    Attributes
    ----------
    question : tuple
        Ids in the order in which the judge saw them; ``(chosen, rest)`` for
        :func:`~ltr.rerank.sequential_rerank`.
    answer : object
        The answer after repair. Pointwise: a float. Pairwise: the probability that the
        first id is better. Setwise and sequential: an id (``...`` where the judge
        wanted no more). Listwise: a tuple of all ids of the question, best first.
        Groupwise: a tuple of floats, NaN for an id without one. None: no answer.
    round : int
        Round of questions that it belongs to, from 1.
    seconds : float
        How long the call took; of a batched call, the time of the whole batch.
    from_cache : bool
        Whether it was read from ``Calls.cache`` instead of being asked for.
    """

    question: tuple[Any, ...]
    answer: Any
    round: int
    seconds: float
    from_cache: bool


class Repairs(NamedTuple):
    """What had to be repaired in the answers of a judge; all 0 if nothing was wrong.

    Attributes
    ----------
    unknown : int
        Ids that were not in the question. They were dropped.
    repeated : int
        Ids that an answer had already named. They were dropped.
    missing : int
        Ids that an answer lacked. They follow in the order of the question.
    tied : int
        Pairs whose two presented orders got answers that contradict each other: the
        position bias of the judge.
    """

    unknown: int = 0
    repeated: int = 0
    missing: int = 0
    tied: int = 0


@dataclass(frozen=True)
class Certificate:
    """What the answers prove about an order.

    It is about the answers alone: whether the judge is right, it cannot tell. ``print``
    writes it as a sentence.

    Attributes
    ----------
    n_answers : int
        Pairs of items with an answer; a window of w items answers w (w − 1) / 2.
    n_against : int
        Answers that the order contradicts.
    n_against_min : int
        No order contradicts fewer.
    status : Status
        OPTIMAL if the two counts are equal, which is a proof; else FEASIBLE.
    is_implied : bool
        Whether chains of answers that the order agrees with put each of the top k above
        every other item.
    margin : int
        How many answers would have to be wrong for another item to belong to the top k;
        all of them if the top is all items.

    Notes
    -----
    Answers about items below the top count, too. A heap sort leaves those items in the
    order of the first stage, so that it contradicts answers of a judge that never
    contradicts itself, and ``is_implied`` is rarely True: ``margin`` still holds.
    """

    n_answers: int
    n_against: int
    n_against_min: int
    status: Status
    is_implied: bool
    margin: int

    def __str__(self) -> str:
        """The sentence for people."""
        wrong = _counted(self.margin, "answer") if self.margin else "no answer"
        return (
            f"{self.contradictions()}; {wrong} would have to be wrong for another item "
            "in the top."
        )

    def contradictions(self) -> str:
        """The part of the sentence about contradicted answers."""
        fewest = (
            "no order contradicts fewer"
            if self.n_against == self.n_against_min
            else f"any order contradicts at least {self.n_against_min}"
        )
        verb = "is" if self.n_against == 1 else "are"
        return (
            f"{self.n_against} of {self.n_answers} answers {verb} contradicted; "
            f"{fewest}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Reranking:
    """An order of all ids, the calls that it took, and the answers that it rests on.

    Attributes
    ----------
    ids : list
        All ids, each once, best first. After place ``k`` they stand in the order of the
        first stage unless the method says more.
    scores : array of shape (n_ids,) or None
        Mean score, number of wins, …, in the order of ``ids``. None: the method gives
        only an order.
    k : int
        How many places were asked for; never more than there are ids.
    driver, method : str
        ``"pairwise"`` and ``"heap"``, for example.
    n_calls : int
        Questions that the judge was asked, attempts that failed included: what the
        order cost.
    cost : float
        Sum of ``Calls.cost`` over these calls.
    n_rounds : int
        Rounds in which the judge was asked. The questions of a round are independent,
        so that this is the latency when they are asked at once.
    n_hits : int
        Questions that were answered without a call: from the cache, or because they had
        been asked before.
    n_failed : int
        Questions that stayed without an answer because the call failed.
    seconds : float
        Time that it took.
    is_complete : bool
        False if the budget ended it, or if a question stayed without an answer because
        the call failed: ``ids`` is then the best order known.
    repairs : Repairs
        What had to be repaired in the answers.
    answers : list of Answer
        All answers in the order in which they were asked for.
    first_stage : sequence
        All ids in the order in which they came.

    Notes
    -----
    ``print`` writes the top, the calls and the sentence of the certificate, which is
    computed when it is first needed.
    """

    ids: list[Any]
    scores: FloatArray | None
    k: int
    driver: str
    method: str
    n_calls: int
    cost: float
    n_rounds: int
    n_hits: int
    n_failed: int
    seconds: float
    is_complete: bool
    repairs: Repairs
    answers: list[Answer] = field(repr=False)
    first_stage: Sequence[Hashable] = field(repr=False)

    def __repr__(self) -> str:
        """One line: the first ids, and what they cost."""
        parts = [
            f"Reranking(ids=[{self._first_ids(3)}]",
            f"k={self.k}",
            f"driver={self.driver!r}",
            f"method={self.method!r}",
            f"n_calls={self.n_calls}",
            f"n_rounds={self.n_rounds}",
        ]
        parts += [f"n_hits={self.n_hits}"] * (self.n_hits > 0)
        parts += [f"n_failed={self.n_failed}"] * (self.n_failed > 0)
        parts += [f"repairs={self.repairs}"] * any(self.repairs)
        parts.append(f"is_complete={self.is_complete}")
        return ", ".join(parts) + ")"

    def __str__(self) -> str:
        """The top, what it cost, and the sentence of the certificate."""
        n, end = len(self.ids), "" if self.is_complete else "; ended early"
        method = "" if self.method == self.driver else f" ({self.method})"
        lines = [
            f"Top {self.k} of {n}: {self._first_ids(min(self.k, 10))}",
            f"{self.driver}{method}: {_counted(self.n_calls, 'call')} in "
            f"{_counted(self.n_rounds, 'round')}{end}",
        ]
        certificate = self.certificate
        if certificate is not None:
            is_all = self.k >= n
            lines.append(
                f"{certificate.contradictions()}." if is_all else str(certificate)
            )
        return "\n".join(lines)

    def _first_ids(self, n: int) -> str:
        shown = [abridged(item) for item in self.ids[:n]]
        return ", ".join(shown + ["…"] * (len(self.ids) > n))

    @cached_property
    def certificate(self) -> Certificate | None:
        """What the answers prove about the order; None if they compare no items."""
        from ltr.rerank.certificates import certify

        return certify(self)

    def precedence_proba(self, *, noise: float = 0.1, top: int = 12) -> FloatArray:
        """Probability that an item belongs before another, over all orders of the head.

        Parameters
        ----------
        noise : float, default=0.1
            Chance that an answer is wrong, below ½.
        top : int, default=12
            The first items of ``ids`` that are considered.

        Returns
        -------
        proba : array of shape (top, top)
            ``proba[i, j]``: ``ids[i]`` belongs before ``ids[j]``.
        """
        from ltr.rerank.heads import precedence_proba

        return precedence_proba(self, noise=noise, top=top)


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
