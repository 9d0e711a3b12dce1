"""Local search on orders with precedences: segments swapped or reversed, and kicks.

Swapping two adjacent segments of a path is the only 3-exchange that reverses no arc.
Gambardella and Dorigo (2000), "An ant colony system hybridized with a new local search
for the sequential ordering problem", check in constant time whether precedences allow
it, by scanning the ends of the segments in lexicographic order and labeling successors.
Here the labels are a table over the path, built by cumulative minima: see
:func:`first_conflicts`. Reversals (2-opt) are tried, too: where costs are nearly
symmetric, swaps alone get stuck.
"""

from typing import NamedTuple

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.paths.problem import Incumbent, PathProblem

# Nodes whose moves are evaluated together.
_CHUNK = 12
# Most moves, best first, that are checked against constraints other than precedences.
_MAX_TRIED = 50
# Greatest length of a segment that a kick moves.
_SPAN = 30
# Units of work of one evaluation: fixed, per pair of places, and per move.
_WORK, _WORK_PER_PAIR, _WORK_PER_MOVE = 1.5e-4, 8e-9, 1.2e-8
# Units of work of a check of all constraints: fixed, and per group.
_WORK_OF_CHECK, _WORK_PER_GROUP = 2e-5, 5e-6
# Units of work of a kick. After a number of kicks a new phase starts from the best
# order; in it, a kicked order may cost more by about one of these shares of a mean arc.
_WORK_OF_KICK, _KICKS_PER_PHASE, _ACCEPTED = 2e-5, 300, (0.0, 0.5, 1.5, 4.0)


def first_conflicts(before: BoolArray) -> IntArray:
    """Return where the segment after the next may end at the latest.

    With the nodes of the path in its order, let B_pq mean that the node at place p must
    come before that at place q. The segments at places h + 1, …, i and i + 1, …, j can
    be swapped if no B_pq holds with h < p ≤ i < q ≤ j, that is, if

        j < limit_hi = min over h < p ≤ i of min {q > i : B_pq}.

    The inner minimum is a cumulative one over q from the right, the outer one over p
    from below.

    Parameters
    ----------
    before : bool array of shape (m, m)
        B, True only above the diagonal.

    Returns
    -------
    limit : int16 or int32 array of shape (m, m)
        limit_hi, m where no place conflicts; meaningless for i ≤ h.
    """
    size = len(before)
    places: IntArray = np.arange(size, dtype=np.int16 if size < 2**15 else np.int32)
    limit = np.full((size, size), size, dtype=places.dtype)
    # next_pi = min {q > i : B_pq}; B_pq implies p < q, so p ≤ i is to be asked for
    following = np.where(before, places, np.asarray(size, places.dtype))[:, :0:-1]
    limit[:, -2::-1] = np.minimum.accumulate(following, axis=1)
    limit[places[:, None] > places] = size
    limit[:-1] = np.minimum.accumulate(limit[:0:-1], axis=0)[::-1]
    return limit


def first_ordered(before: BoolArray, is_one_way: BoolArray) -> IntArray:
    """Return where a segment that is reversed may end at the latest.

    The segment at places i, …, j can be reversed if none of its pairs is in a fixed
    order and each of its arcs is allowed backward, that is, if

        j < min over p ≥ i of min {q > p : B_pq, or q = p + 1 and arc p is one-way}.

    Parameters
    ----------
    before : bool array of shape (m, m)
        B, as in :func:`first_conflicts`.
    is_one_way : bool array of shape (m - 1,)
        Whether the arc from each place to the next is forbidden backward.

    Returns
    -------
    limit : int array of shape (m,)
        By i; m where nothing is in the way.
    """
    size = len(before)
    following = np.where(before.any(axis=1), before.argmax(axis=1), size)
    places = np.arange(1, size)
    following[:-1][is_one_way] = places[is_one_way]
    return np.minimum.accumulate(following[::-1])[::-1]


class Move(NamedTuple):
    """A change of a path: a swap of adjacent segments, or a reversal if ``i == j``.

    A swap exchanges the segments at places h + 1, …, i and i + 1, …, j; a reversal
    turns the segment at places h + 1, …, j around.
    """

    gain: float
    h: int
    i: int
    j: int

    @property
    def places(self) -> tuple[int, ...]:
        """Places whose arcs to the next place are replaced."""
        return (self.h, self.j) if self.i == self.j else (self.h, self.i, self.j)


class SegmentSearch:
    """Descent and kicks on one path, whose ends are both the depot.

    Attributes
    ----------
    path : int array of shape (n + 2,)
        Depot, items, depot.
    cost : float
        Cost of the path.
    """

    def __init__(
        self, problem: PathProblem, order: IntArray, random_state: int | None = None
    ) -> None:
        self.problem = problem
        self.rng = np.random.default_rng(random_state or 0)
        n = problem.n_items
        self._size = n + 1
        self._flat = np.ascontiguousarray(problem.cost).reshape(-1)
        self._flat_columns = np.ascontiguousarray(problem.cost.T).reshape(-1)
        rules = problem.rules
        self._before = np.zeros((n + 1, n + 1), dtype=bool)
        self._before[:n, :n] = rules.before(n)
        self._has_precedences = bool(self._before.any())
        self._has_others = bool(rules.has_positions or rules.together)
        n_groups = len(rules.together) + len(rules.groups)
        self._check = _WORK_OF_CHECK + _WORK_PER_GROUP * n_groups
        self.reset(np.concatenate([[n], order, [n]]))

    def reset(self, path: IntArray) -> None:
        """Take another path."""
        self.path = path
        self._arcs = self.problem.cost[path[:-1], path[1:]]
        self.cost = float(self._arcs.sum())
        self._order: BoolArray | None = None
        self._limit: IntArray | None = None

    @property
    def before(self) -> BoolArray:
        """Whether the node at a place must come before that at another place."""
        if self._order is None:
            path = self.path
            self._order = self._before[path[:, None], path]
            self._order[:, -1] = False
        return self._order

    @property
    def limit(self) -> IntArray:
        """Table of :func:`first_conflicts` for the path."""
        if self._limit is None:
            self._limit = first_conflicts(self.before)
        return self._limit

    @property
    def work_of_kick(self) -> float:
        """Units of work of a kick, which checks up to three swaps."""
        return _WORK_OF_KICK + (3 * self._check if self._has_others else 0.0)

    @property
    def order(self) -> list[int]:
        """The path without the depot."""
        return self.path[1:-1].tolist()

    def moved(self, move: Move) -> IntArray:
        """Return the path after a move."""
        path, (_, h, i, j) = self.path, move
        if move.i == move.j:
            middle = [path[j:h:-1]]
        else:
            middle = [path[i + 1 : j + 1], path[h + 1 : i + 1]]
        return np.concatenate([path[: h + 1], *middle, path[j + 1 :]])

    def descend(self, budget: Budget, nodes: list[int] | None = None) -> None:
        """Apply moves that gain until none starts at the nodes in a queue.

        The nodes whose arcs a move changes enter the queue ("don't look bits",
        Bentley, 1992).
        """
        queue = list(range(self._size)) if nodes is None else list(nodes)
        place = np.empty(self._size, dtype=np.int64)
        while queue and not budget.is_spent:
            place[self.path[:-1]] = np.arange(self._size)
            chunk, queue = queue[:_CHUNK], queue[_CHUNK:]
            move = self._best_move(place[chunk], budget)
            if move is None:
                continue
            ends = self.path[[place for p in move.places for place in (p, p + 1)]]
            self.reset(self.moved(move))
            queue = list(dict.fromkeys([*ends.tolist(), *chunk, *queue]))

    def _best_move(self, x: IntArray, budget: Budget) -> Move | None:
        """The move of greatest gain among those that replace an arc out of x."""
        moves = self._swaps(x, budget) + self._reversals(x)
        moves.sort(key=lambda move: -move.gain)
        if not self._has_others:
            return moves[0] if moves else None
        for move in moves[:_MAX_TRIED]:
            budget.spend(self._check)
            if self.problem.keeps(self.moved(move)[1:-1]):
                return move
        return None

    def _swaps(self, x: IntArray, budget: Budget) -> list[Move]:
        """Swaps that gain and that the precedences allow; the best ones, if many.

        A swap replaces the arcs out of three places x, y, z by x → y', y → z', z → x',
        where ' is the next place. If its gain is positive, so is the first term of one
        cyclic shift: c(x, x') - c(x, y') > 0, which leaves few pairs (x, y).
        """
        size, path, arcs = self._size, self.path, self._arcs
        heads = path[1:]
        tails = path[:-1]
        first = arcs[x][:, None] - self._flat.take(size * tails[x][:, None] + heads)
        slack = self.problem.slack
        row, y = np.nonzero(first > slack)
        x = x[row]
        # (pair, z): c(y, y') - c(y, z') + c(z, z') - c(z, x')
        gain = arcs - self._flat.take(size * tails[y][:, None] + heads)
        gain -= self._flat_columns.take(size * heads[x][:, None] + tails)
        gain += (first[row, y] + arcs[y])[:, None]
        budget.spend(_WORK + _WORK_PER_PAIR * size * size + _WORK_PER_MOVE * gain.size)
        pair, z = np.nonzero(gain > slack)
        if not len(pair):
            return []
        gains = gain[pair, z]
        x, y = x[pair], y[pair]
        # x < y < z, z < x < y or y < z < x: in cyclic order
        is_cyclic = ((x < y) & ((z > y) | (z < x))) | ((y < z) & (z < x))
        x, y, z, gains = x[is_cyclic], y[is_cyclic], z[is_cyclic], gains[is_cyclic]
        h, i, j = np.sort([x, y, z], axis=0)
        if self._has_precedences and len(h):
            is_allowed = j < self.limit[h, i]
            h, i, j, gains = (a[is_allowed] for a in (h, i, j, gains))
        return self._greatest(gains, h, i, j)

    def _reversals(self, x: IntArray) -> list[Move]:
        """Reversals that gain and that the precedences allow; the best ones, if many.

        Reversing the places h + 1, …, j replaces the arcs (h, h + 1) and (j, j + 1) by
        (h, j) and (h + 1, j + 1), and runs through the arcs between them backward:
        turned_p sums their change over the arcs before place p.
        """
        path, arcs, cost = self.path, self._arcs, self.problem.cost
        backward = cost[path[1:], path[:-1]]
        is_one_way = backward >= self.problem.forbidden
        change = np.where(is_one_way, 0.0, backward - arcs)
        turned = np.concatenate([[0.0], np.cumsum(change)])
        y = np.arange(self._size)
        h, j = np.minimum(x[:, None], y), np.maximum(x[:, None], y)
        gain: FloatArray = arcs[x][:, None] + arcs + turned[h + 1] - turned[j]
        gain -= cost[path[h], path[j]] + cost[path[h + 1], path[j + 1]]
        row, column = np.nonzero((gain > self.problem.slack) & (j > h + 1))
        if not len(row):
            return []
        h, j, gains = h[row, column], j[row, column], gain[row, column]
        is_allowed = j < first_ordered(self.before, is_one_way)[h + 1]
        h, j = h[is_allowed], j[is_allowed]
        return self._greatest(gains[is_allowed], h, j, j)

    def _greatest(
        self, gains: FloatArray, h: IntArray, i: IntArray, j: IntArray
    ) -> list[Move]:
        """The moves of greatest gain, as many as are tried."""
        if not len(gains):
            return []
        if not self._has_others:
            best = [int(gains.argmax())]
        else:
            best = np.argsort(-gains)[:_MAX_TRIED].tolist()
        return [Move(float(gains[k]), int(h[k]), int(i[k]), int(j[k])) for k in best]

    def reinsert(self) -> list[int]:
        """Take out a few items; insert each, in random order, where it costs least.

        An item goes after its predecessors and before its successors on the path
        (Schrimpf, Schneider, Stamm-Wilbrandt and Dueck, 2000, "Record breaking
        optimization results using the ruin and recreate principle").

        Returns
        -------
        nodes : list of int
            Nodes whose arcs changed.
        """
        rng, n, cost = self.rng, self._size - 1, self.problem.cost
        count = int(rng.integers(2, min(12, n) + 1))
        if rng.random() < 0.5:
            items = rng.choice(n, count, replace=False)
        else:
            center = int(rng.integers(0, n))
            nearness = np.minimum(cost[center, :n], cost[:n, center])
            nearness[center] = -1.0
            near = np.argpartition(nearness, min(n - 1, 2 * count))[: 2 * count]
            items = rng.permutation(near)[:count]
        is_out = np.zeros(n + 1, dtype=bool)
        is_out[items] = True
        path = self.path[~is_out[self.path]]
        nodes = {n, *items.tolist()}
        for item in items.tolist():
            inside = path[1:-1]
            after = np.flatnonzero(self._before[inside, item])
            until = np.flatnonzero(self._before[item, inside])
            low = int(after[-1]) + 1 if len(after) else 0
            high = int(until[0]) + 1 if len(until) else len(path) - 1
            tails, heads = path[low:high], path[low + 1 : high + 1]
            extra = cost[tails, item] + cost[item, heads] - cost[tails, heads]
            k = int(extra.argmin())
            nodes.update((int(tails[k]), int(heads[k])))
            path = np.insert(path, low + k + 1, item)
        changed = self.path
        self.reset(path)
        if self.cost >= self.problem.forbidden or (
            self._has_others and not self.problem.keeps(self.order)
        ):
            self.reset(changed)
            return []
        return list(nodes)

    def kick(self) -> list[int]:
        """Swap random adjacent segments nearby; return the nodes whose arcs changed."""
        rng, last = self.rng, self._size - 1  # the last arc is into the depot
        nodes: list[int] = []
        center = int(rng.integers(0, last))
        for _ in range(3):
            h = max(0, center + int(rng.integers(-_SPAN // 2, _SPAN // 2 + 1)))
            if h > last - 2:
                continue
            i = h + int(rng.integers(1, min(_SPAN, last - h - 1) + 1))
            highest = min(last, i + _SPAN)
            if self._has_precedences:
                highest = min(highest, int(self.limit[h, i]) - 1)
            if highest <= i:
                continue
            j = int(rng.integers(i + 1, highest + 1))
            path = self.moved(Move(0.0, h, i, j))
            last_of_first = h + j - i
            ends = np.array([h, last_of_first, j])
            arcs = self.problem.cost[path[ends], path[ends + 1]]
            if arcs.max() >= self.problem.forbidden or (
                self._has_others and not self.problem.keeps(path[1:-1])
            ):
                continue
            nodes += self.path[[h, h + 1, i, i + 1, j, j + 1]].tolist()
            self.reset(path)
        return list(dict.fromkeys(nodes))


def segment_search(
    best: Incumbent,
    budget: Budget,
    *,
    patience: float,
    random_state: int | None = None,
    start: list[int] | None = None,
) -> None:
    """Improve the incumbent by descents from kicked copies (iterated local search).

    Parameters
    ----------
    best : Incumbent
        Its order is the start; without one, only ``start`` is improved.
    budget : Budget
        When it is spent, the search ends.
    patience : float
        Units of work without a better order after which the search ends; at least as
        many as it took to find the best.
    random_state : int, default=None
        Seed of the kicks. None: 0.
    start : list of int, default=None
        An order that keeps the constraints, but may have forbidden arcs, which the
        descent removes first since they cost the most.
    """
    problem = best.problem
    order = start if best.order is None else best.order
    if order is None or best.is_closed or problem.n_items < 3:
        return
    search = SegmentSearch(problem, np.array(order), random_state)
    search.descend(budget)
    best.offer(search.order, search.cost, "local_search")
    if best.order is None:
        return
    begun = improved = budget.work_done
    rng, n_kicks = search.rng, 0
    current, cost, accepted = search.path, search.cost, 0.0
    while not (best.is_closed or budget.is_spent):
        if budget.work_done - improved > max(patience, 0.5 * (improved - begun)):
            return
        budget.spend(search.work_of_kick)
        n_kicks += 1
        if n_kicks % _KICKS_PER_PHASE == 0:  # from the best order, at another heat
            current = np.array([problem.n_items, *best.order, problem.n_items])
            cost = best.cost
            accepted = float(rng.choice(_ACCEPTED)) * cost / len(problem.cost)
            search.reset(current)
        nodes = search.reinsert() if rng.random() < 0.5 else search.kick()
        if not nodes:
            continue
        search.descend(budget, nodes)
        if search.cost < best.cost - problem.slack:
            best.offer(search.order, search.cost, "local_search")
            improved = budget.work_done
        if search.cost <= cost + accepted * rng.exponential():
            current, cost = search.path, search.cost
        else:
            search.reset(current)
