"""Multilayer perceptron on the features of each item."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from ltr.scorers.base import Array, Dense, Params, Scorer, init_dense, relu


@dataclass(frozen=True)
class MLPScorer(Scorer):
    """Dense layers with rectifiers, then a linear output.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Width of each hidden layer.

    Examples
    --------
    >>> import jax, numpy as np
    >>> scorer = MLPScorer((8,))
    >>> params = scorer.init(jax.random.key(0), 3)
    >>> scorer.apply(params, np.zeros((5, 4, 3))).shape
    (5, 4)
    """

    hidden_layer_sizes: tuple[int, ...] = (128, 64)

    def init(self, key: jax.Array, n_features: int) -> Params:
        """Draw one :class:`Dense` per layer."""
        return init_layers(key, (n_features, *self.hidden_layer_sizes, 1))

    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
    ) -> Array:
        """Score items, see :meth:`Scorer.apply`."""
        # One matrix product over all rows: a batched one is 1.5 times slower on a CPU.
        h = X.reshape(-1, X.shape[-1])
        h = apply_hidden(params[:-1], h)
        return params[-1](h).reshape(X.shape[:-1])


def init_layers(key: jax.Array, widths: tuple[int, ...]) -> tuple[Dense, ...]:
    """Draw the layers between consecutive widths; the last one is linear."""
    keys = jax.random.split(key, len(widths) - 1)
    last = len(widths) - 2
    return tuple(
        init_dense(keys[i], widths[i], widths[i + 1], 1.0 if i == last else 2.0)
        for i in range(len(widths) - 1)
    )


def apply_hidden(layers: tuple[Dense, ...], h: Array) -> Array:
    """Apply layers with a rectifier after each, (..., n_in) to (..., n_out)."""
    for layer in layers:
        h = relu(layer(h))
    return h
