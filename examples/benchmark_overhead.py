"""Overhead of the library: fitting trees, predicting, reading files.

Prints the time of LambdaMARTRanker.fit relative to plain LightGBM on the same rows, the
time to score one list and a million rows with fitted neural rankers, and the time of
load_letor relative to scikit-learn's loader.

    python examples/benchmark_overhead.py
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from ltr import LambdaMARTRanker, NeuralRanker
from ltr.datasets import load_letor, make_ranking

TREES = {"n_estimators": 100, "num_leaves": 31, "random_state": 0, "n_jobs": 2}


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turn(ours: Callable, peer: Callable, rounds: int) -> tuple[float, float, float]:
    """Median times of two calls in turn, and the median of their ratio."""
    pairs = [(seconds(ours), seconds(peer)) for _ in range(rounds)]
    ratio = statistics.median(a / b for a, b in pairs)
    return *(statistics.median(side) for side in zip(*pairs, strict=True)), ratio


def fit_trees(n_lists: int, rounds: int) -> float:
    """LambdaMARTRanker and LGBMRanker on rows sorted by query."""
    data = make_ranking(n_lists, n_features=50, list_size=(50, 150), random_state=0)
    X, y = data.X.astype(np.float32), data.y.astype(int)
    sizes = np.unique(data.qid, return_counts=True)[1]
    rankers = {}

    def ours() -> None:
        rankers["ours"] = LambdaMARTRanker(**TREES).fit(X, y, data.qid)

    def peer() -> None:
        rankers["peer"] = lightgbm.LGBMRanker(**TREES, verbose=-1).fit(
            X, y, group=sizes
        )

    ours(), peer()
    a, b, ratio = in_turn(ours, peer, rounds)
    same = np.array_equal(rankers["ours"].predict(X), rankers["peer"].predict(X))
    print(f"trees: fit on {len(y):,} rows {a:.2f} s, plain LightGBM {b:.2f} s,")
    print(f"  ratio {ratio:.3f}; equal predictions: {same}")
    return ratio


def predict(n_rows: int, rounds: int) -> dict[str, float]:
    """Milliseconds for one list of 100 × 136, and seconds for many rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 136))
    y, qid = rng.integers(0, 5, 2000), np.repeat(np.arange(20), 100)
    X_many = rng.normal(size=(n_rows, 136)).astype(np.float32)
    qid_many = np.repeat(np.arange(-(-n_rows // 100)), 100)[:n_rows]
    median = {}
    for scorer in ("linear", "mlp", "attention"):
        ranker = NeuralRanker("ranknet", scorer, max_epochs=1, random_state=0)
        ranker.fit(X, y, qid)
        score_list = lambda ranker=ranker: ranker.predict(X[:100], qid[:100])
        score_list()
        times = [seconds(score_list) for _ in range(10 * rounds)]
        median[scorer] = statistics.median(times)
        text = f"{scorer}: one list of 100 x 136 in {1e3 * median[scorer]:.2f} ms"
        if scorer != "attention":
            time_s = seconds(lambda ranker=ranker: ranker.predict(X_many, qid_many))
            text += f", {n_rows:,} rows in {time_s:.2f} s"
        print(text)
    return median


def load(n_rows: int, rounds: int) -> float:
    """load_letor and load_svmlight_file on the same dense file."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n_rows, 46)).round(6), rng.integers(0, 3, n_rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.txt"
        qid = np.arange(n_rows) // 20
        dump_svmlight_file(X, y, str(path), zero_based=False, query_id=qid)
        a, b, ratio = in_turn(
            lambda: load_letor(path),
            lambda: load_svmlight_file(str(path), query_id=True),
            rounds,
        )
    print(
        f"files: {n_rows:,} rows {a:.2f} s, scikit-learn {b:.2f} s, ratio {ratio:.2f}"
    )
    return ratio


def main(n_lists: int = 1500, n_rows: int = 1_000_000, rounds: int = 7) -> dict:
    """Run all three; return the ratios and times."""
    return {
        "fit": fit_trees(n_lists, rounds),
        "predict": predict(n_rows, rounds),
        "load": load(max(1000, n_rows // 20), rounds),
    }


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main()
