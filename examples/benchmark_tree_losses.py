"""Boosted trees on every loss, MQ2008 in five folds.

Trees of 15 leaves, learning rate 0.05, stopped on the validation fold by NDCG@10. The
mean NDCG@10 over the test folds, and its difference to LightGBM's lambdarank with the
95 % interval of paired bootstrap draws of queries. Teachers are trees of lambdarank on
the same rows; the reference model, and the order in which items were presented, are of
a ridge regression. FOLDER has S1.txt to S5.txt (or .gz); by default data are generated.
FILE gets a line of JSON for each loss; a run that was stopped goes on from there.

    python examples/benchmark_tree_losses.py [--data FOLDER --losses listnet,ranknet
        --out FILE]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from benchmark_mq2008 import join, load
from sklearn.linear_model import Ridge

from ltr import LambdaMARTRanker
from ltr.datasets import RankingData, make_ranking
from ltr.losses import CURVATURES, LOSSES, loss_info
from ltr.metrics import bootstrap_interval, ndcg_score

OPTIONS = {"num_leaves": 15, "learning_rate": 0.05, "n_jobs": 1, "random_state": 0}
FIRST = ("listnet", "plackett_luce", "approx_ndcg", "ndcg_loss2pp", "lambdarank")


def columns_of(train: RankingData) -> dict[str, np.ndarray]:
    """Teacher, reference model and presented positions of the rows."""
    teacher = LambdaMARTRanker(n_estimators=100, **OPTIONS)
    reference = Ridge().fit(train.X, train.y).predict(train.X)
    order = np.lexsort((-reference, train.qid))
    position = np.empty(len(order))
    position[order] = np.arange(len(order)) - np.searchsorted(
        train.qid[order], train.qid[order]
    )
    return {
        "teacher_scores": teacher.fit(train.X, train.y, train.qid).predict(train.X),
        "reference_scores": reference,
        "position": position + 1.0,
    }


def fit(loss, train: RankingData, valid: RankingData, columns, n_trees: int):
    """Trees stopped on the validation fold."""
    extras = {}
    if not isinstance(loss, str):
        extras = {name: columns[name] for name in loss_info(loss).required_extras}
    ranker = LambdaMARTRanker(loss, n_estimators=n_trees, **OPTIONS)
    ranker.set_params(n_iter_no_change=30)
    return ranker.fit(
        train.X, train.y, train.qid,
        X_val=valid.X, y_val=valid.y, qid_val=valid.qid, **extras,
    )  # fmt: skip


def evaluate(loss, folds, n_trees: int) -> list[float]:
    """NDCG@10 of every query, in the test fold that it is in."""
    values = []
    for train, valid, test, columns in folds:
        scores = fit(loss, train, valid, columns, n_trees).predict(test.X)
        lists = {"qid": test.qid, "k": 10, "per_query": True}
        values += ndcg_score(test.y, scores, **lists).tolist()
    return values


def main(
    data: str | None = None, names: str = "", n_trees: int = 300, out: str | None = None
) -> dict[str, np.ndarray]:
    """Print the table; return loss → NDCG@10 of each query."""
    drawn = make_ranking(300, list_size=(5, 25), n_grades=3, random_state=0)
    parts = load(data) if data else [drawn.take(drawn.qid % 5 == k) for k in range(5)]
    folds = []
    for fold in range(5):
        *train, valid, test = (parts[(fold + k) % 5] for k in range(5))
        folds.append((join(train), valid, test, columns_of(join(train))))
    setting = f"{'MQ2008' if data else 'generated data'}, {n_trees} trees"
    print(f"{setting}: NDCG@10 on the test folds", flush=True)
    print(f"{'loss':28}{'curvature':>10}{'NDCG@10':>9}  minus lambdarank{'CPU s':>15}")
    losses = names.split(",") if names else list(dict.fromkeys((*FIRST, *LOSSES)))
    rows = {f"{name} of LightGBM": name for name in ("lambdarank", "xe_ndcg", "mse")}
    rows |= {name: LOSSES[name] for name in losses}
    lines = Path(out).read_text().splitlines() if out and Path(out).exists() else []
    records = {(line["setting"], line["loss"]): line for line in map(json.loads, lines)}
    results: dict[str, np.ndarray] = {}
    below: list[str] = []
    for name, loss in rows.items():
        record = records.get((setting, name))
        if record is None:
            record = {"setting": setting, "loss": name}
            start = time.process_time()
            try:
                record["ndcg"] = evaluate(loss, folds, n_trees)
            except ValueError as error:
                record["error"] = str(error)
            record["seconds"] = time.process_time() - start
            if out:
                with Path(out).open("a") as file:
                    file.write(json.dumps(record) + "\n")
        if "error" in record:
            print(f"{name:28}  {record['error']}", flush=True)
            continue
        results[name] = np.array(record["ndcg"])
        difference = results[name] - results["lambdarank of LightGBM"]
        low, high = bootstrap_interval(difference)
        print(
            f"{name:28}{CURVATURES.get(name, ''):>10}{np.nanmean(results[name]):9.4f}"
            f"  {np.nanmean(difference):+.4f} [{low:+.4f}, {high:+.4f}]"
            f"{record['seconds']:8.1f}",
            flush=True,
        )
        below += [name] * bool(high < 0)
    print(f"significantly below LightGBM's lambdarank: {', '.join(below) or 'none'}")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of MQ2008")
    parser.add_argument("--losses", default="", dest="names", help="comma-separated")
    parser.add_argument("--trees", type=int, default=300, dest="n_trees")
    parser.add_argument("--out", help="file of the rows, to resume from")
    main(**vars(parser.parse_args()))
