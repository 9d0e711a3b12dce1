"""Best orders, log Z, marginals and samples of batches: :mod:`ltr.solvers.dynamic`."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ltr.solvers.dynamic import orderings as ordering_tables
from ltr.solvers.dynamic import paths as path_tables
from ltr.solvers.dynamic.inputs import (
    Paths,
    both_real,
    flat,
    flat_paths,
    gumbel,
    with_last,
    with_tail,
)


class PathMarginals(NamedTuple):
    """How likely each part of a path is.

    Attributes
    ----------
    arcs : array of shape (..., n, n)
        P(j right after i). Row i sums to 1 together with ``end[i]``, column j together
        with ``start[j]``.
    start : array of shape (..., n)
        P(i is first).
    end : array of shape (..., n)
        P(i is last).
    """

    arcs: jax.Array
    start: jax.Array
    end: jax.Array


@jax.jit
def path_log_partition(
    matrix: jax.Array, start: jax.Array, end: jax.Array, where: jax.Array
) -> jax.Array:
    """Log Z over all paths of each list, shape (...)."""
    if not where.size:
        return jnp.zeros(where.shape[:-1], matrix.dtype)
    lists = flat_paths(with_tail(Paths(matrix, start, end, where)))
    return path_tables.log_partition(*lists).reshape(where.shape[:-1])


@jax.jit
def path_marginals(
    matrix: jax.Array, start: jax.Array, end: jax.Array, where: jax.Array
) -> PathMarginals:
    """Probability of each arc, first and last item: the gradient of log Z."""

    def total(matrix: jax.Array, start: jax.Array, end: jax.Array) -> jax.Array:
        return path_log_partition(matrix, start, end, where).sum()

    return PathMarginals(*jax.grad(total, argnums=(0, 1, 2))(matrix, start, end))


@jax.jit
def path_precedence(
    matrix: jax.Array, start: jax.Array, end: jax.Array, where: jax.Array
) -> jax.Array:
    """Probability that i stands anywhere before j, shape (..., n, n)."""
    if not where.size:
        return jnp.zeros_like(matrix)
    paths = with_tail(Paths(matrix, start, end, where))
    fixed = (jax.lax.stop_gradient(x) for x in flat_paths(paths))
    precedence = path_tables.precedences(*fixed).reshape(matrix.shape)
    return jnp.where(both_real(where), precedence, 0.0)


@jax.jit
def best_path(
    matrix: jax.Array, start: jax.Array, end: jax.Array, where: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Best order of each list and its value, differentiable in the matrix."""
    if not where.size:
        return jnp.zeros(where.shape[:-1], matrix.dtype), where.astype(jnp.int32)
    paths = with_tail(Paths(matrix, start, end, where))
    lists = [jax.lax.stop_gradient(x) for x in flat_paths(paths)]
    noise = jnp.zeros((len(lists[0]), 1, *matrix.shape[-2:]), matrix.dtype)
    order = path_tables.best_orders(*lists, noise).reshape(where.shape)
    along = partial(jnp.take_along_axis, axis=-1)
    rows = jnp.take_along_axis(paths.matrix, order[..., :-1, None], axis=-2)
    arcs = along(rows, order[..., 1:, None])[..., 0].sum(axis=-1)
    ends = along(paths.start, order[..., :1]) + along(paths.end, order[..., -1:])
    return ends[..., 0] + arcs, order


@partial(jax.jit, static_argnames="n_samples")
def sample_paths(
    matrix: jax.Array,
    start: jax.Array,
    end: jax.Array,
    where: jax.Array,
    key: jax.Array,
    n_samples: int,
) -> jax.Array:
    """Orders drawn with probability exp(value) / Z, shape (..., n_samples, n)."""
    shape = (*where.shape[:-1], n_samples, where.shape[-1])
    if not where.size:
        return jnp.zeros(shape, jnp.int32)
    paths = flat_paths(with_tail(Paths(matrix, start, end, where)))
    noise = gumbel(key, len(paths[0]), n_samples, matrix)
    lists = (jax.lax.stop_gradient(x) for x in paths)
    return path_tables.drawn_orders(*lists, noise).reshape(shape)


@jax.jit
def ordering_log_partition(matrix: jax.Array, where: jax.Array) -> jax.Array:
    """Log Z over all orders of each list, shape (...)."""
    if not where.size:
        return jnp.zeros(where.shape[:-1], matrix.dtype)
    lists = flat(with_last(matrix, where), 2)
    return ordering_tables.log_partition(lists).reshape(where.shape[:-1])


@jax.jit
def ordering_marginals(matrix: jax.Array, where: jax.Array) -> jax.Array:
    """Probability of i before j, shape (..., n, n)."""
    return jax.grad(lambda a: ordering_log_partition(a, where).sum())(matrix)


@jax.jit
def best_ordering(matrix: jax.Array, where: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Best order of each list and its value, differentiable in the matrix."""
    if not where.size:
        return jnp.zeros(where.shape[:-1], matrix.dtype), where.astype(jnp.int32)
    n = where.shape[-1]
    entries = with_last(matrix, where)
    lists = jax.lax.stop_gradient(flat(entries, 2))
    noise = jnp.zeros((len(lists), 1, n, n), matrix.dtype)
    order = ordering_tables.best_orders(lists, noise).reshape(where.shape)
    rows = jnp.take_along_axis(entries, order[..., :, None], axis=-2)
    sorted_ = jnp.take_along_axis(rows, order[..., None, :], axis=-1)
    before = jnp.broadcast_to(jnp.triu(jnp.ones((n, n), bool), 1), sorted_.shape)
    return jnp.where(before, sorted_, 0.0).sum(axis=(-2, -1)), order


@partial(jax.jit, static_argnames="n_samples")
def sample_orderings(
    matrix: jax.Array, where: jax.Array, key: jax.Array, n_samples: int
) -> jax.Array:
    """Orders drawn with probability exp(value) / Z."""
    shape = (*where.shape[:-1], n_samples, where.shape[-1])
    if not where.size:
        return jnp.zeros(shape, jnp.int32)
    lists = jax.lax.stop_gradient(flat(with_last(matrix, where), 2))
    noise = gumbel(key, len(lists), n_samples, matrix)
    return ordering_tables.drawn_orders(lists, noise).reshape(shape)
