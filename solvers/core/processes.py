"""Jobs of a batch in other processes, which share no interpreter lock."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.lists import ItemList
from ltr.solvers.core.solution import Solution

_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_TO_END = 10.0  # for jobs that are running on Ctrl-C
Solve = Callable[[list[ItemList], Budget], list[Solution]]


class Limits(NamedTuple):
    """Limits of the jobs of a batch.

    Attributes
    ----------
    time_limit_s, work_limit : float or None
        Of a job.
    end : float or None
        When the batch ends, by ``time.monotonic``, which processes share.
    """

    time_limit_s: float | None
    work_limit: float | None
    end: float | None

    def budget(self, cancelled: threading.Event) -> Budget:
        """Budget of a job that begins now."""
        seconds = [] if self.time_limit_s is None else [self.time_limit_s]
        if self.end is not None:
            seconds.append(max(0.0, self.end - time.monotonic()))
        return Budget(min(seconds, default=None), self.work_limit, cancelled)


class FileEvent(threading.Event):
    """Set once a file exists, which any process can make."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._next_look = 0.0

    def is_set(self) -> bool:
        """Whether the file exists, as of some hundredths of a second ago."""
        now = time.monotonic()
        if now >= self._next_look and not super().is_set():
            self._next_look = now + _SECONDS_BETWEEN_LOOKS
            if os.path.exists(self._path):
                self.set()
        return super().is_set()


def run_in_processes(
    solve: Solve,
    lists: Sequence[ItemList],
    jobs: Sequence[list[int]],
    *,
    n_processes: int,
    limits: Limits,
    record: Callable[[list[int], list[Solution]], None],
) -> list[list[int]]:
    """Solve jobs in processes of joblib, which stay for later batches.

    On any exception, Ctrl-C above all, running jobs end early and are recorded.

    Parameters
    ----------
    solve : callable
        (lists of a job, their budget) → their solutions; can be pickled.
    lists : sequence of ItemList
        The batch.
    jobs : sequence of list of int
        Numbers of the lists that are solved together.
    n_processes : int
        Number of processes.
    limits : Limits
        Of the jobs.
    record : callable
        Called with each job and its solutions, in this thread.

    Returns
    -------
    remaining : list of list of int
        Jobs to solve elsewhere, because a process was killed; usually none.
    """
    from joblib.externals.loky import get_reusable_executor

    waiting: Iterator[list[int]] = iter(jobs)
    running: dict[Future[list[Solution] | None], list[int]] = {}
    is_done = [False] * len(lists)

    def collect(done: set[Future[list[Solution] | None]]) -> None:
        for future in done:
            job, solutions = running.pop(future), future.result()
            if solutions is not None:
                record(job, solutions)
                is_done[job[0]] = True

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = str(Path(folder) / "cancelled")
        pool = get_reusable_executor(max_workers=n_processes)

        def submit() -> bool:
            job = next(waiting, None)
            if job is not None:
                items = [lists[i] for i in job]
                running[pool.submit(_solve_job, solve, items, limits, path)] = job
            return job is not None

        try:
            while len(running) < 2 * n_processes and submit():
                pass
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                collect(done)
                for _ in done:
                    submit()
        except BrokenProcessPool:
            return [job for job in jobs if not is_done[job[0]]]
        except BaseException:
            Path(path).touch()
            done, late = wait(running, timeout=_SECONDS_TO_END)
            collect({future for future in done if future.exception() is None})
            if late:
                pool.shutdown(kill_workers=True)
            raise
    return []


def _solve_job(
    solve: Solve, lists: list[ItemList], limits: Limits, path: str
) -> list[Solution] | None:
    """Solutions of a job in a process; None if the batch has been cancelled."""
    # Ctrl-C reaches all processes of a terminal; the one that asked decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cancelled = FileEvent(path)
    return None if cancelled.is_set() else solve(lists, limits.budget(cancelled))
