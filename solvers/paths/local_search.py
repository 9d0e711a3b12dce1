"""Local search on tours: 3-opt without reversal, 2-opt, and kicks.

Exchanging two adjacent segments of a tour reverses none of its arcs, so it suits costs
that are not symmetric (Or, 1976; Kanellakis and Papadimitriou, 1980); 2-opt reverses a
segment, and suits costs that nearly are. Moves are found for all places at once, from
matrices over the tour t_0, t_1, …
"""

from collections.abc import Sequence

import numpy as np

from ltr.queries import FloatArray, IntArray
from ltr.solvers.core.budget import Budget
from ltr.solvers.paths.problem import Incumbent, PathProblem

# Units of work of evaluating one move.
_WORK_PER_MOVE = 4e-9
# Units of work of checking a move against the constraints, per item.
_WORK_PER_CHECK = 4e-7
# Maximum number of moves, best first, that are checked against the constraints.
_MAX_TRIED = 50
# A kicked order is accepted if it is worse by at most this share of the gap.
_ACCEPTED = 0.8


def exchanges(cost: FloatArray, tour: IntArray) -> tuple[IntArray, FloatArray]:
    """Return the gains of swapping two adjacent segments (3-opt without reversal).

    With a' the place after a, the arcs (a, a'), (b, b'), (c, c') at places a, b, c in
    this cyclic order become (a, b'), (b, c'), (c, a'). With extra[p, q] = cost(t_p,
    t_q') - cost(t_p, t_p') the tour changes by extra[a, b] + extra[b, c] + extra[c, a].
    If that sum is negative, one of its three cyclic shifts starts with a negative
    term, so only those with extra[a, b] < 0 are considered.

    Returns
    -------
    places : int array of shape (n_moves, 3)
        a, b, c.
    gains : float array of shape (n_moves,)
        By how much the tour becomes cheaper; all positive.
    """
    size = len(tour)
    extra = cost[tour[:, None], np.roll(tour, -1)]
    extra -= np.diagonal(extra)[:, None].copy()
    np.fill_diagonal(extra, 0.0)
    a, b = np.nonzero(extra < 0)
    total = extra[a, b][:, None] + extra[b] + extra.T[a]
    third = np.arange(size)
    # c comes after b on the way around the tour from a
    is_cyclic = (third - a[:, None]) % size > ((b - a) % size)[:, None]
    total[~is_cyclic] = 0.0
    move, c = np.nonzero(total < 0)
    return np.stack([a[move], b[move], c], axis=1), -total[move, c]


def reversals(cost: FloatArray, tour: IntArray) -> tuple[IntArray, FloatArray]:
    """Return the gains of reversing the places a + 1, …, b (2-opt).

    The arcs (a, a + 1) and (b, b + 1) become (a, b) and (a + 1, b + 1), and each arc
    inside runs backwards: turned[p] sums its change over the arcs before place p.

    Returns
    -------
    places : int array of shape (n_moves, 2)
        a < b.
    gains : float array of shape (n_moves,)
        By how much the tour becomes cheaper; all positive.
    """
    after = np.roll(tour, -1)
    forward, backward = cost[tour, after], cost[after, tour]
    turned = np.concatenate([[0.0], np.cumsum(backward - forward)])
    total = cost[tour[:, None], tour] + cost[after[:, None], after]
    total -= forward[:, None] + forward
    # (a, b): + turned[b] - turned[a + 1], the arcs from place a + 1 to place b
    total += turned[:-1] - turned[1:, None]
    size = len(tour)
    a, b = np.nonzero((total < 0) & (np.arange(size) > np.arange(size)[:, None] + 1))
    return np.stack([a, b], axis=1), -total[a, b]


def exchange(tour: IntArray, places: Sequence[int]) -> IntArray:
    """Swap the two segments between three places, in cyclic order."""
    a, b, c = sorted(places)
    return np.concatenate(
        [tour[: a + 1], tour[b + 1 : c + 1], tour[a + 1 : b + 1], tour[c + 1 :]]
    )


def reverse(tour: IntArray, places: Sequence[int]) -> IntArray:
    """Reverse the segment after the first place up to the second."""
    a, b = places
    return np.concatenate([tour[: a + 1], tour[b:a:-1], tour[b + 1 :]])


def descend(problem: PathProblem, order: Sequence[int], budget: Budget) -> IntArray:
    """Apply the best move until none gains or the budget is spent.

    Returns
    -------
    order : int array of shape (n,)
        It keeps the constraints if the start does.
    """
    tour = np.array([problem.n_items, *order])
    while not budget.is_spent:
        changed = _best_move(problem, tour, budget)
        budget.spend(_WORK_PER_MOVE * len(tour) ** 2 * 10 + 5e-5)
        if changed is None:
            break
        tour = changed
    return tour[1:]


def _best_move(problem: PathProblem, tour: IntArray, budget: Budget) -> IntArray | None:
    """The tour after the move of greatest gain that keeps the constraints."""
    moves = []
    for find, apply in ((exchanges, exchange), (reversals, reverse)):
        places, gains = find(problem.cost, tour)
        large = np.flatnonzero(gains > problem.slack)
        if len(large) > _MAX_TRIED:
            large = large[np.argpartition(-gains[large], _MAX_TRIED)[:_MAX_TRIED]]
        moves += [(gains[k], apply, places[k]) for k in large]
    moves.sort(key=lambda move: -move[0])
    for _, apply, places in moves[:_MAX_TRIED]:
        changed = apply(tour, places)
        if not problem.rules.is_empty:
            budget.spend(_WORK_PER_CHECK * len(tour))
        if problem.keeps(changed[1:].tolist()):
            return changed
    return None


def kick(tour: IntArray, rng: np.random.Generator) -> IntArray:
    """Reorder adjacent segments A, B, C to C, B, A, which 3-opt cannot easily undo.

    This is the double bridge of Martin, Otto and Felten (1991), within 30 places.
    """
    size = len(tour)
    span = min(size - 1, 30)
    first = int(rng.integers(0, size - span))
    a, b, c, d = first + np.sort(rng.choice(span, 4, replace=False))
    return np.concatenate(
        [
            tour[: a + 1],
            tour[c + 1 : d + 1],
            tour[b + 1 : c + 1],
            tour[a + 1 : b + 1],
            tour[d + 1 :],
        ]
    )


def local_search(
    best: Incumbent, budget: Budget, n_kicks: int = 0, random_state: int | None = None
) -> None:
    """Descend from the best order, then from kicked copies (iterated local search).

    Parameters
    ----------
    best : Incumbent
        Its order is the start; without one, nothing is done.
    budget : Budget
        When it is spent, the search ends.
    n_kicks : int
        Number of kicks.
    random_state : int
        Seed of the kicks. None: 0.
    """
    problem = best.problem
    if best.order is None or best.is_closed:
        return
    order = descend(problem, best.order, budget)
    best.offer(order.tolist(), problem.tour_cost(order), "local_search")
    if problem.n_items < 8 or not n_kicks:
        return
    rng = np.random.default_rng(random_state or 0)
    for _ in range(n_kicks):
        if best.is_closed or budget.is_spent:
            return
        kicked = kick(np.array([problem.n_items, *order]), rng)[1:]
        if not problem.keeps(kicked.tolist()):
            continue
        changed = descend(problem, kicked.tolist(), budget)
        cost = problem.tour_cost(changed)
        best.offer(changed.tolist(), cost, "local_search")
        # slightly worse orders are accepted, to leave the basin of the incumbent
        if cost <= best.cost + _ACCEPTED * rng.random() * (best.cost - best.lower):
            order = changed
