"""Draws of the items by descending label: the kernel of Plackett-Luce losses.

:func:`draw_groups` finds the groups of equal labels, :func:`log_left` the logarithm of
the weight that is still there when an item is drawn. Short lists are handled in a loop
over the items, as in :mod:`ltr.losses.kernels.pairs`: on a CPU that is several times
faster than sorting, and compiles much faster. Long lists are sorted.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ltr.losses.kernels.log_sums import NEVER, Terms, log_pair_sum
from ltr.losses.kernels.loops import item, over_items
from ltr.losses.kernels.ranks import COUNT_UP_TO, tie_group


class DrawGroups(NamedTuple):
    """The tie group of each item, arrays of shape (..., list_size).

    Attributes
    ----------
    before : int array
        Items with a higher label.
    size : int array
        Items with the same label, itself included.
    gone : int array
        Those of them that are drawn before it.
    weight : array
        Sum of their weights.
    """

    before: jax.Array
    size: jax.Array
    gone: jax.Array
    weight: jax.Array


@jax.jit
def draw_groups(
    labels: jax.Array, weights: jax.Array, tie_break: jax.Array
) -> DrawGroups:
    """Find the tie group of each item.

    Parameters
    ----------
    labels : array of shape (..., list_size)
        NaN where there is no item; the result means nothing there.
    weights : array of shape (..., list_size)
        Item weights.
    tie_break : int array of shape (..., list_size)
        Items with equal labels are drawn by ascending ``tie_break``.

    Returns
    -------
    groups : DrawGroups
    """
    if labels.shape[-1] > COUNT_UP_TO:
        return _draw_groups_by_sorting(labels, weights, tie_break)

    def add(j: jax.Array, groups: DrawGroups) -> DrawGroups:
        other = item(labels, j)
        same = other == labels
        earlier = same & (item(tie_break, j) < tie_break)
        return DrawGroups(
            before=groups.before + (other > labels).astype(jnp.int32),
            size=groups.size + same.astype(jnp.int32),
            gone=groups.gone + earlier.astype(jnp.int32),
            weight=groups.weight + jnp.where(same, item(weights, j), 0.0),
        )

    zero = jnp.zeros(labels.shape, jnp.int32)
    return over_items(add, DrawGroups(zero, zero, zero, jnp.zeros_like(weights)))


def _draw_groups_by_sorting(
    labels: jax.Array, weights: jax.Array, tie_break: jax.Array
) -> DrawGroups:
    order = jnp.lexsort((tie_break, -labels), axis=-1)  # NaN comes last
    back = jnp.argsort(order, axis=-1)
    begin, end = tie_group(jnp.take_along_axis(labels, order, axis=-1))
    position = jax.lax.broadcasted_iota(jnp.int32, labels.shape, labels.ndim - 1)
    total = jnp.cumsum(jnp.take_along_axis(weights, order, axis=-1), axis=-1)
    total = jnp.concatenate([jnp.zeros_like(total[..., :1]), total], axis=-1)
    weight = jnp.take_along_axis(total, end, -1) - jnp.take_along_axis(total, begin, -1)
    ranked = DrawGroups(begin, end - begin, position - begin, weight)
    return DrawGroups(*(jnp.take_along_axis(x, back, axis=-1) for x in ranked))


@jax.jit
def log_left(
    scores: jax.Array, labels: jax.Array, weights: jax.Array, share: jax.Array
) -> jax.Array:
    """Log of Σ_j w_j e^{s_j} over the items j that are left when item i is drawn.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Log-worths, finite everywhere.
    labels : array of shape (..., list_size)
        Items with lower labels are left; NaN is no item.
    weights : array of shape (..., list_size)
        Item weights, > 0 where there is an item.
    share : array of shape (..., list_size)
        Share of the item's own tie group that counts as left, in (0, 1].

    Returns
    -------
    log_left : array of shape (..., list_size)
        0 where there is no item.
    """
    real = ~jnp.isnan(labels)
    log_worths = jnp.where(real, scores + jnp.log(jnp.where(real, weights, 1.0)), NEVER)
    if scores.shape[-1] <= COUNT_UP_TO:
        left = log_pair_sum(_left_share, log_worths, (labels, share))
    else:
        left = _log_left_by_sorting(log_worths, labels, share)
    return jnp.where(real, left, 0.0)


def _left_share(left: Terms, drawn: Terms) -> jax.Array:
    """How much of an item is left when another one is drawn: (label, share) of both."""
    label, of, share = left[0], *drawn
    return jnp.where(label < of, 1.0, jnp.where(label == of, share, 0.0))


def _log_left_by_sorting(
    log_worths: jax.Array, labels: jax.Array, share: jax.Array
) -> jax.Array:
    order = jnp.argsort(-labels, axis=-1)  # NaN comes last
    back = jnp.argsort(order, axis=-1)
    ranked = jnp.take_along_axis(log_worths, order, axis=-1)
    begin, end = tie_group(jnp.take_along_axis(labels, order, axis=-1))
    axis = ranked.ndim - 1
    log_rest = jax.lax.cumlogsumexp(ranked, axis=axis, reverse=True)
    log_rest = jnp.concatenate([log_rest, jnp.full_like(log_rest[..., :1], NEVER)], -1)
    log_all = jnp.take_along_axis(log_rest, begin, axis=-1)
    log_below = jnp.take_along_axis(log_rest, end, axis=-1)
    group = -jnp.expm1(jnp.minimum(log_below - log_all, 0.0))  # its part of all
    gone = 1.0 - jnp.take_along_axis(share, order, axis=-1)
    # A share below 1 means that some of the group is left, so 1 − gone · group > 0.
    left = log_all + jnp.log1p(-gone * jnp.where(gone > 0, group, 0.0))
    return jnp.take_along_axis(left, back, axis=-1)
