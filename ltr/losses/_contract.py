"""What every loss does first: masks, dtypes, weights; and last: divide by its terms."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

T = TypeVar("T")


class Lists(NamedTuple):
    """Inputs of a loss, safe to compute with at masked positions.

    Attributes
    ----------
    scores, labels, weights : arrays of shape (..., list_size)
        0 at masked positions, all of the dtype of the scores.
    where : bool array of shape (..., list_size)
        True for real items with a weight above 0.
    """

    scores: jax.Array
    labels: jax.Array
    weights: jax.Array
    where: jax.Array


def prepare(
    scores: ArrayLike,
    labels: ArrayLike,
    where: ArrayLike | None,
    weights: ArrayLike | None,
) -> Lists:
    """Broadcast the inputs of a loss and put 0 where there is no item.

    Whatever a masked position holds, NaN included, is replaced *before* any arithmetic:
    otherwise its gradient would be NaN instead of 0.
    """
    s = jnp.asarray(scores)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        s = s.astype(jnp.float32)
    shape = jnp.broadcast_shapes(s.shape, jnp.shape(labels))
    real = jnp.ones(shape, bool) if where is None else jnp.asarray(where, bool)
    w = jnp.ones(shape, s.dtype) if weights is None else as_dtype(weights, s)
    real = jnp.broadcast_to(real, shape) & (w > 0)
    return Lists(
        scores=jnp.where(real, s, 0.0),
        labels=jnp.where(real, as_dtype(labels, s), 0.0),
        weights=jnp.where(real, w, 0.0),
        where=real,
    )


def as_dtype(values: ArrayLike, like: jax.Array) -> jax.Array:
    """Array of ``values`` in the dtype of ``like``."""
    return jnp.asarray(values).astype(like.dtype)


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise a ValueError that lists the choices if ``value`` is none of them."""
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {known}; got {value!r}.")


def check_required(name: str, value: T | None, why: str) -> T:
    """Return an input, or raise a ValueError that says what needs it."""
    if value is None:
        raise ValueError(f"{name} is required by {why}. Pass {name}=....")
    return value


def masked_input(lists: Lists, values: ArrayLike) -> jax.Array:
    """Further values of the items in the dtype of the scores, 0 at masked positions."""
    return jnp.where(lists.where, as_dtype(values, lists.scores), 0.0)


def divide(total: jax.Array, terms: jax.Array, normalize: bool) -> jax.Array:
    """Divide a sum by the weight of its terms if asked to; 0 / 0 is 0."""
    if not normalize:
        return total
    return total / jnp.where(terms > 0, terms, 1.0)


def masked_log_softmax(lists: Lists, logits: jax.Array) -> jax.Array:
    """Log-probabilities over the items, each counted with its weight; 0 if masked.

    ``exp`` of the result, times the weights, sums to 1: an item of weight 2 is two
    items of that probability.
    """
    top = masked_max(logits, lists.where)
    shifted = jnp.where(lists.where, logits - jax.lax.stop_gradient(top), 0.0)
    total = jnp.sum(lists.weights * jnp.exp(shifted), axis=-1, keepdims=True)
    log_total = jnp.log(jnp.where(total > 0, total, 1.0))
    return jnp.where(lists.where, shifted - log_total, 0.0)


def masked_max(values: jax.Array, where: jax.Array) -> jax.Array:
    """Largest real value of each list, shape (..., 1); 0 for an empty list."""
    top = jnp.max(values, axis=-1, keepdims=True, where=where, initial=-jnp.inf)
    return jnp.where(jnp.isfinite(top), top, 0.0)


def has_two_labels(lists: Lists) -> jax.Array:
    """Whether each list has two distinct labels, shape (..., 1)."""
    high = masked_max(lists.labels, lists.where)
    low = -masked_max(-lists.labels, lists.where)
    return high > low
