"""Pairwise losses whose weights say what a swap would change in a metric."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses._contract import Lists, divide, masked_max, prepare
from ltr.losses._pairs import Terms, by_label, label_terms, logistic, pair_sum
from ltr.losses._ranks import tied_discounts


def lambdarank_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    key: jax.Array | None = None,
    sigma: float = 1.0,
    k: int | None = None,
    metric: Literal["ndcg", "dcg"] = "ndcg",
    normalize: bool = False,
) -> jax.Array:
    r"""LambdaRank: RankNet with each pair weighted by what a swap changes in NDCG.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j \,
        \frac{|G_i - G_j| \, |D_i - D_j|}{\mathrm{IDCG}}
        \log\bigl(1 + e^{-\sigma (s_i - s_j)}\bigr), \quad G = 2^y - 1

    D is 1 / log2(1 + rank) by the current scores, held constant in the gradient. Equal
    scores share their mean discount, so a pair of equal scores has weight 0.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 on the pairs; ranks count every item once. None: 1.
    label_weights : array of shape (..., list_size), default=None
        A factor for the pairs in which the item is the better one (rax's ``weights``).
        None: 1.
    key : PRNG key, default=None
        Not used.
    sigma : float, default=1.0
        Steepness, > 0.
    k : int, default=None
        Cut-off of the metric: D = 0 after rank ``k``, and IDCG@k. None: no cut-off.
    metric : {"ndcg", "dcg"}, default="ndcg"
        ``"dcg"`` does not divide by IDCG.
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels.

    Notes
    -----
    Natural logarithm, σ = 1; the LambdaLoss paper has log2 (divide by ln 2). O(n²) time
    and O(n) memory. Discontinuous in the scores where ranks swap.

    References
    ----------
    .. [1] Burges, Ragno & Le, "Learning to rank with nonsmooth cost functions",
       NIPS 2006, section 6; as a loss Wang et al., "The LambdaLoss framework for
       ranking metric optimization", CIKM 2018, section 5.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(lambdarank_loss(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    0.1156
    """
    if metric not in ("ndcg", "dcg"):
        raise ValueError(f"metric must be 'ndcg' or 'dcg'; got {metric!r}.")
    lists = prepare(scores, labels, where, weights)
    if metric == "ndcg":
        gains, inverse_ideal = normalized_gains(lists, k)
    else:
        gains = jnp.where(lists.where, jnp.exp2(lists.labels) - 1.0, 0.0)
        inverse_ideal = jnp.ones(gains.shape[:-1], gains.dtype)
    ranking = jax.lax.stop_gradient(lists.scores)
    discounts = tied_discounts(ranking, lists.where, k)
    total, weight = pair_sum(
        logistic,
        by_label(_metric_change, one_sided=label_weights is not None),
        sigma * lists.scores,
        (*label_terms(lists, label_weights), gains, discounts),
    )
    return divide(total * inverse_ideal, weight * inverse_ideal, normalize)


def normalized_gains(lists: Lists, k: int | None) -> tuple[jax.Array, jax.Array]:
    """Gains up to a factor per list that keeps them in range, and 1 / IDCG with it.

    2^(y − y_max) − 2^(−y_max) never overflows, and the factor cancels.
    """
    top = masked_max(lists.labels, lists.where)
    gains = jnp.exp2(lists.labels - top) - jnp.exp2(-top)
    gains = jnp.where(lists.where, gains, 0.0)
    weighted = lists.weights * gains
    ideal = jnp.sum(weighted * tied_discounts(weighted, lists.where, k), axis=-1)
    return gains, jnp.where(ideal > 0, 1.0 / jnp.where(ideal > 0, ideal, 1.0), 0.0)


def _metric_change(items: Terms, other: Terms) -> jax.Array:
    """|G_i − G_j| |D_i − D_j|."""
    gain, discount = items
    other_gain, other_discount = other
    return jnp.abs((gain - other_gain) * (discount - other_discount))
