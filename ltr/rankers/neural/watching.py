"""What happens after each epoch: a line of progress, and the callbacks of the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ltr.callbacks import TrainingState, Watch, check_callbacks
from ltr.rankers.neural.options import TrainingOptions
from ltr.training import TrainingResult
from ltr.training.loop import OnEpoch
from ltr.training.progress import EpochPrinter

# Parameters of an epoch → a fitted ranker.
MakeRanker = Callable[[Any], Any]


def epoch_watcher(
    options: TrainingOptions,
    max_epochs: int,
    *,
    n_before: int,
    member: int,
    make_ranker: MakeRanker,
) -> OnEpoch | None:
    """What :func:`ltr.training.train` calls after each epoch; None if nobody watches.

    Parameters
    ----------
    options : TrainingOptions
        ``verbose``, the callbacks and the names of the metrics.
    max_epochs : int
        Maximum number of epochs of this fit.
    n_before : int
        Epochs before this fit, which count.
    member : int
        Number within an ensemble.
    make_ranker : callable
        Parameters → fitted ranker.

    Returns
    -------
    on_epoch : callable or None
    """
    callbacks = check_callbacks(options.callbacks)
    if options.verbose <= 0 and not callbacks:
        return None
    name = options.stopping.measures()[0].name
    watch, write = Watch(callbacks), None
    if options.verbose > 0:
        write = EpochPrinter(options.verbose, max_epochs, name)

    def on_epoch(epoch: int, result: TrainingResult, params: Callable[[], Any]) -> bool:
        if write is not None:
            write(epoch, result)
        if not callbacks:
            return False
        columns = {name: result.scores, **result.watched}
        state = TrainingState(
            epoch=n_before + epoch,
            max_epochs=n_before + max_epochs,
            loss=result.losses[-1],
            metrics={key: column[-1] for key, column in columns.items() if column},
            best_score=result.best_score,
            best_epoch=n_before + (result.best_epoch if result.scores else epoch),
            seconds=watch.seconds,
            learning_rate=result.rates[-1],
            member=member,
            make_ranker=lambda: make_ranker(params()),
        )
        return watch(state)

    return on_epoch
