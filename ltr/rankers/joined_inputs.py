"""Methods of rankers that take the features of queries apart from those of items."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from ltr.queries import FloatArray, IntArray, check_rows
from ltr.rankers.base import BaseRanker
from ltr.rankers.ranks import check_cut_off, order_rows, rank_rows


class QueryFeatureRanker(BaseRanker):
    """Abstract: a ranker whose methods take ``query_features``.

    Its columns are those of ``query_features``, then those of ``X``, see
    :func:`ltr.rankers.join_query_features`.
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {
        "query_features": True,
        "query_features_val": True,
    }
    __metadata_request__predict: ClassVar[dict[str, bool]] = {"query_features": True}
    __metadata_request__score: ClassVar[dict[str, bool]] = {"query_features": True}

    @abstractmethod
    def predict(
        self, X: ArrayLike, qid: ArrayLike | None = None, *, query_features: Any = None
    ) -> FloatArray:
        """Score items, see :meth:`BaseRanker.predict`."""

    def rank(
        self, X: ArrayLike, qid: ArrayLike | None = None, *, query_features: Any = None
    ) -> IntArray:
        """Rank the items of every query, see :meth:`BaseRanker.rank`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        query_features : array-like or DataFrame, default=None
            As for ``predict``.

        Returns
        -------
        ranks : int array of shape (n_samples,)
            1 for the best item of its query, in the order of the rows. Items with equal
            scores share the smallest rank (1, 2, 2, 4).
        """
        scores = self.predict(X, qid, query_features=query_features)
        return rank_rows(scores, self._lists_of(scores, qid))

    def order(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        k: int | None = None,
        *,
        query_features: Any = None,
    ) -> IntArray:
        """Row numbers of every query, best first, see :meth:`BaseRanker.order`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        k : int, default=None
            Take the first k rows of each query, or all that it has. None: all.
        query_features : array-like or DataFrame, default=None
            As for ``predict``.

        Returns
        -------
        rows : int array of shape (n_rows,)
            Query by query, by first appearance, and best first within a query.
        """
        check_cut_off(k, qid)
        scores = self.predict(X, qid, query_features=query_features)
        return order_rows(scores, self._lists_of(scores, qid), k)

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        sample_weight: None = None,
        *,
        query_weight: ArrayLike | None = None,
        query_features: Any = None,
    ) -> float:
        """Mean of ``metric`` over the queries, see :meth:`BaseRanker.score`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        sample_weight : None
            Must be None: queries have weights, not rows.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query in the mean; constant within a query.
        query_features : array-like or DataFrame, default=None
            As for ``predict``.

        Returns
        -------
        score : float
            Higher is better; queries without a relevant item are left out.
        """
        self._check_score(qid, sample_weight)
        check_rows({"X": X, "y": y, "qid": qid, "query_weight": query_weight})
        scores = self.predict(X, qid, query_features=query_features)
        return self._mean_metric(y, scores, qid, query_weight)
