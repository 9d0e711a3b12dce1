"""Numbers of members of groups in an order, and runs of nodes that break their bounds.

A bound on the first t items depends on which items these are, but not on their order:
it is broken by a run from the depot, and by one to the depot, whatever follows.
"""

from collections.abc import Sequence

import numpy as np

from ltr.queries import BoolArray, IntArray
from ltr.solvers.core.groups import GroupBounds


class GroupCounts:
    """The bounds of all groups of a problem, as arrays.

    Parameters
    ----------
    groups : tuple of GroupBounds
        The groups.
    n_items : int
        Number of items.

    Attributes
    ----------
    members : bool array of shape (n_groups, n_items)
        Items of each group.
    lower, upper : int arrays of shape (n_groups, n_items + 1)
        Bounds on the number of members in each prefix.
    """

    def __init__(self, groups: tuple[GroupBounds, ...], n_items: int) -> None:
        self.groups = groups
        self.members = np.zeros((len(groups), n_items), dtype=bool)
        for row, group in zip(self.members, groups, strict=True):
            row[list(group.items)] = True
        shape = len(groups), n_items + 1
        self.lower = np.array([g.lower for g in groups], dtype=np.int64).reshape(shape)
        self.upper = np.array([g.upper for g in groups], dtype=np.int64).reshape(shape)
        # groups with the same windows are checked together
        numbers: dict[tuple[int, int, int], list[int]] = {}
        for number, group in enumerate(groups):
            for stretch in group.windows:
                numbers.setdefault(stretch, []).append(number)
        self._windows = [(s, np.array(rows)) for s, rows in numbers.items()]

    def counts(self, order: IntArray) -> IntArray:
        """Members among the first 0, 1, … items, shape (n_groups, len(order) + 1)."""
        counts = np.zeros((len(self.members), len(order) + 1), dtype=np.int64)
        np.cumsum(self.members[:, order], axis=1, out=counts[:, 1:])
        return counts

    def keeps(self, order: Sequence[int] | IntArray) -> bool:
        """Whether an order of all items keeps all bounds."""
        counts = self.counts(np.asarray(order, dtype=np.int64))
        if (counts < self.lower).any() or (counts > self.upper).any():
            return False
        for (limit, length, top), rows in self._windows:
            upto = counts[rows, : top + 1]
            if (upto[:, length:] - upto[:, :-length] > limit).any():
                return False
        return True

    def candidates(self, order: Sequence[int]) -> BoolArray:
        """Which items may come next, of those that are not in the order yet.

        A group of r items with at most l in any w positions needs w positions for each
        l of them: where only as many positions remain, one of its items comes next.
        """
        placed, n = len(order), self.members.shape[1]
        counts = self.counts(np.array(order, dtype=np.int64))
        is_full = counts[:, -1] + 1 > self.upper[:, placed + 1]
        is_due = counts[:, -1] < self.lower[:, placed + 1]
        urgent = np.zeros(len(counts), dtype=bool)
        for (limit, length, top), rows in self._windows:
            if placed >= top:
                continue
            recent = counts[rows, -1] - counts[rows, max(0, placed + 1 - length)]
            is_full[rows[recent >= limit]] = True
            if top >= n:
                n_others = self.members[rows].sum(axis=1) - counts[rows, -1] - 1
                span = n_others // limit * length + n_others % limit + 1
                urgent[rows[(n_others >= 0) & (span >= n - placed)]] = True
        allowed = ~self.members[is_full].any(axis=0)
        allowed &= self.members[is_due].all(axis=0)
        allowed &= self.members[urgent].all(axis=0)
        return np.asarray(allowed)

    def broken_runs(self, order: Sequence[int]) -> list[tuple[int, int]]:
        """Return runs of an order that break bounds, as (begin, end) of positions.

        No order that keeps the bounds has the items begin, …, end - 1 in this sequence,
        if the run begins at position 0 only as its first ones, if it ends at the last
        position as its last ones.
        """
        items = np.asarray(order, dtype=np.int64)
        n, runs = len(items), list[tuple[int, int]]()
        counts, t = self.counts(items), np.arange(len(items) + 1)
        for k, group in enumerate(self.groups):
            inside = self.members[k, items]
            # too few members are too many other items
            for is_in, number, upper in (
                (inside, counts[k], self.upper[k]),
                (~inside, t - counts[k], t - self.lower[k]),
            ):
                broken = np.flatnonzero(number > upper)
                if not broken.size:
                    continue
                # the prefix up to the first item that is too many
                first = int(broken[0])
                end = int(np.flatnonzero(is_in)[max(0, upper[first])]) + 1
                runs.append((0, end))
                # the suffix from the first of the others that are too many
                last = int(broken[-1])
                n_others = n - last - (int(number[-1]) - int(upper[last]))
                others = np.flatnonzero(~is_in)
                if 0 <= n_others < len(others):
                    runs.append((int(others[-1 - n_others]), n))
            for limit, length, top in group.windows:
                places = np.flatnonzero(inside[:top])
                spans = places[limit:] - places[: len(places) - limit]
                if not spans.size or spans.min() >= length:
                    continue
                i = int(spans.argmin())
                begin, end = int(places[i]), int(places[i + limit]) + 1
                # beyond the top the same run is allowed
                runs += [(begin, end)] if top >= n else [(0, end), (begin, n)]
        return runs
