"""Many lists at once: threads, limits per list and batch, progress, Ctrl-C."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ltr.arguments import check_whole
from ltr.progress import ProgressLine
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.inputs import check_limit
from ltr.solvers.core.lists import ItemList
from ltr.solvers.core.solution import Solution

_SECONDS_BETWEEN_LINES = 0.1


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
    """Solve all jobs of a batch; the result does not depend on the number of threads.

    Parameters
    ----------
    solve : callable
        (lists of a job, their budget) → their solutions. Once the budget is spent, it
        returns at once with its best solutions so far.
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
        Threads. None: one per core that this process may use.
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
        end = time.perf_counter() + batch_time_limit_s
    cancelled = threading.Event()
    partial: list[Solution | None] = [None] * len(lists)
    line = ProgressLine(every_s=_SECONDS_BETWEEN_LINES, in_place=True)
    n_done, lock = 0, threading.Lock()

    def budget_of_job() -> Budget:
        limits = [] if time_limit_s is None else [time_limit_s]
        if end is not None:
            limits.append(max(0.0, end - time.perf_counter()))
        return Budget(min(limits, default=None), work_limit, cancelled)

    def record(job: list[int], solutions: list[Solution]) -> None:
        nonlocal n_done
        for i, solution in zip(job, solutions, strict=True):
            partial[i] = solution
        if progress:
            with lock:
                n_done += len(job)
                text = f"solved {n_done} of {len(partial)} lists"
                line(lambda: text, last=n_done == len(partial))

    try:
        n_threads = 1 if len(jobs) <= 1 else min(n_jobs or _n_cores(), len(jobs))
        if n_threads == 1:
            for job in jobs:
                record(job, solve([lists[i] for i in job], budget_of_job()))
        else:
            _run_in_threads(
                lambda job: record(
                    job, solve([lists[i] for i in job], budget_of_job())
                ),
                jobs,
                n_threads,
                cancelled,
            )
    except KeyboardInterrupt:
        raise Interrupted(partial) from None
    finally:
        line.close()
    return [solution for solution in partial if solution is not None]


def _n_cores() -> int:
    """Cores that this process may use, by its affinity and its container's limit."""
    import joblib

    return int(joblib.cpu_count())


def _run_in_threads(
    run: Callable[[list[int]], None],
    jobs: list[list[int]],
    n_threads: int,
    cancelled: threading.Event,
) -> None:
    """Run all jobs, with at most 2 · n_threads submitted at a time.

    On any exception, the running jobs are cancelled by their budgets.
    """
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            running: set[Future[None]] = set()
            for job in jobs:
                running.add(pool.submit(run, job))
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
