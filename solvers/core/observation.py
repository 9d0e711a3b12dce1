"""Solves that can be watched and ended: callback, progress lines, Ctrl-C."""

import warnings
from collections.abc import Callable
from dataclasses import replace

from ltr.arguments import ArgumentError, check_whole
from ltr.progress import ProgressLine
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.inputs import check_limit
from ltr.solvers.core.interrupts import interruptible
from ltr.solvers.core.solution import Solution, Status

Callback = Callable[[Solution], bool | None]

_SECONDS_BETWEEN_LINES = 1.0


class Observer:
    """Passes each better order or bound to the user.

    Objectives never worsen and bounds never loosen from one report to the next.

    Parameters
    ----------
    callback : callable or None
        Called with a :class:`Solution`; True ends the solve.
    verbose : int
        1: a line a second at most, on standard error.
    end : callable
        Ends the solve.
    """

    def __init__(
        self, callback: Callback | None, verbose: int, end: Callable[[], None]
    ) -> None:
        self._callback, self._end = callback, end
        self._line = ProgressLine(every_s=_SECONDS_BETWEEN_LINES) if verbose else None
        self._last: Solution | None = None

    def report(self, solution: Solution) -> None:
        """Report a solution in the user's numbers, if it is better than the last."""
        last, sign = self._last, 1.0 if solution.sense == "max" else -1.0
        if solution.status is Status.INFEASIBLE:
            return
        if last is not None:
            if sign * last.bound < sign * solution.bound:
                bound = last.bound
                if solution.order is not None:  # not past it, by rounding
                    bound = sign * max(sign * bound, sign * solution.objective)
                solution = replace(solution, bound=bound)
            is_better_bound = sign * solution.bound < sign * last.bound
            if last.order is not None and not (
                sign * solution.objective > sign * last.objective
            ):
                if not is_better_bound:
                    return
                solution = replace(solution, order=last.order, objective=last.objective)
            elif solution.order is None and not is_better_bound:
                return
        self._last = solution
        if self._line is not None:
            self._line(lambda: _describe(solution))
        if self._callback is not None and self._callback(solution) is True:
            self._end()

    def finish(self, solution: Solution) -> None:
        """Report the solution that is returned, if that was not yet done."""
        self.report(solution)
        if self._line is not None:
            self._line(lambda: _describe(solution), last=True)


def _describe(solution: Solution) -> str:
    return (
        f"objective {solution.objective:.6g}, bound {solution.bound:.6g}, gap "
        f"{solution.gap:.2%}, {solution.method}, {solution.wall_time_s:.1f} s"
    )


def observed(
    solve: Callable[[Budget], Solution],
    *,
    time_limit_s: float | None,
    work_limit: float | None,
    callback: Callback | None = None,
    verbose: int = 0,
) -> Solution:
    """Solve within limits; Ctrl-C or the callback end it with the best order so far.

    Parameters
    ----------
    solve : callable
        Budget → solution; it returns soon after the budget is spent, and reports
        better orders and bounds by ``budget.observer``.
    time_limit_s, work_limit : float or None
        See :class:`Budget`.
    callback : callable, default=None
        Called with the best :class:`Solution` so far; True ends the solve.
    verbose : int, default=0
        1: a line a second at most, on standard error.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.
    KeyboardInterrupt
        On a second Ctrl-C.

    Warns
    -----
    UserWarning
        On Ctrl-C.
    """
    time_limit_s = check_limit(time_limit_s, "time_limit_s")
    work_limit = check_limit(work_limit, "work_limit")
    if callback is not None and not callable(callback):
        raise ArgumentError(
            "callback must be a function of a Solution, or None; got "
            f"{type(callback).__name__}."
        )
    verbose = check_whole("verbose", verbose, low=0)
    with interruptible() as interrupt:
        budget = Budget(time_limit_s, work_limit, interrupt.stop)
        if callback is not None or verbose:
            budget.observer = Observer(callback, verbose, interrupt.stop.set)
        solution = solve(budget)
        if budget.observer is not None:
            budget.observer.finish(solution)
    if not interrupt.is_ctrl_c:
        return solution
    warnings.warn(
        "Ctrl-C ended the solve early; its solution has is_interrupted=True. Press "
        "Ctrl-C twice within a second to end the program.",
        UserWarning,
        stacklevel=3,
    )
    return replace(solution, is_interrupted=True)
