"""The dynamic programme over subsets for linear orderings, with the list in lanes.

``prefixes`` holds the combined value of all orders of each set S, ``gains`` what each
member j adds as the last of S: ``matrix[i, j]`` for every other one, i.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from ltr.solvers.dynamic.lanes import in_lanes, map_rows, sum_rows, take
from ltr.solvers.dynamic.paths import (
    Combine,
    log_sum_exp,
    maximum,
    off_diagonal,
    table_size,
)
from ltr.solvers.dynamic.subsets import subsets


def gains(matrix: jax.Array) -> list[jax.Array]:
    """Gain of each member as the last of its set: (n_sets, k, n_lanes) for level k."""
    n, _, lanes = matrix.shape
    entries = matrix.reshape(n * n, lanes)
    table = [jnp.zeros((n, 1, lanes), matrix.dtype)]
    for level in subsets(n).levels[1:]:
        fewer = take(table[-1].reshape(-1, lanes), level.sums)
        table.append(fewer + take(entries, level.addends * n + level.members))
    return table


def prefixes(last: list[jax.Array], combine: Combine) -> list[jax.Array]:
    """Combined value of the orders of each set: (n_sets, n_lanes) for level k."""
    n, _, lanes = last[0].shape
    table = [jnp.zeros((1, lanes), last[0].dtype)]
    for level, gain in zip(subsets(n).levels, last, strict=True):
        table.append(
            combine(
                [
                    take(table[-1], level.smaller[:, p]) + gain[:, p]
                    for p in range(gain.shape[1])
                ]
            )
        )
    return table


def _partition(matrix: jax.Array) -> jax.Array:
    return prefixes(gains(matrix), log_sum_exp)[-1][0]


def suffixes(last: list[jax.Array]) -> list[jax.Array]:
    """Log-sum-exp of the ways to go on from each set: (n_sets, n_lanes) for level k."""
    n, _, lanes = last[0].shape
    table = [jnp.zeros((1, lanes), last[0].dtype)]
    for k in range(n, 0, -1):
        entering = subsets(n).levels[k - 1].entering
        gain = (last[k - 1] + table[-1][:, None]).reshape(-1, lanes)
        larger = entering.ravel().argsort().reshape(-1, n - k + 1)
        ways = [take(gain, larger[:, q]) for q in range(n - k + 1)]
        table.append(log_sum_exp(ways))
    return table[::-1]


def _marginals(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Log Z and P(i before j): the sum over sets with i and j of P(S built, j last)."""
    n, _, lanes = matrix.shape
    tables = subsets(n)
    last = gains(matrix)
    before, after = prefixes(last, log_sum_exp), suffixes(last)
    log_z = before[-1][0]
    finite = jnp.where(log_z > -jnp.inf, log_z, 0.0)
    prefix, suffix = jnp.concatenate(before), jnp.concatenate(after)
    built = map_rows(
        lambda without, gain, whole: jnp.exp(
            take(prefix, without) + gain + take(suffix, whole) - finite[None]
        ),
        jnp.asarray(tables.without),
        jnp.concatenate([gain.reshape(-1, lanes) for gain in last]),
        jnp.asarray(tables.whole),
    )
    return log_z, off_diagonal(sum_rows(partial(take, built), tables.with_both), n)


def _orders(matrix: jax.Array, noise: jax.Array, combine: Combine) -> jax.Array:
    """From the last place back: the best member, after noise on each choice."""
    n, _, lanes = matrix.shape
    tables = subsets(n)
    last = gains(matrix)
    table = prefixes(last, combine)
    draws = jnp.moveaxis(noise, 2, -1)  # the choices last
    lane = jnp.broadcast_to(jnp.arange(lanes)[None, :, None], (len(noise), lanes, 1))
    left = jnp.full((len(noise), lanes), (1 << n) - 1)
    order = []
    for k in range(n, 0, -1):
        level = tables.levels[k - 1]
        number = take(jnp.asarray(tables.number), left)
        smaller = take(jnp.asarray(level.smaller), number)
        gain = table[k - 1][smaller, lane]
        gain += last[k - 1][number[..., None], jnp.arange(k)[None, None], lane]
        choice = jnp.argmax(gain + draws[:, k - 1, :, :k], axis=-1, keepdims=True)
        items = take(jnp.asarray(level.members), number)
        item = jnp.take_along_axis(items, choice, axis=-1)[..., 0]
        left = left ^ (1 << item)
        order.append(item)
    return jnp.stack(order[::-1], axis=1).astype(jnp.int32)


partitions = in_lanes(_partition, table_size)
marginals = in_lanes(_marginals, table_size)
best_orders = in_lanes(
    lambda matrix, noise: _orders(matrix, noise, maximum), table_size
)
drawn_orders = in_lanes(
    lambda matrix, noise: _orders(matrix, noise, log_sum_exp), table_size
)


@jax.custom_vjp
def log_partition(matrix: jax.Array) -> jax.Array:
    """Log Z of each list; its gradient, P(i before j), is not taped but computed."""
    return partitions(matrix)


def _forward(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    return marginals(matrix)


def _backward(used: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    return (used * cotangent[:, None, None],)


log_partition.defvjp(_forward, _backward)
