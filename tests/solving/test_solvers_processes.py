"""Batches that go on in processes: the same solutions, Ctrl-C, limits, kills."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

from ltr.solvers import solve_orderings, solve_paths
from ltr.solvers.core import batches, processes

RNG = np.random.default_rng(0)
PATHS = [RNG.normal(size=(13, 13)) for _ in range(40)]


@pytest.fixture
def at_once(monkeypatch):
    """Processes as soon as a job is done; the numbers of the lists that they got."""
    monkeypatch.setattr(batches, "_SECONDS_TO_SAVE", -1e9)
    monkeypatch.setattr(batches, "_SECONDS_TO_JUDGE", 0.0)
    run, rest = batches.run_in_processes, []

    def watched(solve, lists, jobs, **options):
        rest.extend(jobs)
        return run(solve, lists, jobs, **options)

    monkeypatch.setattr(batches, "run_in_processes", watched)
    return rest


def test_the_same_solutions(at_once):
    """Paths and orderings, some in threads and the others in processes."""
    for solve, matrices in ((solve_paths, PATHS), (solve_orderings, PATHS[:14])):
        at_once.clear()
        ours = solve(matrices, n_jobs=2, work_limit=0.02)
        assert 0 < len(at_once) < len(matrices)
        alone = solve(matrices, n_jobs=1, work_limit=0.02)
        for a, b in zip(ours, alone, strict=True):
            assert a.order.tolist() == b.order.tolist()
            assert (a.objective, a.bound, a.status) == (b.objective, b.bound, b.status)


def hard(n_lists):
    """Distances of points in the plane, which take longer than anyone waits."""
    points = np.random.default_rng(1).random((n_lists, 150, 2))
    return np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)


def test_limits_and_kills(at_once, monkeypatch):
    """The limit of the batch holds in processes, too; a killed process costs nothing."""
    started = time.monotonic()
    solutions = solve_paths(
        [*PATHS[:12], *hard(8)], n_jobs=2, time_limit_s=60.0, batch_time_limit_s=3.0
    )
    assert at_once
    assert len(solutions) == 20
    assert time.monotonic() - started < 60.0  # of one hard list without the limit
    monkeypatch.setattr(processes, "_solve_job", _kill)
    at_once.clear()
    solutions = solve_paths(PATHS, n_jobs=2)
    assert at_once
    assert [len(solution.order) for solution in solutions] == [13] * 40
    get_reusable_executor().shutdown()  # the next batch must not meet the broken one


def _kill(*job):
    os.kill(os.getpid(), signal.SIGKILL)


CTRL_C = """
import os, signal, sys, threading, time
from functools import partial
from pathlib import Path
import numpy as np
from ltr.solvers import Interrupted, solve_paths
from ltr.solvers.core import batches, processes

batches._SECONDS_TO_SAVE, batches._SECONDS_TO_JUDGE = -1e9, 0.0
processes._SECONDS_TO_END = 60.0  # however busy the machine is
run, begun = batches.run_in_processes, Path(sys.argv[1])

def telling(solve, begun, lists, budget):
    if len(lists[0].matrix) > 100:
        begun.touch()
    return solve(lists, budget)

def press():
    while not begun.exists():
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)

def pressing(solve, *arguments, **options):
    threading.Thread(target=press, daemon=True).start()
    return run(partial(telling, solve, begun), *arguments, **options)

if __name__ == "__main__":
    # in a program that a shell started in the background, Ctrl-C is ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    batches.run_in_processes = pressing
    rng = np.random.default_rng(1)
    points = [rng.random((n, 2)) for n in [13] * 12 + [150] * 8]
    distances = [np.linalg.norm(p[:, None] - p, axis=-1) for p in points]
    try:
        solve_paths(distances, sense="min", n_jobs=2)
    except Interrupted as stop:
        solved = [solution is not None for solution in stop.partial]
        print(any(solved[12:]), all(solved))
"""


def test_ctrl_c(tmp_path):
    """Running jobs end early with their best orders; the others are not begun."""
    script = tmp_path / "ctrl_c.py"
    script.write_text(CTRL_C)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "begun")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (0, "True False\n"), done.stderr


def test_when_processes_pay(monkeypatch):
    """Only if what is left is long; not before it is known, and not in a process."""
    now = SimpleNamespace(monotonic=0.0, process_time=0.0)
    for name in vars(now):
        monkeypatch.setattr(batches.time, name, lambda name=name: getattr(now, name))

    def answers(end, *moments):
        outlook = batches._Outlook(100, 2, end)
        for now.monotonic, now.process_time, n_done in moments:
            yield outlook.favors_processes(n_done)

    start = (0.0, 0.0, 1)
    # .2 s a job: 18 s of 90 jobs, of which a second process saves a half
    moments = (start, (0.5, 0.5, 3), (2.0, 2.0, 10))
    assert list(answers(None, *moments)) == [False, False, True]
    # other programs have the cores; or the batch ends before
    assert list(answers(None, start, (9.0, 1.1, 12))) == [False, False]
    assert list(answers(9.0, start, (2.0, 2.0, 10))) == [False, False]
    monkeypatch.setattr(multiprocessing, "parent_process", object)
    assert list(answers(None, *moments)) == [False, False, False]
