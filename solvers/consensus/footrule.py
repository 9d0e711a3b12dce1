"""Spearman's footrule: the order at least total displacement from the votes."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from ltr.queries import check_rows
from ltr.solvers.consensus.counts import ranking_levels
from ltr.solvers.core.rankings import Rankings, check_weights
from ltr.solvers.core.solution import Solution, certify


def footrule(
    rankings: Rankings,
    *,
    n_items: int | None = None,
    weights: ArrayLike | None = None,
    absent: str = "ignore",
) -> Solution:
    """Find the order whose positions are closest to those of the votes.

    Minimizes Spearman's footrule, the sum of abs(position - position in the vote) over
    items and votes, by an assignment of items to positions ([1]_, section 3.1). The
    Kemeny distance of that order is at most twice the least. Tied items share their
    mean position.

    Parameters
    ----------
    rankings : int array-like of shape (n_rankings, k), or sequence of rankings
        Item numbers, best first; tied items in an inner tuple.
    n_items : int, default=None
        Number of items. None: one more than the greatest item number.
    weights : array-like of shape (n_rankings,), default=None
        Weight of each ranking. None: 1.
    absent : {"ignore", "last"}, default="ignore"
        ``"ignore"``: positions in a vote on k items are scaled by (n + 1) / (k + 1),
        and absent items are skipped. ``"last"``: absent items are tied behind the
        others.

    Returns
    -------
    solution : Solution
        OPTIMAL; the objective is the footrule distance, negated.

    Raises
    ------
    TypeError, ValueError
        As :func:`pairwise_counts`.

    References
    ----------
    .. [1] C. Dwork, R. Kumar, M. Naor and D. Sivakumar. Rank aggregation methods for
       the Web. WWW 2001.

    Examples
    --------
    >>> solution = footrule([[0, 1, 2], [0, 2, 1], [1, 0, 2]])
    >>> solution.order, solution.objective
    (array([0, 1, 2]), -4.0)
    """
    started = time.perf_counter()
    levels = ranking_levels(rankings, n_items, absent)
    n_votes, n = levels.shape
    weight = check_weights(weights, n_votes, "ranking")
    check_rows({"rankings": rankings, "weights": weights})
    cost = np.zeros((n, n))
    places = np.arange(1.0, n + 1)
    if n:
        ranks = rankdata(levels, axis=1, nan_policy="omit")
        n_ranked = np.isfinite(ranks).sum(axis=1, keepdims=True)
        ranks *= (n + 1) / (n_ranked + 1)
        # cost[i, t] = Σ_v w_v |rank of i in vote v - t|
        for rank, vote_weight in zip(ranks, weight, strict=True):
            cost += vote_weight * np.nan_to_num(np.abs(rank[:, None] - places))
    items, positions = linear_sum_assignment(cost)
    value = 0.0 - float(cost[items, positions].sum())
    return certify(
        items[np.argsort(positions)],
        value,
        value,
        tolerance=0.0,
        method="assignment",
        started=started,
    )
