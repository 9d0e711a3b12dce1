"""Rank real stocks by the return of the next day, against strong simple baselines.

Protocols: "walk-forward" has two test periods, with an embargo between training,
validation and test days; "paper" fits a model per industry on a single split without
embargo, as the authors of TSPRank do (on embeddings that are not public; here the
features are those of ``load_stocks``). The setting of each ranker and the baseline of
the comparison are those with the best τ on validation. FOLDER has NASDAQ.ohlcv.npz and
NASDAQ_industry_ticker.json. All its stocks survived to the end, which inflates returns
but not ranks.

    python examples/benchmark_stocks.py
    python examples/benchmark_stocks.py --data FOLDER --market NYSE --protocol paper
"""

import argparse
import time
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import Ridge
from stock_ranking import METRICS, RULES, TREES, evaluate_days, print_table, summarize

from ltr import LambdaMARTRanker, NeuralRanker, TSPRanker
from ltr.datasets import StockData, load_stocks, make_stocks
from ltr.metrics import kendall_tau_score
from ltr.model_selection import QueryStandardScaler, WalkForwardSplit

LINEAR = {"max_epochs": 8, "early_stopping": False, "batch_size": 64}
LINEAR |= {"learning_rate": 0.001, "weight_decay": 1.0}
MLP = LINEAR | {"max_epochs": 4, "hidden_layer_sizes": (32,)}
RANKERS = {  # settings to select from; each is fitted to the ranks of the returns
    "ridge": [Ridge(alpha) for alpha in (1e1, 1e3, 1e5)],
    "LambdaMART": [LambdaMARTRanker(n_estimators=n, **TREES) for n in (10, 30, 100)],
    "RankNet": [
        NeuralRanker("ranknet", "linear", **LINEAR),
        NeuralRanker("ranknet", "mlp", **MLP),
    ],
    "ListNet": [
        NeuralRanker("listnet", "linear", **LINEAR),
        NeuralRanker("listnet", "mlp", **MLP),
    ],
    "TSP pairwise": [
        TSPRanker("pairwise", encoder="identity", **LINEAR),
        TSPRanker("pairwise", encoder="mlp", **MLP),
    ],
    "TSP gaps": [
        TSPRanker("gap_weighted", encoder="identity", **LINEAR),
        TSPRanker("gap_weighted", encoder="mlp", **MLP),
    ],
    "TSP successor": [
        TSPRanker("successor", encoder="identity", **LINEAR),
        TSPRanker("successor", encoder="mlp", **MLP),
    ],
    "TSP published": [
        TSPRanker("gap_weighted", encoder="identity", compat="paper", **LINEAR),
        TSPRanker("gap_weighted", encoder="mlp", compat="paper", **MLP),
    ],
}
PAPER_DAYS = 1244, 252, 237  # all, validation, test


def split(data: StockData, protocol: str) -> list[tuple]:
    """Rows of training, validation and test parts; "paper" splits by industry."""
    n_days = len(np.unique(data.dates))
    if protocol == "walk-forward":
        days = {"test_days": n_days // 5, "validation_days": n_days // 10}
        splitter = WalkForwardSplit(2, embargo=data.embargo, **days)
        return [*splitter.split_three(data.X, dates=data.dates)]
    n_all, validation, test = PAPER_DAYS
    days = {"validation_days": validation * n_days // n_all}
    splitter = WalkForwardSplit(1, test_days=test * n_days // n_all, **days)
    (parts,) = splitter.split_three(data.X, dates=data.dates)
    names, code = np.unique(data.industries, return_inverse=True)
    return [tuple(part[code[part] == i] for part in parts) for i in range(len(names))]


def fit_and_score(settings: list, data: StockData, y, parts: tuple, n_seeds: int):
    """Validation scores of the best setting, and its test scores for each seed.

    Settings are selected with the first seed.
    """
    train, valid, test = parts

    def fit(setting, seed: int):
        model = clone(setting)
        if isinstance(model, Ridge):
            model.fit(data.X[train], y[train])
            return lambda rows: model.predict(data.X[rows])
        model.set_params(random_state=seed).fit(
            data.X[train], y[train], data.qid[train]
        )
        return lambda rows: model.predict(data.X[rows], data.qid[rows])

    fits = [fit(setting, 0) for setting in settings]
    scores = [predict(valid) for predict in fits]
    best = int(np.argmax([tau(data, valid, s) for s in scores]))
    seeds = range(1, 1 if isinstance(settings[best], Ridge) else n_seeds)
    fits = [fits[best], *(fit(settings[best], seed) for seed in seeds)]
    return scores[best], np.stack([predict(test) for predict in fits])


def tau(data: StockData, rows: np.ndarray, scores: np.ndarray) -> float:
    """Mean Kendall's τ of these rows."""
    return kendall_tau_score(data.y[rows], scores, qid=data.qid[rows])


def main(
    data: StockData | None = None, protocol: str = "walk-forward", n_seeds: int = 5
) -> dict[str, dict[str, tuple]]:
    """Print the tables; return ranker → metric → (value, low, high)."""
    warnings.filterwarnings("ignore", "compat='paper' is for comparison")
    data = data or make_stocks(60, n_days=400, n_industries=6, random_state=0)
    y = pd.Series(data.y).groupby(data.qid).rank(pct=True).to_numpy()
    data = replace(data, X=QueryStandardScaler().fit_transform(data.X, qid=data.qid))
    splits = split(data, protocol)
    valid, test = (np.concatenate([s[k] for s in splits]) for k in (1, 2))
    test = np.sort(test)
    tested, runs, in_validation = data.take(test), {}, {}
    print(f"{protocol}, {len(splits)} models per ranker and seed; test: {tested}")
    for name in ("random", *RULES, *RANKERS):
        begin = time.perf_counter()
        scores = np.random.default_rng(0).random((n_seeds, len(y)))
        valid_scores = scores[0].copy()
        if name in RULES:
            feature, sign = RULES[name]
            valid_scores = sign * data.X[:, data.feature_names.index(feature)]
            scores = valid_scores[None]
        for parts in splits if name in RANKERS else ():
            valid_scores[parts[1]], test_scores = fit_and_score(
                RANKERS[name], data, y, parts, n_seeds
            )
            scores = scores[: len(test_scores)]
            scores[:, parts[2]] = test_scores
        in_validation[name] = tau(data, valid, valid_scores[valid])
        runs[name] = np.stack([evaluate_days(tested, s[test]) for s in scores])
        print(
            f"{name:15} τ on validation {in_validation[name]:.4f}, on test "
            f"{runs[name][:, 0].mean():.4f}, {time.perf_counter() - begin:.0f} s",
            flush=True,
        )
    baselines = [name for name in runs if not name.startswith("TSP")]
    best = max(baselines, key=in_validation.__getitem__)
    table = summarize(runs, best)
    print_table(table, [*METRICS])
    print_table(table, [f"{metric} - {best}" for metric in METRICS])
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of prices and industries")
    parser.add_argument("--market", default="NASDAQ", help="NASDAQ or NYSE")
    parser.add_argument("--protocol", default="walk-forward", help="or: paper")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    files = [f"{options.market}{e}" for e in (".ohlcv.npz", "_industry_ticker.json")]
    stocks = (
        load_stocks(*(f"{options.data}/{f}" for f in files)) if options.data else None
    )
    main(stocks, options.protocol, options.seeds)
