"""Batches of lists, checked and split alike for paths and orderings."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError
from ltr.queries import FloatArray, IntArray, check_axes, check_rows
from ltr.solvers.core.attributes import Attributes, values_of
from ltr.solvers.core.constraints import (
    ORDER_KINDS,
    AtMost,
    Constraint,
    Quota,
    Together,
)
from ltr.solvers.core.groups import GroupBounds
from ltr.solvers.core.inputs import (
    GREATEST,
    check_kinds,
    check_mask,
    check_matrix,
    check_order_constraints,
    check_scores,
    check_sense,
    check_square,
    to_array,
)
from ltr.solvers.core.order_rules import order_rules
from ltr.solvers.core.solution import Solution, in_sense


@dataclass(frozen=True, eq=False)
class ItemList:
    """One list to order, without its padding.

    Attributes
    ----------
    matrix : float array of shape (n, n)
        Gains of pairs of items; if they are costs, their negatives.
    start, end : float arrays of shape (n,)
        Scores of the first and of the last item; zeros for orderings.
    items : int array of shape (n,), or None
        The user's numbers of the items; None: 0, …, n - 1.
    constraints : tuple of constraints
        On the items 0, …, n - 1.
    user_constraints : tuple of constraints
        The same constraints on the user's numbers.
    sense : {"max", "min"}, default="max"
        Whether the user minimizes costs.
    attributes : Attributes, default=None
        Attributes of the items 0, …, n - 1; None if no constraint refers to one.
    """

    matrix: FloatArray
    start: FloatArray
    end: FloatArray
    items: IntArray | None = None
    constraints: tuple[Constraint, ...] = ()
    user_constraints: tuple[Constraint, ...] = ()
    sense: str = "max"
    attributes: Attributes | None = None

    @property
    def n_items(self) -> int:
        """Number of items that are not padding."""
        return len(self.matrix)

    @cached_property
    def groups(self) -> tuple[GroupBounds, ...]:
        """Bounds of the constraints on groups of items."""
        if self.attributes is None:
            return ()
        return order_rules(self.constraints, self.attributes, self.n_items).groups

    def in_user_numbers(self, solution: Solution) -> Solution:
        """Return a solution in the user's item numbers, constraints and sense."""
        solution = in_sense(solution, self.sense)
        if solution.order is not None:
            if self.items is None:
                return solution
            return replace(solution, order=self.items[solution.order])
        as_passed = dict(zip(self.constraints, self.user_constraints, strict=True))
        conflict = tuple(as_passed[constraint] for constraint in solution.conflict)
        return replace(solution, conflict=conflict)


def check_list(
    matrix: ArrayLike,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    constraints: Any = (),
    attributes: Mapping[str, ArrayLike] | None = None,
    kinds: tuple[type, ...] | None = None,
    solver: str,
    sense: str = "max",
    closed: bool = False,
) -> ItemList:
    """Check a single list; messages name the solver, which takes some constraints.

    Examples
    --------
    >>> check_list([[0, 1], [2, 0]], solver="solve_path").n_items
    2
    """
    check_sense(sense)
    check_closed(closed, start, end)
    array = check_matrix(matrix, sense=sense)
    n = len(array)
    checked = check_order_constraints(constraints, n, kinds or ORDER_KINDS, solver)
    start_gains, end_gains = (
        check_scores(start, n, "start", sense=sense),
        check_scores(end, n, "end", sense=sense),
    )
    columns = {} if attributes is None else attributes
    by_name = {f"attributes[{name!r}]": v for name, v in columns.items()}
    check_rows({"matrix": matrix, "start": start, "end": end, **by_name})
    item_list = ItemList(
        array,
        start_gains,
        end_gains,
        None,
        checked,
        checked,
        sense,
        Attributes(attributes, n) if _attributes_of(checked) else None,
    )
    assert item_list.groups is not None  # an attribute that is not passed raises
    return as_path(item_list) if closed else item_list


def _attributes_of(constraints: tuple[Constraint, ...]) -> list[str]:
    """Names of the attributes that constraints refer to."""
    return list(
        dict.fromkeys(
            c.attribute for c in constraints if isinstance(c, (Quota, AtMost))
        )
    )


def check_closed(closed: Any, start: Any, end: Any) -> None:
    """Raise unless ``closed`` is a bool, and ``start`` and ``end`` fit to it.

    Examples
    --------
    >>> check_closed(True, None, None)
    """
    if not isinstance(closed, (bool, np.bool_)):
        raise ArgumentError(f"closed must be True or False; got {closed!r}.")
    for name, gains in (("start", start), ("end", end)):
        if closed and gains is not None:
            raise ArgumentError(
                f"{name} must be None with closed=True: a closed tour has no first and "
                "no last item. Add the gains to the entries of the matrix."
            )


def as_path(item_list: ItemList) -> ItemList:
    """A closed tour as a path from item 0 that ends with the arc back to it.

    start_i = -inf for all but item 0, and end_i = matrix_i0; no arc enters item 0, as
    its gain would count in the scale of the problem. The position of an item is
    its number of arcs from item 0. Items stand together on the cycle: a group without
    item 0 does so on the path, too; a group with item 0 is an arc of the cycle around
    it, so that the items outside of the group stand together on the path.

    Examples
    --------
    >>> opened = as_path(check_list([[0, 1], [2, 0]], solver="solve_path"))
    >>> opened.start.tolist(), opened.end.tolist()
    ([0.0, -inf], [-inf, 2.0])
    """
    n = item_list.n_items
    matrix, start = item_list.matrix.copy(), np.full(n, -np.inf)
    start[:1] = 0.0
    end = matrix[:, 0].copy() if n else item_list.end
    if n > 1:
        matrix[1:, 0] = end[0] = -np.inf
    constraints: list[Constraint] = []
    for constraint in item_list.constraints:
        if isinstance(constraint, Together) and 0 in constraint.items:
            outside = set(range(n)) - set(constraint.items)
            # one item, or none, stands together with itself
            items = tuple(sorted(outside)) if len(outside) > 1 else tuple(range(n))
            constraints.append(Together(items))
        else:
            constraints.append(constraint)
    return replace(
        item_list,
        matrix=matrix,
        start=start,
        end=end,
        constraints=tuple(constraints),
    )


def check_lists(
    matrices: Any,
    *,
    where: Any,
    start: Any = None,
    end: Any = None,
    constraints: Any = (),
    attributes: Mapping[str, Any] | None = None,
    kinds: tuple[type, ...] | None = None,
    solver: str,
    alone: str,
    sense: str = "max",
    closed: bool = False,
) -> list[ItemList]:
    """Check a batch and split it into its lists; messages name the list.

    Parameters
    ----------
    matrices, where, start, end, constraints, attributes, sense, closed
        As for :func:`ltr.solvers.solve_paths`.
    kinds : tuple of type, default=None
        Constraints that the solver takes. None: those on the order of items.
    solver : str
        Name of the public function, for messages.
    alone : str
        The function for a single list, which messages suggest.

    Examples
    --------
    >>> batch = check_lists(
    ...     np.zeros((1, 3, 3)),
    ...     where=[[True, False, True]],
    ...     solver="solve_paths",
    ...     alone="solve_path",
    ... )
    >>> batch[0].items.tolist()
    [0, 2]
    """
    if not hasattr(matrices, "__len__"):
        raise TypeError(
            "matrices must be an array of shape (b, n, n) or a sequence of square "
            f"matrices; got {type(matrices).__name__}."
        )
    if isinstance(matrices, np.ndarray) and matrices.ndim != 3 and matrices.size:
        raise ValueError(
            "matrices must have shape (b, n, n), one square matrix per list; got shape "
            f"{matrices.shape}. Use {alone} for a single list."
        )
    check_sense(sense)
    check_closed(closed, start, end)
    n_lists = len(matrices)
    masks = _rows(where, "where", n_lists)
    starts, ends = _rows(start, "start", n_lists), _rows(end, "end", n_lists)
    passed = check_kinds(constraints, kinds or ORDER_KINDS, solver)
    columns = {
        name: _rows(values_of(attributes, name), f"attributes[{name!r}]", n_lists)
        for name in _attributes_of(passed)
    }
    arrays = _checked_at_once(matrices, sense) if where is None else None
    lists = [
        _check_member(
            i,
            matrices[i] if arrays is None else arrays[i],
            masks[i],
            starts[i],
            ends[i],
            passed,
            {name: rows[i] for name, rows in columns.items()},
            is_checked=arrays is not None,
            sense=sense,
        )
        for i in range(n_lists)
    ]
    return [as_path(item_list) for item_list in lists] if closed else lists


def _rows(values: Any, name: str, n_lists: int) -> Any:
    """One row per list; None for every list if no values are passed."""
    if values is None:
        return [None] * n_lists
    if not hasattr(values, "__len__"):
        raise TypeError(f"{name} must have one row per list; got {values!r}.")
    if len(values) != n_lists:
        raise ValueError(
            f"{name} must have one row per list, {n_lists}; got {len(values)}."
        )
    # rows by number: [] would look up the labels of a pandas object
    return values.iloc if hasattr(values, "iloc") else values


def _checked_at_once(matrices: Any, sense: str) -> FloatArray | None:
    """An array of valid matrices as :func:`check_matrix` returns them, else None."""
    if not isinstance(matrices, np.ndarray) or matrices.dtype.kind not in "fiub":
        return None
    n_rows, n_columns = matrices.shape[1:] if matrices.ndim == 3 else (0, 1)
    if n_rows != n_columns:
        return None
    arrays = matrices.astype(np.float64)
    if sense == "min":
        arrays = 0.0 - arrays
    arrays[:, range(n_rows), range(n_rows)] = 0.0
    if not (arrays <= GREATEST).all():  # NaN is not, either
        return None
    is_low = arrays < -GREATEST
    return None if np.isfinite(arrays[is_low]).any() else arrays


def _check_member(
    i: int,
    matrix: Any,
    where: Any,
    start: Any,
    end: Any,
    constraints: tuple[Constraint, ...],
    attributes: dict[str, Any],
    *,
    is_checked: bool,
    sense: str,
) -> ItemList:
    name, mask, items = f"matrices[{i}]", None, None
    columns = {name: matrix, f"where[{i}]": where}
    columns |= {f"start[{i}]": start, f"end[{i}]": end}
    columns |= {f"attributes[{key!r}][{i}]": v for key, v in attributes.items()}
    if where is not None:
        array = check_square(
            to_array(matrix, f"{name} must be a square array", None), name
        )
        check_axes(matrix, name)
        mask = check_mask(where, f"[{i}]", array.shape)
        matrix = np.where(mask[:, None] & mask, array, 0.0)  # padding may hold anything
        items = np.flatnonzero(mask)
    array = matrix if is_checked else check_matrix(matrix, name, sense=sense)
    n = len(array)
    own = user = tuple(dict.fromkeys([c.checked(n) for c in constraints]))
    start = check_scores(start, n, f"start[{i}]", mask, sense)
    end = check_scores(end, n, f"end[{i}]", mask, sense)
    check_rows(columns)
    values = Attributes(attributes, n, f"[{i}]") if attributes else None
    if items is not None:
        if user:
            own = tuple(_renumbered(constraint, items, n, i) for constraint in user)
        array, start, end = array[np.ix_(items, items)], start[items], end[items]
        values = None if values is None else values.at(items)
    item_list = ItemList(array, start, end, items, own, user, sense, values)
    assert item_list.groups is not None  # an attribute of another shape raises
    return item_list


def _renumbered(
    constraint: Constraint, items: IntArray, n_items: int, i: int
) -> Constraint:
    """The constraint in the numbers of list i, which count real items only."""
    numbers = np.full(n_items, -1)
    numbers[items] = np.arange(len(items))
    for item in constraint.named_items():
        if numbers[item] < 0:
            raise ValueError(
                f"constraints must name real items; {constraint} names item {item}, "
                f"which is padding in list {i}."
            )
    return constraint.renumbered(numbers).checked(len(items), f" in list {i}")


def jobs_of(
    lists: Sequence[ItemList],
    can_share: Callable[[ItemList], bool],
    lists_per_job: Callable[[int], int],
    *,
    least: int = 1,
) -> list[list[int]]:
    """Numbers of the lists that are solved together.

    Parameters
    ----------
    lists : sequence of ItemList
        The batch.
    can_share : callable
        Whether a list may be solved with others of its size and constraints.
    lists_per_job : callable
        Maximum number of lists of n items in one job.
    least : int, default=1
        If fewer lists than this could share a job, each gets its own.

    Returns
    -------
    jobs : list of list of int
        Each list is in one job; jobs are sorted by their first list.
    """
    jobs, groups = [], dict[Hashable, list[int]]()
    for i, item_list in enumerate(lists):
        if can_share(item_list):
            key = item_list.n_items, item_list.constraints, item_list.groups
            groups.setdefault(key, []).append(i)
        else:
            jobs.append([i])
    for members in groups.values():
        n_items = lists[members[0]].n_items
        size = lists_per_job(n_items) if len(members) >= least else 1
        jobs += [members[k : k + size] for k in range(0, len(members), size)]
    return sorted(jobs)
