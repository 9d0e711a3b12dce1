"""Scores from pairwise comparisons: the model of Bradley and Terry."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from ltr.solvers._checks import check_matrix
from ltr.solvers._solution import FloatArray

_MAX_STEPS = 200


def bradley_terry(counts: ArrayLike, *, ridge: float = 0.0) -> FloatArray:
    """Fit log-worths to comparisons: i beats j with the chance sigmoid(s_i - s_j).

    Maximises the sum of ``counts[i, j] * log sigmoid(s_i - s_j)`` less
    ``ridge / 2 * sum(s**2)`` by Newton's method with halved steps (Bradley and Terry,
    1952; Hunter, 2004, "MM algorithms for generalized Bradley-Terry models", eq. 3).

    Parameters
    ----------
    counts : array-like of shape (n, n)
        Entry [i, j] >= 0: how often i beat j, whole or not. The diagonal is not read.
    ridge : float, default=0.0
        Pull towards equal scores; any number > 0 makes the scores finite.

    Returns
    -------
    scores : float array of shape (n,)
        Log-worths, their mean 0; higher is better.

    Raises
    ------
    ValueError
        If a count is negative; if without ridge some items never lost to the others
        (then no finite scores are best).

    Examples
    --------
    >>> bradley_terry([[0, 3], [1, 0]]).round(4)
    array([ 0.5493, -0.5493])
    """
    wins = check_matrix(counts, "counts")
    if not (wins >= 0).all():
        i, j = np.argwhere(wins < 0)[0]
        raise ValueError(
            f"counts must be finite and >= 0; got {wins[i, j]} at [{i}, {j}]."
        )
    if not (np.isfinite(ridge) and ridge >= 0):
        raise ValueError(f"ridge must be a number >= 0; got {ridge!r}.")
    if ridge == 0 and len(wins):
        _check_connected(wins)
    return _newton(wins, ridge)


def _check_connected(wins: FloatArray) -> None:
    """Raise unless each item beat each other, over a chain of items at least."""
    n_parts, label = connected_components(wins > 0, connection="strong")
    if n_parts <= 1:
        return
    beats = np.zeros((n_parts, n_parts), dtype=bool)
    i, j = np.nonzero(wins)
    beats[label[j], label[i]] = True
    np.fill_diagonal(beats, False)
    unbeaten = np.flatnonzero(label == np.argmin(beats.any(axis=1)))
    names = ", ".join(str(item) for item in unbeaten[:5].tolist())
    more = f" and {len(unbeaten) - 5} more" if len(unbeaten) > 5 else ""
    raise ValueError(
        f"items {names}{more} never lost to any of the others, so that no finite "
        "scores are best. Pass ridge > 0, say 0.1, or leave them out."
    )


def _newton(wins: FloatArray, ridge: float) -> FloatArray:
    n = len(wins)
    scores = np.zeros(n)
    played = wins + wins.T
    value = _log_likelihood(wins, scores, ridge)
    for _ in range(_MAX_STEPS):
        chance = expit(scores[:, None] - scores)
        gradient = wins.sum(axis=1) - (played * chance).sum(axis=1) - ridge * scores
        if np.abs(gradient).max(initial=0.0) <= 1e-12 * max(1.0, played.sum()):
            break
        weight = played * chance * chance.T
        # The scores are known up to a constant: ones on the matrix choose mean 0.
        top = max(1e-300, weight.max())
        hessian = np.diag(weight.sum(axis=1) + ridge) - weight + top * np.ones((n, n))
        step = solve(hessian, gradient, assume_a="pos")
        size = 1.0
        while size > 1e-10:
            new = _log_likelihood(wins, scores + size * step, ridge)
            if new >= value:
                break
            size /= 2
        else:
            break
        scores, value = scores + size * step, new
    return scores - scores.mean() if n else scores


def _log_likelihood(wins: FloatArray, scores: FloatArray, ridge: float) -> float:
    difference = scores[:, None] - scores
    logs = np.minimum(difference, 0) - np.log1p(np.exp(-np.abs(difference)))
    return float((wins * logs).sum() - ridge / 2 * (scores**2).sum())
