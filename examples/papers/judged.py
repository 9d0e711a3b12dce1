"""Lists for the rows about judges: a first stage, grades, and a judge that errs.

By default the queries are images of digits, the first stage is the cosine of a coarse
embedding, and the judge a classifier that saw few labels. With Cranfield the first
stage is BM25 and the judge is boosting on two scores, trained on other queries.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from collection import cranfield, digits, unit
from row import Setting
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression

from ltr.metrics import ndcg_score

DEPTH = 40


class Lists(NamedTuple):
    """Candidates of each query by the first stage, all (n_queries, DEPTH)."""

    first: np.ndarray  # scores of the first stage, descending
    relevance: np.ndarray
    judged: np.ndarray  # what the judge thinks of each


def lists_of(setting: Setting) -> Lists:
    """Cranfield if its files are there, else digits."""
    n = 12 if setting.small else 60
    lists = from_cranfield(setting.data) if setting.data else from_digits()
    return Lists(*(values[:n] for values in lists))


@functools.cache
def from_digits() -> Lists:
    """60 images; those of their digit are relevant among the 40 nearest."""
    fine, digit = digits()
    coarse = unit(fine[:, :4])
    queries, items = np.arange(60), np.arange(60, len(digit))
    few = items[-150:]
    model = LogisticRegression(max_iter=500).fit(fine[few], digit[few])
    same = model.predict_proba(fine[queries]) @ model.predict_proba(fine[items]).T
    noise = np.random.default_rng(0).normal(size=same.shape)
    nearness = coarse[queries] @ coarse[items].T
    relevance = (digit[queries][:, None] == digit[items]).astype(float)
    return _head(nearness, relevance, same + 0.15 * noise)


@functools.cache
def from_cranfield(folder) -> Lists:
    """225 queries; the judge is trained on the other half of them."""
    data = cranfield(folder)
    features = np.stack([data.bm25, data.queries @ data.items.T], axis=-1)
    judged = np.zeros_like(data.bm25)
    for half in (0, 1):
        train, test = np.arange(half, 225, 2), np.arange(1 - half, 225, 2)
        top = np.argsort(-data.bm25[train], axis=1)[:, :DEPTH]
        take = lambda values, rows=train, top=top: values[rows[:, None], top]
        model = HistGradientBoostingRegressor(max_iter=60, random_state=0)
        model.fit(take(features).reshape(-1, 2), take(data.relevance).ravel())
        judged[test] = model.predict(features[test].reshape(-1, 2)).reshape(
            len(test), -1
        )
    return _head(data.bm25, data.relevance, judged)


def _head(first: np.ndarray, relevance: np.ndarray, judged: np.ndarray) -> Lists:
    top = np.argsort(-first, axis=1, kind="stable")[:, :DEPTH]
    take = lambda values: np.take_along_axis(values, top, axis=1)
    return Lists(take(first), take(relevance), take(judged))


def ndcg(relevance: np.ndarray, orders: list[list[int]]) -> np.ndarray:
    """NDCG@10 of one order of each list; NaN where nothing can be told apart."""
    scores = np.zeros_like(relevance)
    for row, order in zip(scores, orders, strict=True):
        row[order] = -np.arange(len(order))
    n, size = relevance.shape
    qid = np.arange(n).repeat(size)
    return ndcg_score(
        relevance.ravel(), scores.ravel(), qid=qid, k=10, gain="linear", per_query=True
    )


def comparer(
    scores: np.ndarray, flips: float = 0.0, seed: int = 0
) -> Callable[[int, int], bool]:
    """A judge of pairs by scores; a share of its answers is wrong, always the same."""
    n = len(scores)
    wrong = np.random.default_rng(seed).random((n, n)) < flips
    wrong = np.triu(wrong, 1)
    wrong |= wrong.T
    return lambda a, b: bool((scores[a] > scores[b]) != wrong[a, b])
