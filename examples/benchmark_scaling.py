"""How fits grow with their work.

"trees": CPU time of LambdaMARTRanker on each loss, compilation included, relative to
LightGBM's own lambdarank on the same rows in the same run, one thread for each; NDCG@10
on other rows. Rows have 50 features, lists are uniform in [L/2, 3L/2], labels 0 to 4.
Losses that learn from a teacher or a reference model get a noisy copy of the labels.

    python examples/benchmark_scaling.py trees [--rows 200000 --sizes 20,100 --trees 200
        --losses listnet,ranknet]
"""

import argparse
import os
import time

import numpy as np

from ltr import LambdaMARTRanker
from ltr.losses import CURVATURES, LOSSES, lambdarank_loss, loss_info

SOFTMAX_FAMILY = ("listnet", "softmax", "xe_ndcg", "poly1")
FIRST = (*SOFTMAX_FAMILY, "ranknet", "lambdarank")
AT_MOST = {**dict.fromkeys(SOFTMAX_FAMILY, 0.8), "ranknet": 1.2, "lambdarank": 1.35}


def draw(n_rows: int, size: int, seed: int) -> tuple[np.ndarray, ...]:
    """Features, labels and queries; the labels follow ten features and noise."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(size // 2, 3 * size // 2 + 1, 2 * n_rows // size + 2)
    qid = np.repeat(np.arange(len(sizes)), sizes)[:n_rows]
    X = rng.normal(size=(n_rows, 50)).astype(np.float32)
    utility = X[:, :5].sum(axis=1) + np.abs(X[:, 5:10]).sum(axis=1)
    utility = utility + 2.0 * rng.normal(size=n_rows)
    y = np.digitize(utility, np.quantile(utility, (0.5, 0.75, 0.9, 0.97)))
    return X, y.astype(float), qid


def extras(loss, y: np.ndarray, qid: np.ndarray) -> dict[str, np.ndarray]:
    """Inputs that the loss requires, besides labels."""
    rng = np.random.default_rng(0)
    first_rows = np.searchsorted(qid, qid)
    columns = {
        "teacher_scores": y + rng.normal(size=len(y)),
        "reference_scores": 0.1 * rng.normal(size=len(y)),
        "position": np.arange(len(y)) - first_rows + 1.0,
    }
    return {name: columns[name] for name in loss_info(loss).required_extras}


def trees(
    n_rows: int = 200_000,
    sizes: str = "20,100",
    n_trees: int = 200,
    names: str = "",
) -> dict[int, dict[str, tuple[float, float]]]:
    """Print a table for each mean list size; return the results of each."""
    return {
        size: trees_of_lists(n_rows, size, n_trees, names)
        for size in map(int, sizes.split(","))
    }


def trees_of_lists(
    n_rows: int, size: int, n_trees: int, names: str
) -> dict[str, tuple[float, float]]:
    """Print the table of one size; return loss → ratio of CPU time and NDCG@10."""
    X, y, qid = draw(n_rows, size, seed=0)
    test = draw(max(n_rows // 4, 200), size, seed=1)
    options = {"n_estimators": n_trees, "n_jobs": 1, "random_state": 0}
    losses = names.split(",") if names else list(dict.fromkeys((*FIRST, *LOSSES)))
    print(f"{n_rows} rows, lists of {size}, {n_trees} trees", flush=True)
    print(f"{'loss':28}{'curvature':>10}{'CPU s':>8}{'ratio':>7}{'NDCG@10':>9}")

    def fit(loss, **columns) -> tuple[float, float]:
        start = time.process_time()
        ranker = LambdaMARTRanker(loss, **options).fit(X, y, qid, **columns)
        return time.process_time() - start, ranker.score(*test)

    peer, score = fit("lambdarank")
    print(f"{'lambdarank of LightGBM':28}{'':10}{peer:8.2f}{1:7.2f}{score:9.4f}")
    results = {"lambdarank of LightGBM": (1.0, score)}
    for name in losses:
        loss = lambdarank_loss if name == "lambdarank" else LOSSES[name]
        try:
            seconds, score = fit(loss, **extras(loss, y, qid))
        except ValueError as error:
            print(f"{name:28}  {error}")
            continue
        ratio = seconds / peer
        limit = f"  asked: <= {AT_MOST[name]}" if name in AT_MOST else ""
        print(
            f"{name:28}{CURVATURES[name]:>10}{seconds:8.2f}{ratio:7.2f}{score:9.4f}"
            + limit,
            flush=True,
        )
        results[name] = ratio, score
    return results


COMMANDS = {"trees": trees}


def main(command: str, **options) -> dict:
    """Run a part of the benchmark."""
    return COMMANDS[command](**options)


if __name__ == "__main__":
    one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {one_thread}"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("trees", help="losses in boosted trees")
    command.add_argument("--rows", type=int, default=200_000, dest="n_rows")
    command.add_argument("--sizes", default="20,100", help="mean list sizes L")
    command.add_argument("--trees", type=int, default=200, dest="n_trees")
    command.add_argument("--losses", default="", dest="names", help="comma-separated")
    main(**vars(parser.parse_args()))
