"""Put the five shuffled sentences of a story in order.

What a sentence says about its place is one thing (cue words, how stories begin); what
can follow it another. Stories are drawn, topics that change a little from sentence to
sentence in a direction of their own, or read from a file that you pass: `X` of shape
(n_stories, n_sentences, n_features), float, in true order, in an npz file. All rankers
get the same features of each sentence, an encoder of the same size, and early stopping
on Kendall's τ of the same stories; on each side the one that is best there is compared
on the test stories, paired by story.

    python examples/story_sentences.py
    python examples/story_sentences.py --data stories.npz
"""

import argparse
import functools

import numpy as np
from scipy.spatial.distance import cdist

from ltr import LambdaMARTRanker, LinearRanker, NeuralRanker, TSPRanker
from ltr.metrics import bootstrap_interval, kendall_tau_score
from ltr.solvers import solve_path

METRIC = "kendall_tau"
OPTIONS = {"metric": METRIC, "max_epochs": 40}
PAIRS = functools.partial(TSPRanker, n_jobs=1, **OPTIONS)
ITEM_RANKERS = {
    "linear": lambda random_state: LinearRanker(metric=METRIC),
    "LambdaMART": functools.partial(LambdaMARTRanker, metric=METRIC, n_jobs=1),
    "RankNet": functools.partial(NeuralRanker, "ranknet", "mlp", **OPTIONS),
    "RankNet, attention": functools.partial(
        NeuralRanker, "ranknet", "attention", **OPTIONS
    ),
}
PAIR_RANKERS = {
    "TSP, compat='paper'": functools.partial(PAIRS, compat="paper"),
    "TSP, successor": functools.partial(PAIRS, "successor"),
    "TSP, successor, Bayes": functools.partial(PAIRS, "successor", decoder="bayes"),
}


def drawn_stories(n_stories: int, rng: np.random.Generator) -> np.ndarray:
    """Topics that turn in one plane, and drift; a weak sign of the place."""
    angle = rng.uniform(0, 2 * np.pi, (n_stories, 1)) + 0.9 * np.arange(5)
    topic = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    sign = 0.4 * np.arange(5)[None, :, None] + rng.normal(0, 1, (n_stories, 5, 1))
    parts = [topic + rng.normal(0, 0.25, topic.shape), sign]
    return np.concatenate([*parts, rng.normal(0, 1, (n_stories, 5, 5))], axis=-1)


def shuffled(stories: np.ndarray, seed: int):
    """X, y and qid: the sentences of each story as items, the first the best."""
    n, size, width = stories.shape
    order = np.random.default_rng(seed).permuted(
        np.tile(np.arange(size), (n, 1)), axis=1
    )
    X = np.take_along_axis(stories, order[:, :, None], axis=1)
    return X.reshape(-1, width), -order.ravel(), np.arange(n * size) // size


def nearest_neighbors(sentences: np.ndarray) -> np.ndarray:
    """Start with the first row, then always the nearest sentence that is left."""
    distance, order = cdist(sentences, sentences), [0]
    while len(order) < len(sentences):
        distance[:, order[-1]] = np.inf
        order.append(int(distance[order[-1]].argmin()))
    return np.array(order)


def shortest_path(sentences: np.ndarray) -> np.ndarray:
    """Visit all sentences with the least change."""
    return solve_path(-cdist(sentences, sentences)).order


def main(
    n_seeds: int = 3, n_stories: int = 3000, names=None, data: str | None = None
) -> dict[str, float]:
    """Print the table; return the mean test τ of each method, and the lead."""
    print(__doc__.split("\n")[0], flush=True)
    rng = np.random.default_rng(0)
    if data is None:
        stories = drawn_stories(n_stories, rng)
    else:
        stories = np.load(data)["X"].astype(float)
        stories = stories[rng.permutation(len(stories))]
    bounds = [len(stories) * 3 // 5, len(stories) * 7 // 10]
    parts = np.split(stories, bounds)
    train, validation, test = (shuffled(part, seed) for seed, part in enumerate(parts))
    held_out = dict(zip(("X_val", "y_val", "qid_val"), validation, strict=True))
    X, y, qid = test
    tau = functools.partial(kendall_tau_score, y, qid=qid, per_query=True)
    lists = X.reshape(-1, stories.shape[1], X.shape[1])
    taus: dict[str, list] = {}
    for place in (nearest_neighbors, shortest_path):
        places = [np.argsort(place(sentences)) for sentences in lists]
        taus[place.__name__] = [tau(-np.concatenate(places))]
    rankers = ITEM_RANKERS | PAIR_RANKERS
    valid = dict.fromkeys(names or rankers, 0.0)
    for seed in range(n_seeds):
        for name in valid:
            print(f"seed {seed + 1} of {n_seeds}: fitting {name}", flush=True)
            ranker = rankers[name](random_state=seed)
            ranker.fit(*train, **({} if name == "linear" else held_out))
            valid[name] += ranker.score(*validation) / n_seeds
            taus.setdefault(name, []).append(tau(ranker.predict(X, qid)))
    print(f"{'':24}  valid    τ     95 % interval")
    for name, values in sorted(taus.items(), key=lambda item: np.mean(item[1])):
        low, high = bootstrap_interval(np.mean(values, axis=0))
        score = f"{valid[name]:.3f}" if name in valid else ""
        print(f"{name:24}  {score:5}  {np.mean(values):.3f}  [{low:.3f}, {high:.3f}]")
    item, pair = (
        max(side.keys() & valid, key=lambda name: valid[name])
        for side in (ITEM_RANKERS, PAIR_RANKERS)
    )
    lead = np.mean(taus[pair], axis=0) - np.mean(taus[item], axis=0)
    low, high = bootstrap_interval(lead)
    print(f"{pair} against {item}: {lead.mean():+.3f}  [{low:+.3f}, {high:+.3f}]")
    means = {name: float(np.mean(values)) for name, values in taus.items()}
    return means | {"lead": float(lead.mean()), "low": low}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--stories", type=int, default=3000, help="to draw")
    parser.add_argument("--data", help="npz file of features of sentences")
    options = parser.parse_args()
    main(options.seeds, options.stories, data=options.data)
