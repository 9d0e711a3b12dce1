"""Feature scaling inside a ranker: z-scores over all rows, or within each list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from ltr.queries import BoolArray, FloatArray, Queries
from ltr.within_lists import z_scores

Preprocess = Literal["auto", "query", "standard", "log1p"] | None
PREPROCESS = ("auto", "query", "standard", "log1p", None)
HEAVY_TAIL = 10.0
_SAFE_EXPONENT = 400  # of the largest value of a feature, as a power of two


@dataclass(frozen=True)
class FeatureScaling:
    """A fitted transformation of the features.

    Attributes
    ----------
    uses_list : bool
        Whether what becomes of an item depends on the other items of its list.
    log_features : bool array of shape (n_features,)
        Features that go through sign(x) · log(1 + abs(x)) first.
    mean, scale : float arrays of shape (n_features,)
        Then (x − mean) / scale.
    """

    uses_list: ClassVar[bool] = False
    log_features: BoolArray
    mean: FloatArray
    scale: FloatArray

    def transform(
        self,
        X: NDArray[Any],
        queries: Queries | None = None,
        weights: FloatArray | None = None,
    ) -> NDArray[Any]:
        """Scaled copy of ``X`` in float64, shape (..., n_features)."""
        Z = np.array(X, dtype=np.float64, order="C")
        if self.log_features.all():
            Z = _signed_log1p(Z)
        elif self.log_features.any():
            Z[..., self.log_features] = _signed_log1p(Z[..., self.log_features])
        Z -= self.mean
        Z /= self.scale
        return Z


@dataclass(frozen=True)
class ListScaling:
    """z-scores within the list: mean and deviation are those of the list itself.

    Attributes
    ----------
    uses_list : bool
        True.
    """

    uses_list: ClassVar[bool] = True

    def transform(
        self, X: NDArray[Any], queries: Queries, weights: FloatArray | None = None
    ) -> NDArray[Any]:
        """Scaled copy of ``X`` in float64, shape (n_samples, n_features).

        A feature that is constant in a list is 0 there; see
        :func:`ltr.within_lists.z_scores`.
        """
        return z_scores(X, queries, weights)


Scaling = FeatureScaling | ListScaling


def fit_scaling(
    X: NDArray[Any], weights: FloatArray | None, preprocess: Preprocess
) -> Scaling | None:
    """Choose and fit the transformation.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Features, finite or NaN, which is left out.
    weights : float array of shape (n_samples,) or None
        Row weights: weight 2 is the row twice, weight 0 is no row.
    preprocess : {"auto", "query", "standard", "log1p", None}
        z-scores, with the logarithm for no feature (``"standard"``), for all
        (``"log1p"``), or for those with a value more than 10 standard deviations from
        the mean (``"auto"``); z-scores within the list (``"query"``). None: leave the
        features alone.

    Returns
    -------
    scaling : FeatureScaling, ListScaling or None

    Examples
    --------
    >>> X = np.array([[0.0, 1.0], [2.0, 1.0]])
    >>> fit_scaling(X, None, "standard").transform(X).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    if preprocess is None:
        return None
    if preprocess == "query":
        return ListScaling()
    if weights is not None:
        X, weights = X[weights > 0], weights[weights > 0]
    mean, scale = _moments(X, weights)
    log_features = np.full(X.shape[1], preprocess == "log1p")
    if preprocess == "auto":
        farthest = np.fmax(np.fmax.reduce(X) - mean, mean - np.fmin.reduce(X))
        log_features = np.asarray(farthest > HEAVY_TAIL * scale)
    if log_features.any():
        logs = _signed_log1p(X[:, log_features].astype(np.float64))
        mean[log_features], scale[log_features] = _moments(logs, weights)
    return FeatureScaling(log_features, mean, scale)


def _moments(
    X: NDArray[Any], weights: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    largest = np.nan_to_num(np.fmax.reduce(np.abs(X), axis=0, initial=0.0))
    exponents = np.frexp(largest)[1]
    if np.abs(exponents).max(initial=0) > _SAFE_EXPONENT:  # squares would overflow
        X = np.ldexp(X.astype(np.float64), -exponents)
    else:
        exponents = np.zeros_like(exponents)
    with np.errstate(invalid="ignore"):  # of columns without a value
        scaler = StandardScaler(copy=False).fit(X, sample_weight=weights)
    mean, scale = np.nan_to_num(scaler.mean_), np.nan_to_num(scaler.scale_, nan=1.0)
    return np.ldexp(mean, exponents), np.ldexp(scale, exponents)


def _signed_log1p(X: FloatArray) -> FloatArray:
    return np.copysign(np.log1p(np.abs(X)), X)
