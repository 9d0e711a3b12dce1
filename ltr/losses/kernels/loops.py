"""Loops over the items of a list, in place of n × n matrices.

A kernel that adds up terms of all pairs takes one pass: step j compares item j, shape
(..., 1), with all items at once, shape (..., n), and adds to a running total. That is
O(n) memory, and on a CPU it is faster than the matrix, which leaves the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

State = TypeVar("State")
Terms = TypeVar("Terms")
_UNROLL = 4
# Items of the lists that are computed together, which the first cache holds; and the
# size of lists up to which sorting them takes more time than it saves.
_ITEMS, _SHORT = 512, 32


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


def over_items(
    add: Callable[[jax.Array, State], State],
    start: State,
    n_items: jax.Array | None = None,
    *,
    unroll: int = _UNROLL,
) -> State:
    """Call ``state = add(i, state)`` for every item.

    Parameters
    ----------
    add : callable
        Index of an item, and state → state.
    start : pytree of arrays of shape (..., list_size)
        The state before.
    n_items : int array of shape (), default=None
        Items that count; those behind them may be left out. None: all.
    unroll : int, default=4
        Items of one step of the loop: more are faster, and take longer to compile.

    Returns
    -------
    state : pytree of arrays
        Shaped as ``start``.
    """
    n = jax.tree.leaves(start)[0].shape[-1]
    if n_items is None or n <= unroll:
        state: State = jax.lax.fori_loop(0, n, add, start, unroll=unroll)
        return state

    def add_some(first: Any, n_some: int, state: State) -> State:
        for i in range(n_some):
            state = add(first + i, state)
        return state

    # a condition in a loop of a fixed length has a gradient in reverse mode
    def add_block(block: jax.Array, state: State) -> State:
        first = unroll * block
        add_all = partial(add_some, first, unroll)
        added: State = jax.lax.cond(first < n_items, add_all, lambda same: same, state)
        return added

    state = jax.lax.fori_loop(0, n // unroll, add_block, start)
    return add_some(n - n % unroll, n % unroll, state)


def over_lists(
    function: Callable[[Terms, jax.Array | None], State],
    terms: Terms,
    where: jax.Array | None,
) -> State:
    """Call a function of lists; on a CPU, with lists of about the same size at a time.

    Parameters
    ----------
    function : callable
        ``terms`` of some lists, and the number of places that hold their items, or None
        if all may → pytree of arrays of shape (...) or (..., list_size).
    terms : pytree of arrays
        Of shape (..., list_size), or numbers of shape ().
    where : bool array of shape (..., list_size), or None
        False for padding. None: there is none.

    Returns
    -------
    values : pytree of arrays
        What ``function`` makes of all lists.
    """
    one_cpu = jax.default_backend() == "cpu" and jax.local_device_count() == 1
    if where is None or where.shape[-1] <= _SHORT or not one_cpu:
        return function(terms, None)
    *outer, n = where.shape
    n_lists, n_together = math.prod(outer), max(1, _ITEMS // n)
    n_places = jnp.max(jnp.where(where, jnp.arange(1, n + 1), 0), axis=-1)
    if n_lists <= n_together:
        return function(terms, n_places.max(initial=0))
    n_places = n_places.reshape(n_lists)
    order = jnp.argsort(-n_places)
    place = inverse(order)
    order = jnp.pad(order, (0, -n_lists % n_together), mode="edge")

    def of_some(lists: jax.Array) -> State:
        def take(values: Any) -> Any:
            if jnp.ndim(values) == 0:
                return values
            return jnp.broadcast_to(values, where.shape).reshape(n_lists, n)[lists]

        return function(jax.tree.map(take, terms), n_places[lists[0]])

    parts = jax.lax.map(of_some, order.reshape(-1, n_together))

    def put_back(values: jax.Array) -> jax.Array:
        values = values.reshape(order.size, *values.shape[2:])[place]
        return values.reshape(*outer, *values.shape[1:])

    values: State = jax.tree.map(put_back, parts)
    return values


def inverse(order: jax.Array) -> jax.Array:
    """Place of each item in an order: its inverse permutation.

    Written place by place, which takes a tenth of the time of sorting the order.

    Parameters
    ----------
    order : int array of shape (..., list_size)
        Items by place.

    Returns
    -------
    place : int array of shape (..., list_size)
    """
    place = jax.lax.broadcasted_iota(order.dtype, order.shape, order.ndim - 1)
    empty = jnp.zeros_like(order)
    inverted: jax.Array = jnp.put_along_axis(
        empty, order, place, axis=-1, inplace=False, mode="promise_in_bounds"
    )
    return inverted


def positions(like: jax.Array) -> jax.Array:
    """Number the places of a list 0, 1, …, in the shape and dtype of ``like``."""
    return jax.lax.broadcasted_iota(like.dtype, like.shape, like.ndim - 1)
