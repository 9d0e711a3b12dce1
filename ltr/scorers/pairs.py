"""Bilinear scores of pairs: the gain of placing item j directly after item i."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, get_args

from ltr.arguments import check_choice, check_whole
from ltr.scorers.attention import AttentionScorer
from ltr.scorers.base import OUTPUT_SCALE, Array, Params, Scorer, init_dense
from ltr.scorers.draws import constant, normal, split, uniform
from ltr.scorers.mlp import apply_hidden, init_layers, layer_sizes, outline_layers
from ltr.scorers.parameters import outline
from ltr.scorers.products import product

if TYPE_CHECKING:
    import jax

Encoder = Literal["identity", "mlp", "attention"]
_PAIR_SCALE = 0.1
# A step of Adam moves each weight by the learning rate, whatever the gradient; features
# of pairs, such as distances, are worth several units of log-odds per deviation.
_PAIR_GAIN = 10.0


class PairScores(NamedTuple):
    """Scores of the pairs of a list, from a :class:`PairScorer`.

    Attributes
    ----------
    matrix : array of shape (..., list_size, list_size)
        Gain of placing item j directly after item i. The diagonal is not read.
    start : array of shape (..., list_size) or None
        Gain of placing an item first. None: there are none.
    end : array of shape (..., list_size) or None
        Gain of placing an item last.
    """

    matrix: Array
    start: Array
    end: Array


@dataclass(frozen=True)
class EncodedPairs(Scorer):
    """Abstract: an encoder per item, whose embeddings a subclass combines in pairs.

    The parameters are those of :class:`PairScorer`.
    """

    encoder: Encoder = "mlp"
    hidden_layer_sizes: tuple[int, ...] = (128, 64)
    low_rank: int | None = None
    skew: bool = False
    uses_list: ClassVar[bool] = True

    def _init_encoder(self, key: jax.Array, n_features: int) -> tuple[Params, int]:
        """Parameters of the encoder, and the width of its embeddings."""
        if self.encoder == "identity":
            return (), n_features
        check_choice("encoder", self.encoder, get_args(Encoder))
        widths = (n_features, *self.hidden_layer_sizes)
        if self.encoder == "mlp":
            return init_layers(key, widths), widths[-1]
        params = self._attention.init(key, n_features)
        return {name: params[name] for name in ("encoder", "blocks")}, widths[-1]

    def _outline_encoder(self, n_features: int) -> tuple[Params, int]:
        """Shapes of the encoder's parameters, and the width of its embeddings."""
        if self.encoder == "identity":
            return (), n_features
        check_choice("encoder", self.encoder, get_args(Encoder))
        widths = (n_features, *self.hidden_layer_sizes)
        if self.encoder == "mlp":
            return outline_layers(widths), widths[-1]
        params = self._attention.outline(n_features)
        return {name: params[name] for name in ("encoder", "blocks")}, widths[-1]

    def _embed(
        self, params: Params, X: Array, where: Array | None, weights: Array | None
    ) -> Array:
        if self.encoder == "mlp":
            return apply_hidden(params, X)
        if self.encoder == "attention":
            return self._attention.embed(params, X, where, weights)
        return X

    @property
    def _attention(self) -> AttentionScorer:
        return AttentionScorer(self.hidden_layer_sizes)


@dataclass(frozen=True)
class PairScorer(EncodedPairs):
    """Encoder per item, then one bilinear form for all pairs of a list.

    ``matrix[i, j] = e_i · W e_j / sqrt(d) + f · e_i − f · e_j``, with start scores
    ``u · e_i`` and end scores ``v · e_i``; e is the embedding of an item. W is shared
    by all pairs whatever the order of the rows, so permuting the items of a list
    permutes rows and columns of the matrix, and nothing else.

    Features φ of the pairs add ``10 (w · φ_ij + g(φ_ij) − g(0))``, with a perceptron g:
    so features that are all 0 change nothing.

    Parameters
    ----------
    encoder : {"identity", "mlp", "attention"}, default="mlp"
        How features become embeddings: unchanged, by a multilayer perceptron per item,
        or by one followed by self-attention over the list.
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Layers of the encoder; the last is the width d of the embeddings.
    low_rank : int, default=None
        W = U Vᵀ, U and V with this many columns, for wide embeddings. None: W is
        free.
    skew : bool, default=False
        Use W − Wᵀ for W, so that ``matrix[i, j] = -matrix[j, i]``: a preference, for
        linear ordering. Features of pairs enter as φ_ij minus φ_ji then.
    n_pair_features : int, default=0
        Features of each pair.
    pair_hidden_layer_sizes : tuple of int, default=()
        Layers of g. Empty: there is no g.

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

    n_pair_features: int = 0
    pair_hidden_layer_sizes: tuple[int, ...] = ()

    def init(self, key: jax.Array, n_features: int) -> Params:
        """Draw encoder, bilinear form, and the scores of single items."""
        import jax

        encoder_key, left_key, right_key, single_key = split(key, 4)
        encoder, width = self._init_encoder(encoder_key, n_features)
        rank = width if self.low_rank is None else self.low_rank
        deviation = _PAIR_SCALE / rank**0.5
        pair = {"left": normal(left_key, (width, rank), deviation)}
        if self.low_rank is not None:
            pair["right"] = normal(right_key, (width, rank), width**-0.5)
        item_weights = normal(single_key, (width, 3), (OUTPUT_SCALE / width) ** 0.5)
        params = {"encoder": encoder, **pair, "single": item_weights}
        if self.n_pair_features:  # the other draws are the same without them
            params["pairs"] = self._init_pair_form(jax.random.fold_in(key, 1))
        return params

    def outline(self, n_features: int) -> Params:
        """Shapes of the parameters, see :meth:`Scorer.outline`."""
        encoder, width = self._outline_encoder(n_features)
        rank = width if self.low_rank is None else self.low_rank
        params = {"encoder": encoder, "left": outline(width, rank)}
        if self.low_rank is not None:
            params["right"] = outline(width, rank)
        params["single"] = outline(width, 3)
        if self.n_pair_features:
            widths = (self.n_pair_features, *self.pair_hidden_layer_sizes)
            pairs: Params = {"weights": outline(widths[0], 1)}
            params["pairs"] = pairs
            if self.pair_hidden_layer_sizes:
                pairs["hidden"] = outline_layers(widths)
                pairs["output"] = outline(widths[-1], 1)
        return params

    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
        pair_features: Array | None = None,
    ) -> PairScores:
        """Score the pairs of lists.

        Parameters
        ----------
        params : pytree
            From :meth:`init`, or its NumPy copy.
        X : array of shape (..., list_size, n_features)
            Features of the items.
        where : bool array of shape (..., list_size), default=None
            True for real items. None: all.
        weights : array of shape (..., list_size), default=None
            Item weights; they enter the attention only.
        pair_features : array of shape (..., list_size, list_size, n_pair_features)
            Features of the pairs, their diagonal unread. None: there are none.

        Returns
        -------
        pairs : PairScores
        """
        h = self._embed(params["encoder"], X, where, weights)  # (..., n, d)
        xp = h.__array_namespace__()
        right = h if self.low_rank is None else _times(h, params["right"])
        # e_i · W e_j with W = left, or left rightᵀ: (..., n, n)
        matrix = product(_times(h, params["left"]), xp.swapaxes(right, -1, -2))
        matrix = matrix / h.shape[-1] ** 0.5
        if self.n_pair_features:
            matrix = matrix + _apply_pair_form(params["pairs"], pair_features)
        if self.skew:
            matrix = matrix - xp.swapaxes(matrix, -1, -2)
        item_scores = _times(h, params["single"])  # (..., n, 3): f, u and v
        f = item_scores[..., 0]
        matrix = matrix + f[..., :, None] - f[..., None, :]
        return PairScores(matrix, item_scores[..., 1], item_scores[..., 2])

    def _init_pair_form(self, key: jax.Array) -> Params:
        """The weights w, from 0, and the layers of g."""
        hidden_key, output_key = split(key)
        params: Params = {"weights": constant((self.n_pair_features, 1))}
        if self.pair_hidden_layer_sizes:
            widths = (self.n_pair_features, *self.pair_hidden_layer_sizes)
            params["hidden"] = init_layers(hidden_key, widths)
            output = init_dense(output_key, widths[-1], 1, scale=OUTPUT_SCALE)
            params["output"] = output.weight  # a bias would cancel in g(φ) − g(0)
        return params


@dataclass(frozen=True)
class PairEnsemble(Scorer):
    """Mean of the pair scores of equal scorers with parameters of their own.

    The mean of the gains of a path is the logarithm of the geometric mean of the
    members' probabilities of it, up to a constant. Dividing the exp(gains) of each row
    and its end by their sum first would subtract a constant from every path, since each
    has one arc or end per row: it changes nothing.

    Parameters
    ----------
    member : PairScorer or PublishedPairScorer
        Scorer of each member.
    n_members : int
        Number of members.

    Examples
    --------
    >>> import jax, numpy as np
    >>> scorer = PairEnsemble(PairScorer(hidden_layer_sizes=(8,)), 3)
    >>> params = scorer.init(jax.random.key(0), 3)
    >>> len(params), scorer.apply(params, np.zeros((5, 4, 3))).matrix.shape
    (3, (5, 4, 4))
    """

    member: PairScorer | PublishedPairScorer
    n_members: int
    uses_list: ClassVar[bool] = True

    def init(self, key: jax.Array, n_features: int) -> Params:
        """Draw the parameters of each member."""
        keys = split(key, self.n_members)
        return tuple(self.member.init(k, n_features) for k in keys)

    def outline(self, n_features: int) -> Params:
        """Shapes of the parameters, see :meth:`Scorer.outline`."""
        return (self.member.outline(n_features),) * self.n_members

    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
        **of_pairs: Array,
    ) -> PairScores:
        """Score the pairs of lists, as the members do."""
        members = [
            self.member.apply(own, X, where, weights, **of_pairs) for own in params
        ]
        return PairScores(
            *(
                None if parts[0] is None else sum(parts[1:], parts[0]) / len(parts)
                for parts in zip(*members, strict=True)
            )
        )


@dataclass(frozen=True)
class PublishedPairScorer(EncodedPairs):
    """The pair scores of TSPRank as its authors published it, for comparison.

    Two bilinear forms with a bias each: one where i ≤ j by *row number*, the other
    below the diagonal, so the scores depend on the order of the rows. There are no
    start and end scores. ``low_rank`` and ``skew`` are not read.

    References
    ----------
    .. [1] Yin et al., "TSPRank", KDD 2025, after its code.

    Examples
    --------
    >>> import jax, numpy as np
    >>> scorer = PublishedPairScorer(hidden_layer_sizes=(8,))
    >>> params = scorer.init(jax.random.key(0), 3)
    >>> scorer.apply(params, np.zeros((5, 4, 3))).matrix.shape
    (5, 4, 4)
    """

    def init(self, key: jax.Array, n_features: int) -> Params:
        """Draw encoder and both forms, uniformly as Glorot & Bengio (2010) do."""
        encoder_key, form_key = split(key)
        encoder, width = self._init_encoder(encoder_key, n_features)
        bound = (6.0 / (width**2 + width)) ** 0.5
        forms = uniform(form_key, (2, width, width), bound)
        return {"encoder": encoder, "forms": forms, "bias": constant(2)}

    def outline(self, n_features: int) -> Params:
        """Shapes of the parameters, see :meth:`Scorer.outline`."""
        encoder, width = self._outline_encoder(n_features)
        return {
            "encoder": encoder,
            "forms": outline(2, width, width),
            "bias": outline(2),
        }

    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
    ) -> PairScores:
        """Score the pairs of lists; their diagonal counts in the published losses."""
        h = self._embed(params["encoder"], X, where, weights)
        xp = h.__array_namespace__()
        upper, lower = (
            product(_times(h, params["forms"][k]), xp.swapaxes(h, -1, -2))
            + params["bias"][k]
            for k in (0, 1)
        )
        matrix = xp.triu(upper) + xp.tril(lower, -1)
        return PairScores(matrix, None, None)


def get_pair_scorer(
    *,
    encoder: Encoder,
    hidden_layer_sizes: int | Sequence[int],
    low_rank: int | None,
    skew: bool,
    compat: str | None,
    n_pair_features: int,
    pair_hidden_layer_sizes: int | Sequence[int],
) -> PairScorer | PublishedPairScorer:
    """Make a pair scorer from the parameters of :class:`ltr.TSPRanker`.

    Parameters
    ----------
    encoder, hidden_layer_sizes, low_rank, skew, pair_hidden_layer_sizes
        Parameters of the ranker.
    compat : {"paper", None}
        ``"paper"``: the scorer as published.
    n_pair_features : int
        Number of features of a pair.

    Returns
    -------
    scorer : PairScorer or PublishedPairScorer

    Raises
    ------
    ValueError
        If a parameter is invalid.
    """
    if low_rank is not None:
        check_whole("low_rank", low_rank, low=1)
    check_choice("compat", compat, ("paper", None))
    widths = layer_sizes(hidden_layer_sizes)
    if compat == "paper":
        return PublishedPairScorer(encoder, widths, low_rank, skew)
    pair_widths = layer_sizes(pair_hidden_layer_sizes, "pair_hidden_layer_sizes")
    if not n_pair_features:
        return PairScorer(encoder, widths, low_rank, skew)
    return PairScorer(encoder, widths, low_rank, skew, n_pair_features, pair_widths)


def _apply_pair_form(params: Params, features: Array) -> Array:
    """The form 10 (w · φ + g(φ) − g(0)) of pairs, (..., n, n, k) to (..., n, n)."""
    scores = _times(features, params["weights"])[..., 0]
    if "hidden" not in params:
        return _PAIR_GAIN * scores
    xp = features.__array_namespace__()
    origin = apply_hidden(params["hidden"], xp.zeros_like(features[..., :1, :1, :]))
    h = apply_hidden(params["hidden"], features) - origin  # (..., n, n, width)
    return _PAIR_GAIN * (scores + _times(h, params["output"])[..., 0])


def _times(h: Array, matrix: Array) -> Array:
    """(..., n_in) times (n_in, n_out), as one product of all rows."""
    return product(h.reshape(-1, h.shape[-1]), matrix).reshape(*h.shape[:-1], -1)
