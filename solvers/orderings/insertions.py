"""An order whose best insertions are known at all times, as a table of prefix sums."""

from typing import Self

import numpy as np

from ltr.queries import FloatArray, IntArray

# Units of work of a step and of a table, each with an overhead and a part per entry.
_STEP, _STEP_PER_ENTRY = 2e-5, 1.5e-9
_TABLE, _TABLE_PER_ENTRY = 3e-5, 6e-9


class InsertionTable:
    """An order and the sums of each item's gains over each prefix of it.

    Let T[p, i] be the sum of the gains of item i over the items at positions < p. If i
    leaves position a for the gap before position p, exactly the pairs with the items in
    between are reversed, which gains 2·(T[a, i] - T[p, i]) for p on either side, since
    the gains are antisymmetric. So the best gap of an item is the least entry of its
    column; a move from a to b changes the rows a + 1, …, b (or b + 1, …, a) only.

    Parameters
    ----------
    gains : float array of shape (n, n)
        Antisymmetric.
    order : int array of shape (n,)
        The first order.
    least : float
        Gains up to this are rounding errors.

    Attributes
    ----------
    order : int array of shape (n,)
        The current order, changed in place.
    is_locally_best : bool
        Whether no insertion gains, as the last climb has shown.
    work : float
        Units of work so far.

    Examples
    --------
    >>> gains = np.array([[0.0, 1.0, 2.0], [-1.0, 0.0, 3.0], [-2.0, -3.0, 0.0]])
    >>> table = InsertionTable(gains, np.array([2, 0, 1]), least=1e-9)
    >>> table.climb(), table.order
    (10.0, array([0, 1, 2]))
    """

    def __init__(self, gains: FloatArray, order: IntArray, least: float) -> None:
        n = len(order)
        self._gains, self._least = gains, least
        self._items = np.arange(n)
        self._sums = np.zeros((n + 1, n))  # T
        self._place = np.empty(n, dtype=np.int64)  # position of each item
        self.order = np.empty(n, dtype=np.int64)
        self.work, self.is_locally_best = 0.0, n < 2
        self.set_order(order)

    def set_order(self, order: IntArray) -> None:
        """Replace the order, and compute the table again."""
        self.order[:] = order
        self._place[order] = self._items
        # Σ_{q < p} gains[i, order[q]] = -Σ_{q < p} gains[order[q], i]
        np.cumsum(self._gains[order], axis=0, out=self._sums[1:])
        np.negative(self._sums[1:], out=self._sums[1:])
        self.work += _TABLE + _TABLE_PER_ENTRY * len(order) ** 2

    def assign(self, other: Self) -> None:
        """Take the order and the table of another one."""
        np.copyto(self.order, other.order)
        np.copyto(self._place, other._place)
        np.copyto(self._sums, other._sums)

    def gain(self, a: int, b: int) -> float:
        """Gain of moving the item at position a to position b."""
        column = self._sums[:, self.order[a]]
        return 2.0 * float(column[a] - column[b + 1 if b > a else b])

    def move(self, a: int, b: int) -> None:
        """Move the item at position a to position b."""
        order, sums = self.order, self._sums
        item = order[a]
        own = self._gains[item]  # of i over the item: -own[i]
        if a < b:
            sums[a + 1 : b + 1] = sums[a + 2 : b + 2] + own
            order[a:b] = order[a + 1 : b + 1]
        else:
            sums[b + 1 : a + 1] = sums[b:a] - own
            order[b + 1 : a + 1] = order[b:a]
        order[b] = item
        low, high = min(a, b), max(a, b) + 1
        self._place[order[low:high]] = self._items[low:high]

    def climb(self, max_work: float = np.inf) -> float:
        """Insert while that improves, until ``max_work``, and return the gain.

        In each round every item whose range overlaps no better move goes to its best
        gap: of moves over disjoint ranges, none changes the gain of another. Of equal
        gains, that of the item which stands earlier comes first.
        """
        n, sums = len(self.order), self._sums
        total, end = 0.0, self.work + max_work
        is_moved = np.zeros(n, dtype=bool)
        while n > 1 and self.work < end:
            own = sums[self._items, self.order]  # T[a, i] of the item i at position a
            gains = 2 * (own - sums.min(axis=0)[self.order])
            positions = np.flatnonzero(gains > self._least)
            self.work += _STEP + _STEP_PER_ENTRY * n * n
            self.is_locally_best = not len(positions)
            if self.is_locally_best:
                break
            by_gain = positions[np.argsort(-gains[positions], kind="stable")]
            is_moved[:] = False
            for item in self.order[by_gain].tolist():
                a = int(self._place[item])
                if is_moved[a]:
                    continue
                gap = int(sums[:, item].argmin())
                b = gap if gap <= a else gap - 1
                between = slice(min(a, b), max(a, b) + 1)
                if b != a and not is_moved[between].any():
                    is_moved[between] = True
                    total += self.gain(a, b)
                    self.move(a, b)
        return total
