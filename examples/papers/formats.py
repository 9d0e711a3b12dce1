"""Rows about collections and pipelines: what a run is, and how files are read."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from collection import cranfield, digits, qrels_table, run_table, unit
from row import PaperRow, Setting

from ltr.datasets import read_choices, read_corpus, read_qrels, read_queries
from ltr.fusion import rrf
from ltr.metrics import compare_runs, evaluate_run
from ltr.refine import search
from ltr.rerank import pairwise_rerank, rerank_run


def rankify(setting: Setting) -> PaperRow:
    """Rankify: retrieve, fuse, rerank, evaluate, compare; every step is a table."""
    if setting.data is not None:
        data = cranfield(setting.data)
        queries, items, relevance = data.queries, data.items, data.relevance
        other = data.bm25
    else:
        embeddings, digit = digits()
        queries, items = embeddings[:40], embeddings[40:]
        relevance = (digit[:40, None] == digit[40:]).astype(float)
        other = unit(queries[:, :4]) @ unit(items[:, :4]).T
    n = 10 if setting.small else len(queries)
    queries, relevance, other = queries[:n], relevance[:n], other[:n]
    judged = (relevance > 0) + np.random.default_rng(0).normal(0, 0.3, relevance.shape)
    runs = {"dense": search(queries, items, 50), "other": run_table(other, 50)}
    runs["fused"] = rrf(list(runs.values()))

    def rerank(qid, ids):
        scores = judged[int(qid)]
        return pairwise_rerank(
            ids, lambda a, b: bool(scores[int(a)] > scores[int(b)]), both_orders=False
        )

    runs["reranked"] = rerank_run(runs["fused"], rerank, depth=30)
    qrels = qrels_table(relevance)
    comparison = compare_runs(runs, qrels, ["ndcg@10"])
    values = {
        name: evaluate_run(run, qrels, ["ndcg@10"])["mean"].iloc[0]
        for name, run in runs.items()
    }
    n_calls = np.mean([row["n_calls"] for row in runs["reranked"].attrs["calls"]])
    means = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
    return PaperRow(
        17,
        [
            *str(comparison).splitlines(),
            f"Rankify: NDCG@10 {means}; {n_calls:.0f} calls a query",
        ],
        "reranked is ahead of fused, and fused of the worse run",
        bool(values["reranked"] > values["fused"] > min(*list(values.values())[:2])),
    )


def rar_b(setting: Setting) -> PaperRow:
    """RAR-b: multiple choice is a list with one right item."""
    rng = np.random.default_rng(0)
    rows = ["sum,a,b,c,answer"]
    for _ in range(60):
        x, y = rng.integers(1, 50, 2)
        right = int(rng.integers(3))
        options = [str(x + y + (0 if i == right else i + 1)) for i in range(3)]
        rows.append(f"{x} + {y},{','.join(options)},{right}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arithmetic.csv"
        path.write_text("\n".join(rows))
        lists = read_choices(
            path, question="sum", choices=["a", "b", "c"], answer="answer"
        )
    error = [
        abs(sum(map(int, question.split(" + "))) - int(text))
        for question, text in zip(lists["question"], lists["text"], strict=True)
    ]
    runs = (
        lists.assign(score=rng.random(len(lists))),
        lists.assign(score=-np.array(error, dtype=float)),
    )
    guess, solved = (
        evaluate_run(run[["qid", "docid", "score"]], lists, ["success@1"])["mean"].iloc[
            0
        ]
        for run in runs
    )
    return PaperRow(
        28,
        [f"RAR-b: accuracy of guesses {guess:.2f}, of arithmetic {solved:.2f}"],
        "accuracy is success@1: 1 for a solver, about 1/3 for guesses",
        bool(solved == 1.0 and 0.15 < guess < 0.55),
    )


def r2med(setting: Setting) -> PaperRow:
    """R2MED: a folder with its names of files and fields is read and evaluated."""
    cases = {
        "rash after a tick bite": "Lyme disease begins with a rash at the tick bite",
        "cough and night sweats": "Tuberculosis: cough, night sweats, loss of weight",
        "thirst and loss of weight": "Diabetes causes thirst and loss of weight",
    }
    files = {
        "query": [{"id": f"q{i}", "text": t} for i, t in enumerate(cases)],
        "corpus": [{"id": f"p{i}", "text": t} for i, t in enumerate(cases.values())],
        "qrels": [{"q_id": f"q{i}", "p_id": f"p{i}", "score": 1} for i in range(3)],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stem, records in files.items():
            text = "\n".join(map(json.dumps, records))
            (folder / f"{stem}.jsonl").write_text(text)
        corpus, queries = read_corpus(folder), read_queries(folder)
        qrels = read_qrels(folder)
    words = lambda text: set(text.lower().replace(",", "").split())
    run = {
        qid: {
            docid: float(len(words(query) & words(text)))
            for docid, text in zip(corpus["docid"], corpus["text"], strict=True)
        }
        for qid, query in zip(queries["qid"], queries["text"], strict=True)
    }
    value = evaluate_run(run, qrels, ["ndcg@10"])["mean"].iloc[0]
    return PaperRow(
        43,
        [f"R2MED: three cases by shared words, NDCG@10 {value:.4f}"],
        "the folder is read, and the right page of each case is first",
        bool(value == 1.0),
    )


PAPERS = {17: rankify, 28: rar_b, 43: r2med}
