"""Ranking losses: pure JAX functions of scores and labels, one value per list.

A loss takes the scores and the labels of a list, or of a batch of lists, and returns
one number per list:

>>> import jax, jax.numpy as jnp
>>> from ltr.losses import ranknet_loss
>>> scores, labels = jnp.array([0.2, 1.0, 0.4]), jnp.array([2.0, 0.0, 1.0])
>>> ranknet_loss(scores, labels).round(2)
Array(3.01, dtype=float32)

Lists of different sizes are padded; ``where`` says which items are real:

>>> where = jnp.array([[True, True, True], [True, True, False]])
>>> ranknet_loss(jnp.stack([scores] * 2), labels, where=where).round(2)
Array([3.01, 1.17], dtype=float32)

JAX differentiates it, and any ranker or training loop can take it from there:

>>> jax.grad(ranknet_loss)(jnp.zeros(2), jnp.array([1.0, 0.0]))
Array([-0.5,  0.5], dtype=float32)

Every loss has the same contract::

    @ranking_loss(...)
    def <name>_loss(scores, labels, *, where=None, weights=None, …) -> loss

* the last axis is the list, all leading axes are the batch, one value per list comes
  back: ``scores`` of shape (..., list_size) give a loss of shape (...);
* ``where`` is True for real items. What stands elsewhere, NaN included, changes neither
  value nor gradient, and its own gradient is exactly 0;
* ``weights`` repeat: an item of weight 2 is the item twice, one of weight 0 is absent.
  Losses for which that is impossible say so. ``label_weights`` is the one-sided
  weight of rax;
* a list that holds no information (empty, one item, all labels equal) has loss 0 and
  gradient 0. Losses that regress on labels, or learn from a teacher, are 0 only when
  it is empty;
* no loss depends on the order of the rows: tied scores share their mean rank, tied
  labels follow a rule that treats them alike;
* the value is the sum over the terms of the list; where that is not a mean already,
  ``normalize=True`` divides by their weight, which is what the rankers train with;
* scores of ±1e4 are finite in value and gradient; weights made from ranks (λ-weights)
  are constants in the gradient.

Symbols of the papers are these arguments: σ, κ ``sigma``; δ ``margin``; τ, T
``temperature``; a cut-off ``k``. A loss takes only the arguments that it uses: a
``key`` if it draws, ``epoch`` or ``step`` if it changes in training, extras such as
``teacher_scores``.

What a loss needs and promises stands beside it, in :func:`ranking_loss`; read it with
:func:`loss_info`. A loss of your own, declared or not, works wherever a named one does.
Lists are averaged outside of the loss: training takes the mean over *informative*
lists, those with two distinct labels or with two items, as the loss declares in
``learns_from`` (:data:`NEEDS_TWO_ITEMS`). The losses in :data:`NEEDS_LABELS_FROM_0`
take no negative labels.

The losses in :data:`PATH_LOSSES` take a matrix with a score for each pair of items in
place of ``scores``: :mod:`ltr.losses.paths`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import SupportsFloat

import jax

from ltr.arguments import ArgumentError, suggest
from ltr.losses.calibrated import (
    calibrated_softmax_loss,
    clid_loss,
    rcr_loss,
)
from ltr.losses.clicks import (
    affine_labels,
    examination_probabilities,
    ips_pairwise_loss,
    ips_softmax_loss,
    ips_weights,
)
from ltr.losses.combination import (
    Combination,
    combination,
)
from ltr.losses.declaration import (
    Curvature,
    LossInfo,
    functions_with,
    loss_info,
    ranking_loss,
)
from ltr.losses.derivatives import (
    Derivatives,
    LossWeights,
    derivatives,
    loss_weights,
)
from ltr.losses.distillation import (
    dear_loss,
    js_distillation_loss,
    kl_distillation_loss,
    margin_mse_loss,
    pld_loss,
    rankdistil_loss,
)
from ltr.losses.grpo import (
    causal_dcg_rewards,
    group_advantages,
    leave_one_out_advantages,
    rank_grpo_loss,
)
from ltr.losses.lambdaloss import (
    arp_loss,
    ndcg_loss1_loss,
    ndcg_loss2_loss,
    ndcg_loss2pp_loss,
)
from ltr.losses.lambdas import lambdarank_loss
from ltr.losses.listwise import (
    infonce_loss,
    listnet_loss,
    poly1_loss,
    softmax_loss,
    unique_softmax_loss,
    xe_ndcg_loss,
)
from ltr.losses.margins import (
    circle_loss,
    exponential_loss,
    gap_margin_loss,
    pair_mse_loss,
    quantile_loss,
    soft_zero_one_loss,
)
from ltr.losses.ordinal import (
    gaussian_nll_loss,
    ordinal_loss,
    ordinal_scores,
)
from ltr.losses.pairwise import hinge_loss, ranknet_loss
from ltr.losses.paths import (
    PATH_LOSSES,
    gap_weighted_bce_loss,
    hybrid_loss,
    max_margin_loss,
    pairwise_logistic_loss,
    path_crf_loss,
    perturbed_fy_loss,
    successor_loss,
)
from ltr.losses.plackett_luce import listmle_loss, plackett_luce_loss
from ltr.losses.pointwise import bce_loss, mse_loss
from ltr.losses.policy import (
    order_log_probs,
    pl_rank_gradient,
    pl_rank_loss,
    sample_orders,
)
from ltr.losses.preference import (
    dpo_loss,
    irpo_loss,
    lipo_lambda_loss,
    rrhf_loss,
    slic_loss,
)
from ltr.losses.ranklist import ranklist_loss
from ltr.losses.relaxations import (
    approx_mrr_loss,
    approx_ndcg_loss,
    gumbel_ndcg_loss,
    smooth_ap_loss,
)
from ltr.losses.sorting import (
    neural_ndcg_loss,
    neural_sort,
    neural_sort_cross_entropy_loss,
    soft_rank,
    soft_sort,
    soft_spearman_loss,
)
from ltr.losses.wasserstein import wasserstein_batch_loss, wasserstein_loss

LOSSES: dict[str, Callable[..., jax.Array]] = {
    "mse": mse_loss,
    "bce": bce_loss,
    "ranknet": ranknet_loss,
    "hinge": hinge_loss,
    "ranklist": ranklist_loss,
    "soft_zero_one": soft_zero_one_loss,
    "exponential": exponential_loss,
    "pair_mse": pair_mse_loss,
    "quantile": quantile_loss,
    "circle": circle_loss,
    "gap_margin": gap_margin_loss,
    "lambdarank": lambdarank_loss,
    "ndcg_loss1": ndcg_loss1_loss,
    "ndcg_loss2": ndcg_loss2_loss,
    "ndcg_loss2pp": ndcg_loss2pp_loss,
    "arp": arp_loss,
    "softmax": softmax_loss,
    "listnet": listnet_loss,
    "unique_softmax": unique_softmax_loss,
    "listmle": listmle_loss,
    "plackett_luce": plackett_luce_loss,
    "xe_ndcg": xe_ndcg_loss,
    "poly1": poly1_loss,
    "infonce": infonce_loss,
    "calibrated_softmax": calibrated_softmax_loss,
    "clid": clid_loss,
    "rcr": rcr_loss,
    "pld": pld_loss,
    "kl_distillation": kl_distillation_loss,
    "js_distillation": js_distillation_loss,
    "margin_mse": margin_mse_loss,
    "rankdistil": rankdistil_loss,
    "dear": dear_loss,
    "lipo_lambda": lipo_lambda_loss,
    "dpo": dpo_loss,
    "slic": slic_loss,
    "rrhf": rrhf_loss,
    "irpo": irpo_loss,
    "approx_ndcg": approx_ndcg_loss,
    "approx_mrr": approx_mrr_loss,
    "gumbel_ndcg": gumbel_ndcg_loss,
    "smooth_ap": smooth_ap_loss,
    "neural_ndcg": neural_ndcg_loss,
    "neural_sort_cross_entropy": neural_sort_cross_entropy_loss,
    "soft_spearman": soft_spearman_loss,
    "wasserstein": wasserstein_loss,
    "pl_rank": pl_rank_loss,
}

# The curvature that boosted trees take, as the loss declares it.
CURVATURES: dict[str, Curvature] = {
    name: loss_info(loss).curvature for name, loss in LOSSES.items()
}
NEEDS_TWO_ITEMS = functions_with(LOSSES.values(), learns_from="two_items")
NEEDS_LABELS_FROM_0 = functions_with(LOSSES.values(), labels="from_0")


def get_loss(name: str) -> Callable[..., jax.Array]:
    """Look up a loss by name.

    Parameters
    ----------
    name : str
        A key of :data:`LOSSES`.

    Returns
    -------
    loss : callable
        With the signature of this module's docstring.

    Raises
    ------
    ValueError
        If there is no such loss; the message suggests the nearest name.

    Examples
    --------
    >>> get_loss("ranknet") is ranknet_loss
    True
    """
    if name in LOSSES:
        return LOSSES[name]
    names = ", ".join(map(repr, sorted(LOSSES)))
    function = f"{name.removesuffix('_loss')}_loss"
    if function in __all__ and name.removesuffix("_loss") not in LOSSES:
        cure = f" Pass the function itself: ltr.losses.{function}."
    else:
        cure = suggest(name, LOSSES)
    raise ArgumentError(
        f"loss={name!r} is not a known loss. Known losses: {names}.{cure}"
    )


def combine(*terms: tuple[float, str | Callable[..., jax.Array]]) -> Combination:
    """Combine losses into their weighted sum.

    Parameters
    ----------
    *terms : tuple of (float, str or callable)
        Weight and loss: a key of :data:`LOSSES`, a loss, or a ``functools.partial`` of
        one that sets options.

    Returns
    -------
    loss : callable
        A loss with the further inputs of its parts (``teacher_scores``, …). Hashable,
        equal to another one of the same parts, and it can be pickled. Changing a weight
        recompiles nothing in a ranker.

    Raises
    ------
    ValueError
        If there is no term, one is no pair of a finite weight and a loss, or a name is
        unknown.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> mixed = combine((0.5, "ranknet"), (1.0, "listnet"))
    >>> round(float(mixed(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    0.7388
    """
    if not terms:
        raise ValueError("combine needs at least one (weight, loss); got none.")
    for term in terms:
        if not _is_weighted_loss(term):
            hint = " Pass the terms of a list as combine(*terms)."
            raise ArgumentError(
                "a term of combine must be (weight, loss), a finite number and a name "
                f"or function; got {term!r}." + hint * isinstance(term, list)
            )
    return combination(
        *(
            (weight, get_loss(loss) if isinstance(loss, str) else loss)
            for weight, loss in terms
        )
    )


def _is_weighted_loss(term: object) -> bool:
    """Whether this is a finite weight and a name or function."""
    if not isinstance(term, tuple) or len(term) != 2:
        return False
    weight, loss = term
    if isinstance(weight, (bool, str)) or not isinstance(weight, SupportsFloat):
        return False
    return math.isfinite(weight) and (isinstance(loss, str) or callable(loss))


__all__ = [
    "CURVATURES",
    "LOSSES",
    "NEEDS_LABELS_FROM_0",
    "NEEDS_TWO_ITEMS",
    "PATH_LOSSES",
    "Combination",
    "Derivatives",
    "LossInfo",
    "LossWeights",
    "affine_labels",
    "approx_mrr_loss",
    "approx_ndcg_loss",
    "arp_loss",
    "bce_loss",
    "calibrated_softmax_loss",
    "causal_dcg_rewards",
    "circle_loss",
    "clid_loss",
    "combine",
    "dear_loss",
    "derivatives",
    "dpo_loss",
    "examination_probabilities",
    "exponential_loss",
    "gap_margin_loss",
    "gap_weighted_bce_loss",
    "gaussian_nll_loss",
    "get_loss",
    "group_advantages",
    "gumbel_ndcg_loss",
    "hinge_loss",
    "hybrid_loss",
    "infonce_loss",
    "ips_pairwise_loss",
    "ips_softmax_loss",
    "ips_weights",
    "irpo_loss",
    "js_distillation_loss",
    "kl_distillation_loss",
    "lambdarank_loss",
    "leave_one_out_advantages",
    "lipo_lambda_loss",
    "listmle_loss",
    "listnet_loss",
    "loss_info",
    "loss_weights",
    "margin_mse_loss",
    "max_margin_loss",
    "mse_loss",
    "ndcg_loss1_loss",
    "ndcg_loss2_loss",
    "ndcg_loss2pp_loss",
    "neural_ndcg_loss",
    "neural_sort",
    "neural_sort_cross_entropy_loss",
    "order_log_probs",
    "ordinal_loss",
    "ordinal_scores",
    "pair_mse_loss",
    "pairwise_logistic_loss",
    "path_crf_loss",
    "perturbed_fy_loss",
    "pl_rank_gradient",
    "pl_rank_loss",
    "plackett_luce_loss",
    "pld_loss",
    "poly1_loss",
    "quantile_loss",
    "rank_grpo_loss",
    "rankdistil_loss",
    "ranking_loss",
    "ranklist_loss",
    "ranknet_loss",
    "rcr_loss",
    "rrhf_loss",
    "sample_orders",
    "slic_loss",
    "smooth_ap_loss",
    "soft_rank",
    "soft_sort",
    "soft_spearman_loss",
    "soft_zero_one_loss",
    "softmax_loss",
    "successor_loss",
    "unique_softmax_loss",
    "wasserstein_batch_loss",
    "wasserstein_loss",
    "xe_ndcg_loss",
]
