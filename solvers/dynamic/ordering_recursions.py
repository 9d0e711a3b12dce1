"""Recursions over subsets for linear orderings, with the list in the last axis.

With ⊕ the sum of a semiring (maximum, or log-sum-exp), and G(S, j) the gain of placing
j last in the set S, the combined gain of all orders of S is

    G(S, j) = Σ_{i ∈ S, i ≠ j} A[i, j],    F(S) = ⊕_{j ∈ S} F(S∖j) + G(S, j),

and that of all ways to complete S is W(S) = ⊕_{j ∉ S} G(S ∪ j, j) + W(S ∪ j).
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from ltr.solvers.dynamic.lanes import (
    Combine,
    in_lanes,
    log_sum_exp,
    map_rows,
    maximum,
    off_diagonal,
    sum_rows,
    take,
)
from ltr.solvers.dynamic.subsets import subsets


def last_gains(matrix: jax.Array) -> list[jax.Array]:
    """G level by level: level k has shape (n_sets, k, n_lanes).

    G(S, j) = G(S∖a, j) + A[a, j] for any a ∈ S, a ≠ j.
    """
    n, _, lanes = matrix.shape
    entries = matrix.reshape(n * n, lanes)
    table = [jnp.zeros((n, 1, lanes), matrix.dtype)]
    for level in subsets(n).levels[1:]:
        smaller = take(table[-1].reshape(-1, lanes), level.partial_rows)
        table.append(smaller + take(entries, level.addends * n + level.members))
    return table


def prefixes(gains: list[jax.Array], combine: Combine) -> list[jax.Array]:
    """F level by level, from the empty set: level k has shape (n_sets, n_lanes)."""
    n, _, lanes = gains[0].shape
    table = [jnp.zeros((1, lanes), gains[0].dtype)]
    for level, gain in zip(subsets(n).levels, gains, strict=True):
        terms = [
            take(table[-1], level.smaller[:, p]) + gain[:, p]
            for p in range(gain.shape[1])
        ]
        table.append(combine(terms))
    return table


def _partition(matrix: jax.Array) -> jax.Array:
    return prefixes(last_gains(matrix), log_sum_exp)[-1][0]


def suffixes(gains: list[jax.Array]) -> list[jax.Array]:
    """W level by level, from the empty set: level k has shape (n_sets, n_lanes)."""
    n, _, lanes = gains[0].shape
    table = [jnp.zeros((1, lanes), gains[0].dtype)]
    for k in range(n, 0, -1):
        gain = (gains[k - 1] + table[-1][:, None]).reshape(-1, lanes)
        # entry_rows maps (S, j) to (S∖j, j); its inverse maps (S, j ∉ S) to (S ∪ j, j)
        entry_rows = subsets(n).levels[k - 1].entry_rows
        larger = entry_rows.ravel().argsort().reshape(-1, n - k + 1)
        terms = [take(gain, larger[:, q]) for q in range(n - k + 1)]
        table.append(log_sum_exp(terms))
    return table[::-1]


def _marginals(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Log Z, and P(i before j) = Σ_{S ∋ i, j} P(S is a prefix, with j last in it).

    That probability is exp(F(S∖j) + G(S, j) + W(S)) / Z.
    """
    n, _, lanes = matrix.shape
    tables = subsets(n)
    gains = last_gains(matrix)
    forward, backward = prefixes(gains, log_sum_exp), suffixes(gains)
    log_z = forward[-1][0]
    finite = jnp.where(log_z > -jnp.inf, log_z, 0.0)
    prefix, suffix = jnp.concatenate(forward), jnp.concatenate(backward)
    probabilities = map_rows(  # (n · 2^(n - 1), n_lanes)
        lambda smaller, gain, whole: jnp.exp(
            take(prefix, smaller) + gain + take(suffix, whole) - finite[None]
        ),
        jnp.asarray(tables.smaller_sets, jnp.int32),
        jnp.concatenate([gain.reshape(-1, lanes) for gain in gains]),
        jnp.asarray(tables.sets, jnp.int32),
    )
    before = sum_rows(partial(take, probabilities), tables.joint_rows)
    return log_z, off_diagonal(before, n)


def _orders(matrix: jax.Array, noise: jax.Array, combine: Combine) -> jax.Array:
    """Trace back from the last position: argmax_j F(S∖j) + G(S, j) + noise.

    Without noise and with the maximum this is the best ordering; with log-sum-exp and
    Gumbel noise of shape (n_samples, n, n, n_lanes), a sample.
    """
    n, _, lanes = matrix.shape
    tables = subsets(n)
    gains = last_gains(matrix)
    table = prefixes(gains, combine)
    draws = jnp.moveaxis(noise, 2, -1)  # (n_samples, n, n_lanes, n)
    lane = jnp.broadcast_to(jnp.arange(lanes)[None, :, None], (len(noise), lanes, 1))
    mask = jnp.full((len(noise), lanes), (1 << n) - 1)  # bit mask of the prefix
    order = []
    for k in range(n, 0, -1):
        level = tables.levels[k - 1]
        number = take(jnp.asarray(tables.number, jnp.int32), mask)
        smaller = take(jnp.asarray(level.smaller, jnp.int32), number)
        gain = table[k - 1][smaller, lane]  # (n_samples, n_lanes, k)
        gain += gains[k - 1][number[..., None], jnp.arange(k)[None, None], lane]
        choice = jnp.argmax(gain + draws[:, k - 1, :, :k], axis=-1, keepdims=True)
        items = take(jnp.asarray(level.members, jnp.int32), number)
        item = jnp.take_along_axis(items, choice, axis=-1)[..., 0]
        mask = mask ^ (1 << item)
        order.append(item)
    return jnp.stack(order[::-1], axis=1).astype(jnp.int32)


partitions = in_lanes(_partition)
marginals = in_lanes(_marginals)
best_orders = in_lanes(partial(_orders, combine=maximum))
sampled_orders = in_lanes(partial(_orders, combine=log_sum_exp))


@jax.custom_vjp
def log_partition(matrix: jax.Array) -> jax.Array:
    """Log Z of each list; its gradient is P(i before j), computed without a tape."""
    return partitions(matrix)


def _forward(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    return marginals(matrix)


def _backward(before: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    return (before * cotangent[:, None, None],)


log_partition.defvjp(_forward, _backward)
