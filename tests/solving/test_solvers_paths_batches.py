"""Paths: limits of time and work, batches, Ctrl-C, messages."""

import os
import re
import sys
import threading
import time

import numpy as np
import pytest
from support.solver_problems import SCALES, numbers
from support.strategies_solvers import nearly_symmetric

from ltr.solvers import (
    FixedPosition,
    Interrupted,
    Precedence,
    Status,
    Together,
    solve_path,
    solve_paths,
    verify,
)
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.lists import check_list
from ltr.solvers.paths.branch_and_cut import branch_and_cut
from ltr.solvers.paths.problem import Incumbent, path_problem
from ltr.solvers.paths.problem_stack import solve_stack, stack_of


@pytest.mark.parametrize(
    "method", ["auto", "cp_sat", "branch_and_bound", "local_search"]
)
def test_time_limits_are_kept(method):
    """At n = 400, building a model takes longer than the limit."""
    matrix = nearly_symmetric(400, 0)
    solve_path(matrix[:9, :9], method=method)  # imports
    started = time.process_time()
    solution = solve_path(matrix, method=method, time_limit_s=0.3)
    assert time.process_time() - started < 3  # not a measurement: it ends
    assert solution.status is Status.FEASIBLE
    assert solution.objective < solution.bound < solution.objective * 1.1
    assert sorted(solution.order.tolist()) == list(range(400))


@pytest.mark.parametrize(
    "method", ["auto", "cp_sat", "branch_and_bound", "local_search"]
)
def test_work_limits_repeat(method):
    """A solve that its work limit ends gives the same order and bound again."""
    matrix = nearly_symmetric(60, 5)
    first, second = (
        solve_path(matrix, method=method, work_limit=0.03, random_state=1)
        for _ in range(2)
    )
    assert first.order.tolist() == second.order.tolist()
    assert first.bound == second.bound
    assert first.status is second.status


def test_a_spent_budget_still_gives_order_and_bound():
    """The patched assignment is free; with constraints there may be no order."""
    matrix = nearly_symmetric(30, 0)
    for limits in ({"time_limit_s": 0}, {"work_limit": 0}):
        solution = solve_path(matrix, **limits)
        assert solution.status is Status.FEASIBLE
        assert solution.bound < solution.objective * 1.2
    late = solve_paths([matrix] * 3, batch_time_limit_s=0)
    assert all(solution.status is Status.FEASIBLE for solution in late)
    together = [Together((0, 2, 4)), Precedence(4, 1), FixedPosition(2, 9)]
    solution = solve_path(matrix, constraints=together, time_limit_s=0)
    assert solution.status in (Status.FEASIBLE, Status.UNKNOWN)


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_batch_is_the_loop(n_jobs):
    """For any number of threads and sizes, alone or in one table."""
    rng = np.random.default_rng(0)
    sizes = [5] * 12 + [0, 1, 2, 9, 20, 5]
    lists = [rng.normal(size=(n, n)) for n in sizes]
    start = [rng.normal(size=n) for n in sizes]
    found = solve_paths(lists, start=start, n_jobs=n_jobs)
    for one, first, solution in zip(lists, start, found, strict=True):
        alone = solve_path(one, start=first)
        assert solution.is_optimal
        assert solution.objective == pytest.approx(alone.objective)
        assert solution.order.tolist() == alone.order.tolist()


def cases(n_lists):
    """Batches of one size, scales and rules mixed within them, and ends or closed."""
    rng = np.random.default_rng(7)
    rules = ([], [Precedence(2, 0)], [Together((1, 2)), FixedPosition(0, 1)])
    for n in range(3, 9):
        scales = rng.choice(SCALES, n_lists)
        matrices = np.stack([numbers(rng, scale, (n, n)) for scale in scales])
        ends = {"start": rng.normal(size=(n_lists, n)), "end": matrices[:, 0]}
        for kwargs in (ends, {"closed": True}, {"sense": "min"}):
            if kwargs == {"sense": "min"}:
                matrices = -matrices
            for constraints in rules:
                yield matrices, {**kwargs, "constraints": constraints}


def test_lists_of_a_batch_are_solved_as_alone():
    """By the same dynamic program, in arrays: all scales in one batch."""
    n_proven_unique = 0
    for matrices, kwargs in cases(n_lists=12):
        solutions = solve_paths(matrices, n_jobs=1, **kwargs)
        for k, (matrix, solution) in enumerate(zip(matrices, solutions, strict=True)):
            ends = {
                name: kwargs[name][k] for name in ("start", "end") if name in kwargs
            }
            alone = solve_path(matrix, method="dp", **{**kwargs, **ends})
            assert solution.status is alone.status
            assert solution.conflict == alone.conflict
            if alone.order is None:
                continue
            assert solution.objective == pytest.approx(alone.objective, rel=1e-9)
            assert solution.bound == pytest.approx(alone.bound, rel=1e-9)
            if solution.is_unique:
                assert solution.order.tolist() == alone.order.tolist()
                assert solution.objective == alone.objective
                n_proven_unique += 1
            if len(matrix) < 6:
                verdict = verify(solution, solve_path, matrix, **{**kwargs, **ends})
                assert verdict.is_right, verdict
    assert n_proven_unique > 250


def test_integers_prove_nearly_all_lists_of_a_batch():
    """The others, many with ties, are solved again, in double precision."""
    rng = np.random.default_rng(0)
    lists = [
        check_list(numbers(rng, scale, (7, 7)), solver="solve_paths")
        for scale in ("normal", "integers", "tenths") * 20
    ]
    solutions = solve_stack(stack_of(lists), started=0.0)
    assert sum(solution is not None for solution in solutions) >= 50
    assert {solution.status for solution in solutions if solution} == {Status.OPTIMAL}
    # of two orders whose costs differ by less than the unit, none is proven
    matrix = np.zeros((3, 3))
    matrix[0, 1], matrix[1, 2], matrix[2, 1] = 1e10, 0.25, 0.5
    lists = [check_list(matrix, solver="solve_paths")] * 2
    assert solve_stack(stack_of(lists), started=0.0) == [None, None]
    for solution in solve_paths([matrix] * 9):
        assert solution.objective == 1e10 + 0.25
        assert solution.is_optimal


def test_padded_items_are_left_out():
    """Padding may hold anything; orders name real items by their old numbers."""
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(20, 6, 6))
    where = rng.random((20, 6)) < 0.7
    end = rng.normal(size=(20, 6))
    matrices[~where] = np.nan
    end[~where] = np.inf
    found = solve_paths(matrices, where=where, end=end)
    for k, solution in enumerate(found):
        items = np.flatnonzero(where[k])
        assert sorted(solution.order.tolist()) == items.tolist()
        alone = solve_path(matrices[k][np.ix_(items, items)], end=end[k][items])
        assert solution.order.tolist() == items[alone.order].tolist()


def test_constraints_of_a_batch_name_the_users_items():
    """Padding changes no number in constraints, orders and conflicts."""
    where = np.array([[True, False, True, True]] * 9)
    constraints = [Precedence(3, 0), FixedPosition(2, 0)]
    found = solve_paths(np.zeros((9, 4, 4)), where=where, constraints=constraints)
    assert [solution.order.tolist() for solution in found] == [[2, 3, 0]] * 9
    clash = [Precedence(3, 0), Precedence(0, 3)]
    found = solve_paths(np.zeros((9, 4, 4)), where=where, constraints=clash)
    assert [solution.conflict for solution in found] == [tuple(clash)] * 9


def test_cores_are_counted_on_every_system(monkeypatch):
    """macOS and Windows have no ``os.sched_getaffinity``."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")  # joblib asks for it on Linux
    solutions = solve_paths([nearly_symmetric(n, 0) for n in (13, 14)])
    assert all(solution.is_optimal for solution in solutions)


def test_progress(capsys):
    """Lists are counted, not the tables that solve them together."""
    solve_paths(np.zeros((20, 3, 3)), progress=True)
    assert "20 of 20" in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_solved(monkeypatch):
    """Ctrl-C in the third list: the first two are in partial."""
    paths = sys.modules["ltr.solvers.paths.portfolio"]
    solve_list, n_solved = paths.solve_list, []

    def interrupted(*args):
        n_solved.append(1)
        if len(n_solved) == 3:
            raise KeyboardInterrupt
        return solve_list(*args)

    monkeypatch.setattr(paths, "solve_list", interrupted)
    lists = [nearly_symmetric(15, seed) for seed in range(4)]
    with pytest.raises(Interrupted, match="2 of 4") as stopped:
        solve_paths(lists, n_jobs=1)
    partial = stopped.value.partial
    assert [solution is not None for solution in partial] == [True, True, False, False]


def test_cancelled_searches_end():
    """The branch and cut of a cancelled budget returns at once."""
    cancelled = threading.Event()
    cancelled.set()
    problem = path_problem(nearly_symmetric(40, 0), np.zeros(40), np.zeros(40))
    found = Incumbent(problem)
    branch_and_cut(found, Budget(cancelled=cancelled))
    assert found.lower == 0


MESSAGES = [
    (
        lambda: solve_path(np.zeros((2, 3))),
        "matrix must be square, one row and one column per item; got shape (2, 3).",
    ),
    (
        lambda: solve_path([[0, np.nan], [0, 0]]),
        "matrix must be finite (-inf forbids); got nan at [0, 1]. Replace it by a "
        "number, or by -inf to forbid it.",
    ),
    (
        lambda: solve_path(np.zeros((2, 2)), start=[1]),
        "start must have shape (2,), one number per item; got shape (1,).",
    ),
    (
        lambda: solve_path(np.zeros((2, 2)), end=0),
        "end must have shape (2,), one number per item; got shape (). To end with item "
        "0, pass constraints=[FixedPosition(item=0, position=1)].",
    ),
    (
        lambda: solve_path(np.zeros((2, 2)), method="lkh"),
        "method must be one of 'auto', 'dp', 'branch_and_bound', 'branch_and_cut', "
        "'cp_sat', 'routing', 'local_search'; got 'lkh'.",
    ),
    (
        lambda: solve_path(np.zeros((17, 17)), method="dp"),
        "method='dp' takes at most 16 items; got 17. Use 'auto'.",
    ),
    (
        lambda: solve_path(
            np.zeros((3, 3)), method="routing", constraints=[Precedence(0, 1)]
        ),
        "method='routing' takes no constraints; got Precedence(before=0, after=1). Use "
        "'cp_sat' or 'auto'.",
    ),
    (
        lambda: solve_path(np.zeros((2, 2)), time_limit_s=-1),
        "time_limit_s must be a number >= 0, or None; got -1.",
    ),
    (
        lambda: solve_path([[0, 1e308], [-1e308, 0]]),
        "matrix must be at most 1e+290 in absolute value, as larger sums overflow; got "
        "1e+308. Scale it down.",
    ),
    (
        lambda: solve_paths(np.zeros((2, 2))),
        "matrices must have shape (b, n, n), one square matrix per list; got shape "
        "(2, 2). Use solve_path for a single list.",
    ),
    (
        lambda: solve_paths(np.zeros((2, 2, 2)), where=np.ones((1, 2), dtype=bool)),
        "where must have one row per list, 2; got 1.",
    ),
    (
        lambda: solve_paths(np.zeros((1, 2, 2)), where=np.ones((1, 2))),
        "where[0] must be a mask with one bool per item of matrices[0], which has shape "
        "(2, 2); got float64 of shape (2,).",
    ),
    (
        lambda: solve_paths(np.zeros((1, 2, 3)), where=[[True, True]]),
        "matrices[0] must be square, one row and one column per item; got shape (2, 3).",
    ),
    (
        lambda: solve_paths(np.zeros((1, 2, 2)), where=[[True, True]], start=[[1.0]]),
        "start[0] must have shape (2,), one number per item; got shape (1,).",
    ),
    (
        lambda: solve_paths(
            np.zeros((1, 3, 3)),
            where=np.array([[True, False, True]]),
            constraints=[Precedence(1, 2)],
        ),
        "constraints must name real items; Precedence(before=1, after=2) names item 1, "
        "which is padding in list 0.",
    ),
    (
        lambda: solve_path(np.zeros((2, 2)), random_state=-1),
        "random_state must be a whole number >= 0, or None; got -1.",
    ),
]


@pytest.mark.parametrize(("call", "message"), MESSAGES)
def test_messages(call, message):
    """Expected, got, where, what to do."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()
