"""Shapley values of a row by sampled orders of its features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ltr.queries import FloatArray, IntArray, group_queries
from ltr.rankers.scaled_scores import ScaledScores

_VALUES = 2**22  # of the rows that are scored at a time


def sampled_shares(
    view: ScaledScores, rows: IntArray, n_permutations: int, random_state: Any
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Contributions of scaled features, by orders drawn in antithetic pairs.

    In an order π, feature πₖ contributes s(x on π₁…πₖ) − s(x on π₁…πₖ₋₁), where the
    other features are 0; the sum over k telescopes to s(x) − s(0). The mean over all
    orders is the Shapley value. An order and its reverse are one draw, which has less
    variance than two.

    Parameters
    ----------
    view : ScaledScores
        Scaled rows and what scores them.
    rows : int array of shape (n_rows,)
        Rows to explain.
    n_permutations : int
        Number of orders; an odd one is raised by 1.
    random_state : int, RandomState or None
        Seed.

    Returns
    -------
    values : float array of shape (n_rows, n_features)
        Contributions.
    baseline, scores : float arrays of shape (n_rows,)
        s(0) and s(x).
    errors : float array of shape (n_rows, n_features)
        Standard errors over the pairs.
    """
    rng = check_random_state(random_state)
    n_pairs = (n_permutations + 1) // 2
    shape = (len(rows), view.Z.shape[1])
    values, errors = np.zeros(shape), np.zeros(shape)
    baseline, scores = np.zeros(len(rows)), np.zeros(len(rows))
    for i, row in enumerate(rows):

        def path(orders: IntArray, row: int = row) -> FloatArray:
            return _scores_on_path(view, np.array([row]), orders)[..., 0]

        values[i], errors[i], ends = _mean_gains(path, shape[1], n_pairs, rng)
        baseline[i], scores[i] = ends
    return values, baseline, scores, errors


def sampled_difference(
    view: ScaledScores, rows: IntArray, n_permutations: int, random_state: Any
) -> tuple[FloatArray, FloatArray]:
    """Contributions to the difference of the scores of two items of one list.

    In an order, a feature is added to both items at once. Without features the two are
    equal, so the sum telescopes to s(a) − s(b), also where a score depends on the other
    item; and what both have in common cancels, order by order.

    Parameters
    ----------
    view : ScaledScores
        Scaled rows and what scores them.
    rows : int array of shape (2,)
        The two items.
    n_permutations, random_state
        As for :func:`sampled_shares`.

    Returns
    -------
    values, errors : float arrays of shape (n_features,)
    """

    def path(orders: IntArray) -> FloatArray:
        scores = _scores_on_path(view, rows, orders)
        return np.asarray(scores[..., 0] - scores[..., 1])

    rng, n_pairs = check_random_state(random_state), (n_permutations + 1) // 2
    values, errors, _ = _mean_gains(path, view.Z.shape[1], n_pairs, rng)
    return values, errors


def _mean_gains(
    path: Callable[[IntArray], FloatArray], n_features: int, n_pairs: int, rng: Any
) -> tuple[FloatArray, FloatArray, tuple[float, float]]:
    """Mean gain of each feature over drawn orders, standard errors, and both ends."""
    orders = np.array([rng.permutation(n_features) for _ in range(n_pairs)])
    of_pair = np.zeros((n_pairs, n_features))
    for direction in (orders, orders[:, ::-1]):
        scores = path(direction)  # (n_pairs, n_features + 1)
        of_feature = np.argsort(direction, axis=1)  # when it is added
        of_pair += np.take_along_axis(np.diff(scores, axis=1), of_feature, 1) / 2
    errors = np.zeros(n_features)
    if n_pairs > 1:
        errors = of_pair.std(axis=0, ddof=1) / n_pairs**0.5
    return of_pair.mean(axis=0), errors, (float(scores[0, 0]), float(scores[0, -1]))


def _scores_on_path(view: ScaledScores, rows: IntArray, orders: IntArray) -> FloatArray:
    """Scores of some items of a list while features are added to all of them.

    Returns
    -------
    scores : float array of shape (n_orders, n_features + 1, n_rows)
    """
    n_orders, n_features = orders.shape
    step_of = np.argsort(orders, axis=1)
    steps = np.arange(n_features + 1)
    uses_list = view.fitted is not None and view.fitted.uses_list
    members = np.flatnonzero(view.queries.codes == view.queries.codes[rows[0]])
    places = np.searchsorted(members, rows)
    size = len(members) if uses_list else len(rows)
    scores = np.empty((n_orders, n_features + 1, len(rows)))
    block = max(1, _VALUES // ((n_features + 1) * n_features * size))
    for start in range(0, n_orders, block):
        part = step_of[start : start + block]
        is_in = part[:, None, :] < steps[:, None]  # (b, n_features + 1, n_features)
        mask = is_in.reshape(-1, 1, n_features)
        Z = np.where(mask, view.Z[rows], 0.0)  # (n_copies, n_rows, n_features)
        if uses_list:  # the other items of the list stay as they are
            copies = np.repeat(view.Z[members][None], len(Z), axis=0)
            copies[:, places] = Z
            Z = copies
        queries = group_queries(np.repeat(np.arange(len(Z)), size), len(Z) * size)
        flat = view.score(Z.reshape(-1, n_features), queries).reshape(-1, size)
        of_rows = flat[:, places] if uses_list else flat
        scores[start : start + block] = of_rows.reshape(-1, n_features + 1, len(rows))
    return scores
