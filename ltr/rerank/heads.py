"""Probabilities of the head of an order, and the questions that would change them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ltr.arguments import ArgumentError, abridged, check_number, check_whole
from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.rerank.certificates import PairCounts, pair_counts
from ltr.rerank.results import Reranking

_MAX_ITEMS = 15
# Least expected change of the probabilities that makes a question worth its call.
_NEGLIGIBLE = 1e-9


def precedence_proba(
    reranking: Reranking, *, noise: float = 0.1, top: int = 12
) -> FloatArray:
    r"""Probability that an item belongs before another, over all orders of the head.

    If each answer is wrong with probability ε, independently, and all orders are
    equally likely at first, an order that a answers agree with has a probability
    proportional to :math:`((1 - ε)/ε)^a`. The sum over all orders is exact.

    Parameters
    ----------
    reranking : Reranking
        Of a driver that compares items.
    noise : float, default=0.1
        ε, above 0 and below ½.
    top : int, default=12
        How many of the first items count, up to 15: answers about others are ignored.

    Returns
    -------
    proba : array of shape (top, top)
        ``proba[i, j]``: ``ids[i]`` belongs before ``ids[j]``; 0 on the diagonal.
    """
    counts, noise = _counts(reranking), _check_noise(noise)
    check_whole("top", top, low=1, high=_MAX_ITEMS)
    from ltr.solvers.dynamic import ordering_marginals

    gains = math.log((1 - noise) / noise) * counts.answers[:top, :top]
    return np.asarray(ordering_marginals(gains), dtype=np.float64)


def suggest_questions(
    reranking: Reranking, n: int = 1, *, noise: float = 0.1, top: int = 12
) -> list[tuple[Any, Any]]:
    r"""Pairs whose comparison is expected to change the top k most.

    Where the certificate leaves doubt, this says where the next calls are spent best.
    Only pairs that were not asked about come into question, since a judge that always
    answers alike repeats its errors. The model is that of
    :meth:`Reranking.precedence_proba`, for the ``top`` items around place k: those
    above them are taken to belong to the top k, and those below not to.

    Parameters
    ----------
    reranking : Reranking
        Of a driver that compares items.
    n : int, default=1
        Most pairs.
    noise : float, default=0.1
        Chance that an answer is wrong, above 0 and below ½.
    top : int, default=12
        Items around place k, up to 15.

    Returns
    -------
    pairs : list of (id, id)
        Best first; fewer than ``n`` if no other question can change anything. Each has
        the item that stands higher first.

    Notes
    -----
    Let P(S) be the probability that S is the top k, and P(S | x) the same after an
    answer x. A pair is valued by the expected total variation between them,
    :math:`\sum_x P(x) \frac12 \sum_S |P(S \mid x) - P(S)|`, exactly, by dynamic
    programming over sets: an order with S first is an order of S, then one of the
    others.

    Examples
    --------
    Each item was compared with the next alone, so that one wrong answer would let c
    into the top 2:

    >>> from ltr.rerank import pairwise_rerank, suggest_questions
    >>> reranking = pairwise_rerank(
    ...     ["a", "b", "c"], lambda x, y: x < y, k=2, verify="top", span=1
    ... )
    >>> suggest_questions(reranking)
    [('a', 'c')]
    """
    check_whole("n", n, low=1)
    if not isinstance(reranking, Reranking):
        raise ArgumentError(
            "reranking must be what a function of ltr.rerank returned; got "
            f"{abridged(reranking)}."
        )
    counts, noise = _counts(reranking), _check_noise(noise)
    check_whole("top", top, low=2, high=_MAX_ITEMS)
    n_items, k = len(reranking.ids), reranking.k
    top = min(top, n_items)
    start = min(max(0, k - top // 2), n_items - top)
    k -= start
    if k >= top:  # all items belong to the top
        return []
    window = slice(start, start + top)
    log_odds = math.log((1 - noise) / noise)
    gains = log_odds * counts.answers[window, window].astype(np.float64)
    rows, columns = np.nonzero(np.triu(~counts.asked[window, window], 1))
    values = question_values(gains, k, rows, columns, noise)
    ranked = np.argsort(-values, kind="stable")[:n]
    return [
        (reranking.ids[start + rows[place]], reranking.ids[start + columns[place]])
        for place in ranked.tolist()
        if values[place] > _NEGLIGIBLE
    ]


def question_values(
    gains: FloatArray, k: int, rows: IntArray, columns: IntArray, noise: float
) -> FloatArray:
    """Expected change of the probabilities of the top k by the answer about a pair.

    Parameters
    ----------
    gains : array of shape (n, n)
        [i, j]: log-odds for i before j by the answers so far. n ≤ 15.
    k : int
        Places that matter, less than n.
    rows, columns : int arrays of shape (n_pairs,)
        The pairs (i, j).
    noise : float
        Chance that an answer is wrong.

    Returns
    -------
    values : array of shape (n_pairs,)
        Expected total variation, from 0 to 1.
    """
    members = _members(len(gains))
    heads = np.flatnonzero(members.sum(axis=1) == k)
    log_sums = _log_head_sums(gains, members, heads)
    log_z = np.logaddexp.reduce(log_sums)
    proba = np.exp(log_sums - log_z)  # P(S), (n_heads,)
    values = np.empty(len(rows))
    for number, (i, j) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        forced = gains.copy()
        forced[j, i] = -np.inf
        ahead = np.exp(_log_head_sums(forced, members, heads) - log_z)  # P(S, i < j)
        # P(S, x) for the answer x = "i is better"; the other one has the rest of P(S)
        joint = (1 - 2 * noise) * ahead + noise * proba
        values[number] = np.abs(joint - proba * joint.sum()).sum()
    return values


def _members(n: int) -> BoolArray:
    """[S, i]: whether item i is in the set S, the number of which has its bits."""
    return np.asarray(np.arange(2**n)[:, None] >> np.arange(n) & 1, dtype=bool)


def _log_head_sums(
    gains: FloatArray, members: BoolArray, heads: IntArray
) -> FloatArray:
    """Log of the sum of e^gain over all orders that begin with S, for each S of heads.

    With F(S) the same sum over the orders of S alone, F(S) is the sum over i in S of
    F(S − i) e^{Σ_j g_ji}, j in S − i: item i is the last. An order with S first is one
    of S, one of the others T, and all pairs of S × T.
    """
    n = len(gains)
    log_sums = np.full(2**n, -np.inf)
    log_sums[0] = 0.0
    # 0 · −inf: a forbidden pair counts only where both items are
    entering = np.stack(
        [np.where(members, gains[:, i], 0.0).sum(axis=1) for i in range(n)]
    )
    size = members.sum(axis=1)
    for level in range(1, n + 1):
        sets = np.flatnonzero(size == level)
        for i in range(n):
            having = sets[members[sets, i]]
            before = having ^ (1 << i)
            log_sums[having] = np.logaddexp(
                log_sums[having], log_sums[before] + entering[i, before]
            )
    others = 2**n - 1 - heads
    across = np.stack(
        [
            np.where(members[heads] & ~members[heads, j, None], gains[:, j], 0.0).sum(
                axis=1
            )
            for j in range(n)
        ]
    ).sum(axis=0)
    return np.asarray(log_sums[heads] + log_sums[others] + across)


def _counts(reranking: Reranking) -> PairCounts:
    counts = pair_counts(reranking)
    if counts is None:
        raise ArgumentError(
            "reranking must be of a driver that compares items; got one of "
            f"{reranking.driver}_rerank."
        )
    return counts


def _check_noise(noise: float) -> float:
    check_number("noise", noise)
    if not 0 < noise < 0.5:
        raise ArgumentError(f"noise must be above 0 and below 0.5; got {noise}.")
    return float(noise)
