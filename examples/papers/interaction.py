"""Rows about how queries and items meet: interaction features, adapters of towers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from collection import cranfield, digits, ndcg_at_10, unit
from row import PaperRow, Setting, interval
from sklearn.datasets import load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from ltr import LambdaMARTRanker, LinearRanker, NeuralRanker
from ltr.losses import combine
from ltr.metrics import ndcg_score
from ltr.refine import kernel_pooling, match_histogram
from ltr.scorers import AdapterScorer


class Lists(NamedTuple):
    """Pairs of a query and an item in rows, list by list."""

    X: np.ndarray
    y: np.ndarray
    qid: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, relevance: np.ndarray) -> Lists:
        """Rows of (n_queries, size, …) arrays."""
        qid = np.arange(len(X)).repeat(X.shape[1])
        return cls(X.reshape(len(qid), -1), relevance.ravel(), qid)

    def ndcg(self, scores: np.ndarray) -> np.ndarray:
        """NDCG@10 of each query."""
        options = {"k": 10, "empty": 0, "per_query": True}
        return ndcg_score(self.y, scores, qid=self.qid, **options)


class Scenes(NamedTuple):
    """Images as one vector each, and as bags of local patches."""

    whole: np.ndarray  # (n, width)
    patches: np.ndarray  # (n, 25, 16)
    is_inked: np.ndarray  # (n, 25)


def scenes() -> Scenes:
    """Digits at random places of a larger canvas."""
    images = load_digits().images
    canvas = np.zeros((len(images), 12, 12))
    for i, (row, column) in enumerate(
        np.random.default_rng(0).integers(0, 5, size=(len(images), 2))
    ):
        canvas[i, row : row + 8, column : column + 8] = images[i]
    steps = range(0, 9, 2)
    cuts = [
        canvas[:, i : i + 4, j : j + 4].reshape(-1, 16) for i in steps for j in steps
    ]
    patches = np.stack(cuts, axis=1)
    ink = patches.sum(axis=-1)
    return Scenes(
        unit(canvas.reshape(len(canvas), -1)),
        patches / np.maximum(np.linalg.norm(patches, axis=-1, keepdims=True), 1.0),
        ink > 20.0,
    )


def taxonomy(setting: Setting) -> PaperRow:
    """Survey: representation and interaction, a run for each kind of objective."""
    x, digit = scenes(), digits().digit
    rng, n_lists = np.random.default_rng(0), 100 if setting.small else 400
    order = rng.permutation(len(digit))
    mu = np.r_[1.0, np.arange(0.95, 0.5, -0.1)]
    tables: dict[str, list[Lists]] = {"representation": [], "both": []}
    for part, n in zip(np.array_split(order, 2), (2 * n_lists, n_lists), strict=True):
        queries, items = (
            part[rng.integers(len(part), size=n)],
            rng.choice(part, (n, 20)),
        )
        relevance = (digit[items] == digit[queries][:, None]).astype(float)
        cosine = np.einsum("nd,nkd->nk", x.whole[queries], x.whole[items])[..., None]
        similarity = x.patches[queries][:, None] @ x.patches[items].swapaxes(-1, -2)
        where = x.is_inked[queries][:, None, :, None] & x.is_inked[items][:, :, None]
        kernels = kernel_pooling(similarity, where, mu=mu, sigma=0.05)
        histograms = match_histogram(similarity, 20, where=where).sum(axis=-2)
        both = np.concatenate([cosine, kernels, histograms[..., 10:]], axis=-1)
        tables["representation"].append(Lists.of(cosine, relevance))
        tables["both"].append(Lists.of(both, relevance))
    lines, gains = [], []
    trees = {"n_estimators": 40, "n_jobs": 1, "random_state": 0}
    rankers = {"pointwise, linear": LinearRanker()}
    rankers["pointwise, trees"] = LambdaMARTRanker("mse", **trees)
    rankers["listwise, trees"] = LambdaMARTRanker("lambdarank", **trees)
    if not setting.small:
        linear = {"max_epochs": 30, "random_state": 0}
        rankers["pairwise, linear"] = NeuralRanker("ranknet", "linear", **linear)
        rankers["listwise, linear"] = NeuralRanker("softmax", "linear", **linear)
        both = combine((1.0, "ranknet"), (1.0, "softmax"))
        rankers["multi-task, linear"] = NeuralRanker(both, "linear", **linear)
    for kind, ranker in rankers.items():
        one, two = (
            test.ndcg(ranker.fit(train.X, train.y, train.qid).predict(test.X, test.qid))
            for train, test in tables.values()
        )
        gain = interval(two - one)
        gains.append(gain.low)
        lines.append(
            f"{kind}: NDCG@10 cosine {one.mean():.4f}, with kernels and histograms "
            f"{two.mean():.4f}, {gain}"
        )
    if setting.data is not None:
        lines.insert(0, kernels_on_cranfield(setting.data))
    criterion = "interaction features gain with every objective, intervals above 0"
    return PaperRow(45, lines, criterion, min(gains) > 0)


def kernels_on_cranfield(folder: Path) -> str:
    """BM25 with and without kernels over word vectors of the collection itself."""
    c = cranfield(folder)
    reader = TfidfVectorizer(token_pattern="[a-z0-9]+", stop_words="english")
    svd = TruncatedSVD(64, random_state=0).fit(reader.fit_transform(c.texts))
    vectors = unit(svd.components_.T * svd.singular_values_ + 1e-12)
    words_of = reader.build_analyzer()
    number = reader.vocabulary_

    def words(text: str) -> np.ndarray:
        return vectors[[number[word] for word in words_of(text) if word in number]]

    documents = [words(text) for text in c.texts]
    top = np.argsort(-c.bm25, axis=1, kind="stable")[:, :50]
    features = np.empty((*top.shape, 12))
    for i, topic in enumerate(c.topics):
        terms = words(topic)
        for j, document in enumerate(top[i]):
            pooled = kernel_pooling(terms @ documents[document].T) / len(terms)
            features[i, j] = np.r_[c.bm25[i, document], pooled]
    relevance = np.take_along_axis(c.relevance, top, axis=1)
    fold, scores = np.arange(len(top)) % 5, np.empty(top.shape)
    for k in range(5):
        train = Lists.of(features[fold != k], relevance[fold != k])
        test = Lists.of(features[fold == k], relevance[fold == k])
        ranker = LinearRanker(preprocess="query").fit(train.X, train.y, train.qid)
        scores[fold == k] = ranker.predict(test.X, test.qid).reshape(-1, 50)
    one, two = ndcg_at_10(relevance, features[..., 0]), ndcg_at_10(relevance, scores)
    return (
        f"Cranfield, BM25's top 50: NDCG@10 {one.mean():.4f}, with kernels "
        f"{two.mean():.4f}, {interval(two - one)}"
    )


def adapters(setting: Setting) -> PaperRow:
    """Scattered or connected: adapters of two towers against full ones."""
    rng, digit = np.random.default_rng(0), digits().digit
    x = unit(digits(16).embeddings)
    order, n = rng.permutation(len(x)), 150 if setting.small else 600
    splits = []
    for part, size in zip(np.array_split(order, 2), (2 * n, n), strict=True):
        queries = part[rng.integers(len(part), size=size)]
        items = rng.choice(part, (size, 20))
        rows = np.concatenate([x[queries][:, None].repeat(20, axis=1), x[items]], -1)
        relevance = (digit[items] == digit[queries][:, None]).astype(float)
        splits.append(Lists.of(rows, relevance))
    train, test = splits
    values = {"cosine": test.ndcg((test.X[:, :16] * test.X[:, 16:]).sum(axis=1))}
    for name, scorer in scorers(16, setting.small).items():
        ranker = tower(scorer, 16, learning_rate=0.01, max_epochs=15)
        ranker.fit(train.X, train.y, train.qid)
        values[name] = test.ndcg(ranker.predict(test.X, test.qid))
    lines = adapter_lines("digits", values)
    if setting.data is not None:
        lines = [*adapters_on_cranfield(setting.data), *lines]
    gain = interval(values["connected, rank 8"] - values["cosine"])
    criterion = "connected adapters above the frozen cosine on digits, interval above 0"
    return PaperRow(47, lines, criterion, gain.low > 0)


def scorers(width: int, small: bool) -> dict[str, AdapterScorer | str]:
    """Scorers to be compared; with few minutes, connected ones alone."""
    connected = {"connected, rank 8": AdapterScorer(width, 8)}
    if small:
        return connected
    scattered = {"scattered, rank 8": AdapterScorer(width, 8, connected=False)}
    return {**scattered, **connected, "full towers": "two_tower"}


def tower(scorer: AdapterScorer | str, width: int, **options: float) -> NeuralRanker:
    """A ranker of embeddings, trained by a softmax over the items of a list."""
    return NeuralRanker(
        "softmax",
        scorer,
        n_query_features=width,
        weight_decay=0.0,
        early_stopping=False,
        random_state=0,
        **options,
    )


def adapters_on_cranfield(folder: Path) -> list[str]:
    """Five folds of queries, the 50 nearest documents of each."""
    c = cranfield(folder)
    dense = c.queries @ c.items.T
    top = np.argsort(-dense, axis=1)[:, :50]
    relevance = np.take_along_axis(c.relevance, top, axis=1)
    rows = np.concatenate(
        [c.queries[:, None].repeat(50, axis=1), c.items[top]], axis=-1
    )
    fold = np.arange(len(rows)) % 5
    values = {"cosine": ndcg_at_10(relevance, np.take_along_axis(dense, top, axis=1))}
    width = c.items.shape[1]
    for name, scorer in scorers(width, small=False).items():
        scores = np.empty(relevance.shape)
        for number in range(5):
            train = Lists.of(rows[fold != number], relevance[fold != number])
            test = Lists.of(rows[fold == number], relevance[fold == number])
            ranker = tower(scorer, width, learning_rate=1e-3, max_epochs=5)
            ranker.fit(train.X, train.y, train.qid)
            scores[fold == number] = ranker.predict(test.X, test.qid).reshape(-1, 50)
        values[name] = ndcg_at_10(relevance, scores)
    return adapter_lines("Cranfield, the 50 nearest", values)


def adapter_lines(collection: str, values: dict[str, np.ndarray]) -> list[str]:
    """A line for each scorer, the connected adapter last."""
    gains = {name: interval(value - values["cosine"]) for name, value in values.items()}
    lines = [
        f"{collection}: NDCG@10 {name} {values[name].mean():.4f}, {gains[name]}"
        for name in sorted(gains, key=lambda name: name.startswith("connected"))
    ]
    if "scattered, rank 8" in values:
        step = interval(values["connected, rank 8"] - values["scattered, rank 8"])
        shown = "" if step.low > 0 else ": effect not shown"
        lines.append(f"{collection}: connected less scattered {step}{shown}")
    return lines


PAPERS = {45: taxonomy, 47: adapters}
