"""The longest open path as a shortest closed tour: one more node, costs from 0 up.

Node n, the depot, comes before the first item and after the last. Rows and columns are
shifted so that their least cost is 0; since a tour leaves and enters each node once,
this shifts all tours alike (Carpaneto, Dell'Amico and Toth, 1995, §2).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from ltr.solvers.core.constraints import FixedPosition, Precedence
from ltr.solvers.core.solution import (
    TOLERANCE,
    BoolArray,
    FloatArray,
    IntArray,
    Solution,
    Status,
    solved,
    unsolved,
)

# Bounds on integer costs are rounded up beyond this error.
_ROUNDING = 1e-3
# Scores beyond this could not be added.
_GREATEST = 1e290


@dataclass(frozen=True, eq=False)
class PathProblem:
    """A maximum-weight path, and the costs of the tours that stand for it.

    Attributes
    ----------
    matrix : float array of shape (n, n)
        Scores of neighbours.
    start, end : float arrays of shape (n,)
        Scores of the first and of the last item.
    constraints : tuple
        What the order must keep.
    cost : float array of shape (n + 1, n + 1)
        From 0 up; forbidden arcs cost ``forbidden``.
    forbidden : float
        More than any tour of allowed arcs costs.
    offset : float
        The objective of an order is this minus the cost of its tour.
    tolerance : float
        Greatest gap that counts as a proof.
    """

    matrix: FloatArray
    start: FloatArray
    end: FloatArray
    constraints: tuple[Any, ...]
    cost: FloatArray
    forbidden: float
    offset: float
    tolerance: float

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.matrix)

    @cached_property
    def top(self) -> float:
        """Greatest cost of an allowed arc."""
        allowed = self.cost[self.cost < self.forbidden]
        return float(allowed.max()) if allowed.size else 0.0

    @cached_property
    def is_whole(self) -> bool:
        """Whether all costs are integers, so that bounds can be rounded up."""
        if not all(cost.is_integer() for cost in self.cost[0].tolist()):
            return False
        return self.top < 2**40 and bool((self.cost == np.rint(self.cost)).all())

    @property
    def slack(self) -> float:
        """Costs that differ by less are taken for the same."""
        return 0.1 * self.tolerance

    def objective(self, order: Sequence[int] | IntArray) -> float:
        """Score of an order in the user's numbers."""
        order = np.asarray(order, dtype=np.int64)
        inside = self.matrix[order[:-1], order[1:]].sum()
        return float(self.start[order[0]] + inside + self.end[order[-1]])

    def tour_cost(self, order: Sequence[int] | IntArray) -> float:
        """Cost of the tour depot → order → depot."""
        tour = np.empty(self.n_items + 2, dtype=np.int64)
        tour[0] = tour[-1] = self.n_items
        tour[1:-1] = order
        return float(self.cost[tour[:-1], tour[1:]].sum())

    def keeps(self, order: Sequence[int]) -> bool:
        """Whether an order keeps all constraints; arcs are not looked at."""
        return not self.constraints or self.broken_chain(order) is None

    def broken_chain(self, order: Sequence[int]) -> list[int] | None:
        """Shortest run of nodes that no order which keeps the constraints has.

        Returns
        -------
        chain : list of int or None
            Nodes one after the other, the depot among them; None if nothing is broken.
        """
        n = self.n_items
        place = [0] * n
        for position, item in enumerate(order):
            place[item] = position
        tour = [n, *order, n]
        chains = []
        for constraint in self.constraints:
            if isinstance(constraint, Precedence):
                first, second = place[constraint.before], place[constraint.after]
                if first > second:
                    chains.append(tour[second + 1 : first + 2])
            elif isinstance(constraint, FixedPosition):
                at = place[constraint.item]
                if at != constraint.position:
                    chains += [tour[: at + 2], tour[at + 1 :]]
            else:
                places = sorted(place[item] for item in constraint.items)
                chains += [
                    tour[left + 1 : right + 2]
                    for left, right in pairwise(places)
                    if right > left + 1
                ]
        return min(chains, key=len, default=None)


@dataclass
class Incumbent:
    """The best order so far, and a lower bound on the cost of all orders."""

    problem: PathProblem
    order: list[int] | None = None
    cost: float = float("inf")
    lower: float = 0.0
    method: str = "assignment"
    proof: str = field(default="assignment")

    def offer(self, order: Sequence[int], cost: float, method: str) -> bool:
        """Keep an order if it is better and allowed."""
        if cost < min(self.cost, self.problem.forbidden) and self.problem.keeps(order):
            self.order, self.cost, self.method = list(order), cost, method
            return True
        return False

    def raise_bound(self, lower: float, method: str) -> None:
        """Keep a bound if it is better; nothing costs less than the best order."""
        if self.problem.is_whole:
            lower = math.ceil(lower - _ROUNDING)
        if lower > self.lower:
            self.lower, self.proof = lower, method

    @property
    def target(self) -> float:
        """Bound that proves the best order, or that there is none."""
        problem = self.problem
        step = 1 - 2 * _ROUNDING if problem.is_whole else problem.slack
        return min(self.cost - step, problem.forbidden * (1 - 1e-12))

    @property
    def is_closed(self) -> bool:
        """Whether the best order is proven, or that there is none."""
        return self.lower >= self.target

    @property
    def is_infeasible(self) -> bool:
        """Whether no order is allowed."""
        return self.order is None and self.is_closed

    def solution(self, started: float) -> Solution:
        """Return what is known, in the user's numbers."""
        problem = self.problem
        if self.order is None:
            if self.is_closed:
                return unsolved(Status.INFEASIBLE, method=self.proof, started=started)
            return unsolved(
                Status.UNKNOWN,
                method=self.proof,
                started=started,
                bound=problem.offset - self.lower,
            )
        objective = problem.objective(self.order)
        gap = self.cost - self.lower
        proven = gap <= problem.tolerance
        return solved(
            self.order,
            objective,
            objective + gap,
            tolerance=problem.tolerance + 1e-15 * abs(objective),
            method=self.proof if proven else self.method,
            started=started,
        )


def path_problem(
    matrix: FloatArray,
    start: FloatArray,
    end: FloatArray,
    constraints: tuple[Any, ...] = (),
) -> PathProblem:
    """Make a problem of arrays that are checked, with at least one item."""
    n = len(matrix)
    score = np.empty((n + 1, n + 1))
    score[:n, :n], score[n, :n], score[:n, n] = matrix, start, end
    np.fill_diagonal(score, -np.inf)
    if constraints:
        score[~allowed_arcs(n, constraints)] = -np.inf
    offset, spread = 0.0, 0.0
    for part, n_arcs in ((score[:n, :n], n - 1), (score[n, :n], 1), (score[:n, n], 1)):
        if n_arcs == 1 and not part.any():
            continue
        finite = part[part > -np.inf]
        if finite.size:
            top, least = float(finite.max()), float(finite.min())
            if max(top, -least) > _GREATEST:
                raise ValueError(
                    f"scores must be at most {_GREATEST:g} in size, so that they can "
                    f"be added; got {max(top, least, key=abs):g}. Scale them down."
                )
            part -= top
            offset += n_arcs * top
            spread = max(spread, top - least)

    row = score.max(axis=1)
    row[row == -np.inf] = 0.0
    cost = row[:, None] - score
    column = cost.min(axis=0)
    column[column == np.inf] = 0.0
    cost -= column
    allowed = cost < np.inf
    top = float(cost[allowed].max()) if allowed.any() else 0.0
    forbidden = (n + 1) * top + (top or 1.0)
    cost[~allowed] = forbidden
    return PathProblem(
        matrix,
        start,
        end,
        constraints,
        cost,
        forbidden,
        offset + float(row.sum() - column.sum()),
        TOLERANCE * n * spread,
    )


def allowed_arcs(n: int, constraints: tuple[Any, ...]) -> BoolArray:
    """Which arcs some order that keeps the constraints may have; node n is the depot.

    Only what follows at once from the constraints is left out.
    """
    allowed = np.ones((n + 1, n + 1), dtype=bool)
    before = precedence_closure(n, constraints)
    allowed &= not before.diagonal().any()
    allowed[:n, :n] &= ~before.T
    allowed[:n, :n] &= before.astype(np.float32) @ before.astype(np.float32) == 0
    allowed[n, :n] &= ~before.any(axis=0)
    allowed[:n, n] &= ~before.any(axis=1)
    position = np.full(n, -1)
    for constraint in constraints:
        if isinstance(constraint, FixedPosition):
            item, place = constraint.item, constraint.position
            position[item] = place
            allowed[n, item] &= place == 0
            allowed[item, n] &= place == n - 1
            if place == 0:
                allowed[n, np.arange(n + 1) != item] = False
            if place == n - 1:
                allowed[np.arange(n + 1) != item, n] = False
    fixed = np.flatnonzero(position >= 0)
    next_to = position[fixed][:, None] + 1 == position[fixed]
    allowed[np.ix_(fixed, fixed)] &= next_to
    for i, j in fixed[np.argwhere(next_to)]:
        allowed[i, np.arange(n + 1) != j] = False
        allowed[np.arange(n + 1) != i, j] = False
    return allowed


def precedence_closure(n: int, constraints: tuple[Any, ...]) -> BoolArray:
    """Which item must come before which, chains of precedences followed."""
    before = np.zeros((n, n), dtype=bool)
    for constraint in constraints:
        if isinstance(constraint, Precedence):
            before[constraint.before, constraint.after] = True
    for k in np.flatnonzero(before.any(axis=0) & before.any(axis=1)).tolist():
        before |= before[:, k, None] & before[k]
    return before
