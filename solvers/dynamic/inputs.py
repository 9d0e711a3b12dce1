"""Inputs of the dynamic programs: shapes checked, padding as forbidden arcs."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ltr.queries import check_axes, check_rows
from ltr.solvers.core.inputs import check_entries

MAX_ITEMS = 15


class Paths(NamedTuple):
    """Gains of arcs (..., n, n), of first and last items (..., n), and real items."""

    matrix: jax.Array
    start: jax.Array
    end: jax.Array
    where: jax.Array


def prepare_orderings(
    matrix: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array]:
    """Check shapes, size and entries."""
    lists = prepare_paths(matrix, None, None, where)
    return lists.matrix, lists.where


def prepare_paths(
    matrix: ArrayLike,
    start: ArrayLike | None,
    end: ArrayLike | None,
    where: ArrayLike | None,
) -> Paths:
    """Check shapes, size and entries; None becomes zeros."""
    lists = prepare_lists(matrix, start, end, where)
    n = lists.where.shape[-1]
    if n > MAX_ITEMS:
        raise ValueError(
            f"matrix has lists of {n} items; the dynamic program over subsets takes at "
            f"most {MAX_ITEMS}, because its work doubles with each item. For best "
            "orders use ltr.solvers.solve_paths or solve_orderings, inside jit through "
            "ltr.solvers.differentiable; for training, a loss without log Z, such as "
            "successor_loss or perturbed_fy_loss."
        )
    _check_numbers(lists)
    return lists


def _check_numbers(lists: Paths) -> None:
    """Raise at NaN and +inf of real items, unless they are traced."""
    if any(isinstance(array, jax.core.Tracer) for array in lists):
        return
    real = np.asarray(lists.where)
    off_diagonal = ~np.eye(real.shape[-1], dtype=bool)
    pairs = real[..., :, None] & real[..., None, :] & off_diagonal
    masks = {"matrix": pairs, "start": real, "end": real}
    for name, where in masks.items():
        array = np.asarray(getattr(lists, name))
        check_entries(np.where(where, array, 0.0), name)


def prepare_lists(
    matrix: ArrayLike,
    start: ArrayLike | None,
    end: ArrayLike | None,
    where: ArrayLike | None,
) -> Paths:
    """Check shapes; None becomes zeros, and floats have at least 32 bits."""
    a = jnp.asarray(matrix)
    if not jnp.issubdtype(a.dtype, jnp.floating) or a.dtype.itemsize < 4:
        a = a.astype(jnp.float32)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(
            "matrix must have shape (..., n, n), one row and one column per item; got "
            f"shape {a.shape}."
        )
    check_axes(matrix, "matrix")
    check_rows({"matrix": matrix, "start": start, "end": end, "where": where})
    real = jnp.asarray(_per_item("where", where, a, True), bool)
    start_gains = _per_item("start", start, a, 0.0).astype(a.dtype)
    end_gains = _per_item("end", end, a, 0.0).astype(a.dtype)
    return Paths(a, start_gains, end_gains, real)


def _per_item(
    name: str, values: ArrayLike | None, matrix: jax.Array, default: float
) -> jax.Array:
    """One value per item, or ``default`` for None."""
    shape = matrix.shape[:-1]
    array = jnp.full(shape[-1:], default) if values is None else jnp.asarray(values)
    if not array.ndim or array.shape != shape[-array.ndim :]:
        raise ValueError(
            f"{name} must have the shape of matrix without its last axis, {shape}, or "
            f"of one list, {shape[-1:]}; got {array.shape}."
        )
    return jnp.broadcast_to(array, shape)


def both_real(where: jax.Array) -> jax.Array:
    """Pairs of real items, (..., n, n)."""
    return where[..., :, None] & where[..., None, :]


def with_tail(paths: Paths) -> Paths:
    """Chain the masked items behind the last real one, by index, at no gain.

    Every path then visits all n items, and the masked ones are a tail that changes
    neither its gain nor its probability: real item i → first masked item gains
    ``end[i]``, masked item → next masked item gains 0, and all other arcs into, out of
    and among masked items are forbidden.
    """
    real = paths.where
    pad = ~real
    count = jnp.cumsum(pad, axis=-1)  # 1, 2, … along the tail
    tail_start, tail_end = pad & (count == 1), pad & (count == count[..., -1:])
    none_real = ~real.any(axis=-1, keepdims=True)
    some_pad = pad.any(axis=-1, keepdims=True)
    into_tail = real[..., :, None] & tail_start[..., None, :]  # (..., n, n)
    along_tail = (count[..., :, None] + 1 == count[..., None, :]) & ~(
        real[..., :, None] | real[..., None, :]
    )
    end_gain = jnp.broadcast_to(paths.end[..., :, None], paths.matrix.shape)
    forbidden = -jnp.inf
    matrix = jnp.where(along_tail, 0.0, forbidden)
    matrix = jnp.where(into_tail, end_gain, matrix)
    tail_only = jnp.where(tail_start & none_real, 0.0, forbidden)
    end_without_tail = jnp.where(real & ~some_pad, paths.end, forbidden)
    return Paths(
        jnp.where(both_real(real), paths.matrix, matrix),
        jnp.where(real, paths.start, tail_only),
        jnp.where(tail_end, 0.0, end_without_tail),
        real,
    )


def with_last(matrix: jax.Array, where: jax.Array) -> jax.Array:
    """Force masked items behind all real ones, by index, at no gain."""
    n = where.shape[-1]
    i, j = jnp.broadcast_to(where[..., :, None], matrix.shape), where[..., None, :]
    by_index = jnp.broadcast_to(jnp.triu(jnp.ones((n, n), bool), 1), matrix.shape)
    gain = jnp.where((i | by_index) & ~j, 0.0, -jnp.inf)
    return jnp.where(both_real(where), matrix, gain.astype(matrix.dtype))


def flatten(x: jax.Array, n_axes: int) -> jax.Array:
    """All leading axes as one, the last ``n_axes`` as they are."""
    return x.reshape(-1, *x.shape[x.ndim - n_axes :])


def flatten_paths(paths: Paths) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Matrix (b, n, n), start and end gains (b, n), all leading axes as one."""
    return flatten(paths.matrix, 2), flatten(paths.start, 1), flatten(paths.end, 1)


def gumbel(key: jax.Array, n_lists: int, n_samples: int, like: jax.Array) -> jax.Array:
    """Noise (b, n_samples, n, n) for each sample, position and candidate.

    The argmax of logits plus Gumbel noise is a draw from their softmax.
    """
    shape = (n_lists, n_samples, *like.shape[-2:])
    return jax.random.gumbel(key, shape, jnp.float32).astype(like.dtype)
