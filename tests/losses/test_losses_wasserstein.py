"""Wasserstein losses: golden values, ties, the batch distance and its gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr.losses.wasserstein import wasserstein_batch_loss, wasserstein_loss

pytestmark = pytest.mark.usefixtures("x64")

X = np.array([[1, 0.2, -0.3, 0.5], [0.1, 0.9, 0.4, -0.6], [-0.2, 0.3, 1.1, 0.7]])
Y = np.array([[3.0, 2, 1, 0], [0, 3, 1, 2], [1, 0, 2, 3]])
S, GRADED = np.array([1.2, 0.3, -0.5, 2.0, 0.8]), np.array([3.0, 1, 0, 2, 0])


def test_golden():
    """Values of an independent program, which breaks ties by position."""
    value = wasserstein_loss(S, GRADED, ties="stable")
    np.testing.assert_allclose(value, 0.7816755138801329, rtol=1e-12)
    batch = wasserstein_batch_loss(X, Y)
    np.testing.assert_allclose(batch, 0.16707517449540335, rtol=1e-12)
    one = wasserstein_batch_loss(X[:1], Y[:1])
    np.testing.assert_allclose(one, 0.10098586199294315, rtol=1e-12)


def test_items_of_one_label_stand_in_one_place():
    """Without ties the two rules agree; with ties only the sum of a label counts."""
    y = np.array([4.0, 1, 0, 3, 2])
    shared, stable = wasserstein_loss(S, y), wasserstein_loss(S, y, ties="stable")
    np.testing.assert_allclose(shared, stable, rtol=1e-12)
    swapped = S[[0, 1, 4, 3, 2]]  # the items with label 0
    np.testing.assert_allclose(
        wasserstein_loss(S, GRADED), wasserstein_loss(swapped, GRADED), rtol=1e-12
    )
    with pytest.raises(ValueError, match="ties must be one of 'shared', 'stable'"):
        wasserstein_loss(S, y, ties="random")


def test_zero_only_where_the_labels_have_their_probability():
    """Scores equal to the labels up to a constant are a minimum."""
    value, gradient = jax.value_and_grad(wasserstein_loss)(GRADED + 2.0, GRADED)
    np.testing.assert_allclose(value, 0.0, atol=1e-15)
    assert np.isfinite(gradient).all()
    assert wasserstein_loss(S, GRADED) > 0.1


def gaussian_distance(x, y):
    """By the eigenvalues of C_X C_Y."""
    p, q = (np.exp(v) / np.exp(v).sum(1, keepdims=True) for v in (x, y))
    a, b = np.cov(p.T), np.cov(q.T)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(a @ b).real, 0.0))
    means = ((p.mean(0) - q.mean(0)) ** 2).sum()
    return means + np.trace(a) + np.trace(b) - 2 * roots.sum()


@pytest.mark.parametrize("shape", [(3, 4), (6, 4), (4, 4), (2, 9)])
def test_batch_equals_the_definition(shape):
    """More lists than items and fewer."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=shape), rng.integers(0, 4, shape).astype(float)
    value = wasserstein_batch_loss(x, y)
    np.testing.assert_allclose(value, gaussian_distance(x, y), atol=1e-7)


def test_batch_compares_distributions_of_lists():
    """Which list has which scores does not matter; equal batches are 0 apart."""
    for order in ([2, 0, 1], [1, 0, 2]):
        value = wasserstein_batch_loss(X[order], Y)
        np.testing.assert_allclose(value, 0.16707517449540335, rtol=1e-12)
    np.testing.assert_allclose(
        wasserstein_batch_loss(Y[[1, 0, 2]] + 5, Y), 0, atol=1e-14
    )
    np.testing.assert_allclose(
        wasserstein_batch_loss(2 * X, Y, temperature=2.0),
        wasserstein_batch_loss(X, Y),
        rtol=1e-12,
    )


def test_batch_gradient():
    """Central differences, in the scores and the temperature."""
    loss = jax.jit(wasserstein_batch_loss)
    gradient = jax.grad(loss)(X, Y)
    for i in np.ndindex(X.shape):
        step = np.zeros_like(X)
        step[i] = 1e-6
        slope = (loss(X + step, Y) - loss(X - step, Y)) / 2e-6
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(gradient.sum(-1), 0.0, atol=1e-14)


@pytest.mark.parametrize("scores", [np.zeros((5, 3)), 1e4 * np.eye(5, 3), np.eye(5, 3)])
def test_batch_gradient_at_kinks(scores):
    """Equal lists have the same gradient; it is finite at ±1e4 in single precision."""
    y = np.array([[2.0, 1, 0], [0, 2, 1], [1, 0, 2], [2, 0, 1], [2, 0, 1]])
    slope = jax.jit(jax.grad(wasserstein_batch_loss))
    gradient = np.asarray(slope(scores, y))
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient[3], gradient[4], atol=1e-10)
    single = slope(jnp.array(scores, jnp.float32), y)
    assert single.dtype == jnp.float32
    assert np.isfinite(single).all()


def test_batch_padding():
    """Masked items, and lists without items, are not there."""
    padded = np.full((2, 4, 6), np.nan)
    labels = np.full((2, 4, 6), np.nan)
    where = np.zeros((2, 4, 6), bool)
    padded[0, 1:, :4], labels[0, 1:, :4], where[0, 1:, :4] = X, Y, True
    function = lambda s: wasserstein_batch_loss(s, labels, where=where)
    slope = jax.jit(jax.grad(lambda s: function(s).sum()))
    values, gradient = np.asarray(function(padded)), np.asarray(slope(padded))
    np.testing.assert_allclose(values, [0.16707517449540335, 0.0], rtol=1e-12)
    expected = jax.jit(jax.grad(wasserstein_batch_loss))(X, Y)
    np.testing.assert_allclose(gradient[0, 1:, :4], expected, rtol=1e-9, atol=1e-14)
    assert (gradient[~where] == 0).all()
    np.testing.assert_allclose(
        jax.jit(jax.vmap(wasserstein_batch_loss))(X[None], Y[None]), values[:1]
    )


def test_batch_needs_two_axes():
    """The error says how to pass one list."""
    with pytest.raises(ValueError, match=r"got shape \(4,\). For one list pass"):
        wasserstein_batch_loss(X[0], Y[0])
