"""Draws of the items by descending label: the kernel of Plackett-Luce losses.

:func:`draw_groups` finds the groups of equal labels, :func:`log_left` the logarithm of
the weight that is still there when an item is drawn. Short lists are handled in a loop
over the items, as in :mod:`ltr.losses._pairs`: on a CPU that is several times faster
than sorting, and compiles much faster. Long lists are sorted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ltr.losses._ranks import COUNT_UP_TO, item, tie_group

_NEVER = -1e30


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
    return _loop(add, DrawGroups(zero, zero, zero, jnp.zeros_like(weights)))


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
    log_worths = jnp.where(
        real, scores + jnp.log(jnp.where(real, weights, 1.0)), _NEVER
    )
    by_loop = scores.shape[-1] <= COUNT_UP_TO
    function = _log_left_by_loop if by_loop else _log_left_by_sorting
    return jnp.where(real, function(log_worths, labels, share), 0.0)


@jax.custom_vjp
def _log_left_by_loop(
    log_worths: jax.Array, labels: jax.Array, share: jax.Array
) -> jax.Array:
    return _forward(log_worths, labels, share)[0]


def _forward(
    log_worths: jax.Array, labels: jax.Array, share: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    top = jnp.max(log_worths, axis=-1, keepdims=True)

    def in_range() -> jax.Array:
        worths = jnp.exp(log_worths - top)

        def add(j: jax.Array, left: jax.Array) -> jax.Array:
            return left + item(worths, j) * _is_left(item(labels, j), labels, share)

        left = _loop(add, jnp.zeros_like(worths))
        return top + jnp.log(jnp.where(left > 0, left, 1.0))

    def wide() -> jax.Array:
        def add(
            j: jax.Array, sums: tuple[jax.Array, jax.Array]
        ) -> tuple[jax.Array, jax.Array]:
            highest, left = sums
            part = _is_left(item(labels, j), labels, share)
            new = jnp.where(
                part > 0, jnp.maximum(highest, item(log_worths, j)), highest
            )
            grown = part * jnp.exp(jnp.minimum(item(log_worths, j) - new, 0.0))
            return new, left * jnp.exp(highest - new) + grown

        start = (jnp.full_like(log_worths, _NEVER), jnp.zeros_like(log_worths))
        highest, left = _loop(add, start)
        return jnp.where(
            left > 0, highest + jnp.log(jnp.where(left > 0, left, 1.0)), 0.0
        )

    result = jax.lax.cond(_fits(log_worths, top, labels), in_range, wide)
    return result, (log_worths, labels, share, result)


def _backward(
    residuals: tuple[jax.Array, ...], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Item k is a share w_k e^{s_k} / left_i of what is left for each item i."""
    log_worths, labels, share, result = residuals
    top = jnp.max(log_worths, axis=-1, keepdims=True)

    def in_range() -> jax.Array:
        per_worth = cotangent * jnp.exp(top - result)

        def add(i: jax.Array, total: jax.Array) -> jax.Array:
            part = _is_left(labels, item(labels, i), item(share, i))
            return total + item(per_worth, i) * part

        return jnp.exp(log_worths - top) * _loop(add, jnp.zeros_like(log_worths))

    def wide() -> jax.Array:
        def add(i: jax.Array, total: jax.Array) -> jax.Array:
            part = _is_left(labels, item(labels, i), item(share, i))
            exponent = jnp.where(part > 0, log_worths - item(result, i), 0.0)
            return total + item(cotangent, i) * part * jnp.exp(exponent)

        return _loop(add, jnp.zeros_like(log_worths))

    gradient = jax.lax.cond(_fits(log_worths, top, labels), in_range, wide)
    return gradient, jnp.zeros_like(labels), jnp.zeros_like(share)


_log_left_by_loop.defvjp(_forward, _backward)


def _is_left(label: jax.Array, of: jax.Array, share: jax.Array) -> jax.Array:
    """How much of an item with ``label`` is left when one labelled ``of`` is drawn."""
    return jnp.where(label < of, 1.0, jnp.where(label == of, share, 0.0))


def _fits(log_worths: jax.Array, top: jax.Array, labels: jax.Array) -> jax.Array:
    """Whether no worth, relative to the top of its list, leaves the range of e^x."""
    limit = 0.7 * jnp.log(jnp.finfo(log_worths.dtype).tiny)
    return jnp.all(jnp.isnan(labels) | (log_worths - top > limit))


def _loop(add: Callable[..., Any], start: Any) -> Any:
    n = jax.tree.leaves(start)[0].shape[-1]
    return jax.lax.fori_loop(0, n, add, start, unroll=4)


def _log_left_by_sorting(
    log_worths: jax.Array, labels: jax.Array, share: jax.Array
) -> jax.Array:
    order = jnp.argsort(-labels, axis=-1)  # NaN comes last
    back = jnp.argsort(order, axis=-1)
    ranked = jnp.take_along_axis(log_worths, order, axis=-1)
    begin, end = tie_group(jnp.take_along_axis(labels, order, axis=-1))
    axis = ranked.ndim - 1
    log_rest = jax.lax.cumlogsumexp(ranked, axis=axis, reverse=True)
    log_rest = jnp.concatenate([log_rest, jnp.full_like(log_rest[..., :1], _NEVER)], -1)
    log_all = jnp.take_along_axis(log_rest, begin, axis=-1)
    log_below = jnp.take_along_axis(log_rest, end, axis=-1)
    group = -jnp.expm1(jnp.minimum(log_below - log_all, 0.0))  # its part of all
    gone = 1.0 - jnp.take_along_axis(share, order, axis=-1)
    # A share below 1 means that some of the group is left, so 1 − gone · group > 0.
    left = log_all + jnp.log1p(-gone * jnp.where(gone > 0, group, 0.0))
    return jnp.take_along_axis(left, back, axis=-1)
