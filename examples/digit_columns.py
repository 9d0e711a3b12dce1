"""Put the eight shuffled pixel columns of handwritten digits in order.

What a column shows says little about its place; what fits beside it says much. So this
is a task for scores of pairs and a path through all items. The images come with
scikit-learn. All rankers get the eight pixels of each column, an encoder of the same
size, and early stopping on Kendall's τ of the same validation images; on each side the
one that is best there is compared on the test images.

    python examples/digit_columns.py --plot digits.png

Blank columns are equal: they share their place, and no ranker has a τ near 1.
"""

import argparse
import functools

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits

from ltr import LambdaMARTRanker, NeuralRanker, TSPRanker, VotingRanker
from ltr.metrics import bootstrap_interval, kendall_tau_score
from ltr.solvers import solve_path

METRIC = "kendall_tau(variant=a)"
OPTIONS = {"metric": METRIC, "preprocess": "standard", "max_epochs": 60}


def differences(columns: np.ndarray) -> np.ndarray:
    """What changes from column i to column j: each pixel, and the distance."""
    change = np.abs(columns[None] - columns[:, None])  # (n, n, 8)
    return np.concatenate([change, cdist(columns, columns)[..., None]], axis=-1)


def three_ranknets(random_state: int) -> VotingRanker:
    """Mean of the scores of three seeds."""
    seeds = range(10 * random_state, 10 * random_state + 3)
    members = [ATTENTION("ranknet", random_state=seed) for seed in seeds]
    return VotingRanker([(f"{k}", m) for k, m in enumerate(members)], metric=METRIC)


ATTENTION = functools.partial(NeuralRanker, scorer="attention", **OPTIONS)
PAIRS = functools.partial(TSPRanker, encoder="attention", n_jobs=1, **OPTIONS)
ITEM_RANKERS = {
    "LambdaMART": functools.partial(LambdaMARTRanker, metric=METRIC, n_jobs=1),
    "RankNet": functools.partial(NeuralRanker, "ranknet", "mlp", **OPTIONS),
    "ListNet, attention": functools.partial(ATTENTION, "listnet"),
    "RankNet, attention": functools.partial(ATTENTION, "ranknet"),
    "RankNet, attention, 3 models": three_ranknets,
}
PAIR_RANKERS = {
    "TSP, compat='paper'": functools.partial(PAIRS, compat="paper"),
    "TSP": PAIRS,
    "TSP, pair features": functools.partial(PAIRS, pair_features=differences),
    "TSP, pair features, 3 models": functools.partial(
        PAIRS, pair_features=differences, n_estimators=3
    ),
}


def shuffled_columns(images: np.ndarray, seed: int):
    """X, y and qid: the columns of each image as items, the leftmost the best."""
    rng = np.random.default_rng(seed)
    order = np.array([rng.permutation(8) for _ in images])  # (n_images, 8)
    columns = np.take_along_axis(images.transpose(0, 2, 1), order[:, :, None], axis=1)
    return columns.reshape(-1, 8) / 16, -order.ravel(), np.arange(order.size) // 8


def nearest_neighbors(columns: np.ndarray) -> list[int]:
    """Start with the faintest column, then always the nearest one that is left."""
    distance, order = cdist(columns, columns), [int(columns.sum(axis=1).argmin())]
    while len(order) < len(columns):
        distance[:, order[-1]] = np.inf
        order.append(int(distance[order[-1]].argmin()))
    return order


def shortest_path(columns: np.ndarray) -> np.ndarray:
    """Visit all columns with the least change."""
    return solve_path(-cdist(columns, columns)).order


def main(
    n_seeds: int = 3, n_train: int = 1000, names=None, plot: str | None = None
) -> dict[str, float]:
    """Print the table; return the mean test τ of each method, and the lead."""
    print(__doc__.split("\n")[0], flush=True)
    images = np.random.default_rng(0).permutation(load_digits().images)
    train = shuffled_columns(images[:n_train], 0)
    X_val, y_val, qid_val = shuffled_columns(images[n_train : 5 * n_train // 4], 1)
    X, y, qid = shuffled_columns(images[-547:], 2)
    tau = functools.partial(kendall_tau_score, y, qid=qid, variant="a", per_query=True)
    taus: dict[str, list] = {}
    for place in (nearest_neighbors, shortest_path):
        places = [np.argsort(place(columns)) for columns in X.reshape(-1, 8, 8)]
        taus[place.__name__] = [tau(-np.concatenate(places))]
    rankers = ITEM_RANKERS | PAIR_RANKERS
    validation: dict[str, list] = {name: [] for name in names or rankers}
    for seed in range(n_seeds):
        for name in validation:
            print(f"seed {seed + 1} of {n_seeds}: fitting {name}", flush=True)
            ranker = rankers[name](random_state=seed)
            ranker.fit(*train, X_val=X_val, y_val=y_val, qid_val=qid_val)
            validation[name].append(ranker.score(X_val, y_val, qid_val))
            taus.setdefault(name, []).append(tau(ranker.predict(X, qid)))
    print(f"{'':30}  valid    τ     95 % interval")
    for name, values in sorted(taus.items(), key=lambda item: np.mean(item[1])):
        low, high = bootstrap_interval(np.mean(values, axis=0))
        valid = f"{np.mean(validation[name]):.3f}" if name in validation else ""
        print(f"{name:30}  {valid:5}  {np.mean(values):.3f}  [{low:.3f}, {high:.3f}]")
    item, pair = (
        max(side.keys() & validation, key=lambda name: np.mean(validation[name]))
        for side in (ITEM_RANKERS, PAIR_RANKERS)
    )
    lead = np.mean(taus[pair], axis=0) - np.mean(taus[item], axis=0)
    low, high = bootstrap_interval(lead)
    print(f"{pair} against {item}: {lead.mean():+.3f}  [{low:+.3f}, {high:+.3f}]")
    means = {name: float(np.mean(values)) for name, values in taus.items()}
    if plot is not None:
        draw(ranker, X, y, plot)
    return means | {"lead": float(lead.mean()), "low": low}


def draw(ranker, X: np.ndarray, y: np.ndarray, path: str) -> None:
    """Ten images as they are, shuffled, and put together again."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = {"image": y, "shuffled": -np.arange(len(y))}
    lines["put in order"] = ranker.predict(X, np.arange(len(y)) // 8)
    figure, axes = plt.subplots(3, 10, figsize=(12, 4), layout="constrained")
    for line, (title, scores) in zip(axes, lines.items(), strict=True):
        line[0].set_ylabel(title)
        for k, axis in enumerate(line):
            rows = 8 * k + np.argsort(-scores[8 * k : 8 * k + 8], kind="stable")
            axis.imshow(X[rows].T, cmap="gray_r")
            axis.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=110)
    print(f"wrote {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--plot", help="file for the plot")
    options = parser.parse_args()
    main(options.seeds, plot=options.plot)
