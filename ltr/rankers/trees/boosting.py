"""Calling LightGBM: rows grouped by query in, trees and validation scores out."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from ltr.memory import check_memory
from ltr.metrics import Metric
from ltr.queries import FloatArray, IntArray
from ltr.rankers.trees.feature_tables import Categories
from ltr.rankers.trees.grouped_rows import GroupedRows
from ltr.rankers.trees.parameters import lightgbm_errors
from ltr.rankers.trees.stream import StreamedTable
from ltr.rankers.trees.watching import (
    Stopping,
    TreeWatch,
    evaluation,
    tree_callbacks,
)
from ltr.rankers.validation import ValidationRows
from ltr.rankers.warning import warn

_LONG_TABLE = 1000  # longer tables of gains are dropped from saved models
_DEEPEST = 5000  # splits to a leaf; TreeSHAP's recursion then fits a stack of 1 MB
_SHALLOW = 500  # leaves of a tree whose depth costs nothing, whatever it is
_SHALLOWER = "Limit max_depth in fit."
_N_LEAVES = re.compile(r"\nnum_leaves=(\d+)\n")
_CHILDREN = re.compile(r"\nleft_child=(.*)\nright_child=(.*)\n")


@dataclass(frozen=True)
class BoostingTarget:
    """What LightGBM is told to learn.

    Attributes
    ----------
    labels : float array of shape (n_rows,)
        Labels as LightGBM wants them.
    objective : str or function
        An objective of LightGBM, or scores and Dataset → gradient and Hessian. LightGBM
        copies its parameters, and with them an object, but not a function.
    gains : dict of str to array, default={}
        ``label_gain`` unless LightGBM's own table, 2^y - 1, is meant.
    weights, position : arrays of shape (n_rows,) or None, default=None
        Row weights and logged positions for objectives of LightGBM.
    start : StartSums or None, default=None
        Where all scores are equal, for losses in JAX.
    """

    labels: FloatArray
    objective: str | Callable[..., Any]
    gains: dict[str, Any] = field(default_factory=dict)
    weights: FloatArray | None = None
    position: IntArray | None = None
    start: Any = None


@dataclass(frozen=True)
class Boosted:
    """The result of training with LightGBM.

    Attributes
    ----------
    booster : lightgbm.Booster
        The trees up to the best validation metric; all without validation.
    best_score : float
        That metric; NaN without validation.
    history : dict of str to list of float
        Metrics after each tree of this fit; empty without validation.
    n_before : int
        Trees before this fit.
    """

    booster: Any
    best_score: float
    history: dict[str, list[float]]
    n_before: int = 0


def boost(
    params: dict[str, Any],
    rows: GroupedRows,
    target: BoostingTarget,
    *,
    n_trees: int,
    feature_names: Sequence[str] | None,
    categories: Categories,
    validation: ValidationRows | None,
    measures: Sequence[Metric] = (),
    n_iter_no_change: int = 1,
    selects: bool = True,
    watch: TreeWatch | None = None,
    start: Any = None,
    verbose: int = 0,
) -> Boosted:
    """Train trees.

    Parameters
    ----------
    params : dict
        LightGBM's parameters, without those of the target.
    rows : GroupedRows
        Training rows.
    target : BoostingTarget
        What LightGBM is told to learn.
    n_trees : int
        Maximum number of trees to add.
    feature_names : sequence of str or None
        Names of the columns, for the booster; left out if LightGBM cannot hold them.
    categories : Categories
        Categorical columns, and the categories that the booster shall know.
    validation : ValidationRows or None
        Rows to stop on.
    measures : sequence of Metric, default=()
        What to stop on, and what to watch.
    n_iter_no_change : int, default=1
        Trees without improvement before stopping.
    selects : bool, default=True
        Whether to stop; the metrics are only watched otherwise.
    watch : TreeWatch, optional
        Callbacks of the user.
    start : lightgbm.Booster, optional
        Trees to add to; with ``validation``, none are added unless the metric improves.
    verbose : int, default=0
        1: write a line every 5 seconds; 2 or more: a line per tree.

    Returns
    -------
    boosted : Boosted

    Warns
    -----
    UserWarning
        If there are validation rows, and the kind of boosting cannot stop early.
    """
    import lightgbm

    params = params | target.gains
    n_before = 0 if start is None else start.current_iteration()
    if isinstance(target.objective, str):
        params["objective"] = target.objective
    streamed = isinstance(rows.X, StreamedTable)
    make = rows.X.dataset if streamed else partial(lightgbm.Dataset, rows.X)
    dataset = make(
        target.labels,
        group=rows.queries.sizes,
        weight=target.weights,
        position=target.position,
        feature_name=_safe_names(feature_names),
        categorical_feature=list(categories.columns),
        params=params,
        free_raw_data=start is None,
    )
    objective = target.objective
    is_alone = "machines" not in params  # bins of a network are agreed on in training
    if callable(objective) and is_alone and not _can_split(dataset, rows.X.shape[1]):
        # then LightGBM accepts its own objectives only; labels of 0 leave scores at 0
        objective = "regression"
        dataset.set_label(np.zeros(len(target.labels)))
    valid_sets, feval, stopping = [], None, None
    if validation is not None:
        # LightGBM never sees these labels: the metric below has them.
        no_labels = np.zeros(len(validation.y))
        valid_sets = [lightgbm.Dataset(validation.X, no_labels, reference=dataset)]
        feval = evaluation(measures, validation)
        is_dart = params.get("boosting") == "dart"
        stopping = Stopping(n_iter_no_change, can_stop=selects and not is_dart)
        if start is not None and selects:
            threads = params["num_threads"]
            scores = start.predict(validation.X, num_threads=threads)
            _, score, _ = feval(scores, None)[0]
            stopping.offer(n_before, score)
    with lightgbm_errors(params):
        booster = lightgbm.train(
            {**params, "objective": objective},
            dataset,
            num_boost_round=n_trees,
            valid_sets=valid_sets,
            valid_names=["validation"] * len(valid_sets),
            feval=feval,
            init_model=start,
            callbacks=tree_callbacks(stopping, watch, verbose),
        )
    booster.pandas_categorical = categories.for_lightgbm
    if stopping is None:
        booster = _without(booster, params, booster.current_iteration())
        return Boosted(booster, float("nan"), {}, n_before)
    if selects and not stopping.can_stop:
        warn(
            "boosting='dart' rescales earlier trees with each new one, so training "
            "cannot stop early and predict uses all trees; best_score_ is the metric "
            "of all of them. Set early_stopping=False to say so."
        )
    n_best, best_score = stopping.best(booster.current_iteration())
    booster = _without(booster, params, n_best)
    return Boosted(booster, best_score, stopping.columns, n_before)


def _can_split(dataset: Any, n_features: int) -> bool:
    """Whether a column has bins: two values, in enough rows."""
    dataset.construct()
    return any(dataset.feature_num_bin(i) > 0 for i in range(n_features))


def _safe_names(names: Sequence[str] | None) -> list[str] | Literal["auto"]:
    """Names without the characters that LightGBM's model files cannot hold."""
    if names is None or any(re.search(r'[\s",:\[\]{}]', name) for name in names):
        return "auto"
    return list(names)


def _without(booster: Any, params: Mapping[str, Any], n_trees: int) -> Any:
    """Drop what predict does not need: later trees, and a long table of gains."""
    import lightgbm

    has_long_table = len(params.get("label_gain", ())) > _LONG_TABLE
    if n_trees == booster.current_iteration() and not has_long_table:
        return booster
    text = booster.model_to_string(num_iteration=n_trees)
    if has_long_table:
        text = re.sub(r"\[label_gain: [^\]]*\]\n", "", text)
    return lightgbm.Booster(model_str=text)


def warn_if_no_split(
    booster: Any, X: Any, params: Mapping[str, Any], n_held_out: int
) -> None:
    """Warn if all scores are equal, with the likely reason."""
    if booster.feature_importance("split").any():
        return
    n_rows, min_rows = X.shape[0], params["min_data_in_leaf"]
    if not _varies(X):
        reason = "Every column of X is constant. Check the features."
    elif n_rows < 2 * min_rows:
        reason = (
            f"{n_rows} rows cannot make two leaves of min_child_samples={min_rows}. "
            "Lower it."
        )
        if n_held_out:
            reason = (
                f"{n_rows} rows, without the {n_held_out} that validation took, cannot "
                f"make two leaves of min_child_samples={min_rows}. Lower it, or "
                "validation_fraction."
            )
    else:
        reason = (
            f"No split has min_child_samples={min_rows} rows and "
            f"min_child_weight={params['min_sum_hessian_in_leaf']:g} on either side, "
            f"and a gain above min_split_gain={params['min_gain_to_split']:g}. Lower "
            "them, or check the features."
        )
    warn(f"No tree has a split, so all scores are equal. {reason}")


def _varies(X: Any) -> bool:
    """Whether a column has two values; NaN and the zeros of a sparse matrix are one."""
    if isinstance(X, StreamedTable):
        return X.varies()
    if isinstance(X, np.ndarray):
        return any(len(np.unique(column)) > 1 for column in X.T)
    table = X.tocsc()
    columns = (table.data[a:b] for a, b in itertools.pairwise(table.indptr))
    padded = (np.append(c, 0.0) if len(c) < X.shape[0] else c for c in columns)
    return any(len(np.unique(column)) > 1 for column in padded)


class _Shape(NamedTuple):
    """What SHAP values of trees depend on, besides the trees."""

    depth: int
    has_linear_leaves: bool
    is_mean: bool


_SHAPES: WeakKeyDictionary[Any, tuple[int, _Shape]] = WeakKeyDictionary()


def contributions(booster: Any, table: Any, n_trees: int, n_threads: int) -> Any:
    """SHAP values of the scores, see :meth:`LambdaMARTRanker.predict_contrib`."""
    shape = _shape(booster)
    if shape.has_linear_leaves:
        raise ValueError(
            "predict_contrib needs trees with constant leaves; these have linear ones. "
            "Fit without 'linear_tree' in extra_params."
        )
    if shape.depth > _DEEPEST:
        raise ValueError(
            f"predict_contrib needs trees of depth <= {_DEEPEST}, as LightGBM recurses "
            f"to their leaves; got depth {shape.depth}. {_SHALLOWER}"
        )
    # Each thread of TreeSHAP holds paths of 1, 2, …, depth + 1 elements of 32 bytes.
    n_elements = (shape.depth + 1) * (shape.depth + 2) // 2
    n_bytes = 32 * n_elements * (n_threads or os.cpu_count() or 1)
    purpose = f"predict_contrib on trees of depth {shape.depth}"
    check_memory(n_bytes, purpose, f"{_SHALLOWER[:-1]}, or set a lower n_jobs.")
    shares = booster.predict(
        table, num_iteration=n_trees, num_threads=n_threads, pred_contrib=True
    )
    # The score of a random forest is the mean over its trees; LightGBM adds them here.
    return shares / n_trees if shape.is_mean else shares


def _shape(booster: Any) -> _Shape:
    """Shape of all trees; cached, as writing them can take longer than TreeSHAP."""
    n_trees = booster.num_trees()
    n_before, shape = _SHAPES.get(booster, (-1, None))
    if shape is None or n_before != n_trees:
        text = booster.model_to_string(num_iteration=-1)
        shape = _Shape(max_depth(text), "\nis_linear=1\n" in text, is_mean(text))
        _SHAPES[booster] = n_trees, shape
    return shape


def max_depth(text: str) -> int:
    """Depth of the deepest tree: the splits on the way to its deepest leaf.

    Parameters
    ----------
    text : str
        Trees as ``Booster.model_to_string`` writes them.

    Returns
    -------
    depth : int
        An upper bound, leaves - 1, where that is small.
    """
    depth = 0
    trees = zip(_N_LEAVES.finditer(text), _CHILDREN.finditer(text), strict=True)
    for n_leaves, children in trees:
        bound = int(n_leaves[1]) - 1
        if bound > _SHALLOW:
            bound = _depth(
                *(list(map(int, side.split())) for side in children.groups())
            )
        depth = max(depth, bound)
    return depth


def _depth(left: Sequence[int], right: Sequence[int]) -> int:
    """Depth of one tree; LightGBM numbers a node after its parent, leaves below 0."""
    depths = [1] * len(left)  # of the children of each node
    for depth, *children in zip(depths, left, right, strict=True):
        for child in children:
            if child > 0:
                depths[child] = depth + 1
    return max(depths)


def is_mean(text: str) -> bool:
    """Whether the trees in LightGBM's text are averaged: a random forest."""
    return "\naverage_output\n" in text
