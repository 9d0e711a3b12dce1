"""Relaxations: golden values, identities, ties, limits of the temperature."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.cases_relaxations import neural_sort as slow_neural_sort
from support.cases_relaxations import soft_rank as slow_soft_rank

from ltr.losses.relaxations import (
    approx_mrr_loss,
    approx_ndcg_loss,
    gumbel_ndcg_loss,
    smooth_ap_loss,
    smooth_ranks,
)
from ltr.losses.sorting import (
    neural_ndcg_loss,
    neural_sort,
    neural_sort_cross_entropy_loss,
    soft_rank,
    soft_sort,
    soft_spearman_loss,
)

pytestmark = pytest.mark.usefixtures("x64")

S = np.array([1.2, 0.3, -0.5, 2.0, 0.8])
Y, BINARY = np.array([3.0, 1, 0, 2, 0]), np.array([1.0, 0, 0, 1, 0])
NOISE = np.array([0.1, -0.3, 0.9, 0.2, -0.5])
PIRANK = {"sinkhorn_iterations": 0}
GOLDEN = [
    (approx_mrr_loss, BINARY, {}, -0.7476270748837727),
    (approx_mrr_loss, BINARY, {"temperature": 1.0}, -0.47944906274795773),
    (gumbel_ndcg_loss, Y, {"noise": NOISE[None]}, -0.8310003932899329),
    (smooth_ap_loss, [0.0, 1, 0, 1, 0], {}, 0.25),
    (smooth_ap_loss, [0.0, 1, 0, 1, 0], {"temperature": 0.5}, 0.33580075787204056),
    (neural_ndcg_loss, Y, PIRANK, -0.845061938272688),
    (neural_ndcg_loss, Y, {}, -0.8241034159455508),
    (neural_ndcg_loss, Y, {"relaxation": "soft_sort", **PIRANK}, -0.7843059419766402),
    (neural_sort_cross_entropy_loss, [4.0, 1, 0, 3, 2], {}, 1.174690967487082),
]


@pytest.mark.parametrize(("loss", "labels", "options", "expected"), GOLDEN)
def test_golden(loss, labels, options, expected):
    """Values of an independent program."""
    value = loss(S, np.array(labels), **options)
    np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12)


def test_golden_matrices_and_ranks():
    """First rows of the relaxed permutations, and soft ranks."""
    first = [0.28156719582925827, 0.006961334019263897, 2.574206448815424e-05]
    first += [0.6266393184388676, 0.08480640964812207]
    np.testing.assert_allclose(neural_sort(S)[0], first, atol=1e-13)
    first = [0.22295976528148195, 0.09064867590633598, 0.04073107564359168]
    first += [0.496206083041012, 0.14945440012757835]
    np.testing.assert_allclose(soft_sort(S)[0], first, atol=1e-13)
    np.testing.assert_allclose(soft_rank(S), [2.56, 3.46, 4.26, 1.76, 2.96])
    np.testing.assert_array_equal(soft_rank(S, strength=0.1), [2, 4, 5, 1, 3])


def test_smooth_ranks_sum_like_ranks():
    """Σ r̂ = n (n + 1) / 2, and all ranks are in the middle at high temperature."""
    where = jnp.ones(5, bool)
    np.testing.assert_allclose(smooth_ranks(jnp.array(S), where, 0.3).sum(), 15)
    np.testing.assert_allclose(smooth_ranks(jnp.array(S), where, 1e9), 3, rtol=1e-8)


@pytest.mark.parametrize(
    "loss", [approx_ndcg_loss, approx_mrr_loss, smooth_ap_loss, neural_ndcg_loss]
)
def test_scores_and_temperature_scale_together(loss):
    """L(s; T) = L(s / T; 1), also in the derivative by T."""
    by_temperature = jax.value_and_grad(lambda t: loss(S, Y, temperature=t))
    by_scale = jax.value_and_grad(lambda t: loss(S / t, Y, temperature=1.0))
    for a, b in zip(by_temperature(0.7), by_scale(0.7), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_low_temperature_gives_the_metric():
    """−NDCG, −mean reciprocal rank and 1 − AP of the order 3, 0, 4, 1, 2."""
    ndcg = 0.8354477690557448
    close = {"temperature": 1e-3}
    np.testing.assert_allclose(approx_ndcg_loss(S, Y, **close), -ndcg, atol=1e-9)
    np.testing.assert_allclose(neural_ndcg_loss(S, Y, **close), -ndcg, atol=1e-9)
    np.testing.assert_allclose(approx_mrr_loss(S, BINARY, **close), -0.75, atol=1e-9)
    np.testing.assert_allclose(smooth_ap_loss(S, BINARY, **close), 0.0, atol=1e-9)


def test_gumbel_noise():
    """A key is needed and repeats; the mean over all draws is that over the samples."""
    with pytest.raises(
        ValueError,
        match="key is required by gumbel_ndcg_loss without noise; got None. Pass",
    ):
        gumbel_ndcg_loss(S, Y)
    with pytest.raises(
        ValueError, match="n_samples must be a whole number >= 1; got 0."
    ):
        gumbel_ndcg_loss(S, Y, key=jax.random.key(0), n_samples=0)
    key = jax.random.key(3)
    noise = jax.random.gumbel(key, (4, 5))
    drawn = gumbel_ndcg_loss(S, Y, key=key, n_samples=4, gumbel_temperature=2.0)
    each = [approx_ndcg_loss((S + g) / 2.0, Y) for g in noise]
    np.testing.assert_allclose(drawn, np.mean(each), rtol=1e-12)


def test_gumbel_ndcg_estimates_an_expectation():
    """The NDCG of two items under Plackett-Luce, at a low temperature."""
    s, y = jnp.array([0.5, 0.0]), jnp.array([1.0, 0.0])
    value = gumbel_ndcg_loss(
        s, y, key=jax.random.key(0), n_samples=40_000, temperature=1e-3
    )
    first = 1 / (1 + np.exp(-0.5))
    expected = -(first + (1 - first) / np.log2(3))
    np.testing.assert_allclose(value, expected, atol=0.005)


def test_gumbel_noise_of_padding_is_not_seen():
    """Noise that is NaN at masked positions changes nothing."""
    where = jnp.array([True, True, True, True, False])
    value = gumbel_ndcg_loss(S, Y, where=where, noise=NOISE[None])
    dirty = NOISE.copy()
    dirty[4] = np.nan
    assert gumbel_ndcg_loss(S, Y, where=where, noise=dirty[None]) == value


@pytest.mark.parametrize("sort", [neural_sort, soft_sort])
def test_relaxed_permutations(sort):
    """Rows sum to 1, their largest entries are the order, the limit is exact."""
    matrix = sort(S)
    np.testing.assert_allclose(matrix.sum(-1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(matrix.argmax(-1), np.argsort(-S))
    np.testing.assert_allclose(sort(S, temperature=1e-3) @ S, np.sort(S)[::-1])


@pytest.mark.parametrize("sort", [neural_sort, soft_sort])
def test_relaxed_permutation_of_a_padded_list(sort):
    """Padding anywhere leaves the matrix of the real items, and zeros."""
    where = np.array([True, False, True, True, True])
    padded = np.where(where, S, np.nan)
    expected = np.zeros((5, 5))
    expected[:4, where] = sort(S[where])
    np.testing.assert_allclose(sort(padded, where=where), expected, atol=1e-14)


def test_neural_sort_equals_the_formula():
    """Gaps of the sorted list give the exponents of the paper, ties included."""
    rng = np.random.default_rng(0)
    for s in (rng.normal(size=9), rng.integers(0, 3, 9).astype(float), np.zeros(3)):
        np.testing.assert_allclose(neural_sort(s), slow_neural_sort(s), rtol=1e-9)


@pytest.mark.parametrize("relaxation", ["neural_sort", "soft_sort"])
def test_gradient_at_ties_is_the_mean_over_the_orders(relaxation):
    """Tied scores have the mean of the gradients of all ways to break the tie."""
    s, y = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 3.0, 1.0, 0.0])
    loss = lambda s: neural_ndcg_loss(s, y, relaxation=relaxation, **PIRANK)
    gradient = jax.jit(jax.grad(loss))
    broken = [
        gradient(s + np.array([0, *order]) * 1e-7)
        for order in itertools.permutations([-1.0, 0.0, 1.0])
    ]
    np.testing.assert_allclose(gradient(s), np.mean(broken, axis=0), atol=1e-5)


def test_gradient_of_equal_scores():
    """The component that jnp.abs would make 1.215 (specs) is −0.292."""
    gradient = jax.grad(lambda s: neural_ndcg_loss(s, Y, **PIRANK))(np.zeros(5))
    np.testing.assert_allclose(gradient[0], -0.292, atol=1e-3)


def test_columns_need_sinkhorn():
    """Without it −NDCG can fall below −1."""
    s, y = np.array([2.0, 2, 0.85, -20, -10]), np.array([1.0, 1, 0, 0, 0])
    np.testing.assert_allclose(neural_ndcg_loss(s, y, **PIRANK), -1.0564, atol=1e-4)
    assert neural_ndcg_loss(s, y, sinkhorn_iterations=1000) >= -1 - 1e-6


def test_soft_ranks_equal_the_min_max_formula():
    """Pooling finds the isotonic regression; the sum is that of the ranks."""
    rng = np.random.default_rng(0)
    for n, strength in itertools.product((1, 2, 7, 30), (0.05, 0.3, 1.0, 20.0)):
        s = rng.normal(size=n).round(1)
        ranks = soft_rank(s, strength=strength)
        np.testing.assert_allclose(ranks, slow_soft_rank(s, strength), rtol=1e-9)
        np.testing.assert_allclose(ranks.sum(), n * (n + 1) / 2)


def test_soft_ranks_of_a_padded_batch():
    """Leading axes are the batch; masked positions have rank 0 and gradient 0."""
    rng = np.random.default_rng(1)
    s, where = rng.normal(size=(2, 3, 6)), rng.random((2, 3, 6)) < 0.7
    s[~where] = np.nan
    function = lambda s: soft_rank(s, where=where, strength=2.0)
    ranks, gradient = function(s), jax.grad(lambda s: (function(s) ** 2).sum())(s)
    for i in np.ndindex(2, 3):
        expected = slow_soft_rank(s[i][where[i]], 2.0)
        np.testing.assert_allclose(ranks[i][where[i]], expected, rtol=1e-9)
    assert (ranks[~where] == 0).all()
    assert (gradient[~where] == 0).all()
    assert np.isfinite(gradient).all()


def test_soft_spearman_of_equal_orders_is_0():
    """Scores far apart have exact ranks."""
    value, gradient = jax.value_and_grad(soft_spearman_loss)(10 * Y, np.array(Y))
    np.testing.assert_allclose(value, 0.0, atol=1e-15)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-15)


def test_wrong_options():
    """The errors say what is allowed."""
    with pytest.raises(ValueError, match="relaxation must be one of 'neural_sort'"):
        neural_ndcg_loss(S, Y, relaxation="softsort")
    with pytest.raises(
        ValueError, match="k must be a whole number >= 1, or None; got 0."
    ):
        neural_ndcg_loss(S, Y, k=0)
    with pytest.raises(
        ValueError, match="sinkhorn_iterations must be a whole number >= 0; got"
    ):
        neural_ndcg_loss(S, Y, sinkhorn_iterations=-1)
