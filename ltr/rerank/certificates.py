"""How far an order can be trusted: what its answers prove, and where to ask next."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ltr.queries import BoolArray, IntArray
from ltr.rerank.closure import closed
from ltr.rerank.margins import margin_of
from ltr.rerank.results import Certificate, Reranking

if TYPE_CHECKING:
    from ltr.solvers import Solution

# Units of work, about a second each, for the fewest contradicted answers.
_WORK = 10.0
# Share of the answers that a tournament may contradict.
_MOST_AGAINST = 0.05


class PairCounts(NamedTuple):
    """The answers of a reranking as comparisons of pairs.

    Attributes
    ----------
    answers : int array of shape (n, n)
        [i, j]: how many answers put ``ids[i]`` above ``ids[j]``.
    n_answers : int
        Pairs with an answer, those without a preference included.
    asked : bool array of shape (n, n)
        Symmetric: pairs with an answer.
    """

    answers: IntArray
    n_answers: int
    asked: BoolArray


def pair_counts(reranking: Reranking) -> PairCounts | None:
    """Count which item the answers put above which.

    Both orders of a pair are one answer, by the side of ½ of their mean. An answer of
    setwise judges puts one item above the others, and one of listwise and groupwise
    judges orders all its items.

    Parameters
    ----------
    reranking : Reranking
        Of any driver.

    Returns
    -------
    counts : PairCounts or None
        None if the answers compare no items: pointwise and sequential drivers.
    """
    place = {item: index for index, item in enumerate(reranking.ids)}
    n = len(place)
    answers, asked = np.zeros((n, n), dtype=np.int64), np.zeros((n, n), dtype=bool)
    n_answers = 0
    preferences = np.zeros((n, n))  # pairwise: sum of p − ½ over the presented orders
    for entry in reranking.answers:
        if entry.answer is None:
            continue
        if reranking.driver not in ("pairwise", "setwise", "listwise", "groupwise"):
            return None
        items = [place[item] for item in entry.question]
        if reranking.driver == "pairwise":
            i, j = items
            preferences[i, j] += entry.answer - 0.5
            preferences[j, i] -= entry.answer - 0.5
            asked[i, j] = asked[j, i] = True
            continue
        better, worse = _compared(reranking.driver, items, entry.answer, place)
        np.add.at(answers, (better, worse), 1)
        asked[better, worse] = asked[worse, better] = True
        n_answers += len(better)
    if reranking.driver == "pairwise":
        answers += preferences > 0
        n_answers = int(asked.sum()) // 2
    return PairCounts(answers, n_answers, asked)


def _compared(
    driver: str, items: list[int], answer: Any, place: dict[Any, int]
) -> tuple[list[int], list[int]]:
    """Items that one answer puts above others, and these others."""
    if driver == "setwise":
        best = place.get(answer, -1)
        others = [item for item in items if item != best]
        return ([best] * len(others), others) if best >= 0 else ([], [])
    if driver == "listwise":
        ranked = [place[item] for item in answer]
        pairs = [(i, j) for p, i in enumerate(ranked) for j in ranked[p + 1 :]]
    else:
        scored = list(zip(items, answer, strict=True))
        pairs = [(i, j) for i, a in scored for j, b in scored if a > b]
    return [i for i, _ in pairs], [j for _, j in pairs]


def certify(reranking: Reranking) -> Certificate | None:
    """What the answers prove about the order.

    Parameters
    ----------
    reranking : Reranking
        Of any driver.

    Returns
    -------
    certificate : Certificate or None
        None if the answers compare no items.

    Examples
    --------
    A cycle of three items above a fourth:

    >>> from ltr.rerank import pairwise_rerank
    >>> beats = {("a", "b"), ("b", "c"), ("c", "a"), ("a", "d"), ("b", "d"), ("c", "d")}
    >>> reranking = pairwise_rerank(
    ...     list("abcd"), lambda x, y: (x, y) in beats, k=3, method="all"
    ... )
    >>> print(reranking.certificate)  # doctest: +NORMALIZE_WHITESPACE
    1 of 6 answers is contradicted; no order contradicts fewer; 1 answer would have to
    be wrong for another item in the top.
    """
    counts = pair_counts(reranking)
    if counts is None:
        return None
    return certificate_of(counts.answers, reranking.k, counts.n_answers)


def certificate_of(answers: IntArray, k: int, n_answers: int) -> Certificate:
    """The certificate of the order 0, 1, 2, ….

    Parameters
    ----------
    answers : int array of shape (n, n)
        [i, j]: how many answers put i above j.
    k : int
        Places that matter.
    n_answers : int
        Pairs with an answer.

    Returns
    -------
    certificate : Certificate

    Examples
    --------
    >>> all_pairs = np.triu(np.ones((4, 4), dtype=int), 1)
    >>> certificate_of(all_pairs, 2, 6).margin
    1
    """
    from ltr.solvers import Status, solve_ordering

    upper = np.triu(answers)  # not contradicted
    n_against = int(answers.sum() - upper.sum())
    n_against_min = n_against
    order = np.arange(len(answers))
    if n_against:
        solution = solve_ordering(answers, work_limit=_WORK)
        assert solution.order is not None
        total = int(answers.sum())
        n_against_min = _fewest(total, solution)
        if total - round(solution.objective) < n_against:
            order = solution.order
    return Certificate(
        n_answers=n_answers,
        n_against=n_against,
        n_against_min=n_against_min,
        status=Status.OPTIMAL if n_against == n_against_min else Status.FEASIBLE,
        is_implied=bool(closed(upper)[:k, k:].all()),
        margin=n_answers if k >= len(answers) else margin_of(answers, k, order),
    )


def _fewest(total: int, solution: Solution) -> int:
    """No order contradicts fewer of the answers: total − bound, rounded up."""
    return max(0, math.ceil(total - solution.bound - 1e-6))


def warn_of_contradictions(reranking: Reranking, advice: str) -> None:
    """Warn if the order contradicts more than 5 % of the answers.

    Parameters
    ----------
    reranking : Reranking
        Of a tournament, called by the function that the user called.
    advice : str
        What to use instead.

    Warns
    -----
    UserWarning
    """
    counts = pair_counts(reranking)
    if counts is None:
        return
    n_against = int(np.tril(counts.answers).sum())
    if n_against > _MOST_AGAINST * counts.n_answers:
        warnings.warn(
            f"the order contradicts {n_against} of {counts.n_answers} answers, and a "
            f"tournament believes each of them. {advice}",
            UserWarning,
            stacklevel=3,
        )
