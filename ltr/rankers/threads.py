"""Threads: none beside the caller's own for small products and few trees."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from ltr.arguments import check_whole

# Multiplications that one core does in a few ms. On a busy machine a second thread
# costs several times as much: it waits for a core at every product.
_SMALL = 2**26

_SMALL_BLOCK = 100_000
_MAX_THREADS = 1024


@contextmanager
def blas_threads_for(n_multiplications: float) -> Iterator[None]:
    """Run small products of matrices on the thread of the caller.

    The number of threads belongs to the process. So the first of several callers that
    overlap sets it to 1, and the last one restores it: in a server whose threads
    predict all the time, no product waits for a second core.

    Parameters
    ----------
    n_multiplications : float
        Work of the block; above 2**26 nothing is limited.

    Notes
    -----
    Without threadpoolctl, which a server need not have, nothing is limited: set
    ``OPENBLAS_NUM_THREADS=1`` there.

    Examples
    --------
    >>> import numpy as np
    >>> with blas_threads_for(100 * 136 * 64):
    ...     (np.ones((100, 136)) @ np.ones((136, 64))).shape
    (100, 64)
    """
    if n_multiplications > _SMALL:
        yield
        return
    _limit.begin()
    try:
        yield
    finally:
        _limit.end()


class _Limit:
    """One thread of BLAS, while there is a caller."""

    def __init__(self) -> None:
        self._lock, self._n_callers, self._before = threading.Lock(), 0, None

    def begin(self) -> None:
        with self._lock:
            self._n_callers += 1
            controller = _controller() if self._n_callers == 1 else None
            if controller is not None:
                self._before = controller.limit(limits=1, user_api="blas")

    def end(self) -> None:
        with self._lock:
            self._n_callers -= 1
            if self._n_callers == 0 and self._before is not None:
                self._before.restore_original_limits()
                self._before = None


_limit = _Limit()


@cache
def _controller() -> Any:
    """The libraries of this process; looking for them takes 2 ms."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()


def n_threads(n_jobs: int | None) -> int:
    """Threads for LightGBM, at most one a core; 0 means all cores.

    Parameters
    ----------
    n_jobs : int or None
        None or 0: all cores; −1: all, −2: all but one.

    Raises
    ------
    ArgumentError
        If it is no whole number, or one that no machine can run.
    """
    limits = {"low": -_MAX_THREADS, "high": _MAX_THREADS}
    jobs = check_whole("n_jobs", n_jobs, **limits, optional=True) or 0
    n_cores = os.cpu_count() or 1
    return int(min(jobs, n_cores) if jobs >= 0 else max(1, n_cores + 1 + jobs))


def n_threads_for(n_rows: int, n_trees: int, n_jobs: int | None) -> int:
    """Threads to predict with: one for a small block.

    Parameters
    ----------
    n_rows, n_trees : int
        Every row goes through every tree.
    n_jobs : int or None
        See :func:`n_threads`.
    """
    threads = n_threads(n_jobs)
    return 1 if n_rows * n_trees <= _SMALL_BLOCK else threads
