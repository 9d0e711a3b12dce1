"""A smallest set of constraints that clash."""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb
from typing import TypeVar

Constraint = TypeVar("Constraint")

# Sets of one size are tried one by one while there are at most this many.
_MAX_SETS = 500


def smallest_conflict(
    constraints: Sequence[Constraint],
    is_feasible: Callable[[tuple[Constraint, ...]], bool],
) -> tuple[Constraint, ...]:
    """Find constraints that cannot hold together, though each fewer of them can.

    First constraints are dropped one by one while the rest still clash; then smaller
    sets are tried, the sizes one by one, as long as there are few of a size. The
    result has the least possible size if that search came to its end.

    Parameters
    ----------
    constraints : sequence
        They clash.
    is_feasible : callable
        Whether some order keeps all of the given ones.

    Returns
    -------
    conflict : tuple
        In the order in which they were given.

    Examples
    --------
    >>> smallest_conflict([3, 1, 2, 5], lambda chosen: sum(chosen) < 7)
    (2, 5)
    """
    kept = list(constraints)
    for constraint in list(kept):
        rest = [other for other in kept if other is not constraint]
        if not is_feasible(tuple(rest)):
            kept = rest
    for size in range(1, len(kept)):
        if comb(len(constraints), size) > _MAX_SETS:
            break
        for chosen in combinations(constraints, size):
            if not is_feasible(chosen):
                return chosen
    return tuple(kept)
