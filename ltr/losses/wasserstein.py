"""Wasserstein distances between the softmax of the scores and that of the labels."""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.losses.declaration import ranking_loss
from ltr.losses.kernels.contract import (
    Lists,
    has_two_labels,
    masked_log_softmax,
    masked_max,
    prepare,
)
from ltr.losses.kernels.loops import inverse, item, over_items
from ltr.losses.kernels.ranks import count_ranks


@ranking_loss(
    learns_from="two_labels",
    shift_invariant=True,
    smooth=True,
    repeats=True,
    bounds=(0.0, math.inf),
)
def wasserstein_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    temperature: float = 1.0,
    ties: Literal["shared", "stable"] = "shared",
) -> jax.Array:
    r"""Wasserstein-1 distance of two distributions over the items, by label order.

    .. math:: \ell = \sum_{c > y_\min} \Bigl| \sum_{y_i \ge c} (p_i - q_i) \Bigr|, \quad
        p = \mathrm{softmax}(s / T), \; q = \mathrm{softmax}(y)

    The outer sum is over all distinct labels c except the lowest: the labels lie on a
    line, one step apart, and probability on the wrong label costs the number of steps
    that it has to move. Which item of a label it is on does not matter.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Model scores, higher is better.
    labels : array of shape (..., list_size)
        Labels, any real numbers.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    weights : array of shape (..., list_size), default=None
        Item weights ≥ 0, in both distributions; weight 2 is the item twice. None: 1.
    temperature : float, default=1.0
        T > 0 of the scores.
    ties : {"shared", "stable"}, default="shared"
        Equal labels share one place, or are one step apart by position (depends on the
        order of rows: for comparisons only).

    Returns
    -------
    loss : array of shape (...)
        From 0 to the number of distinct labels minus 1; 0 for a list without two.

    Raises
    ------
    ValueError
        If ``ties`` is unknown.

    Notes
    -----
    Our own definition; WassRank (Yu et al., WSDM 2019) is another one, with an
    optimal-transport cost made from labels. Not convex. O(list_size²) time and
    O(list_size) memory.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> round(float(wasserstein_loss(jnp.array([0.0, 0.0]), jnp.array([1, 0]))), 4)
    0.2311
    """
    check_choice("ties", ties, ("shared", "stable"))
    lists = prepare(scores, labels, where, weights)
    difference = _probabilities(lists, lists.scores / temperature)
    difference -= _probabilities(lists, lists.labels)
    level = jax.lax.stop_gradient(jnp.where(lists.where, lists.labels, jnp.nan))
    if ties == "stable":
        order = jnp.argsort(-level, axis=-1)  # NaN comes last
        level = jnp.where(lists.where, -inverse(order).astype(level.dtype), level)
    # S(l) = Σ_{y_j ≥ l} (p_j − q_j); the distance is Σ_l |S(l)| over the labels l above
    # the lowest, at which S is 0. Items of the same label share its term.
    above = _sum_at_or_above(difference, level)
    lowest = -masked_max(-level, lists.where)
    counts = lists.where & (level > lowest) & has_two_labels(lists)
    _, equal = count_ranks(level)  # every label counts once
    above = jnp.where(counts, above, 0.0) / jnp.maximum(equal, 1).astype(above.dtype)
    return jnp.sum(above * jnp.sign(above), axis=-1)  # |x| with derivative 0 at 0


@ranking_loss(
    learns_from="two_items",
    shift_invariant=True,
    smooth=True,
    bounds=(-1e-3, math.inf),  # differences of traces, rounded
    per_batch=True,
)
def wasserstein_batch_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    temperature: float = 1.0,
) -> jax.Array:
    r"""Wasserstein-2 distance of a batch of score lists to a batch of label lists.

    The rows of X = softmax(s / T) and of Y = softmax(y) are treated as samples of two
    Gaussians with means μ and covariances C (divided by b − 1, of b lists):

    .. math:: \ell = \lVert \mu_X - \mu_Y \rVert^2 + \mathrm{tr}(C_X + C_Y)
        - 2 \, \mathrm{tr} \bigl( (C_X C_Y)^{1/2} \bigr)

    It compares two distributions, not list with list: permuting the lists of the scores
    alone changes nothing. So it needs many different lists, and columns with the same
    meaning in all of them: every list scores all items of the batch, and those of other
    queries have label 0, as with
    ``NeuralRanker(wasserstein_batch_loss, "two_tower", in_batch=True)``.

    Parameters
    ----------
    scores : array of shape (..., n_lists, list_size)
        Model scores, higher is better.
    labels : array of shape (..., n_lists, list_size)
        Labels, any real numbers.
    where : bool array of shape (..., n_lists, list_size), default=None
        True for real items; a list without any is not part of the batch. None: all.
    temperature : float, default=1.0
        T > 0 of the scores.

    Returns
    -------
    loss : array of shape (...)
        One number per *batch*, ≥ 0 up to rounding; 0 if X = Y or the batch is empty. Of
        one list: ‖X − Y‖².

    Raises
    ------
    ValueError
        If ``scores`` have fewer than two axes.

    Notes
    -----
    With A and B the centered rows over √(b − 1), the last trace is the sum of the
    singular values of A Bᵀ. Singular values that are 0 up to rounding have derivative
    0: the batch is then at a kink, as where all lists of scores are equal.

    References
    ----------
    .. [1] "Beyond contrastive learning: synthetic data enables list-wise training with
       multiple levels of relevance" (SyCL), 2025, after its code ``WS2Loss``; the
       singular values take the place of its eigenvalues.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> s, y = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([[1, 0], [0, 1]])
    >>> abs(round(float(wasserstein_batch_loss(s, y)), 4))
    0.0
    >>> round(float(wasserstein_batch_loss(jnp.zeros((2, 2)), y)), 4)
    0.2136
    """
    lists = prepare(scores, labels, where, None)
    if lists.scores.ndim < 2:
        raise ValueError(
            "scores must have shape (..., n_lists, list_size); got shape "
            f"{lists.scores.shape}. For one list pass scores[None]."
        )
    x = _probabilities(lists, lists.scores / temperature)
    y = _probabilities(lists, lists.labels)
    real = lists.where.any(-1, keepdims=True).astype(x.dtype)
    n_lists = jnp.sum(real, axis=-2, keepdims=True)
    center_x = jnp.sum(x, axis=-2, keepdims=True) / jnp.maximum(n_lists, 1.0)
    center_y = jnp.sum(y, axis=-2, keepdims=True) / jnp.maximum(n_lists, 1.0)
    degrees = jnp.sqrt(jnp.maximum(n_lists - 1.0, 1.0))
    a, b = real * (x - center_x) / degrees, real * (y - center_y) / degrees
    distance = jnp.sum((center_x - center_y) ** 2, axis=(-2, -1))
    spread = jnp.sum(a**2 + b**2, axis=(-2, -1))
    return distance + spread - 2.0 * _nuclear_norm_of_product(a, b)


def _probabilities(lists: Lists, logits: jax.Array) -> jax.Array:
    """Weighted softmax, 0 at masked positions; sums to 1 unless the list is empty."""
    return lists.weights * jnp.exp(masked_log_softmax(lists, logits))


@jax.custom_vjp
@jax.jit
def _sum_at_or_above(values: jax.Array, level: jax.Array) -> jax.Array:
    """Σ_j values_j over the items with a level at least that of each item."""

    def add(j: jax.Array, total: jax.Array) -> jax.Array:
        return total + jnp.where(item(level, j) >= level, item(values, j), 0.0)

    return over_items(add, jnp.zeros_like(values))


def _sum_forward(values: jax.Array, level: jax.Array) -> tuple[jax.Array, jax.Array]:
    return _sum_at_or_above(values, level), level


def _sum_backward(
    level: jax.Array, cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return _sum_at_or_above(cotangent, -level), jnp.zeros_like(level)


_sum_at_or_above.defvjp(_sum_forward, _sum_backward)


@jax.custom_vjp
def _nuclear_norm_of_product(a: jax.Array, b: jax.Array) -> jax.Array:
    """Sum of the singular values of a bᵀ."""
    product = jnp.einsum("...ij,...kj->...ik", a, b, precision="highest")
    return jnp.sum(jnp.linalg.svd(product, compute_uv=False), axis=-1)


def _norm_forward(
    a: jax.Array, b: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    product = jnp.einsum("...ij,...kj->...ik", a, b, precision="highest")
    u, values, v = jnp.linalg.svd(product, full_matrices=False)
    scale = jnp.linalg.norm(a, axis=(-2, -1)) * jnp.linalg.norm(b, axis=(-2, -1))
    noise = max(a.shape[-2:]) * jnp.finfo(a.dtype).eps * scale
    rotation = jnp.einsum(
        "...ik,...kj->...ij",
        jnp.where((values > noise[..., None])[..., None, :], u, 0.0),
        v,
        precision="highest",
    )
    return jnp.sum(values, axis=-1), (a, b, rotation)


def _norm_backward(
    residuals: tuple[jax.Array, ...], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    a, b, rotation = residuals  # ∂‖a bᵀ‖_* / ∂(a bᵀ) = U Vᵀ
    rotation = rotation * cotangent[..., None, None]
    return (
        jnp.einsum("...ij,...jk->...ik", rotation, b, precision="highest"),
        jnp.einsum("...ji,...jk->...ik", rotation, a, precision="highest"),
    )


_nuclear_norm_of_product.defvjp(_norm_forward, _norm_backward)
