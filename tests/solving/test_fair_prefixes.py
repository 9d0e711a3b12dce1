"""How many of a group belong in each prefix, and the greedy order that keeps to it."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import example, given, settings
from scipy.stats import binom
from support.brute_force import DISCOUNT, keeps_positions

from ltr.solvers import (
    Quota,
    det_const_sort,
    fair_minimums,
    solve_assignment,
)


@given(
    st.integers(1, 12), st.sampled_from([0.2, 0.5, 0.7]), st.sampled_from([0.05, 0.2])
)
@example(10, 0.5, 0.1)
def test_fair_minimums(k, share, alpha):
    """Unadjusted, the quantiles; adjusted, the strictest with failure below alpha."""
    plain = fair_minimums(k, share, alpha, adjust=False)
    t = np.arange(1, k + 1)
    assert (binom.cdf(plain, t, share) > alpha).all()
    assert (binom.cdf(plain - 1, t, share) <= alpha).all()
    adjusted = fair_minimums(k, share, alpha)
    assert (adjusted <= plain).all()
    assert (np.diff(adjusted) >= 0).all()
    draws = (np.arange(2**k)[:, None] >> np.arange(k)) & 1
    chance = np.where(draws, share, 1 - share).prod(axis=1)
    fails = (draws.cumsum(axis=1) < adjusted).any(axis=1)
    assert chance[fails].sum() <= alpha + 1e-12


def test_fair_minimums_of_the_paper():
    """Table 1 of Zehlike et al. 2017, alpha = 0.1, unadjusted."""
    table = {
        0.1: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        0.3: [0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
        0.5: [0, 0, 0, 1, 1, 1, 2, 2, 3, 3],
        0.7: [0, 1, 1, 2, 2, 3, 3, 4, 5, 5],
    }
    for share, row in table.items():
        assert fair_minimums(10, share, adjust=False).tolist() == row


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.2, 0.35, 0.5]))
def test_det_const_sort(seed, share):
    """Two groups: every prefix has its minimum, and no order is worth more than ours."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat([0, 1], 30))
    scores = rng.normal(size=60)
    shares = {0: 1 - share, 1: share}
    order = det_const_sort(scores, group, shares, k=25)
    assert len(set(order.tolist())) == 25
    quotas = [Quota("group", g, min_share=p) for g, p in shares.items()]
    assert all(keeps_positions(order, q, {"group": group}, 25) for q in quotas)
    exact = solve_assignment(
        scores, constraints=quotas, attributes={"group": group}, k=25
    )
    assert scores[order] @ DISCOUNT[:25] <= exact.bound + 1e-9


def test_det_const_sort_where_a_group_runs_out():
    """The others fill the list."""
    order = det_const_sort([3, 2, 1], list("aab"), {"a": 0.0, "b": 1.0})
    assert order.tolist() == [2, 0, 1]
