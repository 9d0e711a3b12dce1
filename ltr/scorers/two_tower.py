"""Two towers for embeddings: similarity of a query and an item, learned from cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self, get_args

from ltr.arguments import check_choice
from ltr.scorers.base import Array, Params, Scorer, Similarity
from ltr.scorers.draws import constant, normal
from ltr.scorers.parameters import outline
from ltr.scorers.products import product

if TYPE_CHECKING:
    import jax

SIMILARITIES = get_args(Similarity)


@dataclass(frozen=True)
class TwoTowerScorer(Scorer):
    r"""Similarity of the query part and the item part of a row.

    A row is [query embedding | item embedding]. The towers are linear maps near the
    identity, A = I + ΔA and B = I + ΔB with ΔA = ΔB = 0 at the start, so training
    starts from the similarity of the raw embeddings:

    .. math:: s = \frac{\cos(A q, B d)}{T}, \quad (A q) \cdot (B d),
        \quad q^\top (I + \Delta) d

    Embeddings of different widths have no similarity of their own: the tower of the
    wider one starts as a random projection to the width of the other, and so does the
    bilinear form.

    Parameters
    ----------
    n_query_features : int
        Width of the query embedding, ≥ 1; the rest of a row is the item embedding.
    similarity : {"cosine", "dot", "bilinear"}, default="cosine"
        How the two are compared.
    temperature : float, default=0.05
        T of the cosine: scores in [−20, 20] let a softmax be nearly one-hot.

    Examples
    --------
    >>> import jax, numpy as np
    >>> scorer = TwoTowerScorer(2, "dot")
    >>> params = scorer.init(jax.random.key(0), 4)
    >>> scorer.apply(params, np.array([[1.0, 2.0, 3.0, 4.0]])).tolist()
    [11.0]
    """

    n_query_features: int
    similarity: Similarity = "cosine"
    temperature: float = 0.05
    wants_raw_features: ClassVar[bool] = True
    required_parameters: ClassVar[tuple[str, ...]] = ("n_query_features",)

    @classmethod
    def from_parameters(
        cls,
        *,
        hidden_layer_sizes: tuple[int, ...],
        n_query_features: int | None,
        similarity: Similarity,
    ) -> Self:
        """Make one for these embeddings, see :meth:`Scorer.from_parameters`."""
        if n_query_features is None:
            raise ValueError(
                "n_query_features is required by scorer='two_tower': how many of the "
                "first columns of X are the query embedding."
            )
        return cls(n_query_features, similarity)

    def init(self, key: jax.Array, n_features: int) -> Params:
        """Start at the untrained similarity, or at a random one of unequal widths."""
        shapes = self.outline(n_features)
        return {name: _projection(key, *form.shape) for name, form in shapes.items()}

    def outline(self, n_features: int) -> Params:
        """Shapes of the parameters, see :meth:`Scorer.outline`."""
        check_choice("similarity", self.similarity, SIMILARITIES)
        widths = (self.n_query_features, n_features - self.n_query_features)
        if min(widths) < 1:
            raise ValueError(
                "two_tower needs rows of a query and an item embedding; got "
                f"n_features={n_features} and n_query_features={widths[0]}, which "
                f"leave {max(widths[1], 0)} columns to the item. "
                "Lower n_query_features."
            )
        if self.similarity == "bilinear":
            return {"matrix": outline(*widths)}
        return {
            "query": outline(widths[0], min(widths)),
            "item": outline(widths[1], min(widths)),
        }

    def apply(
        self,
        params: Params,
        X: Array,
        where: Array | None = None,
        weights: Array | None = None,
    ) -> Array:
        """Score items, see :meth:`Scorer.apply`."""
        rows = X.reshape(-1, X.shape[-1])
        query, item = rows[:, : self.n_query_features], rows[:, self.n_query_features :]
        if self.similarity == "bilinear":
            scores = (_project(query, params["matrix"]) * item).sum(axis=-1)
            return scores.reshape(X.shape[:-1])
        query = _project(query, params["query"])
        item = _project(item, params["item"])
        scores = (query * item).sum(axis=-1)
        if self.similarity == "cosine":
            scores = scores / (_length(query) * _length(item) * self.temperature)
        return scores.reshape(X.shape[:-1])


def _projection(key: jax.Array, width: int, new_width: int) -> Array:
    """ΔA, 0 for a square A; otherwise A, which keeps lengths in expectation."""
    if width == new_width:
        return constant((width, width))
    return normal(key, (width, new_width), new_width**-0.5)


def _project(vectors: Array, matrix: Array) -> Array:
    """Rows times I + ΔA if A is square, times A if not."""
    projected = product(vectors, matrix)
    return vectors + projected if matrix.shape[0] == matrix.shape[1] else projected


def _length(vectors: Array) -> Array:
    return ((vectors * vectors).sum(axis=-1) + 1e-12) ** 0.5
