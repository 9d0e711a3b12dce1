"""What rankers that train a scorer by gradient descent have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self

import jax
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ltr.arguments import ArgumentError, check_whole
from ltr.atomic import FitStopped
from ltr.callbacks import Callbacks, joined_history
from ltr.files import PathLike
from ltr.metrics import get_metric
from ltr.metrics.names import MetricLike
from ltr.rankers.base import BaseRanker
from ltr.rankers.inputs import TrainingSet, joined_sets, training_set
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.neural.identity import remove_checkpoints
from ltr.rankers.neural.options import TrainingOptions
from ltr.rankers.neural.pooling import check_one_process
from ltr.rankers.neural.refit import refit_members
from ltr.rankers.neural.scaling import Preprocess
from ltr.rankers.neural.source import Piece, Source, check_validation
from ltr.rankers.neural.training import LearnedState, train_scorer
from ltr.rankers.neural.weights import named_weights
from ltr.rankers.query_features import read_joined
from ltr.rankers.sparse_features import check_X, like
from ltr.rankers.validation import (
    EarlyStopping,
    errors_in_validation_set,
    validation_set,
)
from ltr.rankers.warning import warn
from ltr.scorers import Scorer
from ltr.scorers.products import Precision
from ltr.training import TrainingResult
from ltr.training.schedules import ScheduleLike


class GradientRanker(BaseRanker):
    """Abstract: a scorer, a loss, and the parameters of their training.

    A subclass says which scorer (:meth:`make_scorer`) and which loss
    (:meth:`make_loss`), and has the parameters that :class:`ltr.NeuralRanker` documents
    from ``optimizer`` to ``devices``.
    """

    _set_by_fit: ClassVar[str] = "_learned_state"
    _learned_state: LearnedState

    loss: Any
    optimizer: str | Callable[..., Any]
    learning_rate: float | Literal["auto"]
    weight_decay: float | Literal["auto"]
    batch_size: int
    max_epochs: int | Literal["auto"]
    early_stopping: bool | Literal["auto"]
    validation_fraction: float
    n_iter_no_change: int | Literal["auto"]
    preprocess: Preprocess
    normalize: bool
    dtype: Precision
    warm_start: bool
    random_state: Any
    verbose: int
    checkpoint_dir: PathLike | None
    checkpoint_every_s: float
    # with defaults, for rankers that ltr 0.1 pickled
    learning_rate_schedule: ScheduleLike = None
    clip_norm: float | None = None
    metrics: list[MetricLike] | None = None
    refit: bool = False
    callbacks: Callbacks = None
    devices: Any = None

    @abstractmethod
    def make_scorer(self) -> Scorer:
        """Make the scorer that the parameters name."""

    @abstractmethod
    def make_loss(self) -> Callable[..., jax.Array]:
        """Look up the loss that the parameters name."""

    @abstractmethod
    def _check_parameters(self) -> None:
        """Check the parameters that this ranker does not share with the others."""

    @property
    def weights_(self) -> dict[str, NDArray[Any]]:
        """Arrays that ``predict`` computes with, by name, in double precision.

        ``"preprocess.log_features"``, ``"preprocess.mean"`` and ``"preprocess.scale"``
        are what the features go through first: sign(x) · log(1 + abs(x)) where it is
        True, then (x − mean) / scale. The others are those of the scorer, such as
        ``"layers.0.weight"`` of shape (n_in, n_out). They are copies.
        """
        check_is_fitted(self)
        learned = self._learned_state
        return named_weights(learned.params, learned.scaling)

    @property
    def scales_within_lists_(self) -> bool:
        """Whether the features are scaled within the list."""
        check_is_fitted(self)
        scaling = self._learned_state.scaling
        return scaling is not None and scaling.uses_list

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, qid: ArrayLike | None = None
    ) -> Self:
        """Make one pass over more queries.

        The first call draws the weights and fits the feature scaling; later calls go on
        from there, without validation.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features, finite; see ``fit`` for sparse ones.
        y : array-like of shape (n_samples,)
            Labels, higher is better.
        qid : array-like of shape (n_samples,), default=None
            Query of each row: any hashable ids, any order. None: one query.

        Returns
        -------
        self : ranker

        Raises
        ------
        ValueError
            If an input is invalid.
        """
        options = self._training_options(is_stream=True)
        check_one_process(options.devices, "partial_fit")
        start = getattr(self, "_learned_state", None)
        features = self._features(X, options, reset=start is None)
        data = training_set(features, y, qid, index_of=X)
        self._fitted_with_qid = qid is not None
        (plan,) = self._member_plans(options, start)
        member = train_scorer(data=data, validation=None, **plan)
        self._report(self._set_members([member]), start)
        return self

    def fit_stream(
        self, source: Any, *, validation: Any = None, buffer_rows: int = 2**18
    ) -> Self:
        """Train on data that need not fit into memory.

        Each epoch reads all pieces, two random ones at a time, and visits the lists of
        both in random order. Feature scaling, and the padded sizes of lists, come from
        four pieces. The weights are those that ``fit`` would find, but for the order of
        the lists; nothing is held out.

        Parameters
        ----------
        source : RankingData, sequence of RankingData, or callable
            What :func:`ltr.datasets.open_ranking` opens; what
            :func:`ltr.datasets.open_shards` opens; or a function that takes the number
            of an epoch, from 0, and returns an iterator of RankingData, each with whole
            lists. The rows of a query stand together, except in those of a function.
        validation : RankingData, default=None
            Queries for early stopping, in memory.
        buffer_rows : int, default=262144
            Rows in memory at a time; two pieces of half as many. At least a list.

        Returns
        -------
        self : ranker

        Raises
        ------
        ValueError
            If a piece is invalid; the message says which rows.
        TypeError
            If a function or a sequence of the user returns something else.

        Notes
        -----
        Memory is about that of six buffers, whatever the number of rows; of a Parquet
        file, whole row groups are read. Of a function, nothing is known beforehand:
        "auto" trains at most 100 epochs, in small steps.

        With ``checkpoint_dir``, a fit that was killed goes on to the same weights: it
        reads the pieces of its last epoch again, up to the step of the last state. A
        source or a validation set with other rows, or cut into other pieces, is
        refused; to know that, all rows are read once before the first epoch. Of a
        function, only its first four pieces are compared, and it has to return the
        same pieces for the same epoch.

        Examples
        --------
        >>> import tempfile
        >>> from ltr import NeuralRanker
        >>> from ltr.datasets import make_ranking, save_shards
        >>> folder = tempfile.mkdtemp() + "/shards"
        >>> shards = save_shards(make_ranking(60, random_state=0), folder, rows=300)
        >>> ranker = NeuralRanker("ranknet", "linear", max_epochs=20, random_state=0)
        >>> ranker = ranker.fit_stream(shards[:-1], validation=shards[-1])
        >>> ranker.score(shards[-1].X, shards[-1].y, shards[-1].qid) > 0.7
        True
        """
        from ltr.rankers.neural.streaming import train_stream

        check_whole("buffer_rows", buffer_rows, low=1)
        options = self._training_options()
        check_one_process(options.devices, "fit_stream")
        stopping = options.stopping
        check_validation(validation, stopping.enabled)
        if self.refit:
            raise ValueError(
                "refit=True is for fit, which has the validation queries in memory "
                "with the others; fit_stream has not. Set refit=False."
            )
        if getattr(self, "pair_features", None) is not None:
            raise ValueError(
                "pair_features are for fit and partial_fit; fit_stream trains on "
                "features of items only. Set pair_features=None."
            )
        start = getattr(self, "_learned_state", None) if self.warm_start else None
        self._fitted_with_qid = True
        pieces = Source(source, buffer_rows)
        is_known = start is not None

        def check(piece: Piece) -> TrainingSet:
            nonlocal is_known
            with piece.in_errors():
                features = self._features(piece.X, options, reset=not is_known)
                data = training_set(features, piece.y, piece.qid)
            is_known = True
            return data

        for piece in pieces.sample(1):
            check(piece)  # the columns, before those of the validation set
        rows = None
        if validation is not None:
            columns = validation.X, validation.y, validation.qid
            rows = self._validation_set(*columns, options)
        members: list[tuple[LearnedState, TrainingResult]] = []
        plans = self._member_plans(options, start)
        for plan in plans:
            member = train_stream(
                source=pieces,
                check=check,
                validation=rows,
                buffer_rows=buffer_rows,
                **plan,
            )
            members.append(member)
            check_complete(members, len(plans))
        self._report(self._set_members(members), start)
        remove_checkpoints(options, len(members))
        return self

    def _member_plans(
        self, options: TrainingOptions, start: LearnedState | None
    ) -> list[dict[str, Any]]:
        """Arguments of training that are not data, for each member of an ensemble."""
        return [
            {
                "options": options,
                "start": start,
                "score_items": FittedScorer.scores,
                "n_before": self._n_epochs_before(start),
                "ranker_of": self._ranker_of,
            }
        ]

    def _n_epochs_before(self, start: LearnedState | None) -> int:
        """Epochs in the history of the fits that this one goes on from."""
        history = {} if start is None else getattr(self, "history_", {})
        return len(history.get("loss", []))

    def _ranker_of(self, state: LearnedState) -> Self:
        """A fitted copy of the ranker, for callbacks."""
        ranker = object.__new__(type(self))
        ranker.__dict__.update(vars(self))
        ranker._learned_state = state
        return ranker

    def _refit(
        self,
        members: list[tuple[LearnedState, TrainingResult]],
        plans: list[dict[str, Any]],
        data: TrainingSet,
        validation: TrainingSet | None,
    ) -> None:
        """Train again on all queries, if early stopping has left some out."""
        if self.refit and all(result.scores for _, result in members):
            all_data = joined_sets(data, validation)
            members = refit_members(members, plans, all_data)
            self._learned_state = self._joined_state(members)

    def _joined_state(
        self, members: list[tuple[LearnedState, TrainingResult]]
    ) -> LearnedState:
        """What the members have learned, as one state."""
        ((state, _),) = members
        return state

    def _set_members(
        self, members: list[tuple[LearnedState, TrainingResult]]
    ) -> TrainingResult:
        """Keep what the members have learned; the result of all of them."""
        ((self._learned_state, result),) = members
        return result

    def _training_options(self, *, is_stream: bool = False) -> TrainingOptions:
        """The parameters, checked; one epoch for a piece of a stream."""
        self._check_parameters()
        return TrainingOptions(
            scorer=self.make_scorer(),
            loss=self.make_loss(),
            loss_name=self.loss,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            max_epochs=1 if is_stream else self.max_epochs,
            n_iter_no_change=self.n_iter_no_change,
            stopping=EarlyStopping(
                enabled=self.early_stopping,
                validation_fraction=self.validation_fraction,
                metric=self.metric,
                metrics=self.metrics,
            ),
            preprocess=self.preprocess,
            normalize=self.normalize,
            dtype=self.dtype,
            warm_start=self.warm_start,
            is_stream=is_stream,
            random_state=self.random_state,
            verbose=self.verbose,
            checkpoint_dir=self.checkpoint_dir,
            checkpoint_every_s=self.checkpoint_every_s,
            devices=self.devices,
            in_batch=getattr(self, "in_batch", False),
            schedule=self.learning_rate_schedule,
            clip_norm=self.clip_norm,
            callbacks=self.callbacks,
            refit=self.refit,
        )

    def _validation_set(
        self,
        X_val: Any,
        y_val: Any,
        qid_val: ArrayLike | None,
        options: TrainingOptions,
        data: TrainingSet | None = None,
        query_features: Any = None,
    ) -> TrainingSet | None:
        """Validation rows of ``fit``, checked; None if there are none."""
        needs_qid, stopping = self._fitted_with_qid, options.stopping
        if not stopping.has_validation_set(X_val, y_val, qid_val, needs_qid=needs_qid):
            return None
        with errors_in_validation_set():
            features = self._features(
                X_val, options, reset=False, qid=qid_val, query_features=query_features
            )
            features = features if data is None else like(features, data.X)
            return validation_set(
                features, y_val, qid_val, metric=self.metric, index_of=X_val
            )

    def _features(
        self,
        X: Any,
        options: TrainingOptions,
        *,
        reset: bool,
        qid: ArrayLike | None = None,
        query_features: Any = None,
    ) -> Any:
        """Features to train on: an array, a CSR matrix or JoinedRows."""
        if query_features is not None and options.preprocess == "query":
            raise ArgumentError(
                "preprocess='query' does not fit query_features, which are constant "
                "within the list, and would be 0. Set preprocess='auto'."
            )
        if query_features is not None:
            return read_joined(self, X, qid, query_features, reset=reset)
        return check_X(
            self,
            X,
            reset=reset,
            scorer=options.scorer,
            within_lists=options.preprocess == "query",
        )

    def _report(self, result: TrainingResult, start: LearnedState | None) -> None:
        """Set the attributes that describe the fit; pass Ctrl-C on, and warn."""
        self.n_iter_ = len(result.losses)
        self.best_epoch_ = result.best_epoch
        self.best_score_ = result.best_score
        compile_seconds = [result.compile_seconds, *[0.0] * len(result.losses)]
        history = {
            "loss": result.losses,
            "seconds": result.seconds,
            "compile_seconds": compile_seconds[: len(result.losses)],
        }
        if self.learning_rate_schedule is not None:
            history["learning_rate"] = result.rates
        if result.scores:
            history[get_metric(self.metric).name] = result.scores
            history |= result.watched
        past, n_before = getattr(self, "history_", None), self._n_epochs_before(start)
        self.history_ = joined_history(past, n_before, history)
        if result.advice:
            warn(result.advice)
        if result.interrupted and not result.losses:
            raise KeyboardInterrupt(
                "stopped in the first epoch; the ranker is as it was before"
            )
        if result.interrupted:
            raise FitStopped(
                f"stopped after {self.n_iter_} epochs; the ranker is fitted with the "
                "best weights so far"
            )
        if result.unfinished is not None:
            trend = result.unfinished
            raised = (
                f"max_epochs (now {self.max_epochs})"
                if self.max_epochs != "auto"
                else f"max_epochs above {self.n_iter_}"
            )
            warn(
                f"training ended after {self.n_iter_} epochs, but the loss still "
                f"falls: from {trend.before:.5g} in the last tenth but one of the "
                f"epochs to {trend.after:.5g} in the last. Raise {raised} or "
                f"learning_rate (now {result.learning_rate:g}).",
                ConvergenceWarning,
            )


def check_complete(
    members: list[tuple[LearnedState, TrainingResult]], n_members: int
) -> None:
    """Pass Ctrl-C on if it stopped a member of several."""
    if members[-1][1].interrupted and n_members > 1:
        raise KeyboardInterrupt(
            f"stopped in member {len(members)} of {n_members}; the ranker is as it was "
            "before"
        )
