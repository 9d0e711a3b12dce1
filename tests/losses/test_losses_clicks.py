"""Losses on clicks: goldens, exact expectations over examinations, laws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from support.cases_clicks import examinations, ips_pairwise, ips_softmax

from ltr.losses.clicks import (
    affine_labels,
    examination_probabilities,
    ips_pairwise_loss,
    ips_softmax_loss,
    ips_weights,
)
from ltr.losses.listwise import softmax_loss
from ltr.losses.pairwise import ranknet_loss
from ltr.losses.pointwise import mse_loss
from ltr.testing.ranked_lists import SIZE, orders, ranked_lists

pytestmark = pytest.mark.usefixtures("x64")

S = np.array([1.2, 0.3, -0.5, 2.0, 0.8])
CLICKS, RELEVANCE = np.array([1.0, 0, 1, 0, 0]), np.array([1.0, 0, 0, 1, 0])
SHOWN = np.arange(1, 6)
THETA = 1 / SHOWN
close = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12)

unclicked = functools.partial(ips_pairwise_loss, against="unclicked")
LOSSES = {
    "softmax": (ips_softmax_loss, ips_softmax),
    "all": (ips_pairwise_loss, ips_pairwise),
    "unclicked": (unclicked, functools.partial(ips_pairwise, against="unclicked")),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("softmax", 11.103055794188954),
        ("all", 23.669410472844838),
        ("unclicked", 17.898266355299775),
    ],
)
def test_golden(name, expected):
    """By position, and by propensity."""
    loss, reference = LOSSES[name]
    close(loss(S, CLICKS, position=SHOWN), expected)
    close(loss(S, CLICKS, propensity=THETA), expected)
    close(reference(S, CLICKS, np.ones(5), THETA), expected)


@functools.cache
def compiled(name):
    """Value and gradient of a loss, compiled once."""
    f = lambda s, c, where, w, shown: LOSSES[name][0](
        s, c, where=where, weights=w, position=shown
    )
    return jax.jit(jax.value_and_grad(f))


@pytest.mark.parametrize(
    ("name", "expectation", "full"),
    [
        ("all", 3.074114719430709, 3.0741147194307086),
        ("unclicked", 2.4102388869959874, 1.5319133875351532),
    ],
)
def test_golden_expectations(name, expectation, full):
    """Clicked over all others is unbiased, clicked over unclicked is not."""
    loss, _ = LOSSES[name]
    mean = sum(
        p * loss(S, clicks, position=SHOWN)
        for clicks, p in examinations(RELEVANCE, THETA)
        if p > 0
    )
    close(mean, expectation)
    close(loss(S, RELEVANCE, propensity=1.0), full)


@pytest.mark.parametrize("name", ["softmax", "all"])
@pytest.mark.parametrize("relevance", [RELEVANCE, np.array([1.0, 1, 1, 1, 1])])
def test_unbiased_value_and_gradient(name, relevance):
    """Over all 2^n examinations, also for shuffled positions and if all are clicked."""
    shown = np.array([3, 1, 5, 2, 4])
    theta, ones = shown**-0.5, np.ones(5)
    f = jax.value_and_grad(lambda s, c: LOSSES[name][0](s, c, position=shown, eta=0.5))
    clicks, p = (np.array(x) for x in zip(*examinations(relevance, theta), strict=True))
    close(p @ (clicks / theta), relevance)
    values, gradients = jax.vmap(f, (None, 0))(jnp.array(S), jnp.array(clicks))
    full = jax.value_and_grad(lambda s: LOSSES[name][0](s, relevance, propensity=ones))
    value, gradient = full(jnp.array(S))
    close(p @ values, value)
    close(p @ gradients, gradient)
    clipped = [LOSSES[name][0](S, c, position=shown, eta=0.5, clip=0.6) for c in clicks]
    assert p @ np.array(clipped) < value - 0.01  # clipping is a bias


def test_affine_is_unbiased_under_trust_bias():
    """E[(c − β) / α] is the relevance, and so is the gradient of the squared error."""
    trust, noise = (
        np.array([0.9, 0.8, 0.8, 0.7, 0.7]),
        np.array([0.3, 0.2, 0.2, 0.1, 0]),
    )
    alpha, beta = THETA * (trust - noise), THETA * noise
    p_click = alpha * RELEVANCE + beta
    outcomes = np.array([c for c, _ in examinations(np.ones(5), p_click)])
    p = np.array([q for _, q in examinations(np.ones(5), p_click)])
    labels = affine_labels(outcomes, alpha=alpha[None], beta=beta[None])
    close(p @ labels, RELEVANCE)
    gradients = jax.vmap(jax.grad(mse_loss), (None, 0))(jnp.array(S), labels)
    close(p @ gradients, jax.grad(mse_loss)(jnp.array(S), RELEVANCE))


def test_without_bias_the_plain_losses():
    """θ = 1: softmax on clicks, and RankNet for clicked over unclicked."""
    for options in ({"propensity": 1.0}, {"position": SHOWN, "eta": 0.0}):
        close(ips_softmax_loss(S, CLICKS, **options), softmax_loss(S, CLICKS))
        close(unclicked(S, CLICKS, **options), ranknet_loss(S, CLICKS))
    close(
        unclicked(S, CLICKS, propensity=1.0, sigma=2.0),
        ranknet_loss(S, CLICKS, sigma=2.0),
    )


def test_propensities():
    """Tables and powers; ranks outside; clipping; propensity 0."""
    close(examination_probabilities(SHOWN), THETA)
    close(examination_probabilities(SHOWN, eta=2.0), THETA**2)
    close(examination_probabilities(np.array([0, 1])), [1.0, 1.0])
    table = np.array([1.0, 0.5, 0.0])
    close(ips_weights(np.array([0, 1, 2, 3, 9]), table), [1, 1, 2, 0, 0])
    close(ips_weights(np.array([1, 2, 3]), table, clip=0.8), [1, 1.25, 1.25])
    direct = ips_softmax_loss(S, CLICKS, position=SHOWN, clip=0.4)
    weighted = CLICKS * ips_weights(SHOWN, THETA, clip=0.4)
    close(direct, ips_softmax_loss(S, weighted, propensity=1.0))


@every_loss
def test_normalize_is_self_normalised(name):
    """SNIPS: divided by the weight of the terms, so a factor on θ has no effect."""
    loss, _ = LOSSES[name]
    value = loss(S, CLICKS, propensity=THETA, normalize=True)
    close(loss(S, CLICKS, propensity=0.5 * THETA, normalize=True), value)
    terms = {"softmax": 4.0, "all": 16.0, "unclicked": 12.0}[name]
    close(value, loss(S, CLICKS, propensity=THETA) / terms)


@every_loss
@given(items=ranked_lists(), shown=orders(), order=orders())
def test_laws(name, items, shown, order):
    """Slow reference, order of the rows, padding, weight 0, shift."""
    clicks, shown = np.minimum(items.labels, 1.0), np.array(shown) + 1.0
    f = compiled(name)
    value, gradient = f(items.scores, clicks, items.where, items.weights, shown)
    real = items.where
    reference = LOSSES[name][1](
        items.scores[real], clicks[real], items.weights[real], 1 / shown[real]
    )
    close(value, reference, atol=1e-11)
    close(gradient.sum(), 0.0, atol=1e-10)
    np.testing.assert_array_equal(gradient[~real], 0.0)

    moved = f(
        *(
            x[np.array(order)]
            for x in (items.scores, clicks, real, items.weights, shown)
        )
    )
    close(moved[0], value)
    close(moved[1], gradient[np.array(order)], atol=1e-10)

    dirty = [np.where(real, x, np.nan) for x in (items.scores, clicks, shown)]
    seen = f(dirty[0], dirty[1], real, items.weights, dirty[2])
    np.testing.assert_array_equal(seen[0], value)
    np.testing.assert_array_equal(seen[1], gradient)

    zero = f(items.scores, clicks, np.ones(SIZE, bool), items.weights * real, shown)
    np.testing.assert_array_equal(zero[0], value)
    np.testing.assert_array_equal(zero[1], gradient)

    nothing = f(items.scores, 0 * clicks, real, items.weights, shown)
    assert nothing[0] == 0.0
    np.testing.assert_array_equal(nothing[1], 0.0)


@every_loss
def test_repetition(name):
    """Weight 2 is the item twice; for "all" in the gradient only."""
    loss, _ = LOSSES[name]
    w = np.array([1, 2, 3, 1, 1])
    twice = lambda x: np.repeat(x, w)
    f = jax.value_and_grad(lambda s, w, c, t: loss(s, c, weights=w, propensity=t))
    value, gradient = f(S, w.astype(float), CLICKS, THETA)
    repeated, apart = f(twice(S), np.ones(8), twice(CLICKS), twice(THETA))
    close(gradient, np.bincount(twice(np.arange(5)), apart))
    copies = sum(w * (w - 1) * CLICKS / THETA) * np.log(2) if name == "all" else 0.0
    close(value, repeated - copies)


@every_loss
def test_batches_extremes_and_dtypes(name):
    """Leading axes, jit, vmap; ±1e4 in float32; float32 near float64; strict dtypes."""
    loss, _ = LOSSES[name]
    rng = np.random.default_rng(0)
    s, c = 3 * rng.normal(size=(2, 3, 40)), rng.integers(0, 2, (2, 3, 40)).astype(float)
    shown = rng.permuted(np.broadcast_to(np.arange(1, 41), s.shape), axis=-1)
    f = lambda s, c, shown: loss(s, c, position=shown)
    compiled = jax.jit(f)
    batch = f(s, c, shown)
    assert batch.shape == (2, 3)
    close(
        batch,
        [
            [compiled(*x) for x in zip(*y, strict=True)]
            for y in zip(s, c, shown, strict=True)
        ],
    )
    close(compiled(s, c, shown), batch)
    close(jax.jit(jax.vmap(jax.vmap(f)))(s, c, shown), batch)

    gradient = jax.jit(jax.grad(lambda s, c: f(s, c, shown).sum()))
    exact, single = gradient(s, c), gradient(s.astype(np.float32), c.astype(np.float32))
    assert single.dtype == np.float32
    assert np.abs(single - exact).max() / np.abs(exact).max() < 1e-5
    slope_of = jax.jit(jax.value_and_grad(loss))
    for far in ([1e4, 5e3, 0, -5e3, -1e4], [-1e4, -5e3, 0, 5e3, 1e4], [1e4] * 5):
        with jax.numpy_dtype_promotion("strict"):
            value, slope = slope_of(
                jnp.array(far, jnp.float32),
                jnp.array([1, 0, 1, 0, 1]),
                weights=jnp.array([1, 2, 1, 1, 1]),
                where=jnp.array([True, True, True, False, True]),
                position=jnp.array(SHOWN),
            )
        assert value.dtype == slope.dtype == jnp.float32
        assert np.isfinite(value)
        assert np.isfinite(slope).all()


def test_traced_numbers():
    """η, τ and σ may be traced."""
    f = lambda eta, clip, sigma: ips_pairwise_loss(
        S, CLICKS, position=SHOWN, eta=eta, clip=clip, sigma=sigma
    )
    close(jax.jit(f)(0.5, 0.1, 2.0), f(0.5, 0.1, 2.0))


def test_errors():
    """Each says what to pass."""
    with pytest.raises(ValueError, match="One of position and propensity.*neither"):
        ips_softmax_loss(S, CLICKS)
    with pytest.raises(ValueError, match="One of position and propensity.*both"):
        ips_pairwise_loss(S, CLICKS, position=SHOWN, propensity=THETA)
    with pytest.raises(ValueError, match="against must be"):
        ips_pairwise_loss(S, CLICKS, position=SHOWN, against="irrelevant")
    with pytest.raises(ValueError, match=r"propensities must have shape \(n_ranks,\)"):
        ips_weights(SHOWN, np.ones((2, 2)))
