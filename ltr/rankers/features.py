"""Features: what X must be, and messages that name the column and row at fault."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import validate_data

from ltr.queries import check_rows


def check_dense_X(ranker: Any, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
    """Features as a finite float array of shape (n_samples, n_features)."""
    check_rows({"X": X})
    if is_frame(X):
        cure = "One-hot encode or drop it, or use LambdaMARTRanker for categories."
        check_numeric_columns(X, cure)
    array = validate_data(
        ranker,
        X,
        reset=reset,
        dtype=[np.float64, np.float32],
        order="C",  # sums must not depend on the layout of the input
        ensure_all_finite=False,
    )
    if not np.isfinite(array.sum(dtype=np.float64)):
        check_finite_X(ranker, array, allow_nan=False)
    return np.asarray(array)


def is_frame(X: Any) -> bool:
    """Whether ``X`` is a pandas DataFrame; other frames are read as arrays."""
    return hasattr(X, "iloc") and hasattr(X, "columns")


def check_numeric_columns(X: Any, cure: str) -> None:
    """Raise with the first column of a DataFrame that does not hold numbers."""
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()][0]
        raise ValueError(
            f"X must have distinct column names; got {twice!r} twice. Rename one."
        )
    for i in range(X.shape[1]):
        column = X.iloc[:, i]
        if not _holds_numbers(column):
            raise ValueError(
                f"column {column.name!r} of X has dtype {column.dtype}, which is not a "
                f"number. {cure}"
            )


def _holds_numbers(column: Any) -> bool:
    if column.dtype.kind in "biufc":
        return True
    if column.dtype.kind in "mM" or str(column.dtype) == "category":
        return False
    try:
        np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return True


def check_finite_X(ranker: Any, X: NDArray[Any], *, allow_nan: bool) -> None:
    """Raise with the place of the first value that is inf or, unless allowed, NaN."""
    bad = np.isinf(X) if allow_nan else ~np.isfinite(X)
    if not bad.any():
        return
    row, column = np.unravel_index(int(bad.argmax()), bad.shape)
    value = "NaN" if np.isnan(X[row, column]) else "inf"
    names = getattr(ranker, "feature_names_in_", None)
    name = "" if names is None else f" ({names[column]!r})"
    need = "finite or NaN" if allow_nan else "finite"
    cure = (
        "Clip or replace it."
        if allow_nan
        else "Impute it, for example with sklearn.impute.SimpleImputer, or use "
        "LambdaMARTRanker, which takes NaN."
        if value == "NaN"
        else "Clip or replace it."
    )
    raise ValueError(
        f"X must be {need}; got {value} at row {row}, column {column}{name}. {cure}"
    )
