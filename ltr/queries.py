"""Which rows belong to which query: ``qid`` of any dtype → integer codes and segments.

Everything else in the library (metrics, packed lists, splitters, rankers) reads the
ids of the queries through :func:`group_queries`, so "any hashable dtype, any order" is
true everywhere or nowhere. Every function that takes several inputs by row compares
them in :func:`check_rows`. NumPy only.

Words: a *query* is what items compete for, the rows that share one ``qid``; its *list*
is those items, the thing that a loss, a metric kernel or a solver works on. ``order``
means row indices, ``codes`` number the queries by first appearance.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import plain

IntArray = NDArray[np.intp]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Queries:
    """The queries that a ``qid`` describes.

    Attributes
    ----------
    codes : int array of shape (n_samples,)
        Number of each row's query; they are numbered by first appearance.
    ids : array of shape (n_lists,)
        The ``qid`` of each query.

    Notes
    -----
    ``queries.order[queries.starts[i] : queries.starts[i + 1]]`` are the rows of list
    ``i``, in ascending order.
    """

    codes: IntArray
    ids: NDArray[Any]

    @property
    def n_lists(self) -> int:
        """Number of lists."""
        return len(self.ids)

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return len(self.codes)

    @cached_property
    def sizes(self) -> IntArray:
        """Rows in each list, shape (n_lists,)."""
        return np.bincount(self.codes, minlength=self.n_lists).astype(np.intp)

    @cached_property
    def starts(self) -> IntArray:
        """Where each list starts in ``order``, shape (n_lists + 1,)."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.intp)

    @cached_property
    def is_grouped(self) -> bool:
        """Whether the rows of every list are next to each other already."""
        return bool((np.diff(self.codes) >= 0).all())

    @cached_property
    def order(self) -> IntArray:
        """Row indices list by list, shape (n_samples,); the sort is stable."""
        if self.is_grouped:
            return np.arange(self.n_samples)
        # NumPy's stable sort of 16-bit numbers is a radix sort, five times as fast:
        # least significant digits first, in base 2^16.
        order = np.argsort((self.codes & 0xFFFF).astype(np.uint16), kind="stable")
        high = self.codes >> 16
        while high.any():
            digits = (high & 0xFFFF).astype(np.uint16)
            order = order[np.argsort(digits[order], kind="stable")]
            high = high >> 16
        return order

    def first_rows(self) -> IntArray:
        """Return the first row of each list, shape (n_lists,)."""
        return self.order[self.starts[:-1]]

    def of_rows(self, rows: IntArray) -> Queries:
        """Queries of some of the rows, with their ids."""
        numbered = group_queries(self.codes[rows], len(rows))
        return Queries(numbered.codes, self.ids[numbered.ids])

    def subset(self, lists: IntArray | BoolArray) -> IntArray:
        """Return the rows of the given lists (numbers or mask), in row order."""
        keep = np.zeros(self.n_lists, dtype=bool)
        keep[lists] = True
        return np.flatnonzero(keep[self.codes])


def group_queries(
    qid: ArrayLike | None,
    n_samples: int,
    rows_of: str = "X",
    *,
    rows: Any = None,
    name: str = "qid",
) -> Queries:
    """Number the queries of a ``qid``.

    Parameters
    ----------
    qid : array-like of shape (n_samples,) or None
        Query id of each row: any hashable dtype, any order, interleaved rows welcome;
        shape (n_samples, 1) will do. Tuples go in a list of tuples or an object array.
        None: one query, or none if there are no rows.
    n_samples : int
        Number of rows that ``qid`` must describe.
    rows_of : str, default="X"
        Name of the array that has those rows, for the error message.
    rows : object, default=None
        That array: if it and ``qid`` are pandas objects, their indices are compared, as
        by :func:`check_rows`. None: nothing is compared.
    name : str, default="qid"
        Name of the argument, for the error message.

    Returns
    -------
    queries : Queries
        Codes by first appearance and the segments that follow from them.

    Raises
    ------
    ValueError
        If ``qid`` has another length, more than one dimension, a missing value, or the
        index of ``rows`` in another order.
    TypeError
        If an id is not hashable.

    Examples
    --------
    >>> queries = group_queries(["b", "a", "b"], 3)
    >>> queries.codes.tolist(), queries.ids.tolist(), queries.order.tolist()
    ([0, 1, 0], ['b', 'a'], [0, 2, 1])
    """
    if qid is None:
        return Queries(
            np.zeros(n_samples, np.intp), np.zeros(min(n_samples, 1), np.intp)
        )
    check_rows({rows_of: rows, name: qid})
    values = _as_ids(qid)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]  # one column, as labels may be
    if isinstance(qid, str):
        raise ValueError(
            f"{name} must have one entry per row of {rows_of}; got the text {qid!r}. "
            f"Pass the column itself, as in frame[{qid!r}]."
        )
    if values.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional; got shape {values.shape}. "
            "For ids of several parts pass a list of tuples."
        )
    if len(values) != n_samples:
        raise ValueError(_length_message(values, n_samples, rows_of, name))
    _check_no_missing(values, name)
    if n_samples == 0:
        return Queries(np.zeros(0, np.intp), values)

    # Rows of a query mostly come in runs, so only the head of each run is looked up.
    changes = np.flatnonzero(np.asarray(values[1:] != values[:-1], dtype=bool)) + 1
    heads = np.concatenate([[0], changes])
    head_codes, n_lists = _factorize(values[heads])
    lengths = np.diff(np.concatenate([heads, [n_samples]]))
    codes = np.repeat(head_codes, lengths).astype(np.intp, copy=False)
    first_rows = np.zeros(n_lists, dtype=np.intp)
    first_rows[head_codes[::-1]] = heads[::-1]  # the last of repeated indices wins
    return Queries(codes, values[first_rows])


def check_rows(columns: Mapping[str, Any]) -> None:
    """Raise if inputs by row have masked rows, or pandas indices in different orders.

    Rows are matched by position. Where two pandas objects have the same index in
    another order, that is not what their user means. Indices that are not permutations
    of each other say nothing about the order (a fresh ``RangeIndex`` beside the index
    of a test set), and other objects have none.

    Parameters
    ----------
    columns : mapping of str to object
        Inputs by name, one entry a row; None where there is none.

    Raises
    ------
    ValueError
        If an array is masked, a pandas object has the index of the first one in another
        order, or a data frame has two columns of the same name.

    Examples
    --------
    >>> import pandas as pd
    >>> check_rows({"y": pd.Series([1, 0], index=[7, 8]), "qid": ["a", "a"]})
    """
    reference = ""
    for name, values in columns.items():
        if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
            value = "an id" if name == "qid" else "a value"
            raise ValueError(
                f"{name} must not be masked; got a masked array. Drop those rows or "
                f"give them {value}."
            )
        if not hasattr(values, "iloc"):
            continue
        check_columns(name, values)
        if not reference:
            reference, index = name, values.index
        elif _is_reordered(index, values.index):
            cure = f"Pass {name}.loc[{reference}.index], or"
            if not index.is_unique:
                cure = "Sort both the same way, or pass"
            raise ValueError(
                f"{name} must be in the order of the rows of {reference}; got the same "
                f"index in another order. {cure} {name}.to_numpy() to match rows by "
                "position."
            )


def check_columns(name: str, frame: Any) -> None:
    """Raise if a pandas DataFrame has two columns of the same name.

    Examples
    --------
    >>> check_columns("X", [[1, 2]])
    """
    columns = getattr(frame, "columns", None)
    if columns is not None and not columns.is_unique:
        twice = columns[columns.duplicated()][0]
        raise ValueError(
            f"{name} must have distinct column names; got {plain(twice)!r} twice. "
            "Rename one."
        )


def check_axes(matrix: Any, name: str) -> None:
    """Raise if a DataFrame has the items in one order as rows, another as columns.

    Labels that are not permutations of each other say nothing about the order.

    Examples
    --------
    >>> check_axes([[0, 1], [2, 0]], "matrix")
    """
    if not (hasattr(matrix, "iloc") and hasattr(matrix, "columns")):
        return
    if _is_reordered(matrix.index, matrix.columns):
        cure = f"{name}.to_numpy() to match them by position"
        if matrix.index.is_unique:
            cure = (
                f"{name}.loc[order, order], with order a list of the items, or {cure}"
            )
        raise ValueError(
            f"{name} must have rows and columns in one order; got the same items in "
            f"another order. Pass {cure}."
        )


def group_sizes_to_qid(sizes: ArrayLike) -> IntArray:
    """Turn list sizes (LightGBM's and XGBoost's ``group``) into one id per row.

    Parameters
    ----------
    sizes : array-like of shape (n_lists,)
        Rows in each list, in the order of the rows; integers ≥ 0.

    Returns
    -------
    qid : int array of shape (sum(sizes),)
        0 for the rows of the first list, 1 for the second, …

    Raises
    ------
    ValueError
        If a size is negative or not a whole number.

    Examples
    --------
    >>> group_sizes_to_qid([2, 3]).tolist()
    [0, 0, 1, 1, 1]
    """
    counts = np.asarray(sizes)
    if counts.ndim != 1 or np.any(counts < 0) or np.any(counts != np.floor(counts)):
        raise ValueError(
            "sizes must be a one-dimensional array of whole numbers >= 0; got "
            f"{sizes!r}."
        )
    return np.repeat(np.arange(len(counts)), counts.astype(np.intp))


def _is_reordered(index: Any, other: Any) -> bool:
    """Whether a pandas index has the entries of another one in another order."""
    if len(index) != len(other) or index.equals(other):
        return False
    codes, entries = index.factorize()
    # An entry that is missing, or not in the index, has code −1.
    counts = np.bincount(codes + 1, minlength=len(entries) + 1)
    other_codes = entries.get_indexer(other)
    other_counts = np.bincount(other_codes + 1, minlength=len(entries) + 1)
    return bool(np.array_equal(counts, other_counts))


def _as_ids(qid: ArrayLike) -> NDArray[Any]:
    """Array of ids; ids of several types, and tuples, stay the objects they are."""
    if isinstance(qid, Sequence) and not isinstance(qid, (str, bytes)):
        types = {type(item) for item in qid}
        if len(types) > 1 or types & {tuple, bytes}:
            values = np.empty(len(qid), dtype=object)
            for row, item in enumerate(qid):
                values[row] = item
            return values
        if types == {int} and np.asarray(qid).dtype.kind == "f":  # beyond 64 bits
            return np.array(qid, dtype=object)
    return np.asarray(qid)


def _factorize(values: NDArray[Any]) -> tuple[IntArray, int]:
    """Codes by first appearance and their number, by equality."""
    if values.dtype == object:
        return _factorize_objects(values)
    if values.dtype.kind in "iu":
        low, high = int(values.min()), int(values.max())
        if high - low < 4 * len(values):
            shifted = values.astype(np.uint64) - np.uint64(low % 2**64)  # modulo 2^64
            return _factorize_dense(shifted.astype(np.intp))
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    number = np.empty(len(first), dtype=np.intp)
    number[np.argsort(first)] = np.arange(len(first))
    return number[inverse], len(first)


def _factorize_dense(values: IntArray) -> tuple[IntArray, int]:
    """Codes of small numbers >= 0, by a table instead of a sort."""
    first_row = np.full(int(values.max()) + 1, -1, dtype=np.intp)
    first_row[values[::-1]] = np.arange(len(values) - 1, -1, -1)  # the least one wins
    distinct = np.flatnonzero(first_row >= 0)
    number = np.empty(len(first_row), dtype=np.intp)
    number[distinct[np.argsort(first_row[distinct])]] = np.arange(len(distinct))
    return number[values], len(distinct)


def _factorize_objects(values: NDArray[Any]) -> tuple[IntArray, int]:
    code_of: dict[Any, int] = {}
    try:
        codes = [code_of.setdefault(value, len(code_of)) for value in values]
    except TypeError:
        bad = next(value for value in values if not _is_hashable(value))
        raise TypeError(
            f"qid must hold hashable ids; got {bad!r} of type {type(bad).__name__}. "
            "Use numbers, strings or tuples."
        ) from None
    return np.array(codes, dtype=np.intp), len(code_of)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, NaT or pandas' NA, or a tuple that holds one.

    Examples
    --------
    >>> is_missing(float("nan")), is_missing("")
    (True, False)
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, tuple):
        return any(map(is_missing, value))
    is_scalar = isinstance(value, (numbers.Number, np.generic))
    return bool(is_scalar and value != value)


def _check_no_missing(values: NDArray[Any], name: str) -> None:
    if values.dtype == object:
        missing = np.array([is_missing(value) for value in values], dtype=bool)
    elif values.dtype.kind in "fcmM":
        missing = np.asarray(values != values, dtype=bool)
    else:
        return
    if missing.any():
        row = int(missing.argmax())
        raise ValueError(
            f"{name} must not have missing values; got {plain(values[row])!r} at row "
            f"{row}. Drop those rows or give them an id."
        )


def _length_message(
    values: NDArray[Any], n_samples: int, rows_of: str, name: str
) -> str:
    message = (
        f"{name} must have one entry per row of {rows_of}; got {len(values)} entries "
        f"for {n_samples} rows."
    )
    if name != "qid":
        return message
    message += " Pass the query id of every row, not the sizes of the lists."
    if values.dtype.kind in "iu" and values.sum() == n_samples:
        message += " Turn sizes into ids with ltr.group_sizes_to_qid(sizes)."
    return message


def cut_lists(starts: IntArray, n_rows: int) -> Iterator[tuple[int, int]]:
    """Split rows into ranges of whole lists.

    Parameters
    ----------
    starts : int array of shape (n_lists + 1,)
        First row of each list, and the end.
    n_rows : int
        Largest number of rows of a range of several lists.

    Yields
    ------
    begin, end : int
        First row of a range, and its end.

    Examples
    --------
    >>> list(cut_lists(np.array([0, 3, 5, 12, 13]), 5))
    [(0, 5), (5, 12), (12, 13)]
    """
    first = 0
    while first < len(starts) - 1:
        end = int(np.searchsorted(starts, starts[first] + n_rows, side="right")) - 1
        end = max(end, first + 1)
        yield int(starts[first]), int(starts[end])
        first = end
