"""Constrained ranking: time and value, compared with integer programs and greedy peers.

python examples/benchmark_assignment.py

Ratios are between medians of the same run. "MIP": the same problem as an integer
program in scipy.optimize.milp (HiGHS). "LP + Birkhoff": the linear program of Singh and
Joachims over doubly stochastic matrices in scipy.optimize.linprog, decomposed by
birkhoff.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse

from ltr.solvers import (
    Quota,
    birkhoff,
    det_const_sort,
    fair_exposure,
    fair_minimums,
    solve_assignment,
)


def timed(function: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Median milliseconds of a call, and its result."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - started)
    return 1e3 * statistics.median(seconds), result


def make_list(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and a group of 30 % of the items with lower scores."""
    rng = np.random.default_rng(seed)
    group = (rng.random(n) < 0.3).astype(int)
    return rng.normal(size=n) - 0.8 * group, group


def integer_program(
    scores: np.ndarray, member: np.ndarray, minimums: np.ndarray
) -> float:
    """Value of the best order by HiGHS: x[item, position], one row per prefix."""
    n, k = len(scores), len(minimums)
    gain = np.outer(scores, 1 / np.log2(2 + np.arange(k)))
    one_item = scipy.sparse.kron(np.ones(n), scipy.sparse.eye_array(k))
    one_position = scipy.sparse.kron(scipy.sparse.eye_array(n), np.ones(k))
    prefix = scipy.sparse.kron(member, np.tri(k))
    result = scipy.optimize.milp(
        -gain.ravel(),
        integrality=np.ones(n * k, dtype=int),
        bounds=scipy.optimize.Bounds(0, 1),
        constraints=[
            scipy.optimize.LinearConstraint(one_item, 1, 1),
            scipy.optimize.LinearConstraint(one_position, 0, 1),
            scipy.optimize.LinearConstraint(prefix, minimums, np.inf),
        ],
        options={"mip_rel_gap": 0.0, "time_limit": 60.0},
    )
    assert result.status == 0, result.message
    return -float(result.fun)


def linear_program(u: np.ndarray, group: np.ndarray) -> tuple[float, int]:
    """Value and number of orders under demographic parity."""
    n = len(u)
    v = 1 / np.log2(2 + np.arange(n))
    eye, ones = scipy.sparse.eye_array(n), np.ones(n)
    difference = group / group.sum() - (1 - group) / (1 - group).sum()
    rows = [
        scipy.sparse.kron(eye, ones),
        scipy.sparse.kron(ones, eye),
        scipy.sparse.csr_array(np.outer(difference, v).reshape(1, -1)),
    ]
    result = scipy.optimize.linprog(
        -np.outer(u, v).ravel(),
        A_eq=scipy.sparse.vstack(rows),
        b_eq=np.concatenate([np.ones(2 * n), [0.0]]),
        bounds=(0, 1),
        method="highs-ds",
    )
    assert result.status == 0, result.message
    matrix = np.clip(result.x.reshape(n, n), 0, None)
    return -float(result.fun), len(birkhoff(matrix).orders)


def prefix_quotas(n: int, k: int, n_small: int, rounds: int) -> dict[str, float]:
    """Fair top k: two exact methods, DetConstSort, and the MIP on a shorter list."""
    scores, group = make_list(n, 0)
    shares = {0: 0.6, 1: 0.4}
    quotas = [Quota("group", g, min_share=p) for g, p in shares.items()]
    discount = 1 / np.log2(2 + np.arange(k))

    def solve(method: str) -> Any:
        return solve_assignment(
            scores, constraints=quotas, attributes={"group": group}, k=k, method=method
        )

    ours, best = timed(lambda: solve("auto"), rounds)
    counting, other = timed(lambda: solve("counting"), rounds)
    greedy, order = timed(lambda: det_const_sort(scores, group, shares, k=k), rounds)
    value = scores[order] @ discount
    print(f"prefix-fair top {k} of {n}, 2 groups, floor(p t) of each in every prefix")
    print(f"  {best.method:22} {ours:8.2f} ms   value {best.objective:.6f}, proven")
    print(
        f"  {other.method:22} {counting:8.2f} ms   value {other.objective:.6f}, proven"
    )
    print(f"  DetConstSort           {greedy:8.2f} ms   value {value:.6f}, no proof")

    minimums = fair_minimums(k, 0.4)
    small, member = scores[:n_small], group[:n_small]
    quota = [Quota("group", 1, lower=minimums)]
    exact, solution = timed(
        lambda: solve_assignment(
            small, constraints=quota, attributes={"group": member}, k=k
        ),
        rounds,
    )
    mip, mip_value = timed(lambda: integer_program(small, member, minimums), 1)
    print(f"FA*IR minimums, top {k} of {n_small}")
    value_shown = f"value {solution.objective:.6f}, proven"
    print(f"  {solution.method:22} {exact:8.2f} ms   {value_shown}")
    print(f"  MIP (HiGHS)            {mip:8.2f} ms   value {mip_value:.6f}")
    print(f"  ratio {mip / exact:.0f}")
    return {
        "ms": ours,
        "ratio_mip": mip / exact,
        "lost_to_mip": mip_value - solution.objective,
        "lost_to_counting": other.objective - best.objective,
        "gain_over_greedy": best.objective - value,
    }


def exposure(n: int, rounds: int) -> dict[str, float]:
    """Demographic parity by column generation, and by the linear program."""
    rng = np.random.default_rng(1)
    u, group = rng.random(n), rng.permutation(np.arange(n) % 2)
    fair_exposure(u, group)  # warm-up: loads the solver
    ours, lottery = timed(lambda: fair_exposure(u, group), rounds)
    peer, (value, n_orders) = timed(lambda: linear_program(u, group), rounds)
    print(f"equal exposure of 2 groups, {n} items")
    print(
        f"  column generation      {ours:8.2f} ms   value {lottery.objective:.6f}, "
        f"{len(lottery.orders)} orders"
    )
    peer_result = f"value {value:.6f}, {n_orders} orders"
    print(f"  LP + Birkhoff          {peer:8.2f} ms   {peer_result}")
    print(f"  ratio {peer / ours:.0f}")
    return {"ms": ours, "ratio": peer / ours, "lost": value - lottery.objective}


def main(
    n: int = 1000,
    k: int = 50,
    n_small: int = 200,
    n_exposure: int = 50,
    rounds: int = 15,
) -> dict[str, dict[str, float]]:
    """Print both tables and return their numbers."""
    return {
        "quotas": prefix_quotas(n, k, n_small, rounds),
        "exposure": exposure(n_exposure, rounds),
    }


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    print(__doc__.split("\n")[0], flush=True)
    main()
