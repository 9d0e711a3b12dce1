"""Training of trees: what a LambdaMARTRanker hands to LightGBM."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ltr.arguments import check_whole
from ltr.rankers.inputs import TrainingSet, warn_if_no_order
from ltr.rankers.trees.boosting import (
    Boosted,
    BoostingTarget,
    boost,
    warn_if_no_split,
)
from ltr.rankers.trees.existing import Start
from ltr.rankers.trees.grouped_rows import GroupedRows, group_rows
from ltr.rankers.trees.losses import is_lightgbm_loss, learned_lists
from ltr.rankers.trees.parameters import check_interactions, warn_without_effect
from ltr.rankers.trees.targets import lightgbm_target, loss_target
from ltr.rankers.trees.watching import TreeWatch
from ltr.rankers.validation import EarlyStopping, hold_out_lists, validation_rows
from ltr.rankers.warning import warn

_FEW_LISTS = 50  # to stop on


def grow(
    ranker: Any,
    params: dict[str, Any],
    stopping: EarlyStopping,
    data: TrainingSet,
    validation: TrainingSet | None,
    start: Start | None,
) -> Boosted:
    """Split off validation lists, choose the objective, grow the trees.

    Parameters
    ----------
    ranker : LambdaMARTRanker
        Its parameters, names of columns and categories.
    params : dict of str to object
        The parameters by LightGBM's names.
    stopping : EarlyStopping
        When to stop.
    data : TrainingSet
        Training rows.
    validation : TrainingSet or None
        Rows to stop on, if ``fit`` was given some.
    start : Start or None
        Trees to add to.

    Returns
    -------
    boosted : Boosted
    """
    informative = learned_lists(ranker.loss, data)
    warn_if_no_order(data)
    seed = ranker.random_state
    if isinstance(seed, (int, np.integer)):
        check_whole("random_state", seed, low=0)
    else:
        seed = check_random_state(seed).randint(2**31 - 1)
    held_out = np.zeros(data.queries.n_lists, dtype=bool)
    if validation is None:
        held_out = hold_out_lists(
            stopping,
            data.y,
            informative,
            np.random.default_rng(seed),
            trains_on="their gains, y - min(y) if label_gain is 'auto',"
            if is_lightgbm_loss(ranker.loss) and ranker.loss != "mse"
            else "the labels themselves",
        )
        _warn_if_few(int(held_out.sum()), stopping)
    check_interactions(params, data.X.shape[1])
    warn_without_effect(
        ranker.get_params(deep=False),
        params,
        _defaults(ranker),
        has_position="position" in data.extras,
        has_validation=validation is not None,
        holds_out=bool(held_out.any()),
    )
    rows = group_rows(data, ~held_out)
    n_units = rows.queries.n_lists if params.get("bagging_by_query") else len(rows.y)
    if int(params["bagging_fraction"] * n_units) < 1:
        unit = "queries" if params.get("bagging_by_query") else "rows"
        raise ValueError(
            f"subsample must leave at least one of the {n_units} {unit}; got "
            f"{ranker.subsample:g}. Raise it."
        )
    n_trees = ranker.n_estimators
    if start is not None:
        start.check_boosting(params)
        n_trees = start.n_trees(n_trees)
    if is_lightgbm_loss(ranker.loss):
        target = lightgbm_target(
            rows,
            ranker.loss,
            ranker.label_gain,
            ranker.truncation_level,
            norm=ranker.norm,
        )
        _check_sigmoid(target, params, rows)
    else:
        target = loss_target(
            rows,
            ranker.loss,
            informative[~held_out],
            curvature=ranker.curvature,
            normalize=ranker.normalize,
            n_trees=n_trees,
            seed=int(seed),
        )
    boosted = boost(
        {**params, "seed": int(seed)},
        rows,
        target,
        n_trees=n_trees,
        feature_names=getattr(ranker, "feature_names_in_", None),
        categories=ranker._categories,
        validation=validation_rows(data, held_out, validation, stopping),
        measures=stopping.measures(),
        n_iter_no_change=ranker.n_iter_no_change,
        selects=bool(stopping.enabled),
        watch=TreeWatch(ranker.callbacks, ranker.learning_rate, ranker._ranker_of),
        start=None if start is None else start.booster,
        verbose=ranker.verbose,
    )
    if informative.any():
        n_held_out = len(data.y) - len(rows.y)
        warn_if_no_split(boosted.booster, rows.X, params, n_held_out)
    return boosted


def _check_sigmoid(
    target: BoostingTarget, params: Mapping[str, Any], rows: GroupedRows
) -> None:
    """Raise if ``sigmoid`` is set where the lambdas are computed here."""
    if callable(target.objective) and "sigmoid" in params:
        raise ValueError(
            "sigmoid in extra_params needs queries of at most 10,000 rows, LightGBM's "
            f"limit; got one of {int(rows.queries.sizes.max())}. Split it, or leave "
            "sigmoid out."
        )


def _warn_if_few(n_held_out: int, stopping: EarlyStopping) -> None:
    """Warn if the number of trees will be the best one by chance."""
    if 0 < n_held_out < _FEW_LISTS:
        warn(
            f"early_stopping=True chooses the number of trees by {n_held_out} "
            f"validation queries; the metric of fewer than {_FEW_LISTS} is mostly "
            "noise. Pass X_val with more queries, raise validation_fraction (now "
            f"{stopping.validation_fraction:g}), or grow all trees with "
            "early_stopping=False."
        )


def _defaults(ranker: Any) -> dict[str, Any]:
    """Default of each parameter."""
    arguments = inspect.signature(type(ranker)).parameters
    return {name: argument.default for name, argument in arguments.items()}
