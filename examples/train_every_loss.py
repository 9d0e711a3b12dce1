"""Train a linear ranker with every loss, on queries whose features share an offset.

Prints NDCG@10 on held-out queries for each loss, relative to that of the noise-free
scores, beside a random order and plain pointwise regression.

    python examples/train_every_loss.py
"""

import argparse

import numpy as np
from sklearn.linear_model import Ridge

from ltr import NeuralRanker, RandomRanker
from ltr.datasets import make_ranking
from ltr.losses import LOSSES
from ltr.metrics import ndcg_score

TEACHER = ("pld", "kl_distillation", "js_distillation", "margin_mse", "rankdistil")
TEACHER += ("dear", "clid")
SLOW = {"neural_ndcg": 30, "neural_sort_cross_entropy": 30, "pl_rank": 30}


def main(
    n_queries: int = 200, max_epochs: int = 60, names: tuple[str, ...] = tuple(LOSSES)
) -> dict[str, float]:
    """Print and return the share of the noise-free NDCG@10 for each loss."""
    data = make_ranking(
        n_queries,
        list_size=(8, 20),
        n_features=10,
        n_informative=6,
        nonlinearity=0.0,
        noise=0.3,
        query_offset=3.0,
        n_grades=3,
        random_state=0,
    )
    train, test = data.train_test_split(test_size=0.4, random_state=0)
    ndcg = lambda scores: ndcg_score(test.y, scores, qid=test.qid, k=10)
    best = ndcg(test.true_scores)
    random = RandomRanker().fit(train.X, train.y, train.qid)
    result = {
        "random": ndcg(random.predict(test.X, test.qid)) / best,
        "pointwise ridge": ndcg(Ridge().fit(train.X, train.y).predict(test.X)) / best,
    }
    for name in names:
        ranker = NeuralRanker(
            name,
            "linear",
            learning_rate=0.03,
            max_epochs=min(max_epochs, SLOW.get(name, max_epochs)),
            weight_decay=0.0,
            early_stopping=False,
            random_state=0,
        )
        extras = {}
        if name in TEACHER:
            extras["teacher_scores"] = train.true_scores
        if name == "irpo":
            extras["position"] = np.arange(len(train.y)) % 20 + 1
        print(f"fitting {name}", flush=True)
        labels = np.minimum(train.y, 1) if name in ("bce", "rcr") else train.y
        ranker.fit(train.X, labels, train.qid, **extras)
        result[name] = ndcg(ranker.predict(test.X, test.qid)) / best
    for name in sorted(result, key=result.get, reverse=True):
        print(f"{name:28} {result[name]:.3f}")
    return result


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main()
