"""Time of NDCG@10, AP and RR from arrays and from files, compared with peers.

    python examples/benchmark_metrics.py

pytrec_eval and ranx are timed on dicts and objects built in advance, ranx after a
first call, which compiles; ltr starts from plain arrays. From files, everything is
timed. Peers that are not installed are skipped. Ratios are medians over rounds of
peer / ltr.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ltr.metrics import evaluate, evaluate_run

NAMES = ["ndcg@10", "map", "mrr"]
TREC = ["ndcg_cut_10", "map", "recip_rank"]


def draw(layout: str, n_lists: int, list_size: int, seed: int = 0) -> tuple[Any, ...]:
    """Labels, scores and qid: equal sizes, ragged with ties, or interleaved rows."""
    rng = np.random.default_rng(seed)
    sizes = np.full(n_lists, list_size)
    if layout != "rectangular":
        sizes = rng.integers(list_size // 2, list_size * 3 // 2 + 1, n_lists)
    qid = np.repeat(np.arange(n_lists), sizes)
    y = rng.integers(0, 5, len(qid)) * (rng.random(len(qid)) < 0.3)
    s = rng.normal(size=len(qid))
    if layout != "rectangular":
        s = s.round(1)
    order = np.arange(len(qid))
    if layout == "interleaved":
        order = rng.permutation(len(qid))
    return y[order].astype(float), s[order], qid[order]


def as_dicts(values: Any, qid: Any, kind: type) -> dict[str, dict[str, Any]]:
    """Nested dicts, as pytrec_eval and ranx take them."""
    table: dict[str, dict[str, Any]] = {}
    for row, (q, value) in enumerate(zip(qid.tolist(), values.tolist(), strict=True)):
        table.setdefault(f"q{q}", {})[f"d{row}"] = kind(value)
    return table


def ratios(
    ours: Callable[[], Any], peers: dict[str, Any], rounds: int
) -> dict[str, Any]:
    """Median seconds of ltr, and for each peer the median of its ratio to ltr."""
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", *peers)}
    for call in (ours, *peers.values()):
        call()
    for _ in range(rounds):
        for name, call in {"ours": ours, **peers}.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    row: dict[str, Any] = {"seconds": median(seconds["ours"])}
    for name in peers:
        pairs = zip(seconds[name], seconds["ours"], strict=True)
        row[name] = median(peer_s / ltr_s for peer_s, ltr_s in pairs)
    return row


def from_arrays(
    layout: str, n_lists: int, list_size: int, rounds: int
) -> dict[str, Any]:
    """Means and intervals from arrays, against peers with input built in advance."""
    y, s, qid = draw(layout, n_lists, list_size)
    peers: dict[str, Any] = {}
    if importlib.util.find_spec("pytrec_eval"):
        run, qrels = as_dicts(s, qid, float), as_dicts(y, qid, int)
        trec = importlib.import_module("pytrec_eval")
        evaluator = trec.RelevanceEvaluator(qrels, set(TREC))
        peers["pytrec_eval"] = lambda: evaluator.evaluate(run)
        values = evaluate_run(run, qrels, TREC, per_query=True, trec_eval="9")
        reference = evaluator.evaluate(run)
        expected = [[reference[q][name] for name in TREC] for q in values.index]
        error = np.abs(values.to_numpy() - expected).max()
        assert error < 1e-6, f"values differ from pytrec_eval by up to {error}"
    if importlib.util.find_spec("ranx"):
        ranx = importlib.import_module("ranx")
        ranx_run = ranx.Run(as_dicts(s, qid, float))
        ranx_qrels = ranx.Qrels(as_dicts(y, qid, int))
        peers["ranx"] = lambda: ranx.evaluate(ranx_qrels, ranx_run, NAMES)
    return ratios(lambda: evaluate(y, s, qid, NAMES), peers, rounds)


def from_file(n_lists: int, list_size: int, rounds: int) -> dict[str, Any]:
    """From a TREC run file and a qrels file to the means."""
    y, s, qid = draw("ragged with ties", n_lists, list_size)
    folder = Path(tempfile.mkdtemp())
    run, qrels = folder / "run.txt", folder / "qrels.txt"
    docs = np.arange(len(qid)) % (len(qid) // 3 + 2 * list_size)  # a shared collection
    rows = list(zip(docs.tolist(), qid.tolist(), s.tolist(), y.tolist(), strict=True))
    run.write_text("".join(f"q{q} Q0 doc{d} 1 {v} tag\n" for d, q, v, _ in rows))
    qrels.write_text("".join(f"q{q} 0 doc{d} {int(v)}\n" for d, q, _, v in rows))
    peers: dict[str, Any] = {}
    if importlib.util.find_spec("ir_measures"):
        ir = importlib.import_module("ir_measures")
        measures = [ir.nDCG @ 10, ir.AP, ir.RR]
        peers["ir_measures"] = lambda: ir.calc_aggregate(
            measures, ir.read_trec_qrels(str(qrels)), ir.read_trec_run(str(run))
        )
    if importlib.util.find_spec("ranx"):
        ranx = importlib.import_module("ranx")
        peers["ranx"] = lambda: ranx.evaluate(
            ranx.Qrels.from_file(str(qrels), kind="trec"),
            ranx.Run.from_file(str(run), kind="trec"),
            NAMES,
        )
    return ratios(lambda: evaluate_run(run, qrels, NAMES), peers, rounds)


def main(
    sizes: tuple[tuple[int, int], ...] = ((2_000, 100), (50_000, 20)), rounds: int = 5
) -> dict[str, dict[str, Any]]:
    """Print a table: the time of ltr, and the ratio of each peer to it."""
    table = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peers
        for n_lists, list_size in sizes:
            for layout in ("rectangular", "ragged with ties", "interleaved"):
                name = f"{n_lists:,} x {list_size}, {layout}"
                table[name] = from_arrays(layout, n_lists, list_size, rounds)
            name = f"{n_lists:,} x {list_size}, from files"
            table[name] = from_file(n_lists, list_size, max(1, rounds // 2))
    for name, row in table.items():
        peers = ", ".join(f"{p} {r:.1f}x" for p, r in row.items() if p != "seconds")
        print(f"{name:34s} {row['seconds'] * 1000:8.1f} ms   {peers}")
    return table


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main()
