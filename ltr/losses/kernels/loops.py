"""Loops over the items of a list, in place of n × n matrices.

A kernel that adds up terms of all pairs takes one pass: step j compares item j, shape
(..., 1), with all items at once, shape (..., n), and adds to a running total. That is
O(n) memory, and on a CPU it is faster than the matrix, which leaves the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

State = TypeVar("State")
Terms = TypeVar("Terms")
_UNROLL = 4


def item(terms: Terms, i: jax.Array) -> Terms:
    """Return the values of item ``i`` of every list.

    Parameters
    ----------
    terms : pytree of arrays
        Of shape (..., list_size), or numbers of shape (), which all items share.
    i : int array of shape ()
        Index of the item.

    Returns
    -------
    terms : pytree of arrays
        Of shape (..., 1), or ().
    """

    def take(values: Any) -> Any:
        if jnp.ndim(values) == 0:
            return values
        return jax.lax.dynamic_slice_in_dim(values, i, 1, axis=-1)

    taken: Terms = jax.tree.map(take, terms)
    return taken


def over_items(add: Callable[[jax.Array, State], State], start: State) -> State:
    """Call ``state = add(i, state)`` for every item; arrays are (..., list_size)."""
    n = jax.tree.leaves(start)[0].shape[-1]
    state: State = jax.lax.fori_loop(0, n, add, start, unroll=_UNROLL)
    return state


def positions(like: jax.Array) -> jax.Array:
    """Number the places of a list 0, 1, …, in the shape and dtype of ``like``."""
    return jax.lax.broadcasted_iota(like.dtype, like.shape, like.ndim - 1)
