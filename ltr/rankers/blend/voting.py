"""VotingRanker: the mean of the scores of several rankers, normalized list by list."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_choice, check_number
from ltr.metrics import get_metric
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray
from ltr.rankers.blend.members import MemberRanker
from ltr.rankers.blend.normalization import NORMALIZATIONS, Normalization, mean_score
from ltr.row_values import scaled_weights


class VotingRanker(MemberRanker):
    """Mean of the scores of several rankers, made comparable within each list.

    Scores of different rankers have different scales, and the scale of one ranker
    differs between lists. So the scores of each member are normalized within each list
    before they are averaged. The plain mean of a few different rankers (linear, trees,
    a neural network) is mostly better than the best of them.

    Parameters
    ----------
    rankers : list of (str, estimator)
        Members by name: rankers of this library, pipelines that end in one, or other
        regressors. ``fit`` fits clones. ``"drop"`` in place of an estimator leaves it
        out, also in ``set_params(name="drop")``.
    weights : array-like of shape (n_rankers,), default=None
        Weight ≥ 0 of each ranker. None: all equal.
    normalize : {"zscore", "rank", "minmax"}, default="zscore"
        Within each list: (s − mean) / standard deviation; (n − rank) / (n − 1), with
        the mean rank of equal scores; or (s − min) / (max − min). A list with one item,
        or without spread, gets 0. An infinite score counts as one standard deviation
        beyond the finite ones.
    n_jobs : int, default=None
        Members to fit in parallel, in processes of joblib. None: one after another.
    metric : str or callable, default="ndcg@10"
        Metric for :func:`ltr.metrics.get_metric`: what ``score`` returns.

    Attributes
    ----------
    rankers_ : list of estimator
        The fitted members, without those that were dropped.
    named_rankers_ : Bunch
        The fitted members by name.
    feature_importances_ : float array of shape (n_features,)
        Weighted mean of the importances of the members that have them, with the sum 1.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.

    See Also
    --------
    StackingRanker : A ranker learns how to combine the members.
    ltr.fusion.comb_sum : The same for runs of retrieval systems.

    Notes
    -----
    The score of an item depends on its list: pass the ``qid`` of the rows to
    ``predict``, which takes them as one list otherwise.

    ``X``, ``sample_weight`` and ``query_weight`` reach every member, and it is an error
    if one takes no weights. Validation queries and other inputs reach the members that
    take them, of those with ``early_stopping`` all but the ones that set it to False.

    Examples
    --------
    >>> from ltr import LambdaMARTRanker, SingleFeatureRanker, VotingRanker
    >>> from ltr.datasets import make_ranking
    >>> data = make_ranking(n_queries=50, random_state=0)
    >>> trees = LambdaMARTRanker(n_estimators=20, random_state=0, n_jobs=1)
    >>> blend = VotingRanker([("trees", trees), ("feature", SingleFeatureRanker())])
    >>> blend.fit(data.X, data.y, data.qid).score(data.X, data.y, data.qid) > 0.7
    True
    >>> blend.set_params(feature="drop", trees__num_leaves=7).get_params()["trees"]
    LambdaMARTRanker(n_estimators=20, n_jobs=1, num_leaves=7, random_state=0)
    """

    _weights: list[float]  # of the fitted members

    def __init__(
        self,
        rankers: list[tuple[str, Any]],
        *,
        weights: ArrayLike | None = None,
        normalize: Normalization = "zscore",
        n_jobs: int | None = None,
        metric: MetricLike = "ndcg@10",
    ) -> None:
        self.rankers = rankers
        self.weights = weights
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
    ) -> VotingRanker:
        """Fit a clone of each member.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features, of any kind that all members take.
        y : array-like of shape (n_samples,)
            Labels, higher is better.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights ≥ 0, which every member must take.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query, which every member must take.
        teacher_scores, reference_scores, position : array-like, default=None
            Further inputs by row, of the members that take them.
        X_val, y_val, qid_val : array-like, default=None
            Validation queries, for the members that stop early.

        Returns
        -------
        self : VotingRanker

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
        self._fit_members(X, y, inputs, self.n_jobs)
        self._weights = self._member_weights().tolist()
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
            Weighted mean of the members' normalized scores; comparable within a list.

        Raises
        ------
        ValueError
            If ``X`` does not fit a member.
        """
        return mean_score(self.predict_members(X, qid), self._weights)

    @property
    def weights_(self) -> FloatArray:
        """Weights of the fitted members, with sum 1, shape (n_members,)."""
        self._raise_unless_fitted("weights_")
        return np.array(self._weights) / sum(self._weights)

    @property
    def feature_importances_(self) -> FloatArray:
        """Weighted mean of the members' importances, shape (n_features,)."""
        self._raise_unless_fitted("feature_importances_")
        return self._shared_importances(np.array(self._weights))

    def _check_parameters(self) -> None:
        self._checked_members()
        check_choice("normalize", self.normalize, NORMALIZATIONS)
        get_metric(self.metric)
        self._member_weights()

    def _member_weights(self) -> FloatArray:
        """Weights of the members that are not dropped, shape (n_members,)."""
        n_rankers = len(self.rankers)
        if self.weights is None:
            weights = np.ones(n_rankers)
        else:
            values = np.asarray(self.weights, dtype=object).ravel().tolist()
            if np.shape(self.weights) != (n_rankers,):
                raise ArgumentError(
                    f"weights must have one number for each of the {n_rankers} "
                    f"rankers; got {self.weights!r:.100}."
                )
            weights = np.array(
                [check_number("a weight", value, low=0.0) for value in values], float
            )
        is_member = [not isinstance(member, str) for _, member in self.rankers]
        if not weights[is_member].any():
            raise ArgumentError(
                "weights must have a number above 0 for a ranker that is not dropped; "
                f"got {self.weights!r:.100}."
            )
        return scaled_weights(weights[is_member])
