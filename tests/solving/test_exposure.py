"""Exposure lotteries: the linear program over doubly stochastic matrices, and laws."""

import re
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import linprog

from ltr.solvers import birkhoff, det_const_sort, fair_exposure

TREATMENTS = ("demographic_parity", "disparate_treatment", "disparate_impact", None)


def marginals(lottery, n):
    """Probability of item i at position j."""
    found = np.zeros((n, n))
    for order, probability in zip(lottery.orders, lottery.probabilities, strict=True):
        found[order, np.arange(len(order))] += probability
    return found


def equalities(u, groups, v, treatment):
    """What the three treatments say, as in the paper: (coefficients of P, target)."""
    means = []
    for group in dict.fromkeys(groups):
        inside = groups == group
        if treatment == "demographic_parity":
            means.append(np.outer(inside / inside.sum(), v))
        elif treatment == "disparate_treatment":
            means.append(np.outer(inside / u[inside].sum(), v))
        elif treatment == "disparate_impact":
            means.append(np.outer(inside * u / u[inside].sum(), v))
    return [(first - second).ravel() for first, second in pairwise(means)]


def best_matrix(u, groups, v, treatment, minimum):
    """Maximise u'Pv over doubly stochastic P by a general solver (Singh & Joachims)."""
    n = len(u)
    sums = np.concatenate(
        [np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))]
    )
    fair = equalities(u, groups, v, treatment)
    least = [-np.outer(groups == g, v).ravel() / v.sum() for g in minimum]
    result = linprog(
        -np.outer(u, v).ravel(),
        A_ub=least or None,
        b_ub=[-share for share in minimum.values()] or None,
        A_eq=np.concatenate([sums, *[row[None] for row in fair]]),
        b_eq=np.concatenate([np.ones(2 * n), np.zeros(len(fair))]),
        bounds=(0, 1),
    )
    return result.status, result.x


@settings(max_examples=60)
@given(
    st.integers(2, 8),
    st.integers(1, 3),
    st.sampled_from(TREATMENTS),
    st.sampled_from([None, 0.1, 0.3, 0.45]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_equal_to_the_linear_program(n, n_groups, treatment, share, tied, seed):
    """Same value and feasibility; the constraint holds in expectation."""
    rng = np.random.default_rng(seed)
    u = rng.integers(1, 4, n).astype(float) if tied else rng.random(n) * 1e3
    groups = np.concatenate([np.arange(n_groups), rng.integers(0, n_groups, n)])[:n]
    k = int(rng.integers(1, n + 1))
    v = np.where(np.arange(n) < k, 1 / np.log2(2 + np.arange(n)), 0.0)
    minimum = {} if share is None else {int(groups[0]): share}
    status, P = best_matrix(u, groups, v, treatment, minimum)
    if status == 2:
        with pytest.raises(ValueError, match="no lottery keeps these constraints"):
            fair_exposure(u, groups, treatment=treatment, minimum=minimum, k=k)
        return
    lottery = fair_exposure(u, groups, treatment=treatment, minimum=minimum, k=k)
    found = marginals(lottery, n)
    value = u @ found @ v
    assert value == pytest.approx(u @ P.reshape(n, n) @ v, rel=1e-5)
    assert lottery.objective == pytest.approx(value, rel=1e-9)
    assert value - 1e-9 * abs(value) <= lottery.bound <= value * (1 + 1e-6)
    assert lottery.probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    assert (lottery.probabilities > 0).all()
    for row in equalities(u, groups, v, treatment):
        scale = np.abs(row.reshape(n, n)).sum(axis=0).max()
        assert abs(row @ found.ravel()) <= 1e-6 * scale
    for group, least in minimum.items():
        exposure = (found @ v)[groups == group].sum() / v.sum()
        assert exposure >= least - 1e-6
        assert lottery.shares[group] == pytest.approx(exposure)
    assert sum(lottery.shares.values()) == pytest.approx(1.0)


def test_few_orders_for_long_lists():
    """One more than there are equations."""
    rng = np.random.default_rng(0)
    for n_groups in (2, 4):
        lottery = fair_exposure(rng.random(300), rng.integers(0, n_groups, 300))
        assert len(lottery.orders) <= n_groups
        assert lottery.bound - lottery.objective <= 1e-6 * lottery.objective


def test_maximum_and_no_constraint():
    """Without constraints the sort; a maximum is kept, and costs."""
    u, groups = np.array([4.0, 3.0, 2.0, 1.0]), list("aabb")
    free = fair_exposure(u, groups, treatment=None)
    assert free.orders.tolist() == [[0, 1, 2, 3]]
    capped = fair_exposure(u, groups, treatment=None, maximum={"a": 0.55})
    assert capped.shares["a"] == pytest.approx(0.55)
    assert capped.objective < free.objective


@settings(max_examples=40)
@given(st.integers(1, 7), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_birkhoff_rebuilds_the_matrix(n, n_orders, seed):
    """Any mixture of orders comes back as a mixture of not too many."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(n_orders))
    matrix = sum(w * np.eye(n)[rng.permutation(n)] for w in weights)
    lottery = birkhoff(matrix)
    np.testing.assert_allclose(marginals(lottery, n), matrix, atol=1e-9)
    assert lottery.probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    assert len(lottery.orders) <= (n - 1) ** 2 + 1


def test_birkhoff_of_a_dense_matrix():
    """All entries positive, sums exact to rounding."""
    matrix = np.random.default_rng(1).random((12, 12)) + 0.1
    for _ in range(500):
        matrix /= matrix.sum(axis=1, keepdims=True)
        matrix /= matrix.sum(axis=0)
    lottery = birkhoff(matrix)
    np.testing.assert_allclose(marginals(lottery, 12), matrix, atol=1e-9)


def raises(message, function, *args, **kwargs):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*args, **kwargs)


def test_messages():
    """What was expected, what came, and what to do."""
    u, groups = [3.0, 2.0, 1.0], list("aab")
    raises(
        "no lottery keeps these constraints: the nearest misses by 0.43 of the whole "
        "exposure. The most that a group can have: 'a' 76.5 %, 'b' 46.9 %. Loosen "
        "minimum, maximum or treatment.",
        fair_exposure,
        u,
        groups,
        treatment=None,
        minimum={"b": 0.9},
    )
    raises(
        "minimum must map groups to shares in [0, 1]; got 0.9 for 'c'. Groups: ['a', "
        "'b'].",
        fair_exposure,
        u,
        groups,
        minimum={"c": 0.9},
    )
    raises(
        "treatment must be one of 'demographic_parity', 'disparate_treatment', "
        "'disparate_impact', None; got 'parity'.",
        fair_exposure,
        u,
        groups,
        treatment="parity",
    )
    raises(
        "scores must be >= 0, and not all 0 within a group, for 'disparate_impact'; got "
        "0 as the least and only zeros in group 'b'.",
        fair_exposure,
        [1.0, 1.0, 0.0],
        groups,
        treatment="disparate_impact",
    )
    raises(
        "scores must have shape (3,), one number per item; got shape (2,).",
        fair_exposure,
        [1.0, 2.0],
        groups,
    )
    raises(
        "k must be in 1, …, 3, as there are 3 items; got 4.",
        fair_exposure,
        u,
        groups,
        k=4,
    )
    raises(
        "matrix must have rows and columns that sum to 1; got 1.5 for row 0.",
        birkhoff,
        [[0.5, 1.0], [0.5, 0.5]],
    )
    raises("matrix must be >= 0; got -1.0 at [0, 1].", birkhoff, [[2, -1], [-1, 2]])
    raises(
        "matrix must be square, one row per item and one column per position; got shape "
        "(1, 2).",
        birkhoff,
        [[1, 0]],
    )


def test_sums_and_shares_that_are_almost_right():
    """Rounding below 0 is 0; messages show what is wrong."""
    lottery = birkhoff([[1.0, -1e-12], [0.0, 1.0]])
    assert lottery.orders.tolist() == [[0, 1]]
    with pytest.raises(ValueError, match="got 1.00000001 for row 0"):
        birkhoff([[1.00000001, 0.0], [0.0, 1.0]])
    for groups, shares in (([], {}), (["a"], {"a": np.nan})):
        with pytest.raises(ValueError, match="^shares must be >= 0, sum to 1"):
            det_const_sort(np.ones(len(groups)), groups, shares)
    with pytest.raises(
        ValueError, match=r"^k must be a whole number >= 0, or None; got -1\.$"
    ):
        det_const_sort([1.0], ["a"], {"a": 1.0}, k=-1)
