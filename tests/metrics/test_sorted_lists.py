"""Rows sorted within their lists, by one sort of all rows or by one for each size."""

import numpy as np
import pytest

from ltr.metrics.ranked import argsort_lists
from ltr.queries import group_queries

rng = np.random.default_rng(0)
SIZES = {
    "one row": np.ones(1, int),
    "many sizes": rng.integers(1, 40, 30),
    "more lists than a byte counts": rng.integers(1, 4, 300),
    "one size": np.full(100, 7),
    "few sizes": np.repeat([3, 20], 60),
}


@pytest.mark.parametrize("stable", [True, False])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_each_list_is_sorted(sizes, stable):
    """As sorting one list after the other; without ``stable`` up to equal keys."""
    queries = group_queries(np.repeat(np.arange(len(sizes)), sizes), sizes.sum())
    ends = np.cumsum(sizes)
    for keys in (
        rng.integers(-2, 3, sizes.sum()) / 2,
        rng.choice([-np.inf, -0.0, 0.0, 1e-300, np.inf], sizes.sum()),
        rng.integers(2**63, 2**64, sizes.sum(), dtype=np.uint64),
    ):
        order = argsort_lists(keys, queries, stable=stable)
        by_list = [
            end - size + np.argsort(keys[end - size : end], kind="stable")
            for size, end in zip(sizes, ends, strict=True)
        ]
        expected = np.concatenate(by_list)
        if stable:
            np.testing.assert_array_equal(order, expected)
        np.testing.assert_array_equal(keys[order], keys[expected])
        for own, end, size in zip(np.split(order, ends[:-1]), ends, sizes, strict=True):
            assert sorted(own) == list(range(end - size, end))
