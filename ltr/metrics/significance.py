"""How sure a mean over lists is: bootstrap intervals, paired tests, effect sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import FloatArray

_CHUNK = 4_000_000  # numbers drawn at once
_GRID = 2**12  # points of a bootstrap distribution


def bootstrap_interval(
    values: ArrayLike, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over lists, without resampling.

    The mean of n values drawn with replacement has a distribution that needs no random
    numbers: it is the n-fold convolution of the values with themselves, the n-th power
    of their Fourier transform.

    Parameters
    ----------
    values : array-like of shape (n_lists,)
        One value per list; NaN (a skipped list) is left out.
    confidence : float, default=0.95
        Coverage, in (0, 1).

    Returns
    -------
    low, high : float
        Quantiles of the mean of a resample, to 1/150 of its standard deviation; NaN if
        there is no value.

    Raises
    ------
    ValueError
        If ``confidence`` is outside (0, 1).

    References
    ----------
    .. [1] Efron & Tibshirani, "An introduction to the bootstrap", 1993, section 13.3.

    Examples
    --------
    >>> low, high = bootstrap_interval([0.0, 1.0] * 50)
    >>> round(low, 2), round(high, 2)
    (0.4, 0.6)
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1; got {confidence!r}.")
    sample = _without_nan(values)
    if len(sample) == 0:
        return float("nan"), float("nan")
    n, mean, deviation = len(sample), float(sample.mean()), float(sample.std())
    spread = np.ptp(sample)
    if spread == 0:
        return mean, mean
    # Values on a grid that is a circle, wide enough for any resampled sum that matters.
    width = min(2.0 * n * spread, 24.0 * deviation * np.sqrt(n) + 2.0 * spread)
    step = width / _GRID
    place = (sample - mean) / step
    below = np.floor(place)
    part = place - below
    cell = below.astype(np.intp) % _GRID
    upper = np.bincount(cell, part, minlength=_GRID)
    lower = np.bincount(cell, minlength=_GRID) - upper
    chance = np.fft.irfft(np.fft.rfft((lower + np.roll(upper, 1)) / n) ** n, _GRID)
    steps = np.arange(_GRID) - _GRID // 2
    share = np.cumsum(np.fft.fftshift(chance))
    # Sharing a value between two points of the grid widens the sum a little.
    widened = np.sqrt(1.0 + (part * (1.0 - part)).mean() * (step / deviation) ** 2)
    tail = (1.0 - confidence) / 2.0
    at = np.searchsorted(share, [tail, 1.0 - tail])
    ends = mean + steps[np.minimum(at, _GRID - 1)] * step / widened / n
    low, high = np.clip(ends, sample.min(), sample.max())  # as every resampled mean is
    return float(low), float(high)


def paired_randomization_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    n_resamples: int = 10_000,
    random_state: int = 0,
) -> float:
    """Two-sided p-value that two rankers do equally well on the same lists.

    Under the null hypothesis each list could as well have had its two values swapped,
    so the observed difference of means is compared with random swaps.

    Parameters
    ----------
    a, b : array-like of shape (n_lists,)
        Values of the two rankers, list by list; lists that are NaN in either are left
        out.
    n_resamples : int, default=10000
        Random swaps; the smallest p-value is 1 / (n_resamples + 1).
    random_state : int, default=0
        Seed.

    Returns
    -------
    p_value : float in (0, 1]
        1 if the rankers never differ.

    Raises
    ------
    ValueError
        If the lengths differ.

    References
    ----------
    .. [1] Smucker, Allan & Carterette, "A comparison of statistical significance tests
       for information retrieval evaluation", CIKM 2007, section 3.1.

    Examples
    --------
    >>> paired_randomization_test([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    1.0
    """
    difference = _differences(a, b)
    difference = difference[difference != 0]  # swapping equal values changes nothing
    if len(difference) == 0:
        return 1.0
    observed = abs(difference.sum())
    rng = np.random.default_rng(random_state)
    step = max(1, _CHUNK // len(difference))
    as_extreme = 0
    for left in range(n_resamples, 0, -step):
        signs = rng.integers(2, size=(min(step, left), len(difference)), dtype=np.int8)
        swapped = np.abs((2.0 * signs - 1.0) @ difference)
        as_extreme += int((swapped >= observed * (1 - 1e-12)).sum())
    return (as_extreme + 1) / (n_resamples + 1)


def paired_t_test(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p-value of Student's paired t-test.

    Parameters
    ----------
    a, b : array-like of shape (n_lists,)
        Values of the two rankers, list by list; lists that are NaN in either are left
        out.

    Returns
    -------
    p_value : float in [0, 1]
        1 if the rankers never differ, NaN with fewer than two lists.

    Raises
    ------
    ValueError
        If the lengths differ.

    References
    ----------
    .. [1] Student, "The probable error of a mean", Biometrika 1908; for retrieval
       Smucker, Allan & Carterette, CIKM 2007, section 3.4.

    Examples
    --------
    >>> round(paired_t_test([0.5, 0.6, 0.9, 0.4], [0.4, 0.4, 0.6, 0.3]), 4)
    0.0354
    """
    difference = _differences(a, b)
    n = len(difference)
    if n < 2:
        return float("nan")
    if not difference.any():
        return 1.0
    from scipy.special import stdtr  # slow to import, and needed here only

    error = difference.std(ddof=1) / np.sqrt(n)
    if error == 0:
        return 0.0
    return float(2.0 * stdtr(n - 1, -abs(difference.mean() / error)))


def effect_size(a: ArrayLike, b: ArrayLike) -> float:
    """Mean difference of paired values over its standard deviation (Cohen's d_z).

    Parameters
    ----------
    a, b : array-like of shape (n_lists,)
        Values of the two rankers, list by list; lists that are NaN in either are left
        out.

    Returns
    -------
    effect : float
        Positive if ``a`` is better; 0 if they never differ, ±inf if they always differ
        by the same, NaN with fewer than two lists.

    Raises
    ------
    ValueError
        If the lengths differ.

    References
    ----------
    .. [1] Cohen, "Statistical power analysis for the behavioral sciences", 2nd edition,
       1988, section 2.3.5.

    Examples
    --------
    >>> round(effect_size([0.5, 0.6, 0.9, 0.4], [0.4, 0.4, 0.6, 0.3]), 4)
    1.8278
    """
    difference = _differences(a, b)
    if len(difference) < 2:
        return float("nan")
    mean, spread = float(difference.mean()), float(difference.std(ddof=1))
    if spread == 0:
        return float(np.sign(mean) * np.inf) if mean else 0.0
    return mean / spread


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of several tests so that any false alarm has probability α.

    Parameters
    ----------
    p_values : sequence of float
        One per test.

    Returns
    -------
    adjusted : list of float
        In the same order, each at least as large as before and at most 1.

    References
    ----------
    .. [1] Holm, "A simple sequentially rejective multiple test procedure",
       Scandinavian Journal of Statistics 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    if np.isnan(p_values).any():
        raise ValueError("p_values must be numbers; got NaN. Leave that test out.")
    order = np.argsort(p_values)
    adjusted = [0.0] * len(order)
    largest = 0.0
    for rank, test in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[test]))
        adjusted[test] = largest
    return adjusted


def _differences(a: ArrayLike, b: ArrayLike) -> FloatArray:
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise ValueError(
            "a and b must have one value for each of the same lists; got shapes "
            f"{first.shape} and {second.shape}."
        )
    return _without_nan(first - second)


def _without_nan(values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    return np.asarray(array[~np.isnan(array)])
