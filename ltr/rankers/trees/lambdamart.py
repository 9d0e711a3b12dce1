"""LambdaMARTRanker: LightGBM's boosted trees, without its restrictions on input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
from numpy.typing import ArrayLike

from ltr.callbacks import Callbacks
from ltr.losses.declaration import Curvature
from ltr.metrics.gains import Gain
from ltr.metrics.names import MetricLike
from ltr.rankers.inputs import check_refit, training_set
from ltr.rankers.maps import stream_of_map
from ltr.rankers.query_features import check_validation_features, join_query_features
from ltr.rankers.trees.boosted import BoostedRanker
from ltr.rankers.trees.losses import check_loss_data
from ltr.rankers.trees.refit import regrow
from ltr.rankers.trees.training import grow
from ltr.rankers.validation import errors_in_validation_set


class LambdaMARTRanker(BoostedRanker):
    """Gradient-boosted trees on LambdaRank gradients, by LightGBM.

    Wraps LightGBM and lifts its restrictions in ranking: rows in any order with a
    ``qid`` per row instead of group sizes, real-valued labels, labels above 30,
    queries with over 10,000 rows, and early stopping on any metric of
    :mod:`ltr.metrics`, with ties averaged and queries without a relevant item skipped.
    On grouped rows with whole labels up to 30 the trees are exactly LightGBM's.

    Parameters
    ----------
    loss : str or callable, default="lambdarank"
        ``"lambdarank"``, ``"xe_ndcg"`` and ``"mse"`` are LightGBM's own: its
        ``lambdarank``, its ``rank_xendcg``, and regression on the labels, the pointwise
        baseline. Any other key of :data:`ltr.losses.LOSSES` (``"listnet"``,
        ``"ranknet"``, ``"approx_ndcg"``, …), a loss (``lambdarank_loss``), a
        ``functools.partial`` of one that sets options, a sum by
        :func:`ltr.losses.combine` or a function of your own is learned from its
        gradient in JAX, see Notes. Not the losses of pair scores of
        :class:`TSPRanker`.
    curvature : str, default="auto"
        Second derivative of a loss that is not LightGBM's own: one of ``"items"``,
        ``"pairs"``, ``"softmax"``, ``"secant"``, ``"ones"``, see
        :func:`ltr.losses.derivatives`; ``"auto"`` takes what the loss declares, listed
        in :data:`ltr.losses.CURVATURES`.
    normalize : bool, default=True
        Divide such a loss by the total weight of its terms in each list, so that long
        lists do not count more.
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
        Share of the rows for each tree, in (0, 1].
    subsample_freq : int, default=0
        If ``subsample`` is below 1: draw rows every ``subsample_freq`` trees; 0 is 1.
        LightGBM itself draws none at 0.
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
        Columns of a DataFrame with a category dtype that is not ordered, as in
        LightGBM; the named columns; or none. Trees split the other columns by a
        threshold: ordered categories in their order.
    early_stopping : bool or "auto", default="auto"
        Stop when ``metric`` on validation lists no longer improves. True splits off
        ``validation_fraction`` of the lists unless ``X_val`` is given, and warns if
        they are fewer than 50: on so few, the best number of trees is mostly chance.
        ``"auto"`` only stops with ``X_val``.
    validation_fraction : float, default=0.1
        Share of the lists, in (0, 1].
    n_iter_no_change : int, default=50
        Trees without improvement before training stops.
    metric : str or callable, default="ndcg@10"
        Metric for :func:`ltr.metrics.get_metric`: for early stopping and ``score``.
    importance_type : {"split", "gain"}, default="split"
        What ``feature_importances_`` counts.
    warm_start : bool, default=False
        Add trees to those of the last fit, up to ``n_estimators`` in total: raise it
        before each further fit. With validation, only if that improves ``metric``.
    extra_params : dict, default=None
        Further LightGBM parameters by their own names, such as ``{"max_bin": 63}``.
        Names that LightGBM does not know, or that have no effect here, are refused.
    n_jobs : int, default=None
        Threads; None or −1: all cores, −2: all but one. On a busy machine LightGBM
        slows down disproportionately: pass the number of free cores, or 1 for small
        data. Small blocks (rows × trees up to 100,000) are always predicted on one
        thread. Scores do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed.
    verbose : int, default=0
        1: a line of progress every 5 seconds; 2: one per tree; on standard error.
        Negative values, as in LightGBM, are silent too.
    metrics : list of str or callable, default=None
        Metrics to watch on the validation queries besides ``metric``; they are in
        ``history_``. With ``early_stopping=False`` and ``X_val``, all are only watched.
    refit : bool, default=False
        After early stopping, grow as many trees as it kept on all queries, those of
        validation included. ``history_`` and ``best_score_`` are those of early
        stopping.
    callbacks : list of callable, default=None
        What to call after each tree with a :class:`ltr.callbacks.TrainingState`:
        functions, or objects with a method ``on_epoch``. If one returns True, training
        ends. They are not saved with the ranker.

    Attributes
    ----------
    booster_ : lightgbm.Booster
        The trees that ``predict`` uses. It knows the categories of a DataFrame:
        ``booster_.predict(X)``, and LightGBM with its saved file, give our scores.
    feature_importances_ : float array of shape (n_features,)
        Splits or gain of each feature.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.
    n_iter_ : int
        Number of those trees.
    best_score_ : float
        Validation metric with those trees; NaN without validation.
    history_ : dict of str to list of float
        With validation, ``metric`` and ``metrics`` after each tree. With
        ``warm_start``, those of earlier trees come first.

    See Also
    --------
    NeuralRanker : Linear and neural scorers with any loss.

    Notes
    -----
    If a query has over 10,000 rows, which LightGBM refuses for ``lambdarank``, the same
    gradients are computed in NumPy.

    Losses in JAX: each tree is a Newton step from the scores so far, first from 0, by
    gradient and curvature in single precision. The curvature of an item is made
    positive: at least a thousandth of the mean of its list, and for ``"secant"``, which
    is noisy, a tenth of that and of the mean absolute gradient. Gradient and curvature
    are divided by the mean curvature at the start (for ``"ones"`` the gradient by its
    mean absolute value), so that ``min_child_weight``, ``reg_alpha`` and ``reg_lambda``
    count in rows whatever the scale of the loss. JAX compiles for the shapes of the
    lists in the first fit, one second or so, and takes its threads itself. The order of
    the rows changes nothing.

    Most losses rank as well as LightGBM's lambdarank. On MQ2008 (five folds, 95 %
    intervals of paired differences in NDCG@10) these are significantly below it:
    ``"hinge"``, ``"slic"``, ``"gap_margin"`` and ``"circle"``, whose gradients vanish
    once a margin is reached.

    Before the first tree all scores are equal, and LightGBM takes the rows of a query
    as ranked in the order in which they come. So with ``lambdarank`` the order of the
    rows changes the trees a little, as another seed would, while predictions do not
    depend on the order of the rows.

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

    def __init__(
        self,
        loss: str | Callable[..., jax.Array] = "lambdarank",
        *,
        curvature: Curvature | Literal["auto"] = "auto",
        normalize: bool = True,
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
        metrics: list[MetricLike] | None = None,
        refit: bool = False,
        callbacks: Callbacks = None,
    ) -> None:
        self.loss = loss
        self.curvature = curvature
        self.normalize = normalize
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
        self.metrics = metrics
        self.refit = refit
        self.callbacks = callbacks

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
        init_model: Any = None,
        query_features: Any = None,
        query_features_val: Any = None,
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
            Row weights ≥ 0: on gradients and Hessians of LightGBM's own losses; inside
            the others, in which weight 2 is the row twice and weight 0 is no row.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query, constant within a query; also in the metrics of
            queries that are held out.
        teacher_scores : array-like of shape (n_samples,), default=None
            For distillation losses (``"pld"``, ``"kl_distillation"``, …), which require
            it, and for ``"ranknet"``. None of the extras is for LightGBM's own losses,
            except for ``position``.
        reference_scores : array-like of shape (n_samples,), default=None
            For preference losses (``"lipo_lambda"``, ``"dpo"``, …).
        position : array-like of shape (n_samples,), default=None
            Logged position of each row: for LightGBM's model of position bias with
            ``"lambdarank"``, and for the losses that take it, such as ``"irpo"``.
        X_val : array-like of shape (n_val, n_features), default=None
            Validation features, for early stopping.
        y_val : array-like of shape (n_val,), default=None
            Validation labels.
        qid_val : array-like of shape (n_val,), default=None
            Query of each validation row.
        init_model : path, lightgbm.Booster or ranker, default=None
            Trees to which ``n_estimators`` are added, with validation only if that
            improves ``metric``: a model of LightGBM, as ``from_booster`` takes it, or a
            fitted LambdaMARTRanker. ``X`` has its columns.
        query_features : array-like or DataFrame, default=None
            Features of the queries, shape (n_queries, n_query_features): an array in
            the order in which ``qid`` first has them, or a pandas DataFrame with the
            queries as its index. They become the first columns of a copy of ``X``, see
            :func:`ltr.rankers.join_query_features`, since LightGBM reads one table.
        query_features_val : array-like or DataFrame, default=None
            Those of the validation queries.

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
            If no list is informative, the labels do not fit ``metric``, labels above 30
            make ``label_gain="auto"`` choose the linear gain, a parameter has no effect
            in combination with the others, no tree has a split, ``early_stopping=True``
            holds out fewer than 50 queries, or there are validation rows and
            ``boosting="dart"`` cannot stop early.

        Notes
        -----
        If ``X`` is a memory map larger than half of the memory (of the machine, or what
        ``ulimit`` or a control group allow), and the rows of each query stand together,
        this is :meth:`fit_stream` on the same rows: the same trees, in less memory;
        ``verbose=1`` says so. With weights, extras such as ``position``,
        ``refit=True``, or ``early_stopping=True`` without validation rows, all rows are
        in memory.
        """
        params, stopping = self._checked_parameters()
        check_validation_features(query_features, query_features_val, X_val)
        if query_features is not None:
            X = join_query_features(X, qid, query_features)
        if query_features_val is not None:
            with errors_in_validation_set():
                X_val = join_query_features(X_val, qid_val, query_features_val)
        extras = {
            "teacher_scores": teacher_scores,
            "reference_scores": reference_scores,
            "position": position,
        }
        stream = stream_of_map(
            self,
            X,
            y,
            qid,
            (X_val, y_val, qid_val),
            (sample_weight, query_weight, *extras.values()),
        )
        if stream is not None:
            return self.fit_stream(**stream, init_model=init_model)
        start = self._start(init_model)
        table = self._table_of_fit(X, start)
        data = training_set(
            table,
            y,
            qid,
            sample_weight=sample_weight,
            query_weight=query_weight,
            extras=extras,
            index_of=X,
        )
        check_loss_data(self.loss, data)
        self._fitted_with_qid = qid is not None
        validation = self._validation_set(X_val, y_val, qid_val, stopping)
        if self.refit:
            check_refit(data, validation)
        boosted = grow(self, params, stopping, data, validation, start)
        if self.refit:
            boosted = regrow(self, boosted, params, stopping, data, validation, start)
        self._report(boosted, self._past(init_model))
        return self
