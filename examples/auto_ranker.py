"""The best ranking by just fitting: rankers of different kinds, and their mean.

`AutoRanker` needs no settings, scaling or validation set. It fits a linear model on
z-scores within the list, regression trees, LambdaMART, and a network where held-out
queries say that it helps, and averages their scores list by list. Here it ranks the
test queries of generated data next to its members, with 95 % bootstrap intervals over
queries; differences are paired.

    python examples/auto_ranker.py [--queries 300 --figure auto_ranker.png]
"""

import argparse

import numpy as np

from ltr import AutoRanker
from ltr.datasets import make_ranking
from ltr.metrics import bootstrap_interval, get_metric


def main(n_queries=300, figure=None, **settings):
    """Fit, print the leaderboard and the test queries; return NDCG@10 by query."""
    print(f"fitting on {round(0.6 * n_queries)} queries", flush=True)
    data = make_ranking(n_queries, noise=1.0, random_state=0)
    train, test = data.train_test_split(test_size=0.4, random_state=0)
    auto = AutoRanker(random_state=0, n_jobs=1, **settings)
    auto.fit(train.X, train.y, train.qid)
    print(auto.leaderboard_.round(3).to_string(), "\n\ntest queries:")
    members = auto.predict_members(test.X, test.qid).T
    scores = dict(zip(auto.named_rankers_, members, strict=True))
    scores["blend"] = auto.predict(test.X, test.qid)
    metric = get_metric("ndcg@10")
    values = {n: metric.per_query(test.y, s, test.qid) for n, s in scores.items()}
    for name, column in values.items():
        lead = interval(values["blend"] - column, "+")
        print(f"{name:10} {interval(column)}, blend minus it {lead}")
    if figure is not None:
        draw(values, figure)
    return values


def interval(values, sign=""):
    """Mean with its 95 % interval."""
    low, high = bootstrap_interval(values)
    return f"{np.nanmean(values):{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def draw(values, figure):
    """Members and blend with their intervals, and the lead of the blend."""
    from matplotlib import pyplot

    fig, axes = pyplot.subplots(figsize=(6.4, 0.5 * len(values) + 1))
    order = sorted(values, key=lambda name: np.nanmean(values[name]))
    for place, name in enumerate(order):
        color = "tab:blue" if name == "blend" else "gray"
        axes.plot(bootstrap_interval(values[name]), [place] * 2, color=color, lw=3)
        axes.plot(np.nanmean(values[name]), place, "o", color=color, ms=8)
        lead = interval(values["blend"] - values[name], "+")
        text = "blend minus member" if name == "blend" else lead
        axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center")
    axes.set_yticks(range(len(order)), order)
    axes.set_xlabel("NDCG@10 on test queries, with 95 % intervals")
    fig.savefig(figure, dpi=150, bbox_inches="tight")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--figure", help="file for a picture (needs matplotlib)")
    options = parser.parse_args()
    main(options.queries, options.figure)
