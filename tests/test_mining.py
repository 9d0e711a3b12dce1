"""Mining of training lists: golden values, laws and messages."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.datasets import RankingData
from ltr.mining import (
    consistency_filter,
    mine_hard_negatives,
    mine_rounds,
    rewrite_queries,
    sample_negatives,
    self_consistency_filter,
)

JUDGED = np.array([0.95, 0.3, 0.85, 0.2, 0.6, 0.1, 0.7, 0.05, 0.9])
NEARNESS = np.append(np.linspace(0.8, 0.1, 8), 0.9)[None]  # item 8 is the positive


def mine(**options):
    judge = lambda query, items: JUDGED[items]
    return mine_hard_negatives(NEARNESS, [8], judge, **options)


def test_golden_values():
    similarity = [[0.9, 0.2, 0.1], [0.8, 0.6, 0.7], [0.1, 0.65, 0.64]]
    consistent = consistency_filter(similarity, [0, 1, 2], top=2, threshold=0.62)
    assert consistent.tolist() == [True, False, True]
    negatives = mine(step=3, k=4)
    assert negatives.indices.tolist() == [[1, 5, 3, 6]]
    assert negatives.scores.tolist() == [[0.3, 0.1, 0.2, 0.7]]


def test_negatives_are_repeated_in_turn():
    """The pool has six; a shallow one has three, and none may remain."""
    assert mine(step=3, k=8).indices.tolist() == [[1, 5, 3, 6, 4, 7, 1, 5]]
    assert mine(depth=4, step=1, k=3).indices.tolist() == [[1, 3, 1]]
    drawn = mine(depth=1, k=3, random_state=0)
    assert set(drawn.indices[0]) <= set(range(1, 8))
    assert drawn.scores[0].tolist() == JUDGED[drawn.indices[0]].tolist()
    message = (
        "query 0 has no item but its positive and 8 that the judge thinks relevant. Raise depth "
        "or lower beta."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        mine_hard_negatives(NEARNESS, [8], lambda query, items: np.ones(len(items)))


@given(st.integers(0, 2**32 - 1))
def test_negatives_are_no_false_ones(seed):
    """Near, below the positive by the margin, and never the positive itself."""
    rng = np.random.default_rng(seed)
    similarity, judged = rng.random((3, 12)), rng.random((3, 12))
    positives = rng.integers(12, size=3)
    judged[np.arange(3), positives] = 1.0
    judge = lambda query, items: judged[query, items]
    indices, scores = mine_hard_negatives(similarity, positives, judge, depth=8, k=5)
    for query, positive in enumerate(positives):
        assert positive not in indices[query]
        assert (scores[query] <= 0.9).all()
        assert scores[query].tolist() == judged[query, indices[query]].tolist()
        assert len(set(indices[query])) >= min(5, (judged[query] <= 0.9).sum() - 4)


def test_sampling_has_the_probabilities_of_a_softmax():
    """First draws, without those above the bound; τ → 0 is the nearest."""
    similarity = np.tile([0.9, 0.8, 0.5, 0.2, 0.7], (40_000, 1))
    positives = np.full(40_000, 4)
    first = sample_negatives(
        similarity, positives, 1, temperature=0.1, upper=0.88, random_state=0
    )
    share = np.bincount(first[:, 0], minlength=5) / 40_000
    assert share == pytest.approx([0, 0.9503302, 0.0473142, 0.0023556, 0], abs=0.004)
    hard = sample_negatives(similarity[:9], positives[:9], 3, temperature=1e-4)
    assert (hard == [0, 1, 2]).all()


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 10.0))
def test_samples_are_distinct(seed, temperature):
    similarity = np.random.default_rng(seed).normal(size=(4, 7))
    positives = np.arange(4)
    drawn = sample_negatives(
        similarity, positives, 6, temperature=temperature, random_state=seed
    )
    for query, items in enumerate(drawn.tolist()):
        assert sorted([*items, query]) == list(range(7))


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_consistency_is_the_rank_of_the_positive(seed, top):
    rng = np.random.default_rng(seed)
    similarity = rng.integers(4, size=(5, 6)).astype(float)
    positives = rng.integers(6, size=5)
    expected = [
        sum(value >= row[item] for value in row) <= top
        for row, item in zip(similarity, positives, strict=True)
    ]
    assert consistency_filter(similarity, positives, top=top).tolist() == expected


def test_self_consistency():
    """NDCG@10 of the judge's order against known relevance, .4 by default."""
    assert self_consistency_filter("abc", {"b", "c"})  # .6934
    assert not self_consistency_filter("abcdefghijk", {"k"})
    assert not self_consistency_filter("abcd", {"d"}, min_ndcg=0.44)  # .4307


def test_rounds():
    """Each model is fitted on what the one before it found, as the judge labels it."""
    fitted = []

    def search(model, depth):
        start = 0 if model is None else model
        X = np.arange(start, start + depth, dtype=float)[:, None]
        return RankingData(X, np.zeros(depth), np.zeros(depth, int))

    def fit(data):
        fitted.append(data.y.tolist())
        return int(data.y.max())

    found = list(
        mine_rounds(fit, search, lambda data: 2 * data.X[:, 0], depth=2, rounds=3)
    )
    assert fitted == [[0, 2], [4, 6], [12, 14]] == [data.y.tolist() for data in found]
    message = "judge must return a number for each of 2 rows; got shape (1,), 0 NaN."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        next(mine_rounds(fit, search, lambda data: [1.0], depth=2))


def test_rewritten_queries():
    """A join of texts and judgments; a query may be left out."""
    queries = pd.DataFrame({"qid": ["1", "2", "3"], "text": ["a", "b", "c"]})
    qrels = {1: {"x": 2, "y": 1, "z": 0}, 2: {"x": 1}}
    rewrite = lambda text, docids: f"{text}:{''.join(docids)}" if text == "a" else None
    rewritten = rewrite_queries(queries, qrels, rewrite)
    assert rewritten.to_dict("list") == {
        "qid": ["1"],
        "query": ["a:xy"],
        "original": ["a"],
    }
    assert rewrite_queries(queries, qrels, rewrite, only=[2]).empty
    with pytest.raises(
        ValueError, match=r"^only must name some of the 3 queries; got '9'\.$"
    ):
        rewrite_queries(queries, qrels, rewrite, only=[9])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: consistency_filter([[0.1, np.nan]], [0]),
            "similarity must have no NaN; got one for query 0, item 1.",
        ),
        (
            lambda: consistency_filter([0.1], [0]),
            "similarity must have shape (n_queries, n_items); got (1,).",
        ),
        (
            lambda: consistency_filter([[0.1, 0.2]], [2]),
            "positives must be an item from 0 to 1 for each of 1 queries; got [2].",
        ),
        (
            lambda: sample_negatives([[0.1, 0.2]], [1], 2, temperature=1.0),
            "a query must have at least n=2 items to draw from; got 1 for query 0.",
        ),
        (
            lambda: mine_hard_negatives(NEARNESS, [8], lambda query, items: [1.0]),
            "judge must return a number for each of 9 items; got [1.0] for query 0.",
        ),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()
