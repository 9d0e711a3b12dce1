"""Calling LightGBM: rows grouped by query in, trees and validation scores out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ltr.metrics import Metric
from ltr.progress import SECONDS_BETWEEN_LINES, ProgressLine
from ltr.queries import BoolArray, FloatArray, IntArray, Queries, group_queries
from ltr.rankers.inputs import TrainingSet
from ltr.rankers.validation import ValidationRows

_LONG_TABLE = 1000  # longer tables of gains are dropped from saved models


@dataclass(frozen=True)
class GroupedRows:
    """Rows of a training set, those of a query next to each other.

    Attributes
    ----------
    X : array or sparse matrix of shape (n_rows, n_features)
        Features; the input itself if its rows are grouped already.
    y : float array of shape (n_rows,)
        Labels.
    weights : float array of shape (n_rows,) or None
        Row weights times list weights.
    position : int array of shape (n_rows,) or None
        Logged positions.
    queries : Queries
        Queries of these rows.
    """

    X: Any
    y: FloatArray
    weights: FloatArray | None
    position: IntArray | None
    queries: Queries


@dataclass(frozen=True)
class Boosted:
    """The result of training with LightGBM.

    Attributes
    ----------
    booster : lightgbm.Booster
        The trees.
    n_trees : int
        Trees up to the best validation metric; all without validation.
    best_score : float
        That metric; NaN without validation.
    scores : list of float
        Metric after each tree.
    """

    booster: Any
    n_trees: int
    best_score: float
    scores: list[float]


def group_rows(data: TrainingSet, lists: BoolArray) -> GroupedRows:
    """Sort rows by query, without a copy if they are sorted already.

    Parameters
    ----------
    data : TrainingSet
        Checked input.
    lists : bool array of shape (n_lists,)
        Lists to take.

    Returns
    -------
    grouped : GroupedRows
    """
    weights = data.weights
    if data.list_weights is not None:
        per_row = data.list_weights[data.queries.codes]
        weights = per_row if weights is None else weights * per_row
    position = data.extras.get("position")
    queries = data.queries
    if lists.all() and queries.is_grouped:
        order: IntArray | slice = slice(None)
    else:
        rows = queries.subset(lists)
        order = rows[np.argsort(queries.codes[rows], kind="stable")]
    return GroupedRows(
        X=data.X if isinstance(order, slice) else data.X[order],
        y=data.y[order],
        weights=None if weights is None else weights[order],
        position=None if position is None else _whole(position[order]),
        queries=group_queries(queries.codes[order], len(data.y[order])),
    )


def _whole(position: FloatArray) -> IntArray:
    """Return positions as integers."""
    bad = (position != np.floor(position)) | (position < 0) | (position >= 2**31)
    if bad.any():
        raise ValueError(
            f"position must hold whole numbers >= 0; got {position[bad.argmax()]:g}."
        )
    return position.astype(np.intp)


def lightgbm_params(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the parameters of a LambdaMARTRanker to LightGBM's names.

    Parameters
    ----------
    parameters : mapping of str to object
        From ``get_params`` of the ranker.

    Returns
    -------
    params : dict of str to object
        All but the objective and the seed.

    Raises
    ------
    ValueError
        If ``extra_params`` sets what a parameter of the ranker sets.
    """
    extra_params = parameters["extra_params"] or {}
    for name in extra_params:
        if name in _SET_BY:
            raise ValueError(
                f"extra_params sets {name!r}, which is the parameter "
                f"{_SET_BY[name]!r} of the ranker. Set that instead."
            )
    return {
        **{synonyms[0]: parameters[name] for name, synonyms in _NAMES.items()},
        "metric": "None",
        "num_threads": parameters["n_jobs"] or 0,
        "verbosity": -1,
        **extra_params,
    }


# Parameters of the ranker → LightGBM's name and its most used synonyms.
_NAMES = {
    "truncation_level": ("lambdarank_truncation_level",),
    "norm": ("lambdarank_norm",),
    "position_bias_regularization": ("lambdarank_position_bias_regularization",),
    "learning_rate": ("learning_rate", "shrinkage_rate", "eta"),
    "num_leaves": ("num_leaves", "num_leaf", "max_leaves", "max_leaf_nodes"),
    "max_depth": ("max_depth",),
    "min_child_samples": (
        "min_data_in_leaf",
        "min_data_per_leaf",
        "min_data",
        "min_child_samples",
        "min_samples_leaf",
    ),
    "min_child_weight": (
        "min_sum_hessian_in_leaf",
        "min_sum_hessian",
        "min_child_weight",
    ),
    "min_split_gain": ("min_gain_to_split", "min_split_gain"),
    "subsample": ("bagging_fraction", "sub_row", "subsample", "bagging"),
    "subsample_freq": ("bagging_freq", "subsample_freq"),
    "colsample_bytree": ("feature_fraction", "sub_feature", "colsample_bytree"),
    "reg_alpha": ("lambda_l1", "reg_alpha", "l1_regularization"),
    "reg_lambda": ("lambda_l2", "reg_lambda", "lambda", "l2_regularization"),
}
_SET_BY = {synonym: name for name, names in _NAMES.items() for synonym in names} | {
    "objective": "loss",
    "application": "loss",
    "loss": "loss",
    "metric": "metric",
    "eval_at": "metric",
    "label_gain": "label_gain",
    "num_iterations": "n_estimators",
    "num_iteration": "n_estimators",
    "n_iter": "n_estimators",
    "num_trees": "n_estimators",
    "num_round": "n_estimators",
    "num_rounds": "n_estimators",
    "num_boost_round": "n_estimators",
    "n_estimators": "n_estimators",
    "max_iter": "n_estimators",
    "early_stopping_round": "n_iter_no_change",
    "early_stopping_rounds": "n_iter_no_change",
    "early_stopping": "early_stopping",
    "n_iter_no_change": "n_iter_no_change",
    "categorical_feature": "categorical_features",
    "cat_feature": "categorical_features",
    "num_threads": "n_jobs",
    "num_thread": "n_jobs",
    "nthread": "n_jobs",
    "nthreads": "n_jobs",
    "n_jobs": "n_jobs",
    "seed": "random_state",
    "random_seed": "random_state",
    "random_state": "random_state",
}


def boost(
    params: dict[str, Any],
    rows: GroupedRows,
    labels: FloatArray,
    *,
    n_trees: int,
    feature_names: Sequence[str] | None,
    categorical: tuple[int, ...],
    validation: ValidationRows | None,
    metric: Metric,
    n_iter_no_change: int,
    start: Any = None,
    verbose: int = 0,
) -> Boosted:
    """Train trees.

    Parameters
    ----------
    params : dict
        LightGBM's parameters; ``objective`` may be a function.
    rows : GroupedRows
        Training rows.
    labels : float array of shape (n_rows,)
        Labels as LightGBM wants them.
    n_trees : int
        Maximum number of trees to add.
    feature_names : sequence of str or None
        Names of the columns, for the booster; left out if LightGBM cannot hold them.
    categorical : tuple of int
        Categorical columns.
    validation : ValidationRows or None
        Rows to stop on.
    metric : Metric
        What to stop on.
    n_iter_no_change : int
        Trees without improvement before stopping.
    start : lightgbm.Booster, optional
        Trees to add to.
    verbose : int, default=0
        1: write a line every 5 seconds; 2 or more: a line per tree.

    Returns
    -------
    boosted : Boosted
    """
    import lightgbm

    dataset = lightgbm.Dataset(
        rows.X,
        labels,
        group=rows.queries.sizes,
        weight=rows.weights,
        position=rows.position,
        feature_name=_safe_names(feature_names),
        categorical_feature=list(categorical),
        params=params,
        free_raw_data=start is None,
    )
    callbacks: list[Callable[..., Any]] = []
    valid_sets, feval = [], None
    recorded: dict[str, dict[str, list[float]]] = {}
    if validation is not None:
        # LightGBM never sees these labels: the metric below has them.
        no_labels = np.zeros(len(validation.y))
        valid_sets = [lightgbm.Dataset(validation.X, no_labels, reference=dataset)]
        feval = _evaluation(metric, validation)
        callbacks += [
            lightgbm.early_stopping(n_iter_no_change, verbose=False),
            lightgbm.record_evaluation(recorded),
        ]
    if verbose > 0:
        callbacks.append(_progress(verbose))
    booster = lightgbm.train(
        params,
        dataset,
        num_boost_round=n_trees,
        valid_sets=valid_sets,
        valid_names=["validation"] * len(valid_sets),
        feval=feval,
        init_model=start,
        callbacks=callbacks,
    )
    scores = recorded.get("validation", {}).get(metric.name, [])
    n_best = booster.best_iteration or booster.current_iteration()
    if len(params.get("label_gain", ())) > _LONG_TABLE:
        booster = _without_table(booster)
    return Boosted(booster, n_best, max(scores, default=float("nan")), scores)


def _evaluation(
    metric: Metric, rows: ValidationRows
) -> Callable[[NDArray[Any], Any], tuple[str, float, bool]]:
    """LightGBM's ``feval``: name, value, whether higher is better."""
    queries = group_queries(rows.codes, len(rows.y))
    return lambda scores, _: (metric.name, metric(rows.y, scores, queries), True)


def _safe_names(names: Sequence[str] | None) -> list[str] | Literal["auto"]:
    """Names without the characters that LightGBM's model files cannot hold."""
    if names is None or any(re.search(r'[\s",:\[\]{}]', name) for name in names):
        return "auto"
    return list(names)


def _progress(verbose: int) -> Callable[[Any], None]:
    """LightGBM's callback: a line per tree, or every few seconds."""
    progress = ProgressLine(0.0 if verbose >= 2 else SECONDS_BETWEEN_LINES)

    def write(env: Any) -> None:
        tree = env.iteration + 1

        def line() -> str:
            results = env.evaluation_result_list or ()
            scores = [f"  {name} {value:.5f}" for _, name, value, _ in results]
            return f"tree {tree}/{env.end_iteration}{''.join(scores)}"

        progress(line, last=tree == env.end_iteration)

    return write


def _without_table(booster: Any) -> Any:
    """Drop the table of gains, which is needed in training only, from the model."""
    import lightgbm

    text = booster.model_to_string(num_iteration=-1)
    text = re.sub(r"\[label_gain: [^\]]*\]\n", "", text)
    return lightgbm.Booster(model_str=text)
