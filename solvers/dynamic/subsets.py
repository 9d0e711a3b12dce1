"""Index tables of the dynamic programmes over subsets.

Sets of items are bit masks. A *level* is all sets of one size, by mask; its *rows* are
the pairs (set, one of its members), set by set, members by index. In a table of all
rows the levels follow each other by size.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from ltr.solvers.core.solution import IntArray


class Level(NamedTuple):
    """Sets of one size.

    Attributes
    ----------
    members : int array of shape (n_sets, size)
        Items of each set, by index.
    others : int array of shape (n_sets, n - size)
        Items not in it.
    smaller : int array of shape (n_sets, size)
        Number, in the level below, of the set without that member.
    entering : int array of shape (n_sets, size)
        The same set and the member as a pair (set, one of its others) of the level
        below, set by set.
    sums : int array of shape (n_sets, size)
        A row of the level below in which the member stands too; the item that is
        missing there is ``addends``.
    addends : int array of shape (n_sets, size)
        The highest other member.
    """

    members: IntArray
    others: IntArray
    smaller: IntArray
    entering: IntArray
    sums: IntArray
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
    with_first : int array of shape (n * (n - 1), 2**(n - 2))
        For each pair, the rows (S, i) of sets S with i and without j, ...
    complements : int array of shape (n * (n - 1), 2**(n - 2))
        ... and the rows (complement of S, j).
    with_both : int array of shape (n * (n - 1), 2**(n - 2))
        For each pair, the rows (S, j) of sets S with i and j.
    rest : int array of shape (n * 2**(n - 1),)
        For each row (S, j), the row (complement of S plus j, j).
    whole, without : int arrays of shape (n * 2**(n - 1),)
        For each row (S, j), the number of S, and of S without j, among all sets by
        size, the empty one included.
    """

    levels: list[Level]
    number: IntArray
    pairs: IntArray
    with_first: IntArray
    complements: IntArray
    with_both: IntArray
    rest: IntArray
    whole: IntArray
    without: IntArray


@cache
def subsets(n: int) -> Subsets:
    """Tables for n ≥ 1 items; their size is O(2^n n²)."""
    masks = np.arange(1 << n)
    inside = (masks[:, None] >> np.arange(n)) & 1
    size = inside.sum(1)
    place = np.cumsum(inside, axis=1) - inside  # of a member among the members
    number = np.empty(1 << n, dtype=np.int64)
    first_row = np.zeros(n + 1, dtype=np.int64)  # of a level
    levels: list[Level] = []
    for k in range(n + 1):
        sets = np.flatnonzero(size == k)
        number[sets] = np.arange(len(sets))
        if k < n:
            first_row[k + 1] = first_row[k] + k * len(sets)
        if k > 0:
            levels.append(_level(sets, k, n, inside, place, number))

    def row(sets: IntArray, item: int | IntArray) -> IntArray:
        within = number[sets] * size[sets] + place[sets, item]
        return first_row[size[sets]] + within

    full = (1 << n) - 1
    pairs = np.array([(i, j) for i in range(n) for j in range(n) if i != j], dtype=int)
    first = [masks[(inside[:, i] == 1) & (inside[:, j] == 0)] for i, j in pairs]
    both = [masks[(inside[:, i] == 1) & (inside[:, j] == 1)] for i, j in pairs]
    members = [level.members.ravel() for level in levels]
    each = np.concatenate(members)
    by_size = np.argsort(size, kind="stable")
    of_set = by_size.repeat(size[by_size])
    overall = np.argsort(by_size)
    return Subsets(
        levels=levels,
        number=number,
        pairs=pairs.reshape(-1, 2),
        with_first=_stack([row(s, i) for s, (i, _) in zip(first, pairs, strict=True)]),
        complements=_stack(
            [row(full ^ s, j) for s, (_, j) in zip(first, pairs, strict=True)]
        ),
        with_both=_stack([row(s, j) for s, (_, j) in zip(both, pairs, strict=True)]),
        rest=row((full ^ of_set) | (1 << each), each),
        whole=overall[of_set],
        without=overall[of_set ^ (1 << each)],
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
    without = sets[:, None] ^ (1 << members)
    smaller = number[without]
    entering = smaller * (n - k + 1) + members - place[without, members]
    addends = np.repeat(members[:, -1:], k, axis=1)
    if k > 1:
        addends[:, -1] = members[:, -2]
    rest = sets[:, None] ^ (1 << addends)
    sums = number[rest] * (k - 1) + place[rest, members]
    return Level(members, others, smaller, entering, sums, addends)


def _stack(rows: list[IntArray]) -> IntArray:
    return np.array(rows, dtype=np.int64).reshape(len(rows), -1 if rows else 1)
