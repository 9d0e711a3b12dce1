"""Loops over the items of a list, which take the place of n × n matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax

State = TypeVar("State")
_UNROLL = 4


def item(values: jax.Array, i: jax.Array) -> jax.Array:
    """Return the values of item ``i`` of every list, shape (..., 1)."""
    return jax.lax.dynamic_slice_in_dim(values, i, 1, axis=-1)


def over_items(add: Callable[[jax.Array, State], State], start: State) -> State:
    """Call ``state = add(i, state)`` for every item; arrays are (..., list_size)."""
    n = jax.tree.leaves(start)[0].shape[-1]
    state: State = jax.lax.fori_loop(0, n, add, start, unroll=_UNROLL)
    return state


def positions(like: jax.Array) -> jax.Array:
    """0, 1, … along the list, to tell an item from another; shape and dtype of like."""
    return jax.lax.broadcasted_iota(like.dtype, like.shape, like.ndim - 1)
