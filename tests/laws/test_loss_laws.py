"""The laws of ranking losses, for every row of the registry.

Beside the laws of ltr.testing, what takes a slow reference or a compilation of its own.
"""

import functools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from registry import CASES, rows_of
from support.law_tests import check, check_broken, every, given_once

from ltr.testing.ranked_lists import RankedList, ranked_lists

KEY = jax.random.key(0)
losses_with = lambda chosen: pytest.mark.parametrize(
    ("case", "loss"),
    [
        pytest.param(case, row.subject, id=row.id)
        for case, row in zip(CASES, rows_of("loss"), strict=True)
        if chosen(case)
    ],
)
one_row_a_loss = pytest.mark.parametrize(  # for what takes long to compile
    "case",
    list({case.name: case for case in reversed(CASES)}.values()),
    ids=lambda case: case.id,
)

TIED = RankedList(
    np.array([1.0, 1.0, 0.0, 0.0, 2.0, 1.0]),
    np.array([2.0, 0.0, 1.0, 1.0, 0.0, 2.0]),
    np.array([True, True, True, True, True, False]),
    np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0]),
    np.array([0.5, 0.5, -1.0, 2.0, 2.0, 0.0]),
    np.array([2.0, 1.0, 3.0, 5.0, 4.0, 6.0]),
)


@every("loss")
def test_law(row, law):
    """The loss keeps the law."""
    check(row, law)


@every("loss", broken=True)
def test_exception(row, law):
    """A law that the registry excuses the loss from is broken indeed."""
    check_broken(row, law)


@losses_with(lambda case: not case.draws)
@given_once(
    examples=[{"items": TIED, "weighted": True}],
    items=ranked_lists(),
    weighted=st.booleans(),
)
def test_equals_the_slow_reference(case, loss, items, weighted):
    """The value is that of loops over the real items."""
    real = items.real()
    weights = real.weights if weighted else np.ones(len(real.scores))
    extras = real.extras(case.extras)
    expected = case.reference(real.scores, real.labels, weights, **extras)
    value, _ = loss.evaluate(items, weighted)
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-11)


@losses_with(lambda case: case.repeats)
@given_once(max_examples=25, items=ranked_lists())  # the law repeats SIZE items at most
def test_weight_k_repeats_an_item_of_the_reference(case, loss, items):
    """Weight k is the item k times, for the whole list and weights up to 3."""
    counts = (items.weights * items.where).astype(int)
    copies = RankedList(*(np.repeat(column, counts) for column in items))
    extras = copies.extras(case.extras)
    ones = np.ones(len(copies.scores))
    expected = case.reference(copies.scores, copies.labels, ones, **extras)
    value, gradient = loss.evaluate(items)
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12)
    assert np.isfinite(gradient).all()


@one_row_a_loss
def test_single_precision_of_long_lists(case, x64):
    """Gradients agree to 1e-5 of the largest component."""
    rng = np.random.default_rng(0)
    s, y = 3 * rng.normal(size=(8, 40)), rng.integers(0, 4, (8, 40)).astype(float)
    extras = {name: rng.integers(1, 9, (8, 40)) / 2 for name in case.extras}
    total = lambda s, y: case.loss(
        s, y, key=KEY if case.draws else None, **extras
    ).sum()
    gradient = jax.jit(jax.grad(total))
    exact = gradient(s, y)
    single = gradient(s.astype(np.float32), y.astype(np.float32))
    assert single.dtype == np.float32
    worst = np.abs(single - exact).max() / np.abs(exact).max()
    assert worst < 1e-5


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_strict_dtype_promotion(case, x64):
    """No loss relies on JAX to mix dtypes; integer labels and weights are fine."""
    with jax.numpy_dtype_promotion("strict"):
        extras = {name: jnp.array([1, 2, 3]) for name in case.extras}
        loss = functools.partial(case.loss, key=KEY if case.draws else None, **extras)
        value, gradient = jax.eval_shape(
            jax.value_and_grad(loss),
            jnp.array([0.5, 1.0, 2.0], jnp.float32),
            jnp.array([1, 0, 2]),
            where=jnp.array([True, True, False]),
            weights=jnp.array([1, 2, 1]),
        )
    assert value.dtype == jnp.float32
    assert gradient.dtype == jnp.float32
