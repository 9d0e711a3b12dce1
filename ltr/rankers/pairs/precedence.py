"""Precedence under the path distribution, in NumPy: a ranker predicts uncompiled."""

from __future__ import annotations

import numpy as np

from ltr.queries import FloatArray
from ltr.scorers import PairScores

MAX_ITEMS = 15  # of a list; that of ltr.solvers.dynamic, which imports JAX
_MAX_ENTRIES = 2**22  # of the table of sets and last items in memory at a time


def path_precedence(pairs: PairScores) -> FloatArray:
    """Probability that i comes before j, if orders are drawn as exp(path score).

    The numbers of :func:`ltr.solvers.dynamic.path_precedence`, which compiles a program
    for every number of lists and of items.

    Parameters
    ----------
    pairs : PairScores
        Lists of equal size n ≤ 15: ``matrix`` of shape (n_lists, n, n).

    Returns
    -------
    precedence : float array of shape (n_lists, n, n)
        Its diagonal is 0.

    Examples
    --------
    >>> pairs = PairScores(np.zeros((1, 3, 3)), np.array([[9.0, 0.0, 0.0]]), None)
    >>> (1 + path_precedence(pairs).sum(axis=1)).round(1)  # expected ranks
    array([[1. , 2.5, 2.5]])
    """
    matrix = np.asarray(pairs.matrix, dtype=np.float64)
    n_lists, n = matrix.shape[:2]
    start, end = (
        np.zeros((n_lists, n)) if part is None else np.asarray(part, dtype=np.float64)
        for part in (pairs.start, pairs.end)
    )
    precedence = np.empty((n_lists, n, n))
    step = max(1, _MAX_ENTRIES // (n * 2**n))
    for begin in range(0, n_lists, step):
        lists = slice(begin, begin + step)
        precedence[lists] = _precedence(matrix[lists], start[lists], end[lists])
    return precedence


def _precedence(matrix: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Sums over the sets S that a path visits first, and the last item of S.

    F[S, j] = log Σ exp(gain of the paths through S that end with j), and
    B[S, j] = log Σ exp(gain of what follows); P(S, j) = exp(F + B − log Z), and
    P(i before j) = Σ P(S, j) over the sets S that contain i and j.
    """
    n = matrix.shape[1]
    arcs = matrix.transpose(1, 2, 0)  # (n, n, b)
    sets = np.arange(2**n)
    is_member = (sets[:, None] >> np.arange(n)) & 1 == 1  # (2^n, n)
    sizes = is_member.sum(axis=1)
    forward = np.full((2**n, n, len(matrix)), -np.inf)
    backward = forward.copy()
    forward[1 << np.arange(n), np.arange(n)] = start.T
    backward[-1] = end.T
    steps = [
        (sets[(sizes == size) & is_member[:, i] & ~is_member[:, j]], i, j)
        for size in range(1, n)
        for i in range(n)
        for j in range(n)
        if i != j
    ]
    for before, i, j in steps:
        after = before | 1 << j
        forward[after, j] = np.logaddexp(
            forward[after, j], forward[before, i] + arcs[i, j]
        )
    for before, i, j in reversed(steps):
        after = before | 1 << j
        backward[before, i] = np.logaddexp(
            backward[before, i], backward[after, j] + arcs[i, j]
        )
    log_z = np.logaddexp.reduce(forward[-1] + end.T, axis=0)  # (b,)
    probability = np.exp(forward + backward - log_z)  # (2^n, n, b)
    totals = is_member.T.astype(np.float64) @ probability.reshape(2**n, -1)
    precedence = totals.reshape(n, n, -1).transpose(2, 0, 1)  # i, j and list → list …
    precedence[:, np.arange(n), np.arange(n)] = 0.0
    return precedence
