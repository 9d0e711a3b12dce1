"""Held-Karp over subsets for paths, with the list in the last axis ("lanes").

With ⊕ the sum of a semiring (maximum, or log-sum-exp), the combined gain of all paths
that visit exactly the set S and end at j is

    F({j}, j) = start[j],    F(S ∪ {j}, j) = ⊕_{p ∈ S} F(S, p) + A[p, j].

(S, j) is completed by a path that starts at j and visits the other items. Backward,
that is the same recursion on Aᵀ, with ``end`` as ``start``: B(T, j) combines the paths
that start at j, visit exactly T ∋ j, and end anywhere. So one recursion serves both
directions, and no reverse-mode tape is needed.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

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


def prefixes(matrix: jax.Array, start: jax.Array, combine: Combine) -> list[jax.Array]:
    """F level by level: level k has shape (n_sets, k, n_lanes)."""
    n, lanes = start.shape
    arcs = matrix.reshape(n * n, lanes)
    levels = subsets(n).levels
    table = [start.reshape(n, 1, lanes)]
    for level, larger in pairwise(levels):
        terms = [  # F(S, p) + A[p, j], j ∉ S: (n_sets, n - k, n_lanes) for each p
            table[-1][:, p, None, :]
            + take(arcs, level.members[:, p, None] * n + level.others)
            for p in range(level.members.shape[1])
        ]
        # rows (S, j ∉ S) of level k, rearranged as rows (S ∪ {j}, j) of level k + 1
        table.append(take(combine(terms).reshape(-1, lanes), larger.entry_rows))
    return table


def whole_paths(table: list[jax.Array], end: jax.Array, combine: Combine) -> jax.Array:
    """⊕_j F(all, j) + end[j]: the best gain, or log Z, of each lane."""
    return combine([table[-1][0, p] + end[p] for p in range(len(end))])


def _partition(matrix: jax.Array, start: jax.Array, end: jax.Array) -> jax.Array:
    return whole_paths(prefixes(matrix, start, log_sum_exp), end, log_sum_exp)


def _both_ways(
    matrix: jax.Array, start: jax.Array, end: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """F and B as tables of all rows, log Z, and log Z with 0 in place of -inf."""
    lanes = start.shape[1]
    forward = prefixes(matrix, start, log_sum_exp)
    backward = prefixes(jnp.swapaxes(matrix, 0, 1), end, log_sum_exp)
    log_z = whole_paths(forward, end, log_sum_exp)
    prefix, suffix = (  # (n · 2^(n - 1), n_lanes)
        jnp.concatenate([level.reshape(-1, lanes) for level in table])
        for table in (forward, backward)
    )
    return prefix, suffix, log_z, jnp.where(log_z > -jnp.inf, log_z, 0.0)


def _marginals(
    matrix: jax.Array, start: jax.Array, end: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Log Z, P(arc i → j), P(i is first), P(i is last).

    P(arc i → j) = Σ_{S ∋ i, S ∌ j} exp(F(S, i) + A[i, j] + B(complement of S, j)) / Z.
    """
    n, lanes = start.shape
    tables = subsets(n)
    prefix, suffix, log_z, finite = _both_ways(matrix, start, end)
    entries = tables.pairs[:, 0] * n + tables.pairs[:, 1]
    arcs = take(matrix.reshape(n * n, lanes), entries) - finite[None]
    arc_probabilities = sum_rows(
        lambda tail, head: jnp.exp(take(prefix, tail) + take(suffix, head) + arcs),
        tables.tail_rows,
        tables.head_rows,
    )
    return (
        log_z,
        off_diagonal(arc_probabilities, n),
        # the last n rows are those of the set of all items
        jnp.exp(start + suffix[-n:] - finite[None]),
        jnp.exp(prefix[-n:] + end - finite[None]),
    )


def _precedence(matrix: jax.Array, start: jax.Array, end: jax.Array) -> jax.Array:
    """P(i before j) = Σ_{S ∋ i, j} P(the path visits S first, and j last of S).

    That probability is exp(F(S, j) + B(complement of S plus j, j)) / Z.
    """
    n, _ = start.shape
    prefix, suffix, _, finite = _both_ways(matrix, start, end)
    visits = map_rows(
        lambda gain, rows: jnp.exp(gain + take(suffix, rows) - finite[None]),
        prefix,
        jnp.asarray(subsets(n).suffix_rows),
    )
    return off_diagonal(sum_rows(partial(take, visits), subsets(n).joint_rows), n)


def _orders(
    matrix: jax.Array,
    start: jax.Array,
    end: jax.Array,
    noise: jax.Array,
    combine: Combine,
) -> jax.Array:
    """Trace back from the last item: argmax_p F(S, p) + A[p, j] + noise.

    Without noise and with the maximum this is the best path. With log-sum-exp and
    Gumbel noise each argmax is a draw from P(p | S, j) ∝ exp(F(S, p) + A[p, j]), so
    the path is a sample. ``noise`` has shape (n_samples, n, n, n_lanes): one number per
    sample, position and candidate.
    """
    n, lanes = start.shape
    tables = subsets(n)
    table = prefixes(matrix, start, combine)
    draws = jnp.moveaxis(noise, 2, -1)  # (n_samples, n, n_lanes, n)
    lane = jnp.broadcast_to(jnp.arange(lanes)[None, :, None], (len(noise), lanes, 1))
    item = jnp.argmax((table[-1][0] + end).T[None] + draws[:, n - 1], axis=-1)
    mask = jnp.full_like(item, (1 << n) - 1)  # bit mask of the prefix
    order = [item]
    for k in range(n - 1, 0, -1):
        mask = mask ^ (1 << item)
        number = take(jnp.asarray(tables.number, jnp.int32), mask)
        previous = take(jnp.asarray(tables.levels[k - 1].members, jnp.int32), number)
        gain = table[k - 1][number[..., None], jnp.arange(k)[None, None], lane]
        gain += matrix[previous, item[..., None], lane]  # (n_samples, n_lanes, k)
        choice = jnp.argmax(gain + draws[:, k - 1, :, :k], axis=-1, keepdims=True)
        item = jnp.take_along_axis(previous, choice, axis=-1)[..., 0]
        order.append(item)
    return jnp.stack(order[::-1], axis=1).astype(jnp.int32)


partitions = in_lanes(_partition)
marginals = in_lanes(_marginals)
precedences = in_lanes(_precedence)
best_orders = in_lanes(partial(_orders, combine=maximum))
sampled_orders = in_lanes(partial(_orders, combine=log_sum_exp))


@jax.custom_vjp
def log_partition(matrix: jax.Array, start: jax.Array, end: jax.Array) -> jax.Array:
    """Log Z of each list; its gradient is the marginals, computed without a tape."""
    return partitions(matrix, start, end)


def _forward(
    matrix: jax.Array, start: jax.Array, end: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    log_z, *probabilities = marginals(matrix, start, end)
    return log_z, tuple(probabilities)


def _backward(
    probabilities: tuple[jax.Array, ...], cotangent: jax.Array
) -> tuple[jax.Array, ...]:
    arcs, start, end = probabilities
    per_item = cotangent[:, None]
    return arcs * per_item[..., None], start * per_item, end * per_item


log_partition.defvjp(_forward, _backward)
