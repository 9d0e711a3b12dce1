"""Paths: CPU seconds and certified gap of each method, by family of instances.

A table for choosing the thresholds of ``solvers/paths/portfolio.py``, where comments
say what it showed. A cell is the median CPU time in seconds, with the number of
proofs; below it, the mean gap of the orders to the best of all methods. ``--data DIR``
adds TSPLIB's ATSP and SOP.

    python examples/benchmark_portfolio.py --seconds 5
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmark_paths import draw
from benchmark_public import SETS

from ltr.solvers import Precedence, Solution, solve_path

METHODS = ("auto", "dp", "branch_and_bound", "branch_and_cut", "cp_sat", "local_search")
Solve = Callable[..., Solution]


def ordered(n: int, density: float, seed: int) -> Solve:
    """A kind of sequential ordering: cities in the plane, random precedences."""
    rng = np.random.default_rng([seed, n])
    xy, hidden = rng.random((n, 2)), rng.permutation(n)
    cost = np.hypot(*(xy[:, None] - xy).transpose(2, 0, 1)) + rng.random((n, n)) / 20
    pairs = np.argwhere(np.triu(rng.random((n, n)) < density, 1))
    rules = [Precedence(int(hidden[i]), int(hidden[j])) for i, j in pairs]
    return partial(solve_path, -np.rint(1000 * cost), constraints=rules)


def families(
    sizes: tuple[int, ...], n_instances: int, data: str | None
) -> dict[str, list[tuple[int, Solve]]]:
    """Instances by family, each as its number of items and its solve."""
    table = {}
    for n in sizes:
        for kind in ("gauss", "succ", "cos", "sym"):
            matrices = [draw(kind, n, seed) for seed in range(n_instances)]
            table[f"{kind} {n}"] = [(n, partial(solve_path, m)) for m in matrices]
        for density in (0.02, 0.2):
            problems = [ordered(n, density, seed) for seed in range(n_instances)]
            table[f"ordered {density} {n}"] = [(n, solve) for solve in problems]
    for name in ("atsp", "sop") if data else ():
        for instance in SETS[name](Path(data)):
            table[instance.name] = [(instance.n_items - 1, instance.solve)]
    return table


def compare(
    name: str, problems: list[tuple[int, Solve]], limit_s: float
) -> list[dict[str, Any]]:
    """Print the row of a family and return its cells."""
    seconds: dict[str, list[float]] = {}
    solutions: dict[str, list[Solution]] = {}
    for method in METHODS:
        if method == "dp" and max(n for n, _ in problems) > 16:
            continue
        seconds[method], solutions[method] = [], []
        for _, solve in problems:
            started = time.process_time()
            solution = solve(method=method, time_limit_s=limit_s)
            seconds[method].append(time.process_time() - started)
            solutions[method].append(solution)
    best = [
        max(-np.inf if s.order is None else s.objective for s in row)
        for row in zip(*solutions.values(), strict=True)
    ]
    cells = []
    for method, row in solutions.items():
        behind = [
            np.inf if s.order is None else 100 * (top - s.objective) / max(1, abs(top))
            for s, top in zip(row, best, strict=True)
        ]
        cells.append(
            {
                "family": name,
                "method": method,
                "CPU s": float(np.median(seconds[method])),
                "proven": sum(s.is_optimal for s in row),
                "behind %": float(np.mean(behind)),
            }
        )
    count = len(problems)
    line = "  ".join(
        f"{c['method']} {c['CPU s']:.3f} s ({c['proven']}/{count}, "
        f"{c['behind %']:.2f} %)"
        for c in cells
    )
    print(f"{name:18s} {line}", flush=True)
    return cells


def main(
    sizes: tuple[int, ...] = (14, 20, 40, 70),
    n_instances: int = 3,
    seconds: float = 5.0,
    data: str | None = None,
) -> list[dict[str, Any]]:
    """Print all rows and return their cells."""
    print("family: method CPU s (proven, mean % behind the best order)")
    table = families(sizes, n_instances, data)
    return [cell for name, row in table.items() for cell in compare(name, row, seconds)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with TSPLIB's files")
    parser.add_argument("--seconds", type=float, default=5.0, help="limit of a solve")
    options = parser.parse_args()
    main(seconds=options.seconds, data=options.data)
