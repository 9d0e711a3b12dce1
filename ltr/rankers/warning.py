"""Warnings that point at the user's line."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MANY_ROWS = 1000  # that are more than one list


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, with the innermost line outside of this library as the place."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("ltr."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def warn_if_many(n_samples: int, qid: ArrayLike | None, fitted_with_qid: bool) -> None:
    """Warn of one list so long that a qid was probably forgotten."""
    if qid is None and n_samples > MANY_ROWS and fitted_with_qid:
        warn(
            f"qid is None, so all {n_samples} rows compete in one list, although "
            "fit was given a qid. Pass the query of each row as qid; if they "
            "really are one list, pass qid=np.zeros(len(X))."
        )
