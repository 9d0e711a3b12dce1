"""Simulated annealing of orders under constraints.

Kirkpatrick, Gelatt and Vecchi (1983), "Optimization by simulated annealing". A move
swaps two adjacent segments of the path or reverses a segment, as in
:mod:`~ltr.solvers.paths.segment_search`. Moves are drawn and valued by the thousand on
the path as it is; the few that pass are valued again one by one, on the path as it has
become, so that every accepted move has its exact cost.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.paths.problem import Incumbent, PathProblem

# Fewest items; with less, other methods are exact.
_MIN_ITEMS = 8
# Coolings in a row without a better order after which the search ends.
_MAX_FAILURES = 4
# Cheapest arcs out of a node that moves try to create.
_N_NEAREST = 10
# Share of reversals where all arcs are allowed both ways, and of those among them, as
# of the swaps, that create a cheap arc.
_REVERSALS, _CHEAP = 0.4, 0.6
# Blocks that move have up to _SHORT nodes; this share of them up to _LONG.
_SHORT, _LONG, _SHARE_OF_LONG = 3, 30, 0.15
# Moves drawn at once: the first time, at least, at most. The number is doubled or
# halved so that the accepted moves are between these shares of the number of items.
_BATCH, _MIN_BATCH, _MAX_BATCH = 512, 128, 8192
_FEW_ACCEPTED, _MANY_ACCEPTED = 0.05, 0.25
# The first temperature, as a share of the median of what moves cost that cost
# something, and the last as a share of the first.
_HOT, _COLD = 0.3, 0.01
# Units of work of a batch: fixed, per item and precedence, per move that is drawn, per
# move that passes, and per item of its check if there are more rules than precedences.
_WORK, _WORK_PER_PLACE, _WORK_PER_MOVE = 1.5e-4, 2e-8, 8e-8
_WORK_PER_CHECK, _WORK_PER_RULE = 1.5e-6, 4e-7


class Moves(NamedTuple):
    """Moves of a path, one per entry of the arrays.

    A swap exchanges the segments at places i, …, j - 1 and j, …, k - 1; if j = k, the
    segment at places i, …, k - 1 is reversed. Both ends of the path stay.

    Attributes
    ----------
    i, j, k : int arrays
        Places.
    change : float array
        By how much the path becomes dearer.
    """

    i: IntArray
    j: IntArray
    k: IntArray
    change: FloatArray

    def take(self, moves: IntArray) -> "Moves":
        """Some of the moves."""
        i, j, k = self.i[moves], self.j[moves], self.k[moves]
        return Moves(i, j, k, self.change[moves])


def anneal(
    best: Incumbent, budget: Budget, *, length: float, random_state: int | None = None
) -> None:
    """Anneal again and again, until that has not improved the incumbent for a while.

    Parameters
    ----------
    best : Incumbent
        Its order is the start; without one, nothing is done.
    budget : Budget
        When it is spent, the search ends; the temperature is at its lowest then.
    length : float
        Most units of work of one cooling. After a few without a better order it ends.
    random_state : int, default=None
        Seed. None: 0.
    """
    problem = best.problem
    if best.order is None or problem.n_items < _MIN_ITEMS:
        return
    search = _Annealing(best, np.random.default_rng(random_state or 0))
    n_failures = 0
    while n_failures < _MAX_FAILURES and not (best.is_closed or budget.is_spent):
        cost = best.cost
        search.cool(budget, length)
        n_failures = 0 if best.cost < cost else n_failures + 1


class Successors:
    """Which nodes must come before which, for places of a path and for its segments.

    Parameters
    ----------
    before : bool array of shape (n, n)
        Transitive; node n, the depot, is unrelated.
    """

    def __init__(self, before: BoolArray) -> None:
        self.n_items = len(before)
        self.is_empty = not before.any()
        self._after, self._before = _bits(before), _bits(before.T)
        # the first successor on a path is a direct one: what comes between comes first
        whole = before.astype(np.float32)
        direct = before & ~(whole @ whole > 0)
        self._tails, self._heads = np.nonzero(direct)
        self._by_head = np.argsort(self._heads, kind="stable")

    def __len__(self) -> int:
        return len(self._tails)

    def ranges(self, tour: IntArray) -> tuple[IntArray, IntArray]:
        """Return how far each node may move on a path by itself.

        Parameters
        ----------
        tour : int array of shape (n + 2,)
            Depot, items, depot.

        Returns
        -------
        last, first : int arrays of shape (n + 2,)
            By place: the last place before it with a predecessor, 0 without one; the
            first place after it with a successor, n + 1 without one.
        """
        end = self.n_items + 1
        last = np.zeros(end + 1, dtype=np.int64)
        first = np.full(end + 1, end)
        if not self.is_empty:
            place = np.empty(end, dtype=np.int64)
            place[tour[:-1]] = np.arange(end)
            tails, heads = place[self._tails], place[self._heads]
            # arcs are sorted by their tails, and again by their heads
            begins = np.flatnonzero(np.diff(self._tails, prepend=-1))
            first[tails[begins]] = np.minimum.reduceat(heads, begins)
            by_head = self._by_head
            begins = np.flatnonzero(np.diff(self._heads[by_head], prepend=-1))
            last[heads[by_head][begins]] = np.maximum.reduceat(tails[by_head], begins)
        return last, first

    def can_swap(self, left: list[int], right: list[int]) -> bool:
        """Whether no node of the first list must come before one of the second."""
        if len(left) > len(right):
            left, right, related = right, left, self._before
        else:
            related = self._after
        nodes = 0
        for node in left:
            nodes |= related[node]
        return not nodes or not any(nodes >> node & 1 for node in right)

    def can_reverse(self, nodes: list[int]) -> bool:
        """Whether no two nodes of a segment are in a fixed order."""
        later = 0
        for node in nodes:
            if later >> node & 1:
                return False
            later |= self._after[node]
        return True


def _bits(matrix: BoolArray) -> list[int]:
    """The rows of a matrix as sets of bits, and an empty one for the depot."""
    packed = np.packbits(matrix, axis=1, bitorder="little")
    return [*(int.from_bytes(row.tobytes(), "little") for row in packed), 0]


class _Annealing:
    """A path that is annealed."""

    def __init__(self, best: Incumbent, rng: np.random.Generator) -> None:
        assert best.order is not None
        problem: PathProblem = best.problem
        n = problem.n_items
        self._best, self._problem, self._rng = best, problem, rng
        self._path = [n, *best.order, n]
        self._cost = best.cost
        self._rows: list[list[float]] = problem.cost.tolist()
        self._flat = np.ascontiguousarray(problem.cost).reshape(-1)
        self._nearest = np.argpartition(problem.cost, min(_N_NEAREST, n) - 1, axis=1)
        self._nearest = self._nearest[:, : min(_N_NEAREST, n)]
        rules = problem.rules
        self._successors = Successors(rules.before(n))
        self._has_others = bool(rules.has_positions or rules.together)
        is_allowed = problem.cost < problem.forbidden
        share = (is_allowed & is_allowed.T).sum() / max(1, is_allowed.sum())
        self._share_of_reversals = _REVERSALS * float(share)
        self._work = _WORK + _WORK_PER_PLACE * (n + len(self._successors))
        self._check = _WORK_PER_CHECK + _WORK_PER_RULE * n * self._has_others

    def cool(self, budget: Budget, length: float) -> None:
        """Lower the temperature step by step, as the budget is spent."""
        n, best = self._problem.n_items, self._best
        work, seconds = min(budget.work_left, length), budget.seconds_left
        begun, size, hot = budget.work_done, _BATCH, None
        while not (best.is_closed or budget.is_spent):
            elapsed = (budget.work_done - begun) / work
            if math.isfinite(seconds):
                elapsed = max(elapsed, 1 - budget.seconds_left / seconds)
            if elapsed >= 1:
                return
            moves = self._draw(size)
            if hot is None:
                hot = _HOT * self._typical(moves)
            heat = hot * _COLD**elapsed
            # accepted with probability exp(-change / heat)
            limits = heat * self._rng.exponential(size=len(moves.i))
            passing = np.flatnonzero(moves.change < limits)
            n_accepted = self._apply(moves.take(passing), limits[passing])
            budget.spend(
                self._work + _WORK_PER_MOVE * size + self._check * len(passing)
            )
            if n_accepted < _FEW_ACCEPTED * n:
                size = min(2 * size, _MAX_BATCH)
            elif n_accepted > _MANY_ACCEPTED * n:
                size = max(size // 2, _MIN_BATCH)

    def _typical(self, moves: Moves) -> float:
        """Median of what moves cost that cost something."""
        change = moves.change
        is_dearer = change > self._problem.slack
        dearer = change[is_dearer & (change < self._problem.top * 4)]
        return float(np.median(dearer)) if len(dearer) else self._problem.top

    def _apply(self, moves: Moves, limits: FloatArray) -> int:
        """Accept moves that still change the cost by less than their limits."""
        path, rows, cost = self._path, self._rows, self._cost
        least, order, n_accepted = self._best.cost - self._problem.slack, None, 0
        for i, j, k, limit in zip(
            *(field.tolist() for field in moves[:3]), limits.tolist(), strict=True
        ):
            before, after = path[i - 1], path[k]
            left, right = path[i:j], path[j:k]
            if right:
                change = (
                    rows[before][right[0]]
                    + rows[right[-1]][left[0]]
                    + rows[left[-1]][after]
                    - rows[before][left[0]]
                    - rows[left[-1]][right[0]]
                    - rows[right[-1]][after]
                )
                if change >= limit or not self._successors.can_swap(left, right):
                    continue
                path[i:k] = right + left
            else:
                change = rows[before][left[-1]] - rows[before][left[0]]
                change += rows[left[0]][after] - rows[left[-1]][after]
                for a, b in pairwise(left):
                    change += rows[b][a] - rows[a][b]
                if change >= limit or not self._successors.can_reverse(left):
                    continue
                path[i:k] = left[::-1]
            if self._has_others and not self._problem.keeps(path[1:-1]):
                path[i:k] = left + right
                continue
            cost += change
            n_accepted += 1
            if cost < least:
                least, order = cost, path[1:-1]
        if order is not None:
            self._best.offer(order, self._problem.tour_cost(order), "local_search")
        # sums of changes would collect rounding
        self._cost = self._problem.tour_cost(path[1:-1])
        return n_accepted

    def _draw(self, size: int) -> Moves:
        """Draw moves that keep the precedences as far as their ranges tell."""
        tour = np.array(self._path)
        last, first = self._successors.ranges(tour)
        n_reversals = int(self._share_of_reversals * size)
        n_cheap = int(_CHEAP * (size - n_reversals))
        shifts = self._shifts(last, first, size - n_reversals - n_cheap)
        swaps = [self._cheap_swaps(tour, n_cheap), shifts]
        i, j, k = np.concatenate(swaps, axis=1)
        end = len(tour) - 1
        is_move = (i >= 1) & (i < j) & (j < k) & (k <= end)
        i, j, k = i[is_move], j[is_move], k[is_move]
        if not self._successors.is_empty:
            is_free = (k <= first[j - 1]) & (i > last[j])
            i, j, k = i[is_free], j[is_free], k[is_free]
        swaps_change = self._change_of_swaps(tour, i, j, k)
        begin, stop = self._reversals(tour, n_reversals)
        change = self._change_of_reversals(tour, begin, stop)
        return Moves(
            np.concatenate([i, begin]),
            np.concatenate([j, stop]),
            np.concatenate([k, stop]),
            np.concatenate([swaps_change, change]),
        )

    def _lengths(self, size: int) -> IntArray:
        """Numbers of nodes of blocks."""
        is_long = self._rng.random(size) < _SHARE_OF_LONG
        return self._rng.integers(1, np.where(is_long, _LONG, _SHORT) + 1)

    def _cheap_arcs(self, tour: IntArray, size: int) -> tuple[IntArray, IntArray]:
        """Places a, b of the ends of cheap arcs; b is the last place for the depot."""
        n = self._problem.n_items
        place = np.empty(n + 1, dtype=np.int64)
        place[tour[:-1]] = np.arange(n + 1)
        tails = self._rng.integers(0, n + 1, size)
        rank = self._rng.integers(0, self._nearest.shape[1], size)
        heads = self._nearest[tails, rank]
        return place[tails], np.where(heads == n, n + 1, place[heads])

    def _cheap_swaps(self, tour: IntArray, size: int) -> IntArray:
        """Swaps that create the arc a → b: a block with a moves to b, or one with b."""
        a, b = self._cheap_arcs(tour, size)
        count = self._lengths(size)
        moves_head = self._rng.random(size) < 0.5
        # a < b: a block that ends at a, or one that begins at b, jumps over the rest
        i = np.where(moves_head, a + 1, a + 1 - count)
        j = np.where(moves_head, b, a + 1)
        k = np.where(moves_head, b + count, b)
        # a > b: the segments b, …, j - 1 and j, …, a
        is_back = a > b
        j = np.where(is_back, np.where(moves_head, b + count, a + 1 - count), j)
        return np.stack([np.where(is_back, b, i), j, np.where(is_back, a + 1, k)])

    def _shifts(self, last: IntArray, first: IntArray, size: int) -> IntArray:
        """Blocks that move anywhere in the range of their last or their first node."""
        end = len(first) - 1
        i = self._rng.integers(1, end, size)
        j = np.minimum(i + self._lengths(size), end)
        share = self._rng.random(size)
        later = j + np.ceil(share * (first[j - 1] - j)).astype(np.int64)
        earlier = i - np.ceil(share * (i - last[i] - 1)).astype(np.int64)
        is_later = self._rng.random(size) < 0.5
        return np.stack(
            [
                np.where(is_later, i, earlier),
                np.where(is_later, j, i),
                np.where(is_later, later, j),
            ]
        )

    def _reversals(self, tour: IntArray, size: int) -> tuple[IntArray, IntArray]:
        """Segments from a place to before another: ends of cheap arcs, and any."""
        n_cheap = int(_CHEAP * size)
        n_others = size - n_cheap
        a, b = self._cheap_arcs(tour, n_cheap)
        # the segment after a up to b, or from a to before b, creates the arc a → b
        shift = self._rng.integers(0, 2, n_cheap)
        any_begin = self._rng.integers(1, len(tour) - 1, n_others)
        any_length = self._rng.integers(2, _LONG + 1, n_others)
        begin = np.concatenate([np.minimum(a, b) + shift, any_begin])
        stop = np.concatenate([np.maximum(a, b) + shift, any_begin + any_length])
        is_move = (begin >= 1) & (stop < len(tour)) & (stop > begin + 1)
        return begin[is_move], stop[is_move]

    def _change_of_swaps(
        self, tour: IntArray, i: IntArray, j: IntArray, k: IntArray
    ) -> FloatArray:
        """Cost of the arcs i-1 → j, k-1 → i, j-1 → k less that of those now there."""
        size, flat = len(tour) - 1, self._flat
        tails = tour * size
        arcs = flat.take(tails[:-1] + tour[1:])
        change = flat.take(tails[i - 1] + tour[j]) + flat.take(tails[k - 1] + tour[i])
        change += flat.take(tails[j - 1] + tour[k])
        change -= arcs[i - 1] + arcs[j - 1] + arcs[k - 1]
        return change

    def _change_of_reversals(
        self, tour: IntArray, begin: IntArray, stop: IntArray
    ) -> FloatArray:
        """The same for reversals; turned[p] sums what the arcs before p cost more."""
        size, flat = len(tour) - 1, self._flat
        tails = tour * size
        arcs = flat.take(tails[:-1] + tour[1:])
        backward = flat.take(tails[1:] + tour[:-1])
        turned = np.concatenate([[0.0], np.cumsum(backward - arcs)])
        change = flat.take(tails[begin - 1] + tour[stop - 1])
        change += flat.take(tails[begin] + tour[stop])
        change -= arcs[begin - 1] + arcs[stop - 1]
        change += turned[stop - 1] - turned[begin]
        return change
