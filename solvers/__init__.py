"""Orders with a proof: paths, linear orderings, assignments and committees.

All solvers maximize. Each returns a :class:`Solution`: an order (0-based item indices,
best first), its objective, an upper bound on the objective of every order, and a status
that follows from the two. ``order`` is None if the status is UNKNOWN (a limit was
reached) or INFEASIBLE (``conflict`` names constraints that clash). This package imports
only the ground floor of ``ltr``.

=============================================  =========================================
input                                          solver
=============================================  =========================================
votes: complete or partial rankings            :func:`kemeny`, :func:`footrule`,
                                               :func:`plackett_luce`;
                                               :func:`orders_from_ranks` from ranks
counts of pairwise comparisons                 :func:`solve_ordering`,
                                               :func:`bradley_terry`, :func:`borda`,
                                               :func:`ranked_pairs`, :func:`schulze`
the gain if i *precedes* j                     :func:`solve_ordering`
the gain of placing j *directly after* i       :func:`solve_path`
a score per item, and constraints              :func:`solve_assignment`
a score per item, groups that share exposure   :func:`fair_exposure`
votes, and k items to choose                   :func:`select_committee`
relevance and similarity, k items to choose    :func:`diversify`
=============================================  =========================================

:func:`verify` checks any solution by code that shares nothing with the solvers.
``solution.is_unique`` says whether ties leave others as good, if it is known, and
:func:`all_optimal` lists them. Items are numbers from 0; :mod:`ltr.fusion` takes runs
of named documents.

:mod:`ltr.solvers.dynamic` sums over all orders of short lists in JAX (log Z, marginals,
samples); :mod:`ltr.solvers.differentiable` puts any solver inside ``jit`` and ``grad``.
Both load JAX and are imported by name.
"""

from __future__ import annotations

if __name__ != "ltr.solvers":
    raise ImportError(
        f"this folder is the package 'ltr.solvers'; it was imported as {__name__!r} "
        "because the repository root is on sys.path. Use 'import ltr.solvers'."
    )

from ltr.solvers.assignment import solve_assignment
from ltr.solvers.assignment.exposure import FairLottery, birkhoff, fair_exposure
from ltr.solvers.assignment.fair_prefixes import det_const_sort, fair_minimums
from ltr.solvers.committees import select_committee
from ltr.solvers.consensus import (
    CondorcetOrder,
    borda,
    bradley_terry,
    comparisons_to_matrix,
    copeland,
    footrule,
    kemeny,
    kemeny_distance,
    orders_from_ranks,
    pairwise_counts,
    plackett_luce,
    ranked_pairs,
    schulze,
)
from ltr.solvers.core.batches import Interrupted
from ltr.solvers.core.constraints import (
    AtMost,
    ExposureShare,
    FixedPosition,
    Precedence,
    Quota,
    Together,
    Window,
    explain_conflict,
    within,
)
from ltr.solvers.core.solution import Lottery, Solution, Status
from ltr.solvers.diversity import diversify
from ltr.solvers.orderings import solve_ordering, solve_orderings
from ltr.solvers.paths import solve_path, solve_paths
from ltr.solvers.verification import (
    Fault,
    OptimalSet,
    Verification,
    all_optimal,
    verify,
)

__all__ = [
    "AtMost",
    "CondorcetOrder",
    "ExposureShare",
    "FairLottery",
    "Fault",
    "FixedPosition",
    "Interrupted",
    "Lottery",
    "OptimalSet",
    "Precedence",
    "Quota",
    "Solution",
    "Status",
    "Together",
    "Verification",
    "Window",
    "all_optimal",
    "birkhoff",
    "borda",
    "bradley_terry",
    "comparisons_to_matrix",
    "copeland",
    "det_const_sort",
    "diversify",
    "explain_conflict",
    "fair_exposure",
    "fair_minimums",
    "footrule",
    "kemeny",
    "kemeny_distance",
    "orders_from_ranks",
    "pairwise_counts",
    "plackett_luce",
    "ranked_pairs",
    "schulze",
    "select_committee",
    "solve_assignment",
    "solve_ordering",
    "solve_orderings",
    "solve_path",
    "solve_paths",
    "verify",
    "within",
]

# A pickle names a class by its module: this one outlasts moves inside the package.
for _name in __all__:
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
del _name
