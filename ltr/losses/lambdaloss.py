"""The LambdaLoss framework: pairwise bounds on DCG and on the relevance position."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice, check_whole
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import (
    Lists,
    as_dtype,
    check_positive,
    divide,
    has_two_labels,
    prepare,
)
from ltr.losses.kernels.pairs import (
    difference,
    label_pair_sum,
    logistic,
    pair_sum,
)
from ltr.losses.kernels.ranks import (
    TiedDiscounts,
    change_of_discount,
    log2_discount,
    mean_ranks,
    metric_gains,
    tied_discounts,
)


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def ndcg_loss1_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    sigma: float = 1.0,
    metric: Literal["ndcg", "dcg"] = "ndcg",
    normalize: bool = False,
) -> jax.Array:
    r"""NDCG-Loss1 of the LambdaLoss framework: a bound on 1 / DCG, item by item.

    .. math:: \ell = \frac{1}{\mathrm{IDCG}} \sum_{i, j} w_i w_j \, G_i D_i
        \log\bigl(1 + e^{-\sigma (s_i - s_j)}\bigr)

    with G = 2^y − 1, and D = 1 / log2(1 + rank) by the current scores, held constant in
    the gradient. The sum is over all ordered pairs, i = j included, whatever their
    labels.

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
    sigma : float, default=1.0
        Steepness, > 0.
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
    Natural logarithm; the paper has log2 (divide by ln 2).

    References
    ----------
    .. [1] Wang et al., "The LambdaLoss framework for ranking metric optimization",
       CIKM 2018, section 5.1.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(ndcg_loss1_loss(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    1.0064
    """
    check_choice("metric", metric, ("ndcg", "dcg"))
    check_positive("sigma", sigma)
    lists = prepare(scores, labels, where, weights)
    gains, inverse_ideal = metric_gains(lists, None, metric)
    # G_i D_i, the DCG of item i at its current rank: fixed, as in the M-step of EM.
    ranking = jax.lax.stop_gradient(lists.scores)
    strength = gains * tied_discounts(ranking, lists.where, None).mean
    return _against_all(lists, strength, sigma, inverse_ideal, normalize)


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def ndcg_loss2_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    sigma: float = 1.0,
    k: int | None = None,
    metric: Literal["ndcg", "dcg"] = "ndcg",
    normalize: bool = False,
) -> jax.Array:
    r"""NDCG-Loss2: pairs weighted by the discount at their distance in rank.

    .. math:: \ell = \frac{1}{\mathrm{IDCG}} \sum_{y_i > y_j} w_i w_j \,
        \delta_{ij} |G_i - G_j| \log\bigl(1 + e^{-\sigma (s_i - s_j)}\bigr), \quad
        \delta_{ij} = D(|r_i - r_j|) - D(|r_i - r_j| + 1)

    with :math:`D(r) = 1 / \log_2(1 + r)`. Equal scores share their mean rank, and ranks
    count as at least 1 apart.

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
        Cut-off: δ is divided by 1 − D(max(r_i, r_j)) where the worse rank is beyond
        ``k``, and IDCG@k. None: no cut-off.
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
    Natural logarithm; the paper has log2 (divide by ln 2). O(n²) time, O(n) memory.

    References
    ----------
    .. [1] Wang et al., "The LambdaLoss framework for ranking metric optimization",
       CIKM 2018, section 5.2; the cut-off after Jagerman et al., "On optimizing top-K
       metrics for neural ranking models", SIGIR 2022.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(ndcg_loss2_loss(jnp.array([1.0, 0.0]), jnp.array([1, 0]))), 4)
    0.1156
    """
    check_choice("metric", metric, ("ndcg", "dcg"))
    check_positive("sigma", sigma)
    check_whole("k", k, low=1, optional=True)
    lists = prepare(scores, labels, where, weights)
    return _lambda_loss2(lists, label_weights, sigma, metric, normalize, k=k)


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def ndcg_loss2pp_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    sigma: float = 1.0,
    mu: float = 10.0,
    metric: Literal["ndcg", "dcg"] = "ndcg",
    normalize: bool = False,
) -> jax.Array:
    r"""NDCG-Loss2++: the weights of LambdaRank plus μ times those of NDCG-Loss2.

    .. math:: \ell = \frac{1}{\mathrm{IDCG}} \sum_{y_i > y_j} w_i w_j
        (\rho_{ij} + \mu \delta_{ij}) |G_i - G_j|
        \log\bigl(1 + e^{-\sigma (s_i - s_j)}\bigr), \quad \rho_{ij} = |D_i - D_j|

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
    mu : float, default=10.0
        Weight μ ≥ 0 of the second part, as in the code of [1]_.
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
    Natural logarithm; the paper has log2 (divide by ln 2). O(n²) time, O(n) memory.

    References
    ----------
    .. [1] Wang et al., "The LambdaLoss framework for ranking metric optimization",
       CIKM 2018, section 5.3.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores, labels = jnp.array([1.0, 0.0]), jnp.array([1, 0])
    >>> round(float(ndcg_loss2pp_loss(scores, labels, mu=1.0)), 4)
    0.2312
    """
    check_choice("metric", metric, ("ndcg", "dcg"))
    check_positive("sigma", sigma)
    lists = prepare(scores, labels, where, weights)
    return _lambda_loss2(lists, label_weights, sigma, metric, normalize, mu=mu)


@ranking_loss(
    labels="from_0",
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def arp_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    sigma: float = 1.0,
    variant: Literal[1, 2] = 2,
    normalize: bool = False,
) -> jax.Array:
    r"""Average relevance position: ARP-Loss1 and ARP-Loss2 of the LambdaLoss framework.

    .. math:: \ell_1 = \sum_{i, j} w_i w_j \, y_i
        \log\bigl(1 + e^{-\sigma (s_i - s_j)}\bigr), \quad
        \ell_2 = \sum_{y_i > y_j} w_i w_j |y_i - y_j|
        \log\bigl(1 + e^{-\sigma (s_i - s_j)}\bigr)

    The first sum is over all ordered pairs, i = j included.

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
    sigma : float, default=1.0
        Steepness, > 0.
    variant : {1, 2}, default=2
        Which of the two; the second is RankNet with label differences.
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels.

    Notes
    -----
    Natural logarithm; the paper has log2 (divide by ln 2). With log2 and σ = 1 the
    first is at least Σ_i y_i r_i.

    References
    ----------
    .. [1] Wang et al., "The LambdaLoss framework for ranking metric optimization",
       CIKM 2018, section 4.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(arp_loss(jnp.array([1.0, 0.0]), jnp.array([2, 0]))), 4)
    0.6265
    """
    check_choice("variant", variant, (1, 2))
    check_positive("sigma", sigma)
    lists = prepare(scores, labels, where, weights)
    if variant == 1:
        one = jnp.ones(lists.scores.shape[:-1], lists.scores.dtype)
        return _against_all(lists, lists.labels, sigma, one, normalize)
    total, weight = label_pair_sum(
        logistic,
        sigma * lists.scores,
        lists,
        pair_weight=difference,
        terms=lists.labels,
    )
    return divide(total, weight, normalize)


class OwnTerms(NamedTuple):
    """A pair weight that belongs to the item that should win, whatever the labels.

    Attributes
    ----------
    strength, weight : arrays of shape (..., list_size)
        a(i, j) = w_i w_j strength_i.
    """

    strength: jax.Array
    weight: jax.Array


class DistanceTerms(NamedTuple):
    """Terms of an item that give its pair weights in NDCG-Loss2 and NDCG-Loss2++.

    Attributes
    ----------
    gain : array of shape (..., list_size)
        G by label.
    rank : array of shape (..., list_size)
        r by the current scores, from 1; equal scores share their mean rank.
    k : number or None
        Cut-off. None: none.
    discount : TiedDiscounts or None
        D by rank, for ρ. None: NDCG-Loss2.
    mu : number or None
        Weight μ of δ beside ρ.
    """

    gain: jax.Array
    rank: jax.Array
    k: jax.Array | None = None
    discount: TiedDiscounts | None = None
    mu: jax.Array | None = None


def _against_all(
    lists: Lists,
    strength: jax.Array,
    sigma: float,
    factor: jax.Array,
    normalize: bool,
) -> jax.Array:
    """Σ_ij w_i w_j strength_i log(1 + e^{−σ (s_i − s_j)}), times a factor per list."""
    strength = jnp.where(has_two_labels(lists), strength, 0.0)
    terms = OwnTerms(strength, lists.weights)
    total, weight = pair_sum(
        logistic, _own_strength, sigma * lists.scores, terms, lists.where
    )
    return divide(total * factor, weight * factor, normalize)


def _own_strength(i: OwnTerms, j: OwnTerms) -> tuple[jax.Array, jax.Array]:
    weight = i.weight * j.weight
    return weight * i.strength, weight * j.strength


def _lambda_loss2(
    lists: Lists,
    label_weights: ArrayLike | None,
    sigma: float,
    metric: str,
    normalize: bool,
    *,
    k: int | None = None,
    mu: float | None = None,
) -> jax.Array:
    """NDCG-Loss2, or with ``mu`` NDCG-Loss2++."""
    gain, inverse_ideal = metric_gains(lists, k, metric)
    ranking = jax.lax.stop_gradient(lists.scores)
    terms = DistanceTerms(gain, mean_ranks(ranking, lists.where))
    if k is not None:
        terms = terms._replace(k=as_dtype(k, ranking))
    if mu is not None:
        discount = tied_discounts(ranking, lists.where, None)
        terms = terms._replace(discount=discount, mu=as_dtype(mu, ranking))
    total, weight = label_pair_sum(
        logistic,
        sigma * lists.scores,
        lists,
        label_weights=label_weights,
        pair_weight=_distance_weight,
        terms=terms,
    )
    return divide(total * inverse_ideal, weight * inverse_ideal, normalize)


def _distance_weight(i: DistanceTerms, j: DistanceTerms) -> jax.Array:
    """δ_ij |G_i − G_j|, or (ρ_ij + μ δ_ij) |G_i − G_j|."""
    # Equal scores share a mean rank, and δ needs a distance of at least one rank.
    apart = jnp.maximum(jnp.abs(i.rank - j.rank), 1.0)
    delta = log2_discount(apart) - log2_discount(apart + 1.0)
    change = jnp.abs(i.gain - j.gain)
    if i.k is not None:
        # Jagerman et al.: beyond k, δ / (1 − D(worse rank)).
        worse = jnp.maximum(i.rank, j.rank)
        beyond = worse > i.k
        factor = 1.0 / (1.0 - log2_discount(jnp.where(beyond, worse, 2.0)))
        return jnp.where(beyond, factor, 1.0) * (delta * change)
    if i.discount is None or j.discount is None:
        return delta * change
    rho = change_of_discount(i.discount, j.discount)
    return (rho + i.mu * delta) * change
