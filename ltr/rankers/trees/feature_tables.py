"""Feature tables for trees: categories, missing values, sparse matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import ArgumentError, plain
from ltr.rankers.features import (
    TEXT_CURE,
    as_pandas,
    check_finite_sparse,
    check_finite_X,
    has_surrogate,
    is_frame,
    listed,
    read_X,
    values_without,
)
from ltr.rankers.warning import warn

CategoricalFeatures = Any  # "from_dtype", a sequence of indices or names, or None


@dataclass(frozen=True)
class Categories:
    """Which columns are categorical, and the categories that each had in ``fit``.

    Attributes
    ----------
    columns : tuple of int
        Columns that trees split by subsets of the codes; the others, ordered
        categories among them, are split by a threshold.
    values : dict of int to tuple, or None
        For columns of a DataFrame with category dtype, in the order of the columns:
        their categories; the code of a category is its index. None if ``fit`` was not
        given a DataFrame.
    """

    columns: tuple[int, ...] = ()
    values: dict[int, tuple[Any, ...]] | None = None

    @property
    def for_lightgbm(self) -> list[list[Any]] | None:
        """The ``pandas_categorical`` of a booster: categories column by column."""
        if self.values is None:
            return None
        return [list(categories) for categories in self.values.values()]


def fit_categories(X: Any, categorical_features: CategoricalFeatures) -> Categories:
    """Find the categorical columns of ``X``.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        A DataFrame, an array or a sparse matrix.
    categorical_features : "from_dtype", sequence of int or str, or None
        Columns of category dtype that are not ordered; the named ones; or none.

    Returns
    -------
    categories : Categories

    Raises
    ------
    ValueError
        If a name or index is not a column of ``X``, or a category is neither a string,
        a number nor a boolean.
    """
    X = as_pandas(X)
    names = [str(name) for name in X.columns] if hasattr(X, "columns") else None
    values: dict[int, tuple[Any, ...]] | None = None
    unordered = []
    if is_frame(X):
        values = {}
        for i, dtype in enumerate(X.dtypes):
            if str(dtype) == "category":
                values[i] = _plain_categories(X.columns[i], dtype.categories)
                unordered += [] if dtype.ordered else [i]
    if categorical_features is None:
        return Categories((), values)
    if isinstance(categorical_features, str):
        if categorical_features != "from_dtype":
            raise ArgumentError(
                "categorical_features must be 'from_dtype', a sequence of column names "
                f"or indices, or None; got {categorical_features!r}."
            )
        return Categories(tuple(unordered), values)
    if not isinstance(categorical_features, (Sequence, np.ndarray)):
        raise ArgumentError(
            "categorical_features must be 'from_dtype', a sequence of column names or "
            f"indices, or None; got {categorical_features!r}."
        )
    n_features = np.shape(X)[1]
    if any(not isinstance(c, (str, int, np.integer)) for c in categorical_features):
        raise ArgumentError(
            "categorical_features must be column names or indices; got "
            f"{categorical_features!r}."
        )
    if any(isinstance(c, bool) for c in categorical_features):
        mask = _mask(list(categorical_features), n_features)
        categorical_features = np.flatnonzero(mask)
    columns = tuple(_column(c, names, n_features) for c in categorical_features)
    return Categories(columns, values)


def check_table(
    ranker: Any, X: ArrayLike, *, reset: bool, categories: Categories
) -> Any:
    """Features as a float array or CSR matrix that LightGBM can read.

    Parameters
    ----------
    ranker : estimator
        Gets ``n_features_in_`` and ``feature_names_in_`` if ``reset``.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        NaN is a missing value.
    reset : bool
        Whether this is ``fit``.
    categories : Categories
        From :func:`fit_categories`.

    Returns
    -------
    table : float array or CSR matrix of shape (n_samples, n_features)
        Categories as codes; those that ``fit`` did not see are missing values.

    Raises
    ------
    ValueError
        If a value is infinite, a column cannot be read as numbers, or a categorical
        one holds anything but whole numbers ≥ 0.

    Warns
    -----
    UserWarning
        With their number, if rows have categories that ``fit`` did not see.
    """
    X = as_pandas(X)
    values = categories.values or {}
    if values and not is_frame(X):
        raise ValueError(
            "X must be a DataFrame because fit was given one with columns of category "
            f"dtype; got {type(X).__name__}. Pass the same columns."
        )
    table = read_X(
        ranker,
        X,
        lambda frame: _with_codes(frame, values),
        reset=reset,
        accept_sparse=True,
    )
    if isinstance(table, np.ndarray):
        if np.isinf(_extremes(table)).any():
            check_finite_X(ranker, table, allow_nan=True)
        _check_codes(table, categories.columns)
        return table
    check_finite_sparse(table)
    if not table.has_canonical_format:
        table = table.copy()
        table.sum_duplicates()  # LightGBM would take one of two entries of a cell
    import scipy.sparse

    return scipy.sparse.csr_matrix(table)  # LightGBM does not know csr_array


def _mask(flags: Sequence[Any], n_features: int) -> NDArray[np.bool_]:
    if len(flags) != n_features or any(not isinstance(flag, bool) for flag in flags):
        raise ValueError(
            "categorical_features as a mask must have True or False for each of the "
            f"{n_features} columns; got {flags!r}."
        )
    return np.array(flags, dtype=bool)


def _column(column: int | str, names: Sequence[str] | None, n_features: int) -> int:
    """Index of a column that is named or numbered."""
    if isinstance(column, str):
        if names is None or column not in names:
            raise ValueError(
                f"categorical_features names {column!r}, which is not a column of X. "
                f"Columns: {names if names is not None else 'X is not a DataFrame'}."
            )
        return names.index(column)
    if not 0 <= int(column) < n_features:
        raise ValueError(
            f"categorical_features must be columns of X, 0 to {n_features - 1}; got "
            f"{column!r}."
        )
    return int(column)


def _plain_categories(column: Any, categories: Any) -> tuple[Any, ...]:
    """Categories as strings, numbers and booleans, which a file of trees can hold."""
    plain = tuple(v.item() if isinstance(v, np.generic) else v for v in categories)
    for value in plain:
        if not isinstance(value, (str, bool, int, float)):
            raise ValueError(
                f"categories must be strings, numbers or booleans, which LightGBM's "
                f"files can hold; got {value!r} in column {column!r} of X. Convert "
                "them, here and for predict, with .cat.rename_categories(str)."
            )
        if isinstance(value, str) and has_surrogate(value):
            raise ValueError(
                f"categories must be text that UTF-8 can encode; got {value!r} in "
                f"column {column!r} of X, which has a surrogate. Rename it, here and "
                "for predict, with .cat.rename_categories."
            )
    return plain


def _with_codes(X: Any, values: dict[int, tuple[Any, ...]]) -> NDArray[np.float64]:
    """Replace the categories of a DataFrame by codes, those not in ``fit`` by NaN."""
    table = np.require(values_without(X, values, TEXT_CURE), requirements="W")
    for i, categories in values.items():
        column = X.iloc[:, i]
        table[:, i] = _codes(column, list(categories))
        unknown = np.isnan(table[:, i])
        if unknown.any():
            unknown &= ~column.isna().to_numpy()
        if unknown.any():
            warn(
                f"{int(unknown.sum())} of {len(X)} rows have a category in column "
                f"{column.name!r} of X that fit did not see, such as "
                f"{plain(column[unknown].iloc[0])!r}; they count as missing. Fit saw "
                f"{listed(categories)}. A number and its text are different categories."
            )
    return table


def _codes(column: Any, categories: list[Any]) -> NDArray[np.float64]:
    """Code of each category, NaN where there is none; exactly as LightGBM finds it."""
    if str(column.dtype) != "category":
        column = column.astype("category")
    if column.array.categories.tolist() != categories:
        column = column.cat.set_categories(categories)
    codes = column.array.codes
    return np.where(codes >= 0, codes.astype(np.float64), np.nan)


def _extremes(values: NDArray[Any]) -> NDArray[Any]:
    """Least and greatest value that is not NaN."""
    if values.size == 0:
        return np.zeros(2)
    return np.array([np.fmin.reduce(values, None), np.fmax.reduce(values, None)])


def _check_codes(table: NDArray[Any], columns: tuple[int, ...]) -> None:
    for column in columns:
        values = table[:, column]
        whole = (values >= 0) & (values == np.floor(values)) & (values < 2**31)
        bad = ~np.isnan(values) & ~whole
        if bad.any():
            row = int(bad.argmax())
            raise ValueError(
                f"categorical column {column} of X must hold whole numbers from 0 to "
                f"2^31 - 1, or NaN for a missing value; got {values[row]:g} at row "
                f"{row}."
            )
