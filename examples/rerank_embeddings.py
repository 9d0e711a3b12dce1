"""Re-rank by embeddings: two towers that start at the cosine similarity.

A row is [query embedding | item embedding]. By default the embeddings are random, with
some irrelevant directions, so that there is something to learn. With `--data DIR`
the Cranfield collection is re-ranked: MiniLM embeddings and judgments are read from
DIR/embeddings-minilm and DIR/ir-cranfield, and the candidates of a query are the 100
documents nearest by cosine.

    python examples/rerank_embeddings.py
    python examples/rerank_embeddings.py --data DIR
"""

import argparse
from pathlib import Path

import numpy as np

from ltr import NeuralRanker
from ltr.datasets import RankingData
from ltr.metrics import (
    bootstrap_interval,
    ndcg_score,
    paired_randomization_test,
)
from ltr.model_selection import QueryKFold

TOP = 100


def candidates(
    queries: np.ndarray, items: np.ndarray, relevance: np.ndarray
) -> RankingData:
    """The TOP items nearest to each query, as rows."""
    similarity = queries @ items.T
    top = np.argsort(-similarity, axis=1, kind="stable")[:, :TOP]
    n_queries, size = top.shape
    X = np.hstack([queries.repeat(size, axis=0), items[top.ravel()]])
    y = np.take_along_axis(relevance, top, axis=1).ravel()
    qid = np.arange(n_queries).repeat(size)
    cosine = np.take_along_axis(similarity, top, axis=1).ravel()
    return RankingData(X, y, qid, true_scores=cosine)


def draw(
    n_queries: int, n_items: int = 300, width: int = 16, seed: int = 0
) -> RankingData:
    """Unit embeddings; relevance is the cosine in the first half of the directions."""
    rng = np.random.default_rng(seed)
    unit = lambda a: a / np.linalg.norm(a, axis=1, keepdims=True)
    queries, items = (unit(rng.normal(size=(n, width))) for n in (n_queries, n_items))
    half = width // 2
    meaning = unit(queries[:, :half]) @ unit(items[:, :half]).T
    relevance = np.digitize(meaning, [0.3, 0.5, 0.7]).astype(float)
    return candidates(queries, items, relevance)


def load_cranfield(folder: Path) -> RankingData:
    """225 queries; code 1 (complete answer) is grade 4, code 4 is grade 1."""
    docs = np.load(folder / "embeddings-minilm" / "cranfield.docs.npz")
    queries = np.load(folder / "embeddings-minilm" / "cranfield.queries.npz")
    unit = lambda a: a / np.linalg.norm(a, axis=1, keepdims=True)
    column = {int(doc): i for i, doc in enumerate(docs["doc_id"])}
    relevance = np.zeros((len(queries["embeddings"]), len(column)))
    for line in (folder / "ir-cranfield" / "cranqrel").read_text().splitlines():
        query, doc, code = map(int, line.split()[:3])
        relevance[query - 1, column[doc]] = 5 - (1 if code == -1 else code)
    return candidates(
        unit(queries["embeddings"].astype(float)),
        unit(docs["embeddings"].astype(float)),
        relevance,
    )


def main(data: str | None = None, n_queries: int = 100, max_epochs: int = 40) -> dict:
    """Cross-validate by query; print and return NDCG@10 and the paired difference."""
    rows = draw(n_queries) if data is None else load_cranfield(Path(data))
    ranker = NeuralRanker(
        "softmax",
        "two_tower",
        n_query_features=rows.X.shape[1] // 2,
        learning_rate=1e-4 if data else 1e-2,
        max_epochs=max_epochs,
        early_stopping=True,
        validation_fraction=0.15,
        random_state=0,
    )
    untrained, trained = np.empty(len(rows.y)), np.empty(len(rows.y))
    folds = QueryKFold(5, shuffle=True, random_state=0)
    for train, test in folds.split(rows.X, qid=rows.qid):
        part = rows.take(train)
        for scores, epochs in ((untrained, 0), (trained, max_epochs)):
            ranker.set_params(max_epochs=epochs).fit(part.X, part.y, part.qid)
            scores[test] = ranker.predict(rows.X[test], rows.qid[test])
    options = {"k": 10, "gain": "linear", "empty": 0, "per_query": True}
    ndcg = lambda scores: ndcg_score(rows.y, scores, qid=rows.qid, **options)
    value = {
        "cosine": ndcg(rows.true_scores),
        "untrained": ndcg(untrained),
        "trained": ndcg(trained),
    }
    for name, values in value.items():
        low, high = bootstrap_interval(values)
        print(f"{name:10} NDCG@10 {values.mean():.4f} [{low:.4f}, {high:.4f}]")
    difference = value["trained"] - value["cosine"]
    low, high = bootstrap_interval(difference)
    p = paired_randomization_test(value["trained"], value["cosine"])
    print(
        f"trained - cosine  {difference.mean():+.4f} [{low:+.4f}, {high:+.4f}] "
        f"p {p:.4f}"
    )
    means = {name: float(values.mean()) for name, values in value.items()}
    return {**means, "low": low, "high": high}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of the Cranfield files")
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main(options.data)
