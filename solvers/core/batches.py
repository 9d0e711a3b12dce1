"""Many lists at once: threads, limits per list and batch, progress, Ctrl-C."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.inputs import check_n_jobs

Result = TypeVar("Result")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a batch; what was solved so far is kept.

    Attributes
    ----------
    partial : list of Solution or None
        One entry per list; None where it was not solved.

    Examples
    --------
    >>> Interrupted([None, None]).partial
    [None, None]
    """

    def __init__(self, partial: Sequence[Any]) -> None:
        n_solved = sum(solution is not None for solution in partial)
        super().__init__(f"{n_solved} of {len(partial)} lists are solved: see .partial")
        self.partial = list(partial)


def solve_each(
    solve: Callable[[int, Budget], Result],
    n_lists: int,
    *,
    counts: Sequence[int] | None = None,
    time_limit_s: float | None = None,
    batch_time_limit_s: float | None = None,
    work_limit: float | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> list[Result]:
    """Solve lists 0, …, n_lists - 1 in threads; the result is the same for any number.

    Parameters
    ----------
    solve : callable
        (number of the list, its budget) → Solution. With a budget that is spent, it
        returns what it finds at once.
    n_lists : int
        How many there are.
    counts : sequence of int, default=None
        For the progress, if each of them stands for several lists. None: for one.
    time_limit_s : float, default=None
        Seconds for one list.
    batch_time_limit_s : float, default=None
        Seconds for all of them. Lists whose turn comes late get what is left.
    work_limit : float, default=None
        Units of work for one list; see :class:`Budget`.
    n_jobs : int, default=None
        Threads. None: as many as there are cores.
    progress : bool, default=False
        Whether to write how many lists are done to standard error.

    Returns
    -------
    solutions : list of Solution
        In the order of the lists.

    Raises
    ------
    TypeError, ValueError
        If ``n_jobs`` is neither None nor a whole number >= 1.
    Interrupted
        On Ctrl-C, with what is solved so far.

    Examples
    --------
    >>> solve_each(lambda i, budget: i, 3)
    [0, 1, 2]
    """
    n_jobs = check_n_jobs(n_jobs)
    end = None
    if batch_time_limit_s is not None:
        end = time.perf_counter() + batch_time_limit_s
    cancelled = threading.Event()
    partial: list[Result | None] = [None] * n_lists
    counts = counts or [1] * n_lists
    report = _Progress(sum(counts), progress)

    def run(i: int) -> None:
        limits = [] if time_limit_s is None else [time_limit_s]
        if end is not None:
            limits.append(max(0.0, end - time.perf_counter()))
        budget = Budget(min(limits, default=None), work_limit, cancelled)
        partial[i] = solve(i, budget)
        report(counts[i])

    n_threads = min(n_jobs or len(os.sched_getaffinity(0)), n_lists)
    try:
        if n_threads <= 1:
            for i in range(n_lists):
                run(i)
        else:
            _run_in_threads(run, n_lists, n_threads, cancelled)
    except KeyboardInterrupt:
        raise Interrupted(partial) from None
    finally:
        report.close()
    return [solution for solution in partial if solution is not None]


def _run_in_threads(
    run: Callable[[int], None],
    n_lists: int,
    n_threads: int,
    cancelled: threading.Event,
) -> None:
    waiting = iter(range(n_lists))
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            running: set[Future[None]] = set()
            for i in waiting:
                running.add(pool.submit(run, i))
                if len(running) >= 2 * n_threads:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            for future in running:
                future.result()
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


class _Progress:
    """A line on standard error, at most ten times a second."""

    def __init__(self, n_lists: int, wanted: bool) -> None:
        self._n_lists, self._wanted, self._last = n_lists, wanted, 0.0
        self._n_done, self._lock = 0, threading.Lock()

    def __call__(self, n_new: int) -> None:
        if not self._wanted:
            return
        with self._lock:
            self._n_done += n_new
            now = time.perf_counter()
            if now - self._last > 0.1 or self._n_done == self._n_lists:
                self._last = now
                sys.stderr.write(f"\rsolved {self._n_done} of {self._n_lists} lists")
                sys.stderr.flush()

    def close(self) -> None:
        if self._wanted:
            sys.stderr.write("\n")
