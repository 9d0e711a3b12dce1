"""Put groups of historical events in order by their descriptions.

All rankers get the same features: a kernel ridge regression of the year on the text
(out of fold on the training events) and embeddings (by default 64 components of
TF-IDF). Neural rankers have a choice of two learning rates; the learning rate, the
epoch and the baseline of the comparison are selected on validation events. Prints
Kendall's τ on groups of test events: means over seeds, 95 % intervals by resampling
events and seeds, and paired differences from that baseline.

    python examples/benchmark_events.py
    python examples/benchmark_events.py --data FOLDER --sizes 10 30 50 --every-loss
"""

import argparse
import functools
import re
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_ridge import KernelRidge

from ltr import LambdaMARTRanker, NeuralRanker, RandomRanker, TSPRanker
from ltr.datasets import drop_near_duplicates, load_events, read_events
from ltr.losses.paths import PATH_LOSSES

N_RESAMPLES = 300
VALIDATION = ("X_val", "y_val", "qid_val")
RATES = (3e-4, 1e-3)
OPTIONS = {"metric": "kendall_tau", "preprocess": None, "n_iter_no_change": 3}
OPTIONS |= {"hidden_layer_sizes": (1024, 64), "max_epochs": 12, "weight_decay": 1.0}
neural = functools.partial(NeuralRanker, **OPTIONS)
tsp = functools.partial(TSPRanker, work_limit=0.2, **OPTIONS)  # about .2 s per list
w_only = functools.partial(tsp, encoder="identity", low_rank=32)
BASELINES = {
    "random": RandomRanker("kendall_tau"),
    "MLP": neural("mse"),
    "RankNet": neural("ranknet"),
    "RankNet, attention": neural("ranknet", "attention"),
    "ListNet": neural("listnet"),
    "LambdaMART": LambdaMARTRanker(metric="kendall_tau"),
}
TSP = {
    "TSP successor": tsp("successor"),
    "TSP pairwise": tsp("pairwise"),
    "TSP pairwise, W only": w_only("pairwise"),
    "as published, local": tsp("successor", compat="paper"),
    "as published, global": tsp("hybrid", compat="paper"),
}
EVERY_LOSS = TSP | {f"TSP {loss}": tsp(loss) for loss in PATH_LOSSES}
EVERY_LOSS["TSP crf, Bayes"] = tsp("crf", decoder="bayes")
EVERY_LOSS["TSP pairwise, Borda"] = tsp("pairwise", decoder="borda")
EVERY_LOSS["TSP pairwise, W only, Borda"] = w_only("pairwise", decoder="borda")
EVERY_LOSS["TSP successor, W only"] = w_only("successor")
for loss in ("successor", "crf", "pairwise"):
    EVERY_LOSS[f"TSP {loss}, attention"] = tsp(loss, encoder="attention")


def load(folder: str | None) -> tuple[list[pd.DataFrame], list[np.ndarray] | None]:
    """Training, validation and test events, and their embeddings, if there are any."""
    if folder is None:
        events = load_events().sample(frac=1, random_state=0)
        return [events[:500], events[500:620], events[620:]], None
    names = ("wiki-otd/events", "wotd/wotd.validation", "wotd/wotd.test")
    train, *others = (read_events(f"{folder}/events-{n}.jsonl.gz") for n in names)
    train = drop_near_duplicates(train[train["year"] > 0], pd.concat(others))
    files = ("wiki-otd.events", "wotd.validation", "wotd.test")
    vectors = [np.load(f"{folder}/embeddings-minilm/{f}.npz") for f in files]
    embeddings = [v["embeddings"].astype(np.float32) for v in vectors]
    embeddings[0] = embeddings[0][train.index]
    return [train, *others], embeddings


def features(parts: list[pd.DataFrame], vectors: list[np.ndarray] | None):
    """Features of the rankers; predictions of regressions on validation and test."""
    texts = [[re.sub(r"\d", "0", text) for text in part["text"]] for part in parts]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    S = [words.fit_transform(texts[0]), *map(words.transform, texts[1:])]
    if vectors is None:
        svd = TruncatedSVD(64, random_state=0).fit(S[0])
        vectors = [svd.transform(s) + 1e-9 for s in S]
    E = [v / np.linalg.norm(v, axis=1)[:, None] for v in vectors]
    year = parts[0]["year"].to_numpy()
    target = earliness(year, year)
    on_words = lambda e, s, f, t: (s @ t.T).toarray()
    on_vectors = lambda e, s, f, t: e @ f.T
    on_both = lambda e, s, f, t: np.exp(4 * (e @ f.T - 1)) + 0.3 * on_words(e, s, f, t)

    def regress(kernel, alpha: float, rows: np.ndarray, others) -> list[np.ndarray]:
        e, s = E[0][rows], S[0][rows]
        ridge = KernelRidge(alpha=alpha, kernel="precomputed")
        ridge.fit(kernel(e, s, e, s).astype(np.float32), target[rows])
        return [ridge.predict(kernel(*other, e, s)) for other in others]

    all_rows, held_out = np.arange(len(target)), list(zip(E[1:], S[1:], strict=True))
    regressions = {
        "ridge on TF-IDF": regress(on_words, 1.0, all_rows, held_out),
        "ridge on embeddings": regress(on_vectors, 1.0, all_rows, held_out),
        "kernel ridge on both": regress(on_both, 0.3, all_rows, held_out),
    }
    pair = zip(
        regressions["ridge on TF-IDF"], regressions["ridge on embeddings"], strict=True
    )
    regressions["sum of both ridges"] = [a / a.std() + b / b.std() for a, b in pair]
    stacked = [np.empty(len(target)), *regressions["kernel ridge on both"]]
    for fold in np.array_split(np.random.default_rng(0).permutation(all_rows), 5):
        rows = np.setdiff1d(all_rows, fold)
        stacked[0][fold] = regress(on_both, 0.3, rows, [(E[0][fold], S[0][fold])])[0]
    width = E[0].shape[1] ** 0.5
    return [
        np.c_[5 * r, width * e] for r, e in zip(stacked, E, strict=True)
    ], regressions


def earliness(year: np.ndarray, among: np.ndarray) -> np.ndarray:
    """From 1/2 (before all others) to -1/2 (after all others): label and target."""
    among = np.sort(among)
    low, high = (np.searchsorted(among, year, side=side) for side in ("left", "right"))
    return 0.5 - (low + high) / (2 * len(among))


def groups(n_events: int, size: int, n_times: int) -> np.ndarray:
    """Random groups from ``n_times`` shuffles, shape (n_groups, size)."""
    rng, n = np.random.default_rng(n_times), n_events // size * size
    draws = [rng.permutation(n_events)[:n] for _ in range(n_times)]
    return np.concatenate(draws).reshape(-1, size)


def taus(year: np.ndarray, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Kendall's τ pooled over all pairs: of the events, then of bootstrap resamples."""
    i, j = np.triu_indices(rows.shape[1], 1)
    a, b = rows[:, i].ravel(), rows[:, j].ravel()
    sign = np.sign(year[b] - year[a]) * np.sign(scores[:, i] - scores[:, j]).ravel()
    uniform = np.full(len(year), 1 / len(year))
    counts = np.random.default_rng(0).multinomial(len(year), uniform, N_RESAMPLES)
    weights = (w[a] * w[b] * (year[a] != year[b]) for w in [0 * counts[0] + 1, *counts])
    return np.array([sign @ w / w.sum() for w in weights])


def over_seeds(ranker, n_seeds: int, evaluate: Callable) -> list[list[np.ndarray]]:
    """τ on validation and test for each seed, with the best learning rate for seed 0.

    A ranker without a seed is evaluated once.
    """
    choices = RATES if isinstance(ranker, (NeuralRanker, TSPRanker)) else (None,)
    trials = []
    for rate in choices:
        if rate is not None:
            ranker = clone(ranker).set_params(learning_rate=rate, random_state=0)
        trials.append((evaluate(ranker), ranker))
    taus_of_seed_0, ranker = max(trials, key=lambda trial: trial[0][0][0])
    if choices == (None,):
        return [taus_of_seed_0]
    seeds = range(1, n_seeds)
    return [
        taus_of_seed_0,
        *(evaluate(ranker.set_params(random_state=seed)) for seed in seeds),
    ]


def main(
    data: str | None = None,
    sizes: tuple[int, ...] = (10,),
    n_seeds: int = 5,
    every_loss: bool = False,
) -> dict[str, float]:
    """Print a table for each size of group; return τ by ranker for the first size."""
    warnings.filterwarnings("ignore", "compat='paper' is for comparison")
    parts, vectors = load(data)
    X, regressions = features(parts, vectors)
    years = [part["year"].to_numpy() for part in parts]
    labels = [10 * earliness(year, years[0]) for year in years]
    means = []
    for size in sizes:
        rows = [
            groups(len(y), size, n) for y, n in zip(years, (10, 5, 20), strict=True)
        ]
        evaluate = functools.partial(
            fit_and_evaluate, X=X, labels=labels, years=years, rows=rows
        )
        results = {
            name: [[taus(years[k], rows[k], s[k - 1][rows[k]]) for k in (1, 2)]]
            for name, s in regressions.items()
        }
        tsp_rankers = EVERY_LOSS if every_loss and size == 10 else TSP
        for name, ranker in (BASELINES | tsp_rankers).items():
            results[name] = over_seeds(ranker, n_seeds, evaluate)
            print(
                f"{name}: {np.mean([t[0] for _, t in results[name]]):.3f}", flush=True
            )
        means.append(_print_table(size, regressions, results))
    return means[0]


def fit_and_evaluate(ranker, X, labels, years, rows) -> list[np.ndarray]:
    """Train on groups with early stopping; τ on validation and on test."""
    lists = [
        (x[r.ravel()], y[r.ravel()], np.repeat(np.arange(len(r)), r.shape[1]))
        for x, y, r in zip(X, labels, rows, strict=True)
    ]
    if isinstance(ranker, RandomRanker):
        ranker.fit(*lists[0])
    else:
        ranker.fit(*lists[0], **dict(zip(VALIDATION, lists[1], strict=True)))
    orders = [
        ranker.predict(x, qid).reshape(r.shape)
        for (x, _, qid), r in zip(lists, rows, strict=True)
    ]
    return [taus(years[k], rows[k], orders[k]) for k in (1, 2)]


def _print_table(size: int, regressions: dict, results: dict) -> dict[str, float]:
    """Rows sorted by test τ; the baseline is the one best on validation."""
    valid = {name: np.mean([v[0] for v, _ in runs]) for name, runs in results.items()}
    test = {name: resampled([t for _, t in runs]) for name, runs in results.items()}
    baseline = max([*regressions, *BASELINES], key=valid.__getitem__)
    picked = max((n for n in results if n.startswith("TSP")), key=valid.__getitem__)
    print(f"\ngroups of {size:27} valid    test   95 % interval   minus {baseline}")
    for name in sorted(test, key=lambda name: -test[name][0]):
        low, high = np.quantile(test[name][1:], [0.025, 0.975])
        difference = test[name] - test[baseline]
        d_low, d_high = np.quantile(difference[1:], [0.025, 0.975])
        mark = " picked" if name == picked else ""
        print(
            f"{name:36} {valid[name]:6.3f}  {test[name][0]:6.3f}  "
            f"[{low:.3f}, {high:.3f}]  "
            f"{difference[0]:+.3f} [{d_low:+.3f}, {d_high:+.3f}]{mark}"
        )
    return {name: float(t[0]) for name, t in test.items()}


def resampled(runs: list[np.ndarray]) -> np.ndarray:
    """Mean over seeds, then over a bootstrap sample of seeds for each resample."""
    table, n = np.array(runs), len(runs)
    seeds = np.random.default_rng(1).integers(n, size=(n, N_RESAMPLES))
    means = table[seeds, np.arange(1, N_RESAMPLES + 1)].mean(axis=0)
    return np.r_[table[:, 0].mean(), means]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with the real events and embeddings")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--every-loss", action="store_true", help="all TSPRankers, in groups of 10"
    )
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main(options.data, options.sizes, options.seeds, options.every_loss)
