"""Weights of AutoRanker's members: equal ones, but for what held-out queries prove."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from ltr import AutoRanker, LambdaMARTRanker, LinearRanker, save_ranker
from ltr.datasets import make_ranking
from ltr.metrics import ndcg_score
from ltr.queries import group_queries
from ltr.rankers import persistence
from ltr.rankers.blend.normalization import normalize_scores
from ltr.rankers.blend.weighting import evident_weights
from ltr.serving import loading

STUMPS = LambdaMARTRanker(
    n_estimators=2, num_leaves=2, n_jobs=1, random_state=0, min_child_samples=100
)
MEMBERS = [("linear", LinearRanker()), ("stumps", STUMPS)]


@pytest.fixture(scope="module")
def data():
    return make_ranking(100, list_size=8, n_features=4, noise=0.5, random_state=0)


@pytest.fixture(scope="module")
def auto(data):
    return AutoRanker(members=MEMBERS, random_state=0).fit(data.X, data.y, data.qid)


def draw(seed, n_queries, n_members, noise):
    """Rows, and members of which each is noisier than the one before."""
    rng = np.random.default_rng(seed)
    qid = rng.permutation(np.repeat(np.arange(n_queries), rng.integers(4, 8)))
    labels = rng.integers(0, 4, len(qid)).astype(float)
    labels[qid == 0] = 1.0  # a query without order
    queries = group_queries(qid, len(qid))
    scores = [
        normalize_scores(labels + noise * (i + 1) * e, queries, "zscore")
        for i, e in enumerate(rng.normal(size=(n_members, len(qid))))
    ]
    return np.column_stack(scores), labels, queries, qid


def direct(scores, labels, queries, qid, weight):
    """The same from the rows themselves, one fit a query."""
    z = normalize_scores(labels, queries, "zscore")
    numbers = {query: number for number, query in enumerate(dict.fromkeys(qid))}
    codes = np.array([numbers[query] for query in qid])
    n_members = scores.shape[1]
    evidence = [q for q in range(codes.max() + 1) if weight[q] > 0 and
                np.ptp(labels[codes == q]) > 0]  # fmt: skip

    def fit(queries):
        rows = np.isin(codes, queries)
        root = np.sqrt(weight[codes[rows]])
        solution = nnls(root[:, None] * scores[rows], root * z[rows])[0]
        total = solution.sum()
        return n_members * solution / total if total > 0 else np.ones(n_members)

    n = len(evidence)
    if n < 2:
        return np.ones(n_members)
    weights = fit(evidence)
    without = np.array([fit([q for q in evidence if q != r]) for r in evidence])
    variance = (n - 1) * np.var(without, axis=0).sum()
    share = 1 - 2 * variance / max(((weights - 1) ** 2).sum(), 1e-300)
    return 1 + max(0.0, share) * (weights - 1)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 4),
    st.sampled_from([0.1, 1.0, 10.0]),
    st.booleans(),
)
def test_they_are_those_of_the_rows_one_fit_a_query(
    seed, n_queries, n_members, noise, is_weighted
):
    scores, labels, queries, qid = draw(seed, n_queries, n_members, noise)
    weight = np.random.default_rng(seed).integers(0, 3, n_queries).astype(float)
    if not is_weighted:
        weight = np.ones(n_queries)
    weights = evident_weights(scores, labels, queries, weight if is_weighted else None)
    expected = direct(scores, labels, queries, qid, weight)
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    assert weights.sum() == pytest.approx(n_members)
    assert (weights > -1e-12).all()


def test_members_that_are_as_good_keep_equal_weights():
    """Equal ones, and ones of equal noise: the distance is what chance explains."""
    scores, labels, queries, _ = draw(0, 30, 1, 1.0)
    twice = np.column_stack([scores, scores])
    assert evident_weights(twice, labels, queries).tolist() == [1.0, 1.0]
    n_equal = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        _, labels, queries, _ = draw(seed, 30, 1, 1.0)
        noisy = labels + 2.0 * rng.normal(size=(3, len(labels)))
        columns = [normalize_scores(s, queries, "zscore") for s in noisy]
        weights = evident_weights(np.column_stack(columns), labels, queries)
        n_equal += weights.tolist() == [1.0] * 3
        np.testing.assert_allclose(weights, 1.0, atol=0.4)
    assert n_equal >= 15


def test_evidence_moves_the_weights(auto, data):
    """A weak member gets little; the leaderboard shows the shares."""
    linear, stumps = auto.weights_
    assert linear > 0.8
    assert linear + stumps == pytest.approx(1)
    assert auto.leaderboard_.loc["blend", "status"] == "mean of 88% linear, 12% stumps"
    columns = auto.predict_members(data.X, data.qid)
    expected = columns @ auto.weights_
    np.testing.assert_allclose(auto.predict(data.X, data.qid), expected, atol=1e-12)
    equal = ndcg_score(data.y, columns.mean(axis=1), qid=data.qid, k=10)
    assert auto.score(data.X, data.y, data.qid) > equal


def test_saved_and_served(auto, data, tmp_path, monkeypatch):
    """With the weights; a folder from before they existed has equal ones."""
    save_ranker(auto, tmp_path / "auto")
    scores = auto.predict(data.X, data.qid)
    monkeypatch.setattr(loading, "_ESTIMATORS", "no such module")
    for load in (persistence.load_ranker, loading.load_ranker):
        loaded = load(tmp_path / "auto")
        assert np.array_equal(loaded.predict(data.X, data.qid), scores)
    old = copy.copy(auto)
    del old._weights
    save_ranker(old, tmp_path / "old")
    assert persistence.load_ranker(tmp_path / "old").weights_.tolist() == [0.5, 0.5]
    columns = auto.predict_members(data.X, data.qid)
    for load in (persistence.load_ranker, loading.load_ranker):
        means = load(tmp_path / "old").predict(data.X, data.qid)
        np.testing.assert_allclose(means, columns.mean(axis=1), atol=1e-12)
