"""LETOR's official tables of learned rankers on MQ2008, as far as they can be checked.

The scores of those rankers were never published, so their numbers cannot be computed
again. But a mean over queries is a whole number of parts: what part it is, and the
largest value that a query can reach, are conventions that we share or do not.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from ltr.datasets import load_letor
from ltr.metrics import evaluate

RANKERS = ["RankSVM-Struct", "RankBoost", "AdaRank-MAP", "AdaRank-NDCG"]
TEST_PART = [5, 1, 2, 3, 4]  # of the folds 1 to 5
VALID_PART = [4, 5, 1, 2, 3]
LETOR = {"discount": "letor", "ties": "first", "empty": 0}
ROUNDED = 5.01e-5  # the tables have 4 digits


def tables(path):
    """Rows of folds of the two tables on testing and on validation data."""
    parts = {"testing": [], "validation": []}
    wanted = None
    for line in path.read_text().splitlines():
        if line.startswith("Performance on"):
            wanted = parts.get(line.split()[2])
        elif re.match(r"(Fold)?[0-9]", line) and wanted is not None:
            wanted.append([float(word) for word in line.split()[1:]])
    shape = lambda rows: np.array([a[:10] + b for a, b in zip(rows[:5], rows[5:], strict=True)])  # fmt: skip
    return {name: shape(rows) for name, rows in parts.items()}


def is_whole(values, tolerance):
    return np.abs(values - np.rint(values)) <= tolerance


@pytest.mark.parametrize("ranker", RANKERS)
def test_official_tables_have_our_conventions(ltr_data, ranker):
    """Blank queries are 0, P@k divides by k, a grade of 2 is worth 3, short lists 0."""
    folder = Path(ltr_data)
    data = {i: load_letor(folder / "mq2008" / f"S{i}.txt.gz") for i in range(1, 6)}
    found = tables(folder / "letor4-baselines" / f"{ranker}.MQ2008.txt")
    names = [f"ndcg@{k}" for k in range(1, 11)] + [f"p@{k}" for k in range(1, 11)]
    for which, parts in (("testing", TEST_PART), ("validation", VALID_PART)):
        for part, row in zip(parts, found[which], strict=True):
            y, qid = data[part].y, data[part].qid
            n = data[part].n_lists
            k = np.arange(1, 11)
            ndcg, precision, average_precision = row[:10], row[10:20], row[20]
            assert is_whole(precision * n * k, ROUNDED * n * k).all()
            assert is_whole(ndcg[0] * n * 3, ROUNDED * n * 3)
            best = evaluate(y, y, qid, [*names, "map"], **LETOR)["mean"].to_numpy()
            worst = evaluate(y, -y, qid, [*names, "map"], **LETOR)["mean"].to_numpy()
            ours = np.concatenate([ndcg, precision, [average_precision]])
            assert (ours <= best + ROUNDED).all()
            assert (ours >= worst - ROUNDED).all()
            usual = evaluate(y, y, qid, ["ndcg@10"], empty=0)["mean"].item()
            assert best[9] < usual / 1.5  # lists shorter than 10 count as 0


def test_other_conventions_do_not_fit(ltr_data):
    """Leaving blank queries out, or linear gains, contradict the same tables."""
    folder = Path(ltr_data)
    data = {i: load_letor(folder / "mq2008" / f"S{i}.txt.gz") for i in range(1, 6)}
    skipped, linear = [], []
    for ranker in RANKERS:
        rows = tables(folder / "letor4-baselines" / f"{ranker}.MQ2008.txt")["testing"]
        for part, row in zip(TEST_PART, rows, strict=True):
            y, qid, n = data[part].y, data[part].qid, data[part].n_lists
            n_judged = len(set(qid[y > 0].tolist()))
            skipped.append(is_whole(row[10] * n_judged, ROUNDED * n_judged))
            linear.append(is_whole(row[0] * n * 2, ROUNDED * n * 2))
    assert np.mean(skipped) < 0.5
    assert np.mean(linear) < 0.8
