"""What the prices up to a day say about a stock; no later price is read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LOOK_BACK = 29  # days before day t that its features read: 30 closes
_RETURNS, _AVERAGES, _SPREAD = (1, 5, 10, 20), (5, 10, 20, 30), 20
FEATURE_NAMES = [
    *(f"return_{k}" for k in _RETURNS),
    *(f"over_average_{k}" for k in _AVERAGES),
    f"volatility_{_SPREAD}",
    "gap",
    "intraday",
    "range",
    "close_in_range",
    f"volume_over_{_SPREAD}",
]


def trailing_features(ohlcv: FloatArray) -> FloatArray:
    """Features of each stock and day from its last 30 days.

    Parameters
    ----------
    ohlcv : array of shape (n_stocks, n_days, 5)
        Open, high, low, close and volume; NaN where missing.

    Returns
    -------
    features : array of shape (n_stocks, n_days, 14)
        In the order of ``FEATURE_NAMES``; NaN where the window is not complete.
    """
    open_, high, low, close, volume = np.moveaxis(ohlcv, -1, 0)
    change, traded = np.log(close / _earlier(close, 1)), np.log1p(volume)
    span = np.where(high > low, high - low, 1.0)
    features = [
        *(close / _earlier(close, k) - 1.0 for k in _RETURNS),
        *(close / _mean(close, k) - 1.0 for k in _AVERAGES),
        np.sqrt(np.maximum(_mean(change**2, _SPREAD) - _mean(change, _SPREAD) ** 2, 0)),
        open_ / _earlier(close, 1) - 1.0,
        close / open_ - 1.0,
        (high - low) / close,
        np.where(
            high > low, np.clip((close - low) / span, 0.0, 1.0), 0.5 + 0.0 * close
        ),
        traded - _earlier(_mean(traded, _SPREAD), 1),
    ]
    return np.stack(features, axis=-1)


def _earlier(values: FloatArray, days: int) -> FloatArray:
    """Values of so many days before, NaN at the start."""
    shifted = np.full_like(values, np.nan)
    shifted[:, days:] = values[:, :-days]
    return shifted


def _mean(values: FloatArray, days: int) -> FloatArray:
    """Mean over so many days that end today, NaN at the start."""
    mean = np.full_like(values, np.nan)
    if values.shape[1] >= days:
        windows = np.lib.stride_tricks.sliding_window_view(values, days, axis=1)
        mean[:, days - 1 :] = windows.mean(axis=-1)
    return mean
