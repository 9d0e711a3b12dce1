"""Every check of what a user passes to a ranker, and the text of every error."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from ltr.metrics import get_metric
from ltr.queries import BoolArray, FloatArray, Queries, group_queries

MANY_ROWS = 1000


@dataclass(frozen=True)
class TrainingSet:
    """Checked input of ``fit``, in the order of the rows.

    Attributes
    ----------
    X : array or sparse matrix of shape (n_samples, n_features)
        Features.
    y : float array of shape (n_samples,)
        Labels.
    queries : Queries
        The lists.
    weights : float array of shape (n_samples,) or None
        Row weights.
    list_weights : float array of shape (n_lists,) or None
        List weights.
    extras : dict of str to float array of shape (n_samples,)
        ``teacher_scores``, ``reference_scores``, ``position``, as far as given.
    """

    X: Any
    y: FloatArray
    queries: Queries
    weights: FloatArray | None
    list_weights: FloatArray | None
    extras: dict[str, FloatArray]


def warn(message: str) -> None:
    """Warn at the line outside of this library that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("ltr."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)


def check_training_set(
    ranker: Any,
    X: ArrayLike,
    y: ArrayLike,
    qid: ArrayLike | None,
    *,
    sample_weight: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    extras: Mapping[str, ArrayLike | None] | None = None,
    check_X: Callable[..., Any],
    reset: bool = True,
) -> TrainingSet:
    """Check what ``fit`` was given.

    Parameters
    ----------
    ranker : estimator
        Gets ``n_features_in_`` and ``feature_names_in_`` if ``reset``.
    X, y, qid, sample_weight, query_weight : array-like
        As in ``fit``.
    extras : mapping of str to array-like or None, optional
        Further per-row inputs by name.
    check_X : callable
        ``check_X(ranker, X, reset=…)`` returns the checked features.
    reset : bool, default=True
        Whether this is a first fit.

    Returns
    -------
    data : TrainingSet

    Raises
    ------
    ValueError
        With the argument, what it must be, what came and where, and what to do.
    """
    if y is None:
        raise ValueError(
            f"{type(ranker).__name__} requires y to be passed, but the target y is "
            "None."
        )
    columns = {"y": y, "qid": qid, "sample_weight": sample_weight}
    columns |= {"query_weight": query_weight, **(extras or {})}
    for name, values in columns.items():
        check_same_rows(X, values, name)
    features = check_X(ranker, X, reset=reset)
    n_samples = features.shape[0]
    labels = check_column(y, "y", n_samples, what="label")
    if qid is None and n_samples > MANY_ROWS:
        warn(
            f"qid is None, so all {n_samples} rows compete in one list. Pass the "
            "list of each row as qid; if they really are one list, pass "
            "qid=np.zeros(len(X))."
        )
    queries = group_queries(qid, n_samples)
    weights = _check_weights(sample_weight, "sample_weight", n_samples)
    list_weights = _check_weights(query_weight, "query_weight", n_samples)
    if list_weights is not None:
        list_weights = _constant_within_lists(list_weights, queries)
    per_row = {
        name: check_column(values, name, n_samples)
        for name, values in (extras or {}).items()
        if values is not None
    }
    return TrainingSet(features, labels, queries, weights, list_weights, per_row)


def check_dense_X(ranker: Any, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
    """Features as a finite float array of shape (n_samples, n_features)."""
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


def check_single_precision(values: FloatArray, name: str, cure: str) -> None:
    """Raise if most distinctions are lost, or values infinite, in single precision."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    low, span = values.min(), np.ptp(values)
    finest = np.spacing(np.abs(single).max())
    if np.isfinite(single).all() and (span == 0 or finest <= 1e-6 * span):
        return
    n_levels = [
        np.unique(np.round((x - low) / span, 6)).size
        for x in (values, single.astype(np.float64))
        if np.isfinite(x).all()
    ]
    if len(n_levels) < 2 or n_levels[1] <= n_levels[0] / 2:
        raise ValueError(
            f"{name} must keep its distinctions in single precision; got values from "
            f"{values.min():g} to {values.max():g} of which some become equal or "
            f"infinite. {cure}"
        )


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


def check_column(
    values: ArrayLike, name: str, n_samples: int, what: str = "entry"
) -> FloatArray:
    """One finite number per row of X."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(
            f"{name} must not be masked; got a masked array. Drop those rows or fill "
            "them in."
        )
    column = np.asarray(values)
    if column.dtype.kind in "mM":
        raise ValueError(f"{name} must hold numbers; got dtype {column.dtype}.")
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional with one {what} per row of X; got shape "
            f"{column.shape}."
        )
    if len(column) != n_samples:
        plural = "entries" if what == "entry" else f"{what}s"
        raise ValueError(
            f"{name} must have one {what} per row of X; got {len(column)} {plural} for "
            f"{n_samples} rows."
        )
    if column.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} must hold real numbers.")
    try:
        numbers = column.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must hold numbers; got dtype {column.dtype}. Encode {what}s as "
            "numbers, larger meaning better."
        ) from None
    bad = ~np.isfinite(numbers)
    if bad.any():
        row = int(bad.argmax())
        value = "NaN" if np.isnan(numbers[row]) else "inf"
        raise ValueError(
            f"{name} must be finite; got {value} at row {row}. Drop such rows or give "
            f"them a {what}."
        )
    return np.asarray(numbers)


def check_qid_given(ranker: Any, qid: ArrayLike | None, method: str) -> None:
    """Raise if the ranker was fitted on several lists and ``method`` gets no qid."""
    check_is_fitted(ranker)
    if qid is None and ranker._fitted_with_qid:
        raise ValueError(
            f"{method} needs qid because fit was given one; got qid=None. Pass qid; in "
            "a search or pipeline, enable metadata routing "
            "(sklearn.set_config(enable_metadata_routing=True)) or use "
            "ltr.model_selection.cross_validate_ranker."
        )


def check_choice(name: str, value: object, choices: tuple[Any, ...]) -> None:
    """Raise unless ``value`` is one of ``choices``."""
    if not any(value is choice or value == choice for choice in choices):
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {listed}; got {value!r}.")


def stops_early(ranker: Any) -> bool | Literal["auto"]:
    """``early_stopping`` of a ranker; NumPy's booleans and 0 and 1 count as bool."""
    value = ranker.early_stopping
    return "auto" if isinstance(value, str) else bool(value)


def check_number(
    name: str,
    value: Any,
    *,
    low: float,
    high: float = np.inf,
    whole: bool = False,
    open_low: bool = False,
) -> None:
    """Raise unless ``value`` is a number in range, and whole if it must be."""
    types = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    good = isinstance(value, types) and not isinstance(value, bool)
    good = good and low <= value <= high and abs(value) < np.inf
    if good and open_low and value == low:
        good = False
    if not good:
        kind = "a whole number" if whole else "a number"
        lower = f"> {low:g}" if open_low else f">= {low:g}"
        upper = "" if high == np.inf else f" and <= {high:g}"
        raise ValueError(f"{name} must be {kind} {lower}{upper}; got {value!r}.")


def check_metric_takes_labels(metric: str, y: FloatArray) -> None:
    """Raise with the way out if the labels do not fit the ranker's metric."""
    extremes = [y.min(), y.max()]
    try:
        get_metric(metric).per_query(extremes, [0.0, 0.0], None)
    except ValueError as error:
        raise ValueError(
            f"metric={metric!r} cannot score these labels: {error} For the ranker, "
            "set metric='spearman', 'kendall_tau' or 'pairwise_accuracy'."
        ) from error


def informative_lists(data: TrainingSet, needs_two_items: bool) -> BoolArray:
    """Lists from which a loss can learn, shape (n_lists,).

    Parameters
    ----------
    data : TrainingSet
        Rows of weight 0 are not there.
    needs_two_items : bool
        Whether two items are enough, or their labels must differ.

    Returns
    -------
    informative : bool array of shape (n_lists,)
    """
    queries = data.queries
    counted = np.ones(len(data.y), bool) if data.weights is None else data.weights > 0
    codes, labels = queries.codes[counted], data.y[counted]
    if needs_two_items:
        return np.bincount(codes, minlength=queries.n_lists) >= 2
    high = np.full(queries.n_lists, -np.inf)
    low = np.full(queries.n_lists, np.inf)
    np.maximum.at(high, codes, labels)
    np.minimum.at(low, codes, labels)
    return np.asarray(high > low)


def check_same_rows(X: Any, column: Any, name: str) -> None:
    """Raise if a pandas column has the index of ``X`` in another order."""
    if not (is_frame(X) and hasattr(column, "iloc")):
        return
    ours, theirs = X.index, column.index
    if len(ours) != len(theirs) or ours.equals(theirs):
        return
    if not ours.is_unique or not theirs.is_unique or len(ours.difference(theirs)):
        return
    raise ValueError(
        f"{name} must be in the order of the rows of X; got the same index in another "
        f"order. Pass {name}.loc[X.index], or {name}.to_numpy() if the order is meant."
    )


def warn_if_no_order(data: TrainingSet) -> None:
    """Warn if no list has two distinct labels."""
    if informative_lists(data, needs_two_items=False).any():
        return
    warn(
        "No list has two distinct labels, so no order can be learned. Check y and qid: "
        "items that compete must share a qid."
    )


def check_labels_from_0(y: FloatArray, loss: object) -> None:
    """Raise if a label is negative and the loss has gains or weights made of labels."""
    if (y < 0).any():
        row = int((y < 0).argmax())
        raise ValueError(
            f"y must be >= 0 for loss={loss!r}; got {y[row]:g} at row {row}. Shift the "
            "labels, or use a loss that takes any label: 'ranknet', 'listnet', "
            "'listmle', 'hinge' or 'mse'."
        )


def _check_weights(
    values: ArrayLike | None, name: str, n_samples: int
) -> FloatArray | None:
    if values is None:
        return None
    values = np.asarray(values)
    if values.ndim == 0:
        values = np.full(n_samples, values)
    weights = check_column(values, name, n_samples, what="weight")
    if (weights < 0).any():
        row = int((weights < 0).argmax())
        raise ValueError(
            f"{name} must be >= 0; got {weights[row]:g} at row {row}. A weight says "
            "how often a row counts."
        )
    if not weights.any():
        raise ValueError(
            f"{name} must have at least one weight above zero; got only zeros."
        )
    low, high = weights[weights > 0].min(), weights.max()
    if low < 1e-15 or high > 1e15:
        raise ValueError(
            f"{name} must be 0 or between 1e-15 and 1e15, so that products of weights "
            f"are numbers in single precision; got {low:g} to {high:g}. Scale them."
        )
    return weights


def _constant_within_lists(weights: FloatArray, queries: Queries) -> FloatArray:
    per_list = weights[queries.first_rows()]
    differs = weights != per_list[queries.codes]
    if differs.any():
        row = int(differs.argmax())
        list_id = queries.ids[queries.codes[row]]
        raise ValueError(
            "query_weight must be constant within a list; got "
            f"{per_list[queries.codes[row]]:g} and {weights[row]:g} (row {row}) for "
            f"qid {list_id!r}. Use sample_weight to weight rows."
        )
    return np.asarray(per_list)
