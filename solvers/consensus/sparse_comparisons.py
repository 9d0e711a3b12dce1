"""The model of Bradley and Terry on the pairs that met: memory and time by pair."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import LinearOperator, cg, splu
from scipy.special import expit

from ltr.queries import FloatArray, IntArray

# Relative residual at which conjugate gradients end, and their maximum number of steps,
# after which the matrix is factorized.
_RESIDUAL, _MAX_STEPS = 1e-10, 300
# Columns of the inverse that are computed at a time.
_BLOCK = 256


class Pairs(NamedTuple):
    """The pairs that met, each once.

    Attributes
    ----------
    i, j : int array of shape (n_pairs,)
        Items, i < j.
    wins, losses : float array of shape (n_pairs,)
        How often i beat j, and j beat i.
    n_items : int
        Number of items.
    """

    i: IntArray
    j: IntArray
    wins: FloatArray
    losses: FloatArray
    n_items: int

    def sums(self, of_i: FloatArray, of_j: FloatArray) -> FloatArray:
        """Add up the contributions of the pairs to each item."""
        n = self.n_items
        sums = np.bincount(self.i, of_i, n) + np.bincount(self.j, of_j, n)
        return np.asarray(sums, dtype=np.float64)

    def information(self, scores: FloatArray) -> FloatArray:
        """n_ij p_ij p_ji of each pair: the weights of the Laplacian -∂²."""
        difference = scores[self.i] - scores[self.j]
        return (self.wins + self.losses) * expit(difference) * expit(-difference)


def pairs_of(counts: Any) -> Pairs:
    """Return the pairs of a sparse matrix of wins; its diagonal is ignored.

    Examples
    --------
    >>> pairs = pairs_of(csr_array([[0.0, 3.0], [1.0, 0.0]]))
    >>> pairs.i.tolist(), pairs.j.tolist(), pairs.wins.tolist(), pairs.losses.tolist()
    ([0], [1], [3.0], [1.0])
    """
    table = coo_array(counts)
    row, column = table.coords
    is_pair = (row != column) & (table.data != 0)
    row, column, count = row[is_pair], column[is_pair], table.data[is_pair]
    n = table.shape[0]
    i, j = np.minimum(row, column).astype(np.int64), np.maximum(row, column)
    keys, pair = np.unique(i * n + j, return_inverse=True)
    is_win = row < column
    wins = np.bincount(pair, np.where(is_win, count, 0.0), len(keys))
    losses = np.bincount(pair, np.where(is_win, 0.0, count), len(keys))
    i, j = np.divmod(keys, max(n, 1))
    return Pairs(i, j, np.asarray(wins, float), np.asarray(losses, float), n)


def newton(
    pairs: Pairs, ridge: float, *, max_steps: int, converged: float
) -> FloatArray | None:
    """Maximize the penalized likelihood by damped Newton steps, as the dense code does.

    Returns
    -------
    scores : float array of shape (n_items,) or None
        None without convergence.
    """
    scores = np.zeros(pairs.n_items)
    for _ in range(max_steps):
        difference = scores[pairs.i] - scores[pairs.j]
        # g_i = Σ_j w_ij p_ji - w_ji p_ij - ridge s_i, pair by pair; 1 - p_ij would
        # lose the digits of a small p_ji
        surplus = pairs.wins * expit(-difference) - pairs.losses * expit(difference)
        gradient = pairs.sums(surplus, -surplus) - ridge * scores
        step = _solve(pairs, pairs.information(scores), ridge, gradient)
        if step is None:
            return None
        d = float(np.abs(step[pairs.i] - step[pairs.j]).max(initial=0.0))
        scores += step * (np.log1p(d) / d if d else 1.0)
        scores -= scores.mean()
        if d <= converged:
            return scores
    return None


def _laplacian(pairs: Pairs, weight: FloatArray, ridge: float) -> Any:
    """D - W + ridge I, shape (n, n), sparse."""
    n = pairs.n_items
    across = coo_array((weight, (pairs.i, pairs.j)), shape=(n, n))
    diagonal = diags_array(pairs.sums(weight, weight) + ridge)
    return csr_array(diagonal - across - across.T)


def _solve(
    pairs: Pairs, weight: FloatArray, ridge: float, gradient: FloatArray
) -> FloatArray | None:
    """Solve (D - W + ridge I) x = g by conjugate gradients, scaled by the diagonal.

    With C = diag(H)^(1/2) they solve C⁻¹HC⁻¹ y = C⁻¹g, whose residual counts items that
    have met rarely as much as others. Without a ridge the null vector is 1, but
    1ᵀg = 0, so that they converge all the same once its rounding is removed. Where the
    graph of pairs is nearly disconnected, or a long chain, they take long, and the
    matrix is factorized instead.
    """
    gradient = gradient - gradient.mean()
    hessian = _laplacian(pairs, weight, ridge)
    diagonal = hessian.diagonal()
    if not diagonal.min() > 0:
        return None
    unit = np.sqrt(diagonal)
    scaled: Any = LinearOperator(
        hessian.shape, matvec=lambda x: hessian @ (x / unit) / unit
    )
    step, code = cg(scaled, gradient / unit, rtol=_RESIDUAL, maxiter=_MAX_STEPS)
    if code == 0:
        return np.asarray(step / unit)
    try:
        factor, is_kept = _factor(hessian, ridge)
    except RuntimeError:  # singular by rounding
        return None
    step = np.zeros(len(gradient))
    step[is_kept] = factor.solve(gradient[is_kept])
    return step if np.isfinite(step).all() else None


def _factor(hessian: Any, ridge: float) -> tuple[Any, Any]:
    """LU factors of the matrix, without the item of most weight if it is singular."""
    is_kept = np.ones(hessian.shape[0], dtype=bool)
    if ridge == 0:
        is_kept[hessian.diagonal().argmax()] = False
    inside = hessian[is_kept][:, is_kept].tocsc()
    factor = splu(
        inside,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return factor, is_kept


def standard_errors(pairs: Pairs, scores: FloatArray, ridge: float) -> FloatArray:
    """Standard errors of scores with mean 0, from the inverse information.

    With G the inverse of D - W + ridge I, or of its part without one item and 0 for
    that, and P = I - 11ᵀ/n, the covariance is P G P, whose diagonal is
    G_ii - 2 (G1)_i / n + 1ᵀG1 / n².
    """
    n = pairs.n_items
    if n < 2:
        return np.zeros(n)
    weight = pairs.information(scores)
    unit = max(float(weight.max(initial=0.0)), ridge) or 1.0
    hessian = _laplacian(pairs, weight / unit, ridge / unit)
    try:
        factor, is_kept = _factor(hessian, ridge)
    except RuntimeError:  # singular by rounding
        raise without_errors() from None
    diagonal, sums = np.zeros(n), np.zeros(n)
    items = np.flatnonzero(is_kept)
    sums[items] = factor.solve(np.ones(len(items)))
    for first in range(0, len(items), _BLOCK):
        block = np.arange(first, min(first + _BLOCK, len(items)))
        columns = np.zeros((len(items), len(block)))
        columns[block, block - first] = 1.0
        diagonal[items[block]] = factor.solve(columns)[block, block - first]
    variance = diagonal - 2 * sums / n + sums.sum() / n**2
    return roots_of_variances(variance, hessian.diagonal()) / np.sqrt(unit)


def roots_of_variances(variance: FloatArray, curvature: FloatArray) -> FloatArray:
    """Standard errors; an error if rounding has left nothing of a variance.

    With u = e_i - 1/n, the variance u'H⁻¹u is at least (u'u)² / u'Hu by the inequality
    of Cauchy and Schwarz, so at least (1 - 1/n)² / H_ii.

    Examples
    --------
    >>> roots_of_variances(np.array([0.25, 0.25]), np.array([1.0, 1.0]))
    array([0.5, 0.5])
    """
    least = (1 - 1 / len(variance)) ** 2 / curvature
    if not (np.isfinite(variance) & (variance >= (1 - 1e-3) * least)).all():
        raise without_errors()
    return np.asarray(np.sqrt(variance))


def without_errors() -> ValueError:
    """The error about information whose inverse rounding spoils."""
    return ValueError(
        "standard errors are lost in rounding: counts and ridge differ by too many "
        "orders of magnitude. Pass a larger ridge, or merge rare comparisons."
    )
