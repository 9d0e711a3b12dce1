"""One line per epoch for long fits."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from ltr.training.loop import TrainingResult

_SECONDS_BETWEEN_LINES = 5.0


class EpochPrinter:
    """Write the state of training: every epoch, or every few seconds.

    Parameters
    ----------
    verbose : int
        1: a line every 5 seconds; 2 or more: a line per epoch.
    max_epochs : int
        Most epochs of this fit.
    metric : str
        Name of the validation metric.
    stream : text file, optional
        Where to write. Default: standard error.
    """

    def __init__(
        self, verbose: int, max_epochs: int, metric: str, stream: TextIO | None = None
    ) -> None:
        self._pause = 0.0 if verbose >= 2 else _SECONDS_BETWEEN_LINES
        self._max_epochs = max_epochs
        self._metric = metric
        self._stream = sys.stderr if stream is None else stream
        self._started = time.monotonic()
        self._written = self._started

    def __call__(self, epoch: int, result: TrainingResult) -> None:
        """Write a line if it is time for one."""
        now = time.monotonic()
        if now - self._written < self._pause and epoch < self._max_epochs:
            return
        self._written = now
        line = f"epoch {epoch}/{self._max_epochs}  loss {result.losses[-1]:.5f}"
        if result.scores:
            line += f"  {self._metric} {result.scores[-1]:.5f}"
            line += f" (best {result.best_score:.5f} after epoch {result.best_epoch})"
        line += f"  {now - self._started:.1f} s\n"
        self._stream.write(line)
        self._stream.flush()
