"""make_plackett_luce, simulate_clicks: what was planted is found again."""

import itertools
import re

import numpy as np
import pytest
from scipy.optimize import minimize

from ltr.datasets import make_plackett_luce, make_ranking, simulate_clicks


def negative_log_likelihood(weights, data, list_size, top):
    """Of the seen places, from the definition: the first of those left, and so on."""
    utilities = (data.X @ weights).reshape(-1, list_size)
    labels = data.y.reshape(-1, list_size)
    ordered = np.take_along_axis(utilities, np.argsort(-labels, axis=1), axis=1)
    left = np.logaddexp.accumulate(ordered[:, ::-1], axis=1)[:, ::-1]
    return -(ordered - left)[:, :top].sum()


@pytest.mark.parametrize(
    ("options", "temperature"),
    [({}, 1.0), ({"top": 2}, 0.5), ({"n_items": 12, "temperature": 2.0}, 2.0)],
)
def test_plackett_luce_weights_are_found(options, temperature):
    """By maximum likelihood, up to the temperature."""
    coef = np.array([1.0, -0.5, 0.0, 2.0])
    data = make_plackett_luce(
        1500,
        list_size=6,
        n_features=4,
        coef=coef,
        random_state=0,
        **({"temperature": temperature} | options),
    )
    assert data.true_scores == pytest.approx(data.X @ coef)
    top = options.get("top", 6)
    found = minimize(negative_log_likelihood, np.zeros(4), (data, 6, top))
    errors = np.sqrt(np.diag(found.hess_inv))
    assert (errors < 0.2).all()
    assert (np.abs(found.x - coef / temperature) < 4 * errors).all()


def test_plackett_luce_probability_of_each_order():
    """The same three items in every list: how often each order comes."""
    n = 40_000
    data = make_plackett_luce(n, list_size=3, n_items=3, n_features=2, random_state=1)
    worth = np.empty(3)
    worth[data.docids] = np.exp(data.true_scores)
    ranked = data.docids.reshape(n, 3)
    orders = np.take_along_axis(ranked, np.argsort(-data.y.reshape(n, 3), axis=1), 1)
    for order in itertools.permutations(range(3)):
        a, b, c = worth[list(order)]
        expected = a / (a + b + c) * b / (b + c)
        share = (orders == order).all(axis=1).mean()
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / n)


def test_plackett_luce_labels_and_seeds():
    """Labels are the seen places; same seed, same data; items differ in a list."""
    data = make_plackett_luce(50, list_size=5, n_items=9, random_state=3)
    assert np.sort(data.y.reshape(50, 5)).tolist() == [[0, 1, 2, 3, 4]] * 50
    assert all(len(set(row)) == 5 for row in data.docids.reshape(50, 5).tolist())
    cut = make_plackett_luce(50, list_size=5, top=2, random_state=3)
    assert np.sort(cut.y.reshape(50, 5)).tolist() == [[0, 0, 0, 1, 2]] * 50
    again = make_plackett_luce(50, list_size=5, n_items=9, random_state=3)
    np.testing.assert_array_equal(data.X, again.X)
    np.testing.assert_array_equal(data.y, again.y)
    other = make_plackett_luce(50, list_size=5, n_items=9, random_state=4)
    assert not np.array_equal(data.y, other.y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"list_size": 0}, "list_size must be a whole number >= 1; got 0."),
        (
            {"top": 11},
            "top must be in 1, …, list_size, or None; got top=11 and list_size=10.",
        ),
        (
            {"n_items": 9},
            "n_items must be at least list_size, or None; got n_items=9 and "
            "list_size=10.",
        ),
        ({"temperature": 0.0}, "temperature must be a number > 0; got 0.0."),
        (
            {"coef": [1.0, 2.0]},
            "coef must have one weight per feature, shape (5,); got shape (2,).",
        ),
    ],
)
def test_plackett_luce_errors(options, message):
    """Numbers outside their range."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make_plackett_luce(**options)


N = 60_000
MODELS = [
    {"model": "position", "eta": 1.0},
    {"model": "position", "eta": 0.5, "k": 4},
    {"model": "cascade"},
    {"model": "cascade", "satisfaction": 0.4},
    {"model": "trust", "eta": 0.5, "trust": 0.5},
]


@pytest.fixture(scope="module")
def lists():
    data = make_ranking(3, list_size=(4, 8), random_state=0)
    scores = np.random.default_rng(1).normal(size=len(data.y))
    shuffled = np.random.default_rng(2).permutation(len(data.y))
    return data.y[shuffled], scores[shuffled], data.qid[shuffled]


@pytest.mark.parametrize("options", MODELS, ids=str)
def test_corrected_clicks_are_the_relevance(lists, options):
    """(click - offset) / propensity has the relevance as its mean, item by item."""
    y, scores, qid = lists
    options = {"n_sessions": N, "max_label": 3, "random_state": 0} | options
    log = simulate_clicks(y, scores, qid, **options)
    relevance = 0.1 + 0.9 * (2.0**y - 1) / 7
    corrected = (log.clicks - log.offsets) / log.propensities
    for row in range(len(y)):
        mine = corrected[log.rows == row]
        rank = 1 + (scores[qid == qid[row]] > scores[row]).sum()
        assert (log.positions[log.rows == row] == rank).all()
        if rank > options.get("k", len(y)):
            assert len(mine) == 0
            continue
        error = np.sqrt(mine.var() / len(mine))
        assert abs(mine.mean() - relevance[row]) < 4.5 * error + 1e-12


def test_planted_position_bias():
    """Equal items: the clicks of a rank over those of the first are θ."""
    log = simulate_clicks(np.ones(5), -np.arange(5.0), n_sessions=N, eta=0.7)
    rates = np.bincount(log.positions, log.clicks)[1:] / N
    ranks = np.arange(1.0, 6)
    np.testing.assert_allclose(rates[1:], ranks[1:] ** -0.7, atol=0.01)
    np.testing.assert_allclose(log.propensities[:5], ranks**-0.7)
    assert rates[0] == 1.0


def test_planted_trust_bias():
    """Irrelevant items without noise are clicked for their rank alone."""
    log = simulate_clicks(
        [0, 0, 0], [3, 2, 1], n_sessions=N, model="trust", noise=0.0, max_label=1
    )
    rates = np.bincount(log.positions, log.clicks)[1:] / N
    np.testing.assert_allclose(rates, 0.65 / np.arange(1, 4) ** 2, atol=0.01)


def test_cascade():
    """At most one click, all above it without; a patient user clicks by relevance."""
    y, scores = np.array([1, 0, 2, 1, 0]), np.array([5, 4, 3, 2, 1.0])
    log = simulate_clicks(y, scores, model="cascade", n_sessions=5000, random_state=0)
    clicks = log.clicks.reshape(5000, 5)
    assert clicks.sum(axis=1).max() == 1
    assert clicks[:, 3:].sum() == 0  # the third is always clicked, if it is reached
    assert log.propensities[3] == 0.0
    patient = simulate_clicks(
        y, scores, model="cascade", n_sessions=5000, satisfaction=0.0
    )
    assert patient.propensities.min() == 1.0
    assert patient.clicks.reshape(5000, 5)[:, 2].min() == 1


def test_sessions_and_seeds(lists):
    """Sessions show whole lists by falling score; same seed, same log."""
    y, scores, qid = lists
    names = np.array([f"q{q}" for q in qid])
    log = simulate_clicks(y, scores, names, n_sessions=50, random_state=5)
    for session in range(50):
        rows = log.rows[log.sessions == session]
        assert len(set(names[rows])) == 1
        assert len(rows) == (names == names[rows[0]]).sum()
        assert (np.diff(scores[rows]) <= 0).all()
    again = simulate_clicks(y, scores, names, n_sessions=50, random_state=5)
    for name, value in vars(log).items():
        np.testing.assert_array_equal(value, getattr(again, name))
    assert repr(log).startswith("ClickLog(50 sessions, ")
    linear = simulate_clicks(
        [0.25], [1.0], gain="linear", max_label=1, noise=0.0, n_sessions=N
    )
    assert abs(linear.clicks.mean() - 0.25) < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"model": "magic"},
            "model must be one of 'position', 'cascade', 'trust'; got 'magic'.",
        ),
        ({"gain": "log"}, "gain must be one of 'exp2', 'linear'; got 'log'."),
        ({"n_sessions": 0}, "n_sessions must be a whole number >= 1; got 0."),
        ({"noise": 1.0}, "noise must be a number >= 0 and < 1; got 1.0."),
        ({"trust": -0.1}, "trust must be a number >= 0 and < 1; got -0.1."),
        ({"eta": -1}, "eta must be a number >= 0; got -1."),
        ({"satisfaction": 2}, "satisfaction must be a number >= 0 and <= 1; got 2."),
        (
            {"max_label": 0.5},
            "max_label must be at least the highest label 1; got 0.5.",
        ),
        ({"max_label": 5000}, "labels must be <= 1000 for gain='exp2'"),
        (
            {"scores": [np.nan, 1]},
            "scores must have one number per label; got shape (2,) for 2 labels, "
            "and 1 NaN.",
        ),
        (
            {"qid": [1]},
            "qid must have one entry per row of y; got 1 entries for 2 rows.",
        ),
        (
            {"y": [1, -1]},
            "y must be a non-empty one-dimensional array of finite labels >= 0; got "
            "shape (2,) with the lowest label -1.0.",
        ),
    ],
)
def test_click_errors(options, message):
    """Options that are unknown or outside their range."""
    with pytest.raises(ValueError, match=re.escape(message)):
        simulate_clicks(**({"y": [0, 1], "scores": [1.0, 2.0]} | options))
