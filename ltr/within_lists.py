"""Columns centered and standardized within each list, whatever the order of the rows.

Part of the ground floor: features of rankers, scalers, and scores that are blended all
go through here. NumPy only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.queries import FloatArray, Queries

# A column that varies by less, relative to its values, varies by rounding.
ROUNDING = 64 * np.finfo(np.float64).eps


def centered(
    values: NDArray[Any], queries: Queries, weights: FloatArray | None = None
) -> FloatArray:
    """Subtract from each column its mean in the list.

    Parameters
    ----------
    values : array of shape (n_samples,) or (n_samples, n_columns)
        Finite, or NaN where a value is missing.
    queries : Queries
        Query of each row.
    weights : float array of shape (n_samples,), default=None
        Row weights ≥ 0 of the means. None: all 1.

    Returns
    -------
    centered : float array of the shape of ``values``
        NaN where a value is missing; the means leave it out.

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> centered(np.array([1.0, 3.0, 5.0]), group_queries(["a", "a", "b"], 3)).tolist()
    [-1.0, 1.0, 0.0]
    """
    if len(values) == 0:
        return np.zeros(values.shape)
    columns = _Columns(values, queries, weights)
    columns.subtract_means()
    return columns.in_row_order()


def z_scores(
    values: NDArray[Any], queries: Queries, weights: FloatArray | None = None
) -> FloatArray:
    """Give each column mean 0 and standard deviation 1 in each list.

    Parameters
    ----------
    values : array of shape (n_samples,) or (n_samples, n_columns)
        Finite, or NaN where a value is missing.
    queries : Queries
        Query of each row.
    weights : float array of shape (n_samples,), default=None
        Row weights ≥ 0 of means and deviations: weight 2 is the row twice, weight 0 is
        no row. None: all 1.

    Returns
    -------
    scaled : float array of the shape of ``values``
        0 where the column is constant in the list, as in a list of one item. NaN where
        a value is missing; means and deviations leave it out.

    Notes
    -----
    A list never depends on another one, nor identical rows on their place. Multiplying
    a column by a power of two changes nothing, down to the last bit.

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> queries = group_queries(["a", "b", "a", "b", "c"], 5)
    >>> z_scores(np.array([1.0, 7.0, 3.0, 7.0, 2.0]), queries).tolist()
    [-1.0, 0.0, 1.0, 0.0, 0.0]
    """
    if len(values) == 0:
        return np.zeros(values.shape)
    columns = _Columns(values, queries, weights)
    with np.errstate(over="ignore"):  # of rows of weight 0
        columns.divide_by_powers_of_two()
        columns.subtract_means()
        columns.divide_by_deviations()
    return columns.in_row_order()


class _Columns:
    """Columns with the rows of each list next to each other."""

    def __init__(
        self, values: NDArray[Any], queries: Queries, weights: FloatArray | None
    ) -> None:
        self.shape, self.order = values.shape, queries.order
        rows = np.array(values[self.order], dtype=np.float64)
        self.rows = rows.reshape(len(rows), -1)  # (n_samples, n_columns)
        self.lists = queries.codes[self.order]
        self.starts, sizes = queries.starts[:-1], queries.sizes
        missing = np.isnan(self.rows)
        self.weights = None
        if weights is not None or missing.any():
            row_weights = np.ones(len(rows)) if weights is None else weights[self.order]
            self.weights = row_weights[:, None] * ~missing  # (n_samples, n_columns)
        self.totals = sizes[:, None] if self.weights is None else self._sums(1.0)
        self.is_constant = self.totals == 0  # (n_lists, 1 or n_columns)

    def _sums(self, rows: Any) -> FloatArray:
        """Weighted sums in each list, shape (n_lists, n_columns)."""
        if self.weights is not None:
            rows = self.weights * np.where(self.weights > 0, rows, 0.0)
        return np.asarray(np.add.reduceat(rows, self.starts), dtype=np.float64)

    def subtract_means(self) -> None:
        means = self._sums(self.rows) / np.where(self.totals > 0, self.totals, 1)
        self.rows -= means[self.lists]

    def divide_by_powers_of_two(self) -> None:
        """Keep squares from overflow and underflow; find the constant columns."""
        counted = self.rows
        if self.weights is not None:
            counted = np.where(self.weights > 0, counted, np.nan)
        high = np.fmax.reduceat(counted, self.starts)  # NaN: no value in the list
        low = np.fmin.reduceat(counted, self.starts)
        peaks = np.nan_to_num(np.maximum(np.abs(high), np.abs(low)))
        exponents = np.frexp(peaks)[1]
        self.rows = np.ldexp(self.rows, -exponents[self.lists])
        spread = np.ldexp(high, -exponents) - np.ldexp(low, -exponents)
        # peaks are in [1/2, 1) now, or 0
        self.is_constant = ~(spread > ROUNDING)

    def divide_by_deviations(self) -> None:
        variances = self._sums(self.rows**2) / np.where(self.totals > 0, self.totals, 1)
        deviations = np.where(self.is_constant, np.inf, np.sqrt(variances))
        self.rows /= deviations[self.lists]
        self.rows += 0.0  # −0 becomes 0

    def in_row_order(self) -> FloatArray:
        scattered = np.empty_like(self.rows)
        scattered[self.order] = self.rows
        return scattered.reshape(self.shape)


def min_max(values: FloatArray, queries: Queries) -> FloatArray:
    """Scale each column to [0, 1] in each list; one that is constant there is 0.

    Parameters
    ----------
    values : float array of shape (n_samples, n_columns)
        Finite.
    queries : Queries
        Query of each row.

    Returns
    -------
    scaled : float array of shape (n_samples, n_columns)

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> values = np.array([[1.0], [3.0], [2.0]])
    >>> min_max(values, group_queries(None, 3)).ravel().tolist()
    [0.0, 1.0, 0.5]
    """
    grouped, starts = values[queries.order], queries.starts[:-1]
    lists = queries.codes[queries.order]
    low = np.minimum.reduceat(grouped, starts)
    width = np.maximum.reduceat(grouped, starts) - low
    width = np.where(width > 0, width, 1.0)
    scaled = np.empty_like(values)
    scaled[queries.order] = (grouped - low[lists]) / width[lists]
    return scaled
