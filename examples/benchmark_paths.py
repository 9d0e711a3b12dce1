"""Maximum-weight paths: time to a proof, compared with LKH and tuned CP-SAT in one run.

LKH (``pip install elkai``) proves nothing; CP-SAT is ``add_circuit`` with one worker,
linear relaxation at level 2 and no presolve. Times are process times on one core; up to
50 items they are the best of three runs.

With --jobs: what a batch of hard lists gains from all cores, by the clock, beside what
products of matrices in as many threads gain, which says how many cores are free.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from joblib import cpu_count
from threadpoolctl import threadpool_limits

from ltr.datasets import load_tsplib
from ltr.solvers import Precedence, solve_path, solve_paths
from ltr.solvers.core.budget import Budget
from ltr.solvers.paths.cp_sat import cp_sat
from ltr.solvers.paths.problem import Incumbent, path_problem

EASY = ("gauss", "succ", "sig", "bilin", "lin")
NEARLY_SYMMETRIC = ("cos", "sym")


def draw(family, n, seed):
    """One matrix: of five asymmetric kinds, or of two that are nearly symmetric."""
    rng = np.random.default_rng([seed, n, len(family), ord(family[0])])
    noise, s = rng.normal(size=(n, n)), rng.normal(size=n)
    if family == "succ":  # peaks at the successor in a hidden order
        order = rng.permutation(n)
        noise[order[:-1], order[1:]] += 3
    elif family == "sig":  # probabilities that i is better than j
        return 1 / (1 + np.exp(-3 * (s[:, None] - s) - noise))
    elif family == "bilin":
        points = rng.normal(size=(n, 8))
        return points @ rng.normal(size=(8, 8)) @ points.T / 8
    elif family == "lin":
        return 0.3 * (s[:, None] - s) + 0.3 * noise
    elif family == "cos":  # cosines plus 20 % skew-symmetric noise
        points = rng.normal(size=(n, 8))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        cosines = points @ points.T
        return cosines + 0.1 * cosines.std() * (noise - noise.T)
    elif family == "sym":
        return (noise + noise.T) / 2
    return noise


def seconds(function, tries=1):
    """Least processor time of several calls, and the last result."""
    fastest = np.inf
    for _ in range(tries):
        started = time.process_time()
        result = function()
        fastest = min(fastest, time.process_time() - started)
    return fastest, result


def lkh(matrix, tries=1):
    """Time of LKH with one run, and the value of its order; None without elkai."""
    try:
        import elkai
    except ImportError:
        return None
    n = len(matrix)
    cost = np.zeros((n + 1, n + 1))
    cost[1:, 1:] = matrix.max() - matrix
    np.fill_diagonal(cost, 0)
    integers = np.rint(cost / cost.max() * 1e5).astype(int).tolist()
    taken, tour = seconds(lambda: elkai.solve_int_matrix(integers, 1), tries)
    order = np.array(tour[1:]) - 1
    return taken, matrix[order[:-1], order[1:]].sum()


def tuned_cp_sat(matrix, time_limit_s):
    """CP-SAT alone: all arcs, no incumbent, no bound."""
    zeros = np.zeros(len(matrix))
    cp_sat(Incumbent(path_problem(matrix, zeros, zeros)), Budget(time_limit_s))


def compare(family, n, n_instances, time_limit_s):
    """Print one row: medians over instances, ratios taken instance by instance."""
    to_lkh, to_cp_sat, ms, proven, gaps = [], [], [], 0, []
    for seed in range(n_instances):
        matrix = draw(family, n, seed)
        tries = 3 if n <= 50 else 1
        peer = lkh(matrix, tries)
        taken, solution = seconds(
            lambda m=matrix: solve_path(m, time_limit_s=time_limit_s), tries
        )
        ms.append(1e3 * taken)
        gaps.append(100 * solution.gap)
        proven += solution.is_optimal
        if peer is not None:
            to_lkh.append(peer[0] / taken)
            assert peer[1] <= solution.bound + 1e-6 * abs(solution.bound)
        if n <= 100:
            tuned = seconds(lambda m=matrix: tuned_cp_sat(m, time_limit_s), tries)
            to_cp_sat.append(tuned[0] / taken)
    row = {
        "family": family,
        "n": n,
        "ms": np.median(ms),
        "LKH": np.median(to_lkh) if to_lkh else np.nan,
        "CP-SAT": np.median(to_cp_sat) if to_cp_sat else np.nan,
        "proven": proven / n_instances,
        "gap": max(gaps),
    }
    print(
        f"{family:6s} n={n:<4d}{row['ms']:10.2f} ms  LKH/ours {row['LKH']:7.2f}  "
        f"CP-SAT/ours {row['CP-SAT']:7.2f}  proven {proven} of {n_instances}  "
        f"maximum gap {row['gap']:.4f} %"
    )
    return row


def batch(n, n_lists):
    """Print one row for a batch of lists; nothing is compiled."""
    matrices = np.stack([draw(EASY[k % 5], n, k) for k in range(n_lists)])
    first_s, _ = seconds(lambda: solve_paths(matrices, n_jobs=1))
    taken, solutions = seconds(lambda: solve_paths(matrices, n_jobs=1), tries=3)
    peers = [lkh(matrix) for matrix in matrices[:50]]
    ratio = np.nan
    if peers[0] is not None:
        ratio = np.median([peer[0] for peer in peers]) / (taken / n_lists)
    assert all(solution.is_optimal for solution in solutions)
    print(
        f"batch of {n_lists}, n={n}: {1e3 * taken / n_lists:.3f} ms a list (first call "
        f"{1e3 * first_s / n_lists:.3f}), LKH/ours {ratio:.1f}, all proven"
    )
    return {"family": "batch", "n": n, "LKH": ratio}


def multiply(n_products):
    """Seconds of products of matrices."""
    matrix, started = np.ones((256, 256)), time.perf_counter()
    for _ in range(n_products):
        matrix @ matrix
    return time.perf_counter() - started


def jobs(n=60, n_lists=80, rounds=3, n_products=2000):
    """Print and return by how much a batch is faster on all cores, and the control."""
    matrices = [draw("sym", n, k) for k in range(n_lists)]
    n_cores = cpu_count()
    gains = []
    with ThreadPoolExecutor(n_cores) as pool, threadpool_limits(1):
        for _ in range(rounds):
            together = max(pool.map(multiply, [n_products] * n_cores))
            control = n_cores * multiply(n_products) / together
            started = time.perf_counter()
            alone = solve_paths(matrices, n_jobs=1)
            middle = time.perf_counter()
            shared = solve_paths(matrices, n_jobs=n_cores)
            ended = time.perf_counter()
            assert [s.objective for s in alone] == [s.objective for s in shared]
            gains.append(((middle - started) / (ended - middle), control))
            print(
                f"{n_lists} lists, n={n}: {middle - started:.1f} s on one core, "
                f"{ended - middle:.1f} s on {n_cores}: {gains[-1][0]:.2f} × "
                f"(control {control:.2f} ×)",
                flush=True,
            )
    gain, control = np.median(gains, axis=0)
    print(f"median {gain:.2f} × (control {control:.2f} ×)")
    return gain, control


def tsplib(folder):
    """Print TSPLIB's small ATSP as closed tours, and its SOP with precedences."""
    for path in sorted(Path(folder, "tsplib", "small").iterdir()):
        if path.suffix not in (".atsp", ".sop"):
            continue
        data = load_tsplib(path)
        cost = data.matrix
        if data.kind == "SOP":
            ends = np.where(np.arange(len(cost)) == 0, 0.0, -np.inf)
            matrix = np.where((cost < 0) | (cost >= 1e6), -np.inf, -cost)
            rules = [Precedence(*pair) for pair in data.precedences]
            start, end = ends, ends[::-1]
        else:
            matrix, rules = -cost[1:, 1:], []
            start, end = -cost[0, 1:], -cost[1:, 0]
        taken, solution = seconds(
            lambda m=matrix, s=start, e=end, r=rules: solve_path(
                m, start=s, end=e, constraints=r, time_limit_s=60
            )
        )
        print(
            f"{data.name:12s} n={len(cost):<3d} {-solution.objective:9.0f} "
            f"{solution.status.value:8s} gap {100 * solution.gap:.3f} % {taken:7.2f} s"
        )


def main(
    data=None, sizes=(15, 30, 50, 100), large=(200, 500), n_instances=8, n_lists=1000
):
    """Print all rows and return them."""
    solve_path(draw("cos", 15, 99))  # warm-up: imports
    rows = [batch(n, n_lists) for n in (8, 10, 12)]
    for n in sizes:
        count = 3 * n_instances // 2 if n < 30 else n_instances  # they vary more
        rows += [compare(f, n, count, 60) for f in EASY + NEARLY_SYMMETRIC]
    for n in large:
        limit = 15 if n < 300 else 2
        rows += [compare(f, n, 2, limit) for f in EASY + NEARLY_SYMMETRIC]
    if data is not None:
        tsplib(data)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?", help="folder of TSPLIB files")
    parser.add_argument("--jobs", action="store_true", help="a batch on all cores")
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    if options.jobs:
        jobs()
    else:
        main(*([options.data] if options.data else []))
