"""Pairs of each list, counted by how labels and scores order them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ltr.metrics.ranked import RankedLists
from ltr.queries import FloatArray, IntArray


@dataclass(frozen=True)
class PairCounts:
    """Number of pairs of each list, by how labels and scores order them.

    Attributes
    ----------
    total : float array of shape (n_lists,)
        All pairs.
    different_labels, different_scores : float arrays of shape (n_lists,)
        Those that are not tied in the labels, in the scores.
    concordant, discordant : float arrays of shape (n_lists,)
        Those that labels and scores order alike, and in opposite ways.
    """

    total: FloatArray
    different_labels: FloatArray
    different_scores: FloatArray
    concordant: FloatArray
    discordant: FloatArray


def count_pairs(ranked: RankedLists) -> PairCounts:
    """Count concordant, discordant and tied pairs, in O(n log n)."""
    n = ranked.queries.sizes.astype(np.float64)
    total = n * (n - 1) / 2
    codes = label_codes(ranked)
    tied_labels = _tied_pairs(ranked, codes)
    tied_scores = _tied_pairs(ranked, ranked.tie_begin)
    tied_both = _tied_pairs(ranked, ranked.tie_begin, codes)
    discordant = ranked.sum_lists(smaller_before(ranked, codes))
    # pairs tied in neither, by inclusion and exclusion: C + D
    ordered = total - tied_labels - tied_scores + tied_both
    return PairCounts(
        total=total,
        different_labels=total - tied_labels,
        different_scores=total - tied_scores,
        concordant=ordered - discordant,
        discordant=discordant,
    )


def label_codes(ranked: RankedLists) -> IntArray:
    """Dense rank of the label of each slot among the labels of its list, from 0."""
    lists = ranked.list_of_slot
    by_label = np.lexsort((ranked.labels, lists))
    labels, sorted_lists = ranked.labels[by_label], lists[by_label]
    is_head = np.zeros(len(lists), dtype=np.intp)
    is_head[1:] = (labels[1:] != labels[:-1]) & (sorted_lists[1:] == sorted_lists[:-1])
    count = np.cumsum(is_head)
    codes = np.empty(len(lists), dtype=np.intp)
    starts = ranked.queries.starts[:-1]
    codes[by_label] = count - np.repeat(count[starts], ranked.queries.sizes)
    return codes


def _tied_pairs(ranked: RankedLists, *keys: IntArray) -> FloatArray:
    """Pairs of each list that agree in all keys, Σ m (m − 1) / 2 over runs of m."""
    lists = ranked.list_of_slot
    order = np.lexsort((*keys, lists))
    is_head = np.ones(len(order), dtype=bool)
    is_head[1:] = np.any([np.diff(key[order]) != 0 for key in (*keys, lists)], axis=0)
    begin = np.flatnonzero(is_head)
    m = np.diff(np.concatenate([begin, [len(order)]])).astype(np.float64)
    n_lists = ranked.queries.n_lists
    pairs = np.bincount(lists[order[begin]], m * (m - 1) / 2, minlength=n_lists)
    return np.asarray(pairs, dtype=np.float64)


def smaller_before(ranked: RankedLists, codes: IntArray) -> FloatArray:
    """Slots with a smaller label in the earlier tie groups of the list of each slot.

    Inversions by radix, over all lists at once. A block holds slots of one list whose
    codes agree in the bits so far. It starts in score order (equal scores best label
    first, so that none of them is an inversion) and is split stably by the next bit,
    high to low. Two slots part at the highest bit in which their codes differ; there
    the one with a 1 counts the zeros before it in its block, the smaller labels.
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
        finer = 2 * block + ones  # the zeros of a block before its ones, stably
        order = np.argsort(finer, kind="stable")
        block = np.cumsum(np.diff(finer[order], prepend=finer[order[0]]) != 0)
        code, slot = code[order], slot[order]
    return count


def equal_before(ranked: RankedLists, codes: IntArray) -> FloatArray:
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
