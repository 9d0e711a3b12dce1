"""Value, gradient and curvature of a loss: what a second-order learner asks for."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ltr.arguments import check_choice
from ltr.losses.declaration import LossFunction


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
    curvature: Literal["ones", "exact"] = "ones",
    **inputs: Any,
) -> Derivatives:
    """Evaluate a loss with its gradient and a curvature.

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
    curvature : {"ones", "exact"}, default="ones"
        1 for each real item; or the diagonal of the Hessian, by differentiating the
        gradient once per item: O(list_size) gradients, as a reference for others.
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
    check_choice("curvature", curvature, ("ones", "exact"))
    s = jnp.asarray(scores)
    real = jnp.ones(s.shape, bool) if where is None else jnp.asarray(where, bool)

    def total(s: jax.Array) -> tuple[jax.Array, jax.Array]:
        values = loss(s, labels, where=where, **inputs)
        return values.sum(), values

    gradient, value = jax.grad(total, has_aux=True)(s)
    if curvature == "ones":
        return Derivatives(value, gradient, jnp.broadcast_to(real, s.shape) * 1.0)

    # Row i of the Hessians of all lists is the pullback of e_i through the gradient.
    # Reverse mode over reverse mode: the kernels define no forward derivatives.
    _, pullback = jax.vjp(lambda s: jax.grad(total, has_aux=True)(s)[0], s)

    def second_derivative(unit: jax.Array) -> jax.Array:
        unit = jnp.broadcast_to(unit, s.shape)  # (..., n)
        (row,) = pullback(unit)
        return jnp.sum(row * unit, axis=-1)  # ∂² / ∂s_i², shape (...)

    diagonal = jax.vmap(second_derivative)(jnp.eye(s.shape[-1], dtype=s.dtype))
    return Derivatives(value, gradient, jnp.moveaxis(diagonal, 0, -1))
