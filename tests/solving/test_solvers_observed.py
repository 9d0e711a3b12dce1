"""Solves that are watched or ended early: callbacks, progress lines, Ctrl-C."""

import math
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest

from ltr.solvers import (
    ExposureShare,
    Interrupted,
    Precedence,
    Quota,
    Status,
    Together,
    Window,
    diversify,
    kemeny,
    select_committee,
    solve_assignment,
    solve_ordering,
    solve_path,
    solve_paths,
    verify,
)
from ltr.solvers.assignment.problem import check_constraints, check_gains
from ltr.solvers.assignment.solve import assign
from ltr.solvers.core.attributes import Attributes
from ltr.solvers.core.budget import Budget
from ltr.solvers.core.interrupts import Interrupt, run_compiled


@pytest.fixture
def ctrl_c(monkeypatch):
    """Press Ctrl-C after some seconds; also in a background job, which ignores it."""
    monkeypatch.setattr(Interrupt, "last_press", -math.inf)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    timers = []

    def press(*seconds, twice=False):
        main = threading.main_thread().ident

        def send():
            signal.pthread_kill(main, signal.SIGINT)
            while twice and Interrupt.last_press == -math.inf:
                time.sleep(1e-4)  # until the first press is handled
            if twice:
                signal.pthread_kill(main, signal.SIGINT)

        for after in seconds:
            timer = threading.Timer(after, send)
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
UNRELATED = np.sign(np.random.default_rng(1).normal(size=(80, 80)))
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
    "diversify": partial(
        diversify, np.arange(80.0) / 80, UNRELATED @ UNRELATED.T, 20, **LONG
    ),
    "committee program": partial(
        select_committee,
        [RNG.permutation(1000) for _ in range(20)],
        100,
        rule="borda",
        groups={g: np.flatnonzero(RNG.random(1000) < 0.3).tolist() for g in range(60)},
        lower=dict.fromkeys(range(60), 30),
        upper=dict.fromkeys(range(60), 50),
        **LONG,
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
    solve_path(symmetric(5), method="cp_sat")  # an import must not be interrupted
    ctrl_c(0.4, twice=True)
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
BLOCKS = np.zeros((30, 30))
BLOCKS[:15, :15], BLOCKS[15:, 15:] = symmetric(15, seed=1), symmetric(15, seed=2)
BLOCKS[:15, 15:] = 3.0
GROUPS = [Together((1, 2, 3, 4)), Together((1, 2))]
BALLOTS = [RNG.permutation(30) for _ in range(30)]
APPROVALS = RNG.random((30, 20)) < 0.3
QUOTAS = {"groups": ["a", "b", "c"] * 10, "lower": {"a": 3}, "upper": {"b": 1}}
PAIRS = {
    "gain": RNG.random((16, 16)),
    "constraints": [Precedence(i, i + 8) for i in range(8)],
}
SCORES = {
    "gain": RNG.random(40),
    "attributes": {"group": RNG.integers(0, 3, 40)},
    "constraints": [
        Quota("group", 0, lower=2, top=5),
        Quota("group", 2, upper=2, top=8),
        Precedence(3, 7),
        ExposureShare("group", 1, lower=0.3),
    ],
    "k": 12,
}
PATH_METHODS = ["auto", "branch_and_bound", "branch_and_cut", "cp_sat", "local_search"]
# solve, arguments of the problem, least number of reports
WATCHED = {
    **{
        f"path {method} {sense}": (
            partial(solve_path, method=method, work_limit=0.1),
            {"matrix": SMALL, "sense": sense},
            1,
        )
        for method in PATH_METHODS
        for sense in ("max", "min")
    },
    "path dp": (partial(solve_path, method="dp"), {"matrix": SMALL[:9, :9]}, 1),
    **{
        f"ordering {method} {sense}": (
            partial(solve_ordering, method=method, work_limit=0.1),
            {"matrix": SMALL, "sense": sense},
            3,
        )
        for method in ("auto", "branch_and_cut", "cp_sat", "local_search")
        for sense in ("max", "min")
    },
    "ordering components": (solve_ordering, {"matrix": BLOCKS}, 5),
    "ordering groups": (solve_ordering, {"matrix": SMALL, "constraints": GROUPS}, 3),
    "ordering window": (
        solve_ordering,
        {"matrix": SMALL, "constraints": [Window(1, 0, 5)]},
        3,
    ),
    "ordering of tiny gains": (solve_ordering, {"matrix": 1e-300 * SMALL}, 3),
    "committee": (select_committee, {"rankings": BALLOTS, "k": 5}, 5),
    "committee pav": (
        select_committee,
        {"rankings": APPROVALS, "k": 5, "rule": "pav", "weights": RNG.random(30)},
        2,
    ),
    "committee quotas": (
        partial(select_committee, work_limit=0.5),
        {"rankings": BALLOTS, "k": 6, **QUOTAS},
        3,
    ),
    "diversify": (
        partial(diversify, work_limit=0.3),
        {
            "relevance": RNG.random(30),
            "similarity": np.cov(RNG.random((30, 9))),
            "k": 8,
        },
        2,
    ),
    "assignment": (
        partial(solve_assignment, method="cp_sat", work_limit=1.0),
        PAIRS,
        2,
    ),
    "assignment groups": (partial(solve_assignment, method="cp_sat"), SCORES, 1),
    "assignment highs": (partial(solve_assignment, method="highs"), SCORES, 1),
}


@pytest.mark.parametrize("name", list(WATCHED))
def test_reports_only_get_better(name):
    """Each one holds, the last is the result, which is that without a callback."""
    solve, arguments, n_reports = WATCHED[name]
    reports = []
    solution = solve(**arguments, callback=reports.append)
    assert len(reports) >= n_reports
    assert reports[-1].objective == solution.objective
    assert reports[-1].bound == pytest.approx(solution.bound, rel=1e-14)
    sign = 1 if solution.sense == "max" else -1
    problem = getattr(solve, "func", solve)
    for report in reports:
        assert verify(report, problem, **arguments).is_right
    objectives = [sign * s.objective for s in reports if s.order is not None]
    bounds = [sign * report.bound for report in reports]
    assert objectives == sorted(objectives)
    assert bounds == sorted(bounds, reverse=True)
    unwatched = solve(**arguments)
    assert unwatched.order.tolist() == solution.order.tolist()
    assert (unwatched.bound, unwatched.status) == (solution.bound, solution.status)


ENDED = {
    **{
        name: SOLVES[name]
        for name in ("path auto", "ordering auto", "ordering cp_sat", "committee")
    },
    "assignment": partial(  # its proof takes seconds more than its first order
        solve_assignment,
        RNG.random((64, 64)),
        constraints=[Precedence(i, i + 32) for i in range(32)],
        method="cp_sat",
    ),
}


@pytest.mark.parametrize("name", list(ENDED))
def test_a_callback_ends_the_solve(name):
    """By True, with the best order so far; it is no interrupt."""
    reports = []

    def stop(solution):
        reports.append(solution)
        return solution.order is not None

    solution = ENDED[name](callback=stop)
    assert solution.status is Status.FEASIBLE
    assert not solution.is_interrupted
    assert solution.wall_time_s < 10
    assert len(reports) < 10


def test_highs_solves_again_after_an_interrupt():
    """It cannot be stopped, so its order is lost; a second suffices for another."""
    cancelled = threading.Event()
    cancelled.set()
    gains = check_gains(PAIRS["gain"], None, None)
    constraints = check_constraints(PAIRS["constraints"], gains)
    budget = Budget(cancelled=cancelled)
    solution = assign(gains, constraints, Attributes(None, 16), "highs", budget)
    assert solution.order is not None
    assert verify(solution, solve_assignment, **PAIRS).is_right


def test_all_solvers_report_at_the_end(capsys):
    """And print a last line."""
    reports = []
    watch = {"callback": reports.append, "verbose": 1}
    solutions = [
        solve_assignment([3.0, 1.0, 2.0], **watch),
        select_committee([[0, 1, 2], [1, 0, 2]], 1, **watch),
        kemeny([[0, 1, 2]], **watch),
    ]
    objectives = [report.objective for report in reports]
    assert list(dict.fromkeys(objectives)) == [s.objective for s in solutions[:2]]
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
