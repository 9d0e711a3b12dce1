"""What every writer of the library does to something that is not a plain file."""

import errno
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from ltr.cli import compare
from ltr.datasets import (
    RankingData,
    convert_letor,
    save_letor,
    save_preflib,
    save_table,
    write_run,
)
from ltr.files import whole_file, whole_folder

DATA = RankingData(np.array([[0.5], [0.25]]), np.array([1.0, 0.0]), np.array([7, 7]))
RUN = {"7": {"a": 2.0, "b": 1.0}}


def scores(path):
    """Write scores as ``ltr predict --out`` does."""
    compare.write(path, "1.5\n")


def plain(path):
    """Write a text as reports are written."""
    with whole_file(path) as scratch:
        scratch.write_text("text\n")


WRITERS = {
    "ltr predict": (scores, "x.txt"),
    "save_letor": (lambda path: save_letor(DATA, path), "x.txt"),
    "save_letor.gz": (lambda path: save_letor(DATA, path), "x.txt.gz"),
    "save_preflib": (lambda path: save_preflib(path, [[1, 0]]), "x.soc"),
    "save_table": (lambda path: save_table(DATA, path), "x.csv"),
    "whole_file": (plain, "x.html"),
    "write_run": (lambda path: write_run(RUN, path), "x.txt"),
    "write_run.jsonl.gz": (lambda path: write_run(RUN, path), "x.jsonl.gz"),
}


@pytest.fixture(params=WRITERS)
def writer(request):
    """Writer and a name that it accepts."""
    return WRITERS[request.param]


def reader_of(path):
    """Read a pipe in the background, and return what yields its bytes."""
    received = []
    thread = threading.Thread(
        target=lambda: received.append(path.read_bytes()), daemon=True
    )
    thread.start()

    def result():
        thread.join(10)
        assert not thread.is_alive()
        return received[0]

    return result


def expected(write, path):
    """Bytes of the plain file; gzip notes its name and the time."""
    path.parent.mkdir()
    write(path)
    return path.read_bytes() if path.suffix != ".gz" else b"\x1f\x8b"


def test_named_pipe(tmp_path, writer):
    """It stays a pipe, and its reader gets the whole file."""
    write, name = writer
    path = tmp_path / name
    os.mkfifo(path)
    result = reader_of(path)
    write(path)
    assert path.is_fifo()
    assert result().startswith(expected(write, tmp_path / "plain" / name))


def test_link(tmp_path, writer):
    """A chain of links keeps pointing; the file at its end is replaced or made."""
    write, name = writer
    wanted = expected(write, tmp_path / "plain" / name)
    (tmp_path / "elsewhere").mkdir()
    end, link = tmp_path / "elsewhere" / name, tmp_path / name
    (tmp_path / "between").symlink_to(Path("elsewhere") / name)
    link.symlink_to("between")
    for _ in range(2):
        write(link)
        assert link.is_symlink()
        assert not end.is_symlink()
        assert end.read_bytes().startswith(wanted)
    assert [file.name for file in end.parent.iterdir()] == [name]


def test_folder_socket_and_pipe_without_a_reader(tmp_path, writer):
    """They are refused, whatever the writer, and stay what they are."""
    write, name = writer
    path = tmp_path / name
    path.mkdir()
    message = f"{path} must be a file; got a folder. Choose another name."
    check_refused(write, path, message)
    assert path.is_dir()
    path.rmdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))
    message = f"{path} must be a file; got a socket. Choose another name."
    check_refused(write, path, message)
    assert path.is_socket()
    path.unlink()
    os.mkfifo(path)
    message = f"{path} is a pipe that nobody reads. Start its reader first."
    check_refused(write, path, message)
    assert path.is_fifo()


def check_refused(write, path, message):
    """Check the whole message."""
    with pytest.raises(OSError, match=f"^{re.escape(message)}$"):
        write(path)


def test_device(tmp_path):
    """A device stays one; a full one gives an error with its name."""
    null, full = tmp_path / "null", tmp_path / "full"
    try:
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(full, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        null.write_text("")
    except OSError:
        pytest.skip("only an administrator can make devices")
    plain(null)
    assert null.is_char_device()
    message = (
        f"[Errno 28] {full} could not be written, and no part of it was kept: No space "
        "left on device"
    )
    with pytest.raises(OSError, match=f"^{re.escape(message)}$"):
        plain(full)
    assert full.is_char_device()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_appended_to_a_file(tmp_path, name):
    """As with the shell, earlier lines stay: the open file is written, not its name."""
    if not Path(name).exists():
        pytest.skip(f"this system has no {name}")
    path = tmp_path / "log.txt"
    path.write_text("before\n")
    code = (
        "from ltr.files import whole_file\nprint('printed')\n"
        f"with whole_file({name!r}) as scratch:\n"
        "    scratch.write_text('text\\n')\nprint('after')\n"
    )
    with path.open("a") as log:
        subprocess.run([sys.executable, "-c", code], stdout=log, check=True)
    assert path.read_text() == "before\nprinted\ntext\nafter\n"
    assert [file.name for file in tmp_path.iterdir()] == ["log.txt"]


def test_closed_descriptor():
    """It is refused before anything is written."""
    message = "/dev/fd/987 could not be written, and no part of it was kept"
    with pytest.raises(OSError, match=re.escape(message)) as caught:
        plain("/dev/fd/987")
    assert caught.value.errno == errno.EBADF


def test_circle_of_links(tmp_path):
    """Not an endless walk."""
    path = tmp_path / "a"
    path.symlink_to("a")
    message = f"{path} is a link to itself. Choose another name."
    for whole in (whole_file, whole_folder):
        with (
            pytest.raises(OSError, match=f"^{re.escape(message)}$"),
            whole(path),
        ):
            pytest.fail("nothing may be written")


def test_permissions(tmp_path):
    """A replaced file keeps its own; a new one has those of any new file."""
    (tmp_path / "other").touch()
    plain(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode
    (tmp_path / "new").chmod(0o600)
    plain(tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_long_name(tmp_path):
    """The name of the scratch file is not longer than a name may be."""
    path = tmp_path / ("x" * 255)
    plain(path)
    assert path.read_text() == "text\n"


def test_folder_behind_a_link(tmp_path):
    """It is made where the link points."""
    save_letor(DATA, tmp_path / "x.txt")
    (tmp_path / "link").symlink_to("folder")
    convert_letor(tmp_path / "x.txt", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "X.npy").is_file()


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_leftovers_of_a_killed_writer(tmp_path, whole):
    """The next writer of the same file deletes them, but not those of a live one."""
    code = (
        "import os, signal, sys\n"
        f"from ltr.files import {whole.__name__}\n"
        f"with {whole.__name__}({str(tmp_path / 'x')!r}):\n"
        "    print('in', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"in\n"
    (own,) = tmp_path.iterdir()

    def stop():
        with whole(tmp_path / "x"):
            assert own.exists()
            raise KeyError

    with pytest.raises(KeyError):
        stop()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(tmp_path.iterdir()) == [own]
    with whole(tmp_path / "x"):
        assert not own.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
