"""Value, gradient and curvature of losses, against differences of the gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr.losses import LOSSES, combine, derivatives

pytestmark = pytest.mark.usefixtures("x64")

rng = np.random.default_rng(0)
S, Y = rng.normal(size=(2, 5)), rng.integers(0, 3, (2, 5)).astype(float)
WHERE = np.array([[True] * 5, [True, True, False, True, True]])
W = rng.integers(1, 4, (2, 5)).astype(float)


@pytest.mark.parametrize(
    "loss",
    [
        LOSSES["mse"],
        LOSSES["ranknet"],
        LOSSES["lambdarank"],
        LOSSES["ndcg_loss2pp"],
        LOSSES["softmax"],
        LOSSES["unique_softmax"],
        LOSSES["plackett_luce"],
        combine((0.5, "exponential"), (1.0, "listnet")),
    ],
    ids=lambda loss: getattr(loss, "__name__", "combination"),
)
def test_exact_curvature(loss):
    """The diagonal of the Hessian is the derivative of the gradient, item by item."""
    inputs = {"where": WHERE, "weights": W}
    exact = derivatives(loss, S, Y, curvature="exact", **inputs)
    gradient = jax.jit(jax.grad(lambda s: loss(s, Y, **inputs).sum()))
    np.testing.assert_allclose(exact.value, loss(S, Y, **inputs), rtol=1e-12)
    np.testing.assert_allclose(exact.gradient, gradient(S), rtol=1e-12)
    h = 1e-5
    for i in range(5):
        step = h * (np.arange(5) == i)
        slope = (gradient(S + step) - gradient(S - step))[:, i] / (2 * h)
        np.testing.assert_allclose(exact.curvature[:, i], slope, rtol=1e-5, atol=1e-8)
    np.testing.assert_array_equal(exact.curvature[~WHERE], 0.0)


def test_ones_and_errors():
    """A curvature of 1 for real items; another name is refused."""
    ones = derivatives(LOSSES["hinge"], jnp.array(S), Y, where=WHERE)
    np.testing.assert_array_equal(ones.curvature, WHERE)
    with pytest.raises(ValueError, match="curvature must be one of 'ones', 'exact'; g"):
        derivatives(LOSSES["mse"], S, Y, curvature="secant")
