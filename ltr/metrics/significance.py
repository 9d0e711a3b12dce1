"""Uncertainty of means over queries: bootstrap, paired tests, effect sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_fraction, check_whole
from ltr.queries import FloatArray, check_rows

_CHUNK = 4_000_000  # numbers drawn at once
_GRID = 2**12  # points of a bootstrap distribution, G


def bootstrap_interval(
    values: ArrayLike, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over queries, without resampling.

    The distribution of the mean of n values drawn with replacement needs no random
    numbers: it is the n-fold convolution of their empirical distribution, computed as
    the n-th power of its Fourier transform.

    Parameters
    ----------
    values : array-like of shape (n_queries,)
        One value per query; NaN (a skipped query) is left out.
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
    check_fraction("confidence", confidence)
    sample = _without_nan(values)
    if len(sample) == 0:
        return float("nan"), float("nan")
    n, mean, deviation = len(sample), float(sample.mean()), float(sample.std())
    spread = np.ptp(sample)
    if spread == 0:
        return mean, mean
    # The sum S of n draws of x − mean lives on a circle of G points with spacing h. The
    # circle covers all sums, or 12 standard deviations σ √n on either side.
    width = min(2.0 * n * spread, 24.0 * deviation * np.sqrt(n) + 2.0 * spread)
    h = width / _GRID
    place = (sample - mean) / h
    below = np.floor(place)
    # One draw: a value at (a + f) h puts 1 − f of its mass on point a and f on a + 1.
    f = place - below
    cell = below.astype(np.intp) % _GRID
    on_upper = np.bincount(cell, f, minlength=_GRID)
    on_lower = np.bincount(cell, minlength=_GRID) - on_upper
    mass = (on_lower + np.roll(on_upper, 1)) / n
    # n draws: the n-fold convolution of the mass, F⁻¹((F mass)ⁿ).
    chance = np.fft.fftshift(np.fft.irfft(np.fft.rfft(mass) ** n, _GRID))
    distribution = np.cumsum(chance)  # P(S ≤ (i − G/2) h) at i
    tail = (1.0 - confidence) / 2.0
    at = np.searchsorted(distribution, [tail, 1.0 - tail])
    quantiles = (np.minimum(at, _GRID - 1) - _GRID // 2) * h
    # The split over two points adds f (1 − f) h² to the variance σ² of a draw, so the
    # quantiles of S are too wide by the ratio of the standard deviations.
    widening = np.sqrt(1.0 + (f * (1.0 - f)).mean() * (h / deviation) ** 2)
    ends = mean + quantiles / widening / n
    low, high = np.clip(ends, sample.min(), sample.max())  # as every resampled mean is
    return float(low), float(high)


def paired_randomization_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    n_resamples: int = 10_000,
    random_state: int = 0,
) -> float:
    """Two-sided p-value for the null hypothesis that two rankers are exchangeable.

    Under the null hypothesis the two values of each query could as well have been
    swapped. The p-value is the share of random swaps in which the means differ at least
    as much as the observed ones.

    Parameters
    ----------
    a, b : array-like of shape (n_queries,)
        Values of the two rankers, query by query; queries that are NaN in either are
        left out.
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
        If the lengths or the order of pandas indices differ, or an option is invalid.

    References
    ----------
    .. [1] Smucker, Allan & Carterette, "A comparison of statistical significance tests
       for information retrieval evaluation", CIKM 2007, section 3.1.

    Examples
    --------
    >>> paired_randomization_test([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    1.0
    """
    check_whole("n_resamples", n_resamples, low=1)
    check_whole("random_state", random_state, low=0)
    difference = _differences(a, b)
    difference = difference[difference != 0]  # a swap of equal values changes nothing
    if len(difference) == 0:
        return 1.0
    observed = abs(difference.sum())
    rng = np.random.default_rng(random_state)
    step = max(1, _CHUNK // len(difference))
    n_extreme = 0
    for n_remaining in range(n_resamples, 0, -step):
        size = (min(step, n_remaining), len(difference))
        signs = rng.integers(2, size=size, dtype=np.int8)
        swapped = np.abs((2.0 * signs - 1.0) @ difference)
        n_extreme += int((swapped >= observed * (1 - 1e-12)).sum())  # sums are rounded
    return (n_extreme + 1) / (n_resamples + 1)  # the observed order is one of the swaps


def paired_t_test(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p-value of Student's paired t-test: the mean difference is 0.

    Parameters
    ----------
    a, b : array-like of shape (n_queries,)
        Values of the two rankers, query by query; queries that are NaN in either are
        left out.

    Returns
    -------
    p_value : float in [0, 1]
        1 if the rankers never differ, NaN with fewer than two queries.

    Raises
    ------
    ValueError
        If the lengths or the order of pandas indices differ.

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
    a, b : array-like of shape (n_queries,)
        Values of the two rankers, query by query; queries that are NaN in either are
        left out.

    Returns
    -------
    effect : float
        Positive if ``a`` is better; 0 if they never differ, ±inf if they always differ
        by the same, NaN with fewer than two queries.

    Raises
    ------
    ValueError
        If the lengths or the order of pandas indices differ.

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
    """Holm's correction of the p-values of several tests.

    Rejecting the null hypotheses whose adjusted p-values are at most α rejects any true
    one with probability at most α.

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
    for rank, test in enumerate(order):  # max over r' ≤ r of (m − r') p_(r'), r from 0
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[test]))
        adjusted[test] = largest
    return adjusted


def _differences(a: ArrayLike, b: ArrayLike) -> FloatArray:
    check_rows({"a": a, "b": b})
    values_a, values_b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if values_a.shape != values_b.shape:
        raise ValueError(
            "a and b must have one value for each of the same queries; got shapes "
            f"{values_a.shape} and {values_b.shape}."
        )
    return _without_nan(values_a - values_b)


def _without_nan(values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    return np.asarray(array[~np.isnan(array)])
