"""The line of a wide and deep scorer: ridges and a feature, by lists left out."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear
from sklearn.linear_model import Ridge

from ltr.queries import group_queries
from ltr.rankers.ridge import fit_ridge, stack_lines
from ltr.within_lists import centered


def draw(n_lists, n_features, seed, list_size=6):
    """Centered features, correlated, and centered targets."""
    rng = np.random.default_rng(seed)
    qid = np.repeat(np.arange(n_lists), list_size)
    X = rng.normal(size=(len(qid), n_features)) + rng.normal(size=(len(qid), 1))
    y = X[:, 0] + 0.5 * X[:, 1] + rng.normal(size=len(qid))
    queries = group_queries(qid, len(qid))
    return centered(X, queries), centered(y, queries), queries


def candidates(Z, y):
    """Weights of each regression, one by one: the best feature, then the ridges."""
    explained = (Z.T @ y) ** 2 / (Z**2).sum(0)
    single = np.zeros(Z.shape[1])
    feature = explained.argmax()
    single[feature] = Z[:, feature] @ y / (Z[:, feature] @ Z[:, feature])
    return single, lambda alpha: Ridge(alpha, fit_intercept=False).fit(Z, y).coef_


def reference(Z, y, qid, weights=None):
    """A fit without each list for each candidate, and bounded least squares."""
    weights = np.ones(len(y)) if weights is None else weights
    roots = np.sqrt(weights)
    Z, y = Z * roots[:, None], y * roots
    alphas = (Z**2).sum() / Z.shape[1] * np.logspace(2, -4, 7)

    def all_candidates(rows):
        single, ridge = candidates(Z[rows], y[rows])
        return np.stack([single, *map(ridge, alphas)])

    predictions = np.empty((len(y), 8))
    for query in np.unique(qid):
        rows = qid == query
        predictions[rows] = Z[rows] @ all_candidates(~rows).T
    shares = lsq_linear(predictions, y, (0, np.inf), method="bvls").x
    return shares @ all_candidates(slice(None)), predictions @ shares


@pytest.mark.parametrize(("n_lists", "n_features"), [(5, 3), (8, 12), (4, 40)])
@pytest.mark.parametrize("weighted", [False, True])
def test_fits_without_each_list(n_lists, n_features, weighted):
    """The closed forms are those of scikit-learn, tall and wide, with weights."""
    Z, y, queries = draw(n_lists, n_features, n_features)
    weights = None
    if weighted:
        weights = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
        Z, y = centered(Z, queries, weights), centered(y, queries, weights)
    coef = stack_lines(Z, y, queries, weights)
    expected, _ = reference(Z, y, queries.codes, weights)
    np.testing.assert_allclose(coef, expected, atol=1e-5 * np.abs(expected).max())


def test_a_single_feature_that_is_all():
    """One feature is the target but for noise, and twenty are noise."""
    rng = np.random.default_rng(0)
    qid = np.repeat(np.arange(5), 5)
    queries = group_queries(qid, len(qid))
    X = rng.normal(size=(25, 21))
    Z = centered(X, queries)
    y = centered(X[:, 3] + 0.1 * rng.normal(size=25), queries)
    stacked, ridge = stack_lines(Z, y, queries), fit_ridge(Z, y, queries).coef
    test = rng.normal(size=(500, 21))
    errors = [np.mean((test[:, 3] - test @ coef) ** 2) for coef in (stacked, ridge)]
    assert errors[0] < 0.5 * errors[1]


def test_where_nothing_predicts():
    """The most shrunken line, as good as any, where lists contradict each other."""
    Z = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    queries = group_queries([0, 0, 1, 1], 4)
    y = np.array([-1.0, 1.0, 1.0, -1.1])
    coef = stack_lines(Z, centered(y, queries), queries)
    assert coef == pytest.approx((Z.T @ centered(y, queries)) / (4 + 100 * 4))


def test_one_list_has_no_others():
    """As the ridge regression on it."""
    Z, y, queries = draw(1, 3, 0)
    expected = fit_ridge(Z, y, queries).coef
    np.testing.assert_array_equal(stack_lines(Z, y, queries), expected)
    y[:] = 0.0
    assert not stack_lines(Z, y, queries).any()
    Z, y, queries = draw(3, 2, 0)
    assert not stack_lines(0.0 * Z, y, queries).any()
