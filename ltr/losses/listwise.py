"""Losses on the softmax of a list: softmax cross-entropy and ListNet."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses._contract import (
    as_dtype,
    divide,
    has_two_labels,
    masked_log_softmax,
    prepare,
)


def softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""Softmax cross-entropy with the labels as weights.

    .. math:: \ell = -\sum_i w_i y_i \log \frac{e^{s_i}}{\sum_j w_j e^{s_j}}

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0, not normalised.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in both sums; weight 2 is the item twice. None: 1.
    label_weights : array of shape (..., list_size), default=None
        A factor for the labels only (rax's ``weights``). None: 1.
    key : PRNG key, default=None
        Not used.
    normalize : bool, default=False
        Divide by the sum of the weighted labels.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0 for labels ≥ 0; 0 for a list without two distinct labels.

    References
    ----------
    .. [1] Bruch et al., "An analysis of the softmax cost function for learning to
       rank", ICTIR 2019, eq. (3), without dividing by the sum of the labels.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(softmax_loss(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    0.3133
    """
    lists = prepare(scores, labels, where, weights)
    targets = lists.weights * lists.labels
    if label_weights is not None:
        targets = targets * as_dtype(label_weights, lists.scores)
        targets = jnp.where(lists.where, targets, 0.0)
    targets = jnp.where(has_two_labels(lists), targets, 0.0)
    total = -jnp.sum(targets * masked_log_softmax(lists, lists.scores), axis=-1)
    return divide(total, targets.sum(-1), normalize)


def listnet_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    temperature: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""ListNet, top-1 form: cross-entropy between softmax of labels and of scores.

    .. math:: \ell = -\sum_i w_i q_i \log \frac{e^{s_i}}{\sum_j w_j e^{s_j}}, \quad
        q_i = \frac{e^{y_i / \tau}}{\sum_j w_j e^{y_j / \tau}}

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in all sums; weight 2 is the item twice. None: 1.
    key : PRNG key, default=None
        Not used.
    temperature : float, default=1.0
        τ > 0 of the labels.
    normalize : bool, default=False
        No effect: the targets already sum to 1.

    Returns
    -------
    loss : array of shape (...)
        At least the entropy of the targets, so log n for n equal labels; 0 for an empty
        list or a single item.

    References
    ----------
    .. [1] Cao et al., "Learning to rank: from pairwise approach to listwise approach",
       ICML 2007, eq. (6).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(listnet_loss(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    0.5822
    """
    lists = prepare(scores, labels, where, weights)
    targets = lists.weights * jnp.exp(
        masked_log_softmax(lists, lists.labels / temperature)
    )
    return -jnp.sum(targets * masked_log_softmax(lists, lists.scores), axis=-1)
