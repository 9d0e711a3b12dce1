"""Losses on single items: squared error and binary cross-entropy."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import divide, prepare


@ranking_loss(
    learns_from="two_items",
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="items",
)
def mse_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""Squared error of every item: regression on the labels.

    .. math:: \ell = \sum_i w_i (s_i - y_i)^2

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores.
    labels : array of shape (..., list_size)
        Labels, any real numbers.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    normalize : bool, default=False
        Divide by the weight of the items.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for an empty list.

    References
    ----------
    .. [1] Cossock & Zhang, "Subset ranking using regression", COLT 2006.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> mse_loss(jnp.array([1.0, 0.0]), jnp.array([3, 0]))
    Array(4., dtype=float32)
    """
    lists = prepare(scores, labels, where, weights)
    total = jnp.sum(lists.weights * (lists.scores - lists.labels) ** 2, axis=-1)
    return divide(total, lists.weights.sum(-1), normalize)


@ranking_loss(
    learns_from="two_items",
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="items",
)
def bce_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""Binary cross-entropy of every item; the score is the logit of relevance.

    .. math:: \ell = \sum_i w_i \bigl(\log(1 + e^{s_i}) - y_i s_i\bigr)

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Logits.
    labels : array of shape (..., list_size)
        Labels in [0, 1]; others are clipped, so graded labels mean "relevant or not".
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    normalize : bool, default=False
        Divide by the weight of the items.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for an empty list.

    References
    ----------
    .. [1] Nallapati, "Discriminative models for information retrieval", SIGIR 2004,
       section 3.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(bce_loss(jnp.array([0.0, 0.0]), jnp.array([1, 0]))), 4)
    1.3863
    """
    lists = prepare(scores, labels, where, weights)
    targets = jnp.clip(lists.labels, 0.0, 1.0)
    items = jax.nn.softplus(lists.scores) - targets * lists.scores
    total = jnp.sum(lists.weights * items, axis=-1)
    return divide(total, lists.weights.sum(-1), normalize)
