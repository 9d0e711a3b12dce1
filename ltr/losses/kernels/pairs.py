"""Sums over all pairs of a list, in O(n) memory, with their exact gradient.

:func:`pair_sum` is the one kernel of the pairwise and λ losses. Its forward pass goes
through the items once; step ``i`` meets item ``i`` with all others, adds their terms,
and adds the derivative to the gradient, which is all that is kept for the backward
pass. The n × n matrix of pairs never exists.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.kernels.contract import Lists, as_dtype
from ltr.losses.kernels.loops import item, over_items

PairLoss = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
Terms = tuple[jax.Array, ...]
PairWeights = Callable[[Terms, Terms], tuple[jax.Array, jax.Array]]
Sums = tuple[jax.Array, jax.Array, jax.Array]


def logistic(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    """log(1 + e^−margin) and its derivative."""
    small = jnp.exp(-jnp.abs(margin))
    value = jnp.maximum(-margin, 0.0) + jnp.log1p(small)
    derivative = -jnp.where(margin > 0, small, 1.0) / (1.0 + small)
    return value, derivative


def below_0(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    """max(0, −margin) and its derivative, 0 at the kink."""
    return jnp.maximum(-margin, 0.0), jnp.where(margin < 0, -1.0, 0.0)


def difference(items: Terms, other: Terms) -> jax.Array:
    """Weight of a pair by the difference of a single term."""
    return jnp.abs(items[0] - other[0])


def pair_sum(
    pair_loss: PairLoss,
    pair_weights: PairWeights,
    scores: jax.Array,
    terms: Terms,
) -> tuple[jax.Array, jax.Array]:
    """Σ over ordered pairs of weight(i, j) · pair_loss(s_i − s_j).

    Parameters
    ----------
    pair_loss : function
        Margin → value and derivative, such as :func:`logistic`. Hashable.
    pair_weights : function
        (terms of i, terms of j) → weight(i, j) and weight(j, i): of the pair in which i
        should win, and of the one in which j should. Hashable.
    scores : array of shape (..., list_size)
        Finite everywhere.
    terms : tuple of arrays of shape (..., list_size)
        What ``pair_weights`` reads; no gradient flows into it.

    Returns
    -------
    total : array of shape (...)
        The sum.
    weight : array of shape (...)
        The sum of the weights, to normalise with.
    """
    sums: tuple[jax.Array, jax.Array] = _pair_sum(
        pair_loss, pair_weights, scores, terms
    )
    return sums


@functools.cache
def by_label(
    change: Callable[[Terms, Terms], jax.Array] | None = None, one_sided: bool = False
) -> PairWeights:
    """Weights of the pairs in which the item with the higher label should win.

    Parameters
    ----------
    change : function, optional
        Symmetric weight of two items by their further terms. Default: 1.
    one_sided : bool, default=False
        Whether there is a weight that belongs to the better item of a pair.

    Returns
    -------
    pair_weights : function
        Reads what :func:`label_terms` gives, followed by the terms of ``change``.
    """

    def weigh(items: Terms, other: Terms) -> tuple[jax.Array, jax.Array]:
        better, worse = items[0] > other[0], items[0] < other[0]  # NaN is neither
        weight = items[1] * other[1]
        if change is not None:
            n_own = 3 if one_sided else 2
            weight *= change(items[n_own:], other[n_own:])
        gain, lose = (
            (weight * items[2], weight * other[2]) if one_sided else [weight] * 2
        )
        return jnp.where(better, gain, 0.0), jnp.where(worse, lose, 0.0)

    return weigh


def label_terms(lists: Lists, label_weights: ArrayLike | None = None) -> Terms:
    """Labels (NaN: in no pair), weights and, if given, those of the better item."""
    labels = jnp.where(lists.where, lists.labels, jnp.nan)
    if label_weights is None:
        return labels, lists.weights
    one_sided = jnp.where(lists.where, as_dtype(label_weights, lists.scores), 0.0)
    return labels, lists.weights, one_sided


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _pair_sum(
    pair_loss: PairLoss, pair_weights: PairWeights, scores: jax.Array, terms: Terms
) -> tuple[jax.Array, jax.Array]:
    total, weight, _ = _loop(pair_loss, pair_weights, scores, terms)
    return total, weight


def _forward(
    pair_loss: PairLoss, pair_weights: PairWeights, scores: jax.Array, terms: Terms
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, Terms]]:
    total, weight, gradient = _loop(pair_loss, pair_weights, scores, terms)
    return (total, weight), (gradient, terms)


def _backward(
    pair_loss: PairLoss,
    pair_weights: PairWeights,
    residuals: tuple[jax.Array, Terms],
    cotangents: tuple[jax.Array, jax.Array],
) -> tuple[Any, ...]:
    gradient, terms = residuals
    return gradient * cotangents[0][..., None], jax.tree.map(jnp.zeros_like, terms)


_pair_sum.defvjp(_forward, _backward)


@functools.partial(jax.jit, static_argnums=(0, 1))  # a call without jit compiles once
def _loop(
    pair_loss: PairLoss, pair_weights: PairWeights, scores: jax.Array, terms: Terms
) -> Sums:
    """Total, weight and gradient; every pair is met from both of its items."""

    def against(i: jax.Array) -> tuple[jax.Array, jax.Array]:
        return pair_weights(terms, tuple(item(term, i) for term in terms))

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


Against = Callable[[jax.Array], tuple[jax.Array, jax.Array]]


def _general_loop(pair_loss: PairLoss, against: Against, scores: jax.Array) -> Sums:
    def meet(i: jax.Array, sums: Sums) -> Sums:
        total, weight, gradient = sums
        gain, lose = against(i)
        margin = scores - item(scores, i)
        value, slope = pair_loss(margin)
        gradient += gain * slope - lose * pair_loss(-margin)[1]
        return total + gain * value, weight + gain, gradient

    return _sum_over_items(meet, scores)


def _logistic_loop(against: Against, exponentials: jax.Array) -> Sums:
    def meet(i: jax.Array, sums: Sums) -> Sums:
        total, weight, gradient = sums
        gain, lose = against(i)
        other = item(exponentials, i)
        share = 1.0 / (exponentials + other)
        wins = exponentials * share
        gradient += lose * wins - gain * other * share
        return total - gain * jnp.log(wins), weight + gain, gradient

    return _sum_over_items(meet, exponentials)


def _sum_over_items(meet: Callable[[jax.Array, Sums], Sums], like: jax.Array) -> Sums:
    zero = jnp.zeros_like(like)
    total, weight, gradient = over_items(meet, (zero, zero, zero))
    return total.sum(-1), weight.sum(-1), gradient
