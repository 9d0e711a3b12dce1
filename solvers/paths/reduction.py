"""Scores of arcs, reduced by rows and columns to costs >= 0, for many lists at once.

The reduction shifts all tours alike (Carpaneto, Dell'Amico and Toth, 1995, §2).
"""

from typing import NamedTuple

import numpy as np

from ltr.queries import FloatArray

# A block of scores is shifted if its row maxima differ by less than this share of them:
# differences of numbers within a factor of 2 are exact (Sterbenz).
_ALIKE = 0.5
# Costs below this are first multiplied by _LIFT, so that their units do not underflow.
_TINY, _LIFT = 2.0**-800, 2.0**600


class ReducedScores(NamedTuple):
    """Costs of arcs, and what turns the costs of tours into scores; a row per list.

    Attributes
    ----------
    cost : float array of shape (b, n + 1, n + 1)
        Costs >= 0 of the arcs; node n is the depot.
    forbidden : float array of shape (b,)
        Cost of a forbidden arc: more than any tour of allowed arcs costs.
    offset : float array of shape (b,)
        The score of a tour is this minus its cost.
    shift : float array of shape (b,)
        Greatest potential that was subtracted from a column.
    lift : float array of shape (b,)
        Costs are differences of scores times this.
    """

    cost: FloatArray
    forbidden: FloatArray
    offset: FloatArray
    shift: FloatArray
    lift: FloatArray


def reduce_scores(score: FloatArray) -> ReducedScores:
    """Reduce the scores of arcs, -inf where they are forbidden.

    1. The score s of a tour is that of its n + 1 arcs, those of the depot among them:
       n - 1 arcs between items, one out of the depot, one into it. Where the greatest
       scores of the rows of a block are nearly alike, it is shifted to a greatest score
       of 0, which is exact (Sterbenz, 1974); offset collects the shifts.
    2. With the potentials u_i = max_j s_ij of rows and v_j = min_i(u_i - s_ij) of
       columns, c_ij = u_i - s_ij - v_j >= 0 has a 0 in each column. A tour leaves and
       enters each node once, so its score is offset + Σu - Σv minus its cost.
    3. A forbidden arc costs more than n + 1 arcs that are allowed.

    Parameters
    ----------
    score : float array of shape (b, n + 1, n + 1)
        Node n is the depot; -inf on the diagonal. It is overwritten.
    """
    n_lists, n = len(score), score.shape[1] - 1
    offset = np.zeros(n_lists)
    for block, n_arcs in (
        (score[:, :n, :n], n - 1),
        (score[:, n, :n], 1),
        (score[:, :n, n], 1),
    ):
        if n_arcs == 1 and not block.any():
            continue
        row_maxima = block.max(axis=2) if block.ndim == 3 else block  # (b, n)
        greatest = row_maxima.max(axis=1)
        least = row_maxima.min(axis=1)
        if least.min() == -np.inf:
            is_possible = row_maxima > -np.inf
            least = np.where(is_possible, row_maxima, greatest[:, None]).min(axis=1)
        is_alike = least > greatest - _ALIKE * np.abs(greatest)
        if is_alike.any():
            shifts = np.where(is_alike, greatest, 0.0)
            block -= shifts.reshape(-1, *[1] * (block.ndim - 1))
            offset += n_arcs * shifts

    u = score.max(axis=2)  # (b, n + 1)
    u[u == -np.inf] = 0.0
    cost = u[:, :, None] - score
    v = cost.min(axis=1)  # (b, n + 1)
    v[v == np.inf] = 0.0
    cost -= v[:, None]

    diagonals = cost.reshape(n_lists, -1)[:, :: n + 2]
    diagonals[:] = 0.0
    top, is_out = cost.max(axis=(1, 2)), None
    if top.max() == np.inf:
        is_out = cost == np.inf
        top = np.where(is_out, 0.0, cost).max(axis=(1, 2))
    lift = np.where((top > 0) & (top < _TINY), _LIFT, 1.0)
    if lift.max() > 1:
        cost *= lift[:, None, None]
        top = top * lift
    forbidden = forbidden_cost(n, top)
    if is_out is not None:
        np.copyto(cost, forbidden[:, None, None], where=is_out)
    diagonals[:] = forbidden[:, None]
    return ReducedScores(
        cost,
        forbidden,
        offset + (u.sum(axis=1) - v.sum(axis=1)),
        v.max(axis=1) * lift,
        lift,
    )


def forbidden_cost(n: int, top: FloatArray) -> FloatArray:
    """Return a cost of more than n + 1 arcs that cost ``top`` each.

    Examples
    --------
    >>> forbidden_cost(2, np.array([3.0, 0.0])).tolist()
    [12.0, 1.0]
    """
    return (n + 1) * top + np.where(top == 0, 1.0, top)
