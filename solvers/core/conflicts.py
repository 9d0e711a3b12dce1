"""A smallest set of constraints that no order keeps."""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb
from typing import TypeVar

Constraint = TypeVar("Constraint")

# All sets of one size are tried only if there are at most this many.
_MAX_SETS = 500


def smallest_conflict(
    constraints: Sequence[Constraint],
    is_feasible: Callable[[tuple[Constraint, ...]], bool],
) -> tuple[Constraint, ...]:
    """Find constraints that cannot all be kept, while any proper subset of them can.

    First, constraints are dropped one by one while the remaining ones still clash: this
    gives a set whose proper subsets are all feasible. Then all smaller sets of
    constraints are tried, size by size, as long as there are few of each size. If that
    search is complete, no conflict is smaller.

    Parameters
    ----------
    constraints : sequence
        Constraints that clash.
    is_feasible : callable
        Whether some order keeps all constraints of a tuple.

    Returns
    -------
    conflict : tuple
        In the order of ``constraints``.

    Examples
    --------
    >>> smallest_conflict([3, 1, 2, 5], lambda numbers: sum(numbers) < 7)
    (2, 5)
    """
    conflict = list(constraints)
    for constraint in constraints:
        others = [other for other in conflict if other is not constraint]
        if not is_feasible(tuple(others)):
            conflict = others
    for size in range(1, len(conflict)):
        if comb(len(constraints), size) > _MAX_SETS:
            break
        for candidate in combinations(constraints, size):
            if not is_feasible(candidate):
                return candidate
    return tuple(conflict)
