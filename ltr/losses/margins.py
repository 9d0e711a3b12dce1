"""Further pairwise losses: soft 0–1, exponential, squared, quantile, circle, gap."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import check_positive, divide, prepare
from ltr.losses.kernels.log_sums import LOG_0, log_pair_sum
from ltr.losses.kernels.pairs import below_0, label_pair_sum, label_terms
from ltr.losses.kernels.ranks import mean_ranks
from ltr.losses.kernels.second_order import is_diagonal, without_coupling
from ltr.losses.listwise import lower_label


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
)
def soft_zero_one_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    sigma: float = 1.0,
    normalize: bool = False,
) -> jax.Array:
    r"""Smooth count of the pairs in the wrong order.

    .. math:: \ell = \sum_{y_i > y_j} \frac{w_i w_j}{1 + e^{\sigma (s_i - s_j)}}

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
    sigma : float, default=1.0
        Steepness, > 0; the larger, the closer to the count.
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        Between 0 and the weight of the pairs. Not convex.

    References
    ----------
    .. [1] As ``pairwise_soft_zero_one_loss`` in Jagerman et al., "Rax: composable
       learning-to-rank using JAX", KDD 2022.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> soft_zero_one_loss(jnp.zeros(2), jnp.array([1, 0]))
    Array(0.5, dtype=float32)
    """
    check_positive("sigma", sigma)
    lists = prepare(scores, labels, where, weights)
    total, weight = label_pair_sum(
        _sigmoid_of_minus, sigma * lists.scores, lists, label_weights=label_weights
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
def exponential_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""Exponential loss of RankBoost on every pair with different labels.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j e^{-(s_i - s_j)}

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
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0. Linear in margins below −50, so that nothing overflows.

    References
    ----------
    .. [1] Freund et al., "An efficient boosting algorithm for combining preferences",
       JMLR 2003, section 3.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> exponential_loss(jnp.zeros(2), jnp.array([1, 0]))
    Array(1., dtype=float32)
    """
    lists = prepare(scores, labels, where, weights)
    total, weight = label_pair_sum(_exponential, lists.scores, lists)
    return divide(total, weight, normalize)


@ranking_loss(
    learns_from="two_items",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="pairs",
)
def pair_mse_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    normalize: bool = False,
) -> jax.Array:
    r"""Squared error of the score differences of all ordered pairs.

    .. math:: \ell = \sum_{ij} w_i w_j \bigl((s_i - s_j) - (y_i - y_j)\bigr)^2

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers: what the scores should be up to a constant.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    normalize : bool, default=False
        Divide by the weight of all ordered pairs, an item with itself included.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 where s = y + const.

    Notes
    -----
    Equal to 2 W² times the weighted variance of s − y, in O(list_size).

    References
    ----------
    .. [1] As ``pairwise_mse_loss`` in Jagerman et al., "Rax: composable
       learning-to-rank using JAX", KDD 2022.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> pair_mse_loss(jnp.array([1.0, 0.0]), jnp.array([3, 0]))
    Array(8., dtype=float32)
    """
    lists = prepare(scores, labels, where, weights)
    # Σ_ij w_i w_j (e_i − e_j)² = 2 W Σ_i w_i (e_i − mean)², with e = s − y, W = Σ w.
    weight = lists.weights.sum(axis=-1, keepdims=True)
    error = lists.scores - lists.labels
    mean = jnp.sum(lists.weights * error, axis=-1, keepdims=True)
    mean /= jnp.where(weight > 0, weight, 1.0)
    squares = jnp.sum(lists.weights * (error - mean) ** 2, axis=-1)
    total = 2.0 * weight[..., 0] * squares
    if is_diagonal():
        slope = 4.0 * weight * lists.weights * (error - mean)
        curvature = 4.0 * lists.weights * (weight - lists.weights)
        total = without_coupling(lists.scores, total, slope, curvature)
    return divide(total, weight[..., 0] ** 2, normalize)


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
    curvature="ones",
)
def quantile_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    label_weights: ArrayLike | None = None,
    tau: float = 0.5,
    squared: bool = False,
    normalize: bool = False,
) -> jax.Array:
    r"""Quantile regression of the score difference on the label difference.

    .. math:: \ell = \sum_{y_i > y_j} w_i w_j \bigl[ \tau \max(0, e_{ij})
        + (1 - \tau) \max(0, -e_{ij}) \bigr], \quad e_{ij} = (y_i - y_j) - (s_i - s_j)

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
    tau : float, default=0.5
        Quantile, in (0, 1); above ½ margins that fall short cost more. Below ½, scores
        in the right order with margins too wide may cost more than in reverse order.
    squared : bool, default=False
        Square the errors.
    normalize : bool, default=False
        Divide by the weight of the pairs.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 where the score differences of all pairs are the label differences.

    References
    ----------
    .. [1] As ``pairwise_qr_loss`` in Jagerman et al., "Rax: composable
       learning-to-rank using JAX", KDD 2022.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> quantile_loss(jnp.zeros(2), jnp.array([3, 0]))
    Array(1.5, dtype=float32)
    """
    lists = prepare(scores, labels, where, weights)
    missing, extra = below_0, _above_0
    if squared:
        missing, extra = _below_0_squared, _above_0_squared

    # −e_ij is the margin of the residuals, (s_i − y_i) − (s_j − y_j).
    residuals = lists.scores - lists.labels
    short, weight = label_pair_sum(
        missing, residuals, lists, label_weights=label_weights
    )
    long, _ = label_pair_sum(extra, residuals, lists, label_weights=label_weights)
    return divide(tau * short + (1.0 - tau) * long, weight, normalize)


@ranking_loss(
    learns_from="two_labels",
    repeats=True,
    bounds=(0.0, math.inf),
)
def circle_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    gamma: float = 64.0,
    margin: float = 0.25,
) -> jax.Array:
    r"""Circle loss on similarities in [0, 1].

    .. math:: \ell = \log\Bigl(1 + \sum_{y_i > y_j} w_i w_j \,
        e^{\gamma a_j (s_j - m) - \gamma a_i (s_i - 1 + m)}\Bigr)

    with the constants :math:`a_i = \max(0, 1 + m - s_i)` for the better item and
    :math:`a_j = \max(0, s_j + m)` for the other.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Similarities; clipped to [0, 1].
    labels : array of shape (..., list_size)
        Labels, any real numbers; pairs with equal labels do not count.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0; weight 2 is the item twice. None: 1.
    gamma : float, default=64.0
        Scale γ > 0.
    margin : float, default=0.25
        Margin m.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 for a list without two distinct labels. Depends on the level of the
        scores.

    References
    ----------
    .. [1] Sun et al., "Circle loss: a unified perspective of pair similarity
       optimization", CVPR 2020, eq. (4) to (8).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> circle_loss(jnp.array([0.5, 0.5]), jnp.array([1, 0]), gamma=1.0)
    Array(0.89812326, dtype=float32)
    """
    lists = prepare(scores, labels, where, weights)
    s = jnp.clip(lists.scores, 0.0, 1.0)
    constant = jax.lax.stop_gradient(s)
    as_better = gamma * jnp.maximum(0.0, 1.0 + margin - constant) * (s - 1.0 + margin)
    as_worse = gamma * jnp.maximum(0.0, constant + margin) * (s - margin)
    # The exponent splits into a term of j and one of i, so the inner sum over j is a
    # log-sum per item, and the outer sum over i a log-sum-exp of the list.
    beaten = log_pair_sum(
        lower_label, jnp.where(lists.where, as_worse, LOG_0), label_terms(lists)
    )  # log Σ_{y_j < y_i} w_j e^{γ a_j (s_j − m)}
    log_weights = jnp.log(jnp.where(lists.where, lists.weights, 1.0))
    has_pair = lists.where & (beaten > LOG_0 / 2)
    exponents = jnp.where(has_pair, log_weights + beaten - as_better, LOG_0)
    return jax.nn.softplus(jax.nn.logsumexp(exponents, axis=-1))


class GapTerms(NamedTuple):
    """Terms of an item that give the weight of a pair by its gap.

    Attributes
    ----------
    rank : array of shape (..., list_size)
        By label; equal labels share their mean rank.
    n_items : array of shape (..., list_size)
        Items of the list.
    """

    rank: jax.Array
    n_items: jax.Array


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    convex=True,
    smooth=True,
    bounds=(0.0, math.inf),
    curvature="ones",
)
def gap_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    margin: float = 1e-3,
    normalize: bool = False,
) -> jax.Array:
    r"""Hinge loss whose margin grows with the gap between the ranks of a pair.

    With the ranks r by label and :math:`g = r_j - r_i`

    .. math:: \ell = \sum_{y_i > y_j} \frac{w_i w_j}{n - g}
        \max(0, g \delta - (s_i - s_j))

    A list of n distinct labels has n − g pairs of each gap g: every gap has the same
    say.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better; of generated candidates, log-probabilities as
        :func:`ltr.rewards.length_normalized` gives them.
    labels : array of shape (..., list_size)
        Labels, any real numbers; pairs with equal labels do not count, and equal labels
        share their mean rank.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, factors of the pairs; ranks count items of weight 0 as absent
        and others once. None: 1.
    margin : float, default=0.001
        Margin δ > 0 of neighbors.
    normalize : bool, default=False
        Divide by the weight of the pairs, n − 1 for distinct labels.

    Returns
    -------
    loss : array of shape (...)
        ≥ 0; 0 where every margin is reached, or without two distinct labels.

    References
    ----------
    .. [1] Liu et al., "BRIO: Bringing order to abstractive summarization", ACL 2022,
       equation 8, with means over the pairs of a gap as in the code of Adams et al.,
       "Generating EDU extracts for plan-guided summary re-ranking", ACL 2023.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scores, labels = jnp.array([-0.9, -1.0, -0.8, -1.2]), jnp.array([3, 2, 1, 0])
    >>> round(float(gap_margin_loss(scores, labels)), 4)
    0.118
    """
    check_positive("margin", margin)
    lists = prepare(scores, labels, where, weights)
    rank = mean_ranks(lists.labels, lists.where)
    n_items = jnp.sum(lists.where, axis=-1, keepdims=True).astype(rank.dtype)
    terms = GapTerms(rank, jnp.broadcast_to(n_items, rank.shape))
    # g δ − (s_i − s_j) = −[(s_i + δ r_i) − (s_j + δ r_j)]
    total, weight = label_pair_sum(
        below_0,
        lists.scores + margin * rank,
        lists,
        pair_weight=_share_of_gap,
        terms=terms,
    )
    return divide(total, weight, normalize)


def _share_of_gap(i: GapTerms, j: GapTerms) -> jax.Array:
    """1 / (n − g), where g is the gap of the two."""
    return 1.0 / (i.n_items - jnp.abs(i.rank - j.rank))


def _sigmoid_of_minus(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    value = jax.nn.sigmoid(-margin)
    return value, -value * (1.0 - value)


def _exponential(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    """e^−margin, continued by its tangent below −50."""
    clipped = jnp.maximum(margin, -50.0)
    value = jnp.exp(-clipped)
    return value * (1.0 + clipped - margin), -value


def _above_0(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.maximum(margin, 0.0), jnp.where(margin > 0, 1.0, 0.0)


def _below_0_squared(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    negative = jnp.minimum(margin, 0.0)
    return negative**2, 2.0 * negative


def _above_0_squared(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    positive = jnp.maximum(margin, 0.0)
    return positive**2, 2.0 * positive
