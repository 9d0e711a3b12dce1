"""The arrays of a fitted scorer by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.rankers.neural.scaling import FeatureScaling, Scaling


def named_weights(params: Any, scaling: Scaling | None) -> dict[str, NDArray[Any]]:
    """Arrays of a scorer and of what its features go through first.

    Parameters
    ----------
    params : pytree of arrays
        Dictionaries, tuples and named tuples of arrays.
    scaling : FeatureScaling, ListScaling or None
        Its arrays, if it has any, are named ``"preprocess.…"``.

    Returns
    -------
    weights : dict of str to array
        Copies, floats in double precision, by their path: ``"layers.0.weight"`` is the
        weight of the first layer, of shape (n_in, n_out).

    Examples
    --------
    >>> from ltr.scorers.base import Dense
    >>> layers = (Dense(np.ones((2, 1)), np.zeros(1)),)
    >>> list(named_weights(layers, None))
    ['layers.0.weight', 'layers.0.bias']
    """
    weights: dict[str, NDArray[Any]] = {}
    if isinstance(scaling, FeatureScaling):
        weights = {
            "preprocess.log_features": np.array(scaling.log_features, dtype=bool),
            "preprocess.mean": np.array(scaling.mean, dtype=np.float64),
            "preprocess.scale": np.array(scaling.scale, dtype=np.float64),
        }
    prefix = "layers" if type(params) is tuple else ""
    return weights | {
        name: np.array(leaf, dtype=np.float64) for name, leaf in _leaves(params, prefix)
    }


def _leaves(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Arrays of a nest of dictionaries and tuples, with their paths."""
    items: Mapping[Any, Any]
    if isinstance(tree, Mapping):
        items = tree
    elif hasattr(tree, "_fields"):
        items = tree._asdict()
    elif isinstance(tree, (tuple, list)):
        items = dict(enumerate(tree))
    else:
        yield path, tree
        return
    for key, child in items.items():
        yield from _leaves(child, f"{path}.{key}" if path else str(key))
