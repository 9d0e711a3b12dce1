"""How fits grow with their work.

"trees": CPU time of LambdaMARTRanker on each loss, compilation included, relative to
LightGBM's own lambdarank on the same rows in the same run, one thread for each; NDCG@10
on other rows. It is timed again at the end: on a busy machine CPU time grows, too. Rows
have 50 features, lists are uniform in [L/2, 3L/2], labels 0 to 4.
Losses that learn from a teacher or a reference model get a noisy copy of the labels.

"growth": CPU time of an epoch and peak memory of NeuralRanker.fit, and the exponents
with which they grow in the number of rows and in the size of lists.

"streams": rows a CPU second of fit_stream from shards on disk, of arrays and of
Parquet, beside those of fit on the same rows in memory, on one core.

"memory": fit_stream on more data than the process may have memory (RLIMIT_DATA).

"cache": CPU time that two processes spend on compilation, one after the other, with a
new folder for compiled programs, and what tracing adds, which no cache holds.

    python examples/benchmark_scaling.py trees [--rows 200000 --sizes 20,100 --trees 200
        --losses listnet,ranknet]
    python examples/benchmark_scaling.py growth [--rows 1000000 --sizes 1000,10000]
    python examples/benchmark_scaling.py streams [--rows 2000000]
    python examples/benchmark_scaling.py memory [--gigabytes 4 --limit 1]
    python examples/benchmark_scaling.py cache [--rows 1000000]
"""

import argparse
import gc
import multiprocessing
import os
import resource
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ltr import LambdaMARTRanker, NeuralRanker, compilation_cache
from ltr.datasets import RankingData, open_shards, save_shards
from ltr.losses import CURVATURES, LOSSES, lambdarank_loss, loss_info
from ltr.metrics import Measured, ranking_metric

SOFTMAX_FAMILY = ("listnet", "softmax", "xe_ndcg", "poly1")
FIRST = (*SOFTMAX_FAMILY, "ranknet", "lambdarank")
AT_MOST = {**dict.fromkeys(SOFTMAX_FAMILY, 0.8), "ranknet": 1.2, "lambdarank": 1.35}


def draw(n_rows: int, size: int, seed: int) -> tuple[np.ndarray, ...]:
    """Features, labels and queries; the labels follow ten features and noise."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(size // 2, 3 * size // 2 + 1, 2 * n_rows // size + 2)
    qid = np.repeat(np.arange(len(sizes)), sizes)[:n_rows]
    X = rng.normal(size=(n_rows, 50)).astype(np.float32)
    utility = X[:, :5].sum(axis=1) + np.abs(X[:, 5:10]).sum(axis=1)
    utility = utility + 2.0 * rng.normal(size=n_rows)
    y = np.digitize(utility, np.quantile(utility, (0.5, 0.75, 0.9, 0.97)))
    return X, y.astype(float), qid


def extras(loss, y: np.ndarray, qid: np.ndarray) -> dict[str, np.ndarray]:
    """Inputs that the loss requires, besides labels."""
    rng = np.random.default_rng(0)
    first_rows = np.searchsorted(qid, qid)
    columns = {
        "teacher_scores": y + rng.normal(size=len(y)),
        "reference_scores": 0.1 * rng.normal(size=len(y)),
        "position": np.arange(len(y)) - first_rows + 1.0,
    }
    return {name: columns[name] for name in loss_info(loss).required_extras}


def trees(
    n_rows: int = 200_000,
    sizes: str = "20,100",
    n_trees: int = 200,
    names: str = "",
) -> dict[int, dict[str, tuple[float, float]]]:
    """Print a table for each mean list size; return the results of each."""
    return {
        size: trees_of_lists(n_rows, size, n_trees, names)
        for size in map(int, sizes.split(","))
    }


def trees_of_lists(
    n_rows: int, size: int, n_trees: int, names: str
) -> dict[str, tuple[float, float]]:
    """Print the table of one size; return loss → ratio of CPU time and NDCG@10."""
    X, y, qid = draw(n_rows, size, seed=0)
    test = draw(max(n_rows // 4, 200), size, seed=1)
    options = {"n_estimators": n_trees, "n_jobs": 1, "random_state": 0}
    losses = names.split(",") if names else list(dict.fromkeys((*FIRST, *LOSSES)))
    print(f"{n_rows} rows, lists of {size}, {n_trees} trees", flush=True)
    print(f"{'loss':28}{'curvature':>10}{'CPU s':>8}{'ratio':>7}{'NDCG@10':>9}")

    def fit(loss, **columns) -> tuple[float, float]:
        start = time.process_time()
        ranker = LambdaMARTRanker(loss, **options).fit(X, y, qid, **columns)
        return time.process_time() - start, ranker.score(*test)

    peer, score = fit("lambdarank")
    print(f"{'lambdarank of LightGBM':28}{'':10}{peer:8.2f}{1:7.2f}{score:9.4f}")
    results = {"lambdarank of LightGBM": (1.0, score)}
    for name in losses:
        loss = lambdarank_loss if name == "lambdarank" else LOSSES[name]
        try:
            seconds, score = fit(loss, **extras(loss, y, qid))
        except ValueError as error:
            print(f"{name:28}  {error}")
            continue
        ratio = seconds / peer
        limit = f"  asked: <= {AT_MOST[name]}" if name in AT_MOST else ""
        print(
            f"{name:28}{CURVATURES[name]:>10}{seconds:8.2f}{ratio:7.2f}{score:9.4f}"
            + limit,
            flush=True,
        )
        results[name] = ratio, score
    again, _ = fit("lambdarank")
    print(f"{'lambdarank of LightGBM, again':38}{again:8.2f}{again / peer:7.2f}")
    return results


class Epochs:
    """A validation metric that notes the CPU time at which each epoch ends.

    It never improves, so that a fit stops after ``n_iter_no_change`` epochs, with the
    list shapes of a fit of forty.
    """

    def __init__(self) -> None:
        self.ends: list[float] = []

        @ranking_metric(labels="graded", needs="a relevant item")
        def epochs(lists):
            sizes = lists.queries.sizes
            if sizes.sum() > 2:  # not the two labels that fit tries first
                self.ends.append(time.process_time())
            return Measured(np.zeros(len(sizes)), blank=np.zeros(len(sizes), bool))

        self.metric = epochs

    @property
    def seconds(self) -> float:
        """CPU time of an epoch after the first, in which programs are compiled."""
        return float(np.min(np.diff(self.ends[1:])))


def anonymous_mb() -> float:
    """Memory of this process that is not a view of a file."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1000


@contextmanager
def peak_memory(every_s: float = 0.01) -> Iterator[Callable[[], float]]:
    """Peak in the block above the memory before it, in MB."""
    gc.collect()
    before = anonymous_mb()
    peak, is_over = [before], threading.Event()

    def watch() -> None:
        while not is_over.wait(every_s):
            peak.append(max(peak.pop(), anonymous_mb()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: peak[0] - before
    finally:
        is_over.set()
        thread.join()


def in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Result of a function in a process of its own, on one core."""
    with multiprocessing.get_context("spawn").Pool(1, _on_one_core) as pool:
        return pool.apply(function, arguments)


def _on_one_core() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def neural(n_rows: int, size: int, loss: str, scorer: str, n_lists: int) -> dict:
    """A fit of three epochs, with this number of lists in a mini-batch."""
    X, y, qid = draw(n_rows, size, seed=0)
    data = RankingData(X, y, qid)
    test = data.take(qid < 2)
    clock = Epochs()
    ranker = NeuralRanker(
        loss, scorer, metric=clock.metric, n_iter_no_change=3, batch_size=n_lists,
        random_state=0, max_epochs=100,
    )  # fmt: skip
    # what JAX and the first compilation need, whatever the data
    NeuralRanker(loss, scorer, max_epochs=1, random_state=0).fit(*draw(40, 4, seed=0))
    with peak_memory() as peak:
        ranker.fit(X, y, qid, X_val=test.X, y_val=test.y, qid_val=test.qid)
    memory = peak()
    longest = data.take(qid == qid[np.argmax(np.bincount(qid)[qid])])
    tracemalloc.start()  # the process has memory that fit has freed
    ranker.predict(longest.X, longest.qid)
    _, predict_peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "epoch": clock.seconds,
        "memory": memory,
        "compilation": sum(ranker.history_["compile_seconds"]),
        "predict memory": predict_peak / 1e6,
    }


def exponent(sizes: list[int], values: list[float]) -> float:
    """Slope of log values over log sizes."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def growth(n_rows: int = 1_000_000, sizes: str = "1000,10000") -> dict[str, float]:
    """Print the table and the exponents; return the exponents."""
    list_sizes = [int(size) for size in sizes.split(",")]
    print(
        f"{'rows':>9}{'size':>7}  {'loss':11}{'scorer':10}{'epoch CPU s':>12}"
        f"{'peak MB':>9}{'compile s':>10}{'predict MB':>11}"
    )

    def cell(n: int, size: int, loss: str, scorer: str, n_lists: int = 32) -> dict:
        row = in_process(neural, n, size, loss, scorer, n_lists)
        print(
            f"{n:9}{size:7}  {loss:11}{scorer:10}{row['epoch']:12.3f}"
            f"{row['memory']:9.0f}{row['compilation']:10.1f}"
            f"{row['predict memory']:11.1f}",
            flush=True,
        )
        return row

    exponents, asked = {}, {}

    def record(name: str, at_most: float, sizes: list[int], values: list[float]):
        exponents[name], asked[name] = exponent(sizes, values), at_most

    counts = [n_rows // 10, n_rows]
    for loss, scorer in [
        ("listnet", "mlp"), ("ranknet", "mlp"), ("lambdarank", "mlp"),
        ("listnet", "linear"), ("listnet", "attention"),
    ]:  # fmt: skip
        times = [cell(n, 100, loss, scorer)["epoch"] for n in counts]
        record(f"rows, {loss} {scorer}, time", 1.1, counts, times)
    plain = [cell(n_rows, size, "listnet", "mlp")["epoch"] for size in list_sizes]
    for loss in ("ranknet", "lambdarank"):
        rows = [cell(n_rows, size, loss, "mlp") for size in list_sizes]
        # Pairs of n items cost n² a list, which is n for a fixed number of rows.
        added = [row["epoch"] - base for row, base in zip(rows, plain, strict=True)]
        added = [
            seconds * size for seconds, size in zip(added, list_sizes, strict=True)
        ]
        record(f"list size, what {loss} adds, time", 2.1, list_sizes, added)
        small = [cell(8 * size, size, loss, "mlp", 4) for size in list_sizes]
        record(
            f"list size, {loss}, batch of 4, memory",
            1.1, list_sizes, [row["memory"] for row in small],
        )  # fmt: skip
    rows = [cell(8 * size, size, "listnet", "attention", 4) for size in list_sizes]
    for name in ("memory", "predict memory"):
        values = [row[name] for row in rows]
        record(f"list size, attention, batch of 4, {name}", 1.2, list_sizes, values)
    for name, value in exponents.items():
        print(f"{name:48} {value:5.2f}  asked: <= {asked[name]}")
    return exponents


def write_shards(folder: Path, n_rows: int, size: int, *, kind: str = "npy") -> None:
    """Shards of 100,000 rows: ``"npy"``, or Parquet files in this compression."""
    X, y, qid = draw(min(100_000, n_rows), size, seed=0)
    rng = np.random.default_rng(0)
    pieces = (
        RankingData(X, np.clip(y + rng.integers(-1, 2, len(y)), 0, 4), qid + i * len(y))
        for i in range(max(1, n_rows // len(y)))
    )
    if kind == "npy":
        save_shards(pieces, folder)
        return
    import pandas as pd

    folder.mkdir()
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    for i, piece in enumerate(pieces):
        table = frame.assign(label=piece.y, qid=piece.qid)
        table.to_parquet(folder / f"shard-{i:06}.parquet", compression=kind)


def stream(folder: Path, scorer: str, is_in_memory: bool) -> dict[str, float]:
    """Seconds an epoch and peak memory of a fit on the shards of a folder."""
    shards = open_shards(folder)
    clock = Epochs()
    ranker = NeuralRanker(
        "listnet", scorer, metric=clock.metric, n_iter_no_change=4, random_state=0
    )
    test = shards[0].take(np.arange(1000))
    test = RankingData(np.array(test.X), np.array(test.y), np.array(test.qid))
    NeuralRanker(max_epochs=1, random_state=0).fit(*draw(40, 4, seed=0))
    with peak_memory() as peak:
        if is_in_memory:
            columns = (
                np.concatenate([getattr(shard, name) for shard in shards])
                for name in ("X", "y", "qid")
            )
            ranker.fit(*columns, X_val=test.X, y_val=test.y, qid_val=test.qid)
        else:
            ranker.fit_stream(shards, validation=test)
    return {"epoch": clock.seconds, "memory": peak()}


def streams(n_rows: int = 2_000_000, size: int = 100) -> dict[str, dict[str, float]]:
    """Print rows a CPU second; return them by scorer and source."""
    speeds: dict[str, dict[str, float]] = {}
    print(f"{'scorer':8}{'source':16}{'rows/s':>12}{'of memory':>11}{'peak MB':>9}")
    asked = {
        ("mlp", "npy"): ">= 80 %", ("mlp", "parquet"): ">= 55 %",
        ("linear", "npy"): ">= 2.5 M", ("linear", "parquet"): ">= 1.2 M",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        names = "npy", "parquet, snappy", "parquet, zstd"
        folders = {name: Path(scratch) / name.split()[-1] for name in names}
        for folder in folders.values():
            write_shards(folder, n_rows, size, kind=folder.name)
        for scorer in ("mlp", "linear"):
            speeds[scorer] = {}
            for name, folder in {"memory": folders["npy"], **folders}.items():
                row = in_process(stream, folder, scorer, name == "memory")
                speed = speeds[scorer][name] = n_rows / row["epoch"]
                limit = asked.get((scorer, name.split(",")[0]))
                print(
                    f"{scorer:8}{name:16}{speed:12,.0f}"
                    f"{speed / speeds[scorer]['memory']:11.0%}{row['memory']:9.0f}"
                    + (f"  asked: {limit}" if limit else ""),
                    flush=True,
                )
    return speeds


def limited(folder: Path, limit: float, scorer: str) -> tuple[float, float, float]:
    """Rows, CPU seconds and peak memory of an epoch under a limit in GB."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 1e9),) * 2)
    shards = open_shards(folder)
    begin = time.process_time()
    with peak_memory() as peak:
        base = anonymous_mb()
        ranker = NeuralRanker("listnet", scorer, max_epochs=1, random_state=0)
        ranker.fit_stream(shards)
    assert np.isfinite(ranker.history_["loss"]).all()
    return (
        sum(len(shard.y) for shard in shards),
        time.process_time() - begin,
        base + peak(),
    )


def memory(
    gigabytes: float = 4.0, limit: float = 1.0, scorer: str = "linear", folder: str = ""
) -> float:
    """Print peak memory of an epoch over shards of that size; return it in MB."""
    n_rows = int(gigabytes * 1e9 / 200)
    with tempfile.TemporaryDirectory(dir=folder or None) as scratch:
        shards = Path(scratch) / "shards"
        write_shards(shards, n_rows, 100)
        n_rows, seconds, peak = in_process(limited, shards, limit, scorer)
    print(
        f"{n_rows} rows, {n_rows * 200 / 1e9:.1f} GB of features, at most {limit:g} GB "
        f"of memory: {scorer} epoch done in {seconds:.0f} s of CPU, all of its "
        f"anonymous memory {peak:.0f} MB at most"
    )
    return peak


class Compilation:
    """CPU time of this process while it compiles programs, or reads compiled ones.

    Meanwhile, a fit does nothing else. By the clock, both would be those of a busy
    machine.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._n_running, self._begin, self._lock = 0, 0.0, threading.Lock()

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Count what is compiled in the block, in any thread."""
        compile_one = jax.stages.Lowered.compile

        def compile_and_count(lowered, *arguments, **options):
            with self._lock:
                if not self._n_running:
                    self._begin = time.process_time()
                self._n_running += 1
            try:
                return compile_one(lowered, *arguments, **options)
            finally:
                with self._lock:
                    self._n_running -= 1
                    if not self._n_running:
                        self.seconds += time.process_time() - self._begin

        jax.stages.Lowered.compile = compile_and_count
        try:
            yield
        finally:
            jax.stages.Lowered.compile = compile_one


def first_fit(folder: str, n_rows: int, loss: str) -> tuple[float, float, float]:
    """CPU seconds of a fit with a cache, of its compilation, and of the fit again."""
    compilation_cache(folder)
    X, y, qid = draw(n_rows, 100, seed=0)
    # what JAX needs, whatever the fit
    NeuralRanker("mse", "linear", max_epochs=1, random_state=0).fit(
        *draw(40, 4, seed=0)
    )
    compilation, seconds = Compilation(), []
    for _ in range(2):
        begin = time.process_time()
        with compilation.measured():
            NeuralRanker(loss, "mlp", max_epochs=2, random_state=0).fit(X, y, qid)
        seconds.append(time.process_time() - begin)
        if len(seconds) == 1:
            compiled = compilation.seconds
    return seconds[0], compiled, seconds[1]


def cache(n_rows: int = 1_000_000, loss: str = "ranknet") -> dict[str, float]:
    """Print what two processes spend on compilation; return what the second spends.

    As shares of the first. A cache holds programs, and no tracing of functions.
    """
    with tempfile.TemporaryDirectory() as folder:
        rows = [in_process(first_fit, folder, n_rows, loss) for _ in range(2)]
    for name, (first, compiled, again) in zip(("first", "second"), rows, strict=True):
        print(
            f"{name:7} process, CPU s: first fit {first:6.2f}, of it compilation "
            f"{compiled:6.2f}; the same fit again {again:6.2f}"
        )
    (_, compiled, _), (_, compiled_2, _) = rows
    more, more_2 = (first - again for first, _, again in rows)
    shares = {"compilation": compiled_2 / compiled, "with tracing": more_2 / more}
    print(
        f"second by first: compilation {shares['compilation']:.1%} (asked: <= 10 %), "
        f"with tracing {shares['with tracing']:.1%}"
    )
    return shares


COMMANDS = {
    "trees": trees,
    "growth": growth,
    "streams": streams,
    "memory": memory,
    "cache": cache,
}


def main(command: str, **options) -> dict:
    """Run a part of the benchmark."""
    return COMMANDS[command](**options)


if __name__ == "__main__":
    one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {one_thread}"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("trees", help="losses in boosted trees")
    command.add_argument("--rows", type=int, default=200_000, dest="n_rows")
    command.add_argument("--sizes", default="20,100", help="mean list sizes L")
    command.add_argument("--trees", type=int, default=200, dest="n_trees")
    command.add_argument("--losses", default="", dest="names", help="comma-separated")
    command = commands.add_parser("growth", help="exponents of time and memory")
    command.add_argument("--rows", type=int, default=1_000_000, dest="n_rows")
    command.add_argument("--sizes", default="1000,10000", help="mean list sizes L")
    command = commands.add_parser("streams", help="throughput from disk")
    command.add_argument("--rows", type=int, default=2_000_000, dest="n_rows")
    command.add_argument("--size", type=int, default=100, help="mean list size L")
    command = commands.add_parser("memory", help="data larger than memory")
    command.add_argument("--gigabytes", type=float, default=4.0)
    command.add_argument("--limit", type=float, default=1.0, help="of memory, in GB")
    command.add_argument("--scorer", default="linear")
    command.add_argument("--folder", default="", help="for the shards; a scratch one")
    command = commands.add_parser("cache", help="compilation in a second process")
    command.add_argument("--rows", type=int, default=1_000_000, dest="n_rows")
    command.add_argument("--loss", default="ranknet")
    main(**vars(parser.parse_args()))
