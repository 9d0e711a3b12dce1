"""Preference optimization: scores are implicit rewards against a reference model."""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import (
    check_positive,
    divide,
    has_two_labels,
    masked_input,
    prepare,
)
from ltr.losses.kernels.log_sums import LOG_0, is_another, log_pair_sum
from ltr.losses.kernels.loops import positions
from ltr.losses.kernels.pairs import below_0, label_pair_sum, logistic
from ltr.losses.kernels.ranks import TiedDiscounts, log2_discount, tied_discounts
from ltr.losses.lambdas import SwapTerms, change_by_swap
from ltr.losses.pairwise import hinge_loss, ranknet_loss
from ltr.queries import check_rows


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def lipo_lambda_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    reference_scores: ArrayLike | None = None,
    beta: float = 1.0,
    discount: Literal["ln", "log2"] = "ln",
    normalize: bool = False,
) -> jax.Array:
    r"""LiPO-λ: DPO on all pairs of a list, weighted by the change of DCG if swapped.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j \,
        \bigl|2^{y_i} - 2^{y_j}\bigr| \,
        \Bigl|\frac{1}{D(r_i)} - \frac{1}{D(r_j)}\Bigr|
        \log\bigl(1 + e^{-(s_i - s_j)}\bigr), \quad s = \beta (f - f_{ref})

    r are the ranks by the current s, D(r) = log(1 + r); both are constants in the
    gradient. A pair of equal scores has the mean of its weight over all orders of the
    items that tie.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores f of the model: log-probabilities, or a ranker's scores.
    labels : array of shape (..., list_size)
        Labels ψ ≥ 0, in the paper the share of the items that each one beats.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 on the pairs; ranks count every item once. None: 1.
    reference_scores : array of shape (..., list_size), default=None
        Scores of the frozen reference model. None: 0.
    beta : float, default=1.0
        β > 0; the implicit reward is β (f − f_ref).
    discount : {"ln", "log2"}, default="ln"
        Logarithm in D: natural as printed in the paper, or base 2 as in its algorithm,
        which calls rax.
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels.

    Notes
    -----
    The paper has β = 0.05, for log-probabilities of long responses.

    References
    ----------
    .. [1] Liu et al., "LiPO: listwise preference optimization through
       learning-to-rank", NAACL 2025, eq. (8) to (11) and algorithm 1.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores, labels = jnp.array([1.0, 0.0]), jnp.array([1, 0])
    >>> loss = lipo_lambda_loss(scores, labels, discount="log2")
    >>> round(float(loss), 4)
    0.1156
    """
    check_choice("discount", discount, ("ln", "log2"))
    check_positive("beta", beta)
    rewards = _rewards(
        scores, reference_scores, beta, labels=labels, where=where, weights=weights
    )
    lists = prepare(rewards, labels, where, weights)
    discounts = tied_discounts(jax.lax.stop_gradient(lists.scores), lists.where, None)
    if discount == "ln":  # 1 / ln(1 + r) = 1 / (ln 2 · log2(1 + r))
        ln_2 = jnp.log(2.0).astype(discounts.mean.dtype)
        discounts = TiedDiscounts(discounts.mean / ln_2, discounts.change / ln_2)
    # |G_i − G_j| with G = 2^y: the −1 of DCG's gain cancels in the difference.
    gains = jnp.where(lists.where, jnp.exp2(lists.labels), 0.0)
    total, weight = label_pair_sum(
        logistic,
        lists.scores,
        lists,
        pair_weight=change_by_swap,
        terms=SwapTerms(discounts, gains),
    )
    return divide(total, weight, normalize)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def dpo_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    reference_scores: ArrayLike | None = None,
    beta: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""DPO on all pairs of a list: the logistic loss of the implicit rewards.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j \log\bigl(1 + e^{-(s_i - s_j)}\bigr),
        \quad s = \beta (f - f_{ref})

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores f of the model: log-probabilities, or a ranker's scores.
    labels : array of shape (..., list_size)
        Labels, any real numbers; pairs with equal labels do not count.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    reference_scores : array of shape (..., list_size), default=None
        Scores of the frozen reference model. None: 0.
    beta : float, default=1.0
        β > 0; the implicit reward is β (f − f_ref).
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels.

    Notes
    -----
    The paper has one pair; all pairs of a list is LiPO's ``pair-logistic``.

    References
    ----------
    .. [1] Rafailov et al., "Direct preference optimization: your language model is
       secretly a reward model", NeurIPS 2023, eq. (7).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(dpo_loss(jnp.array([0.3, 0.0]), jnp.array([1, 0]))), 4)
    0.5544
    """
    check_positive("beta", beta)
    rewards = _rewards(
        scores, reference_scores, beta, labels=labels, where=where, weights=weights
    )
    return ranknet_loss(
        rewards, labels, where=where, weights=weights, normalize=normalize
    )


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="ones",
)
def slic_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    reference_scores: ArrayLike | None = None,
    beta: float = 1.0,
    margin: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""SLiC on all pairs of a list: the hinge loss of the implicit rewards.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j \max(0, \delta - (s_i - s_j)),
        \quad s = \beta (f - f_{ref})

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores f of the model: log-probabilities, or a ranker's scores.
    labels : array of shape (..., list_size)
        Labels, any real numbers; pairs with equal labels do not count.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    reference_scores : array of shape (..., list_size), default=None
        Scores of the frozen reference model. None: 0.
    beta : float, default=1.0
        β > 0; the implicit reward is β (f − f_ref).
    margin : float, default=1.0
        Margin δ > 0.
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 where every margin is reached, or without two distinct labels.

    Notes
    -----
    LiPO's ``pair-hinge``; without the regularizing likelihood of SLiC-HF.

    References
    ----------
    .. [1] Zhao et al., "SLiC-HF: sequence likelihood calibration with human feedback",
       2023, eq. (1); normalized form in Liu et al., LiPO, proposition 2.2.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(slic_loss(jnp.array([0.3, 0.0]), jnp.array([1, 0]))), 4)
    0.7
    """
    check_positive("beta", beta)
    rewards = _rewards(
        scores, reference_scores, beta, labels=labels, where=where, weights=weights
    )
    return hinge_loss(
        rewards,
        labels,
        where=where,
        weights=weights,
        margin=margin,
        normalize=normalize,
    )


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="ones",
)
def rrhf_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    reference_scores: ArrayLike | None = None,
    beta: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""RRHF's ranking part: each pair in the wrong order costs its difference.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j \max(0, s_j - s_i),
        \quad s = \beta (f - f_{ref})

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores f of the model: log-probabilities, or a ranker's scores.
    labels : array of shape (..., list_size)
        Labels, any real numbers; pairs with equal labels do not count.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    reference_scores : array of shape (..., list_size), default=None
        Scores of the frozen reference model. None: 0.
    beta : float, default=1.0
        β > 0; the implicit reward is β (f − f_ref).
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0, and 0 for equal scores: it needs a likelihood beside it, as in the paper.

    References
    ----------
    .. [1] Yuan et al., "RRHF: rank responses to align language models with human
       feedback", NeurIPS 2023, eq. (2).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> rrhf_loss(jnp.array([0.0, 0.5]), jnp.array([1, 0]))
    Array(0.5, dtype=float32)
    """
    check_positive("beta", beta)
    rewards = _rewards(
        scores, reference_scores, beta, labels=labels, where=where, weights=weights
    )
    lists = prepare(rewards, labels, where, weights)
    total, weight = label_pair_sum(below_0, lists.scores, lists)
    return divide(total, weight, normalize)


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    bounds=(0.0, math.inf),
)
def irpo_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    position: ArrayLike,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    reference_scores: ArrayLike | None = None,
    beta: float = 1.0,
    aggregate: Literal["mean", "sum"] = "mean",
    normalize: bool = False,
) -> jax.Array:
    r"""IRPO: each item of a presented list against all others, weighted by its DCG.

    .. math:: \ell = \frac{1}{n} \sum_i w_i \frac{2^{y_i} - 1}{\log_2(1 + \rho_i)}
        \log\Bigl(1 + \frac{1}{n - 1} \sum_{j \ne i} e^{s_j - s_i}\Bigr),
        \quad s = \beta (f - f_{ref})

    with ρ the ``position`` in the presented list.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Scores f of the model: log-probabilities, or a ranker's scores.
    labels : array of shape (..., list_size)
        Labels ≥ 0.
    position : array of shape (..., list_size)
        1-based position of the items in the list that was presented.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 of the anchors i. None: 1.
    reference_scores : array of shape (..., list_size), default=None
        Scores of the frozen reference model. None: 0.
    beta : float, default=1.0
        β > 0; the implicit reward is β (f − f_ref).
    aggregate : {"mean", "sum"}, default="mean"
        Mean over the others, as in the released code, or their sum.
    normalize : bool, default=False
        Divide by the sum of the weights of the anchors instead of by n.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels. Its minimum is above 0 if two
        anchors conflict.

    Notes
    -----
    O(list_size²) time and O(list_size) memory; the gradient is in closed form.

    References
    ----------
    .. [1] After the code of Wu et al., "In-context ranking preference optimization",
       COLM 2025; the equations of the paper were not checked.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores, labels = jnp.array([0.3, 0.0]), jnp.array([1, 0])
    >>> loss = irpo_loss(scores, labels, position=jnp.array([1, 2]))
    >>> round(float(loss), 4)  # half of DPO
    0.2772
    """
    check_choice("aggregate", aggregate, ("mean", "sum"))
    check_positive("beta", beta)
    rewards = _rewards(
        scores,
        reference_scores,
        beta,
        labels=labels,
        where=where,
        weights=weights,
        position=position,
    )
    lists = prepare(rewards, labels, where, weights)
    rank = jnp.where(lists.where, masked_input(lists, position), 1.0)
    gains = jnp.where(has_two_labels(lists), jnp.exp2(lists.labels) - 1.0, 0.0)
    anchors = lists.weights * gains * log2_discount(rank)
    # log(1 + Σ_{j ≠ i} e^{s_j − s_i}) = softplus(log Σ_{j ≠ i} e^{s_j} − s_i)
    log_worths = jnp.where(lists.where, lists.scores, LOG_0)
    log_others = log_pair_sum(is_another, log_worths, positions(log_worths))
    n_items = jnp.sum(lists.where, axis=-1, keepdims=True).astype(log_worths.dtype)
    if aggregate == "mean":
        log_others -= jnp.log(jnp.maximum(n_items - 1.0, 1.0))
    has_other = lists.where & (log_others > LOG_0 / 2)
    log_odds = jnp.where(has_other, log_others - lists.scores, LOG_0)
    terms = jax.nn.softplus(log_odds)
    total = jnp.sum(anchors * terms, axis=-1)
    if normalize:
        return divide(total, anchors.sum(-1), True)
    return total / jnp.maximum(n_items[..., 0], 1.0)


def _rewards(
    scores: ArrayLike,
    reference_scores: ArrayLike | None,
    beta: float,
    **others: ArrayLike | None,
) -> jax.Array:
    """Implicit rewards β (f − f_ref); others are inputs per item of the same rows."""
    check_rows({"scores": scores, "reference_scores": reference_scores, **others})
    rewards = jnp.asarray(scores)
    if not jnp.issubdtype(rewards.dtype, jnp.floating):
        rewards = rewards.astype(jnp.float32)
    if reference_scores is not None:
        reference = jnp.asarray(reference_scores).astype(rewards.dtype)
        rewards -= jax.lax.stop_gradient(reference)
    return beta * rewards
