"""Least numbers of protected items in each prefix, and the greedy re-ranker.

Zehlike, Bonchi, Castillo, Hajian, Megahed, Baeza-Yates (2017), FA*IR: a fair top-k
ranking algorithm. Geyik, Ambler, Kenthapadi (2019), Fairness-aware ranking in search
and recommendation systems.
"""

import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from ltr.solvers.core.inputs import check_scores
from ltr.solvers.core.solution import FloatArray, IntArray

# Guards ⌊p·t⌋ and ⌈p·t⌉ against 0.29 · 100 = 28.999999999999996.
ROUNDING = 1e-9


def fair_minimums(
    k: int, share: float, alpha: float = 0.1, *, adjust: bool = True
) -> IntArray:
    """Least numbers of protected items in each prefix that a fair coin would pass.

    A ranking is called unfair at prefix t if it has fewer protected items than a
    binomial(t, ``share``) variable has with probability above ``alpha``: m(t) is the
    smallest m with F(m; t, share) > alpha (FA*IR, definition 3 and table 3).

    Parameters
    ----------
    k : int
        Length of the ranking, ≥ 1.
    share : float
        Probability of a protected item at each position, in (0, 1).
    alpha : float, default=0.1
        Probability with which a fair ranking may be called unfair, in (0, 1).
    adjust : bool, default=True
        Whether ``alpha`` is for all k prefixes together (FA*IR, section 4.2): each is
        then tested at the greatest level at which a fair ranking fails any of the tests
        with probability at most ``alpha``.

    Returns
    -------
    minimums : int array of shape (k,)
        For the first 1, 2, …, k positions; what ``Quota(lower=…)`` takes.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> fair_minimums(10, 0.5, adjust=False)
    array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3])
    >>> fair_minimums(10, 0.5)
    array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3])
    """
    if not isinstance(k, numbers.Integral) or k < 1:
        raise ValueError(f"k must be a whole number >= 1; got {k!r}.")
    for name, value in (("share", share), ("alpha", alpha)):
        if not 0 < value < 1:
            raise ValueError(f"{name} must be in (0, 1); got {value!r}.")
    # below[m, t - 1] = F(m; t, share), the probability of at most m among t
    below = binom.cdf(np.arange(k)[:, None], np.arange(1, k + 1), share)
    if not adjust:
        return _minimums(below, alpha)
    levels = np.unique(below[below <= alpha])  # the tests change at these only
    kept, missed = -1, len(levels)
    while missed - kept > 1:
        middle = (kept + missed) // 2
        if _failure(_minimums(below, levels[middle]), share) <= alpha:
            kept = middle
        else:
            missed = middle
    return _minimums(below, levels[kept] if kept >= 0 else 0.0)


def _minimums(below: FloatArray, alpha: float) -> IntArray:
    """Smallest m with F(m; t, share) > alpha, for t = 1, …, k."""
    return np.asarray((below <= alpha).sum(axis=0), dtype=np.int64)


def _failure(minimums: IntArray, share: float) -> float:
    """Probability that independent draws miss one of the minimums."""
    passing = np.ones(1)  # passing[m]: m protected so far, all prefixes passed
    for least in minimums:
        longer = np.zeros(len(passing) + 1)
        longer[:-1] = (1 - share) * passing
        longer[1:] += share * passing
        longer[:least] = 0.0
        passing = longer
    return 1.0 - float(passing.sum())


def det_const_sort(
    scores: ArrayLike,
    groups: ArrayLike,
    shares: Mapping[Any, float],
    *,
    k: int | None = None,
) -> IntArray:
    """Re-rank greedily so that every prefix has ⌊p·t⌋ items of each group.

    When the minimum of a group rises, its best item left is appended, and moved up past
    worse items as far as the minimums allow (Geyik et al. 2019, algorithm 3). It is the
    peer of ``solve_assignment`` with ``Quota(min_share=…)``, which is exact.

    Parameters
    ----------
    scores : array-like of shape (n_items,)
        Higher is better.
    groups : array-like of shape (n_items,)
        Group of each item.
    shares : mapping of group to float
        Wanted share p of every group; they sum to 1.
    k : int, default=None
        Positions to fill. None, or more than there are items: all.

    Returns
    -------
    order : int array of shape (k,)
        Item indices, best first. Where a group has too few items, others follow.

    Raises
    ------
    ValueError
        If a group has no share, the shares do not sum to 1, or an array has another
        length.

    Examples
    --------
    >>> det_const_sort([4, 3, 2, 1], list("aabb"), {"a": 0.5, "b": 0.5})
    array([0, 2, 1, 3])
    """
    names = list(groups)  # type: ignore[arg-type]
    array = check_scores(scores, len(names), "scores")
    if k is not None and (not isinstance(k, numbers.Integral) or k < 0):
        raise ValueError(f"k must be None or a whole number >= 0; got {k!r}.")
    missing = sorted({str(name) for name in names if name not in shares})
    total = sum(shares.values())
    is_fair = all(share >= 0 for share in shares.values())
    if missing or not is_fair or not abs(total - 1) <= ROUNDING:
        raise ValueError(
            f"shares must be >= 0, sum to 1, and have every group; got {dict(shares)!r}"
            + (f" without {missing[0]!r}." if missing else f", which sum to {total:g}.")
        )
    k = len(names) if k is None else min(k, len(names))
    waiting: dict[Any, list[int]] = {group: [] for group in shares}
    for item in np.argsort(-array, kind="stable")[::-1]:
        waiting[names[item]].append(int(item))  # the best is last
    order: list[int] = []
    deadlines: list[int] = []  # how many positions of the list may end at this item
    minimums = dict.fromkeys(shares, 0)
    prefix = 0
    while len(order) < k and any(waiting[group] and shares[group] for group in shares):
        prefix += 1
        rising = []
        for group, share in shares.items():
            least = math.floor(share * prefix + ROUNDING)
            if least > minimums[group] and waiting[group]:
                rising.append(group)
            minimums[group] = least
        rising.sort(key=lambda group: -array[waiting[group][-1]])
        for group in rising:
            order.append(waiting[group].pop())
            deadlines.append(prefix)
            place = len(order) - 1
            while (
                place > 0
                and deadlines[place - 1] > place
                and array[order[place - 1]] < array[order[place]]
            ):
                for row in (order, deadlines):
                    row[place - 1], row[place] = row[place], row[place - 1]
                place -= 1
    if len(order) < k:
        rest = np.setdiff1d(np.arange(len(names)), order)
        order += rest[np.argsort(-array[rest], kind="stable")].tolist()
    return np.array(order[:k], dtype=np.int64)
