"""Threads of BLAS: none beside the caller's own for small products of matrices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

# Multiplications that one core does in a few ms. On a busy machine a second thread
# costs several times as much: it waits for a core at every product.
_SMALL = 2**26

_lock = threading.Lock()


@contextmanager
def blas_threads_for(n_multiplications: float) -> Iterator[None]:
    """Run small products of matrices on the thread of the caller.

    The number of threads belongs to the process. So one of several callers at a time
    sets and restores it, and the others run with what they find: two that overlap
    could restore each other's 1.

    Parameters
    ----------
    n_multiplications : float
        Work of the block; above 2**26 nothing is limited.

    Examples
    --------
    >>> import numpy as np
    >>> with blas_threads_for(100 * 136 * 64):
    ...     (np.ones((100, 136)) @ np.ones((136, 64))).shape
    (100, 64)
    """
    if n_multiplications > _SMALL or not _lock.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _lock.release()


@cache
def _controller() -> ThreadpoolController:
    """The libraries of this process; looking for them takes 2 ms."""
    return ThreadpoolController()
