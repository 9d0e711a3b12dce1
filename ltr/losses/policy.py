"""PL-Rank: train a distribution over orders for its expected metric.

A Plackett-Luce policy draws an order item by item, each with a probability in
proportion to e^score among the items that remain.

Sampled orders have shape (..., n_samples, list_size): item indices, best first, with
the masked positions last.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.losses.declaration import ranking_loss
from ltr.losses.grpo import leave_one_out_advantages
from ltr.losses.kernels.contract import (
    Lists,
    as_dtype,
    check_key,
    has_two_labels,
    prepare,
)
from ltr.losses.kernels.log_sums import LOG_0
from ltr.losses.kernels.loops import item, over_items
from ltr.losses.kernels.ranks import normalized_gains

Estimator = Literal["pl_rank_3", "pl_rank_2", "pl_rank_1", "reinforce"]
_ESTIMATORS = ("pl_rank_3", "pl_rank_2", "pl_rank_1", "reinforce")


@ranking_loss(  # PL-Rank-2 and 3 are shift-invariant in expectation only
    labels="from_0",
    learns_from="two_labels",
    bounds=(-1.0, 0.0),
    curvature="ones",
)
def pl_rank_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    k: int | None = None,
    n_samples: int = 16,
    estimator: Estimator = "pl_rank_3",
    metric: Literal["ndcg", "dcg"] = "ndcg",
    rank_weights: ArrayLike | None = None,
) -> jax.Array:
    r"""Minus the expected NDCG of a Plackett-Luce policy, estimated from samples.

    .. math:: \ell = -\frac{1}{N \, \mathrm{IDCG}} \sum_{b=1}^{N} \sum_{r \le k}
        \theta_r \, w_{\pi_{br}} (2^{y_{\pi_{br}}} - 1), \quad
        \pi_b \sim \mathrm{PL}(s), \quad \theta_r = \frac{1}{\log_2(1 + r)}

    The gradient is not that of the samples, which have none, but an unbiased estimate
    of the gradient of the expectation: see :func:`pl_rank_gradient`.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Log-worths of the policy.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    where : bool array of shape (..., list_size), default=None
        True for real items; the others are never drawn. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 on the gains; the policy draws every item once, so weight 2 is
        not the item twice. None: 1.
    key : PRNG key, default=None
        Required; take a new one at each step. The lists of a batch get independent
        samples.
    k : int, default=None
        Cut-off of the metric, and of IDCG. None: no cut-off.
    n_samples : int, default=16
        N ≥ 1 orders per list; at least 2 for ``"reinforce"``.
    estimator : str, default="pl_rank_3"
        How the gradient is estimated: ``"pl_rank_3"``, ``"pl_rank_2"``,
        ``"pl_rank_1"`` or ``"reinforce"``, see :func:`pl_rank_gradient`.
    metric : {"ndcg", "dcg"}, default="ndcg"
        ``"dcg"`` does not divide by IDCG.
    rank_weights : array of shape (n_ranks,), default=None
        θ ≥ 0 of rank 1, 2, …; 0 beyond. None: :math:`1 / \log_2(1 + r)`.

    Returns
    -------
    loss : array of shape (...)
        In [−1, 0] for ``"ndcg"``; 0 for a list without two distinct labels.

    Raises
    ------
    ValueError
        If ``key`` is missing, ``n_samples`` too small, or ``estimator`` or ``metric``
        unknown.

    Notes
    -----
    O(n_samples · list_size · log list_size) time and O(n_samples · list_size) memory;
    ``"pl_rank_2"`` takes O(n_samples · list_size²) time. The noise is drawn in single
    precision, so both precisions sample the same orders. The components of the gradient
    sum to 0 in expectation; in each sample they do so only for ``"pl_rank_1"`` and
    ``"reinforce"``.

    References
    ----------
    .. [1] Oosterhuis, "Computationally efficient optimization of Plackett-Luce ranking
       models for relevance and fairness", SIGIR 2021 (PL-Rank-1 and 2), and "Learning-
       to-rank at the speed of sampling: Plackett-Luce gradient estimation with minimal
       computational complexity", SIGIR 2022 (PL-Rank-3).
    .. [2] "reinforce": Gao et al., "Policy-gradient training of language models for
       ranking" (PG-rank), arXiv 2310.04407, with a leave-one-out baseline.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> scores, labels = jnp.array([1e4, 0.0]), jnp.array([1, 0])  # a sure order
    >>> pl_rank_loss(scores, labels, key=jax.random.key(0))
    Array(-1., dtype=float32)
    """
    _check_estimator(estimator, n_samples)
    check_choice("metric", metric, ("ndcg", "dcg"))
    key = check_key(key, "pl_rank_loss, which samples orders")
    lists = prepare(scores, labels, where, weights)
    relevance, theta = _relevance(lists, rank_weights, k, metric)
    orders = sample_orders(lists.scores, key, n_samples=n_samples, where=lists.where)
    return -_expected_reward(
        estimator, lists.scores, orders, relevance, theta, lists.where
    )


def sample_orders(
    scores: ArrayLike,
    key: jax.Array,
    *,
    n_samples: int = 1,
    where: ArrayLike | None = None,
) -> jax.Array:
    r"""Draw orders from a Plackett-Luce policy: sort the scores plus Gumbel noise.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Log-worths.
    key : PRNG key
        Not to be used again.
    n_samples : int, default=1
        Orders per list.
    where : bool array of shape (..., list_size), default=None
        True for real items; the others come last in every order. None: all.

    Returns
    -------
    orders : int array of shape (..., n_samples, list_size)
        Item indices, best first. The first k columns are a sample of the top k.

    References
    ----------
    .. [1] Yellott, "The relationship between Luce's choice axiom, Thurstone's theory of
       comparative judgment, and the double exponential distribution", 1977; Kool, van
       Hoof & Welling, "Stochastic beams and where to find them", ICML 2019, section 2.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> sample_orders(jnp.array([0.0, 1e4, -1e4]), jax.random.key(0))
    Array([[1, 0, 2]], dtype=int32)
    """
    lists = prepare(scores, scores, where, None)
    return _draw(lists.scores, key, n_samples, lists.where)


@partial(jax.jit, static_argnames="n_samples")
def _draw(
    scores: jax.Array, key: jax.Array, n_samples: int, where: jax.Array
) -> jax.Array:
    shape = (*scores.shape[:-1], n_samples, scores.shape[-1])
    # The Gumbel trick: sorting s + noise draws an order from Plackett-Luce(s).
    # (..., n_samples, n)
    noise = as_dtype(jax.random.gumbel(key, shape, jnp.float32), scores)
    noisy = jnp.where(where[..., None, :], scores[..., None, :] + noise, -jnp.inf)
    return jnp.argsort(-noisy, axis=-1).astype(jnp.int32)


def order_log_probs(
    scores: ArrayLike, orders: ArrayLike, *, where: ArrayLike | None = None
) -> jax.Array:
    r"""Log-probability of each draw of the given orders under a Plackett-Luce policy.

    .. math:: \log p_r = s_{\pi_r} - \log \sum_{q \ge r} e^{s_{\pi_q}}

    The sum over ranks is the log-probability of an order. With a group of sampled
    orders this is what :func:`rank_grpo_loss` takes: each draw is one token.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Log-worths; gradients flow into them.
    orders : int array of shape (..., n_samples, list_size)
        Item indices, best first, masked positions last.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.

    Returns
    -------
    log_probs : array of shape (..., n_samples, list_size)
        ≤ 0, by rank; 0 at the ranks of masked items.

    References
    ----------
    .. [1] Plackett, "The analysis of permutations", 1975.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> order_log_probs(jnp.zeros(2), jnp.array([[1, 0]])).round(4)  # −log 2, 0
    Array([[-0.6931,  0.    ]], dtype=float32)
    """
    lists = prepare(scores, scores, where, None)
    ranked, log_remaining, real = _by_rank(
        lists.scores, jnp.asarray(orders), lists.where
    )
    return jnp.where(real, ranked - log_remaining, 0.0)


def pl_rank_gradient(
    scores: ArrayLike,
    orders: ArrayLike,
    relevance: ArrayLike,
    rank_weights: ArrayLike,
    *,
    where: ArrayLike | None = None,
    estimator: Estimator = "pl_rank_3",
) -> jax.Array:
    r"""Estimate the gradient of an expected reward from orders sampled by the policy.

    The reward of an order π is :math:`\sum_r \theta_r \rho_{\pi_r}`. With
    :math:`P_r = \sum_{q \ge r} \theta_q \rho_{\pi_q}`, the reward from rank r on, and
    :math:`p_{dr}` the probability that item d is drawn at rank r, the mean over the
    samples of

    .. math::
        \text{PL-Rank-1:} \quad & P_{r(d)} - \sum_{r \le r(d)} p_{dr} P_r \\
        \text{PL-Rank-2, 3:} \quad & P_{r(d)+1}
            + \sum_{r \le r(d)} p_{dr} (\theta_r \rho_d - P_r) \\
        \text{REINFORCE:} \quad & A \, \partial \log \mathrm{PL}(\pi) / \partial s_d

    where A is the leave-one-out advantage of the reward. All are unbiased; 2 and 3 have
    lower variance. These two give the same numbers: 3 has prefix sums in place of a sum
    over the ranks for each item.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Log-worths of the policy that drew the orders.
    orders : int array of shape (..., n_samples, list_size)
        Item indices, best first, masked positions last; see :func:`sample_orders`.
    relevance : array of shape (..., list_size)
        ρ of each item, any real numbers.
    rank_weights : array of shape (n_ranks,)
        θ of rank 1, 2, …, any real numbers; 0 beyond, which is a cut-off.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    estimator : str, default="pl_rank_3"
        ``"pl_rank_3"``, ``"pl_rank_2"``, ``"pl_rank_1"``, or ``"reinforce"``, which
        needs two samples or more.

    Returns
    -------
    gradient : array of shape (..., list_size)
        Of the expected reward, which is to be maximized; 0 at masked positions.

    Raises
    ------
    ValueError
        If ``estimator`` is unknown, or ``"reinforce"`` with one sample.

    References
    ----------
    .. [1] Oosterhuis, SIGIR 2021 (PL-Rank-1 and 2) and SIGIR 2022 (PL-Rank-3), see
       :func:`pl_rank_loss`; as in the author's ``PLRank.py``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> orders = jnp.array([[0, 1], [1, 0]])  # both, for equal scores as likely
    >>> relevance, top_1 = jnp.array([1.0, 0.0]), jnp.array([1.0])
    >>> pl_rank_gradient(jnp.zeros(2), orders, relevance, top_1)  # of e^a / (e^a + e^b)
    Array([ 0.25, -0.25], dtype=float32)
    """
    orders = jnp.asarray(orders)
    _check_estimator(estimator, orders.shape[-2])
    lists = prepare(scores, relevance, where, None)
    theta = _pad(as_dtype(rank_weights, lists.scores), lists.scores.shape[-1])
    return _gradient(estimator, lists.scores, orders, lists.labels, theta, lists.where)


def _check_estimator(estimator: str, n_samples: int) -> None:
    check_choice("estimator", estimator, _ESTIMATORS)
    least = 2 if estimator == "reinforce" else 1
    if n_samples < least:
        raise ValueError(
            f"n_samples must be >= {least} for estimator={estimator!r}; got "
            f"{n_samples}."
        )


@partial(jax.jit, static_argnames=("k", "metric"))
def _relevance(
    lists: Lists, rank_weights: ArrayLike | None, k: int | None, metric: str
) -> tuple[jax.Array, jax.Array]:
    """ρ, what an item at rank r adds to the metric per unit of θ_r, and θ.

    ρ is 0 throughout a list without two distinct labels: all its orders are equally
    good.
    """
    ranks = as_dtype(jnp.arange(1, lists.scores.shape[-1] + 1), lists.scores)
    theta = 1.0 / jnp.log2(1.0 + ranks)
    if rank_weights is not None:
        theta = _pad(as_dtype(rank_weights, lists.scores), ranks.size)
    if k is not None:
        theta = jnp.where(ranks <= k, theta, 0.0)
    if metric == "ndcg":
        gains = lists.weights * normalized_gains(lists, k)[0]
        best = -jnp.sort(-gains, axis=-1) * _like(-jnp.sort(-theta), gains)
        ideal = jnp.sum(best, axis=-1, keepdims=True)
        gains = jnp.where(ideal > 0, gains / jnp.where(ideal > 0, ideal, 1.0), 0.0)
    else:
        gains = lists.weights * (jnp.exp2(lists.labels) - 1.0)
    return jnp.where(lists.where & has_two_labels(lists), gains, 0.0), theta


def _pad(values: jax.Array, n: int) -> jax.Array:
    """Cut a vector to length n, or append zeros."""
    return jnp.pad(values[:n], (0, max(n - values.size, 0)))


def _like(vector: jax.Array, array: jax.Array) -> jax.Array:
    """Put axes of size 1 in front of a vector, one value per place of the last axis."""
    return jnp.reshape(vector, (1,) * (array.ndim - 1) + vector.shape)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _expected_reward(
    estimator: str,
    scores: jax.Array,
    orders: jax.Array,
    relevance: jax.Array,
    theta: jax.Array,
    where: jax.Array,
) -> jax.Array:
    """Mean reward of the orders; its gradient is the estimate."""
    gains = jnp.take_along_axis(relevance[..., None, :], orders, axis=-1)
    return jnp.mean(jnp.sum(gains * _like(theta, gains), axis=-1), axis=-1)


def _forward(
    estimator: str, scores: jax.Array, *rest: jax.Array
) -> tuple[jax.Array, jax.Array]:
    value = _expected_reward(estimator, scores, *rest)
    return value, _gradient(estimator, scores, *rest)


def _backward(
    estimator: str, gradient: jax.Array, cotangent: jax.Array
) -> tuple[jax.Array | None, ...]:
    return gradient * cotangent[..., None], None, None, None, None


_expected_reward.defvjp(_forward, _backward)


@partial(jax.jit, static_argnums=0)
def _gradient(
    estimator: str,
    scores: jax.Array,
    orders: jax.Array,
    relevance: jax.Array,
    theta: jax.Array,
    where: jax.Array,
) -> jax.Array:
    """Compute :func:`pl_rank_gradient`: everything by rank, then back to items.

    With G(x)_d = x_{r(d)} − Σ_{r ≤ r(d)} p_dr x_r, the gradient of Σ_r x_r log p_r,
    PL-Rank-1 is G(P), PL-Rank-2 and 3 are G(P) − ρ_d G(θ)_d, and REINFORCE is G(A).
    """
    ranked, log_remaining, real = _by_rank(scores, orders, where)  # (..., N, n)
    gains = jnp.take_along_axis(relevance[..., None, :], orders, axis=-1)
    theta = jnp.broadcast_to(_like(theta, gains), gains.shape)
    rewards = theta * gains
    to_come = jax.lax.cumsum(rewards, axis=rewards.ndim - 1, reverse=True)
    if estimator == "reinforce":
        advantage = leave_one_out_advantages(to_come[..., 0])[..., None]
        # Draws after the last rank with θ ≠ 0 do not matter to the reward.
        matters = as_dtype(theta != 0, theta)
        matters = jax.lax.cummax(matters, axis=matters.ndim - 1, reverse=True)
        steps = jnp.stack([advantage * matters])
    elif estimator == "pl_rank_1":
        steps = jnp.stack([to_come])
    else:
        steps = jnp.stack([to_come, theta])
    expected = _by_summing if estimator == "pl_rank_2" else _by_prefix_sums
    by_rank, *own = steps - expected(ranked[None], log_remaining[None], steps)
    if own:
        by_rank -= gains * own[0]
    by_item = jnp.put_along_axis(
        jnp.zeros_like(by_rank),
        orders,
        jnp.where(real, by_rank, 0.0),
        axis=-1,
        inplace=False,
    )
    return jnp.mean(by_item, axis=-2)


@jax.jit
def _by_rank(
    scores: jax.Array, orders: jax.Array, where: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Score of the item at each rank, log of the worth left, and whether it is real."""
    top = jnp.max(scores, axis=-1, keepdims=True, where=where, initial=LOG_0)
    centered = jnp.where(where, scores - jax.lax.stop_gradient(top), LOG_0)
    ranked = jnp.take_along_axis(centered[..., None, :], orders, axis=-1)
    return ranked, _log_remaining(ranked), ranked > LOG_0 / 2


def _log_remaining(ranked: jax.Array) -> jax.Array:
    """Log of Σ_{q ≥ r} e^{s_q}; while e^s stays in range, without a log per step."""
    axis = ranked.ndim - 1
    limit = 0.7 * jnp.log(jnp.finfo(ranked.dtype).tiny)

    def in_range() -> jax.Array:
        total = jax.lax.cumsum(jnp.exp(ranked), axis=axis, reverse=True)
        is_sum = total > 0
        return jnp.where(is_sum, jnp.log(jnp.where(is_sum, total, 1.0)), LOG_0)

    def wide() -> jax.Array:
        return jax.lax.cumlogsumexp(ranked, axis=axis, reverse=True)

    fits = jnp.all((ranked > limit) | (ranked < LOG_0 / 2))
    log_remaining: jax.Array = jax.lax.cond(fits, in_range, wide)
    return log_remaining


def _by_prefix_sums(
    ranked: jax.Array, log_remaining: jax.Array, x: jax.Array
) -> jax.Array:
    """Σ_{r ≤ r(d)} p_dr x_r = e^{s_d} Σ_{r ≤ r(d)} x_r / Z_r, Z the remaining worth.

    1 / Z leaves the range of floats, so the prefix sums are kept relative to the Z of
    their last rank: C_r = x_r + (Z_r / Z_{r−1}) C_{r−1}, where Z never grows.
    """
    shrinks = jnp.exp(log_remaining[..., 1:] - log_remaining[..., :-1])
    shrinks = jnp.concatenate([jnp.ones_like(ranked[..., :1]), shrinks], axis=-1)
    shrinks = jnp.broadcast_to(shrinks, x.shape)

    def join(
        early: tuple[jax.Array, jax.Array], late: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        # C → a C + x after C → b C + y is C → a b C + (a y + x).
        return early[0] * late[0], late[0] * early[1] + late[1]

    _, relative = jax.lax.associative_scan(join, (shrinks, x), axis=-1)
    return jnp.exp(ranked - log_remaining) * relative


def _by_summing(ranked: jax.Array, log_remaining: jax.Array, x: jax.Array) -> jax.Array:
    """Σ_{r ≤ r(d)} p_dr x_r, one rank after the other."""
    ranks = jax.lax.broadcasted_iota(jnp.int32, x.shape, x.ndim - 1)

    def add(r: jax.Array, total: jax.Array) -> jax.Array:
        p = jnp.exp(jnp.where(ranks >= r, ranked - item(log_remaining, r), LOG_0))
        return total + p * item(x, r)

    return over_items(add, jnp.zeros_like(x))
