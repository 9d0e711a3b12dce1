"""What a row of the table of papers is: a function of a setting, and what it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ltr.metrics import bootstrap_interval


class Setting(NamedTuple):
    """How much to run, and where the files of Cranfield are (None: not at all)."""

    small: bool = False
    data: Path | None = None


class PaperRow(NamedTuple):
    """What the row of a paper printed, and whether its criterion holds.

    A criterion states what was measured. Where the effect of the paper is not there,
    the last line says "effect not shown", and the criterion is the measured statement.
    """

    number: int
    lines: Sequence[str]
    criterion: str
    holds: bool


Paper = Callable[[Setting], PaperRow]


class Interval(NamedTuple):
    """A mean over queries with its bounds at 95 %."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


def interval(differences: np.ndarray) -> Interval:
    """Mean of paired differences with its bootstrap interval over queries."""
    values = np.asarray(differences, dtype=float)
    values = values[~np.isnan(values)]
    low, high = bootstrap_interval(values)
    return Interval(float(values.mean()), float(low), float(high))
