"""Losses on pairs of items with different labels: RankNet and hinge."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses._contract import divide, prepare
from ltr.losses._pairs import by_label, label_terms, logistic, pair_sum


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
        by_label(one_sided=label_weights is not None),
        sigma * lists.scores,
        label_terms(lists, label_weights),
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
        _falls_short_of_1,
        by_label(one_sided=label_weights is not None),
        lists.scores / margin,
        label_terms(lists, label_weights),
    )
    return divide(margin * total, weight, normalize)


def _falls_short_of_1(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    """max(0, 1 − margin) and its derivative, 0 at the kink."""
    return jnp.maximum(1.0 - margin, 0.0), jnp.where(margin < 1.0, -1.0, 0.0)
