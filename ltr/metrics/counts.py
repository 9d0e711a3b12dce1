"""Metrics that count relevant items: hits, success, F, R-precision, pool recall."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics.ranked import Empty, Ties, check_k, rank_lists, summarize
from ltr.metrics.relevant import expected_at_first
from ltr.queries import FloatArray


def hits_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Count the relevant items among the first ``k``.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    k : int, default=None
        Cut-off. None: the whole list.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: expected value over their orders; row order; lowest label first;
        trec_eval's rule, which needs ``docids``.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    hits : float ≥ 0, or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    Notes
    -----
    What the literature on knowledge graphs calls hits@k, the share of lists with a
    relevant item among the first k, is :func:`success_score`.

    Examples
    --------
    >>> hits_score([0, 1, 1], [0.9, 0.5, 0.1], k=2)
    1.0
    """
    check_k(k)
    ranked = rank_lists(y_true, y_score, qid, ties, docids)
    relevant = ranked.relevant(threshold)
    value = relevant.in_top(ranked.queries.sizes if k is None else k)
    return summarize(value, relevant.total == 0, empty, per_query)


def success_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Whether a relevant item is among the first ``k``; its mean is the hit rate.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    k : int, default=None
        Cut-off. None: the whole list.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: expected value over their orders; row order; lowest label first;
        trec_eval's rule, which needs ``docids``.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    success : float in [0, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    Examples
    --------
    >>> success_score([0, 1, 1], [0.9, 0.5, 0.1], k=1)
    0.0
    >>> success_score([0, 1, 1], [0.9, 0.9, 0.1], k=1)
    0.5
    """
    check_k(k)
    ranked = rank_lists(y_true, y_score, qid, ties, docids)
    relevant = ranked.relevant(threshold)
    weights = np.ones(int(ranked.queries.sizes.max()))
    if k is not None:
        weights[k:] = 0.0
    value = np.minimum(expected_at_first(relevant, weights), 1.0)
    return summarize(value, relevant.total == 0, empty, per_query)


def f_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    beta: float = 1.0,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    r"""Weighted harmonic mean of precision and recall among the first ``k``.

    .. math:: F_\beta = \frac{(1 + \beta^2) P R}{\beta^2 P + R}

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    k : int, default=None
        Cut-off. None: the whole list, all that a run returned.
    beta : float, default=1.0
        How many times as important recall is, > 0 and finite.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: expected value over their orders; row order; lowest label first;
        trec_eval's rule, which needs ``docids``.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    f : float in [0, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, ``beta`` is not > 0 and finite, or
        an option is unknown.

    References
    ----------
    .. [1] Manning, Raghavan & Schütze, "Introduction to Information Retrieval", 2008,
       eq. (8.5).

    Examples
    --------
    >>> f_score([0, 1, 1, 1], [0.9, 0.5, 0.1, 0.0], k=2)
    0.4
    """
    check_k(k)
    if not 0 < beta < np.inf:
        raise ValueError(f"beta must be > 0 and finite; got {beta!r}.")
    ranked = rank_lists(y_true, y_score, qid, ties, docids)
    relevant = ranked.relevant(threshold)
    depth = ranked.n_returned if k is None else k
    size = depth + beta**2 * relevant.total  # P R / (β² P + R) is found / this
    value = (1.0 + beta**2) * relevant.in_top(depth) / np.maximum(size, 1.0)
    return summarize(value, relevant.total == 0, empty, per_query)


def r_precision_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Precision at rank R, where R is the number of relevant items of the list.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: expected value over their orders; row order; lowest label first;
        trec_eval's rule, which needs ``docids``.
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    r_precision : float in [0, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    References
    ----------
    .. [1] Manning, Raghavan & Schütze, "Introduction to Information Retrieval", 2008,
       section 8.4.

    Examples
    --------
    >>> r_precision_score([0, 1, 1, 0], [0.9, 0.5, 0.1, 0.0])
    0.5
    """
    ranked = rank_lists(y_true, y_score, qid, ties, docids)
    relevant = ranked.relevant(threshold)
    value = relevant.in_top(relevant.total.astype(np.intp))
    value = value / np.maximum(relevant.total, 1)
    return summarize(value, relevant.total == 0, empty, per_query)


def normalized_recall_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    cap: bool = False,
    threshold: float = 0.0,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Recall over the relevant items that the ranking holds at all.

    It tells a reranker's work from that of the retriever, whose pool may miss some
    relevant documents. Only a run evaluated with :func:`evaluate_run` can miss any;
    for rows of arrays it is :func:`recall_score`, unless ``cap`` is set.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    k : int, default=None
        Cut-off. None: the whole list, so 1.
    cap : bool, default=False
        Divide by at most ``k``, so that a perfect order is worth 1.
    threshold : float, default=0.0
        An item is relevant if its label is above it.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: expected value over their orders; row order; lowest label first;
        trec_eval's rule, which needs ``docids``.
    empty : {"skip", 0, 1}, default="skip"
        Lists that hold no relevant item: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    recall : float in [0, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    References
    ----------
    .. [1] Agarwal et al., "LitLLMs, LLMs for literature review: are we there yet?",
       TMLR 2025.

    Examples
    --------
    >>> normalized_recall_score([0, 1, 1], [0.9, 0.5, 0.1], k=1)
    0.0
    >>> normalized_recall_score([1, 1, 0], [0.9, 0.5, 0.1], k=1, cap=True)
    1.0
    """
    check_k(k)
    ranked = rank_lists(y_true, y_score, qid, ties, docids)
    relevant = ranked.relevant(threshold)
    held = relevant.in_top(ranked.queries.sizes)
    z = held if k is None or not cap else np.minimum(held, k)
    value = relevant.in_top(ranked.queries.sizes if k is None else k)
    return summarize(value / np.maximum(z, 1), held == 0, empty, per_query)
