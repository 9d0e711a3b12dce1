"""Features: what X must be, and messages that name the column and row at fault."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import check_column_names, plain
from ltr.memory import check_memory
from ltr.queries import check_columns, check_rows
from ltr.rankers.columns import Columns, check_numbers, validate_columns
from ltr.rankers.warning import warn

CATEGORY_CURE = "One-hot encode or drop it, or use LambdaMARTRanker for categories."
TEXT_CURE = (  # of rankers that take categories
    "Convert it to a category (.astype('category') in pandas, .cast(pl.Categorical) in "
    "polars) or drop it."
)
_SMALL_FRAME = 1000
_CHECKS: dict[str, Any] = {
    "dtype": [np.float64, np.float32],
    "order": "C",  # sums must not depend on the layout of the input
    "ensure_all_finite": False,
}


def check_dense_X(ranker: Any, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
    """Features as a finite float array of shape (n_samples, n_features)."""
    array = read_X(
        ranker, X, lambda frame: frame_values(frame, CATEGORY_CURE), reset=reset
    )
    # A sum in the type of X is three times as fast as one in double precision. Finite
    # numbers may overflow in it; then each is looked at.
    with np.errstate(over="ignore", invalid="ignore"):
        is_finite = np.isfinite(array.sum())
    if not is_finite:
        check_finite_X(ranker, array, allow_nan=False)
    return np.asarray(array)


def read_dense_X(
    ranker: Any, X: Any, values_of: Callable[[Any], Any], *, reset: bool
) -> NDArray[Any]:
    """Features that may be missing or sparse, as a dense float array.

    Parameters
    ----------
    ranker, X, values_of, reset
        As for :func:`read_X`.

    Returns
    -------
    features : float array of shape (n_samples, n_features)
        NaN where a value is missing, and no infinite value.

    Raises
    ------
    MemoryError
        If a sparse ``X`` as a dense array, with its scaled copies, needs more memory
        than is available.
    """
    features = read_X(ranker, X, values_of, reset=reset, accept_sparse=True)
    if isinstance(features, np.ndarray):
        check_finite_X(ranker, features, allow_nan=True)
        return features
    check_finite_sparse(features)
    n_rows, n_columns = features.shape
    check_memory(
        4 * 8 * float(n_rows) * n_columns,
        f"a dense copy of X with {n_rows} rows and {n_columns} columns",
        "Drop rare columns, or use LambdaMARTRanker or NeuralRanker, which take sparse "
        "matrices as they are.",
    )
    return np.asarray(features.toarray())


def read_X(
    ranker: Any,
    X: Any,
    values_of: Callable[[Any], Any],
    *,
    reset: bool,
    accept_sparse: bool = False,
) -> Any:
    """Features as floats, with the names and number of the columns of ``fit``.

    Parameters
    ----------
    ranker : estimator
        Gets the names and number of the columns if ``reset``.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Features; at predict there may be no rows.
    values_of : callable
        Float array, or sparse matrix, of a pandas DataFrame.
    reset : bool
        Whether this is ``fit``.
    accept_sparse : bool, default=False
        Whether sparse matrices are taken, as CSR.

    Returns
    -------
    features : float array or CSR matrix of shape (n_samples, n_features)
        Not checked for NaN and inf.

    Raises
    ------
    ValueError
        If ``X`` is masked, has other columns than in ``fit``, or cannot be read as
        numbers.
    """
    if _is_plain(ranker, X) and not reset:
        return np.ascontiguousarray(X)
    check_rows({"X": X})
    X = as_pandas(X)
    check_array, validate_data = _validators(ranker)
    if reset:
        vars(ranker).pop("_zero_based", None)  # of the files of an earlier fit
    checks = {
        **_CHECKS,
        "accept_sparse": ["csr"] if accept_sparse else False,
        "ensure_min_samples": int(reset),
    }
    if is_frame(X):
        return _read_frame(ranker, X, values_of, reset, checks)
    if not reset and isinstance(X, (list, tuple, np.ndarray)):
        n_features = ranker.n_features_in_
        if np.shape(X) in ((0,), (0, n_features)):  # no candidates need no names
            empty = np.zeros((0, n_features))
            return check_array(empty, estimator=ranker, **checks)
    if reset:
        ranker._column_names = None
    elif ranker._column_names not in (None, list(range(ranker.n_features_in_))):
        warn(
            "X has no column names, but the ranker was fitted with "
            f"{listed(ranker._column_names)}. Its columns are taken in that order; "
            "pass a DataFrame to have them checked."
        )
    dtype = getattr(X, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "mM":
        raise ValueError(
            f"X must hold numbers; got dtype {dtype}. Subtract a date from dates, and "
            "divide by a duration."
        )
    try:
        return validate_data(ranker, X, reset=reset, **checks)
    except OverflowError as error:
        raise ValueError(
            "X must hold numbers in the range of float64; got an integer beyond it. "
            "Clip or replace it."
        ) from error


def _is_plain(ranker: Any, X: Any) -> bool:
    """Whether an array is as ``predict`` wants it, as in most requests."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float64, np.float32)
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == getattr(ranker, "n_features_in_", None)
        and getattr(ranker, "feature_names_in_", None) is None
        and ranker._column_names is None
    )


def _validators(ranker: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """``check_array`` and ``validate_data`` of scikit-learn, or ours without it."""
    if isinstance(ranker, Columns):
        return check_numbers, validate_columns
    from sklearn.utils.validation import check_array, validate_data

    return check_array, validate_data


def _read_frame(
    ranker: Any,
    X: Any,
    values_of: Callable[[Any], Any],
    reset: bool,
    checks: dict[str, Any],
) -> Any:
    """Compare the names of the columns; scikit-learn ignores those that are no text."""
    check_array, validate_data = _validators(ranker)
    names = X.columns.tolist()
    if reset:
        is_text = _is_text(names)
        _check_encodable(names)
        ranker._column_names = None if is_text else names
    else:
        expected = ranker._column_names
        if getattr(ranker, "feature_names_in_", None) is not None:
            expected = ranker.feature_names_in_.tolist()
        if names == expected:  # as in most requests: there is nothing else to check
            array = values_of(X)
            is_sparse = not isinstance(array, np.ndarray)
            return array if is_sparse else np.ascontiguousarray(array)
        is_text = _is_text(names)
        if expected is not None and not (is_text and ranker._column_names is None):
            check_column_names(names, expected)
    if not is_text:
        return validate_data(ranker, values_of(X), reset=reset, **checks)
    validate_data(ranker, X, reset=reset, skip_check_array=True)
    return check_array(values_of(X), estimator=ranker, **checks)


def _is_text(names: Sequence[Any]) -> bool:
    return all(isinstance(name, str) for name in names)


def _check_encodable(names: Sequence[Any]) -> None:
    """Raise if a column name cannot be written to a file."""
    for name in names:
        if isinstance(name, str) and has_surrogate(name):
            raise ValueError(
                f"X must have column names that UTF-8 can encode; got {name!r}, which "
                "has a surrogate. Rename the column."
            )


def has_surrogate(text: str) -> bool:
    """Whether a string holds half of a surrogate pair, which no encoding can write."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def category_columns(X: Any) -> list[int]:
    """Columns of a DataFrame that have category dtype."""
    return [i for i, dtype in enumerate(X.dtypes) if str(dtype) == "category"]


def is_frame(X: Any) -> bool:
    """Whether ``X`` is a pandas DataFrame."""
    return hasattr(X, "iloc") and hasattr(X, "columns")


def as_pandas(X: Any) -> Any:
    """Return a frame of polars or pyarrow as one of pandas, anything else as it is.

    Columns of type ``Categorical``, ``Enum`` and ``dictionary`` get category dtype.
    """
    library = type(X).__module__.partition(".")[0]
    if library == "pyarrow":
        return _from_arrow(X)
    if library != "polars":
        return X
    if not hasattr(X, "get_columns"):
        raise ValueError(
            f"X must be a DataFrame; got polars' {type(X).__name__}. Pass X.collect() "
            "if it is a LazyFrame, X.to_frame() if it is a Series."
        )
    import pandas as pd

    if all(dtype.is_numeric() for dtype in X.dtypes):
        return pd.DataFrame(X.to_numpy(), columns=X.columns)
    columns = {}
    for column in X.get_columns():
        kind = str(column.dtype.base_type())
        if kind == "Enum":
            levels = column.dtype.categories.to_list()
            columns[column.name] = pd.Categorical(column.to_list(), levels)
        elif kind == "Categorical":
            columns[column.name] = pd.Categorical(column.to_list())
        else:
            columns[column.name] = column.to_numpy()
    return pd.DataFrame(columns)


def _from_arrow(X: Any) -> Any:
    if not hasattr(X, "to_pandas") or not hasattr(X, "column_names"):
        return X
    is_table = hasattr(X, "unify_dictionaries")
    return (X.unify_dictionaries() if is_table else X).to_pandas()


def frame_values(X: Any, cure: str) -> NDArray[Any]:
    """Float array of a DataFrame; ``cure`` ends the message if it has other columns."""
    if len(X) <= _SMALL_FRAME:  # its dtypes take longer than its values
        values = X.to_numpy()
        if values.dtype.kind == "f":
            check_columns("X", X)
            return np.asarray(values)
    dtypes = set(X.dtypes)
    if all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in dtypes):
        check_columns("X", X)
        is_float = len(dtypes) == 1 and next(iter(dtypes)).kind == "f"
        return np.asarray(X.to_numpy() if is_float else X.to_numpy(dtype=np.float64))
    check_numeric_columns(X, cure)
    if any(dtype.kind == "c" for dtype in dtypes):
        raise ValueError("Complex data not supported: X must hold real numbers.")
    columns = [np.asarray(X.iloc[:, i], np.float64) for i in range(X.shape[1])]
    return np.column_stack(columns) if columns else np.zeros(X.shape)


def values_without(X: Any, skipped: Collection[int], cure: str) -> NDArray[Any]:
    """Float array of a DataFrame; the columns that are skipped can be written to."""
    if not skipped:
        return frame_values(X, cure)
    others = X.copy(deep=False)  # its blocks are shared: a selection would copy them
    for i in skipped:
        others.isetitem(i, np.full(len(X), np.nan))
    return np.require(frame_values(others, cure), requirements="W")


def check_numeric_columns(X: Any, cure: str) -> None:
    """Raise with the first column of a DataFrame that does not hold numbers."""
    check_columns("X", X)
    for i in range(X.shape[1]):
        column = X.iloc[:, i]
        if not _holds_numbers(column):
            raise ValueError(
                f"column {column.name!r} of X has dtype {column.dtype}, which is not a "
                f"number. {cure}"
            )


def listed(names: Sequence[Any]) -> str:
    """The first few names, for messages."""
    more = ", …" if len(names) > 3 else ""
    return ", ".join(repr(plain(name)) for name in names[:3]) + more


def _holds_numbers(column: Any) -> bool:
    if column.dtype.kind in "biufc":
        return True
    if column.dtype.kind in "mM" or str(column.dtype) == "category":
        return False
    try:
        np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def check_finite_sparse(X: Any) -> None:
    """Raise if a sparse matrix holds inf."""
    if np.isinf(X.data).any():
        raise ValueError(
            "X must be finite or NaN; got inf in a sparse matrix. Clip it."
        )


def check_finite_X(ranker: Any, X: NDArray[Any], *, allow_nan: bool) -> None:
    """Raise with the place of the first value that is inf or, unless allowed, NaN."""
    bad = np.isinf(X) if allow_nan else ~np.isfinite(X)
    if not bad.any():
        return
    row, column = np.unravel_index(int(bad.argmax()), bad.shape)
    value = "NaN" if np.isnan(X[row, column]) else "inf"
    names = getattr(ranker, "feature_names_in_", None)
    names = ranker._column_names if names is None else names
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
