"""A point in time at which long fits end early, with what they have learned so far.

Training loops ask :func:`is_past_deadline` after each epoch or tree. The deadline
belongs to the context (:mod:`contextvars`): a fit in another thread has its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_DEADLINE: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def deadline_in(seconds: float) -> Iterator[None]:
    """Let fits of this block end early when the time is up.

    Parameters
    ----------
    seconds : float
        From now on; an earlier deadline around the block holds, too. Infinite: none.

    Examples
    --------
    >>> with deadline_in(0.0):
    ...     is_past_deadline()
    True
    >>> is_past_deadline()
    False
    """
    deadline = min(_DEADLINE.get(), time.monotonic() + seconds)
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def has_deadline() -> bool:
    """Whether there is one.

    Examples
    --------
    >>> has_deadline()
    False
    """
    return _DEADLINE.get() < math.inf


def is_past_deadline() -> bool:
    """Whether a fit must end now; False without a deadline.

    Examples
    --------
    >>> with deadline_in(60.0):
    ...     is_past_deadline()
    False
    """
    return time.monotonic() >= _DEADLINE.get()
