"""Stocks by quantile of their score, and the portfolios of the outer ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import check_flag, check_number, check_whole
from ltr.finance.days import read_days
from ltr.metrics.ranked import RankedLists, number_column, rank_lists
from ltr.queries import FloatArray, check_rows, group_queries

_ROUNDING = 1e-12  # of weights that sum to 1


@dataclass(frozen=True, eq=False)
class QuantileReturns:
    """Mean returns of the quantiles of each day; see :func:`quantile_returns`.

    Attributes
    ----------
    dates : array of shape (n_days,)
        The days, in temporal order.
    values : float array of shape (n_days, n_quantiles)
        Mean return of each quantile; the first column has the lowest scores, the last
        the highest.

    Examples
    --------
    >>> quantiles = quantile_returns(
    ...     [0.1, 0.4, 0.2, 0.3], [1, 4, 2, 3], dates=[7, 7, 7, 7], n_quantiles=2
    ... )
    >>> quantiles.values, quantiles.spread
    (array([[0.15, 0.35]]), array([0.2]))
    """

    dates: NDArray[Any]
    values: FloatArray

    def __repr__(self) -> str:
        means = ", ".join(f"{mean:.5f}" for mean in self.mean)
        return f"QuantileReturns([{means}], {len(self.dates)} days)"

    @property
    def mean(self) -> FloatArray:
        """Mean over days, shape (n_quantiles,)."""
        return np.asarray(self.values.mean(axis=0))

    @property
    def spread(self) -> FloatArray:
        """Return of the highest quantile minus that of the lowest, shape (n_days,)."""
        return np.asarray(self.values[:, -1] - self.values[:, 0])


def quantile_returns(
    y_true: ArrayLike, y_score: ArrayLike, *, dates: ArrayLike, n_quantiles: int = 5
) -> QuantileReturns:
    """Mean return of the stocks of each score quantile, day by day.

    A day of n stocks has quantiles of exactly n / Q stocks: a stock on a border counts
    in both by its parts, and stocks of equal score share their quantiles as the mean
    over all their orders. So the mean over the quantiles is the mean of the day, and no
    result depends on the order of the rows.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Returns, finite.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    dates : array-like of shape (n_samples,)
        Day of each row, of any type that sorts.
    n_quantiles : int, default=5
        Number of quantiles Q, ≥ 2.

    Returns
    -------
    quantiles : QuantileReturns

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or a day has fewer than Q stocks.

    Examples
    --------
    >>> quantile_returns(
    ...     [0.1, 0.4, 0.2, 0.3], [1, 1, 2, 2], dates=[7, 7, 7, 7], n_quantiles=4
    ... ).values
    array([[0.25, 0.25, 0.25, 0.25]])
    """
    n_quantiles = check_whole("n_quantiles", n_quantiles, low=2)
    days = read_days(dates, y_true=y_true, y_score=y_score)
    ranked = rank_lists(y_true, y_score, days.queries)
    sizes = ranked.queries.sizes
    if (sizes < n_quantiles).any():
        day = int((sizes < n_quantiles).argmax())
        raise ValueError(
            f"Each day must have at least n_quantiles={n_quantiles} stocks; "
            f"{ranked.queries.ids[day]} has {sizes[day]}. Lower n_quantiles or leave "
            "such days out."
        )
    width = sizes / n_quantiles
    values = np.empty((len(sizes), n_quantiles))
    for quantile in range(n_quantiles):  # the best scores, with rank 0, come last
        begin = (n_quantiles - 1 - quantile) * width
        share = _share_of_positions(ranked, begin, begin + width)
        values[:, quantile] = ranked.sum_lists(share * ranked.labels) / width
    return QuantileReturns(days.dates, values[days.in_time])


def portfolio_weights(
    y_score: ArrayLike,
    *,
    dates: ArrayLike,
    fraction: float = 0.2,
    long_only: bool = False,
) -> FloatArray:
    """Equal weights of the best stocks of each day, against those of the worst.

    Parameters
    ----------
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    dates : array-like of shape (n_samples,)
        Day of each row.
    fraction : float, default=0.2
        Share of the stocks of a day that are bought, in (0, 1], and sold short, in
        (0, 0.5]. A stock on the border is held in part, and stocks of equal score share
        their weight.
    long_only : bool, default=False
        Whether nothing is sold short.

    Returns
    -------
    weights : float array of shape (n_samples,)
        Share of the capital in each stock: the bought ones of a day sum to 1, those
        sold short to −1.

    Raises
    ------
    ValueError
        If shapes differ, a score is NaN, or ``fraction`` is out of range.

    Examples
    --------
    >>> portfolio_weights([3, 1, 2, 0], dates=[1, 1, 1, 1], fraction=0.5).tolist()
    [0.5, -0.5, 0.5, -0.5]
    >>> portfolio_weights(
    ...     [3, 1, 1, 0], dates=[1, 1, 1, 1], fraction=0.5, long_only=True
    ... ).tolist()
    [0.5, 0.25, 0.25, 0.0]
    """
    long_only = check_flag("long_only", long_only)
    high = 1.0 if long_only else 0.5
    check_number("fraction", fraction, low=0.0, high=high, open_low=True)
    check_rows({"y_score": y_score, "dates": dates})
    scores = number_column(y_score, "y_score", finite=False)
    if not len(scores):
        raise ValueError("y_score must have at least one row; got an empty array.")
    queries = group_queries(dates, len(scores), rows_of="y_score", name="dates")
    ranked = rank_lists(np.zeros(len(scores)), scores, queries)
    sizes = queries.sizes.astype(float)
    width = fraction * sizes
    held = _share_of_positions(ranked, np.zeros_like(sizes), width)
    if not long_only:
        held -= _share_of_positions(ranked, sizes - width, sizes)
    weights = np.empty(len(scores))
    weights[ranked.rows] = held / np.repeat(width, queries.sizes)
    weights[np.abs(weights) < _ROUNDING] = 0.0
    return weights


def _share_of_positions(
    ranked: RankedLists, begin: FloatArray, end: FloatArray
) -> FloatArray:
    """Share of each slot in positions [begin, end) of its list; shape (n_samples,).

    An item tied at positions [a, b) is at each of them equally often.
    """
    sizes = ranked.queries.sizes
    a, b = ranked.tie_begin, ranked.tie_end
    overlap = np.minimum(b, np.repeat(end, sizes)) - np.maximum(
        a, np.repeat(begin, sizes)
    )
    return np.asarray(np.maximum(overlap, 0.0) / (b - a))
