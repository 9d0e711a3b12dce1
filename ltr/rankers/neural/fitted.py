"""A scorer with its parameters: features in, scores of items or pairs out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ltr.memory import check_memory
from ltr.queries import FloatArray, IntArray, Queries
from ltr.rankers.neural.scaling import Scaling
from ltr.rankers.threads import blas_threads_for
from ltr.scorers.parameters import greatest_width, leaves, map_leaves

if TYPE_CHECKING:
    from ltr.scorers import PairScores, Scorer

_CHUNK_ROWS = 512  # whose layers stay in the cache of a core
_PAIR_COPIES = 4  # of a pair matrix while it is computed and decoded
_MAX_ENTRIES = 2**22  # of the pair matrices in memory at a time
_MAX_HIDDEN = 2**25  # entries of a hidden layer in memory at a time


class PairSource(Protocol):
    """What has features of pairs, such as a :class:`PairTable`."""

    def block(self, rows: IntArray) -> Any:
        """Features of all pairs of lists, (b, n) to (b, n, n, k)."""


class _Size(NamedTuple):
    """How many entries the parameters of a scorer have, and their longest axis."""

    n_entries: int
    greatest_width: int


class FittedScorer(NamedTuple):
    """What predicts: NumPy in float64, whatever the precision of training.

    Attributes
    ----------
    scorer : Scorer
        Features to scores.
    params : pytree of arrays
        Its parameters.
    scaling : FeatureScaling, ListScaling or None
        What the features go through first.
    pair_features : PairSource or None, default=None
        Features of the pairs of the lists that are scored, scaled.
    size : _Size or None, default=None
        That of the parameters, if these are in float64; None: not known.
    """

    scorer: Scorer
    params: Any
    scaling: Scaling | None
    pair_features: PairSource | None = None
    size: _Size | None = None

    @property
    def uses_list(self) -> bool:
        """Whether the score of an item depends on the other items of its list."""
        return self.scorer.uses_list or self.scales_within_lists

    @property
    def scales_within_lists(self) -> bool:
        """Whether the features are scaled within the list."""
        return self.scaling is not None and self.scaling.uses_list

    def ready(self) -> FittedScorer:
        """The same with parameters in float64, which each call would make of others."""
        params = _in_float64(self.params)
        return self._replace(params=params, size=_size_of(params))

    def scores(self, X: NDArray[Any], queries: Queries) -> FloatArray:
        """Score items, block by block.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
            Features.
        queries : Queries
            Query of each row, for scorers that compare the items of a list.

        Returns
        -------
        scores : float array of shape (n_samples,)
        """
        if self.scales_within_lists:
            return self._of_scaled().scores(self._scaled(X, queries), queries)
        if self.size is None:
            return self.ready().scores(X, queries)
        params = self.params
        scores = np.empty(X.shape[0])
        blocks: Iterable[Any]
        step = min(_CHUNK_ROWS, max(1, _MAX_HIDDEN // self.size.greatest_width))
        if self.scorer.uses_list:
            from ltr.lists import equal_size_blocks

            blocks = equal_size_blocks(queries, step)  # (n_lists, list_size)
        else:
            # of one size, or one row less: BLAS rounds the product of a few differently
            n_blocks = -(-len(scores) // step)
            ends = np.linspace(0, len(scores), n_blocks + 1).astype(np.intp)
            blocks = map(slice, ends[:-1], ends[1:])
        with blas_threads_for(self._work(len(scores), queries)):
            for rows in blocks:
                scores[rows] = self.scorer.apply(params, self._scaled(X[rows], queries))
        return scores

    def pairs(
        self, X: NDArray[Any], queries: Queries
    ) -> Iterator[tuple[IntArray, PairScores]]:
        """Score the pairs of each list, lists of equal size together.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Features.
        queries : Queries
            Query of each row.

        Yields
        ------
        rows : int array of shape (n_lists, list_size)
            Row of each item.
        pairs : PairScores
            ``matrix`` of shape (n_lists, list_size, list_size), its diagonal 0.
        """
        if self.scales_within_lists:
            yield from self._of_scaled().pairs(self._scaled(X, queries), queries)
            return
        from ltr.lists import equal_size_blocks

        params = _in_float64(self.params)
        for block in equal_size_blocks(queries):
            size = block.shape[1]
            if size**2 > _MAX_ENTRIES:
                check_memory(
                    _PAIR_COPIES * 8 * size**2 * self._values_per_pair(params),
                    f"the matrix of all pairs of a list of {size} items",
                    "Rank fewer items per list, or use NeuralRanker.",
                )
            step = max(1, _MAX_ENTRIES // (size**2 * self._values_per_pair(params)))
            for start in range(0, len(block), step):
                rows = block[start : start + step]
                of_pairs = {}
                if self.pair_features is not None:
                    of_pairs["pair_features"] = self.pair_features.block(rows)
                with blas_threads_for(self._work(rows.size, queries)):
                    Z = self._scaled(X[rows], queries)
                    pairs = self.scorer.apply(params, Z, **of_pairs)
                pairs.matrix[:, np.arange(size), np.arange(size)] = 0.0
                yield rows, pairs

    def _values_per_pair(self, params: Any) -> int:
        """Greatest number of values that a pair has while it is scored."""
        if self.pair_features is None:
            return 1
        member = params[0] if isinstance(params, tuple) else params
        return greatest_width(member["pairs"])

    def _work(self, n_rows: int, queries: Queries) -> float:
        """Multiplications in the products of matrices of some rows, roughly."""
        size = self.size or _size_of(self.params)
        per_row = size.n_entries
        if self.scorer.uses_list:  # each item with every other of its list
            per_row += int(queries.sizes.max(initial=0)) * size.greatest_width
        return float(n_rows) * per_row

    def _of_scaled(self) -> FittedScorer:
        """The same for features that are scaled already."""
        return self._replace(scaling=None)

    def _scaled(self, X: NDArray[Any], queries: Queries) -> NDArray[Any]:
        if hasattr(X, "tocsr"):
            Z = X.astype(np.float64)
        else:
            Z = np.asarray(X, dtype=np.float64, order="C")
        return Z if self.scaling is None else self.scaling.transform(Z, queries)


def _size_of(params: Any) -> _Size:
    n_entries = sum(array.size for array in leaves(params))
    return _Size(n_entries, greatest_width(params))


def _in_float64(params: Any) -> Any:
    return map_leaves(lambda leaf: np.asarray(leaf, dtype=np.float64), params)
