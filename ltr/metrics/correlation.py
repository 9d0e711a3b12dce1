"""Metrics that compare the whole order with the labels: any label, any sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics.ranked import Empty, RankedLists, rank_lists, summarize
from ltr.queries import BoolArray, FloatArray, IntArray

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


def tau_ap_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    empty: Empty = "skip",
    per_query: bool = False,
) -> FloatArray | float:
    r"""Kendall's correlation with the weight at the top (AP correlation).

    .. math:: \tau_{ap} = \frac{1}{n - 1} \sum_{r=2}^{n} \frac{1}{r - 1}
        \sum_{q < r} \mathrm{sign}(y_{\pi_q} - y_{\pi_r})

    A pair with equal labels counts 0; equal scores are averaged over their orders.

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
    tau : float in [−1, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN. A
        constant score has τ = 0; with equal labels no score has τ = 1.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    References
    ----------
    .. [1] Yilmaz, Aslam & Robertson, "A new rank correlation coefficient for
       information retrieval", SIGIR 2008, eq. (3).

    Examples
    --------
    >>> tau_ap_score([3, 2, 1], [0.5, 0.9, 0.1])
    0.0
    >>> tau_ap_score([3, 2, 1], [0.9, 0.1, 0.5])
    0.5
    """
    ranked = rank_lists(y_true, y_score, qid)
    codes = _label_codes(ranked)
    smaller = _smaller_before(ranked, codes)
    equal = _equal_before(ranked, codes)
    larger = ranked.tie_begin - smaller - equal
    inverse = np.zeros(int(ranked.queries.sizes.max()))
    inverse[1:] = 1.0 / np.arange(1.0, len(inverse))
    total = ranked.sum_lists((larger - smaller) * ranked.expected_weight(inverse))
    tau = np.clip(total / np.maximum(ranked.queries.sizes - 1, 1), -1.0, 1.0)
    blank = ranked.sum_lists(codes.astype(np.float64)) == 0
    return summarize(tau, blank, empty, per_query, _NO_PAIR)


def information_coefficient_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    empty: Empty = "skip",
    per_query: bool = False,
) -> FloatArray | float:
    """Pearson's correlation of scores and labels in each list.

    The information coefficient of quants when a list is a day and a label a return;
    that of ranks is :func:`spearman_score`. Unlike the other metrics it reads the
    values of the scores, not their order alone.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, any real numbers.
    y_score : array-like of shape (n_samples,)
        Scores, finite, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    empty : {"skip", 0, 1}, default="skip"
        Lists without two distinct labels: leave out, or count as 0 or 1.
    per_query : bool, default=False
        Return one value per list; mean over standard deviation is the information
        ratio.

    Returns
    -------
    ic : float in [−1, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN. A
        constant score has correlation 0.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    References
    ----------
    .. [1] Grinold & Kahn, "Active portfolio management", 2nd edition, 1999, chapter 6.

    Examples
    --------
    >>> round(information_coefficient_score([-0.1, 0.2, 0.0], [0.3, 0.9, 0.1]), 4)
    0.8386
    """
    ranked = rank_lists(y_true, y_score, qid)
    if not np.isfinite(ranked.scores).all():
        raise ValueError(
            "y_score must be finite for the information coefficient; got an infinite "
            "score. Use spearman_score, which reads their order only."
        )
    s, s_constant = _standardized(ranked, ranked.scores)
    y, y_constant = _standardized(ranked, ranked.labels)
    value = np.where(s_constant, 0.0, np.clip(ranked.sum_lists(s * y), -1.0, 1.0))
    return summarize(value, y_constant, empty, per_query, _NO_PAIR)


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
    discordant = ranked.sum_lists(_smaller_before(ranked, codes))
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


def _smaller_before(ranked: RankedLists, codes: IntArray) -> FloatArray:
    """Slots with a smaller label in the earlier tie groups of the list of each slot.

    Radix counting over all lists at once. Slots start in score order (equal scores best
    label first, so that they count nothing) and are split stably by the bits of the
    label code, high to low. Two slots part at the highest bit in which they differ;
    there, each 1 that follows a 0 of its block has a smaller label before it.
    """
    block = ranked.list_of_slot
    slot = np.lexsort((-codes, ranked.tie_begin, block))
    code = codes[slot]
    count = np.zeros(len(slot))
    for bit in range(int(codes.max()).bit_length() - 1, -1, -1):
        ones = (code >> bit) & 1
        zeros_before = np.cumsum(1 - ones)
        start = np.flatnonzero(np.diff(block, prepend=-1))
        length = np.diff(start, append=len(block))
        base = np.repeat(zeros_before[start] - (1 - ones[start]), length)
        count[slot] += ones * (zeros_before - base)
        finer = 2 * block + ones  # the zeros of every block before its ones, stably
        order = np.argsort(finer, kind="stable")
        block = np.cumsum(np.diff(finer[order], prepend=finer[order[0]]) != 0)
        code, slot = code[order], slot[order]
    return count


def _equal_before(ranked: RankedLists, codes: IntArray) -> FloatArray:
    """Slots with the same label in the earlier tie groups of the list of each slot."""
    lists = ranked.list_of_slot
    order = np.lexsort((ranked.tie_begin, codes, lists))
    step = np.arange(len(order))
    same_label = (np.diff(codes[order], prepend=-1) == 0) & (
        np.diff(lists[order], prepend=-1) == 0
    )
    same_tie = same_label & (np.diff(ranked.tie_begin[order], prepend=-1) == 0)
    first_of_label = np.maximum.accumulate(np.where(same_label, 0, step))
    first_of_tie = np.maximum.accumulate(np.where(same_tie, 0, step))
    count = np.empty(len(order))
    count[order] = first_of_tie - first_of_label
    return count


def _standardized(
    ranked: RankedLists, values: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Values of each list centred and of length 1, and which lists are constant."""
    starts, sizes = ranked.queries.starts[:-1], ranked.queries.sizes
    constant = np.maximum.reduceat(values, starts) == np.minimum.reduceat(
        values, starts
    )
    centred = values - np.repeat(ranked.sum_lists(values) / sizes, sizes)
    norm = np.sqrt(ranked.sum_lists(centred * centred))
    return centred / np.repeat(np.where(norm == 0, 1.0, norm), sizes), constant


def _centred_ranks(ranked: RankedLists) -> FloatArray:
    """Average rank of each slot minus the mean rank of its list."""
    middle = (ranked.tie_begin + ranked.tie_end - 1) / 2.0
    mean = (ranked.queries.sizes - 1) / 2.0
    return np.asarray(middle - np.repeat(mean, ranked.queries.sizes))
