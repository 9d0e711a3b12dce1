"""Warnings that point at the user's line."""

from __future__ import annotations

import sys
import warnings


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, with the innermost line outside of this library as the place."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("ltr."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
