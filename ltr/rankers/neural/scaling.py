"""Feature scaling inside a ranker: log1p where tails are heavy, then z-scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from ltr.queries import BoolArray, FloatArray

Preprocess = Literal["auto", "standard", "log1p"] | None
PREPROCESS = ("auto", "standard", "log1p", None)
HEAVY_TAIL = 10.0


@dataclass(frozen=True)
class FeatureScaling:
    """A fitted transformation of the features.

    Attributes
    ----------
    log_features : bool array of shape (n_features,)
        Features that go through sign(x) · log(1 + abs(x)) first.
    mean, scale : float arrays of shape (n_features,)
        Then (x − mean) / scale.
    """

    log_features: BoolArray
    mean: FloatArray
    scale: FloatArray

    def transform(self, X: NDArray[Any]) -> NDArray[Any]:
        """Scaled copy of ``X`` in float64, shape (..., n_features)."""
        Z = np.array(X, dtype=np.float64, order="C")
        if self.log_features.all():
            Z = _signed_log1p(Z)
        elif self.log_features.any():
            Z[..., self.log_features] = _signed_log1p(Z[..., self.log_features])
        Z -= self.mean
        Z /= self.scale
        return Z


def fit_scaling(
    X: NDArray[Any], weights: FloatArray | None, preprocess: Preprocess
) -> FeatureScaling | None:
    """Choose and fit the transformation.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Finite features.
    weights : float array of shape (n_samples,) or None
        Row weights: weight 2 is the row twice, weight 0 is no row.
    preprocess : {"auto", "standard", "log1p", None}
        z-scores, with the logarithm for no feature (``"standard"``), for all
        (``"log1p"``), or for those with a value more than 10 standard deviations from
        the mean (``"auto"``). None: leave the features alone.

    Returns
    -------
    scaling : FeatureScaling or None

    Examples
    --------
    >>> X = np.array([[0.0, 1.0], [2.0, 1.0]])
    >>> fit_scaling(X, None, "standard").transform(X).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    if preprocess is None:
        return None
    if weights is not None:
        X, weights = X[weights > 0], weights[weights > 0]
    mean, scale = _moments(X, weights)
    log_features = np.full(X.shape[1], preprocess == "log1p")
    if preprocess == "auto":
        farthest = np.maximum(X.max(axis=0) - mean, mean - X.min(axis=0))
        log_features = np.asarray(farthest > HEAVY_TAIL * scale)
    if log_features.any():
        logs = _signed_log1p(X[:, log_features].astype(np.float64))
        mean[log_features], scale[log_features] = _moments(logs, weights)
    return FeatureScaling(log_features, mean, scale)


def _moments(
    X: NDArray[Any], weights: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    scaler = StandardScaler(copy=False).fit(X, sample_weight=weights)
    return np.array(scaler.mean_), np.array(scaler.scale_)


def _signed_log1p(X: FloatArray) -> FloatArray:
    return np.copysign(np.log1p(np.abs(X)), X)
