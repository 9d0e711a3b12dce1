"""One call of LightGBM: rows in list order in, trees and their validation out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.metrics import Metric
from ltr.queries import FloatArray, IntArray, Queries, group_queries
from ltr.rankers.checks import TrainingSet

_LONG_TABLE = 1000


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
        position=None if position is None else position[order].astype(np.intp),
        queries=group_queries(queries.codes[order], len(data.y[order])),
    )


def boost(
    params: dict[str, Any],
    rows: GroupedRows,
    labels: FloatArray,
    *,
    n_trees: int,
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
        Write a line every so many trees.

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
    if verbose:
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


def _progress(every: int) -> Callable[[Any], None]:
    def write(env: Any) -> None:
        tree = env.iteration + 1
        if tree % every and tree != env.end_iteration:
            return
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
