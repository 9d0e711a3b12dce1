"""Predict the order of a race from what was known before the start.

Races are drawn from drivers whose strength drifts from race to race, or read from a
file that you pass: a CSV file with a row per race, the numbers of the drivers from the
winner to the last. `load_results` computes the form of each driver from earlier races.
The last races are tested, those before them validate, and all rankers get the same
features, with shuffled rows. Prints Kendall's τ, and the lead of the best ranker of
pairs in validation over the best that scores items, paired by race.

    python examples/race_results.py
    python examples/race_results.py --data nascar_orderings.csv

A race depends on strengths, one number per driver, and not on who is next to whom: in
theory, scores of pairs have no lead here. On the 36 races of NASCAR 2002 (12 tested),
TSP is behind RankNet by .078 [.044, .118], which is ahead of the mean place before.
"""

import argparse
import functools

import numpy as np
import pandas as pd

from ltr import LambdaMARTRanker, LinearRanker, NeuralRanker, TSPRanker
from ltr.datasets import RankingData, load_results
from ltr.metrics import bootstrap_interval, kendall_tau_score

METRIC = "kendall_tau"
OPTIONS = {"metric": METRIC, "max_epochs": 60}
ITEM_RANKERS = {
    "linear": lambda random_state: LinearRanker(metric=METRIC),
    "LambdaMART": functools.partial(
        LambdaMARTRanker, metric=METRIC, label_gain="linear", n_jobs=1
    ),
    "RankNet": functools.partial(NeuralRanker, "ranknet", **OPTIONS),
    "RankNet, attention": functools.partial(
        NeuralRanker, "ranknet", "attention", **OPTIONS
    ),
}
PAIR_RANKERS = {
    "TSP": functools.partial(TSPRanker, n_jobs=1, **OPTIONS),
    "TSP, attention": functools.partial(
        TSPRanker, encoder="attention", n_jobs=1, **OPTIONS
    ),
}


def drawn_races(n_races: int, rng: np.random.Generator) -> pd.DataFrame:
    """Twenty of forty drivers in each race; a tenth does not finish."""
    strength = rng.normal(0, 1, 40)
    rows = []
    for race in range(n_races):
        strength = 0.99 * strength + rng.normal(0, 0.14, 40)
        starters = rng.permutation(40)[:20]
        order = np.argsort(-strength[starters] - rng.gumbel(0, 0.7, 20))
        for place, driver in enumerate(starters[order], start=1):
            finished = rng.uniform() < 0.9
            rows.append((race, driver, place if finished else "DNF"))
    return pd.DataFrame(rows, columns=["race", "competitor", "place"])


def read_orders(path: str) -> pd.DataFrame:
    """A row per race: its drivers, the winner first."""
    orders = pd.read_csv(path, header=None).to_numpy()
    return pd.DataFrame(
        {
            "race": np.arange(orders.size) // orders.shape[1],
            "competitor": orders.ravel(),
            "place": np.tile(np.arange(1, orders.shape[1] + 1), len(orders)),
        }
    )


def split(data: RankingData) -> list[RankingData]:
    """Half of the races to train on, a sixth to validate, and the last third."""
    races = np.unique(data.qid)
    bounds = races[[len(races) // 2, len(races) * 2 // 3]]
    part = np.searchsorted(bounds, data.qid, side="right")
    return [data.take(np.flatnonzero(part == k)) for k in range(3)]


def of_validation(ranker, data: RankingData) -> dict:
    """For early stopping; a linear ranker in closed form has none."""
    if isinstance(ranker, LinearRanker):
        return {}
    return {"X_val": data.X, "y_val": data.y, "qid_val": data.qid}


def main(
    n_seeds: int = 3, n_races: int = 300, names=None, data: str | None = None
) -> dict[str, float]:
    """Print the table; return the mean test τ of each method, and the lead."""
    print(__doc__.split("\n")[0], flush=True)
    table = (
        drawn_races(n_races, np.random.default_rng(0))
        if data is None
        else read_orders(data)
    )
    results = load_results(table)
    train, validation, test = split(results)
    print(f"{train.n_queries}, {validation.n_queries}, {test.n_queries} races")
    tau = functools.partial(kendall_tau_score, test.y, qid=test.qid, per_query=True)
    taus = {
        name: [tau(test.X[:, results.feature_names.index(name)])]
        for name in ("elo", "mean_place", "recent_place", "last_place")
    }
    rankers = ITEM_RANKERS | PAIR_RANKERS
    valid = dict.fromkeys(names or rankers, 0.0)
    for name in valid:
        for seed in range(n_seeds):
            ranker = rankers[name](random_state=seed)
            ranker.fit(train.X, train.y, train.qid, **of_validation(ranker, validation))
            score = ranker.score(validation.X, validation.y, validation.qid)
            valid[name] += score / n_seeds
            taus.setdefault(name, []).append(tau(ranker.predict(test.X, test.qid)))
    print(f"{'':20}  valid    τ     95 % interval")
    for name, values in sorted(taus.items(), key=lambda item: np.mean(item[1])):
        low, high = bootstrap_interval(np.mean(values, axis=0))
        score = f"{valid[name]:.3f}" if name in valid else ""
        print(f"{name:20}  {score:5}  {np.mean(values):.3f}  [{low:.3f}, {high:.3f}]")
    item, pair = (
        max(side.keys() & valid, key=lambda name: valid[name])
        for side in (ITEM_RANKERS, PAIR_RANKERS)
    )
    lead = np.mean(taus[pair], axis=0) - np.mean(taus[item], axis=0)
    low, high = bootstrap_interval(lead)
    print(f"{pair} against {item}: {lead.mean():+.3f}  [{low:+.3f}, {high:+.3f}]")
    means = {name: float(np.mean(values)) for name, values in taus.items()}
    return means | {"lead": float(lead.mean()), "low": low, "high": high}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--races", type=int, default=300, help="to draw")
    parser.add_argument("--data", help="CSV file, a row of drivers per race")
    options = parser.parse_args()
    main(options.seeds, options.races, data=options.data)
