"""Reading LETOR files: load_letor compared with scikit-learn's load_svmlight_file.

Writes generated data with all features on each line, and with half of them. Reads each
file with both loaders in turn, and prints the ratio of times (process time and wall
clock) and the peak memory of load_letor relative to the array that it returns.

    python examples/benchmark_loading.py --megabytes 1000
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.datasets import load_svmlight_file

from ltr.datasets import RankingData, load_letor, make_ranking, save_letor

PEAK = """
import sys
from pathlib import Path
import pandas  # loaded by load_letor, and no part of its peak
from ltr.datasets import load_letor
status = Path("/proc/self/status")  # Linux; getrusage counts the parent process too
def peak():
    return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
before = peak() if status.exists() else float("nan")
X = load_letor(sys.argv[1]).X
after = peak() if status.exists() else float("nan")
print((after - before) / X.nbytes)
"""


def write(path: Path, megabytes: float, density: float) -> None:
    """Write queries of 100 rows with 136 features until the file is large enough."""
    rng = np.random.default_rng(0)
    data = make_ranking(4, list_size=100, n_features=136, random_state=0)
    X = np.round(data.X, 6)
    block, n_blocks = path.with_suffix(".block"), 0
    with path.open("wb") as file:
        while file.tell() < megabytes * 1e6:
            if n_blocks < 50:  # later blocks reuse these features
                values = rng.permutation(X.ravel()).reshape(X.shape)
                values[rng.random(X.shape) >= density] = 0.0
                save_letor(RankingData(values, data.y, data.qid), block, sparse=True)
            text = block.read_bytes()
            file.write(text.replace(b" qid:", b" qid:%d" % (n_blocks + 1)))
            n_blocks += 1
    block.unlink()


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Process time and wall clock of one call."""
    started = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - started[0], time.perf_counter() - started[1]


def compare(path: Path, rounds: int) -> tuple[float, float]:
    """Median ratios of our time to scikit-learn's, after a check of equality."""
    array, peer_array = load_letor(path).X, load_svmlight_file(str(path))[0]
    assert all(
        np.array_equal(array[i : i + 1000], peer_array[i : i + 1000].toarray())
        for i in range(0, len(array), 1000)
    )
    del array, peer_array
    ratios = []
    for _ in range(rounds):
        a = seconds(lambda: load_letor(path))
        b = seconds(lambda: load_svmlight_file(str(path), query_id=True))
        ratios.append((a[0] / b[0], a[1] / b[1]))
    process, wall = (statistics.median(side) for side in zip(*ratios, strict=True))
    return process, wall


def main(megabytes: float = 50, rounds: int = 3) -> dict[str, dict[str, float]]:
    """Print and return the ratios for dense and half-empty lines."""
    table = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, density in (("dense", 1.0), ("half-empty", 0.5)):
            path = Path(folder) / f"{name}.txt"
            write(path, megabytes, density)
            process, wall = compare(path, rounds)
            command = [sys.executable, "-c", PEAK, str(path)]
            peak = subprocess.run(command, capture_output=True, text=True, check=True)
            table[name] = {
                "megabytes": path.stat().st_size / 1e6,
                "ratio": process,
                "wall": wall,
                "peak": float(peak.stdout),
            }
            path.unlink()
            print(
                f"{name}: {table[name]['megabytes']:,.0f} MB, time {process:.2f} of "
                f"scikit-learn's (wall clock {wall:.2f}), peak memory "
                f"{table[name]['peak']:.2f} of the array"
            )
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main(options.megabytes, options.rounds)
