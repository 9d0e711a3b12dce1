"""What predicts in a serving process: the state of a saved ranker, without estimators.

Each class computes what ``predict`` of its estimator does, by the same functions, so
that the scores are equal bit by bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from ltr.queries import FloatArray, check_rows, group_queries
from ltr.rankers.blend.normalization import (
    Normalization,
    mean_score,
    normalize_scores,
    weighted_mean,
)
from ltr.rankers.columns import Columns
from ltr.rankers.features import (
    CATEGORY_CURE,
    TEXT_CURE,
    as_pandas,
    check_dense_X,
    check_finite_sparse,
    check_finite_X,
    frame_values,
    read_dense_X,
    read_X,
    values_without,
)
from ltr.rankers.inputs import warn_if_many
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.neural.scaling import Scaling, linear_scores
from ltr.rankers.single_feature import numbers_of, single_feature_scores
from ltr.rankers.threads import n_threads_for
from ltr.rankers.trees.feature_tables import Categories, check_table
from ltr.serving.trees import Trees


@dataclass(frozen=True)
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

    @abstractmethod
    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As ``predict`` of the estimator."""

    def _warn_if_many(self, n_samples: int, qid: Any) -> None:
        warn_if_many(n_samples, qid, self.fitted_with_qid)


@dataclass(frozen=True)
class NeuralScoring(Scoring):
    """A scorer of items."""

    fitted: FittedScorer

    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As :meth:`ltr.NeuralRanker.predict`."""
        features = check_dense_X(self.columns, X, reset=False)
        queries = group_queries(qid, len(features), rows=X)
        if self.fitted.uses_list:
            self._warn_if_many(len(features), qid)
        return self.fitted.scores(features, queries)


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class TreeScoring(Scoring):
    """Boosted trees."""

    trees: Trees
    categories: Categories
    n_trees: int
    n_jobs: int | None

    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As :meth:`ltr.LambdaMARTRanker.predict`."""
        columns: Any = self.columns
        table = check_table(columns, X, reset=False, categories=self.categories)
        group_queries(qid, table.shape[0], rows=X)
        if not table.shape[0]:
            return np.zeros(0)
        threads = n_threads_for(table.shape[0], self.n_trees, self.n_jobs)
        return self.trees.predict(table, self.n_trees, threads)


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class NumericScoring(Scoring):
    """Another scoring of the numeric columns, missing values filled in."""

    member: Scoring
    numeric: tuple[int, ...]
    medians: FloatArray

    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As ``NumericRanker.predict``."""
        skipped = sorted({*range(self.columns.n_features_in_)} - {*self.numeric})
        table = read_dense_X(
            self.columns,
            as_pandas(X),
            lambda frame: values_without(frame, skipped, TEXT_CURE),
            reset=False,
        )
        features = table[:, list(self.numeric)]
        filled = np.where(np.isnan(features), self.medians, features)
        return self.member.predict(filled, qid)


@dataclass(frozen=True)
class BlendScoring(Scoring):
    """Normalized scores of members: their mean, or what a final member makes of them.

    Attributes
    ----------
    members : tuple of Scoring
        The members.
    names : tuple of str
        Their names.
    normalize : {"zscore", "rank", "minmax"}
        What makes their scores comparable.
    weights : tuple of float or None
        Weights of the mean; None: equal ones.
    final : Scoring or None
        What takes the scores as features; None: the mean.
    """

    members: tuple[Scoring, ...]
    names: tuple[str, ...]
    normalize: Normalization
    weights: tuple[float, ...] | None
    final: Scoring | None

    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """As the ``predict`` of blends."""
        check_rows({"X": X, "qid": qid})
        shape, expected = np.shape(X), self.columns.n_features_in_
        if len(shape) == 2 and shape[1] != expected:
            raise ValueError(
                f"X has {shape[1]} features, but {self.columns.owner} is expecting "
                f"{expected} features as input."
            )
        scores = [
            _scores_of(name, member, X, qid)
            for name, member in zip(self.names, self.members, strict=True)
        ]
        self._warn_if_many(len(scores[0]), qid)
        queries = group_queries(qid, len(scores[0]), rows=X)
        table = np.column_stack(
            [normalize_scores(s, queries, self.normalize) for s in scores]
        )
        if self.final is not None:
            if not len(table):
                return np.zeros(0)
            return _scores_of("final_ranker", self.final, table, qid)
        if self.weights is None:
            return mean_score(table)
        return weighted_mean(table, self.weights)


def _scores_of(name: str, member: Scoring, X: Any, qid: Any) -> FloatArray:
    """Scores of a member; an error if one is NaN."""
    try:
        scores = member.predict(X, qid)
    except Exception as error:
        error.add_note(f"In member {name!r} of the blend.")
        raise
    if np.isnan(scores).any():
        raise ValueError(
            f"member {name!r} must give one score per row; got scores of shape "
            f"{scores.shape}, {int(np.isnan(scores).sum())} of them NaN. Fit it again, "
            "or leave it out."
        )
    return scores
