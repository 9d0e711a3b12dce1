"""AutoRanker against LightGBM's LGBMRanker by just fitting: no tuning, no validation.

Each ranker gets the training and validation parts together, and is scored on the test
part: five folds of LETOR for MQ2008, the last fifth of the days for stocks, five folds
of the events that ship with the library, elsewhere five folds by query. "good" are well
known settings: 400 trees at rate 0.05, 15 leaves of at least 50 rows, .7 of the
features and .8 of the rows. NDCG@10 (events and stocks: Spearman's correlation), ties
averaged, queries without a relevant item count 0. Differences are paired by query, with
95 % bootstrap intervals; * means that 0 is outside. The best member is the one with the
highest mean on the test folds, which no one knows beforehand. DIR has the folders
``mq2008`` (S1.txt to S5.txt, or .gz), ``mslr-sample``, ``lightgbm-examples`` and
``stocks-rsr``; those that are not there are skipped. All but the network run on one
thread.

    python examples/benchmark_auto.py [--data DIR] [--sets mq2008 mslr] [--queries 4000]
"""

import argparse
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from event_ordering import features as event_features
from event_ordering import groups as event_groups
from lightgbm import LGBMRanker
from sklearn.datasets import load_svmlight_file
from threadpoolctl import threadpool_limits

from ltr import AutoRanker, group_sizes_to_qid
from ltr.datasets import (
    RankingData,
    load_events,
    load_letor,
    load_stocks,
    make_ranking,
)
from ltr.metrics import bootstrap_interval, get_metric
from ltr.model_selection import QueryKFold
from ltr.queries import group_queries
from ltr.rankers.trees.parameters import GOOD_SETTINGS

LINE = "{:10} {:24} {:>8} {:>24} {:>24} {:>7}"


def joined(parts: list[RankingData]) -> RankingData:
    """Parts as one; a query in two of them stays two."""
    X, y = (np.concatenate([getattr(p, name) for p in parts]) for name in ("X", "y"))
    ids = [(i, qid) for i, part in enumerate(parts) for qid in part.qid]
    return RankingData(X, y, group_queries(ids, len(y)).codes)


def lightgbm_example(folder: Path) -> RankingData:
    """The lists of LightGBM's example, whose queries are sizes in a file of its own."""
    parts = []
    for name in ("train", "test"):
        X, y = load_svmlight_file(str(folder / f"rank.{name}.gz"), n_features=301)
        sizes = np.loadtxt(folder / f"rank.{name}.query", dtype=int)
        parts.append(RankingData(X.toarray(), y, group_sizes_to_qid(sizes)))
    return joined(parts)


def stocks(folder: Path) -> list[tuple[RankingData, RankingData]]:
    """Returns of the next day by industry, on every fifth day, split in time.

    The first seven tenths of those days are for training and the last fifth for
    testing: one pair.
    """
    data = load_stocks(
        folder / "NASDAQ.ohlcv.npz", folder / "NASDAQ_industry_ticker.json"
    )
    days = np.unique(data.dates)[::5]
    parts = days[: 7 * len(days) // 10], days[len(days) - len(days) // 5 :]
    train, test = (np.flatnonzero(np.isin(data.dates, part)) for part in parts)
    return [(data.take(train), data.take(test))]


def events() -> list[tuple[RankingData, RankingData]]:
    """Groups of ten events to put in order, each event in one group; five folds."""
    table = load_events().sample(frac=1, random_state=0)
    fold = np.arange(len(table)) % 5
    pairs = []
    for i in range(5):
        train, test = table[fold != i], table[fold == i]
        parts = zip(event_features(train, test), (train, test), strict=True)
        pairs.append(
            tuple(
                RankingData(*event_groups(Z, part["year"].to_numpy(), 1, i)[:3])
                for Z, part in parts
            )
        )
    return pairs


def parts_of(folder: Path) -> list[RankingData]:
    """S1 to S5 of LETOR."""
    paths = [next(folder.glob(f"S{i}.txt*")) for i in range(1, 6)]
    return [load_letor(path) for path in paths]


def folds_by_query(data: RankingData):
    """Five pairs of training and test rows."""
    splits = QueryKFold(5, shuffle=True, random_state=0).split(data.X, qid=data.qid)
    return [(data.take(train), data.take(test)) for train, test in splits]


def folds_of(name: str, folder: Path, n_queries: int):
    """Folds of a data set; None if its files are not there."""
    if name == "generated":
        return folds_by_query(make_ranking(n_queries, random_state=0))
    if name == "events":
        return events()
    if not folder.is_dir():
        return None
    if name == "mq2008":
        parts = parts_of(folder)
        return [
            (joined([parts[(i + j) % 5] for j in range(4)]), parts[(i + 4) % 5])
            for i in range(5)
        ]
    if name == "mslr":
        return folds_by_query(joined([load_letor(p) for p in folder.glob("*.txt.gz")]))
    if name == "lightgbm":
        return folds_by_query(lightgbm_example(folder))
    return stocks(folder)


def fit_lightgbm(train: RankingData, seed: int, **settings):
    """LGBMRanker on the rows list by list."""
    queries = group_queries(train.qid, len(train.y))
    order, X = queries.order, np.asarray(train.X)
    labels = train.y[order]
    if (labels < 0).any():  # its gains are a table of whole labels: ranks of returns
        queries = group_queries(train.qid[order], len(order))
        ranks = [np.argsort(np.argsort(labels[a:b])) for a, b in bounds(queries)]
        labels = np.concatenate([5 * r // len(r) for r in ranks])
    ranker = LGBMRanker(random_state=seed, n_jobs=1, verbose=-1, **settings)
    return ranker.fit(X[order], labels, group=queries.sizes)


def bounds(queries):
    """Where each list begins and ends."""
    return zip(queries.starts[:-1], queries.starts[1:], strict=True)


def run(name: str, folds, seed: int) -> dict[str, np.ndarray]:
    """Metric of each test query by ranker; prints the table of the set."""
    is_graded = name not in ("events", "stocks")
    metric = get_metric("ndcg@10", empty=0) if is_graded else get_metric("spearman")
    values: dict[str, list] = {}
    seconds: dict[str, float] = {}
    left_out = []
    for train, test in folds:
        auto = AutoRanker(n_jobs=1, random_state=seed)
        fits = {
            "LGBMRanker()": partial(fit_lightgbm, train, seed),
            "LGBMRanker(good)": partial(fit_lightgbm, train, seed, **GOOD_SETTINGS),
            "AutoRanker()": partial(auto.fit, train.X, train.y, train.qid),
        }
        for ranker, fit in fits.items():
            started = time.process_time()
            fitted = fit()
            seconds[ranker] = seconds.get(ranker, 0) + time.process_time() - started
            columns = {ranker: fitted.predict(test.X)}
            if ranker == "AutoRanker()":
                columns = {ranker: fitted.predict(test.X, test.qid)}
                members = fitted.predict_members(test.X, test.qid).T
                columns |= dict(zip(fitted.named_rankers_, members, strict=True))
                left_out += fitted.left_out_
            for row, scores in columns.items():
                per_query = metric.per_query(test.y, scores, test.qid)
                values.setdefault(row, []).append(per_query)
    joined_values = {
        ranker: np.concatenate(parts)
        for ranker, parts in values.items()
        if len(parts) == len(folds)
    }
    report(name, joined_values, seconds, left_out, len(folds))
    return joined_values


def report(name, values, seconds, left_out, n_folds) -> None:
    """Print means and paired differences."""
    for ranker, column in values.items():
        differences = [
            interval(column - values[base]) if ranker != base else ""
            for base in ("LGBMRanker()", "LGBMRanker(good)")
        ]
        time_s = f"{seconds[ranker] / n_folds:.1f}" if ranker in seconds else ""
        mean = f"{np.nanmean(column):.4f}"
        print(LINE.format(name, ranker, mean, *differences, time_s))
    best = best_member(values)
    if best:
        gain = interval(values["AutoRanker()"] - values[best])
        print(f"{name:10} AutoRanker() minus its best member here, {best}: {gain}")
    if left_out:
        print(f"{name:10} left out in {len(left_out)} of {n_folds} folds: "
              f"{', '.join(sorted(set(left_out)))}")  # fmt: skip


def best_member(values: dict[str, np.ndarray]) -> str | None:
    """The member with the highest mean on the test folds; None if none is in all."""
    members = [name for name in values if not name.endswith(")")]
    return max(members, key=lambda name: np.nanmean(values[name]), default=None)


def interval(differences: np.ndarray) -> str:
    """Mean with its 95 % interval."""
    low, high = bootstrap_interval(differences)
    mark = "*" if low > 0 or high < 0 else " "
    return f"{np.nanmean(differences):+.4f} [{low:+.4f}, {high:+.4f}]{mark}"


def main(data: Path, sets, n_queries: int = 400, seed: int = 0) -> dict[str, dict]:
    """Run the sets that are there; metrics of each test query by set and ranker."""
    head = ("set", "ranker", "mean", "minus LGBMRanker()", "minus good", "CPU s")
    print(LINE.format(*head), flush=True)
    values = {}
    for name in sets:
        folds = folds_of(name, data / FOLDERS[name], n_queries)
        if folds is None:
            print(f"{name:10} skipped: no folder {data / FOLDERS[name]}")
            continue
        values[name] = run(name, folds, seed)
    gains = [np.nanmean(v["AutoRanker()"] - v["LGBMRanker()"]) for v in values.values()]
    print(f"mean gain of AutoRanker() over LGBMRanker(): {np.mean(gains):+.4f}")
    return values


FOLDERS = {
    "mq2008": "mq2008",
    "mslr": "mslr-sample",
    "lightgbm": "lightgbm-examples",
    "generated": "",
    "events": "",
    "stocks": "stocks-rsr",
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR")
    parser.add_argument("--sets", nargs="+", choices=FOLDERS, default=list(FOLDERS))
    parser.add_argument("--queries", type=int, default=400, help="of generated data")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with threadpool_limits(1):  # of the linear algebra; LightGBM has n_jobs
        main(options.data, options.sets, options.queries, options.seed)
