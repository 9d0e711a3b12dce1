"""Groups of items that stand together: whether a partial order can go on."""

from collections.abc import Iterable, Sequence
from itertools import combinations

from ltr.solvers.core.constraints import Together


class Blocks:
    """Groups as sets of bits, against which partial orders are checked.

    Parameters
    ----------
    groups : sequence of Together
        The groups.
    """

    def __init__(self, groups: Sequence[Together]) -> None:
        self.groups = [sum(1 << item for item in group.items) for group in groups]

    def admits(self, remaining: int) -> bool:
        """Whether all groups may still stand together, given the items not placed.

        A group is open if some of its items are placed and some, R, are not: the next
        |R| items are those of R. So the sets R of two open groups are nested. A group
        without placed items that is neither inside nor outside of R ends R and goes on
        after it: its items in R are the last of R, so these sets are nested, too. Both
        conditions are necessary; for groups that overlap in a row they suffice.

        Parameters
        ----------
        remaining : int
            Bit set of the items that are not in the order yet.
        """
        groups, later = list[int](), list[int]()
        for group in self.groups:
            rest = group & remaining
            if rest == group:
                later.append(group)
            elif rest:
                groups.append(rest)
        return _are_nested(groups) and all(
            _are_nested(
                group & rest for group in later if group & rest and group & ~rest
            )
            for rest in groups
        )


def _are_nested(sets: Iterable[int]) -> bool:
    return all(a & b in (a, b) for a, b in combinations(sets, 2))
