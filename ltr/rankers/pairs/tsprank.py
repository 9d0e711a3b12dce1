"""TSPRanker: scores of pairs, and a solver that finds the best order for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import jax
from numpy.typing import ArrayLike

from ltr.callbacks import Callbacks
from ltr.files import PathLike
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray
from ltr.rankers.features import check_dense_X
from ltr.rankers.inputs import training_set
from ltr.rankers.maps import stream_of_map
from ltr.rankers.neural.gradient import check_complete
from ltr.rankers.neural.identity import remove_checkpoints
from ltr.rankers.neural.pooling import (
    check_one_process,
    check_same_call,
    find_hosts,
)
from ltr.rankers.neural.scaling import Preprocess
from ltr.rankers.neural.training import train_scorer
from ltr.rankers.pairs.outputs import PairArrays
from ltr.rankers.pairs.pair_features import PairFunction, validation_pairs
from ltr.rankers.pairs.parameters import PairRanker
from ltr.scorers.products import Precision
from ltr.training.schedules import ScheduleLike


class TSPRanker(PairRanker):
    """Bilinear scores of pairs, decoded into the best order of the whole list.

    For each pair of items of a list, a bilinear form of their embeddings is the gain of
    placing item j directly after item i. A solver then maximizes the total gain: over
    paths through all items (an open-path traveling salesman problem) or over linear
    orderings, both with a bound. Most losses train without a solver.

    Parameters
    ----------
    loss : str or callable, default="successor"
        ``"successor"``: cross-entropy of the true next item, start and end included.
        ``"crf"``: likelihood of the true path among all paths, for lists of at most 15.
        ``"max_margin"``: structured hinge; each list is solved at every step.
        ``"hybrid"``: alternates ``"max_margin"`` and ``"successor"``, the paper's
        "global" mode.
        ``"pairwise"``: logistic loss of ``matrix[i, j] - matrix[j, i]``.
        ``"gap_weighted"``: binary targets, weighted by the distance in rank.
        ``"perturbed_fy"``: perturbed Fenchel-Young; noisy copies of each list are
        solved.
        Or a function of :mod:`ltr.losses.paths`, or a ``functools.partial`` of one.
    encoder : {"identity", "mlp", "attention"}, default="mlp"
        How features become embeddings: unchanged, by a multilayer perceptron per item,
        or by one followed by self-attention over the list.
    hidden_layer_sizes : int or tuple of int, default=(128, 64)
        Layers of the encoder; the last is the width of the embeddings.
    low_rank : int, default=None
        Columns of U and V in W = U Vᵀ. None: W is free.
    skew : bool, default=False
        Whether the bilinear part is a preference: ``matrix[i, j] = -matrix[j, i]``.
    pair_features : callable, default=None
        Features of pairs, such as distances: a function of the features of a list,
        (n, n_features) as in ``X``, that returns an array of shape (n, n, k) or (n, n).
        Entry [i, j] describes placing item j directly after item i; the diagonal is not
        read. ``fit`` checks that permuting the rows permutes the result. Arrays that
        exist already are passed to ``fit`` and ``predict`` instead.
    pair_hidden_layer_sizes : int or tuple of int, default=(32,)
        Layers of the perceptron of the pair features, which is added to a linear form
        of them. ``()``: the linear form only.
    n_estimators : int, default=1
        Models with different seeds, whose pair scores are averaged and decoded once.
    decoder : {"auto", "path", "ordering", "borda", "bayes"}, default="auto"
        ``"path"``: best sum over adjacent items. ``"ordering"``: best sum over all
        pairs.
        ``"borda"``: sort by row sums of ``matrix - matrix.T``. ``"bayes"``: the order
        of greatest expected Kendall τ under the path distribution, for lists of at most
        15. ``"auto"``: what the loss trains for, a linear ordering for ``"pairwise"``
        and ``"gap_weighted"``, else a path, see Notes. Instead of paths it is
        ``"bayes"`` for lists of at most 15 if validation lists, 20 or more of at most
        12 items, prefer it by more than a standard error of ``metric`` after the last
        epoch.
    solver : str, default="auto"
        Method of the solver, which every decoder but ``"borda"`` calls. ``"auto"``: by
        size and structure. For paths ``"dp"`` (up to 16 items),
        ``"branch_and_bound"``, ``"branch_and_cut"``, ``"cp_sat"``, ``"routing"`` or
        ``"local_search"``, see :func:`ltr.solvers.solve_path`; for linear orderings,
        ``"bayes"`` among them, ``"dp"`` (up to 18 items), ``"branch_and_cut"``,
        ``"cp_sat"`` or ``"local_search"``, see :func:`ltr.solvers.solve_ordering`.
    compat : {"paper", None}, default=None
        ``"paper"``: what the authors' code does, for comparison only. Two bilinear
        forms chosen by row number, no start and end, their losses (``"successor"``,
        ``"max_margin"``, ``"hybrid"``, ``"gap_weighted"``), ties broken by row, decoded
        as a path. The result depends on the order of the rows.
    time_limit_s : float, default=None
        Seconds for the solver on one list. With it, orders may differ between runs.
    work_limit : float, default=None
        Units of work for the solver on one list, about a second each; results repeat.
        None: 20 for lists of up to 150 items and 20 (150 / n)² for longer ones, so that
        1000 items take about 2 seconds. ``decode`` tells the gap of each order.
    n_jobs : int, default=None
        Lists that the solver works on at a time, see
        :func:`ltr.solvers.solve_paths`. None: one per core.
    optimizer : str or callable, default="adamw"
        As for :class:`NeuralRanker`.
    learning_rate : float, default=0.001
        Step size, > 0.
    learning_rate_schedule : str or callable, default=None
        As for :class:`NeuralRanker`.
    clip_norm : float, default=None
        Greatest Euclidean norm of the gradient of a step. None: any.
    weight_decay : float or "auto", default="auto"
        Decoupled weight decay; ``"auto"``: 1.0 for ``"adamw"``, 0 for others.
    batch_size : int, default=32
        Lists in a mini-batch.
    max_epochs : int or "auto", default="auto"
        Maximum number of passes over the training lists; with ``warm_start``, further
        passes. ``"auto"``: 100; if the training loss still falls then, which happens
        with few lists and so few steps in an epoch, until it has settled or 5000 steps
        are done.
    early_stopping : bool or "auto", default="auto"
        Stop when ``metric`` on validation queries no longer improves, and keep the best
        weights. True holds out ``validation_fraction`` of the queries unless ``X_val``
        is passed; ``"auto"`` stops early with ``X_val``, or if at least 100 lists are
        informative.
    validation_fraction : float, default=0.1
        Share of the queries to hold out, in (0, 1].
    n_iter_no_change : int or "auto", default="auto"
        Epochs without improvement before training stops. ``"auto"``: 10, and at least
        200 steps.
    metric : str or callable, default="kendall_tau"
        Metric for :func:`ltr.metrics.get_metric`: for early stopping and ``score``.
    metrics : list of str or callable, default=None
        Metrics to watch on the validation queries besides ``metric``, as for
        :class:`NeuralRanker`.
    refit : bool, default=False
        After early stopping, train again on all queries, as for :class:`NeuralRanker`.
    callbacks : list of callable, default=None
        What to call after each epoch, as for :class:`NeuralRanker`.
    preprocess : {"auto", "query", "standard", "log1p", None}, default="auto"
        Feature scaling, as for :class:`NeuralRanker`. Pair features are standardized
        unless it is None.
    normalize : bool, default=True
        Divide the loss of a list by the number of its terms.
    dtype : {"float32", "float64", "bfloat16"}, default="float32"
        Precision of training. ``"bfloat16"`` rounds the operands of the scorer's matrix
        products, which accelerators then multiply faster (CPUs do not); sums,
        parameters, loss and optimizer are in float32. Prediction is in float64.
    warm_start : bool, default=False
        Go on from the last fit instead of starting over: from its last weights and, if
        that fit had ``warm_start``, too, its optimizer state. What it predicted with is
        epoch 0 of the validation, so a fit on the same validation queries never ends
        worse than it began.
    random_state : int, RandomState or None, default=None
        Seed of weights, order of lists and validation split.
    verbose : int, default=0
        1: progress of training every 5 seconds, and how many lists ``predict`` decoded
        without a proof; 2: every epoch; on standard error.
    checkpoint_dir : path-like, default=None
        Folder in which ``fit`` or ``fit_stream`` keeps its state. A process that is
        killed loses little: the same call on the same data goes on from there, to the
        same weights bit by bit, and removes the state when it is over. Data or
        parameters other than those of the state are refused, so a folder is for one fit
        at a time, and not for cross-validation. Not read by ``partial_fit``. None: keep
        none.
    checkpoint_every_s : float, default=60.0
        Seconds between two writings of that state; a step is never interrupted.
    devices : None, "all", int or jax.sharding.Mesh, default=None
        Devices that share the lists of a mini-batch, as for :class:`NeuralRanker`.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.
    n_iter_ : int
        Epochs run by the last fit, those of all members.
    best_epoch_ : int
        Epoch of the last fit whose weights are kept, of the first member; 0: those it
        started from.
    best_score_ : float
        Validation metric at that epoch, with ``n_estimators`` that of the ensemble,
        decoded by ``decoder_``; NaN without validation.
    decoder_ : str
        What turns pair scores into orders.
    history_ : dict of str to list of float
        ``"loss"``, ``"seconds"`` and, with validation, ``metric`` and ``metrics`` of
        each epoch, member after member; with ``warm_start``, epochs of earlier fits
        come first. The time of compilation is ``"compile_seconds"`` of the first epoch.

    See Also
    --------
    NeuralRanker : One score per item, sorted.
    ltr.solvers.solve_path : The path decoder.
    ltr.solvers.solve_ordering : The linear ordering decoder.

    Notes
    -----
    A path sees only neighbors. Scores that say *i before j*, as pairwise losses learn
    them, are decoded wrongly by a path: if ``matrix[i, j] = f_i - f_j``, the sum
    telescopes to the first f minus the last, and every order with the right ends is
    optimal. So the decoder follows the loss, and another choice warns.

    Items with equal labels have no order: each loss leaves such pairs out or averages
    over their orders, see :mod:`ltr.losses.paths`. Items that the encoder does not tell
    apart (copies, or rows for which a narrow one has no active unit) get equal scores.

    References
    ----------
    .. [1] Yin et al., "TSPRank: bridging pairwise and listwise methods with a bilinear
       travelling salesman model", KDD 2025. Start and end scores, the masked diagonal,
       one matrix for all pairs, ties, and the other decoders are ours.

    Examples
    --------
    >>> from ltr import TSPRanker
    >>> from ltr.datasets import make_ranking
    >>> data = make_ranking(n_queries=50, random_state=0)
    >>> ranker = TSPRanker("pairwise", max_epochs=10, random_state=0)
    >>> _ = ranker.fit(data.X, data.y, data.qid)
    >>> ranker.score(data.X, data.y, data.qid) > 0.5
    True

    Stops of a tour in order, from their coordinates and the distances between them:

    >>> from scipy.spatial.distance import cdist
    >>> ranker = TSPRanker(pair_features=lambda X_list: cdist(X_list, X_list))
    >>> _ = ranker.set_params(max_epochs=10).fit(data.X, data.y, data.qid)
    """

    __metadata_request__fit: ClassVar[dict[str, Any]] = {
        **dict.fromkeys(("qid", "query_weight", "X_val", "y_val", "qid_val"), True),
    }

    def __init__(
        self,
        loss: str | Callable[..., jax.Array] = "successor",
        *,
        encoder: Literal["identity", "mlp", "attention"] = "mlp",
        hidden_layer_sizes: int | tuple[int, ...] = (128, 64),
        low_rank: int | None = None,
        skew: bool = False,
        pair_features: PairFunction | None = None,
        pair_hidden_layer_sizes: int | tuple[int, ...] = (32,),
        n_estimators: int = 1,
        decoder: Literal["auto", "path", "ordering", "borda", "bayes"] = "auto",
        solver: str = "auto",
        compat: Literal["paper"] | None = None,
        time_limit_s: float | None = None,
        work_limit: float | None = None,
        n_jobs: int | None = None,
        optimizer: str | Callable[..., Any] = "adamw",
        learning_rate: float = 0.001,
        learning_rate_schedule: ScheduleLike = None,
        clip_norm: float | None = None,
        weight_decay: float | Literal["auto"] = "auto",
        batch_size: int = 32,
        max_epochs: int | Literal["auto"] = "auto",
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        metric: MetricLike = "kendall_tau",
        metrics: list[MetricLike] | None = None,
        refit: bool = False,
        callbacks: Callbacks = None,
        preprocess: Preprocess = "auto",
        normalize: bool = True,
        dtype: Precision = "float32",
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
        checkpoint_dir: PathLike | None = None,
        checkpoint_every_s: float = 60.0,
        devices: Any = None,
    ) -> None:
        self.loss = loss
        self.encoder = encoder
        self.hidden_layer_sizes = hidden_layer_sizes
        self.low_rank = low_rank
        self.skew = skew
        self.pair_features = pair_features
        self.pair_hidden_layer_sizes = pair_hidden_layer_sizes
        self.n_estimators = n_estimators
        self.decoder = decoder
        self.solver = solver
        self.compat = compat
        self.time_limit_s = time_limit_s
        self.work_limit = work_limit
        self.n_jobs = n_jobs
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.clip_norm = clip_norm
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.metric = metric
        self.metrics = metrics
        self.refit = refit
        self.callbacks = callbacks
        self.preprocess = preprocess
        self.normalize = normalize
        self.dtype = dtype
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint_dir = checkpoint_dir
        self.checkpoint_every_s = checkpoint_every_s
        self.devices = devices

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        query_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        qid_val: ArrayLike | None = None,
        pair_features: PairArrays | None = None,
        pair_features_val: PairArrays | None = None,
    ) -> TSPRanker:
        """Train on labeled queries.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, finite.
        y : array-like of shape (n_samples,)
            Labels, higher is better; equal labels have no order.
        qid : array-like of shape (n_samples,), default=None
            Query of each row: any hashable ids, in any order. None: one query.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query, constant within a query; also in the metrics of
            queries that are held out.
        X_val : array-like of shape (n_val, n_features), default=None
            Validation features, for early stopping.
        y_val : array-like of shape (n_val,), default=None
            Validation labels.
        qid_val : array-like of shape (n_val,), default=None
            Query of each validation row.
        pair_features : list of array-like, default=None
            Features of pairs, shape (list_size, list_size, k) or (list_size,
            list_size): one array per query, by first appearance, items in the order of
            the rows. They take the place of the parameter ``pair_features``.
        pair_features_val : list of array-like, default=None
            Those of the validation queries.

        Returns
        -------
        self : TSPRanker

        Raises
        ------
        ValueError
            If a parameter or an input is invalid; the message says what
            came and where.
        MemoryError
            If the weights, or a training step on the longest lists, need more memory
            than is available.

        Warns
        -----
        UserWarning
            If no list has two distinct labels, the labels do not fit ``metric``, or
            the decoder does not fit the loss.
        ConvergenceWarning
            If the loss still falls when ``max_epochs`` is reached; with validation, if
            the metric still improves, too.

        Notes
        -----
        As :meth:`NeuralRanker.fit`, on a memory map larger than half of the memory this
        is :meth:`fit_stream`, unless there are weights, features of pairs,
        ``refit=True``, ``early_stopping=True`` without validation rows, or several
        processes.
        """
        hosts = find_hosts(self.devices, X)
        if hosts.n == 1:
            stream = stream_of_map(
                self,
                X,
                y,
                qid,
                (X_val, y_val, qid_val),
                (query_weight, pair_features, pair_features_val, self.pair_features),
            )
            if stream is not None:
                return self.fit_stream(**stream)
        with hosts.together():
            options = self._training_options()
            start = getattr(self, "_learned_state", None) if self.warm_start else None
            features = check_dense_X(self, X, reset=start is None)
            data = training_set(features, y, qid, query_weight=query_weight, index_of=X)
            self._fitted_with_qid = qid is not None
            validation = self._validation_set(X_val, y_val, qid_val, options)
            data = self._with_pairs(data, pair_features, start)
            validation = validation_pairs(
                self.pair_features, pair_features_val, validation, data.pairs
            )
        members: list[Any] = []
        with hosts.alive("outside the epochs of training"):
            check_same_call(hosts, self, data, validation, start)
            plans = self._member_plans(options, start)
            for plan in plans:
                members.append(train_scorer(data=data, validation=validation, **plan))
                check_complete(members, self.n_estimators)
            self._report(self._set_members(members), start)
            self._refit(members, plans, data, validation)
        remove_checkpoints(options, self.n_estimators)
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        pair_features: PairArrays | None = None,
    ) -> TSPRanker:
        """Make one pass over more queries, see :meth:`NeuralRanker.partial_fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, finite.
        y : array-like of shape (n_samples,)
            Labels, higher is better.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        pair_features : list of array-like, default=None
            As in :meth:`fit`.

        Returns
        -------
        self : TSPRanker
        """
        options = self._training_options(is_stream=True)
        check_one_process(options.devices, "partial_fit")
        start = getattr(self, "_learned_state", None)
        features = check_dense_X(self, X, reset=start is None)
        data = training_set(features, y, qid, index_of=X)
        self._fitted_with_qid = qid is not None
        data = self._with_pairs(data, pair_features, start)
        members: list[Any] = []
        for plan in self._member_plans(options, start):
            members.append(train_scorer(data=data, validation=None, **plan))
            check_complete(members, self.n_estimators)
        self._report(self._set_members(members), start)
        return self

    def predict(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        pair_features: PairArrays | None = None,
    ) -> FloatArray:
        """Score items by their place in the decoded order.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        pair_features : list of array-like, default=None
            Features of pairs, one array per query as in :meth:`fit`. Required if they
            were passed to ``fit`` and the parameter ``pair_features`` is None.

        Returns
        -------
        scores : float array of shape (n_samples,)
            Number of items of the list that come after it; with ``decoder="borda"`` its
            Borda sum. They are comparable within a list only.

        Raises
        ------
        ValueError
            If ``X`` has other columns than in ``fit``, or a value is not finite.
        NotFittedError
            If the ranker is not fitted.

        Warns
        -----
        UserWarning
            If over 1000 rows are one list because ``qid`` is None, but ``fit`` was
            given one.
        """
        fitted, features, queries = self._check_lists(X, qid, pair_features)
        return self._decoder().scores(fitted, features, queries)
