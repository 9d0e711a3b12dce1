"""Rankers that every other one must beat: a random order, and one feature."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ltr.metrics import get_metric
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray, group_queries
from ltr.rankers.base import BaseRanker
from ltr.rankers.features import check_dense_X
from ltr.rankers.inputs import training_set
from ltr.rankers.validation import check_metric_takes_labels


class RandomRanker(BaseRanker):
    """A random order, in expectation: all scores are equal.

    Metrics take the expected value over the orders of equal scores, so the constant
    score is worth exactly what a random order is worth on average.

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
        X : array-like of shape (n_samples, n_features)
            Features, finite.
        y : array-like of shape (n_samples,)
            Labels.
        qid : array-like of shape (n_samples,), default=None
            Query of each row. None: one query.

        Returns
        -------
        self : RandomRanker
        """
        features = check_dense_X(self, X, reset=True)
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
        features = check_dense_X(self, X, reset=False)
        return np.zeros(group_queries(qid, len(features), rows=X).n_samples)


class SingleFeatureRanker(BaseRanker):
    """The single feature, ascending or descending, that ranks the training lists best.

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
        X : array-like of shape (n_samples, n_features)
            Features, finite.
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
        features = check_dense_X(self, X, reset=True)
        data = training_set(features, y, qid, index_of=X)
        check_metric_takes_labels(self.metric, data.y)
        self._fitted_with_qid = qid is not None
        metric = get_metric(self.metric, empty=0)
        values = np.array(
            [
                [metric(data.y, sign * column, data.queries) for sign in (1.0, -1.0)]
                for column in np.asarray(data.X, dtype=np.float64).T
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
        """
        check_is_fitted(self)
        features = check_dense_X(self, X, reset=False)
        group_queries(qid, len(features), rows=X)  # raises if qid does not fit
        return np.asarray(self.direction_ * features[:, self.feature_], np.float64)
