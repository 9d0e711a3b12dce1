"""Rankers whose scores are those of a LightGBM booster."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ltr.arguments import ArgumentError, check_whole
from ltr.callbacks import Callbacks, joined_history
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray, group_queries
from ltr.rankers.inputs import TrainingSet
from ltr.rankers.joined_inputs import QueryFeatureRanker
from ltr.rankers.query_features import join_query_features
from ltr.rankers.threads import n_threads_for
from ltr.rankers.trees.boosting import Boosted, contributions
from ltr.rankers.trees.existing import ExistingTrees, Start, existing_trees
from ltr.rankers.trees.feature_tables import Categories, check_table, fit_categories
from ltr.rankers.trees.parameters import check_parameters, lightgbm_params
from ltr.rankers.validation import (
    EarlyStopping,
    errors_in_validation_set,
    validation_set,
)


class BoostedRanker(QueryFeatureRanker):
    """Base class of a ranker with trees: what it does when it has them.

    A subclass has the parameters of :class:`LambdaMARTRanker`, and a ``fit`` that binds
    ``_categories``, ``_fitted_with_qid`` and, by ``_report``, the trees.
    """

    booster_: Any
    n_iter_: int
    best_score_: float
    history_: dict[str, list[float]]
    n_features_in_: int
    _categories: Categories
    _set_by_fit: ClassVar[str] = "booster_"

    metrics: list[MetricLike] | None = None  # of rankers that ltr 0.1 pickled
    refit: bool = False
    callbacks: Callbacks = None
    early_stopping: bool | Literal["auto"]
    validation_fraction: float
    num_leaves: int
    warm_start: bool
    loss: Any
    categorical_features: Any
    n_jobs: int | None
    importance_type: Literal["split", "gain"]

    @classmethod
    def from_booster(
        cls,
        booster: Any,
        *,
        feature_names: Sequence[str] | None = None,
        category_columns: Sequence[int | str] | None = None,
        **parameters: Any,
    ) -> Self:
        """Make a fitted ranker of a model that LightGBM has trained.

        Its predictions are those of the booster, to the bit, up to its best iteration.

        Parameters
        ----------
        booster : path, lightgbm.Booster or lightgbm.LGBMRanker
            A file by ``Booster.save_model``, which is checked before it is read; a
            booster; or an estimator that has one. With one output: a ranker, a
            regression, or a binary classifier, whose predictions are probabilities.
        feature_names : sequence of str, default=None
            Names of the columns. None: those of the booster, in which LightGBM has put
            an underscore for each blank.
        category_columns : sequence of int or str, default=None
            The columns of category dtype, in their order, if the trees do not tell:
            LightGBM keeps the categories of each, but not which columns they are, if
            some are ordered or constant.
        **parameters : object
            Parameters of the ranker, such as ``metric`` or ``n_jobs``. Those that
            growing trees has in common with LightGBM are read from the booster.

        Returns
        -------
        ranker : LambdaMARTRanker
            Fitted. It is saved, explained and served as any other; ``fit(...,
            init_model=ranker)`` adds trees.

        Raises
        ------
        ValueError
            If the model has several outputs or no trees, its file is damaged, or the
            names do not fit its columns.
        TypeError
            If ``booster`` is something else.

        Examples
        --------
        >>> import lightgbm
        >>> from ltr import LambdaMARTRanker
        >>> from ltr.datasets import make_ranking
        >>> data = make_ranking(n_queries=50, list_size=8, random_state=0)
        >>> model = lightgbm.LGBMRanker(n_estimators=20, verbosity=-1)
        >>> model = model.fit(data.X, data.y, group=[8] * 50)
        >>> ranker = LambdaMARTRanker.from_booster(model)
        >>> np.array_equal(ranker.predict(data.X), model.predict(data.X))
        True
        >>> round(ranker.score(data.X, data.y, data.qid), 1)
        1.0
        """
        trees = existing_trees(booster, "booster", category_columns)
        names = trees.names if feature_names is None else tuple(feature_names)
        is_text = all(isinstance(name, str) for name in names or ())
        if isinstance(feature_names, str) or not is_text:
            raise ArgumentError(
                f"feature_names must be a sequence of text; got {feature_names!r:.100}."
            )
        if names is not None and len(set(names)) != trees.n_features:
            raise ValueError(
                f"feature_names must be {trees.n_features} different names, one per "
                f"column of the trees; got {len(names)}, {len(set(names))} different."
            )
        arguments = inspect.signature(cls).parameters
        read = {  # a file has 1 for 1.0 and for True
            name: type(arguments[name].default)(value)
            for name, value in trees.parameters.items()
        }
        ranker = cls(**{**read, **parameters})
        ranker._adopt(trees._replace(names=names))
        ranker._fitted_with_qid = True
        n_trees = trees.booster.current_iteration()
        ranker.booster_, ranker.n_iter_ = trees.booster, n_trees
        ranker.best_score_, ranker.history_ = float("nan"), {}
        return ranker

    def fit_stream(
        self,
        source: Any,
        *,
        validation: Any = None,
        buffer_rows: int = 2**18,
        init_model: Any = None,
    ) -> Self:
        """Grow trees on data that need not fit into memory.

        LightGBM trains on bins of the features, one byte a value. They are made of one
        piece after the other, and of the same sample of rows as in ``fit``: on the same
        rows in the same order, the trees are the same.

        Parameters
        ----------
        source : RankingData, sequence of RankingData, or callable
            What :func:`ltr.datasets.open_ranking` opens; what
            :func:`ltr.datasets.open_shards` opens; or a function that takes 0 and
            returns an iterator of RankingData, each with whole lists, the same ones
            each time. The rows of a query stand together, except in those of a
            function.
        validation : RankingData, default=None
            Queries for early stopping, in memory.
        buffer_rows : int, default=262144
            A piece has half as many rows, or those of its longest list.
        init_model : path, lightgbm.Booster or ranker, default=None
            Trees to add to, as in ``fit``.

        Returns
        -------
        self : LambdaMARTRanker

        Raises
        ------
        ValueError
            If a parameter or a piece is invalid; the message says which rows. Or a
            function returns other rows the second time.
        TypeError
            If a function or a sequence of the user returns something else.

        Notes
        -----
        The source is read three times (labels; the sample that decides the bins; all
        features), once more for each of: a loss that draws or has the curvature
        ``"secant"``, and trees to add to. Memory: the bins, up to twice, as LightGBM
        copies them by rows; about 100 bytes a row for labels, scores and gradients; a
        piece; and the sample, three times 200,000 rows in double precision, or fewer
        with ``extra_params={"bin_construct_sample_cnt": ...}``. Categories of a
        DataFrame are those of the first piece. Weights, ``teacher_scores`` and such are
        for ``fit``.

        Examples
        --------
        >>> import tempfile
        >>> from ltr import LambdaMARTRanker
        >>> from ltr.datasets import make_ranking, save_shards
        >>> data = make_ranking(60, random_state=0)
        >>> shards = save_shards(data, tempfile.mkdtemp() + "/shards", rows=300)
        >>> ranker = LambdaMARTRanker(n_estimators=5, random_state=0, n_jobs=1)
        >>> scores = ranker.fit_stream(shards).predict(data.X)
        >>> fitted = ranker.fit(data.X, data.y, data.qid)
        >>> np.array_equal(scores, fitted.predict(data.X))
        True
        """
        from ltr.rankers.neural.source import Source, check_validation
        from ltr.rankers.trees.losses import check_loss_data
        from ltr.rankers.trees.stream import streamed_rows
        from ltr.rankers.trees.training import grow

        params, stopping = self._checked_parameters()
        check_whole("buffer_rows", buffer_rows, low=1)
        if self.refit:
            raise ValueError(
                "refit=True is for fit, which has the validation queries in memory "
                "with the others; fit_stream has not. Set refit=False."
            )
        check_validation(validation, stopping.enabled)
        start = self._start(init_model)

        def read(X: Any) -> Any:
            return check_table(self, X, reset=False, categories=self._categories)

        data = streamed_rows(
            Source(source, buffer_rows), lambda X: self._table_of_fit(X, start), read
        )
        check_loss_data(self.loss, data)
        self._fitted_with_qid = True
        rows = None
        if validation is not None:
            columns = validation.X, validation.y, validation.qid
            rows = self._validation_set(*columns, stopping)
        boosted = grow(self, params, stopping, data, rows, start)
        self._report(boosted, self._past(init_model))
        return self

    def _past(self, init_model: Any) -> dict[str, list[float]] | None:
        """History of the trees that a fit adds to, if it is known."""
        source = self if init_model is None else init_model
        history: dict[str, list[float]] | None = getattr(source, "history_", None)
        return history

    def predict(
        self, X: ArrayLike, qid: ArrayLike | None = None, *, query_features: Any = None
    ) -> FloatArray:
        """Score items.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Ignored: trees score each row by itself.
        query_features : array-like or DataFrame, default=None
            Features of the queries, as in ``fit``, which ``X`` then lacks. None: they
            are the first columns of ``X``, if the ranker was fitted with some.

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
        if query_features is not None:
            X = join_query_features(X, qid, query_features)
        table = check_table(self, X, reset=False, categories=self._categories)
        group_queries(qid, table.shape[0], rows=X)
        if not table.shape[0]:
            return np.zeros(0)
        threads = n_threads_for(table.shape[0], self.n_iter_, self.n_jobs)
        return np.asarray(
            self.booster_.predict(
                table, num_iteration=self.n_iter_, num_threads=threads
            ),
            dtype=np.float64,
        )

    def predict_contrib(self, X: ArrayLike) -> Any:
        """Shares of the features in each score: SHAP values.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features.

        Returns
        -------
        contributions : float array or CSR matrix of shape (n_samples, n_features + 1)
            What each feature adds to the score of each row, and in the last column the
            mean score in training. The sum of a row is the score of ``predict``. A CSR
            matrix if ``X`` is sparse.

        Raises
        ------
        ValueError
            If ``X`` does not fit, see ``predict``, or the trees have linear leaves
            (``extra_params={"linear_tree": True}``), which have no such shares, or one
            is deeper than 5000.
        MemoryError
            If the paths of deep trees, 16 · depth² bytes per thread, do not fit.

        References
        ----------
        .. [1] Lundberg et al., "From local explanations to global understanding with
           explainable AI for trees", Nature Machine Intelligence 2, 2020.

        Examples
        --------
        >>> from ltr import LambdaMARTRanker
        >>> from ltr.datasets import make_ranking
        >>> data = make_ranking(n_queries=50, random_state=0)
        >>> ranker = LambdaMARTRanker(n_estimators=5, random_state=0, n_jobs=1)
        >>> shares = ranker.fit(data.X, data.y, data.qid).predict_contrib(data.X)
        >>> shares.shape == (len(data.y), ranker.n_features_in_ + 1)
        True
        >>> np.allclose(shares.sum(axis=1), ranker.predict(data.X))
        True
        """
        check_is_fitted(self)
        table = check_table(self, X, reset=False, categories=self._categories)
        if not table.shape[0]:
            return np.zeros((0, table.shape[1] + 1))
        # A share takes a walk through all leaves of a tree, a score a single path.
        work = table.shape[0] * self.num_leaves
        threads = n_threads_for(work, self.n_iter_, self.n_jobs)
        return contributions(self.booster_, table, self.n_iter_, threads)

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

    def _early_stopping(self) -> EarlyStopping:
        return EarlyStopping(
            enabled=self.early_stopping,
            validation_fraction=self.validation_fraction,
            metric=self.metric,
            auto_lists=np.inf,
            metrics=self.metrics,
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

    def _checked_parameters(self) -> tuple[dict[str, Any], EarlyStopping]:
        """The parameters, checked, by LightGBM's names, and when to stop."""
        parameters = self.get_params(deep=False)
        check_parameters(parameters)
        return lightgbm_params(parameters), self._early_stopping()

    def _table_of_fit(self, X: Any, start: Start | None) -> Any:
        """Checked features of a fit, whose columns the ranker then knows."""
        if start is None:
            self._categories = fit_categories(X, self.categorical_features)
        elif start.argument == "init_model":
            self._categories = start.categories_for(X, self.categorical_features)
        reset = start is None or not start.keeps_columns
        table = check_table(self, X, reset=reset, categories=self._categories)
        if start is not None:
            start.check_width(table)
        return table

    def _start(self, init_model: Any) -> Start | None:
        """Trees that a fit adds to; expect their columns."""
        goes_on = self.warm_start and hasattr(self, "booster_")
        if init_model is None and not goes_on:
            return None
        if init_model is None:
            names = getattr(self, "feature_names_in_", None)
            trees = ExistingTrees(
                self.booster_,
                self.n_features_in_,
                None if names is None else tuple(names),
                self._categories,
                {},
            )
            return Start(trees, "warm_start")
        if goes_on:
            raise ValueError(
                "init_model and warm_start are both trees to add to; got both. Leave "
                "init_model out, or set warm_start=False."
            )
        trees = existing_trees(init_model, "init_model")
        self._adopt(trees)
        return Start(trees, "init_model")

    def _adopt(self, trees: ExistingTrees) -> None:
        """Expect the columns that trees know."""
        self.n_features_in_ = trees.n_features
        self._categories, self._column_names = trees.categories, None
        self.__dict__.pop("feature_names_in_", None)
        if trees.names is not None:
            self.feature_names_in_ = np.array(trees.names, dtype=object)

    def _report(
        self, boosted: Boosted, past: dict[str, list[float]] | None = None
    ) -> None:
        """Set the attributes of a fitted ranker."""
        self.booster_ = boosted.booster
        self.n_iter_ = boosted.booster.current_iteration()
        self.best_score_ = boosted.best_score
        self.history_ = joined_history(past, boosted.n_before, boosted.history)

    def _with_options(self, **options: Any) -> Self:
        """A copy, fitted if this is, with other parameters or attributes."""
        ranker = object.__new__(type(self))
        ranker.__dict__.update(vars(self))
        ranker.__dict__.update(options)
        return ranker

    def _ranker_of(self, booster: Any, n_trees: int) -> Self:
        """A fitted copy with the first trees of a booster, for callbacks."""
        import lightgbm

        text = booster.model_to_string(num_iteration=n_trees)
        trees = lightgbm.Booster(model_str=text)
        trees.pandas_categorical = self._categories.for_lightgbm
        return self._with_options(booster_=trees, n_iter_=n_trees)
