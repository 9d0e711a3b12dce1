"""What all rankers share: rank, score, tags, and the routing of ``qid``."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from importlib.metadata import version
from typing import Any, ClassVar

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ltr.atomic import AtomicFit
from ltr.metrics import get_metric
from ltr.metrics.labels import check_metric_takes_labels
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray, IntArray, Queries, check_rows
from ltr.rankers.ranks import check_cut_off, lists_of, order_rows, rank_rows
from ltr.rankers.warning import warn_if_many
from ltr.row_values import check_column

_FIT_REQUESTS = {
    "qid": True,
    "sample_weight": True,
    "query_weight": True,
    "teacher_scores": True,
    "reference_scores": True,
    "position": True,
    "X_val": True,
    "y_val": True,
    "qid_val": True,
}


class BaseRanker(AtomicFit, BaseEstimator, ABC):
    """Abstract base class of the rankers.

    A subclass has ``fit(X, y, qid=None, …)``, ``predict(X, qid=None)`` and a parameter
    ``metric``, and sets ``_fitted_with_qid`` in ``fit``. A fit that raises changes no
    attribute, see ``ltr.atomic.AtomicFit``.

    Notes
    -----
    ``qid`` and the other per-row inputs are *requested* by the class, so that with
    metadata routing enabled they reach ``fit``, ``predict`` and ``score`` inside
    scikit-learn's searches and pipelines without any ``set_fit_request``. The weights
    of a search, ``search.fit(…, query_weight=w)``, are those of the fits; after
    ``ranker.set_score_request(query_weight=True)`` they are those of ``score``, too.
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = _FIT_REQUESTS
    __metadata_request__partial_fit: ClassVar[dict[str, bool]] = {"qid": True}
    __metadata_request__predict: ClassVar[dict[str, bool]] = {"qid": True}
    __metadata_request__score: ClassVar[dict[str, bool]] = {
        "qid": True,
        "query_weight": False,  # set_score_request(query_weight=True) changes it
    }

    metric: MetricLike
    _fitted_with_qid: bool
    _column_names: list[Any] | None = None  # of a DataFrame, unless all are text
    _zero_based: bool | None = None  # the indices of LETOR files, from `ltr train`
    _set_by_fit: ClassVar[str] = "n_features_in_"  # no unfitted ranker has it

    @abstractmethod
    def predict(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Score items.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, or an empty list of candidates.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.

        Returns
        -------
        scores : float array of shape (n_samples,)
            Higher is better, in the order of the rows.
        """

    def rank(self, X: ArrayLike, qid: ArrayLike | None = None) -> IntArray:
        """Rank the items of every query.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.

        Returns
        -------
        ranks : int array of shape (n_samples,)
            1 for the best item of its query, in the order of the rows. Items with equal
            scores share the smallest rank (1, 2, 2, 4), so that the order of the rows
            does not matter.

        Raises
        ------
        ValueError
            If a score is NaN.

        Warns
        -----
        UserWarning
            If over 1000 rows are one query because ``qid`` is None, but ``fit`` was
            given one.
        """
        scores = self.predict(X, qid)
        return rank_rows(scores, self._lists_of(scores, qid))

    def order(
        self, X: ArrayLike, qid: ArrayLike | None = None, k: int | None = None
    ) -> IntArray:
        """Row numbers of every query, best first: ``X[ranker.order(X)]`` is sorted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, or an empty list of candidates.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        k : int, default=None
            Take the first k rows of each query, or all that it has. None: all.

        Returns
        -------
        rows : int array of shape (n_rows,)
            Query by query, by first appearance, and best first within a query. Items
            with equal scores stay in the order of the rows.

        Raises
        ------
        ValueError
            If ``k`` is no whole number ≥ 1, or as ``rank``.

        Warns
        -----
        UserWarning
            As ``rank``.

        Examples
        --------
        >>> import numpy as np
        >>> from ltr import SingleFeatureRanker
        >>> X, y = np.array([[1.0], [3.0], [2.0], [0.0]]), [0, 2, 1, 0]
        >>> ranker = SingleFeatureRanker().fit(X, y)
        >>> ranker.order(X), ranker.order(X, k=2)
        (array([1, 2, 0, 3]), array([1, 2]))
        >>> ranker.order(X, qid=["b", "a", "b", "a"], k=1)
        array([2, 1])
        """
        check_cut_off(k, qid)
        scores = self.predict(X, qid)
        return order_rows(scores, self._lists_of(scores, qid), k)

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        sample_weight: None = None,
        *,
        query_weight: ArrayLike | None = None,
    ) -> float:
        """Mean of ``metric`` over the queries.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        sample_weight : None
            Must be None: queries have weights, not rows. It is here because
            scikit-learn's Pipeline passes it.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query in the mean; constant within a query. None: each
            query counts once.

        Returns
        -------
        score : float
            Higher is better; queries without a relevant item are left out.

        Raises
        ------
        ValueError
            If ``qid`` is None although ``fit`` was given one, ``sample_weight`` is
            given, a label does not fit the metric, or ``query_weight`` is not constant
            within a query.
        """
        self._check_score(qid, sample_weight)
        check_rows({"X": X, "y": y, "qid": qid, "query_weight": query_weight})
        return self._mean_metric(y, self.predict(X, qid), qid, query_weight)

    def _check_score(self, qid: ArrayLike | None, sample_weight: None) -> None:
        if sample_weight is not None:
            raise ValueError(
                "score takes no sample_weight, because a metric has a value per query, "
                "not per row; got an array. Leave it out, or pass query_weight."
            )
        self._check_qid(qid, "score")

    def _lists_of(self, scores: FloatArray, qid: ArrayLike | None) -> Queries:
        """The lists that scores are sorted in; an error if a score is NaN."""
        return lists_of(scores, qid, self._fitted_with_qid)

    def _warn_if_many(self, n_samples: int, qid: ArrayLike | None) -> None:
        """Warn of one list so long that a qid was probably forgotten."""
        warn_if_many(n_samples, qid, self._fitted_with_qid)

    def _check_qid(self, qid: ArrayLike | None, method: str) -> None:
        """Raise if the ranker was fitted with a qid and ``method`` gets none."""
        check_is_fitted(self)
        if qid is None and self._fitted_with_qid:
            raise ValueError(
                f"{method} needs qid because fit was given one; got qid=None. Pass "
                "qid; in a search or pipeline, enable metadata routing "
                "(sklearn.set_config(enable_metadata_routing=True)) or use "
                "ltr.model_selection.cross_validate_ranker."
            )

    def _mean_metric(
        self,
        y: ArrayLike,
        scores: FloatArray,
        qid: ArrayLike | None,
        query_weight: ArrayLike | None,
    ) -> float:
        labels = check_column(y, "y", len(scores))
        if len(labels) == 0:
            raise ValueError("y must have at least one row to be scored; got none.")
        metric = get_metric(self._metric_of(labels))
        return metric(y, scores, qid, query_weight=query_weight)

    def _metric_of(self, labels: FloatArray) -> MetricLike:
        """The metric, which must be able to score these labels."""
        check_metric_takes_labels(self.metric, labels)
        return self.metric

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "ranker"
        tags.target_tags.required = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, self._set_by_fit)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_ltr_version": version("ltr")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("_ltr_version", None)
        if saved != version("ltr"):
            warnings.warn(
                f"This {type(self).__name__} was pickled by ltr {saved} and is loaded "
                f"by ltr {version('ltr')}; fit it again if it misbehaves.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)
