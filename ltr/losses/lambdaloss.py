"""The LambdaLoss framework: pairwise bounds on DCG and on the relevance position."""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import (
    Lists,
    check_choice,
    check_cutoff,
    check_positive,
    divide,
    has_two_labels,
    prepare,
)
from ltr.losses.kernels.pairs import (
    Terms,
    by_label,
    difference,
    label_terms,
    logistic,
    pair_sum,
)
from ltr.losses.kernels.ranks import (
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

    The sum is over all ordered pairs, i = j included, whatever their labels.

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
    ranking = jax.lax.stop_gradient(lists.scores)
    strength = gains * tied_discounts(ranking, lists.where, None)
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
    check_cutoff(k)
    lists = prepare(scores, labels, where, weights)
    return _lambda_loss2(lists, label_weights, sigma, k, metric, None, normalize)


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
    return _lambda_loss2(lists, label_weights, sigma, None, metric, mu, normalize)


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
    total, weight = pair_sum(
        logistic,
        by_label(difference),
        sigma * lists.scores,
        (*label_terms(lists), lists.labels),
    )
    return divide(total, weight, normalize)


def _against_all(
    lists: Lists,
    strength: jax.Array,
    sigma: float,
    factor: jax.Array,
    normalize: bool,
) -> jax.Array:
    """Each item against all, itself included, with a weight of its own."""
    strength = jnp.where(has_two_labels(lists), strength, 0.0)
    total, weight = pair_sum(
        logistic, _own_strength, sigma * lists.scores, (strength, lists.weights)
    )
    return divide(total * factor, weight * factor, normalize)


def _own_strength(items: Terms, other: Terms) -> tuple[jax.Array, jax.Array]:
    weight = items[1] * other[1]
    return weight * items[0], weight * other[0]


def _lambda_loss2(
    lists: Lists,
    label_weights: ArrayLike | None,
    sigma: float,
    k: int | None,
    metric: str,
    mu: float | None,
    normalize: bool,
) -> jax.Array:
    gains, inverse_ideal = metric_gains(lists, k, metric)
    ranking = jax.lax.stop_gradient(lists.scores)
    terms = [gains, mean_ranks(ranking, lists.where)]
    change = _distance_change
    if k is not None:
        terms.append(jnp.full_like(ranking, k))
        change = _cut_distance_change
    if mu is not None:
        discounts = tied_discounts(ranking, lists.where, None)
        terms += [discounts, jnp.full_like(ranking, mu)]
        change = _distance_and_metric_change
    total, weight = pair_sum(
        logistic,
        by_label(change, one_sided=label_weights is not None),
        sigma * lists.scores,
        (*label_terms(lists, label_weights), *terms),
    )
    return divide(total * inverse_ideal, weight * inverse_ideal, normalize)


def _distance_discount(items: Terms, other: Terms) -> jax.Array:
    """δ of two items by gain and rank."""
    apart = jnp.maximum(jnp.abs(items[1] - other[1]), 1.0)
    return log2_discount(apart) - log2_discount(apart + 1.0)


def _distance_change(items: Terms, other: Terms) -> jax.Array:
    return _distance_discount(items, other) * jnp.abs(items[0] - other[0])


def _cut_distance_change(items: Terms, other: Terms) -> jax.Array:
    worse = jnp.maximum(items[1], other[1])
    beyond = worse > items[2]
    factor = 1.0 / (1.0 - log2_discount(jnp.where(beyond, worse, 2.0)))
    factor = jnp.where(beyond, factor, 1.0)
    return factor * _distance_change(items, other)


def _distance_and_metric_change(items: Terms, other: Terms) -> jax.Array:
    rho = jnp.abs(items[2] - other[2])
    delta = _distance_discount(items, other)
    return (rho + items[3] * delta) * jnp.abs(items[0] - other[0])
