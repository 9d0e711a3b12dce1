"""Rankings and comparisons as counts: how often each item precedes or beats another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from ltr.arguments import check_choice
from ltr.queries import FloatArray, check_rows
from ltr.solvers.core.inputs import to_array
from ltr.solvers.core.rankings import (
    Rankings,
    check_memory,
    check_weights,
    read_levels,
)

TIES, ABSENT = ("half", "ignore"), ("ignore", "last")


def orders_from_ranks(ranks: ArrayLike) -> list[list[int | tuple[int, ...]]]:
    """Convert a table of ranks to rankings, the input format of this module.

    Parameters
    ----------
    ranks : array-like of shape (n_rankings, n_items)
        Entry [v, i]: the rank of item i in vote v, lower is better; equal ranks are
        ties, NaN is absent. Negate scores before passing them.

    Returns
    -------
    rankings : list of lists
        Item numbers, best first, tied items in a tuple.

    Raises
    ------
    ValueError
        If the table does not have two dimensions.

    Examples
    --------
    >>> orders_from_ranks([[2, 3, 1], [1, 1, 2], [np.nan, 1, np.nan]])
    [[2, 0, 1], [(0, 1), 2], [1]]
    """
    table = to_array(ranks, "ranks must be a table of numbers, one row per vote")
    if table.ndim != 2:
        raise ValueError(
            "ranks must have shape (n_rankings, n_items), one row per vote; got shape "
            f"{table.shape}."
        )
    rankings = []
    for row in table:
        present = np.flatnonzero(~np.isnan(row))
        order = present[np.argsort(row[present], kind="stable")]
        starts = np.flatnonzero(np.diff(row[order], prepend=-np.inf) > 0)
        tie_groups = np.split(order, starts[1:]) if len(order) else []
        rankings.append(
            [tuple(g.tolist()) if len(g) > 1 else int(g[0]) for g in tie_groups]
        )
    return rankings


def pairwise_counts(
    rankings: Rankings,
    *,
    n_items: int | None = None,
    weights: ArrayLike | None = None,
    ties: str = "half",
    absent: str = "ignore",
) -> FloatArray:
    """Count, for each pair of items, the rankings that place one before the other.

    Parameters
    ----------
    rankings : int array-like of shape (n_rankings, k), or sequence of rankings
        Item numbers, best first; tied items in an inner tuple.
    n_items : int, default=None
        Number of items. None: one more than the greatest item number.
    weights : array-like of shape (n_rankings,), default=None
        Weight of each ranking. None: 1.
    ties : {"half", "ignore"}, default="half"
        ``"half"``: a tied pair counts 1/2 in each direction. ``"ignore"``: not at all.
    absent : {"ignore", "last"}, default="ignore"
        ``"ignore"``: a vote counts for a pair only if it ranks both items, for ballots
        on different sets of items. ``"last"``: absent items are tied behind all ranked
        ones, for top-k lists.

    Returns
    -------
    counts : float array of shape (n_items, n_items)
        Entry [i, j]: total weight of the votes that place i before j.

    Raises
    ------
    TypeError, ValueError
        If a ranking holds anything but item numbers, or one of them twice, or if a
        table takes more than 4 GiB (23,170 items).

    Examples
    --------
    >>> pairwise_counts([[0, 1, 2], [(0, 1), 2], [2, 1]]).tolist()
    [[0.0, 1.5, 2.0], [0.5, 0.0, 2.0], [0.0, 1.0, 0.0]]
    >>> pairwise_counts([[2]], n_items=3, absent="last").tolist()
    [[0.0, 0.5, 0.0], [0.5, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    check_choice("ties", ties, TIES)
    levels = ranking_levels(rankings, n_items, absent)
    n_votes, n = levels.shape
    weight = check_weights(weights, n_votes, "ranking")
    check_rows({"rankings": rankings, "weights": weights})
    counts = np.zeros((n, n))
    by_item = np.ascontiguousarray(levels.T)  # (n, n_votes), NaN compares as False
    for i in range(n):
        counts[i] = (by_item[i] < by_item) @ weight
    if ties == "half":
        counts += _tied_counts(levels, weight) / 2
    return counts


def _tied_counts(levels: FloatArray, weight: FloatArray) -> FloatArray:
    """Total weight of the votes that tie i and j, i ≠ j."""
    n = levels.shape[1]
    # a vote without ties has as many levels as ranked items: skip it
    n_levels = 1 + np.where(np.isfinite(levels), levels, -1.0).max(axis=1, initial=-1)
    with_ties = np.flatnonzero(n_levels < (~np.isnan(levels)).sum(axis=1))
    by_item = np.ascontiguousarray(levels[with_ties].T)
    counts = np.zeros((n, n))
    if len(with_ties):
        for i in range(n):
            counts[i] = (by_item[i] == by_item) @ weight[with_ties]
        np.fill_diagonal(counts, 0.0)
    return counts


def ranking_levels(rankings: Rankings, n_items: int | None, absent: str) -> FloatArray:
    """Return the level of each item in each ranking, shape (n_rankings, n_items).

    Absent items have level NaN, or inf for ``absent="last"``. Raises where the table of
    pairs, or of items and positions, that the caller fills would be too large.

    Examples
    --------
    >>> ranking_levels([[1]], 2, "last").tolist()
    [[inf, 0.0]]
    """
    check_choice("absent", absent, ABSENT)
    levels = read_levels(rankings, n_items)
    check_memory(levels.shape[1], levels.shape[1], "rankings")
    if absent == "last":
        levels[np.isnan(levels)] = np.inf
    return levels


def comparisons_to_matrix(
    winners: ArrayLike,
    losers: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    n_items: int | None = None,
    sparse: bool = False,
) -> Any:
    """Count single comparisons: entry [i, j] is how often i beat j.

    Parameters
    ----------
    winners, losers : int array-like of shape (n_comparisons,)
        Item numbers.
    weights : array-like of shape (n_comparisons,), default=None
        Weight of each comparison. None: 1.
    n_items : int, default=None
        Number of items. None: one more than the greatest item number.
    sparse : bool, default=False
        Whether to return a SciPy ``csr_array``, for :func:`bradley_terry` of many
        items, few of which met.

    Returns
    -------
    matrix : float array, or csr_array, of shape (n_items, n_items)
        For :func:`solve_ordering`, :func:`bradley_terry`, :func:`borda`,
        :func:`copeland`.

    Raises
    ------
    ValueError
        If the lengths differ, an item is compared with itself, or the matrix takes more
        than 4 GiB (23,170 items; with ``sparse=True`` there is no such limit).

    Examples
    --------
    >>> comparisons_to_matrix([0, 0, 2], [1, 1, 0], weights=[1, 2, 1]).tolist()
    [[0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    check_rows({"winners": winners, "losers": losers, "weights": weights})
    pairs = [np.asarray(items) for items in (winners, losers)]
    if pairs[0].shape != pairs[1].shape or pairs[0].ndim != 1:
        raise ValueError(
            "winners and losers must each have one item number per comparison; got "
            f"shapes {pairs[0].shape} and {pairs[1].shape}."
        )
    if pairs[0].size and not all(np.issubdtype(p.dtype, np.integer) for p in pairs):
        raise TypeError(
            "winners and losers must be item numbers, integers from 0; got "
            f"{pairs[0].dtype} and {pairs[1].dtype}. Number names by names, codes = "
            "np.unique([winners, losers], return_inverse=True); winners, losers = "
            "codes.reshape(2, -1)."
        )
    comparisons = np.stack(pairs).astype(np.int64)  # (2, n_comparisons)
    is_loop = comparisons[0] == comparisons[1]
    if is_loop.any():
        row = int(np.argmax(is_loop))
        raise ValueError(
            f"an item cannot be compared with itself; comparison {row} has item "
            f"{comparisons[0, row]} twice."
        )
    least = int(comparisons.min(initial=0))
    greatest = int(comparisons.max(initial=-1))
    n = greatest + 1 if n_items is None else n_items
    if least < 0 or greatest >= n:
        raise ValueError(
            f"item numbers must be in 0, …, {n - 1}; got "
            f"{least if least < 0 else greatest}."
        )
    weight = check_weights(weights, comparisons.shape[1], "comparison")
    if sparse:
        return csr_array((weight, tuple(comparisons)), shape=(n, n))
    check_memory(n, n, "comparisons")
    matrix = np.zeros((n, n))
    np.add.at(matrix, tuple(comparisons), weight)
    return matrix
