"""Rows about mining: pairs to trust, hard negatives, rounds, rewritten queries."""

from __future__ import annotations

import numpy as np
from collection import cranfield, digits, ndcg_at_10, unit
from row import PaperRow, Setting, interval
from sklearn.linear_model import LogisticRegression

from ltr.datasets import RankingData
from ltr.mining import (
    consistency_filter,
    mine_hard_negatives,
    mine_rounds,
    rewrite_queries,
    sample_negatives,
)


def digit_pairs(
    n: int = 300, spoilt: float = 0.25
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Similarities of images, a positive each, whether it is one, and which are."""
    rng = np.random.default_rng(0)
    embeddings, digit = digits()
    embeddings, digit = embeddings[:n], digit[:n]
    similarity = embeddings @ embeddings.T
    np.fill_diagonal(similarity, -1.0)
    same = (digit[:, None] == digit) & ~np.eye(n, dtype=bool)
    nearest = np.where(same, similarity, -np.inf).argmax(axis=1)
    is_clean = rng.random(n) >= spoilt
    positives = np.where(is_clean, nearest, rng.integers(n, size=n))
    return similarity, positives, same[np.arange(n), positives], same


def cornstack(setting: Setting) -> PaperRow:
    """CoRNStack: pairs whose positive is not near are dropped; negatives are drawn."""
    similarity, positives, is_clean, same = digit_pairs()
    lines, shares = [], {}
    for top in (2, 20):
        is_selected = consistency_filter(similarity, positives, top=top)
        shares[top] = is_clean[is_selected].mean()
        lines.append(
            f"top {top}: {is_selected.mean():.0%} kept, {shares[top]:.1%} clean"
        )
    negatives = sample_negatives(
        similarity, positives, 8, temperature=0.05, upper=0.9, random_state=0
    )
    nearness = np.take_along_axis(similarity, negatives, axis=1).mean()
    is_false = np.take_along_axis(same, negatives, axis=1).mean()
    lines.append(
        f"CoRNStack: {is_clean.mean():.1%} of the pairs are clean, {shares[2]:.1%} "
        f"after the filter; negatives {nearness:.2f} near, {is_false:.0%} false"
    )
    return PaperRow(
        27,
        lines,
        "the top 2 are cleaner than the top 20, and these than all",
        bool(shares[2] > shares[20] > is_clean.mean()),
    )


def unime(setting: Setting) -> PaperRow:
    """UniME-V2: a judge removes false negatives from the nearest items."""
    similarity, positives, _, same = digit_pairs(spoilt=0.0)
    judged = same + np.random.default_rng(0).normal(0, 0.15, similarity.shape)
    judged[np.arange(len(positives)), positives] = 1.0
    nearest = np.argsort(-similarity, axis=1)
    others = nearest[nearest != positives[:, None]].reshape(len(nearest), -1)
    mined, _ = mine_hard_negatives(
        similarity, positives, lambda q, items: judged[q, items], beta=0.5
    )
    is_false = [
        np.take_along_axis(same, indices, axis=1).mean()
        for indices in (others[:, :10], mined)
    ]
    golden = np.array([0.95, 0.3, 0.85, 0.2, 0.6, 0.1, 0.7, 0.05, 0.9])
    row = np.append(np.linspace(0.8, 0.1, 8), 0.9)[None]
    small = mine_hard_negatives(row, [8], lambda q, items: golden[items], step=3, k=4)
    indices = small.indices[0].tolist()
    return PaperRow(
        26,
        [
            f"UniME-V2: false negatives among the nearest {is_false[0]:.1%}, mined "
            f"{is_false[1]:.1%}; golden set {indices}"
        ],
        "the golden set, and at most a tenth of the false negatives",
        bool(indices == [1, 5, 3, 6] and is_false[1] < 0.1 * is_false[0]),
    )


def udr(setting: Setting) -> PaperRow:
    """UDR: what a judge thinks of what the model finds trains the next model."""
    embeddings, digit = digits()
    queries, pool, test = np.arange(60), np.arange(60, 600), np.arange(600, 800)
    models = [np.ones(embeddings.shape[1])]

    def search(model, depth):
        weight = models[0] if model is None else model
        scores = (embeddings[queries] * weight) @ embeddings[pool].T
        top = pool[np.argsort(-scores, axis=1)[:, :depth]]
        X = embeddings[queries][:, None] * embeddings[top]
        qid = queries.repeat(depth)
        X = X.reshape(len(qid), -1)
        return RankingData(X, np.zeros(len(qid)), qid, docids=top.ravel())

    def fit(data):
        """Weights of the columns, of which the first ones start from are 1."""
        model = LogisticRegression(C=0.3, max_iter=300).fit(data.X, data.y)
        models.append(np.ones(data.X.shape[1]) + 0.3 * model.coef_[0])
        return models[-1]

    judge = lambda data: (digit[data.qid] == digit[data.docids]).astype(float)
    list(mine_rounds(fit, search, judge, rounds=2, depth=50))
    relevance = (digit[test][:, None] == digit[pool]).astype(float)
    values = [
        ndcg_at_10(relevance, (embeddings[test] * model) @ embeddings[pool].T)
        for model in models
    ]
    first = interval(values[1] - values[0])
    gain = interval(values[2] - values[1])
    effect = "" if gain.low > 0 else "; effect not shown"
    return PaperRow(
        8,
        [
            f"NDCG@10 untrained {values[0].mean():.4f}, round 1 minus it {first}",
            f"UDR: round 2 of mined lists minus round 1 {gain}{effect}",
        ],
        "mined lists gain over the untrained model on average",
        bool((values[2] - values[0]).mean() > 0),
    )


def car(setting: Setting) -> PaperRow:
    """CAR: train on rewritten queries, test on plain ones; on arrays nothing is won."""
    if setting.data is not None:
        data = cranfield(setting.data)
        queries, items, relevance = data.queries, data.items, data.relevance
    else:
        embeddings, digit = digits()
        queries, items = embeddings[:200], embeddings[200:800]
        relevance = (digit[:200, None] == digit[200:800]).astype(float)
    half = len(queries) // 2
    qrels = {
        q: {str(i): 1.0 for i in np.flatnonzero(relevance[q])}
        for q in range(half)
        if relevance[q].any()
    }
    table = rewrite_queries(
        {q: f"query {q}" for q in range(half)},
        qrels,
        lambda text, docids: f"{text}, with {len(docids)} documents in view",
    )
    count = np.maximum(relevance[:half].sum(axis=1), 1.0)[:, None]
    mean = (relevance[:half] > 0) @ items / count
    values = []
    for strength in (0.0, 0.5):
        rewritten = unit(queries[:half] + strength * mean)
        # ridge regression of what the query lacks to be the mean of its items
        gram = rewritten.T @ rewritten + 5.0 * np.eye(items.shape[1])
        shift = np.linalg.solve(gram, rewritten.T @ (mean - rewritten))
        test = unit(queries[half:] + 0.3 * queries[half:] @ shift)
        values.append(ndcg_at_10(relevance[half:], test @ items.T))
    gain = interval(values[1] - values[0])
    return PaperRow(
        33,
        [
            f"{len(table)} queries rewritten",
            f"CAR: trained on rewritten minus plain queries {gain}; effect not shown",
        ],
        "rewriting is a join and a callable; on arrays the mean effect is below .05",
        bool(len(table) > 0 and abs(gain.mean) < 0.05),
    )


PAPERS = {8: udr, 26: unime, 27: cornstack, 33: car}
