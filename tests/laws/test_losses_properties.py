"""The laws of ranking losses, for every row of the registry, by hypothesis."""

import functools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, example, given
from registry import CASES
from support.strategies import SIZE, RankedList, permutations, ranked_lists

pytestmark = pytest.mark.usefixtures("x64")
every_loss = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
losses_with = lambda law: pytest.mark.parametrize(
    "case", [case for case in CASES if getattr(case, law)], ids=lambda case: case.id
)
every_sure_loss = pytest.mark.parametrize(  # whose value depends on no draw
    "case", [case for case in CASES if not case.draws], ids=lambda case: case.id
)
one_row_a_loss = pytest.mark.parametrize(  # for what takes long to compile
    "case",
    list({case.name: case for case in reversed(CASES)}.values()),
    ids=lambda case: case.id,
)
KEY = jax.random.key(0)

TIED = RankedList(
    np.array([1.0, 1.0, 0.0, 0.0, 2.0, 1.0]),
    np.array([2.0, 0.0, 1.0, 1.0, 0.0, 2.0]),
    np.array([True, True, True, True, True, False]),
    np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0]),
    np.array([0.5, 0.5, -1.0, 2.0, 2.0, 0.0]),
    np.array([2.0, 1.0, 3.0, 5.0, 4.0, 6.0]),
)


@functools.cache
def value_and_gradient(case):
    """Compiled once per loss: (scores, labels, where, weights, …) → value, gradient."""

    def loss(scores, labels, where, weights, extras):
        return case.loss(
            scores, labels, where=where, weights=weights, key=key_of(case), **extras
        )

    return jax.jit(jax.value_and_grad(loss))


def key_of(case):
    """A key for losses that draw."""
    return KEY if case.draws else None


def evaluate(case, items, weighted=False):
    """Value and gradient of a padded list."""
    weights = items.weights if weighted else np.ones(SIZE)
    value, gradient = value_and_gradient(case)(
        items.scores, items.labels, items.where, weights, items.extras(case.extras)
    )
    return float(value), np.asarray(gradient)


@every_sure_loss
@given(items=ranked_lists(), weighted=st.booleans())
@example(items=TIED, weighted=True)
def test_equals_the_slow_reference(case, items, weighted):
    """The value is that of loops over the real items, and in its range."""
    real = items.real()
    weights = real.weights if weighted else np.ones(len(real.scores))
    extras = real.extras(case.extras)
    expected = case.reference(real.scores, real.labels, weights, **extras)
    value, _ = evaluate(case, items, weighted)
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-11)
    low, high = case.bounds
    assert low - 1e-12 <= value <= high + 1e-12


@every_sure_loss
@given(items=ranked_lists(), order=permutations(), weighted=st.booleans())
@example(items=TIED, order=[5, 4, 3, 2, 1, 0], weighted=True)
def test_permuting_items_permutes_the_gradient(case, items, order, weighted):
    """No loss depends on the order of the rows, ties in scores and labels included."""
    value, gradient = evaluate(case, items, weighted)
    permuted_value, permuted_gradient = evaluate(case, items.permute(order), weighted)
    np.testing.assert_allclose(permuted_value, value, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        permuted_gradient, gradient[np.array(order)], rtol=1e-9, atol=1e-11
    )


@every_loss
@given(
    items=ranked_lists(),
    garbage=st.lists(
        st.sampled_from([np.nan, np.inf, -np.inf, 1e30, 7.0]), min_size=5, max_size=5
    ),
)
def test_padding_changes_nothing(case, items, garbage):
    """What stands at masked positions is not seen, and its gradient is exactly 0."""
    value, gradient = evaluate(case, items, weighted=True)
    dirty = RankedList(*(column.copy() for column in items))
    for column, bad in zip((dirty.scores, dirty.labels), garbage, strict=False):
        column[~items.where] = bad
    dirty.weights[~items.where] = abs(garbage[2]) if garbage[2] == 7.0 else 1.0
    dirty.other[~items.where], dirty.position[~items.where] = garbage[3:]
    dirty_value, dirty_gradient = evaluate(case, dirty, weighted=True)
    assert dirty_value == value
    np.testing.assert_array_equal(dirty_gradient, gradient)
    np.testing.assert_array_equal(gradient[~items.where], 0.0)


@every_loss
@given(items=ranked_lists(), dropped=st.integers(0, SIZE - 1))
def test_weight_0_removes_an_item(case, items, dropped):
    """Weight 0 and no item are the same."""
    zero = items._replace(
        weights=np.where(np.arange(SIZE) == dropped, 0.0, items.weights)
    )
    gone = items._replace(where=items.where & (np.arange(SIZE) != dropped))
    a, b = evaluate(case, zero, weighted=True), evaluate(case, gone, weighted=True)
    assert a[0] == b[0]
    np.testing.assert_array_equal(a[1], b[1])


@losses_with("repeats")
@given(items=ranked_lists())
def test_weight_k_repeats_an_item(case, items):
    """Weight k is the item k times."""
    value, gradient = evaluate(case, items, weighted=True)
    counts = (items.weights * items.where).astype(int)
    repeated = [np.repeat(column, counts) for column in items]
    copies = RankedList(*repeated)
    extras = copies.extras(case.extras)
    expected = case.reference(
        copies.scores, copies.labels, np.ones(len(copies.scores)), **extras
    )
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12)
    assert np.isfinite(gradient).all()


@losses_with("shift")
@given(items=ranked_lists(), constant=st.sampled_from([-3.0, 0.1, 50.0]))
def test_adding_a_constant_changes_nothing(case, items, constant):
    """Value and gradient stay, and the gradient sums to 0."""
    value, gradient = evaluate(case, items, weighted=True)
    moved = evaluate(
        case, items._replace(scores=items.scores + constant), weighted=True
    )
    np.testing.assert_allclose(moved[0], value, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(moved[1], gradient, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(gradient.sum(), 0.0, atol=1e-10)


@losses_with("smooth")
@given(items=ranked_lists(ties=False, spread=1e-3))
def test_gradient_equals_central_differences(case, items):
    """The closed-form gradients are the derivatives; λ-weights are constant between
    two swaps of ranks.
    """
    margins = np.abs(items.scores[:, None] - items.scores)
    for kink in (0.5, 1.0, 2.0, 3.0):  # of hinge and quantile losses
        assume(np.abs(margins - kink).min() > 1e-4)
    _, gradient = evaluate(case, items, weighted=True)
    h = 1e-5
    for i in np.flatnonzero(items.where):
        step = h * (np.arange(SIZE) == i)
        up, _ = evaluate(case, items._replace(scores=items.scores + step), True)
        down, _ = evaluate(case, items._replace(scores=items.scores - step), True)
        slope = (up - down) / (2 * h)
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-5, atol=1e-7)


@losses_with("convex")
@given(
    items=ranked_lists(),
    other=st.lists(st.floats(-5, 5), min_size=SIZE, max_size=SIZE),
    t=st.floats(0.05, 0.95),
)
def test_convex_along_segments(case, items, other, t):
    """f(a + t (b − a)) ≤ (1 − t) f(a) + t f(b)."""
    a, b = items.scores, np.array(other)
    f = lambda s: evaluate(case, items._replace(scores=s), weighted=True)[0]
    assert f((1 - t) * a + t * b) <= (1 - t) * f(a) + t * f(b) + 1e-9


@losses_with("zero_on_equal_labels")
@given(items=ranked_lists(), label=st.sampled_from([0.0, 1.0, 3.0]))
def test_equal_labels_say_nothing(case, items, label):
    """Value and gradient are 0 if a list has no two distinct labels."""
    value, gradient = evaluate(case, items._replace(labels=np.full(SIZE, label)), True)
    assert value == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


@every_loss
def test_empty_list_and_one_item(case):
    """Lists without any item, and for ranking losses with a single one, are worth 0."""
    nothing = TIED._replace(where=np.zeros(SIZE, bool))
    value, gradient = evaluate(case, nothing)
    assert value == 0.0
    np.testing.assert_array_equal(gradient, 0.0)
    if case.zero_on_one_item:
        value, gradient = evaluate(case, TIED._replace(where=np.arange(SIZE) == 1))
        assert abs(value) < 1e-15
        np.testing.assert_allclose(gradient, 0.0, atol=1e-15)


@one_row_a_loss
def test_batch_is_a_loop_and_jit_changes_nothing(case):
    """Leading axes are the batch; jit, no jit and vmap agree."""
    rng = np.random.default_rng(0)
    s, y = rng.normal(size=(2, 3, 5)), rng.integers(0, 4, (2, 3, 5)).astype(float)
    where = rng.random((2, 3, 5)) < 0.8
    extras = {name: rng.integers(1, 9, (2, 3, 5)) / 2 for name in case.extras}
    function = lambda s, y, w, e: case.loss(s, y, where=w, key=key_of(case), **e)
    batch = function(s, y, where, extras)
    assert batch.shape == (2, 3)
    np.testing.assert_allclose(
        jax.jit(function)(s, y, where, extras), batch, rtol=1e-11, atol=1e-15
    )
    if case.draws:  # one list alone sees other draws
        return
    alone = jax.jit(function)
    for i in np.ndindex(2, 3):
        one = alone(s[i], y[i], where[i], {k: v[i] for k, v in extras.items()})
        np.testing.assert_allclose(batch[i], one, rtol=1e-11, atol=1e-15)
    mapped = jax.jit(jax.vmap(jax.vmap(function)))(s, y, where, extras)
    np.testing.assert_allclose(mapped, batch, rtol=1e-11, atol=1e-15)


@every_loss
def test_extreme_scores_stay_finite(case):
    """Scores of ±1e4 in single precision, in order, in reverse and mixed."""
    y = jnp.array([3.0, 2, 1, 0, 0, 1], jnp.float32)
    extras = {name: jnp.arange(1.0, 7.0, dtype=jnp.float32) for name in case.extras}
    loss = functools.partial(case.loss, key=key_of(case), **extras)
    value_and_slope = jax.jit(jax.value_and_grad(loss))
    for s in (
        [1e4, 5e3, 0, -5e3, -1e4, 1.0],
        [-1e4, -5e3, 0, 5e3, 1e4, 1e4],
        [1e4] * 6,
    ):
        value, gradient = value_and_slope(jnp.array(s, jnp.float32), y)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


@one_row_a_loss
def test_single_precision_is_close_to_double(case):
    """Gradients agree to 1e-5 of the largest component."""
    rng = np.random.default_rng(0)
    s, y = 3 * rng.normal(size=(8, 40)), rng.integers(0, 4, (8, 40)).astype(float)
    extras = {name: rng.integers(1, 9, (8, 40)) / 2 for name in case.extras}
    total = lambda s, y: case.loss(s, y, key=key_of(case), **extras).sum()
    gradient = jax.jit(jax.grad(total))
    exact = gradient(s, y)
    single = gradient(s.astype(np.float32), y.astype(np.float32))
    assert single.dtype == np.float32
    worst = np.abs(single - exact).max() / np.abs(exact).max()
    assert worst < 1e-5


@every_loss
def test_strict_dtype_promotion(case):
    """No loss relies on JAX to mix dtypes; integer labels and weights are fine."""
    with jax.numpy_dtype_promotion("strict"):
        extras = {name: jnp.array([1, 2, 3]) for name in case.extras}
        loss = functools.partial(case.loss, key=key_of(case), **extras)
        value, gradient = jax.eval_shape(
            jax.value_and_grad(loss),
            jnp.array([0.5, 1.0, 2.0], jnp.float32),
            jnp.array([1, 0, 2]),
            where=jnp.array([True, True, False]),
            weights=jnp.array([1, 2, 1]),
        )
    assert value.dtype == jnp.float32
    assert gradient.dtype == jnp.float32
