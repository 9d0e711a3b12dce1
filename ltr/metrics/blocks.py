"""Sorting many lists at once: lists of one size are one table."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ltr.queries import FloatArray, IntArray, Queries

_ROWS_PER_SORT = 300  # with fewer, one sort of all rows takes less time than many


def argsort_lists(
    keys: FloatArray | NDArray[np.uint64], queries: Queries, *, stable: bool = True
) -> IntArray:
    """Ascending order of the slots of each list.

    Parameters
    ----------
    keys : float or uint64 array of shape (n_samples,)
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
    by_size = np.argsort(sizes, kind="stable")
    first = np.flatnonzero(np.diff(sizes[by_size], prepend=-1))
    if len(first) * _ROWS_PER_SORT > len(keys):
        return np.lexsort((keys, np.repeat(np.arange(queries.n_lists), sizes)))
    kind: Literal["stable"] | None = "stable" if stable else None
    if len(first) == 1:
        within = np.argsort(keys.reshape(queries.n_lists, -1), axis=1, kind=kind)
        within += starts[:, None]
        return within.ravel()
    order = np.empty(len(keys), dtype=np.intp)
    for lists in np.split(by_size, first[1:]):
        size, start = int(sizes[lists[0]]), starts[lists]
        table = sliding_window_view(keys, size)[start]
        within = np.argsort(table, axis=1, kind=kind)
        within += start[:, None]
        sliding_window_view(order, size, writeable=True)[start] = within
    return order
