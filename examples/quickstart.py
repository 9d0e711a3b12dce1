"""Rank generated data with boosted trees and a neural ranker.

python examples/quickstart.py
"""

import argparse

from ltr import LambdaMARTRanker, NeuralRanker, RandomRanker
from ltr.datasets import make_ranking
from ltr.metrics import evaluate


def main(n_queries: int = 200, max_epochs: int = 100) -> dict[str, float]:
    """Fit three rankers; print and return NDCG@10 of each on held-out queries."""
    data = make_ranking(n_queries, random_state=0)
    train, test = data.train_test_split(test_size=0.25, random_state=0)
    rankers = {
        "random order": RandomRanker(),
        "LambdaMART": LambdaMARTRanker(random_state=0),
        "MLP with RankNet": NeuralRanker(
            "ranknet", max_epochs=max_epochs, random_state=0
        ),
    }
    result = {}
    for name, ranker in rankers.items():
        ranker.fit(train.X, train.y, train.qid)
        scores = ranker.predict(test.X, test.qid)
        table = evaluate(test.y, scores, test.qid, ["ndcg@10"])
        mean, low, high = table.loc["ndcg@10", ["mean", "low", "high"]]
        print(f"{name:18} NDCG@10 {mean:.3f} [{low:.3f}, {high:.3f}]")
        result[name] = mean
    return result


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main()
