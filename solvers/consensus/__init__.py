"""One order from many: Kemeny's consensus, and the scores that it is compared with.

Everywhere a ranking is a sequence of item numbers 0, …, n - 1, best first; items that
are tied stand in an inner tuple, and a partial ranking leaves items out. Thus
``[[2, 0, 1], [(0, 1), 2], [1]]`` are three votes. Rankings of one length without ties
may be an integer array of shape (n_rankings, k). A table of *ranks* becomes rankings by
:func:`orders_from_ranks`.
"""

from ltr.solvers.consensus.kemeny import (
    borda,
    comparisons_to_matrix,
    copeland,
    footrule,
    kemeny,
    kemeny_distance,
    orders_from_ranks,
    pairwise_counts,
)

__all__ = [
    "borda",
    "comparisons_to_matrix",
    "copeland",
    "footrule",
    "kemeny",
    "kemeny_distance",
    "orders_from_ranks",
    "pairwise_counts",
]
