"""What a ranking is measured on: how much of it is judged, how much is relevant."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltr.metrics.ranked import Empty, Ties, check_k, rank_lists, summarize
from ltr.queries import FloatArray

_NO_DOCUMENT = "no list has a document"


def judged_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    k: int | None = None,
    ties: Ties = "average",
    empty: Empty = "skip",
    docids: ArrayLike | None = None,
    per_query: bool = False,
) -> FloatArray | float:
    """Share of the first ``k`` items that somebody judged.

    Where it is low, or differs between two runs, what a metric says of them depends on
    documents that nobody looked at. One minus it is trec_eval's ``unj``.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels; an item with a label below 0 is not judged.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    k : int, default=None
        Cut-off; a shorter list counts whole. None: the whole list.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Equal scores: expected value over their orders; row order; lowest label first;
        trec_eval's rule, which needs ``docids``.
    empty : {"skip", 0, 1}, default="skip"
        Lists for which nothing was returned: leave out, or count as 0 or 1.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    judged : float in [0, 1], or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or an option is unknown.

    Examples
    --------
    >>> judged_score([0, -1, 2], [0.9, 0.5, 0.1], k=2)
    0.5
    """
    check_k(k)
    ranked = rank_lists(y_true, y_score, qid, ties, docids)
    weights = np.ones(int(ranked.queries.sizes.max()))
    if k is not None:
        weights[k:] = 0.0
    is_judged = ranked.labels >= 0 if ranked.judged is None else ranked.judged
    value = ranked.sum_lists(ranked.expected_weight(weights) * is_judged)
    depth = ranked.n_returned if k is None else np.minimum(ranked.n_returned, k)
    value = np.minimum(value / np.maximum(depth, 1), 1.0)
    return summarize(value, depth == 0, empty, per_query, _NO_DOCUMENT)


def n_returned_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    empty: Empty = "skip",
    per_query: bool = False,
) -> FloatArray | float:
    """Number of items of a list, of documents that a run returned.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better.
    qid : array-like of shape (n_samples,), default=None
        List of each row, any order. None: one list.
    empty : {"skip", 0, 1}, default="skip"
        Lists for which nothing was returned: leave out, or count as 0 or 1.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    n_returned : float ≥ 0, or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    Examples
    --------
    >>> n_returned_score([0, 1, 1], [0.9, 0.5, 0.1])
    3.0
    """
    ranked = rank_lists(y_true, y_score, qid)
    value = ranked.n_returned.astype(np.float64)
    return summarize(value, value == 0, empty, per_query, _NO_DOCUMENT)


def n_relevant_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    qid: ArrayLike | None = None,
    threshold: float = 0.0,
    empty: Empty = "skip",
    per_query: bool = False,
) -> FloatArray | float:
    """Number of relevant items of a list, returned or not.

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
    empty : {"skip", 0, 1}, default="skip"
        Lists without a relevant item: leave out, or count as 0 or 1.
    per_query : bool, default=False
        Return one value per list.

    Returns
    -------
    n_relevant : float ≥ 0, or array of shape (n_lists,) if ``per_query``
        Mean over lists; per list in order of first appearance, skipped ones NaN.

    Raises
    ------
    ValueError
        If shapes differ or a value is not finite.

    Examples
    --------
    >>> n_relevant_score([0, 1, 1], [0.9, 0.5, 0.1])
    2.0
    """
    ranked = rank_lists(y_true, y_score, qid)
    total = ranked.relevant(threshold).total
    return summarize(total, total == 0, empty, per_query)
