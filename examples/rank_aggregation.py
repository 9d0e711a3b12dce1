"""One order from many votes: the exact Kemeny consensus, and simpler rules.

Voters rank the items at random around a known order (Plackett-Luce model). Prints, for
each rule, the number of pairs on which its order disagrees with the votes, the least
number for any order, and Kendall's tau to the known order. With matplotlib, also draws
the pairwise majorities in the Kemeny order.

    python examples/rank_aggregation.py
    python examples/rank_aggregation.py --data FOLDER --picture votes.png

With ``--data``, the same for the sushi, skating and web search votes of PrefLib in
``FOLDER/preflib/small``, and the likelihood of the 2002 NASCAR races
(``FOLDER/pl-nascar2002``) under the Plackett-Luce model, a ranker without features.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp

from ltr import NeuralRanker, solvers
from ltr.datasets import load_preflib
from ltr.metrics import kendall_tau_score

FILES = {"sushi": "00014-00000001.soc", "skating": "00006-00000001.toc"}
FILES["web search"] = "00015-00000004.soc"


def draw_votes(n_items: int, n_votes: int, seed: int, spread: float) -> np.ndarray:
    """Votes from the Plackett-Luce model; item 0 is the best, then 1, and so on."""
    worth = np.linspace(spread, 0.0, n_items)
    noise = np.random.default_rng(seed).gumbel(size=(n_votes, n_items))
    return np.argsort(-(worth + noise), axis=1)


def one_vote(rankings: Any, n_items: int, seed: int) -> np.ndarray:
    """A random voter's ranking, with ties broken and absent items added at random."""
    rng = np.random.default_rng(seed)
    vote = rankings[rng.integers(len(rankings))]
    groups = [rng.permutation(np.atleast_1d(group)) for group in vote]
    ranked = np.concatenate(groups)
    absent = rng.permutation(np.setdiff1d(np.arange(n_items), ranked))
    return np.append(ranked, absent).astype(int)


def compare(rankings: Any, counts: Any = None, n_items: Any = None, truth: Any = None):
    """Order the items by every rule; one row each."""
    votes = {"rankings": rankings, "weights": counts, "n_items": n_items}
    matrix, consensus = solvers.pairwise_counts(**votes), solvers.kemeny(**votes)
    scores = {"Borda": solvers.borda(matrix), "Copeland": solvers.copeland(matrix)}
    scores["Bradley-Terry"] = solvers.bradley_terry(matrix, ridge=0.01)
    orders = {name: np.argsort(-s, kind="stable") for name, s in scores.items()}
    orders = {"Kemeny": consensus.order, **orders}
    orders["footrule"] = solvers.footrule(**votes).order
    orders["one voter"] = one_vote(rankings, len(matrix), seed=0)
    rows = []
    for name, order in orders.items():
        row = {"rule": name, "order": order}
        row["distance"] = solvers.kemeny_distance(order, matrix)
        row["bound"] = matrix.sum() - consensus.bound
        row["status"] = consensus.status.value if name == "Kemeny" else ""
        if truth is not None:
            row["tau"] = kendall_tau_score(-np.argsort(truth), -np.argsort(order))
        rows.append(row)
    return rows


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    print(f"\n{title}\n{'rule':14} {'distance':>9} {'at least':>9}  {'tau':>6}")
    for row in rows:
        tau = f"{row['tau']:6.3f}" if "tau" in row else " " * 6
        print(
            f"{row['rule']:14} {row['distance']:9.1f} {row['bound']:9.1f}  {tau} "
            f"{row['status']}"
        )


def draw(matrix: np.ndarray, order: np.ndarray, path: str) -> None:
    """Draw the share of votes that rank the row's item before the column's."""
    from matplotlib import pyplot

    share = matrix / np.maximum(matrix + matrix.T, 1e-300)
    np.fill_diagonal(share, np.nan)
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    random_order = np.random.default_rng(0).permutation(len(order))
    orders = {"Random order": random_order, "Kemeny": order}
    for axis, (title, items) in zip(axes, orders.items(), strict=True):
        image = axis.imshow(share[np.ix_(items, items)], "RdBu_r", vmin=0, vmax=1)
        axis.set(title=title, xlabel="item", ylabel="item")
        axis.set_xticks(range(len(order)), items)
        axis.set_yticks(range(len(order)), items)
    figure.colorbar(image, ax=axes, label="share of votes, row before column")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def nascar(folder: str | Path) -> tuple[float, np.ndarray]:
    """Log-likelihood of the 2002 races, and log-worths relative to driver 1.

    Each driver is a feature and each race a query; drivers 84 to 87 always came last.
    """
    lines = (Path(folder) / "pl-nascar2002" / "nascar_orderings.csv").read_text()
    races = [[int(i) - 1 for i in line.split(",")] for line in lines.split()]
    races = [[driver for driver in race if driver < 83] for race in races]
    X = np.eye(83)[np.concatenate(races)]
    y = np.concatenate([-np.arange(len(race)) for race in races])
    qid = np.repeat(np.arange(len(races)), [len(race) for race in races])
    settings = {"optimizer": "adam", "learning_rate": 0.05, "max_epochs": 1500}
    settings |= {"batch_size": len(races), "early_stopping": False, "dtype": "float64"}
    settings |= {"preprocess": None, "normalize": False, "random_state": 0}
    ranker = NeuralRanker("plackett_luce", "linear", **settings)
    worth = ranker.fit(X, y, qid).predict(np.eye(83))
    value = sum(
        worth[race[place]] - logsumexp(worth[race[place:]])
        for race in races
        for place in range(len(race))
    )
    return float(value), worth - worth[0]


def main(data: str | None = None, n_items: int = 12, picture: str | None = None):
    """Print the tables; return them."""
    votes = draw_votes(n_items, n_votes=15, seed=0, spread=3.0)
    tables = {"drawn votes": compare(votes, truth=np.arange(n_items))}
    if picture:
        draw(solvers.pairwise_counts(votes), tables["drawn votes"][0]["order"], picture)
    for name, file in FILES.items() if data else ():
        read = load_preflib(Path(data, "preflib", "small", file))
        tables[name] = compare(read.rankings, read.counts, read.n_items)
    for name, rows in tables.items():
        show(name, rows)
    if data:
        print(f"\nNASCAR 2002: log-likelihood {nascar(data)[0]:.4f}")
    return tables


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with preflib and pl-nascar2002")
    parser.add_argument("--picture", help="PNG to write, needs matplotlib")
    arguments = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main(arguments.data, picture=arguments.picture)
