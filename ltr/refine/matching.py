"""Features from the similarities of the terms of a query and of a document."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import ArgumentError, check_whole
from ltr.queries import BoolArray, FloatArray
from ltr.refine.vectors import check_finite, read_floats

_CENTERS = (1.0, *(np.arange(9, -10, -2) / 10.0).tolist())  # 1, 0.9, 0.7, …, −0.9
_LEAST_SUM = 1e-10  # of a kernel over the terms of a document, as published
_ROUNDING = 1e-3  # of cosines in half precision


def kernel_pooling(
    similarity: ArrayLike,
    where: ArrayLike | None = None,
    *,
    mu: ArrayLike | None = None,
    sigma: ArrayLike = 0.1,
) -> FloatArray:
    r"""Count soft matches of terms by Gaussian kernels, as K-NRM does.

    .. math:: φ_k = \sum_i \log \max\Bigl(\sum_j
        \exp\bigl(-\tfrac{(M_{ij} - μ_k)^2}{2 σ_k^2}\bigr),\ 10^{-10}\Bigr)

    over the terms i of the query and j of the document. They are features for any
    ranker, beside those of BM25.

    Parameters
    ----------
    similarity : array-like of shape (..., n_query_terms, n_document_terms)
        Cosines M of the embeddings of terms.
    where : bool array-like that broadcasts to ``similarity``, default=None
        True for pairs of real terms. A query term without any is padding, and adds
        nothing; a document without any has no matches.
    mu : array-like of shape (n_kernels,), default=None
        Similarities that the kernels count. None: the eleven of K-NRM, 1, 0.9, 0.7, …,
        −0.9.
    sigma : float or array-like of shape (n_kernels,), default=0.1
        Widths of the kernels. K-NRM takes 0.001 for the exact matches of mu = 1.

    Returns
    -------
    features : float array of shape (..., n_kernels)

    Raises
    ------
    ArgumentError
        If a similarity is not finite where ``where`` is True, shapes do not fit, or a
        width is not above 0.

    References
    ----------
    .. [1] Xiong et al., "End-to-end neural ad-hoc ranking with kernel pooling",
       SIGIR 2017.

    Examples
    --------
    >>> kernel_pooling([[1.0, 0.5]], mu=[1.0, 0.5, 0.0]).round(4).tolist()
    [0.0, 0.0, -12.5]
    """
    matrix, real = _similarities(similarity, where)
    mu = _CENTERS if mu is None else mu
    centers = check_finite("mu", np.atleast_1d(read_floats("mu", mu)))
    widths = check_finite("sigma", read_floats("sigma", sigma))
    if centers.ndim != 1 or widths.shape not in ((), centers.shape):
        raise ArgumentError(
            "mu must have shape (n_kernels,), and sigma be a number or of the same "
            f"shape; got shapes {centers.shape} and {widths.shape}."
        )
    if (widths <= 0.0).any():
        raise ArgumentError(f"sigma must be > 0; got {widths.min():g}.")
    is_term = real.any(axis=-1)  # (..., n_query_terms)
    is_term |= ~is_term.any(axis=-1, keepdims=True)
    features = np.empty((*matrix.shape[:-2], len(centers)))
    for k, (center, width) in enumerate(
        zip(centers, np.broadcast_to(widths, centers.shape), strict=True)
    ):
        kernel = np.exp(-0.5 * ((matrix - center) / width) ** 2)
        sums = np.maximum(kernel.sum(axis=-1, where=real), _LEAST_SUM)
        features[..., k] = np.log(sums).sum(axis=-1, where=is_term)
    return features


def match_histogram(
    similarity: ArrayLike,
    bins: int = 30,
    idf: ArrayLike | None = None,
    *,
    where: ArrayLike | None = None,
) -> FloatArray:
    r"""Histogram of the similarities of each query term, as DRMM reads it.

    The features are :math:`\log(1 + n)` of the counts n of document terms in ``bins``
    equal intervals of [−1, 1], the last one with 1.

    Parameters
    ----------
    similarity : array-like of shape (..., n_document_terms)
        Cosines of the embeddings of terms; with ``idf`` of shape
        (..., n_query_terms, n_document_terms).
    bins : int, default=30
        Number of intervals.
    idf : array-like of shape (..., n_query_terms), default=None
        Inverse document frequency of each query term. The histograms of the terms are
        then added up, with weights softmax(idf). None: one histogram for each term.
    where : bool array-like that broadcasts to ``similarity``, default=None
        True for pairs of real terms.

    Returns
    -------
    features : float array of shape (..., bins)
        Without the axis of query terms if ``idf`` is there.

    Raises
    ------
    ArgumentError
        If a similarity is not finite or not in [−1, 1], or shapes do not fit.

    References
    ----------
    .. [1] Guo et al., "A deep relevance matching model for ad-hoc retrieval",
       CIKM 2016.

    Examples
    --------
    >>> match_histogram([1.0, 0.5], bins=5).round(4).tolist()
    [0.0, 0.0, 0.0, 0.6931, 0.6931]
    """
    check_whole("bins", bins, low=1)
    matrix, real = _similarities(similarity, where, least_axes=1)
    beyond = real & (np.abs(matrix) > 1.0 + _ROUNDING)
    if beyond.any():
        raise ArgumentError(
            f"similarity must be in [-1, 1]; got {matrix[beyond][0]:g}. Use cosines."
        )
    number = np.clip(((matrix + 1.0) / 2.0 * bins).astype(np.intp), 0, bins - 1)
    rows = number.reshape(math.prod(number.shape[:-1]), number.shape[-1])
    counts = np.zeros((len(rows), bins))
    np.add.at(
        counts, (np.arange(len(rows))[:, None], rows), real.reshape(rows.shape) * 1.0
    )
    histograms = np.log1p(counts).reshape(*matrix.shape[:-1], bins)
    if idf is None:
        return histograms
    rarity = check_finite("idf", read_floats("idf", idf)).astype(np.float64)
    if matrix.ndim < 2 or rarity.shape != matrix.shape[:-1]:
        raise ArgumentError(
            "idf must be one number for each query term, of shape "
            f"{matrix.shape[:-1]}; got shape {rarity.shape}."
        )
    is_term = real.any(axis=-1)
    is_term |= ~is_term.any(axis=-1, keepdims=True)
    high = rarity.max(axis=-1, keepdims=True, initial=-np.inf, where=is_term)
    gate = np.where(is_term, np.exp(np.where(is_term, rarity - high, 0.0)), 0.0)
    gate /= gate.sum(axis=-1, keepdims=True)
    return np.asarray((gate[..., None] * histograms).sum(axis=-2))


def _similarities(
    similarity: ArrayLike, where: ArrayLike | None, least_axes: int = 2
) -> tuple[FloatArray, BoolArray]:
    """Similarities, 0 where there is no pair, and the mask of the pairs."""
    matrix: NDArray[Any] = read_floats("similarity", similarity).astype(np.float64)
    if matrix.ndim < least_axes:
        raise ArgumentError(
            "similarity must have shape (..., n_query_terms, n_document_terms); got "
            f"shape {matrix.shape}."
        )
    real = np.ones(matrix.shape, dtype=bool)
    if where is not None:
        mask = np.asarray(where)
        if mask.dtype != bool:
            raise ArgumentError(f"where must be Boolean; got {mask.dtype}.")
        try:
            real = np.broadcast_to(mask, matrix.shape).copy()
        except ValueError:
            raise ArgumentError(
                f"where must broadcast to similarity, of shape {matrix.shape}; got "
                f"shape {mask.shape}."
            ) from None
        matrix = np.where(real, matrix, 0.0)
    return check_finite("similarity", matrix), real
