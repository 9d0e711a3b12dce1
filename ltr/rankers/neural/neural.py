"""NeuralRanker: any scorer trained with any loss, as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, check_choice, check_number, check_whole
from ltr.callbacks import Callbacks
from ltr.files import PathLike
from ltr.losses import get_loss
from ltr.metrics.names import MetricLike
from ltr.rankers.inputs import check_refit, training_set
from ltr.rankers.maps import stream_of_map
from ltr.rankers.neural.identity import remove_checkpoints
from ltr.rankers.neural.items import ItemRanker
from ltr.rankers.neural.pooling import (
    check_same_call,
    check_table,
    find_hosts,
)
from ltr.rankers.neural.scaling import Preprocess
from ltr.rankers.neural.training import train_scorer
from ltr.rankers.query_features import check_validation_features
from ltr.scorers import SCORERS, Scorer, get_scorer, with_dropout
from ltr.scorers.products import Precision
from ltr.training.schedules import ScheduleLike


class NeuralRanker(ItemRanker):
    """A scorer trained by gradient descent on a ranking loss.

    Items are scored by a linear model, a multilayer perceptron, self-attention over the
    list, or two towers over embeddings; the loss is any function of
    :mod:`ltr.losses`. Training is jit-compiled JAX over mini-batches of whole lists of
    similar size; prediction is NumPy in float64.

    Parameters
    ----------
    loss : str or callable, default="listnet"
        A name of :data:`ltr.losses.LOSSES`, such as ``"ranknet"``, ``"listnet"``,
        ``"lambdarank"``, ``"softmax"``, ``"listmle"``, ``"ranklist"``, ``"mse"``,
        ``"approx_ndcg"``, ``"pld"``, ``"lipo_lambda"``; a function with the same
        contract, for example ``functools.partial(ltr.losses.ranknet_loss, sigma=2.0)``;
        or a sum of losses by :func:`ltr.losses.combine`.
    scorer : str or Scorer, default="wide_deep"
        A key of :data:`ltr.scorers.SCORERS`, or a scorer object. ``"linear"``: one
        weight per feature; ``"mlp"``: a multilayer perceptron on each item;
        ``"wide_deep"``: one with a linear path beside it, and shrinkage toward a linear
        model on few lists, see Notes;
        ``"attention"``: self-attention over the items of a list; ``"two_tower"``: the
        similarity of a query and an item embedding, which needs ``n_query_features``;
        ``"adapter"``: the same with a correction of low rank.
    hidden_layer_sizes : int or tuple of int, default=(128, 64)
        Hidden layers of ``"wide_deep"`` and ``"mlp"``; of the encoder of
        ``"attention"``.
    n_query_features : int, default=None
        For ``"two_tower"`` and ``"adapter"``: how many of the first columns are the
        query embedding.
    similarity : {"cosine", "dot", "bilinear"}, default="cosine"
        For ``"two_tower"``.
    dropout : float, default=0.0
        Share of the hidden units that a training step leaves out at random, in [0, 1),
        for ``"mlp"``, ``"wide_deep"`` and ``"attention"`` [3]_.
    optimizer : str or callable, default="adamw"
        ``"adam"``, ``"adamw"``, ``"adagrad"``, ``"lion"``, ``"nadam"``, ``"rmsprop"``,
        ``"sgd"``, or an importable function of ``learning_rate`` that returns an optax
        transformation.
    learning_rate : float or "auto", default="auto"
        Step size, > 0. ``"auto"``: 0.001; for ``scorer="linear"`` 0.1 by the number
        of steps in an epoch, but at least 0.001, and less for many features or a strong
        decay.
    learning_rate_schedule : str or callable, default=None
        How the learning rate changes from step to step. ``"cosine"``: down to 0 at the
        last of ``max_epochs``, along half a cosine; ``"warmup_cosine"``: the same after
        5 % of the steps, in which it goes up to ``learning_rate``;
        ``"reduce_on_plateau"``: by a factor of 0.2 each time that ``metric``, or the
        loss without validation, has not improved for half of ``n_iter_no_change``
        epochs; a function of the number of the step in this fit, such as a schedule of
        optax, that returns the learning rate itself. With one, ``max_epochs="auto"``
        trains 100 epochs or 5000 steps, whichever is more, unless it stops early.
    clip_norm : float, default=None
        Greatest Euclidean norm of the gradient of a step, > 0; a longer one is scaled
        down to it. None: any.
    weight_decay : float or "auto", default="auto"
        Decoupled weight decay: each step shrinks the weights by ``learning_rate ·
        weight_decay``. ``"auto"``: 0, except for ``"adamw"``: 3 for ``"wide_deep"`` and
        ``"mlp"``; for ``"linear"`` ten times the number of features by the number of
        rows, between 0.01 and 10; 1 for others.
    batch_size : int, default=32
        Lists in a mini-batch.
    max_epochs : int or "auto", default="auto"
        Maximum number of passes over the training lists; with ``warm_start``, further
        passes. ``"auto"``: 100; if the training loss still falls then, which happens
        with few lists and so few steps in an epoch, until it has settled or 5000 steps
        are done. A linear scorer goes on longer than others, which would fit noise.
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
    metric : str or callable, default="ndcg@10"
        Metric for :func:`ltr.metrics.get_metric`: for early stopping and ``score``.
    metrics : list of str or callable, default=None
        Metrics to watch on the validation queries besides ``metric``; they are in
        ``history_``. With ``early_stopping=False`` and ``X_val``, all are only watched.
    refit : bool, default=False
        After early stopping, train again on all queries, those of validation included,
        for ``best_epoch_`` epochs. ``history_`` and ``best_score_`` are those of early
        stopping.
    callbacks : list of callable, default=None
        What to call after each epoch with a :class:`ltr.callbacks.TrainingState`:
        functions, or objects with a method ``on_epoch``. If one returns True, training
        ends. They are not saved with the ranker.
    preprocess : {"auto", "query", "standard", "log1p", None}, default="auto"
        Feature scaling. ``"standard"``: z-scores; ``"log1p"``: z-scores of
        sign(x)·log(1 + abs(x)); ``"auto"`` takes the logarithm of heavy-tailed features
        only, and leaves the embeddings of ``"two_tower"`` alone. ``"query"``: z-scores
        within the list, those of ``predict`` from the list that it is given; a feature
        that is constant in a list is 0 there. It suits features whose level differs
        from query to query; those that describe the query itself are lost.
    normalize : bool, default=True
        Divide the loss of each list by the total weight of its terms.
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
        1: a line of progress every 5 seconds; 2: one per epoch; on standard error.
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
        Devices that share a mini-batch: all, with ``jax.distributed`` those of all
        processes, each with its own lists; the first ones; those of a mesh. The result
        is that of one, up to rounding, but for losses that draw. It pays where a step
        takes several milliseconds: raise ``batch_size``.
    in_batch : bool, default=False
        Every query of a mini-batch scores the items of all its lists, and those of
        other queries have label 0: in-batch negatives, which contrastive losses such as
        ``"infonce"`` are known for. Needs ``n_query_features``. Losses that compare the
        lists of a batch, such as :func:`ltr.losses.wasserstein_batch_loss`, need it
        unless the columns of all lists mean the same.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.
    n_iter_ : int
        Epochs run by the last fit.
    best_epoch_ : int
        Epoch of the last fit whose weights are kept; 0: those it started from.
    best_score_ : float
        Validation metric at that epoch; NaN without validation.
    history_ : dict of str to list of float
        ``"loss"``, ``"seconds"`` and, with validation, ``metric`` and ``metrics`` of
        each epoch; ``"learning_rate"`` of its last step if there is a schedule. With
        ``warm_start``, epochs of earlier fits come first. The time of compilation is
        not in ``"seconds"``: ``"compile_seconds"`` of the first epoch of a fit has it.

    See Also
    --------
    LambdaMARTRanker : Boosted trees; the baseline to beat on feature tables.

    Notes
    -----
    ``scorer="wide_deep"`` scores by s(x) = w · x + MLP(x) [1]_, where the perceptron is
    trained as that of ``"mlp"``. On few lists it fits noise, and a linear regression on
    the labels ranks better; on many it is the other way round. So up to 1000 lists, the
    scores are those of both, with the same spread within lists; the regression has the
    share 50 / (50 + L) on L training lists, where one of over 100 rows counts as
    several. On 10 to 99 lists, unless early stopping holds some out, it is averaged
    with the share that predicts lists left out of three more fits best: that share
    counts as L lists, the other one as 20. The regression is a sum of ridge regressions
    of several penalties and of the best single feature, each with the weight ≥ 0 that
    its predictions of lists left out of its fit deserve [2]_. It becomes w, so that
    predict evaluates one network. There is none (w = 0) for a loss of your own, one of
    a whole batch, or one that sees more than differences of scores, such as ``"mse"``;
    with ``teacher_scores``, ``reference_scores`` or ``position``; in ``partial_fit``
    and ``fit_stream``. Until ltr 0.1 the default was ``"mlp"``.

    A sparse ``X`` (CSR or any other format) is never made dense: a step costs what the
    non-zero values of its lists cost, and memory is about 8 bytes for each on top of
    ``X``. So that a 0 stays a 0, ``preprocess`` subtracts no mean from a feature: it
    divides by the root mean square of its non-zero values, and takes the logarithm
    where one of them is five times that (``"auto"``) or of all (``"log1p"``);
    ``"standard"`` divides by the standard deviation, which makes rare features large.
    It fits the scorers ``"linear"``, ``"mlp"`` and ``"wide_deep"``, the last without
    its regression if ``X`` has over 2²⁴ entries, zeros included.

    A fit with one ``random_state`` repeats on one machine. Changing a number
    (``learning_rate``, ``sigma``, …) recompiles nothing.

    Small blocks are scored on one thread, since on a busy machine further threads of
    BLAS would wait for a core at each product; large ones on as many as NumPy uses.
    ``threadpoolctl.threadpool_limits`` limits these.

    References
    ----------
    .. [1] Cheng et al., "Wide & deep learning for recommender systems", DLRS 2016.
    .. [2] Breiman, "Stacked regressions", Machine Learning 24, 1996.
    .. [3] Srivastava et al., "Dropout: a simple way to prevent neural networks from
       overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> from ltr import NeuralRanker
    >>> from ltr.datasets import make_ranking
    >>> data = make_ranking(n_queries=50, random_state=0)
    >>> ranker = NeuralRanker("ranknet", max_epochs=20, random_state=0)
    >>> _ = ranker.fit(data.X, data.y, data.qid)
    >>> ranker.score(data.X, data.y, data.qid) > 0.7
    True
    """

    dropout: float = 0.0  # of rankers that ltr 0.1 pickled

    def __init__(
        self,
        loss: str | Callable[..., jax.Array] = "listnet",
        scorer: str | Scorer = "wide_deep",
        *,
        hidden_layer_sizes: int | tuple[int, ...] = (128, 64),
        n_query_features: int | None = None,
        similarity: Literal["cosine", "dot", "bilinear"] = "cosine",
        dropout: float = 0.0,
        optimizer: str | Callable[..., Any] = "adamw",
        learning_rate: float | Literal["auto"] = "auto",
        learning_rate_schedule: ScheduleLike = None,
        clip_norm: float | None = None,
        weight_decay: float | Literal["auto"] = "auto",
        batch_size: int = 32,
        max_epochs: int | Literal["auto"] = "auto",
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        metric: MetricLike = "ndcg@10",
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
        in_batch: bool = False,
    ) -> None:
        self.loss = loss
        self.scorer = scorer
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_query_features = n_query_features
        self.similarity = similarity
        self.dropout = dropout
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
        self.in_batch = in_batch

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
        query_features: Any = None,
        query_features_val: Any = None,
    ) -> NeuralRanker:
        """Train on labeled queries.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features, finite. A sparse matrix stays one, see Notes of the class.
        y : array-like of shape (n_samples,)
            Labels, higher is better.
        qid : array-like of shape (n_samples,), default=None
            Query of each row: any hashable ids, in any order. None: one query.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights ≥ 0: weight 2 is the row twice in its list, weight 0 is no row.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query in loss and validation; constant within a query.
        teacher_scores : array-like of shape (n_samples,), default=None
            For distillation losses (``"pld"``, ``"kl_distillation"``, …), which require
            it, and for ``"ranknet"``, which then learns the pairs of the teacher
            instead of those of the labels.
        reference_scores : array-like of shape (n_samples,), default=None
            For preference losses (``"lipo_lambda"``, ``"dpo"``, ``"irpo"``, …): scores
            of the frozen reference model.
        position : array-like of shape (n_samples,), default=None
            1-based position at which an item was shown, for losses that read it:
            ``"irpo"`` and the click losses, ``loss=ltr.losses.ips_softmax_loss``.
        X_val : array-like or sparse matrix of shape (n_val, n_features), default=None
            Validation features, for early stopping.
        y_val : array-like of shape (n_val,), default=None
            Validation labels.
        qid_val : array-like of shape (n_val,), default=None
            Query of each validation row.
        query_features : array-like or DataFrame, default=None
            Features of the queries, shape (n_queries, n_query_features): an array in
            the order in which ``qid`` first has them, or a pandas DataFrame with the
            queries as its index. They are the first columns of the ranker, as
            :func:`ltr.rankers.join_query_features` puts them, without that table.
        query_features_val : array-like or DataFrame, default=None
            Those of the validation queries.

        Returns
        -------
        self : NeuralRanker

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
            If no list has two distinct labels, so that no order can be learned, or the
            labels do not fit ``metric``.
        ConvergenceWarning
            If the loss still falls when ``max_epochs`` is reached; with validation, if
            the metric still improves, too.

        Notes
        -----
        If ``X`` is a memory map larger than half of the memory (of the machine, or what
        ``ulimit`` or a control group allow), and the rows of each query stand together,
        this is :meth:`fit_stream` on the same rows: lists in another order, and nothing
        held out. A buffer has 262,144 rows, or the power of two of which six take half
        of the memory; ``verbose=1`` tells it. With weights, extras such as
        ``position``, ``refit=True``, ``early_stopping=True`` without validation rows,
        or several processes, all rows are in memory.
        """
        hosts = find_hosts(self.devices, X)
        if hosts.n == 1:
            stream = stream_of_map(
                self,
                X,
                y,
                qid,
                (X_val, y_val, qid_val),
                (
                    sample_weight,
                    query_weight,
                    teacher_scores,
                    reference_scores,
                    position,
                    query_features,
                    query_features_val,
                ),
            )
            if stream is not None:
                return self.fit_stream(**stream)
        with hosts.together():
            options = self._training_options()
            start = getattr(self, "_learned_state", None) if self.warm_start else None
            check_validation_features(query_features, query_features_val, X_val)
            features = self._features(
                X, options, reset=start is None, qid=qid, query_features=query_features
            )
            check_table(hosts, features)
            data = training_set(
                features,
                y,
                qid,
                sample_weight=sample_weight,
                query_weight=query_weight,
                extras={
                    "teacher_scores": teacher_scores,
                    "reference_scores": reference_scores,
                    "position": position,
                },
                index_of=X,
            )
            self._fitted_with_qid = qid is not None
            validation = self._validation_set(
                X_val, y_val, qid_val, options, data, query_features_val
            )
            if self.refit:
                check_refit(data, validation)
        with hosts.alive("outside the epochs of training"):
            check_same_call(hosts, self, data, validation, start)
            (plan,) = self._member_plans(options, start)
            member = train_scorer(data=data, validation=validation, **plan)
            self._report(self._set_members([member]), start)
            self._refit([member], [plan], data, validation)
        remove_checkpoints(options)
        return self

    def make_scorer(self) -> Scorer:
        """Make the scorer that the parameters name."""
        check_number("dropout", self.dropout, low=0.0, high=1.0, open_high=True)
        scorer = get_scorer(
            self.scorer, self.hidden_layer_sizes, self.n_query_features, self.similarity
        )
        return with_dropout(scorer, self.dropout)

    def make_loss(self) -> Callable[..., jax.Array]:
        """Look up the loss that the parameters name."""
        return get_loss(self.loss) if isinstance(self.loss, str) else self.loss

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        kind = SCORERS.get(self.scorer) if isinstance(self.scorer, str) else self.scorer
        tags.input_tags.sparse = getattr(kind, "takes_sparse", False)
        return tags

    def _check_parameters(self) -> None:
        if not isinstance(self.loss, str) and not callable(self.loss):
            raise ArgumentError(
                "loss must be a name of ltr.losses.LOSSES or a function of its "
                f"signature; got {self.loss!r}."
            )
        n_query_features = self.n_query_features
        check_whole("n_query_features", n_query_features, low=1, optional=True)
        check_choice("similarity", self.similarity, ("cosine", "dot", "bilinear"))
