"""Items at positions under constraints: quotas, caps, fixed slots, precedences."""

from __future__ import annotations

from ltr.solvers.assignment.solve import assign, broken_rule, solve_assignment

__all__ = [
    "assign",
    "broken_rule",
    "solve_assignment",
]
