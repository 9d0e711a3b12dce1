"""Exact search in embeddings, and the scores of a run as columns of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import ArgumentError, check_choice, check_whole
from ltr.datasets.runs import run_rows
from ltr.files import id_text
from ltr.fusion.pool import Norm, pool_runs
from ltr.queries import FloatArray, IntArray
from ltr.refine.vectors import lengths, read_vectors, unit

_SCORES_AT_ONCE = 2**25  # in single precision: 128 MiB
_NUMBERS_AT_ONCE = 2**22  # of candidates, in double precision: 32 MiB


def cosine_scores(queries: ArrayLike, items: ArrayLike) -> FloatArray:
    """Cosine of the angle between each query and each item.

    Parameters
    ----------
    queries : array-like of shape (n_queries, width)
        Embeddings of queries.
    items : array-like of shape (n_items, width)
        Embeddings of items.

    Returns
    -------
    scores : float array of shape (n_queries, n_items)
        In [−1, 1], in double precision; 0 for a vector of zeros.

    Raises
    ------
    ArgumentError
        If an embedding is not finite (with its row), or the widths differ.

    Examples
    --------
    >>> cosine_scores([[1.0, 0.0]], [[2.0, 0.0], [3.0, 4.0]]).tolist()
    [[1.0, 0.6]]
    """
    q = read_vectors("queries", queries)
    d = read_vectors("items", items, q.shape[1])
    return np.clip(unit(q) @ unit(d).T, -1.0, 1.0)


def search(
    queries: ArrayLike,
    items: ArrayLike,
    k: int = 100,
    *,
    qids: Sequence[Any] | NDArray[Any] | None = None,
    docids: Sequence[Any] | NDArray[Any] | None = None,
    similarity: Literal["cosine", "dot"] = "cosine",
    block: int = 4096,
) -> pd.DataFrame:
    """Find the k most similar items of each query, exactly.

    A first pass in single precision finds every item that can be among the first k,
    given the largest possible rounding error; these are scored again in double
    precision. So the result is that of a full sort of all scores in double precision,
    does not depend on ``block``, and equal embeddings have equal scores.

    Parameters
    ----------
    queries : array-like of shape (n_queries, width)
        Embeddings of queries.
    items : array-like of shape (n_items, width)
        Embeddings of items; also in half precision, or mapped from a file.
    k : int, default=100
        Items of each query; all of them if there are fewer.
    qids, docids : sequence, default=None
        Distinct ids of the queries and of the items. None: 0, 1, ….
    similarity : {"cosine", "dot"}, default="cosine"
        Cosine, 0 for a vector of zeros; or the inner product.
    block : int, default=4096
        Rows of ``items`` that are read and normalized at a time. Besides this copy,
        the search needs about 300 MB, or 10 bytes per item if that is more.

    Returns
    -------
    run : DataFrame
        Columns ``qid``, ``docid`` (categorical text) and ``score``, best first within
        each query; equal scores by descending docid, as trec_eval ranks them.

    Raises
    ------
    ArgumentError
        If an embedding is not finite (with its row), an id is repeated, or an option
        is out of range.

    Examples
    --------
    >>> run = search([[1.0, 0.0]], [[0.0, 1.0], [2.0, 0.1], [1.0, 1.0]], k=2)
    >>> run["docid"].tolist(), run["score"].round(4).tolist()
    (['1', '2'], [0.9988, 0.7071])
    """
    check_whole("k", k, low=1)
    check_whole("block", block, low=1)
    check_choice("similarity", similarity, ("cosine", "dot"))
    q = read_vectors("queries", queries)
    d = read_vectors("items", items, q.shape[1])
    query_ids = _ids("qids", qids, len(q))
    item_ids = _ids("docids", docids, len(d))
    by_id = np.empty(len(d), dtype=np.intp)
    by_id[np.argsort(item_ids, kind="stable")] = np.arange(len(d))
    nearest = _Search(q, d, min(k, len(d)), similarity == "cosine", by_id, block)
    rows_at_once = max(1, _SCORES_AT_ONCE // max(1, len(d)))
    tops = [
        top
        for begin in range(0, len(q), rows_at_once)
        for top in nearest.top(begin, min(begin + rows_at_once, len(q)))
    ]
    sizes = [len(items_of_query) for items_of_query, _ in tops]
    rows = [items_of_query for items_of_query, _ in tops]
    scores = [scores_of_query for _, scores_of_query in tops]
    return pd.DataFrame(
        {
            "qid": pd.Categorical.from_codes(
                np.repeat(np.arange(len(q)), sizes), pd.Index(query_ids)
            ),
            "docid": pd.Categorical.from_codes(
                np.concatenate([*rows, np.zeros(0, np.intp)]), pd.Index(item_ids)
            ),
            "score": np.concatenate([*scores, np.zeros(0)]),
        }
    )


def retrieval_columns(run: Any, norm: Norm = "minmax") -> pd.DataFrame:
    """Scores and reciprocal ranks of a run as features of its documents.

    What a retriever knows is worth telling a reranker: as columns of features to a
    ranker, or as ``extra=`` to a judge.

    Parameters
    ----------
    run : run
        As :func:`ltr.datasets.read_run` takes it.
    norm : {"minmax", "zscore", "rank", "none"} or callable, default="minmax"
        Normalization of the scores of a query, see :func:`ltr.fusion.comb_sum`.

    Returns
    -------
    columns : DataFrame
        Columns ``qid``, ``docid``, ``score`` (normalized) and ``reciprocal_rank``
        (1 for the first document of a query, 1/2 for the second), best first.

    Raises
    ------
    ValueError
        If the run is malformed.
    ArgumentError
        If ``norm`` is unknown.

    References
    ----------
    .. [1] Seetharaman et al., "InsertRank: LLMs can reason over BM25 scores to improve
       listwise reranking", 2025.

    Examples
    --------
    >>> columns = retrieval_columns({"q": {"a": 3.0, "b": 2.0, "c": 1.0}})
    >>> columns["score"].tolist(), columns["reciprocal_rank"].round(2).tolist()
    ([1.0, 0.5, 0.0], [1.0, 0.5, 0.33])
    """
    pool = pool_runs([run_rows(run, name="run").as_table("score")])
    order = np.lexsort((pool.ranks[:, 0], pool.query))
    codes = pd.Categorical.from_codes
    return pd.DataFrame(
        {
            "qid": codes(pool.query[order], pd.Index(pool.qids)),
            "docid": codes(pool.document[order], pd.Index(pool.docids)),
            "score": pool.normalized(norm).scores[order, 0],
            "reciprocal_rank": 1.0 / pool.ranks[order, 0],
        }
    )


class _Search:
    """The k best items of each query, in two passes."""

    def __init__(
        self,
        queries: NDArray[Any],
        items: NDArray[Any],
        k: int,
        is_cosine: bool,
        by_id: IntArray,
        block: int,
    ) -> None:
        self.queries, self.items, self.k = queries, items, k
        self.is_cosine, self.by_id, self.block = is_cosine, by_id, block
        blocks = range(0, len(items), block)
        norms = [lengths(items[begin : begin + block]) for begin in blocks]
        self.norms = np.concatenate([*norms, np.zeros(0)])
        # numbers for which single precision neither overflows nor loses digits
        positive = self.norms[self.norms > 0.0]
        is_single = items.dtype.itemsize < 8 and positive.size > 0
        is_tame = is_single and positive.min() > 1e-30 and positive.max() < 1e30
        self.precision = np.float32 if is_tame else np.float64
        # The rough scores are x·y of a unit vector x and of y with |y| <= 1, both
        # rounded to single precision: |fl(x·y) − x·y| <= γ |x||y| with γ about
        # (width + 2) 2^-24.
        self.error = np.float32(2.0 * (queries.shape[1] + 4) * 2.0**-24)

    def top(self, begin: int, end: int) -> list[tuple[IntArray, FloatArray]]:
        """Items, best first, and their scores, for the queries from begin to end."""
        if not len(self.items):
            return [(np.zeros(0, np.intp), np.zeros(0))] * (end - begin)
        units = unit(self.queries[begin:end])
        rough = self._rough_scores(units.astype(np.float32))
        # an item below the k-th best by twice the error is not among the k best
        low = np.partition(rough, -self.k, axis=1)[:, [-self.k]] - 2.0 * self.error
        queries = units if self.is_cosine else self.queries[begin:end].astype(float)
        return [
            self._best(query, np.flatnonzero(is_candidate))
            for query, is_candidate in zip(queries, rough >= low, strict=True)
        ]

    def _rough_scores(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores in single precision, (n_queries, n_items)."""
        scores = np.empty((len(queries), len(self.items)), dtype=np.float32)
        longest = self.norms.max()
        for begin in range(0, len(self.items), self.block):
            rows = slice(begin, begin + self.block)
            norms = self.norms[rows] if self.is_cosine else np.array([longest])
            divisors = np.where(norms == 0.0, 1.0, norms).astype(self.precision)
            scaled = self.items[rows] / divisors[:, None]
            np.matmul(queries, scaled.astype(np.float32).T, out=scores[:, rows])
        return scores

    def _best(self, query: FloatArray, items: IntArray) -> tuple[IntArray, FloatArray]:
        """The k best of some items for one query, in double precision."""
        scores = np.empty(len(items))
        step = max(1, _NUMBERS_AT_ONCE // len(query))
        for begin in range(0, len(items), step):
            vectors = self.items[items[begin : begin + step]].astype(np.float64)
            vectors = unit(vectors) if self.is_cosine else vectors
            # unlike a matrix product, the same sum for equal rows
            scores[begin : begin + step] = np.einsum("ij,j->i", vectors, query)
        if self.is_cosine:
            scores = np.clip(scores, -1.0, 1.0)
        best = np.lexsort((-self.by_id[items], -scores))[: self.k]
        return items[best], scores[best]


def _ids(name: str, ids: Any, n: int) -> NDArray[np.object_]:
    """Distinct ids as text."""
    if isinstance(ids, (str, bytes)):
        raise ArgumentError(f"{name} must be a sequence of ids; got {ids!r}.")
    values = list(range(n) if ids is None else ids)
    missing = np.flatnonzero(pd.isna(np.array([*values, ()], dtype=object)[:-1]))
    if len(missing):
        raise ArgumentError(
            f"{name} must not have missing values; got {values[missing[0]]!r} at "
            f"{missing[0]}."
        )
    texts = [id_text(value, name) for value in values]
    if len(texts) != n:
        rows = "queries" if name == "qids" else "items"
        raise ArgumentError(
            f"{name} must have an id for each of {n} {rows}; got {len(texts)}."
        )
    places: dict[str, int] = {}
    for i, text in enumerate(texts):
        place = places.setdefault(text, i)
        if place != i:
            raise ArgumentError(
                f"{name} must be distinct; got {text!r} at {place} and {i}. Drop one."
            )
    array = np.empty(n, dtype=object)
    array[:] = texts
    return array
