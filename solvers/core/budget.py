"""The budget of a solve: wall-clock seconds, and deterministic units of work."""

import copy
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ltr.solvers.core.observation import Observer

# Work limit, in units of about a second, where the user sets no limit.
DEFAULT_WORK = 20.0


class BudgetSpent(Exception):
    """Ends a search from within, when its budget is spent."""


class Budget:
    """Wall clock and deterministic work of one solve.

    Work is counted in units of about a second on one core of a 2020s machine. It is
    computed from what is done (nodes, rounds, a solver's deterministic time), not read
    from a clock, so that a solve that hits its work limit gives the same order again.

    Parameters
    ----------
    time_limit_s : float, default=None
        Seconds by the clock from now. None: no limit.
    work_limit : float, default=None
        Units of work. None: ``DEFAULT_WORK``, or no limit if there is a time limit.
    cancelled : threading.Event, default=None
        Set by another thread, Ctrl-C or a callback to end the solve.

    Attributes
    ----------
    observer : Observer or None
        What better orders and bounds are reported to; None: nobody watches.
    work_done : float
        Units of work so far.
    is_limited : bool
        Whether the user set a limit, up to which a search may go on.

    Examples
    --------
    >>> budget = Budget(work_limit=1.0)
    >>> budget.spend(2.0)
    >>> budget.is_spent
    True
    """

    def __init__(
        self,
        time_limit_s: float | None = None,
        work_limit: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        self.is_limited = time_limit_s is not None or work_limit is not None
        if work_limit is None:
            work_limit = DEFAULT_WORK if time_limit_s is None else float("inf")
        self.started = time.perf_counter()
        self._end = (
            float("inf") if time_limit_s is None else self.started + time_limit_s
        )
        self._work = work_limit
        self.work_done = 0.0
        self._cancelled = cancelled
        self.observer: Observer | None = None
        self._whole: Budget | None = None

    def part(self, share: float) -> "Budget":
        """Return a budget for a share of what is left; its work counts here as well.

        Examples
        --------
        >>> budget = Budget(work_limit=8.0)
        >>> part = budget.part(0.5)
        >>> part.spend(1.0)
        >>> part.work_left, budget.work_left
        (3.0, 7.0)
        """
        part = copy.copy(self)
        part._end = time.perf_counter() + share * self.seconds_left
        part._work, part.work_done = share * self.work_left, 0.0
        part._whole = self
        return part

    def spend(self, work: float) -> None:
        """Count work that was done."""
        self._work -= work
        self.work_done += work
        if self._whole is not None:
            self._whole.spend(work)

    @property
    def seconds_left(self) -> float:
        """Seconds until the time limit, at least 0; inf without one."""
        return max(0.0, self._end - time.perf_counter())

    @property
    def work_left(self) -> float:
        """Units of work until the limit, at least 0; inf without one."""
        return max(0.0, self._work)

    @property
    def is_spent(self) -> bool:
        """Whether to stop now."""
        if self._work <= 0 or time.perf_counter() >= self._end:
            return True
        return self.is_cancelled

    @property
    def is_cancelled(self) -> bool:
        """Whether the solve shall end, whatever is left."""
        return self._cancelled is not None and self._cancelled.is_set()
