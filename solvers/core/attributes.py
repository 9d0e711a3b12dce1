"""Attributes as users write them: lists, arrays, columns of a DataFrame."""

from typing import Any

import numpy as np


def read_column(values: Any) -> Any:
    """Return an array of the values; a list keeps each as it is, not as a string.

    Parameters
    ----------
    values : array-like of shape (n_items,)
        What each item has; None, NaN or pandas' NA: nothing.

    Returns
    -------
    column : array of shape (n_items,)
        Of objects, None for nothing, unless an array of another type was given.

    Examples
    --------
    >>> read_column(["b", 1, float("nan")]).tolist()
    ['b', 1, None]
    """
    if hasattr(values, "dtype"):
        column = np.asarray(values)
    else:
        column = np.asarray(values, dtype=object)
    if column.dtype == object and column.ndim == 1:
        missing = np.array([is_missing(value) for value in column], dtype=bool)
        if missing.any():
            column = column.copy()
            column[missing] = None
    return column


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: None, NaN, NaT, pandas' NA.

    Examples
    --------
    >>> is_missing(float("nan")), is_missing("")
    (True, False)
    """
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas' NA is neither equal nor not; arrays
        return type(value).__name__ == "NAType"
