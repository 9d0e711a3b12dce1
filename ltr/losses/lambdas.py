"""Pairwise losses whose weights say what a swap would change in a metric."""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import (
    check_choice,
    check_cutoff,
    check_positive,
    divide,
    prepare,
)
from ltr.losses.kernels.pairs import (
    Terms,
    by_label,
    label_terms,
    logistic,
    pair_sum,
)
from ltr.losses.kernels.ranks import (
    log2_discount,
    metric_gains,
    tied_discounts,
)
from ltr.losses.lambdaloss import (
    arp_loss,
    ndcg_loss1_loss,
    ndcg_loss2_loss,
    ndcg_loss2pp_loss,
)


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def lambdarank_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    sigma: float = 1.0,
    k: int | None = None,
    metric: Literal["ndcg", "dcg", "mrr"] = "ndcg",
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
    sigma : float, default=1.0
        Steepness, > 0.
    k : int, default=None
        Cut-off of the metric: D = 0 after rank ``k``, and IDCG@k. None: no cut-off.
    metric : {"ndcg", "dcg", "mrr"}, default="ndcg"
        ``"dcg"`` does not divide by IDCG. ``"mrr"``: the weight of a pair is
        \|1 / r_i − 1 / r_j\|, whatever the labels.
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
    check_choice("metric", metric, ("ndcg", "dcg", "mrr"))
    check_positive("sigma", sigma)
    check_cutoff(k)
    lists = prepare(scores, labels, where, weights)
    ranking = jax.lax.stop_gradient(lists.scores)
    if metric == "mrr":
        gains, inverse_ideal = None, jnp.ones(lists.scores.shape[:-1], ranking.dtype)
        by_rank = lambda ranks: 1.0 / ranks
    else:
        gains, inverse_ideal = metric_gains(lists, k, metric)
        by_rank = log2_discount
    discounts = tied_discounts(ranking, lists.where, k, by_rank)
    terms = (discounts,) if gains is None else (discounts, gains)
    total, weight = pair_sum(
        logistic,
        by_label(_metric_change, one_sided=label_weights is not None),
        sigma * lists.scores,
        (*label_terms(lists, label_weights), *terms),
    )
    return divide(total * inverse_ideal, weight * inverse_ideal, normalize)


def _metric_change(items: Terms, other: Terms) -> jax.Array:
    """|D_i − D_j|, times |G_i − G_j| where there are gains."""
    change = items[0] - other[0]
    return jnp.abs(change if len(items) == 1 else change * (items[1] - other[1]))


__all__ = [
    "arp_loss",
    "lambdarank_loss",
    "ndcg_loss1_loss",
    "ndcg_loss2_loss",
    "ndcg_loss2pp_loss",
]
