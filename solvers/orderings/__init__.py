"""Linear orderings: the best order by how much each pair is worth one way round.

Maximise the sum of ``matrix[i, j]`` over all pairs with i before j; only
``matrix - matrix.T`` matters to the order. It is what makes a consensus of many votes
(:func:`ltr.solvers.kemeny`), decodes pairwise preferences, and triangulates
input-output tables. For scores of *neighbours* see ``solve_path``: a path through
preferences is a bad order of them.
"""

from ltr.solvers.orderings.solve import (
    solve_ordering,
    solve_orderings,
)

__all__ = [
    "solve_ordering",
    "solve_orderings",
]
