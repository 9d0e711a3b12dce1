"""Steps of a fit, compiled in threads."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

from ltr.lists import Shape
from ltr.training.memory import check_step


class Programs:
    """Steps for mini-batches of some shapes, compiled while the caller goes on.

    JAX keeps the programs with the jitted function, which then finds them.

    Parameters
    ----------
    lowered : iterable of jax.stages.Lowered
        Steps to compile. Each is traced here while those before it are compiled, by as
        many threads as there are cores: more would take memory, and no less time.

    Attributes
    ----------
    seconds : float
        Time that the caller has spent on tracing, and on waiting for programs.

    Examples
    --------
    >>> import jax
    >>> double = jax.jit(lambda x: 2 * x)
    >>> programs = Programs([double.lower(1.0)])
    >>> programs.check_memory([(1, 1)], {"weight": jax.numpy.zeros(1)})
    """

    def __init__(self, lowered: Iterable[jax.stages.Lowered]) -> None:
        started = time.perf_counter()
        pool = ThreadPoolExecutor(os.cpu_count())
        self._programs = [pool.submit(step.compile) for step in lowered]
        pool.shutdown(wait=False)
        self.seconds = time.perf_counter() - started

    def check_memory(self, shapes: list[Shape], params: Any) -> None:
        """Wait for the programs, and check the memory that they need.

        Parameters
        ----------
        shapes : list of tuple of int
            Shape of each: lists of a mini-batch, and their padded size.
        params : pytree of arrays
            Parameters of the scorer.

        Raises
        ------
        MemoryError
            If one of them needs more memory than there is.
        """
        started = time.perf_counter()
        for shape, program in zip(shapes, self._programs, strict=True):
            check_step(shape, params, program.result())
        self.seconds += time.perf_counter() - started
