"""Rank stocks by the return of the next day, walking forward through time.

An embargo separates the days of training, validation and test. Prints Kendall's τ, the
information coefficient (Spearman) and the reciprocal rank of the best stock; the excess
return of the top five stocks of each list over all stocks, and its Sharpe ratio after
costs: means over seeds, 95 % intervals by a block bootstrap over days. The market is
simulated; ``examples/benchmark_stocks.py`` uses real ones.

    python examples/stock_ranking.py [--plot FILE]
"""

import argparse
import importlib.util
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import Ridge

from ltr import LambdaMARTRanker, NeuralRanker, TSPRanker
from ltr.datasets import StockData, make_stocks
from ltr.metrics import kendall_tau_score, reciprocal_rank_score, spearman_score
from ltr.model_selection import QueryStandardScaler, WalkForwardSplit

TOP, COST, BLOCK, YEAR = 5, 5.0, 10, 252  # stocks, bp of turnover, days, days
NEURAL = {"metric": "kendall_tau", "n_iter_no_change": 4, "hidden_layer_sizes": (32,)}
TREES = {"metric": "kendall_tau", "num_leaves": 8, "colsample_bytree": 0.7, "n_jobs": 1}
RANKERS = {  # each is fitted to the ranks of the returns, with its own random_state
    "RankNet": NeuralRanker("ranknet", **NEURAL),
    "LambdaMART": LambdaMARTRanker(**TREES),
    "TSP pairwise": TSPRanker("pairwise", **NEURAL),
    "TSP successor": TSPRanker("successor", **NEURAL),
}
RULES = {"momentum": ("return_20", 1), "reversal": ("return_1", -1)}
METRICS = {"tau": 4, "IC": 4, "MRR": 3, "top 5, bp": 1, "Sharpe": 2}  # decimals


def score(name: str, data: StockData, y: np.ndarray, parts: tuple, seed: int):
    """Scores of the test part by a ranker fitted to the other two parts."""
    (train, valid, test), X, qid = parts, data.X, data.qid
    if name == "random":
        return np.random.default_rng(seed).random(len(test))
    if name in RULES:
        feature, sign = RULES[name]
        return sign * X[test, data.feature_names.index(feature)]
    if name == "ridge":
        fits = [Ridge(alpha).fit(X[train], y[train]) for alpha in (1e1, 1e3, 1e5)]
        tau = lambda scores: kendall_tau_score(y[valid], scores, qid=qid[valid])
        return max(fits, key=lambda fit: tau(fit.predict(X[valid]))).predict(X[test])
    ranker = clone(RANKERS[name]).set_params(random_state=seed)
    validation = {"X_val": X[valid], "y_val": y[valid], "qid_val": qid[valid]}
    ranker.fit(X[train], y[train], qid[train], **validation)
    return ranker.predict(X[test], qid[test])


def evaluate_days(data: StockData, scores: np.ndarray) -> np.ndarray:
    """METRICS of each day, shape (5, n_days): means over the lists of the day."""
    day = np.unique(data.dates, return_inverse=True)[1]
    lists = pd.DataFrame({"day": day, "y": data.y, "score": scores}).groupby(data.qid)
    day_of_list = lists["day"].first().to_numpy()
    of_lists = {"y_score": scores, "qid": data.qid, "per_query": True}
    ranking = (
        kendall_tau_score(data.y, **of_lists),
        spearman_score(data.y, **of_lists),
        reciprocal_rank_score(data.y == lists["y"].transform("max"), **of_lists),
    )
    in_top = (lists["score"].rank(ascending=False, method="first") <= TOP).to_numpy()
    size = lists["y"].transform("size").to_numpy()
    share = 1.0 / np.bincount(day_of_list)[day]  # of a list among those of its day
    weight, all_weights = share * in_top / np.minimum(size, TOP), share / size
    portfolio = np.zeros((day.max() + 1, len(set(data.tickers))))
    portfolio[day, pd.factorize(data.tickers)[0]] = weight
    turnover = np.abs(np.diff(portfolio, axis=0, prepend=0.0)).sum(axis=1)
    excess = 1e4 * np.bincount(day, (weight - all_weights) * data.y)
    daily = [pd.Series(values).groupby(day_of_list).mean() for values in ranking]
    return np.stack([*daily, excess, excess - COST * turnover])


def summarize(runs: dict[str, np.ndarray], best: str) -> dict[str, dict[str, tuple]]:
    """Means over seeds, and minus the best; circular blocks (Politis & Romano 1992)."""
    n_days = runs[best].shape[-1]
    starts = np.random.default_rng(0).integers(n_days, size=(1000, -(-n_days // BLOCK)))
    drawn = ((starts[:, :, None] + np.arange(BLOCK)) % n_days).reshape(1000, -1)
    days = np.vstack([np.arange(n_days), drawn[:, :n_days]])  # row 0: the sample
    average = lambda v: v.mean(axis=-1).mean(axis=0)
    sharpe = lambda v: (np.sqrt(YEAR) * v.mean(axis=-1) / v.std(axis=-1)).mean(axis=0)
    table = {name: {} for name in runs}
    for k, metric in enumerate(METRICS):
        statistic = sharpe if metric == "Sharpe" else average
        samples = {name: statistic(v[:, k, days]) for name, v in runs.items()}
        for name, v in samples.items():
            for column, s in ((metric, v), (f"{metric} - {best}", v - samples[best])):
                table[name][column] = (s[0], *np.quantile(s[1:], [0.025, 0.975]))
    return table


def print_table(table: dict[str, dict[str, tuple]], columns: list[str]) -> None:
    """A row for each ranker."""
    print(f"{'':15}", *(f"{column:>25}" for column in columns))
    show = "{:.{d}f} [{:.{d}f}, {:.{d}f}]".format
    for name, row in table.items():
        cells = (show(*row[c], d=METRICS[c.split(" - ")[0]]) for c in columns)
        print(f"{name:15}", *(f"{cell:>25}" for cell in cells))


def plot(runs: dict[str, np.ndarray], days: np.ndarray, path: str) -> None:
    """Plot cumulative excess returns after costs; bands are ranges over seeds."""
    import matplotlib.pyplot as plt

    figure, panel = plt.subplots(figsize=(8, 5), layout="constrained")
    for name, values in runs.items():
        total = values[:, -1].cumsum(axis=1) / 100
        panel.plot(days, total.mean(axis=0), label=name)
        panel.fill_between(days, total.min(axis=0), total.max(axis=0), alpha=0.2)
    panel.set_ylabel(f"excess return of the top {TOP} after costs: sum of daily %")
    figure.legend(loc="outside upper center", ncols=4)
    figure.savefig(path, dpi=150)


def main(data: StockData | None = None, n_seeds: int = 5, picture: str | None = None):
    """Print the table; return ranker → metric → (value, low, high)."""
    data = data or make_stocks(96, n_days=600, signal=0.1, random_state=0)
    y = pd.Series(data.y).groupby(data.qid).rank(pct=True).to_numpy()
    data = replace(data, X=QueryStandardScaler().fit_transform(data.X, qid=data.qid))
    tenth, embargo = len(np.unique(data.dates)) // 10, data.embargo
    days = {"test_days": 2 * tenth, "validation_days": tenth, "embargo": embargo}
    splits = [*WalkForwardSplit(2, **days).split_three(data.X, dates=data.dates)]
    tested, runs = data.take(np.concatenate([test for *_, test in splits])), {}
    for name in ("random", *RULES, "ridge", *RANKERS):
        print(f"fitting {name}", flush=True)
        seeds = range(n_seeds if name in ("random", *RANKERS) else 1)
        scores = [[score(name, data, y, parts, s) for parts in splits] for s in seeds]
        runs[name] = np.stack([evaluate_days(tested, np.hstack(s)) for s in scores])
    print(f"test: {tested}")
    print_table(table := summarize(runs, "ridge"), [*METRICS, "tau - ridge"])
    if data.true_scores is not None:
        tau = kendall_tau_score(tested.y, tested.true_scores, qid=tested.qid)
        print(f"best possible {tau:26.4f}")
    if picture:
        plot(runs, np.unique(tested.dates), picture)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    path = "stock_ranking.png" if importlib.util.find_spec("matplotlib") else ""
    parser.add_argument("--plot", default=path, help="file; needs matplotlib")
    main(picture=parser.parse_args().plot)
