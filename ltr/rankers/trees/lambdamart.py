"""LambdaMARTRanker: LightGBM's boosted trees, without what hurts about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ltr.metrics import get_metric
from ltr.metrics.gains import Gain
from ltr.queries import FloatArray, group_queries
from ltr.rankers.base import BaseRanker
from ltr.rankers.inputs import (
    TrainingSet,
    check_choice,
    check_number,
    check_single_precision,
    check_training_set,
    informative_lists,
    warn,
    warn_if_no_order,
)
from ltr.rankers.trees.boosting import (
    GroupedRows,
    boost,
    lightgbm_params,
    rows_in_list_order,
)
from ltr.rankers.trees.feature_tables import check_table, fit_categories
from ltr.rankers.trees.label_gains import label_gains
from ltr.rankers.trees.objectives import LIGHTGBM_MAX_LIST_SIZE, LambdaRankObjective
from ltr.rankers.validation import (
    check_counts,
    check_validation_set,
    hold_out_lists,
)

_OBJECTIVES = {
    "lambdarank": "lambdarank",
    "xe_ndcg": "rank_xendcg",
    "mse": "regression",
}


class LambdaMARTRanker(BaseRanker):
    """Gradient-boosted trees on LambdaRank gradients, by LightGBM.

    Wraps LightGBM and lifts what it refuses in ranking: rows in any order with a
    ``qid`` per row instead of group sizes, real-valued labels, labels above 30,
    lists over 10,000 rows, early stopping on any metric of :mod:`ltr.metrics` with ties
    and blank lists counted rightly. On grouped rows with whole labels up to 30 the
    trees are exactly LightGBM's.

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
        Only pairs with an item among the first so many count (``lambdarank``).
    norm : bool, default=True
        LightGBM's ``lambdarank_norm``.
    n_estimators : int, default=100
        Most trees; with ``warm_start``, in all.
    learning_rate : float, default=0.1
        Shrinkage, > 0.
    num_leaves : int, default=31
        Leaves of a tree, ≥ 2.
    max_depth : int, default=-1
        Depth of a tree; −1: no limit.
    min_child_samples : int, default=20
        Fewest rows in a leaf.
    min_child_weight : float, default=0.001
        Least sum of Hessians in a leaf.
    min_split_gain : float, default=0.0
        Least gain of a split.
    subsample : float, default=1.0
        Share of the rows for each tree, in (0, 1]; needs ``subsample_freq``.
    subsample_freq : int, default=0
        Draw rows anew every so many trees; 0: never.
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
        Share of the lists, in (0, 1).
    n_iter_no_change : int, default=50
        Trees without improvement before training stops.
    metric : str, default="ndcg@10"
        Name for :func:`ltr.metrics.get_metric`: for early stopping and ``score``.
    importance_type : {"split", "gain"}, default="split"
        What ``feature_importances_`` counts.
    warm_start : bool, default=False
        Add trees to those of the last fit.
    extra_params : dict, default=None
        Further LightGBM parameters by their own names, such as
        ``{"bagging_by_query": True}``.
    n_jobs : int, default=None
        Threads; None: all cores. On a machine that is busy with other work LightGBM
        slows down out of proportion: pass the number of free cores, or 1 for small
        data.
    random_state : int, RandomState or None, default=None
        Seed.
    verbose : int, default=0
        1: a line of progress every 5 seconds; 2: one per tree; on standard error.
        Negative, as LightGBM has it, is silent too.

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
    A list over 10,000 rows, which LightGBM refuses for ``lambdarank``, makes training
    use the same gradients computed in NumPy.

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
    _learned: ClassVar[str] = "booster_"

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
        metric: str = "ndcg@10",
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
        """Grow trees on lists.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features; NaN is a missing value.
        y : array-like of shape (n_samples,)
            Labels, higher is better, any real numbers.
        qid : array-like of shape (n_samples,), default=None
            List of each row: any hashable ids, any order. None: one list.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights ≥ 0 on gradients and Hessians.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of the list of each row, constant within a list.
        teacher_scores : array-like of shape (n_samples,), default=None
            Not taken by these losses.
        reference_scores : array-like of shape (n_samples,), default=None
            Not taken by these losses.
        position : array-like of shape (n_samples,), default=None
            Logged position of each row, for LightGBM's model of position bias.
        X_val : array-like of shape (n_val, n_features), default=None
            Validation features, for early stopping.
        y_val : array-like of shape (n_val,), default=None
            Validation labels.
        qid_val : array-like of shape (n_val,), default=None
            Validation lists.

        Returns
        -------
        self : LambdaMARTRanker

        Raises
        ------
        ValueError
            If a parameter or an input is not what it must be; the message says what
            came and where.

        Warns
        -----
        UserWarning
            If no list can teach anything, the labels do not fit ``metric``, or labels
            above 30 make ``label_gain="auto"`` choose the linear gain.
        """
        self._check_parameters()
        for name, values in (
            ("teacher_scores", teacher_scores),
            ("reference_scores", reference_scores),
        ):
            if values is not None:
                raise ValueError(
                    f"loss={self.loss!r} takes no {name}. Leave it out of fit."
                )
        goes_on = self.warm_start and hasattr(self, "booster_")
        if not goes_on:
            self._categories = fit_categories(X, self.categorical_features)
        data = check_training_set(
            self,
            X,
            y,
            qid,
            sample_weight=sample_weight,
            query_weight=query_weight,
            extras={"position": position},
            check_X=self._check_X,
            reset=not goes_on,
        )
        self._fitted_with_qid = qid is not None
        validation = check_validation_set(self, X_val, y_val, qid_val, self._check_X)
        self._boost(data, validation, goes_on)
        return self

    def predict(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Score items.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Not looked at: trees score each row by itself.

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
        table = self._check_X(self, X, reset=False)
        group_queries(qid, table.shape[0])
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

    def _check_X(self, ranker: Any, X: ArrayLike, *, reset: bool) -> Any:
        return check_table(ranker, X, reset=reset, categories=self._categories)

    def _check_parameters(self) -> None:
        check_choice("loss", self.loss, tuple(_OBJECTIVES))
        check_number("truncation_level", self.truncation_level, low=1, whole=True)
        check_number("n_estimators", self.n_estimators, low=1, whole=True)
        check_number("learning_rate", self.learning_rate, low=0.0, open_low=True)
        check_number("num_leaves", self.num_leaves, low=2, whole=True)
        check_number("max_depth", self.max_depth, low=-1, whole=True)
        check_number("min_child_samples", self.min_child_samples, low=0, whole=True)
        check_number("n_iter_no_change", self.n_iter_no_change, low=1, whole=True)
        check_number("subsample_freq", self.subsample_freq, low=0, whole=True)
        for name in ("min_child_weight", "min_split_gain", "reg_alpha", "reg_lambda"):
            check_number(name, getattr(self, name), low=0.0)
        for name in ("subsample", "colsample_bytree", "validation_fraction"):
            check_number(name, getattr(self, name), low=0.0, high=1.0, open_low=True)
        check_choice("early_stopping", self.early_stopping, (True, False, "auto"))
        check_choice("importance_type", self.importance_type, ("split", "gain"))
        get_metric(self.metric)

    def _boost(
        self, data: TrainingSet, validation: TrainingSet | None, goes_on: bool
    ) -> None:
        informative = informative_lists(data, needs_two_items=self.loss == "mse")
        warn_if_no_order(data)
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31 - 1)
        held_out = np.zeros(data.queries.n_lists, dtype=bool)
        if validation is None:
            held_out = hold_out_lists(
                self,
                data.y,
                informative,
                np.random.default_rng(seed),
                trains_on="the labels themselves"
                if self.loss == "mse"
                else "their gains, y - min(y) if label_gain is 'auto',",
                auto_lists=np.inf,
            )
        validation_rows = None
        if validation is not None:
            validation_rows = (validation.X, validation.y, validation.queries.codes)
        elif held_out.any():
            chosen = data.queries.subset(held_out)
            if data.weights is not None:
                chosen = chosen[data.weights[chosen] > 0]
            codes = data.queries.codes[chosen]
            validation_rows = (data.X[chosen], data.y[chosen], codes)
        if validation_rows is not None:
            check_counts(self.metric, *validation_rows[1:])

        kept = data.queries.subset(~held_out) if held_out.any() else None
        rows = rows_in_list_order(data, kept)
        objective, labels, table = self._objective(rows)
        n_before = self.booster_.current_iteration() if goes_on else 0
        if n_before >= self.n_estimators:
            raise ValueError(
                "n_estimators must be above the number of trees so far to add more "
                f"with warm_start; got n_estimators={self.n_estimators} and {n_before} "
                "trees."
            )
        params = lightgbm_params(self, int(seed), objective)
        if table is not None:
            params["label_gain"] = table
        boosted = boost(
            params,
            rows,
            labels,
            n_trees=self.n_estimators - n_before,
            feature_names=getattr(self, "feature_names_in_", None),
            categorical=self._categories.columns,
            validation=validation_rows,
            metric=get_metric(self.metric),
            n_iter_no_change=self.n_iter_no_change,
            start=self.booster_ if goes_on else None,
            verbose=self.verbose,
        )
        splits = boosted.booster.feature_importance("split")
        if informative.any() and not splits.any():
            warn(
                "No tree has a split, so all scores are equal. With "
                f"{len(rows.y)} rows min_child_samples={self.min_child_samples} may be "
                "too large. Lower it."
            )
        self.booster_ = boosted.booster
        self.n_iter_ = boosted.n_trees
        self.best_score_ = boosted.best_score
        self.history_ = {self.metric: boosted.scores} if boosted.scores else {}

    def _objective(
        self, rows: GroupedRows
    ) -> tuple[str | LambdaRankObjective, FloatArray, list[float] | None]:
        """LightGBM's objective, or ours for long lists; labels; table of gains."""
        name = _OBJECTIVES[self.loss]
        if rows.position is not None and self.loss != "lambdarank":
            raise ValueError(
                f"loss={self.loss!r} takes no position. Leave it out of fit, or use "
                "loss='lambdarank'."
            )
        if self.loss == "mse":
            cure = "Shift or scale the labels."
            check_single_precision(rows.y, "y", cure)
            return name, rows.y, None
        gains = label_gains(rows.y, self.label_gain)
        if self.loss == "xe_ndcg":
            if gains.table is not None:
                raise ValueError(
                    "loss='xe_ndcg' takes whole labels from 0 to 30 with gain 2^y - 1; "
                    f"got labels from {rows.y.min():g} to {rows.y.max():g} and "
                    f"label_gain={self.label_gain!r}. Use loss='lambdarank'."
                )
            return name, rows.y, None
        longest = int(rows.queries.sizes.max())
        if longest <= LIGHTGBM_MAX_LIST_SIZE:
            return name, gains.labels, gains.table
        if rows.position is not None:
            raise ValueError(
                "position needs lists of at most 10,000 rows, LightGBM's limit; got "
                f"one of {longest}. Split it, or leave position out."
            )
        ours = LambdaRankObjective(
            gains.gains, rows.queries, rows.weights, self.truncation_level, self.norm
        )
        return ours, gains.labels, None
