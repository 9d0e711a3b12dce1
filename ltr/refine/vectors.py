"""Embeddings as checked arrays, and their lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import ArgumentError
from ltr.queries import FloatArray

_CHECKED_AT_ONCE = 2**22  # numbers
_EMPTY_TEXT = (
    "The embedding of an empty text is often of this kind: drop the row, or set it to "
    "0."
)


def read_vectors(
    name: str, vectors: ArrayLike, width: int | None = None
) -> NDArray[Any]:
    """Return embeddings as an array of floats, in their own precision.

    Parameters
    ----------
    name : str
        Name of the argument, for messages.
    vectors : array-like of shape (n, width)
        Embeddings, one a row.
    width : int, default=None
        Width that they must have. None: any.

    Returns
    -------
    vectors : float array of shape (n, width)
        Not copied if it is one already.

    Raises
    ------
    ArgumentError
        If it is not a matrix of finite numbers of this width, with the first row that
        is wrong.

    Examples
    --------
    >>> read_vectors("items", [[1, 2], [3, 4]]).dtype
    dtype('float64')
    """
    array = read_floats(name, vectors)
    if array.ndim != 2 or array.shape[1] == 0:
        advice = f" Pass [{name}] for one." if array.ndim == 1 else ""
        raise ArgumentError(
            f"{name} must have shape (n, width), one embedding a row; got shape "
            f"{array.shape}.{advice}"
        )
    if width is not None and array.shape[1] != width:
        raise ArgumentError(
            f"{name} must be as wide as the other embeddings, {width}; got shape "
            f"{array.shape}. Use one model for both."
        )
    return check_finite(name, array, cure=_EMPTY_TEXT)


def read_query(name: str, query: ArrayLike, width: int | None = None) -> FloatArray:
    """Return the embedding of one query, checked as by :func:`read_vectors`.

    Examples
    --------
    >>> read_query("query", [1, 0]).tolist()
    [1.0, 0.0]
    """
    array = read_floats(name, query)
    if array.ndim != 1 or (width is not None and array.shape != (width,)):
        expected = "(width,)" if width is None else f"({width},), as wide as the items"
        raise ArgumentError(
            f"{name} must be one embedding of shape {expected}; got shape "
            f"{array.shape}."
        )
    return check_finite(name, array).astype(np.float64)


def read_floats(name: str, values: ArrayLike) -> NDArray[Any]:
    """Return real numbers as an array of floats; integers and Booleans are converted.

    Examples
    --------
    >>> read_floats("target", [1, 2]).tolist()
    [1.0, 2.0]
    """
    if np.ma.is_masked(values):
        raise ArgumentError(
            f"{name} must not be masked; got a masked array. Drop those rows."
        )
    if hasattr(values, "toarray"):
        raise ArgumentError(
            f"{name} must be a dense array; got {type(values).__name__}. Call its "
            "toarray()."
        )
    try:
        array = np.asarray(values)
        if array.dtype.kind != "f":
            if array.dtype.kind not in "biuOV":  # V: bfloat16
                raise TypeError(f"got {array.dtype}")
            array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        reason = str(error).rstrip(".")
        raise ArgumentError(
            f"{name} must be an array of real numbers; {reason}."
        ) from error
    return array


def check_finite(name: str, array: NDArray[Any], cure: str = "") -> NDArray[Any]:
    """Return an array if all of its numbers are finite.

    Parameters
    ----------
    name : str
        Name of the argument, for messages.
    array : float array
        Of any shape.
    cure : str, default=""
        What to do, as a sentence.

    Returns
    -------
    array : float array

    Raises
    ------
    ArgumentError
        With the row, or the index, of the first number that is not finite.
    """
    rows = np.atleast_1d(array)
    step = max(1, _CHECKED_AT_ONCE // max(1, rows[:1].size))
    for begin in range(0, len(rows), step):
        bad = ~np.isfinite(rows[begin : begin + step])
        if bad.any():
            index = list(map(int, np.unravel_index(int(bad.argmax()), bad.shape)))
            index[0] += begin
            value = "NaN" if np.isnan(rows[tuple(index)]) else "inf"
            place = _place(index, array.ndim)
            raise ArgumentError(
                f"{name} must be finite; got {value}{place}.{cure and ' '}{cure}"
            )
    return array


def _place(index: list[int], n_axes: int) -> str:
    if n_axes == 2:
        return f" at row {index[0]}, column {index[1]}"
    return f" at {index[0] if n_axes == 1 else tuple(index)}" if n_axes else ""


def unit(vectors: NDArray[Any]) -> FloatArray:
    """Rows of length 1, in double precision; a row of zeros stays.

    Rows are scaled by their largest entry first, so that squares neither overflow nor
    vanish, and rows that are whole multiples of each other become equal.

    Examples
    --------
    >>> unit(np.array([[3e200, 4e200], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    scaled = vectors / _scale(vectors)
    # not by a matrix product: equal rows need equal sums, wherever they stand
    squares = np.einsum("...i,...i->...", scaled, scaled)
    scaled /= np.sqrt(np.where(squares == 0.0, 1.0, squares))[..., None]
    return np.asarray(scaled)


def lengths(vectors: NDArray[Any]) -> FloatArray:
    """Euclidean length of each row, in double precision.

    Examples
    --------
    >>> lengths(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [5.0, 0.0]
    """
    scale = _scale(vectors)
    scaled = vectors / scale
    norms = np.sqrt(np.einsum("...i,...i->...", scaled, scaled))
    return np.asarray(scale[..., 0] * norms)


def _scale(vectors: NDArray[Any]) -> FloatArray:
    """Largest absolute value of each row, or 1 for a row of zeros, as a column."""
    scale = np.abs(vectors).max(axis=-1, keepdims=True).astype(np.float64)
    return np.where(scale == 0.0, 1.0, scale)
