"""Scaling of sparse features: nothing is subtracted, so that a 0 stays a 0.

Divided by its standard deviation, a feature that is 1 in a few rows would be large
there, and many such features would be fitted to noise. So the measure of a feature is
that of its non-zero values, unless the standard deviation is asked for.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray

_HEAVY_TAIL = 5.0  # of the largest value of a feature, by its spread
_SAFE_EXPONENT = 400  # of the largest value of a feature, as a power of two


def fit_sparse_scale(
    X: Any,
    weights: FloatArray | None,
    preprocess: Literal["auto", "standard", "log1p"],
) -> tuple[BoolArray, FloatArray]:
    """Which features go through the logarithm, and what each is divided by.

    Parameters
    ----------
    X : CSR matrix of shape (n_samples, n_features)
        Finite, without duplicates.
    weights : float array of shape (n_samples,) or None
        Row weights > 0.
    preprocess : {"auto", "standard", "log1p"}
        The logarithm for no feature, and the standard deviation (``"standard"``); for
        all (``"log1p"``), or for those with a heavy tail (``"auto"``), and the root
        mean square of the non-zero values.

    Returns
    -------
    log_features : bool array of shape (n_features,)
    scale : float array of shape (n_features,)
    """
    spread = _standard_deviation if preprocess == "standard" else _root_mean_square
    largest = np.asarray(abs(X).max(axis=0).toarray(), dtype=np.float64).ravel()
    exponents = safe_exponents(largest)
    values = np.ldexp(X.data.astype(np.float64), -exponents[X.indices])
    scale = np.ldexp(spread(_with_values(X, values), weights), exponents)
    log_features = np.full(X.shape[1], preprocess == "log1p")
    if preprocess == "auto":
        log_features = np.asarray(largest > _HEAVY_TAIL * scale)
    if log_features.any():
        logs = scale_sparse(X, log_features, np.ldexp(1.0, exponents * ~log_features))
        scale = np.where(log_features, spread(logs, weights), scale)
    return log_features, scale


def safe_exponents(largest: FloatArray) -> IntArray:
    """Powers of two to divide features by whose squares would overflow, else 0."""
    exponents: IntArray = np.frexp(largest)[1]
    if np.abs(exponents).max(initial=0) > _SAFE_EXPONENT:
        return exponents
    return np.zeros_like(exponents)


def _root_mean_square(X: Any, weights: FloatArray | None) -> FloatArray:
    """Root of the mean square of the non-zero values of each column; 1 for none."""
    by_value = X.data != 0
    if weights is not None:
        by_value = by_value * np.repeat(weights, np.diff(X.indptr))
    n_columns = X.shape[1]
    squares = np.bincount(X.indices, by_value * X.data**2, minlength=n_columns)
    totals = np.bincount(X.indices, by_value, minlength=n_columns)
    is_empty = totals == 0
    return np.asarray(np.sqrt(np.where(is_empty, 1.0, squares / (totals + is_empty))))


def _standard_deviation(X: Any, weights: FloatArray | None) -> FloatArray:
    """Standard deviation of each column, zeros included; 1 for a constant one."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(with_mean=False).fit(X, sample_weight=weights)
    return np.asarray(scaler.scale_)


def scale_sparse(X: Any, log_features: BoolArray, scale: FloatArray) -> Any:
    """Features divided by their scale, those marked after the logarithm.

    Parameters
    ----------
    X : CSR matrix of shape (n_samples, n_features)
        Without duplicates.
    log_features : bool array of shape (n_features,)
        Columns that go through sign(x) · log(1 + abs(x)), which is 0 at 0.
    scale : float array of shape (n_features,)
        What to divide by.

    Returns
    -------
    scaled : CSR matrix of floats in double precision
    """
    values = X.data.astype(np.float64)
    if log_features.any():
        logs = np.copysign(np.log1p(np.abs(values)), values)
        values = np.where(log_features[X.indices], logs, values)
    values /= scale[X.indices]
    return _with_values(X, values)


def _with_values(X: Any, values: FloatArray) -> Any:
    """A CSR matrix with other values at the same places."""
    return type(X)((values, X.indices, X.indptr), shape=X.shape)
