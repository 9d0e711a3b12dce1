"""Linear and neural rankers seen from their scaled features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import FloatArray, Queries, group_queries
from ltr.rankers.features import (
    CATEGORY_CURE,
    check_dense_X,
    frame_values,
    read_dense_X,
)
from ltr.rankers.linear import LinearRanker
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.neural.neural import NeuralRanker
from ltr.rankers.neural.scaling import scaled_or_mean


class ScaledScores(NamedTuple):
    """Rows after ``preprocess``, and what scores them.

    Attributes
    ----------
    Z : float array of shape (n_samples, n_features)
        Scaled features; 0 is the mean of a feature, unless ``preprocess`` is None.
    queries : Queries
        Query of each row.
    coef : float array of shape (n_features,), or None
        Weights of the scaled features, if the scores are linear.
    constant : float
        Score of a row of zeros, if they are.
    fitted : FittedScorer or None
        What scores the scaled features, if they are not.
    """

    Z: FloatArray
    queries: Queries
    coef: FloatArray | None
    constant: float
    fitted: FittedScorer | None

    def score(self, Z: FloatArray, queries: Queries) -> FloatArray:
        """Scores of scaled rows, shape (n_samples,)."""
        if self.fitted is not None:
            return self.fitted.scores(Z, queries)
        coef = np.zeros(Z.shape[1]) if self.coef is None else self.coef
        return np.asarray(Z @ coef + self.constant)


def scaled_scores(
    ranker: LinearRanker | NeuralRanker, X: ArrayLike, qid: ArrayLike | None
) -> ScaledScores:
    """Scale rows as ``predict`` does.

    Parameters
    ----------
    ranker : LinearRanker or NeuralRanker
        Fitted.
    X : array-like of shape (n_samples, n_features)
        Features.
    qid : array-like of shape (n_samples,) or None
        Query of each row.

    Returns
    -------
    rows : ScaledScores

    Examples
    --------
    >>> ranker = LinearRanker(preprocess="standard").fit([[1.0], [3.0]], [0, 1])
    >>> scaled_scores(ranker, [[1.0], [3.0]], None).Z.tolist()
    [[-1.0], [1.0]]
    """
    if isinstance(ranker, LinearRanker):
        table = read_dense_X(
            ranker, X, lambda frame: frame_values(frame, CATEGORY_CURE), reset=False
        )
        queries = group_queries(qid, len(table), rows=X)
        Z = scaled_or_mean(ranker._scaling, table, queries)
        return ScaledScores(Z, queries, ranker.coef_, 0.0, None)
    features = check_dense_X(ranker, X, reset=False)
    queries = group_queries(qid, len(features), rows=X)
    fitted = ranker._learned_state.fitted
    Z = np.asarray(features, dtype=np.float64)
    if fitted.scaling is not None:
        Z = fitted.scaling.transform(Z, queries)
    if fitted.scorer.is_linear:
        weights = ranker.weights_
        constant = float(weights["bias"][0])
        return ScaledScores(Z, queries, weights["weight"][:, 0], constant, None)
    return ScaledScores(Z, queries, None, 0.0, fitted._replace(scaling=None))
