"""The collections that the rows share: scikit-learn's digits and Cranfield."""

from __future__ import annotations

import functools
import gzip
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from ltr.metrics import ndcg_score


class Digits(NamedTuple):
    """Unit embeddings of images, and the digit that each shows."""

    embeddings: np.ndarray
    digit: np.ndarray


class Collection(NamedTuple):
    """Queries and documents as unit embeddings, with grades and scores of BM25."""

    queries: np.ndarray
    items: np.ndarray
    relevance: np.ndarray  # (n_queries, n_items)
    bm25: np.ndarray  # (n_queries, n_items)
    topics: list[str]  # texts of the queries
    texts: list[str]  # of the documents


def unit(vectors: np.ndarray) -> np.ndarray:
    """Divide by the norm of the last axis."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@functools.cache
def digits(width: int = 32) -> Digits:
    """1,797 images, the first components of their pixels."""
    pixels, digit = load_digits(return_X_y=True)
    components = PCA(width, random_state=0).fit_transform(pixels)
    return Digits(unit(components), digit)


@functools.cache
def cranfield(folder: Path) -> Collection:
    """225 queries; code 1 (a complete answer) is grade 4, code 4 is grade 1."""
    vectors = folder / "embeddings-minilm"
    items = np.load(vectors / "cranfield.docs.npz")
    queries = np.load(vectors / "cranfield.queries.npz")["embeddings"]
    column = {int(docid): i for i, docid in enumerate(items["doc_id"])}
    relevance = np.zeros((len(queries), len(column)))
    for line in (folder / "ir-cranfield" / "cranqrel").read_text().splitlines():
        query, docid, code = map(int, line.split()[:3])
        relevance[query - 1, column[docid]] = 5 - (1 if code == -1 else code)
    with gzip.open(folder / "ir-cranfield" / "cran.all.1400.gz", "rt") as file:
        documents = file.read().split(".I ")[1:]
    texts = [""] * len(column)
    for document in documents:
        number, _, body = document.partition("\n")
        texts[column[int(number)]] = " ".join(re.split(r"\n\.[TABW]\n?", "\n" + body))
    topics = (folder / "ir-cranfield" / "cran.qry").read_text().split(".I ")[1:]
    words = [topic.partition(".W")[2] for topic in topics]
    return Collection(
        unit(queries.astype(float)),
        unit(items["embeddings"].astype(float)),
        relevance,
        bm25(words, texts),
        words,
        texts,
    )


def bm25(
    queries: list[str], texts: list[str], k1: float = 0.9, b: float = 0.4
) -> np.ndarray:
    """Scores of Okapi's BM25, (n_queries, n_items)."""
    counts = [Counter(re.findall(r"[a-z0-9]+", text.lower())) for text in texts]
    lengths = np.array([sum(count.values()) for count in counts], dtype=float)
    frequency: Counter[str] = Counter()
    for count in counts:
        frequency.update(count.keys())
    scores = np.zeros((len(queries), len(texts)))
    shrink = k1 * (1 - b + b * lengths / lengths.mean())
    for row, query in enumerate(queries):
        for word in set(re.findall(r"[a-z0-9]+", query.lower())) & frequency.keys():
            n = frequency[word]
            idf = np.log(1 + (len(texts) - n + 0.5) / (n + 0.5))
            tf = np.array([count[word] for count in counts], dtype=float)
            scores[row] += idf * tf * (k1 + 1) / (tf + shrink)
    return scores


def ndcg_at_10(relevance: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """NDCG@10 with linear gains of each row; 0 for a query without relevant items."""
    n_queries, size = scores.shape
    qid = np.arange(n_queries).repeat(size)
    options = {"k": 10, "gain": "linear", "empty": 0, "per_query": True}
    return ndcg_score(relevance.ravel(), scores.ravel(), qid=qid, **options)


def run_table(scores: np.ndarray, k: int = 100) -> pd.DataFrame:
    """A run of the k best items of each query, with whole numbers as ids."""
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    n_queries, depth = top.shape
    return pd.DataFrame(
        {
            "qid": np.arange(n_queries).repeat(depth).astype(str),
            "docid": top.ravel().astype(str),
            "score": np.take_along_axis(scores, top, axis=1).ravel(),
        }
    )


def qrels_table(relevance: np.ndarray) -> pd.DataFrame:
    """Judgments with a label above 0, with whole numbers as ids."""
    query, item = np.nonzero(relevance)
    return pd.DataFrame(
        {
            "qid": query.astype(str),
            "docid": item.astype(str),
            "label": relevance[query, item],
        }
    )
