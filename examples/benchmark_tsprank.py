"""Speed of TSPRanker in training and decoding, on matrices of trained rankers.

Training: items per second, without the first epoch, which compiles. Decoding: lists of
10, 30 and 100 items by each decoder; seconds, share proven optimal, largest gap, and
speed-up over the solver of the paper (its chart: .015, .063 and .541 s per list with
Gurobi, on another machine).

    python examples/benchmark_tsprank.py
"""

import argparse
import time

import numpy as np

from ltr import TSPRanker

PAPER_S = {10: 0.015, 30: 0.063, 100: 0.541}
N_LISTS = {10: 1000, 30: 100, 100: 10}


def lists(n_lists: int, size: int, n_features: int, seed: int):
    """X, y and qid; labels are a noisy nonlinear function of the features."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_lists * size, n_features))
    direction = np.random.default_rng(0).normal(size=(2, n_features)) / n_features**0.5
    signal = X @ direction[0] + np.tanh(2 * X @ direction[1])
    y = signal + 0.3 * rng.normal(size=len(X))
    return X, y, np.repeat(np.arange(n_lists), size)


def main(
    n_train: int = 1600, n_epochs: int = 6, sizes: tuple[int, ...] = (10, 30, 100)
) -> dict[str, float]:
    """Print both tables; return items per second, and seconds, by row."""
    results = {}
    print("training, lists of 30 items, 384 features, batches of 32: items per second")
    for encoder, widths in (("identity", ()), ("mlp", (512, 64))):
        X, y, qid = lists(n_train, 30, 384, 1)
        for loss in ("successor", "pairwise"):
            ranker = TSPRanker(
                loss, encoder=encoder, hidden_layer_sizes=widths, max_epochs=n_epochs,
                early_stopping=False, preprocess=None, random_state=0,
            ).fit(X, y, qid)  # fmt: skip
            speed = len(y) / np.median(ranker.history_["seconds"][1:])
            results[f"{encoder} {loss}"] = float(speed)
            print(f"{encoder:9} {loss:10} {speed:10,.0f}")
    print("\ndecoding        lists      s   proven  worst gap  × paper's solver")
    for size in sizes:
        n_lists = N_LISTS[size]
        X, y, qid = lists(max(20, n_lists), size, 20, 2)
        for loss, decoder in (
            ("successor", "path"),
            ("pairwise", "ordering"),
            ("pairwise", "borda"),
        ):
            ranker = TSPRanker(
                loss, decoder=decoder, hidden_layer_sizes=(64,), max_epochs=10,
                early_stopping=False, random_state=0,
            ).fit(X, y, qid)  # fmt: skip
            rows = qid < n_lists
            ranker.decode(X[qid < 2], qid[qid < 2])  # warm-up
            started = time.perf_counter()
            solutions = ranker.decode(X[rows], qid[rows])
            seconds = time.perf_counter() - started
            gaps = [s.gap for s in solutions if not s.is_optimal]
            results[f"{size} {loss} {decoder}"] = seconds
            ratio = PAPER_S[size] * n_lists / seconds
            print(
                f"{size:4} {loss:10} {decoder:9}{n_lists:5} {seconds:7.3f}"
                f" {1 - len(gaps) / n_lists:7.0%}  {max(gaps, default=0.0):8.1%}"
                f"  {ratio:8.1f}"
            )
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main()
