"""Unbiased losses on clicks, which correct for items that were never examined.

Under the position-based model a click at rank k is examination times relevance:
P(click) = θ_k · relevance. Dividing each click by θ_k removes the examination, in
expectation, from every loss that is linear in the clicks.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import (
    Lists,
    as_dtype,
    divide,
    masked_log_softmax,
    prepare,
)
from ltr.losses.kernels.loops import positions
from ltr.losses.kernels.pairs import logistic, pair_sum


def examination_probabilities(position: ArrayLike, *, eta: float = 1.0) -> jax.Array:
    r"""Probability that a user examines a rank: :math:`\theta_k = k^{-\eta}`.

    Parameters
    ----------
    position : array of shape (...)
        1-based ranks at which items were shown; ranks below 1 count as 1.
    eta : float, default=1.0
        Steepness η of the position bias; 0 is no bias.

    Returns
    -------
    propensity : array of shape (...)
        θ, in (0, 1] for η ≥ 0.

    References
    ----------
    .. [1] Joachims, Swaminathan & Schnabel, "Unbiased learning-to-rank with biased
       feedback", WSDM 2017, section 6.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> examination_probabilities(jnp.array([1, 2, 4]))
    Array([1.  , 0.5 , 0.25], dtype=float32)
    """
    ranks = jnp.asarray(position)
    if not jnp.issubdtype(ranks.dtype, jnp.floating):
        ranks = ranks.astype(jnp.result_type(float))
    return jnp.exp(-as_dtype(eta, ranks) * jnp.log(jnp.maximum(ranks, 1.0)))


def ips_weights(
    position: ArrayLike,
    propensities: ArrayLike,
    *,
    clip: float = 0.0,
) -> jax.Array:
    r"""Inverse propensity weights from a table: :math:`1 / \max(\theta_k, \tau)`.

    Parameters
    ----------
    position : int array of shape (...)
        1-based ranks at which items were shown. Ranks beyond the table take its last
        entry, ranks below 1 its first.
    propensities : array of shape (n_ranks,)
        θ_k ≥ 0 of rank 1, 2, …, such as an estimate from a swap experiment.
    clip : float, default=0.0
        τ ≥ 0: smaller propensities are raised to it, which bounds the variance and
        costs a bias. 0: no clipping.

    Returns
    -------
    weights : array of shape (...)
        0 where both θ and τ are 0: an item that is never examined is never clicked.

    References
    ----------
    .. [1] Joachims, Swaminathan & Schnabel, "Unbiased learning-to-rank with biased
       feedback", WSDM 2017, section 4; clipping after Strehl et al., "Learning from
       logged implicit exploration data", NIPS 2010.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> ips_weights(jnp.array([1, 3, 9]), jnp.array([1.0, 0.5, 0.25]))
    Array([1., 4., 4.], dtype=float32)
    """
    table = jnp.asarray(propensities)
    if table.ndim != 1 or table.size == 0:
        raise ValueError(
            "propensities must have shape (n_ranks,) with one entry or more; got shape "
            f"{table.shape}. For one value per item, pass propensity to the loss."
        )
    if not jnp.issubdtype(table.dtype, jnp.floating):
        table = table.astype(jnp.result_type(float))
    index = jnp.clip(jnp.asarray(position).astype(jnp.int32) - 1, 0, table.size - 1)
    return _inverse(table[index], clip)


def affine_labels(
    clicks: ArrayLike,
    *,
    alpha: ArrayLike,
    beta: ArrayLike,
) -> jax.Array:
    r"""Clicks corrected for position and trust bias: :math:`(c_i - \beta_i)/\alpha_i`.

    With trust bias P(click) = α · relevance + β at each rank, so that the result has
    the relevance as its expectation. It may be negative, so use it with losses that are
    linear in the labels up to a constant, such as :func:`ltr.losses.mse_loss`.

    Parameters
    ----------
    clicks : array of shape (..., list_size)
        1 for clicked, 0 for not.
    alpha : array of shape (..., list_size)
        α > 0 at the rank of each item: θ (ε⁺ − ε⁻), with ε⁺ and ε⁻ the probabilities
        of a click on a relevant and on an irrelevant item that is examined.
    beta : array of shape (..., list_size)
        β at the rank of each item: θ ε⁻.

    Returns
    -------
    labels : array of shape (..., list_size)
        Unbiased estimates of the relevance.

    References
    ----------
    .. [1] Vardasbi, Oosterhuis & de Rijke, "When inverse propensity scoring does not
       work: affine corrections for unbiased learning to rank", CIKM 2020.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> clicks = jnp.array([1, 0])
    >>> affine_labels(clicks, alpha=jnp.array([0.5, 0.25]), beta=jnp.array([0.5, 0.25]))
    Array([ 1., -1.], dtype=float32)
    """
    scale = jnp.asarray(alpha)
    return (as_dtype(clicks, scale) - as_dtype(beta, scale)) / scale


@ranking_loss(
    learns_from="two_items",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="softmax",
)
def ips_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    position: ArrayLike | None = None,
    propensity: ArrayLike | None = None,
    eta: float = 1.0,
    clip: float = 0.0,
    normalize: bool = False,
) -> jax.Array:
    r"""Softmax cross-entropy on clicks, each divided by its propensity.

    .. math:: \ell = -\sum_i w_i \frac{c_i}{\max(\theta_i, \tau)}
        \log \frac{e^{s_i}}{\sum_j w_j e^{s_j}}

    Without clipping its expectation over examinations is the softmax loss on the
    relevance.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Clicks c: 1 or 0, or how often an item was clicked.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in both sums; weight 2 is the item twice. None: 1.
    position : array of shape (..., list_size), default=None
        1-based ranks at which the items were shown: θ = position^(−η).
    propensity : array of shape (..., list_size), default=None
        θ of each item, instead of ``position``; 1 everywhere means no correction.
    eta : float, default=1.0
        η, see :func:`examination_probabilities`. Not used with ``propensity``.
    clip : float, default=0.0
        τ ≥ 0: smaller propensities are raised to it. Above 0 the loss is biased.
    normalize : bool, default=False
        Divide by the sum of w c / θ: the self-normalized (SNIPS) form, not unbiased.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without clicks. A list in which all items are clicked counts:
        dropping it would bias the loss.

    Raises
    ------
    ValueError
        Unless exactly one of ``position`` and ``propensity`` is given.

    References
    ----------
    .. [1] Joachims, Swaminathan & Schnabel, "Unbiased learning-to-rank with biased
       feedback", WSDM 2017, section 4, with a softmax in place of the rank; as in ULTRA
       (``ipw_rank.py``). SNIPS: Swaminathan & Joachims, NIPS 2015.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> clicks, shown = jnp.array([0, 1]), jnp.array([1, 2])
    >>> loss = ips_softmax_loss(jnp.zeros(2), clicks, position=shown)  # 2 log 2
    >>> round(float(loss), 4)
    1.3863
    """
    lists = prepare(
        scores, labels, where, weights, position=position, propensity=propensity
    )
    # E[c / θ] = relevance, and the loss is linear in the targets.
    targets = lists.weights * _corrected(lists, position, propensity, eta, clip)
    total = -jnp.sum(targets * masked_log_softmax(lists, lists.scores), axis=-1)
    return divide(total, targets.sum(-1), normalize)


@ranking_loss(
    learns_from="two_items",
    shift_invariant=True,
    convex=True,
    smooth=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def ips_pairwise_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    position: ArrayLike | None = None,
    propensity: ArrayLike | None = None,
    eta: float = 1.0,
    clip: float = 0.0,
    sigma: float = 1.0,
    against: Literal["all", "unclicked"] = "all",
    normalize: bool = False,
) -> jax.Array:
    r"""Logistic loss of clicked items against all others, divided by propensity.

    .. math:: \ell = \sum_i \frac{w_i c_i}{\max(\theta_i, \tau)} \sum_{j \ne i} w_j
        \log\bigl(1 + e^{-\sigma (s_i - s_j)}\bigr)

    Linear in the clicks, so without clipping its expectation over examinations is the
    same sum with the relevance in place of :math:`c_i / \theta_i`.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Clicks c: 1 or 0, or how often an item was clicked.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0 on the pairs. Weight 2 is the item twice in the gradient; in
        the value the two copies do not meet each other. None: 1.
    position : array of shape (..., list_size), default=None
        1-based ranks at which the items were shown: θ = position^(−η).
    propensity : array of shape (..., list_size), default=None
        θ of each item, instead of ``position``; 1 everywhere means no correction.
    eta : float, default=1.0
        η, see :func:`examination_probabilities`. Not used with ``propensity``.
    clip : float, default=0.0
        τ ≥ 0: smaller propensities are raised to it. Above 0 the loss is biased.
    sigma : float, default=1.0
        Steepness, > 0.
    against : {"all", "unclicked"}, default="all"
        ``"unclicked"`` keeps only the pairs with :math:`c_i > c_j`, as is often done.
        That is biased whatever the propensities, since an item without a click need not
        be irrelevant; use it only for comparison.
    normalize : bool, default=False
        Divide by the weight of the pairs: self-normalized (SNIPS), not unbiased.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without clicks or with a single item. A list in which all
        items are clicked counts under ``"all"``.

    Raises
    ------
    ValueError
        If ``against`` is unknown, or unless exactly one of ``position`` and
        ``propensity`` is given.

    Notes
    -----
    O(list_size²) time and O(list_size) memory; the gradient is in closed form.

    References
    ----------
    .. [1] Joachims, Swaminathan & Schnabel, "Unbiased learning-to-rank with biased
       feedback", WSDM 2017, section 5: the sum over all others bounds the rank of a
       clicked item, there with the hinge.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> clicks, shown = jnp.array([0, 1]), jnp.array([1, 2])
    >>> loss = ips_pairwise_loss(jnp.zeros(2), clicks, position=shown)  # 2 log 2
    >>> round(float(loss), 4)
    1.3863
    """
    check_choice("against", against, ("all", "unclicked"))
    lists = prepare(
        scores, labels, where, weights, position=position, propensity=propensity
    )
    # pair_sum meets a pair once, with a(i, j) for i over j and a(j, i) for j over i.
    relevance = _corrected(lists, position, propensity, eta, clip)
    terms = ClickTerms(lists.weights, relevance, lists.labels, positions(relevance))
    pair_weights = _over_all if against == "all" else _over_unclicked
    total, weight = pair_sum(
        logistic, pair_weights, sigma * lists.scores, terms, lists.where
    )
    return divide(total, weight, normalize)


class ClickTerms(NamedTuple):
    """Terms that give the weight of a pair, arrays of shape (..., list_size).

    Attributes
    ----------
    weight : array
        w of the item.
    relevance : array
        c / θ, the click corrected for its propensity.
    click : array
        c.
    position : array
        Place in the list, to tell an item from another.
    """

    weight: jax.Array
    relevance: jax.Array
    click: jax.Array
    position: jax.Array


def _over_all(i: ClickTerms, j: ClickTerms) -> tuple[jax.Array, jax.Array]:
    """a(i, j) = w_i w_j c_i / θ_i for j ≠ i."""
    weight = jnp.where(i.position != j.position, i.weight * j.weight, 0.0)
    return weight * i.relevance, weight * j.relevance


def _over_unclicked(i: ClickTerms, j: ClickTerms) -> tuple[jax.Array, jax.Array]:
    """a(i, j) = w_i w_j c_i / θ_i where c_i > c_j."""
    weight = i.weight * j.weight
    return (
        jnp.where(i.click > j.click, weight * i.relevance, 0.0),
        jnp.where(i.click < j.click, weight * j.relevance, 0.0),
    )


def _corrected(
    lists: Lists,
    position: ArrayLike | None,
    propensity: ArrayLike | None,
    eta: float,
    clip: float,
) -> jax.Array:
    """Clicks divided by their propensities, constant in the gradient; 0 if masked."""
    if (position is None) == (propensity is None):
        got = "neither" if position is None else "both"
        raise ValueError(
            f"One of position and propensity must be given; got {got}. Pass "
            "position=… (the 1-based ranks at which the items were shown), or "
            "propensity=1.0 for clicks without position bias."
        )
    if propensity is None:
        shown = jnp.where(lists.where, as_dtype(position, lists.scores), 1.0)  # type: ignore[arg-type]
        propensity = examination_probabilities(shown, eta=eta)
    theta = jnp.where(lists.where, as_dtype(propensity, lists.scores), 1.0)
    return jax.lax.stop_gradient(lists.labels * _inverse(theta, clip))


def _inverse(propensity: jax.Array, clip: float) -> jax.Array:
    """1 / max(θ, τ), 0 for 0."""
    theta = jnp.maximum(propensity, as_dtype(clip, propensity))
    return jnp.where(theta > 0, 1.0 / jnp.where(theta > 0, theta, 1.0), 0.0)
