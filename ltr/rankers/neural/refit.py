"""Training once more on all queries, as long as early stopping found best."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ltr.atomic import FitStopped
from ltr.rankers.inputs import TrainingSet
from ltr.rankers.neural.options import Replay, TrainingOptions
from ltr.rankers.neural.training import LearnedState, train_scorer
from ltr.training import TrainingResult
from ltr.training.convergence import epoch_limits


def refit_members(
    members: list[tuple[LearnedState, TrainingResult]],
    plans: list[dict[str, Any]],
    data: TrainingSet,
) -> list[tuple[LearnedState, TrainingResult]]:
    """Train each member on all queries, from where it began, for its best epochs.

    Parameters
    ----------
    members : list of (LearnedState, TrainingResult)
        Trained with early stopping.
    plans : list of dict
        Arguments of :func:`train_scorer` that are not data, for each member.
    data : TrainingSet
        Rows of training and validation.

    Returns
    -------
    members : list of (LearnedState, TrainingResult)

    Raises
    ------
    FitStopped
        On Ctrl-C.
    """
    refitted = []
    for (_, result), plan in zip(members, plans, strict=True):
        options = _options(plan["options"], result)
        member = train_scorer(
            **{**plan, "options": options, "data": data, "validation": None}
        )
        if member[1].interrupted:
            raise FitStopped(
                "stopped while refitting on all queries; the ranker is fitted on those "
                "that it did not validate with"
            )
        refitted.append(member)
    return refitted


def _options(options: TrainingOptions, result: TrainingResult) -> TrainingOptions:
    """Those of a fit that repeats the best epochs of another one."""
    limits = epoch_limits(
        options.max_epochs,
        options.n_iter_no_change,
        n_steps=result.n_steps,
        has_schedule=options.schedule is not None,
    )
    return replace(
        options,
        max_epochs=result.best_epoch,
        stopping=replace(options.stopping, enabled=False, metrics=None),
        callbacks=None,
        verbose=0,
        replay=Replay(limits.max_epochs, limits.patience, tuple(result.scores)),
    )
