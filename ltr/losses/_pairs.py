"""Sums over all pairs of a list, in O(n) memory, with their exact gradient.

:func:`pair_sum` is the one kernel of the pairwise and λ losses. Its forward pass goes
through the items once; step ``i`` meets item ``i`` with all others, adds their terms,
and adds the derivative to the gradient, which is all that is kept for the backward
pass. The n × n matrix of pairs never exists.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

PairLoss = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
Terms = tuple[jax.Array, ...]
PairWeight = Callable[[Terms, Terms], jax.Array]
Sums = tuple[jax.Array, jax.Array, jax.Array]
_UNROLL = 4


def logistic(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    """log(1 + e^−margin) and its derivative."""
    small = jnp.exp(-jnp.abs(margin))
    value = jnp.maximum(-margin, 0.0) + jnp.log1p(small)
    derivative = -jnp.where(margin > 0, small, 1.0) / (1.0 + small)
    return value, derivative


def hinge(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    """max(0, 1 − margin) and its derivative, 0 at the kink."""
    return jnp.maximum(1.0 - margin, 0.0), jnp.where(margin < 1.0, -1.0, 0.0)


def product_of_weights(items: Terms, other: Terms) -> jax.Array:
    """w_i · w_j: an item of weight 2 is in every pair twice."""
    return items[0] * other[0]


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def pair_sum(
    pair_loss: PairLoss,
    pair_weight: PairWeight,
    scores: jax.Array,
    labels: jax.Array,
    terms: Terms,
    better_weights: jax.Array | None,
) -> tuple[jax.Array, jax.Array]:
    """Σ over pairs with label_i > label_j of weight(i, j) · pair_loss(s_i − s_j).

    Parameters
    ----------
    pair_loss : function
        Margin → value and derivative; :func:`logistic` or :func:`hinge`.
    pair_weight : function
        Symmetric function of the terms of two items.
    scores : array of shape (..., list_size)
        Finite everywhere.
    labels : array of shape (..., list_size)
        NaN means that the item is in no pair.
    terms : tuple of arrays of shape (..., list_size)
        What ``pair_weight`` reads; no gradient flows into it.
    better_weights : array of shape (..., list_size) or None
        A further factor that belongs to the better item of a pair.

    Returns
    -------
    total : array of shape (...)
        The sum.
    weight : array of shape (...)
        The sum of the weights, to normalise with.
    """
    total, weight, _ = _loop(
        pair_loss, pair_weight, scores, labels, terms, better_weights
    )
    return total, weight


def _forward(
    pair_loss: PairLoss,
    pair_weight: PairWeight,
    scores: jax.Array,
    labels: jax.Array,
    terms: Terms,
    better_weights: jax.Array | None,
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, Any]]:
    total, weight, gradient = _loop(
        pair_loss, pair_weight, scores, labels, terms, better_weights
    )
    return (total, weight), (gradient, (labels, terms, better_weights))


def _backward(
    pair_loss: PairLoss,
    pair_weight: PairWeight,
    residuals: tuple[jax.Array, Any],
    cotangents: tuple[jax.Array, jax.Array],
) -> tuple[Any, ...]:
    gradient, constants = residuals
    none = jax.tree.map(jnp.zeros_like, constants)
    return gradient * cotangents[0][..., None], *none


pair_sum.defvjp(_forward, _backward)


@partial(jax.jit, static_argnums=(0, 1))  # so that a call without jit compiles once
def _loop(
    pair_loss: PairLoss,
    pair_weight: PairWeight,
    scores: jax.Array,
    labels: jax.Array,
    terms: Terms,
    better_weights: jax.Array | None,
) -> Sums:
    """Total, weight and gradient; every pair is met from both of its items."""

    def against(i: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        label = _item(labels, i)
        better, worse = labels > label, labels < label
        weight = pair_weight(terms, tuple(_item(term, i) for term in terms))
        if better_weights is not None:
            weight *= jnp.where(better, better_weights, _item(better_weights, i))
        return better, worse, weight

    if pair_loss is not logistic:
        return _general_loop(pair_loss, against, scores)
    # e^s is evaluated once per item and σ(a − b) = e^a / (e^a + e^b) per pair. That is
    # exact while e^s stays in range; scores that spread wider take the general loop.
    exponents = scores - jnp.max(scores, axis=-1, keepdims=True)
    limit = 0.7 * jnp.log(jnp.finfo(scores.dtype).tiny)
    return jax.lax.cond(
        jnp.min(exponents) > limit,
        lambda: _logistic_loop(against, jnp.exp(jnp.maximum(exponents, limit))),
        lambda: _general_loop(logistic, against, scores),
    )


Against = Callable[[jax.Array], tuple[jax.Array, jax.Array, jax.Array]]


def _general_loop(pair_loss: PairLoss, against: Against, scores: jax.Array) -> Sums:
    def meet(i: jax.Array, sums: Sums) -> Sums:
        total, weight, gradient = sums
        better, worse, w = against(i)
        sign = jnp.where(worse, -1.0, 1.0).astype(scores.dtype)
        value, slope = pair_loss(sign * (scores - _item(scores, i)))
        gain = jnp.where(better, w, 0.0)
        gradient += jnp.where(better | worse, sign * w * slope, 0.0)
        return total + gain * value, weight + gain, gradient

    return _sum_over_items(meet, scores)


def _logistic_loop(against: Against, exponentials: jax.Array) -> Sums:
    def meet(i: jax.Array, sums: Sums) -> Sums:
        total, weight, gradient = sums
        better, worse, w = against(i)
        other = _item(exponentials, i)
        share = 1.0 / (exponentials + other)
        wins = exponentials * share
        gain = jnp.where(better, w, 0.0)
        gradient += jnp.where(worse, w * wins, 0.0) - gain * other * share
        return total - gain * jnp.log(wins), weight + gain, gradient

    return _sum_over_items(meet, exponentials)


def _sum_over_items(meet: Callable[[jax.Array, Sums], Sums], like: jax.Array) -> Sums:
    zero = jnp.zeros_like(like)
    total, weight, gradient = jax.lax.fori_loop(
        0, like.shape[-1], meet, (zero, zero, zero), unroll=_UNROLL
    )
    return total.sum(-1), weight.sum(-1), gradient


def _item(values: jax.Array, i: jax.Array) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(values, i, 1, axis=-1)
