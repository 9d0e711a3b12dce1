"""Blends in a serving process: scores of members, normalized and joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ltr.queries import FloatArray, check_rows, group_queries
from ltr.rankers.blend.normalization import (
    Normalization,
    mean_score,
    normalize_scores,
)
from ltr.rankers.features import TEXT_CURE, as_pandas, read_dense_X, values_without
from ltr.serving.scoring import Scoring


@dataclass(eq=False, repr=False)
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


@dataclass(eq=False, repr=False)
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
        return mean_score(table, self.weights)


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
