"""Many lists side by side: the list is the last axis, so that it fills vector lanes."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TypeVar

import jax
import jax.numpy as jnp

from ltr.queries import IntArray

Combine = Callable[[list[jax.Array]], jax.Array]  # the sum of a semiring
Tree = TypeVar("Tree")

# Numbers that the tables of one chunk of lists may hold: few enough to fit in the
# caches of a CPU, and enough to keep an accelerator busy.
_CPU_NUMBERS, _ACCELERATOR_NUMBERS = 2**18, 2**26
_MIN_LANES, _MAX_LANES = 32, 2**16


def maximum(terms: list[jax.Array]) -> jax.Array:
    """Greatest term: the sum of the semiring (max, +)."""
    return reduce(jnp.maximum, terms)


def log_sum_exp(terms: list[jax.Array]) -> jax.Array:
    """Log of the sum of e^term, the sum of the log semiring; -inf where all are."""
    top = maximum(terms)
    top = jnp.where(jnp.isfinite(top), top, 0.0)  # -inf - -inf would be NaN
    return jnp.log(sum(jnp.exp(term - top) for term in terms)) + top


def take(rows: jax.Array, index: jax.Array | IntArray) -> jax.Array:
    """Rows of an array by a table of indices, all of which are in range."""
    index = jnp.asarray(index, jnp.int32)  # whether or not 64 bits are enabled
    return rows.at[index].get(mode="promise_in_bounds")


def sum_rows(term: Callable[..., jax.Array], *tables: IntArray) -> jax.Array:
    """Sum over t of ``term(table[:, t], …)``, up to 16 values of t per scan step."""
    n_terms = tables[0].shape[1]
    unroll = min(n_terms, 16)
    steps = tuple(  # (n_terms / unroll, unroll, n_rows)
        jnp.asarray(
            table.T.reshape(n_terms // unroll, unroll, -1 if table.size else 0),
            jnp.int32,
        )
        for table in tables
    )

    def add(total: jax.Array, indices: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        terms = (term(*(rows[t] for rows in indices)) for t in range(unroll))
        return total + sum(terms), None

    like = term(*(table[:, 0] for table in tables))
    total, _ = jax.lax.scan(add, jnp.zeros_like(like), steps)
    return total


def map_rows(function: Callable[..., jax.Array], *tables: jax.Array) -> jax.Array:
    """Apply ``function`` to the rows of the tables, block by block.

    Without the blocks XLA fuses this with the computation of the tables, and on a CPU
    the fused program is ten times slower.
    """
    n_rows = tables[0].shape[0]
    n_blocks = next(d for d in (32, 16, 8, 4, 2, 1) if n_rows % d == 0)
    blocks = (table.reshape(n_blocks, -1, *table.shape[1:]) for table in tables)
    mapped = jax.lax.map(lambda block: function(*block), tuple(blocks))
    return mapped.reshape(n_rows, *mapped.shape[2:])


def off_diagonal(entries: jax.Array, n: int) -> jax.Array:
    """Matrices (n, n, n_lanes) from their entries (i, j), i ≠ j, in row-major order.

    The diagonal is 0.
    """
    lanes = entries.shape[-1]
    rows_of_entries = entries.reshape(n, n - 1, lanes)
    index = jnp.arange(n)
    below = index[:, None] > index[None]  # (i, j) is entry j of row i, ...
    above = index[:, None] < index[None]  # ... or entry j - 1 beyond the diagonal
    zero = jnp.zeros((n, 1, lanes), entries.dtype)
    unshifted = jnp.concatenate([rows_of_entries, zero], axis=1)
    shifted = jnp.concatenate([zero, rows_of_entries], axis=1)
    upper = jnp.where(above[..., None], shifted, 0.0)
    return jnp.where(below[..., None], unshifted, upper)


def in_lanes(function: Callable[..., Tree]) -> Callable[..., Tree]:
    """Adapt a function of lists in the last axis to lists in the first, in chunks.

    Parameters
    ----------
    function : callable
        (arrays of shape (..., n_lanes)) → arrays of shape (..., n_lanes). The first
        array is the matrices.

    Returns
    -------
    by_chunk : callable
        (arrays of shape (n_lists, ...)) → arrays of shape (n_lists, ...).
    """

    def by_chunk(*lists: jax.Array) -> Tree:
        n_lists = lists[0].shape[0]
        lanes = _n_lanes(lists[0].shape[1])
        if n_lists <= lanes:
            return _to_front(function(*(_to_lanes(x) for x in lists)))
        n_chunks = -(-n_lists // lanes)
        n_padding = n_chunks * lanes - n_lists
        chunks = tuple(  # (n_chunks, lanes, ...)
            jnp.pad(x, ((0, n_padding), *((0, 0),) * (x.ndim - 1))).reshape(
                n_chunks, lanes, *x.shape[1:]
            )
            for x in lists
        )
        results: Tree = jax.lax.map(
            lambda chunk: _to_front(function(*(_to_lanes(x) for x in chunk))), chunks
        )
        flattened: Tree = jax.tree.map(
            lambda x: x.reshape(n_chunks * lanes, *x.shape[2:])[:n_lists], results
        )
        return flattened

    return by_chunk


def _n_lanes(n: int) -> int:
    """How many lists of n items share a chunk: a power of two."""
    numbers_per_list = n << (n - 1)  # rows (set, member): n · 2^(n - 1)
    on_cpu = jax.default_backend() == "cpu"
    lanes = (_CPU_NUMBERS if on_cpu else _ACCELERATOR_NUMBERS) // numbers_per_list
    return 1 << (max(_MIN_LANES, min(_MAX_LANES, lanes)).bit_length() - 1)


def _to_lanes(x: jax.Array) -> jax.Array:
    return jnp.moveaxis(x, 0, -1)


def _to_front(tree: Tree) -> Tree:
    moved: Tree = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), tree)
    return moved
