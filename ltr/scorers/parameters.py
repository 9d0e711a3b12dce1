"""Parameters of scorers as trees of arrays, without JAX: leaves, shapes, copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def outline(*shape: int) -> NDArray[np.float32]:
    """An array of zeros that needs no memory: the shape of a parameter.

    Parameters
    ----------
    *shape : int
        Its axes.

    Returns
    -------
    zeros : read-only float32 array

    Raises
    ------
    ValueError
        If no array can be as large.

    Examples
    --------
    >>> outline(2, 3).shape
    (2, 3)
    """
    return np.broadcast_to(np.zeros((), np.float32), shape)


def leaves(params: Any) -> list[Any]:
    """Arrays of a tree, in the order of ``jax.tree.leaves``.

    Parameters
    ----------
    params : pytree of arrays
        Mappings, tuples, named tuples and lists; None has no leaf. Trees with other
        nodes, of a scorer of the user's own, go to JAX.

    Returns
    -------
    leaves : list of array

    Examples
    --------
    >>> leaves({"b": (1.0, None), "a": 2.0})
    [2.0, 1.0]
    """
    values: list[Any] = []
    map_leaves(values.append, params)
    return values


def map_leaves(function: Callable[[Any], Any], params: Any) -> Any:
    """Apply a function to each leaf of a tree, see :func:`leaves`.

    Parameters
    ----------
    function : callable
        Leaf → leaf.
    params : pytree of arrays
        The tree.

    Returns
    -------
    params : pytree
        Of the same structure.
    """
    if params is None:
        return None
    kind = type(params)
    if kind is dict:
        values = {key: map_leaves(function, params[key]) for key in sorted(params)}
        return {key: values[key] for key in params}
    if kind in (tuple, list):
        return kind(map_leaves(function, child) for child in params)
    if isinstance(params, tuple) and hasattr(params, "_fields"):
        return kind(*(map_leaves(function, child) for child in params))
    if isinstance(params, (int, float, complex, np.generic)) or hasattr(
        params, "shape"
    ):
        return function(params)
    import jax  # knows the nodes that other libraries have registered

    return jax.tree.map(function, params)


def with_leaves(template: Any, values: list[Any]) -> Any:
    """A tree with other leaves.

    Parameters
    ----------
    template : pytree
        Its structure.
    values : list of array
        As many as it has leaves, in the order of :func:`leaves`.

    Returns
    -------
    params : pytree

    Examples
    --------
    >>> with_leaves({"b": 0.0, "a": 0.0}, [1.0, 2.0])
    {'b': 2.0, 'a': 1.0}
    """
    rest: Iterator[Any] = iter(values)
    return map_leaves(lambda _: next(rest), template)


def greatest_width(params: Any) -> int:
    """Greatest width of a layer, or number of features, among these parameters."""
    return max((max(leaf.shape, default=1) for leaf in leaves(params)), default=1)
