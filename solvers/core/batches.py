"""Many lists at once: threads, then processes; limits, progress, Ctrl-C.

Threads share the interpreter's lock, which most solvers hold most of the time, so they
gain little; processes gain more, but take seconds to start. So a batch begins in
threads, and goes on in processes once what is left is worth starting them.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ltr.arguments import check_whole
from ltr.progress import ProgressLine
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.inputs import check_limit
from ltr.solvers.core.lists import ItemList
from ltr.solvers.core.processes import Limits, run_in_processes
from ltr.solvers.core.solution import Solution

_SECONDS_BETWEEN_LINES = 0.1
# Processes start in a second or two, and compete with what runs meanwhile. They are
# worth it if they save more than this.
_SECONDS_TO_SAVE = 5.0
_SECONDS_TO_JUDGE = 1.0  # after the first jobs


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a batch; the solutions so far are kept.

    Attributes
    ----------
    partial : list of Solution or None
        One entry per list; None where it was not solved.

    Examples
    --------
    >>> Interrupted([None, None]).partial
    [None, None]
    """

    def __init__(self, partial: Sequence[Solution | None]) -> None:
        n_solved = sum(solution is not None for solution in partial)
        super().__init__(f"{n_solved} of {len(partial)} lists are solved: see .partial")
        self.partial = list(partial)


def solve_batch(
    solve: Callable[[list[ItemList], Budget], list[Solution]],
    lists: Sequence[ItemList],
    jobs: list[list[int]],
    *,
    time_limit_s: float | None = None,
    batch_time_limit_s: float | None = None,
    work_limit: float | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> list[Solution]:
    """Solve all jobs of a batch; the result does not depend on how many run at a time.

    Parameters
    ----------
    solve : callable
        (lists of a job, their budget) → their solutions. Once the budget is spent, it
        returns at once with its best solutions so far. Can be pickled.
    lists : sequence of ItemList
        The batch.
    jobs : list of list of int
        Numbers of the lists that are solved together; each list is in one job.
    time_limit_s : float, default=None
        Seconds for one job.
    batch_time_limit_s : float, default=None
        Seconds for all of them. Late jobs get the time that remains.
    work_limit : float, default=None
        Units of work for one job; see :class:`Budget`.
    n_jobs : int, default=None
        Threads, or processes. None: one per core that this process may use.
    progress : bool, default=False
        Whether to write the number of lists that are done to standard error.

    Returns
    -------
    solutions : list of Solution
        In the order of the lists.

    Raises
    ------
    TypeError, ValueError
        If a limit or ``n_jobs`` is out of range.
    Interrupted
        On Ctrl-C, with the solutions so far.
    """
    time_limit_s = check_limit(time_limit_s, "time_limit_s")
    batch_time_limit_s = check_limit(batch_time_limit_s, "batch_time_limit_s")
    work_limit = check_limit(work_limit, "work_limit")
    n_jobs = check_whole("n_jobs", n_jobs, low=1, optional=True)
    end = None
    if batch_time_limit_s is not None:
        end = time.monotonic() + batch_time_limit_s
    limits = Limits(time_limit_s, work_limit, end)
    cancelled = threading.Event()
    partial: list[Solution | None] = [None] * len(lists)
    line = ProgressLine(every_s=_SECONDS_BETWEEN_LINES, in_place=True)
    n_done, lock = 0, threading.Lock()

    def record(job: list[int], solutions: list[Solution]) -> None:
        nonlocal n_done
        for i, solution in zip(job, solutions, strict=True):
            partial[i] = solution
        if progress:
            with lock:
                n_done += len(job)
                text = f"solved {n_done} of {len(partial)} lists"
                line(lambda: text, last=n_done == len(partial))

    def run(job: list[int]) -> None:
        record(job, solve([lists[i] for i in job], limits.budget(cancelled)))

    try:
        n_workers = 1 if len(jobs) <= 1 else min(n_jobs or _n_cores(), len(jobs))
        if n_workers == 1:
            for job in jobs:  # not by run: a frame less above each solver
                record(job, solve([lists[i] for i in job], limits.budget(cancelled)))
        else:
            outlook = _Outlook(len(jobs), n_workers, end)
            remaining = _run_in_threads(run, jobs, n_workers, cancelled, outlook)
            if remaining:
                remaining = run_in_processes(
                    solve,
                    lists,
                    remaining,
                    n_processes=n_workers,
                    limits=limits,
                    record=record,
                )
            _run_in_threads(run, remaining, n_workers, cancelled, None)
    except KeyboardInterrupt:
        raise Interrupted(partial) from None
    finally:
        line.close()
    return [solution for solution in partial if solution is not None]


def _n_cores() -> int:
    """Cores that this process may use, by its affinity and its container's limit."""
    import joblib

    return int(joblib.cpu_count())


class _Outlook:
    """Whether to go on in processes, from the time that jobs take."""

    def __init__(self, n_jobs: int, n_workers: int, end: float | None) -> None:
        self._n_jobs, self._n_workers, self._end = n_jobs, n_workers, end
        self._begun: tuple[float, float, int] | None = None
        # A process of a pool has its share of the cores, and starts no others.
        self._is_child = multiprocessing.parent_process() is not None

    def favors_processes(self, n_done: int) -> bool:
        """Whether they save enough of the time that is left, after n_done jobs."""
        now, work = time.monotonic(), time.process_time()
        if self._begun is None:  # the first jobs have loaded what the others need
            self._begun = now, work, n_done
        # on a machine with other work to do, more processes would wait for cores, too
        seconds = min(now - self._begun[0], work - self._begun[1])
        n_measured = n_done - self._begun[2]
        if self._is_child or not n_measured or seconds < _SECONDS_TO_JUDGE:
            return False
        seconds_left = seconds / n_measured * (self._n_jobs - n_done)
        if self._end is not None:
            seconds_left = min(seconds_left, self._end - now)
        return seconds_left * (1 - 1 / self._n_workers) > _SECONDS_TO_SAVE


def _run_in_threads(
    run: Callable[[list[int]], None],
    jobs: list[list[int]],
    n_threads: int,
    cancelled: threading.Event,
    outlook: _Outlook | None,
) -> list[list[int]]:
    """Run jobs until processes are better; return those that have not begun.

    On any exception, the running jobs are cancelled by their budgets.
    """
    if not jobs:
        return []
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            running: set[Future[None]] = set()
            for number, job in enumerate(jobs):
                running.add(pool.submit(run, job))
                if len(running) >= 2 * n_threads:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
                    n_done = number + 1 - len(running)
                    if outlook is not None and outlook.favors_processes(n_done):
                        _wait_for(running)
                        return jobs[number + 1 :]
            _wait_for(running)
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return []


def _wait_for(running: set[Future[None]]) -> None:
    for future in running:
        future.result()
