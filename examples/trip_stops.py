"""Put ten shuffled stops of a trip in order of travel, given where it starts.

The trips are random walks that keep their direction for a while, or those of a feed of
public transport (GTFS, a folder or zip file) that you pass. All rankers get the same
features of each stop; TSPRanker may also get features of pairs: how far it is from one
stop to the other. Prints Kendall's τ on held-out trips.

    python examples/trip_stops.py
    python examples/trip_stops.py --gtfs feed.zip
"""

import argparse
import functools

import numpy as np
from scipy.spatial.distance import cdist

from ltr import LambdaMARTRanker, NeuralRanker, TSPRanker
from ltr.datasets import load_gtfs
from ltr.metrics import bootstrap_interval, kendall_tau_score
from ltr.solvers import solve_path

SIZE = 10
OPTIONS = {"metric": "kendall_tau", "max_epochs": 60}
FAR = 1e6  # above any distance


def distances(stops: np.ndarray) -> np.ndarray:
    """Length of the way from stop i to stop j, its logarithm, and what it gains."""
    length = cdist(stops[:, :2], stops[:, :2])
    gain = stops[None, :, 2] - stops[:, None, 2]  # of distance from the start
    return np.stack([length, np.log(length + 1e-3), gain], axis=-1)


PAIRS = functools.partial(TSPRanker, encoder="attention", n_jobs=1, **OPTIONS)
RANKERS = {
    "LambdaMART": functools.partial(LambdaMARTRanker, metric="kendall_tau", n_jobs=1),
    "RankNet": functools.partial(NeuralRanker, "ranknet", "mlp", **OPTIONS),
    "RankNet, attention": functools.partial(
        NeuralRanker, "ranknet", "attention", **OPTIONS
    ),
    "TSP": functools.partial(TSPRanker, n_jobs=1, **OPTIONS),
    "TSP, attention": PAIRS,
    "TSP, pair features": functools.partial(PAIRS, pair_features=distances),
}


def walks(n_trips: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Points of random walks; the heading changes a little with every step."""
    heading = rng.uniform(0, 2 * np.pi, (n_trips, 1))
    heading = heading + np.cumsum(rng.normal(0, 0.9, (n_trips, SIZE + 2)), axis=1)
    length = rng.lognormal(0, 0.2, heading.shape)
    steps = np.stack([length * np.cos(heading), length * np.sin(heading)], axis=-1)
    return list(np.cumsum(steps, axis=1))


def trips_of(path: str) -> list[np.ndarray]:
    """Points of the trips of a feed, in kilometers, in order of travel."""
    data = load_gtfs(path, min_stops=SIZE, random_state=None)
    east = 111.2 * np.cos(np.radians(data.X[:, 0])) * data.X[:, 1]
    points = np.column_stack([east, 111.2 * data.X[:, 0]])
    ends = np.flatnonzero(data.y[1:] == 0) + 1  # a trip begins with label 0
    return np.split(points, ends)


def make_lists(trips: list[np.ndarray], rng: np.random.Generator):
    """X, y and qid of ten stops of each trip: the first one, and nine at random."""
    X, y = [], []
    for trip in trips:
        later = 1 + np.sort(rng.permutation(len(trip) - 1)[: SIZE - 1])
        points = trip[np.append(0, later)] - trip[0]
        points = points / (np.linalg.norm(points, axis=1).mean() + 1e-9)
        angle = np.arctan2(points[:, 1].mean(), points[:, 0].mean())
        turn = np.array(
            [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        )
        points = points @ turn  # the center is east of the start
        reach = np.linalg.norm(points, axis=1)
        between = np.sort(cdist(points, points), axis=1)
        rank = np.argsort(np.argsort(reach))
        order = rng.permutation(SIZE)
        stops = [points, reach, rank, between[:, 1:3], between.mean(axis=1), rank == 0]
        X.append(np.column_stack(stops)[order])
        y.append(-order)
    return np.concatenate(X), np.concatenate(y), np.arange(len(trips) * SIZE) // SIZE


def shortest_path(stops: np.ndarray) -> np.ndarray:
    """Visit all stops on the shortest way from the first."""
    start = np.where(stops[:, -1] == 1, 0.0, -FAR)
    return solve_path(-cdist(stops[:, :2], stops[:, :2]), start=start).order


def main(
    n_seeds: int = 3, n_trips: int = 2000, names=None, gtfs: str | None = None
) -> dict[str, float]:
    """Print the table; return the mean test τ of each method, and leads."""
    print(__doc__.split("\n")[0], flush=True)
    rng = np.random.default_rng(0)
    trips = walks(n_trips, rng) if gtfs is None else trips_of(gtfs)
    parts = np.split(
        rng.permutation(len(trips)), [len(trips) // 2, 2 * len(trips) // 3]
    )
    train, validation, test = (
        make_lists([trips[k] for k in part], rng) for part in parts
    )
    keywords = dict(zip(("X_val", "y_val", "qid_val"), validation, strict=True))
    X, y, qid = test
    tau = functools.partial(kendall_tau_score, y, qid=qid, per_query=True)
    lists = X.reshape(-1, SIZE, X.shape[1])
    places = np.concatenate([np.argsort(shortest_path(stops)) for stops in lists])
    taus = {"distance from the start": [tau(-X[:, 2])], "shortest path": [tau(-places)]}
    valid = {}
    for name in names or RANKERS:
        taus[name], valid[name] = [], 0.0
        for seed in range(n_seeds):
            print(f"seed {seed + 1} of {n_seeds}: fitting {name}", flush=True)
            ranker = RANKERS[name](random_state=seed)
            ranker.fit(*train, **keywords)
            taus[name].append(tau(ranker.predict(X, qid)))
            valid[name] += ranker.score(*validation) / n_seeds
    print(f"{'':24}  valid    τ     95 % interval")
    for name, values in sorted(taus.items(), key=lambda item: np.mean(item[1])):
        low, high = bootstrap_interval(np.mean(values, axis=0))
        score = f"{valid[name]:.3f}" if name in valid else ""
        print(f"{name:24}  {score:5}  {np.mean(values):.3f}  [{low:.3f}, {high:.3f}]")
    leads, pair = {}, "TSP, pair features"
    for side in ("items", "pairs"):
        others = [name for name in valid if name.startswith("TSP") == (side == "pairs")]
        if not (rivals := set(others) - {pair}):
            continue
        best = max(rivals, key=lambda name: valid[name])
        lead = np.mean(taus[pair], axis=0) - np.mean(taus[best], axis=0)
        low, high = bootstrap_interval(lead)
        print(f"{pair} against {best}: {lead.mean():+.3f}  [{low:+.3f}, {high:+.3f}]")
        leads |= {f"lead over {side}": float(lead.mean()), f"low of {side}": low}
    means = {name: float(np.mean(values)) for name, values in taus.items()}
    return means | leads


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--gtfs", help="folder or zip file of a GTFS feed")
    options = parser.parse_args()
    main(options.seeds, gtfs=options.gtfs)
