"""Where a user who reads a list from the top stops: the probabilities behind ERR."""

from __future__ import annotations

import numpy as np

from ltr.metrics.ranked import RankedLists
from ltr.queries import FloatArray


def expected_stop(lists: RankedLists, stop: FloatArray, k: int | None) -> FloatArray:
    """Expected contribution of each slot to ERR, given its stop probability R.

    The user reaches a tie group with probability Π (1 − R) over all earlier slots. A
    random order of its m items begins with each j-subset equally often, so the user
    passes the first j of them with probability e_j, the mean of Π (1 − R) over all
    j-subsets, and stops at the j-th with probability e_{j−1} − e_j, where e_0 = 1.

    Parameters
    ----------
    lists : RankedLists
        Lists in ranked order.
    stop : float array of shape (n_samples,)
        Probability R of stopping at each slot, once it is read.
    k : int or None
        Cut-off.

    Returns
    -------
    share : float array of shape (n_samples,)
        Its sum over a list is ERR.

    Examples
    --------
    >>> from ltr.metrics.ranked import rank_lists
    >>> lists = rank_lists([0, 1], [0.5, 0.5], None)
    >>> expected_stop(lists, np.array([0.0, 1.0]), None).tolist()
    [0.5, 0.25]
    """
    inverse_rank = lists.cut(1.0 / np.arange(1.0, lists.max_size + 1.0), k)
    go_on = 1.0 - stop
    stop_at = stop.copy()
    group_size = lists.tie_end - lists.tie_begin
    is_tied = (group_size > 1) & (lists.position == lists.tie_begin)
    for slot in np.flatnonzero(is_tied):
        group = slice(slot, slot + group_size[slot])
        stop_at[group] = -np.diff(_mean_subset_products(go_on[group]), prepend=1.0)
    group_start = np.arange(len(stop)) - (lists.position - lists.tie_begin)
    reached = _products_before(lists, go_on)[group_start]
    return reached * stop_at * lists.only_returned(inverse_rank[lists.position])


def _products_before(lists: RankedLists, factors: FloatArray) -> FloatArray:
    """Product of the factors of all earlier slots of the same list.

    Position by position over all lists at once, the longest ones first, so that the
    lists that still have a slot are a prefix.
    """
    before = np.zeros(len(factors))
    starts = lists.queries.starts[:-1]
    longest_first = np.argsort(-lists.queries.sizes, kind="stable")
    sizes, slots = lists.queries.sizes[longest_first], starts[longest_first]
    product = np.ones(len(slots))
    for _ in range(sizes[0]):
        before[slots] = product
        n_longer = np.searchsorted(-sizes, -1)  # lists with a slot after this one
        product = product[:n_longer] * factors[slots[:n_longer]]
        slots, sizes = slots[:n_longer] + 1, sizes[:n_longer] - 1
        if not product.any():
            break
    return before


def _mean_subset_products(factors: FloatArray) -> FloatArray:
    """Mean product over all subsets of size 1, 2, …, m of ``factors``.

    Factors are added one by one. Of the j-subsets of m factors, a share j / m has the
    last one: e_j(m) = (1 − j/m) e_j(m − 1) + (j/m) f_m e_{j−1}(m − 1).
    """
    ones = int((factors == 1.0).sum())  # they come first: all their means are 1
    mean = np.zeros(len(factors) + 1)
    mean[: ones + 1] = 1.0
    for m, factor in enumerate(factors[factors != 1.0], start=ones + 1):
        j = np.arange(1, m + 1)
        mean[1 : m + 1] = (1 - j / m) * mean[1 : m + 1] + (j / m) * factor * mean[:m]
    return mean[1:]
