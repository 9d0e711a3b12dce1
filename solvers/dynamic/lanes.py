"""Many lists side by side: the list is the last axis, so that it fills vector lanes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ltr.solvers.core.solution import IntArray

Lists = tuple[jax.Array, ...]

# Numbers that the tables of one chunk of lists may hold: on a CPU they stay in its
# caches, on an accelerator there must be work for all of it.
_CPU_NUMBERS, _ACCELERATOR_NUMBERS = 2**18, 2**26
_MIN_LANES, _MAX_LANES = 32, 2**16


def take(rows: jax.Array, index: Any) -> jax.Array:
    """Rows of an array by a table of indices that are all in range."""
    index = jnp.asarray(index, jnp.int32)  # whether or not 64 bits are enabled
    return rows.at[index].get(mode="promise_in_bounds")


def sum_rows(term: Callable[..., jax.Array], *tables: IntArray) -> jax.Array:
    """Sum over t of ``term(table[:, t], …)``, a few t at a time."""
    n_terms = tables[0].shape[1]
    together = min(n_terms, 16)
    steps = tuple(
        jnp.asarray(
            table.T.reshape(n_terms // together, together, -1 if table.size else 0),
            jnp.int32,
        )
        for table in tables
    )

    def add(total: jax.Array, index: Lists) -> tuple[jax.Array, None]:
        terms = (term(*(rows[t] for rows in index)) for t in range(together))
        return total + sum(terms), None

    first = term(*(table[:, 0] for table in tables))
    total, _ = jax.lax.scan(add, jnp.zeros_like(first), steps)
    return total


def map_rows(row: Callable[..., jax.Array], *tables: jax.Array) -> jax.Array:
    """``row`` of the rows of the tables, in blocks.

    Without the blocks XLA joins this with what made the tables, and on a CPU such a
    program is ten times slower.
    """
    n_rows = tables[0].shape[0]
    n_blocks = next(d for d in (32, 16, 8, 4, 2, 1) if n_rows % d == 0)
    blocks = (table.reshape(n_blocks, -1, *table.shape[1:]) for table in tables)
    mapped = jax.lax.map(lambda block: row(*block), tuple(blocks))
    return mapped.reshape(n_rows, *mapped.shape[2:])


def in_lanes(
    function: Callable[..., Any], numbers_per_list: Callable[[int], int]
) -> Callable[..., Any]:
    """Turn a function of lists in lanes into one of lists in front, chunk by chunk.

    Parameters
    ----------
    function : callable
        (arrays of shape (..., n_lanes)) → arrays of shape (..., n_lanes).
    numbers_per_list : callable
        Size of the first array's second axis → numbers that the tables of a list hold.

    Returns
    -------
    by_chunk : callable
        (arrays of shape (n_lists, ...)) → arrays of shape (n_lists, ...).
    """

    def by_chunk(*lists: jax.Array) -> Any:
        n_lists = lists[0].shape[0]
        lanes = _n_lanes(numbers_per_list(lists[0].shape[1]))
        if n_lists <= lanes:
            return _first(function(*(_last(x) for x in lists)))
        n_chunks = -(-n_lists // lanes)
        missing = n_chunks * lanes - n_lists
        chunks = tuple(
            jnp.pad(x, ((0, missing), *((0, 0),) * (x.ndim - 1))).reshape(
                n_chunks, lanes, *x.shape[1:]
            )
            for x in lists
        )
        results = jax.lax.map(
            lambda chunk: _first(function(*(_last(x) for x in chunk))), chunks
        )
        return jax.tree.map(
            lambda x: x.reshape(n_chunks * lanes, *x.shape[2:])[:n_lists], results
        )

    return by_chunk


def _n_lanes(numbers_per_list: int) -> int:
    on_cpu = jax.default_backend() == "cpu"
    lanes = (_CPU_NUMBERS if on_cpu else _ACCELERATOR_NUMBERS) // numbers_per_list
    return 1 << (max(_MIN_LANES, min(_MAX_LANES, lanes)).bit_length() - 1)


def _last(x: jax.Array) -> jax.Array:
    return jnp.moveaxis(x, 0, -1)


def _first(tree: Any) -> Any:
    return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), tree)
