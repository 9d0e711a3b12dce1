"""Reranking by the neighborhoods of the best items, and pooling of local features."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_number, check_whole
from ltr.queries import FloatArray
from ltr.refine.feedback import ScoredOrder, merge_head
from ltr.refine.vectors import check_finite, read_floats, read_query, read_vectors


def superglobal_rerank(
    query: ArrayLike,
    items: ArrayLike,
    *,
    depth: int = 400,
    n_neighbors: int = 9,
    beta: float = 0.15,
    expand: int = 10,
) -> ScoredOrder:
    r"""Rerank by embeddings that were refined by those of their neighbors.

    Each of the first ``depth`` items is averaged with its nearest neighbors among them,

    .. math:: x_i' = \frac{x_i + β \sum_j ⟨x_i, x_j⟩ x_j}{1 + β \sum_j ⟨x_i, x_j⟩},

    and scored twice: against the query, and against the element-wise maximum of the
    best ``expand`` of the :math:`x_i'`. The mean of both is the new score. No model is
    needed, and a query takes ``depth ** 2`` products of embeddings.

    Parameters
    ----------
    query : array-like of shape (width,)
        Embedding of the query.
    items : array-like of shape (n_items, width)
        Embeddings of the items. Similarities are inner products: scale query and items
        to length 1 for cosines.
    depth : int, default=400
        Items that are reranked; those after them keep their order.
    n_neighbors : int, default=9
        Neighbors of an item, itself not among them. A negative similarity counts as 0.
    beta : float, default=0.15
        Weight of the neighbors; 0 leaves the items as they are.
    expand : int, default=10
        Refined items that make up the second query; 0: the first score alone.

    Returns
    -------
    order : ScoredOrder
        All items. Scores after ``depth`` are those of the query, lowered by a constant
        where needed to stay below the others.

    Raises
    ------
    ArgumentError
        If an embedding is not finite (with its row), shapes differ, or an option is out
        of range.

    Notes
    -----
    The maximum depends on the axes, so unlike other methods of this package this one
    changes when all embeddings are rotated.

    References
    ----------
    .. [1] Shao et al., "Global features are all you need for image retrieval and
       reranking", ICCV 2023.

    Examples
    --------
    >>> items = [[0.9, 0.1], [0.8, 0.6], [0.1, 0.9]]
    >>> order, scores = superglobal_rerank(
    ...     [1.0, 0.0], items, depth=3, n_neighbors=1, beta=0.5, expand=2
    ... )
    >>> order.tolist(), scores.round(4).tolist()
    ([1, 0, 2], [0.8807, 0.8713, 0.4392])
    """
    check_whole("depth", depth, low=1)
    check_whole("n_neighbors", n_neighbors, low=0)
    check_number("beta", beta, low=0.0)
    check_whole("expand", expand, low=0)
    q = read_query("query", query)
    d = read_vectors("items", items, len(q)).astype(np.float64, copy=False)
    scores = d @ q
    order = np.argsort(-scores, kind="stable")
    refined = _refined(d[order[:depth]], n_neighbors, beta)
    head = refined @ q  # S1
    if expand > 0 and len(refined):
        best = np.argsort(-head, kind="stable")[:expand]
        head = (head + refined @ refined[best].max(axis=0)) / 2.0  # (S1 + S2) / 2
    return merge_head(order, head, scores)


def _refined(x: FloatArray, n_neighbors: int, beta: float) -> FloatArray:
    """Each row of x averaged with its neighbors: x', (depth, width)."""
    n = len(x)
    k = min(n_neighbors, n - 1)
    if k <= 0 or beta == 0.0:
        return x
    similarity = x @ x.T
    np.fill_diagonal(similarity, -np.inf)
    neighbors = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    weights = np.zeros((n, n))
    near = np.take_along_axis(similarity, neighbors, axis=1)
    np.put_along_axis(weights, neighbors, beta * np.maximum(near, 0.0), axis=1)
    return np.asarray((x + weights @ x) / (1.0 + weights.sum(axis=1, keepdims=True)))


def gem_pool(features: ArrayLike, p: float = 4.6, axis: int = 0) -> FloatArray:
    r"""Pool local features into one by a generalized mean (GeM).

    .. math:: \Bigl(\frac1n \sum_i x_i^p\Bigr)^{1/p}

    Parameters
    ----------
    features : array-like
        Non-negative features, for example of the regions of an image.
    p : float, default=4.6
        1 is the mean, infinity the maximum.
    axis : int, default=0
        Axis of the local features, which is pooled away.

    Returns
    -------
    pooled : float array
        ``features`` without that axis.

    Raises
    ------
    ArgumentError
        If a feature is negative or not finite, there is none, or p is not above 0.

    References
    ----------
    .. [1] Radenović, Tolias & Chum, "Fine-tuning CNN image retrieval with no human
       annotation", TPAMI 2019.

    Examples
    --------
    >>> gem_pool([[1.0, 4.0], [3.0, 2.0]], p=3).round(4).tolist()
    [2.4101, 3.3019]
    """
    if p != math.inf:
        check_number("p", p, low=0.0, open_low=True)
    x = check_finite("features", read_floats("features", features)).astype(np.float64)
    if x.ndim:
        check_whole("axis", axis, low=-x.ndim, high=x.ndim - 1)
    if not x.ndim or x.shape[axis] == 0:
        raise ArgumentError(f"features must have a row to pool; got shape {x.shape}.")
    if (x < 0.0).any():
        raise ArgumentError(
            f"features must be >= 0; got {x.min():g}. Pass np.maximum(features, 0)."
        )
    high = x.max(axis=axis, keepdims=True)
    if p != math.inf:
        # relative to the maximum, so that no power overflows
        share = (x / np.where(high == 0.0, 1.0, high)) ** p
        high = high * share.mean(axis=axis, keepdims=True) ** (1.0 / p)
    return np.asarray(high.squeeze(axis))
