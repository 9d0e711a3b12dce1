"""Value, gradient and curvature of a loss: what a second-order learner asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.losses.combination import Combination
from ltr.losses.declaration import CURVATURE_KINDS, LossFunction, loss_info
from ltr.losses.kernels.second_order import diagonal_only

# Long enough to cross the kinks of a piecewise linear loss, short beside the spread of
# the scores that a ranker learns.
_SECANT_STEP = 0.1


class Derivatives(NamedTuple):
    """A loss to second order in the scores.

    Attributes
    ----------
    value : array of shape (...)
        The loss of each list.
    gradient : array of shape (..., list_size)
        Its derivative by the scores.
    curvature : array of shape (..., list_size)
        Diagonal of its Hessian, or a substitute for it.
    """

    value: jax.Array
    gradient: jax.Array
    curvature: jax.Array


class LossWeights(NamedTuple):
    """The gradient of a loss by item: how strongly it is moved, and where to.

    Attributes
    ----------
    weight : array of shape (..., list_size)
        Absolute derivative of the loss by the score.
    direction : array of shape (..., list_size)
        1 if a descent raises the score, −1 if it lowers it, 0 if it is left alone.
    """

    weight: jax.Array
    direction: jax.Array


def loss_weights(
    loss: LossFunction,
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    **inputs: Any,
) -> LossWeights:
    """Split the gradient of a loss into weights and directions of the items.

    It shows how objectives differ on the same scores: with ``bce_loss`` every item has
    the weight abs(label − p), with ``infonce_loss`` a negative has its share of the
    softmax.

    Parameters
    ----------
    loss : callable
        A loss, declared or not.
    scores : array of shape (..., list_size)
        Model scores.
    labels : array of shape (..., list_size)
        Labels.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    **inputs : object
        What else the loss takes: ``weights``, ``key``, extras, options.

    Returns
    -------
    weights : LossWeights
        0 at masked positions.

    References
    ----------
    .. [1] "Supervised fine-tuning or contrastive learning? Towards better multimodal
       LLM reranking", 2025: an objective as weight times direction.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from ltr.losses import bce_loss, loss_weights
    >>> weight, direction = loss_weights(bce_loss, jnp.zeros(2), jnp.array([1, 0]))
    >>> weight.tolist(), direction.tolist()
    ([0.5, 0.5], [1.0, -1.0])
    """

    def total(s: jax.Array) -> jax.Array:
        return loss(s, labels, where=where, **inputs).sum()

    gradient = jax.grad(total)(jnp.asarray(scores))
    return LossWeights(jnp.abs(gradient), -jnp.sign(gradient))


def derivatives(
    loss: LossFunction,
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    curvature: Literal[
        "ones", "items", "pairs", "softmax", "secant", "auto", "exact"
    ] = "ones",
    signs: ArrayLike | None = None,
    **inputs: Any,
) -> Derivatives:
    r"""Evaluate a loss with its gradient and a curvature.

    Parameters
    ----------
    loss : callable
        A loss, declared or not.
    scores : array of shape (..., list_size)
        Model scores.
    labels : array of shape (..., list_size)
        Labels.
    where : bool array of shape (..., list_size), default=None
        True for real items. None: all.
    curvature : str, default="ones"
        * ``"ones"``: 1 for each real item.
        * ``"items"``, ``"pairs"``, ``"softmax"``: the diagonal of the Hessian of a loss
          that is a sum over items, over pairs (φ''(s_i − s_j), for RankNet σ²p(1 − p))
          or a cross-entropy (T p(1 − p), with T the sum of the targets), at the price
          of the gradient. It is exact if all that couples the items are the kernels of
          this package; a loss that uses none of them gets ``"secant"``.
        * ``"secant"``: :math:`r_i (g_i(s + h r) - g_i(s - h r)) / 2h` with the
          gradient g, random signs r and h = 0.1. Its mean over all signs is the
          diagonal of a quadratic loss. It may be negative, and takes two more
          gradients.
        * ``"auto"``: what the loss declares (:data:`ltr.losses.CURVATURES`), and for a
          combination the weighted sum of what its parts declare.
        * ``"exact"``: the diagonal, by differentiating the gradient once per item:
          O(list_size) gradients, as a reference for the others.
    signs : array of shape (..., list_size), default=None
        1 or −1 for each item, r of ``"secant"``. None: drawn with a fixed seed.
    **inputs : object
        What else the loss takes: ``weights``, ``key``, extras, options.

    Returns
    -------
    derivatives : Derivatives
        Gradient and curvature are 0 at masked positions.

    Raises
    ------
    ValueError
        If ``curvature`` is unknown.

    Notes
    -----
    What a loss holds constant in its gradient, such as λ-weights, is constant in the
    curvature too.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from ltr.losses import derivatives, mse_loss
    >>> derivatives(mse_loss, jnp.array([1.0]), jnp.array([3.0]), curvature="exact")
    ... # doctest: +NORMALIZE_WHITESPACE
    Derivatives(value=Array(4., dtype=float32),
                gradient=Array([-4.], dtype=float32),
                curvature=Array([2.], dtype=float32))
    """
    check_choice("curvature", curvature, (*CURVATURE_KINDS, "auto", "exact"))
    s = jnp.asarray(scores)
    real = jnp.ones(s.shape, bool) if where is None else jnp.asarray(where, bool)
    if curvature == "auto" and isinstance(loss, Combination):
        return _sum_of_parts(loss, s, labels, where=where, signs=signs, **inputs)
    kind = loss_info(loss).curvature if curvature == "auto" else curvature

    def total(s: jax.Array) -> tuple[jax.Array, jax.Array]:
        values = loss(s, labels, where=where, **inputs)
        return values.sum(), values

    slope = jax.grad(total, has_aux=True)
    diagonal: jax.Array | None = None
    if kind in ("items", "pairs", "softmax"):
        with diagonal_only() as kernels:
            gradient, pullback, value = jax.vjp(slope, s, has_aux=True)
        if kernels or kind == "items":
            # Without coupling the Hessian H is diagonal, so that H 1 is its diagonal.
            # Reverse mode over reverse mode: the kernels define no forward derivatives.
            (diagonal,) = pullback(jnp.ones_like(gradient))
    elif kind == "exact":
        gradient, pullback, value = jax.vjp(slope, s, has_aux=True)
        diagonal = _diagonal(pullback, s)
    if diagonal is None and kind == "ones":
        gradient, value = slope(s)
        diagonal = jnp.ones_like(s)
    elif diagonal is None:
        gradient, value, diagonal = _secant(slope, s, signs)
    return Derivatives(value, gradient, jnp.where(real, diagonal, 0.0))


def _sum_of_parts(
    loss: Combination, scores: jax.Array, labels: ArrayLike, **inputs: Any
) -> Derivatives:
    """Each part of a combination with the curvature that it declares."""
    where, signs = inputs.pop("where"), inputs.pop("signs")
    total: list[Any] = [0.0, 0.0, 0.0]
    for weight, part, arguments in loss.calls(where=where, **inputs):
        d = derivatives(
            part, scores, labels, curvature="auto", signs=signs, **arguments
        )
        total = [sum_ + weight * term for sum_, term in zip(total, d, strict=True)]
    return Derivatives(*total)


def _secant(
    slope: Callable[[jax.Array], Any], s: jax.Array, signs: ArrayLike | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Gradient and value, and r_i (g_i(s + h r) − g_i(s − h r)) / 2h."""
    if signs is None:
        signs = jax.random.rademacher(jax.random.key(0), s.shape)
    r = jnp.asarray(signs).astype(s.dtype)
    steps = jnp.asarray([0.0, _SECANT_STEP, -_SECANT_STEP], s.dtype)
    # in a loop, so that the loss is compiled once
    gradients, values = jax.lax.map(lambda h: slope(s + h * r), steps)
    secant = r * (gradients[1] - gradients[2]) / (2.0 * _SECANT_STEP)
    return gradients[0], values[0], secant


def _diagonal(pullback: Callable[[jax.Array], Any], s: jax.Array) -> jax.Array:
    """∂² / ∂s_i² for each item, from the pullback through the gradient."""

    # Row i of the Hessians of all lists is the pullback of e_i through the gradient.
    def second_derivative(unit: jax.Array) -> jax.Array:
        unit = jnp.broadcast_to(unit, s.shape)  # (..., n)
        (row,) = pullback(unit)
        return jnp.sum(row * unit, axis=-1)  # shape (...)

    diagonal = jax.vmap(second_derivative)(jnp.eye(s.shape[-1], dtype=s.dtype))
    return jnp.moveaxis(diagonal, 0, -1)
