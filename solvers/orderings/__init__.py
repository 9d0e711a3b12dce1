"""Linear orderings: the best order by the gain of each pair."""

from ltr.solvers.orderings.solve import (
    solve_ordering,
    solve_orderings,
)

__all__ = [
    "solve_ordering",
    "solve_orderings",
]
