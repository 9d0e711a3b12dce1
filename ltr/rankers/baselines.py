"""Rankers that every other one must beat: a random order, and one feature."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ltr.metrics import get_metric
from ltr.metrics.labels import check_metric_takes_labels
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray, group_queries
from ltr.rankers.base import BaseRanker
from ltr.rankers.features import (
    check_finite_sparse,
    check_finite_X,
    read_X,
)
from ltr.rankers.inputs import training_set
from ltr.rankers.single_feature import numbers_of, single_feature_scores


class RandomRanker(BaseRanker):
    """A random order, in expectation: all scores are equal.

    Metrics take the expected value over the orders of equal scores, so the constant
    score is worth exactly what a random order is worth on average. The features are
    ignored: only their number and names must be those of ``fit``.

    Parameters
    ----------
    metric : str or callable, default="ndcg@10"
        Metric for :func:`ltr.metrics.get_metric`: what ``score`` returns.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.

    Examples
    --------
    >>> import numpy as np
    >>> ranker = RandomRanker().fit(np.zeros((3, 1)), [2, 1, 0])
    >>> round(ranker.score(np.zeros((3, 1)), [2, 1, 0]), 4)
    0.7825
    """

    def __init__(self, metric: MetricLike = "ndcg@10") -> None:
        self.metric = metric

    def fit(
        self, X: ArrayLike, y: ArrayLike, qid: ArrayLike | None = None
    ) -> RandomRanker:
        """Remember the features.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: one query.

        Returns
        -------
        self : RandomRanker
        """
        get_metric(self.metric)
        features = read_X(self, X, _ignored, reset=True, accept_sparse=True)
        training_set(features, y, qid, index_of=X)
        self._fitted_with_qid = qid is not None
        return self

    def predict(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Score every item 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row.

        Returns
        -------
        scores : float array of shape (n_samples,)
        """
        check_is_fitted(self)
        features = read_X(self, X, _ignored, reset=False, accept_sparse=True)
        return np.zeros(group_queries(qid, features.shape[0], rows=X).n_samples)

    def __sklearn_tags__(self) -> Any:
        return _takes_what_trees_take(super().__sklearn_tags__())


class SingleFeatureRanker(BaseRanker):
    """The single feature, ascending or descending, that ranks the training lists best.

    Items without a value come after all others, in either direction. A column of
    category dtype has no order: it counts as a feature without values, which is worth a
    random order.

    Parameters
    ----------
    metric : str or callable, default="ndcg@10"
        Metric for :func:`ltr.metrics.get_metric`: it selects the feature, and is what
        ``score`` returns.

    Attributes
    ----------
    feature_ : int
        The chosen column.
    direction_ : int
        1 if higher is better, −1 if lower is.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 3.0], [1.0, 2.0], [0.0, 1.0]])
    >>> ranker = SingleFeatureRanker().fit(X, [0, 1, 2])
    >>> ranker.feature_, ranker.direction_
    (1, -1)
    """

    _set_by_fit: ClassVar[str] = "feature_"

    def __init__(self, metric: MetricLike = "ndcg@10") -> None:
        self.metric = metric

    def fit(
        self, X: ArrayLike, y: ArrayLike, qid: ArrayLike | None = None
    ) -> SingleFeatureRanker:
        """Choose the feature.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features; NaN is a missing value.
        y : array-like of shape (n_samples,)
            Labels.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: one query.

        Returns
        -------
        self : SingleFeatureRanker
            The first of several equally good features, with direction 1 before −1.

        Raises
        ------
        ValueError
            If an input is invalid, or a label does not fit the metric.
        """
        get_metric(self.metric)
        features = self._features(X, reset=True)
        data = training_set(features, y, qid, index_of=X)
        check_metric_takes_labels(self.metric, data.y)
        self._fitted_with_qid = qid is not None
        metric = get_metric(self.metric, empty=0)
        values = np.array(
            [
                [
                    metric(
                        data.y,
                        single_feature_scores(data.X, feature, sign),
                        data.queries,
                    )
                    for sign in (1, -1)
                ]
                for feature in range(self.n_features_in_)
            ]
        )
        feature, downwards = np.unravel_index(int(values.argmax()), values.shape)
        self.feature_ = int(feature)
        self.direction_ = -1 if downwards else 1
        return self

    def predict(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Return the chosen feature, with its sign.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row.

        Returns
        -------
        scores : float array of shape (n_samples,)
            −inf for an item without a value.
        """
        check_is_fitted(self)
        features = self._features(X, reset=False)
        group_queries(qid, features.shape[0], rows=X)  # raises if qid does not fit
        return single_feature_scores(features, self.feature_, self.direction_)

    def _features(self, X: ArrayLike, *, reset: bool) -> Any:
        """Float array or CSC matrix; NaN where there is no value to sort by."""
        features = read_X(self, X, numbers_of, reset=reset, accept_sparse=True)
        if isinstance(features, np.ndarray):
            check_finite_X(self, features, allow_nan=True)
            return features
        check_finite_sparse(features)
        return features.tocsc()

    def __sklearn_tags__(self) -> Any:
        return _takes_what_trees_take(super().__sklearn_tags__())


def _ignored(frame: Any) -> FloatArray:
    """Zeros in place of a DataFrame whose values do not matter."""
    return np.zeros(frame.shape)


def _takes_what_trees_take(tags: Any) -> Any:
    """The tags of :class:`LambdaMARTRanker`, so that a comparison has its baselines."""
    tags.input_tags.allow_nan = True
    tags.input_tags.sparse = True
    tags.input_tags.categorical = True
    return tags
