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
        hard(8), sense="min", n_jobs=2, time_limit_s=0.4, batch_time_limit_s=4.0
    )
    assert at_once
    assert len(solutions) == 8
    assert time.monotonic() - started < 8.0
    monkeypatch.setattr(processes, "_solve_job", _kill)
    at_once.clear()
    solutions = solve_paths(PATHS, n_jobs=2)
    assert at_once
    assert [len(solution.order) for solution in solutions] == [13] * 40
    get_reusable_executor().shutdown()  # the next batch must not meet the broken one


def _kill(*job):
    os.kill(os.getpid(), signal.SIGKILL)


CTRL_C = """
import os, signal, threading, time
import numpy as np
from ltr.solvers import Interrupted, solve_paths
from ltr.solvers.core import batches

batches._SECONDS_TO_SAVE, batches._SECONDS_TO_JUDGE = -1e9, 0.0
run, pressed, in_processes = batches.run_in_processes, [], []

def press():
    pressed.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

def pressing(solve, lists, jobs, *, record, **options):
    def recorded(job, solutions):
        record(job, solutions)
        if not in_processes:
            threading.Timer(0.3, press).start()
        in_processes.extend(job)

    return run(solve, lists, jobs, record=recorded, **options)

if __name__ == "__main__":
    batches.run_in_processes = pressing
    points = np.random.default_rng(1).random((60, 150, 2))
    distances = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    try:
        solve_paths(distances, sense="min", n_jobs=2, time_limit_s=0.5)
    except Interrupted as stop:
        n_solved = sum(solution is not None for solution in stop.partial)
        late = time.monotonic() - pressed[0]
        print(len(in_processes) > 0, len(in_processes) <= n_solved < 60, late < 15)
"""


def test_ctrl_c(tmp_path):
    """Running jobs end early with their best orders; the others are not begun."""
    script = tmp_path / "ctrl_c.py"
    script.write_text(CTRL_C)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "True True True\n"), done.stderr


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
