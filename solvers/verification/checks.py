"""A check of solutions by code that shares nothing with the solvers.

Values, constraints and quotas are computed again from the arguments, as the docstrings
read. If there are few enough orders, all of them are tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ltr.arguments import ArgumentError, abridged
from ltr.solvers.core.solution import Solution, Status, in_sense
from ltr.solvers.verification.candidates import CandidateSet
from ltr.solvers.verification.problems import problem_of

# What counts as equal, as a share of the terms of the best order or of the range of
# the terms of all orders; and the rounding of a sum.
_RELATIVE, _ROUNDING = 1e-9, 1e-15


class Fault(NamedTuple):
    """Something that a solution says and that is not so.

    Attributes
    ----------
    kind : {"order", "objective", "constraint", "bound", "optimal", "unique",
        "infeasible"}
        What is wrong.
    text : str
        The same in words, with numbers.

    Examples
    --------
    >>> Fault("optimal", "OPTIMAL, with a value of 5.0; the best has 6.0").kind
    'optimal'
    """

    kind: str
    text: str


@dataclass(frozen=True, eq=False)
class Verification:
    """What :func:`verify` computed about a solution.

    Attributes
    ----------
    objective : float
        Value of the solution's order, computed again; NaN without an order.
    best : float or None
        Value of the best order that keeps the constraints, -inf if there is none
        (inf for costs). None: there are too many orders to try them all.
    faults : tuple of Fault
        Empty if nothing is wrong.

    Examples
    --------
    >>> Verification(5.0, 6.0, (Fault("optimal", "5 is not 6"),)).is_right
    False
    """

    objective: float
    best: float | None
    faults: tuple[Fault, ...]

    @property
    def is_right(self) -> bool:
        """Whether no fault was found."""
        return not self.faults


def verify(
    solution: Solution,
    solver: Callable[..., Solution],
    *arguments: Any,
    max_orders: int = 50_000,
    **keywords: Any,
) -> Verification:
    """Check a solution, given the call that returned it.

    The order must have each item at most once and keep every constraint and quota; the
    objective must be its value, and the bound no less. OPTIMAL must mean that bound and
    objective are equal, exactly so where all gains are integers, up to rounding
    otherwise. If there are at most ``max_orders`` orders, all are tried: none may
    exceed the bound, none may be better than an OPTIMAL one, there must be none if the
    status is INFEASIBLE, and then the conflict must be a smallest one: impossible,
    while any part of it is possible. ``is_unique``, if it is not None, must say whether
    one order only is best.

    Parameters
    ----------
    solution : Solution
        What the solver returned.
    solver : callable
        ``solve_path``, ``solve_ordering``, ``solve_assignment``, ``select_committee``,
        ``diversify``, ``kemeny`` or ``footrule``.
    *arguments : object
        Positional arguments of that call. Methods, limits and seeds are ignored.
    max_orders : int, default=50_000
        Number of orders (or committees) that are tried at most; 8 items have 40,320
        orders.
    **keywords : object
        Keyword arguments of that call.

    Returns
    -------
    verification : Verification
        The value of the order, that of the best one, and the faults.

    Raises
    ------
    TypeError
        If there is no solution, the solver is none of these, or the arguments are not
        its own.

    Examples
    --------
    >>> from ltr.solvers import solve_path, verify
    >>> matrix = [[0, 3, 1], [1, 0, 2], [4, 1, 0]]
    >>> solution = solve_path(matrix, end=[0, 0, 5])
    >>> verification = verify(solution, solve_path, matrix, end=[0, 0, 5])
    >>> verification.is_right, verification.objective, verification.best
    (True, 10.0, 10.0)

    The same order is not the best without ``end``:

    >>> [fault.kind for fault in verify(solution, solve_path, matrix).faults]
    ['objective', 'optimal']
    """
    if not isinstance(solution, Solution):
        raise ArgumentError(
            f"solution must be a Solution, as the solver returned it; got "
            f"{abridged(solution)}. Its place is first: verify(solution, solve_path, "
            "matrix)."
        )
    problem = problem_of(solver, arguments, keywords)
    if solution.sense != problem.sense:
        text = f"sense is {solution.sense!r}; that of the call is {problem.sense!r}"
        return Verification(math.nan, None, (Fault("objective", text),))
    solution = in_sense(solution, problem.sense)  # as if gains were maximized
    every = _Enumeration(problem) if problem.n_orders <= max_orders else None
    best = None if every is None else every.best
    shown = None if best is None else problem.in_sense(best)
    if solution.order is None:
        faults = _faults_without_order(solution, problem, every)
        return Verification(math.nan, shown, tuple(faults))

    order = np.asarray(solution.order)
    text = problem.order_fault(order)
    if text:
        return Verification(math.nan, shown, (Fault("order", text),))
    terms = problem.terms(order[None])[0]
    objective = math.fsum(terms.tolist()) if np.isfinite(terms).all() else -math.inf
    total = float(np.abs(terms).sum())
    faults = []
    if objective == -math.inf:
        forbids = problem.in_sense(-math.inf)
        faults.append(Fault("constraint", f"{forbids} forbids the order"))
    for constraint in problem.constraints:
        if not problem.keeps(order[None], (constraint,))[0]:
            faults.append(Fault("constraint", f"the order breaks {constraint}"))
    if not abs(objective - solution.objective) <= 1e-12 * total:
        text = (
            f"the objective is {problem.in_sense(solution.objective)!r}; the order is "
            f"worth {problem.in_sense(objective)!r}"
        )
        faults.append(Fault("objective", text))
    spread = math.inf
    if every is not None and every.best > -np.inf:
        spread, total = every.spread(), every.total()
    faults += _faults_of_proof(solution, objective, best, problem, total, spread)
    if every is not None:
        faults += _faults_of_uniqueness(solution, every)
    return Verification(problem.in_sense(objective), shown, tuple(faults))


class _Enumeration:
    """All orders of a problem.

    Attributes
    ----------
    orders : int array of shape (n_orders, k)
        The orders, whether or not they keep the constraints.
    values : float array of shape (n_orders,)
        Their values; -inf if an entry forbids the order.
    is_kept : bool array of shape (n_orders,)
        Whether an order is possible and keeps the constraints.
    best : float
        Greatest value of these, -inf if there is none.
    """

    def __init__(self, problem: CandidateSet) -> None:
        self.problem = problem
        self.orders = problem.all_orders()
        self.values = problem.terms(self.orders).sum(axis=1)
        self.is_possible = self.values > -np.inf
        self.is_kept = self.is_possible & problem.keeps(
            self.orders, problem.constraints
        )
        self.best = float(self.values[self.is_kept].max(initial=-np.inf))

    def spread(self) -> float:
        """Range of the terms of possible orders, times their number.

        Whatever the constraints are: they may leave a single order.
        """
        terms = self.problem.terms(self.orders[self.is_possible])
        return terms.shape[1] * float(np.ptp(terms)) if terms.size else 0.0

    def total(self) -> float:
        """Sum of the absolute terms of a best order."""
        place = int(np.where(self.is_kept, self.values, -np.inf).argmax())
        return float(np.abs(self.problem.terms(self.orders[place][None])).sum())

    def leaves(self, constraints: tuple[Any, ...]) -> bool:
        """Whether a possible order keeps some constraints."""
        return bool(
            (self.problem.keeps(self.orders, constraints) & self.is_possible).any()
        )


def _faults_of_proof(
    solution: Solution,
    objective: float,
    best: float | None,
    problem: CandidateSet,
    total: float,
    spread: float,
) -> list[Fault]:
    """Whether bound and status are true, up to what counts as equal."""
    rounding = _ROUNDING * len(problem.terms(problem.any_order())[0]) * total
    slack = _RELATIVE * min(total, spread) + rounding
    if problem.is_whole and total < 2.0**53:
        rounding = slack = 0.0
    faults = []
    value, bound = problem.in_sense(objective), problem.in_sense(solution.bound)
    greatest = None if best is None else problem.in_sense(best)
    if not solution.bound >= objective - rounding:
        side = "below" if problem.sense == "max" else "above"
        text = f"the bound {bound!r} is {side} the order's value {value!r}"
        faults.append(Fault("bound", text))
    elif best is not None and not solution.bound >= best - rounding:
        text = f"the bound is {bound!r}, but an order has the value {greatest!r}"
        faults.append(Fault("bound", text))
    if solution.status is not Status.OPTIMAL:
        return faults
    if not solution.bound - objective <= slack:
        text = f"OPTIMAL, with a bound of {bound!r} and a value of {value!r}"
        faults.append(Fault("optimal", text))
    elif best is not None and not objective >= best - slack:
        text = f"OPTIMAL, with a value of {value!r}; the best has {greatest!r}"
        faults.append(Fault("optimal", text))
    return faults


def _faults_of_uniqueness(solution: Solution, every: _Enumeration) -> list[Fault]:
    """Whether the number of best orders is what ``is_unique`` says."""
    if solution.is_unique is None:
        return []
    if solution.status is not Status.OPTIMAL:
        text = f"is_unique is {solution.is_unique} for a {solution.status.value} order"
        return [Fault("unique", text)]
    total, n_terms = every.total(), every.problem.terms(every.orders[:1]).shape[1]
    rounding = _ROUNDING * n_terms * total
    slack = _RELATIVE * min(total, every.spread()) + rounding
    if every.problem.is_whole and total < 2.0**53:
        rounding = slack = 0.0
    values = every.values[every.is_kept]
    # what is exactly equal is not unique; what is equal up to rounding need not be
    n_equal = int((values >= every.best - rounding / 5).sum())
    n_close = int((values >= every.best - 10 * slack).sum())
    if solution.is_unique and n_equal > 1:
        return [Fault("unique", f"is_unique, but {n_equal} orders are best")]
    if not solution.is_unique and n_close == 1:
        return [Fault("unique", "not is_unique, but no other order is as good")]
    return []


def _faults_without_order(
    solution: Solution, problem: CandidateSet, every: _Enumeration | None
) -> list[Fault]:
    """Whether there is no order, and whether the conflict is a smallest one."""
    if solution.status in (Status.OPTIMAL, Status.FEASIBLE):
        return [Fault("order", f"{solution.status.value} without an order")]
    if every is None:
        return []
    best = every.best
    value = f"an order has the value {problem.in_sense(best)!r}"
    if solution.status is Status.UNKNOWN:
        if solution.bound >= best - 1e-12 * abs(best) or best == -np.inf:
            return []
        text = f"the bound is {problem.in_sense(solution.bound)!r}, but {value}"
        return [Fault("bound", text)]
    if best > -np.inf:
        return [Fault("infeasible", f"INFEASIBLE, but {value}")]
    conflict = solution.conflict
    if every.leaves(conflict):
        text = f"the conflict {solution.conflict} leaves an order"
        return [Fault("infeasible", text)]
    for i in range(len(conflict)):
        if not every.leaves(conflict[:i] + conflict[i + 1 :]):
            text = f"the conflict {solution.conflict} is not smallest"
            return [Fault("infeasible", text)]
    return []
