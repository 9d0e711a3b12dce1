"""Choose ``k`` items that represent many rankings, by the rules of committee elections.

A rule assigns a value to each committee; :func:`select_committee` finds the committee
of greatest value, under quotas on groups of items if there are any.
"""

from __future__ import annotations

from ltr.solvers.committees.solve import select_committee

__all__ = ["select_committee"]
