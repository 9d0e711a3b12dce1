"""What follows from answers: chains of them, and the cuts that break the chains."""

from __future__ import annotations

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray


class Closure:
    """The transitive closure R of answers "i is better than j", kept up to date.

    Items are numbered by their place in the first stage. Items of a cycle of answers
    reach each other; then neither is *strictly* above the other.

    Parameters
    ----------
    n_items : int
        Number of items.

    Attributes
    ----------
    reaches : bool array of shape (n_items, n_items)
        R: [i, j] if a chain of answers leads from i down to j.
    is_settled : bool array of shape (n_items, n_items)
        Symmetric: pairs that need no question, since a chain connects them, or since
        they were asked about in vain.

    Examples
    --------
    >>> closure = Closure(4)
    >>> closure.add(2, 0)
    >>> closure.add(0, 1)
    >>> bool(closure.reaches[2, 1]), closure.n_above().tolist()
    (True, [1, 2, 0, 0])
    >>> closure.add(1, 2)  # a cycle: none of the three is strictly above another
    >>> closure.n_above().tolist()
    [0, 0, 0, 0]
    """

    def __init__(self, n_items: int) -> None:
        self.reaches = np.zeros((n_items, n_items), dtype=bool)
        self.is_settled = np.eye(n_items, dtype=bool)

    def add(self, better: int, worse: int) -> None:
        """Add the answer that one item is better than another.

        R becomes R ∪ (↑better × ↓worse), where ↑i is i with all that reach it, and ↓j
        is j with all that it reaches.

        Parameters
        ----------
        better, worse : int
            Items.
        """
        reaches = self.reaches
        if reaches[better, worse]:
            return
        above, below = reaches[:, better].copy(), reaches[worse].copy()
        above[better] = below[worse] = True
        new = np.ix_(above, below)
        reaches[new] = True
        self.is_settled[new] = True
        self.is_settled[np.ix_(below, above)] = True

    def add_tie(self, i: int, j: int) -> None:
        """Note that a pair was asked about, without a preference."""
        self.is_settled[i, j] = self.is_settled[j, i] = True

    def strict(self) -> BoolArray:
        """[i, j]: i is above j, and no chain leads back."""
        return self.reaches & ~self.reaches.T

    def n_above(self) -> IntArray:
        """Number of items strictly above each item."""
        return np.asarray(self.strict().sum(axis=0))

    def order(self) -> list[int]:
        """An order near the first stage that no chain of answers contradicts.

        The items of the first stage come one after the other, each preceded by those
        strictly above it. Items of a cycle follow each other in first-stage order.

        Returns
        -------
        order : list of int

        Examples
        --------
        >>> closure = Closure(4)
        >>> closure.add(3, 1)
        >>> closure.order()
        [0, 3, 1, 2]
        """
        strict, n_above = self.strict(), self.n_above()
        is_cyclic = self.reaches & self.reaches.T
        np.fill_diagonal(is_cyclic, True)
        is_placed = np.zeros(len(strict), dtype=bool)
        order: list[int] = []
        for item in range(len(strict)):
            # an item strictly above another has fewer strictly above itself
            above = np.flatnonzero(strict[:, item] & ~is_placed)
            for member in [*above[np.argsort(n_above[above], kind="stable")], item]:
                if not is_placed[member]:
                    cycle = np.flatnonzero(is_cyclic[member])
                    is_placed[cycle] = True
                    order += cycle.tolist()
        return order

    def best_order(self, gains: FloatArray, work_limit: float = 2.0) -> list[int]:
        """:meth:`order`, with the items of each cycle in their best order.

        If gains are those of the answers, no order has a greater sum: between cycles,
        all answers agree with it.

        Parameters
        ----------
        gains : array of shape (n_items, n_items)
            [i, j]: how much speaks for i before j; see
            :func:`ltr.solvers.solve_ordering`.
        work_limit : float, default=2.0
            Of the solver, for each cycle.

        Returns
        -------
        order : list of int
        """
        from ltr.solvers import solve_ordering

        order = self.order()
        is_cyclic = self.reaches & self.reaches.T
        place = 0
        while place < len(order):
            size = max(1, int(is_cyclic[order[place]].sum()))
            if size > 1:
                items = np.array(order[place : place + size])
                inside = gains[np.ix_(items, items)]
                solution = solve_ordering(inside, work_limit=work_limit)
                assert solution.order is not None
                order[place : place + size] = items[solution.order].tolist()
            place += size
        return order


def open_items(closure: Closure, k: int, size: int) -> list[int]:
    """The next items that a tournament compares with each other.

    Candidates are the items with fewer than k strictly above them. A candidate is open
    if its relation to another candidate is not settled. The first open candidate is
    taken, by (number above, number below, first-stage place), and then, by this order,
    each that has an open relation to one already taken. Once none is open, the
    candidates form a chain, whose first k items are above all others.

    Parameters
    ----------
    closure : Closure
        What is known.
    k : int
        Places that matter.
    size : int
        Most items, at least 2.

    Returns
    -------
    items : list of int
        At least two, in the order in which they were taken; empty if none is open.

    Examples
    --------
    >>> closure = Closure(5)
    >>> open_items(closure, 1, 3)
    [0, 1, 2]
    >>> for item in (0, 2):
    ...     closure.add(1, item)
    >>> open_items(closure, 1, 3)
    [3, 4, 1]
    >>> for item in (3, 4):
    ...     closure.add(1, item)
    >>> open_items(closure, 1, 3)
    []
    """
    strict = closure.strict()
    n_above, n_below = strict.sum(axis=0), strict.sum(axis=1)
    is_candidate = n_above < k
    is_open = ~closure.is_settled & is_candidate & is_candidate[:, None]
    candidates = np.flatnonzero(is_open.any(axis=1))
    if not len(candidates):
        return []
    # lexsort: the last key decides first, and ties keep the first-stage order
    ranked = candidates[np.lexsort((n_below[candidates], n_above[candidates]))].tolist()
    taken = [ranked[0]]
    for item in ranked[1:]:
        if len(taken) == size:
            break
        if is_open[item, taken].any():
            taken.append(item)
    return taken


def closed(answers: IntArray | BoolArray) -> BoolArray:
    """The transitive closure of a matrix of answers.

    Parameters
    ----------
    answers : int or bool array of shape (n, n)
        [i, j]: how many answers put i above j, or whether one does.

    Returns
    -------
    reaches : bool array of shape (n, n)

    Examples
    --------
    >>> closed(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]])).astype(int)
    array([[0, 1, 1],
           [0, 0, 1],
           [0, 0, 0]])
    """
    reaches = answers > 0
    for item in range(len(reaches)):  # Warshall, 1962
        reaches |= reaches[:, item, None] & reaches[item]
    return reaches


def min_cut(answers: IntArray, source: int, sink: int) -> int:
    """Fewest answers to remove so that no chain leads from one item to another.

    By Menger's theorem, it is the maximum flow if each answer carries one unit.

    Parameters
    ----------
    answers : int array of shape (n, n)
        [i, j]: how many answers put i above j.
    source, sink : int
        Different items.

    Returns
    -------
    cut : int

    Examples
    --------
    >>> min_cut(np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]]), 0, 2)
    2
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_flow

    capacities = csr_array(answers.astype(np.int32))
    return int(maximum_flow(capacities, source, sink).flow_value)


def short_chains(answers: IntArray, rows: slice) -> IntArray:
    """Lower bounds of minimum cuts: chains of one or two answers, without a common one.

    Chains i → m → j through different m share no answer, so that a cut costs at least
    a_ij + Σ_m min(a_im, a_mj).

    Parameters
    ----------
    answers : int array of shape (n, n)
        [i, j]: how many answers put i above j.
    rows : slice
        Sources.

    Returns
    -------
    bounds : int array of shape (n_rows, n)

    Examples
    --------
    >>> short_chains(np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]]), slice(0, 1))
    array([[0, 1, 2]])
    """
    part = answers[rows]
    return np.asarray(part + np.minimum(part[:, :, None], answers).sum(axis=1))
