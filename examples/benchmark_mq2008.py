"""MQ2008 in LETOR's protocol, and in that of the TSPRank paper.

"letor": five folds, all documents. L@k and MAP follow LETOR's evaluator (its discount;
0 for a query without relevant documents or, for L@k, with fewer than k documents; ties
by row), next to the official tables. NDCG@10 and linear@10 (with linear gain) average
over ties and skip queries without relevant documents.

"oracle": only the 10 or 30 documents of a query *with the highest labels* are ranked,
in training, validation and test, as the authors of TSPRank do; in practice no such
list exists without the labels. Their NDCG, "ordinal", uses ranks of labels as gains,
where ties (most labels) are broken by row number: "row number" is the value of that
order alone. Their scores depend on the order of the rows; "shuffled" is the same
model with the rows of the test part shuffled.

Settings and the baseline of the comparison are selected on validation folds (NDCG@10,
first seed). Means over seeds; 95 % intervals resample queries. FOLDER has S1.txt to
S5.txt (or .gz), or is a path for ``fetch_letor_mq2008``; by default data are generated.

    python examples/benchmark_mq2008.py [--data FOLDER --protocol oracle --size 10]
"""

import argparse
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import Ridge

from ltr import LambdaMARTRanker, NeuralRanker, SingleFeatureRanker, TSPRanker
from ltr.datasets import RankingData, fetch_letor_mq2008, load_letor, make_ranking
from ltr.metrics import average_precision_score, bootstrap_interval, ndcg_score

TREES = {"min_child_samples": 50, "colsample_bytree": 0.7, "n_jobs": 1}
LINEAR = {"max_epochs": 40, "early_stopping": False}
LINEAR |= {"learning_rate": 0.001, "weight_decay": 1.0}
MLPS = [LINEAR | {"hidden_layer_sizes": (64,), "max_epochs": n} for n in (10, 40)]


def neural(loss: str) -> list[NeuralRanker]:
    """Settings of a ranker with one score per document."""
    mlps = [NeuralRanker(loss, "mlp", **options) for options in MLPS]
    return [NeuralRanker(loss, "linear", **LINEAR), *mlps]


def tsp(loss: str, compat: str | None = None) -> list[TSPRanker]:
    """Settings of a ranker with pair scores; limited to about 0.2 s per list."""
    options = {"compat": compat, "work_limit": 0.2}
    linear = TSPRanker(loss, encoder="identity", **LINEAR, **options)
    return [linear, *(TSPRanker(loss, **mlp, **options) for mlp in MLPS)]


RANKERS = {
    "best feature": [SingleFeatureRanker()],
    "ridge": [Ridge(alpha) for alpha in (1.0, 10.0, 100.0)],
    "LambdaMART": [
        LambdaMARTRanker(num_leaves=m, n_estimators=n, learning_rate=0.05, **TREES)
        for m, n in ((4, 50), (4, 200), (15, 50))
    ],
    "RankNet": neural("ranknet"),
    "ListNet": neural("listnet"),
    "LambdaRank": neural("lambdarank"),
    "TSP pairwise": tsp("pairwise"),
    "TSP successor": tsp("successor"),
    "TSP crf": tsp("crf")[:2],
}
PUBLISHED = {
    "TSP published, local": tsp("successor", compat="paper"),
    "TSP published, global": tsp("hybrid", compat="paper")[1:2],
}
PIECE = 10  # documents; "crf" trains on pieces of longer lists
LETOR = {"discount": "letor", "empty": 0, "ties": "first"}
METRICS = {
    **{f"L@{k}": partial(ndcg_score, k=k, **LETOR) for k in (1, 5, 10)},
    "MAP": partial(average_precision_score, empty=0, ties="first"),
    "ordinal@10": partial(ndcg_score, k=10, gain="linear"),
    "linear@10": partial(ndcg_score, k=10, gain="linear"),
    "NDCG@10": partial(ndcg_score, k=10),
}
OFFICIAL = {  # LETOR 4.0, averages of the test folds: L@1, L@5, L@10, MAP
    "RankSVM-Struct": (0.3627, 0.4695, 0.2279, 0.4696),
    "RankBoost": (0.3856, 0.4666, 0.2255, 0.4775),
    "AdaRank-MAP": (0.3754, 0.4794, 0.2288, 0.4764),
    "AdaRank-NDCG": (0.3826, 0.4821, 0.2307, 0.4824),
}


def load(folder: str) -> list[RankingData]:
    """The parts S1 to S5."""
    files = sorted(Path(folder).glob("S[1-5].txt*"))
    if len(files) == 5:
        return [load_letor(file, n_features=46) for file in files]
    return [fetch_letor_mq2008(fold, path=folder).test for fold in (2, 3, 4, 5, 1)]


def join(parts: list[RankingData]) -> RankingData:
    """All rows of the parts."""
    columns = ([getattr(p, name) for p in parts] for name in ("X", "y", "qid"))
    return RankingData(*map(np.concatenate, columns))


def ascending_ranks(values: np.ndarray, qid: np.ndarray) -> np.ndarray:
    """Ascending ranks within the query, from 1; ties in row order."""
    return pd.Series(values).groupby(qid).rank(method="first").to_numpy(int)


def oracle(part: RankingData, size: int) -> RankingData:
    """The ``size`` rows with the highest labels, of queries with at least ``size``."""
    length = pd.Series(part.y).groupby(part.qid).transform("size").to_numpy()
    return part.take(
        (length >= size) & (ascending_ranks(part.y, part.qid) > length - size)
    )


def fit(setting, seed: int, train: RankingData):
    """Fit a ranker; return the function from data to its scores."""
    model, qid = clone(setting), pd.factorize(train.qid)[0]
    if isinstance(model, Ridge):
        model.fit(train.X, train.y)
        return lambda data: model.predict(data.X)
    if "random_state" in model.get_params():
        model.set_params(random_state=seed)
    if getattr(model, "loss", None) == "crf":
        shuffled = np.random.default_rng(seed).random(len(qid))
        qid = qid + (qid.max() + 1) * ((ascending_ranks(shuffled, qid) - 1) // PIECE)
    model.fit(train.X, train.y, qid)
    return lambda data: model.predict(data.X, data.qid)


def cross_fit(settings: list, parts: list[RankingData], n_seeds: int) -> tuple:
    """NDCG@10 on validation; scores by seed, with rows in order and shuffled."""
    scores = [np.empty((2, n_seeds, len(part.y))) for part in parts]
    in_validation = np.empty(5)
    for fold in range(5):
        *train_parts, valid, test = (parts[(fold + k) % 5] for k in range(5))
        train = join(train_parts)
        fits = [fit(setting, 0, train) for setting in settings]
        values = [ndcg_score(valid.y, f(valid), qid=valid.qid, k=10) for f in fits]
        best, in_validation[fold] = int(np.argmax(values)), max(values)
        order = np.random.default_rng(fold).permutation(len(test.y))
        in_order, shuffled = scores[(fold + 4) % 5]
        for seed in range(n_seeds):
            predict = fit(settings[best], seed, train) if seed else fits[best]
            in_order[seed] = predict(test)
            if getattr(settings[0], "compat", None):
                shuffled[seed, order] = predict(test.take(order))
    return in_validation.mean(), *np.concatenate(scores, axis=-1)


def evaluate(data: RankingData, scores: np.ndarray, columns: list[str]) -> dict:
    """Metric → value of each query: means over seeds, the rows of ``scores``."""
    y = {"ordinal@10": ascending_ranks(data.y, data.qid)}
    lists = {"qid": data.qid, "per_query": True}
    values = lambda name, s: METRICS[name](y.get(name, data.y), s, **lists)
    return {name: np.mean([values(name, s) for s in scores], 0) for name in columns}


def main(data: str | None = None, protocol="letor", size: int = 10, n_seeds: int = 5):
    """Print the table; return ranker → metric → mean."""
    warnings.filterwarnings("ignore", "compat='paper' is for comparison")
    drawn = make_ranking(300, list_size=(5, 25), n_grades=3, random_state=0)
    parts = load(data) if data else [drawn.take(drawn.qid % 5 == k) for k in range(5)]
    rankers, columns = RANKERS, [m for m in METRICS if m != "ordinal@10"]
    if protocol == "oracle":
        parts, columns = [oracle(part, size) for part in parts], [*METRICS][-3:]
        rankers = RANKERS | PUBLISHED
    all_parts = join(parts)
    print(f"{protocol}, {'MQ2008' if data else 'generated data'}: {all_parts}")
    noise = np.random.default_rng(0).random((n_seeds, len(all_parts.y)))
    results, valid = {"random": evaluate(all_parts, noise, columns)}, {}
    if protocol == "oracle":
        results["row number"] = evaluate(
            all_parts, np.arange(len(all_parts.y))[None], columns
        )
    for name, settings in rankers.items():
        valid[name], scores, shuffled = cross_fit(settings, parts, n_seeds)
        results[name] = evaluate(all_parts, scores, columns)
        if name in PUBLISHED:
            results[f"{name}, shuffled"] = evaluate(all_parts, shuffled, columns)
        print(f"{name}: {valid[name]:.4f} on validation", flush=True)
    best = max((n for n in valid if not n.startswith("TSP")), key=valid.__getitem__)
    compared_metrics = "ordinal@10" if protocol == "oracle" else "MAP", "NDCG@10"
    print(f"\n{'':31}  valid", *(f"{name:>10}" for name in columns), end="")
    print("".join(f"{f'{name} minus {best}':>29}" for name in compared_metrics))
    for name in sorted(results, key=lambda name: -np.nanmean(results[name]["NDCG@10"])):
        cells = [f"{np.nanmean(results[name][metric]):10.4f}" for metric in columns]
        for metric in compared_metrics:
            difference = results[name][metric] - results[best][metric]
            low, high = bootstrap_interval(difference)
            cells.append(f"  {np.nanmean(difference):+.4f} [{low:+.4f}, {high:+.4f}]")
        print(f"{name:31} {valid.get(name, np.nan):6.4f}", *cells)
    for name, values in OFFICIAL.items() if data and protocol == "letor" else ():
        print(f"{name:38}", *(f"{value:10.4f}" for value in values))
    return {
        name: {m: np.nanmean(v) for m, v in r.items()} for name, r in results.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of MQ2008")
    parser.add_argument("--protocol", default="letor", help="letor or oracle")
    parser.add_argument(
        "--size", type=int, default=10, help="list size of oracle: 10 or 30"
    )
    parser.add_argument("--n-seeds", type=int, default=5)
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main(**vars(options))
