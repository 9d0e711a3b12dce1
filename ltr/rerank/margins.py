"""How many more answers every order with another top k contradicts."""

from __future__ import annotations

import math

import numpy as np

from ltr.queries import BoolArray, IntArray
from ltr.rerank.closure import closed, min_cut, short_chains

# Units of work, about a second each, for one pair.
_WORK = 0.5
# Most pairs that are solved among 50 items; more items take longer.
_PAIRS_OF_50 = 500
_TABLE_ITEMS = 12  # up to which a table of sets solves a pair at once


def margin_of(answers: IntArray, k: int, order: IntArray) -> int:
    r"""How many more answers than the best order one with another top k contradicts.

    An order has another top k than 0, …, k − 1 if and only if an item j from outside
    precedes an item i of the top k. Let c(A) be the fewest answers that an order
    contradicts, and :math:`c_{ij}(A)` the fewest of an order with j before i. The
    margin is the least :math:`c_{ij}(A) - c(A)`.

    1. The items x with chains i → x → j form a union M of strong components of the
       answers. Adding j → i makes it one, and changes no other component. As components
       are ordered independently, :math:`c_{ij}(A) - c(A) = c_{ij}(M) - c(M)`, and 0
       without a chain.
    2. The order has to contradict an answer of each chain: :math:`c_{ij}(M)` is the
       minimum cut between i and j at least, and equal to it if M has no cycle.
    3. Inside the components of M, every order contradicts c(M) answers at least. So the
       minimum cut of the answers *between* components is a bound of the difference.
    4. What remains is solved with ``Precedence(j, i)``. The bound of the solver counts,
       less the answers that the best order known contradicts.

    Parameters
    ----------
    answers : int array of shape (n, n)
        [i, j]: how many answers put i above j.
    k : int
        Less than n. The top k are the items 0, …, k − 1.
    order : int array of shape (n,)
        The order known to contradict the fewest answers.

    Returns
    -------
    margin : int
        If the work runs out, a lower bound: 0 at least.

    Examples
    --------
    >>> cycle = np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0]])
    >>> margin_of(cycle, 3, np.arange(4)), margin_of(cycle, 1, np.arange(4))
    (1, 0)
    """
    if set(order[:k].tolist()) != set(range(k)):
        return 0
    reaches = closed(answers)
    least = _margin_of_moves(answers, k, order)
    if least <= 0 or not reaches[:k, k:].all():
        return 0
    pairs = _Pairs(answers, reaches, order)
    lower = pairs.quick_bounds(k)
    if pairs.are_too_many(lower, least):
        return 0
    proven = least
    for place in np.argsort(lower, axis=None, kind="stable"):
        i, j = divmod(int(place), lower.shape[1])
        if lower[i, j] >= least:
            break
        low, high = pairs.solve(i, j + k, int(lower[i, j]), least)
        least, proven = min(least, high), min(proven, low)
        if proven <= 0:
            return 0
    return min(least, proven)


def _margin_of_moves(answers: IntArray, k: int, order: IntArray) -> int:
    """The least that it costs to move one item across the border of the top k.

    With D the answers less their transpose, in the order, moving the item at p behind q
    costs Σ D[p, r] over p < r ≤ q, and moving the item at q before p Σ D[r, q] over
    p ≤ r < q.
    """
    ranked = answers[np.ix_(order, order)]
    steep = ranked - ranked.T
    behind = np.cumsum(steep, axis=1) - np.cumsum(steep, axis=1).diagonal()[:, None]
    columns = np.cumsum(steep, axis=0)
    before = columns.diagonal() - columns + steep  # Σ over p ≤ r ≤ q, and D[q, q] = 0
    return int(min(behind[:k, k:].min(), before[:k, k:].min()))


class _Pairs:
    """Pairs (i, j) with i in the top k and j outside: cuts, bounds and solves."""

    def __init__(self, answers: IntArray, reaches: BoolArray, order: IntArray) -> None:
        self._answers = answers
        self._mutual = reaches & reaches.T
        self._has_cycle = bool(self._mutual.any())
        np.fill_diagonal(self._mutual, True)
        self._reaches = reaches | self._mutual
        self._between = np.where(self._mutual, 0, answers)
        place = np.argsort(order)
        self._against = np.where(place[:, None] > place, answers, 0)
        self._n_solved = 0

    def quick_bounds(self, k: int) -> IntArray:
        """Lower bounds of the difference, from chains of one or two answers."""
        lower = short_chains(self._between, slice(0, k))[:, k:]
        chains = short_chains(self._answers, slice(0, k))[:, k:]
        return np.maximum(lower, chains - int(self._against.sum()))

    def are_too_many(self, lower: IntArray, least: int) -> bool:
        """Whether pairs that nothing is known of would remain without a solve."""
        k = len(lower)
        if not self._has_cycle:
            return False
        reaches = self._reaches.astype(np.int64)
        n_between = reaches[:k] @ reaches[:, k:]
        is_long = (n_between > _TABLE_ITEMS) & (lower < least) & (lower <= 0)
        return bool(is_long.sum() > _most_pairs(int(n_between.max())))

    def solve(self, i: int, j: int, lower: int, least: int) -> tuple[int, int]:
        """Bounds of the difference; what is proven to reach ``least`` is enough."""
        items = np.flatnonzero(self._reaches[i] & self._reaches[:, j])
        inside = self._answers[np.ix_(items, items)]
        source, sink = np.searchsorted(items, (i, j)).tolist()
        cut = min_cut(inside, source, sink)
        if self._mutual[np.ix_(items, items)].sum() == len(items):  # no cycle
            return cut, cut
        n_against = int(self._against[np.ix_(items, items)].sum())
        between = self._between[np.ix_(items, items)]
        lower = max(
            lower,
            cut - n_against,
            min_cut(between, source, sink),
        )
        if lower >= least:
            return lower, least
        if len(items) > _TABLE_ITEMS:
            if self._n_solved >= _most_pairs(len(items)):
                return lower, least
            self._n_solved += 1
        return _solved(inside, source, sink, n_against, lower, least)


def _most_pairs(n_items: int) -> float:
    """How many pairs are solved: a linear program has n³ constraints."""
    return _PAIRS_OF_50 * (50 / n_items) ** 3


def _solved(
    answers: IntArray, i: int, j: int, n_against: int, lower: int, least: int
) -> tuple[int, int]:
    """Bounds of the fewest answers against an order with j before i, less n_against."""
    from ltr.solvers import Precedence, solve_ordering

    total = int(answers.sum())

    def bound(solution_bound: float) -> int:
        return math.ceil(total - solution_bound - 1e-6) - n_against

    solution = solve_ordering(
        answers,
        constraints=[Precedence(j, i)],
        work_limit=_WORK,
        callback=lambda best: bound(best.bound) >= least,
    )
    high = least
    if solution.order is not None:
        high = min(least, total - round(solution.objective) - n_against)
    return max(lower, bound(solution.bound)), high
