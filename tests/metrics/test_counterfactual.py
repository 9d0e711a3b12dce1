"""Estimates from clicks: expectations in closed form, slow references, messages."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from ltr.datasets import estimate_propensities, simulate_clicks
from ltr.metrics import counterfactual_dcg
from ltr.metrics.counterfactual import _click_weights


@st.composite
def sessions(draw):
    """Sessions of one to four items, each examined with some probability."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    n_rows = sum(sizes)
    number = st.integers(1, 10).map(lambda tenths: tenths / 10)
    column = lambda kind: np.array(
        draw(st.lists(kind, min_size=n_rows, max_size=n_rows))
    )
    return {
        "qid": np.repeat(np.arange(len(sizes)), sizes),
        "scores": column(st.integers(0, 2)).astype(float),
        "theta": column(number),
        "clicks": column(st.integers(0, 1)),
        "offsets": column(number) / 20,
    }


def slow_dcg(weights, scores, k):
    """Σ w d(r) of a session; a tied item takes the mean discount of its ranks."""
    total = 0.0
    for weight, score in zip(weights, scores, strict=True):
        better, tied = (scores > score).sum(), (scores == score).sum()
        ranks = range(better + 1, better + tied + 1)
        discounts = [1 / math.log2(1 + r) if r <= (k or r) else 0.0 for r in ranks]
        total += weight * np.mean(discounts)
    return total


@given(sessions(), st.sampled_from([None, 1, 2]), st.sampled_from([0.0, 0.3]))
def test_reference(log, k, clip):
    weights = (log["clicks"] - log["offsets"]) / np.maximum(log["theta"], clip)
    of = [np.flatnonzero(log["qid"] == s) for s in np.unique(log["qid"])]
    dcg = np.array([slow_dcg(weights[rows], log["scores"][rows], k) for rows in of])
    arguments = {
        "propensities": log["theta"],
        "qid": log["qid"],
        "offsets": log["offsets"],
        "k": k,
        "clip": clip,
    }
    ips = counterfactual_dcg(log["clicks"], log["scores"], estimator="ips", **arguments)
    assert ips.per_session == pytest.approx(dcg, abs=1e-12)
    assert ips.value == pytest.approx(dcg.mean(), abs=1e-12)
    if weights.sum() > 0:
        snips = counterfactual_dcg(log["clicks"], log["scores"], **arguments)
        assert snips.value == pytest.approx(dcg.sum() / weights.sum(), abs=1e-9)
        assert ips.effective_clicks == pytest.approx(
            weights.sum() ** 2 / (weights**2).sum()
        )


@pytest.mark.parametrize("model", ["position", "cascade", "trust"])
def test_unbiased(model):
    """Every click model, a ranking that nobody saw: the truth is in the interval."""
    y, shown = np.array([0, 2, 1, 0, 1]), np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    new = np.array([1.0, 5.0, 3.0, 2.0, 4.0])
    options = {"max_label": 3, "noise": 0.0, "n_sessions": 30_000, "random_state": 1}
    log = simulate_clicks(y, shown, model=model, **options)
    relevance = (2.0**y - 1) / 7
    truth = slow_dcg(relevance, new, None)
    estimate = counterfactual_dcg(
        log.clicks,
        new[log.rows],
        propensities=log.propensities,
        offsets=log.offsets,
        qid=log.sessions,
        estimator="ips",
        confidence=0.999,
    )
    assert estimate.low < truth < estimate.high
    assert estimate.high - estimate.low < 0.1


def test_interval_of_the_ratio():
    """The linearized contributions have the variance of resampled ratios."""
    rng = np.random.default_rng(0)
    y, shown, new = rng.integers(0, 3, 6), rng.random(6), rng.random(6)
    log = simulate_clicks(y, shown, n_sessions=500, random_state=0)
    estimate = counterfactual_dcg(
        log.clicks, new[log.rows], propensities=log.propensities, qid=log.sessions
    )
    w = log.clicks / log.propensities
    rank = (-new).argsort().argsort()[log.rows] + 1
    top = np.bincount(log.sessions, w / np.log2(1 + rank))
    total = np.bincount(log.sessions, w)
    drawn = rng.integers(500, size=(4000, 500))
    ratios = top[drawn].sum(axis=1) / total[drawn].sum(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    assert estimate.value == pytest.approx(top.sum() / total.sum())
    assert estimate.low == pytest.approx(low, abs=0.1 * (high - low))
    assert estimate.high == pytest.approx(high, abs=0.1 * (high - low))


def shuffled_logs(n_logs, eta=1.0, n_items=6, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n_items)
    logs = [
        simulate_clicks(y, rng.random(n_items), n_sessions=300, eta=eta, random_state=i)
        for i in range(n_logs)
    ]
    return tuple(
        np.concatenate([getattr(log, name) for log in logs])
        for name in ("rows", "positions", "clicks")
    )


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_propensities_are_found(eta):
    theta = estimate_propensities(*shuffled_logs(60, eta))
    assert theta == pytest.approx(np.arange(1, 7) ** -eta, abs=0.05)
    assert theta[0] == 1.0


@pytest.mark.parametrize("seed", range(3))
def test_propensities_are_most_likely(seed):
    """No solver for smooth functions finds a higher likelihood."""
    rows, positions, clicks = shuffled_logs(4, n_items=4, seed=seed)
    theta = estimate_propensities(rows, positions, clicks, tol=1e-10)

    def loss(state):
        chance = np.exp(-np.exp(state[:4][positions - 1]) - np.exp(state[4:][rows]))
        chance = np.clip(chance, 1e-12, 1 - 1e-12)
        return -np.where(clicks == 1, np.log(chance), np.log1p(-chance)).sum()

    best = minimize(loss, np.full(8, -1.0), options={"maxiter": 1000})
    found = np.exp(-np.exp(best.x[:4]))
    assert theta == pytest.approx(found / found[0], abs=2e-3)


def test_positions_without_a_click():
    theta = estimate_propensities([0, 0, 1, 1, 0], [1, 2, 1, 2, 3], [1, 1, 1, 0, 0])
    assert theta[2] == 0.0
    assert 0 < theta[1] < 1


def test_unseen_items_count_nothing():
    weights = _click_weights([1, 0], [0.5, 0.0], None, 0.0)
    assert weights.tolist() == [2.0, 0.0]


ROWS = {"propensities": [1.0, 0.5], "qid": [0, 0]}
MESSAGES = {
    "a click on nothing": (
        lambda: counterfactual_dcg([1, 1], [1, 2], propensities=[1.0, 0.0], qid=[0, 0]),
        "propensities must be > 0 where clicks are 1; got 0 at row 1. Raise clip, or "
        "leave such clicks out.",
    ),
    "grades": (
        lambda: counterfactual_dcg([2, 1], [1, 2], **ROWS),
        "clicks must be 0 or 1; got 2.0 at row 0.",
    ),
    "inverse propensities": (
        lambda: counterfactual_dcg([0, 1], [1, 2], propensities=[1.0, 2.0], qid=[0, 0]),
        "propensities must be in [0, 1]; got 2.0 at row 1.",
    ),
    "no clicks": (
        lambda: counterfactual_dcg([0, 0], [1, 2], **ROWS),
        "estimator='snips' needs clicks: it divides by their weight, which is 0. Pass "
        "estimator='ips'.",
    ),
    "scores of another length": (
        lambda: counterfactual_dcg([0, 1], [1, 2, 3], **ROWS),
        "y_score must have one number per row of clicks; got 3 scores for 2 rows.",
    ),
    "positions from 0": (
        lambda: estimate_propensities(["a", "a"], [0, 1], [1, 0]),
        "positions must be whole numbers from 1 to 1000000; got 0 at row 0.",
    ),
    "an id for a position": (
        lambda: estimate_propensities(["a", "a"], [1, 10**9], [1, 0]),
        "positions must be whole numbers from 1 to 1000000; got 1000000000 at row 1.",
    ),
    "positions as text": (
        lambda: estimate_propensities(["a", "a"], ["1", "2"], [1, 0]),
        "positions must hold numbers; got '1' at row 0. Convert them.",
    ),
    "propensities without an inverse": (
        lambda: counterfactual_dcg(
            [1, 0], [1, 2], propensities=[1e-320, 1], qid=[0, 0]
        ),
        "propensities must be large enough for their inverse to be a number; got 1e-320 "
        "at row 0. Raise clip.",
    ),
    "always the same order": (
        lambda: estimate_propensities(["a", "b"], [1, 2], [1, 1]),
        "Position 2 shares no clicked item with position 1, directly or through other "
        "positions, so the clicks do not tell how they compare. Show the same items at "
        "several positions, by swapping neighbors now and then, or pass fewer "
        "positions.",
    ),
    "nothing clicked first": (
        lambda: estimate_propensities(["a", "a"], [1, 2], [0, 1]),
        "Position 1 must have a click: the others are relative to it; got none.",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message(name):
    call, message = MESSAGES[name]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_few_steps_warn():
    with pytest.warns(UserWarning, match="a step after max_iter=1 steps. Raise max_it"):
        estimate_propensities(*shuffled_logs(9), max_iter=1)
