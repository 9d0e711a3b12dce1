"""Sorting many lists at once: lists of about the same size are one table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray, Queries

FEW_ROWS = 2048  # below it one sort of all rows takes less time than several tables


def list_blocks(
    queries: Queries,
) -> Iterator[tuple[IntArray, IntArray, BoolArray | None]]:
    """Cut the lists into tables of one width.

    Widths grow by an eighth, so a sort along the last axis handles many lists at once
    and pads little.

    Parameters
    ----------
    queries : Queries
        The lists.

    Yields
    ------
    lists : int array of shape (b,)
        Numbers of the lists of a table.
    slots : int array of shape (b, width)
        Their slots, counted list by list; past the end of a list its first one.
    real : bool array of shape (b, width) or None
        False past the end of a list. None: every list has ``width`` rows.

    Examples
    --------
    >>> codes = np.array([0, 0, 1, 1])
    >>> [slots.tolist() for _, slots, _ in list_blocks(Queries(codes, np.arange(2)))]
    [[[0, 1], [2, 3]]]
    """
    sizes, starts = queries.sizes, queries.starts[:-1]
    width = sizes
    if sizes.min() != sizes.max():
        step = 1 << np.maximum(np.frexp(sizes.astype(np.float64))[1] - 4, 0)
        width = np.minimum(-(-sizes // step) * step, sizes.max())
    for w in np.unique(width):
        lists = np.flatnonzero(width == w)
        column = np.arange(w)
        slots = starts[lists, None] + column
        if (sizes[lists] == w).all():
            yield lists, slots, None
        else:
            real = column < sizes[lists, None]
            yield lists, np.where(real, slots, starts[lists, None]), real


def argsort_lists(keys: FloatArray, queries: Queries) -> IntArray:
    """Stable ascending order of the slots of each list.

    Parameters
    ----------
    keys : float array of shape (n_samples,)
        Sort key of each slot, list by list; not NaN.
    queries : Queries
        The lists.

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
    if len(keys) < FEW_ROWS:
        return np.lexsort((keys, np.repeat(np.arange(queries.n_lists), queries.sizes)))
    order = np.empty(len(keys), dtype=np.intp)
    for lists, slots, real in list_blocks(queries):
        block = keys[slots]
        if real is not None:
            block[~real] = np.nan  # behind everything else
        within = np.argsort(block, axis=1, kind="stable")
        within += queries.starts[lists, None]
        if real is None:
            order[slots] = within
        else:
            order[slots[real]] = within[real]
    return order
