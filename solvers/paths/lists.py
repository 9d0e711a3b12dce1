"""Batches of paths: what users pass, list by list."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.solvers.core.constraints import FixedPosition, Precedence, Together
from ltr.solvers.core.inputs import (
    check_matrix,
    check_order_constraints,
    check_padded,
    check_scores,
    renumber,
)
from ltr.solvers.core.solution import FloatArray, IntArray, Solution

KINDS = (Precedence, FixedPosition, Together)


@dataclass(frozen=True, eq=False)
class PathList:
    """One list of a batch, its padded items left out.

    Attributes
    ----------
    matrix : float array of shape (n, n)
        Scores of neighbours.
    start, end : float arrays of shape (n,)
        Scores of the first and of the last item.
    items : int array of shape (n,), or None
        The user's numbers of the items, if some are left out.
    given : dict
        From each constraint on items 0, …, n - 1 to what the user passed.
    """

    matrix: FloatArray
    start: FloatArray
    end: FloatArray
    items: IntArray | None
    given: dict[Any, Any]

    @property
    def n_items(self) -> int:
        """Number of items that are not left out."""
        return len(self.matrix)

    @property
    def constraints(self) -> tuple[Any, ...]:
        """Constraints on items 0, …, n - 1."""
        return tuple(self.given)

    def in_user_numbers(self, solution: Solution) -> Solution:
        """Return the solution with the items' and constraints' names of the user."""
        if solution.order is not None:
            if self.items is None:
                return solution
            return replace(solution, order=self.items[solution.order])
        conflict = tuple(self.given[constraint] for constraint in solution.conflict)
        return replace(solution, conflict=conflict)


def path_lists(
    matrices: Any, where: Any, start: Any, end: Any, constraints: tuple[Any, ...]
) -> list[PathList]:
    """Check a batch and split it into its lists."""
    if not hasattr(matrices, "__len__"):
        raise TypeError(
            "matrices must be an array of shape (b, n, n) or a sequence of square "
            f"matrices; got {type(matrices).__name__}."
        )
    n_lists = len(matrices)
    if isinstance(matrices, np.ndarray) and matrices.ndim != 3 and matrices.size:
        raise ValueError(
            "matrices must have shape (b, n, n), one square matrix per list; got shape "
            f"{matrices.shape}. Use solve_path for a single list."
        )
    for name, given in (("where", where), ("start", start), ("end", end)):
        if given is not None and len(given) != n_lists:
            raise ValueError(
                f"{name} must have one row per list, {n_lists}; got {len(given)}."
            )
    return [
        _path_list(
            i,
            matrices[i],
            None if where is None else where[i],
            None if start is None else start[i],
            None if end is None else end[i],
            constraints,
        )
        for i in range(n_lists)
    ]


def _path_list(
    i: int,
    matrix: ArrayLike,
    where: ArrayLike | None,
    start: ArrayLike | None,
    end: ArrayLike | None,
    constraints: tuple[Any, ...],
) -> PathList:
    if where is None:
        checked = check_matrix(matrix, f"matrices[{i}]")
        n, items = len(checked), None
    else:
        array, mask = check_padded(matrix, where, i)
        n, items = len(array), np.flatnonzero(mask)
        checked = check_matrix(array[np.ix_(items, items)], f"matrices[{i}]")
    kept = mine = ()
    if constraints:  # checking none of them costs as much as a short list
        kept = check_order_constraints(constraints, n, KINDS)
        mine = kept if items is None else renumber(kept, items, n, i)
    return PathList(
        checked,
        check_scores(start, n, f"start[{i}]", items),
        check_scores(end, n, f"end[{i}]", items),
        items,
        dict(zip(mine, kept, strict=True)),
    )
