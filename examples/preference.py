"""Learn from preferences over embeddings, with a frozen reference.

Compares LiPO-λ with DPO, SLiC and ListMLE. Queries and items have embeddings. A crowd
compares all pairs of items of a query a few times, by a utility that depends only on
some directions of the embeddings; the label of an item is the share of comparisons that
it wins. Two towers start at the cosine, which is also the frozen reference. Prints
NDCG@10 by the true utility on held-out queries, over seeds, and the paired difference
from DPO. Here a model can be right everywhere, and λ-weights gain nothing.

With `--two-sided` the case in which they do: what tells good items apart misleads among
bad ones, and no linear model is right everywhere. Prints the utility of the first item.

    python examples/preference.py
    python examples/preference.py --two-sided
"""

import argparse
import functools

import numpy as np
from papers.special_cases import two_sided

from ltr import NeuralRanker
from ltr.datasets import RankingData
from ltr.losses import combine, dpo_loss, lipo_lambda_loss, listmle_loss, slic_loss
from ltr.metrics import bootstrap_interval, ndcg_score, paired_randomization_test

WIDTH, BETA = 16, 20.0
LOSSES = {
    "LiPO-λ": functools.partial(lipo_lambda_loss, beta=BETA, discount="log2"),
    "DPO": functools.partial(dpo_loss, beta=BETA),
    "SLiC": functools.partial(slic_loss, beta=BETA),
    "LiPO-λ + ListMLE / 10": combine(
        (1.0, functools.partial(lipo_lambda_loss, beta=BETA, discount="log2")),
        (0.1, listmle_loss),
    ),
}


def draw(n_queries: int, seed: int, size: int = 20, n_votes: int = 3) -> RankingData:
    """Embeddings, shares of wins as labels, and true utilities."""
    rng = np.random.default_rng(seed)
    unit = lambda a: a / np.linalg.norm(a, axis=-1, keepdims=True)
    queries = unit(rng.normal(size=(n_queries, WIDTH)))
    items = unit(rng.normal(size=(n_queries, size, WIDTH)) + 0.5 * queries[:, None])
    half = WIDTH // 2
    utility = 4.0 * np.einsum("qd,qnd->qn", queries[:, :half], items[:, :, :half])
    margin = utility[:, :, None] - utility[:, None, :]
    wins = rng.binomial(n_votes, 1 / (1 + np.exp(-margin))) / n_votes
    upper = np.triu(np.ones((size, size), bool), 1)
    wins = np.where(upper, wins, 1.0 - np.swapaxes(wins, 1, 2))
    share = (wins.sum(-1) - np.diagonal(wins, axis1=1, axis2=2)) / (size - 1)
    X = np.concatenate([np.repeat(queries[:, None], size, axis=1), items], axis=-1)
    qid = np.repeat(np.arange(n_queries), size)
    X = X.reshape(-1, 2 * WIDTH)
    return RankingData(X, share.ravel(), qid, true_scores=utility.ravel())


def main(
    n_queries: int = 150, n_seeds: int = 5, max_epochs: int = 30
) -> dict[str, float]:
    """Print the table; return the mean NDCG@10 of each loss."""
    values: dict[str, list[np.ndarray]] = {}
    for seed in range(n_seeds):
        train, test = draw(n_queries, seed), draw(n_queries, 1000 + seed)
        cosine = np.einsum("nd,nd->n", train.X[:, :WIDTH], train.X[:, WIDTH:])
        gain = 1 / (1 + np.exp(-test.true_scores))

        def evaluate(name: str, scores: np.ndarray, data=test, gain=gain) -> None:
            ndcg = ndcg_score(
                gain, scores, qid=data.qid, k=10, gain="linear", per_query=True
            )
            values.setdefault(name, []).append(ndcg)

        noise = np.random.default_rng(seed).normal(size=len(gain))
        evaluate("random", noise)
        evaluate("reference: cosine", np.einsum("nd,nd->n", *np.hsplit(test.X, 2)))
        tower = functools.partial(
            NeuralRanker,
            scorer="two_tower",
            n_query_features=WIDTH,
            learning_rate=3e-3,
            max_epochs=max_epochs,
            early_stopping=False,
            random_state=seed,
        )
        ranker = tower("listmle").fit(train.X, train.y, train.qid)
        evaluate("ListMLE", ranker.predict(test.X, test.qid))
        for name, loss in LOSSES.items():
            print(f"seed {seed + 1} of {n_seeds}: fitting {name}", flush=True)
            ranker = tower(loss)
            ranker.fit(train.X, train.y, train.qid, reference_scores=cosine)
            evaluate(name, ranker.predict(test.X, test.qid))
    per_query = {name: np.concatenate(runs) for name, runs in values.items()}
    means = {name: float(v.mean()) for name, v in per_query.items()}
    print(f"{n_seeds} seeds, {n_queries} queries each; difference from DPO")
    for name in sorted(means, key=means.get, reverse=True):
        low, high = bootstrap_interval(per_query[name])
        line = f"{name:22} NDCG@10 {means[name]:.4f} [{low:.4f}, {high:.4f}]"
        if name != "DPO":
            difference = per_query[name] - per_query["DPO"]
            low, high = bootstrap_interval(difference)
            p = paired_randomization_test(per_query[name], per_query["DPO"])
            line += f"  {difference.mean():+.4f} [{low:+.4f}, {high:+.4f}] p {p:.4f}"
        print(line)
    return means


def show_two_sided(n_seeds: int = 3) -> dict[str, float]:
    """Print the mean utility of the first item by each loss, and the difference."""
    values = two_sided(n_seeds)
    low, high = bootstrap_interval(difference := values["LiPO-λ"] - values["DPO"])
    for name, utility in values.items():
        print(f"{name:8} utility of the first {utility.mean():.3f}", flush=True)
    print(f"difference {difference.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
    return {name: float(utility.mean()) for name, utility in values.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--two-sided", action="store_true", help="no model is right")
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    show_two_sided() if options.two_sided else main()
