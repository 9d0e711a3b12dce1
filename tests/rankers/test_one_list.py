"""One list at a time, as a service asks: no qid, row numbers best first, no items."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from ltr import (
    ConstrainedRanker,
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
    TSPRanker,
)
from ltr.datasets import make_ranking
from ltr.queries import group_queries
from ltr.rankers.base import order_rows
from ltr.solvers import Quota

DATA = make_ranking(8, list_size=5, n_features=3, n_informative=2, random_state=0)
X, Y, QID = DATA.X, DATA.y, DATA.qid
RANKERS = {
    "random": RandomRanker(),
    "feature": SingleFeatureRanker(),
    "linear": LinearRanker(preprocess="query"),
    "neural": NeuralRanker("mse", "linear", max_epochs=0, random_state=0),
    "attention": NeuralRanker("mse", "attention", max_epochs=0, random_state=0),
    "pairs": TSPRanker(encoder="identity", max_epochs=0, random_state=0),
    "borda": TSPRanker(
        decoder="borda", encoder="identity", max_epochs=0, loss="pairwise"
    ),
    "trees": LambdaMARTRanker(n_estimators=2, min_child_samples=1, n_jobs=1),
    "constrained": ConstrainedRanker(
        SingleFeatureRanker(), [Quota("g", "u", lower=1, top=1)]
    ),
}
GROUP = np.tile(["v", "u", "u", "v", "u"], 8)


@pytest.fixture(scope="module")
def fitted():
    """Every ranker, fitted with a qid."""
    return {name: ranker.fit(X, Y, QID) for name, ranker in RANKERS.items()}


def options(name, rows=slice(None)):
    """What ConstrainedRanker needs besides."""
    return {"attributes": {"g": GROUP[rows]}} if name == "constrained" else {}


@pytest.mark.parametrize("name", RANKERS)
def test_one_list_without_qid(fitted, name):
    """It has the scores, ranks and order that it has with a qid, and nothing warns."""
    ranker, rows = fitted[name], slice(5, 10)
    extra = options(name, rows)
    for method in (ranker.predict, ranker.rank, ranker.order):
        one = method(X[rows], **extra)
        assert np.array_equal(one, method(X[rows], QID[rows], **extra))
    with pytest.raises(ValueError, match="^score needs qid because fit was given one"):
        ranker.score(X[rows], Y[rows], **extra)


@pytest.mark.parametrize("name", RANKERS)
def test_order(fitted, name):
    """Rows by query, by first appearance; best first; equal scores in row order."""
    ranker, extra = fitted[name], options(name)
    shuffled = np.random.default_rng(0).permutation(len(Y))
    for rows in (np.arange(len(Y)), shuffled):
        qid = QID[rows]
        extra = options(name, rows)
        scores = ranker.predict(X[rows], qid, **extra)
        expected, top = [], []
        for query in dict.fromkeys(qid.tolist()):
            items = np.flatnonzero(qid == query).tolist()
            best = sorted(items, key=lambda row: (-scores[row], row))
            expected += best
            top += best[:2]
        order = ranker.order(X[rows], qid, **extra)
        assert order.dtype == np.intp
        assert order.tolist() == expected
        assert ranker.order(X[rows], qid, k=2, **extra).tolist() == top
        assert ranker.order(X[rows], qid, k=99, **extra).tolist() == expected


def test_order_sorts_a_frame(fitted):
    """``iloc`` takes it."""
    frame = pd.DataFrame(X, columns=list("abc")).assign(qid=QID)
    ranker = SingleFeatureRanker().fit(frame[list("abc")], Y, QID)
    best = frame.iloc[ranker.order(frame[list("abc")], frame.qid, k=1)]
    assert best.qid.is_unique
    assert len(best) == 8


@pytest.mark.parametrize("k", [0, -1, 2.0, "5", [], True])
def test_bad_k(fitted, k):
    """A whole number of rows, or all of them."""
    message = f"k must be a whole number >= 1, or None; got {k!r}."
    for name in ("feature", "constrained"):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            fitted[name].order(X, QID, k=k, **options(name))


@pytest.mark.parametrize(
    "nothing",
    [
        [],
        np.array([]),
        np.zeros((0, 3)),
        pd.DataFrame(np.zeros((0, 3)), columns=[0, 1, 2]),
        scipy.sparse.csr_matrix((0, 3)),
    ],
    ids=["list", "array", "matrix", "frame", "sparse"],
)
@pytest.mark.parametrize("name", RANKERS)
def test_no_candidates(fitted, name, nothing):
    """A list without items has no scores, no ranks and no order."""
    if scipy.sparse.issparse(nothing) and name not in ("random", "feature", "trees"):
        pytest.skip("takes no sparse matrices")
    ranker = fitted[name]
    extra = {"attributes": {"g": []}} if name == "constrained" else {}
    for qid in (None, []):
        for method, kind in (("predict", "f"), ("rank", "i"), ("order", "i")):
            values = getattr(ranker, method)(nothing, qid, **extra)
            assert values.shape == (0,)
            assert values.dtype.kind == kind
    message = "y must have at least one row to be scored; got none."
    with pytest.raises(ValueError, match=f"^{message}$"):
        ranker.score(nothing, [], [], **extra)


def test_no_candidates_for_pairs(fitted):
    """Nor has it matrices, solutions or expected ranks."""
    ranker, nothing = fitted["pairs"], np.zeros((0, 3))
    assert ranker.decode(nothing) == ranker.pairwise_matrix(nothing) == []
    assert ranker.expected_ranks(nothing).shape == (0,)
    assert fitted["constrained"].decode(nothing, attributes={"g": []}) == []


def test_columns_are_checked_without_rows(fitted):
    """A request for another model is noticed."""
    with pytest.raises(ValueError, match="X has 2 features, but SingleFeatureRanker"):
        fitted["feature"].predict(np.zeros((0, 2)))


@pytest.mark.parametrize("name", ["random", "feature", "neural", "trees"])
def test_many_rows_without_qid(fitted, name):
    """Over 1000 rows: a forgotten qid, probably."""
    many = np.repeat(X, 26, axis=0)
    message = (
        "qid is None, so all 1040 rows compete in one list, although fit was given a "
        "qid. Pass the query of each row as qid; if they really are one list, pass "
        "qid=np.zeros(len(X))."
    )
    for method in (fitted[name].rank, fitted[name].order):
        with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
            method(many)
        method(many, np.zeros(len(many)))
    fitted[name].predict(many)
    RandomRanker().fit(X, Y).rank(many)


def test_order_of_lists():
    """Against a sort of each list."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        qid, scores = rng.integers(4, size=12), rng.integers(3, size=12).astype(float)
        queries = group_queries(qid, 12)
        k = int(rng.integers(1, 5))
        expected = []
        for query in dict.fromkeys(qid.tolist()):
            rows = np.flatnonzero(qid == query)
            expected += rows[np.argsort(-scores[rows], kind="stable")][:k].tolist()
        assert order_rows(scores, queries, k).tolist() == expected
