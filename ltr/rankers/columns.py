"""Checks of X without scikit-learn, for rankers that are loaded to predict only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import ArgumentError, check_column_names
from ltr.rankers.warning import warn

_NUMBERS = "biuf"


@dataclass(eq=False, repr=False)
class Columns:
    """What a saved ranker knows of the columns of ``X``, without being an estimator.

    Attributes
    ----------
    owner : str
        Class of the ranker, for messages.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : object array of shape (n_features,) or None
        Column names, if ``fit`` had string ones.
    _column_names : list or None
        Column names that are not all text.
    """

    owner: str
    n_features_in_: int
    feature_names_in_: NDArray[np.object_] | None = None
    _column_names: list[Any] | None = None

    @property
    def names(self) -> list[Any]:
        """Column names of any kind; none if ``fit`` was given an array."""
        if self.feature_names_in_ is not None:
            return list(self.feature_names_in_)
        return self._column_names or []


def validate_columns(
    ranker: Columns, X: Any, *, skip_check_array: bool = False, **checks: Any
) -> Any:
    """As ``sklearn.utils.validation.validate_data`` with ``reset=False``.

    Parameters
    ----------
    ranker : Columns
        What is expected.
    X : array-like, sparse matrix or DataFrame
        Features.
    skip_check_array : bool, default=False
        Whether to compare the columns only.
    **checks
        See :func:`check_numbers`.

    Returns
    -------
    X : float array or CSR matrix

    Raises
    ------
    ValueError
        If it has other columns than in ``fit``, or no numbers.

    Warns
    -----
    UserWarning
        If only one of ``fit`` and ``X`` has column names.
    """
    names = getattr(X, "columns", None)
    expected = ranker.feature_names_in_
    if names is not None and expected is not None:
        check_column_names(list(names), expected.tolist())
    elif expected is not None:
        warn(
            f"X does not have valid feature names, but {ranker.owner} was fitted with "
            "feature names"
        )
    elif names is not None and ranker._column_names is None:
        warn(
            f"X has feature names, but {ranker.owner} was fitted without feature names"
        )
    values = X if skip_check_array else check_numbers(X, **checks)
    if values.shape[1] != ranker.n_features_in_:
        raise ValueError(
            f"X has {values.shape[1]} features, but {ranker.owner} is expecting "
            f"{ranker.n_features_in_} features as input."
        )
    return values


def check_numbers(X: Any, *, accept_sparse: Any = False, **_: Any) -> Any:
    """As ``sklearn.utils.validation.check_array`` with our checks.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Features.
    accept_sparse : object, default=False
        False: sparse matrices are refused.

    Returns
    -------
    X : float32 or float64 array, or CSR matrix
        Not checked for NaN and inf.

    Raises
    ------
    ValueError
        If it is not two-dimensional, or has no numbers.
    TypeError
        If it is sparse and must not be.

    Examples
    --------
    >>> check_numbers([[1, 2]])
    array([[1., 2.]])
    """
    if hasattr(X, "tocsr"):
        if not accept_sparse:
            raise TypeError(
                "X must be dense; got a sparse matrix. Pass X.toarray(), or use a "
                "ranker that takes sparse matrices."
            )
        X = X.tocsr()
        return X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
    try:
        values = np.asarray(X)
    except ValueError as error:  # rows of different lengths
        raise ArgumentError(
            f"X must have rows of one length; got {type(X).__name__}: {error}"
        ) from error
    if values.dtype.kind == "c":
        raise ValueError("Complex data not supported: X must hold real numbers.")
    if values.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {values.ndim}D array instead: X must have a row "
            f"for each item; got shape {values.shape}. Pass X.reshape(1, -1) for one "
            "item."
        )
    if values.dtype not in (np.float32, np.float64):
        if values.dtype.kind not in f"{_NUMBERS}OU":
            raise ValueError(f"X must hold numbers; got dtype {values.dtype}.")
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "X must hold numbers; got text that is none, of dtype "
                f"{values.dtype}. Encode it."
            ) from error
    return np.ascontiguousarray(values)
