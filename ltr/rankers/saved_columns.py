"""Steps of saved pipelines that fill gaps or leave columns out, and so change how many.

What scikit-learn's ``SimpleImputer`` and ``VarianceThreshold`` do, in NumPy alone, and
how a fitted one is made again.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.queries import BoolArray

Arrays = Mapping[str, NDArray[Any] | None]
NAN = "nan"  # JSON has no NaN
INDICATOR = "indicator_features_"
_STRATEGIES = ("mean", "median", "most_frequent", "constant")


def describe_imputer(step: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Parameters and arrays of a fitted SimpleImputer.

    Parameters
    ----------
    step : SimpleImputer
        Fitted on numbers.

    Returns
    -------
    parameters : dict of str to object
        For :func:`json.dumps`.
    arrays : dict of str to array
        The value of each column, and the columns with an indicator.

    Raises
    ------
    ValueError
        If it fills in text, or by a function.
    """
    parameters = step.get_params(deep=False)
    statistics = np.asarray(step.statistics_)
    # as they are filled in: rounded to the numbers that fit was given
    dtype = np.dtype(getattr(step, "_fill_dtype", statistics.dtype))
    missing, strategy = parameters["missing_values"], parameters["strategy"]
    is_number = isinstance(missing, numbers.Real)
    if dtype.kind not in "fiu" or not is_number or callable(strategy):
        reason = "text" if is_number else f"missing_values={missing!r}"
        if callable(strategy):
            reason = "a function as strategy"
        raise ValueError(
            "a SimpleImputer must fill in numbers, by the name of a strategy, to be "
            f"saved; got {reason}. Pickle the pipeline."
        )
    fill = parameters["fill_value"]
    parameters["missing_values"] = NAN if missing != missing else _plain(missing)
    parameters["fill_value"] = None if fill is None else _plain(fill)
    arrays = {"statistics_": statistics.astype(dtype)}
    if step.indicator_ is not None:
        arrays[INDICATOR] = np.asarray(step.indicator_.features_, dtype=np.int64)
    return parameters, arrays


def _plain(number: Any) -> int | float:
    return int(number) if isinstance(number, numbers.Integral) else float(number)


def check_imputer(parameters: dict[str, Any], arrays: Arrays, n_features: int) -> None:
    """Raise unless a saved imputer has what it applies."""
    missing, fill = parameters.get("missing_values"), parameters.get("fill_value")
    is_valid = (
        parameters.get("strategy") in _STRATEGIES
        and (missing == NAN or type(missing) in (int, float))
        and (fill is None or type(fill) in (int, float))
        and isinstance(parameters.get("add_indicator"), bool)
        and isinstance(parameters.get("keep_empty_features"), bool)
    )
    if not is_valid:
        raise ValueError(
            "parameters of a SimpleImputer must be numbers, flags and the name of a "
            f"strategy; got {parameters!r:.100}."
        )
    if arrays["statistics_"] is None:
        raise ValueError("a SimpleImputer must have statistics_; got none.")
    columns = arrays[INDICATOR]
    if (columns is not None) != parameters["add_indicator"]:
        raise ValueError(
            f"{INDICATOR} of a SimpleImputer must be there if and only if "
            "add_indicator is true."
        )
    if columns is not None and not (
        columns.ndim == 1
        and columns.dtype.kind == "i"
        and (np.diff(columns, prepend=-1) > 0).all()
        and (columns < n_features).all()
    ):
        raise ValueError(
            f"{INDICATOR} of a SimpleImputer must be ascending columns; got "
            f"{columns!r:.100}."
        )


def fit_again(
    imputer: Any, parameters: dict[str, Any], arrays: Arrays, n_features: int
) -> None:
    """Fit an imputer on rows that give it the saved indicator, and set its values.

    Parameters
    ----------
    imputer : SimpleImputer
        With default parameters; changed in place.
    parameters, arrays
        As saved.
    n_features : int
        Number of columns.
    """
    missing = parameters["missing_values"]
    missing = np.nan if missing == NAN else missing
    statistics, columns = arrays["statistics_"], arrays[INDICATOR]
    dtype: Any = np.float64 if statistics is None else statistics.dtype
    imputer.set_params(**{**parameters, "missing_values": missing})
    # two rows, none of whose columns is empty
    rows = np.full((2, n_features), 0 if missing else 1, dtype=dtype)
    if columns is not None and len(columns):
        rows[0, columns] = missing
    imputer.fit(rows)
    imputer.statistics_ = statistics


def _has_value(parameters: dict[str, Any], arrays: Arrays) -> BoolArray:
    """Columns that an imputer does not drop: they had a value in fit."""
    statistics = np.asarray(arrays["statistics_"])
    if parameters["keep_empty_features"]:
        return np.ones(len(statistics), dtype=bool)
    return np.asarray(statistics == statistics)


def impute(parameters: dict[str, Any], arrays: Arrays, X: NDArray[Any]) -> NDArray[Any]:
    """``transform`` of a SimpleImputer.

    Parameters
    ----------
    parameters, arrays
        As saved.
    X : float array of shape (n_samples, n_features)
        Features.

    Returns
    -------
    X : float array of shape (n_samples, n_outputs)
        Filled, with the indicators after the columns.

    Raises
    ------
    ValueError
        If there is NaN, and something else stands for a missing value.

    Examples
    --------
    >>> parameters = {"missing_values": "nan", "keep_empty_features": False}
    >>> arrays = {"statistics_": np.array([5.0, np.nan]), INDICATOR: np.array([0])}
    >>> impute(parameters, arrays, np.array([[np.nan, 1.0], [2.0, 3.0]]))
    array([[5., 1.],
           [2., 0.]])
    """
    is_nan, missing = np.isnan(X), parameters["missing_values"]
    if missing != NAN and is_nan.any():
        raise ValueError(
            f"Input X contains NaN: the imputer fills in {missing:g} only. Write "
            "missing values as in fit."
        )
    is_missing = is_nan if missing == NAN else missing == X
    values = np.asarray(arrays["statistics_"]).astype(X.dtype)
    has_value, columns = _has_value(parameters, arrays), arrays[INDICATOR]
    filled = np.where(is_missing, values, X)[:, has_value]
    return filled if columns is None else np.hstack([filled, is_missing[:, columns]])


def varied(parameters: dict[str, Any], arrays: Arrays) -> BoolArray:
    """Columns that a VarianceThreshold keeps."""
    return np.asarray(np.asarray(arrays["variances_"]) > parameters["threshold"])


def n_outputs(class_name: str, parameters: dict[str, Any], arrays: Arrays) -> int:
    """Columns that a step returns, if that is not the number that it takes.

    Parameters
    ----------
    class_name : {"SimpleImputer", "VarianceThreshold"}
        The step.
    parameters, arrays
        As saved.

    Returns
    -------
    n_columns : int

    Examples
    --------
    >>> arrays = {"variances_": np.array([0.0, 2.0, 3.0])}
    >>> n_outputs("VarianceThreshold", {"threshold": 0.0}, arrays)
    2
    """
    if class_name == "VarianceThreshold":
        return int(varied(parameters, arrays).sum())
    columns = arrays[INDICATOR]
    n_indicators = 0 if columns is None else len(columns)
    return int(_has_value(parameters, arrays).sum()) + n_indicators
