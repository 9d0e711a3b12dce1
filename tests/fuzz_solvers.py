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
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ltr import solvers
from ltr.solvers import (
    AtMost,
    ExposureShare,
    FixedPosition,
    Precedence,
    Quota,
    Together,
    Window,
    all_optimal,
    verify,
    within,
)
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
# How often each method is drawn: "auto" most, slow ones rarely.
METHODS = {
    "solve_path": {
        "auto": 8,
        "dp": 4,
        "branch_and_bound": 4,
        "local_search": 1,
        "branch_and_cut": 1.5,
        "cp_sat": 0.8,
        "routing": 0.5,
    },
    "solve_ordering": {
        "auto": 8,
        "dp": 2,
        "local_search": 0.3,
        "branch_and_cut": 2,
        "cp_sat": 0.8,
    },
    "solve_assignment": {"auto": 6, "cp_sat": 1, "highs": 1},
    "select_committee": {"auto": 4, "greedy": 1},
    "diversify": {"exact": 4, "greedy": 1},
    "kemeny": {"auto": 1},
    "footrule": {"": 1},
    "solve_paths": {"auto": 1},
    "solve_orderings": {"auto": 1},
}
WEIGHTS = {
    "solve_path": 10,
    "solve_ordering": 8,
    "solve_assignment": 5,
    "select_committee": 3,
    "diversify": 2,
    "kemeny": 1,
    "footrule": 0.5,
    "solve_paths": 0.4,
    "solve_orderings": 0.4,
}
SCALES = (
    "normal",
    "integers",
    "ties",
    "tenths",
    "float32",
    "penalties",
    "whole penalties",
    "rewards",
    "forbidden",
    "mixed",
    "mixed positive",
    "near",
    "huge",
    "tiny",
)


def numbers(rng: np.random.Generator, scale: str, shape: Any) -> Any:
    """An array of numbers of a scale."""
    normal = rng.normal(size=shape)
    share = rng.random(shape) < rng.choice([0.1, 0.2, 0.5])
    if scale == "integers":
        return rng.integers(-9, 10, shape).astype(float)
    if scale == "ties":
        return rng.integers(0, 3, shape).astype(float)
    if scale == "tenths":
        return rng.integers(-9, 10, shape) / 10
    if scale == "float32":
        return normal.astype(np.float32).astype(float)
    if scale == "penalties":
        return np.where(share, -(10.0 ** rng.integers(6, 13)), normal)
    if scale == "whole penalties":
        whole = rng.integers(-9, 10, shape).astype(float)
        return np.where(share, -(10.0 ** rng.integers(4, 13)), whole)
    if scale == "rewards":
        return np.where(share, 10.0 ** rng.integers(3, 10), normal)
    if scale == "forbidden":
        return np.where(share, -np.inf, normal)
    if scale == "mixed":
        return normal * 10.0 ** rng.uniform(-9, 12, shape)
    if scale == "mixed positive":
        return np.abs(normal) * 10.0 ** rng.uniform(-9, 12, shape)
    if scale == "near":
        return 10.0 ** rng.integers(0, 7) + normal
    if scale == "huge":
        return normal * 10.0 ** rng.integers(9, 280)
    if scale == "tiny":
        return normal * 10.0 ** -rng.integers(9, 300)
    return normal


@dataclass(frozen=True)
class Case:
    """A call of a solver.

    Attributes
    ----------
    solver : str
        Name of the function.
    first : array or list
        Its first argument.
    options : dict
        Its other arguments.
    scale : str
        Scale of its numbers.
    """

    solver: str
    first: Any
    options: dict[str, Any] = field(default_factory=dict)
    scale: str = ""

    @property
    def method(self) -> str:
        """The method that is asked for."""
        return str(self.options.get("method", ""))

    @property
    def size(self) -> tuple[int, int, int]:
        """Numbers of items, of constraints, and of characters."""
        rules, votes = self.options.get("constraints", ()), np.shape(self.first)
        return votes[-1], len(rules), len(self.code())

    def code(self) -> str:
        """The call in Python."""
        first = self.first.tolist() if hasattr(self.first, "tolist") else self.first
        parts = [repr(first)]
        for name, value in self.options.items():
            if not isinstance(value, tuple) or value:
                value = value.tolist() if hasattr(value, "tolist") else value
                parts.append(f"{name}={value!r}")
        return f"{self.solver}({', '.join(parts)})".replace("inf", "np.inf")

    @property
    def has_few_orders(self) -> bool:
        """Whether all best solutions are listed, too."""
        names = "solve_path", "solve_ordering", "solve_assignment", "kemeny"
        n = np.shape(self.first)[-1]
        return self.solver in names and self.method in ("auto", "dp") and n <= 4

    def faults(self) -> list[tuple[str, str]]:
        """Kinds of faults of the solution, and their texts; ("", …) per proof."""
        solve, first, options = getattr(solvers, self.solver), self.first, self.options
        try:
            if self.solver not in ("solve_paths", "solve_orderings"):
                solution = solve(first, **options)
                pairs = [(solution, first, options)]
                alone = solve
            else:
                alone = getattr(solvers, self.solver[:-1])
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
            if self.has_few_orders:
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


def draw(rng: np.random.Generator) -> Case:
    """A call of some solver."""
    names = list(WEIGHTS)
    shares = np.array([WEIGHTS[name] for name in names])
    solver = str(rng.choice(names, p=shares / shares.sum()))
    methods = METHODS[solver]
    chances = np.array(list(methods.values()), dtype=float)
    method = str(rng.choice(list(methods), p=chances / chances.sum()))
    options = {"method": method} if method else {}
    scale = str(rng.choice(SCALES))
    n = int(rng.choice([1, 2, 3, 4, 5, 6, 7], p=[0.02, 0.03, 0.15, 0.3, 0.3, 0.1, 0.1]))
    if solver in ("select_committee", "kemeny", "footrule"):
        return draw_votes(rng, solver, n, options)
    if solver == "diversify":
        return draw_similarity(rng, n, scale, options)
    if rng.random() < 0.2:
        options["sense"] = "min"
    sign = -1 if "sense" in options else 1
    if solver == "solve_assignment":
        return draw_assignment(rng, n, scale, options)
    if solver in ("solve_path", "solve_paths") and rng.random() < 0.2:
        options["closed"] = True
    if solver in ("solve_paths", "solve_orderings"):
        matrices = np.stack([numbers(rng, scale, (n, n)) for _ in range(8)])
        return Case(solver, sign * matrices, options, scale)
    if solver == "solve_path" and "closed" not in options:
        for name in ("start", "end"):
            if rng.random() < 0.3:
                options[name] = sign * numbers(rng, scale, n)
    if rng.random() < 0.4 and n > 1 and method != "routing":
        options["constraints"] = draw_constraints(rng, n, n)
    if solver == "solve_path" and rng.random() < 0.2 and method != "routing":
        draw_groups(rng, n, n, options, {Quota, AtMost})
    return Case(solver, sign * numbers(rng, scale, (n, n)), options, scale)


def draw_constraints(rng: np.random.Generator, n: int, k: int) -> Any:
    """One to three constraints on the order of items; or windows around an order."""
    constraints: list[Any] = []
    if rng.random() < 0.1:
        return within(rng.permutation(n), int(rng.integers(3)))
    for kind in rng.integers(4, size=rng.integers(1, 4)):
        a, b = rng.choice(n, 2, replace=False).tolist()
        if kind == 0:
            constraints.append(Precedence(a, b))
        elif kind == 1:
            constraints.append(FixedPosition(a, int(rng.integers(k))))
        elif kind == 2:
            first = int(rng.integers(n))
            last = int(rng.integers(first, n + 1))
            constraints.append(Window(a, first, None if last == n else last))
        else:
            size = int(rng.integers(2, n + 1))
            items = rng.choice(n, size, replace=False).tolist()
            constraints.append(Together(tuple(items)))
    return tuple(constraints)


def draw_assignment(
    rng: np.random.Generator, n: int, scale: str, options: dict[str, Any]
) -> Case:
    """Scores or a matrix, with constraints on orders and groups."""
    k = int(rng.integers(1, n + 1))
    is_matrix = rng.random() < 0.6 or scale == "forbidden"
    gain = numbers(rng, scale, (n, k) if is_matrix else n)
    if options.get("sense") == "min":
        gain = -gain
    options |= {"k": k}
    if n > 1 and rng.random() < 0.4:
        options["constraints"] = draw_constraints(rng, n, k)
    if rng.random() < 0.4:
        draw_groups(rng, n, k, options, {Quota, AtMost, ExposureShare})
    return Case("solve_assignment", gain, options, scale)


def draw_similarity(
    rng: np.random.Generator, n: int, scale: str, options: dict[str, Any]
) -> Case:
    """Relevance and similarity: cosines, or numbers of the scale in both."""
    scale = "normal" if scale == "forbidden" else scale
    relevance, similarity = numbers(rng, scale, n), numbers(rng, scale, (n, n))
    if rng.random() < 0.3:
        vectors = rng.normal(size=(n, 3))
        similarity = vectors @ vectors.T
    options["similarity"] = np.triu(similarity) + np.triu(similarity, 1).T
    options["k"] = int(rng.integers(1, n + 1))
    options["trade_off"] = float(rng.choice([0.0, 0.1, 0.5, 0.9, 1.0]))
    return Case("diversify", relevance, options, scale)


def draw_groups(
    rng: np.random.Generator,
    n: int,
    k: int,
    options: dict[str, Any],
    kinds: set[type],
) -> None:
    """Add attributes, and one or two constraints on groups, to the options."""
    labels = rng.choice(["a", "b", "c", None], n, p=[0.4, 0.3, 0.2, 0.1]).tolist()
    options["attributes"] = {"group": labels}
    top = int(rng.integers(1, k + 1))
    low = int(rng.integers(1, top + 1))
    windows = AtMost(
        "group",
        int(rng.integers(1, 3)),
        window=int(rng.integers(2, 5)),
        top=None if rng.random() < 0.5 else top,
    )
    drawn: list[Any] = [
        Quota("group", "a", lower=low, top=top),
        Quota("group", "b", upper=int(rng.integers(0, k + 1)), top=top),
        Quota("group", "c", lower=(0, 1), upper=(1, 1, 2)),
        Quota("group", "a", min_share=float(rng.choice([0.3, 0.5]))),
        Quota("group", "b", max_share=float(rng.choice([0.3, 0.5])), top=top),
        AtMost("group", int(rng.integers(1, 3)), window=2),
        windows,
        windows,
        AtMost("group", int(rng.integers(0, 4)), top=top),
        ExposureShare("group", "a", lower=float(rng.choice([0.2, 0.4]))),
        ExposureShare("group", "b", upper=float(rng.choice([0.2, 0.4]))),
    ]
    drawn = [rule for rule in drawn if type(rule) in kinds]
    picked = rng.choice(len(drawn), size=rng.integers(1, 3), replace=False).tolist()
    if options.get("method") == "dp":
        picked = [i for i in picked if drawn[i] is not windows]
    rules = tuple(dict.fromkeys(drawn[i] for i in picked))
    options["constraints"] = (*options.get("constraints", ()), *rules)


def draw_votes(
    rng: np.random.Generator, solver: str, n: int, options: dict[str, Any]
) -> Case:
    """Votes, some with weights of different sizes, and quotas."""
    votes = [rng.permutation(n).tolist() for _ in range(rng.integers(1, 6))]
    scale = str(rng.choice(["one", "integers", "normal", "mixed positive", "huge"]))
    if scale != "one":
        size = len(votes)
        weights = {
            "integers": rng.integers(1, 9, size).astype(float),
            "normal": np.abs(rng.normal(size=size)),
        }.get(scale)
        if weights is None:
            weights = np.abs(numbers(rng, scale, size))
        options["weights"] = weights
    if solver != "select_committee":
        return Case(solver, votes, options, scale)
    rules = ["sntv", "bloc", "borda", "cc", "pav"]
    rules += ["monroe"] * (scale in ("one", "integers"))
    rules += ["phragmen", "equal_shares"]
    k = int(rng.integers(1, n + 1))
    options |= {"k": k, "rule": str(rng.choice(rules)), "n_items": n}
    if options["rule"] in ("phragmen", "equal_shares"):
        options["method"] = "auto"
        if options["rule"] == "equal_shares" and rng.random() < 0.7:
            names = ["phragmen", "utilitarian", "none"]
            options["completion"] = str(rng.choice(names))
        first: Any = votes
        if rng.random() < 0.7:  # a few kinds of voters, so that there are ties
            kinds = rng.random((2, n)) < rng.choice([0.3, 0.6])
            first = kinds[rng.integers(2, size=len(votes))]
        return Case(solver, first, options, scale)
    if rng.random() < 0.5:
        overlap = rng.random() < 0.3
        labels = rng.choice(["a", "b"], n).tolist()
        groups = {
            label: [i for i in range(n) if labels[i] == label]
            for label in sorted(set(labels))
        }
        if overlap:
            groups["c"] = rng.choice(n, int(rng.integers(1, n + 1)), False).tolist()
        options["groups"] = groups
        for name in ("lower", "upper"):
            if rng.random() < 0.7:
                label = str(rng.choice(list(groups)))
                options[name] = {label: int(rng.integers(0, k + 1))}
    return Case(solver, votes, options, scale)


def shrunk(case: Case, kind: str) -> Case:
    """A smaller case with a fault of the same kind: fewer constraints, items, digits."""

    def fails(smaller: Case) -> bool:
        return any(k == kind for k, _ in smaller.faults())

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
        for kind, text in case.faults():
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
