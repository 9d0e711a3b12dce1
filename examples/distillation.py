"""Distil boosted trees into a linear model, by several losses.

The teacher is LambdaMART. The students are linear: two learn from the labels, the
others from the teacher's scores on the same lists. Prints NDCG@10 on held-out lists,
means over seeds with 95 % bootstrap intervals over lists, and the paired difference to
the better student of labels.

    python examples/distillation.py
    python examples/distillation.py --train train.txt --test test.txt
"""

import argparse
import functools

import numpy as np

from ltr import LambdaMARTRanker, NeuralRanker, RandomRanker
from ltr.datasets import RankingData, load_letor, make_ranking
from ltr.losses import pld_loss
from ltr.metrics import bootstrap_interval, ndcg_score, paired_randomization_test

LABELS = {"lambdarank (labels)": "lambdarank", "listnet (labels)": "listnet"}
TEACHER = {
    "PLD": "pld",
    "PLD, T = 2": functools.partial(pld_loss, temperature=2.0),
    "KL": "kl_distillation",
    "MarginMSE": "margin_mse",
}


def lists(
    train: str | None, test: str | None, n_queries: int, seed: int
) -> tuple[RankingData, RankingData]:
    """Files if given; else lists with products of features and irrelevant ones."""
    if train and test:
        data = load_letor(train)
        return data, load_letor(test, n_features=data.X.shape[1])
    data = make_ranking(
        n_queries, list_size=(10, 40), nonlinearity=0.3, noise=1.0, random_state=seed
    )
    return data.train_test_split(test_size=0.5, random_state=seed)


def main(
    train: str | None = None,
    test: str | None = None,
    n_queries: int = 300,
    n_seeds: int = 5,
) -> dict[str, float]:
    """Print the table; return the mean NDCG@10 of each ranker."""
    values: dict[str, list[np.ndarray]] = {}
    for seed in range(n_seeds):
        seen, unseen = lists(train, test, n_queries, seed)

        def keep(name: str, ranker, data: RankingData = unseen) -> None:
            scores = ranker.predict(data.X, data.qid)
            ndcg = ndcg_score(data.y, scores, qid=data.qid, k=10, per_query=True)
            values.setdefault(name, []).append(ndcg)

        keep("random", RandomRanker().fit(seen.X, seen.y, seen.qid))
        teacher = LambdaMARTRanker(
            n_estimators=200, learning_rate=0.05, num_leaves=15, random_state=seed
        ).fit(seen.X, seen.y, seen.qid)
        keep("teacher: LambdaMART", teacher)
        said = teacher.predict(seen.X, seen.qid)
        said /= said.std()
        student = functools.partial(
            NeuralRanker, scorer="linear", learning_rate=0.01, random_state=seed
        )
        for name, loss in LABELS.items():
            keep(name, student(loss).fit(seen.X, seen.y, seen.qid))
        for name, loss in TEACHER.items():
            ranker = student(loss)
            keep(name, ranker.fit(seen.X, seen.y, seen.qid, teacher_scores=said))
    if train and test:  # the same lists for all seeds
        per_list = {name: np.mean(runs, axis=0) for name, runs in values.items()}
    else:
        per_list = {name: np.concatenate(runs) for name, runs in values.items()}
    means = {name: float(np.nanmean(v)) for name, v in per_list.items()}
    best = max(LABELS, key=means.get)
    print(f"linear students, {n_seeds} seeds; difference to {best}")
    for name in sorted(means, key=means.get, reverse=True):
        low, high = bootstrap_interval(per_list[name])
        line = f"{name:22} NDCG@10 {means[name]:.4f} [{low:.4f}, {high:.4f}]"
        if name != best:
            difference = per_list[name] - per_list[best]
            low, high = bootstrap_interval(difference)
            p = paired_randomization_test(per_list[name], per_list[best])
            line += (
                f"  {np.nanmean(difference):+.4f} [{low:+.4f}, {high:+.4f}] p {p:.4f}"
            )
        print(line)
    return means


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", help="LETOR file")
    parser.add_argument("--test", help="LETOR file")
    options = parser.parse_args()
    main(options.train, options.test)
