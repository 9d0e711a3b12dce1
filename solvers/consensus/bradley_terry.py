"""Scores from pairwise comparisons: the model of Bradley and Terry."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from ltr.solvers.core.inputs import check_counts
from ltr.solvers.core.solution import FloatArray

_MAX_STEPS = 2000
# The last step moves no pair apart by more than this; the error is its square.
_CONVERGED = 1e-9


def bradley_terry(counts: ArrayLike, *, ridge: float = 0.0) -> FloatArray:
    """Fit log-worths to comparisons: i beats j with the chance sigmoid(s_i - s_j).

    Maximises the sum of ``counts[i, j] * log sigmoid(s_i - s_j)`` less
    ``ridge / 2 * sum(s**2)`` by Newton's method with shortened steps (Bradley and
    Terry, 1952; Hunter, 2004, "MM algorithms for generalized Bradley-Terry models",
    eq. 3).

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
        (then no finite scores are best); if counts are so many orders of magnitude
        apart that rounding hides the best scores.

    Examples
    --------
    >>> bradley_terry([[0, 3], [1, 0]]).round(4)
    array([ 0.5493, -0.5493])
    """
    wins = check_counts(counts)
    if not (wins >= 0).all():
        i, j = np.argwhere(wins < 0)[0]
        raise ValueError(
            f"counts must be finite and >= 0; got {wins[i, j]} at [{i}, {j}]."
        )
    if not (np.isfinite(ridge) and ridge >= 0):
        raise ValueError(f"ridge must be a number >= 0; got {ridge!r}.")
    unit = max(wins.max(initial=0.0), ridge) or 1.0
    wins /= unit
    if ridge == 0 and len(wins):
        _check_connected(wins)
    return _newton(wins, ridge / unit)


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
    """Newton's method, each step shortened so that it never goes too far.

    If no pair that played moves apart by more than d, its curvature grows by e^d at
    most, and log(1 + d) / d of the step still climbs (Bach, 2010, "Self-concordant
    analysis for logistic regression", §2).
    """
    n = len(wins)
    scores = np.zeros(n)
    if n < 2:
        return scores
    played = wins + wins.T
    for _ in range(_MAX_STEPS):
        chance = expit(scores[:, None] - scores)
        surplus = wins * chance.T  # pair by pair, for rare pairs beside frequent ones
        gradient = (surplus - surplus.T).sum(axis=1) - ridge * scores
        weight = played * chance * chance.T
        step = _solve(weight, ridge, gradient)
        if step is None:
            break
        farthest = float(np.abs((step[:, None] - step)[played > 0]).max(initial=0.0))
        scores += step * (np.log1p(farthest) / farthest if farthest else 1.0)
        scores -= scores.mean()
        if farthest <= _CONVERGED:
            return scores
    raise ValueError(
        f"no scores were found in {_MAX_STEPS} steps: counts and ridge are too many "
        "orders of magnitude apart. Pass a greater ridge, or merge rare comparisons."
    )


def _solve(weight: FloatArray, ridge: float, gradient: FloatArray) -> FloatArray | None:
    """Newton's step, each item in the unit of its own curvature; None: none found."""
    curvature = weight.sum(axis=1) + ridge
    if not curvature.min() > 0:
        return None
    unit = np.sqrt(curvature)
    # The scores are known up to a constant: this settles it.
    pin = unit.min() / unit if ridge else unit / np.linalg.norm(unit)
    hessian = np.eye(len(unit)) + np.outer(pin, pin) - weight / unit[:, None] / unit
    try:
        return cho_solve(cho_factor(hessian), gradient / unit) / unit
    except np.linalg.LinAlgError:
        return None
