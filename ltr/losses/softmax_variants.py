"""Variants of the softmax loss: XE-NDCG, Poly-1, InfoNCE."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.kernels.contract import (
    as_dtype,
    check_choice,
    check_positive,
    has_two_labels,
    masked_log_softmax,
    prepare,
)
from ltr.losses.kernels.log_sums import NEVER


def xe_ndcg_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    noise: ArrayLike | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""XE-NDCG: softmax cross-entropy with gains that are blurred anew at each step.

    .. math:: \ell = -\sum_i \phi_i \log p_i, \quad
        \phi_i = \frac{w_i (2^{y_i} - u_i)}{\sum_j w_j (2^{y_j} - u_j)}, \quad
        p = \mathrm{softmax}(s)

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.
    key : PRNG key, default=None
        Draws u uniformly from [0, 1). None: u = ½, its mean.
    noise : array of shape (..., list_size) or float, default=None
        u in [0, 1], instead of drawing it.
    normalize : bool, default=False
        No effect: the targets already sum to 1.

    Returns
    -------
    loss : array of shape (...)
        > 0; 0 for a list without two distinct labels.

    References
    ----------
    .. [1] Bruch, "An alternative cross entropy loss for learning-to-rank", WWW 2021,
       eq. (7) and (8).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(xe_ndcg_loss(jnp.zeros(2), jnp.array([1, 0]))), 4)  # log 2
    0.6931
    """
    lists = prepare(scores, labels, where, weights)
    if noise is None:
        shape, dtype = lists.scores.shape, lists.scores.dtype
        noise = 0.5 if key is None else jax.random.uniform(key, shape, dtype)
    blurred = jnp.exp2(lists.labels) - as_dtype(noise, lists.scores)
    targets = jnp.where(lists.where, lists.weights * blurred, 0.0)
    total = targets.sum(-1, keepdims=True)
    targets /= jnp.where(total > 0, total, 1.0)
    targets = jnp.where(has_two_labels(lists), targets, 0.0)
    return -jnp.sum(targets * masked_log_softmax(lists, lists.scores), axis=-1)


def poly1_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    epsilon: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""Poly-1: softmax cross-entropy plus its first polynomial coefficient.

    .. math:: \ell = -\sum_i q_i \log p_i
        + \epsilon \Bigl(1 - \sum_i q_i p_i\Bigr), \quad
        q_i = \frac{w_i y_i}{\sum_j w_j y_j}, \quad p = \mathrm{softmax}(s)

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.
    key : PRNG key, default=None
        Not used.
    epsilon : float, default=1.0
        Weight ε of the second part; 0 is the softmax loss with normalised labels.
    normalize : bool, default=False
        No effect: the targets already sum to 1. (rax does not normalise the first
        part.)

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels. Not convex.

    References
    ----------
    .. [1] Leng et al., "PolyLoss: a polynomial expansion perspective of classification
       loss functions", ICLR 2022, eq. (6).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(poly1_loss(jnp.zeros(2), jnp.array([1, 0]))), 4)  # log 2 + 1 / 2
    1.1931
    """
    lists = prepare(scores, labels, where, weights)
    targets = lists.weights * lists.labels
    total = targets.sum(-1, keepdims=True)
    informs = has_two_labels(lists) & (total > 0)
    targets = jnp.where(informs, targets / jnp.where(informs, total, 1.0), 0.0)
    log_p = masked_log_softmax(lists, lists.scores)
    missed = targets.sum(-1) - jnp.sum(targets * jnp.exp(log_p), axis=-1)
    return -jnp.sum(targets * log_p, axis=-1) + epsilon * missed


def infonce_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    temperature: float = 1.0,
    other_positives: Literal["removed", "kept"] = "removed",
    normalize: bool = False,
) -> jax.Array:
    r"""InfoNCE: each relevant item against the irrelevant ones, on average.

    .. math:: \ell = -\frac{1}{\sum_{y_i > 0} w_i} \sum_{y_i > 0} w_i \log
        \frac{e^{s_i / T}}{e^{s_i / T} + \sum_{y_j \le 0} w_j e^{s_j / T}}

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Relevant if > 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    key : PRNG key, default=None
        Not used.
    temperature : float, default=1.0
        T > 0.
    other_positives : {"removed", "kept"}, default="removed"
        Whether the other relevant items stand in the denominator too, as in supervised
        contrastive learning.
    normalize : bool, default=False
        No effect: the value is already a mean.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without a relevant or without an irrelevant item.

    References
    ----------
    .. [1] van den Oord, Li & Vinyals, "Representation learning with contrastive
       predictive coding", 2018, eq. (4); ``"kept"`` is L_out of Khosla et al.,
       "Supervised contrastive learning", NeurIPS 2020, eq. (2).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(infonce_loss(jnp.zeros(4), jnp.array([1, 0, 0, 0]))), 4)  # log 4
    1.3863
    """
    check_choice("other_positives", other_positives, ("removed", "kept"))
    check_positive("temperature", temperature)
    lists = prepare(scores, labels, where, weights)
    positive = lists.where & (lists.labels > 0)
    negative = lists.where & ~positive
    informs = positive.any(-1, keepdims=True) & negative.any(-1, keepdims=True)
    share = jnp.where(positive & informs, lists.weights, 0.0)
    total = share.sum(-1, keepdims=True)
    share /= jnp.where(total > 0, total, 1.0)
    scaled = lists.scores / temperature
    if other_positives == "kept":
        return -jnp.sum(share * masked_log_softmax(lists, scaled), axis=-1)
    worths = scaled + jnp.log(jnp.where(negative, lists.weights, 1.0))
    against = jax.nn.logsumexp(
        jnp.where(negative, worths, NEVER), axis=-1, keepdims=True
    )
    terms = jax.nn.softplus(jnp.where(share > 0, against - scaled, NEVER))
    return jnp.sum(share * terms, axis=-1)
