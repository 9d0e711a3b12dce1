"""Many lists at once: threads, limits per list and batch, progress, Ctrl-C."""

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ltr.solvers._budget import Budget
from ltr.solvers._solution import Solution


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

    def __init__(self, partial: list[Solution | None]) -> None:
        n_solved = sum(solution is not None for solution in partial)
        super().__init__(f"{n_solved} of {len(partial)} lists are solved: see .partial")
        self.partial = partial


def solve_each(
    solve: Callable[[int, Budget], Solution],
    n_lists: int,
    *,
    time_limit_s: float | None = None,
    batch_time_limit_s: float | None = None,
    work_limit: float | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> list[Solution]:
    """Solve lists 0, …, n_lists - 1 in threads; the result is the same for any number.

    Parameters
    ----------
    solve : callable
        (number of the list, its budget) → Solution. With a budget that is spent, it
        returns what it finds at once.
    n_lists : int
        How many there are.
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
    Interrupted
        On Ctrl-C, with what is solved so far.

    Examples
    --------
    >>> solve_each(lambda i, budget: i, 3)
    [0, 1, 2]
    """
    end = None
    if batch_time_limit_s is not None:
        end = time.perf_counter() + batch_time_limit_s
    cancelled = threading.Event()
    partial: list[Solution | None] = [None] * n_lists
    report = _Progress(n_lists, progress)

    def run(i: int) -> None:
        limits = [] if time_limit_s is None else [time_limit_s]
        if end is not None:
            limits.append(max(0.0, end - time.perf_counter()))
        budget = Budget(min(limits, default=None), work_limit, cancelled)
        partial[i] = solve(i, budget)

    n_threads = min(n_jobs or len(os.sched_getaffinity(0)), n_lists)
    try:
        if n_threads <= 1:
            for i in range(n_lists):
                run(i)
                report(i + 1)
        else:
            _run_in_threads(run, n_lists, n_threads, cancelled, report)
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
    report: "_Progress",
) -> None:
    n_done = 0
    waiting = iter(range(n_lists))
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            running: set[Future[None]] = set()
            for i in waiting:
                running.add(pool.submit(run, i))
                if len(running) >= 2 * n_threads:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    n_done += len(done)
                    report(n_done)
                    for future in done:
                        future.result()
            for future in running:
                future.result()
                n_done += 1
                report(n_done)
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


class _Progress:
    """A line on standard error, at most ten times a second."""

    def __init__(self, n_lists: int, wanted: bool) -> None:
        self._n_lists, self._wanted, self._last = n_lists, wanted, 0.0

    def __call__(self, n_done: int) -> None:
        now = time.perf_counter()
        if self._wanted and (now - self._last > 0.1 or n_done == self._n_lists):
            self._last = now
            sys.stderr.write(f"\rsolved {n_done} of {self._n_lists} lists")
            sys.stderr.flush()

    def close(self) -> None:
        if self._wanted:
            sys.stderr.write("\n")
