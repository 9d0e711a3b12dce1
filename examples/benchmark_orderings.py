"""Linear orderings: proofs and seconds on tables, votes and random matrices.

Prints, with each ratio measured in this run: batches of the dynamic program over
subsets against a plain NumPy one; Kemeny's consensus of 11 votes on 20 items against
corankco's exact method, if that is installed; random matrices by size; and with
``--data FOLDER`` the 50 input-output tables of LOLIB (``FOLDER/lolib/IO``) and the
sushi votes.

    python examples/benchmark_orderings.py --data FOLDER
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ltr.datasets import load_preflib
from ltr.solvers import kemeny, pairwise_counts, solve_ordering, solve_orderings


def seconds(run: Callable[[], Any], rounds: int = 5) -> tuple[float, Any]:
    """Median time of a call, and its last result."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        result = run()
        taken.append(time.perf_counter() - started)
    return median(taken), result


def plain_table(matrix: np.ndarray) -> float:
    """Value of the best order of one list by the textbook dynamic program."""
    n = len(matrix)
    sets = np.arange(1 << n)
    size = ((sets[:, None] >> np.arange(n)) & 1).sum(axis=1)
    added = np.zeros((n, 1 << n))
    for i in range(n):
        added[:, 1 << i : 2 << i] = added[:, : 1 << i] + matrix[i][:, None]
    best = np.full(1 << n, -np.inf)
    best[0] = 0.0
    for k in range(n):
        layer = sets[size == k]
        for j in range(n):
            before = layer[(layer >> j) & 1 == 0]
            after = before | 1 << j
            best[after] = np.maximum(best[after], best[before] + added[j, before])
    return float(best[-1])


def mallows(n_items: int, n_votes: int, spread: float, seed: int) -> list[list[int]]:
    """Draw votes around the order 0, 1, 2, … by repeated insertion."""
    rng = np.random.default_rng(seed)
    votes = []
    for _ in range(n_votes):
        vote: list[int] = []
        for item in range(n_items):
            chance = spread ** np.arange(item, -1, -1.0)
            vote.insert(int(rng.choice(item + 1, p=chance / chance.sum())), item)
        votes.append(vote)
    return votes


def batches(n_lists: int, rounds: int) -> dict[int, float]:
    """Ratio of the plain program's time per list to that of a list in a batch."""
    ratios = {}
    for n in (8, 10, 12):
        matrices = np.random.default_rng(n).normal(size=(n_lists, n, n))
        plain, value = seconds(lambda m=matrices[0]: plain_table(m), rounds)
        batch_s, solutions = seconds(
            lambda m=matrices: solve_orderings(m, n_jobs=1), rounds
        )
        assert abs(value - solutions[0].objective) < 1e-9
        per_list = batch_s / n_lists
        ratios[n] = plain / per_list
        print(
            f"table, n = {n:2}: batch {1e3 * per_list:.3f} ms a list, NumPy "
            f"{1e3 * plain:.3f} ms, ratio {ratios[n]:.1f}"
        )
    return ratios


def consensus(n_items: int, n_instances: int) -> float | None:
    """Median ratio of corankco's exact method to ours; None if it is not installed."""
    votes = [mallows(n_items, 11, 0.9, seed) for seed in range(n_instances)]
    kemeny(votes[0])
    ours = [seconds(lambda v=v: kemeny(v), 3) for v in votes]
    proven = np.mean([solution.is_optimal for _, solution in ours])
    taken_ms = 1e3 * median(taken for taken, _ in ours)
    print(
        f"Kemeny, {n_items} items, 11 votes: median {taken_ms:.2f} ms, "
        f"{proven:.0%} proven"
    )
    try:
        from corankco.algorithms.exact.exactalgorithmpulp import ExactAlgorithmPulp
        from corankco.dataset import Dataset
        from corankco.scoringscheme import ScoringScheme
    except ImportError:
        print("corankco is not installed: no ratio")
        return None
    ratios = []
    for vote, (taken, solution) in zip(votes, ours, strict=True):
        data = Dataset.from_raw_list([[{item} for item in one] for one in vote])
        scheme = ScoringScheme.get_unifying_scoring_scheme()
        method = ExactAlgorithmPulp()
        peer_s, peer_consensus = seconds(
            lambda d=data, s=scheme, m=method: m.compute_consensus_rankings(
                d, s, False
            ),
            1,
        )
        distance = pairwise_counts(vote).sum() - solution.objective
        assert abs(peer_consensus.kemeny_score - distance) < 1e-6
        ratios.append(peer_s / taken)
    print(
        f"corankco's exact method takes {median(ratios):.0f} times as long (same value)"
    )
    return median(ratios)


def random_matrices(sizes: tuple[int, ...], limit: float) -> None:
    """Uniform random matrices, the hard kind."""
    for n in sizes:
        matrices = np.random.default_rng(n).random((3, n, n))
        solutions = [solve_ordering(m, time_limit_s=limit) for m in matrices]
        taken = median(s.wall_time_s for s in solutions)
        gap = max(s.gap for s in solutions)
        proven = sum(s.is_optimal for s in solutions)
        print(
            f"uniform, n = {n:3}: {taken:7.3f} s, {proven} of 3 proven, "
            f"gap <= {gap:.2%}"
        )


def lolib(folder: Path, n_jobs: int | None = None) -> tuple[int, float]:
    """Solve and print all instances; the number proven, and total seconds."""
    lines = (folder / "optima.txt").read_text().splitlines()
    optima = {row.split()[0]: float(row.split()[2]) for row in lines if row[0] != "#"}
    matrices = []
    for name in optima:
        n, *entries = (folder / name).read_text().split()
        size = int(n)
        matrices.append(np.array(entries[: size**2], float).reshape(size, size))
    started = time.perf_counter()
    solutions = solve_orderings(matrices, n_jobs=n_jobs)
    total = time.perf_counter() - started
    print("\nLOLIB           n   objective       known       gap  status      s")
    for (name, optimum), solution in zip(optima.items(), solutions, strict=True):
        assert solution.order is not None
        print(
            f"{name:13} {len(solution.order):3} {solution.objective:11.0f} "
            f"{optimum:11.0f} {solution.gap:9.2e}  {solution.status.value:8} "
            f"{solution.wall_time_s:6.2f}"
        )
    equal = sum(
        s.is_optimal and s.objective == optimum
        for s, optimum in zip(solutions, optima.values(), strict=True)
    )
    print(
        f"{equal} of {len(solutions)} proven and equal to the known optimum, "
        f"{total:.1f} s"
    )
    return equal, total


def sushi(path: Path) -> float:
    """Milliseconds of the exact consensus of 5,000 votes, counting included."""
    votes = load_preflib(path)
    taken, solution = seconds(lambda: kemeny(votes.rankings, weights=votes.counts))
    print(f"sushi, 5,000 x 10: {1e3 * taken:.1f} ms, {solution.status.value}")
    return 1e3 * taken


def main(
    data: str | None = None,
    n_lists: int = 512,
    n_instances: int = 8,
    rounds: int = 5,
    sizes: tuple[int, ...] = (20, 30, 40, 60, 100),
    limit: float = 10.0,
) -> dict[str, Any]:
    """Print everything; return the ratios."""
    result: dict[str, Any] = {"batches": batches(n_lists, rounds)}
    result["corankco"] = consensus(20, n_instances)
    random_matrices(sizes, limit)
    if data:
        result["sushi_ms"] = sushi(Path(data, "preflib", "small", "00014-00000001.soc"))
        result["lolib"] = lolib(Path(data, "lolib", "IO"))
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with lolib and preflib")
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main(options.data)
