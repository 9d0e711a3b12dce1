"""Losses on pairs of items with different labels: RankNet and hinge."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses._contract import Lists, as_dtype, divide, prepare
from ltr.losses._pairs import hinge, logistic, pair_sum, product_of_weights


def ranknet_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    sigma: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""RankNet: logistic loss on every pair of items with different labels.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j
        \log\bigl(1 + e^{-\sigma (s_i - s_j)}\bigr)

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers; pairs with equal labels do not count.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    label_weights : array of shape (..., list_size), default=None
        A factor for the pairs in which the item is the better one (rax's ``weights``).
        None: 1.
    key : PRNG key, default=None
        Not used.
    sigma : float, default=1.0
        Steepness, > 0.
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels.

    Notes
    -----
    O(list_size²) time and O(list_size) memory; the gradient is in closed form.

    References
    ----------
    .. [1] Burges et al., "Learning to rank using gradient descent", ICML 2005, eq. (3)
       with target probability 1.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(ranknet_loss(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    0.3133
    """
    lists = prepare(scores, labels, where, weights)
    total, weight = pair_sum(
        logistic,
        product_of_weights,
        sigma * lists.scores,
        pair_labels(lists),
        (lists.weights,),
        None if label_weights is None else one_sided(lists, label_weights),
    )
    return divide(total, weight, normalize)


def hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    margin: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""Hinge loss on every pair of items with different labels, as in ranking SVMs.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j \max(0, \delta - (s_i - s_j))

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers; pairs with equal labels do not count.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    label_weights : array of shape (..., list_size), default=None
        A factor for the pairs in which the item is the better one (rax's ``weights``).
        None: 1.
    key : PRNG key, default=None
        Not used.
    margin : float, default=1.0
        Margin δ that a pair must reach, > 0.
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 where every margin is reached, or without two distinct labels. The
        gradient at the kink is 0.

    Notes
    -----
    O(list_size²) time and O(list_size) memory; the gradient is in closed form.

    References
    ----------
    .. [1] Herbrich, Graepel & Obermayer, "Large margin rank boundaries for ordinal
       regression", 2000; Joachims, "Optimizing search engines using clickthrough data",
       KDD 2002, optimization problem 1.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> hinge_loss(jnp.array([0.25, 0.0]), jnp.array([1, 0]))
    Array(0.75, dtype=float32)
    """
    lists = prepare(scores, labels, where, weights)
    total, weight = pair_sum(
        hinge,
        product_of_weights,
        lists.scores / margin,
        pair_labels(lists),
        (lists.weights,),
        None if label_weights is None else one_sided(lists, label_weights),
    )
    return divide(margin * total, weight, normalize)


def pair_labels(lists: Lists) -> jax.Array:
    """Labels with NaN at masked positions, which are then in no pair."""
    return jnp.where(lists.where, lists.labels, jnp.nan)


def one_sided(lists: Lists, label_weights: ArrayLike) -> jax.Array:
    """Weights that belong to the better item of a pair, 0 at masked positions."""
    return jnp.where(lists.where, as_dtype(label_weights, lists.scores), 0.0)
