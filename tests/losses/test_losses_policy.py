"""PL-Rank and Rank-GRPO: goldens, exact expectations over all orders, laws."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.cases_policy import CASES, all_orders, expected_reward, one_sample_gradient

from ltr.losses.grpo import (
    causal_dcg_rewards,
    group_advantages,
    leave_one_out_advantages,
    rank_grpo_loss,
)
from ltr.losses.policy import (
    order_log_probs,
    pl_rank_gradient,
    pl_rank_loss,
    sample_orders,
)

pytestmark = pytest.mark.usefixtures("x64")

S, RELEVANCE = np.array([0.5, -0.2, 0.1]), np.array([1.0, 0.0, 2.0])
THETA = np.array([1.0, 0.6309297535714575, 0.5])
ESTIMATORS = ("pl_rank_1", "pl_rank_2", "pl_rank_3")
every_estimator = pytest.mark.parametrize("estimator", [*ESTIMATORS, "reinforce"])
close = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12)

OLD = np.array([[-0.8, -0.5, 0], [-1.2, -0.4, 0], [-1.5, -0.9, 0]])
NEW = np.array([[-0.7, -0.52, 0], [-1.3, -0.35, 0], [-1.47, -0.7, 0]])
REWARDS = np.array([[1, 0, 0], [w := 1 / math.log2(3), w, 0], [0.5, 0.5, 0.5]])


def exact(s, relevance, theta, estimator, where=None):
    """Expectation of the estimate over all orders, or over all pairs of them."""
    real = np.arange(len(s)) if where is None else np.flatnonzero(where)
    pad = [i for i in range(len(s)) if i not in real]
    drawn = [([*real[list(order)], *pad], p) for order, p in all_orders(s[real])]
    size = 2 if estimator == "reinforce" else 1
    samples = list(itertools.product(drawn, repeat=size))
    orders = jnp.array([[order for order, _ in sample] for sample in samples])
    p = np.array([math.prod(p for _, p in sample) for sample in samples])
    f = lambda order: pl_rank_gradient(
        s, order, relevance, theta, where=where, estimator=estimator
    )
    return p, np.asarray(jax.vmap(f)(orders))


@pytest.mark.parametrize(
    ("k", "value", "gradient"),
    [
        (3, 2.1786161222200713, [-0.011239769399106703, -0.1519922811964037, 0.1632320505955098]),
        (2, 1.747720478410416, [-0.0020134897959983022, -0.3835361084086555, 0.3855495982046534]),
    ],
)  # fmt: skip
@every_estimator
def test_golden_expectations(k, value, gradient, estimator):
    """Expected reward and its gradient, by enumeration of all orders."""
    close(expected_reward(S, RELEVANCE, THETA[:k]), value)
    p, gradients = exact(S, RELEVANCE, THETA[:k], estimator)
    close(p @ gradients, gradient)


@pytest.mark.parametrize(
    ("estimator", "gradient"),
    [
        ("pl_rank_1", [-1.0047913121404428, -0.8122750423345519, 1.8170663544749943]),
        ("pl_rank_2", [-0.7526538958896523, -0.8122750423345519, 0.43575516438461104]),
        ("pl_rank_3", [-0.7526538958896523, -0.8122750423345519, 0.43575516438461104]),
    ],
)
def test_golden_one_sample(estimator, gradient):
    """One given order."""
    order = jnp.array([[2, 0, 1]])
    close(pl_rank_gradient(S, order, RELEVANCE, THETA, estimator=estimator), gradient)


@every_estimator
@pytest.mark.parametrize("n_ranks", [1, 2, 4, 7])
def test_unbiased(estimator, n_ranks):
    """In expectation over all orders of 4 items the estimate is the gradient."""
    rng = np.random.default_rng(n_ranks)
    s, relevance, theta = (
        rng.normal(size=4),
        rng.normal(size=4),
        rng.normal(size=n_ranks),
    )
    p, gradients = exact(s, relevance, theta, estimator)
    h, slopes = 1e-6, []
    for i in range(4):
        step = h * (np.arange(4) == i)
        up = expected_reward(s + step, relevance, theta)
        slopes.append((up - expected_reward(s - step, relevance, theta)) / (2 * h))
    close(p @ gradients, slopes, rtol=1e-7, atol=1e-9)
    close((p @ gradients).sum(), 0.0)


@every_estimator
def test_unbiased_with_padding(estimator):
    """Masked items are not drawn, whatever they hold, and have gradient 0."""
    where = np.array([True, False, True, False, True])
    s, relevance = np.array([0.5, np.nan, -0.2, 9, 0.1]), np.array([1, np.nan, 0, 9, 2])
    p, gradients = exact(s, relevance, THETA, estimator, where)
    p_real, real = exact(s[where], relevance[where], THETA, estimator)
    close(p @ gradients[:, where], p_real @ real)
    np.testing.assert_array_equal(gradients[:, ~where], 0.0)


def test_versions_of_single_samples():
    """Each order: the estimates as printed, 2 = 3, and which of them sum to 0."""
    rng = np.random.default_rng(0)
    s, relevance, theta = rng.normal(size=(3, 4))
    for order, _ in all_orders(s):
        estimate = {
            name: pl_rank_gradient(
                s, jnp.array([order]), relevance, theta, estimator=name
            )
            for name in ESTIMATORS
        }
        close(estimate["pl_rank_1"], one_sample_gradient(s, order, relevance, theta, 1))
        close(estimate["pl_rank_2"], one_sample_gradient(s, order, relevance, theta, 2))
        close(estimate["pl_rank_3"], estimate["pl_rank_2"])
        close(estimate["pl_rank_1"].sum(), 0.0)


def test_variance_falls():
    """PL-Rank-2 and 3 vary less than PL-Rank-1."""
    for seed in range(5):
        s, relevance = np.random.default_rng(seed).normal(size=(2, 4))
        variance = {}
        for name in ("pl_rank_1", "pl_rank_2", "pl_rank_3"):
            p, g = exact(s, relevance**2, THETA, name)
            variance[name] = (p @ g**2 - (p @ g) ** 2).sum()
        assert variance["pl_rank_3"] < 0.9 * variance["pl_rank_1"]
        close(variance["pl_rank_2"], variance["pl_rank_3"])


def test_reinforce_is_the_score_function():
    """Leave-one-out advantages times the gradient of log PL."""
    rng = np.random.default_rng(0)
    s, relevance = rng.normal(size=4), rng.normal(size=4)
    orders = sample_orders(s, jax.random.key(1), n_samples=5)
    rewards = jnp.array(
        [sum(THETA * relevance[order[:3]]) for order in np.asarray(orders)]
    )
    advantages = leave_one_out_advantages(rewards)
    log_prob = lambda s: order_log_probs(s, orders)[:, :3].sum(-1)
    expected = jax.grad(lambda s: jnp.mean(advantages * log_prob(s)))(jnp.array(s))
    close(
        pl_rank_gradient(s, orders, relevance, THETA, estimator="reinforce"), expected
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_loss_estimates_the_expectation(case):
    """Mean value and gradient over many samples, within 5 standard errors."""
    options = dict(case.options)
    n = 4 if options.get("estimator") == "reinforce" else 1
    options["n_samples"] = n
    s, y = np.array([0.5, -0.2, 0.1, 1.0]), np.array([1.0, 0.0, 2.0, 0.0])
    w = np.array([1.0, 1.0, 2.0, 1.0])
    where = np.array([True, True, True, False])
    keys = jax.random.split(jax.random.key(0), 2000)
    f = lambda s, key: pl_rank_loss(s, y, where=where, weights=w, key=key, **options)
    values, gradients = jax.vmap(jax.value_and_grad(f), (None, 0))(jnp.array(s), keys)
    reference = lambda s: case.reference(s[:3], y[:3], w[:3])
    error = lambda x: 5 * np.std(x, axis=0) / math.sqrt(len(x)) + 1e-12
    assert abs(values.mean() - reference(s)) < error(values)
    for i in range(4):
        step = 1e-6 * (np.arange(4) == i)
        slope = (reference(s + step) - reference(s - step)) / 2e-6
        assert abs(gradients[:, i].mean() - slope) < error(gradients)[i] + 1e-9


@every_estimator
def test_loss_is_the_mean_of_its_samples(estimator):
    """Value and gradient are those of the orders that the key draws."""
    rng = np.random.default_rng(0)
    s, y = rng.normal(size=(2, 3, 6)), rng.integers(0, 4, (2, 3, 6)).astype(float)
    where, key = rng.random((2, 3, 6)) < 0.8, jax.random.key(3)
    loss = lambda s: pl_rank_loss(
        s, y, where=where, key=key, k=3, n_samples=5, estimator=estimator, metric="dcg"
    )
    value, gradient = loss(s), jax.grad(lambda s: loss(s).sum())(s)
    orders = sample_orders(s, key, n_samples=5, where=where)
    assert orders.shape == (2, 3, 5, 6)
    gain = where * (2.0**y - 1)
    theta = 1 / np.log2([2, 3, 4])
    for i in np.ndindex(2, 3):
        assert (np.sort(orders[i], axis=-1) == np.arange(6)).all()
        n = where[i].sum()
        assert where[i][orders[i][:, :n]].all()
        informative = len(set(y[i][where[i]])) > 1
        dcg = np.mean([gain[i][order[:3]] @ theta for order in np.asarray(orders[i])])
        close(value[i], -dcg if informative else 0.0)
        each = pl_rank_gradient(
            s[i], orders[i], gain[i], theta, where=where[i], estimator=estimator
        )
        close(gradient[i], -each if informative else np.zeros(6))


@every_estimator
def test_laws_of_the_loss(estimator):
    """Padding, jit, precision, shift, weight 0, degenerate lists, extreme scores."""
    rng = np.random.default_rng(0)
    s, y = 3 * rng.normal(size=(8, 12)), rng.integers(0, 4, (8, 12)).astype(float)
    where, key = rng.random((8, 12)) < 0.8, jax.random.key(3)
    loss = functools.partial(pl_rank_loss, key=key, estimator=estimator)
    gradient_of = jax.grad(lambda *args: loss(*args[:2], where=args[2]).sum())
    both = lambda s, y, where: (loss(s, y, where=where), gradient_of(s, y, where))
    jitted = jax.jit(both)
    value, gradient = jitted(s, y, where)
    assert ((value >= -1) & (value <= 0)).all()
    dirty = jitted(np.where(where, s, np.nan), np.where(where, y, np.nan), where)
    np.testing.assert_array_equal(dirty[0], value)
    np.testing.assert_array_equal(dirty[1], gradient)
    np.testing.assert_array_equal(gradient[~where], 0.0)
    by_weight = jax.grad(lambda s: loss(s, y, weights=where).sum())(s)
    close(by_weight, gradient)  # weight 0 and no item are the same; so is jit or not
    close(jitted(s + 7.0, y, where)[1], gradient, rtol=1e-9, atol=1e-11)
    if estimator in ("pl_rank_1", "reinforce"):
        close(gradient.sum(-1), np.zeros(8))
    single = jitted(s.astype(np.float32), y.astype(np.float32), where)
    assert single[1].dtype == np.float32
    assert np.abs(single[1] - gradient).max() / np.abs(gradient).max() < 1e-5
    for nothing in (jitted(s, 0 * y + 2, where), jitted(s, y, where & False)):
        np.testing.assert_array_equal(nothing[0], 0.0)
        np.testing.assert_array_equal(nothing[1], 0.0)
    y = jnp.array([3.0, 2, 1, 0, 0, 1], jnp.float32)
    for extreme in (
        [1e4, 5e3, 0, -5e3, -1e4, 1.0],
        [-1e4, -5e3, 0, 5e3, 1e4, 1e4],
        [1e4] * 6,
    ):
        pair = jitted(jnp.array(extreme, jnp.float32), y, np.ones(6, bool))
        assert np.isfinite(pair[0])
        assert np.isfinite(pair[1]).all()


def test_strict_dtypes_and_rank_weights():
    """Integer inputs under strict promotion; θ may be given, cut or padded."""
    with jax.numpy_dtype_promotion("strict"):
        loss = functools.partial(pl_rank_loss, key=jax.random.key(0), n_samples=4)
        s, y = jnp.array([0.5, 1.0, 2.0], jnp.float32), jnp.array([1, 0, 2])
        values = [
            jax.value_and_grad(functools.partial(loss, **options))(s, y)
            for options in (
                {"k": 2},
                {"rank_weights": jnp.array([1.0, 1 / math.log2(3)])},
                {"rank_weights": jnp.array([1.0, 1 / math.log2(3), 0, 0, 0])},
                {"k": 2, "rank_weights": 1 / np.log2([2, 3, 4, 5, 6])},
            )
        ]
        weighted = loss(s, y, weights=jnp.array([1, 2, 1]), where=jnp.ones(3, bool))
    assert weighted.dtype == jnp.float32
    for value, gradient in values[1:]:
        close(value, values[0][0], rtol=1e-6)
        close(gradient, values[0][1], rtol=1e-5, atol=1e-6)


def test_one_draw_follows_the_softmax():
    """The first item of sampled orders is drawn with probability ∝ e^s."""
    s, n = np.array([0.5, -1.0, 2.0, 0.0]), 20_000
    first = sample_orders(s, jax.random.key(0), n_samples=n)[:, 0]
    p = np.exp(s) / np.exp(s).sum()
    share = np.bincount(first, minlength=4) / n
    assert (np.abs(share - p) < 5 * np.sqrt(p / n)).all()


def test_order_log_probs_are_those_of_the_orders():
    """Their sums give probabilities of all orders that sum to 1; gradients exist."""
    drawn = all_orders(S)
    orders = jnp.array([order for order, _ in drawn])
    close(np.exp(order_log_probs(S, orders).sum(-1)), [p for _, p in drawn])
    where = np.array([True, False, True])
    f = lambda s: order_log_probs(s, jnp.array([[2, 0, 1]]), where=where)
    dirty = jnp.array([0.5, np.nan, 0.1])
    close(f(dirty), [[0.1 - math.log(math.exp(0.5) + math.exp(0.1)), 0, 0]])
    gradient = jax.grad(lambda s: f(s).sum())(dirty)
    p = 1 / (1 + math.exp(0.4))
    close(gradient, [p - 1, 0, 1 - p])


def test_wide_scores_take_the_general_path():
    """Scores that spread further than e^x can: the same as where they do not."""
    s, orders = np.array([0.5, -0.2, 0.1, -1e4]), jnp.array([[2, 0, 1, 3]])
    near = pl_rank_gradient(S, orders[:, :3], RELEVANCE, THETA)
    far = pl_rank_gradient(s, orders, np.append(RELEVANCE, 1.0), THETA)
    close(far, np.append(near, 0.0))
    last = jnp.array([[3, 0, 1, 2]])  # an order of probability e^-1e4
    close(order_log_probs(s, last)[0, 0], -1e4 - np.log(np.exp(s[:3]).sum()))
    gradient = jax.grad(lambda s: order_log_probs(s, last)[0, 0])(jnp.array(s))
    close(gradient, [*-np.exp(S) / np.exp(S).sum(), 1.0])
    reverse = jnp.array([[3, 1, 0, 2]])
    relevance = np.append(RELEVANCE, 1.0)
    values = [
        pl_rank_gradient(s, reverse, relevance, THETA, estimator=name)
        for name in ("pl_rank_2", "pl_rank_3")
    ]
    close(values[0], values[1])


def test_policy_errors():
    """Each says what to pass."""
    s = jnp.zeros(2)
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="key is required by pl_rank_loss"):
        pl_rank_loss(s, s)
    with pytest.raises(ValueError, match="estimator must be one of"):
        pl_rank_loss(s, s, key=key, estimator="pl_rank_4")
    with pytest.raises(ValueError, match="n_samples must be >= 2 for estimator"):
        pl_rank_loss(s, s, key=key, estimator="reinforce", n_samples=1)
    with pytest.raises(ValueError, match="n_samples must be >= 1"):
        pl_rank_loss(s, s, key=key, n_samples=0)
    with pytest.raises(ValueError, match="metric must be one of 'ndcg', 'dcg'; got"):
        pl_rank_loss(s, s, key=key, metric="map")
    with pytest.raises(ValueError, match="two samples or more"):
        leave_one_out_advantages(jnp.zeros(1))


def test_leave_one_out():
    """Golden, sum 0, no effect of a constant."""
    r = jnp.array([1.0, 2.0, 4.0])
    close(leave_one_out_advantages(r), [-2.0, -0.5, 2.5])
    close(leave_one_out_advantages(r + 3), [-2.0, -0.5, 2.5])
    close(leave_one_out_advantages(r), 3 / 2 * (r - r.mean()))


def test_rank_grpo_goldens():
    """Rewards, advantages and values of the specification."""
    close(
        causal_dcg_rewards(jnp.array([0.0, 1, 0])),
        [0.6309297535714575, 0.6309297535714575, 0],
    )
    close(causal_dcg_rewards(jnp.eye(3)), REWARDS)
    close(
        group_advantages(REWARDS),
        [
            [1.1168576435890585, -1.1318231894871842, -0.5771503384476663],
            [-0.30603858639563947, 0.7624613771036883, -0.5771503384476663],
            [-0.8108190571934197, 0.369361812383496, 1.1543006768953328],
        ],
    )
    close(rank_grpo_loss(NEW, OLD, REWARDS), -0.019341176292954683)
    with_kl = rank_grpo_loss(NEW, OLD, REWARDS, log_prob_ref=OLD, beta=1e-3)
    close(with_kl, -0.01933777458325851)
    close(rank_grpo_loss(OLD, OLD, REWARDS), 0.0)


def test_rank_grpo_at_ratio_1_is_reinforce():
    """Value 0, and the gradient of −mean A log π."""
    s = jnp.array([0.5, -0.2, 0.1])
    orders = sample_orders(s, jax.random.key(0), n_samples=4)
    rewards = causal_dcg_rewards(jnp.array(RELEVANCE)[orders])
    old, advantages = order_log_probs(s, orders), group_advantages(rewards)
    loss = lambda s: rank_grpo_loss(order_log_probs(s, orders), old, rewards)
    value, gradient = jax.value_and_grad(loss)(s)
    close(value, 0.0)
    surrogate = lambda s: -jnp.mean(advantages * order_log_probs(s, orders))
    close(gradient, jax.grad(surrogate)(s))


def test_group_advantages_laws():
    """Sum 0 at each rank; r + c and r · c have no effect; equal rewards give 0."""
    r = np.random.default_rng(0).normal(size=(2, 5, 3))
    advantages = group_advantages(r)
    close(advantages.sum(-2), np.zeros((2, 3)))
    close(group_advantages(r + 5.0), advantages)
    close(group_advantages(7 * r), advantages, atol=1e-3)
    close(group_advantages(7 * r, scale=False), 7 * group_advantages(r, scale=False))
    np.testing.assert_array_equal(group_advantages(np.full((3, 2), 0.1)), 0.0)


def test_rank_grpo_masks_batches_and_extremes():
    """NaN at masked ranks is not seen; leading axes are groups; ratios stay finite."""
    where = np.array([[True, True, False], [True, True, True], [True, False, False]])
    dirty = lambda x: jnp.where(where, x, jnp.nan)
    f = lambda new, old, r: rank_grpo_loss(new, old, r, where=where, log_prob_ref=old)
    value, gradient = jax.value_and_grad(f)(jnp.array(NEW), OLD, REWARDS)
    seen = jax.value_and_grad(f)(dirty(NEW), dirty(OLD), dirty(REWARDS))
    np.testing.assert_array_equal(seen[0], value)
    np.testing.assert_array_equal(seen[1], gradient)
    np.testing.assert_array_equal(gradient[~where], 0.0)
    np.testing.assert_array_equal(group_advantages(REWARDS, where=where)[1:, 2], 0.0)
    batch = rank_grpo_loss(
        np.stack([NEW, OLD]), np.stack([OLD, OLD]), np.stack([REWARDS] * 2)
    )
    close(batch, [-0.019341176292954683, 0.0])
    assert rank_grpo_loss(NEW, OLD, REWARDS, where=np.zeros((3, 3), bool)) == 0.0
    with jax.numpy_dtype_promotion("strict"):
        far = jnp.array([[1e4, -1e4, 0.0]] * 3, jnp.float32)
        value, gradient = jax.value_and_grad(rank_grpo_loss)(
            far, -far, jnp.array(np.eye(3, dtype=int)), log_prob_ref=-far
        )
    assert value.dtype == jnp.float32
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_rank_grpo_gradient_stops_outside_the_clip():
    """A ratio that is already clipped on the good side has gradient 0."""
    new = jnp.array([[0.5], [0.0]])  # first list: ratio e^0.5 > 1.08, advantage > 0
    f = lambda new: rank_grpo_loss(new, jnp.zeros((2, 1)), jnp.array([[1.0], [0.0]]))
    gradient = jax.grad(f)(new)
    assert gradient[0, 0] == 0.0
    assert gradient[1, 0] > 0
