"""Bilinear scores of pairs: how well item j follows item i."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import jax

from ltr.scorers.attention import AttentionScorer
from ltr.scorers.base import OUTPUT_SCALE, Array, Params, Scorer
from ltr.scorers.mlp import apply_hidden, init_layers

Encoder = Literal["identity", "mlp", "attention"]
_PAIR_SCALE = 0.1


class PairScores(NamedTuple):
    """What a :class:`PairScorer` says about a list.

    Attributes
    ----------
    matrix : array of shape (..., list_size, list_size)
        Gain of placing item j directly after item i. The diagonal has no meaning.
    start : array of shape (..., list_size)
        Gain of placing an item first.
    end : array of shape (..., list_size)
        Gain of placing an item last.
    """

    matrix: Array
    start: Array
    end: Array


@dataclass(frozen=True)
class PairScorer(Scorer):
    """Encoder per item, then one bilinear form for all pairs of a list.

    ``matrix[i, j] = e_i · W e_j / sqrt(d) + f · e_i − f · e_j``, with start scores
    ``u · e_i`` and end scores ``v · e_i``; e is the embedding of an item. W is shared
    by all pairs whatever the order of the rows, so permuting the items of a list
    permutes rows and columns of the matrix, and nothing else.

    Parameters
    ----------
    encoder : {"identity", "mlp", "attention"}, default="mlp"
        What makes embeddings of features: nothing, a multilayer perceptron per item, or
        one followed by self-attention over the list.
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Layers of the encoder; the last is the width d of the embeddings.
    low_rank : int, default=None
        W = U Vᵀ with so many columns each, for wide embeddings. None: W is free.
    skew : bool, default=False
        Use W − Wᵀ for W, so that ``matrix[i, j] = -matrix[j, i]``: a preference, for
        linear ordering.

    References
    ----------
    .. [1] Yin et al., "TSPRank: bridging pairwise and listwise methods with a bilinear
       travelling salesman model", KDD 2025. There W is two matrices, chosen by row
       number, and there are no start and end scores.

    Examples
    --------
    >>> import jax, numpy as np
    >>> scorer = PairScorer(hidden_layer_sizes=(8,))
    >>> params = scorer.init(jax.random.key(0), 3)
    >>> pairs = scorer.apply(params, np.zeros((5, 4, 3)))
    >>> pairs.matrix.shape, pairs.start.shape
    ((5, 4, 4), (5, 4))
    """

    encoder: Encoder = "mlp"
    hidden_layer_sizes: tuple[int, ...] = (128, 64)
    low_rank: int | None = None
    skew: bool = False
    uses_list: ClassVar[bool] = True

    def init(self, key: jax.Array, n_features: int) -> Params:
        """Draw encoder, bilinear form, and the scores of single items."""
        if self.encoder not in get_args(Encoder):
            known = ", ".join(repr(name) for name in get_args(Encoder))
            raise ValueError(f"encoder must be one of {known}; got {self.encoder!r}.")
        encoder_key, left_key, right_key, single_key = jax.random.split(key, 4)
        width = n_features
        encoder: Any = ()
        if self.encoder == "mlp":
            widths = (n_features, *self.hidden_layer_sizes)
            encoder, width = init_layers(encoder_key, widths), widths[-1]
        elif self.encoder == "attention":
            encoder = self._attention.init(encoder_key, n_features)
            encoder.pop("output")
            width = self.hidden_layer_sizes[-1]
        rank = width if self.low_rank is None else self.low_rank
        deviation = _PAIR_SCALE / rank**0.5
        pair = {"left": deviation * jax.random.normal(left_key, (width, rank))}
        if self.low_rank is not None:
            pair["right"] = jax.random.normal(right_key, (width, rank)) / width**0.5
        single = (OUTPUT_SCALE / width) ** 0.5 * jax.random.normal(
            single_key, (width, 3)
        )
        return {"encoder": encoder, **pair, "single": single}

    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
    ) -> PairScores:
        """Score the pairs of lists; ``weights`` enter the attention only."""
        h = X
        if self.encoder == "mlp":
            h = apply_hidden(params["encoder"], X)
        elif self.encoder == "attention":
            h = self._attention.embed(params["encoder"], X, where, weights)
        xp = h.__array_namespace__()
        rows = h.reshape(-1, h.shape[-1])
        left = (rows @ params["left"]).reshape(*h.shape[:-1], -1)
        right = h
        if self.low_rank is not None:
            right = (rows @ params["right"]).reshape(*h.shape[:-1], -1)
        matrix = left @ xp.swapaxes(right, -1, -2) / h.shape[-1] ** 0.5
        if self.skew:
            matrix = matrix - xp.swapaxes(matrix, -1, -2)
        single = (rows @ params["single"]).reshape(*h.shape[:-1], 3)
        above = single[..., 0]
        matrix = matrix + above[..., :, None] - above[..., None, :]
        return PairScores(matrix, single[..., 1], single[..., 2])

    @property
    def _attention(self) -> AttentionScorer:
        return AttentionScorer(self.hidden_layer_sizes)
