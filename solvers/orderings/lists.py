"""Batches of orderings: what users pass, list by list, and who is solved with whom."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.solvers.core.budget import Budget
from ltr.solvers.core.conflicts import smallest_conflict
from ltr.solvers.core.constraints import FixedPosition, Precedence, Together
from ltr.solvers.core.inputs import (
    check_matrix,
    check_order_constraints,
    check_padded,
    renumber,
)
from ltr.solvers.core.solution import (
    TOLERANCE,
    FloatArray,
    IntArray,
    Solution,
    Status,
    solved,
    unsolved,
)
from ltr.solvers.orderings.cp_sat import find_order
from ltr.solvers.orderings.portfolio import solve_part
from ltr.solvers.orderings.problem import ordering_problem
from ltr.solvers.orderings.subset_dp import (
    DP_ITEMS,
    LANES,
    MAX_DP_ITEMS,
    MAX_LANES,
    forbidden_as_inf,
    order_by_sets,
)

_KINDS = (Precedence, FixedPosition, Together)
# Work of a table of sets, for one set and item.
_WORK_PER_STEP = 2e-9
# Gains whose units would vanish are multiplied by this first, a power of 2.
_LIFT = 2.0**960


@dataclass(frozen=True, eq=False)
class OrderingList:
    """One list of a batch, its padded items left out.

    Attributes
    ----------
    matrix : float array of shape (n, n)
        Of the real items.
    items : int array of shape (n,)
        The user's numbers of the real items.
    given : tuple of constraints
        In the user's numbers.
    constraints : tuple of constraints
        The same ones, in the numbers of the rows of ``matrix``.
    """

    matrix: FloatArray
    items: IntArray
    given: tuple[Any, ...]
    constraints: tuple[Any, ...]

    @property
    def can_share(self) -> bool:
        """Whether it can be solved in one table with others of its size."""
        n = len(self.matrix)
        return 2 <= n <= DP_ITEMS and not self.constraints

    def solve(self, method: str, budget: Budget, seed: int) -> Solution:
        """Solve it alone."""
        problem = ordering_problem(self.matrix, self.constraints)
        lift = _LIFT if problem.scale < 1 / _LIFT else 1.0
        problem = replace(problem, gains=problem.gains * lift)
        rng = np.random.default_rng(seed)
        part = solve_part(problem, method, rng, budget)
        if part is True:
            wins = np.maximum(self.matrix, self.matrix.T)[
                np.triu_indices(len(problem), 1)
            ]
            return unsolved(
                Status.UNKNOWN,
                method=method,
                started=budget.started,
                bound=float(wins.sum()),
            )
        if part is False:
            return unsolved(
                Status.INFEASIBLE,
                method=method if method != "auto" else "constraints",
                started=budget.started,
                conflict=self._conflict(budget),
            )
        spread = 2 * float(np.abs(problem.gains).max(initial=0.0)) / lift
        return self._solution(part.order, part.gap / lift, part.method, spread, budget)

    def _solution(
        self,
        order: IntArray,
        gap: float,
        method: str,
        spread: float,
        budget: Budget,
    ) -> Solution:
        objective = ordering_value(self.matrix, order)
        return solved(
            self.items[order],
            objective,
            objective + gap,
            tolerance=TOLERANCE * len(order) * spread,
            method=method,
            started=budget.started,
        )

    def _conflict(self, budget: Budget) -> tuple[Any, ...]:
        """A smallest set of constraints that clash; all, if the budget is spent."""
        new = dict(zip(self.given, self.constraints, strict=True))

        def is_feasible(chosen: tuple[Any, ...]) -> bool:
            problem = ordering_problem(self.matrix, [new[c] for c in chosen])
            return find_order(problem, budget) is not False

        return smallest_conflict(self.given, is_feasible)


def ordering_value(matrix: FloatArray, order: IntArray) -> float:
    """Sum of ``matrix[i, j]`` over all i that stand before j in the order.

    Examples
    --------
    >>> ordering_value(np.array([[0.0, 1.0], [2.0, 0.0]]), np.array([1, 0]))
    2.0
    """
    return float(matrix[np.ix_(order, order)][np.triu_indices(len(order), 1)].sum())


def solve_in_one_table(lists: Sequence[OrderingList], budget: Budget) -> list[Solution]:
    """Solve lists of equal length without constraints by one table of sets."""
    matrices = np.stack([each.matrix for each in lists])
    n_lists, n = matrices.shape[:2]
    if np.isneginf(matrices).any():
        problems = [ordering_problem(matrix) for matrix in matrices]
        gains = np.stack([problem.gains for problem in problems])
        worth = np.stack([forbidden_as_inf(problem) for problem in problems])
    else:
        half = matrices / 2
        gains = worth = half - half.transpose(0, 2, 1)
    budget.spend(_WORK_PER_STEP * n_lists * n * 2**n)
    orders, values = order_by_sets(worth)
    permuted = np.take_along_axis(matrices, orders[:, :, None], axis=1)
    permuted = np.take_along_axis(permuted, orders[:, None, :], axis=2)
    first, second = np.triu_indices(n, 1)
    objectives = permuted[:, first, second].sum(axis=1)
    tolerances = TOLERANCE * n * 2 * np.abs(gains).max(axis=(1, 2))
    solutions = []
    for each, order, value, objective, tolerance in zip(
        lists, orders, values, objectives.tolist(), tolerances.tolist(), strict=True
    ):
        if value > -np.inf:
            solution = solved(
                each.items[order],
                objective,
                objective,
                tolerance=tolerance,
                method="dp",
                started=budget.started,
            )
        else:
            solution = unsolved(
                Status.INFEASIBLE, method="constraints", started=budget.started
            )
        solutions.append(solution)
    return solutions


def ordering_lists(
    matrices: ArrayLike | Sequence[ArrayLike],
    where: ArrayLike | Sequence[ArrayLike] | None,
    constraints: Any,
    method: str,
) -> list[OrderingList]:
    """Check what users pass; messages name the list."""
    if hasattr(constraints, "__iter__"):
        constraints = tuple(constraints)
    masks = None if where is None else _rows(where, "where")
    arrays = _check_matrices(matrices, masks)
    lists = []
    for i, array in enumerate(arrays):
        n = len(array)
        given = check_order_constraints(constraints, n, _KINDS)
        items = np.arange(n) if masks is None else np.flatnonzero(masks[i])
        if len(items) < n:
            array = array[np.ix_(items, items)]
        check_size(len(items), method)
        new = renumber(given, items, n, i)
        lists.append(OrderingList(array, items, given, new))
    return lists


def _check_matrices(matrices: Any, masks: list[Any] | None) -> list[FloatArray]:
    """One matrix per list; padding may hold anything."""
    rows = _rows(matrices, "matrices")
    if masks is not None:
        if len(masks) != len(rows):
            raise ValueError(
                f"where must have one row per list, {len(rows)}; got {len(masks)}."
            )
        rows = [_without_padding(rows[i], masks[i], i) for i in range(len(rows))]
    elif isinstance(matrices, np.ndarray) and matrices.dtype.kind in "fiub":
        whole = matrices.astype(np.float64)
        n = min(whole.shape[1:])
        whole[:, range(n), range(n)] = 0.0
        if whole.shape[1] == whole.shape[2] and (whole < np.inf).all():
            return list(whole)
    return [check_matrix(matrix, f"matrices[{i}]") for i, matrix in enumerate(rows)]


def _without_padding(matrix: Any, mask: Any, i: int) -> Any:
    array, real = check_padded(matrix, mask, i)
    return np.where(real[:, None] & real, array, 0.0)


def check_size(n_items: int, method: str) -> None:
    """Raise if a table of sets would not fit."""
    if method == "dp" and n_items > MAX_DP_ITEMS:
        raise ValueError(
            f"method='dp' takes at most {MAX_DP_ITEMS} items; got {n_items}. "
            "Use 'auto'."
        )


def one_list(matrix: FloatArray, constraints: Any) -> OrderingList:
    """A list on its own, all of its items real."""
    given = check_order_constraints(constraints, len(matrix), _KINDS)
    return OrderingList(matrix, np.arange(len(matrix)), given, given)


def turns(lists: Sequence[OrderingList], method: str) -> list[list[int]]:
    """Which lists are solved together; each other one has a turn of its own."""
    shared: dict[int, list[int]] = {}
    found = []
    for i, each in enumerate(lists):
        if method in ("auto", "dp") and each.can_share:
            shared.setdefault(len(each.matrix), []).append(i)
        else:
            found.append([i])
    for n, together in shared.items():
        size = min(MAX_LANES, LANES << (DP_ITEMS - n))
        found += [together[i : i + size] for i in range(0, len(together), size)]
    return found


def _rows(values: Any, name: str) -> list[Any]:
    if isinstance(values, np.ndarray) or not hasattr(values, "__len__"):
        array = np.asarray(values)
        wanted = 3 if name == "matrices" else 2
        if array.ndim != wanted:
            shape = "(b, n, n)" if wanted == 3 else "(b, n)"
            raise ValueError(
                f"{name} must have shape {shape}, or be a sequence with one array per "
                f"list; got shape {array.shape}."
            )
        return list(array)
    return list(values)
