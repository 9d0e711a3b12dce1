"""Minimum numbers of protected items in each prefix, and the greedy re-ranker.

References
----------
.. [1] M. Zehlike, F. Bonchi, C. Castillo, S. Hajian, M. Megahed and R. Baeza-Yates.
   FA*IR: a fair top-k ranking algorithm. CIKM 2017.
.. [2] S. C. Geyik, S. Ambler and K. Kenthapadi. Fairness-aware ranking in search and
   recommendation systems with application to LinkedIn talent search. KDD 2019.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from ltr.arguments import check_number, check_whole
from ltr.queries import FloatArray, IntArray, check_rows
from ltr.solvers.core.groups import ROUNDING
from ltr.solvers.core.inputs import check_scores


def fair_minimums(
    k: int, share: float, alpha: float = 0.1, *, adjust: bool = True
) -> IntArray:
    """Minimum numbers of protected items in each prefix, by a binomial test.

    A ranking fails the test at prefix t if it has fewer protected items than m(t), the
    smallest m with F(m; t, share) > alpha, where F is the binomial distribution
    function ([1]_, definition 3 and table 3).

    Parameters
    ----------
    k : int
        Length of the ranking, ≥ 1.
    share : float
        Probability of a protected item at each position, in (0, 1).
    alpha : float, default=0.1
        Probability that a fair ranking fails, in (0, 1).
    adjust : bool, default=True
        Whether ``alpha`` holds for all k tests together ([1]_, section 4.2): each is
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

    References
    ----------
    .. [1] M. Zehlike et al. FA*IR: a fair top-k ranking algorithm. CIKM 2017.

    Examples
    --------
    >>> fair_minimums(10, 0.5, adjust=False)
    array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3])
    >>> fair_minimums(10, 0.5)
    array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3])
    """
    k = check_whole("k", k, low=1)
    for name, value in (("share", share), ("alpha", alpha)):
        check_number(name, value, low=0.0, high=1.0, open_low=True, open_high=True)
    # cdf[m, t - 1] = F(m; t, share), the probability of at most m among t
    cdf = np.asarray(binom.cdf(np.arange(k)[:, None], np.arange(1, k + 1), share))
    if not adjust:
        return _minimums(cdf, alpha)
    # the minimums change only at values of the cdf: bisect over these for the greatest
    # level at which any of the tests fails with probability at most alpha
    levels = np.unique(cdf[cdf <= alpha])
    low, high = -1, len(levels)
    while high - low > 1:
        middle = (low + high) // 2
        if _failure_probability(_minimums(cdf, levels[middle]), share) <= alpha:
            low = middle
        else:
            high = middle
    return _minimums(cdf, levels[low] if low >= 0 else 0.0)


def _minimums(cdf: FloatArray, alpha: float) -> IntArray:
    """Smallest m with F(m; t, share) > alpha, for t = 1, …, k."""
    return np.asarray((cdf <= alpha).sum(axis=0), dtype=np.int64)


def _failure_probability(minimums: IntArray, share: float) -> float:
    """Probability that independent draws miss one of the minimums."""
    # passing[m] = P(m protected items so far, and all prefixes pass)
    passing = np.ones(1)
    for minimum in minimums:
        longer = np.zeros(len(passing) + 1)
        longer[:-1] = (1 - share) * passing
        longer[1:] += share * passing
        longer[:minimum] = 0.0
        passing = longer
    return 1.0 - float(passing.sum())


def det_const_sort(
    scores: ArrayLike,
    groups: ArrayLike,
    shares: Mapping[Any, float],
    *,
    k: int | None = None,
) -> IntArray:
    """Re-rank greedily so that the first t have at least ⌊p·t⌋ items of each group.

    When the minimum of a group increases, its best unplaced item is appended and moved
    up past worse items as far as the minimums allow ([1]_, algorithm 3). Its exact
    counterpart is ``solve_assignment`` with ``Quota(min_share=…)``.

    Parameters
    ----------
    scores : array-like of shape (n_items,)
        Higher is better.
    groups : array-like of shape (n_items,)
        Group of each item.
    shares : mapping of group to float
        Target share p of each group; they sum to 1.
    k : int, default=None
        Positions to fill. None, or more than there are items: all.

    Returns
    -------
    order : int array of shape (k,)
        Item indices, best first. Where a group runs out of items, others take its
        place.

    Raises
    ------
    ValueError
        If a group has no share, the shares do not sum to 1, or an array has another
        length.

    References
    ----------
    .. [1] S. C. Geyik, S. Ambler and K. Kenthapadi. Fairness-aware ranking in search
       and recommendation systems with application to LinkedIn talent search. KDD 2019.

    Examples
    --------
    >>> det_const_sort([4, 3, 2, 1], list("aabb"), {"a": 0.5, "b": 0.5})
    array([0, 2, 1, 3])
    """
    names = list(groups)  # type: ignore[arg-type]
    array = check_scores(scores, len(names), "scores")
    check_rows({"scores": scores, "groups": groups})
    k = check_whole("k", k, low=0, optional=True)
    without_share = sorted({str(name) for name in names if name not in shares})
    total = sum(shares.values())
    is_positive = all(share >= 0 for share in shares.values())
    if without_share or not is_positive or not abs(total - 1) <= ROUNDING:
        raise ValueError(
            f"shares must be >= 0, sum to 1, and have every group; got {dict(shares)!r}"
            + (
                f" without {without_share[0]!r}."
                if without_share
                else f", which sum to {total:g}."
            )
        )
    k = len(names) if k is None else min(k, len(names))
    unplaced: dict[Any, list[int]] = {group: [] for group in shares}
    for item in np.argsort(-array, kind="stable")[::-1]:
        unplaced[names[item]].append(int(item))  # the best item is last
    order: list[int] = []
    deadlines: list[int] = []  # an item must stay among the first ``deadline``
    minimums = dict.fromkeys(shares, 0)
    prefix = 0
    while len(order) < k and any(unplaced[group] and shares[group] for group in shares):
        prefix += 1
        due = []  # groups whose minimum increases
        for group, share in shares.items():
            minimum = math.floor(share * prefix + ROUNDING)
            if minimum > minimums[group] and unplaced[group]:
                due.append(group)
            minimums[group] = minimum
        due.sort(key=lambda group: -array[unplaced[group][-1]])
        for group in due:
            order.append(unplaced[group].pop())
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
        others = np.setdiff1d(np.arange(len(names)), order)
        order += others[np.argsort(-array[others], kind="stable")].tolist()
    return np.array(order[:k], dtype=np.int64)
