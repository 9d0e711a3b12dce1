"""NumericRanker: any ranker on the numeric columns, with missing values filled in."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ltr.arguments import ArgumentError
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray
from ltr.rankers.base import BaseRanker
from ltr.rankers.blend.members import arguments_of_members
from ltr.rankers.features import (
    TEXT_CURE,
    as_pandas,
    category_columns,
    is_frame,
    read_dense_X,
    values_without,
)


class NumericRanker(BaseRanker):
    """A ranker that gets the numeric columns only, dense and without missing values.

    So that a linear or neural ranker can be a member of a blend beside trees, which
    take any table: columns of category dtype are left out, missing values are replaced
    by the median of their column in ``fit``, and sparse matrices become dense.

    Parameters
    ----------
    ranker : estimator
        A ranker of this library; ``fit`` fits a clone.

    Attributes
    ----------
    ranker_ : estimator
        The fitted ranker.
    columns_ : list of int
        Columns that it gets.
    medians_ : float array of shape (n_columns,)
        What replaces a missing value; 0 for a column without values.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.

    Examples
    --------
    >>> import pandas as pd
    >>> from ltr import SingleFeatureRanker
    >>> X = pd.DataFrame({"price": [1.0, None, 2.0], "color": ["a", "b", "a"]})
    >>> X = X.astype({"color": "category"})
    >>> NumericRanker(SingleFeatureRanker()).fit(X, [0, 1, 2]).columns_
    [0]
    """

    _set_by_fit: ClassVar[str] = "ranker_"

    def __init__(self, ranker: Any) -> None:
        self.ranker = ranker

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """As the ranker: it is what users know."""
        return str(self.ranker.__repr__(N_CHAR_MAX))

    @property
    def metric(self) -> MetricLike:  # type: ignore[override]
        """Metric of the ranker."""
        return self.ranker.metric

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        query_weight: ArrayLike | None = None,
    ) -> NumericRanker:
        """Fit a clone of the ranker on the numeric columns.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features; NaN is a missing value.
        y : array-like of shape (n_samples,)
            Labels, higher is better.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights ≥ 0.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query, constant within a query.

        Returns
        -------
        self : NumericRanker

        Raises
        ------
        ValueError
            If an input is invalid, or no column is numeric.
        """
        self._check_parameters()
        table = as_pandas(X)
        skipped = category_columns(table) if is_frame(table) else []
        features = self._features(table, skipped, reset=True)
        self.columns_ = [i for i in range(features.shape[1]) if i not in skipped]
        if not self.columns_:
            raise ValueError(
                f"X must have a numeric column; got {features.shape[1]} columns of "
                "category dtype. Use LambdaMARTRanker, which takes categories."
            )
        features = features[:, self.columns_]
        is_missing = np.isnan(features)
        values = np.where(is_missing.all(axis=0), 0.0, features)
        self.medians_ = np.nanmedian(values, axis=0).astype(np.float64)
        inputs = {"sample_weight": sample_weight, "query_weight": query_weight}
        arguments = arguments_of_members([("ranker", self.ranker)], inputs)["ranker"]
        self.ranker_ = clone(self.ranker).fit(
            np.where(is_missing, self.medians_, features), y, qid, **arguments
        )
        self._fitted_with_qid = qid is not None
        return self

    def predict(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Score items.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features; NaN is a missing value.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.

        Returns
        -------
        scores : float array of shape (n_samples,)
            Of the ranker.
        """
        return np.asarray(self.ranker_.predict(self.numeric_features(X), qid))

    def numeric_features(self, X: ArrayLike) -> FloatArray:
        """What the ranker gets of a table.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features; NaN is a missing value.

        Returns
        -------
        features : float array of shape (n_samples, n_columns)
            Numeric columns, medians where a value is missing.
        """
        check_is_fitted(self)
        skipped = sorted({*range(self.n_features_in_)} - {*self.columns_})
        features = self._features(as_pandas(X), skipped, reset=False)[:, self.columns_]
        return np.where(np.isnan(features), self.medians_, features)

    def _features(self, X: Any, skipped: list[int], *, reset: bool) -> FloatArray:
        """Dense features; NaN where a value is missing, and in columns left out."""
        return read_dense_X(
            self,
            X,
            lambda frame: values_without(frame, skipped, TEXT_CURE),
            reset=reset,
        )

    def _check_parameters(self) -> None:
        if not hasattr(self.ranker, "predict") or isinstance(self.ranker, type):
            raise ArgumentError(
                "ranker must be an estimator with fit and predict; got "
                f"{self.ranker!r:.100}. Pass a ranker, such as LinearRanker()."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        return tags
