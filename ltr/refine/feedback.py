"""Queries that are moved in the space of embeddings: feedback, lists, compositions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_choice, check_number, check_whole
from ltr.queries import FloatArray, IntArray
from ltr.refine.vectors import (
    check_finite,
    read_floats,
    read_query,
    read_vectors,
    unit,
)


class ScoredOrder(NamedTuple):
    """An order with its scores.

    Attributes
    ----------
    order : int array of shape (n_items,)
        Rows of the items, best first.
    scores : float array of shape (n_items,)
        Score of each item of ``order``; they never rise.
    """

    order: IntArray
    scores: FloatArray


def vector_prf(
    query: ArrayLike,
    items: ArrayLike,
    scores: ArrayLike | None = None,
    *,
    k: int = 3,
    method: Literal["rocchio", "average"] = "rocchio",
    alpha: float = 1.0,
    beta: float = 0.4,
) -> FloatArray:
    r"""Move a query towards its best items: pseudo-relevance feedback on embeddings.

    With the embeddings :math:`d_1, …, d_k` of the best items, the new query is

    .. math:: q' = α q + \frac{β}{k} \sum_i d_i \quad \text{("rocchio")}, \quad
        q' = \frac{q + \sum_i d_i}{k + 1} \quad \text{("average")}

    A heavy query and a shallow k serve best.

    Parameters
    ----------
    query : array-like of shape (width,) or (n_queries, width)
        Embedding of one query, or of several.
    items : array-like of shape (n_items, width)
        Embeddings of the items.
    scores : array-like of shape (n_items,) or (n_queries, n_items), default=None
        Scores that select the best items, for example those of a reranker. None: the
        cosine.
    k : int, default=3
        Items of feedback; all of them if there are fewer. 0 leaves the query as it is.
    method : {"rocchio", "average"}, default="rocchio"
        See above.
    alpha : float, default=1.0
        Weight of the query, for ``"rocchio"``.
    beta : float, default=0.4
        Weight of the mean of the items, for ``"rocchio"``.

    Returns
    -------
    query : float array of shape (width,) or (n_queries, width)
        To :func:`search` again with.

    Raises
    ------
    ArgumentError
        If an embedding or a score is not finite (with its row), or shapes differ.

    References
    ----------
    .. [1] Li et al., "Pseudo relevance feedback with deep language models and dense
       retrievers: successes and pitfalls", TOIS 2023.

    Examples
    --------
    >>> vector_prf([1.0, 0.0], [[0.9, 0.1], [0.8, 0.6]]).round(2).tolist()
    [1.34, 0.14]
    """
    check_choice("method", method, ("rocchio", "average"))
    check_whole("k", k, low=0)
    check_number("alpha", alpha)
    check_number("beta", beta)
    is_single = np.ndim(query) == 1
    queries = read_vectors("query", np.atleast_2d(read_floats("query", query)))
    d = read_vectors("items", items, queries.shape[1])
    q = queries.astype(np.float64)
    k = min(k, len(d))
    if k > 0:
        if scores is None:
            values = unit(q) @ unit(d).T
        else:
            values = np.atleast_2d(
                check_finite("scores", read_floats("scores", scores))
            )
            if values.shape != (len(q), len(d)):
                raise ArgumentError(
                    f"scores must be one number for each of {len(d)} items and "
                    f"{len(q)} queries; got shape {np.shape(scores)}."
                )
        best = np.argsort(-values, axis=1, kind="stable")[:, :k]
        mean = d[best].astype(np.float64).mean(axis=1)  # (n_queries, width)
        q = alpha * q + beta * mean if method == "rocchio" else (q + k * mean) / (k + 1)
    return q[0] if is_single else q


def embedding_rerank(
    query: ArrayLike,
    items: ArrayLike,
    enhance: Callable[[IntArray], ArrayLike],
    *,
    top: int = 20,
    depth: int = 100,
) -> ScoredOrder:
    """Rerank by the cosine with an embedding of the query *and its best items*.

    An embedding model that has read the query together with the first items (a
    *list-enhanced* query) knows what distinguishes them. One more embedding then orders
    all candidates, at the price of one call instead of one per item.

    Parameters
    ----------
    query : array-like of shape (width,)
        Embedding of the query.
    items : array-like of shape (n_items, width)
        Embeddings of the items.
    enhance : callable
        Takes the rows of the first ``top`` items, best first, and returns an embedding
        of shape (width,). Without a model, :func:`vector_prf` may serve.
    top : int, default=20
        Items that ``enhance`` sees.
    depth : int, default=100
        Items that are reranked; those after them keep their order.

    Returns
    -------
    order : ScoredOrder
        All items. Scores after ``depth`` are cosines with the original query, lowered
        by a constant where needed to stay below the others.

    Raises
    ------
    ArgumentError
        If an embedding is not finite (with its row), or shapes differ.

    References
    ----------
    .. [1] Liu et al., "E2Rank: your text embedding can also be an effective and
       efficient listwise reranker", 2025.

    Examples
    --------
    >>> items = np.array([[1.0, 0.0], [0.9, 0.5], [0.5, 0.5]])
    >>> order, scores = embedding_rerank([1.0, 0.2], items, lambda rows: items[rows[1]])
    >>> order.tolist()
    [1, 2, 0]
    """
    check_whole("top", top, low=1)
    check_whole("depth", depth, low=1)
    q = read_query("query", query)
    d = unit(read_vectors("items", items, len(q)))
    scores = d @ unit(q)
    order = np.argsort(-scores, kind="stable")
    enhanced = read_query("the embedding from enhance", enhance(order[:top]), len(q))
    return merge_head(order, d[order[:depth]] @ unit(enhanced), scores)


def merge_head(order: IntArray, head: FloatArray, scores: FloatArray) -> ScoredOrder:
    """Sort the first items of an order by new scores; the others stay as they are.

    Parameters
    ----------
    order : int array of shape (n_items,)
        Items, best first.
    head : float array of shape (depth,)
        New scores of the first ``depth`` of them.
    scores : float array of shape (n_items,)
        Old score of each item, not in the order of ``order``.

    Returns
    -------
    order : ScoredOrder
    """
    depth = len(head)
    by_score = np.argsort(-head, kind="stable")
    tail = scores[order[depth:]]
    if len(tail) and depth:
        least = head.min()
        tail = np.minimum(tail - max(0.0, float(tail[0] - least)), least)
    return ScoredOrder(
        np.concatenate([order[:depth][by_score], order[depth:]]),
        np.concatenate([head[by_score], tail]),
    )


def compose_query(embeddings: Sequence[Any], weights: ArrayLike) -> FloatArray:
    """Make one query of several: an image and a text, a caption, an instruction.

    Parameters
    ----------
    embeddings : sequence of array-like of shape (width,) or (n_queries, width)
        Embeddings of the parts, in one space. Each is scaled to length 1 first, so that
        the weights alone decide.
    weights : array-like of shape (n_parts,)
        A finite weight for each part; a negative one moves away from it.

    Returns
    -------
    query : float array of shape (width,) or (n_queries, width)
        Weighted sum, scaled to length 1.

    Raises
    ------
    ArgumentError
        If an embedding is not finite, shapes differ, or the sum is 0.

    References
    ----------
    .. [1] Wu et al., "SQUARE: semantic query-augmented fusion and efficient batch
       reranking for training-free zero-shot composed image retrieval", 2025.

    Examples
    --------
    >>> compose_query([[1.0, 0.0], [0.0, 2.0]], [0.8, 0.2]).round(7).tolist()
    [0.9701425, 0.2425356]
    """
    parts = [
        check_finite(f"embeddings[{i}]", read_floats(f"embeddings[{i}]", part))
        for i, part in enumerate(embeddings)
    ]
    shapes = [part.shape for part in parts]
    if not parts or len(set(shapes)) > 1 or parts[0].ndim not in (1, 2):
        raise ArgumentError(
            "embeddings must be arrays of one shape, (width,) or (n_queries, width); "
            f"got shapes {shapes}."
        )
    factors = check_finite("weights", read_floats("weights", weights))
    if factors.shape != (len(parts),):
        raise ArgumentError(
            f"weights must be one number for each of {len(parts)} embeddings; got "
            f"shape {factors.shape}."
        )
    total = np.einsum("i,i...->...", factors, np.stack([unit(part) for part in parts]))
    is_zero = ~np.asarray(total.any(axis=-1))
    if is_zero.any():
        where = f" for query {int(is_zero.argmax())}" if total.ndim == 2 else ""
        raise ArgumentError(
            f"embeddings must have a weighted sum other than 0; got 0{where}. Change "
            "the weights."
        )
    return unit(total)
