"""What the drivers of ltr.rerank buy: NDCG@10, calls and rounds.

The judge says which of two items is better: boosting on the features of both, trained
on the other lists, so that it errs, is not quite antisymmetric, and is sometimes
cyclic. Then a share of its answers is flipped, independently, several times. Windows
and sets are ordered by the wins among them.

Without files, lists of 50 historical events in random order are sorted by their year,
from the words of their sentences. With FOLDER, which has the folders ir-cranfield and
embeddings-minilm, BM25's top 50 of Cranfield are reranked by three scores.

    python examples/benchmark_rerank.py
    python examples/benchmark_rerank.py --data FOLDER
    python examples/benchmark_rerank.py --data FOLDER --flips 1 --queries 50
"""

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from papers.collection import cranfield, unit
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from ltr.datasets import load_events
from ltr.metrics import bootstrap_interval
from ltr.rerank import Reranking, listwise_rerank, pairwise_rerank, setwise_rerank

DEPTH, K, N_FOLDS = 50, 10, 5
REFERENCE = "all pairs, wins"


class Judged(NamedTuple):
    """The first stage of all queries, and the judge's answers on its pairs."""

    relevance: np.ndarray  # (n_queries, DEPTH)
    ideal: np.ndarray  # (n_queries,): DCG@10 of the best order of all documents
    prefers: np.ndarray  # (n_queries, DEPTH, DEPTH): the first is better


class Lists(NamedTuple):
    """Lists in the order of the first stage, before they are judged."""

    features: np.ndarray  # (n_queries, DEPTH, n_features)
    relevance: np.ndarray  # (n_queries, DEPTH)
    ideal: np.ndarray  # (n_queries,)


def cranfield_lists(folder: Path) -> Lists:
    """Documents by BM25, described by the scores of BM25 and of embeddings."""
    data = cranfield(folder)
    top = np.argsort(-data.bm25, axis=1, kind="stable")[:, :DEPTH]
    take = partial(np.take_along_axis, indices=top, axis=1)
    cosine = data.queries @ data.items.T
    centered = unit(data.items - data.items.mean(axis=0)) @ data.queries.T
    features = np.stack([take(data.bm25), take(cosine), take(centered.T)], axis=-1)
    best = -np.sort(-data.relevance, axis=1)
    return Lists(features, take(data.relevance), dcg(best))


def event_lists(n_components: int = 20) -> Lists:
    """Events in random order, described by latent topics; early ones are relevant."""
    events = load_events().sample(frac=1, random_state=0)
    topics = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, stop_words="english"),
        TruncatedSVD(n_components, random_state=0),
    ).fit_transform(events["text"])
    n_lists = len(events) // DEPTH
    years = events["year"].to_numpy()[: n_lists * DEPTH].reshape(n_lists, DEPTH)
    n_later = DEPTH - 1 - years.argsort(axis=1, kind="stable").argsort(axis=1)
    relevance = 5.0 * n_later / DEPTH
    best = -np.sort(-relevance, axis=1)
    features = topics[: n_lists * DEPTH].reshape(n_lists, DEPTH, -1)
    return Lists(features, relevance, dcg(best))


def judged(lists: Lists) -> Judged:
    """The answers of judges that other queries have trained."""
    features, relevance, ideal = lists
    fold = np.random.default_rng(0).permutation(len(features)) % N_FOLDS
    prefers = np.zeros((len(features), DEPTH, DEPTH), dtype=bool)
    for part in range(N_FOLDS):
        pairs, labels = training_pairs(features[fold != part], relevance[fold != part])
        judge = HistGradientBoostingClassifier(max_iter=60, random_state=0)
        judge.fit(pairs, labels)
        for query in np.flatnonzero(fold == part):
            answers = judge.predict(all_pairs(features[query]))
            prefers[query] = answers.reshape(DEPTH, DEPTH)
    return Judged(relevance, ideal, prefers)


def dcg(relevance: np.ndarray) -> np.ndarray:
    """DCG@10 with linear gains of lists that are ordered already."""
    return relevance[..., :K] @ (1 / np.log2(np.arange(2, K + 2)))


def all_pairs(features: np.ndarray) -> np.ndarray:
    """Features of both items for each ordered pair, (DEPTH², 2 n_features)."""
    first, second = np.divmod(np.arange(DEPTH * DEPTH), DEPTH)
    return np.hstack([features[first], features[second]])


def training_pairs(
    features: np.ndarray, relevance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """All ordered pairs of documents with different grades."""
    first, second = np.divmod(np.arange(DEPTH * DEPTH), DEPTH)
    pairs, labels = [], []
    for items, grades in zip(features, relevance, strict=True):
        differs = grades[first] != grades[second]
        pairs.append(all_pairs(items)[differs])
        labels.append((grades[first] > grades[second])[differs])
    return np.concatenate(pairs), np.concatenate(labels)


Driver = Callable[[np.ndarray], Reranking]


def drivers() -> dict[str, Driver]:
    """What is compared: functions of the answers to all pairs of a list."""
    ids = range(DEPTH)

    def pairs(method: str, **options: Any) -> Driver:
        return lambda prefers: pairwise_rerank(
            ids, lambda a, b: prefers[a, b], k=K, method=method, **options
        )

    def order(prefers: np.ndarray, items: tuple[int, ...]) -> list[int]:
        wins = prefers[np.ix_(items, items)].sum(axis=1)
        return [items[place] for place in np.argsort(-wins, kind="stable")]

    def windows(**options: Any) -> Driver:
        return lambda prefers: listwise_rerank(ids, partial(order, prefers), **options)

    def sets(size: int) -> Driver:
        return lambda prefers: setwise_rerank(
            ids, lambda items: order(prefers, items)[0], k=K, size=size
        )

    return {
        REFERENCE: pairs("all", aggregate="wins"),
        "all pairs, best order": pairs("all"),
        "heap": pairs("heap"),
        "bubble": pairs("bubble"),
        "tournament": pairs("tournament"),
        "verified": pairs("verified"),
        "verified, top only": pairs("verified", verify="top"),
        "setwise heap of 4": sets(4),
        "setwise heap of 20": sets(20),
        "windows 20/10": windows(),
        "windows 20/10, stable": windows(passes="stable"),
        "tournament of 10": windows(method="tournament", window=10),
        "tournament of 20": windows(method="tournament"),
    }


def flipped(prefers: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Answers of which a share is the opposite."""
    flips = np.random.default_rng(seed).random(prefers.shape) < share
    return prefers ^ flips


def table(data: Judged, share: float, n_flips: int) -> dict[str, float]:
    """A line for each driver: NDCG@10, its difference to counting wins, the cost."""
    means = {}
    print(
        f"{'':22}  ndcg@10   − counting wins of all pairs   calls  rounds", flush=True
    )
    print(
        f"{'first stage':22}   {(dcg(data.relevance) / data.ideal).mean():.4f}",
        flush=True,
    )
    reference = np.zeros(len(data.relevance))
    for name, driver in drivers().items():
        values = np.zeros((n_flips, len(data.relevance)))
        costs = []
        for seed in range(n_flips):
            answers = flipped(data.prefers, share, seed)
            for query, relevance in enumerate(data.relevance):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of tournaments with such judges
                    reranking = driver(answers[query])
                values[seed, query] = dcg(relevance[reranking.ids]) / data.ideal[query]
                costs.append((reranking.n_calls, reranking.n_rounds))
        by_query = values.mean(axis=0)
        if name == REFERENCE:
            reference = by_query
        n_calls, n_rounds = np.mean(costs, axis=0)
        gain = by_query - reference
        low, high = bootstrap_interval(gain)
        print(
            f"{name:22}   {by_query.mean():.4f}   {gain.mean():+.4f} "
            f"[{low:+.4f}, {high:+.4f}]  {n_calls:11.0f}  {n_rounds:6.1f}",
            flush=True,
        )
        means[name] = float(by_query.mean())
    return means


def main(
    folder: Path | None = None,
    share: float = 0.15,
    n_flips: int = 5,
    n_queries: int | None = None,
) -> tuple[dict[str, float], dict[str, float]]:
    """Print both tables, and return their means."""
    lists = event_lists() if folder is None else cranfield_lists(folder)
    data = Judged(*(part[:n_queries] for part in judged(lists)))
    differs = data.relevance[:, :, None] > data.relevance[:, None]
    mirrored = data.prefers == data.prefers.transpose(0, 2, 1)
    off = ~np.eye(DEPTH, dtype=bool)
    print(
        f"{len(data.relevance)} queries; the judge is right on "
        f"{data.prefers[differs].mean():.3f} of the pairs with different grades; its "
        f"two orders contradict each other in {mirrored[:, off].mean():.3f}"
    )
    print("\nAs it is:")
    clean = table(data, 0.0, 1)
    print(f"\nWith {share:.0%} of the answers flipped, {n_flips} times:")
    return clean, table(data, share, n_flips)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of Cranfield's files")
    parser.add_argument("--share", type=float, default=0.15, help="of answers flipped")
    parser.add_argument("--flips", type=int, default=5, help="how often")
    parser.add_argument("--queries", type=int, help="only the first ones")
    options = parser.parse_args()
    main(options.data, options.share, options.flips, options.queries)
