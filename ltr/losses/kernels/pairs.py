"""Sums over all pairs of a list, in O(n) memory, with their exact gradient.

:func:`pair_sum` is the kernel of all pairwise losses and of their λ-weighted forms,

    Σ_{i,j} a(i, j) φ(s_i − s_j),

with a function φ of the margin and weights a that are constants in the gradient. One
pass over the items adds up value and gradient together, so that the gradient is all
that the backward pass needs; and, where it is asked for, the diagonal of the Hessian,
Σ_j (a(i, j) φ''(s_i − s_j) + a(j, i) φ''(s_j − s_i)). :func:`label_pair_sum` is its
most common form, the sum over the pairs with y_i > y_j.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.losses.kernels.contract import Lists, as_dtype
from ltr.losses.kernels.loops import item, over_items, over_lists
from ltr.losses.kernels.second_order import is_diagonal, without_coupling

Terms = TypeVar("Terms")
PairLoss = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
PairWeight = Callable[[Any, Any], jax.Array]
PairWeights = Callable[[Terms, Terms], tuple[jax.Array, jax.Array]]


class LabelTerms(NamedTuple):
    """Terms of an item that give the order of a pair by label, and its weight.

    Attributes
    ----------
    label : array of shape (..., list_size)
        NaN where there is no item: it is neither above nor below another.
    weight : array of shape (..., list_size)
        w of the item.
    label_weight : array of shape (..., list_size) or None
        Factor of the pairs in which the item is the better one. None: 1.
    terms : pytree of arrays
        What else the weight v of a pair depends on.
    """

    label: jax.Array
    weight: jax.Array
    label_weight: jax.Array | None = None
    terms: Any = ()


class Sums(NamedTuple):
    """Running sums of :func:`pair_sum`, by the item i, arrays of shape (..., n)."""

    total: jax.Array
    weight: jax.Array
    gradient: jax.Array
    curvature: jax.Array | None = None


def logistic(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    """log(1 + e^−margin) and its derivative."""
    small = jnp.exp(-jnp.abs(margin))
    value = jnp.maximum(-margin, 0.0) + jnp.log1p(small)
    derivative = -jnp.where(margin > 0, small, 1.0) / (1.0 + small)
    return value, derivative


def below_0(margin: jax.Array) -> tuple[jax.Array, jax.Array]:
    """max(0, −margin) and its derivative, 0 at the kink."""
    return jnp.maximum(-margin, 0.0), jnp.where(margin < 0, -1.0, 0.0)


def difference(i: jax.Array, j: jax.Array) -> jax.Array:
    """Weight of a pair: the absolute difference of a single term."""
    return jnp.abs(i - j)


def pair_sum(
    pair_loss: PairLoss,
    pair_weights: PairWeights[Terms],
    scores: jax.Array,
    terms: Terms,
    where: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Σ over ordered pairs of a(i, j) · φ(s_i − s_j).

    Parameters
    ----------
    pair_loss : function
        φ: margin → value and derivative, such as :func:`logistic`. Hashable, because it
        is a static argument: another φ compiles another program. A number such as the
        margin δ of a hinge must therefore not be captured by φ: the caller passes
        scores / δ and multiplies the sum by δ: max(0, δ − d) = δ max(0, 1 − d / δ).
    pair_weights : function
        (terms of i, terms of j) → a(i, j) and a(j, i): the weight of the pair in which
        i should win, and of the one in which j should. Hashable.
    scores : array of shape (..., list_size)
        Finite everywhere.
    terms : pytree of arrays of shape (..., list_size) or ()
        What ``pair_weights`` reads; no gradient flows into it.
    where : bool array of shape (..., list_size), default=None
        False for padding, whose weights are 0. None: there is none.

    Returns
    -------
    total : array of shape (...)
        The sum.
    weight : array of shape (...)
        Σ a, to normalize with.
    """
    if is_diagonal():
        return _pair_sum_without_coupling(pair_loss, pair_weights, scores, terms, where)
    sums: tuple[jax.Array, jax.Array] = _pair_sum(
        pair_loss, pair_weights, scores, terms, where
    )
    return sums


def label_pair_sum(
    pair_loss: PairLoss,
    scores: jax.Array,
    lists: Lists,
    *,
    label_weights: ArrayLike | None = None,
    pair_weight: PairWeight | None = None,
    terms: Any = (),
) -> tuple[jax.Array, jax.Array]:
    """Σ over the pairs with y_i > y_j of w_i w_j v_ij · φ(s_i − s_j).

    Parameters
    ----------
    pair_loss : function
        φ, as for :func:`pair_sum`, without numbers of its own.
    scores : array of shape (..., list_size)
        s, finite everywhere.
    lists : Lists
        Labels y and weights w.
    label_weights : array of shape (..., list_size), default=None
        A factor for the pairs in which the item is the better one. None: 1.
    pair_weight : function, default=None
        v: (terms of i, terms of j) → a symmetric weight. Hashable. None: 1.
    terms : pytree of arrays of shape (..., list_size) or (), default=()
        What ``pair_weight`` reads.

    Returns
    -------
    total, weight : arrays of shape (...)
        The sum, and that of the weights.
    """
    items = label_terms(lists, label_weights)._replace(terms=terms)
    weights = _weights_by_label(pair_weight)
    return pair_sum(pair_loss, weights, scores, items, lists.where)


def label_terms(lists: Lists, label_weights: ArrayLike | None = None) -> LabelTerms:
    """Labels and weights of the items as terms of a pair."""
    labels = jnp.where(lists.where, lists.labels, jnp.nan)
    if label_weights is None:
        return LabelTerms(labels, lists.weights)
    masked = jnp.where(lists.where, as_dtype(label_weights, lists.scores), 0.0)
    return LabelTerms(labels, lists.weights, masked)


@functools.cache  # one function object for each weight, so that it compiles once
def _weights_by_label(pair_weight: PairWeight | None) -> PairWeights[LabelTerms]:
    """a(i, j) = w_i w_j v_ij where y_i > y_j, else 0."""

    def weights(i: LabelTerms, j: LabelTerms) -> tuple[jax.Array, jax.Array]:
        weight = i.weight * j.weight
        if pair_weight is not None:
            weight *= pair_weight(i.terms, j.terms)
        i_wins = j_wins = weight
        if i.label_weight is not None and j.label_weight is not None:
            i_wins, j_wins = weight * i.label_weight, weight * j.label_weight
        return (
            jnp.where(i.label > j.label, i_wins, 0.0),
            jnp.where(i.label < j.label, j_wins, 0.0),
        )

    return weights


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _pair_sum(
    pair_loss: PairLoss,
    pair_weights: PairWeights[Any],
    scores: jax.Array,
    terms: Any,
    where: jax.Array | None,
) -> tuple[jax.Array, jax.Array]:
    sums = _loop(pair_loss, pair_weights, scores, terms, where)
    return sums.total, sums.weight


def _forward(
    pair_loss: PairLoss,
    pair_weights: PairWeights[Any],
    scores: jax.Array,
    terms: Any,
    where: jax.Array | None,
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, Any]]:
    sums = _loop(pair_loss, pair_weights, scores, terms, where)
    return (sums.total, sums.weight), (sums.gradient, terms)


def _backward(
    pair_loss: PairLoss,
    pair_weights: PairWeights[Any],
    residuals: tuple[jax.Array, Any],
    cotangents: tuple[jax.Array, jax.Array],
) -> tuple[Any, ...]:
    gradient, terms = residuals
    zeros = jax.tree.map(jnp.zeros_like, terms)
    return gradient * cotangents[0][..., None], zeros, None


_pair_sum.defvjp(_forward, _backward)


def _pair_sum_without_coupling(
    pair_loss: PairLoss,
    pair_weights: PairWeights[Any],
    scores: jax.Array,
    terms: Any,
    where: jax.Array | None,
) -> tuple[jax.Array, jax.Array]:
    """The sum with its gradient and the diagonal of its Hessian."""
    constants = jax.lax.stop_gradient((scores, terms))
    sums = _loop(pair_loss, pair_weights, *constants, where, with_curvature=True)
    assert sums.curvature is not None
    # The loop also counts an item as a pair with itself, whose margin is always 0.
    own = sum(pair_weights(constants[1], constants[1]))
    curvature = sums.curvature - own * _slope(pair_loss, jnp.zeros_like(scores))
    total = without_coupling(scores, sums.total, sums.gradient, curvature)
    return total, jax.lax.stop_gradient(sums.weight)


def _slope(pair_loss: PairLoss, margin: jax.Array) -> jax.Array:
    """φ'' at the margin."""
    if pair_loss is logistic:
        p = jax.nn.sigmoid(margin)
        return p * (1.0 - p)
    derivative = lambda margin: pair_loss(margin)[1]
    slope: jax.Array = jax.jvp(derivative, (margin,), (jnp.ones_like(margin),))[1]
    return slope


@functools.partial(jax.jit, static_argnums=(0, 1), static_argnames="with_curvature")
def _loop(  # jitted, so that a call without jit compiles once
    pair_loss: PairLoss,
    pair_weights: PairWeights[Any],
    scores: jax.Array,
    terms: Any,
    where: jax.Array | None,
    *,
    with_curvature: bool = False,
) -> Sums:
    """The sums; every pair is visited from both of its items."""
    sums_of = functools.partial(_sums, pair_loss, pair_weights, with_curvature)
    sums: Sums = over_lists(sums_of, (scores, terms), where)
    return sums


def _sums(
    pair_loss: PairLoss,
    pair_weights: PairWeights[Any],
    with_curvature: bool,
    scores_and_terms: tuple[jax.Array, Any],
    n_items: jax.Array | None,
) -> Sums:
    """The sums of lists whose items stand in the first ``n_items`` places."""
    scores, terms = scores_and_terms

    def weights_against(j: jax.Array) -> tuple[jax.Array, jax.Array]:
        return pair_weights(terms, item(terms, j))  # a(i, j) and a(j, i), (..., n)

    sum_of = functools.partial(_sum_over_items, scores, n_items, with_curvature)
    if pair_loss is not logistic:
        return sum_of(_general_meeting(pair_loss, weights_against, scores))
    # e^s is evaluated once per item, and σ(s_i − s_j) = e^s_i / (e^s_i + e^s_j) per
    # pair. That is exact while e^s stays in range, and its inverse square, which is in
    # the second derivative; scores that spread wider take the general loop.
    exponents = scores - jnp.max(scores, axis=-1, keepdims=True)
    limit = 0.45 * jnp.log(jnp.finfo(scores.dtype).tiny)
    worths = jnp.exp(jnp.maximum(exponents, limit))
    return jax.lax.cond(
        jnp.min(exponents, initial=0.0) > limit,
        lambda: sum_of(_logistic_meeting(weights_against, worths)),
        lambda: sum_of(_general_meeting(logistic, weights_against, scores), unroll=1),
    )


WeightsAgainst = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
# Item j of every list, and the sums so far → with the pairs of that item
Meeting = Callable[[jax.Array, Sums], Sums]


def _general_meeting(
    pair_loss: PairLoss, weights_against: WeightsAgainst, scores: jax.Array
) -> Meeting:
    def meet(j: jax.Array, sums: Sums) -> Sums:
        i_wins, j_wins = weights_against(j)
        margin = scores - item(scores, j)
        value, slope = pair_loss(margin)
        # s_i raises the margin of (i, j) and lowers that of (j, i).
        gradient = i_wins * slope - j_wins * pair_loss(-margin)[1]
        curvature = sums.curvature
        if curvature is not None:
            curvature += i_wins * _slope(pair_loss, margin)
            curvature += j_wins * _slope(pair_loss, -margin)
        return Sums(
            sums.total + i_wins * value,
            sums.weight + i_wins,
            sums.gradient + gradient,
            curvature,
        )

    return meet


def _logistic_meeting(weights_against: WeightsAgainst, worths: jax.Array) -> Meeting:
    """The same for φ = −log σ, from the worths e^s."""

    def meet(j: jax.Array, sums: Sums) -> Sums:
        i_wins, j_wins = weights_against(j)
        worth_j = item(worths, j)
        inverse_sum = 1.0 / (worths + worth_j)
        p = worths * inverse_sum  # σ(s_i − s_j)
        gradient = j_wins * p - i_wins * worth_j * inverse_sum
        curvature = sums.curvature
        if curvature is not None:  # φ'' = p (1 − p) on either side
            curvature += (i_wins + j_wins) * (p * (worth_j * inverse_sum))
        return Sums(
            sums.total - i_wins * jnp.log(p),
            sums.weight + i_wins,
            sums.gradient + gradient,
            curvature,
        )

    return meet


def _sum_over_items(
    like: jax.Array,
    n_items: jax.Array | None,
    with_curvature: bool,
    meet: Meeting,
    **options: int,
) -> Sums:
    zero = jnp.zeros_like(like)
    start = Sums(zero, zero, zero, zero if with_curvature else None)
    sums = over_items(meet, start, n_items, **options)
    return sums._replace(total=sums.total.sum(-1), weight=sums.weight.sum(-1))
