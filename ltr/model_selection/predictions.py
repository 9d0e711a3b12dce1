"""Out-of-fold scores: each row scored by a ranker that has not seen its query."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import sklearn
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from ltr.model_selection.scoring import (
    check_weighted_fits,
    predict_lists,
    sorted_params,
    splits_by_query,
    with_query_features,
)
from ltr.model_selection.splitters import QueryKFold, Split
from ltr.queries import FloatArray, IntArray, check_rows, group_queries


def cross_val_predict_ranker(
    ranker: Any,
    X: ArrayLike,
    y: ArrayLike,
    qid: ArrayLike,
    *,
    cv: int | BaseCrossValidator | Iterable[Split] = 5,
    fit_params: Mapping[str, ArrayLike] | None = None,
    n_jobs: int | None = None,
) -> FloatArray:
    """Score each row by a clone of the ranker that was fitted without its query.

    The scores of different folds come from different fits, so they are comparable
    within a list only: average metrics over queries, or normalize the scores within
    lists, before you use them across lists.

    Parameters
    ----------
    ranker : estimator
        A ranker, a pipeline that ends in one, or any regressor; it is cloned.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels.
    qid : array-like of shape (n_samples,)
        Query of each row, in any order.
    cv : int, splitter or iterable, default=5
        Number of folds for :class:`QueryKFold`; a splitter that keeps queries whole; or
        pairs of training and test rows. Each row must be in exactly one test part.
    fit_params : mapping of str to array-like, default=None
        Other inputs of ``fit``, as in :func:`cross_validate_ranker`: those with a value
        per row are split like ``X``.
    n_jobs : int, default=None
        Folds to fit in parallel, in processes that joblib starts afresh.

    Returns
    -------
    scores : float array of shape (n_samples,)
        In the order of the rows.

    Raises
    ------
    ValueError
        If the splitter splits a query, the test parts are no partition of the rows, or
        it cannot be told whether a fit parameter is per row.

    Examples
    --------
    >>> from ltr import SingleFeatureRanker
    >>> from ltr.datasets import make_ranking
    >>> from ltr.metrics import ndcg_score
    >>> data = make_ranking(n_queries=20, random_state=0)
    >>> ranker = SingleFeatureRanker()
    >>> scores = cross_val_predict_ranker(ranker, data.X, data.y, data.qid, cv=4)
    >>> 0.4 < ndcg_score(data.y, scores, qid=data.qid, k=10) < 0.6
    True
    """
    X, fit_params = with_query_features(X, qid, fit_params or {})
    table: Any = X if hasattr(X, "shape") else np.asarray(X)
    labels: Any = y if hasattr(y, "shape") else np.asarray(y)
    n_rows = int(table.shape[0])
    rowwise, whole = sorted_params(fit_params, n_rows)
    check_rows({"X": X, "y": y, "qid": qid, **rowwise})
    splitter = cv
    if isinstance(cv, numbers.Integral) and not isinstance(cv, bool):
        splitter = QueryKFold(int(cv))
    splits = splits_by_query(splitter, table, labels, qid)
    check_weighted_fits(rowwise, splits)
    n_tests = np.bincount(np.concatenate([t for _, t in splits]), minlength=n_rows)
    if (n_tests != 1).any():
        row = int((n_tests != 1).argmax())
        raise ValueError(
            "cv must have each row in exactly one test part, so that it gets one "
            f"score; got row {row} in {n_tests[row]} of them. Use QueryKFold."
        )
    if hasattr(table, "tocsr"):
        table = table.tocsr()  # the other formats have no rows to take
    rowwise["qid"] = group_queries(qid, n_rows).codes
    parts = Parallel(n_jobs=n_jobs)(
        delayed(_scores_of_fold)(
            clone(ranker), table, labels, rowwise, whole, train, test
        )
        for train, test in splits
    )
    scores = np.empty(n_rows)
    for (_, test), part in zip(splits, parts, strict=True):
        scores[test] = part
    return scores


def _scores_of_fold(
    ranker: Any,
    X: Any,
    y: Any,
    rowwise: Mapping[str, Any],
    whole: Mapping[str, Any],
    train: IntArray,
    test: IntArray,
) -> FloatArray:
    """Fit on some rows, score others."""
    by_row = {name: _safe_indexing(value, train) for name, value in rowwise.items()}
    with sklearn.config_context(enable_metadata_routing=True):
        takes_qid = ranker.get_metadata_routing().consumes("fit", ["qid"])
        if not takes_qid:
            del by_row["qid"]
        ranker.fit(
            _safe_indexing(X, train), _safe_indexing(y, train), **by_row, **whole
        )
        qid = _safe_indexing(rowwise["qid"], test)
        scores = predict_lists(ranker, _safe_indexing(X, test), qid)
    return np.asarray(scores, dtype=np.float64)
