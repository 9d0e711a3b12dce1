"""Smooth stand-ins for a metric: ApproxNDCG."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses._contract import has_two_labels, prepare
from ltr.losses._items import item, over_items
from ltr.losses.lambdas import normalized_gains


def approx_ndcg_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    temperature: float = 0.1,
    normalize: bool = False,
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
    key : PRNG key, default=None
        Not used.
    temperature : float, default=0.1
        T > 0; small values are closer to the metric and flatter between swaps.
    normalize : bool, default=False
        No effect: the value is already relative to the ideal order.

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
    lists = prepare(scores, labels, where, weights)
    gains, inverse_ideal = normalized_gains(lists, None)
    inverse_ideal = jnp.where(has_two_labels(lists)[..., 0], inverse_ideal, 0.0)
    ranks = smooth_ranks(lists.scores / temperature, lists.where)
    ndcg = jnp.sum(lists.weights * gains / jnp.log2(1.0 + ranks), axis=-1)
    return -ndcg * inverse_ideal


@jax.custom_vjp
@jax.jit
def smooth_ranks(scores: jax.Array, where: jax.Array) -> jax.Array:
    """Return 1 + Σ_j σ(s_j − s_i) over the other real items; 1 at masked positions.

    One pass over the items, O(n) memory, forward and backward.
    """
    masked = jnp.where(where, scores, -jnp.inf)

    def add(i: jax.Array, ranks: jax.Array) -> jax.Array:
        return ranks + jax.nn.sigmoid(item(masked, i) - scores)

    ranks = over_items(add, jnp.full_like(scores, 0.5))
    return jnp.where(where, ranks, 1.0)


def _forward(
    scores: jax.Array, where: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    return smooth_ranks(scores, where), (scores, where)


@jax.jit
def _backward(
    residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, None]:
    scores, where = residuals
    masked = jnp.where(where, scores, -jnp.inf)
    given = jnp.where(where, cotangent, 0.0)

    def add(i: jax.Array, gradient: jax.Array) -> jax.Array:
        p = jax.nn.sigmoid(item(masked, i) - scores)
        return gradient + p * (1.0 - p) * (item(given, i) - given)

    gradient = over_items(add, jnp.zeros_like(scores))
    return jnp.where(where, gradient, 0.0), None


smooth_ranks.defvjp(_forward, _backward)
