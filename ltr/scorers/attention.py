"""Self-attention over the list: the score of an item depends on its competitors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from ltr.scorers.base import (
    OUTPUT_SCALE,
    Array,
    Dense,
    Params,
    Scorer,
    Similarity,
    init_dense,
    outline_dense,
)
from ltr.scorers.draws import constant, split
from ltr.scorers.mlp import apply_hidden, init_layers, outline_layers
from ltr.scorers.parameters import outline
from ltr.scorers.products import product

if TYPE_CHECKING:
    import jax

_NEVER = -1e30
# More logits than this (128 MB in float32) are computed in blocks of items.
_MAX_LOGITS, _BLOCK_LOGITS = 2**25, 2**23


class Norm(NamedTuple):
    """Scale and shift after layer normalization, both of shape (width,)."""

    scale: Array
    shift: Array

    def __call__(self, h: Array) -> Array:
        """Normalize the last axis."""
        rows = h.reshape(-1, h.shape[-1])
        centered = rows - rows.mean(axis=-1, keepdims=True)
        variance = (centered * centered).mean(axis=-1, keepdims=True)
        rows = centered / (variance + 1e-6) ** 0.5
        return (rows * self.scale[None, :] + self.shift[None, :]).reshape(h.shape)


class Block(NamedTuple):
    """One transformer block, normalization first; it starts near the identity."""

    attention_norm: Norm
    query_key_value: Dense
    output: Dense
    hidden_norm: Norm
    hidden: Dense
    hidden_output: Dense


@dataclass(frozen=True)
class AttentionScorer(Scorer):
    """MLP per item, then self-attention blocks over the list, then a linear output.

    There are no positional encodings, so permuting the items of a list permutes their
    scores, and nothing else. Memory is linear in the length of a list, time quadratic.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Layers of the encoder; the last one is the width of the attention.
    n_blocks : int, default=1
        Number of blocks.
    n_heads : int, default=4
        Heads of each block; must divide the width.
    dropout : float, default=0.0
        Share of the hidden units, of the encoder and of the blocks, that a step of
        training leaves out, in [0, 1).

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", NIPS 2017, eq. (1); for ranking
       Pobrotyn et al., "Context-aware learning to rank with self-attention", 2020.

    Examples
    --------
    >>> import jax, numpy as np
    >>> scorer = AttentionScorer((8,), n_heads=2)
    >>> params = scorer.init(jax.random.key(0), 3)
    >>> scorer.apply(params, np.zeros((5, 4, 3))).shape
    (5, 4)
    """

    hidden_layer_sizes: tuple[int, ...] = (128, 64)
    n_blocks: int = 1
    n_heads: int = 4
    dropout: float = 0.0
    uses_list: ClassVar[bool] = True

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
        """Draw encoder, blocks and output layer."""
        width = self._width()
        encoder_key, block_key, output_key = split(key, 3)
        return {
            "encoder": init_layers(encoder_key, (n_features, *self.hidden_layer_sizes)),
            "blocks": tuple(
                _init_block(k, width) for k in split(block_key, self.n_blocks)
            ),
            "output": init_dense(output_key, width, 1, scale=OUTPUT_SCALE),
        }

    def outline(self, n_features: int) -> Params:
        """Shapes of the parameters, see :meth:`Scorer.outline`."""
        width = self._width()
        norm = Norm(outline(width), outline(width))
        block = Block(
            attention_norm=norm,
            query_key_value=outline_dense(width, 3 * width),
            output=outline_dense(width, width),
            hidden_norm=norm,
            hidden=outline_dense(width, 2 * width),
            hidden_output=outline_dense(2 * width, width),
        )
        return {
            "encoder": outline_layers((n_features, *self.hidden_layer_sizes)),
            "blocks": (block,) * self.n_blocks,
            "output": outline_dense(width, 1),
        }

    def _width(self) -> int:
        """Width of the attention."""
        width = self.hidden_layer_sizes[-1] if self.hidden_layer_sizes else 0
        if width == 0 or width % self.n_heads:
            raise ValueError(
                f"the last of hidden_layer_sizes must be a multiple of n_heads; got "
                f"hidden_layer_sizes={self.hidden_layer_sizes} and "
                f"n_heads={self.n_heads}."
            )
        return width

    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> Array:
        """Score items, see :meth:`Scorer.apply`; ``weights`` enter as log w."""
        embeddings = self.embed(params, X, where, weights, key=key)
        return params["output"](embeddings)[..., 0]

    def embed(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> Array:
        """Do all of :meth:`apply` but the output layer.

        Parameters
        ----------
        params : pytree
            From :meth:`init`; ``"output"`` is not read.
        X : array of shape (..., list_size, n_features)
            Features, NumPy or JAX.
        where : bool array of shape (..., list_size), default=None
            True for real items.
        weights : array of shape (..., list_size), default=None
            Item weights in training.
        key : PRNG key, default=None
            Source of the units that are left out. None: none is.

        Returns
        -------
        embeddings : array of shape (..., list_size, width)
        """
        h = apply_hidden(params["encoder"], X, self.dropout, key)
        bias = _key_bias(X, where, weights)
        for i, block in enumerate(params["blocks"]):
            block_key = None
            if key is not None:
                import jax

                # apply_hidden has folded 0, 1, … in for the layers of the encoder
                block_key = jax.random.fold_in(key, 2**16 + i)
            h = self._apply_block(block, h, bias, block_key)
        return h

    def _apply_block(
        self, block: Block, h: Array, bias: Array | None, unit_key: jax.Array | None
    ) -> Array:
        # softmax(Q Kᵀ / √d + bias) V, then the feed-forward layer, each on top of h.
        xp = h.__array_namespace__()
        heads = (*h.shape[:-1], 3, self.n_heads, h.shape[-1] // self.n_heads)
        qkv = block.query_key_value(block.attention_norm(h)).reshape(heads)
        qkv = xp.moveaxis(qkv, (-3, -2), (0, -3))  # (3, ..., head, item, width)
        query, key, value = qkv[0] * (1.0 / heads[-1] ** 0.5), qkv[1], qkv[2]
        context = attend(query, key, value, bias)  # (..., head, item, width)
        context = xp.moveaxis(context, -3, -2).reshape(h.shape)
        h = h + block.output(context)
        normalized = block.hidden_norm(h)
        hidden = apply_hidden((block.hidden,), normalized, self.dropout, unit_key)
        return h + block.hidden_output(hidden)


def attend(query: Array, key: Array, value: Array, bias: Array | None) -> Array:
    """Weight values by attention, in memory that is linear in the number of items.

    An item attends to all items of its list, but its softmax does not depend on that of
    another item, so a long list is processed in blocks of items. Their logits are
    computed again in the backward pass instead of being kept (Rabe & Staats,
    "Self-attention does not need O(n²) memory", 2021).

    Parameters
    ----------
    query, key, value : array of shape (..., n_items, width)
        NumPy or JAX; the query is divided by √width already.
    bias : array of shape (..., 1, n_items) or None
        Term added to the logits of each key.

    Returns
    -------
    context : array of shape (..., n_items, width)
    """
    n_items = query.shape[-2]
    n_logits = math.prod(query.shape[:-1]) * n_items
    if n_logits <= _MAX_LOGITS:
        return _attend(query, key, value, bias)
    size = max(1, _BLOCK_LOGITS * n_items // n_logits)  # items in a block
    xp = query.__array_namespace__()
    if isinstance(query, np.ndarray):
        starts = range(0, n_items, size)
        blocks = [query[..., start : start + size, :] for start in starts]
        contexts = [_attend(block, key, value, bias) for block in blocks]
        return xp.concatenate(contexts, axis=-2)
    import jax

    n_blocks = -(-n_items // size)
    padding = [(0, 0)] * (query.ndim - 2) + [(0, n_blocks * size - n_items), (0, 0)]
    query = xp.pad(query, padding)
    query = query.reshape(*query.shape[:-2], n_blocks, size, query.shape[-1])
    context = jax.lax.map(
        jax.checkpoint(lambda block: _attend(block, key, value, bias)),
        xp.moveaxis(query, -3, 0),
    )  # (n_blocks, ..., size, width)
    context = xp.moveaxis(context, 0, -3)
    context = context.reshape(*context.shape[:-3], n_blocks * size, context.shape[-1])
    return context[..., :n_items, :]


def _attend(query: Array, key: Array, value: Array, bias: Array | None) -> Array:
    """softmax(Q Kᵀ + bias) V."""
    xp = query.__array_namespace__()
    logits = product(query, xp.swapaxes(key, -1, -2))  # (..., item, item)
    if bias is not None:
        logits = logits + bias
    attention = xp.exp(logits - logits.max(axis=-1, keepdims=True))
    return product(attention, value) / attention.sum(axis=-1, keepdims=True)


def _init_block(key: jax.Array, width: int) -> Block:
    keys = split(key, 4)
    norm = Norm(constant(width, 1.0), constant(width))
    return Block(
        attention_norm=norm,
        query_key_value=init_dense(keys[0], width, 3 * width, scale=1.0),
        output=init_dense(keys[1], width, width, scale=OUTPUT_SCALE),
        hidden_norm=norm,
        hidden=init_dense(keys[2], width, 2 * width),
        hidden_output=init_dense(keys[3], 2 * width, width, scale=OUTPUT_SCALE),
    )


def _key_bias(X: Any, where: Array | None, weights: Array | None) -> Array | None:
    """Term added to the logits of each key, shape (..., 1, 1, list_size).

    log w makes an item of weight w attract as much attention as w copies of it.
    """
    if where is None and weights is None:
        return None
    xp = X.__array_namespace__()
    bias = xp.zeros(X.shape[:-1], X.dtype)
    if weights is not None:
        bias = bias + xp.log(xp.where(weights > 0, weights, 1.0))
        bias = xp.where(weights > 0, bias, _NEVER)
    if where is not None:
        bias = xp.where(where, bias, _NEVER)
    return bias[..., None, None, :]
