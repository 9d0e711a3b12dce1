"""What a saved ranker costs to serve: time, memory, and ltr serve under load.

    python examples/benchmark_serving.py           # the table of rankers
    python examples/benchmark_serving.py --load    # 200 connections for 60 seconds

The table has, for each ranker, CPU time of `from ltr import load_ranker` and of loading
and resident memory, both as ratios to a process that has imported NumPy; and the time
of `predict` for one list of 100 items of 136 features, on one thread and on eight that
predict at once, beside the forward pass in bare NumPy, LightGBM's own Booster and
treelite where it is installed. Rows are measured in one run, and ratios are to be
compared, not times: other machines, and other processes, have others.

The load test starts `ltr serve`, keeps connections that each wait for their answer
before the next request, and stops the server by SIGTERM while they are at it: an answer
that has begun, or a request that was sent before, must come.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np

N_ITEMS, N_FEATURES = 100, 136
COST = """
import re, sys, time
def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = time.thread_time()
import numpy
numpy_s, numpy_kib = time.thread_time() - before, resident()
before = time.thread_time()
from ltr import load_ranker
ranker = load_ranker(sys.argv[1])
ours_s = time.thread_time() - before
heavy = {"jax", "sklearn", "pandas", "scipy", "lightgbm"} & set(sys.modules)
print((numpy_s + ours_s) / numpy_s, resident() / numpy_kib, ",".join(heavy) or "-")
"""


def save_rankers(folder: Path, names: list[str]) -> None:
    """Rankers with the default sizes; their weights do not matter here."""
    from ltr import (
        AutoRanker,
        LambdaMARTRanker,
        LinearRanker,
        NeuralRanker,
        save_ranker,
    )
    from ltr.datasets import make_ranking

    data = make_ranking(
        60, list_size=(20, 60), n_features=N_FEATURES, n_informative=20, random_state=0
    )
    short = {"max_epochs": 1, "random_state": 0}
    members = ["linear", "trees", "lambdamart"]
    rankers = {
        "linear": NeuralRanker("ranknet", "linear", **short),
        "mlp": NeuralRanker("ranknet", "mlp", **short),
        "wide_deep": NeuralRanker("ranknet", "wide_deep", **short),
        "attention": NeuralRanker("ranknet", "attention", **short),
        "ridge": LinearRanker(),
        "trees": LambdaMARTRanker(n_estimators=100, n_jobs=1, random_state=0),
        "auto": AutoRanker(members=members, n_jobs=1, random_state=0),
    }
    warnings.simplefilter("ignore")  # one epoch is not enough, and is not meant to be
    for name in names or rankers:
        save_ranker(rankers[name].fit(data.X, data.y, data.qid), folder / name)


def saved_elsewhere(folder: Path, *names: str) -> None:
    """Save rankers in another process, so that this one imports no estimator."""
    subprocess.run(
        [sys.executable, __file__, "--save", str(folder), *names], check=True
    )


def cost(folder: Path) -> tuple[float, float, str]:
    """CPU time and memory by those of NumPy, and heavy libraries; medians of five."""
    rows = []
    for _ in range(5):
        words = [sys.executable, "-c", COST, str(folder)]
        run = subprocess.run(words, capture_output=True, text=True, check=True)
        rows.append(run.stdout.split())
    times, memories = (sorted(float(row[i]) for row in rows)[2] for i in (0, 1))
    return times, memories, rows[0][2]


def latency(call, n_threads: int, n_calls: int) -> tuple[float, float]:
    """Median and 99th percentile in microseconds, of threads that call at once."""
    for _ in range(20):
        call()
    results: list[np.ndarray] = []

    def run() -> None:
        seconds = np.empty(n_calls)
        for i in range(n_calls):
            began = time.perf_counter()
            call()
            seconds[i] = time.perf_counter() - began
        results.append(seconds)

    threads = [threading.Thread(target=run) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p99 = np.percentile(np.concatenate(results), [50, 99]) * 1e6
    return p50, p99


def peers(folder: Path, X: np.ndarray) -> dict[str, object]:
    """What else predicts with the same weights: bare NumPy, LightGBM, treelite."""
    arrays = np.load(folder / "mlp" / "arrays.npz")
    weights = [arrays[f"params_{i}"].astype(np.float64) for i in range(6)]

    def forward() -> np.ndarray:
        h = X
        for W, b in zip(weights[:4:2], weights[1:4:2], strict=True):
            h = np.maximum(h @ W + b, 0.0)
        return h @ weights[4] + weights[5]

    calls: dict[str, object] = {"mlp: bare NumPy": forward}
    import lightgbm

    text = (folder / "trees" / "trees.txt").read_text()
    booster = lightgbm.Booster(model_str=text)
    calls["trees: Booster"] = lambda: booster.predict(X, num_threads=1)
    try:
        import treelite
    except ImportError:
        return calls
    model = treelite.frontend.from_lightgbm(booster)
    calls["trees: treelite"] = lambda: treelite.gtil.predict(model, X, nthread=1)
    return calls


def table(folder: Path, n_calls: int) -> None:
    """Print a row for each ranker and each peer."""
    from ltr import load_ranker

    X = np.random.default_rng(0).normal(size=(N_ITEMS, N_FEATURES))
    print(
        f"{'':18s} {'time/NumPy':>10s} {'mem/NumPy':>9s} {'p50 us':>7s} {'p99 us':>7s} "
        f"{'8: p50':>7s} {'8: p99':>8s}  imports"
    )

    def show(name: str, call, costs: tuple[float, float, str] | None) -> None:
        one = latency(call, 1, n_calls)
        eight = latency(call, 8, max(1, n_calls // 8))
        left = " " * 20 if costs is None else f"{costs[0]:10.2f} {costs[1]:9.2f}"
        right = "" if costs is None else costs[2]
        print(
            f"{name:18s} {left} {one[0]:7.0f} {one[1]:7.0f} {eight[0]:7.0f} "
            f"{eight[1]:8.0f}  {right}",
            flush=True,
        )

    for path in sorted(folder.iterdir()):
        ranker = load_ranker(path)
        show(path.name, lambda ranker=ranker: ranker.predict(X), cost(path))
    for name, call in peers(folder, X).items():
        show(name, call, None)


async def connection(port: int, body: bytes, state: dict) -> None:
    """Send request after request; note the time of each answer, and each failure."""
    head = f"POST /rank HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while time.perf_counter() < state["end"] and not state["stopping"]:
            began = time.perf_counter()
            writer.write(request)
            await writer.drain()
            status = await reader.readline()
            is_ok, length = status.startswith(b"HTTP/1.1 200"), 0
            while (line := await reader.readline()).strip():
                if line.lower().startswith(b"content-length"):
                    length = int(line.split(b":")[1])
            await reader.readexactly(length)
            state["seconds"].append(time.perf_counter() - began)
            state["errors"] += not is_ok
    except (OSError, asyncio.IncompleteReadError):
        # the server is stopping: a request that it had not begun to read may be dropped
        state["dropped" if state["stopping"] else "errors"] += 1
    finally:
        writer.close()


def resident_mib(pid: int) -> float:
    """Memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def hammer(port: int, pid: int, options: argparse.Namespace) -> dict:
    """Run the connections, and note the memory of the server every second."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(options.items, N_FEATURES)).round(5).tolist()
    body = json.dumps({"features": rows, "k": 10}).encode()
    state: dict = {
        "seconds": [],
        "errors": 0,
        "dropped": 0,
        "stopping": False,
        "memory": [],
        "end": time.perf_counter() + options.seconds,
        "kib": len(body) / 1024,
    }
    tasks = [
        asyncio.create_task(connection(port, body, state))
        for _ in range(options.connections)
    ]
    while time.perf_counter() < state["end"] - min(1.0, options.seconds / 4):
        await asyncio.sleep(min(1.0, options.seconds / 10))
        state["memory"].append(resident_mib(pid))
    state["stopping"] = True  # no connection sends another request from here on
    os.kill(pid, signal.SIGTERM)  # while all of them wait for an answer
    await asyncio.gather(*tasks)
    return state


def load_test(folder: Path, options: argparse.Namespace) -> None:
    """Start a server, hammer it, stop it, and print what happened."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "import sys; from ltr.cli import main; sys.exit(main(sys.argv[1:]))"
    settings = ["--model", str(folder / options.ranker), "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-c", code, "serve", *settings],
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        state = asyncio.run(hammer(port, server.pid, options))
        server.wait(timeout=30)
    finally:
        server.kill()
    seconds, memory = np.array(state["seconds"]), state["memory"]
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    tenth = len(memory) // 10
    print(
        f"{options.ranker}: {options.connections} connections, {options.seconds:g} s, "
        f"lists of {options.items} x {N_FEATURES} ({state['kib']:.0f} KiB)\n"
        f"requests {len(seconds)}, {len(seconds) / options.seconds:.0f} a second; "
        f"errors {state['errors']}; after SIGTERM unanswered {state['dropped']}\n"
        f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {seconds.max() * 1e3:.0f} ms\n"
        f"memory of the server {memory[tenth]:.1f} MiB after a "
        f"tenth, {memory[-1]:.1f} MiB at the end; exit status "
        f"{server.returncode}"
    )


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--load", action="store_true", help="the load test")
    parser.add_argument("--ranker", default="mlp", help="what the load test serves")
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--items", type=int, default=N_ITEMS, help="of a list")
    parser.add_argument("--calls", type=int, default=1000, help="of each predict")
    parser.add_argument("--save", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.save:
        save_rankers(Path(options.save[0]), options.save[1:])
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("saving rankers …", flush=True)
        if options.load:
            saved_elsewhere(folder, options.ranker)
            load_test(folder, options)
        else:
            saved_elsewhere(folder)
            table(folder, options.calls)


if __name__ == "__main__":
    main()
