"""LambdaMARTRanker: LightGBM's boosted trees, without its restrictions on input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ltr.arguments import check_choice, check_number, check_whole
from ltr.metrics import get_metric
from ltr.metrics.gains import Gain
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray, group_queries
from ltr.rankers.base import BaseRanker
from ltr.rankers.inputs import TrainingSet, training_set, warn_if_no_order
from ltr.rankers.trees.boosting import Boosted, boost, group_rows, lightgbm_params
from ltr.rankers.trees.feature_tables import check_table, fit_categories
from ltr.rankers.trees.targets import LIGHTGBM_OBJECTIVES, boosting_target
from ltr.rankers.validation import (
    EarlyStopping,
    errors_in_validation_set,
    hold_out_lists,
    validation_rows,
    validation_set,
)
from ltr.rankers.warning import warn


class LambdaMARTRanker(BaseRanker):
    """Gradient-boosted trees on LambdaRank gradients, by LightGBM.

    Wraps LightGBM and lifts its restrictions in ranking: rows in any order with a
    ``qid`` per row instead of group sizes, real-valued labels, labels above 30,
    queries with over 10,000 rows, and early stopping on any metric of
    :mod:`ltr.metrics`, with ties averaged and queries without a relevant item skipped.
    On grouped rows with whole labels up to 30 the trees are exactly LightGBM's.

    Parameters
    ----------
    loss : {"lambdarank", "xe_ndcg", "mse"}, default="lambdarank"
        LightGBM's ``lambdarank``, its ``rank_xendcg``, or regression on the labels:
        the pointwise baseline.
    label_gain : {"auto", "exp2", "linear"}, array-like or callable, default="auto"
        Gain of a label in the loss: 2^y − 1, y, a table indexed by label, or a function
        of the labels. ``"auto"``: 2^y − 1 for whole labels from 0 to 30, else
        y − min(y).
    truncation_level : int, default=30
        Pairs without an item among the first ``truncation_level`` are left out
        (``lambdarank``).
    norm : bool, default=True
        LightGBM's ``lambdarank_norm``.
    n_estimators : int, default=100
        Maximum number of trees; with ``warm_start``, in total.
    learning_rate : float, default=0.1
        Shrinkage, > 0.
    num_leaves : int, default=31
        Leaves of a tree, ≥ 2.
    max_depth : int, default=-1
        Depth of a tree; −1: no limit.
    min_child_samples : int, default=20
        Minimum number of rows in a leaf.
    min_child_weight : float, default=0.001
        Minimum sum of Hessians in a leaf.
    min_split_gain : float, default=0.0
        Minimum gain of a split.
    subsample : float, default=1.0
        Share of the rows for each tree, in (0, 1]; needs ``subsample_freq``.
    subsample_freq : int, default=0
        Redraw the rows every ``subsample_freq`` trees; 0: never.
    colsample_bytree : float, default=1.0
        Share of the features for each tree, in (0, 1].
    reg_alpha : float, default=0.0
        L1 penalty on leaf values.
    reg_lambda : float, default=0.0
        L2 penalty on leaf values.
    position_bias_regularization : float, default=0.0
        For ``position``: LightGBM's ``lambdarank_position_bias_regularization``.
    categorical_features : "from_dtype", sequence of int or str, or None, \
default="from_dtype"
        Columns of category dtype of a DataFrame; the named columns; or none.
    early_stopping : bool or "auto", default="auto"
        Stop when ``metric`` on validation lists no longer improves. True splits off
        ``validation_fraction`` of the lists unless ``X_val`` is given; ``"auto"`` only
        stops with ``X_val``.
    validation_fraction : float, default=0.1
        Share of the lists, in (0, 1].
    n_iter_no_change : int, default=50
        Trees without improvement before training stops.
    metric : str or callable, default="ndcg@10"
        Metric for :func:`ltr.metrics.get_metric`: for early stopping and ``score``.
    importance_type : {"split", "gain"}, default="split"
        What ``feature_importances_`` counts.
    warm_start : bool, default=False
        Add trees to those of the last fit.
    extra_params : dict, default=None
        Further LightGBM parameters by their own names, such as
        ``{"bagging_by_query": True}``.
    n_jobs : int, default=None
        Threads; None: all cores. On a busy machine LightGBM slows down
        disproportionately: pass the number of free cores, or 1 for small data.
    random_state : int, RandomState or None, default=None
        Seed.
    verbose : int, default=0
        1: a line of progress every 5 seconds; 2: one per tree; on standard error.
        Negative values, as in LightGBM, are silent too.

    Attributes
    ----------
    booster_ : lightgbm.Booster
        The trees.
    feature_importances_ : float array of shape (n_features,)
        Splits or gain of each feature.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.
    n_iter_ : int
        Trees used by ``predict``.
    best_score_ : float
        Validation metric with those trees; NaN without validation.
    history_ : dict of str to list of float
        With validation, ``metric`` after each tree.

    See Also
    --------
    NeuralRanker : Linear and neural scorers with any loss.

    Notes
    -----
    If a query has over 10,000 rows, which LightGBM refuses for ``lambdarank``, the same
    gradients are computed in NumPy.

    References
    ----------
    .. [1] Burges, "From RankNet to LambdaRank to LambdaMART: an overview",
       MSR-TR-2010-82, section 7.

    Examples
    --------
    >>> from ltr import LambdaMARTRanker
    >>> from ltr.datasets import make_ranking
    >>> data = make_ranking(n_queries=50, random_state=0)
    >>> ranker = LambdaMARTRanker(n_estimators=20, random_state=0, n_jobs=1)
    >>> ranker.fit(data.X, data.y, data.qid).score(data.X, data.y, data.qid) > 0.7
    True
    """

    booster_: Any
    _set_by_fit: ClassVar[str] = "booster_"

    def __init__(
        self,
        loss: Literal["lambdarank", "xe_ndcg", "mse"] = "lambdarank",
        *,
        label_gain: Gain | Literal["auto"] = "auto",
        truncation_level: int = 30,
        norm: bool = True,
        n_estimators: int = 100,
        learning_rate: float = 0.1,
        num_leaves: int = 31,
        max_depth: int = -1,
        min_child_samples: int = 20,
        min_child_weight: float = 0.001,
        min_split_gain: float = 0.0,
        subsample: float = 1.0,
        subsample_freq: int = 0,
        colsample_bytree: float = 1.0,
        reg_alpha: float = 0.0,
        reg_lambda: float = 0.0,
        position_bias_regularization: float = 0.0,
        categorical_features: Literal["from_dtype"] | Sequence[int | str] | None = (
            "from_dtype"
        ),
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 50,
        metric: MetricLike = "ndcg@10",
        importance_type: Literal["split", "gain"] = "split",
        warm_start: bool = False,
        extra_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.loss = loss
        self.label_gain = label_gain
        self.truncation_level = truncation_level
        self.norm = norm
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.max_depth = max_depth
        self.min_child_samples = min_child_samples
        self.min_child_weight = min_child_weight
        self.min_split_gain = min_split_gain
        self.subsample = subsample
        self.subsample_freq = subsample_freq
        self.colsample_bytree = colsample_bytree
        self.reg_alpha = reg_alpha
        self.reg_lambda = reg_lambda
        self.position_bias_regularization = position_bias_regularization
        self.categorical_features = categorical_features
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.metric = metric
        self.importance_type = importance_type
        self.warm_start = warm_start
        self.extra_params = extra_params
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

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
    ) -> LambdaMARTRanker:
        """Grow trees on labeled queries.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features; NaN is a missing value.
        y : array-like of shape (n_samples,)
            Labels, higher is better, any real numbers.
        qid : array-like of shape (n_samples,), default=None
            Query of each row: any hashable ids, in any order. None: one query.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights ≥ 0 on gradients and Hessians.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query, constant within a query.
        teacher_scores : array-like of shape (n_samples,), default=None
            Must be None: LightGBM's losses learn from labels. It is here because all
            rankers with a choice of loss share this signature.
        reference_scores : array-like of shape (n_samples,), default=None
            Must be None, for the same reason.
        position : array-like of shape (n_samples,), default=None
            Logged position of each row, for LightGBM's model of position bias.
        X_val : array-like of shape (n_val, n_features), default=None
            Validation features, for early stopping.
        y_val : array-like of shape (n_val,), default=None
            Validation labels.
        qid_val : array-like of shape (n_val,), default=None
            Query of each validation row.

        Returns
        -------
        self : LambdaMARTRanker

        Raises
        ------
        ValueError
            If a parameter or an input is invalid; the message says what
            came and where.

        Warns
        -----
        UserWarning
            If no list is informative, the labels do not fit ``metric``, or labels
            above 30 make ``label_gain="auto"`` choose the linear gain.
        """
        params = self._lightgbm_params()
        stopping = self._early_stopping()
        self._check_extras(
            teacher_scores=teacher_scores, reference_scores=reference_scores
        )
        goes_on = self.warm_start and hasattr(self, "booster_")
        if not goes_on:
            self._categories = fit_categories(X, self.categorical_features)
        table = check_table(self, X, reset=not goes_on, categories=self._categories)
        data = training_set(
            table,
            y,
            qid,
            sample_weight=sample_weight,
            query_weight=query_weight,
            extras={"position": position},
            index_of=X,
        )
        self._fitted_with_qid = qid is not None
        validation = self._validation_set(X_val, y_val, qid_val, stopping)
        start = self.booster_ if goes_on else None
        self._report(self._boost(params, stopping, data, validation, start))
        return self

    def predict(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Score items.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Ignored: trees score each row by itself.

        Returns
        -------
        scores : float array of shape (n_samples,)
            Higher is better, in the order of the rows; comparable within a list, and
            across lists only for ``loss="mse"``.

        Raises
        ------
        ValueError
            If ``X`` has other columns than in ``fit``, or a value is infinite.
        NotFittedError
            If the ranker is not fitted.
        """
        check_is_fitted(self)
        table = check_table(self, X, reset=False, categories=self._categories)
        group_queries(qid, table.shape[0], rows=X)
        threads = self.n_jobs or 0
        return np.asarray(
            self.booster_.predict(
                table, num_iteration=self.n_iter_, num_threads=threads
            ),
            dtype=np.float64,
        )

    @property
    def feature_importances_(self) -> FloatArray:
        """Splits or gain of each feature, shape (n_features,)."""
        check_is_fitted(self)
        importance = self.booster_.feature_importance(self.importance_type)
        return np.asarray(importance, dtype=np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        return tags

    def _lightgbm_params(self) -> dict[str, Any]:
        """The parameters, checked, by LightGBM's names."""
        check_choice("loss", self.loss, tuple(LIGHTGBM_OBJECTIVES))
        check_choice("importance_type", self.importance_type, ("split", "gain"))
        check_number("learning_rate", self.learning_rate, low=0.0, open_low=True)
        for name, low in (
            ("truncation_level", 1),
            ("n_estimators", 1),
            ("num_leaves", 2),
            ("max_depth", -1),
            ("min_child_samples", 0),
            ("subsample_freq", 0),
        ):
            check_whole(name, getattr(self, name), low=low)
        for name in ("min_child_weight", "min_split_gain", "reg_alpha", "reg_lambda"):
            check_number(name, getattr(self, name), low=0.0)
        for name in ("subsample", "colsample_bytree"):
            check_number(name, getattr(self, name), low=0.0, high=1.0, open_low=True)
        return lightgbm_params(self.get_params(deep=False))

    def _check_extras(self, **extras: ArrayLike | None) -> None:
        """Raise if there is an input that no objective of LightGBM takes."""
        for name, values in extras.items():
            if values is not None:
                raise ValueError(
                    f"loss={self.loss!r} takes no {name}. Leave it out of fit."
                )

    def _early_stopping(self) -> EarlyStopping:
        return EarlyStopping(
            enabled=self.early_stopping,
            validation_fraction=self.validation_fraction,
            n_iter_no_change=self.n_iter_no_change,
            metric=self.metric,
            auto_lists=np.inf,
        )

    def _validation_set(
        self,
        X_val: Any,
        y_val: Any,
        qid_val: ArrayLike | None,
        stopping: EarlyStopping,
    ) -> TrainingSet | None:
        """Validation rows of ``fit``, checked; None if there are none."""
        needs_qid = self._fitted_with_qid
        if not stopping.has_validation_set(X_val, y_val, qid_val, needs_qid=needs_qid):
            return None
        with errors_in_validation_set():
            table = check_table(self, X_val, reset=False, categories=self._categories)
            return validation_set(
                table, y_val, qid_val, metric=self.metric, index_of=X_val
            )

    def _boost(
        self,
        params: dict[str, Any],
        stopping: EarlyStopping,
        data: TrainingSet,
        validation: TrainingSet | None,
        start: Any,
    ) -> Boosted:
        """Split off validation lists, choose the objective, grow the trees."""
        informative = data.informative_lists(
            "two_items" if self.loss == "mse" else "two_labels"
        )
        warn_if_no_order(data)
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31 - 1)
        held_out = np.zeros(data.queries.n_lists, dtype=bool)
        if validation is None:
            held_out = hold_out_lists(
                stopping,
                data.y,
                informative,
                np.random.default_rng(seed),
                trains_on="the labels themselves"
                if self.loss == "mse"
                else "their gains, y - min(y) if label_gain is 'auto',",
            )
        rows = group_rows(data, ~held_out)
        target = boosting_target(
            rows, self.loss, self.label_gain, self.truncation_level, norm=self.norm
        )
        n_before = start.current_iteration() if start is not None else 0
        if n_before >= self.n_estimators:
            raise ValueError(
                "n_estimators must be above the number of trees so far to add more "
                f"with warm_start; got n_estimators={self.n_estimators} and {n_before} "
                "trees."
            )
        boosted = boost(
            {**params, "seed": int(seed), **target.params},
            rows,
            target.labels,
            n_trees=self.n_estimators - n_before,
            feature_names=getattr(self, "feature_names_in_", None),
            categorical=self._categories.columns,
            validation=validation_rows(data, held_out, validation, self.metric),
            metric=get_metric(self.metric),
            n_iter_no_change=self.n_iter_no_change,
            start=start,
            verbose=self.verbose,
        )
        if informative.any() and not boosted.booster.feature_importance("split").any():
            warn(
                "No tree has a split, so all scores are equal. With "
                f"{len(rows.y)} rows min_child_samples={self.min_child_samples} may be "
                "too large. Lower it."
            )
        return boosted

    def _report(self, boosted: Boosted) -> None:
        """Set the attributes of a fitted ranker."""
        self.booster_ = boosted.booster
        self.n_iter_ = boosted.n_trees
        self.best_score_ = boosted.best_score
        name = get_metric(self.metric).name
        self.history_ = {name: boosted.scores} if boosted.scores else {}
