"""Low-rank adapters over frozen embeddings, of two towers that may see each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from ltr.arguments import check_number, check_whole
from ltr.scorers.base import Array, Params, Scorer, Similarity
from ltr.scorers.draws import constant, normal, split
from ltr.scorers.parameters import outline
from ltr.scorers.products import product

if TYPE_CHECKING:
    import jax


@dataclass(frozen=True)
class AdapterScorer(Scorer):
    r"""Cosine of embeddings that low-rank adapters adjust.

    A row is [query embedding q | item embedding d]. Each tower adds a correction of low
    rank to its embedding. With the hidden states :math:`h_q = V_q^\top q` and
    :math:`h_d = V_d^\top d`,

    .. math:: s = \frac{\cos(q + U_q h_q,\; d + U_d (h_d + C h_q))}{T} + h_q^\top M h_d

    *Connected* adapters have C, by which the item's reads the query's hidden state, and
    M, which compares both; scattered ones have neither. U, C and M are 0 at the start,
    so training starts from the cosine. There are 4 · width · rank + 2 · rank²
    parameters instead of the 2 · width² of two full towers.

    Parameters
    ----------
    n_query_features : int
        Width of the query embedding; the rest of a row is the item embedding, which
        must be as wide.
    rank : int, default=8
        Width of the hidden states.
    connected : bool, default=True
        Whether the adapters have C and M.
    temperature : float, default=0.05
        T of the cosine.

    References
    ----------
    .. [1] Ma et al., "Scattered or connected? An optimized parameter-efficient tuning
       approach for information retrieval", CIKM 2022, whose adapters sit in each layer
       of a transformer. Over the last layer alone, as here, C and M are ours.

    Examples
    --------
    >>> import jax, numpy as np
    >>> scorer = AdapterScorer(2, rank=1)
    >>> params = scorer.init(jax.random.key(0), 4)
    >>> scorer.apply(params, np.array([[1.0, 0.0, 3.0, 4.0]])).round(4).tolist()
    [12.0]
    """

    n_query_features: int
    rank: int = 8
    connected: bool = True
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
                "n_query_features is required by scorer='adapter': how many of the "
                "first columns of X are the query embedding."
            )
        if similarity != "cosine":
            raise ValueError(
                "similarity must be 'cosine' for scorer='adapter'; got "
                f"{similarity!r}. Use scorer='two_tower'."
            )
        return cls(n_query_features)

    def init(self, key: jax.Array, n_features: int) -> Params:
        """Draw V; everything else is 0, which is the cosine."""
        shapes = self.outline(n_features)
        params = {name: constant(matrix.shape) for name, matrix in shapes.items()}
        scale = self.n_query_features**-0.5
        keys = split(key)
        for name, own_key in zip(("query_down", "item_down"), keys, strict=True):
            params[name] = normal(own_key, params[name].shape, scale)
        return params

    def outline(self, n_features: int) -> Params:
        """Shapes of the parameters, see :meth:`Scorer.outline`."""
        width, rank = self.n_query_features, self.rank
        check_whole("rank", rank, low=1)
        check_number("temperature", self.temperature, low=0.0, open_low=True)
        if n_features != 2 * width:
            raise ValueError(
                "adapter needs rows of a query and an item embedding of the same "
                f"width; got n_features={n_features} and n_query_features={width}. "
                "Project them to one width first."
            )
        params = {}
        for tower in ("query", "item"):
            params[f"{tower}_down"] = outline(width, rank)
            params[f"{tower}_up"] = outline(rank, width)
        if self.connected:
            params["link"] = params["head"] = outline(rank, rank)
        return params

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
        query_state = product(query, params["query_down"])  # h_q, (n, rank)
        item_state = product(item, params["item_down"])  # h_d
        link = product(query_state, params["link"]) if self.connected else 0.0  # C h_q
        query = query + product(query_state, params["query_up"])
        item = item + product(item_state + link, params["item_up"])
        scores = (query * item).sum(axis=-1)
        scores = scores / (_length(query) * _length(item) * self.temperature)
        if self.connected:
            scores = scores + (product(query_state, params["head"]) * item_state).sum(
                axis=-1
            )
        return scores.reshape(X.shape[:-1])


def _length(vectors: Array) -> Array:
    return ((vectors * vectors).sum(axis=-1) + 1e-12) ** 0.5
