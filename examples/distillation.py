"""Distill boosted trees into a linear model with several losses.

The teacher is LambdaMART. The students are linear: two learn from the labels, the
others from the teacher's scores of the same items. Prints NDCG@10 on held-out queries,
means over seeds with 95 % bootstrap intervals over queries, and the paired difference
from the better of the two students trained on labels: this teacher is no better than
its students, and nothing can be distilled.

With `--digits` the case that PLD was made for: one true class of ten, and a teacher
that knows which are alike. Prints the accuracy of linear students on few labels.

    python examples/distillation.py
    python examples/distillation.py --digits
    python examples/distillation.py --train train.txt --test test.txt
"""

import argparse
import functools

import numpy as np
from papers.special_cases import digit_students

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


def load(
    train: str | None, test: str | None, n_queries: int, seed: int
) -> tuple[RankingData, RankingData]:
    """Training and test data from files; by default generated."""
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
        train_data, test_data = load(train, test, n_queries, seed)

        def evaluate(name: str, ranker, data: RankingData = test_data) -> None:
            scores = ranker.predict(data.X, data.qid)
            ndcg = ndcg_score(data.y, scores, qid=data.qid, k=10, per_query=True)
            values.setdefault(name, []).append(ndcg)

        evaluate(
            "random", RandomRanker().fit(train_data.X, train_data.y, train_data.qid)
        )
        teacher = LambdaMARTRanker(
            n_estimators=200, learning_rate=0.05, num_leaves=15, random_state=seed
        ).fit(train_data.X, train_data.y, train_data.qid)
        evaluate("teacher: LambdaMART", teacher)
        teacher_scores = teacher.predict(train_data.X, train_data.qid)
        teacher_scores /= teacher_scores.std()
        student = functools.partial(
            NeuralRanker, scorer="linear", learning_rate=0.01, random_state=seed
        )
        for name, loss in LABELS.items():
            print(f"seed {seed + 1} of {n_seeds}: fitting {name}", flush=True)
            evaluate(
                name, student(loss).fit(train_data.X, train_data.y, train_data.qid)
            )
        for name, loss in TEACHER.items():
            print(f"seed {seed + 1} of {n_seeds}: fitting {name}", flush=True)
            ranker = student(loss)
            ranker.fit(
                train_data.X,
                train_data.y,
                train_data.qid,
                teacher_scores=teacher_scores,
            )
            evaluate(name, ranker)
    if train and test:  # the same queries for all seeds
        per_query = {name: np.mean(runs, axis=0) for name, runs in values.items()}
    else:
        per_query = {name: np.concatenate(runs) for name, runs in values.items()}
    means = {name: float(np.nanmean(v)) for name, v in per_query.items()}
    best = max(LABELS, key=means.get)
    print(f"linear students, {n_seeds} seeds; difference from {best}")
    for name in sorted(means, key=means.get, reverse=True):
        low, high = bootstrap_interval(per_query[name])
        line = f"{name:22} NDCG@10 {means[name]:.4f} [{low:.4f}, {high:.4f}]"
        if name != best:
            difference = per_query[name] - per_query[best]
            low, high = bootstrap_interval(difference)
            p = paired_randomization_test(per_query[name], per_query[best])
            line += (
                f"  {np.nanmean(difference):+.4f} [{low:+.4f}, {high:+.4f}] p {p:.4f}"
            )
        print(line)
    return means


def digits(n_seeds: int = 4) -> dict[str, float]:
    """Print the accuracy on digits for few labels, clean and wrong; return the last."""
    for n_labels, width, wrong in ((100, 16, 0.0), (100, 16, 0.3), (300, 10, 0.3)):
        runs = [digit_students(n_labels, width, wrong, seed) for seed in range(n_seeds)]
        means = {name: np.mean([run[name] for run in runs]) for name in runs[0]}
        line = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
        print(f"{n_labels} labels, {wrong:.0%} wrong: {line}", flush=True)
    return means


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", help="LETOR file")
    parser.add_argument("--test", help="LETOR file")
    parser.add_argument("--digits", action="store_true", help="classes as items")
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    digits() if options.digits else main(options.train, options.test)
