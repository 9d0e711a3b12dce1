"""Rows about embeddings: neighborhoods, an index that is a model, compositions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from collection import Collection, cranfield, digits, ndcg_at_10, unit
from row import PaperRow, Setting, interval
from sklearn.datasets import load_digits

from ltr import ModelIndex
from ltr.metrics import average_precision_score
from ltr.refine import compose_query, superglobal_rerank


def images(small: bool, embeddings: np.ndarray | None = None) -> Iterator[tuple]:
    """Each image as a query: its number, the other images, and which show its digit."""
    x = digits().embeddings if embeddings is None else embeddings
    digit = digits().digit
    for i in range(0, len(x), 18 if small else 3):
        others = np.arange(len(x)) != i
        yield i, x[others], (digit == digit[i])[others]


def average_precision(relevant: np.ndarray, order: np.ndarray) -> float:
    """Average precision of an order of all items."""
    return float(average_precision_score(relevant, -np.argsort(order)))


def by_cosine(query: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Order of unit vectors."""
    return np.argsort(-(items @ unit(query)), kind="stable")


def table(name: str, results: list[tuple[float, ...]], metric: str) -> tuple:
    """Means of a baseline and its rivals, and the interval of the first difference."""
    values = np.array(results)
    gain = interval(values[:, 1] - values[:, 0])
    means = " → ".join(f"{mean:.4f}" for mean in values.mean(axis=0))
    return gain, f"{name}: {metric} {means}, {gain}"


def superglobal(setting: Setting) -> PaperRow:
    """SuperGlobal: items are averaged with their neighbors among the first ones."""
    pixels, results = unit(load_digits().data), []
    depths = (400,) if setting.small else (400, 1000)
    for i, items, relevant in images(setting.small, pixels):
        orders = [by_cosine(pixels[i], items)]
        for depth in depths:
            orders.append(superglobal_rerank(pixels[i], items, depth=depth).order)
        results.append(tuple(average_precision(relevant, order) for order in orders))
    names = " → ".join(f"SuperGlobal of {depth}" for depth in depths)
    gain, line = table(f"digits, cosine → {names}", results, "mAP")
    lines = [line]
    if setting.data is not None:
        c = cranfield(setting.data)
        scores = np.full(c.relevance.shape, -np.inf)
        for i, query in enumerate(c.queries):
            order, values = superglobal_rerank(query, c.items)
            scores[i, order] = values
        lines.insert(0, cranfield_line("cosine → SuperGlobal", c, scores)[1])
    best = np.mean(results, axis=0).max()
    criterion = "interval above 0 and mAP >= .727 on digits"
    return PaperRow(29, lines, criterion, gain.low > 0 and bool(best >= 0.727))


def cranfield_line(name: str, c: Collection, scores: np.ndarray) -> tuple:
    """NDCG@10 of the cosine and of other scores."""
    pairs = zip(
        ndcg_at_10(c.relevance, c.queries @ c.items.T),
        ndcg_at_10(c.relevance, scores),
        strict=True,
    )
    return table(f"Cranfield, {name}", list(pairs), "NDCG@10")


def model_index(setting: Setting) -> PaperRow:
    """DynamicRetriever: the parameters of a softmax over all ids are the index."""
    x, digit = digits().embeddings, digits().digit
    rng = np.random.default_rng(0)
    role = rng.permutation(len(x))
    items, past, new = np.split(role, [300, 1000])
    new = new[: 200 if setting.small else None]
    # each past query was judged on a few documents
    judged = rng.choice(items, size=(len(past), 10))
    query, place = np.nonzero(digit[judged] == digit[past][:, None])
    rows = np.concatenate([items, past[query]])
    docids = np.concatenate([items, judged[query, place]])
    index = ModelIndex("items", learning_rate=0.003, random_state=0)
    index.fit(x[rows], docids, items={i: x[i] for i in items})
    relevance = digit[new][:, None] == digit[items]
    run = index.predict_run(x[new], k=len(items))
    scores = np.empty(relevance.shape)
    column = {str(item): j for j, item in enumerate(items)}
    numbers = [column[docid] for docid in run["docid"]]
    scores[run["qid"].astype(int), numbers] = run["score"]
    dense = x[new] @ x[items].T
    results = [
        tuple(average_precision_score(labels, values) for values in (one, two))
        for labels, one, two in zip(relevance, dense, scores, strict=True)
    ]
    gain, line = table("digits, cosine → index", results, "mAP")
    lines = [line]
    if setting.data is not None:
        c = cranfield(setting.data)
        lines.insert(0, cranfield_line("cosine → index", c, index_scores(c))[1])
    return PaperRow(30, lines, "interval above 0 on digits", gain.low > 0)


def index_scores(c: Collection) -> np.ndarray:
    """Scores for queries of Cranfield that the index has not seen, in five folds."""
    scores, fold = np.full(c.relevance.shape, -np.inf), np.arange(len(c.queries)) % 5
    for number in range(5):
        query, item = np.nonzero(c.relevance * (fold != number)[:, None])
        rows = np.concatenate([c.items, c.queries[query]])
        docids = np.concatenate([np.arange(len(c.items)), item])
        weight = np.r_[np.ones(len(c.items)), np.full(len(query), 0.3)]
        index = ModelIndex("items", random_state=0)
        index.fit(rows, docids, weight, items=dict(enumerate(c.items)))
        run = index.predict_run(c.queries[fold == number])
        rows = np.flatnonzero(fold == number)[run["qid"].astype(int)]
        scores[rows, run["docid"].astype(int)] = run["score"]
    return scores


def composed(setting: Setting) -> PaperRow:
    """SQUARE: one query of an image and of what else is known about the target."""
    x, digit = digits().embeddings, digits().digit
    half = np.arange(len(x)) % 2 == 0
    rng, results = np.random.default_rng(0), []
    pool = np.flatnonzero(~half)
    means = np.stack([unit(x[half & (digit == d)].mean(axis=0)) for d in range(10)])
    for i in pool[:: 9 if setting.small else 2]:
        items = pool[pool != i]
        relevant = digit[items] == digit[i]
        text = means[digit[i]] + 0.25 * rng.normal(size=x.shape[1])  # a vague caption
        queries = x[i], text, compose_query([x[i], text], [0.5, 0.5])
        orders = [by_cosine(query, x[items]) for query in queries]
        results.append(tuple(average_precision(relevant, order) for order in orders))
    values = np.array(results)
    above_image = interval(values[:, 2] - values[:, 0])
    above_text = interval(values[:, 2] - values[:, 1])
    image, text, both = values.mean(axis=0)
    lines = [
        f"digits: mAP image {image:.4f}, caption {text:.4f}, composed {both:.4f}",
        f"composed less image {above_image}, less caption {above_text}",
    ]
    holds = above_image.low > 0 and above_text.low > 0
    return PaperRow(37, lines, "composed above both parts, intervals above 0", holds)


PAPERS = {29: superglobal, 30: model_index, 37: composed}
