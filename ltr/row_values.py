"""One number per row: labels, weights, and the weights of queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, plain
from ltr.queries import FloatArray, Queries, check_rows

SAME_WEIGHT = "Give all rows of a query the same weight."


def check_column(
    values: ArrayLike,
    name: str,
    n_samples: int,
    entry: str = "entry",
    *,
    rows_of: str = "X",
) -> FloatArray:
    """One finite number per row.

    Parameters
    ----------
    values : array-like of shape (n_samples,) or (n_samples, 1)
        The numbers.
    name : str
        Name of the argument, for error messages.
    n_samples : int
        Number of rows.
    entry : str, default="entry"
        What messages call one of the numbers.
    rows_of : str, default="X"
        Name of the array that has those rows, for error messages.

    Returns
    -------
    column : float array of shape (n_samples,)

    Raises
    ------
    ValueError
        If they are not numbers, have another shape, or one is not finite.

    Examples
    --------
    >>> check_column([[1], [2]], "y", 2)
    array([1., 2.])
    """
    check_rows({name: values})
    if _has_no_rows(values):
        is_sparse = hasattr(values, "tocsr")
        came = "sparse matrix" if is_sparse else type(values).__name__
        came = f"{'an' if came[0] in 'aeiou' else 'a'} {came}"
        cure = f"{name}.toarray().ravel()" if is_sparse else "a list or an array"
        raise ArgumentError(
            f"{name} must be one-dimensional with one {entry} per row of {rows_of}; "
            f"got {came}. Pass {cure}."
        )
    column = np.asarray(values)
    plural = "entries" if entry == "entry" else f"{entry}s"
    if column.dtype.kind in "mM":
        raise ValueError(f"{name} must hold numbers; got dtype {column.dtype}.")
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional with one {entry} per row of {rows_of}; "
            f"got shape {column.shape}."
        )
    if len(column) != n_samples:
        raise ValueError(
            f"{name} must have one {entry} per row of {rows_of}; got {len(column)} "
            f"{plural} for {n_samples} rows."
        )
    if column.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} must hold real numbers.")
    try:
        numbers = column.astype(np.float64)
    except OverflowError:
        raise ValueError(
            f"{name} must hold numbers in the range of float64; got an integer beyond "
            "it. Clip or replace it."
        ) from None
    except (TypeError, ValueError):
        order = ", larger meaning better" if entry == "label" else ""
        raise ValueError(
            f"{name} must hold numbers; got dtype {column.dtype}. Encode {plural} as "
            f"numbers{order}."
        ) from None
    bad = ~np.isfinite(numbers)
    if bad.any():
        row = int(bad.argmax())
        value = "NaN" if np.isnan(numbers[row]) else "inf"
        raise ValueError(
            f"{name} must be finite; got {value} at row {row}. Drop such rows or give "
            f"them a {entry}."
        )
    return np.asarray(numbers)


def check_weights(
    values: ArrayLike,
    name: str,
    n_samples: int,
    *,
    rows_of: str = "X",
    unit: str = "row",
) -> FloatArray:
    """Weights of rows: at least 0, and not all 0.

    Parameters
    ----------
    values : float or array-like of shape (n_samples,)
        The weights; a single number is that of all rows.
    name : str
        Name of the argument, for error messages.
    n_samples : int
        Number of rows.
    rows_of : str, default="X"
        Name of the array that has those rows, for error messages.
    unit : str, default="row"
        What a weight counts, for error messages.

    Returns
    -------
    weights : float array of shape (n_samples,)

    Raises
    ------
    ValueError
        If one is negative or not finite, all are 0, or their number is another one.

    Examples
    --------
    >>> check_weights(2, "sample_weight", 3)
    array([2., 2., 2.])
    """
    check_rows({name: values})
    if not _has_no_rows(values) and np.asarray(values).ndim == 0:
        values = np.full(n_samples, values)
    weights = check_column(values, name, n_samples, entry="weight", rows_of=rows_of)
    if (weights < 0).any():
        row = int((weights < 0).argmax())
        raise ValueError(
            f"{name} must be >= 0; got {weights[row]:g} at row {row}. A weight says "
            f"how often a {unit} counts."
        )
    if not weights.any():
        raise ValueError(
            f"{name} must have at least one weight above zero; got only zeros."
        )
    return weights


def weights_of_queries(
    values: ArrayLike,
    queries: Queries,
    *,
    name: str = "query_weight",
    rows_of: str = "X",
    cure: str = SAME_WEIGHT,
) -> FloatArray:
    """Weight of each query from a weight per row, which its rows share.

    Parameters
    ----------
    values : float or array-like of shape (n_samples,)
        Weight of each row's query; a single number is that of all.
    queries : Queries
        Query of each row.
    name : str, default="query_weight"
        Name of the argument, for error messages.
    rows_of : str, default="X"
        Name of the array that has those rows, for error messages.
    cure : str, default=SAME_WEIGHT
        What to do if the rows of a query have different weights.

    Returns
    -------
    weights : float array of shape (n_lists,)
        At least 0, and not all 0.

    Raises
    ------
    ValueError
        As :func:`check_weights`, or if the rows of a query have different weights.

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> weights_of_queries([3, 1, 3], group_queries(["b", "a", "b"], 3))
    array([3., 1.])
    """
    n_samples, n_lists = queries.n_samples, queries.n_lists
    if isinstance(values, Mapping):
        raise ArgumentError(
            f"{name} must have one weight per row of {rows_of}; got a "
            f"{type(values).__name__}. Look up the weight of each row's query: "
            f"[{name}[query] for query in qid]."
        )
    if np.shape(values) == (n_lists,) != (n_samples,):
        raise ValueError(
            f"{name} must have one weight per row of {rows_of}; got one per query, "
            f"{n_lists} weights for {n_samples} rows. Repeat the weight of a query for "
            "each of its rows."
        )
    weights = check_weights(values, name, n_samples, rows_of=rows_of, unit="query")
    return constant_within_queries(weights, queries, name, cure)


def constant_within_queries(
    weights: FloatArray,
    queries: Queries,
    name: str = "query_weight",
    cure: str = SAME_WEIGHT,
) -> FloatArray:
    """Weight of each query, or an error if its rows differ.

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> constant_within_queries(np.array([3.0, 1.0, 3.0]), group_queries([2, 1, 2], 3))
    array([3., 1.])
    """
    per_list = weights[queries.first_rows()]
    differs = weights != per_list[queries.codes]
    if differs.any():
        row = int(differs.argmax())
        query_id = plain(queries.ids[queries.codes[row]])
        raise ValueError(
            f"{name} must be constant within a query; got "
            f"{per_list[queries.codes[row]]:g} and {weights[row]:g} (row {row}) for "
            f"qid {query_id!r}. {cure}"
        )
    return np.asarray(per_list)


def _has_no_rows(values: object) -> bool:
    """Whether NumPy would take a container for one object."""
    is_container = isinstance(values, (Mapping, Set, Iterator))
    return is_container or hasattr(values, "tocsr")


def scaled_weights(weights: FloatArray) -> FloatArray:
    """Weights by a power of two, below 1, so that sums and squares stay finite.

    Examples
    --------
    >>> scaled_weights(np.array([6.0, 2.0]))
    array([0.75, 0.25])
    """
    exponent = np.frexp(weights.max(initial=0.0))[1]
    return np.asarray(np.ldexp(weights, -exponent))
