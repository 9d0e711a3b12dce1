"""Weights of the members of a blend, as far as held-out queries prove them."""

from __future__ import annotations

import numpy as np

from ltr.queries import FloatArray, Queries
from ltr.rankers.blend.normalization import normalize_scores
from ltr.row_values import scaled_weights

# Weights leave the equal ones once they are farther from them than chance would have
# it, with this factor on the variance that chance has.
_STRENGTH = 2.0


def evident_weights(
    scores: FloatArray,
    labels: FloatArray,
    queries: Queries,
    query_weight: FloatArray | None = None,
) -> FloatArray:
    r"""Weights of members, equal but for what held-out queries prove.

    Stacked regression with weights of no negative sign, shrunken towards equal ones.

    Parameters
    ----------
    scores : float array of shape (n_samples, n_members)
        z-scores within the list of rows that no member was fitted on.
    labels : float array of shape (n_samples,)
        Labels of these rows.
    queries : Queries
        Their queries; those with a single label are no evidence.
    query_weight : float array of shape (n_lists,), default=None
        Weight of each query. None: 1.

    Returns
    -------
    weights : float array of shape (n_members,)
        At least 0, with the mean 1.

    Notes
    -----
    With the z-scores z of the labels and S of the members, least squares gives

    .. math:: \hat w = \arg\min_{w \ge 0} \sum_q v_q \lVert z_q - S_q w \rVert^2,

    scaled to the mean 1 (Breiman, "Stacked regressions", 1996, section 4). Leaving out
    one query at a time gives its variance V, the trace of the jackknife covariance. The
    equal weights e = 1 are kept as far as V explains the distance, by the positive
    part of James and Stein's estimator (Efron and Morris, 1973) with 2 V in place of V:

    .. math:: w = e + \max(0, 1 - 2 V / \lVert \hat w - e \rVert^2) (\hat w - e).

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> from ltr.rankers.blend.normalization import normalize_scores
    >>> rng = np.random.default_rng(0)
    >>> labels, noise = rng.normal(size=(2, 400))
    >>> queries = group_queries(np.repeat(np.arange(40), 10), 400)
    >>> columns = [labels, noise]
    >>> scores = [normalize_scores(s, queries, "zscore") for s in columns]
    >>> evident_weights(np.column_stack(scores), labels, queries).round(2).tolist()
    [2.0, 0.0]
    """
    n_members = scores.shape[1]
    equal = np.ones(n_members)
    z = normalize_scores(labels, queries, "zscore")
    order, starts = queries.order, queries.starts[:-1]
    rows = np.column_stack([scores, z])[order]  # list by list
    products = np.add.reduceat(rows[:, :, None] * rows[:, None, :n_members], starts)
    is_evidence = np.add.reduceat(z[order] ** 2, starts) > 0
    if query_weight is not None:
        products *= scaled_weights(query_weight)[:, None, None]
        is_evidence &= query_weight > 0
    products = products[is_evidence]  # (n_queries, n_members + 1, n_members)
    n_queries = len(products)
    if n_members == 1 or n_queries < 2:
        return equal
    total = products.sum(axis=0)
    weights = _least_squares(total)
    without = np.array([_least_squares(total - product) for product in products])
    spread = without - without.mean(axis=0)
    variance = (n_queries - 1) / n_queries * (spread**2).sum()
    distance = ((weights - equal) ** 2).sum()
    if distance <= _STRENGTH * variance:
        return equal
    return np.asarray(
        equal + (1.0 - _STRENGTH * variance / distance) * (weights - equal)
    )


def _least_squares(products: FloatArray) -> FloatArray:
    """Least squares with weights ≥ 0 from SᵀS and, in the last row, zᵀS; mean 1.

    With SᵀS = Q Λ Qᵀ, the rows of Λ^½ Qᵀ have the same products, and Λ^-½ Qᵀ Sᵀz those
    with z, so that a problem of n_members rows has the same solution.
    """
    from scipy.optimize import nnls

    gram, target = products[:-1], products[-1]
    values, vectors = np.linalg.eigh(gram)
    roots = np.sqrt(np.maximum(values, 1e-12 * max(values[-1], 1e-300)))
    weights, _ = nnls(roots[:, None] * vectors.T, vectors.T @ target / roots)
    total = weights.sum()
    return len(gram) / total * weights if total > 0 else np.ones(len(gram))
