"""Smooth relaxations of a metric: ApproxNDCG, ApproxMRR, Gumbel-ApproxNDCG, SmoothAP.

All of them replace the rank of an item, 1 + the number of items above it, by a sum of
sigmoids: :func:`smooth_ranks`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_whole
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import (
    as_dtype,
    check_key,
    check_positive,
    has_two_labels,
    prepare,
)
from ltr.losses.kernels.loops import item, over_items
from ltr.losses.kernels.ranks import normalized_gains


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(-1.0, 0.0),
)
def approx_ndcg_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    temperature: float = 0.1,
) -> jax.Array:
    r"""ApproxNDCG: −NDCG with smooth ranks.

    .. math:: \ell = -\frac{1}{\mathrm{IDCG}} \sum_i
        \frac{w_i (2^{y_i} - 1)}{\log_2(1 + \hat r_i)}, \quad
        \hat r_i = 1 + \sum_{j \ne i} \sigma\bigl((s_j - s_i) / T\bigr)

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 on the gains; ranks count every item once. None: 1.
    temperature : float, default=0.1
        T > 0; small values are closer to the metric and flatter between swaps.

    Returns
    -------
    loss : array of shape (...)
        In [−1, 0]; 0 for a list without two distinct labels.

    Notes
    -----
    O(list_size²) time and O(list_size) memory; the gradient is in closed form.

    References
    ----------
    .. [1] Qin, Liu & Li, "A general approximation framework for direct optimization of
       information retrieval measures", Information Retrieval 2010, eq. (11) and (13);
       T after Bruch et al., SIGIR 2019.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(approx_ndcg_loss(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    -1.0
    """
    check_positive("temperature", temperature)
    lists = prepare(scores, labels, where, weights)
    gains, inverse_ideal = normalized_gains(lists, None)
    inverse_ideal = jnp.where(has_two_labels(lists)[..., 0], inverse_ideal, 0.0)
    ranks = smooth_ranks(lists.scores, lists.where, temperature)
    ndcg = jnp.sum(lists.weights * gains / jnp.log2(1.0 + ranks), axis=-1)
    return -ndcg * inverse_ideal


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(-1.0, 0.0),
)
def approx_mrr_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    temperature: float = 0.1,
) -> jax.Array:
    r"""ApproxMRR: minus the mean of the reciprocal smooth ranks by label weight.

    .. math:: \ell = -\sum_i \frac{w_i y_i}{\sum_j w_j y_j} \, \frac{1}{\hat r_i}, \quad
        \hat r_i = 1 + \sum_{j \ne i} \sigma\bigl((s_j - s_i) / T\bigr)

    With one relevant item that is the reciprocal rank. With several it is the mean over
    all of them, not the reciprocal rank of the first.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 on the labels; ranks count every item once. None: 1.
    temperature : float, default=0.1
        T > 0; small values are closer to the metric and flatter between swaps.

    Returns
    -------
    loss : array of shape (...)
        In [−1, 0]; 0 for a list without two distinct labels.

    Notes
    -----
    O(list_size²) time and O(list_size) memory; the gradient is in closed form.

    References
    ----------
    .. [1] Smooth ranks of Qin, Liu & Li, "A general approximation framework for direct
       optimization of information retrieval measures", Information Retrieval 2010,
       eq. (11). The sum over several relevant items is that of TensorFlow Ranking's
       ``ApproxMRRLoss``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(approx_mrr_loss(jnp.array([1.0, 0.0]), jnp.array([0, 1]))), 4)
    -0.5
    """
    lists = prepare(scores, labels, where, weights)
    relevance = lists.weights * lists.labels
    total = jnp.sum(relevance, axis=-1, keepdims=True)
    informative = has_two_labels(lists) & (total > 0)
    share = jnp.where(informative, relevance / jnp.where(informative, total, 1.0), 0.0)
    ranks = smooth_ranks(lists.scores, lists.where, temperature)
    return -jnp.sum(share / ranks, axis=-1)


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(-1.0, 0.0),
)
def gumbel_ndcg_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    noise: ArrayLike | None = None,
    n_samples: int = 8,
    gumbel_temperature: float = 1.0,
    temperature: float = 0.1,
) -> jax.Array:
    r"""Gumbel-ApproxNDCG: mean of ApproxNDCG over scores with Gumbel noise.

    .. math:: \ell(s) = \frac{1}{m} \sum_{l=1}^m
        \ell_\mathrm{ApproxNDCG}\bigl((s + g_l) / T_g\bigr), \quad
        g_{li} \sim \mathrm{Gumbel}(0, 1)

    Sorted noisy scores are a draw from the Plackett-Luce model of the scores, so this
    estimates the expected ApproxNDCG of that model, which is smoother in the scores.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 on the gains; ranks count every item once. None: 1.
    key : PRNG key, default=None
        Required, unless the noise is given. Each call needs a new one.
    noise : array of shape (n_samples, ..., list_size), default=None
        Use this instead of drawing g. None: draw it with ``key``.
    n_samples : int, default=8
        m ≥ 1, number of draws; not read if ``noise`` is given.
    gumbel_temperature : float, default=1.0
        :math:`T_g` > 0 divides the noisy scores.
    temperature : float, default=0.1
        T > 0 of ApproxNDCG.

    Returns
    -------
    loss : array of shape (...)
        In [−1, 0]; 0 for a list without two distinct labels.

    Raises
    ------
    ValueError
        If neither ``key`` nor ``noise`` is given, or ``n_samples`` is below 1.

    Notes
    -----
    The noise belongs to positions: with the same key, another order of the rows or
    longer padding gives another draw. The distribution depends on neither.

    References
    ----------
    .. [1] Bruch et al., "A stochastic treatment of learning to rank scoring functions",
       WSDM 2020, section 4; the two temperatures are those of TensorFlow Ranking's
       ``GumbelSampler`` and ``ApproxNDCGLoss``.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> s, y = jnp.array([9.0, 0.0]), jnp.array([1, 0])
    >>> round(float(gumbel_ndcg_loss(s, y, key=jax.random.key(0))), 4)
    -1.0
    """
    check_whole("n_samples", n_samples, low=1)
    lists = prepare(scores, labels, where, weights)
    if noise is None:
        key = check_key(key, "gumbel_ndcg_loss without noise")
        shape, dtype = (n_samples, *lists.scores.shape), lists.scores.dtype
        noise = jax.random.gumbel(key, shape, dtype)

    def sample(g: jax.Array) -> jax.Array:
        g = jnp.where(lists.where, jnp.broadcast_to(g, lists.scores.shape), 0.0)
        return approx_ndcg_loss(
            (lists.scores + g) / gumbel_temperature,
            lists.labels,
            where=lists.where,
            weights=lists.weights,
            temperature=temperature,
        )

    return jnp.mean(jax.vmap(sample)(as_dtype(noise, lists.scores)), axis=0)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(0.0, 1.0),
)
def smooth_ap_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    temperature: float = 0.01,
) -> jax.Array:
    r"""SmoothAP: one minus average precision with smooth ranks.

    .. math:: \ell = 1 - \frac{1}{\sum_{i \in P} w_i} \sum_{i \in P} w_i \,
        \frac{1 + \sum_{j \in P, j \ne i} \sigma((s_j - s_i) / T)}
        {1 + \sum_{j \ne i} \sigma((s_j - s_i) / T)}, \quad P = \{i : y_i > 0\}

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better; cosines in the paper.
    labels : array of shape (..., list_size)
        Items with a label > 0 are relevant, all alike.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 in the mean over the relevant items; ranks count every item
        once. None: 1.
    temperature : float, default=0.01
        T > 0; small values are closer to the metric and flatter between swaps.

    Returns
    -------
    loss : array of shape (...)
        In [0, 1]; 0 for a list without a relevant item, or without another one.

    Notes
    -----
    O(list_size²) time and O(list_size) memory; the gradient is in closed form.

    References
    ----------
    .. [1] Brown et al., "Smooth-AP: smoothing the path towards large-scale image
       retrieval", ECCV 2020, section 4 (equation not re-read).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(smooth_ap_loss(jnp.array([1.0, 0.0]), jnp.array([0, 1]))), 4)
    0.5
    """
    lists = prepare(scores, labels, where, weights)
    relevant = lists.where & (lists.labels > 0)
    irrelevant = lists.where & ~relevant
    mixed = relevant.any(-1, keepdims=True) & irrelevant.any(-1, keepdims=True)
    mass = jnp.where(relevant & mixed, lists.weights, 0.0)
    total = jnp.sum(mass, axis=-1, keepdims=True)
    share = mass / jnp.where(total > 0, total, 1.0)
    among_relevant = smooth_ranks(lists.scores, relevant, temperature)
    among_all = smooth_ranks(lists.scores, lists.where, temperature)
    return jnp.sum(share * (1.0 - among_relevant / among_all), axis=-1)


def smooth_ranks(
    scores: jax.Array, where: jax.Array, temperature: ArrayLike
) -> jax.Array:
    """Return 1 + Σ_j σ((s_j − s_i) / T) over the other real items; 1 where masked.

    One pass over the items, O(n) memory, forward and backward.
    """
    ranks: jax.Array = _smooth_ranks(scores, where, as_dtype(temperature, scores))
    return ranks


@jax.custom_vjp
@jax.jit
def _smooth_ranks(
    scores: jax.Array, where: jax.Array, temperature: jax.Array
) -> jax.Array:
    masked = jnp.where(where, scores, -jnp.inf)

    def add(i: jax.Array, ranks: jax.Array) -> jax.Array:
        # The difference first: it is exact for close scores, s / T is not.
        return ranks + jax.nn.sigmoid((item(masked, i) - scores) / temperature)

    ranks = over_items(add, jnp.full_like(scores, 0.5))
    return jnp.where(where, ranks, 1.0)


def _forward(
    scores: jax.Array, where: jax.Array, temperature: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    return _smooth_ranks(scores, where, temperature), (scores, where, temperature)


@jax.jit
def _backward(
    residuals: tuple[jax.Array, jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, None, jax.Array]:
    scores, where, temperature = residuals
    masked = jnp.where(where, scores, -jnp.inf)
    cotangent = jnp.where(where, cotangent, 0.0)

    def add(i: jax.Array, gradient: jax.Array) -> jax.Array:
        p = jax.nn.sigmoid((item(masked, i) - scores) / temperature)
        # r_i falls and r_j rises with s_i − s_j, both by p (1 − p) / T.
        return gradient + p * (1.0 - p) * (item(cotangent, i) - cotangent)

    gradient = over_items(add, jnp.zeros_like(scores)) / temperature
    gradient = jnp.where(where, gradient, 0.0)
    # The ranks are functions of s / T, so T ∂/∂T = −Σ s ∂/∂s.
    return gradient, None, -jnp.sum(scores * gradient) / temperature


_smooth_ranks.defvjp(_forward, _backward)
