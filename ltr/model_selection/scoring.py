"""Scoring by query inside scikit-learn's searches, and cross-validation by query."""

from __future__ import annotations

import inspect
import numbers
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sklearn
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.metadata_routing import MetadataRequest

from ltr.arguments import ArgumentError, plain
from ltr.metrics import get_metric
from ltr.metrics.labels import check_metric_takes_labels
from ltr.metrics.names import Metric, MetricLike, get_metrics
from ltr.model_selection.splitters import QueryKFold, Split
from ltr.queries import FloatArray, Queries, check_rows, group_queries
from ltr.row_values import weights_of_queries

# inputs of fit with a value per row
_ROWWISE = {"sample_weight", "query_weight", "teacher_scores", "reference_scores"}
_ROWWISE |= {"position"}


class RankingScorer:
    """Scorer for scikit-learn that passes ``qid`` to ``predict`` and to the metric.

    Made by :func:`make_ranking_scorer`.
    """

    def __init__(self, metric: MetricLike, options: Mapping[str, Any]) -> None:
        self._metric = get_metric(metric, **options)
        self._weights: bool | str = False  # what is requested as ``query_weight``

    def __call__(
        self,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        qid: ArrayLike | None = None,
        query_weight: ArrayLike | None = None,
    ) -> float:
        """Mean metric of ``estimator`` over the queries of ``X``."""
        if qid is None:
            raise ValueError(
                f"scoring by {self._metric.name!r} needs the query of each row; got "
                "qid=None. Enable metadata routing "
                "(sklearn.set_config(enable_metadata_routing=True)) and pass qid to "
                "fit of a search or as params={'qid': qid} to cross_validate, or use "
                "ltr.model_selection.cross_validate_ranker."
            )
        check_rows({"X": X, "y": y, "qid": qid, "query_weight": query_weight})
        scores = predict_lists(estimator, X, qid)
        return self._metric(y, scores, qid, query_weight=query_weight)

    def set_score_request(self, *, query_weight: bool | str) -> RankingScorer:
        """Say whether the mean is weighted by the ``query_weight`` of a search.

        Parameters
        ----------
        query_weight : bool or str
            True: ``query_weight`` of ``search.fit`` weights the metric, too. False, as
            in a new scorer: it does not. A name: the argument that does.

        Returns
        -------
        scorer : RankingScorer
            Itself.
        """
        self._weights = query_weight
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Request ``qid`` for scoring, and weights if they were asked for."""
        request = MetadataRequest(owner=self)
        request.score.add_request(param="qid", alias=True)
        request.score.add_request(param="query_weight", alias=self._weights)
        return request

    def __repr__(self) -> str:
        return f"make_ranking_scorer({self._metric.name!r})"


def predict_lists(estimator: Any, X: ArrayLike, qid: ArrayLike | None) -> Any:
    """Scores of a fitted ranker, or of any regressor.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : array-like of shape (n_samples, n_features)
        Features.
    qid : array-like of shape (n_samples,) or None
        Query of each row; passed on if ``predict`` takes it.

    Returns
    -------
    scores : array of shape (n_samples,)

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> predict_lists(LinearRegression().fit([[0], [1]], [0, 1]), [[2]], ["a"]).round(2)
    array([2.])
    """
    check_rows({"X": X, "qid": qid})
    takes_qid = estimator.get_metadata_routing().consumes("predict", ["qid"])
    return estimator.predict(X, qid=qid) if takes_qid else estimator.predict(X)


def make_ranking_scorer(metric: MetricLike, **options: Any) -> RankingScorer:
    """Make a scorer that scores by query.

    Parameters
    ----------
    metric : str or callable
        Metric for :func:`ltr.metrics.get_metric`, such as ``"ndcg@10"``.
    **options : dict
        Options of the metric: ``gain``, ``empty``, ….

    Returns
    -------
    scorer : callable
        For ``scoring=`` of GridSearchCV, cross_validate, RFECV, …, with metadata
        routing enabled. Without ``qid`` it raises instead of scoring a fold as one
        query. After ``scorer.set_score_request(query_weight=True)`` the
        ``query_weight`` of a search weights the metric, as it weights the fits.

    Raises
    ------
    ValueError
        If the metric is unknown.

    Examples
    --------
    >>> make_ranking_scorer("ndcg@10", empty=0)
    make_ranking_scorer('ndcg@10')
    """
    return RankingScorer(metric, options)


def cross_validate_ranker(
    ranker: Any,
    X: ArrayLike,
    y: ArrayLike,
    qid: ArrayLike,
    *,
    cv: int | BaseCrossValidator | Iterable[Split] = 5,
    metrics: MetricLike | Sequence[MetricLike] | None = None,
    fit_params: Mapping[str, ArrayLike] | None = None,
    query_weight: ArrayLike | None = None,
    n_jobs: int | None = None,
    return_estimator: bool = False,
) -> dict[str, NDArray[Any]]:
    """Cross-validate by query, with ``qid`` in splitting, fitting and scoring.

    Parameters
    ----------
    ranker : estimator
        A ranker, a pipeline that ends in one, or any regressor.
    X : array-like of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels.
    qid : array-like of shape (n_samples,)
        Query of each row, in any order.
    cv : int, splitter or iterable, default=5
        Number of folds for :class:`QueryKFold`; a splitter that keeps queries whole,
        from this module or elsewhere, such as scikit-learn's GroupKFold; or pairs of
        training and test rows.
    metrics : str, callable or sequence of them, default=None
        Metrics for :func:`ltr.metrics.get_metric`. None: the ``metric`` of the ranker,
        or of the last step of a pipeline; of an AutoRanker the one that it chooses for
        the labels.
    fit_params : mapping of str to array-like, default=None
        Other inputs of ``fit``. ``sample_weight``, ``query_weight``,
        ``teacher_scores``, ``reference_scores`` and ``position`` have a value per row
        and are split like ``X``. Validation data (``X_val``, ``y_val``, ``qid_val``)
        go to the fit of every fold as they are. ``query_features`` are joined to ``X``
        first, see :func:`ltr.rankers.join_query_features`.
    query_weight : array-like of shape (n_samples,), default=None
        Weight of each row's query in the metrics; constant within a query. For weighted
        fits pass ``fit_params={"query_weight": …}``. None: each query counts once.
    n_jobs : int, default=None
        Folds to fit in parallel, in processes that joblib starts afresh. (A process
        that is *forked* after JAX or LightGBM has run may hang: so in pools of your own
        use the start method "spawn", or joblib's default "loky".)
    return_estimator : bool, default=False
        Whether to return the fitted rankers.

    Returns
    -------
    result : dict of str to array of shape (n_folds,)
        ``test_<metric>``, ``fit_time``, ``score_time``, and ``estimator`` if asked for.

    Raises
    ------
    ValueError
        Before any fit: if the splitter splits a query, a metric cannot score the
        labels, ``metrics`` is None for an estimator without a metric of its own, it
        cannot be told whether a fit parameter is per row, or a weight is invalid.

    Examples
    --------
    >>> from ltr import NeuralRanker
    >>> from ltr.datasets import make_ranking
    >>> data = make_ranking(n_queries=20, random_state=0)
    >>> ranker = NeuralRanker("ranknet", "linear", max_epochs=5, random_state=0)
    >>> result = cross_validate_ranker(ranker, data.X, data.y, data.qid, cv=2)
    >>> result["test_ndcg@10"].shape
    (2,)
    """
    X, fit_params = with_query_features(X, qid, fit_params or {})
    n_rows = np.shape(X)[0]
    rowwise, whole = sorted_params(fit_params, n_rows)
    check_rows({"X": X, "y": y, "qid": qid, **rowwise})
    splitter = cv
    if isinstance(cv, numbers.Integral) and not isinstance(cv, bool):
        splitter = QueryKFold(int(cv))
    splits = splits_by_query(splitter, X, y, qid)
    check_weighted_fits(rowwise, splits)
    queries = group_queries(qid, n_rows)
    measures = get_metrics(_own_metric(ranker, y) if metrics is None else metrics, {})
    _check_metrics(measures, y)
    rowwise["qid"] = queries.codes
    if query_weight is not None:
        check_rows({"X": X, "query_weight": query_weight})
        weights = weights_of_queries(query_weight, queries)
        _check_weighted_folds(weights, queries, splits)
        rowwise["metric_weight"] = weights[queries.codes]
    X, y, rowwise = _told_apart(X, y, rowwise, whole)
    with sklearn.config_context(enable_metadata_routing=True):
        result = cross_validate(
            ranker,
            X,
            y,
            cv=splits,
            scoring={
                metric.name: make_ranking_scorer(metric).set_score_request(
                    query_weight=False if query_weight is None else "metric_weight"
                )
                for metric in measures
            },
            params={**rowwise, **whole},
            n_jobs=n_jobs,
            return_estimator=return_estimator,
            error_score="raise",
        )
    return dict(result)


def with_query_features(
    X: Any, qid: ArrayLike, params: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Join the features of queries to ``X``, so that they follow its rows into folds.

    Parameters
    ----------
    X, qid : array-like
        The rows.
    params : mapping of str to object
        Inputs of ``fit`` besides ``X``, ``y`` and ``qid``.

    Returns
    -------
    X : array-like
        As it came if there are no such features.
    params : dict of str to object
        Without them; ``X_val`` has its own in it.
    """
    if not {"query_features", "query_features_val"} & set(params):
        return X, dict(params)
    from ltr.rankers.query_features import (
        check_validation_features,
        join_query_features,
    )

    others = dict(params)
    of_queries, of_validation = (
        others.pop(name, None) for name in ("query_features", "query_features_val")
    )
    check_validation_features(of_queries, of_validation, others.get("X_val"))
    if of_queries is not None:
        X = join_query_features(X, qid, of_queries)
    if of_validation is not None:
        tables = (others["X_val"], others.get("qid_val"), of_validation)
        others["X_val"] = join_query_features(*tables)
    return X, others


def sorted_params(
    params: Mapping[str, Any], n_rows: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters of fit with a value per row, and those that are passed whole.

    Parameters
    ----------
    params : mapping of str to object
        Inputs of ``fit`` besides ``X``, ``y`` and ``qid``.
    n_rows : int
        Rows of ``X``.

    Returns
    -------
    rowwise, whole : dict of str to object

    Raises
    ------
    ValueError
        If a parameter has another number of rows, or it cannot be told whether it is
        per row.
    """
    rowwise, whole = {}, {}
    for name, value in params.items():
        n_values = _length(value)
        if name in _ROWWISE and value is not None:
            if n_values != n_rows:
                raise ValueError(
                    f"fit_params[{name!r}] must have one value for each of the "
                    f"{n_rows} rows of X; got {n_values}."
                )
            rowwise[name] = value
        elif n_values == n_rows and not name.endswith("_val"):
            raise ValueError(
                f"fit_params[{name!r}] has as many values as X has rows, but "
                "cross_validate_ranker splits no other parameters than "
                f"{', '.join(sorted(_ROWWISE))}. Pass it to "
                "sklearn.model_selection.cross_validate with "
                "scoring=make_ranking_scorer(...), which splits it by its length."
            )
        else:
            whole[name] = value
    return rowwise, whole


def check_weighted_fits(rowwise: Mapping[str, Any], splits: Sequence[Split]) -> None:
    """Raise if all rows of a training part have weight 0.

    Parameters
    ----------
    rowwise : mapping of str to array-like of shape (n_samples,)
        Inputs of ``fit``, of which those of weights are read.
    splits : sequence of (train, test)
        Rows of the folds.

    Raises
    ------
    ValueError
        The message says in which fold.
    """
    for name in ("sample_weight", "query_weight"):
        weights = np.asarray(rowwise.get(name, 1.0))
        if weights.ndim != 1 or not weights.any():  # fit says what is wrong
            continue
        for fold, (train, _) in enumerate(splits):
            if not weights[train].any():
                raise ValueError(
                    f"{name} must have a weight above zero in each training part; got "
                    f"only zeros in that of fold {fold}. Leave rows of weight 0 out, "
                    "or weight more queries."
                )


def _check_weighted_folds(
    weights: FloatArray, queries: Queries, splits: Sequence[Split]
) -> None:
    """Raise if all queries of a test part have weight 0."""
    for fold, (_, test) in enumerate(splits):
        if not weights[queries.codes[test]].any():
            raise ValueError(
                "query_weight must have a weight above zero in each test part; got "
                f"only zeros in fold {fold}. Take fewer folds, or leave these queries "
                "out."
            )


def _told_apart(
    X: Any, y: Any, rowwise: dict[str, Any], whole: Mapping[str, Any]
) -> tuple[Any, Any, dict[str, Any]]:
    """Add rows that are in no fold, until no whole parameter has as many rows.

    scikit-learn splits every parameter with as many rows as X.
    """
    n_rows, lengths = np.shape(X)[0], {_length(value) for value in whole.values()}
    n = n_rows
    while n in lengths:
        n += 1
    if n == n_rows:
        return X, y, rowwise
    rows = np.r_[np.arange(n_rows), np.zeros(n - n_rows, dtype=np.intp)]
    longer = {name: _safe_indexing(value, rows) for name, value in rowwise.items()}
    return _safe_indexing(X, rows), _safe_indexing(y, rows), longer


def _length(value: Any) -> int | None:
    """Number of rows; None for what has none, such as a number or a text."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return int(shape[0]) if shape else None
    return len(value) if isinstance(value, Sequence) else None


def _check_metrics(metrics: Sequence[Metric], y: Any) -> None:
    """Raise if one of them cannot score the labels; fit says what else is wrong."""
    labels = np.asarray(y)
    is_number = labels.dtype.kind in "biuf" and labels.ndim == 1 and len(labels) > 0
    if is_number and np.isfinite(labels).all():
        for metric in metrics:
            check_metric_takes_labels(metric, labels.astype(np.float64))


def _own_metric(ranker: Any, y: Any) -> MetricLike:
    """The parameter ``metric`` of a ranker, or of the last step of a pipeline."""
    last = ranker
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    is_ranker = get_tags(last).estimator_type == "ranker"
    # in other estimators ``metric`` means something else, such as a distance
    metric: MetricLike | None = getattr(last, "metric", None) if is_ranker else None
    if hasattr(last, "metric_for"):
        return last.metric_for(y)
    if metric is None:
        raise ValueError(
            f"metrics must be given for an estimator without a metric of its own; got "
            f"None for {ranker!r}. Pass metrics='ndcg@10', say."
        )
    return metric


def _is_pair(split: Any) -> bool:
    return isinstance(split, (tuple, list)) and len(split) == 2


def splits_by_query(cv: Any, X: ArrayLike, y: ArrayLike, qid: ArrayLike) -> list[Split]:
    """Rows of the folds; an error if a query is on both sides of one.

    Parameters
    ----------
    cv : splitter or iterable of pairs
        How to split.
    X, y, qid : array-like
        The rows.

    Returns
    -------
    splits : list of (train, test)

    Raises
    ------
    ValueError
        If ``cv`` is something else, or splits a query.
    """
    queries = group_queries(qid, np.shape(X)[0])
    if not hasattr(cv, "split") or isinstance(cv, str):
        is_iterable = hasattr(cv, "__iter__") and not isinstance(cv, (str, Mapping))
        splits = list(cv) if is_iterable else []
        if not splits or any(not _is_pair(split) for split in splits):
            raise ArgumentError(
                "cv must be a number of folds, a splitter, or pairs of rows; got "
                f"{cv!r}."
            )
    elif "qid" in inspect.signature(cv.split).parameters:
        splits = list(cv.split(X, y, qid=qid))
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The groups parameter is ignored")
            splits = list(cv.split(X, y, queries.codes))
    for fold, (train, test) in enumerate(splits):
        cut_queries = np.intersect1d(queries.codes[train], queries.codes[test])
        if len(cut_queries):
            example, n_others = queries.ids[cut_queries[0]], len(cut_queries) - 1
            others = f" and of {n_others} other quer{'y' if n_others == 1 else 'ies'}"
            raise ValueError(
                f"cv must keep queries whole; got {cv!r}, which has rows of qid "
                f"{plain(example)!r}{others if n_others else ''} on both sides of fold "
                f"{fold}. Use ltr.model_selection.QueryKFold."
            )
    return splits
