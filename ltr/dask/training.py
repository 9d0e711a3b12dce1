"""What the workers do: LightGBM on their own lists, connected to the others."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from ltr.dask.evaluation import values_of
from ltr.dask.pieces import Piece
from ltr.metrics import Metric
from ltr.queries import FloatArray
from ltr.rankers.inputs import training_set
from ltr.rankers.trees.boosting import BoostingTarget, boost
from ltr.rankers.trees.feature_tables import check_table, fit_categories
from ltr.rankers.trees.grouped_rows import GroupedRows, group_rows
from ltr.rankers.trees.lambdamart import LambdaMARTRanker
from ltr.rankers.trees.losses import check_loss_data, is_lightgbm_loss, learned_lists
from ltr.rankers.trees.parameters import lightgbm_params
from ltr.rankers.trees.targets import lightgbm_target, loss_target

_EXTRAS = ("teacher_scores", "reference_scores", "position")


class Task(NamedTuple):
    """What all workers grow together.

    Attributes
    ----------
    parameters : dict
        Of a LambdaMARTRanker.
    seed : int
        The same for all workers, as their trees must be.
    start : StartSums or None
        Sums over the rows of all workers, for losses in JAX.
    """

    parameters: dict[str, Any]
    seed: int
    start: Any = None


class PartFacts(NamedTuple):
    """What the driver must know of a part.

    Attributes
    ----------
    n_features : int
        Number of columns.
    label_range : (float, float)
        Least and greatest label.
    has_whole_labels : bool
        Whether all labels are whole numbers.
    has_order : bool
        Whether a list has two distinct labels.
    start : StartSums or None
        See :class:`Task`.
    """

    n_features: int
    label_range: tuple[float, float]
    has_whole_labels: bool
    has_order: bool
    start: Any


def inspect_part(part: Piece, task: Task) -> PartFacts:
    """Check the rows of a worker, before it waits for the others.

    Parameters
    ----------
    part : Piece
        Rows of the worker.
    task : Task
        What is to be grown.

    Returns
    -------
    facts : PartFacts
    """
    prepared = _prepare(part, task)
    start = None
    if not is_lightgbm_loss(task.parameters["loss"]):
        start = _target(prepared, task, n_trees=1).start
    y = prepared.rows.y
    return PartFacts(
        prepared.rows.X.shape[1],
        (float(y.min()), float(y.max())),
        bool((y == np.floor(y)).all()),
        prepared.has_order,
        start,
    )


def check_validation_part(
    part: Piece, task: Task, metric: Metric, n_features: int
) -> FloatArray:
    """Check the validation rows of a worker, before trees are grown.

    Parameters
    ----------
    part : Piece
        Validation rows of the worker.
    task : Task
        What is to be grown.
    metric : Metric
        What will judge them.
    n_features : int
        Number of columns of the training rows.

    Returns
    -------
    values : float array of shape (n_lists,)
        The metric of equal scores; NaN for lists that do not count.

    Raises
    ------
    ValueError
        If they are no rows to validate on.
    """
    rows = _prepare(part, task).rows
    width = rows.X.shape[1]
    if width != n_features:
        raise ValueError(
            f"X must have as many columns as the training rows, {n_features}; got "
            f"{width}."
        )
    return values_of([metric], rows.y, np.zeros(len(rows.y)), rows.queries)[0]


def grow_part(
    part: Piece,
    task: Task,
    network: dict[str, Any],
    n_threads: int,
    n_trees: int,
    text: str | None,
) -> str:
    """Grow trees on the rows of a worker, with the workers of the network.

    Parameters
    ----------
    part : Piece
        Rows of the worker.
    task : Task
        What is grown.
    network : dict
        LightGBM's parameters of the network.
    n_threads : int
        Threads of the worker.
    n_trees : int
        Number of trees to add.
    text : str or None
        The trees so far.

    Returns
    -------
    text : str
        All trees, in LightGBM's format: the same on all workers.
    """
    import lightgbm

    prepared = _prepare(part, task)
    start = None if text is None else lightgbm.Booster(model_str=text)
    params = lightgbm_params(task.parameters) | {"seed": task.seed, **network}
    if task.parameters["n_jobs"] is None:
        params["num_threads"] = n_threads
    if network:  # it connects before it reads how much to print; a table sets that
        quiet = {"verbosity": params["verbosity"]}
        lightgbm.Dataset(np.zeros((1, 1)), params=quiet).construct()
    booster = boost(
        params,
        prepared.rows,
        _target(prepared, task, n_trees),
        n_trees=n_trees,
        feature_names=None,
        categories=prepared.categories,
        validation=None,
        start=start,
    ).booster
    if network:
        booster.free_network()
    return str(booster.model_to_string())


def judge_part(
    part: Piece, task: Task, metric: Metric, text: str, n_before: int
) -> FloatArray:
    """Metric of the validation lists of a worker after each of the new trees.

    Parameters
    ----------
    part : Piece
        Validation rows of the worker.
    task : Task
        What is grown.
    metric : Metric
        What is computed.
    text : str
        All trees.
    n_before : int
        Number of trees judged before.

    Returns
    -------
    values : float array of shape (n_new_trees, n_lists)
        NaN for lists that do not count.
    """
    import lightgbm

    booster = lightgbm.Booster(model_str=text)
    prepared = _prepare(part, task)
    X, queries = prepared.rows.X, prepared.rows.queries
    scores = np.zeros(len(prepared.rows.y))
    if n_before:
        scores += np.asarray(booster.predict(X, num_iteration=n_before))
    values = []
    for tree in range(n_before, booster.current_iteration()):
        tree_scores = booster.predict(X, start_iteration=tree, num_iteration=1)
        scores = scores + np.asarray(tree_scores)
        values.append(values_of([metric], prepared.rows.y, scores, queries)[0])
    return np.array(values).reshape(len(values), queries.n_lists)


class _Prepared(NamedTuple):
    """Checked rows of a worker, by list."""

    rows: GroupedRows
    informative: Any
    has_order: bool
    categories: Any


def _prepare(part: Piece, task: Task) -> _Prepared:
    ranker = LambdaMARTRanker(**task.parameters)
    categories = fit_categories(part.X, ranker.categorical_features)
    table = check_table(ranker, part.X, reset=True, categories=categories)
    with warnings.catch_warnings():  # a part may have no list to learn from
        warnings.simplefilter("ignore")
        data = training_set(
            table,
            part.y,
            part.qid,
            sample_weight=part.columns.get("sample_weight"),
            query_weight=part.columns.get("query_weight"),
            extras={name: part.columns.get(name) for name in _EXTRAS},
        )
        check_loss_data(ranker.loss, data)
        informative = learned_lists(ranker.loss, data)
        has_order = bool(data.informative_lists("two_labels").any())
    everything = np.ones(data.queries.n_lists, dtype=bool)
    rows = group_rows(data, everything)
    return _Prepared(rows, informative, has_order, categories)


def _target(prepared: _Prepared, task: Task, n_trees: int) -> BoostingTarget:
    p = task.parameters
    if is_lightgbm_loss(p["loss"]):
        return lightgbm_target(
            prepared.rows, p["loss"], p["label_gain"], p["truncation_level"],
            norm=p["norm"],
        )  # fmt: skip
    return loss_target(
        prepared.rows,
        p["loss"],
        prepared.informative,
        curvature=p["curvature"],
        normalize=p["normalize"],
        n_trees=n_trees,
        seed=task.seed,
        start=task.start,
    )
