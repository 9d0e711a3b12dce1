"""What predicts in a serving process: the state of a saved ranker, without estimators.

Each class computes what ``predict`` of its estimator does, by the same functions, so
that the scores are equal bit by bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from ltr.queries import FloatArray, group_queries
from ltr.rankers.columns import Columns
from ltr.rankers.features import (
    CATEGORY_CURE,
    check_finite_sparse,
    check_finite_X,
    frame_values,
    read_dense_X,
    read_X,
)
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.neural.scaling import Scaling, linear_scores
from ltr.rankers.query_features import join_query_features
from ltr.rankers.single_feature import numbers_of, single_feature_scores
from ltr.rankers.sparse_features import check_X
from ltr.rankers.warning import warn_if_many


@dataclass(eq=False, repr=False)
class Scoring(ABC):
    """Scores of the rows of a table.

    Attributes
    ----------
    columns : Columns
        What ``X`` must be.
    fitted_with_qid : bool
        Whether ``fit`` was given a qid.
    """

    columns: Columns
    fitted_with_qid: bool

    @property
    def n_columns(self) -> int:
        """Number of columns of ``X``, with those that are no features."""
        return self.columns.n_features_in_

    @property
    def takes(self) -> tuple[str, ...]:
        """Names of the other inputs of ``predict``."""
        return ()

    @abstractmethod
    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As ``predict`` of the estimator."""

    def _warn_if_many(self, n_samples: int, qid: Any) -> None:
        warn_if_many(n_samples, qid, self.fitted_with_qid)


@dataclass(eq=False, repr=False)
class NeuralScoring(Scoring):
    """A scorer of items."""

    fitted: FittedScorer

    @property
    def takes(self) -> tuple[str, ...]:
        """Features of queries."""
        return ("query_features",)

    def predict(
        self, X: Any, qid: Any = None, *, query_features: Any = None, **inputs: Any
    ) -> FloatArray:
        """As :meth:`ltr.NeuralRanker.predict`."""
        if query_features is not None:
            X = join_query_features(X, qid, query_features)
        features = check_X(
            self.columns,
            X,
            reset=False,
            scorer=self.fitted.scorer,
            within_lists=self.fitted.scales_within_lists,
        )
        queries = group_queries(qid, features.shape[0], rows=X)
        if self.fitted.uses_list:
            self._warn_if_many(features.shape[0], qid)
        return self.fitted.scores(features, queries)


@dataclass(eq=False, repr=False)
class LinearScoring(Scoring):
    """A weighted sum of scaled features."""

    coef: FloatArray
    scaling: Scaling | None

    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As :meth:`ltr.LinearRanker.predict`."""
        features = read_dense_X(
            self.columns,
            X,
            lambda frame: frame_values(frame, CATEGORY_CURE),
            reset=False,
        )
        queries = group_queries(qid, len(features), rows=X)
        if self.scaling is not None and self.scaling.uses_list:
            self._warn_if_many(len(features), qid)
        return linear_scores(self.scaling, self.coef, features, queries)


@dataclass(eq=False, repr=False)
class ConstantScoring(Scoring):
    """Equal scores."""

    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As :meth:`ltr.RandomRanker.predict`."""
        features = read_X(
            self.columns,
            X,
            lambda frame: np.zeros(frame.shape),
            reset=False,
            accept_sparse=True,
        )
        group_queries(qid, features.shape[0], rows=X)
        return np.zeros(features.shape[0])


@dataclass(eq=False, repr=False)
class FeatureScoring(Scoring):
    """One feature with its sign."""

    feature: int
    direction: int

    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As :meth:`ltr.SingleFeatureRanker.predict`."""
        features = read_X(self.columns, X, numbers_of, reset=False, accept_sparse=True)
        if isinstance(features, np.ndarray):
            check_finite_X(self.columns, features, allow_nan=True)
        else:
            check_finite_sparse(features)
            features = features.tocsc()
        group_queries(qid, features.shape[0], rows=X)
        return single_feature_scores(features, self.feature, self.direction)
