"""Orders from pairwise majorities: ranked pairs (Tideman) and Schulze's method.

Both depend only on how the *strengths* of the majorities compare, so strengths are
replaced by whole numbers first: 0 where i does not beat j, and otherwise the same
number for majorities that tie, a greater one for a stronger majority.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components

from ltr.arguments import check_choice
from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.inputs import check_counts

STRENGTHS = ("margin", "winning")
# Strengths within this part of the greatest count are ties: sums of weights round.
_TIED = 1e-12


class CondorcetOrder(NamedTuple):
    """Order by :func:`ranked_pairs` or :func:`schulze`.

    Attributes
    ----------
    order : int array of shape (n,)
        Item numbers, best first.
    is_unique : bool
        Whether the votes alone determine the order. False: another way to break ties
        gives another order.
    beats : bool array of shape (n, n)
        Entry [i, j]: whether the method places i before j. A strict partial order,
        which ``order`` extends.

    Examples
    --------
    >>> from ltr.solvers import schulze
    >>> schulze([[0, 2], [1, 0]]).beats.tolist()
    [[False, True], [False, False]]
    """

    order: IntArray
    is_unique: bool
    beats: BoolArray


def ranked_pairs(
    counts: ArrayLike,
    *,
    strength: str = "margin",
    tie_break: ArrayLike | None = None,
) -> CondorcetOrder:
    """Order items by locking majorities in, strongest first, unless they close a cycle.

    The method of Tideman [1]_. A Condorcet winner is first, and the Smith set precedes
    all other items.

    Parameters
    ----------
    counts : array-like of shape (n, n)
        Entry [i, j]: how often i precedes j; see :func:`pairwise_counts`.
    strength : {"margin", "winning"}, default="margin"
        What makes a majority strong: ``"margin"``, the votes for less those against it;
        ``"winning"``, the votes for it.
    tie_break : int array-like of shape (n,), default=None
        All items in order of preference among equals. None: by item number. Of equally
        strong majorities, the one whose winner is earlier is locked first, then the one
        whose loser is earlier; of items between which nothing is locked, the earlier
        one is placed first.

    Returns
    -------
    result : CondorcetOrder
        With ``order``, ``is_unique`` (over all sequences in which equally strong
        majorities could be locked) and ``beats``.

    Raises
    ------
    ValueError
        If counts are not square or not finite, or ``tie_break`` does not have each item
        once.

    References
    ----------
    .. [1] T. N. Tideman. Independence of clones as a criterion for voting rules. Social
       Choice and Welfare 4, 1987.

    Examples
    --------
    >>> from ltr.solvers import pairwise_counts, ranked_pairs
    >>> votes = [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    >>> result = ranked_pairs(pairwise_counts(votes, weights=[4, 3, 2]))
    >>> result.order, result.is_unique
    (array([0, 1, 2]), True)
    >>> ranked_pairs(pairwise_counts(votes)).is_unique
    False
    """
    levels = _majorities(counts, strength)
    n = len(levels)
    place = _tie_break_places(tie_break, n)
    winner, loser = np.nonzero(levels)
    level = levels[winner, loser]
    sequence = np.lexsort((place[loser], place[winner], -level))
    classes = np.split(sequence, 1 + np.flatnonzero(np.diff(level[sequence])))
    locked = np.zeros((n, n), dtype=bool)  # transitively closed
    is_unique = True
    for pairs in classes:
        pairs = pairs[~(locked | locked.T)[winner[pairs], loser[pairs]]]
        if is_unique and len(pairs) > 1:
            # If all pairs of the class fit together, any sequence locks them all. If
            # not, take a cycle with the fewest pairs of the class: any one pair can be
            # locked first, or else shut out by the others of the cycle.
            union = locked.copy()
            union[winner[pairs], loser[pairs]] = True
            is_unique = connected_components(union, connection="strong")[0] == n
        for i, j in zip(winner[pairs].tolist(), loser[pairs].tolist(), strict=True):
            if not locked[j, i] and not locked[i, j]:
                above, below = locked[:, i].copy(), locked[j].copy()
                above[i] = below[j] = True
                locked[np.ix_(above, below)] = True
    return _extend(locked, place, is_unique)


def schulze(
    counts: ArrayLike,
    *,
    strength: str = "winning",
    tie_break: ArrayLike | None = None,
) -> CondorcetOrder:
    """Order items by their strongest chains of majorities: Schulze's method.

    A chain is as strong as its weakest majority; i precedes j if the strongest chain
    from i to j is stronger than that from j to i, which is a strict partial order
    ([1]_, sections 2.2 and 2.3). A Condorcet winner is first, and the Smith set
    precedes all other items.

    Parameters
    ----------
    counts : array-like of shape (n, n)
        Entry [i, j]: how often i precedes j; see :func:`pairwise_counts`.
    strength : {"margin", "winning"}, default="winning"
        What makes a majority strong: ``"margin"``, the votes for less those against it;
        ``"winning"``, the votes for it.
    tie_break : int array-like of shape (n,), default=None
        All items in order of preference among equals: of items that no other remaining
        item precedes, the earliest here is placed first. None: by item number.

    Returns
    -------
    result : CondorcetOrder
        With ``order``, ``is_unique`` and ``beats``.

    Raises
    ------
    ValueError
        If counts are not square or not finite, or ``tie_break`` does not have each item
        once.

    References
    ----------
    .. [1] M. Schulze. A new monotonic, clone-independent, reversal symmetric, and
       Condorcet-consistent single-winner election method. Social Choice and Welfare 36,
       2011.

    Examples
    --------
    >>> from ltr.solvers import pairwise_counts, schulze
    >>> votes = [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    >>> result = schulze(pairwise_counts(votes, weights=[4, 3, 2]))
    >>> result.order, result.is_unique
    (array([0, 1, 2]), True)
    >>> schulze([[0, 1], [1, 0]], tie_break=[1, 0]).order
    array([1, 0])
    """
    chains = _majorities(counts, strength)
    place = _tie_break_places(tie_break, len(chains))
    for k in range(len(chains)):
        # p_ij = max(p_ij, min(p_ik, p_kj)), Floyd and Warshall's step
        np.maximum(chains, np.minimum.outer(chains[:, k], chains[k]), out=chains)
    np.fill_diagonal(chains, 0)
    return _extend(chains > chains.T, place, True)


def _majorities(counts: ArrayLike, strength: str) -> IntArray:
    """Number the strengths of the majorities: 0 for none, 1 for the weakest, ….

    Returns an array of shape (n, n).
    """
    check_choice("strength", strength, STRENGTHS)
    matrix = check_counts(counts)
    margin: FloatArray = matrix - matrix.T
    tolerance = _TIED * np.abs(matrix).max(initial=0.0)
    is_majority = margin > tolerance
    values = (margin if strength == "margin" else matrix)[is_majority]
    ascending = np.argsort(values)
    is_stronger = np.diff(values[ascending], prepend=-np.inf) > tolerance
    levels = np.zeros(matrix.shape, dtype=np.int64)
    numbers = np.empty(len(values), dtype=np.int64)
    numbers[ascending] = np.cumsum(is_stronger)
    levels[is_majority] = numbers
    return levels


def _tie_break_places(tie_break: ArrayLike | None, n: int) -> IntArray:
    """Place of each item in the order that breaks ties."""
    if tie_break is None:
        return np.arange(n)
    order = np.asarray(tie_break)
    is_integer = order.dtype.kind in "iu" or not order.size
    if not is_integer or order.shape != (n,) or (np.sort(order) != np.arange(n)).any():
        raise ValueError(
            f"tie_break must have each of the items 0, …, {n - 1} once; got "
            f"{order.tolist()}."
        )
    return np.argsort(order)


def _extend(beats: BoolArray, place: IntArray, is_unique: bool) -> CondorcetOrder:
    """Extend a strict partial order: next is the maximal item of the least place."""
    n = len(beats)
    order = np.empty(n, dtype=np.int64)
    n_above = beats.sum(axis=0)
    for position in range(n):
        # n_above is 0 for maximal items, and n for those already placed
        item = int(np.argmin(np.where(n_above == 0, place, n)))
        order[position] = item
        n_above = n_above - beats[item]
        n_above[item] = n
    n_undecided = n * (n - 1) // 2 - int(beats.sum())
    return CondorcetOrder(order, bool(is_unique and n_undecided == 0), beats)
