"""Held-Karp over subsets for paths, with the list in the last axis ("lanes").

``prefixes`` holds, for each set S and each member j, the combined value of all paths
through S that end at j; to combine is to take the maximum or the log-sum-exp. What is
still to come after (S, j) is a prefix of the transposed problem, (complement of S plus
j, j), so one recursion serves both directions and no reverse-mode tape is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from itertools import pairwise

import jax
import jax.numpy as jnp

from ltr.solvers.dynamic.lanes import in_lanes, map_rows, sum_rows, take
from ltr.solvers.dynamic.subsets import subsets

Combine = Callable[[list[jax.Array]], jax.Array]


def maximum(terms: list[jax.Array]) -> jax.Array:
    """Greatest term."""
    return reduce(jnp.maximum, terms)


def log_sum_exp(terms: list[jax.Array]) -> jax.Array:
    """Log of the sum of e^term; -inf where all are."""
    top = maximum(terms)
    top = jnp.where(jnp.isfinite(top), top, 0.0)
    return jnp.log(sum(jnp.exp(term - top) for term in terms)) + top


def prefixes(matrix: jax.Array, start: jax.Array, combine: Combine) -> list[jax.Array]:
    """Values of partial paths by last item: level k has shape (n_sets, k, n_lanes)."""
    n, lanes = start.shape
    arcs = matrix.reshape(n * n, lanes)
    levels = subsets(n).levels
    table = [start.reshape(n, 1, lanes)]
    for level, larger in pairwise(levels):
        terms = [
            table[-1][:, p, None, :]
            + take(arcs, level.members[:, p, None] * n + level.others)
            for p in range(level.members.shape[1])
        ]
        table.append(take(combine(terms).reshape(-1, lanes), larger.entering))
    return table


def whole_paths(table: list[jax.Array], end: jax.Array, combine: Combine) -> jax.Array:
    """Combined value of all paths, one per lane."""
    return combine([table[-1][0, p] + end[p] for p in range(len(end))])


def _partition(matrix: jax.Array, start: jax.Array, end: jax.Array) -> jax.Array:
    return whole_paths(prefixes(matrix, start, log_sum_exp), end, log_sum_exp)


def _both_ways(
    matrix: jax.Array, start: jax.Array, end: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Prefixes and suffixes as tables of all rows, log Z, and log Z that is finite."""
    lanes = start.shape[1]
    before = prefixes(matrix, start, log_sum_exp)
    after = prefixes(jnp.swapaxes(matrix, 0, 1), end, log_sum_exp)
    log_z = whole_paths(before, end, log_sum_exp)
    rows = [
        jnp.concatenate([level.reshape(-1, lanes) for level in table])
        for table in (before, after)
    ]
    return rows[0], rows[1], log_z, jnp.where(log_z > -jnp.inf, log_z, 0.0)


def _marginals(
    matrix: jax.Array, start: jax.Array, end: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    n, lanes = start.shape
    tables = subsets(n)
    before, after, log_z, finite = _both_ways(matrix, start, end)
    arcs = take(matrix.reshape(n * n, lanes), tables.pairs @ [n, 1]) - finite[None]
    used = sum_rows(
        lambda s, rest: jnp.exp(take(before, s) + take(after, rest) + arcs),
        tables.with_first,
        tables.complements,
    )
    return (
        log_z,
        off_diagonal(used, n),
        jnp.exp(start + after[-n:] - finite[None]),
        jnp.exp(before[-n:] + end - finite[None]),
    )


def _precedence(matrix: jax.Array, start: jax.Array, end: jax.Array) -> jax.Array:
    n, _ = start.shape
    before, after, _, finite = _both_ways(matrix, start, end)
    passed = map_rows(
        lambda prefix, rest: jnp.exp(prefix + take(after, rest) - finite[None]),
        before,
        jnp.asarray(subsets(n).rest),
    )
    return off_diagonal(sum_rows(partial(take, passed), subsets(n).with_both), n)


def _orders(
    matrix: jax.Array,
    start: jax.Array,
    end: jax.Array,
    noise: jax.Array,
    combine: Combine,
) -> jax.Array:
    """From the last item back: the best predecessor, after noise on each choice.

    ``noise`` has shape (n_samples, n, n, n_lanes), one number per choice.
    """
    n, lanes = start.shape
    tables = subsets(n)
    table = prefixes(matrix, start, combine)
    draws = jnp.moveaxis(noise, 2, -1)  # the choices last
    lane = jnp.broadcast_to(jnp.arange(lanes)[None, :, None], (len(noise), lanes, 1))
    item = jnp.argmax((table[-1][0] + end).T[None] + draws[:, n - 1], axis=-1)
    left = jnp.full_like(item, (1 << n) - 1)
    order = [item]
    for k in range(n - 1, 0, -1):
        left = left ^ (1 << item)
        number = take(jnp.asarray(tables.number), left)
        previous = take(jnp.asarray(tables.levels[k - 1].members), number)
        gain = table[k - 1][number[..., None], jnp.arange(k)[None, None], lane]
        gain += matrix[previous, item[..., None], lane]
        choice = jnp.argmax(gain + draws[:, k - 1, :, :k], axis=-1, keepdims=True)
        item = jnp.take_along_axis(previous, choice, axis=-1)[..., 0]
        order.append(item)
    return jnp.stack(order[::-1], axis=1).astype(jnp.int32)


def off_diagonal(entries: jax.Array, n: int) -> jax.Array:
    """Matrices from their entries (i, j), i ≠ j, row by row; 0 on the diagonal."""
    lanes = entries.shape[-1]
    split = entries.reshape(n, n - 1, lanes)
    rows = jnp.arange(n)
    below = rows[:, None] > rows[None]  # entry (i, j) is the j-th of its row, ...
    above = rows[:, None] < rows[None]  # ... or the (j - 1)-th behind the diagonal
    zero = jnp.zeros((n, 1, lanes), entries.dtype)
    left = jnp.concatenate([split, zero], axis=1)
    right = jnp.concatenate([zero, split], axis=1)
    return jnp.where(below[..., None], left, jnp.where(above[..., None], right, 0.0))


def table_size(n: int) -> int:
    """Numbers in the table of prefixes of one list."""
    return n << (n - 1)


partitions = in_lanes(_partition, table_size)
marginals = in_lanes(_marginals, table_size)
precedences = in_lanes(_precedence, table_size)
best_orders = in_lanes(
    lambda matrix, start, end, noise: _orders(matrix, start, end, noise, maximum),
    table_size,
)
drawn_orders = in_lanes(
    lambda matrix, start, end, noise: _orders(matrix, start, end, noise, log_sum_exp),
    table_size,
)


@jax.custom_vjp
def log_partition(matrix: jax.Array, start: jax.Array, end: jax.Array) -> jax.Array:
    """Log Z of each list; its gradient, the marginals, is not taped but computed."""
    return partitions(matrix, start, end)


def _forward(
    matrix: jax.Array, start: jax.Array, end: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    log_z, *used = marginals(matrix, start, end)
    return log_z, tuple(used)


def _backward(
    used: tuple[jax.Array, ...], cotangent: jax.Array
) -> tuple[jax.Array, ...]:
    arcs, start, end = used
    per_item = cotangent[:, None]
    return arcs * per_item[..., None], start * per_item, end * per_item


log_partition.defvjp(_forward, _backward)
