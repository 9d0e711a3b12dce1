"""Public instances, each within a limit of seconds by the clock: one table.

Reads every file of the sets below DIR (searched with all its folders) and prints one
row per instance: the objective, the best published value, and the CPU seconds.
On a busy machine a second of the clock is less of CPU.

    python examples/benchmark_public.py --data DIR
    python examples/benchmark_public.py --data DIR --seconds 10 --sets atsp,sop

``atsp``: asymmetric tours of TSPLIB (``*.atsp``). ``sop``: sequential ordering of
TSPLIB (``*.sop``). ``lolib``: linear orderings, in files that hold a number n and an
n x n matrix of integers, as those of LOLIB do; the best values are read from a file
``optima.txt`` or ``best_known.txt`` beside them, whose lines are ``name value`` or
``name n value``.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ltr.datasets import load_tsplib
from ltr.solvers import Precedence, Solution, solve_ordering, solve_path

# Least costs: of ATSP from TSPLIB95's list of best solutions (Reinelt); of SOP, where
# that list has intervals, of the orders of Gambardella and Dorigo (2000) and of papers
# since, never the lower end of an interval, which no order need reach. The list is
# wrong on p43.1, where it says 27990: CP-SAT proves in a second that no order costs as
# little (a circuit, positions, cost <= 27990); 28140 is reached.
ATSP = """
    br17 39 ft53 6905 ft70 38673 ftv33 1286 ftv35 1473 ftv38 1530 ftv44 1613 ftv47 1776
    ftv55 1608 ftv64 1839 ftv70 1950 ftv90 1579 ftv100 1788 ftv110 1958 ftv120 2166
    ftv130 2307 ftv140 2420 ftv150 2611 ftv160 2683 ftv170 2755 kro124p 36230 p43 5620
    rbg323 1326 rbg358 1163 rbg403 2465 rbg443 2720 ry48p 14422"""
SOP = """
    ESC07 2125 ESC12 1675 ESC25 1681 ESC47 1288 ESC63 62 ESC78 18230 br17.10 55
    br17.12 55 ft53.1 7531 ft53.2 8026 ft53.3 10262 ft53.4 14425 ft70.1 39313
    ft70.2 40419 ft70.3 42535 ft70.4 53530 kro124p.1 39420 kro124p.2 41336
    kro124p.3 49499 kro124p.4 76103 p43.1 28140 p43.2 28480 p43.3 28835 p43.4 83005
    prob.42 243 prob.100 1163 rbg048a 351 rbg050c 467 rbg109a 1038 rbg150a 1750
    rbg174a 2033 rbg253a 2950 rbg323a 3140 rbg341a 2568 rbg358a 2545 rbg378a 2816
    ry48p.1 15805 ry48p.2 16666 ry48p.3 19894 ry48p.4 31446"""


@dataclass(frozen=True)
class Instance:
    """A problem of a public set, whatever its kind.

    Attributes
    ----------
    name : str
        Its published name.
    n_items : int
        Nodes or items.
    solve : callable
        Solves it within a time limit in seconds.
    sign : int
        -1 if the published values are costs, which the solvers maximize negated.
    best_known : float or None
        The best value that is published.
    """

    name: str
    n_items: int
    solve: Callable[..., Solution]
    sign: int = 1
    best_known: float | None = None


def published(values: str) -> dict[str, float]:
    """Best values by name, from a text of names and values."""
    words = values.split()
    return {
        name: float(value) for name, value in zip(words[::2], words[1::2], strict=True)
    }


def atsp(folder: Path) -> Iterator[Instance]:
    """Closed tours; city 0 becomes the start and the end of a path."""
    best = published(ATSP)
    for path in sorted(folder.rglob("*.atsp")):
        data = load_tsplib(path)
        cost = data.matrix
        solve = partial(solve_path, -cost[1:, 1:], start=-cost[0, 1:], end=-cost[1:, 0])
        yield Instance(path.stem, len(cost), solve, -1, best.get(path.stem))


def sop(folder: Path) -> Iterator[Instance]:
    """Paths from the first city to the last that keep precedences."""
    best = published(SOP)
    for path in sorted(folder.rglob("*.sop")):
        data = load_tsplib(path)
        cost = data.matrix
        start = np.where(np.arange(len(cost)) == 0, 0.0, -np.inf)
        solve = partial(
            solve_path,
            np.where((cost < 0) | (cost >= 1e6), -np.inf, -cost),
            start=start,
            end=start[::-1],
            constraints=[Precedence(*pair) for pair in data.precedences],
        )
        yield Instance(path.stem, len(cost), solve, -1, best.get(path.stem))


def square_matrix(path: Path) -> np.ndarray | None:
    """A file of LOLIB: n, then n x n integers, the diagonal set to 0; None: another."""
    with path.open("rb") as file:
        if not file.readline(40).strip().isdigit():
            return None
    try:
        numbers = np.array(path.read_text().split(), dtype=np.float64)
    except (UnicodeDecodeError, ValueError):
        return None
    n = int(numbers[0])
    if n < 2 or len(numbers) != 1 + n * n:
        return None
    matrix = numbers[1:].reshape(n, n)
    np.fill_diagonal(matrix, 0.0)
    return matrix


def lolib(folder: Path) -> Iterator[Instance]:
    """Linear orderings; their values do not count the diagonal."""
    best: dict[str, float] = {}
    for name in ("optima.txt", "best_known.txt"):
        for path in folder.rglob(name):
            rows = [line.split() for line in path.read_text().splitlines()]
            best |= {
                row[0]: float(row[1 if len(row) == 2 else 2])
                for row in rows
                if len(row) > 1 and row[0][0] != "#"
            }
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        matrix = square_matrix(path)
        if matrix is not None:
            solve = partial(solve_ordering, matrix)
            yield Instance(path.name, len(matrix), solve, 1, best.get(path.name))


# A function per set: from a folder to its instances.
SETS = {"atsp": atsp, "sop": sop, "lolib": lolib}


def measure(instance: Instance, limit_s: float) -> dict[str, object]:
    """Solve an instance and return its row."""
    started = time.process_time()
    solution = instance.solve(time_limit_s=limit_s)
    taken = time.process_time() - started
    best, sign = instance.best_known, instance.sign
    objective = np.nan if solution.order is None else sign * solution.objective
    above = np.nan
    if best is not None:
        above = 100 * sign * (best - objective) / max(abs(best), 1e-12) + 0.0
    return {
        "instance": instance.name,
        "n": instance.n_items,
        "method": solution.method,
        "objective": objective,
        "best known": np.nan if best is None else best,
        "gap to best %": above,
        "certified gap %": 100 * solution.gap,
        "status": solution.status.value,
        "CPU s": taken,
        "overrun s": max(0.0, taken - 1.1 * limit_s - 0.3),
    }


def summary(name: str, rows: list[dict[str, object]]) -> str:
    """Number of proofs and of orders near the best known, in one line."""
    gaps = np.array([row["gap to best %"] for row in rows], dtype=float)
    n_proven = sum(row["status"] == "OPTIMAL" for row in rows)
    n_over = sum(row["overrun s"] > 0 for row in rows)
    return (
        f"{name}: {n_proven} of {len(rows)} proven; "
        f"{(gaps <= 3).sum()} of {np.isfinite(gaps).sum()} with a published value "
        f"within 3 % of it, {(gaps <= 0.3).sum()} within .3 %; "
        f"{n_over} beyond 1.1 x limit + .3 s"
    )


def main(
    data: str, seconds: float = 30.0, sets: str = ",".join(SETS)
) -> list[dict[str, object]]:
    """Print the table and return its rows."""
    heads = (
        f"{'instance':16s}{'n':>5s} {'method':18s}{'objective':>14s}{'best known':>14s}"
        f"{'to best %':>11s}{'certified %':>13s} {'status':9s}{'CPU s':>8s}"
        f"{'overrun':>9s}"
    )
    print(heads, flush=True)
    table, summaries = [], []
    for name in sets.split(","):
        rows = []
        for instance in SETS[name](Path(data)):
            row = measure(instance, seconds)
            rows.append(row)
            print(
                "{instance:16s}{n:5d} {method:18s}{objective:14.10g}"
                "{best known:14.10g}{gap to best %:11.3f}{certified gap %:13.3f} "
                "{status:9s}{CPU s:8.2f}{overrun s:9.2f}".format(**row).replace(
                    " nan", "   -"
                ),
                flush=True,
            )
        summaries.append(summary(name, rows))
        table += rows
    print(*summaries, sep="\n")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder with the files")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--sets", default=",".join(SETS), help="e.g. atsp,sop")
    options = parser.parse_args()
    main(options.data, options.seconds, options.sets)
