"""Features of queries, passed once for each query, beside those of their items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ltr.arguments import ArgumentError, plain
from ltr.queries import IntArray, Queries, check_rows, group_queries
from ltr.rankers.columns import Columns
from ltr.rankers.features import (
    CATEGORY_CURE,
    as_pandas,
    check_dense_X,
    frame_values,
    is_frame,
    read_X,
)


@dataclass(frozen=True)
class JoinedRows:
    """A table whose first columns are those of the query of each row, kept once.

    Attributes
    ----------
    of_queries : array of shape (n_queries, n_query_features)
        Features of each query.
    of_items : array of shape (..., n_item_features)
        Features of each item.
    codes : int array of shape (...)
        Number of the query of each item.
    """

    of_queries: NDArray[Any]
    of_items: NDArray[Any]
    codes: IntArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the joined table."""
        n_columns = self.of_queries.shape[1] + self.of_items.shape[-1]
        return (*self.codes.shape, n_columns)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its numbers."""
        return np.result_type(self.of_queries, self.of_items)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> JoinedRows:
        """Some of the rows."""
        return JoinedRows(self.of_queries, self.of_items[rows], self.codes[rows])

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        parts = [self.of_queries[self.codes], self.of_items]
        return np.concatenate(parts, axis=-1, dtype=dtype)

    def followed_by(self, other: JoinedRows) -> JoinedRows:
        """Rows of both; no query is in both."""
        return JoinedRows(
            np.concatenate([self.of_queries, other.of_queries]),
            np.concatenate([self.of_items, other.of_items]),
            np.concatenate([self.codes, other.codes + len(self.of_queries)]),
        )


def join_query_features(X: Any, qid: ArrayLike | None, query_features: Any) -> Any:
    """Put the features of its query before those of each item.

    It is what ``query_features`` of a ranker stands for, as one table for rankers,
    searches and exports that take no other.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n_samples, n_item_features)
        Features of the items.
    qid : array-like of shape (n_samples,) or None
        Query of each row. None: one query.
    query_features : array-like or DataFrame of shape (n_queries, n_query_features)
        Features of the queries: an array in the order in which ``qid`` first has them,
        or a pandas DataFrame with the queries as its index, which may have others.

    Returns
    -------
    joined : array, DataFrame or CSR matrix
        Of shape (n_samples, n_query_features + n_item_features); of the kind of ``X``.

    Raises
    ------
    ValueError
        If a query has no features, there are other rows than queries, or only one of
        the tables has column names.

    Examples
    --------
    >>> X = np.array([[1.0], [2.0], [3.0]])
    >>> join_query_features(X, ["b", "a", "b"], [[10.0], [20.0]]).tolist()
    [[10.0, 1.0], [20.0, 2.0], [10.0, 3.0]]
    """
    table = _table(X)
    queries = group_queries(qid, table.shape[0], rows=X)
    return _joined(
        table, _aligned(query_features, queries, is_one_list=qid is None), queries.codes
    )


def read_joined(
    ranker: Any, X: Any, qid: ArrayLike | None, query_features: Any, *, reset: bool
) -> JoinedRows:
    """As :func:`join_query_features`, checked for a ranker, without a joined table.

    Parameters
    ----------
    ranker : estimator
        Gets the names and number of the joined columns if ``reset``.
    X, qid, query_features
        As for :func:`join_query_features`; ``X`` dense.
    reset : bool
        Whether this is ``fit``.

    Returns
    -------
    rows : JoinedRows
        Finite.

    Raises
    ------
    ValueError
        If the columns are others than in ``fit``, or a value is not finite.
    TypeError
        If ``X`` is sparse.
    """
    if hasattr(X, "tocsr"):
        raise TypeError(
            "X must be dense with query_features; got a sparse matrix. Pass "
            "ltr.rankers.join_query_features(X, qid, query_features) as X."
        )
    table = _table(X)
    queries = group_queries(qid, table.shape[0], rows=X)
    aligned = _aligned(query_features, queries, is_one_list=qid is None)
    if not reset:
        _check_widths(ranker, aligned, table)
    head = _joined(table[:1], aligned, queries.codes[:1])
    read_X(ranker, head, lambda frame: frame_values(frame, CATEGORY_CURE), reset=reset)
    n = aligned.shape[1]
    with _errors_in_query_features():
        of_queries = check_dense_X(_columns(ranker, slice(n)), aligned, reset=False)
    of_items = check_dense_X(_columns(ranker, slice(n, None)), table, reset=False)
    return JoinedRows(of_queries, of_items, queries.codes)


def check_validation_features(
    query_features: Any, query_features_val: Any, X_val: Any
) -> None:
    """Raise unless the queries of validation have features, too, if those of fit do."""
    if query_features_val is not None and X_val is None:
        raise ValueError(
            "query_features_val has the features of the queries of X_val, which is "
            "None. Pass X_val, y_val and qid_val, too."
        )
    if X_val is not None and (query_features is None) != (query_features_val is None):
        suffix = "" if query_features is None else "_val"
        raise ValueError(
            "query_features and query_features_val must be given together, if X_val "
            f"is; got no query_features{suffix}."
        )


def _table(X: Any) -> Any:
    """A frame of pandas, a CSR matrix or an array."""
    table = as_pandas(X)
    if hasattr(table, "tocsr"):
        return table.tocsr()
    table = table if is_frame(table) else np.asarray(table)
    if table.ndim != 2:
        raise ValueError(
            f"X must have shape (n_samples, n_features); got shape {table.shape}."
        )
    return table


def _aligned(query_features: Any, queries: Queries, *, is_one_list: bool) -> Any:
    """Features of the queries in the order of their codes, a frame or an array.

    One list needs no ``qid``, and the index of a frame of one row is not looked at.
    """
    check_rows({"query_features": query_features})
    if hasattr(query_features, "tocsr"):
        raise TypeError(
            "query_features must be dense; got a sparse matrix. Pass "
            "query_features.toarray()."
        )
    table = as_pandas(query_features)
    table = table if is_frame(table) else np.asarray(table)
    if table.ndim != 2:
        is_container = table.shape == () and not np.isscalar(query_features)
        kind = type(query_features).__name__
        raise ArgumentError(
            "query_features must have shape (n_queries, n_query_features); got "
            f"{f'a {kind}' if is_container else f'shape {table.shape}'}."
        )
    n_queries = queries.n_lists
    if is_frame(query_features) and type(query_features) is type(table):
        if is_one_list and len(table) == n_queries:
            return table
        return _rows_of_ids(table, queries) if len(table) or n_queries else table
    if len(table) != n_queries:
        raise ValueError(
            "query_features must have one row per query, in the order in which qid "
            f"first has them; got {len(table)} rows for {n_queries} queries."
        )
    return table


def _rows_of_ids(frame: Any, queries: Queries) -> Any:
    """Rows of a pandas frame by its index."""
    if not frame.index.is_unique:
        twice = frame.index[frame.index.duplicated()][0]
        raise ValueError(
            "query_features must have each query once in its index; got "
            f"{plain(twice)!r} twice. Drop one of the rows."
        )
    places = frame.index.get_indexer(queries.ids)
    if (places < 0).any():
        missing = plain(queries.ids[places < 0][0])
        raise ValueError(
            "query_features must have a row for each query in its index; got none for "
            f"{missing!r}. Make the ids the index by set_index, or pass an array with "
            "one row per query, in the order in which qid first has them."
        )
    return frame.iloc[places]


def _joined(table: Any, aligned: Any, codes: IntArray) -> Any:
    if is_frame(table) != is_frame(aligned):
        kinds = (type(aligned).__name__, type(table).__name__)
        raise ArgumentError(
            "query_features and X must both have column names, or neither; got "
            f"{kinds[0]} and {kinds[1]}. Pass two DataFrames or two arrays."
        )
    if is_frame(table):
        import pandas as pd

        beside = aligned.iloc[codes].set_axis(table.index, axis=0)
        return pd.concat([beside, table], axis=1)
    of_queries = aligned[codes]
    if hasattr(table, "tocsr"):
        import scipy.sparse

        parts = [type(table)(of_queries.astype(table.dtype)), table]
        return scipy.sparse.hstack(parts, format="csr")
    return np.concatenate([of_queries, table], axis=1)


def _check_widths(ranker: Any, aligned: Any, table: Any) -> None:
    """Raise unless both have as many columns together as those of ``fit``."""
    n_of_queries, n_of_items = aligned.shape[1], table.shape[1]
    if n_of_queries + n_of_items != ranker.n_features_in_:
        raise ValueError(
            "query_features and X must have the columns of fit, "
            f"{ranker.n_features_in_} together; got {n_of_queries} and {n_of_items}."
        )


def _columns(ranker: Any, part: slice) -> Columns:
    """What a ranker knows of some of its columns."""
    names = getattr(ranker, "feature_names_in_", None)
    others = ranker._column_names
    n_columns = len(range(ranker.n_features_in_)[part])
    return Columns(
        type(ranker).__name__,
        n_columns,
        None if names is None else names[part],
        None if others is None else others[part],
    )


@contextmanager
def _errors_in_query_features() -> Iterator[None]:
    """Say in errors of the block that they are about ``query_features``."""
    try:
        yield
    except ValueError as error:
        text = str(error).removeprefix("X ")
        name = "query_features" if text != str(error) else "In query_features:"
        raise ValueError(f"{name} {text}") from error
