"""Ordinal and Gaussian losses: goldens and laws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from support.cases_ordinal import gaussian_nll, ordinal

from ltr.losses.ordinal import gaussian_nll_loss, ordinal_loss, ordinal_scores
from ltr.losses.pointwise import bce_loss, mse_loss
from ltr.testing.ranked_lists import SIZE, orders, ranked_lists

pytestmark = pytest.mark.usefixtures("x64")

Y = np.array([3.0, 1, 0, 2, 0])
LOGITS = np.array([[2, 1, -1], [1, -1, -2], [-1, -2, -3], [2, 0.5, -0.5], [0, -1, -2]])
S = np.array([1.2, 0.3, -0.5, 2.0, 0.8])
close = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12)

# Both as functions of scores: three logits per item, and a variance that grows.
SPREAD = np.array([1.0, 0.3, -2.0])
grades = lambda s: s[..., None] * SPREAD.reshape((1,) * s.ndim + (3,))
LOSSES = {
    "ordinal": (lambda s, y, **kw: ordinal_loss(grades(s), y, **kw), lambda s, y, w: ordinal(grades(s), y, w)),
    "gaussian_nll": (
        lambda s, y, **kw: gaussian_nll_loss(s, y, log_variance=0.5 * s, **kw),
        lambda s, y, w: gaussian_nll(s, y, w, 0.5 * s),
    ),
}  # fmt: skip
every_loss = pytest.mark.parametrize("name", LOSSES)


def test_golden():
    """The values of the specification."""
    close(ordinal_loss(LOGITS, Y), 5.2040986808181)
    log_variance = np.array([0.0, 0.5, -0.5, 1.0, 0.0])
    close(gaussian_nll_loss(S, Y, log_variance=log_variance), 7.389382836490475)


def test_special_cases():
    """One grade is BCE; a fixed variance is the squared error; whole labels."""
    binary = np.minimum(Y, 1.0)
    close(ordinal_loss(S[:, None], binary), bce_loss(S, binary))
    constant = 5 * 0.5 * np.log(2 * np.pi)
    close(gaussian_nll_loss(S, Y), 0.5 * mse_loss(S, Y) + constant)
    close(ordinal_loss(LOGITS, Y, fractional=True), ordinal_loss(LOGITS, Y))
    half = [ordinal_loss(LOGITS, Y + d, fractional=True) for d in (0, 0.5, 1)]
    close(half[1], (half[0] + half[2]) / 2)
    close(ordinal_loss(LOGITS, Y, normalize=True), 5.2040986808181 / 5)
    close(gaussian_nll_loss(S, Y, normalize=True), gaussian_nll_loss(S, Y) / 5)


def test_ordinal_scores():
    """The expected grade; a perfect fit gives the labels."""
    close(ordinal_scores(jnp.zeros((2, 4, 3))), np.full((2, 4), 1.5))
    sure = np.where(Y[:, None] >= np.arange(1, 4), 40.0, -40.0)
    close(ordinal_scores(sure), Y)
    close(ordinal_loss(sure, Y), 0.0)


def test_gaussian_variance_is_learned_and_clipped():
    """The best variance is the squared error; outside the range there is no gradient."""
    f = jax.grad(lambda v: gaussian_nll_loss(S, Y, log_variance=v).sum())
    close(f(jnp.log((S - Y) ** 2)), np.zeros(5))
    close(f(jnp.full(5, 11.0)), np.zeros(5))
    far = gaussian_nll_loss(S, Y, log_variance=jnp.full(5, 50.0))
    close(far, gaussian_nll_loss(S, Y, log_variance=jnp.full(5, 10.0)))
    bound = lambda m: gaussian_nll_loss(S, Y, log_variance=S, max_log_variance=m)
    close(jax.jit(bound)(1.0), gaussian_nll_loss(S, Y, log_variance=S.clip(-1, 1)))


@functools.cache
def compiled(name):
    """Value and gradient of a loss, compiled once."""
    f = lambda s, y, where, w: LOSSES[name][0](s, y, where=where, weights=w)
    return jax.jit(jax.value_and_grad(f))


@every_loss
@given(items=ranked_lists(), order=orders())
def test_laws(name, items, order):
    """Slow reference, order of the rows, padding, weight 0, repetition."""
    f, real = compiled(name), items.where
    value, gradient = f(items.scores, items.labels, real, items.weights)
    reference = LOSSES[name][1]
    close(value, reference(items.scores[real], items.labels[real], items.weights[real]))
    np.testing.assert_array_equal(gradient[~real], 0.0)
    counts = (items.weights * real).astype(int)
    repeated = [np.repeat(x, counts) for x in (items.scores, items.labels)]
    close(value, reference(*repeated, np.ones(counts.sum())))

    columns = (items.scores, items.labels, real, items.weights)
    moved = f(*(x[np.array(order)] for x in columns))
    close(moved[0], value)
    close(moved[1], gradient[np.array(order)])

    dirty = [np.where(real, x, np.nan) for x in columns[:2]]
    seen = f(*dirty, real, items.weights)
    np.testing.assert_array_equal(seen[0], value)
    np.testing.assert_array_equal(seen[1], gradient)

    zero = f(items.scores, items.labels, np.ones(SIZE, bool), items.weights * real)
    np.testing.assert_array_equal(zero[0], value)
    np.testing.assert_array_equal(zero[1], gradient)

    nothing = f(items.scores, items.labels, np.zeros(SIZE, bool), items.weights)
    assert nothing[0] == 0.0


@every_loss
def test_batches_extremes_and_dtypes(name):
    """Leading axes, jit, vmap; ±1e4 in float32; float32 near float64."""
    loss = LOSSES[name][0]
    rng = np.random.default_rng(0)
    s, y = rng.normal(size=(2, 3, 40)), rng.integers(0, 4, (2, 3, 40)).astype(float)
    batch = loss(s, y)
    assert batch.shape == (2, 3)
    close(
        batch,
        [
            [loss(*x) for x in zip(*rows, strict=True)]
            for rows in zip(s, y, strict=True)
        ],
    )
    close(jax.jit(loss)(s, y), batch)
    close(jax.vmap(jax.vmap(loss))(s, y), batch)
    h = 1e-6 * (np.arange(40) == 3)
    exact = jax.grad(lambda s: loss(s, y[0, 0]))(jnp.array(s[0, 0]))
    up, down = loss(s[0, 0] + h, y[0, 0]), loss(s[0, 0] - h, y[0, 0])
    close(exact[3], (up - down) / 2e-6, rtol=1e-6)


def test_single_precision():
    """float32 near float64, finite at ±1e4, strict dtypes with integer labels."""
    rng = np.random.default_rng(0)
    logits, s, v = rng.normal(size=(8, 40, 3)), *rng.normal(size=(2, 8, 40))
    y = rng.integers(0, 4, (8, 40))
    for x, loss in (
        (logits, ordinal_loss),
        (s, functools.partial(gaussian_nll_loss, log_variance=v)),
    ):
        with jax.numpy_dtype_promotion("strict"):
            f = jax.jit(jax.value_and_grad(lambda x, loss=loss: loss(x, y).sum()))
            exact, single = f(jnp.array(x)), f(jnp.array(x, jnp.float32))
            far = f(jnp.array(np.where(x > 0, 1e4, -1e4), jnp.float32))
        assert single[0].dtype == single[1].dtype == jnp.float32
        assert np.abs(single[1] - exact[1]).max() / np.abs(exact[1]).max() < 1e-5
        assert np.isfinite(far[0])
        assert np.isfinite(far[1]).all()


def test_ordinal_errors():
    """Scores without an axis of grades."""
    with pytest.raises(ValueError, match="scores must have shape"):
        ordinal_loss(S, Y)
    with pytest.raises(ValueError, match="with one logit or more"):
        ordinal_loss(np.zeros((5, 0)), Y)
