"""Features of a stock on a day, from prices up to that day and none later."""

from __future__ import annotations

import numpy as np

from ltr.queries import FloatArray

LOOK_BACK = 29  # the features of day t read days t − 29, …, t
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
# the prices that each feature reads
READS = [
    *([{"close"}] * (len(_RETURNS) + len(_AVERAGES) + 1)),
    {"open", "close"},
    {"open", "close"},
    {"high", "low", "close"},
    {"high", "low", "close"},
    {"volume"},
]


def trailing_features(ohlcv: FloatArray) -> FloatArray:
    """Features of each stock and day from the 30 days that end there.

    Parameters
    ----------
    ohlcv : array of shape (n_stocks, n_days, 5)
        Open, high, low, close and volume; NaN where missing.

    Returns
    -------
    features : array of shape (n_stocks, n_days, 14)
        In the order of ``FEATURE_NAMES``; NaN where the window is incomplete.
    """
    open_, high, low, close, volume = np.moveaxis(ohlcv, -1, 0)
    log_return, log_volume = np.log(close / _lagged(close, 1)), np.log1p(volume)
    # Var r = E r² − (E r)², cut at 0 against rounding
    variance = _mean(log_return**2, _SPREAD) - _mean(log_return, _SPREAD) ** 2
    span = np.where(high > low, high - low, 1.0)
    in_range = np.clip((close - low) / span, 0.0, 1.0)
    features = [
        *(close / _lagged(close, k) - 1.0 for k in _RETURNS),
        *(close / _mean(close, k) - 1.0 for k in _AVERAGES),
        np.sqrt(np.maximum(variance, 0)),
        open_ / _lagged(close, 1) - 1.0,
        close / open_ - 1.0,
        (high - low) / close,
        np.where(high > low, in_range, 0.5 + 0.0 * close),  # NaN stays NaN
        log_volume - _lagged(_mean(log_volume, _SPREAD), 1),
    ]
    return np.stack(features, axis=-1)


def _lagged(values: FloatArray, days: int) -> FloatArray:
    """Values from ``days`` days earlier; NaN at the start."""
    lagged = np.full_like(values, np.nan)
    lagged[:, days:] = values[:, :-days]
    return lagged


def _mean(values: FloatArray, days: int) -> FloatArray:
    """Mean over the last ``days`` days, today included; NaN at the start."""
    mean = np.full_like(values, np.nan)
    if values.shape[1] >= days:
        windows = np.lib.stride_tricks.sliding_window_view(values, days, axis=1)
        mean[:, days - 1 :] = windows.mean(axis=-1)
    return mean
