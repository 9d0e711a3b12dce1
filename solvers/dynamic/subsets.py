"""Index tables of the dynamic programs over subsets.

Sets of items are bit masks. A *level* is all sets of one size, by mask; its *rows* are
the pairs (set, one of its members), set by set, members by index. In a table of all
rows the levels follow each other by size.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from ltr.queries import IntArray


class Level(NamedTuple):
    """Sets of one size.

    Attributes
    ----------
    members : int array of shape (n_sets, size)
        Items of each set, by index.
    others : int array of shape (n_sets, n - size)
        Items not in it.
    smaller : int array of shape (n_sets, size)
        For (S, j), the number of S∖j in the level below.
    entry_rows : int array of shape (n_sets, size)
        For (S, j), the place of (S∖j, j) among the pairs (set, one of its others) of
        the level below, set by set.
    partial_rows : int array of shape (n_sets, size)
        For (S, j), the row (S∖a, j) of the level below, with a from ``addends``.
    addends : int array of shape (n_sets, size)
        For (S, j), the highest member a of S other than j.
    """

    members: IntArray
    others: IntArray
    smaller: IntArray
    entry_rows: IntArray
    partial_rows: IntArray
    addends: IntArray


class Subsets(NamedTuple):
    """All subsets of n items.

    Attributes
    ----------
    levels : list of Level
        ``levels[k - 1]`` has the sets of size k, from 1 to n.
    number : int array of shape (2**n,)
        Number of a mask within its level.
    pairs : int array of shape (n * (n - 1), 2)
        (i, j) with i ≠ j, by i, then j.
    tail_rows : int array of shape (n * (n - 1), 2**(n - 2))
        For each pair, the rows (S, i) of the sets S with i and without j, ...
    head_rows : int array of shape (n * (n - 1), 2**(n - 2))
        ... and the rows (complement of S, j).
    joint_rows : int array of shape (n * (n - 1), 2**(n - 2))
        For each pair, the rows (S, j) of the sets S with i and j.
    suffix_rows : int array of shape (n * 2**(n - 1),)
        For each row (S, j), the row (complement of S plus j, j).
    sets, smaller_sets : int arrays of shape (n * 2**(n - 1),)
        For each row (S, j), the number of S, and of S∖j, among all sets by size, the
        empty set included.
    """

    levels: list[Level]
    number: IntArray
    pairs: IntArray
    tail_rows: IntArray
    head_rows: IntArray
    joint_rows: IntArray
    suffix_rows: IntArray
    sets: IntArray
    smaller_sets: IntArray


@cache
def subsets(n: int) -> Subsets:
    """Tables for n ≥ 1 items; their size is O(2^n n²)."""
    masks = np.arange(1 << n)
    inside = (masks[:, None] >> np.arange(n)) & 1  # (2^n, n)
    size = inside.sum(1)
    place = np.cumsum(inside, axis=1) - inside  # of a member among the members
    number = np.empty(1 << n, dtype=np.int64)
    level_starts = np.zeros(n + 1, dtype=np.int64)  # first row of each level
    levels: list[Level] = []
    for k in range(n + 1):
        sets = np.flatnonzero(size == k)
        number[sets] = np.arange(len(sets))
        if k < n:
            level_starts[k + 1] = level_starts[k] + k * len(sets)
        if k > 0:
            levels.append(_level(sets, k, n, inside, place, number))

    def row(sets: IntArray, item: int | IntArray) -> IntArray:
        within = number[sets] * size[sets] + place[sets, item]
        return level_starts[size[sets]] + within

    full = (1 << n) - 1
    pairs = np.array([(i, j) for i in range(n) for j in range(n) if i != j], dtype=int)
    tails = [masks[(inside[:, i] == 1) & (inside[:, j] == 0)] for i, j in pairs]
    joint = [masks[(inside[:, i] == 1) & (inside[:, j] == 1)] for i, j in pairs]
    by_size = np.argsort(size, kind="stable")
    overall = np.argsort(by_size)  # number of a mask among all sets by size
    row_sets = by_size.repeat(size[by_size])  # S of each row (S, j), ...
    row_items = np.concatenate([level.members.ravel() for level in levels])  # ... and j
    return Subsets(
        levels=levels,
        number=number,
        pairs=pairs.reshape(-1, 2),
        tail_rows=_stack([row(s, i) for s, (i, _) in zip(tails, pairs, strict=True)]),
        head_rows=_stack(
            [row(full ^ s, j) for s, (_, j) in zip(tails, pairs, strict=True)]
        ),
        joint_rows=_stack([row(s, j) for s, (_, j) in zip(joint, pairs, strict=True)]),
        suffix_rows=row((full ^ row_sets) | (1 << row_items), row_items),
        sets=overall[row_sets],
        smaller_sets=overall[row_sets ^ (1 << row_items)],
    )


def _level(
    sets: IntArray,
    k: int,
    n: int,
    inside: IntArray,
    place: IntArray,
    number: IntArray,
) -> Level:
    """Tables of the sets of size k; ``number`` is filled up to that size."""
    items = np.broadcast_to(np.arange(n), (len(sets), n))
    members = items[inside[sets] == 1].reshape(-1, k)
    others = items[inside[sets] == 0].reshape(len(sets), n - k)
    without = sets[:, None] ^ (1 << members)  # masks of S∖j
    smaller = number[without]
    # S∖j has n - k + 1 others; j is preceded by j items less the members below j
    entry_rows = smaller * (n - k + 1) + members - place[without, members]
    addends = np.repeat(members[:, -1:], k, axis=1)
    if k > 1:
        addends[:, -1] = members[:, -2]
    reduced = sets[:, None] ^ (1 << addends)  # masks of S∖a
    partial_rows = number[reduced] * (k - 1) + place[reduced, members]
    return Level(members, others, smaller, entry_rows, partial_rows, addends)


def _stack(rows: list[IntArray]) -> IntArray:
    return np.array(rows, dtype=np.int64).reshape(len(rows), -1 if rows else 1)
