"""Two processes of jax.distributed against one: what a shared step gains.

Each process is pinned to a core of its own. Steps of a network on two processes are
compared with those on one, with the same lists; the control is two processes that only
multiply matrices, against one: it says whether there are two free cores at all. Below
1.8 there, the other ratios say nothing. Cores of virtual machines come and go within
minutes, so each round measures all of it, one after the other; what is printed is the
median of the rounds, and their range.

Run with: python examples/benchmark_hosts.py --lists 1024 --batch-size 256
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import warnings

import numpy as np

N_FEATURES = 50


def burn(seconds: float) -> float:
    """Products of matrices a second."""
    matrix = np.random.default_rng(0).normal(size=(256, 256))
    started, n = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        matrix @ matrix
        n += 1
    return n / (time.perf_counter() - started)


def worker(process: int, n_processes: int, port: int, options: dict) -> None:
    """Print the seconds of an epoch, or the speed of the control."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[process % len(cores)]})
    if options["scorer"] == "control":
        print(json.dumps(burn(options["seconds"])))
        return
    import jax

    if n_processes > 1:
        jax.distributed.initialize(f"localhost:{port}", n_processes, process)
    from ltr import NeuralRanker

    warnings.simplefilter("ignore")
    n_lists, size = options["lists"], options["size"]
    own = np.arange(process, n_lists, n_processes)
    rng = np.random.default_rng(process)
    X = rng.normal(size=(len(own) * size, N_FEATURES)).astype(np.float32)
    y = (X[:, 0] + rng.normal(size=len(X)) > 1.0).astype(float)
    ranker = NeuralRanker(
        "listnet",
        options["scorer"],
        devices="all" if n_processes > 1 else None,
        batch_size=options["batch_size"],
        max_epochs=options["epochs"],
        early_stopping=False,
        random_state=0,
    )
    ranker.fit(X, y, np.repeat(own, size))
    print(json.dumps(min(ranker.history_["seconds"])), flush=True)


def run(n_processes: int, options: dict) -> list[float]:
    """What each of some processes has measured."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    }

    def arguments(process: int) -> str:
        return json.dumps([process, n_processes, port, options])

    processes = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", arguments(process)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for process in range(n_processes)
    ]
    lines = [process.communicate()[0].splitlines() for process in processes]
    return [float(json.loads(line[-1])) for line in lines]


def main(
    lists: int = 1024,
    size: int = 100,
    batch_size: int = 256,
    epochs: int = 3,
    rounds: int = 3,
    seconds: float = 3.0,
    scorers: str = "attention,mlp",
) -> dict[str, list[float]]:
    """Print and return how many times as fast two processes are, in each round."""
    options = {
        "lists": lists,
        "size": size,
        "batch_size": batch_size,
        "epochs": epochs,
        "seconds": seconds,
    }
    names = ["control", *scorers.split(",")]
    ratios: dict[str, list[float]] = {name: [] for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            one, two = (run(n, options | {"scorer": name}) for n in (1, 2))
            # the control has speeds, the others seconds of an epoch
            ratio = sum(two) / sum(one) if name == "control" else max(one) / max(two)
            ratios[name].append(ratio)
            times[name].append(max(one))
    n_steps = -(-lists // batch_size)
    for name in names:
        line = (
            f"{name:>10}  median {np.median(ratios[name]):.2f} ×, "
            f"{min(ratios[name]):.2f} to {max(ratios[name]):.2f} in {rounds} rounds"
        )
        if name != "control":
            step = 1e3 * float(np.median(times[name])) / n_steps
            line += f"; {step:.1f} ms a step of {batch_size} lists of {size} in one"
            line += ", too short to share: raise --batch-size" * (step < 5.0)
        print(line, flush=True)
    return ratios


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*json.loads(sys.argv[2]))
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--lists", type=int, default=1024)
        parser.add_argument("--size", type=int, default=100)
        parser.add_argument("--batch-size", type=int, default=256)
        parser.add_argument("--epochs", type=int, default=3)
        parser.add_argument("--rounds", type=int, default=3)
        parser.add_argument("--seconds", type=float, default=3.0)
        parser.add_argument("--scorers", default="attention,mlp")
        main(**vars(parser.parse_args()))
