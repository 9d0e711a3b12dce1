"""All best solutions: the search tree over first items, with any solver as its bound.

A node of the tree fixes the first items of an order (or items inside and outside of a
committee). The solver returns the best order of the node, or proves that there is none
as good; the child with the next item of that order has the same best order, so only the
other children need a solve (after Lawler, 1972, "A procedure for computing the K best
solutions to discrete optimization problems").
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ltr.arguments import ArgumentError, abridged, check_whole
from ltr.solvers.core.constraints import FixedPosition
from ltr.solvers.core.solution import Solution, Status, in_sense
from ltr.solvers.core.tolerance import tolerance
from ltr.solvers.verification.candidates import CandidateSet
from ltr.solvers.verification.problems import problem_of
from ltr.solvers.verification.votes import Committees

_IN, _OUT = ("all_optimal", "in"), ("all_optimal", "out")
_SOLVERS = (
    "solve_path",
    "solve_ordering",
    "solve_assignment",
    "select_committee",
    "kemeny",
)


class OptimalSet(NamedTuple):
    """The best solutions of a problem.

    Attributes
    ----------
    solutions : tuple of Solution
        Equally good, up to rounding, and all different. Empty if no order keeps the
        constraints, or if none was proven to be best.
    is_complete : bool
        Whether these are all. False: ``limit`` or a limit of time or work was reached,
        and there may be more.

    Examples
    --------
    >>> OptimalSet((), True)
    OptimalSet(0 solutions, is_complete=True)
    """

    solutions: tuple[Solution, ...]
    is_complete: bool

    def __repr__(self) -> str:
        n = len(self.solutions)
        value = f" with objective {self.solutions[0].objective:g}" if n else ""
        plural = "" if n == 1 else "s"
        return (
            f"OptimalSet({n} solution{plural}{value}, is_complete={self.is_complete})"
        )


def all_optimal(
    solver: Callable[..., Solution], *arguments: Any, limit: int = 100, **keywords: Any
) -> OptimalSet:
    """List all best solutions of a call of a solver.

    Tied votes, cyclic votes and small integers often leave many. Values that differ by
    rounding at the scale of their own terms count as equal; integers must be equal.

    Parameters
    ----------
    solver : callable
        ``kemeny``, ``solve_ordering``, ``solve_path``, ``solve_assignment`` or
        ``select_committee``.
    *arguments : object
        Positional arguments of the call.
    limit : int, default=100
        Greatest number of solutions to list.
    **keywords : object
        Keyword arguments of the call. ``time_limit_s`` is for all solves together,
        ``work_limit`` for each of them: at most one per item and position, for each
        solution that is listed.

    Returns
    -------
    optimal_set : OptimalSet
        ``solutions``, and whether it ``is_complete``. Each solution has
        ``is_unique=False`` if there are several, True if it is proven to be the only
        one.

    Raises
    ------
    TypeError
        If the solver is none of these, or the arguments are not its own.
    ValueError
        If limit < 1, and as the solver.

    Examples
    --------
    Condorcet's cycle has three best orders:

    >>> from ltr.solvers import all_optimal, kemeny, select_committee
    >>> votes = [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    >>> kemeny(votes).is_unique
    False
    >>> optimal_set = all_optimal(kemeny, votes)
    >>> sorted(s.order.tolist() for s in optimal_set.solutions)
    [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    >>> optimal_set.is_complete, all_optimal(kemeny, votes, limit=2).is_complete
    (True, False)
    >>> committees = all_optimal(select_committee, votes, 2, rule="cc").solutions
    >>> [s.order.tolist() for s in committees]
    [[0, 1], [0, 2], [1, 2]]
    """
    limit = check_whole("limit", limit, low=1)
    name = getattr(solver, "__name__", "")
    if name not in _SOLVERS:
        raise ArgumentError(
            f"solver must be {', '.join(_SOLVERS[:-1])} or {_SOLVERS[-1]}; got "
            f"{repr(name) if name else abridged(solver)}. Pass the solver, then the "
            "arguments of its call: all_optimal(solve_path, matrix)."
        )
    problem = problem_of(solver, arguments, keywords)
    call = dict(inspect.signature(solver).bind(*arguments, **keywords).arguments)
    tree = _Tree(solver, call, problem)
    root = tree.solve()
    if root.status is not Status.OPTIMAL:
        return OptimalSet((), root.status is Status.INFEASIBLE)
    tree.require(root)
    solutions: list[Solution] = []
    search = tree.committees if isinstance(problem, Committees) else tree.orders
    for solution in search((), (), root):
        if len(solutions) == limit:
            tree.is_complete = False
            break
        solutions.append(solution)
    # A proof within the tolerance leaves room for orders that are a little better.
    best = max(tree.value(solution) for solution in solutions)
    solutions = [s for s in solutions if tree.value(s) >= best - tree.gap]
    is_unique: bool | None = False
    if len(solutions) == 1:
        is_unique = True if tree.is_complete else None
    return OptimalSet(
        tuple(
            replace(s, status=Status.OPTIMAL, bound=root.bound, is_unique=is_unique)
            for s in solutions
        ),
        tree.is_complete,
    )


class _Tree:
    """The search tree of one call of a solver.

    Parameters
    ----------
    solver : callable
        The solver.
    call : dict
        Its arguments.
    problem : CandidateSet
        The orders of the call.
    """

    def __init__(
        self,
        solver: Callable[..., Solution],
        call: dict[str, Any],
        problem: CandidateSet,
    ) -> None:
        self.solver, self.problem = solver, problem
        self.call = call
        self.is_complete = True
        self.least, self.gap = -np.inf, 0.0
        seconds = call.get("time_limit_s")
        self.end = None if seconds is None else time.perf_counter() + seconds

    def solve(self, **changes: Any) -> Solution:
        """Solve the problem of a node, in the time that is left."""
        if self.end is not None:
            changes["time_limit_s"] = max(1e-3, self.end - time.perf_counter())
        return self.solver(**(self.call | changes))

    def require(self, solution: Solution) -> None:
        """From now on, look for orders as good as that of an optimal solution.

        As good up to the rounding of the two sums: no bound of a relaxation enters, so
        the part of the tolerance that is for bounds is left out (spread 0).
        """
        problem = self.problem
        terms = problem.terms(np.asarray(solution.order)[None])[0]
        self.gap = tolerance(terms, 0.0, is_whole=problem.is_whole)
        self.least = self.value(solution) - self.gap

    def value(self, solution: Solution) -> float:
        """Objective as a sum that is maximized."""
        return float(in_sense(solution, self.problem.sense).objective)

    def is_open(self, solution: Solution) -> bool:
        """Whether a node may have an order that is good enough."""
        if solution.status is Status.INFEASIBLE:
            return False
        if in_sense(solution, self.problem.sense).bound < self.least:
            return False
        if solution.order is None:
            self.is_complete = False
        return solution.order is not None

    def is_late(self) -> bool:
        """Whether the time is over; then the list is not complete."""
        if self.end is not None and time.perf_counter() >= self.end:
            self.is_complete = False
        return not self.is_complete and self.end is not None

    def orders(
        self, prefix: tuple[int, ...], _: tuple[int, ...], best: Solution
    ) -> Iterator[Solution]:
        """Orders that begin with a prefix, whose best one is known."""
        position = len(prefix)
        order = np.asarray(best.order).tolist()
        if position == self.problem.k:
            if in_sense(best, self.problem.sense).objective >= self.least:
                yield best
            return
        yield from self.orders((*prefix, order[position]), (), best)
        others = set(range(self.problem.n_items)) - {*prefix, order[position]}
        for item in sorted(others):
            if self.is_late():
                return
            longer = (*prefix, item)
            fixed = [FixedPosition(i, place) for place, i in enumerate(longer)]
            constraints = (*self.problem.constraints, *fixed)
            child = self.solve(constraints=constraints)
            if self.is_open(child):
                yield from self.orders(longer, (), child)

    def committees(
        self, inside: tuple[int, ...], outside: tuple[int, ...], best: Solution
    ) -> Iterator[Solution]:
        """Committees with some items and without others, whose best one is known."""
        committee = np.asarray(best.order).tolist()
        item = next((i for i in committee if i not in inside), None)
        if item is None:
            if best.objective >= self.least:
                yield best
            return
        yield from self.committees((*inside, item), outside, best)
        if self.is_late():
            return
        outside = (*outside, item)
        assert isinstance(self.problem, Committees)
        groups: dict[Any, Any] = dict(self.problem.groups)
        lower = dict(self.call.get("lower") or {})
        upper = dict(self.call.get("upper") or {})
        groups[_OUT], upper[_OUT] = outside, 0
        if inside:
            groups[_IN], lower[_IN] = inside, len(inside)
        child = self.solve(
            n_items=self.problem.n_items, groups=groups, lower=lower, upper=upper
        )
        if self.is_open(child):
            yield from self.committees(inside, outside, child)
