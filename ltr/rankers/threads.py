"""Threads: none beside the caller's own for small products and few trees."""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ltr.arguments import check_whole

# Multiplications that one core does in a few ms. On a busy machine a second thread
# costs several times as much: it waits for a core at every product.
_SMALL = 2**26

_SMALL_BLOCK = 100_000  # rows times trees
_VERBS = ("get", "set")
_one_caller = threading.Lock()
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
    This is for the OpenBLAS that the wheels of NumPy bring, which any thread may set.
    For others there is threadpoolctl, by which only the thread that has set a limit can
    restore it: there, callers that overlap run with what they find.

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
    if _openblas() is None:
        with _other_blas_limited():
            yield
        return
    _limit.begin()
    try:
        yield
    finally:
        _limit.end()


class _Limit:
    """One thread of OpenBLAS, while there is a caller."""

    def __init__(self) -> None:
        self._lock, self._n_callers = threading.Lock(), 0
        self._n_threads = 1  # without callers

    def begin(self) -> None:
        with self._lock:
            self._n_callers += 1
            if self._n_callers > 1:
                return
            blas = _openblas()
            if blas is not None:
                self._n_threads = blas.get()
                if self._n_threads != 1:
                    blas.set(1)

    def end(self) -> None:
        with self._lock:
            self._n_callers -= 1
            blas = _openblas()
            if blas is not None and not self._n_callers and self._n_threads != 1:
                blas.set(self._n_threads)


_limit = _Limit()


class _OpenBlas(NamedTuple):
    """Two functions of the library: the number of its threads, and its setter."""

    get: Callable[[], int]
    set: Callable[[int], None]


@cache
def _openblas() -> _OpenBlas | None:
    """The OpenBLAS beside NumPy, as its wheels have it; None with another BLAS."""
    package = Path(np.__file__).parent
    folders = package.parent / "numpy.libs", package / ".dylibs"
    for path in (path for folder in folders for path in folder.glob("*openblas*")):
        library = ctypes.CDLL(str(path))  # which NumPy has loaded
        for prefix, suffix in itertools.product(("scipy_", ""), ("64_", "")):
            names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in _VERBS]
            if all(hasattr(library, name) for name in names):
                return _OpenBlas(*(getattr(library, name) for name in names))
    return None


@cache
def _controller() -> Any:
    """What limits another BLAS; looking for it takes 2 ms."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:  # not needed to predict
        return None
    return ThreadpoolController()


@contextmanager
def _other_blas_limited() -> Iterator[None]:
    """One thread of a BLAS that is not NumPy's own, for one caller at a time."""
    controller = _controller()
    if controller is None or not _one_caller.acquire(blocking=False):
        yield
        return
    try:
        with controller.limit(limits=1, user_api="blas"):
            yield
    finally:
        _one_caller.release()


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
