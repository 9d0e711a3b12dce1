"""What the dynamic programmes take: shapes checked, padding as forbidden arcs."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ltr.solvers.core.inputs import check_entries

MAX_ITEMS = 15


class Paths(NamedTuple):
    """Matrix (..., n, n), start and end scores and real items (..., n)."""

    matrix: jax.Array
    start: jax.Array
    end: jax.Array
    where: jax.Array


def prepare_orderings(
    matrix: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array]:
    """Check the shapes and the size."""
    lists = prepare_paths(matrix, None, None, where)
    return lists.matrix, lists.where


def prepare_paths(
    matrix: ArrayLike,
    start: ArrayLike | None,
    end: ArrayLike | None,
    where: ArrayLike | None,
) -> Paths:
    """Check the shapes and the size; no scores are zeros."""
    lists = prepare_lists(matrix, start, end, where)
    n = lists.where.shape[-1]
    if n > MAX_ITEMS:
        raise ValueError(
            f"matrix has lists of {n} items; the dynamic programme over subsets takes "
            f"at most {MAX_ITEMS}, for its work doubles with each item. For best "
            "orders use ltr.solvers.solve_paths or solve_orderings, inside jit through "
            "ltr.solvers.differentiable; to train, a loss without log Z, such as "
            "successor_loss or perturbed_fy_loss."
        )
    _check_numbers(lists)
    return lists


def _check_numbers(lists: Paths) -> None:
    """Raise at NaN and +inf of real items, unless they are traced."""
    if any(isinstance(array, jax.core.Tracer) for array in lists):
        return
    real = np.asarray(lists.where)
    pairs = (
        real[..., :, None] & real[..., None, :] & ~np.eye(real.shape[-1], dtype=bool)
    )
    read = {"matrix": pairs, "start": real, "end": real}
    for name, where in read.items():
        array = np.asarray(getattr(lists, name))
        check_entries(np.where(where, array, 0.0), name)


def prepare_lists(
    matrix: ArrayLike,
    start: ArrayLike | None,
    end: ArrayLike | None,
    where: ArrayLike | None,
) -> Paths:
    """Check the shapes; no scores are zeros; at least 32 bits."""
    a = jnp.asarray(matrix)
    if not jnp.issubdtype(a.dtype, jnp.floating) or a.dtype.itemsize < 4:
        a = a.astype(jnp.float32)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(
            "matrix must have shape (..., n, n), one row and one column per item; got "
            f"shape {a.shape}."
        )
    real = jnp.asarray(_per_item("where", where, a, True), bool)
    first = _per_item("start", start, a, 0.0).astype(a.dtype)
    last = _per_item("end", end, a, 0.0).astype(a.dtype)
    return Paths(a, first, last, real)


def _per_item(
    name: str, values: ArrayLike | None, matrix: jax.Array, default: float
) -> jax.Array:
    """One value per item, or ``default`` for None."""
    shape = matrix.shape[:-1]
    given = jnp.full(shape[-1:], default) if values is None else jnp.asarray(values)
    if not given.ndim or given.shape != shape[-given.ndim :]:
        raise ValueError(
            f"{name} must have the shape of matrix without its last axis, {shape}, or "
            f"of one list, {shape[-1:]}; got {given.shape}."
        )
    return jnp.broadcast_to(given, shape)


def both_real(where: jax.Array) -> jax.Array:
    """Pairs of real items."""
    return where[..., :, None] & where[..., None, :]


def with_tail(paths: Paths) -> Paths:
    """Masked items as the only way on from the last real one, by index, at no gain."""
    real = paths.where
    pad = ~real
    count = jnp.cumsum(pad, axis=-1)
    first, last = pad & (count == 1), pad & (count == count[..., -1:])
    none_real = ~real.any(axis=-1, keepdims=True)
    some_pad = pad.any(axis=-1, keepdims=True)
    into_tail = real[..., :, None] & first[..., None, :]
    along_tail = (count[..., :, None] + 1 == count[..., None, :]) & ~(
        real[..., :, None] | real[..., None, :]
    )
    leave = jnp.broadcast_to(paths.end[..., :, None], paths.matrix.shape)
    never = -jnp.inf
    matrix = jnp.where(along_tail, 0.0, never)
    matrix = jnp.where(into_tail, leave, matrix)
    return Paths(
        jnp.where(both_real(real), paths.matrix, matrix),
        jnp.where(real, paths.start, jnp.where(first & none_real, 0.0, never)),
        jnp.where(last, 0.0, jnp.where(real & ~some_pad, paths.end, never)),
        real,
    )


def with_last(matrix: jax.Array, where: jax.Array) -> jax.Array:
    """Masked items behind all others, by index, at no gain."""
    n = where.shape[-1]
    i, j = jnp.broadcast_to(where[..., :, None], matrix.shape), where[..., None, :]
    by_index = jnp.broadcast_to(jnp.triu(jnp.ones((n, n), bool), 1), matrix.shape)
    allowed = jnp.where((i | by_index) & ~j, 0.0, -jnp.inf)
    return jnp.where(both_real(where), matrix, allowed.astype(matrix.dtype))


def flat(x: jax.Array, axes: int) -> jax.Array:
    """All leading axes as one."""
    return x.reshape(-1, *x.shape[x.ndim - axes :])


def flat_paths(paths: Paths) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Matrix, start and end scores, all leading axes as one."""
    return flat(paths.matrix, 2), flat(paths.start, 1), flat(paths.end, 1)


def gumbel(key: jax.Array, n_lists: int, n_samples: int, like: jax.Array) -> jax.Array:
    """Noise for each choice of each sample: the greatest sum is a draw."""
    shape = (n_lists, n_samples, *like.shape[-2:])
    return jax.random.gumbel(key, shape, jnp.float32).astype(like.dtype)
