"""One call of LightGBM: rows in list order in, trees and their validation out."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ltr.metrics import Metric
from ltr.queries import FloatArray, IntArray, Queries, group_queries
from ltr.rankers.inputs import TrainingSet

_LONG_TABLE = 1000
_SECONDS_BETWEEN_LINES = 5.0


@dataclass(frozen=True)
class GroupedRows:
    """Rows of a training set, list after list.

    Attributes
    ----------
    X : array or sparse matrix of shape (n_rows, n_features)
        Features; the input itself if its rows already stand in order.
    y : float array of shape (n_rows,)
        Labels.
    weights : float array of shape (n_rows,) or None
        Row weights times list weights.
    position : int array of shape (n_rows,) or None
        Logged positions.
    queries : Queries
        The lists of these rows.
    """

    X: Any
    y: FloatArray
    weights: FloatArray | None
    position: IntArray | None
    queries: Queries


@dataclass(frozen=True)
class Boosted:
    """What LightGBM leaves behind.

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


def rows_in_list_order(data: TrainingSet, rows: IntArray | None) -> GroupedRows:
    """Sort rows by list without copying what is sorted already.

    Parameters
    ----------
    data : TrainingSet
        Checked input.
    rows : int array or None
        Rows to take, ascending. None: all.

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
    if rows is None and queries.is_grouped:
        order: IntArray | slice = slice(None)
    else:
        chosen = np.arange(queries.n_samples) if rows is None else rows
        order = chosen[np.argsort(queries.codes[chosen], kind="stable")]
    return GroupedRows(
        X=data.X if isinstance(order, slice) else data.X[order],
        y=data.y[order],
        weights=None if weights is None else weights[order],
        position=None if position is None else _whole(position[order]),
        queries=group_queries(queries.codes[order], len(data.y[order])),
    )


def _whole(position: FloatArray) -> IntArray:
    """Positions as integers."""
    bad = (position != np.floor(position)) | (position < 0) | (position >= 2**31)
    if bad.any():
        raise ValueError(
            f"position must hold whole numbers >= 0; got {position[bad.argmax()]:g}."
        )
    return position.astype(np.intp)


def lightgbm_params(ranker: Any, seed: int, objective: Any) -> dict[str, Any]:
    """LightGBM's names for the parameters of a LambdaMARTRanker.

    Raises
    ------
    ValueError
        If ``extra_params`` sets what a parameter of the ranker sets.
    """
    further = ranker.extra_params or {}
    for name in further:
        if name in _SET_BY:
            raise ValueError(
                f"extra_params sets {name!r}, which is the parameter "
                f"{_SET_BY[name]!r} of the ranker. Set that instead."
            )
    named = {theirs[0]: getattr(ranker, ours) for ours, theirs in _NAMES.items()}
    return {
        **named,
        "objective": objective,
        "metric": "None",
        "num_threads": ranker.n_jobs or 0,
        "seed": seed,
        "verbosity": -1,
        **further,
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
_SET_BY = {theirs: ours for ours, names in _NAMES.items() for theirs in names} | {
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
    validation: tuple[Any, FloatArray, IntArray] | None,
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
        Trees to add at most.
    feature_names : sequence of str or None
        Names of the columns, for the booster; left out if LightGBM cannot hold them.
    categorical : tuple of int
        Categorical columns.
    validation : tuple of (X, y, codes) or None
        Validation features, labels and lists.
    metric : Metric
        What to stop on.
    n_iter_no_change : int
        Trees without improvement before stopping.
    start : lightgbm.Booster, optional
        Trees to go on from.
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
        X_val, y_val, codes = validation
        no_labels = np.zeros(len(y_val))
        valid_sets = [lightgbm.Dataset(X_val, no_labels, reference=dataset)]
        feval = _evaluation(metric, y_val, codes)
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
    best = booster.best_iteration or booster.current_iteration()
    if len(params.get("label_gain", ())) > _LONG_TABLE:
        booster = _without_table(booster)
    return Boosted(booster, best, max(scores, default=float("nan")), scores)


def _evaluation(
    metric: Metric, y_val: FloatArray, codes: IntArray
) -> Callable[[NDArray[Any], Any], tuple[str, float, bool]]:
    queries = group_queries(codes, len(y_val))
    return lambda scores, _: (metric.name, metric(y_val, scores, queries), True)


def _safe_names(names: Sequence[str] | None) -> list[str] | Literal["auto"]:
    """Names without the characters that LightGBM's model files cannot hold."""
    if names is None or any(re.search(r'[\s",:\[\]{}]', name) for name in names):
        return "auto"
    return list(names)


def _progress(verbose: int) -> Callable[[Any], None]:
    pause = 0.0 if verbose >= 2 else _SECONDS_BETWEEN_LINES
    written = time.monotonic()

    def write(env: Any) -> None:
        nonlocal written
        tree, now = env.iteration + 1, time.monotonic()
        if now - written < pause and tree != env.end_iteration:
            return
        written = now
        line = f"tree {tree}/{env.end_iteration}"
        for _, name, value, _ in env.evaluation_result_list or ():
            line += f"  {name} {value:.5f}"
        sys.stderr.write(line + "\n")

    return write


def _without_table(booster: Any) -> Any:
    """Drop the table of gains, which only training uses, from the model text."""
    import lightgbm

    text = booster.model_to_string(num_iteration=-1)
    text = re.sub(r"\[label_gain: [^\]]*\]\n", "", text)
    return lightgbm.Booster(model_str=text)
