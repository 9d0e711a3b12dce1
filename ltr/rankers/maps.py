"""Memory maps that fit passes over, since they are too large to be copied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ltr.memory import memory_bytes
from ltr.progress import ProgressLine
from ltr.rankers.neural.source import Piece, stand_together

_SHARE = 0.5  # of memory; a copy and training take 1.5 times the size of X
_BUFFERS = 6  # that fit_stream may hold
_MAX_BUFFER_ROWS = 2**18
_GB = 1e9


def stream_of_map(
    ranker: Any,
    X: Any,
    y: Any,
    qid: Any,
    validation: tuple[Any, Any, Any],
    others: Iterable[Any] = (),
) -> dict[str, Any] | None:
    """Arguments of ``fit_stream``, if ``fit`` on this ``X`` takes its path.

    Parameters
    ----------
    ranker : estimator
        With ``early_stopping``, ``refit`` and ``verbose``.
    X, y, qid : array-like
        As in ``fit``.
    validation : tuple of array-like or None
        ``X_val``, ``y_val`` and ``qid_val``.
    others : iterable, default=()
        Further inputs of ``fit``, which ``fit_stream`` has not.

    Returns
    -------
    arguments : dict or None
        None unless ``X`` is a map of a file that is larger than half of the memory,
        and ``fit_stream`` can do all that is asked for.
    """
    if getattr(X, "filename", None) is None or not isinstance(X, np.memmap):
        return None
    memory = memory_bytes()  # not what is free, on which the result would depend
    if X.nbytes <= _SHARE * memory:
        return None
    is_given = [column is not None for column in validation]
    if (
        X.ndim != 2
        or any(column is None for column in (y, qid))
        or any(np.shape(column) != (len(X),) for column in (y, qid))
        or any(column is not None for column in others)
        or any(is_given) != all(is_given)
        or ranker.refit
        or (ranker.early_stopping is True and not any(is_given))
        or not stand_together(qid)
    ):
        return None
    row_bytes = X.nbytes / len(X)
    room = _SHARE * memory / (_BUFFERS * row_bytes)
    buffer_rows = min(_MAX_BUFFER_ROWS, 2 ** int(np.log2(max(room, 1.0))))
    if ranker.verbose:
        line = (
            f"X is a memory map of {X.nbytes / _GB:.1f} GB, more than half of the "
            f"{memory / _GB:.1f} GB of memory that this process may have: fit is "
            f"fit_stream with buffer_rows={buffer_rows}"
        )
        ProgressLine(0.0)(lambda: line, last=True)
    return {
        "source": Piece("X", X, y, qid),
        "buffer_rows": buffer_rows,
        "validation": Piece("validation", *validation) if all(is_given) else None,
    }
