"""Rows by day, in temporal order."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.queries import IntArray, Queries, check_rows, group_queries


class Days(NamedTuple):
    """The days of the rows."""

    queries: Queries  # numbered by first appearance
    in_time: IntArray  # (n_days,), their numbers in temporal order
    dates: NDArray[Any]  # (n_days,), in temporal order


def read_days(dates: ArrayLike, **columns: ArrayLike) -> Days:
    """Read the day of each row.

    Parameters
    ----------
    dates : array-like of shape (n_samples,)
        Day of each row, of any type that sorts.
    **columns : array-like
        Further inputs by row, under the names of the arguments.

    Returns
    -------
    days : Days

    Raises
    ------
    ValueError
        If there are no rows, lengths differ, a date is missing, or they do not sort.

    Examples
    --------
    >>> read_days([2, 1, 2], returns=[0.1, 0.2, 0.3]).dates
    array([1, 2])
    """
    check_rows({**columns, "dates": dates})
    name, column = next(iter(columns.items()))
    n_rows = len(np.asarray(column))
    if n_rows == 0:
        raise ValueError(f"{name} must have at least one row; got an empty array.")
    queries = group_queries(dates, n_rows, rows_of=name, name="dates")
    try:
        in_time = np.argsort(queries.ids, kind="stable")
    except TypeError as error:
        raise ValueError(f"dates must sort; {error}.") from None
    return Days(queries, in_time, queries.ids[in_time])


def ratio(numerator: float, denominator: float) -> float:
    """Divide, or return NaN unless the denominator is positive.

    Parameters
    ----------
    numerator, denominator : float
        Any numbers.

    Returns
    -------
    ratio : float

    Examples
    --------
    >>> ratio(1.0, 2.0), ratio(1.0, 0.0)
    (0.5, nan)
    """
    return numerator / denominator if denominator > 0 else math.nan
