"""Choose ``k`` items that represent many rankings, by the rules of committee elections.

A rule says what a committee is worth to the voters; :func:`select_committee` finds the
committee of greatest worth, under quotas for groups of items if there are any.
"""

from ltr.solvers.committees.solve import (
    select_committee,
)

__all__ = [
    "select_committee",
]
