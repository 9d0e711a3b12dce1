"""Sorting many lists at once: lists of about the same size are one table."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ltr.queries import FloatArray, IntArray, Queries

_FEW_ROWS = 2048  # below it one sort of all rows takes less time than several tables


def argsort_lists(
    keys: FloatArray, queries: Queries, *, stable: bool = True
) -> IntArray:
    """Ascending order of the slots of each list.

    Parameters
    ----------
    keys : float array of shape (n_samples,)
        Sort key of each slot, list by list; not NaN.
    queries : Queries
        The lists.
    stable : bool, default=True
        Whether equal keys keep their order, which takes twice as long.

    Returns
    -------
    order : int array of shape (n_samples,)
        Slots, list by list.

    Examples
    --------
    >>> queries = Queries(np.array([0, 0, 1, 1]), np.arange(2))
    >>> argsort_lists(np.array([2.0, 1.0, 5.0, 6.0]), queries).tolist()
    [1, 0, 2, 3]
    """
    sizes, starts = queries.sizes, queries.starts[:-1]
    kind = "stable" if stable else None
    if len(keys) < _FEW_ROWS:
        return np.lexsort((keys, np.repeat(np.arange(queries.n_lists), sizes)))
    largest = int(sizes.max())
    if sizes.min() == largest:
        within = np.argsort(keys.reshape(-1, largest), axis=1, kind=kind)
        within += starts[:, None]
        return within.ravel()
    # Tables whose widths grow by an eighth, wider than their lists by little.
    step = 1 << np.maximum(np.frexp(sizes.astype(np.float64))[1] - 4, 0)
    width = np.minimum(-(-sizes // step) * step, largest)
    padded = np.append(keys, np.full(largest, np.nan))
    order = np.empty(len(keys), dtype=np.intp)
    for w in np.unique(width):
        lists = np.flatnonzero(width == w)
        table = sliding_window_view(padded, w)[starts[lists]]
        real = np.arange(w) < sizes[lists, None]
        table[~real] = np.nan  # behind everything else
        within = np.argsort(table, axis=1, kind=kind)
        within += starts[lists, None]
        slots = starts[lists, None] + np.arange(w)
        order[slots[real]] = within[real]
    return order
