"""One order from many: Kemeny's consensus, and the scores that compete with it.

Throughout, a ranking is a sequence of item numbers 0, …, n - 1, best first; tied items
form an inner tuple, and a partial ranking omits items. Thus
``[[2, 0, 1], [(0, 1), 2], [1]]`` are three votes. Rankings of equal length without ties
may be an integer array of shape (n_rankings, k). :func:`orders_from_ranks` converts a
table of *ranks* to rankings.
"""

from __future__ import annotations

from ltr.solvers.consensus.bradley_terry import bradley_terry
from ltr.solvers.consensus.condorcet import CondorcetOrder, ranked_pairs, schulze
from ltr.solvers.consensus.counts import (
    comparisons_to_matrix,
    orders_from_ranks,
    pairwise_counts,
)
from ltr.solvers.consensus.footrule import footrule
from ltr.solvers.consensus.kemeny import kemeny, kemeny_distance
from ltr.solvers.consensus.plackett_luce import plackett_luce
from ltr.solvers.consensus.scores import borda, copeland

__all__ = [
    "CondorcetOrder",
    "borda",
    "bradley_terry",
    "comparisons_to_matrix",
    "copeland",
    "footrule",
    "kemeny",
    "kemeny_distance",
    "orders_from_ranks",
    "pairwise_counts",
    "plackett_luce",
    "ranked_pairs",
    "schulze",
]
