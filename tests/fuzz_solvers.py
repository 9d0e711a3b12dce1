"""Solvers against every order of short lists, on numbers that trip solvers.

    python tests/fuzz_solvers.py --seconds 600

draws problems of up to 7 items over all solvers, constraints, methods and scales of
numbers, checks each solution by :func:`ltr.solvers.verify`, and prints a table of what
was wrong and the smallest input that shows it. ``--seed 3 --problem 812`` solves one
problem again. The exit code is 1 if anything was wrong.
"""

import argparse
import itertools
import sys
import time
import traceback
from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from support.solver_problems import Case, draw

from ltr import solvers
from ltr.solvers import all_optimal, verify
from ltr.solvers.verification.problems import problem_of

KINDS = (
    "bound",
    "optimal",
    "unique",
    "constraint",
    "objective",
    "infeasible",
    "order",
    "crash",
)


def faults_of(case: Case) -> list[tuple[str, str]]:
    """Kinds of faults of the solution, and their texts; ("", …) per proof."""
    solve, first, options = getattr(solvers, case.solver), case.first, case.options
    try:
        if case.solver not in ("solve_paths", "solve_orderings"):
            solution = solve(first, **options)
            pairs = [(solution, first, options)]
            alone = solve
        else:
            alone = getattr(solvers, case.solver[:-1])
            batch = solve(first, n_jobs=1, **options)
            pairs = [
                (solution, matrix, options)
                for solution, matrix in zip(batch, first, strict=True)
            ]
        faults = []
        for solution, matrix, keywords in pairs:
            checked = verify(solution, alone, matrix, **keywords)
            faults += [(fault.kind, fault.text) for fault in checked.faults]
            faults.append(("", solution.status.value))
        if case.has_few_orders:
            faults += faults_of_alternatives(solve, first, options)
    except Exception:  # noqa: BLE001  (a crash is a fault)
        return [("crash", traceback.format_exc(limit=-3))]
    return faults


def faults_of_alternatives(solve: Any, first: Any, options: Any) -> Any:
    """Whether :func:`ltr.solvers.all_optimal` lists each best solution once.

    Where gains are integers, it must list all of them.
    """
    listed = all_optimal(solve, first, **options)
    orders = [tuple(solution.order.tolist()) for solution in listed.solutions]
    for solution in listed.solutions:
        checked = verify(solution, solve, first, **options)
        yield from (
            (fault.kind, f"all_optimal: {fault.text}") for fault in checked.faults
        )
    if len(set(orders)) < len(orders):
        yield "unique", f"all_optimal lists an order twice: {orders}"
    problem = problem_of(solve, (first,), options)
    every = problem.all_orders()
    values = problem.terms(every).sum(axis=1)
    is_kept = problem.keeps(every, problem.constraints) & (values > -np.inf)
    if not problem.is_whole or np.abs(values[is_kept]).max(initial=0.0) > 2.0**50:
        return
    n_best = int((values[is_kept] == values[is_kept].max(initial=-np.inf)).sum())
    if listed.is_complete and len(orders) != n_best:
        yield "unique", f"all_optimal lists {len(orders)} orders; {n_best} are best"


def shrunk(case: Case, kind: str) -> Case:
    """A smaller case with a fault of the same kind: fewer constraints, items, digits."""

    def fails(smaller: Case) -> bool:
        return any(k == kind for k, _ in faults_of(smaller))

    has_smaller = True
    while has_smaller:
        has_smaller = False
        for smaller in smaller_cases(case):
            if smaller.size < case.size and fails(smaller):
                case, has_smaller = smaller, True
                break
    return case


def smaller_cases(case: Case) -> Any:
    """Cases with one constraint or item less, or simpler numbers."""
    rules = case.options.get("constraints", ())
    for i in range(len(rules)):
        fewer = rules[:i] + rules[i + 1 :]
        yield replace(case, options=case.options | {"constraints": fewer})
    for name in ("start", "end"):
        if name in case.options:
            options = {k: v for k, v in case.options.items() if k != name}
            yield replace(case, options=options)
    if case.solver not in ("solve_path", "solve_ordering"):
        return
    n = len(case.first)
    for item in range(n) if not rules else ():
        rest = [i for i in range(n) if i != item]
        options = {
            k: v[rest] if k in ("start", "end") else v for k, v in case.options.items()
        }
        yield replace(case, first=case.first[np.ix_(rest, rest)], options=options)
    for i, j in itertools.product(range(n), range(n)):
        for value in (0.0, 1.0, float(f"{case.first[i, j]:.2g}")):
            matrix = case.first.copy()
            matrix[i, j] = value
            yield replace(case, first=matrix)


def run(seconds: float, seed: int, numbers_of_problems: Any) -> int:
    """Solve problems until the time is over, print the table, return the exit code."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    failures: dict[tuple[str, str, str], tuple[int, Case, str]] = {}
    started, n_problems = time.process_time(), 0
    for number in numbers_of_problems:
        if time.process_time() - started > seconds:
            break
        case = draw(np.random.default_rng([seed, number]))
        n_problems += 1
        row = counts[case.solver, case.method]
        for kind, text in faults_of(case):
            row[kind or text] += 1
            if kind:
                key = case.solver, case.method, kind
                if key not in failures or case.size < failures[key][1].size:
                    failures[key] = number, case, text
    spent = time.process_time() - started
    say = partial(print, file=sys.stdout)
    columns = ("OPTIMAL", "FEASIBLE", "UNKNOWN", "INFEASIBLE", *KINDS)
    say(f"{'solver':17} {'method':17}", *(f"{name[:10]:>10}" for name in columns))
    for (solver, method), row in sorted(counts.items()):
        cells = (f"{row[name]:10}" for name in columns)
        say(f"{solver:17} {method:17}", *cells)
    n_wrong = sum(row[kind] for row in counts.values() for kind in KINDS)
    rate = f"{n_problems / spent:.0f} a second; {n_wrong} faults"
    say(f"{n_problems} problems in {spent:.0f} s of CPU, {rate}")
    for (_, _, kind), (number, case, text) in sorted(
        failures.items(), key=lambda item: item[0]
    )[:20]:
        say(f"\n{kind}, scale {case.scale!r}: --seed {seed} --problem {number}")
        say(text)
        if kind != "crash":
            say(shrunk(case, kind).code())
    return int(n_wrong > 0)


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of CPU")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--problem", type=int, help="solve this problem only")
    options = parser.parse_args(arguments)
    problems = itertools.count() if options.problem is None else [options.problem]
    return run(options.seconds, options.seed, problems)


if __name__ == "__main__":
    sys.exit(main())
