"""Scores of items by a trained network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ltr.queries import FloatArray, group_queries
from ltr.rankers.joined_inputs import QueryFeatureRanker
from ltr.rankers.neural.gradient import GradientRanker
from ltr.rankers.query_features import read_joined
from ltr.rankers.sparse_features import check_X


class ItemRanker(QueryFeatureRanker, GradientRanker):
    """Abstract: a ranker whose scorer gives each item a score.

    A subclass has a parameter ``scorer``.
    """

    scorer: Any

    def predict(
        self, X: ArrayLike, qid: ArrayLike | None = None, *, query_features: Any = None
    ) -> FloatArray:
        """Score items.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query. Read only by
            ``scorer="attention"`` and ``preprocess="query"``.
        query_features : array-like or DataFrame, default=None
            Features of the queries, as in ``fit``, which ``X`` then lacks. None: they
            are the first columns of ``X``, if the ranker was fitted with some.

        Returns
        -------
        scores : float array of shape (n_samples,)
            Higher is better, in the order of the rows. They are comparable within a
            list, and across lists only if the loss is pointwise.

        Raises
        ------
        ValueError
            If ``X`` has other columns than in ``fit``, or a value is not finite.
        NotFittedError
            If the ranker is not fitted.

        Warns
        -----
        UserWarning
            If the scorer or the scaling compares the items of a list, and over 1000
            rows are one because ``qid`` is None, but ``fit`` was given one.
        """
        check_is_fitted(self)
        fitted = self._learned_state.fitted
        if query_features is not None:
            features: Any = read_joined(self, X, qid, query_features, reset=False)
        else:
            features = check_X(
                self,
                X,
                reset=False,
                scorer=fitted.scorer,
                within_lists=fitted.scales_within_lists,
            )
        queries = group_queries(qid, features.shape[0], rows=X)
        if fitted.uses_list:
            self._warn_if_many(features.shape[0], qid)
        return fitted.scores(features, queries)

    @property
    def coef_(self) -> FloatArray:
        """Weights of the scaled features, shape (n_features,), if linear."""
        if self.scorer != "linear":
            raise AttributeError(
                f"coef_ exists only for scorer='linear'; got scorer={self.scorer!r}."
            )
        check_is_fitted(self)
        return np.asarray(self._learned_state.params.weight[:, 0], dtype=np.float64)
