"""Multilayer perceptron on the features of each item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Self

from ltr.arguments import check_whole
from ltr.scorers.base import (
    OUTPUT_SCALE,
    Array,
    Dense,
    Params,
    Scorer,
    Similarity,
    init_dense,
    outline_dense,
    relu,
)
from ltr.scorers.draws import split

if TYPE_CHECKING:
    import jax


@dataclass(frozen=True)
class MLPScorer(Scorer):
    """Dense layers with rectifiers, then a linear output.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Width of each hidden layer.
    dropout : float, default=0.0
        Share of the hidden units that a step of training leaves out, in [0, 1).

    Examples
    --------
    >>> import jax, numpy as np
    >>> scorer = MLPScorer((8,))
    >>> params = scorer.init(jax.random.key(0), 3)
    >>> scorer.apply(params, np.zeros((5, 4, 3))).shape
    (5, 4)
    """

    auto_decay: ClassVar[float] = 3.0
    takes_sparse: ClassVar[bool] = True

    hidden_layer_sizes: tuple[int, ...] = (128, 64)
    dropout: float = 0.0

    @classmethod
    def from_parameters(
        cls,
        *,
        hidden_layer_sizes: tuple[int, ...],
        n_query_features: int | None,
        similarity: Similarity,
    ) -> Self:
        """Make one with these hidden layers, see :meth:`Scorer.from_parameters`."""
        return cls(hidden_layer_sizes)

    def init(self, key: jax.Array, n_features: int) -> Params:
        """Draw one ``Dense`` per layer; the scores start near a tie."""
        hidden_key, output_key = split(key)
        widths = (n_features, *self.hidden_layer_sizes)
        output = init_dense(output_key, widths[-1], 1, scale=OUTPUT_SCALE)
        return (*init_layers(hidden_key, widths), output)

    def outline(self, n_features: int) -> Params:
        """Shapes of the parameters, see :meth:`Scorer.outline`."""
        widths = (n_features, *self.hidden_layer_sizes)
        return (*outline_layers(widths), outline_dense(widths[-1], 1))

    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> Array:
        """Score items, see :meth:`Scorer.apply`; with a key, units are left out."""
        h = apply_hidden(params[:-1], X, self.dropout, key)
        return params[-1](h)[..., 0]


def layer_sizes(
    hidden_layer_sizes: int | Sequence[int], name: str = "hidden_layer_sizes"
) -> tuple[int, ...]:
    """Widths of the hidden layers; an int is a single layer.

    ``name`` is the parameter, for messages.

    Raises
    ------
    ValueError
        If a width is not a whole number ≥ 1.

    Examples
    --------
    >>> layer_sizes(16)
    (16,)
    """
    if isinstance(hidden_layer_sizes, (str, Mapping)):
        check_whole(name, hidden_layer_sizes, low=1)
    widths: Iterable[int] = (
        hidden_layer_sizes
        if isinstance(hidden_layer_sizes, Iterable)
        else [hidden_layer_sizes]
    )
    return tuple(check_whole(name, width, low=1) for width in widths)


def init_layers(key: jax.Array, widths: tuple[int, ...]) -> tuple[Dense, ...]:
    """Draw the layers between consecutive widths, each before a rectifier."""
    keys = split(key, len(widths) - 1)
    pairs = zip(keys, widths[:-1], widths[1:], strict=True)
    return tuple(init_dense(k, n_in, n_out) for k, n_in, n_out in pairs)


def outline_layers(widths: tuple[int, ...]) -> tuple[Dense, ...]:
    """Shapes of the layers of :func:`init_layers`."""
    return tuple(outline_dense(*pair) for pair in pairwise(widths))


def apply_hidden(
    layers: tuple[Dense, ...],
    h: Array,
    dropout: float = 0.0,
    key: jax.Array | None = None,
) -> Array:
    """Apply layers with a rectifier after each, (..., n_in) to (..., n_out).

    With a key, each output is 0 with probability ``dropout``, and divided by the
    probability of the contrary if not, so that its mean is the same.
    """
    for i, layer in enumerate(layers):
        h = relu(layer(h))
        if key is not None:
            import jax
            import jax.numpy as jnp

            stays = jax.random.bernoulli(
                jax.random.fold_in(key, i), 1.0 - dropout, h.shape
            )
            h = jnp.where(stays, h / (1.0 - dropout), 0.0)
    return h
