"""Scores of different rankers made comparable, list by list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ltr.queries import FloatArray, IntArray, Queries

Normalization = Literal["zscore", "rank", "minmax"]
NORMALIZATIONS = ("zscore", "rank", "minmax")
# Scores of a list that differ by less, relative to the largest, differ by rounding.
ROUNDING = 1e-12


def normalize_scores(
    scores: FloatArray, queries: Queries, how: Normalization
) -> FloatArray:
    """Normalize scores within each list; a list without spread gets 0.

    Parameters
    ----------
    scores : float array of shape (n_samples,)
        Without NaN. An infinite score counts as the best or worst finite one of its
        list plus or minus its standard deviation (1 if that is 0).
    queries : Queries
        Query of each row.
    how : {"zscore", "rank", "minmax"}
        (s − mean) / standard deviation; (n − rank) / (n − 1), with the mean rank of
        equal scores; or (s − min) / (max − min).

    Returns
    -------
    normalized : float array of shape (n_samples,)
        The same to the last bit in any order of the rows, and whatever the other lists.

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> queries = group_queries(["a", "a", "b"], 3)
    >>> normalize_scores(np.array([1.0, 3.0, 7.0]), queries, "zscore").tolist()
    [-1.0, 1.0, 0.0]
    """
    if not len(scores):
        return np.zeros(0)
    lists, starts = queries.codes, queries.starts[:-1]
    order = np.lexsort((scores, lists))  # sums do not depend on the order of the rows
    ascending = np.asarray(scores, dtype=np.float64)[order]
    of_list = lists[order]
    if np.isinf(ascending).any():
        ascending = _finite(ascending, of_list, queries)
    # A power of two takes the largest score of each list below 1: squares are finite.
    largest = np.maximum.reduceat(np.abs(ascending), starts)
    ascending = np.ldexp(ascending, -np.frexp(largest)[1][of_list])
    low, high = ascending[starts], ascending[queries.starts[1:] - 1]
    has_spread = high - low > ROUNDING * np.maximum(np.abs(low), np.abs(high))
    if how == "rank":
        normalized = _ranks(ascending, queries)
    elif how == "minmax":
        width = np.where(has_spread, high - low, 1.0)
        normalized = (ascending - low[of_list]) / width[of_list]
    else:
        mean = np.add.reduceat(ascending, starts) / queries.sizes
        centered = ascending - mean[of_list]
        variance = np.add.reduceat(centered**2, starts) / queries.sizes
        deviation = np.where(has_spread, np.sqrt(variance), 1.0)
        normalized = centered / deviation[of_list]
    result = np.empty(len(scores))
    result[order] = np.where(has_spread[of_list], normalized, 0.0)
    return result


def mean_score(
    scores: FloatArray, weights: Sequence[float] | None = None
) -> FloatArray:
    """Mean of the columns, in the same order of additions for each row.

    Parameters
    ----------
    scores : float array of shape (n_samples, n_members)
        Scores of the members.
    weights : sequence of float of length n_members, default=None
        Weights of the members. None: all 1.

    Returns
    -------
    mean : float array of shape (n_samples,)

    Examples
    --------
    >>> scores = np.array([[1.0, 3.0], [0.0, 2.0]])
    >>> mean_score(scores).tolist(), mean_score(scores, [1.0, 3.0]).tolist()
    ([2.0, 1.0], [2.5, 1.5])
    """
    if weights is None:
        weights = [1.0] * scores.shape[1]
    # column by column: a product of matrices may add in another order for each row
    total = np.zeros(len(scores))
    for column, weight in zip(scores.T, weights, strict=True):
        total += weight * column
    return np.asarray(total / sum(weights))


def _finite(ascending: FloatArray, of_list: IntArray, queries: Queries) -> FloatArray:
    """Infinite scores replaced by finite ones beyond all others of their list."""
    is_finite = np.isfinite(ascending)
    n_lists = queries.n_lists
    low, high = np.full(n_lists, np.inf), np.full(n_lists, -np.inf)
    values, lists = ascending[is_finite], of_list[is_finite]
    np.minimum.at(low, lists, values)
    np.maximum.at(high, lists, values)
    is_empty = low > high
    low, high = np.where(is_empty, 0.0, low), np.where(is_empty, 0.0, high)
    count = np.maximum(np.bincount(lists, minlength=n_lists), 1)
    # shares of the largest score: their squares are finite
    scale = np.maximum(np.maximum(np.abs(low), np.abs(high)), 1e-300)
    shares = values / scale[lists]
    mean = np.bincount(lists, shares, minlength=n_lists) / count
    variance = np.bincount(lists, (shares - mean[lists]) ** 2, minlength=n_lists)
    deviation = np.sqrt(variance / count)
    step = np.where(deviation > ROUNDING, deviation, 1.0 / scale)
    limit = np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        worst = np.maximum(low - step * scale, -limit)
        best = np.minimum(high + step * scale, limit)
    replaced = np.where(ascending < 0, worst[of_list], best[of_list])
    return np.where(is_finite, ascending, replaced)


def _ranks(ascending: FloatArray, queries: Queries) -> FloatArray:
    """(n − rank) / (n − 1) of ascending scores; equal ones share their mean rank."""
    of_list = np.repeat(np.arange(queries.n_lists), queries.sizes)
    position = np.arange(len(ascending)) - queries.starts[:-1][of_list]
    opens = np.ones(len(ascending), dtype=bool)
    opens[1:] = (ascending[1:] != ascending[:-1]) | (of_list[1:] != of_list[:-1])
    group = np.cumsum(opens) - 1
    mean_position = np.bincount(group, position) / np.bincount(group)
    return mean_position[group] / np.maximum(queries.sizes - 1, 1)[of_list]
