"""StackingRanker: a ranker on the scores of other rankers."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import _num_samples

from ltr.arguments import ArgumentError, check_choice, check_whole
from ltr.metrics import get_metric
from ltr.metrics.names import MetricLike
from ltr.model_selection import QueryKFold, cross_val_predict_ranker
from ltr.model_selection.splitters import Split
from ltr.queries import FloatArray, Queries, group_queries
from ltr.rankers.blend.members import (
    MemberRanker,
    arguments_of_members,
    errors_of_member,
    fit_member,
    scores_of,
    taken_inputs,
)
from ltr.rankers.blend.normalization import NORMALIZATIONS, Normalization
from ltr.rankers.linear import LinearRanker


class StackingRanker(MemberRanker):
    """A final ranker on the scores of several rankers, normalized within each list.

    The final ranker learns from out-of-fold scores: each query is scored by members
    that were fitted without it. The members that ``predict`` uses are then fitted on
    all queries. The plain mean of :class:`VotingRanker` is a strong baseline, and four
    to five times as fast to fit; stacking pays where some members are useless, or with
    thousands of queries.

    Parameters
    ----------
    rankers : list of (str, estimator)
        Members by name, as in :class:`VotingRanker`.
    final_ranker : estimator, default=None
        Ranker whose features are the normalized scores, one column per member. None:
        :class:`ltr.LinearRanker`, whose ``coef_`` are the weights of the members.
    cv : int, splitter or iterable, default=5
        Folds of the out-of-fold scores: a number for
        :class:`ltr.model_selection.QueryKFold`, or as in
        :func:`ltr.model_selection.cross_val_predict_ranker`. A number above that of the
        queries is lowered to it; the rows of a single query are split instead.
    normalize : {"zscore", "rank", "minmax"}, default="zscore"
        Normalization within each list, as in :class:`VotingRanker`.
    n_jobs : int, default=None
        Fits in parallel, in processes of joblib. None: one after another.
    metric : str or callable, default="ndcg@10"
        Metric for :func:`ltr.metrics.get_metric`: what ``score`` returns.

    Attributes
    ----------
    rankers_ : list of estimator
        The members, fitted on all queries.
    named_rankers_ : Bunch
        The same by name.
    final_ranker_ : estimator
        The fitted final ranker.
    feature_importances_ : float array of shape (n_features,)
        Mean of the importances of the members that have them, weighted by those of the
        final ranker if it has some.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.

    See Also
    --------
    VotingRanker : The mean of the members.

    References
    ----------
    .. [1] Wolpert, "Stacked generalization", Neural Networks 5(2), 1992.

    Examples
    --------
    >>> from ltr import LambdaMARTRanker, NeuralRanker, StackingRanker
    >>> from ltr import SingleFeatureRanker
    >>> from ltr.datasets import make_ranking
    >>> data = make_ranking(n_queries=50, random_state=0)
    >>> trees = LambdaMARTRanker(n_estimators=20, random_state=0, n_jobs=1)
    >>> final = NeuralRanker("listnet", "linear", max_epochs=5, random_state=0)
    >>> stack = StackingRanker(
    ...     [("trees", trees), ("feature", SingleFeatureRanker())], final, cv=2
    ... )
    >>> stack.fit(data.X, data.y, data.qid).score(data.X, data.y, data.qid) > 0.7
    True
    >>> stack.final_ranker_.n_features_in_
    2
    """

    def __init__(
        self,
        rankers: list[tuple[str, Any]],
        final_ranker: Any = None,
        *,
        cv: int | BaseCrossValidator | Iterable[Split] = 5,
        normalize: Normalization = "zscore",
        n_jobs: int | None = None,
        metric: MetricLike = "ndcg@10",
    ) -> None:
        self.rankers = rankers
        self.final_ranker = final_ranker
        self.cv = cv
        self.normalize = normalize
        self.n_jobs = n_jobs
        self.metric = metric

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        query_weight: ArrayLike | None = None,
        teacher_scores: ArrayLike | None = None,
        reference_scores: ArrayLike | None = None,
        position: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        qid_val: ArrayLike | None = None,
    ) -> StackingRanker:
        """Fit the final ranker on out-of-fold scores, and the members on all rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features, of any kind that all members take.
        y : array-like of shape (n_samples,)
            Labels, higher is better.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights ≥ 0, which every member and the final ranker must take.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query, likewise.
        teacher_scores, reference_scores, position : array-like, default=None
            Further inputs by row, of the members that take them.
        X_val, y_val, qid_val : array-like, default=None
            Validation queries, for the members that stop early.

        Returns
        -------
        self : StackingRanker

        Raises
        ------
        ValueError
            If a parameter or an input is invalid. An error of a member has a note with
            the name of the member.
        """
        self._check_parameters()
        inputs = {
            "qid": qid,
            "sample_weight": sample_weight,
            "query_weight": query_weight,
            "teacher_scores": teacher_scores,
            "reference_scores": reference_scores,
            "position": position,
            "X_val": X_val,
            "y_val": y_val,
            "qid_val": qid_val,
        }
        final_ranker = self._unfitted_final_ranker()
        weights = {key: inputs[key] for key in ("sample_weight", "query_weight")}
        final = arguments_of_members([("final_ranker", final_ranker)], weights)
        # first, since the members check X, y and qid
        self._fit_members(X, y, inputs, self.n_jobs)
        queries = group_queries(qid, _num_samples(X))
        scores = self._out_of_fold(X, y, queries, inputs)
        arguments = final["final_ranker"]
        if qid is not None and taken_inputs(final_ranker, "fit", ["qid"]):
            arguments["qid"] = queries.codes
        self.final_ranker_ = fit_member(
            "final_ranker", clone(final_ranker), scores, y, arguments
        )
        return self

    def predict(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Score items.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.

        Returns
        -------
        scores : float array of shape (n_samples,)
            Of the final ranker.

        Raises
        ------
        ValueError
            If ``X`` does not fit a member.
        """
        columns = self.predict_members(X, qid)
        if not len(columns):
            return np.zeros(0)
        return scores_of("final_ranker", self.final_ranker_, columns, qid)

    @property
    def feature_importances_(self) -> FloatArray:
        """Mean of the members' importances, shape (n_features,)."""
        self._raise_unless_fitted("feature_importances_")
        final = getattr(self.final_ranker_, "feature_importances_", None)
        weights = np.ones(len(self.rankers_)) if final is None else np.asarray(final)
        return self._shared_importances(weights)

    def _out_of_fold(
        self, X: Any, y: Any, queries: Queries, inputs: Mapping[str, Any]
    ) -> FloatArray:
        """Normalized scores of members that have not seen the query of the row."""
        qid, cv = queries.codes, self.cv
        if queries.n_lists == 1:  # parts of the list in place of lists
            n_parts = int(self.cv) if isinstance(self.cv, numbers.Integral) else 5
            qid = np.arange(queries.n_samples) % n_parts
        n_queries = len(np.unique(qid))
        if isinstance(cv, numbers.Integral):
            cv = QueryKFold(min(int(cv), n_queries))
        n_folds: Any = getattr(cv, "n_splits", 0)
        if not isinstance(n_folds, (int, np.integer)):
            n_folds = 0
        if n_folds > n_queries >= 2:
            raise ValueError(
                f"cv must have at most as many folds as there are queries; got {cv!r} "
                f"and {n_queries} queries. Pass a number, cv=5, which is lowered to "
                "that of the queries."
            )
        if n_queries < 2:  # one row
            return np.zeros((queries.n_samples, len(self.rankers_)))
        by_row = {
            name: v if name.endswith("_val") else _per_row(v, len(qid))
            for name, v in inputs.items()
        }
        members = self._checked_members()
        columns = []
        for name, arguments in arguments_of_members(members, by_row).items():
            with errors_of_member(name):
                columns.append(
                    cross_val_predict_ranker(
                        dict(members)[name],
                        X,
                        y,
                        qid,
                        cv=cv,
                        fit_params={k: v for k, v in arguments.items() if k != "qid"},
                        n_jobs=self.n_jobs,
                    )
                )
        return self._normalized(columns, queries)

    def _check_parameters(self) -> None:
        self._checked_members()
        check_choice("normalize", self.normalize, NORMALIZATIONS)
        get_metric(self.metric)
        is_estimator = hasattr(self._unfitted_final_ranker(), "predict")
        if not is_estimator or isinstance(self.final_ranker, type):
            raise ArgumentError(
                "final_ranker must be an estimator with fit and predict, or None; got "
                f"{self.final_ranker!r:.100}. Pass NeuralRanker('listnet', 'linear')."
            )
        if not hasattr(self.cv, "split") and not isinstance(self.cv, Iterable):
            check_whole("cv", self.cv, low=2)

    def _unfitted_final_ranker(self) -> Any:
        return LinearRanker() if self.final_ranker is None else self.final_ranker


def _per_row(value: Any, n_rows: int) -> Any:
    """A value for each row, also in place of one for all, that has a length."""
    if value is None or hasattr(value, "iloc"):
        return value
    values = np.asarray(value)
    return np.full(n_rows, values) if values.ndim == 0 else values
