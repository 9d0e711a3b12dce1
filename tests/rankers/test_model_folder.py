"""Replacing a saved model: old or new at any instant, beside readers and writers."""

import os
import subprocess
import sys
import threading

import pytest

from ltr import locks
from ltr.rankers.model_folder import SavedModel, read_model, write_model

# A child kills itself before the n-th call of the system that touches the folder, for
# n = 1, 2, … until one gets through. It begins with no model, with an old one, or with
# what the last child left.
KILLED_WRITERS = """
import os, shutil, signal, sys
from pathlib import Path
from ltr.rankers.model_folder import SavedModel, read_model, write_model

CALLS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod")

def model(name):
    document = {"format": 2, "class": "LambdaMARTRanker", "name": name}
    parts = {"arrays.npz": name.encode(), "trees.txt": name.encode() * 2}
    return SavedModel(document, parts)

def write_and_die(folder, n):
    calls = [0]
    def count(event, arguments):
        if event in CALLS and str(folder.parent) in str(arguments[0]):
            calls[0] += 1
            if calls[0] == n:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    write_model(folder, model("new"))
    os._exit(0)

def name_of(folder):
    try:
        saved = read_model(folder)
    except ValueError as error:
        fault = "has no ranker.json" if folder.exists() else "does not exist"
        assert f"which {fault}. Write one with" in str(error)
        return "none"
    assert saved.parts == model(saved.document["name"]).parts
    return saved.document["name"]

for start in ("nothing", "old", "killed"):
    folder = Path(sys.argv[1]) / start / "model"
    folder.parent.mkdir()
    if start == "killed":
        write_model(folder, model("old"))
    names, killed = [], True
    while killed:
        if start == "old":
            write_model(folder, model("old"))
        child = os.fork()
        if not child:
            write_and_die(folder, len(names) + 1)
        killed = os.waitpid(child, 0)[1] != 0
        names.append(name_of(folder))
        if start == "nothing" and killed:
            write_model(folder, model("next"))
            assert [path.name for path in folder.parent.iterdir()] == ["model"]
            shutil.rmtree(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["arrays.npz", "ranker.json", "trees.txt"], left
    print(start, names.index("new"), len(names), *sorted(set(names)))
    assert names == sorted(names, reverse=True), names
"""


def test_killed_at_every_step(tmp_path):
    """Old or new, never neither; the next save deletes what the killed one left."""
    result = subprocess.run(
        [sys.executable, "-c", KILLED_WRITERS, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    # before the first instant of the new model: nothing, or the old one, and so often
    assert [row[3:] for row in rows] == [
        ["new", "none"],
        ["new", "old"],
        ["new", "old"],
    ]
    assert all(int(first_new) > 5 for _, first_new, *_ in rows)


def model(number):
    """A model whose parts show what belongs together."""
    parts = {name: bytes([number]) * 5000 for name in ("arrays.npz", "trees.txt")}
    document = {"format": 2, "class": "LambdaMARTRanker", "number": number}
    return SavedModel(document, parts)


@pytest.mark.parametrize("has_locks", [True, False])
def test_readers_beside_two_writers(tmp_path, monkeypatch, has_locks):
    """Readers never fail and never see a mixture; the last writer wins."""
    if not has_locks:
        monkeypatch.setattr(locks, "_flock", lambda handle, operation: None)
    folder, failures, n_reads = tmp_path / "model", [], 0
    write_model(folder, model(0))

    def write(numbers):
        try:
            for number in numbers:
                write_model(folder, model(number))
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    writers = [
        threading.Thread(target=write, args=(range(start, 60, 2),)) for start in (1, 2)
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        document, parts = read_model(folder)
        assert parts == model(document["number"]).parts
        n_reads += 1
    assert not failures
    assert n_reads > 20
    assert read_model(folder).document["number"] in (58, 59)
    write_model(folder, model(7))
    assert read_model(folder).parts == model(7).parts
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    if has_locks:
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["arrays.npz", "ranker.json", "trees.txt"]


def test_two_writers_of_a_new_folder(tmp_path):
    """Both succeed."""
    folder = tmp_path / "model"
    barrier, failures = threading.Barrier(4), []

    def write(number):
        barrier.wait()
        try:
            write_model(folder, model(number))
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    writers = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failures
    assert read_model(folder).document["number"] in range(4)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_stopped_writer_does_not_stop_readers(tmp_path):
    """Whoever holds the lock of the folder, readers need none."""
    folder = tmp_path / "model"
    write_model(folder, model(1))
    with locks.locked(folder) as is_locked:
        assert is_locked
        assert read_model(folder).document["number"] == 1


def test_a_link_keeps_pointing(tmp_path):
    """The folder that it points to gets the new model; an empty folder is taken."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for number in (1, 2):
        write_model(tmp_path / "link", model(number))
        assert (tmp_path / "link").is_symlink()
        assert read_model(tmp_path / "real").document["number"] == number


def test_a_pipe_in_a_folder(tmp_path):
    """It is refused, not waited for."""
    folder = tmp_path / "model"
    write_model(folder, model(1))
    for name in ("trees.txt", "ranker.json"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises(ValueError, match="is not the file|has no ranker.json"):
            read_model(folder)
