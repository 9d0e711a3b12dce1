"""One line per epoch for long fits."""

from __future__ import annotations

from typing import TextIO

from ltr.progress import SECONDS_BETWEEN_LINES, ProgressLine
from ltr.training.result import TrainingResult


class EpochPrinter:
    """Write the state of training: every epoch, or every few seconds.

    Parameters
    ----------
    verbose : int
        1: a line every 5 seconds; 2 or more: a line per epoch.
    max_epochs : int
        Maximum number of epochs of this fit.
    metric : str
        Name of the validation metric.
    stream : text file, optional
        Where to write. Default: standard error.
    """

    def __init__(
        self, verbose: int, max_epochs: int, metric: str, stream: TextIO | None = None
    ) -> None:
        every_s = 0.0 if verbose >= 2 else SECONDS_BETWEEN_LINES
        self._progress = ProgressLine(every_s, stream=stream)
        self._max_epochs = max_epochs
        self._metric = metric

    def __call__(self, epoch: int, result: TrainingResult) -> None:
        """Write a line if it is time for one."""

        def line() -> str:
            text = f"epoch {epoch}/{self._max_epochs}  loss {result.losses[-1]:.5f}"
            if result.scores:
                text += f"  {self._metric} {result.scores[-1]:.5f} (best "
                text += f"{result.best_score:.5f} after epoch {result.best_epoch})"
                for name, values in result.watched.items():
                    text += f"  {name} {values[-1]:.5f}"
            return f"{text}  {self._progress.seconds:.1f} s"

        self._progress(line, last=epoch >= self._max_epochs)
