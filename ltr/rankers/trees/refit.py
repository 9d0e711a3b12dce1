"""Growing trees once more on all queries, as many as early stopping found best."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ltr.rankers.inputs import TrainingSet, joined_sets
from ltr.rankers.trees.boosting import Boosted
from ltr.rankers.trees.existing import Start
from ltr.rankers.trees.training import grow
from ltr.rankers.validation import EarlyStopping


def regrow(
    ranker: Any,
    boosted: Boosted,
    params: dict[str, Any],
    stopping: EarlyStopping,
    data: TrainingSet,
    validation: TrainingSet | None,
    start: Start | None,
) -> Boosted:
    """Grow trees on the rows of training and validation.

    Parameters
    ----------
    ranker : LambdaMARTRanker
        See :func:`grow`.
    boosted : Boosted
        With early stopping.
    params, stopping, data, validation, start
        As for :func:`grow`, which made ``boosted`` of them.

    Returns
    -------
    boosted : Boosted
        With the history and the score of early stopping; the same if there was none.
    """
    n_trees = boosted.booster.current_iteration()
    n_added = n_trees - boosted.n_before
    if not (boosted.history and stopping.enabled and n_added):
        return boosted
    counts_all = start is not None and start.argument == "warm_start"
    repeated = ranker._with_options(
        n_estimators=n_trees if counts_all else n_added,
        callbacks=None,
        verbose=0,
        n_iter_no_change=50,
        validation_fraction=0.1,
    )
    all_rows = joined_sets(data, validation)
    no_stopping = replace(stopping, enabled=False, metrics=None)
    refitted = grow(repeated, params, no_stopping, all_rows, None, start)
    return replace(boosted, booster=refitted.booster)
