"""Metrics that compare the whole order with the labels: any label, any sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics.ranked import Empty, RankedLists, rank_lists, summarize
from ltr.queries import FloatArray, IntArray

_NO_PAIR = "no list has two distinct labels"


def kendall_tau_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    variant: Literal["b", "a"] = "b",
    empty: Empty = "skip",
    per_query: bool = False,
) -> FloatArray | float:
    r"""Kendall's rank correlation of scores and labels.

    .. math:: \tau_b = \frac{C - D}{\sqrt{(N - T_y)(N - T_s)}}, \quad
        \tau_a = \frac{C - D}{N}

    with C concordant and D discordant pairs of N, and T tied ones.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, any real numbers.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    variant : {"b", "a"}, default="b"
        τ_b corrects for ties, as scipy does; τ_a counts every tied pair as half right
        and half wrong.
    empty : {"skip", 0, 1}, default="skip"
        Lists without two distinct labels: leave out, or count as 0 or 1.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    tau : float in [−1, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN. A
        constant score has τ = 0.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    References
    ----------
    .. [1] Kendall, "The treatment of ties in ranking problems", Biometrika 1945.

    Examples
    --------
    >>> round(kendall_tau_score([-0.1, 0.2, 0.0], [0.3, 0.9, 0.1]), 4)
    0.3333
    """
    if variant not in ("b", "a"):
        raise ValueError(f"variant must be 'b' or 'a'; got {variant!r}.")
    ranked = rank_lists(y_true, y_score, qid)
    pairs = _count_pairs(ranked)
    difference = pairs.concordant - pairs.discordant
    if variant == "a":
        scale = pairs.total
    else:
        scale = np.sqrt(pairs.different_labels) * np.sqrt(pairs.different_scores)
    tau = difference / np.where(scale == 0, 1.0, scale)
    tau = np.clip(tau, -1.0, 1.0)  # rounding may leave 1 + 2e-16
    return summarize(tau, pairs.different_labels == 0, empty, per_query, _NO_PAIR)


def spearman_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    empty: Empty = "skip",
    per_query: bool = False,
) -> FloatArray | float:
    """Spearman's rank correlation of scores and labels, tied ranks averaged.

    Its mean over days is what quants call the rank information coefficient.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, any real numbers.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    empty : {"skip", 0, 1}, default="skip"
        Lists without two distinct labels: leave out, or count as 0 or 1.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    rho : float in [−1, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN. A
        constant score has ρ = 0.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    References
    ----------
    .. [1] Spearman, "The proof and measurement of association between two things",
       American Journal of Psychology 1904.

    Examples
    --------
    >>> round(spearman_score([-0.1, 0.2, 0.0], [0.3, 0.9, 0.1]), 4)
    0.5
    """
    by_score = rank_lists(y_true, y_score, qid)
    by_label = rank_lists(by_score.labels, by_score.labels, by_score.list_of_slot)
    s = _centred_ranks(by_score)
    y = np.empty_like(s)
    y[by_label.rows] = _centred_ranks(by_label)
    variance = by_score.sum_lists(s * s) * by_score.sum_lists(y * y)
    rho = by_score.sum_lists(s * y) / np.sqrt(np.where(variance == 0, 1.0, variance))
    rho = np.clip(rho, -1.0, 1.0)
    blank = by_score.sum_lists(y * y) == 0
    return summarize(rho, blank, empty, per_query, _NO_PAIR)


def pairwise_accuracy_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    empty: Empty = "skip",
    per_query: bool = False,
) -> FloatArray | float:
    """Share of pairs with different labels that the scores order rightly.

    A pair with equal scores counts one half. For two grades this is the area under the
    ROC curve of the list.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, any real numbers.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    empty : {"skip", 0, 1}, default="skip"
        Lists without two distinct labels: leave out, or count as 0 or 1.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    accuracy : float in [0, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    Examples
    --------
    >>> pairwise_accuracy_score([2, 1, 0, 0], [0.9, 0.1, 0.5, 0.1])
    0.7
    """
    pairs = _count_pairs(rank_lists(y_true, y_score, qid))
    tied = pairs.different_labels - pairs.concordant - pairs.discordant
    right = pairs.concordant + 0.5 * tied
    blank = pairs.different_labels == 0
    accuracy = right / np.where(blank, 1.0, pairs.different_labels)
    return summarize(accuracy, blank, empty, per_query, _NO_PAIR)


@dataclass(frozen=True)
class _Pairs:
    """Number of pairs in each list, by how labels and scores order them."""

    total: FloatArray
    different_labels: FloatArray
    different_scores: FloatArray
    concordant: FloatArray
    discordant: FloatArray


def _count_pairs(ranked: RankedLists) -> _Pairs:
    n = ranked.queries.sizes.astype(np.float64)
    total = n * (n - 1) / 2
    codes = _label_codes(ranked)
    tied_labels = _tied_pairs(ranked, codes)
    tied_scores = _tied_pairs(ranked, ranked.tie_begin)
    tied_both = _tied_pairs(ranked, ranked.tie_begin, codes)
    discordant = _inversions(ranked, codes)
    ordered = total - tied_labels - tied_scores + tied_both
    return _Pairs(
        total=total,
        different_labels=total - tied_labels,
        different_scores=total - tied_scores,
        concordant=ordered - discordant,
        discordant=discordant,
    )


def _label_codes(ranked: RankedLists) -> IntArray:
    """Dense rank of the label of each slot among the labels of its list, from 0."""
    lists = ranked.list_of_slot
    by_label = np.lexsort((ranked.labels, lists))
    labels, sorted_lists = ranked.labels[by_label], lists[by_label]
    new = np.zeros(len(lists), dtype=np.intp)
    new[1:] = (labels[1:] != labels[:-1]) & (sorted_lists[1:] == sorted_lists[:-1])
    count = np.cumsum(new)
    codes = np.empty(len(lists), dtype=np.intp)
    starts = ranked.queries.starts[:-1]
    codes[by_label] = count - np.repeat(count[starts], ranked.queries.sizes)
    return codes


def _tied_pairs(ranked: RankedLists, *keys: IntArray) -> FloatArray:
    """Pairs of each list that agree in all keys."""
    lists = ranked.list_of_slot
    order = np.lexsort((*keys, lists))
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any([np.diff(key[order]) != 0 for key in (*keys, lists)], axis=0)
    begin = np.flatnonzero(new)
    m = np.diff(np.concatenate([begin, [len(order)]])).astype(np.float64)
    n_lists = ranked.queries.n_lists
    pairs = np.bincount(lists[order[begin]], m * (m - 1) / 2, minlength=n_lists)
    return np.asarray(pairs, dtype=np.float64)


def _inversions(ranked: RankedLists, codes: IntArray) -> FloatArray:
    """Pairs of each list that the scores order strictly wrong.

    Radix counting over all lists at once. Slots start in score order (equal scores best
    label first, so that they count nothing) and are split stably by the bits of the
    label code, high to low. Two slots part at the highest bit in which they differ;
    there, each 1 that follows a 0 of its block is a pair in the wrong order.
    """
    lists = ranked.list_of_slot
    order = np.lexsort((-codes, ranked.tie_begin, lists))
    code, block = codes[order], lists[order]
    list_now = block.copy()
    wrong = np.zeros(ranked.queries.n_lists)
    n_bits = int(codes.max()).bit_length()
    for bit in range(n_bits - 1, -1, -1):
        ones = (code >> bit) & 1
        zeros_before = np.cumsum(1 - ones)
        start = np.flatnonzero(np.diff(block, prepend=-1))
        length = np.diff(np.concatenate([start, [len(block)]]))
        base = np.repeat(zeros_before[start] - (1 - ones[start]), length)
        wrong = wrong + np.bincount(
            list_now,
            weights=ones * (zeros_before - base),
            minlength=len(wrong),
        )
        block, code, list_now = _split_blocks(block, ones, code, list_now)
    return wrong


def _split_blocks(
    block: IntArray, ones: IntArray, code: IntArray, list_now: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Move the zeros of every block before its ones, stably, and renumber blocks."""
    finer = 2 * block + ones
    order = np.argsort(finer, kind="stable")
    finer = finer[order]
    new = np.zeros(len(finer), dtype=np.intp)
    new[1:] = finer[1:] != finer[:-1]
    return np.cumsum(new), code[order], list_now[order]


def _centred_ranks(ranked: RankedLists) -> FloatArray:
    """Average rank of each slot minus the mean rank of its list."""
    middle = (ranked.tie_begin + ranked.tie_end - 1) / 2.0
    mean = (ranked.queries.sizes - 1) / 2.0
    return np.asarray(middle - np.repeat(mean, ranked.queries.sizes))
