"""Committee selection: time of greedy and exact search, compared with abcvoting.

Prints, for random rankings, time and value of greedy and of the exact search with its
bound; for random approvals, the ratio of the time of each available algorithm of
abcvoting to that of the exact search, and whether the values agree. The peer is
optional: pip install abcvoting

    python examples/benchmark_committees.py
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ltr.solvers import select_committee

SIZES = ((50, 10), (100, 20), (100, 10))  # voters = items, seats
# Algorithms of abcvoting. Its pulp-highs cannot run beside OR-Tools in one process.
PEER = {
    "pav": ("pulp-cbc", "branch-and-bound"),
    "cc": ("pulp-cbc", "branch-and-bound"),
    "monroe": ("pulp-cbc",),
}


def timed(work: Callable, rounds: int) -> tuple[float, Any]:
    """Median seconds of a call, and its last result."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), result


def on_rankings(
    sizes: tuple[tuple[int, int], ...], n_seeds: int, rounds: int, time_limit_s: float
) -> list[dict]:
    """Greedy and exact; medians over seeds."""
    rows = []
    for n, k in sizes:
        for rule in ("cc", "pav", "monroe"):
            runs = []
            for seed in range(n_seeds):
                rng = np.random.default_rng(seed)
                rankings = np.argsort(rng.random((n, n)), axis=1)
                choose = functools.partial(select_committee, rankings, k, rule=rule)
                choose(method="greedy")  # warm-up: imports
                greedy = functools.partial(choose, method="greedy")
                quick_s, quick = timed(greedy, rounds)
                search = functools.partial(choose, time_limit_s=time_limit_s)
                exact_s, exact = timed(search, rounds)
                runs.append(
                    {
                        "greedy": quick.objective,
                        "exact": exact.objective,
                        "bound": exact.bound,
                        "greedy_s": quick_s,
                        "exact_s": exact_s,
                        "proven": exact.is_optimal,
                    }
                )
            row = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            row["proven"] = sum(run["proven"] for run in runs)
            rows.append(row)
            short = 100 * (1 - row["greedy"] / row["exact"])
            print(
                f"{rule:6} {n} x {n}, k = {k}: greedy {1e3 * row['greedy_s']:.2f} ms "
                f"({short:.2f} % below exact), exact {1e3 * row['exact_s']:.0f} ms, "
                f"proven {row['proven']} of {n_seeds}, "
                f"gap {100 * (row['bound'] / row['exact'] - 1):.2f} %"
            )
    return rows


def on_approvals(n_voters: int, n_items: int, k: int, n_seeds: int) -> list[dict]:
    """Our exact search and the peer's algorithms; empty without the peer."""
    try:
        from abcvoting import abcrules, scores
        from abcvoting.preferences import Profile
    except ImportError:
        print("approvals: abcvoting is not installed (pip install abcvoting)")
        return []
    rows = []
    for rule, algorithms in PEER.items():
        available = abcrules.Rule(rule).available_algorithms
        for algorithm in [name for name in algorithms if name in available]:
            ours_s, peer_s, equal = [], [], []
            for seed in range(n_seeds):
                rng = np.random.default_rng(seed)
                approvals = rng.random((n_voters, n_items)) < 0.2
                profile = Profile(n_items)
                profile.add_voters([np.flatnonzero(row).tolist() for row in approvals])
                seconds, solution = timed(
                    functools.partial(select_committee, approvals, k, rule=rule), 3
                )
                ours_s.append(seconds)
                options = {"algorithm": algorithm, "resolute": True}
                seconds, committees = timed(
                    functools.partial(abcrules.compute, rule, profile, k, **options), 1
                )
                peer_s.append(seconds)
                if rule == "monroe":
                    peer_value = scores.monroescore(profile, committees[0])
                else:
                    peer_value = scores.thiele_score(rule, profile, committees[0])
                is_equal = abs(float(peer_value) - solution.objective) < 1e-9
                equal.append(is_equal and solution.is_optimal)
            ratio = statistics.median(
                b / a for a, b in zip(ours_s, peer_s, strict=True)
            )
            rows.append({"rule": rule, "algorithm": algorithm, "ratio": ratio})
            rows[-1]["equal"] = all(equal)
            print(
                f"{rule:6} {n_voters} x {n_items} approvals, k = {k}: "
                f"{1e3 * statistics.median(ours_s):.1f} ms, abcvoting {algorithm} "
                f"{1e3 * statistics.median(peer_s):.0f} ms, {ratio:.1f} times as long; "
                f"equal values, proven: {all(equal)}"
            )
    return rows


def main(
    sizes: tuple[tuple[int, int], ...] = SIZES,
    n_seeds: int = 5,
    rounds: int = 1,
    time_limit_s: float = 20.0,
    peer: bool = True,
) -> list[dict]:
    """Run both; return the rows."""
    rows = on_rankings(sizes, n_seeds, rounds, time_limit_s)
    if peer:
        rows += on_approvals(50, 30, 6, n_seeds)
    return rows


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main()
