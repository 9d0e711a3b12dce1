"""LambdaMART on a Dask cluster."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_random_state

from ltr.arguments import check_whole
from ltr.dask.checks import check_cluster, check_no_query_features, check_widths
from ltr.dask.evaluation import relative_metrics
from ltr.dask.pieces import is_dask_array, read_pieces
from ltr.dask.placement import (
    Worker,
    find_client,
    find_workers,
    place,
    read_queries,
    share_lists,
)
from ltr.dask.rounds import network_of, run_together
from ltr.dask.training import (
    PartFacts,
    Task,
    check_validation_part,
    grow_part,
    inspect_part,
    judge_part,
)
from ltr.metrics import Metric, get_metric
from ltr.metrics.averages import mean_of
from ltr.metrics.own import OwnFunction
from ltr.progress import SECONDS_BETWEEN_LINES, ProgressLine
from ltr.queries import IntArray
from ltr.rankers.inputs import NO_ORDER
from ltr.rankers.trees.boosting import Boosted
from ltr.rankers.trees.existing import Start
from ltr.rankers.trees.feature_tables import check_table, fit_categories
from ltr.rankers.trees.label_gains import auto_gain
from ltr.rankers.trees.lambdamart import LambdaMARTRanker
from ltr.rankers.trees.loss_objective import StartSums
from ltr.rankers.trees.losses import is_lightgbm_loss
from ltr.rankers.trees.parameters import (
    check_interactions,
    check_parameters,
    lightgbm_params,
)
from ltr.rankers.validation import (
    check_values_are_defined,
    errors_in_validation_set,
)
from ltr.rankers.warning import warn

if TYPE_CHECKING:
    import jax


class _Parts(NamedTuple):
    """Lists on the workers that have some."""

    workers: list[Worker]
    parts: list[Any]


class DaskLambdaMARTRanker(LambdaMARTRanker):
    """LambdaMART for data on a Dask cluster.

    Every worker gets whole lists, about as many rows as the others, in an order that
    depends on the data and on the number of workers only; then LightGBM trains on all
    of them together (data parallel), with its own losses or any loss of
    :mod:`ltr.losses`. The result is the same to the bit in every run with as many
    workers and threads. It differs from that of another number of workers as one seed
    from another, since bins and ties of the first tree do.

    Parameters
    ----------
    loss : str or callable, default="lambdarank"
        As in :class:`ltr.LambdaMARTRanker`.
    client : distributed.Client, default=None
        The cluster. None: the client that is active.
    trees_per_round : int, default=None
        With early stopping, trees that are grown between two looks at the validation
        lists; each round bins the features again. None: ``n_iter_no_change``.
    **parameters
        All others of :class:`ltr.LambdaMARTRanker` but ``refit``, ``metrics``,
        ``callbacks`` and ``warm_start``. ``n_jobs=None`` means the threads of each Dask
        worker.

    Attributes
    ----------
    booster_, n_iter_, best_score_, history_, n_features_in_
        As of :class:`ltr.LambdaMARTRanker`: a fitted ranker predicts without a cluster.

    See Also
    --------
    ltr.LambdaMARTRanker : The ranker of one machine, and the meaning of parameters.

    Notes
    -----
    Early stopping is decided here, after each round of trees: LightGBM's own waits
    forever on a cluster (its issue 6351). ``position`` is for losses in JAX only.

    References
    ----------
    .. [1] Ke et al., "LightGBM: a highly efficient gradient boosting decision tree",
       NIPS 2017; data-parallel training after its documentation.

    Examples
    --------
    >>> import dask.array as da                                      # doctest: +SKIP
    >>> from dask.distributed import Client, LocalCluster            # doctest: +SKIP
    >>> client = Client(LocalCluster(n_workers=2))                   # doctest: +SKIP
    >>> ranker = DaskLambdaMARTRanker("listnet", client=client)      # doctest: +SKIP
    >>> ranker.fit(da.from_array(X), da.from_array(y), da.from_array(qid))
    ... # doctest: +SKIP
    >>> ranker.to_local().predict(X)                                 # doctest: +SKIP
    """

    def __init__(
        self,
        loss: str | Callable[..., jax.Array] = "lambdarank",
        *,
        client: Any = None,
        trees_per_round: int | None = None,
        **parameters: Any,
    ) -> None:
        super().__init__(loss, **parameters)
        self.client = client
        self.trees_per_round = trees_per_round

    def __sklearn_clone__(self) -> DaskLambdaMARTRanker:
        """An unfitted copy with the same client, which cannot be copied."""
        parameters = clone(LambdaMARTRanker(**self._local_parameters())).get_params()
        return type(self)(
            client=self.client, trees_per_round=self.trees_per_round, **parameters
        )

    def __getstate__(self) -> Any:
        return super().__getstate__() | {"client": None}

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return sorted(
            [*LambdaMARTRanker._get_param_names(), "client", "trees_per_round"]
        )

    def fit(
        self,
        X: Any,
        y: Any = None,
        qid: Any = None,
        sample_weight: Any = None,
        *,
        query_weight: Any = None,
        teacher_scores: Any = None,
        reference_scores: Any = None,
        position: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        qid_val: Any = None,
        init_model: Any = None,
        query_features: Any = None,
        query_features_val: Any = None,
    ) -> DaskLambdaMARTRanker:
        """Grow trees on the lists of all workers.

        Parameters
        ----------
        X : Dask array of shape (n_samples, n_features), or sequence
            Features, in chunks of any size; or a sequence of
            :class:`ltr.datasets.RankingData` (delayed, futures, or in memory), with
            ``y`` and ``qid`` of their own.
        y, qid : Dask arrays of shape (n_samples,), default=None
            Labels, and the query of each row, in any order; a query may have rows in
            any number of chunks.
        sample_weight, query_weight, teacher_scores, reference_scores, position : \
Dask arrays of shape (n_samples,), default=None
            As in :meth:`ltr.LambdaMARTRanker.fit`.
        X_val, y_val, qid_val : Dask arrays, or a sequence, default=None
            Validation rows, in the same forms.
        init_model : path, lightgbm.Booster or ranker, default=None
            Trees to which ``n_estimators`` are added.
        query_features, query_features_val : None
            Must be None: join them to the features of the items beforehand.

        Returns
        -------
        self : DaskLambdaMARTRanker

        Raises
        ------
        ValueError
            If a parameter or an input is invalid.
        WorkerLostError
            If a worker dies; within seconds, and whatever the others do.
        """
        check_no_query_features(query_features, query_features_val)
        client = find_client(self.client)
        parameters = self._local_parameters()
        check_parameters(parameters)
        check_whole("trees_per_round", self.trees_per_round, low=1, optional=True)
        params = lightgbm_params(parameters)
        self._early_stopping()  # checks its parameters
        validation_set = (X_val, y_val, qid_val)
        has_validation = any(column is not None for column in validation_set)
        holds_out = self.early_stopping is True and not has_validation
        if has_validation and not self.early_stopping:
            raise ValueError(
                "X_val decides when trees on a cluster stop; got early_stopping=False. "
                "Leave it out, or set early_stopping='auto'."
            )
        check_cluster(params, parameters, has_validation or holds_out)
        if position is not None and is_lightgbm_loss(self.loss):
            raise ValueError(
                f"loss={self.loss!r} takes no position on a cluster. Leave it out, or "
                "use a loss in JAX that takes it, such as 'irpo'."
            )
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        workers = find_workers(client)

        columns = {
            "sample_weight": sample_weight,
            "query_weight": query_weight,
            "teacher_scores": teacher_scores,
            "reference_scores": reference_scores,
            "position": position,
        }
        pieces = read_pieces(client, X, y, qid, columns)
        queries, starts = read_queries(client, pieces)
        held_out = np.zeros(queries.n_lists, dtype=bool)
        if holds_out:
            held_out = self._held_out(queries.n_lists, seed)
        data = _place(client, pieces, queries, starts, ~held_out, workers)
        validation = None
        if holds_out:
            validation = _place(client, pieces, queries, starts, held_out, workers)
        elif has_validation:
            with errors_in_validation_set():
                pieces_val = read_pieces(client, *validation_set, {})
                queries_val, starts_val = read_queries(client, pieces_val)
            everything = np.ones(queries_val.n_lists, dtype=bool)
            validation = _place(
                client, pieces_val, queries_val, starts_val, everything, workers
            )

        task = Task(parameters, int(seed))
        facts = run_together(
            client,
            data.workers,
            inspect_part,
            [(part, task) for part in data.parts],
            doing="checking its rows",
        )
        task = _with_facts(task, facts)
        check_interactions(params, facts[0].n_features)
        if validation is not None:
            with errors_in_validation_set():
                self._check_validation(client, task, validation, facts[0].n_features)
        sample = np.zeros((1, facts[0].n_features))
        start = self._start(init_model)
        if start is not None:
            start.check_boosting(params)
            start.check_width(sample)
        boosted = self._grow(client, task, data, validation, start)
        if start is None:
            self._categories = fit_categories(sample, self.categorical_features)
            check_table(self, sample, reset=True, categories=self._categories)
        self._fitted_with_qid = True
        self._report(boosted)
        return self

    def fit_stream(self, *args: Any, **kwargs: Any) -> DaskLambdaMARTRanker:
        """Raise: a stream is read on one machine.

        Raises
        ------
        TypeError
            Always; it says what to use instead.
        """
        raise TypeError(
            "fit_stream reads on one machine. Pass fit Dask arrays or a sequence of "
            "RankingData, or use LambdaMARTRanker.fit_stream."
        )

    def predict(
        self, X: Any, qid: ArrayLike | None = None, *, query_features: Any = None
    ) -> Any:
        """Score items.

        Parameters
        ----------
        X : array-like or Dask array of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Ignored: trees score each row by itself.
        query_features : array-like or DataFrame, default=None
            As in :meth:`ltr.LambdaMARTRanker.predict`, for an ``X`` in memory.

        Returns
        -------
        scores : float array of shape (n_samples,)
            A Dask array, not computed yet, if ``X`` is one.
        """
        if not is_dask_array(X):
            return super().predict(X, qid, query_features=query_features)
        check_no_query_features(query_features)
        if X.ndim != 2:
            raise ValueError(f"X must have 2 axes; got shape {X.shape}.")
        local = self.to_local()
        rows = X.rechunk({1: -1})
        return rows.map_blocks(
            local.predict, drop_axis=1, dtype=np.float64, meta=np.zeros(0)
        )

    def to_local(self) -> LambdaMARTRanker:
        """The fitted ranker without the cluster, to save or to ship.

        Returns
        -------
        ranker : LambdaMARTRanker
        """
        local = LambdaMARTRanker(**self._local_parameters())
        state = {
            name: value for name, value in vars(self).items()
            if name not in self.get_params(deep=False)
        }  # fmt: skip
        for name, value in state.items():
            setattr(local, name, value)
        return local

    def _local_parameters(self) -> dict[str, Any]:
        parameters = self.get_params(deep=False)
        return {name: parameters[name] for name in LambdaMARTRanker._get_param_names()}

    def _held_out(self, n_lists: int, seed: int) -> Any:
        n_held_out = round(self.validation_fraction * n_lists)
        if not 0 < n_held_out < n_lists:
            raise ValueError(
                f"validation_fraction={self.validation_fraction:g} of {n_lists} "
                f"queries are {n_held_out}, which leaves nothing to train on or to "
                "stop on. Change it, or pass X_val."
            )
        held_out = np.zeros(n_lists, dtype=bool)
        rng = np.random.default_rng(seed)
        held_out[rng.choice(n_lists, n_held_out, replace=False)] = True
        return held_out

    def _grow(
        self,
        client: Any,
        task: Task,
        data: _Parts,
        validation: _Parts | None,
        start: Start | None,
    ) -> Boosted:
        """Rounds of trees, until they are enough or the metric no longer improves."""
        import lightgbm

        text, n_trees, first = None, 0, 1
        if start is not None:
            text = start.booster.model_to_string()
            first = n_trees = start.booster.current_iteration()  # is judged, too
        n_all = n_trees + self.n_estimators
        per_round = self.trees_per_round or self.n_iter_no_change
        progress = ProgressLine(0.0 if self.verbose >= 2 else SECONDS_BETWEEN_LINES)
        metric = get_metric(self.metric)
        if validation is not None:
            held_out = (validation.workers, validation.parts)
            metric = relative_metrics(client, *held_out, [metric])[0]
        scores: list[float] = []  # after tree first, first + 1, …
        n_best, is_over = n_all, False
        while n_trees < n_all and not is_over:
            n_end = n_all if validation is None else min(n_trees + per_round, n_all)
            networks = network_of(client, data.workers)
            jobs = zip(data.parts, networks, data.workers, strict=True)
            text = run_together(
                client,
                data.workers,
                grow_part,
                [(p, task, n, w.n_threads, n_end - n_trees, text) for p, n, w in jobs],
                doing=f"growing trees {n_trees + 1} to {n_end}",
            )[0]
            if validation is not None:
                n_before = first - 1 + len(scores)
                scores += self._judge(client, task, metric, validation, text, n_before)
                n_best = first + int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))
                n_done = first + len(scores) - 1
                is_over = n_done < n_end or n_done - n_best >= self.n_iter_no_change
            n_trees = n_end
            if self.verbose > 0:
                shown = f"  {metric.name} {scores[-1]:.5f}" if scores else ""
                line = f"tree {n_trees}/{n_all}{shown}"
                progress(functools.partial(str, line), last=n_trees == n_all)
        booster = lightgbm.Booster(model_str=text)
        if validation is None:
            n_before = 0 if start is None else first
            return Boosted(booster, float("nan"), {}, n_before)
        text = booster.model_to_string(num_iteration=n_best)
        return Boosted(
            lightgbm.Booster(model_str=text),
            scores[n_best - first],
            {metric.name: scores if start is None else scores[1:]},
            0 if start is None else first,
        )

    def _judge(
        self,
        client: Any,
        task: Task,
        metric: Metric,
        validation: _Parts,
        text: str,
        n_before: int,
    ) -> list[float]:
        """Metric after each tree but the first ``n_before``, which are judged."""
        values = run_together(
            client,
            validation.workers,
            judge_part,
            [(part, task, metric, text, n_before) for part in validation.parts],
            doing=f"judging trees from {n_before + 1} on",
        )
        return [mean_of(row, metric.mean) for row in np.concatenate(values, axis=1)]

    def _check_validation(
        self, client: Any, task: Task, validation: _Parts, n_features: int
    ) -> None:
        """Raise if validation rows have another width, or no list that counts."""
        metric = get_metric(self.metric)
        values = run_together(
            client,
            validation.workers,
            check_validation_part,
            [(part, task, metric, n_features) for part in validation.parts],
            doing="checking its validation rows",
        )
        if not isinstance(metric.function, OwnFunction):
            check_values_are_defined(metric, np.concatenate(values))


def _whole_signature() -> inspect.Signature:
    """Parameters of both classes: ``repr`` leaves out those that have their default."""
    own = inspect.signature(DaskLambdaMARTRanker.__init__)
    inherited = inspect.signature(LambdaMARTRanker.__init__).parameters
    parameters = dict(inherited) | {
        name: parameter
        for name, parameter in own.parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    return own.replace(parameters=list(parameters.values()))


DaskLambdaMARTRanker.__init__.__signature__ = _whole_signature()  # type: ignore[attr-defined]


def _place(
    client: Any,
    pieces: Sequence[Any],
    queries: Any,
    starts: IntArray,
    lists: Any,
    workers: Sequence[Worker],
) -> _Parts:
    """Balanced shares of some lists, on as many workers as get one."""
    numbers = np.flatnonzero(lists)
    shares = np.full(queries.n_lists, -1, dtype=np.intp)
    n_shares = min(len(workers), len(numbers))
    shares[numbers] = share_lists(queries.sizes[numbers], n_shares)
    active = list(workers[:n_shares])
    return _Parts(active, place(client, pieces, queries, starts, shares, active))


def _with_facts(task: Task, facts: Sequence[PartFacts]) -> Task:
    """The task with what only all parts together tell."""
    if not any(part.has_order for part in facts):
        warn(NO_ORDER)
    check_widths({part.n_features for part in facts})
    parameters = dict(task.parameters)
    is_auto = isinstance(parameters["label_gain"], str) and (
        parameters["label_gain"] == "auto"
    )
    if is_auto and parameters["loss"] in ("lambdarank", "xe_ndcg"):
        low = min(part.label_range[0] for part in facts)
        high = max(part.label_range[1] for part in facts)
        is_whole = low >= 0 and all(part.has_whole_labels for part in facts)
        parameters["label_gain"] = auto_gain(low, high, is_whole=is_whole)
    start = None
    if not is_lightgbm_loss(parameters["loss"]):
        sums = [part.start for part in facts]
        start = StartSums(*(sum(column) for column in zip(*sums, strict=True)))
    return Task(parameters, task.seed, start)
