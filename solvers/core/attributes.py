"""Attributes as users pass them: lists, arrays, columns of a DataFrame."""

from typing import Any

import numpy as np

from ltr.queries import is_missing


def read_column(values: Any) -> Any:
    """Return an array of the values, those of a list as the objects they are.

    Parameters
    ----------
    values : array-like of shape (n_items,)
        Value of each item; None, NaN or pandas' NA: none.

    Returns
    -------
    column : array of shape (n_items,)
        Objects, None where the value is missing; arrays of other types as they are.

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
