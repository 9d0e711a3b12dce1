"""LambdaRank: pairs weighted by the change of a metric if their items swap ranks."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice, check_whole
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import check_positive, divide, prepare
from ltr.losses.kernels.pairs import label_pair_sum, logistic
from ltr.losses.kernels.ranks import (
    TiedDiscounts,
    change_of_discount,
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
    r"""LambdaRank: RankNet with each pair weighted by the change of NDCG if swapped.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j \,
        \frac{|G_i - G_j| \, |D_i - D_j|}{\mathrm{IDCG}}
        \log\bigl(1 + e^{-\sigma (s_i - s_j)}\bigr), \quad G = 2^y - 1

    D is 1 / log2(1 + rank) by the current scores, held constant in the gradient. A pair
    of equal scores has the mean of ``|D_i − D_j|`` over all orders of the items that
    tie, so equal scores have a gradient, which is where trees begin.

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
    check_whole("k", k, low=1, optional=True)
    lists = prepare(scores, labels, where, weights)
    # LambdaRank defines a gradient, not a loss: |ΔM| is held constant in the scores.
    ranking = jax.lax.stop_gradient(lists.scores)
    if metric == "mrr":
        gain, inverse_ideal = None, jnp.ones(lists.scores.shape[:-1], ranking.dtype)
        by_rank = lambda ranks: 1.0 / ranks
    else:
        gain, inverse_ideal = metric_gains(lists, k, metric)
        by_rank = log2_discount
    discount = tied_discounts(ranking, lists.where, k, by_rank)
    # Σ over y_i > y_j of |D_i − D_j| |G_i − G_j| / IDCG · log(1 + e^{−σ (s_i − s_j)})
    total, weight = label_pair_sum(
        logistic,
        sigma * lists.scores,
        lists,
        label_weights=label_weights,
        pair_weight=change_by_swap,
        terms=SwapTerms(discount, gain),
    )
    return divide(total * inverse_ideal, weight * inverse_ideal, normalize)


class SwapTerms(NamedTuple):
    """Terms of an item that give the change of the metric if two items swap ranks.

    Attributes
    ----------
    discount : TiedDiscounts
        D by the rank of the item.
    gain : array of shape (..., list_size) or None
        G by its label. None: the metric has no gains.
    """

    discount: TiedDiscounts
    gain: jax.Array | None


def change_by_swap(i: SwapTerms, j: SwapTerms) -> jax.Array:
    """|D_i − D_j| |G_i − G_j|: the discounts trade places, the gains stay."""
    change = change_of_discount(i.discount, j.discount)
    if i.gain is not None and j.gain is not None:
        change *= jnp.abs(i.gain - j.gain)
    return change


__all__ = [
    "arp_loss",
    "lambdarank_loss",
    "ndcg_loss1_loss",
    "ndcg_loss2_loss",
    "ndcg_loss2pp_loss",
]
