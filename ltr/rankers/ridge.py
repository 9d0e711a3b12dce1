"""Ridge regression in closed form, its penalty chosen by leaving lists out.

On few lists, which penalty predicts best is itself uncertain, and a single feature may
predict better than all of them: :func:`stack_lines` weighs them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ltr.memory import check_memory
from ltr.queries import FloatArray, IntArray, Queries

_PENALTIES = np.logspace(2, -4, 7)  # in multiples of the mean eigenvalue
_BETWEEN = np.sqrt([10.0, 0.1])  # of the best one, to its neighbors
_JUDGED_LISTS = 1000


class Ridge(NamedTuple):
    """A fitted ridge regression.

    Attributes
    ----------
    coef : float array of shape (n_features,)
        Weights of the features.
    alpha : float
        Penalty of their squares.
    error : float
        Sum of the squared errors on lists that were left out.
    """

    coef: FloatArray
    alpha: float
    error: float


class _Spectrum(NamedTuple):
    """The regression in the coordinates in which its normal equations are diagonal.

    ZᵀZ = V diag(λ) Vᵀ, U = Z V, b = Uᵀy; the weights are V (λ + α)⁻¹ b.
    """

    U: FloatArray  # (n_samples, rank)
    V: FloatArray  # (n_features, rank)
    eigenvalues: FloatArray  # (rank,)
    b: FloatArray  # (rank,)


def fit_ridge(
    Z: FloatArray,
    y: FloatArray,
    queries: Queries,
    weights: FloatArray | None = None,
    alpha: float | None = None,
) -> Ridge:
    """Minimize Σ w (y − z · coef)² + alpha · |coef|², without an intercept.

    Parameters
    ----------
    Z : float array of shape (n_samples, n_features)
        Features whose weighted mean is 0 in each list.
    y : float array of shape (n_samples,)
        Targets whose weighted mean is 0 in each list.
    queries : Queries
        Query of each row.
    weights : float array of shape (n_samples,), default=None
        Row weights w > 0. None: all 1.
    alpha : float, default=None
        Penalty ≥ 0. None: the one that predicts lists best that it was not fitted on,
        to half a power of ten, from 1e-4 to 100 times the mean eigenvalue of ZᵀZ.

    Returns
    -------
    ridge : Ridge

    Raises
    ------
    ValueError
        If squares of the features overflow.
    MemoryError
        If ZᵀZ needs more memory than is available.

    Notes
    -----
    The residuals of a list left out of the fit follow from those of the fit with it,
    e₋ₗ = (I − Zₗ (ZᵀZ + α)⁻¹ Zₗᵀ)⁻¹ eₗ, which for lists of one row is Allen's PRESS
    (Technometrics 1974). As features and targets are centered within the list, this is
    leave-one-query-out in full. With fewer than two lists whose targets differ, the
    penalty minimizes the generalized cross-validation of Golub, Heath & Wahba
    (Technometrics 1979) over rows.

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> Z = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    >>> queries = group_queries([0, 0, 1, 1], 4)
    >>> ridge = fit_ridge(Z, np.array([-1.0, 1.0, -1.0, 1.0]), queries, alpha=4.0)
    >>> ridge.coef.tolist(), round(ridge.error, 3)
    ([0.5], 1.778)
    """
    n_rows = max(len(y), 0.0 if weights is None else float(weights.sum()))
    if weights is not None:
        roots = np.sqrt(weights)
        Z, y = Z * roots[:, None], y * roots
    spectrum = _spectrum(Z, y)
    differs = np.bincount(queries.codes, y != 0, minlength=queries.n_lists) > 0

    def errors(penalties: FloatArray) -> FloatArray:
        if differs.sum() < 2:
            return _gcv(spectrum, y, penalties, n_rows)
        return _leave_list_out(spectrum, y, queries, penalties)

    mean_eigenvalue = spectrum.eigenvalues.sum() / Z.shape[1]
    if alpha is not None or mean_eigenvalue == 0:
        penalties = np.array([1.0 if alpha is None else alpha])  # any, if Z is 0
        costs = errors(penalties)
    else:
        penalties = mean_eigenvalue * _PENALTIES
        costs = errors(penalties)
        between = penalties[costs.argmin()] * _BETWEEN
        costs = np.append(costs, errors(between))
        penalties = np.append(penalties, between)
    best = costs.argmin()
    coordinates = spectrum.b / (spectrum.eigenvalues + penalties[best])
    return Ridge(spectrum.V @ coordinates, float(penalties[best]), float(costs[best]))


def stack_lines(
    Z: FloatArray,
    y: FloatArray,
    queries: Queries,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Combine ridge regressions of all penalties and the best single feature.

    Parameters
    ----------
    Z : float array of shape (n_samples, n_features)
        Features whose weighted mean is 0 in each list.
    y : float array of shape (n_samples,)
        Targets whose weighted mean is 0 in each list.
    queries : Queries
        Query of each row.
    weights : float array of shape (n_samples,), default=None
        Row weights w > 0. None: all 1.

    Returns
    -------
    coef : float array of shape (n_features,)
        Weights of the features.

    Raises
    ------
    ValueError
        If squares of the features overflow.
    MemoryError
        If ZᵀZ needs more memory than is available.

    Notes
    -----
    Stacked regression [1]_: candidate k predicts each list from a fit on all others,
    p₋ₖ, and the coefficients of the candidates are min |√w (y − Σₖ aₖ p₋ₖ)|², a ≥ 0.
    The candidates are ridge regressions with penalties from 1e-4 to 100 times the mean
    eigenvalue of ZᵀZ (the last weighs features almost by their covariance with y), and
    the regression on the one feature that explains most, which is chosen again for each
    list. Where no candidate predicts lists at all, the greatest penalty is returned;
    with fewer than two lists whose targets differ, what :func:`fit_ridge` returns.

    References
    ----------
    .. [1] Breiman, "Stacked regressions", Machine Learning 24, 1996.

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> Z = np.array([[-1.0, 0.5], [1.0, -0.5], [-1.0, -1.0], [1.0, 1.0]])
    >>> queries = group_queries([0, 0, 1, 1], 4)
    >>> stack_lines(Z, np.array([-1.0, 1.0, -1.0, 1.0]), queries).round(6).tolist()
    [1.0, 0.0]
    """
    from scipy.optimize import nnls

    differs = np.bincount(queries.codes, y != 0, minlength=queries.n_lists) > 0
    if differs.sum() < 2:
        return fit_ridge(Z, y, queries, weights).coef
    if weights is not None:
        roots = np.sqrt(weights)
        Z, y = Z * roots[:, None], y * roots
    spectrum = _spectrum(Z, y)
    mean_eigenvalue = spectrum.eigenvalues.sum() / Z.shape[1]
    if mean_eigenvalue == 0:
        return np.zeros(Z.shape[1])
    penalties = mean_eigenvalue * _PENALTIES
    single, predictions = _single_feature(Z, y, queries)
    candidates = [predictions] + [np.empty(len(y)) for _ in penalties]
    for rows, residuals in _left_out(spectrum, y, queries, penalties, queries.n_lists):
        for candidate, errors in zip(candidates[1:], residuals, strict=True):
            candidate[rows] = y[rows] - errors
    # |y − P a|² = |r − R a|², with (P, y) = Q (R, r)
    columns = np.column_stack([*candidates, y])
    triangle = np.asarray(np.linalg.qr(columns, mode="r"), dtype=np.float64)
    shares, _ = nnls(triangle[:, :-1], triangle[:, -1])
    if not shares.any():
        shares[1] = 1.0
    coordinates = spectrum.b / (spectrum.eigenvalues + penalties[:, None])
    return np.asarray(shares[0] * single + shares[1:] @ coordinates @ spectrum.V.T)


def _single_feature(
    Z: FloatArray, y: FloatArray, queries: Queries
) -> tuple[FloatArray, FloatArray]:
    """Regression on the feature that explains most, and its predictions of lists.

    Each list is predicted by the feature that explains most of the others.
    """
    n_features = Z.shape[1]
    lists = np.split(queries.order, queries.starts[1:-1])
    covariances = np.empty((len(lists), n_features))  # zᵀy of each list
    squares = np.empty((len(lists), n_features))  # zᵀz
    for i, rows in enumerate(lists):
        covariances[i], squares[i] = Z[rows].T @ y[rows], (Z[rows] ** 2).sum(axis=0)
    least = squares.sum(axis=0).max() * n_features * np.finfo(float).eps

    def best(covariance: FloatArray, square: FloatArray) -> tuple[int, float]:
        """The feature with the largest (zᵀy)² / zᵀz, and its slope."""
        square = np.where(square > least, square, np.inf)
        feature = int(np.argmax(covariance**2 / square))
        return feature, float(covariance[feature] / square[feature])

    predictions = np.empty(len(y))
    covariance, square = covariances.sum(axis=0), squares.sum(axis=0)
    for i, rows in enumerate(lists):
        feature, slope = best(covariance - covariances[i], square - squares[i])
        predictions[rows] = slope * Z[rows, feature]
    coef = np.zeros(n_features)
    feature, slope = best(covariance, square)
    coef[feature] = slope
    return coef, predictions


def _spectrum(Z: FloatArray, y: FloatArray) -> _Spectrum:
    n_samples, n_features = Z.shape
    side = min(n_samples, n_features)
    check_memory(
        4 * 8 * side**2,
        f"the closed form of a regression on {n_features} features",
        "Use NeuralRanker('mse', 'linear'), which needs no matrix of all pairs of "
        "features.",
    )
    is_tall = n_samples >= n_features
    with np.errstate(over="ignore", invalid="ignore"):
        gram = Z.T @ Z if is_tall else Z @ Z.T
    if not np.isfinite(gram).all():
        raise ValueError(
            "X must have squares that are finite; got values up to "
            f"{np.abs(Z).max():g}. Scale the features, or set preprocess='query'."
        )
    eigenvalues, vectors = np.linalg.eigh(gram)
    tolerance = eigenvalues.max(initial=0.0) * max(Z.shape) * np.finfo(float).eps
    is_kept = eigenvalues > tolerance
    eigenvalues, vectors = eigenvalues[is_kept], vectors[:, is_kept]
    if is_tall:
        V, U = vectors, Z @ vectors
    else:  # Z = vectors diag(√λ) Vᵀ
        roots = np.sqrt(eigenvalues)
        V, U = Z.T @ vectors / roots, vectors * roots
    return _Spectrum(U, V, eigenvalues, U.T @ y)


def _gcv(
    spectrum: _Spectrum, y: FloatArray, penalties: FloatArray, n_rows: float
) -> FloatArray:
    """Generalized cross-validation; the mean of the list counts as a parameter."""
    shares = spectrum.eigenvalues / (spectrum.eigenvalues + penalties[:, None])
    errors = np.sum(_residuals(spectrum, y, penalties) ** 2, axis=1)
    remaining = 1 - (1 + shares.sum(axis=1)) / n_rows  # degrees of freedom
    return np.asarray(errors / np.maximum(remaining, 1e-12) ** 2)


def _leave_list_out(
    spectrum: _Spectrum, y: FloatArray, queries: Queries, penalties: FloatArray
) -> FloatArray:
    """Sum of the squared errors on lists left out, for each penalty."""
    errors = np.zeros(len(penalties))
    for _, residuals in _left_out(spectrum, y, queries, penalties, _JUDGED_LISTS):
        errors += np.sum(residuals**2, axis=1)
    return errors


def _left_out(
    spectrum: _Spectrum,
    y: FloatArray,
    queries: Queries,
    penalties: FloatArray,
    max_lists: int,
) -> Iterator[tuple[IntArray, FloatArray]]:
    """Rows of a list, and their errors in fits without it for each penalty.

    Of evenly spaced lists, if there are more than ``max_lists``.
    """
    inverses = 1 / (spectrum.eigenvalues + penalties[:, None])  # (n_penalties, rank)
    residuals = _residuals(spectrum, y, penalties)  # (n_penalties, n_samples)
    n_lists, rank = queries.n_lists, len(spectrum.eigenvalues)
    n_judged = min(n_lists, max_lists)
    for number in np.linspace(0, n_lists - 1, n_judged).round().astype(int):
        rows = queries.order[queries.starts[number] : queries.starts[number + 1]]
        U, e = spectrum.U[rows], residuals[:, rows, None]
        if len(rows) <= rank:
            hat = (U * inverses[:, None, :]) @ U.T  # (n_penalties, n_rows, n_rows)
            errors = np.asarray(np.linalg.solve(np.eye(len(rows)) - hat, e), float)
        else:
            # (I − U D Uᵀ)⁻¹ = I + U (D⁻¹ − UᵀU)⁻¹ Uᵀ, by Woodbury
            inner = np.eye(rank) / inverses[:, None, :] - U.T @ U
            errors = e + U @ np.linalg.solve(inner, U.T @ e)
        yield rows, errors[..., 0]  # (n_penalties, n_rows)


def _residuals(spectrum: _Spectrum, y: FloatArray, penalties: FloatArray) -> FloatArray:
    """Errors of the fit with each penalty, shape (n_penalties, n_samples)."""
    weights = spectrum.b / (spectrum.eigenvalues + penalties[:, None])
    return np.asarray(y - weights @ spectrum.U.T)
