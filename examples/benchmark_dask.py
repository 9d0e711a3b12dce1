"""Trees on a cluster of two processes beside one process: the same bits, as good.

Prints whether two fits of one placement are equal to the bit; NDCG@10 of held-out
lists over ten placements (orders of the lists) and over ten orders of the rows in one
process, with the standard error of the difference; seconds of both; and how soon a lost
worker ends a fit. Two processes are no faster than one where they share a core: the
first line says what two burning processes get here.

    python examples/benchmark_dask.py [--rows 60000] [--trees 50] [--runs 10]
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np

from ltr import LambdaMARTRanker
from ltr.datasets import make_ranking
from ltr.metrics import ndcg_score

BURN = "total = 0\nfor i in range(6_000_000):\n    total += i * i"


def control() -> float:
    """Seconds of two burning processes over those of one: 1 with two free cores."""
    seconds = []
    for n_processes in (1, 2):
        started = time.perf_counter()
        burning = [
            subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(n_processes)
        ]
        for process in burning:
            process.wait()
        seconds.append(time.perf_counter() - started)
    return seconds[1] / seconds[0]


def renumbered(qid: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Row order in which lists come shuffled, the rows of each as they were."""
    place = rng.permutation(qid.max() + 1)
    return np.argsort(place[qid], kind="stable")


def main(
    n_rows: int = 60_000, n_trees: int = 50, n_runs: int = 10, wait_s: float = 3.0
) -> dict[str, float]:
    """Print the table; return its numbers."""
    import dask.array as da
    from distributed import Client, LocalCluster

    from ltr.dask import DaskLambdaMARTRanker
    from ltr.dask.rounds import WorkerLostError

    data = make_ranking(
        n_queries=max(40, n_rows // 15), list_size=(10, 30), random_state=0
    )
    train, test = data.train_test_split(test_size=0.25, random_state=0)
    X, y, qid = train.X, train.y, np.unique(train.qid, return_inverse=True)[1]
    options = {"n_estimators": n_trees, "random_state": 0}

    def quality(ranker: LambdaMARTRanker) -> float:
        return ndcg_score(test.y, ranker.predict(test.X), qid=test.qid, k=10)

    print(f"{len(y)} rows, {n_trees} trees", flush=True)
    print(f"two burning processes take {control():.2f} × the time of one")
    numbers: dict[str, list[float]] = {"cluster": [], "one process": []}
    seconds: dict[str, list[float]] = {"cluster": [], "one process": []}
    result = {}
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        ranker = DaskLambdaMARTRanker(client=client, **options)

        def arrays(rows: np.ndarray) -> list:
            chunk = -(-len(rows) // 7)
            parts = [(X[rows], (chunk, -1)), (y[rows], chunk), (qid[rows], chunk)]
            return [da.from_array(column, chunks=chunks) for column, chunks in parts]

        same = []
        for run in range(n_runs):
            rng = np.random.default_rng(run)
            columns = arrays(renumbered(qid, rng))
            started = time.perf_counter()
            ranker.fit(*columns)
            seconds["cluster"].append(time.perf_counter() - started)
            numbers["cluster"].append(quality(ranker))
            if run < 3:
                scores = ranker.predict(test.X)
                same.append(
                    np.array_equal(ranker.fit(*columns).predict(test.X), scores)
                )
            rows = rng.permutation(len(y))
            local = LambdaMARTRanker(n_jobs=1, **options)
            started = time.perf_counter()
            local.fit(X[rows], y[rows], qid[rows])
            seconds["one process"].append(time.perf_counter() - started)
            numbers["one process"].append(quality(local))
        print(f"the same bits in {sum(same)} of {len(same)} repeated placements")
        for name, values in numbers.items():
            print(
                f"{name:12} NDCG@10 {np.mean(values):.4f} "
                f"(sd {np.std(values, ddof=1):.4f}, {n_runs} runs), "
                f"{np.median(seconds[name]):.2f} s a fit"
            )
        difference = np.mean(numbers["cluster"]) - np.mean(numbers["one process"])
        error = np.sqrt(sum(np.var(v, ddof=1) / n_runs for v in numbers.values()))
        print(f"difference   {difference:+.4f}, standard error {error:.4f}")
        result = {"difference": difference, "error": error, "same": float(all(same))}

        victim = next(iter(client.run(os.getpid).values()))
        threading.Timer(wait_s, os.kill, (victim, signal.SIGKILL)).start()
        endless = DaskLambdaMARTRanker(client=client, n_estimators=1_000_000)
        started = time.perf_counter()
        try:
            endless.fit(*arrays(np.arange(len(y))))
        except WorkerLostError as error:
            result["lost"] = time.perf_counter() - started - wait_s
            print(
                f"a killed worker ends the fit after {result['lost']:.1f} s:\n  {error}"
            )
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--trees", type=int, default=50)
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    main(arguments.rows, arguments.trees, arguments.runs)
