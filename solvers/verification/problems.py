"""The problem of a call of a solver, from its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ltr.arguments import abridged
from ltr.queries import check_axes, check_rows
from ltr.solvers.verification.candidates import CandidateSet
from ltr.solvers.verification.orders import DiverseSets, Pairs, Positions, Tours
from ltr.solvers.verification.votes import Committees, Votes

# Arguments with one entry per item of a matrix, or per voter.
_BY_ROW = ("matrix", "start", "end", "gain", "rankings", "weights", "relevance")
_SOLVERS = (
    "solve_path",
    "solve_ordering",
    "solve_assignment",
    "select_committee",
    "diversify",
    "kemeny",
    "footrule",
)


def problem_of(
    solver: Callable[..., Any], positional: Sequence[Any], keywords: Mapping[str, Any]
) -> CandidateSet:
    """The orders of a call of a solver, given its arguments."""
    name = getattr(solver, "__name__", "")
    if name not in _SOLVERS:
        raise TypeError(
            "solver must be solve_path, solve_ordering, solve_assignment, "
            "select_committee, diversify, kemeny or footrule; got "
            f"{repr(name) if name else abridged(solver)}. Pass the solution, the "
            "solver and the arguments of its call: verify(solution, solve_path, "
            "matrix)."
        )
    try:
        call = inspect.signature(solver).bind(*positional, **keywords)
    except TypeError as error:
        raise TypeError(
            f"{name}: {error}. After the solver, pass verify the arguments of the call "
            f"of {name} that returned the solution."
        ) from error
    call.apply_defaults()
    arguments = call.arguments
    by_row = {key: arguments.get(key) for key in _BY_ROW}
    for attribute, values in (arguments.get("attributes") or {}).items():
        by_row[f"attributes[{attribute!r}]"] = values
    check_rows(by_row)
    check_axes(arguments.get("matrix"), "matrix")
    problem = _problem(name, arguments)
    problem.sense = arguments.get("sense", "max")
    return problem


def _problem(name: str, arguments: dict[str, Any]) -> CandidateSet:
    """The orders of a call of a solver, valued by gains; of costs, the negatives."""
    if arguments.get("sense") == "min":
        costs = {
            key: arguments[key]
            for key in ("matrix", "start", "end", "gain")
            if arguments.get(key) is not None
        }
        arguments = arguments | {
            key: 0.0 - np.array(values, dtype=np.float64)
            for key, values in costs.items()
        }
    rules = arguments.get("constraints", ())
    attributes = arguments.get("attributes")
    if name == "solve_path" and arguments["closed"]:
        return Tours(arguments["matrix"], rules, attributes)
    if name == "solve_path":
        start = arguments["start"]
        start = np.zeros(len(arguments["matrix"])) if start is None else start
        return Pairs(arguments["matrix"], start, arguments["end"], rules, attributes)
    if name == "solve_ordering":
        return Pairs(arguments["matrix"], None, None, rules)
    if name == "solve_assignment":
        return Positions(arguments)
    if name == "diversify":
        return DiverseSets(arguments)
    if name == "select_committee":
        return Committees(arguments)
    return Votes(arguments, by_pairs=name == "kemeny")
