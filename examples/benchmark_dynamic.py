"""Milliseconds per list of the dynamic programs over subsets, compared with NumPy.

Each row is a compiled program on a batch of lists of n items: best path, log Z of the
path distribution, its value and gradient, P(i before j), and the same for linear
orderings. The last columns are the time of the same maximum in NumPy, vectorized over
the batch, and its ratio to ours, both measured in the same run.

    python examples/benchmark_dynamic.py
    python examples/benchmark_dynamic.py --gpu-size     # 10^5 lists at n = 8, 10, 12
"""

import argparse
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from ltr.solvers import dynamic


def numpy_path(matrix: np.ndarray) -> np.ndarray:
    """Held-Karp, set by set, vectorized over the lists."""
    n_lists, n, _ = matrix.shape
    gain = np.full((1 << n, n, n_lists), -np.inf, matrix.dtype)
    arcs = np.moveaxis(matrix, 0, -1)
    for s in range(1, 1 << n):
        members = [i for i in range(n) if s >> i & 1]
        for j in members:
            others = [i for i in members if i != j]
            if others:
                gain[s, j] = (gain[s ^ (1 << j), others] + arcs[others, j]).max(axis=0)
            else:
                gain[s, j] = 0.0
    return gain[-1].max(axis=0)


def numpy_ordering(matrix: np.ndarray) -> np.ndarray:
    """Best orderings of all sets, vectorized over the lists."""
    n_lists, n, _ = matrix.shape
    value = np.zeros((1 << n, n_lists), matrix.dtype)
    into = np.zeros((1 << n, n, n_lists), matrix.dtype)  # sum over the set's rows
    pairs = np.moveaxis(matrix, 0, -1)
    for s in range(1, 1 << n):
        lowest = (s & -s).bit_length() - 1
        into[s] = into[s & (s - 1)] + pairs[lowest]
        members = [j for j in range(n) if s >> j & 1]
        before = [s ^ (1 << j) for j in members]
        value[s] = (value[before] + into[before, members]).max(axis=0)
    return value[-1]


def with_gradient(function: Callable) -> Callable:
    """Values of a batch and the gradient of their sum."""
    return jax.value_and_grad(lambda matrix: function(matrix).sum())


PROGRAMS: dict[str, tuple[Callable, Callable | None]] = {
    "best path": (dynamic.best_path, numpy_path),
    "path log Z": (dynamic.path_log_partition, None),
    "path log Z + gradient": (with_gradient(dynamic.path_log_partition), None),
    "path P(i before j)": (dynamic.path_precedence, None),
    "best ordering": (dynamic.best_ordering, numpy_ordering),
    "ordering log Z": (dynamic.ordering_log_partition, None),
    "ordering log Z + gradient": (
        with_gradient(dynamic.ordering_log_partition),
        None,
    ),
}


def timed(function: Callable, matrix: object, rounds: int) -> tuple[float, object]:
    """Median seconds of a call, after a warm-up, and its result."""
    result = jax.block_until_ready(function(matrix))
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        jax.block_until_ready(function(matrix))
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), result


def main(
    sizes: tuple[int, ...] = (5, 8, 10, 12),
    n_lists: int = 1000,
    rounds: int = 5,
    numpy_lists: int = 64,
) -> list[dict[str, object]]:
    """Print and return a row per size and program."""
    print(
        f"{n_lists} lists on {jax.devices()[0].device_kind}, float32, "
        f"jax {jax.__version__}; NumPy on {numpy_lists} lists"
    )
    table = []
    for n in sizes:
        rng = np.random.default_rng(n)
        matrix = rng.normal(size=(n_lists, n, n)).astype(np.float32)
        numpy_batch = matrix[:numpy_lists]
        on_device = jnp.asarray(matrix)
        for name, (program, peer) in PROGRAMS.items():
            started = time.perf_counter()
            compiled = jax.jit(program).lower(on_device).compile()
            compile_s = time.perf_counter() - started
            seconds, result = timed(compiled, on_device, rounds)
            row = {"n": n, "program": name, "ms": 1e3 * seconds / n_lists}
            row["compile s"] = compile_s
            text = f"n={n:<3} {name:26} {row['ms']:9.5f} ms/list"
            text += f"   compiled in {compile_s:.1f} s"
            if peer is not None:
                peer_s, expected = timed(peer, numpy_batch, 1)
                values = result[0][: len(numpy_batch)]
                np.testing.assert_allclose(values, expected, rtol=1e-4)
                row["numpy ms"] = 1e3 * peer_s / len(numpy_batch)
                row["ratio"] = row["numpy ms"] / row["ms"]
                text += f"   NumPy {row['numpy ms']:.4f}, {row['ratio']:.1f} x"
            print(text, flush=True)
            table.append(row)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5, 8, 10, 12])
    parser.add_argument("--lists", type=int, default=1000)
    parser.add_argument("--gpu-size", action="store_true", help="10^5 lists, n = 8-12")
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    if options.gpu_size:
        main((8, 10, 12), n_lists=100_000, numpy_lists=256)
    else:
        main(tuple(options.sizes), options.lists)
