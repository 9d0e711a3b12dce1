"""Do the defaults of NeuralRanker hurt? Against a linear model and the best feature.

Trains on 10, 30, 100, … lists drawn from one part of each data set and scores the lists
of another part: NDCG@10 (Spearman's ρ for stocks and events), lists on which it is not
defined left out. Prints the mean of each ranker, and how much ``NeuralRanker()`` is
above it, with a 95 % bootstrap interval; a star marks intervals without 0. With several
draws of training lists, intervals draw these again, too: one over the test lists of a
single fit says nothing of the next fit. "mlp" is the perceptron without the linear
path, "before" the same with the default parameters of ltr 0.1, "ridge" RidgeCV on
z-scores.

FOLDER has the folders mq2008, mslr-sample, lightgbm-examples, ir-cranfield,
embeddings-minilm, stocks-rsr and events-wiki-otd; without it, generated data only.

    python examples/benchmark_defaults.py
    python examples/benchmark_defaults.py --data FOLDER --sizes 10 100 1000 --draws 6
"""

import argparse
import gzip
import re
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_svmlight_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ltr import NeuralRanker, SingleFeatureRanker
from ltr.datasets import RankingData, load_letor, load_stocks, make_ranking, read_events
from ltr.metrics import bootstrap_interval, get_metric
from ltr.queries import group_queries


class Task(NamedTuple):
    """Lists to draw training lists from, lists to score, and the metric."""

    pool: RankingData
    test: RankingData
    metric: str = "ndcg@10"


def divide(data: RankingData, n_test: int, metric: str = "ndcg@10") -> Task:
    """Hold out some lists at random."""
    queries = group_queries(data.qid, len(data.y))
    order = np.random.default_rng(0).permutation(queries.n_lists)
    test, pool = queries.subset(order[:n_test]), queries.subset(order[n_test:])
    return Task(data.take(pool), data.take(test), metric)


def join(parts: list[RankingData]) -> RankingData:
    """Rows of several parts that share no query."""
    join_column = lambda name: np.concatenate([getattr(part, name) for part in parts])
    return RankingData(*map(join_column, ("X", "y", "qid")))


def mq2008(folder: Path) -> Task:
    """784 queries × 19 documents, 46 features; parts 4 and 5 are the test lists."""
    files = [folder / "mq2008" / f"S{i}.txt.gz" for i in range(1, 6)]
    parts = [load_letor(str(file), n_features=46) for file in files]
    return Task(join(parts[:3]), join(parts[3:]))


def mslr(folder: Path) -> Task:
    """89 queries × 102 documents, 136 raw features."""
    files = [folder / "mslr-sample" / f"{n}.txt.gz" for n in ("train", "vali", "test")]
    return divide(join([load_letor(str(file), n_features=136) for file in files]), 40)


def lightgbm_example(folder: Path) -> Task:
    """251 queries × 15 documents, 300 sparse features."""
    parts = []
    for name in ("train", "test"):
        path = folder / "lightgbm-examples"
        with gzip.open(path / f"rank.{name}.gz") as file:
            X, y = load_svmlight_file(file, n_features=301)
        sizes = np.loadtxt(path / f"rank.{name}.query", dtype=int)
        qid = 1000 * len(parts) + np.arange(len(sizes)).repeat(sizes)
        parts.append(RankingData(X.toarray(), y, qid))
    return divide(join(parts), 100)


def cranfield(folder: Path) -> Task:
    """225 queries × their 100 nearest documents, 6 features of text and embeddings."""
    vectors = folder / "embeddings-minilm"
    files = [vectors / f"cranfield.{name}.npz" for name in ("docs", "queries")]
    docs, queries = (np.load(file)["embeddings"].astype(float) for file in files)
    ids = {int(d): i for i, d in enumerate(np.load(files[0])["doc_id"])}
    folder /= "ir-cranfield"
    with gzip.open(folder / "cran.all.1400.gz", "rt") as file:
        records = re.split(r"^\.I \d+\n", file.read(), flags=re.MULTILINE)[1:]
    fields = [re.split(r"^\.[TABW]\n", r, flags=re.MULTILINE) for r in records]
    topics = (folder / "cran.qry").read_text()
    asked = re.split(r"^\.I \d+\n\.W\n", topics, flags=re.MULTILINE)[1:]
    relevance = np.zeros((len(queries), len(ids)))
    for line in (folder / "cranqrel").read_text().splitlines():
        query, doc, code = map(int, line.split()[:3])
        relevance[query - 1, ids[doc]] = 5 - (1 if code == -1 else code)
    rows = list(ids)
    title, text = ([fields[d - 1][k] for d in rows] for k in (1, -1))
    unit = lambda a: a / np.linalg.norm(a, axis=1, keepdims=True)
    planes = [unit(queries) @ unit(docs).T]
    for sublinear in (False, True):
        for words in (title, text):
            tfidf = TfidfVectorizer(sublinear_tf=sublinear).fit(text)
            planes.append((tfidf.transform(asked) @ tfidf.transform(words).T).toarray())
    length = np.log([len(t) for t in text])
    planes.append(np.broadcast_to(length, planes[0].shape))
    top = np.argsort(-planes[0], axis=1, kind="stable")[:, :100]
    X = np.stack([np.take_along_axis(p, top, axis=1).ravel() for p in planes], axis=1)
    y = np.take_along_axis(relevance, top, axis=1).ravel()
    return divide(RankingData(X, y, np.arange(len(top)).repeat(100)), 110)


def stocks(folder: Path) -> Task:
    """NASDAQ by industry and day: the last fifth of the days is tested."""
    files = ("NASDAQ.ohlcv.npz", "NASDAQ_industry_ticker.json")
    data = load_stocks(*(folder / "stocks-rsr" / file for file in files))
    days = np.unique(data.dates)
    first, last = days[len(days) * 7 // 10], days[len(days) * 8 // 10]
    parts = [np.flatnonzero(data.dates < first), np.flatnonzero(data.dates >= last)]
    pool, test = (RankingData(data.X[p], data.y[p], data.qid[p]) for p in parts)
    queries = group_queries(test.qid, len(test.y))
    lists = np.random.default_rng(0).permutation(queries.n_lists)[:1500]
    return Task(pool, test.take(queries.subset(lists)), "spearman")


def events(folder: Path) -> Task:
    """Ten events of Wikipedia each, by year; 384 features, an embedding of the text."""
    table = read_events(str(folder / "events-wiki-otd" / "events.jsonl.gz"))
    X = np.load(folder / "embeddings-minilm" / "wiki-otd.events.npz")["embeddings"]
    n = len(X) // 10 * 10
    qid = np.random.default_rng(0).permutation(n) // 10
    earliness = -np.argsort(np.argsort(table["year"].to_numpy()[:n])) / n
    return divide(RankingData(X[:n].astype(float), earliness, qid), 400, "spearman")


def generated(nonlinearity: float) -> Task:
    """Up to 60 items in a list, 20 features."""
    data = make_ranking(1200, nonlinearity=nonlinearity, random_state=0)
    return divide(data, 200)


REAL: dict[str, Callable[[Path], Task]] = {
    "MQ2008": mq2008,
    "MSLR sample": mslr,
    "LightGBM example": lightgbm_example,
    "Cranfield": cranfield,
    "stocks": stocks,
    "events": events,
}
BEFORE = {"learning_rate": 0.001, "weight_decay": 1.0, "hidden_layer_sizes": (128, 64)}


def rankers(metric: str) -> dict[str, Any]:
    """What is compared; the first is under test."""
    options = {"metric": metric, "random_state": 0}
    return {
        "NeuralRanker()": NeuralRanker(**options),
        "mlp": NeuralRanker(scorer="mlp", **options),
        "before": NeuralRanker("listnet", "mlp", **BEFORE, **options),
        "linear": NeuralRanker("listnet", "linear", **options),
        "linear before": NeuralRanker("listnet", "linear", **BEFORE, **options),
        "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 5, 13))),
        "best feature": SingleFeatureRanker(metric),
    }


def values(ranker: Any, train: RankingData, task: Task) -> np.ndarray:
    """Metric of each test list after a fit."""
    test = task.test
    if isinstance(ranker, Pipeline):
        scores = ranker.fit(train.X, train.y).predict(test.X)
    else:
        scores = ranker.fit(train.X, train.y, train.qid).predict(test.X, test.qid)
    return np.asarray(get_metric(task.metric).per_query(test.y, scores, test.qid))


def draws(pool: RankingData, size: int, n_draws: int) -> list[RankingData]:
    """Training sets of some lists; one with all lists if there are no more."""
    queries = group_queries(pool.qid, len(pool.y))
    if size >= queries.n_lists:
        return [pool]
    rngs = map(np.random.default_rng, range(n_draws))
    orders = [rng.permutation(queries.n_lists)[:size] for rng in rngs]
    return [pool.take(queries.subset(order)) for order in orders]


def interval(differences: np.ndarray, n_resamples: int = 2000) -> tuple[float, float]:
    """Bootstrap interval of the mean of differences, shape (n_draws, n_test_lists).

    Rows and columns are drawn again, each by themselves: a draw of training lists is
    scored on all test lists.
    """
    differences = differences[:, ~np.isnan(differences).any(axis=0)]
    if len(differences) == 1:
        return bootstrap_interval(differences[0])
    rng, (n_draws, n_lists) = np.random.default_rng(0), differences.shape
    means = [
        differences[rng.integers(n_draws, size=n_draws)]
        .mean(axis=0)[rng.integers(n_lists, size=n_lists)]
        .mean()
        for _ in range(n_resamples)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main(
    data: str | None = None,
    sizes: tuple[int, ...] = (10, 100),
    n_draws: int = 1,
    names: tuple[str, ...] | None = None,
) -> dict[tuple[str, int], dict[str, float]]:
    """Print the table; return (data set, lists) → ranker → mean."""
    warnings.simplefilter("ignore")
    tasks: dict[str, Callable[[], Task]] = {"make_ranking": lambda: generated(0.5)}
    if data is not None:
        folder = Path(data)
        tasks |= {name: partial(load, folder) for name, load in REAL.items()}
    means = {}
    for name in names or tasks:
        task = tasks[name]()
        for size in sizes:
            parts = draws(task.pool, size, n_draws)
            n_lists = parts[0].n_queries
            if (name, n_lists) in means:
                continue
            print(f"{name}, {n_lists} lists, {task.metric}")
            results = {
                label: np.stack([values(ranker, part, task) for part in parts])
                for label, ranker in rankers(task.metric).items()
            }
            tested = results["NeuralRanker()"]
            for label, result in results.items():
                row = f"  {label:15} {np.nanmean(result):7.4f}"
                if label != "NeuralRanker()":
                    low, high = interval(tested - result)
                    star = "*" if low > 0 or high < 0 else ""
                    difference = np.nanmean(tested - result)
                    row += f"  {difference:+.4f} [{low:+.4f}, {high:+.4f}]{star}"
                print(row, flush=True)
            means[name, n_lists] = {k: float(np.nanmean(v)) for k, v in results.items()}
    return means


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of the data sets")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--sets", nargs="+", help="names of data sets; default: all")
    options = parser.parse_args()
    names = tuple(options.sets) if options.sets else None
    main(options.data, tuple(options.sizes), options.draws, names)
