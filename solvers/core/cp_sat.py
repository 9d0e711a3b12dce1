"""Calls of OR-Tools' CP-SAT: parameters, limits, status and bound."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ltr.queries import IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.interrupts import run_compiled
from ltr.solvers.core.solution import Status

# Values of variables in the best solution so far, if there is one, and the bound.
Report = Callable[[IntArray | None, float], None]


@dataclass(frozen=True, eq=False)
class CpSatResult:
    """What CP-SAT established about a model.

    Attributes
    ----------
    status : Status
        OPTIMAL, FEASIBLE, UNKNOWN or INFEASIBLE, in the integers of the model.
    bound : float
        No solution of the model has a better objective. Without any proof it is
        inf if the model is maximized and -inf if it is minimized; if the model is
        infeasible, the other way round.
    """

    status: Status
    bound: float
    _solver: Any

    @property
    def has_solution(self) -> bool:
        """Whether there are values to read."""
        return self.status in (Status.OPTIMAL, Status.FEASIBLE)

    def values(self, variables: Iterable[Any]) -> IntArray:
        """Values of variables, or of their negations, in the best solution."""
        return np.array([self._solver.value(x) for x in variables], dtype=np.int64)


def solve_model(
    model: Any,
    budget: Budget,
    *,
    work_limit: float = math.inf,
    presolve: bool = True,
    bound_by_tree_search: bool = False,
    variables: Sequence[Any] = (),
    report: Report | None = None,
) -> CpSatResult:
    """Solve a model by one worker with linear relaxations at level 2.

    Parameters
    ----------
    model : CpModel
        Model to solve, with or without an objective.
    budget : Budget
        Its seconds and work left are CP-SAT's limits; CP-SAT's deterministic time,
        about a second each, is spent from it.
    work_limit : float, default=inf
        Cap on the units of work, if the budget has more.
    presolve : bool, default=True
        Whether to simplify the model first.
    bound_by_tree_search : bool, default=False
        Whether to use the tree search that raises the bound (``lb_tree_search``).
    variables : sequence of variables, default=()
        Those whose values are reported.
    report : callable, default=None
        Called in this thread, some time after each better solution or bound, with the
        values of ``variables`` in the best solution, or None, and the bound.

    Returns
    -------
    result : CpSatResult
        Status, bound, and the values of the best solution.

    Raises
    ------
    RuntimeError
        If CP-SAT calls the model invalid.

    Examples
    --------
    >>> from ortools.sat.python import cp_model
    >>> model = cp_model.CpModel()
    >>> x, y = model.new_bool_var(""), model.new_bool_var("")
    >>> model.add_bool_or(x, y)  # doctest: +ELLIPSIS
    <...>
    >>> model.minimize(3 * x + 2 * y)
    >>> result = solve_model(model, Budget())
    >>> result.status.value, result.bound, result.values([x, y]).tolist()
    ('OPTIMAL', 2.0, [0, 1])
    """
    from ortools.sat.python import cp_model

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.linearization_level = 2
    solver.parameters.cp_model_presolve = presolve
    solver.parameters.optimize_with_lb_tree_search = bound_by_tree_search
    if budget.seconds_left < math.inf:
        solver.parameters.max_time_in_seconds = budget.seconds_left
    work_limit = min(work_limit, budget.work_left)
    if work_limit < math.inf:
        solver.parameters.max_deterministic_time = work_limit
    # its own handler of SIGINT would leave Python's uncalled, and reset it afterwards
    solver.parameters.catch_sigint_signal = False
    solution_callback, look = None, None
    if report is not None:
        solution_callback, look = _watch(solver, variables, report)
    code = run_compiled(
        lambda: solver.solve(model, solution_callback),
        is_cancelled=lambda: budget.is_cancelled,
        stop=solver.stop_search,
        look=look,
    )
    budget.spend(solver.response_proto.deterministic_time)

    if code == cp_model.MODEL_INVALID:
        raise RuntimeError(f"CP-SAT: {model.validate()} Please report this.")
    status = Status(solver.status_name(code))
    # the objective is Σ coefficients · x, multiplied by -1 if it is maximized
    worst = math.inf if model.proto.objective.scaling_factor < 0 else -math.inf
    bound = float(solver.best_objective_bound)
    if status is Status.INFEASIBLE:
        bound = -worst
    elif status is Status.UNKNOWN and bound == 0:  # CP-SAT's initial value
        bound = worst
    return CpSatResult(status, bound, solver)


def _watch(
    solver: Any, variables: Sequence[Any], report: Report
) -> tuple[Any, Callable[[], None]]:
    """Return CP-SAT's callback, which notes news in its thread, and one to report them.

    The second runs in the thread of the user, where callbacks may draw or raise.
    """
    from ortools.sat.python import cp_model

    news: list[tuple[IntArray | None, float]] = []

    class Notes(cp_model.CpSolverSolutionCallback):
        values: IntArray | None = None

        def on_solution_callback(self) -> None:
            self.values = np.array([self.value(x) for x in variables], dtype=np.int64)
            news.append((self.values, float(self.best_objective_bound)))

    notes = Notes()
    solver.best_bound_callback = lambda bound: news.append((notes.values, float(bound)))

    def look() -> None:
        while news:
            report(*news.pop(0))

    return notes, look
