"""Put groups of ten historical events in order by their descriptions.

All rankers get the same features: 64 components of TF-IDF, and a ridge regression of
the year on the words, out of fold on the training events. Prints Kendall's τ on groups
of held-out events, means over seeds, with 95 % intervals over groups; plots the pair
scores of one group and its decoded path.

    python examples/event_ordering.py --plot events.png

``examples/benchmark_events.py`` has the results on thousands of real events.
"""

import argparse
import functools
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

from ltr import LambdaMARTRanker, NeuralRanker, RandomRanker, TSPRanker
from ltr.datasets import load_events
from ltr.metrics import bootstrap_interval, kendall_tau_score

SIZE = 10
OPTIONS = {"metric": "kendall_tau", "preprocess": None, "hidden_layer_sizes": (32,)}
OPTIONS |= {"max_epochs": 30, "learning_rate": 3e-3}
RANKERS = {
    "random": lambda random_state: RandomRanker(),
    "LambdaMART": functools.partial(LambdaMARTRanker, metric="kendall_tau"),
    "RankNet": functools.partial(NeuralRanker, "ranknet", **OPTIONS),
    "ListNet": functools.partial(NeuralRanker, "listnet", **OPTIONS),
    "TSP successor, path": functools.partial(TSPRanker, "successor", **OPTIONS),
    "TSP CRF, path": functools.partial(TSPRanker, "crf", **OPTIONS),
    "TSP pairwise, ordering": functools.partial(TSPRanker, "pairwise", **OPTIONS),
}


def features(train: pd.DataFrame, test: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The year by ridge regression, followed by the components of TF-IDF."""
    target = train["year"].rank() / len(train) - 0.5
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    svd = make_pipeline(words, TruncatedSVD(64, random_state=0))
    ridge = make_pipeline(words, Ridge(alpha=1.0))
    out_of_fold = cross_val_predict(ridge, train["text"], target, cv=10)
    regressed = ridge.fit(train["text"], target).predict(test["text"])
    Z, Z_test = svd.fit_transform(train["text"]), svd.transform(test["text"])
    scale = 1 / Z.std(), 1 / out_of_fold.std()
    return (
        np.c_[-scale[1] * out_of_fold, scale[0] * Z],
        np.c_[-scale[1] * regressed, scale[0] * Z_test],
    )


def groups(X: np.ndarray, year: np.ndarray, n_times: int, seed: int):
    """X, y and qid of random groups from ``n_times`` shuffles; earlier is better."""
    rng, n = np.random.default_rng(seed), len(year) // SIZE * SIZE
    rows = np.concatenate([rng.permutation(len(year))[:n] for _ in range(n_times)])
    return X[rows], -year[rows], np.arange(len(rows)) // SIZE, rows


def main(
    n_seeds: int = 5, n_events: int | None = None, plot: str | None = None
) -> dict[str, float]:
    """Print the table, plot a group; return the mean τ of each ranker."""
    taus: dict[str, list[np.ndarray]] = {}
    for seed in range(n_seeds):
        events = load_events().sample(n_events or 756, random_state=seed)
        n_train = int(0.7 * len(events))
        train, test = events[:n_train], events[n_train:]
        Z, Z_test = features(train, test)
        X, y, qid, _ = groups(Z, train["year"].to_numpy(), 5, seed)
        X_test, y_test, qid_test, rows = groups(
            Z_test, test["year"].to_numpy(), 1, seed
        )
        tau = functools.partial(kendall_tau_score, y_test, qid=qid_test, per_query=True)
        taus.setdefault("ridge regression of the year", []).append(tau(X_test[:, 0]))
        for name, make in RANKERS.items():
            print(f"seed {seed + 1} of {n_seeds}: fitting {name}", flush=True)
            ranker = make(random_state=seed).fit(X, y, qid)
            taus.setdefault(name, []).append(tau(ranker.predict(X_test, qid_test)))
    means = {name: float(np.mean(values)) for name, values in taus.items()}
    print(f"{'':30}    τ    95 % interval")
    for name in sorted(means, key=lambda name: -means[name]):
        low, high = bootstrap_interval(np.concatenate(taus[name]))
        print(f"{name:30} {means[name]:.3f}  [{low:.3f}, {high:.3f}]")
    if plot is not None:
        ranker = RANKERS["TSP successor, path"](random_state=0).fit(X, y, qid)
        draw(ranker, X_test[:SIZE], test.iloc[rows[:SIZE]], Path(plot))
    return means


def draw(ranker: TSPRanker, X: np.ndarray, events: pd.DataFrame, path: Path) -> None:
    """Plot pair scores in the decoded order, and the path with mistakes in red."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    qid = np.zeros(len(X))
    solution = ranker.decode(X, qid)[0]
    order = solution.order
    matrix = ranker.pairwise_matrix(X, qid)[0].matrix[np.ix_(order, order)]
    np.fill_diagonal(matrix, np.nan)
    years = events["year"].to_numpy()[order]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(13, 5.5), width_ratios=(1, 1.25), layout="constrained"
    )
    image = left.imshow(matrix, cmap="viridis")
    figure.colorbar(image, ax=left, label="gain of column directly after row")
    left.plot(np.arange(1, len(order)), np.arange(len(order) - 1), "r.", markersize=9)
    left.set_xticks(range(len(order)), years, rotation=90)
    left.set_yticks(range(len(order)), years)
    left.set_title("pair scores; dots: the path")
    for position, (year, text) in enumerate(
        zip(years, events["text"].iloc[order], strict=True)
    ):
        is_wrong = position > 0 and year < years[position - 1]
        line = textwrap.shorten(f"{year}  {text}", 88, placeholder=" …")
        color = "crimson" if is_wrong else "black"
        right.text(0, -position, line, color=color, va="center")
    right.set(xlim=(0, 1), ylim=(-len(order) + 0.5, 0.5))
    right.axis("off")
    state = "proven optimal" if solution.is_optimal else f"gap {solution.gap:.1%}"
    right.set_title(f"decoded order ({state}); red: earlier than its predecessor")
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"wrote {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--plot", help="file for the plot")
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main(options.seeds, plot=options.plot)
