"""Steps of a fit, compiled in threads."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax

from ltr.lists import Shape
from ltr.training.memory import check_step


class Programs:
    """Steps for mini-batches of some shapes, compiled while the caller goes on.

    JAX keeps the programs with the jitted function, which then finds them. There are as
    many threads as cores: more would take memory, and no less time.

    Examples
    --------
    >>> import jax
    >>> double = jax.jit(lambda x: 2 * x)
    >>> programs = Programs()
    >>> programs.add(double.lower(1.0))
    >>> programs.wait([(1, 1)], {"weight": jax.numpy.zeros(1)}) > 0.0
    True
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._started = time.perf_counter()
        self._programs: list[Future[jax.stages.Compiled]] = []
        self._pool = ThreadPoolExecutor(os.cpu_count())

    def add(self, lowered: jax.stages.Lowered) -> None:
        """Begin to compile a step, while the caller traces the next one."""
        self._programs.append(self._pool.submit(lowered.compile))
        self._seconds = time.perf_counter() - self._started

    def wait(self, shapes: list[Shape], params: Any) -> float:
        """Wait for the programs, and check the memory that they need.

        Parameters
        ----------
        shapes : list of tuple of int
            Shape of each: lists of a mini-batch, and their padded size.
        params : pytree of arrays
            Parameters of the scorer.

        Returns
        -------
        seconds : float
            Time that the caller has spent on tracing, and on waiting.

        Raises
        ------
        MemoryError
            If one of them needs more memory than there is.
        """
        self._pool.shutdown(wait=False)
        started = time.perf_counter()
        for shape, program in zip(shapes, self._programs, strict=True):
            check_step(shape, params, program.result())
        self._seconds += time.perf_counter() - started
        return self._seconds
