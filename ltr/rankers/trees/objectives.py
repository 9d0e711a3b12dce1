"""LambdaRank gradients in NumPy, for lists above LightGBM's limit of 10,000 rows.

:func:`ltr.losses.lambdarank_loss` has these gradients too, but not LightGBM's
curvature, truncation and normalization. They are repeated here so that the objective is
the same on either side of the limit.
"""

from __future__ import annotations

import numpy as np

from ltr.lists import equal_size_blocks
from ltr.queries import FloatArray, IntArray, Queries

LIGHTGBM_MAX_LIST_SIZE = 10_000
_MAX_BLOCK_PAIRS = 2**22


class LambdaRankObjective:
    """LightGBM's lambdarank as a custom objective, without its limit on list sizes.

    Parameters
    ----------
    gains : float array of shape (n_samples,)
        Gain of each row; equal labels have equal gains.
    queries : Queries
        Query of each row.
    weights : float array of shape (n_samples,) or None
        Row weights.
    truncation_level : int
        Pairs without an item among the first ``truncation_level`` are left out.
    norm : bool
        LightGBM's ``lambdarank_norm``.

    References
    ----------
    .. [1] Burges, "From RankNet to LambdaRank to LambdaMART", MSR-TR-2010-82,
       section 4; details after LightGBM's ``rank_objective.hpp``.
    """

    def __init__(
        self,
        gains: FloatArray,
        queries: Queries,
        weights: FloatArray | None,
        truncation_level: int,
        norm: bool,
    ) -> None:
        self._gains = gains
        self._weights = weights
        self._truncation_level = truncation_level
        self._norm = norm
        max_rows = max(1, _MAX_BLOCK_PAIRS // truncation_level)
        self._blocks = [
            (rows, _inverse_ideal(gains[rows], truncation_level))
            for rows in equal_size_blocks(queries, max_rows)
            if rows.shape[1] > 1
        ]

    def __call__(self, scores: FloatArray) -> tuple[FloatArray, ...]:
        """Gradient and Hessian of the loss, each of shape (n_samples,)."""
        gradient, hessian = np.zeros(len(scores)), np.zeros(len(scores))
        for rows, inverse_ideal in self._blocks:
            g, h = lambda_gradients(
                scores[rows],
                self._gains[rows],
                inverse_ideal,
                self._truncation_level,
                self._norm,
            )
            gradient[rows], hessian[rows] = g, h
        if self._weights is not None:
            gradient *= self._weights
            hessian *= self._weights
        return gradient, hessian


def lambda_gradients(
    scores: FloatArray,
    gains: FloatArray,
    inverse_ideal: FloatArray,
    truncation_level: int,
    norm: bool,
) -> tuple[FloatArray, FloatArray]:
    r"""LightGBM's lambdas of lists of one size.

    A pair with gains G_i > G_j, at positions p_i and p_j, has the logistic loss
    log(1 + exp(-(s_i - s_j))) with the weight

    .. math:: \Delta_{ij} = \frac{|G_i - G_j|\,|D(p_i) - D(p_j)|}{\mathrm{IDCG}},
        \qquad D(p) = \frac{1}{\log_2(1 + p)},

    and the weight is held constant in the derivative: λ_ij = Δ_ij ρ and curvature
    Δ_ij ρ (1 - ρ) with ρ = 1 / (1 + exp(s_i - s_j)).

    Parameters
    ----------
    scores, gains : float arrays of shape (n_lists, list_size)
        Current scores; gains of the labels.
    inverse_ideal : float array of shape (n_lists,)
        1 / IDCG at the truncation level.
    truncation_level : int
        Pairs without an item among the first ``truncation_level`` are left out.
    norm : bool
        Divide Δ by 0.01 + abs(s_i - s_j), and scale the lambdas of a list, with
        L = Σ 2 abs(λ), by log2(1 + L) / L.

    Returns
    -------
    gradient, hessian : float arrays of shape (n_lists, list_size)
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    s = np.take_along_axis(scores, order, axis=1)  # (b, n), best score first
    g = np.take_along_axis(gains, order, axis=1)
    n = s.shape[1]
    top = min(truncation_level, n - 1)
    discount = 1.0 / np.log2(2.0 + np.arange(n))

    # (b, top, n): each pair once, from its upper position, one of the first `top`
    is_pair = np.arange(n)[None, :] > np.arange(top)[:, None]
    difference = g[:, :top, None] - g[:, None, :]
    better = np.sign(difference)
    delta = np.abs(difference) * np.abs(discount[:top, None] - discount[None, :])
    delta = np.where(is_pair, delta * inverse_ideal[:, None, None], 0.0)
    margin = better * (s[:, :top, None] - s[:, None, :])
    if norm:
        spread = (s[:, 0] != s[:, -1])[:, None, None]
        delta = np.where(spread, delta / (0.01 + np.abs(margin)), delta)
    rho = 1.0 / (1.0 + np.exp(np.clip(margin, -50.0, 50.0)))
    magnitude = delta * rho
    signed, curvature = better * magnitude, delta * rho * (1.0 - rho)

    # λ_ij pulls i up and j down; both get the curvature.
    gradient, hessian = np.zeros_like(s), np.zeros_like(s)
    gradient[:, :top] -= signed.sum(axis=2)
    gradient += signed.sum(axis=1)
    hessian[:, :top] += curvature.sum(axis=2)
    hessian += curvature.sum(axis=1)
    if norm:
        total = 2.0 * magnitude.sum(axis=(1, 2))
        safe = np.where(total > 0, total, 1.0)
        factor = np.where(total > 0, np.log2(1.0 + safe) / safe, 1.0)[:, None]
        gradient, hessian = gradient * factor, hessian * factor

    back = np.empty_like(order)
    np.put_along_axis(back, order, np.broadcast_to(np.arange(n), order.shape), axis=1)
    return _take(gradient, back), _take(hessian, back)


def _take(values: FloatArray, index: IntArray) -> FloatArray:
    return np.take_along_axis(values, index, axis=1)


def _inverse_ideal(gains: FloatArray, truncation_level: int) -> FloatArray:
    """1 / IDCG of each list; 0 where no gain is positive."""
    top_gains = -np.sort(-gains, axis=1)[:, :truncation_level]
    ideal = top_gains @ (1.0 / np.log2(2.0 + np.arange(top_gains.shape[1])))
    return np.where(ideal > 0, 1.0 / np.where(ideal > 0, ideal, 1.0), 0.0)
