"""Solves that are watched or ended early: callbacks, progress lines, Ctrl-C."""

import math
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest

from ltr.solvers import (
    Interrupted,
    Precedence,
    Status,
    kemeny,
    select_committee,
    solve_assignment,
    solve_ordering,
    solve_path,
    solve_paths,
    verify,
)
from ltr.solvers.core.interrupts import Interrupt, run_compiled


@pytest.fixture
def ctrl_c(monkeypatch):
    """Press Ctrl-C after some seconds; also in a background job, which ignores it."""
    monkeypatch.setattr(Interrupt, "last_press", -math.inf)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    timers = []

    def press(*seconds):
        main = threading.main_thread().ident
        for after in seconds:
            timer = threading.Timer(after, signal.pthread_kill, (main, signal.SIGINT))
            timers.append(timer)
            timer.start()

    yield press
    for timer in timers:
        timer.cancel()
    for timer in timers:
        timer.join()
    signal.signal(signal.SIGINT, handler)


def symmetric(n, seed=0):
    """Costs that are hard for paths, and no easier for orderings."""
    matrix = np.random.default_rng(seed).normal(size=(n, n))
    return matrix + matrix.T + 0.01 * matrix


RNG = np.random.default_rng(0)
UNIFORM = RNG.integers(0, 100, (60, 60)).astype(float)
VOTES = [RNG.permutation(150).tolist() for _ in range(8)]
LONG = {"time_limit_s": 60.0}
SOLVES = {
    **{
        f"path {method}": partial(solve_path, symmetric(160), method=method, **LONG)
        for method in ("auto", "branch_and_bound", "branch_and_cut", "cp_sat")
    },
    "path constraints": partial(
        solve_path,
        symmetric(40),
        constraints=[Precedence(i, i + 20) for i in range(20)],
        **LONG,
    ),
    **{
        f"ordering {method}": partial(solve_ordering, UNIFORM, method=method, **LONG)
        for method in ("auto", "branch_and_cut", "cp_sat")
    },
    "kemeny": partial(kemeny, VOTES, **LONG),
    "committee": partial(
        select_committee, [RNG.permutation(150) for _ in range(150)], 20, **LONG
    ),
}


@pytest.mark.parametrize("name", list(SOLVES))
def test_ctrl_c_returns_the_best_order_so_far(name, ctrl_c):
    """With a bound and a gap, soon after, and the handler is restored."""
    ctrl_c(0.3)
    started = time.perf_counter()
    with pytest.warns(UserWarning, match="Ctrl-C ended the solve early"):
        solution = SOLVES[name]()
    assert time.perf_counter() - started < 10
    assert solution.is_interrupted
    assert solution.status is Status.FEASIBLE
    assert 0 < solution.gap < math.inf
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_twice_raises(ctrl_c):
    """Also inside CP-SAT, which has a handler of its own."""
    ctrl_c(0.4, 0.42)
    with pytest.raises(KeyboardInterrupt):
        SOLVES["path cp_sat"]()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_twice_ends_a_loop_of_solves(ctrl_c):
    """The first ends a solve, the second the loop, though it is in the next solve."""
    ctrl_c(0.3, 0.8)
    solutions = []

    def solve_on():
        while True:
            with pytest.warns(UserWarning, match="Press Ctrl-C twice within a second"):
                solutions.append(SOLVES["path branch_and_bound"]())

    with pytest.raises(KeyboardInterrupt):
        solve_on()
    assert [solution.is_interrupted for solution in solutions] == [True]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_in_a_batch_stops_cp_sat(n_jobs, ctrl_c):
    """What is solved is in ``partial``; searches in other threads end, too."""
    ctrl_c(0.5)
    started = time.perf_counter()
    matrices = [np.zeros((2, 2)), symmetric(160), symmetric(160, seed=1)]
    with pytest.raises(Interrupted) as interrupted:
        solve_paths(matrices, method="cp_sat", n_jobs=n_jobs, **LONG)
    assert time.perf_counter() - started < 10
    assert interrupted.value.partial[0].is_optimal
    others = [solution for solution in interrupted.value.partial[1:] if solution]
    assert len(others) == (0 if n_jobs == 1 else 2)
    assert all(solution.status is Status.FEASIBLE for solution in others)


def test_handlers_of_the_user_stay(ctrl_c):
    """As those of event loops."""
    presses = []

    def count(*_):
        presses.append(1)

    signal.signal(signal.SIGINT, count)
    ctrl_c(0.2)
    solution = solve_path(symmetric(100), method="branch_and_bound", time_limit_s=0.5)
    assert presses == [1]
    assert not solution.is_interrupted
    assert signal.getsignal(signal.SIGINT) is count


def test_other_threads_solve_without_a_handler():
    """Only the main thread may set one."""
    solutions = []
    thread = threading.Thread(
        target=lambda: solutions.append(solve_path(symmetric(30), method="cp_sat"))
    )
    thread.start()
    thread.join()
    assert solutions[0].is_optimal


def test_compiled_code_that_cannot_be_stopped_is_left_behind():
    """Its errors arrive, too."""
    is_over = threading.Event()
    assert run_compiled(is_over.wait, is_cancelled=lambda: True, stop=None) is None
    is_over.set()

    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_compiled(fail, is_cancelled=lambda: False, stop=None)


SMALL = symmetric(17)
WATCHED = {
    **{
        f"path {method} {sense}": (
            partial(solve_path, SMALL, method=method, sense=sense, work_limit=0.1),
            SMALL,
            {"sense": sense},
        )
        for method in ("auto", "branch_and_bound", "branch_and_cut", "local_search")
        for sense in ("max", "min")
    },
    "path dp": (
        partial(solve_path, SMALL[:9, :9], method="dp"),
        SMALL[:9, :9],
        {},
    ),
    **{
        f"ordering {method}": (
            partial(solve_ordering, SMALL, method=method, work_limit=0.1),
            SMALL,
            {},
        )
        for method in ("auto", "branch_and_cut", "local_search")
    },
}


@pytest.mark.parametrize("name", list(WATCHED))
def test_reports_only_get_better(name):
    """Each one holds, the last is the result, which is that without a callback."""
    solve, matrix, options = WATCHED[name]
    reports = []
    solution = solve(callback=reports.append)
    assert reports[-1].objective == solution.objective
    assert reports[-1].bound == pytest.approx(solution.bound, rel=1e-14)
    sign = 1 if solution.sense == "max" else -1
    problem = solve.func
    for report in reports:
        assert verify(report, problem, matrix, **options).is_right
    objectives = [sign * s.objective for s in reports if s.order is not None]
    bounds = [sign * report.bound for report in reports]
    assert objectives == sorted(objectives)
    assert bounds == sorted(bounds, reverse=True)
    unwatched = solve()
    assert unwatched.order.tolist() == solution.order.tolist()
    assert (unwatched.bound, unwatched.status) == (solution.bound, solution.status)


def test_a_callback_ends_the_solve():
    """By True, with the best order so far; it is no interrupt."""
    reports = []

    def stop(solution):
        reports.append(solution)
        return solution.order is not None

    solution = solve_path(symmetric(160), callback=stop)
    assert solution.status is Status.FEASIBLE
    assert not solution.is_interrupted
    assert solution.wall_time_s < 10
    assert len(reports) < 10


def test_all_solvers_report_at_the_end(capsys):
    """And print a last line."""
    reports = []
    watch = {"callback": reports.append, "verbose": 1}
    solutions = [
        solve_assignment([3.0, 1.0, 2.0], **watch),
        select_committee([[0, 1, 2], [1, 0, 2]], 1, **watch),
        kemeny([[0, 1, 2]], **watch),
    ]
    assert [report.objective for report in reports] == [
        solution.objective for solution in solutions
    ]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("objective 3, bound 3, gap 0.00%, dp, ")


def test_messages():
    """Of arguments that are not as described."""
    with pytest.raises(TypeError) as wrong_type:
        solve_path(SMALL, callback=3)
    assert str(wrong_type.value) == (
        "callback must be a function of a Solution, or None; got int."
    )
