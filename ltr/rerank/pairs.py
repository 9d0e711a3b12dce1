"""Which of two items is better: all pairs, heaps, passes, tournaments, best orders."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import suppress
from typing import Any, Literal

import numpy as np

from ltr.arguments import (
    ArgumentError,
    abridged,
    check_choice,
    check_flag,
    check_number,
    check_whole,
)
from ltr.queries import FloatArray
from ltr.rerank.calls import PLAIN_CALLS, Calls, Question, check_top, distinct_ids
from ltr.rerank.closure import Closure, closed, open_items
from ltr.rerank.judging import judge
from ltr.rerank.pointwise import NO_NUMBERS
from ltr.rerank.protocol import BudgetSpent, Driver, Kind, Reading, Verdict
from ltr.rerank.results import Reranking

METHODS = ("all", "heap", "bubble", "tournament", "verified")
AGGREGATES = ("order", "wins", "probabilities")
# Units of work, about a second each: of the order of all pairs, and of one of those on
# the way to a verified top.
_WORK, _WORK_PER_ROUND = 4.0, 0.2
# Share of answers that any order contradicts, from which on a tournament warns: of two
# answers that contradict each other, it is one.
_MOST_AGAINST = 0.05

Asking = Generator[list[Question], list[Any], None]
Comparing = Generator[list[Question], list[Any], bool]


def pairwise_rerank(
    ids: Iterable[Any],
    compare: Callable[..., Any],
    *,
    k: int = 10,
    method: Literal["all", "heap", "bubble", "tournament", "verified"] = "verified",
    aggregate: Literal["order", "wins", "probabilities"] = "order",
    both_orders: bool = True,
    span: int = 4,
    prior: float | None = None,
    verify: Literal["all", "top"] = "all",
    calls: Calls = PLAIN_CALLS,
    extra: Mapping[Any, Any] | None = None,
) -> Reranking:
    """Find the top k by asking which of two items is better.

    Parameters
    ----------
    ids : sequence of hashables
        Distinct ids, in the order of the first stage, which breaks ties.
    compare : callable
        ``compare(a, b)``: True if a is better than b, False if b is; or the
        probability that a is better, from 0 to 1; or None for no preference.
    k : int, default=10
        Places asked for; more than there are items means all.
    method : str, default="verified"
        What is asked, and how the answers make an order:

        ``"verified"``
            Each of the first k is compared with the next ``span`` items, all answers
            are put into the order that contradicts the fewest of them, and so on until
            the first k stay. Then the k-th is compared with every item that no chain of
            answers puts below it. Few rounds, since the questions of one are
            independent, and wrong answers are outvoted. If the judge never contradicts
            itself, the top k is exact.
        ``"tournament"``
            One pair at a time, of items that can still belong to the top k, until
            chains of answers prove which do. The fewest calls, and exact, if the judge
            never contradicts itself. Each answer is believed, and what it implies is
            never asked: the order collapses if many are wrong, and its certificate
            cannot tell. With 15 % of them, use "verified" or "all".
        ``"heap"``
            Heap sort, stopped after k places, as in PRP.
        ``"bubble"``
            k passes from the tail to the head, as in PRP's sliding windows.
        ``"all"``
            Every pair, in one round; see ``aggregate``.
    aggregate : str, default="order"
        For "all". ``"order"``: the order that contradicts the fewest answers, each
        weighed by its preference. ``"wins"``: by the number of pairs won, a tie being
        half of one, as in PRP. ``"probabilities"``: by the sum of probabilities.
    both_orders : bool, default=True
        Whether each pair is asked as (a, b) and as (b, a), which are two calls. The
        mean counts, so that yes and no cancel to a tie; ``repairs.tied`` counts the
        pairs whose two answers contradict each other. False: once, as the first stage
        has them.
    span : int, default=4
        For "verified": how many of the next items each of the first k is compared with.
    prior : float, default=None
        For "verified" and "all": how much the first stage speaks for the order of each
        pair, where an answer counts 1. None: 0.1 for "all"; for "verified", so little
        that it only decides between orders that contradict the same answers.
    verify : {"all", "top"}, default="all"
        For "verified". "top" skips the last step: items far down are never seen.
    calls : Calls, default=Calls()
        How the judge is called: budget, cache, retries, threads.
    extra : mapping, default=None
        By id, such as ``{id: {"score": …, "rank": …}}`` of the first stage; passed on
        as keyword ``extra``, restricted to the two ids.

    Returns
    -------
    reranking : Reranking
        The order, the number of calls and rounds, and the ``certificate``: how many
        answers the order contradicts, whether another order could contradict fewer, and
        how many would have to be wrong for another item to belong to the top k. After
        place k, "heap" keeps the order of the first stage; the others go on by the
        answers that they have. ``scores`` are given with "wins" and "probabilities".

    Raises
    ------
    ArgumentError
        If ids repeat, an option is out of range, or ``compare`` returns something else,
        such as the text of a language model.

    Warns
    -----
    UserWarning
        If no answer has a preference, or if the judge of a tournament contradicts
        itself in more than a tenth of the pairs.

    See Also
    --------
    suggest_questions : Which pairs to ask next.
    setwise_rerank, listwise_rerank : More items in a call.

    Notes
    -----
    A judge that always gives the same answer repeats its errors, so that asking again
    is of no use. If it errs in each pair independently and with equal chance, below one
    half, the order that contradicts the fewest answers is the most likely one. It is
    that of :func:`ltr.solvers.solve_ordering`.

    References
    ----------
    .. [1] Z. Qin et al., "Large language models are effective text rankers with
       pairwise ranking prompting", Findings of NAACL 2024 (PRP).

    Examples
    --------
    >>> from ltr.rerank import pairwise_rerank
    >>> first_stage = [5, 2, 7, 0, 3, 6, 1, 4]
    >>> reranking = pairwise_rerank(first_stage, lambda a, b: a < b, k=3)
    >>> reranking.ids[:3], reranking.n_calls, reranking.n_rounds
    ([0, 1, 2], 40, 4)
    >>> print(reranking.certificate)  # doctest: +NORMALIZE_WHITESPACE
    0 of 20 answers are contradicted; no order contradicts fewer; 1 answer would have to
    be wrong for another item in the top.
    """
    check_choice("method", method, METHODS)
    check_choice("aggregate", aggregate, AGGREGATES)
    check_flag("both_orders", both_orders)
    check_whole("span", span, low=1)
    check_number("prior", prior, low=0.0, optional=True)
    check_choice("verify", verify, ("all", "top"))
    entries = distinct_ids(ids)
    n, top = len(entries), check_top(k, len(entries))
    pairs = _Pairs(n, both_orders)
    drivers: dict[str, Callable[[], Driver]] = {
        "all": lambda: _all(pairs, aggregate, 0.1 if prior is None else prior),
        "heap": lambda: _heap(pairs, top),
        "bubble": lambda: _bubble(pairs, top),
        "tournament": lambda: _tournament(pairs, top),
        "verified": lambda: _verified(pairs, top, span, prior, verify),
    }
    n_pairs = {"all": n * (n - 1) // 2, "bubble": top * (2 * n - top - 1) // 2}
    reranking = judge(
        drivers[method](),
        compare,
        PAIRWISE if both_orders else _ONE_ORDER,
        entries,
        k=top,
        method=method,
        calls=calls,
        extra=extra,
        most=n_pairs[method] * (1 + both_orders) if method in n_pairs else None,
    )
    n_decided, n_tied = len(pairs.proba), pairs.n_tied
    if method == "tournament" and n_tied > 2 * _MOST_AGAINST * n_decided:
        warnings.warn(
            f"compare contradicts itself in {n_tied} of {n_decided} pairs, which it "
            "was asked about in both orders, and a tournament believes each answer. "
            "Use method='verified' or 'all'.",
            UserWarning,
            stacklevel=2,
        )
    return reranking


class _Pairs:
    """The pairs (i, j), i < j, that were asked about, and their probabilities."""

    def __init__(self, n_items: int, both_orders: bool) -> None:
        self.n_items, self._both_orders = n_items, both_orders
        self.proba: dict[Question, float | None] = {}
        self.n_tied = 0

    def ask(self, pairs: list[Question]) -> Asking:
        """Ask about pairs (i, j), i < j, in one round."""
        if not self._both_orders:
            answers = yield pairs
            self.proba.update(zip(pairs, answers, strict=True))
            return
        answers = yield [question for i, j in pairs for question in ((i, j), (j, i))]
        for number, pair in enumerate(pairs):
            self.proba[pair] = self._mean(answers[2 * number], answers[2 * number + 1])

    def is_better(self, i: int, j: int) -> Comparing:
        """Whether item i is better than j: a tie is not."""
        proba = yield from self._proba(i, j)
        return proba is not None and (proba > 0.5 if i < j else proba < 0.5)

    def is_above(self, i: int, j: int) -> Comparing:
        """Whether item i is better than j, or before it in the first stage if tied."""
        proba = yield from self._proba(i, j)
        if proba is None or proba == 0.5:
            return i < j
        return (proba > 0.5) is (i < j)

    def _proba(self, i: int, j: int) -> Generator[list[Question], list[Any], Any]:
        pair = (i, j) if i < j else (j, i)
        if pair not in self.proba:
            yield from self.ask([pair])
        return self.proba[pair]

    def gains(self) -> FloatArray:
        """[i, j]: probability that i is better; 0 both ways if nothing is known."""
        gains = np.zeros((self.n_items, self.n_items))
        for (i, j), proba in self.proba.items():
            if proba is not None:
                gains[i, j], gains[j, i] = proba, 1.0 - proba
        return gains

    def closure(self) -> Closure:
        """The closure of all answers."""
        closure = Closure(self.n_items)
        for (i, j), proba in self.proba.items():
            self.add_to(closure, i, j, proba)
        return closure

    @staticmethod
    def add_to(closure: Closure, i: int, j: int, proba: float | None) -> None:
        """Add the answer of a pair to a closure."""
        if proba is None or proba == 0.5:
            closure.add_tie(i, j)
        elif proba > 0.5:
            closure.add(i, j)
        else:
            closure.add(j, i)

    def verdict(
        self, order: Iterable[int], scores: FloatArray | None = None
    ) -> Verdict:
        """What the driver returns."""
        probas = [proba for proba in self.proba.values() if proba is not None]
        n_undecided = probas.count(0.5)
        return Verdict(order, scores, self.n_tied, n_undecided, len(probas))

    def _mean(self, forward: float | None, backward: float | None) -> float | None:
        """The mean of both orders, or the half that is known."""
        if forward is None:
            return None if backward is None else 1.0 - backward
        if backward is None:
            return forward
        self.n_tied += (forward - 0.5) * (backward - 0.5) > 0
        return (forward + 1.0 - backward) / 2


def _all(pairs: _Pairs, aggregate: str, prior: float) -> Driver:
    """Every pair; near ones first, which matter most if the budget cuts the round."""
    n = pairs.n_items
    with suppress(BudgetSpent):
        yield from pairs.ask(
            [(i, i + distance) for distance in range(1, n) for i in range(n - distance)]
        )
    gains = pairs.gains()
    if aggregate == "order":
        return pairs.verdict(_best_order(gains, prior, _WORK))
    # a pair without an answer is a tie
    gains[(gains + gains.T == 0) & ~np.eye(n, dtype=bool)] = 0.5
    if aggregate == "wins":
        gains = np.where(gains == 0.5, 0.5, gains > 0.5)
    scores = gains.sum(axis=1)
    return pairs.verdict(np.argsort(-scores, kind="stable"), scores)


def _best_order(gains: FloatArray, prior: float, work_limit: float) -> list[int]:
    """The order of the greatest sum of gains and prior."""
    from ltr.solvers import solve_ordering

    first_stage = prior * np.triu(np.ones_like(gains), 1)
    solution = solve_ordering(gains + first_stage, work_limit=work_limit)
    assert solution.order is not None
    return solution.order.tolist()


def _heap(pairs: _Pairs, k: int) -> Driver:
    """Heap sort: the best of the heap is its root."""
    heap = list(range(pairs.n_items))
    top: list[int] = []

    def sift(node: int) -> Asking:
        while True:
            best = node
            for child in range(2 * node + 1, min(2 * node + 3, len(heap))):
                if (yield from pairs.is_above(heap[child], heap[best])):
                    best = child
            if best == node:
                return
            heap[node], heap[best] = heap[best], heap[node]
            node = best

    try:
        for node in range(len(heap) // 2 - 1, -1, -1):
            yield from sift(node)
        while len(top) < k:
            top.append(heap[0])
            last = heap.pop()
            if heap and len(top) < k:
                heap[0] = last
                yield from sift(0)
        is_whole = None not in pairs.proba.values()
    except BudgetSpent:
        is_whole = False
    if not is_whole:  # the budget or a failure left a gap
        top = pairs.closure().order()[:k]
    return pairs.verdict([*top, *sorted(set(range(pairs.n_items)) - set(top))])


def _bubble(pairs: _Pairs, k: int) -> Driver:
    """Pass t carries the best item from place t on to place t."""
    order = list(range(pairs.n_items))
    with suppress(BudgetSpent):  # then the best order known
        for place in range(k):
            for p in range(len(order) - 2, place - 1, -1):
                if (yield from pairs.is_better(order[p + 1], order[p])):
                    order[p], order[p + 1] = order[p + 1], order[p]
    return pairs.verdict(order)


def _tournament(pairs: _Pairs, k: int) -> Driver:
    """Compare open candidates until the closure of the answers implies the top k."""
    closure = Closure(pairs.n_items)
    with suppress(BudgetSpent):  # then the best order known
        while items := open_items(closure, k, 2):
            i, j = sorted(items)
            yield from pairs.ask([(i, j)])
            proba = pairs.proba[i, j]
            # the first stage decides a tie: a relation, too, that closes further ones
            is_tied = proba is None or proba == 0.5
            pairs.add_to(closure, i, j, 1.0 if is_tied else proba)
    return pairs.verdict(closure.best_order(pairs.gains()))


def _verified(
    pairs: _Pairs, k: int, span: int, prior: float | None, verify: str
) -> Driver:
    """Best orders of the answers so far, until none of their questions is open."""
    n = pairs.n_items
    # all pairs together weigh less than half an answer, so that an order which
    # contradicts one is never preferred to an order which contradicts none
    weight = 1.0 / max(1, n * (n - 1))
    order = list(range(n))
    with suppress(BudgetSpent):  # then the best order known
        while True:
            neighbors = [
                (order[p], order[q])
                for p in range(k)
                for q in range(p + 1, min(p + span + 1, n))
            ]
            questions = _unasked(pairs, neighbors)
            if not questions and verify == "all" and k < n:
                questions = _unasked(pairs, _challengers(pairs, order, k))
            if not questions:
                break
            yield from pairs.ask(questions)
            if prior is None:
                first_stage = weight * np.triu(np.ones((n, n)), 1)
                order = pairs.closure().best_order(
                    pairs.gains() + first_stage, _WORK_PER_ROUND
                )
            else:
                order = _best_order(pairs.gains(), prior, _WORK_PER_ROUND)
    return pairs.verdict(order)


def _unasked(pairs: _Pairs, questions: list[Question]) -> list[Question]:
    ascending = [(i, j) if i < j else (j, i) for i, j in questions]
    return [pair for pair in dict.fromkeys(ascending) if pair not in pairs.proba]


def _challengers(pairs: _Pairs, order: list[int], k: int) -> list[Question]:
    """The k-th and the items that no chain of kept answers puts below it."""
    gains = pairs.gains()[np.ix_(order, order)]
    below = closed(np.triu(gains > 0.5))[k - 1]
    return [(order[k - 1], order[p]) for p in range(k, len(order)) if not below[p]]


def _read(raw: Any, items: Question, ids: Question, strict: bool) -> Reading:
    if raw is None:
        proba: float | None = 0.5
    elif isinstance(raw, (bool, float)):
        proba = float(raw)
    else:
        proba = _number(raw)
    if proba is None or not 0.0 <= proba <= 1.0:
        raise ArgumentError(
            "compare must return a bool, a number in [0, 1] or None; got "
            f"{abridged(raw)} for {ids!r}. Parse it in your function."
        )
    return Reading(proba, proba)


def _number(raw: Any) -> float | None:
    """A number of NumPy or another library; None if it is none."""
    try:
        return None if isinstance(raw, NO_NUMBERS) or np.ndim(raw) else float(raw)
    except (TypeError, ValueError, OverflowError):
        return None


PAIRWISE = Kind("pairwise", "compare", _read, is_spread=True)
_ONE_ORDER = Kind("pairwise", "compare", _read, is_spread=True, is_mirrored=True)
