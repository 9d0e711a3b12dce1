"""Positions of the relevant items of every list, and the contents of tie groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ltr.queries import FloatArray, IntArray


@dataclass(frozen=True)
class RelevantSlots:
    """The relevant items of every list, best first, with their tie groups.

    Attributes
    ----------
    slot : int array of shape (n,)
        Slot of each relevant item that was returned.
    lists : int array of shape (n,)
        Number of its list.
    total : float array of shape (n_lists,)
        Relevant items of each list, returned or not.
    before : float array of shape (n,)
        Relevant items in earlier tie groups of the list.
    inside : float array of shape (n,)
        Relevant items in the same tie group, itself included.
    begin, end : int arrays of shape (n,)
        Positions of the tie group.
    """

    slot: IntArray
    lists: IntArray
    total: FloatArray
    before: FloatArray
    inside: FloatArray
    begin: IntArray
    end: IntArray

    @property
    def size(self) -> IntArray:
        """Items in the tie group of each relevant item, shape (n,)."""
        return self.end - self.begin

    def sum_lists(self, values: FloatArray) -> FloatArray:
        """Sum a value per relevant item over each list, shape (n_lists,)."""
        sums = np.bincount(self.lists, values, minlength=len(self.total))
        return sums.astype(np.float64, copy=False)  # bincount of nothing is of integers

    def expected_weight(self, weights: FloatArray) -> FloatArray:
        """Mean of a weight per position over the tie group of each item.

        Parameters
        ----------
        weights : float array of shape (max_list_size,)
            Weight of positions 0, 1, ….

        Returns
        -------
        expected : float array of shape (n,)
        """
        expected = weights[self.begin]
        tied = np.flatnonzero(self.size > 1)
        if len(tied):
            total = np.append(0.0, np.cumsum(weights))
            begin, end = self.begin[tied], self.end[tied]
            expected[tied] = (total[end] - total[begin]) / (end - begin)
        return expected

    def in_top(self, k: int | IntArray) -> FloatArray:
        """Expected number of relevant items among the first ``k``.

        If ``k`` cuts a tie group, each of its items counts in part.

        Parameters
        ----------
        k : int or int array of shape (n_lists,)
            Cut-off, one for all lists or one for each.

        Returns
        -------
        expected : float array of shape (n_lists,)
        """
        depth = np.broadcast_to(k, self.total.shape)[self.lists]
        inside = np.clip(depth - self.begin, 0, self.size)
        return self.sum_lists(inside / self.size)

    @classmethod
    def count(
        cls,
        slot: IntArray,
        lists: IntArray,
        total: FloatArray,
        begin: IntArray,
        end: IntArray,
    ) -> RelevantSlots:
        """Count the relevant items before and inside each tie group.

        Parameters
        ----------
        slot : int array of shape (n,)
            Slots, ascending.
        lists : int array of shape (n,)
            Number of the list of each.
        total : float array of shape (n_lists,)
            Relevant items of each list, returned or not.
        begin, end : int arrays of shape (n,)
            Positions of their tie groups.

        Returns
        -------
        slots : RelevantSlots
        """
        n_returned = np.bincount(lists, minlength=len(total))
        before = np.arange(len(slot)) - (np.cumsum(n_returned) - n_returned)[lists]
        inside = np.ones(len(slot))
        # Relevant items of one tie group are neighbors here, whatever stood between
        # them: a group begins where list or position changes.
        begins = np.ones(len(slot), dtype=bool)
        begins[1:] = (begin[1:] != begin[:-1]) | (lists[1:] != lists[:-1])
        heads = np.flatnonzero(begins)
        if len(heads) < len(slot):
            length = np.diff(heads, append=len(slot))
            before = np.repeat(before[heads], length)
            inside = np.repeat(length, length).astype(np.float64)
        return cls(slot, lists, total, before.astype(np.float64), inside, begin, end)


def expected_at_first(relevant: RelevantSlots, weights: FloatArray) -> FloatArray:
    """Expected weight of the position of the first relevant item of each list.

    It lies in the first tie group with a relevant item. Of the C(m, r) equally likely
    sets of places for the r relevant ones of its m items, C(m − 1 − j, r − 1) have the
    first one at place j = 0, 1, …: the others are behind it.

    Parameters
    ----------
    relevant : RelevantSlots
        The relevant items.
    weights : float array of shape (max_list_size,)
        Weight of positions 0, 1, ….

    Returns
    -------
    expected : float array of shape (n_lists,)
        0 for a list without a relevant item.

    Examples
    --------
    >>> one = np.array([0])
    >>> relevant = RelevantSlots.count(one, one, np.ones(1), one, one + 2)
    >>> expected_at_first(relevant, np.array([1.0, 0.5])).tolist()
    [0.75]
    """
    expected = np.zeros(len(relevant.total))
    heads = np.flatnonzero(np.diff(relevant.lists, prepend=-1))  # of each list
    expected[relevant.lists[heads]] = weights[relevant.begin[heads]]
    tied = heads[relevant.size[heads] > 1]
    if len(tied) == 0:
        return expected
    from scipy.special import gammaln  # slow to import, and needed under ties only

    m, r = relevant.size[tied], relevant.inside[tied].astype(np.intp)
    # One cell for each tie group and each place j = 0 … m − r in it, group by group:
    # P(j) = C(m − 1 − j, r − 1) / C(m, r)
    #      = r (m − 1 − j)! (m − r)! / ((m − r − j)! m!)
    n_places = m - r + 1
    group = np.repeat(np.arange(len(tied)), n_places)
    j = np.arange(len(group)) - np.repeat(np.cumsum(n_places) - n_places, n_places)
    log_factorial = gammaln(np.arange(1.0, m.max() + 2.0))  # log n! = log Γ(n + 1)
    log_scale = np.log(r) + log_factorial[m - r] - log_factorial[m]
    chance = np.exp(
        log_scale[group]
        + log_factorial[m[group] - 1 - j]
        - log_factorial[(m - r)[group] - j]
    )
    value = chance * weights[relevant.begin[tied][group] + j]
    expected[relevant.lists[tied]] = np.bincount(group, value, minlength=len(tied))
    return expected
