"""Pools of neighbours in a sorted list: isotonic regression, means over the pools."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

Stack = tuple[jax.Array, jax.Array, jax.Array, jax.Array]


@jax.jit
@partial(jnp.vectorize, signature="(n)->(n)")
def pool_begins(levels: jax.Array) -> jax.Array:
    """First position of the pool of each item in the least-squares non-increasing fit.

    Pool adjacent violators: each step merges the last two pools if the mean rises from
    one to the next, or else takes the next item as a pool of its own.

    Parameters
    ----------
    levels : array of shape (..., list_size)
        Values to fit; −inf at the end stays alone.

    Returns
    -------
    begin : int array of shape (..., list_size)
    """
    n = levels.shape[0]

    def step(_: jax.Array, stack: Stack) -> Stack:
        taken, last, totals, sizes = stack
        before = jnp.maximum(last - 1, 0)
        mean = totals[last] / sizes[last].astype(totals.dtype)
        mean_before = totals[before] / sizes[before].astype(totals.dtype)
        merge = (last > 0) & (mean > mean_before)
        take = ~merge & (taken < n)
        to = jnp.where(merge, before, jnp.where(take, last + 1, last))
        other = jnp.where(merge, totals[before], 0.0)
        total = jnp.where(take, levels[jnp.minimum(taken, n - 1)], totals[last] + other)
        size = jnp.where(take, 1, sizes[last] + jnp.where(merge, sizes[before], 0))
        totals, sizes = totals.at[to].set(total), sizes.at[to].set(size)
        return taken + take.astype(jnp.int32), to, totals, sizes

    zero, sizes = jnp.int32(0), jnp.ones(n, jnp.int32)
    start = (zero + 1, zero, levels, sizes)  # beyond the last pool nothing is read
    _, last, _, sizes = jax.lax.fori_loop(0, 2 * n - 2, step, start)
    sizes = jnp.where(jnp.arange(n, dtype=jnp.int32) <= last, sizes, 0)
    begins = jnp.cumsum(sizes, dtype=jnp.int32) - sizes
    return jnp.repeat(begins, sizes, total_repeat_length=n)


@partial(jnp.vectorize, signature="(n),(n)->(n)")
def pool_means(values: jax.Array, begin: jax.Array) -> jax.Array:
    """Mean over the pool of each item, by the first position of the pool."""
    totals = jnp.zeros_like(values).at[begin].add(values)
    sizes = jnp.zeros_like(values).at[begin].add(1.0)
    return totals[begin] / sizes[begin]
