"""Problems for solvers at every scale of numbers, drawn at random."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ltr.solvers import (
    AtMost,
    ExposureShare,
    FixedPosition,
    Precedence,
    Quota,
    Together,
    Window,
    within,
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
