"""A check of solutions by code that shares nothing with the solvers.

``problems`` reads a call; ``candidates`` has the constraints of its orders, ``orders``
and ``votes`` their values; ``checks`` compares; ``alternatives`` lists all best orders,
with a solver that its caller passes.
"""

from ltr.solvers.verification.alternatives import OptimalSet, all_optimal
from ltr.solvers.verification.checks import Fault, Verification, verify

__all__ = ["Fault", "OptimalSet", "Verification", "all_optimal", "verify"]
