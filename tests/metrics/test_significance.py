"""Intervals and tests of differences: bootstrap, t-test, randomization, Holm."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from ltr import metrics as m


def test_bootstrap_interval_covers():
    """About 95 % of the intervals hold the true mean."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        low, high = m.bootstrap_interval(rng.exponential(size=80))
        hits += low <= 1.0 <= high
    assert 175 <= hits <= 199


@pytest.mark.parametrize("values", [[0, 1], [0.2, 0.2, 0.9], "exponential", "rare"])
def test_bootstrap_interval_is_that_of_resampling(values):
    """The quantiles of many resampled means, without drawing any."""
    rng = np.random.default_rng(0)
    if values == "exponential":
        values = rng.exponential(size=60)
    elif values == "rare":
        values = rng.random(400) < 0.02
    sample = np.asarray(values, float)
    n = len(sample)
    means = sample[rng.integers(n, size=(40_000, n))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975], method="inverted_cdf")
    np.testing.assert_allclose(
        m.bootstrap_interval(sample), (low, high), atol=0.06 * means.std()
    )
    assert m.bootstrap_interval([0.3, 0.3, np.nan]) == (0.3, 0.3)


def test_weights_of_an_interval_have_its_index():
    """Weights in another order belong to other queries."""
    values = pd.Series([0.1, 0.5, 0.9], index=["a", "b", "c"])
    weights = pd.Series([3.0, 1.0, 1.0], index=["a", "b", "c"])
    interval = m.bootstrap_interval(values, query_weight=weights)
    assert interval == m.bootstrap_interval(values.array, query_weight=[3, 1, 1])
    with pytest.raises(ValueError, match="query_weight must be") as refusal:
        m.bootstrap_interval(values, query_weight=weights.iloc[::-1])
    assert str(refusal.value) == (
        "query_weight must be in the order of the rows of values; got the same index in "
        "another order. Pass query_weight.loc[values.index], or query_weight.to_numpy() "
        "to match rows by position."
    )


def test_paired_t_test_and_effect_size():
    """scipy's t-test; the effect is t / √n."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 25))
    b[3] = np.nan
    keep = ~np.isnan(b)
    theirs = ttest_rel(a[keep], b[keep])
    np.testing.assert_allclose(m.paired_t_test(a, b), theirs.pvalue)
    np.testing.assert_allclose(m.effect_size(a, b), theirs.statistic / np.sqrt(24))
    assert (m.paired_t_test(a, a), m.effect_size(a, a)) == (1.0, 0.0)
    assert np.isnan(m.paired_t_test([1.0], [2.0]))
    assert m.effect_size([1.0, 2.0], [0.0, 1.0]) == np.inf


def test_randomization_test():
    """Uniform p-values if nothing differs; small ones if something does."""
    rng = np.random.default_rng(0)
    p = [
        m.paired_randomization_test(
            rng.normal(size=30), rng.normal(size=30), n_resamples=300
        )
        for _ in range(200)
    ]
    assert 0.02 <= np.mean(np.array(p) < 0.1) <= 0.18
    a = rng.normal(size=50)
    assert m.paired_randomization_test(a + 1, a) < 1e-3
    assert m.paired_randomization_test(a, a) == 1.0


def test_randomization_test_is_exact_enough():
    """Against all swaps of a small sample."""
    from itertools import product

    d = np.array([0.3, -0.1, 0.2, 0.5, 0.05])
    sums = [abs(np.dot(d, signs)) for signs in product([-1, 1], repeat=5)]
    exact = np.mean(np.array(sums) >= d.sum() - 1e-12)
    p = m.paired_randomization_test(d, np.zeros(5), n_resamples=20_000)
    assert abs(p - exact) < 0.01


def test_holm():
    """Adjusted p-values of Holm's paper: multiplied by what is left, never falling."""
    np.testing.assert_allclose(m.holm([0.01, 0.04, 0.03, 0.5]), [0.04, 0.09, 0.09, 0.5])
    assert m.holm([]) == []
