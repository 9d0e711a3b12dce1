"""The first and the last step of every loss: masked inputs, normalized sums."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ltr.arguments import check_number
from ltr.losses.kernels.second_order import is_diagonal, without_coupling
from ltr.queries import check_rows


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
    **others: ArrayLike | None,
) -> Lists:
    """Check the inputs of a loss and put 0 where there is no item.

    Gradients flow into the scores only. Scores of 16 bits are computed in 32.

    What stands at a masked position, NaN included, is replaced *before* any arithmetic:
    otherwise its gradient would be NaN instead of 0. Other inputs per item are passed
    by name, for the check of their rows.
    """
    columns = {"scores": scores, "labels": labels, "where": where, "weights": weights}
    check_rows(columns | others)
    s = jnp.asarray(scores)
    if not jnp.issubdtype(s.dtype, jnp.floating) or s.dtype.itemsize < 4:
        s = s.astype(jnp.float32)
    for name, values in (("labels", labels), ("where", where), ("weights", weights)):
        check_shape(name, values, s)
    shape = s.shape
    real = jnp.ones(shape, bool) if where is None else jnp.asarray(where, bool)
    w = jnp.ones(shape, s.dtype) if weights is None else as_dtype(weights, s)
    w = jax.lax.stop_gradient(w)
    real = jnp.broadcast_to(real, shape) & (w > 0)
    return Lists(
        scores=jnp.where(real, s, 0.0),
        labels=jnp.where(real, jax.lax.stop_gradient(as_dtype(labels, s)), 0.0),
        weights=jnp.where(real, w, 0.0),
        where=real,
    )


def check_shape(name: str, values: ArrayLike | None, scores: jax.Array) -> None:
    """Raise unless values of the items have the shape of the scores or of a list."""
    shape = jnp.shape(values) if values is not None else ()
    if shape and shape != scores.shape[-len(shape) :]:
        raise ValueError(
            f"{name} must have the shape of scores, {scores.shape}, or of one list; "
            f"got {shape}."
        )


def check_positive(name: str, value: object) -> None:
    """Raise unless a number is finite and above 0; numbers that JAX traces pass."""
    if not isinstance(value, (jax.Array, np.ndarray)):
        check_number(name, value, low=0.0, open_low=True)


def check_key(key: jax.Array | None, why: str) -> jax.Array:
    """Return the key of a loss that draws, or raise and say what needs it."""
    if key is None:
        raise ValueError(
            f"key is required by {why}; got None. Pass a JAX PRNG key, for instance "
            "key=jax.random.key(0), a new one at each step."
        )
    return key


def as_dtype(values: ArrayLike, like: jax.Array) -> jax.Array:
    """Array of ``values`` in the dtype of ``like``."""
    return jnp.asarray(values).astype(like.dtype)


def masked_input(lists: Lists, values: ArrayLike) -> jax.Array:
    """Another input per item in the dtype of the scores, 0 at masked positions."""
    constant = jax.lax.stop_gradient(as_dtype(values, lists.scores))
    return jnp.where(lists.where, constant, 0.0)


def divide(total: jax.Array, terms: jax.Array, normalize: bool) -> jax.Array:
    """Divide a sum by the weight of its terms if ``normalize``; 0 / 0 is 0."""
    if not normalize:
        return total
    return total / jnp.where(terms > 0, terms, 1.0)


def masked_log_softmax(lists: Lists, logits: jax.Array) -> jax.Array:
    """Log-probabilities over the items, each counted with its weight; 0 if masked.

    ``exp`` of the result, times the weights, sums to 1: an item of weight 2 is two
    items of that probability.
    """
    top = masked_max(logits, lists.where)  # (..., 1)
    shifted = jnp.where(lists.where, logits - jax.lax.stop_gradient(top), 0.0)
    worths = lists.weights * jnp.exp(shifted)
    total = jnp.sum(worths, axis=-1, keepdims=True)
    total = jnp.where(total > 0, total, 1.0)
    log_total = jnp.log(total)
    if is_diagonal():  # log Σ e^s has the gradient p, and p (1 − p) on its diagonal
        p = worths / total
        log_total = without_coupling(shifted, log_total[..., 0], p, p * (1.0 - p))
        log_total = log_total[..., None]
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
