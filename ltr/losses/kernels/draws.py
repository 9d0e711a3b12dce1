"""Draws of the items by descending label: the kernel of Plackett-Luce losses.

The items are drawn one by one from the list, without replacement. :func:`draw_groups`
finds the tie groups, :func:`log_remaining` the log of the worth that remains when an
item is drawn. Short lists are handled in a loop over the items, as in
:mod:`ltr.losses.kernels.pairs`: on a CPU that is several times faster than sorting, and
compiles much faster. Long lists are sorted.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ltr.losses.kernels.log_sums import LOG_0, log_pair_sum
from ltr.losses.kernels.loops import inverse, item, over_items
from ltr.losses.kernels.ranks import COUNT_UP_TO, tie_group


class DrawGroups(NamedTuple):
    """The tie group of each item, arrays of shape (..., list_size).

    Attributes
    ----------
    before : int array
        Items with a higher label.
    size : int array
        Items with the same label, itself included.
    drawn : int array
        Items of its tie group that are drawn before it.
    weight : array
        Sum of their weights.
    """

    before: jax.Array
    size: jax.Array
    drawn: jax.Array
    weight: jax.Array


class DrawTerms(NamedTuple):
    """Terms that give how much of an item remains when another one is drawn.

    Attributes
    ----------
    label : array of shape (..., list_size)
        NaN where there is no item.
    share : array of shape (..., list_size)
        Share of its tie group that remains when the item is drawn, in (0, 1].
    """

    label: jax.Array
    share: jax.Array


@jax.jit
def draw_groups(
    labels: jax.Array, weights: jax.Array, tie_break: jax.Array | None = None
) -> DrawGroups:
    """Find the tie group of each item.

    Parameters
    ----------
    labels : array of shape (..., list_size)
        NaN where there is no item; the result is undefined there.
    weights : array of shape (..., list_size)
        Item weights.
    tie_break : int array of shape (..., list_size), default=None
        Items with equal labels are drawn by ascending ``tie_break``. None: by position.

    Returns
    -------
    groups : DrawGroups
    """
    if labels.shape[-1] > COUNT_UP_TO:
        return _draw_groups_by_sorting(labels, weights, tie_break)
    if tie_break is None:
        tie_break = jax.lax.broadcasted_iota(jnp.int32, labels.shape, labels.ndim - 1)

    def add(j: jax.Array, groups: DrawGroups) -> DrawGroups:
        other = item(labels, j)
        same = other == labels
        earlier = same & (item(tie_break, j) < tie_break)
        return DrawGroups(
            before=groups.before + (other > labels).astype(jnp.int32),
            size=groups.size + same.astype(jnp.int32),
            drawn=groups.drawn + earlier.astype(jnp.int32),
            weight=groups.weight + jnp.where(same, item(weights, j), 0.0),
        )

    zero = jnp.zeros(labels.shape, jnp.int32)
    return over_items(add, DrawGroups(zero, zero, zero, jnp.zeros_like(weights)))


def _draw_groups_by_sorting(
    labels: jax.Array, weights: jax.Array, tie_break: jax.Array | None
) -> DrawGroups:
    # The order by label alone is that of log_remaining, and is sorted once for both.
    keys = (-labels,) if tie_break is None else (tie_break, -labels)
    order = jnp.lexsort(keys, axis=-1)  # NaN comes last
    back = inverse(order)
    begin, end = tie_group(jnp.take_along_axis(labels, order, axis=-1))
    position = jax.lax.broadcasted_iota(jnp.int32, labels.shape, labels.ndim - 1)
    # Weight of a tie group: the difference of two prefix sums, shape (..., n + 1).
    prefix = jnp.cumsum(jnp.take_along_axis(weights, order, axis=-1), axis=-1)
    prefix = jnp.concatenate([jnp.zeros_like(prefix[..., :1]), prefix], axis=-1)
    weight = jnp.take_along_axis(prefix, end, -1)
    weight -= jnp.take_along_axis(prefix, begin, -1)
    ranked = DrawGroups(begin, end - begin, position - begin, weight)
    return DrawGroups(*(jnp.take_along_axis(x, back, axis=-1) for x in ranked))


@jax.jit
def log_remaining(
    scores: jax.Array, labels: jax.Array, weights: jax.Array, share: jax.Array
) -> jax.Array:
    """Log of Σ_j w_j e^{s_j} over the items j that remain when item i is drawn.

    Parameters
    ----------
    scores : array of shape (..., list_size)
        Log-worths, finite everywhere.
    labels : array of shape (..., list_size)
        Items with lower labels remain; NaN marks a position without an item.
    weights : array of shape (..., list_size)
        Item weights, > 0 where there is an item.
    share : array of shape (..., list_size)
        Share of the item's own tie group that remains, in (0, 1].

    Returns
    -------
    log_remaining : array of shape (..., list_size)
        0 where there is no item.
    """
    real = ~jnp.isnan(labels)
    log_worths = jnp.where(real, scores + jnp.log(jnp.where(real, weights, 1.0)), LOG_0)
    if scores.shape[-1] <= COUNT_UP_TO:
        terms = DrawTerms(labels, share)
        remaining = log_pair_sum(_remaining_share, log_worths, terms)
    else:
        remaining = _log_remaining_by_sorting(log_worths, labels, share)
    return jnp.where(real, remaining, 0.0)


def _remaining_share(j: DrawTerms, i: DrawTerms) -> jax.Array:
    """Share of item j that remains when item i is drawn."""
    of_group = jnp.where(j.label == i.label, i.share, 0.0)
    return jnp.where(j.label < i.label, 1.0, of_group)


def _log_remaining_by_sorting(
    log_worths: jax.Array, labels: jax.Array, share: jax.Array
) -> jax.Array:
    """Log of W_below + share · W_group from suffix sums, W the sum of the worths."""
    order = jnp.argsort(-labels, axis=-1)  # NaN comes last
    back = inverse(order)
    ranked = jnp.take_along_axis(log_worths, order, axis=-1)
    begin, end = tie_group(jnp.take_along_axis(labels, order, axis=-1))
    axis = ranked.ndim - 1
    suffix = jax.lax.cumlogsumexp(ranked, axis=axis, reverse=True)
    suffix = jnp.concatenate([suffix, jnp.full_like(suffix[..., :1], LOG_0)], axis=-1)
    log_all = jnp.take_along_axis(suffix, begin, axis=-1)  # group and below
    log_below = jnp.take_along_axis(suffix, end, axis=-1)
    # W_all − (1 − share) W_group = W_all (1 − (1 − share) W_group / W_all), where
    # W_group / W_all = 1 − W_below / W_all. A share above 0 keeps the factor above 0.
    group = -jnp.expm1(jnp.minimum(log_below - log_all, 0.0))
    drawn = 1.0 - jnp.take_along_axis(share, order, axis=-1)
    remaining = log_all + jnp.log1p(-drawn * jnp.where(drawn > 0, group, 0.0))
    return jnp.take_along_axis(remaining, back, axis=-1)
