"""How sure a mean over lists is: bootstrap intervals and paired tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import FloatArray

_CHUNK = 4_000_000  # numbers drawn at once


def bootstrap_interval(
    values: ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    random_state: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over lists.

    Parameters
    ----------
    values : array-like of shape (n_lists,)
        One value per list; NaN (a skipped list) is left out.
    confidence : float, default=0.95
        Coverage, in (0, 1).
    n_resamples : int, default=10000
        Resampled means.
    random_state : int, default=0
        Seed.

    Returns
    -------
    low, high : float
        NaN if there is no value.

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
    >>> bool(0.38 < low < 0.5 < high < 0.62)
    True
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1; got {confidence!r}.")
    sample = _without_nan(values)
    if len(sample) == 0:
        return float("nan"), float("nan")
    rng = np.random.default_rng(random_state)
    step = max(1, _CHUNK // len(sample))
    means = [
        sample[rng.integers(len(sample), size=(min(step, left), len(sample)))].mean(1)
        for left in range(n_resamples, 0, -step)
    ]
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(np.concatenate(means), [tail, 1.0 - tail])
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
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise ValueError(
            "a and b must have one value for each of the same lists; got shapes "
            f"{first.shape} and {second.shape}."
        )
    difference = _without_nan(first - second)
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


def _without_nan(values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    return np.asarray(array[~np.isnan(array)])
