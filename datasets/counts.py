"""Counts of ranking data that add up over pieces with whole lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.queries import BoolArray, FloatArray, IntArray, check_rows, group_queries

_VALUES_AT_ONCE = 4_000_000


class Marks(NamedTuple):
    """Rows of another data set, as 64-bit hashes."""

    n_features: int
    rows: NDArray[np.uint64]


@dataclass(frozen=True)
class Counts:
    """What a piece contributes to a description, and what all of them do.

    Attributes
    ----------
    n_lists, n_rows, blank_lists, usable_lists, usable_pairs : int
        See :class:`ltr.datasets.Description`.
    sizes : (int array, int array)
        Distinct list sizes, ascending, and the number of lists of each.
    labels : (float array, int array)
        Distinct labels, ascending, and the number of rows with each.
    missing : int array of shape (n_features,)
        NaN of each column.
    infinite : int
        Infinite values.
    first_row : array of shape (n_features,)
        Features of a row.
    constant, query : bool arrays of shape (n_features,)
        Columns that equal ``first_row`` in all rows; that are constant in each list.
    repeated_rows, repeated_lists : int or None
        Rows and whole lists of the other data set.
    """

    n_lists: int
    n_rows: int
    blank_lists: int
    usable_lists: int
    usable_pairs: int
    sizes: tuple[IntArray, IntArray]
    labels: tuple[FloatArray, IntArray]
    missing: IntArray
    infinite: int
    first_row: NDArray[Any]
    constant: BoolArray
    query: BoolArray
    repeated_rows: int | None
    repeated_lists: int | None

    def median_size(self) -> float:
        """Mean of the two list sizes in the middle, which may be the same."""
        sizes, counts = self.sizes
        ends = np.cumsum(counts)
        middle = np.array([(self.n_lists - 1) // 2, self.n_lists // 2])
        return float(sizes[np.searchsorted(ends, middle, side="right")].mean())


def count(
    X: ArrayLike,
    y: ArrayLike,
    qid: ArrayLike | None,
    marks: Marks | None = None,
) -> Counts:
    """Count what :class:`Counts` has, in rows with whole lists.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Features; memory maps are read block by block, and what a sparse matrix does
        not store counts as 0.
    y : array-like of shape (n_samples,)
        Labels.
    qid : array-like of shape (n_samples,) or None
        Query of each row. None: all rows belong to one query.
    marks : Marks, default=None
        The rows of another data set.

    Returns
    -------
    counts : Counts

    Raises
    ------
    ValueError
        If lengths differ, there is no row or column, or the rows of the other data set
        have another number of features.
    """
    check_rows({"X": X, "y": y, "qid": qid})
    table, labels = as_numbers(X), np.asarray(y, dtype=np.float64)
    if table.ndim != 2 or 0 in table.shape or labels.shape != table.shape[:1]:
        raise ValueError(
            "X must have shape (n_samples, n_features), without a 0, and y shape "
            f"(n_samples,); got {table.shape} and {labels.shape}."
        )
    queries = group_queries(qid, len(labels))
    codes, sizes = queries.codes, queries.sizes
    values, label_codes, n_rows_of_label = np.unique(
        labels, return_inverse=True, return_counts=True
    )
    # usable pairs of a list: all pairs, minus those of rows with the same label
    groups, group_sizes = np.unique(
        codes * len(values) + label_codes, return_counts=True
    )
    tied = np.bincount(groups // len(values), n_pairs(group_sizes), len(sizes))
    usable = n_pairs(sizes) - tied
    is_sparse = hasattr(table, "tocsr")
    features = (_sparse_features if is_sparse else _features)(table, codes)
    repeated_rows = repeated_lists = None
    if marks is not None:
        repeated_rows, repeated_lists = _repeated(table, codes, marks)
    return Counts(
        n_lists=len(sizes),
        n_rows=len(labels),
        blank_lists=int((np.bincount(codes, labels > 0) == 0).sum()),
        usable_lists=int((usable > 0).sum()),
        usable_pairs=int(usable.sum()),
        sizes=np.unique(sizes, return_counts=True),
        labels=(values, n_rows_of_label),
        missing=features.missing,
        infinite=features.infinite,
        first_row=features.first_row,
        constant=features.constant,
        query=features.query,
        repeated_rows=repeated_rows,
        repeated_lists=repeated_lists,
    )


def merged(parts: Iterable[Counts]) -> Counts:
    """Counts of all pieces together; one of them is in memory at a time.

    Raises
    ------
    ValueError
        If there is none, or the numbers of features differ.
    """
    total = reduce(_merge, parts, None)
    if total is None:
        raise ValueError("X must have at least one row; got none.")
    return total


def _merge(a: Counts | None, b: Counts) -> Counts:
    if a is None:
        return b
    if len(a.missing) != len(b.missing):
        raise ValueError(
            "all pieces must have the same number of features; got "
            f"{len(b.missing)} after {len(a.missing)}."
        )
    # NaN is one value
    is_same = (a.first_row == b.first_row) | (
        (a.first_row != a.first_row) & (b.first_row != b.first_row)
    )
    return Counts(
        n_lists=a.n_lists + b.n_lists,
        n_rows=a.n_rows + b.n_rows,
        blank_lists=a.blank_lists + b.blank_lists,
        usable_lists=a.usable_lists + b.usable_lists,
        usable_pairs=a.usable_pairs + b.usable_pairs,
        sizes=_add(a.sizes, b.sizes),
        labels=_add(a.labels, b.labels),
        missing=a.missing + b.missing,
        infinite=a.infinite + b.infinite,
        first_row=a.first_row,
        constant=a.constant & b.constant & is_same,
        query=a.query & b.query,
        repeated_rows=_sum(a.repeated_rows, b.repeated_rows),
        repeated_lists=_sum(a.repeated_lists, b.repeated_lists),
    )


def _add(
    a: tuple[NDArray[Any], IntArray], b: tuple[NDArray[Any], IntArray]
) -> tuple[NDArray[Any], IntArray]:
    """Sum of two histograms, each with its values in ascending order."""
    values, codes = np.unique(np.concatenate([a[0], b[0]]), return_inverse=True)
    sums = np.zeros(len(values), dtype=np.int64)
    np.add.at(sums, codes, np.concatenate([a[1], b[1]]))
    return values, sums


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def as_numbers(X: Any) -> Any:
    """Array of numbers; a memory map remains one, and a sparse matrix becomes CSR."""
    table = X.tocsr(copy=True) if hasattr(X, "tocsr") else np.asanyarray(X)
    if table.dtype.kind not in "fiub":
        table = table.astype(np.float64)
    if hasattr(table, "tocsr"):
        table.sum_duplicates()
        table.eliminate_zeros()
    return table


def n_pairs(sizes: NDArray[Any]) -> NDArray[Any]:
    """Pairs of the rows of lists of these sizes."""
    return sizes * (sizes - 1) // 2


class _Features(NamedTuple):
    """Properties of the columns; see :class:`Counts`."""

    missing: IntArray
    infinite: int
    first_row: NDArray[Any]
    constant: BoolArray
    query: BoolArray


def _features(X: NDArray[Any], codes: IntArray) -> _Features:
    """Properties of the columns, computed block by block."""
    n_columns = X.shape[1]
    missing, infinite = np.zeros(n_columns, dtype=np.intp), 0
    constant, query = np.ones((2, n_columns), dtype=bool)
    # a column is constant within lists if each row equals the first of its list
    first_rows = np.zeros(int(codes.max()) + 1, dtype=np.intp)
    first_rows[codes[::-1]] = np.arange(len(codes))[::-1]
    for rows, block in _blocks(X):
        if not np.isfinite(block).all():
            missing += np.isnan(block).sum(axis=0)
            infinite += int(np.isinf(block).sum())
        heads = first_rows[codes[rows]]
        _keep_equal(constant, block, X, np.zeros_like(heads))
        _keep_equal(query, block, X, heads)
    return _Features(missing, infinite, np.array(X[0]), constant, query)


def _sparse_features(X: Any, codes: IntArray) -> _Features:
    """Properties of the columns of a CSR matrix, from the values that it stores."""
    missing = np.bincount(X.indices[np.isnan(X.data)], minlength=X.shape[1])
    first_row = np.zeros(X.shape[1], dtype=X.dtype)
    first_row[X.indices[: X.indptr[1]]] = X.data[: X.indptr[1]]
    order = np.argsort(codes, kind="stable")
    by_column = X[order].tocsc()
    return _Features(
        missing,
        int(np.isinf(X.data).sum()),
        first_row,
        _constant_columns(by_column, np.zeros_like(codes)),
        _constant_columns(by_column, codes[order]),
    )


def _constant_columns(X: Any, codes: IntArray) -> BoolArray:
    """Columns of a CSC matrix without stored zeros that are constant in each list.

    The rows of a list are neighbors, so that its values in a column are a run among
    those stored. The column is constant there if the run is empty, or has a value for
    each row and all of them are equal (NaN is one value).
    """
    values, lists = X.data, codes[X.indices]
    columns = np.repeat(np.arange(X.shape[1]), np.diff(X.indptr))
    is_start = np.ones(len(values), dtype=bool)
    is_start[1:] = (np.diff(columns) != 0) | (np.diff(lists) != 0)
    starts = np.flatnonzero(is_start)
    lengths = np.diff(starts, append=len(values))
    is_short = lengths < np.bincount(codes)[lists[starts]]
    differs = ~is_start
    differs[1:] &= values[1:] != values[:-1]
    differs[1:] &= ~(np.isnan(values[1:]) & np.isnan(values[:-1]))
    constant = np.ones(X.shape[1], dtype=bool)
    constant[columns[starts[is_short]]] = False
    constant[columns[differs]] = False
    return constant


def _keep_equal(
    columns: BoolArray,
    block: NDArray[Any],
    X: NDArray[Any],
    rows: IntArray,
) -> None:
    """Clear the mask of columns in which the block differs from these rows of X."""
    for column in np.flatnonzero(columns):
        a, b = block[:, column], X[rows, column]
        columns[column] = np.array_equal(a, b, equal_nan=True)


def _blocks(X: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    step = max(1, _VALUES_AT_ONCE // max(1, X.shape[1]))
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        yield rows, np.asarray(X[rows])


def marks_of(X: Any) -> Marks:
    """Hashes of the rows of a table."""
    table = as_numbers(X)
    return Marks(table.shape[1], _fingerprints(table))


def _repeated(X: Any, codes: IntArray, other: Marks) -> tuple[int, int]:
    """Number of rows, and of entire lists, that the other table also has."""
    if X.shape[1] != other.n_features:
        raise ValueError(
            "other must have as many features as X; got "
            f"{other.n_features} and {X.shape[1]}."
        )
    marks = _fingerprints(X)
    is_repeated = np.isin(marks, other.rows)
    n_missing = np.bincount(codes, ~is_repeated)
    # lists of equal rows (lowest = highest fingerprint) recur by chance: not counted
    lowest = np.full(len(n_missing), np.iinfo(np.uint64).max, dtype=np.uint64)
    highest = np.zeros(len(n_missing), dtype=np.uint64)
    np.minimum.at(lowest, codes, marks)
    np.maximum.at(highest, codes, marks)
    in_full = (n_missing == 0) & (lowest != highest)
    return int(is_repeated.sum()), int(in_full.sum())


def _fingerprints(X: Any) -> NDArray[np.uint64]:
    """64-bit hash of each row: Σⱼ h(xⱼ, keyⱼ) modulo 2^64."""
    keys = np.random.default_rng(0).integers(
        1, 2**63, size=(2, X.shape[1]), dtype=np.uint64
    )
    if hasattr(X, "tocsr"):  # Σⱼ h(0, keyⱼ) + Σ over stored xⱼ of h(xⱼ, ·) - h(0, ·)
        of_zeros = _hashes(np.zeros(X.shape[1]), keys)
        changes = _hashes(X.data, keys[:, X.indices]) - of_zeros[X.indices]
        sums = np.append(np.uint64(0), np.cumsum(changes, dtype=np.uint64))
        return np.asarray(of_zeros.sum() + np.diff(sums[X.indptr]))
    marks = np.empty(len(X), dtype=np.uint64)
    for rows, block in _blocks(X):
        marks[rows] = _hashes(block, keys).sum(axis=1, dtype=np.uint64)
    return marks


def _hashes(values: NDArray[Any], keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hashes of values (..., n), each with the two keys of its column (2, n)."""
    bits = (values.astype(np.float64) + 0.0).view(np.uint64)  # -0.0 is 0.0
    mixed = (bits ^ keys[0]) * (keys[1] | np.uint64(1))
    mixed ^= mixed >> np.uint64(29)
    return np.asarray(mixed * keys[0])
