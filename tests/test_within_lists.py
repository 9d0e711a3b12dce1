"""Centering and z-scores within lists, against a loop over the lists."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ltr.queries import group_queries
from ltr.within_lists import centered, z_scores

NUMBERS = st.integers(-3, 3).map(lambda x: x / 2) | st.just(float("nan"))
ROWS = st.lists(
    st.tuples(NUMBERS, NUMBERS, st.integers(0, 2), st.integers(0, 2)),
    min_size=1,
    max_size=12,
)


def slow(X, qid, weights, divide):
    """List by list, column by column, with repeated rows for weights."""
    result = X.copy()
    for query in np.unique(qid):
        for column in range(X.shape[1]):
            rows = np.flatnonzero(qid == query)
            values = np.repeat(X[rows, column], weights[rows])
            values = values[~np.isnan(values)]
            result[rows, column] -= values.mean() if len(values) else 0.0
            if divide and len(set(values)) > 1:
                result[rows, column] /= values.std()
            elif divide:
                result[rows, column] *= 0.0  # NaN stays
    return result


@given(ROWS, st.booleans())
@settings(deadline=None)
def test_against_a_loop(rows, weighted):
    """Also with missing values, weights, and lists of one item."""
    *columns, qid, weights = map(np.array, zip(*rows, strict=True))
    X, queries = np.stack(columns, axis=1), group_queries(qid, len(qid))
    if not weighted:
        weights = np.ones_like(weights)
    passed = weights.astype(float) if weighted else None
    np.testing.assert_allclose(
        centered(X, queries, passed), slow(X, qid, weights, False), atol=1e-12
    )
    np.testing.assert_allclose(
        z_scores(X, queries, passed), slow(X, qid, weights, True), atol=1e-12
    )
    np.testing.assert_array_equal(
        z_scores(X[:, 0], queries, passed), z_scores(X, queries, passed)[:, 0]
    )


@given(ROWS, st.integers(-1000, 1000))
@settings(deadline=None, max_examples=30)
def test_to_the_last_bit(rows, exponent):
    """Other lists, equal rows elsewhere and powers of two change nothing."""
    *columns, qid, _ = map(np.array, zip(*rows, strict=True))
    X, queries = np.stack(columns, axis=1), group_queries(qid, len(qid))
    scaled = z_scores(X, queries)
    np.testing.assert_array_equal(z_scores(np.ldexp(X, exponent), queries), scaled)
    for query in np.unique(qid):
        alone = X[qid == query]
        one = group_queries(None, len(alone))
        np.testing.assert_array_equal(z_scores(alone, one), scaled[qid == query])


@pytest.mark.parametrize("value", [0.1, 1e-300, 1e300, 1.7e9 + 1 / 3])
def test_constant_columns(value):
    """Rounding of their mean is no variation, but the least true one is."""
    X = np.full(1001, value)
    queries = group_queries(None, len(X))
    assert not z_scores(X, queries).any()
    X[0] *= 1 + 1e-13
    assert z_scores(X, queries)[0] == pytest.approx(np.sqrt(1000), rel=0.01)


def test_rows_of_weight_0():
    """They do not count, however large, but are scaled."""
    X = np.array([1e300, 1.0, 3.0])
    z = z_scores(X, group_queries(None, 3), np.array([0.0, 1.0, 1.0]))
    np.testing.assert_array_equal(z[1:], [-1.0, 1.0])
    assert z[0] > 1e299
    assert z_scores(np.zeros((0, 2)), group_queries([], 0)).shape == (0, 2)
