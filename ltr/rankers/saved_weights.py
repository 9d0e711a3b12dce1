"""Weights of saved scorers: arrays in the structure and of the shapes of the scorer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ltr.scorers import Scorer
from ltr.scorers.mlp import layer_sizes
from ltr.scorers.parameters import leaves, with_leaves

_UNUSED_LAYERS = 100  # that a scorer without hidden layers may ignore


class SavedWeights(NamedTuple):
    """Parameters of a scorer, and what training goes on from.

    Attributes
    ----------
    params : pytree of arrays
        Parameters to predict with.
    last_params : pytree of arrays or None
        Parameters to train on from.
    optimizer_leaves : list of array or None
        State of the optimizer.
    """

    params: Any
    last_params: Any
    optimizer_leaves: list[Any] | None


def check_weights(
    scorer: Scorer, arrays: dict[str, NDArray[Any]], n_features: int, dtype: str
) -> SavedWeights:
    """Take the weights out of the saved arrays, in the structure of the scorer.

    Parameters
    ----------
    scorer : Scorer
        What they belong to.
    arrays : dict of str to array
        ``params_0``, ``params_1``, …, and likewise ``last_`` and ``optimizer_``, which
        are removed.
    n_features : int
        Number of features.
    dtype : {"float32", "float64"}
        Their type.

    Returns
    -------
    weights : SavedWeights

    Raises
    ------
    ValueError
        If an array is missing, or of another shape or type.
    """
    params, last = _numbered("params", arrays), _numbered("last", arrays)
    optimizer = _numbered("optimizer", arrays)
    template = scorer.outline(n_features)
    expected = [(leaf.shape, dtype) for leaf in leaves(template)]
    for values in (params, last or params):
        shapes = [(array.shape, str(array.dtype)) for array in values]
        if shapes != expected:
            raise ValueError(
                f"the saved weights must be {expected} for {scorer!r} and "
                f"dtype={dtype!r}; got {shapes}."
            )
    return SavedWeights(
        with_leaves(template, params),
        with_leaves(template, last) if last else None,
        optimizer or None,
    )


def check_layers(name: str, sizes: Any, arrays: Mapping[str, Any]) -> None:
    """Raise if there are many more layers than arrays of weights.

    Parameters
    ----------
    name : str
        ``hidden_layer_sizes`` or ``pair_hidden_layer_sizes``.
    sizes : int or tuple of int
        Their widths.
    arrays : mapping of str to array
        With ``params_0``, ``params_1``, ….

    Raises
    ------
    ValueError
        If they cannot belong to these arrays.
    """
    widths = layer_sizes(sizes, name)
    n_arrays = sum(key.startswith("params_") for key in arrays)
    if len(widths) > n_arrays + _UNUSED_LAYERS or max(widths, default=0) >= 2**31:
        raise ValueError(
            f"{name} must fit {n_arrays} arrays of weights; got {sizes!r:.100}."
        )


def _numbered(name: str, arrays: dict[str, Any]) -> list[Any]:
    """Take the arrays ``<name>_0``, ``<name>_1``, … out of a dictionary."""
    values: list[Any] = []
    while f"{name}_{len(values)}" in arrays:
        values.append(arrays.pop(f"{name}_{len(values)}"))
    return values
