"""The laws of solvers, and :func:`check_solver`."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ltr.arguments import check_choice
from ltr.solvers import FixedPosition, Precedence, Status, Together, Window
from ltr.testing.laws import (
    Difference,
    LawTable,
    by_name,
    check_laws,
    differ,
    law,
    name_of,
    text,
)

Problem = Literal["path", "ordering", "assignment", "scores"]
Scales = Literal["tame", "wild"]
PROBLEMS = ("path", "ordering", "assignment", "scores")
MAX_ITEMS = 5
# Entries of one matrix have one magnitude, whatever that is …
TAME = (1.0, 1e-9, 1e-3, 1e6, 1e12)
# … or some of them are penalties, which stand in for −inf.
PENALTIES = (-1e9, -1e12, -1e6)
KINDS = {
    "tame": ("plain", "forbidden", "near", "negative"),
    "wild": ("penalties", "near"),
}


class Instance(NamedTuple):
    """A problem to solve.

    Attributes
    ----------
    matrix : float array of shape (n, n) or (n,)
        Gains of arcs, of pairs, or of items at positions; or scores of items, which are
        discounted by 1 / log2(1 + rank).
    start, end : float array of shape (n,) or None
        Gains of the first and of the last item of a path.
    constraints : tuple
        What the order must keep.
    """

    matrix: NDArray[np.float64]
    start: NDArray[np.float64] | None = None
    end: NDArray[np.float64] | None = None
    constraints: tuple[Any, ...] = ()

    def values(self, problem: Problem) -> NDArray[np.float64]:
        """Value of each of :func:`orders`; −inf if it breaks a constraint."""
        n = len(self.matrix)
        values = np.sum([*self.terms(problem, orders(n)), np.zeros(len(orders(n)))], 0)
        for i, order in enumerate(orders(n).tolist()):
            if not all(keeps(order, constraint) for constraint in self.constraints):
                values[i] = -np.inf
        return values

    def terms(self, problem: Problem, order: NDArray[Any]) -> list[NDArray[np.float64]]:
        """Terms of the value of orders of shape (..., n), each of shape (...)."""
        n = order.shape[-1]
        if problem == "assignment":
            return [self.matrix[order[..., t], t] for t in range(n)]
        if problem == "scores":
            return [self.matrix[order[..., t]] / np.log2(2 + t) for t in range(n)]
        pairs = list(itertools.combinations(range(n), 2))
        if problem == "path":
            pairs = list(itertools.pairwise(range(n)))
        terms = [self.matrix[order[..., s], order[..., t]] for s, t in pairs]
        if n and self.start is not None:
            terms.append(self.start[order[..., 0]])
        if n and self.end is not None:
            terms.append(self.end[order[..., -1]])
        return terms

    def map(self, function: Callable[[Any], Any]) -> Instance:
        """A function of the matrix, of start and of end."""
        start, end = (
            None if x is None else function(x) for x in (self.start, self.end)
        )
        return Instance(function(self.matrix), start, end, self.constraints)

    def lines(self) -> list[str]:
        """Lines of Python that build the problem."""
        lines = [
            f"{name} = {text(value)}"
            for name, value in zip(self._fields, self[:3], strict=False)
            if value is not None
        ]
        if self.matrix.ndim == 1:
            lines[0] = lines[0].replace("matrix", "scores")
        if self.constraints:
            lines.append(f"constraints = {list(self.constraints)}")
        return lines


@functools.cache
def orders(n: int) -> NDArray[np.int64]:
    """Every order of n items, shape (n!, n)."""
    return np.array(list(itertools.permutations(range(n))), np.int64).reshape(-1, n)


def keeps(order: list[int], constraint: Any) -> bool:
    """Whether an order keeps a constraint."""
    place = {item: position for position, item in enumerate(order)}
    if isinstance(constraint, Precedence):
        return place[constraint.before] < place[constraint.after]
    if isinstance(constraint, FixedPosition):
        return place[constraint.item] == constraint.position
    if isinstance(constraint, Window):
        last = len(order) if constraint.last is None else constraint.last
        return constraint.first <= place[constraint.item] <= last
    places = [place[item] for item in constraint.items]
    return max(places) - min(places) == len(places) - 1


class SolverUnderTest:
    """A solver, the problem that it solves, and the size of its numbers.

    Parameters
    ----------
    solve : callable
        ``(matrix, …)`` → :class:`ltr.solvers.Solution`.
    problem : {"path", "ordering", "assignment", "scores"}
        What it solves.
    scales : {"tame", "wild"}
        Which matrices are drawn.
    """

    def __init__(
        self, solve: Callable[..., Any], problem: Problem, scales: Scales
    ) -> None:
        self.solve, self.problem, self.scales = solve, problem, scales
        parameters = inspect.signature(solve).parameters.values()
        self.takes = {parameter.name for parameter in parameters}
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            self.takes |= {"start", "end", "constraints"}

    def __call__(self, instance: Instance) -> Any:
        """Solve a problem."""
        options: dict[str, Any] = {
            name: values
            for name, values in zip(("start", "end"), instance[1:3], strict=True)
            if values is not None
        }
        if instance.constraints:
            options["constraints"] = instance.constraints
        return self.solve(instance.matrix.copy(), **options)

    def tolerance(self, instance: Instance) -> float:
        """Rounding that a proof may leave: 1e-6 of the largest gain, per item.

        For wild scales it is the largest gain of a best order, not of the matrix.
        """
        finite = np.concatenate(
            [np.ravel(x) for x in instance[:3] if x is not None] or [np.zeros(0)]
        )
        if self.scales == "wild":
            values = instance.values(self.problem)
            best = orders(len(instance.matrix))[values.argmax()]
            finite = np.array(instance.terms(self.problem, best))
        size = np.abs(finite[np.isfinite(finite)]).max(initial=0.0)
        return float(1e-6 * (len(instance.matrix) + 1) * size)

    def describe(self, inputs: Mapping[str, Any]) -> list[str]:
        """Lines of Python for the inputs of a law."""
        return [line for instance in inputs.values() for line in instance.lines()]


@st.composite
def instances(
    draw: Any, solver: SolverUnderTest, constrained: bool = False
) -> Instance:
    """A problem of up to MAX_ITEMS items: small whole numbers, times a scale."""
    n = draw(st.integers(1, MAX_ITEMS))
    gains = st.integers(0, 8).map(lambda x: x // 2 if x % 2 == 0 else -(x + 1) // 2)
    # As many are drawn whatever n is, so that shrinking n leaves the others alone.
    row = st.lists(gains, min_size=MAX_ITEMS, max_size=MAX_ITEMS).map(
        lambda numbers: np.array(numbers, float)
    )
    matrix = np.stack([draw(row) for _ in range(MAX_ITEMS)])[:n, :n]
    start, end = (
        draw(row)[:n] if name in solver.takes and draw(st.booleans()) else None
        for name in ("start", "end")
    )
    constraints = draw(st.lists(constraint(solver, n), min_size=1, max_size=3))
    if not constrained or n == 1:
        constraints = []
    instance = Instance(matrix, start, end, tuple(constraints))
    kind = draw(st.sampled_from(KINDS[solver.scales]))
    if solver.problem == "scores":
        instance = instance._replace(matrix=matrix[:, 0])
        kind = "plain" if kind == "forbidden" else kind
    if kind == "near":  # all gains within a hundredth of 1
        instance = instance.map(lambda x: 1.0 + x / 1000)
    elif kind == "negative":
        instance = instance.map(lambda x: x - 20.0)
    elif kind == "forbidden":
        instance = instance.map(lambda x: np.where(x <= -3, -np.inf, x))
    elif kind == "penalties":
        penalty = draw(st.sampled_from(PENALTIES))
        instance = instance.map(lambda x: np.where(x <= -3, penalty, x))
    scale = draw(st.sampled_from(TAME))
    return instance.map(lambda x: x * scale)


@st.composite
def constraint(draw: Any, solver: SolverUnderTest, n: int) -> Any:
    """A constraint on two or more of n items."""
    items = draw(st.permutations(range(n)))
    kind = draw(st.sampled_from([Precedence, FixedPosition, Together, Window]))
    if kind is Window:
        first = draw(st.integers(0, n - 1))
        return Window(items[0], first, draw(st.none() | st.integers(first, n)))
    if kind is Together:
        return Together(tuple(items[: draw(st.integers(min(2, n), n))]))
    return kind(items[0], items[-1])


def solved(solver: SolverUnderTest, instance: Instance) -> tuple[Any, float]:
    """The solution of a problem, and the greatest value of an order."""
    best = float(instance.values(solver.problem).max(initial=-np.inf))
    return solver(instance), best


@law(instance=instances)
def order_is_a_permutation(solver: SolverUnderTest, instance: Instance) -> None:
    """The order has each item once, or the status is UNKNOWN or INFEASIBLE."""
    solution, _ = solved(solver, instance)
    n = len(instance.matrix)
    if solution.order is None:
        if solution.status not in (Status.UNKNOWN, Status.INFEASIBLE):
            raise differ("an order", f"order None with status {solution.status}")
    elif sorted(np.asarray(solution.order).tolist()) != list(range(n)):
        raise differ(f"an order of {n} items", text(solution.order))


@law(instance=instances)
def objective_is_the_value_of_the_order(
    solver: SolverUnderTest, instance: Instance
) -> None:
    """The objective is what the gains of the order sum to."""
    solution, _ = solved(solver, instance)
    if solution.order is not None:
        terms = instance.terms(solver.problem, np.asarray(solution.order))
        value, size = float(np.sum(terms)), float(np.abs(terms).sum())
        if value == -np.inf:
            raise differ("an order that -inf does not forbid", solution.order)
        if not abs(solution.objective - value) <= 1e-12 * size:
            raise differ(
                f"{value}, the value of order {text(solution.order)}",
                solution.objective,
            )


@law(instance=instances)
def bound_is_no_less_than_the_best(solver: SolverUnderTest, instance: Instance) -> None:
    """No order has a greater value than the bound."""
    solution, best = solved(solver, instance)
    if best > -np.inf and not solution.bound >= best - solver.tolerance(instance):
        raise differ(f"at least {best}, the value of the best order", solution.bound)


@law(instance=instances)
def optimal_is_the_best(solver: SolverUnderTest, instance: Instance) -> None:
    """No order is better than one that is called OPTIMAL."""
    solution, best = solved(solver, instance)
    if solution.status is not Status.OPTIMAL:
        return
    if not solution.objective >= best - solver.tolerance(instance):
        values = instance.values(solver.problem)
        order = orders(len(instance.matrix))[values.argmax()]
        raise differ(
            f"{best}, the value of order {text(order)}",
            f"OPTIMAL, {solution.objective}, for order {text(solution.order)}",
        )


@law(instance=instances)
def infeasible_means_that_no_order_is_left(
    solver: SolverUnderTest, instance: Instance
) -> None:
    """The status is INFEASIBLE if and only if −inf forbids every order."""
    expect_feasible(solver, instance)


def expect_feasible(solver: SolverUnderTest, instance: Instance) -> None:
    """Raise if the status is wrong about whether an order exists."""
    solution, best = solved(solver, instance)
    if best == -np.inf and solution.order is not None:
        raise differ("INFEASIBLE: no order is left", f"order {text(solution.order)}")
    if best > -np.inf and solution.status is Status.INFEASIBLE:
        raise differ(f"an order: one has the value {best}", "INFEASIBLE")


@law(
    exempt=lambda solver: (
        "" if "constraints" in solver.takes else "it takes no constraints"
    ),
    instance=lambda solver: instances(solver, constrained=True),
)
def constraints_are_kept(solver: SolverUnderTest, instance: Instance) -> None:
    """The order keeps the constraints; it is the best that does if OPTIMAL."""
    solution, best = solved(solver, instance)
    expect_feasible(solver, instance)
    if solution.order is None:
        return
    for constraint in instance.constraints:
        if not keeps(np.asarray(solution.order).tolist(), constraint):
            raise differ(f"an order that keeps {constraint}", text(solution.order))
    slack = solver.tolerance(instance)
    if solution.bound < best - slack:
        raise differ(f"a bound of at least {best}", solution.bound)
    if solution.status is Status.OPTIMAL and solution.objective < best - slack:
        raise differ(f"{best}, the value of the best order", solution.objective)


def expect_same_value(
    solver: SolverUnderTest, instance: Instance, other: Instance, what: str
) -> None:
    """Raise unless two problems have the same best value, if both are solved."""
    first, second = solver(instance), solver(other)
    if not (first.status is second.status is Status.OPTIMAL):
        return
    slack = 2 * solver.tolerance(instance)
    if not abs(first.objective - second.objective) <= slack:
        raise Difference(f"{first.objective}, the value {what}", f"{second.objective}")


@law(instance=instances)
def numbers_of_items_change_nothing(
    solver: SolverUnderTest, instance: Instance
) -> None:
    """Numbering the items backwards changes no value."""
    turned = (
        instance._replace(matrix=instance.matrix[::-1])
        if solver.problem in ("assignment", "scores")
        else instance.map(lambda x: x[::-1, ::-1] if x.ndim == 2 else x[::-1])
    )
    expect_same_value(solver, instance, turned, "before numbering backwards")


@law(
    exempt=lambda solver: (
        "" if solver.problem in ("path", "ordering") else "positions have no reverse"
    ),
    instance=instances,
)
def transposing_reverses_the_order(solver: SolverUnderTest, instance: Instance) -> None:
    """The transposed matrix, with start and end swapped, has the same value."""
    turned = Instance(instance.matrix.T, instance.end, instance.start)
    expect_same_value(solver, instance, turned, "before transposing")


SOLVER_LAWS = by_name(
    order_is_a_permutation,
    objective_is_the_value_of_the_order,
    infeasible_means_that_no_order_is_left,
    bound_is_no_less_than_the_best,
    optimal_is_the_best,
    constraints_are_kept,
    numbers_of_items_change_nothing,
    transposing_reverses_the_order,
)


def check_solver(
    solve: Callable[..., Any],
    problem: Problem = "path",
    *,
    scales: Scales = "tame",
    skip: Collection[str] = (),
    max_examples: int = 50,
) -> LawTable:
    """Check a solver against every order of up to five items.

    The laws are those of :mod:`ltr.solvers`: an order has each item once, its objective
    is its value, no order beats the bound, OPTIMAL is best, INFEASIBLE is true;
    :data:`SOLVER_LAWS` has them all. It takes as long as 450 small problems.

    Parameters
    ----------
    solve : callable
        As :func:`ltr.solvers.solve_path`, :func:`ltr.solvers.solve_ordering`, or
        :func:`ltr.solvers.solve_assignment`; ``start``, ``end`` and ``constraints`` are
        passed if it takes them.
    problem : {"path", "ordering", "assignment", "scores"}, default="path"
        What it solves; ``"scores"`` is an assignment whose gains are one score per
        item.
    scales : {"tame", "wild"}, default="tame"
        The size of the gains. In a tame matrix all are of one size, 1e-9 to 1e12; a
        wild one has penalties of −1e6 to −1e12 among them, and a proof must tell the
        orders without a penalty apart.
    skip : collection of str, default=()
        Names of laws that the solver breaks on purpose.
    max_examples : int, default=50
        Problems that each law is tried on.

    Returns
    -------
    table : LawTable
        Law → number of inputs, or ``"skipped: "`` and why.

    Raises
    ------
    LawBroken
        If a law does not hold, with the smallest problem that shows it.
    ValueError
        If the problem, the scales or a law of ``skip`` is unknown.

    Examples
    --------
    >>> from ltr.solvers import solve_path
    >>> from ltr.testing import LawBroken, check_solver
    >>> check_solver(solve_path, "path", max_examples=5)["optimal_is_the_best"]
    5

    A heuristic that calls the first order OPTIMAL:

    >>> from ltr.solvers import Solution, Status
    >>> def as_they_come(matrix):
    ...     order = list(range(len(matrix)))
    ...     value = float(sum(matrix[i, i + 1] for i in order[:-1]))
    ...     return Solution(order, value, value, Status.OPTIMAL, "none", 0.0)
    >>> try:
    ...     check_solver(as_they_come, "path")
    ... except LawBroken as broken:
    ...     print(broken)
    as_they_come breaks the law objective_is_the_value_of_the_order.
    Law: The objective is what the gains of the order sum to.
    Smallest input found:
        matrix = [[0.0, -inf], [0.0, 0.0]]
    Expected: an order that -inf does not forbid
    Got: [0, 1]
    If that is intended, pass skip=("objective_is_the_value_of_the_order",).
    """
    check_choice("problem", problem, PROBLEMS)
    check_choice("scales", scales, ("tame", "wild"))
    subject = SolverUnderTest(solve, problem, scales)
    return check_laws(
        name_of(solve),
        subject,
        SOLVER_LAWS,
        skip=skip,
        max_examples=max_examples,
        describe=subject.describe,
    )
