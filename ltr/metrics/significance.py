"""Uncertainty of means over queries: bootstrap, paired tests, effect sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_fraction, check_whole
from ltr.queries import FloatArray, check_rows
from ltr.row_values import check_weights, scaled_weights

_CHUNK = 4_000_000  # numbers drawn at once
_GRID = 2**12  # points of a bootstrap distribution, G
_HALVINGS = 24  # of the range of the values, until a quantile is found


def bootstrap_interval(
    values: ArrayLike,
    *,
    confidence: float = 0.95,
    query_weight: ArrayLike | None = None,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over queries, without resampling.

    The distribution of the mean of n values drawn with replacement needs no random
    numbers: it is the n-fold convolution of their empirical distribution, computed as
    the n-th power of its Fourier transform. With weights, n queries are drawn with
    replacement, each with its value m and its weight w, and the mean Σ w m / Σ w of the
    draw is at most t if and only if Σ w (m − t) ≤ 0, again a sum of n draws; the
    quantile t is found by bisection.

    Parameters
    ----------
    values : array-like of shape (n_queries,)
        One value per query; NaN (a skipped query) is left out.
    confidence : float, default=0.95
        Coverage, in (0, 1).
    query_weight : array-like of shape (n_queries,), default=None
        Weight of each query, at least 0; a query of weight 0 is left out. None: 1.

    Returns
    -------
    low, high : float
        Quantiles of the mean of a resample, to 1/150 of its standard deviation; NaN if
        there is no value.

    Raises
    ------
    ValueError
        If ``confidence`` is outside (0, 1), a weight is no number ≥ 0, or the order of
        pandas indices differs.

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
    check_rows({"values": values, "query_weight": query_weight})
    sample, weights = _weighted(np.asarray(values, dtype=np.float64), query_weight)
    if len(sample) == 0:
        return float("nan"), float("nan")
    if np.ptp(sample) == 0:
        return float(sample[0]), float(sample[0])
    tail = (1.0 - confidence) / 2.0
    n, ends = len(sample), (float(sample.min()), float(sample.max()))
    if np.ptp(weights) == 0:
        center = float(sample.mean())
        distribution, h = _distribution_of_sums(sample)
        at = np.searchsorted(distribution, [tail, 1.0 - tail])
        quantiles = (np.minimum(at, _GRID - 1) - _GRID // 2) * h
        low, high = np.clip(center + quantiles / n, *ends)  # as every resampled mean is
        return float(low), float(high)
    low, high = (
        _ratio_quantile(sample, weights, chance, ends) for chance in (tail, 1.0 - tail)
    )
    return low, high


def _distribution_of_sums(sample: FloatArray) -> tuple[FloatArray, float]:
    """Distribution of the sum S of n draws of x − mean with replacement.

    Parameters
    ----------
    sample : float array of shape (n,)
        Values x, not all equal.

    Returns
    -------
    distribution : float array of shape (G,)
        P(S ≤ (i − G/2) h) at i.
    h : float
        Spacing, with the correction of the variance.
    """
    n, mean, deviation = len(sample), float(sample.mean()), float(sample.std())
    spread = np.ptp(sample)
    # S lives on a circle of G points with spacing h. The circle covers all sums, or 12
    # standard deviations σ √n on either side.
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
    # The split over two points adds f (1 − f) h² to the variance σ² of a draw, so the
    # quantiles of S are too wide by the ratio of the standard deviations.
    widening = np.sqrt(1.0 + (f * (1.0 - f)).mean() * (h / deviation) ** 2)
    return np.cumsum(chance), float(h / widening)


def _ratio_quantile(
    values: FloatArray, weights: FloatArray, chance: float, ends: tuple[float, float]
) -> float:
    """The t with P(Σ w (m − t) ≤ 0) = chance, over n draws of pairs (m, w)."""
    low, high = ends
    n, points = len(values), np.arange(_GRID) - _GRID // 2
    for _ in range(_HALVINGS):
        t = (low + high) / 2.0
        x = weights * (values - t)
        distribution, h = _distribution_of_sums(x)
        # Σ x ≤ 0 is S ≤ −n mean(x); between two points the distribution is linear.
        below = np.interp(-n * float(x.mean()) / h, points, distribution)
        low, high = (t, high) if below < chance else (low, t)
    return (low + high) / 2.0


def paired_randomization_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    n_resamples: int = 10_000,
    random_state: int = 0,
    query_weight: ArrayLike | None = None,
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
    query_weight : array-like of shape (n_queries,), default=None
        Weight of each query in the means, at least 0; a query of weight 0 is left out.
        None: 1.

    Returns
    -------
    p_value : float in (0, 1]
        1 if the rankers never differ.

    Raises
    ------
    ValueError
        If the lengths or the order of pandas indices differ, or an option or a weight
        is invalid.

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
    values, weights = _differences(a, b, query_weight)
    difference = weights * values
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


def paired_t_test(
    a: ArrayLike, b: ArrayLike, *, query_weight: ArrayLike | None = None
) -> float:
    """Two-sided p-value of Student's paired t-test: the mean difference is 0.

    With weights, D = Σ w d / Σ w is a ratio of two means over queries, and its squared
    standard error is that of the linearized ratio, n / (n − 1) Σ w² (d − D)² / (Σ w)²
    [2]_; equal weights give Student's.

    Parameters
    ----------
    a, b : array-like of shape (n_queries,)
        Values of the two rankers, query by query; queries that are NaN in either are
        left out.
    query_weight : array-like of shape (n_queries,), default=None
        Weight of each query in the means, at least 0; a query of weight 0 is left out.
        None: 1.

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
    .. [2] Cochran, "Sampling techniques", 3rd edition, 1977, section 6.4.

    Examples
    --------
    >>> round(paired_t_test([0.5, 0.6, 0.9, 0.4], [0.4, 0.4, 0.6, 0.3]), 4)
    0.0354
    """
    difference, weights = _differences(a, b, query_weight)
    n = len(difference)
    if n < 2:
        return float("nan")
    if not difference.any():
        return 1.0
    from scipy.special import stdtr  # slow to import, and needed here only

    mean = np.average(difference, weights=weights)
    deviations = weights * (difference - mean)
    error = np.sqrt(n / (n - 1) * (deviations**2).sum()) / weights.sum()
    if error == 0:
        return 0.0
    return float(2.0 * stdtr(n - 1, -abs(mean / error)))


def effect_size(
    a: ArrayLike, b: ArrayLike, *, query_weight: ArrayLike | None = None
) -> float:
    """Mean difference of paired values over its standard deviation (Cohen's d_z).

    Parameters
    ----------
    a, b : array-like of shape (n_queries,)
        Values of the two rankers, query by query; queries that are NaN in either are
        left out.
    query_weight : array-like of shape (n_queries,), default=None
        Weight of each query in mean and deviation, at least 0; a query of weight 0 is
        left out. None: 1.

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
    difference, weights = _differences(a, b, query_weight)
    n = len(difference)
    if n < 2:
        return float("nan")
    mean = float(np.average(difference, weights=weights))
    variance = float(np.average((difference - mean) ** 2, weights=weights))
    spread = float(np.sqrt(variance * n / (n - 1)))
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


def _differences(
    a: ArrayLike, b: ArrayLike, query_weight: ArrayLike | None
) -> tuple[FloatArray, FloatArray]:
    """Differences of the pairs that count, and their weights."""
    check_rows({"a": a, "b": b, "query_weight": query_weight})
    values_a, values_b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if values_a.shape != values_b.shape:
        raise ValueError(
            "a and b must have one value for each of the same queries; got shapes "
            f"{values_a.shape} and {values_b.shape}."
        )
    return _weighted(values_a - values_b, query_weight, rows_of="a")


def _weighted(
    values: FloatArray, query_weight: ArrayLike | None, rows_of: str = "values"
) -> tuple[FloatArray, FloatArray]:
    """Values of the queries that count, and their weights, scaled.

    Queries do not count if they have no value, NaN, or weight 0.
    """
    counts = ~np.isnan(values)
    if query_weight is None:
        sample = np.asarray(values[counts])
        return sample, np.ones(len(sample))
    name = "query_weight"
    n_queries = len(values)
    weights = check_weights(
        query_weight, name, n_queries, rows_of=rows_of, unit="query"
    )
    counts &= weights > 0
    return values[counts], scaled_weights(weights[counts])
