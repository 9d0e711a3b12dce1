"""Log-worths from pairwise comparisons: the model of Bradley and Terry."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import coo_array, csr_array, sparray, spmatrix
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from ltr.arguments import check_number
from ltr.queries import FloatArray, IntArray
from ltr.solvers.consensus import sparse_comparisons
from ltr.solvers.core.inputs import check_counts

Counts = ArrayLike | sparray | spmatrix

_MAX_STEPS = 2000
# Newton stops when a step changes no difference s_i - s_j by more than this; as the
# convergence is quadratic, the error left is of the order of its square.
_CONVERGED = 1e-9
# Dense counts of more items, with a smaller share of entries, are fitted pair by pair.
_MANY_ITEMS, _SPARSE = 200, 0.2


@overload
def bradley_terry(
    counts: Counts, *, ridge: float = ..., return_std: Literal[False] = ...
) -> FloatArray: ...
@overload
def bradley_terry(
    counts: Counts, *, ridge: float = ..., return_std: Literal[True]
) -> tuple[FloatArray, FloatArray]: ...
def bradley_terry(
    counts: Counts, *, ridge: float = 0.0, return_std: bool = False
) -> FloatArray | tuple[FloatArray, FloatArray]:
    """Fit log-worths to comparisons: i beats j with probability sigmoid(s_i - s_j).

    Maximizes ``sum(counts[i, j] * log(sigmoid(s_i - s_j))) - ridge / 2 * sum(s**2)``
    ([1]_, [2]_ eq. 3) by Newton's method with damped steps. A sparse matrix is never
    made dense, so a million pairs among 100,000 items will do.

    Parameters
    ----------
    counts : array-like or SciPy sparse array of shape (n, n)
        Entry [i, j] >= 0: how often i beat j; fractions are allowed. The diagonal is
        ignored. ``comparisons_to_matrix(winners, losers, sparse=True)`` makes a sparse
        array from single comparisons.
    ridge : float, default=0.0
        Strength of the L2 penalty; any value > 0 makes the scores finite.
    return_std : bool, default=False
        Whether to return standard errors, too.

    Returns
    -------
    scores : float array of shape (n,)
        Log-worths with mean 0; higher is better.
    std : float array of shape (n,)
        Only with ``return_std``: standard errors of the scores with mean 0, from the
        inverse of the observed information, to which ``ridge`` is added. Counts must
        be numbers of independent comparisons for them to have a meaning. Of sparse
        counts, they take a factorization and a solve per item: minutes for 100,000.

    Raises
    ------
    ValueError
        If a count is negative; if, without a ridge, some items never lost to the others
        (so that no finite maximum exists); or if counts differ by too many orders of
        magnitude for double precision.

    References
    ----------
    .. [1] R. A. Bradley and M. E. Terry. Rank analysis of incomplete block designs.
       Biometrika 39, 1952.
    .. [2] D. R. Hunter. MM algorithms for generalized Bradley-Terry models. Annals of
       Statistics 32, 2004.

    Examples
    --------
    >>> bradley_terry([[0, 3], [1, 0]]).round(4)
    array([ 0.5493, -0.5493])
    >>> scores, std = bradley_terry([[0, 3], [1, 0]], return_std=True)
    >>> std.round(4)
    array([0.5774, 0.5774])

    Of single comparisons, winners and losers, without a matrix of all pairs:

    >>> from ltr.solvers import comparisons_to_matrix
    >>> counts = comparisons_to_matrix([0, 0, 0, 1], [1, 1, 1, 0], sparse=True)
    >>> bradley_terry(counts).round(4)
    array([ 0.5493, -0.5493])
    """
    if isinstance(counts, sparray | spmatrix):
        return _fit_sparse(_check_sparse(counts), ridge, return_std)
    wins = check_counts(counts, np.inf)  # they are divided by the greatest
    if not (wins >= 0).all():
        i, j = np.argwhere(wins < 0)[0]
        raise ValueError(
            f"counts must be finite and >= 0; got {wins[i, j]} at [{i}, {j}]."
        )
    check_number("ridge", ridge, low=0.0)
    if len(wins) > _MANY_ITEMS and np.count_nonzero(wins) < _SPARSE * wins.size:
        return _fit_sparse(csr_array(wins), ridge, return_std)
    if ridge == 0 and len(wins):
        check_connected(wins)
    unit = max(wins.max(initial=0.0), ridge) or 1.0
    scaled = wins / unit
    if ridge == 0 and len(wins) and _n_components(scaled) > 1:
        i, j = np.argwhere((wins > 0) & (scaled == 0))[0]
        raise _vanishing(i, j, wins[i, j], unit)
    scores = _newton(scaled, ridge / unit)
    if not return_std:
        return scores
    p = expit(scores[:, None] - scores)
    return scores, standard_errors((wins + wins.T) * p * p.T, ridge)


def _vanishing(i: int, j: int, count: float, unit: float) -> ValueError:
    """Of a count that becomes 0 when it is divided by the greatest one."""
    return ValueError(
        f"counts differ by too many orders of magnitude: {count:g} at [{i}, {j}] "
        f"vanishes beside {unit:g}. Pass ridge > 0, or merge rare comparisons."
    )


def _check_sparse(counts: Any) -> Any:
    """Return counts as a csr_array, without duplicates and diagonal."""
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(
            "counts must be square, [i, j] how often i beat j; got shape "
            f"{counts.shape}."
        )
    table = coo_array(counts, dtype=np.float64)
    row, column = table.coords
    is_off = row != column
    wins = csr_array(
        (table.data[is_off], (row[is_off], column[is_off])), shape=table.shape
    )
    wins.sum_duplicates()
    is_wrong = ~(np.isfinite(wins.data) & (wins.data >= 0))
    if is_wrong.any():
        place = int(is_wrong.argmax())
        i = int(np.searchsorted(wins.indptr, place, side="right")) - 1
        raise ValueError(
            f"counts must be finite and >= 0; got {wins.data[place]} at "
            f"[{i}, {wins.indices[place]}]."
        )
    wins.eliminate_zeros()
    return wins


def _fit_sparse(
    wins: Any, ridge: float, return_std: bool
) -> FloatArray | tuple[FloatArray, FloatArray]:
    """Fit pair by pair; ``wins`` is a csr_array."""
    check_number("ridge", ridge, low=0.0)
    n = wins.shape[0]
    if ridge == 0 and n:
        check_connected(wins)
    unit = max(float(wins.data.max(initial=0.0)), ridge) or 1.0
    scaled = wins / unit
    vanish = (scaled.data == 0).any()
    if ridge == 0 and n and vanish and _n_components(scaled) > 1:
        row, column = wins.nonzero()
        place = int((scaled.data == 0).argmax())
        raise _vanishing(row[place], column[place], wins.data[place], unit)
    scores: FloatArray | None = np.zeros(n)
    if n > 1:
        scores = sparse_comparisons.newton(
            sparse_comparisons.pairs_of(scaled),
            ridge / unit,
            max_steps=_MAX_STEPS,
            converged=_CONVERGED,
        )
    if scores is None:
        raise _without_convergence()
    if not return_std:
        return scores
    pairs = sparse_comparisons.pairs_of(wins)
    return scores, sparse_comparisons.standard_errors(pairs, scores, ridge)


def _n_components(wins: Any) -> int:
    """Number of strongly connected components of the graph of wins."""
    return int(connected_components(wins > 0, connection="strong")[0])


def check_connected(wins: Any) -> None:
    """Raise unless the graph of wins is strongly connected (Hunter, assumption 1).

    If it is not connected at all, but each of its parts is strongly, there are finite
    scores; any number may be added to those of one part, so they are not unique.
    """
    n_components, label = connected_components(wins > 0, connection="strong")
    if n_components <= 1:
        return
    i, j = wins.nonzero()
    is_across = label[i] != label[j]
    has_won, has_lost = np.zeros((2, n_components), dtype=bool)
    has_won[label[i[is_across]]] = has_lost[label[j[is_across]]] = True
    if not is_across.any():
        group = _names(np.flatnonzero(label == label[0]))
        others = _names(np.flatnonzero(label != label[0]))
        raise ValueError(
            f"{group} never met {others}, directly or through others, so "
            "the scores of the one group are not comparable with those of the other: "
            "finite scores are best, but not unique. Pass ridge > 0, say 0.1, or fit "
            "each group alone."
        )
    # the condensed graph is acyclic, so some component beat another and lost to none
    is_unbeaten = has_won & ~has_lost
    unbeaten = np.flatnonzero(label == np.argmax(is_unbeaten))
    raise ValueError(
        f"{_names(unbeaten)} never lost to any other item, so the likelihood has no "
        "finite maximum. Pass ridge > 0, say 0.1, or leave "
        f"{'it' if len(unbeaten) == 1 else 'them'} out."
    )


def _names(items: IntArray) -> str:
    """The first five items, and how many more there are, after their noun."""
    names = "item " if len(items) == 1 else "items "
    names += ", ".join(str(item) for item in items[:5].tolist())
    return names + (f" and {len(items) - 5} more" if len(items) > 5 else "")


def _newton(wins: FloatArray, ridge: float) -> FloatArray:
    """Maximize the penalized likelihood by damped Newton steps.

    If the full step changes the difference of no pair that played by more than d, the
    curvature along the step changes by a factor of at most e^d, and a step of length
    log(1 + d) / d still increases the objective [1]_.

    References
    ----------
    .. [1] F. Bach. Self-concordant analysis for logistic regression. Electronic Journal
       of Statistics 4, 2010, section 2.
    """
    n = len(wins)
    scores = np.zeros(n)
    if n < 2:
        return scores
    played = wins + wins.T
    for _ in range(_MAX_STEPS):
        p = expit(scores[:, None] - scores)  # p_ij = P(i beats j)
        # g_i = Σ_j w_ij p_ji - w_ji p_ij - ridge s_i; the difference is taken pair by
        # pair, so that rare pairs do not drown among frequent ones
        surplus = wins * p.T
        gradient = (surplus - surplus.T).sum(axis=1) - ridge * scores
        # -∂g_i/∂s_j = -n_ij p_ij p_ji for i ≠ j; the rows sum to ridge
        step = newton_step(played * p * p.T, ridge, gradient)
        if step is None:
            break
        d = float(np.abs((step[:, None] - step)[played > 0]).max(initial=0.0))
        scores += step * (np.log1p(d) / d if d else 1.0)
        scores -= scores.mean()
        if d <= _CONVERGED:
            return scores
    raise _without_convergence()


def _without_convergence() -> ValueError:
    return ValueError(
        f"no convergence in {_MAX_STEPS} steps: counts and ridge differ by too many "
        "orders of magnitude. Pass a larger ridge, or merge rare comparisons."
    )


def standard_errors(weight: FloatArray, ridge: float) -> FloatArray:
    """Standard errors of scores with mean 0, for the information D - W + ridge I.

    With 1 as its null vector (ridge = 0), the covariance in the space of mean 0 is its
    pseudo-inverse, (H + 11ᵀ/n)⁻¹ - 11ᵀ/n after scaling; with a ridge it is the inverse
    projected to that space.

    Examples
    --------
    >>> standard_errors(np.array([[0.0, 0.75], [0.75, 0.0]]), 0.0).round(4)
    array([0.5774, 0.5774])
    """
    n = len(weight)
    if n < 2:
        return np.zeros(n)
    unit = max(float(weight.max()), ridge) or 1.0
    laplacian = np.diag(weight.sum(axis=1)) - weight
    # 11ᵀ/n is the projection that is removed: its factor here has no influence
    hessian = (laplacian + ridge * np.eye(n)) / unit + 1 / n
    try:
        inverse = np.linalg.inv(hessian)
    except np.linalg.LinAlgError:
        raise sparse_comparisons.without_errors() from None
    centered = inverse - inverse.mean(axis=0) - inverse.mean(axis=1)[:, None]
    variance = np.diagonal(centered) + inverse.mean()
    curvature = (weight.sum(axis=1) + ridge) / unit
    return sparse_comparisons.roots_of_variances(variance, curvature) / np.sqrt(unit)


def newton_step(
    weight: FloatArray, ridge: float, gradient: FloatArray
) -> FloatArray | None:
    """Solve H x = g with H = D - W + ridge I and D = diag(W 1), scaled by its diagonal.

    None if rounding leaves H without a Cholesky factor.
    """
    curvature = weight.sum(axis=1) + ridge  # diagonal of H
    if not curvature.min() > 0:
        return None
    unit = np.sqrt(curvature)
    # As 1ᵀg = 0, the step sums to 0, so adding a multiple of 11ᵀ to H changes nothing
    # and removes its null vector 1 (nearly null, if the ridge is small).
    pin = unit.min() / unit if ridge else unit / np.linalg.norm(unit)
    hessian = np.eye(len(unit)) + np.outer(pin, pin) - weight / unit[:, None] / unit
    try:
        return cho_solve(cho_factor(hessian), gradient / unit) / unit
    except np.linalg.LinAlgError:
        return None
