"""LinearRanker: least squares within lists, in closed form."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ltr.arguments import check_choice, check_number
from ltr.metrics import get_metric
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray, group_queries
from ltr.rankers.base import BaseRanker
from ltr.rankers.features import (
    CATEGORY_CURE,
    frame_values,
    read_dense_X,
)
from ltr.rankers.inputs import training_set, warn_if_no_order
from ltr.rankers.neural.scaling import (
    PREPROCESS,
    Preprocess,
    Scaling,
    fit_scaling,
    linear_scores,
    scaled_or_mean,
)
from ltr.rankers.neural.weights import named_weights
from ltr.rankers.ridge import fit_ridge
from ltr.within_lists import centered, z_scores


class LinearRanker(BaseRanker):
    """A ridge regression of differences within the list, in closed form.

    Items are scored by a weighted sum of their features, scaled within the list or over
    all rows. The weights predict, with least squares, how far the label of an item is
    above the mean of its query, in standard deviations: the levels of features and
    labels, which differ from query to query, teach nothing. It is fitted in a fraction
    of a second, and hard to beat on few queries.

    Parameters
    ----------
    alpha : float or "auto", default="auto"
        Penalty ≥ 0 of the squared weights, as in :class:`sklearn.linear_model.Ridge`.
        ``"auto"``: the one that predicts the labels of queries best that it was not
        fitted on (with labels that differ in one query only, of rows).
    preprocess : {"auto", "query", "standard", "log1p", None}, default="auto"
        Feature scaling. ``"query"``: z-scores within the list, as of the labels. The
        others scale all rows alike, as in :class:`NeuralRanker`, and the score of an
        item does not depend on its list. ``"auto"``: z-scores within the list if they
        predict queries better that were left out of the fit, otherwise over all rows,
        of logarithms where a feature has a heavy tail.
    metric : str or callable, default="ndcg@10"
        Metric for :func:`ltr.metrics.get_metric`: what ``score`` returns.

    Attributes
    ----------
    coef_ : float array of shape (n_features,)
        Weights of the scaled features. There is no intercept, which would not change
        any order.
    alpha_ : float
        The penalty.
    scales_within_lists_ : bool
        Whether the features are scaled within the list, so that ``predict`` reads
        ``qid``.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.

    See Also
    --------
    NeuralRanker : With ``scorer="linear"``, the same scores for any ranking loss.

    Notes
    -----
    A missing value (NaN) counts as the mean of its feature: in the list or in all rows,
    as the feature is scaled; with None, as 0.

    Each query has its own mean and deviation in the regression, as with the fixed
    effects of a panel. So a query whose labels are all equal pulls the weights towards
    0, and no monotone linear change of the labels of a query changes them.

    Examples
    --------
    >>> from ltr import LinearRanker
    >>> from ltr.datasets import make_ranking
    >>> train, test = make_ranking(60, random_state=0).train_test_split(random_state=0)
    >>> ranker = LinearRanker().fit(train.X, train.y, train.qid)
    >>> ranker.score(test.X, test.y, test.qid) > 0.6
    True
    """

    _set_by_fit: ClassVar[str] = "coef_"
    _scaling: Scaling | None

    def __init__(
        self,
        alpha: float | Literal["auto"] = "auto",
        *,
        preprocess: Preprocess = "auto",
        metric: MetricLike = "ndcg@10",
    ) -> None:
        self.alpha = alpha
        self.preprocess = preprocess
        self.metric = metric

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        query_weight: ArrayLike | None = None,
    ) -> LinearRanker:
        """Solve for the weights.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features; NaN is a missing value.
        y : array-like of shape (n_samples,)
            Labels, any real numbers, higher is better.
        qid : array-like of shape (n_samples,), default=None
            Query of each row: any hashable ids, in any order. None: one query.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights ≥ 0: weight 2 is the row twice in its list, weight 0 is no row.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query, constant within a query.

        Returns
        -------
        self : LinearRanker

        Raises
        ------
        ValueError
            If a parameter or an input is invalid; the message says what came and where.
        MemoryError
            If a sparse ``X`` as a dense one, or a matrix of all pairs of features,
            needs more memory than is available.

        Warns
        -----
        UserWarning
            If no list has two distinct labels, so that no order can be learned.
        """
        self._check_parameters()
        features = self._features(X, reset=True)
        data = training_set(
            features,
            y,
            qid,
            sample_weight=sample_weight,
            query_weight=query_weight,
            index_of=X,
        )
        warn_if_no_order(data)
        weights = data.weights
        if data.list_weights is not None:
            by_row = data.list_weights[data.queries.codes]
            weights = by_row if weights is None else by_row * weights
        features, labels, queries = data.X, data.y, data.queries
        if weights is not None and not weights.all():  # weight 0 is no row
            rows = np.flatnonzero(weights)
            features, labels, weights = features[rows], labels[rows], weights[rows]
            queries = group_queries(queries.codes[rows], len(rows))
        self._fitted_with_qid = qid is not None
        targets = z_scores(labels, queries, weights)
        alpha = None if isinstance(self.alpha, str) else self.alpha
        choices: list[Preprocess] = [self.preprocess]
        if self.preprocess == "auto" and data.informative_lists("two_labels").sum() > 1:
            choices.append("query")
        fits = []
        for preprocess in choices:
            scaling = fit_scaling(features, weights, preprocess)
            Z = scaled_or_mean(scaling, features, queries, weights)
            Z = centered(Z, queries, weights)
            fits.append((fit_ridge(Z, targets, queries, weights, alpha), scaling))
        ridge, self._scaling = min(fits, key=lambda fit: fit[0].error)
        self.coef_, self.alpha_ = ridge.coef, ridge.alpha
        return self

    def predict(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Score items.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features; NaN is a missing value.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query. Read only if the features
            are scaled within the list.

        Returns
        -------
        scores : float array of shape (n_samples,)
            Higher is better, in the order of the rows; comparable within a list.

        Raises
        ------
        ValueError
            If ``X`` has other columns than in ``fit``, or a value is infinite.
        NotFittedError
            If the ranker is not fitted.

        Warns
        -----
        UserWarning
            If features are scaled within the list, and over 1000 rows are one because
            ``qid`` is None, but ``fit`` was given one.
        """
        check_is_fitted(self)
        features = self._features(X, reset=False)
        queries = group_queries(qid, len(features), rows=X)
        if self.scales_within_lists_:
            self._warn_if_many(len(features), qid)
        return linear_scores(self._scaling, self.coef_, features, queries)

    @property
    def scales_within_lists_(self) -> bool:
        """Whether the features are scaled within the list."""
        check_is_fitted(self)
        return self._scaling is not None and self._scaling.uses_list

    @property
    def weights_(self) -> dict[str, NDArray[Any]]:
        """Arrays that ``predict`` computes with, as :class:`NeuralRanker` names them.

        ``"weight"`` of shape (n_features, 1) and, if all rows are scaled alike,
        ``"preprocess.log_features"``, ``"preprocess.mean"`` and ``"preprocess.scale"``.
        """
        check_is_fitted(self)
        return named_weights({"weight": self.coef_[:, None]}, self._scaling)

    def _check_parameters(self) -> None:
        if isinstance(self.alpha, str):
            check_choice("alpha", self.alpha, ("auto",), alternative="a number >= 0")
        else:
            check_number("alpha", self.alpha, low=0.0)
        check_choice("preprocess", self.preprocess, PREPROCESS)
        get_metric(self.metric)

    def _features(self, X: ArrayLike, *, reset: bool) -> FloatArray:
        """Dense features, NaN where a value is missing."""
        return read_dense_X(
            self, X, lambda frame: frame_values(frame, CATEGORY_CURE), reset=reset
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags
