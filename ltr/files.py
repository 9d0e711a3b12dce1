"""Files and folders that are written whole or not at all, and text that may be gzipped.

Part of the ground floor that every room may import.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from ltr.locks import delete, locked, sweep

PathLike = str | os.PathLike[str]

_SCRATCH = ".ltr-part"  # ends the names of files and folders that are being written
_MAX_LINKS = 40  # from one to the next, as in Linux
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WAIT_FOR_READER_S = 0.5  # of a pipe, started beside the writer
_REPLACE_MAY_WAIT = sys.platform == "win32"  # elsewhere a refusal is final
_WAIT_FOR_READERS_S = 2.0


@contextmanager
def whole_file(path: PathLike) -> Iterator[Path]:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : path
        File to make or replace; its folder must exist. A link keeps pointing, and the
        file that it points to is made or replaced. Into a device, a named pipe or an
        open descriptor (``/dev/null``, ``/dev/stdout``) the finished file is copied.

    Yields
    ------
    scratch : Path
        File beside it to write to. It is renamed to ``path`` when the block ends, and
        deleted if the block raises. The next writer of the same file deletes those of
        killed processes.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError
        If ``path`` is a folder.
    OSError
        If ``path`` is a socket, a disk, or a pipe that nobody reads, it is
        write-protected, or the disk is full.

    Notes
    -----
    A file that is replaced keeps its permissions. Other hard links to it keep the old
    text.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "notes.txt"
    >>> with whole_file(path) as scratch:
    ...     _ = scratch.write_text("all of it")
    >>> path.read_text()
    'all of it'
    """
    target = check_target(path)
    if target.is_stream:
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder) / "stream"
            scratch.touch()
            yield scratch
            stream = _open_stream(target)
            with (
                _name_in_errors(target.path, scratch),
                scratch.open("rb") as source,
                open(stream, "wb") as sink,
            ):
                shutil.copyfileobj(source, sink)
        return
    with _scratch(target.path, is_folder=False) as scratch:
        yield scratch
        _sync(scratch)
        if target.path.exists():
            scratch.chmod(stat.S_IMODE(target.path.stat().st_mode))
        replace(scratch, target.path)


def replace(source: Path, target: Path) -> None:
    """Rename a file over another one, which a reader may have open.

    Windows refuses that for as long as any process, such as a virus scanner, reads the
    target: the rename is tried for two seconds.

    Parameters
    ----------
    source : Path
        File to rename.
    target : Path
        Its new name.

    Raises
    ------
    PermissionError
        If the target is still open in the end, or the folder is write-protected.
    """
    give_up = time.monotonic() + (_WAIT_FOR_READERS_S if _REPLACE_MAY_WAIT else 0.0)
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if time.monotonic() >= give_up:
                raise
            time.sleep(0.01)


@contextmanager
def whole_folder(path: PathLike, *, replace_empty: bool = False) -> Iterator[Path]:
    """Write a new folder whole or not at all.

    Parameters
    ----------
    path : path
        Folder to make; its parent must exist.
    replace_empty : bool, default=False
        Whether ``path`` may be an empty folder.

    Yields
    ------
    scratch : Path
        Folder beside it to write to. It is renamed to ``path`` when the block ends, and
        deleted if the block raises. The next writer of the same folder deletes those of
        killed processes.

    Raises
    ------
    FileNotFoundError
        If the parent folder does not exist.
    FileExistsError
        If there is a file or folder of this name, or another process makes one
        meanwhile.
    OSError
        If the disk is full.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "model"
    >>> with whole_folder(path) as scratch:
    ...     _ = (scratch / "weights.txt").write_text("0.5")
    >>> [file.name for file in path.iterdir()]
    ['weights.txt']
    """
    target = _follow_links(Path(path))
    check_parent(target)
    message = f"{target} must not exist yet; delete it or choose another folder."
    if target.exists() and not (replace_empty and target.is_dir()):
        raise FileExistsError(message)
    with _scratch(target, is_folder=True) as scratch:
        yield scratch
        for file in scratch.rglob("*"):
            if file.is_file():
                _sync(file)
        try:
            os.rename(scratch, target)
        except OSError as error:
            if target.exists():
                raise FileExistsError(message) from error
            raise


class Target(NamedTuple):
    """What a writer writes to.

    Attributes
    ----------
    path : Path
        The path behind all links.
    is_stream : bool
        Whether it is a device, a pipe or an open descriptor: written through, not
        replaced.
    descriptor : int or None
        The open descriptor of this process.
    """

    path: Path
    is_stream: bool = False
    descriptor: int | None = None


def check_target(path: PathLike) -> Target:
    """Raise unless a file can be written there.

    Parameters
    ----------
    path : path
        File to be written.

    Returns
    -------
    target : Target

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError
        If ``path`` is a folder.
    OSError
        If ``path`` is a socket, a disk, a closed descriptor or write-protected.

    Examples
    --------
    >>> check_target("/dev/null").is_stream
    True
    """
    target = _follow_links(Path(path))
    descriptor = _DESCRIPTOR.fullmatch(str(target))
    if descriptor:
        with _name_in_errors(target):
            os.fstat(int(descriptor[1]))
        return Target(target, is_stream=True, descriptor=int(descriptor[1]))
    check_parent(target)
    if not target.exists():
        return Target(target)
    mode = target.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(
            f"{target} must be a file; got a folder. Choose another name."
        )
    if stat.S_ISSOCK(mode) or stat.S_ISBLK(mode):
        kind = "socket" if stat.S_ISSOCK(mode) else "disk"
        raise OSError(f"{target} must be a file; got a {kind}. Choose another name.")
    if not os.access(target, os.W_OK):
        raise PermissionError(f"{target} is write-protected. Choose another name.")
    return Target(target, is_stream=not stat.S_ISREG(mode))


def check_parent(path: PathLike) -> None:
    """Raise unless the folder of a file to be written exists.

    Parameters
    ----------
    path : path
        File or folder to be written.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> check_parent(Path(tempfile.mkdtemp()) / "notes.txt")
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"{target} cannot be written: there is no folder {target.parent}."
        )


@contextmanager
def _scratch(target: Path, *, is_folder: bool) -> Iterator[Path]:
    """File or folder beside ``target``, deleted at the end unless it was renamed."""
    sweep_leftovers(target)
    with ExitStack() as stack:
        with _name_in_errors(target, target.parent):
            scratch = _locked_scratch(stack, target, is_folder)
        stack.callback(delete, scratch)
        with _name_in_errors(target, scratch):
            yield scratch


def sweep_leftovers(target: Path) -> None:
    """Delete what killed writers of a file or folder left beside it.

    Parameters
    ----------
    target : Path
        The file or folder.
    """
    sweep(target.parent, f"{glob.escape(_prefix(target))}*{_SCRATCH}")


def _prefix(target: Path) -> str:
    return f".{target.name[:40]}-"


def _locked_scratch(stack: ExitStack, target: Path, is_folder: bool) -> Path:
    """Make a file or folder of a new name, with the permissions of any new one."""
    while True:
        name = f"{_prefix(target)}{os.urandom(6).hex()}{_SCRATCH}"
        scratch = target.parent / name
        if is_folder:
            scratch.mkdir()
        else:
            scratch.touch(exist_ok=False)
        try:
            stack.enter_context(locked(scratch))
        except FileNotFoundError:
            continue  # another writer swept it before it was locked
        if scratch.exists():
            return scratch


@contextmanager
def _name_in_errors(target: Path, *inner: Path) -> Iterator[None]:
    """Name the target in an error that names no file, or only an ``inner`` one."""
    try:
        yield
    except OSError as error:
        name = error.filename
        if error.errno is None and type(error) is not OSError:
            raise  # one of ours
        if name is not None and not str(name).startswith(tuple(map(str, inner))):
            raise
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(
            error.errno or errno.EIO,
            f"{target} could not be written, and no part of it was kept: {reason}",
        ) from error


def _follow_links(path: Path) -> Path:
    """Where a chain of links ends, whether there is a file or not."""
    target = path
    for _ in range(_MAX_LINKS):
        if _DESCRIPTOR.fullmatch(str(target)) or not target.is_symlink():
            return target
        target = target.parent / target.readlink()
    raise OSError(f"{path} is a link to itself. Choose another name.")


def _open_stream(target: Target) -> int:
    """Open a device, a pipe or a descriptor; raise if nobody reads the pipe."""
    if target.descriptor is not None:
        for file in (sys.stdout, sys.stderr):  # whose earlier text comes first
            if file is not None and not file.closed:
                file.flush()
        return os.dup(target.descriptor)
    path = target.path
    if not path.is_fifo():
        return os.open(path, os.O_WRONLY)
    give_up = time.monotonic() + _WAIT_FOR_READER_S
    while True:
        try:
            stream = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() < give_up:
                time.sleep(0.01)
                continue
            raise OSError(
                f"{path} is a pipe that nobody reads. Start its reader first."
            ) from error
        os.set_blocking(stream, True)
        return stream


def _sync(path: Path) -> None:
    """Wait until a file is on the disk, so that its name is never there without it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def unwritable(text: str) -> str:
    r"""Why a text file cannot hold a text, for a message.

    Parameters
    ----------
    text : str
        An id or a name.

    Returns
    -------
    reason : str
        "" if it can. A text file has no NUL characters and no surrogates, and a
        byte-order mark at the start of a line is dropped.

    Examples
    --------
    >>> unwritable("a\0"), unwritable("\ufeffa"), unwritable("a")
    ('a NUL character', 'a byte-order mark at its start', '')
    """
    if "\0" in text:
        return "a NUL character"
    if text.startswith("\ufeff"):
        return "a byte-order mark at its start"
    return "a surrogate" if _SURROGATE.search(text) else ""


def id_text(value: object, field: str = "an id") -> str:
    r"""Text of an id, as files have it.

    Parameters
    ----------
    value : object
        An id; bytes are UTF-8, as NumPy, HDF5 and Parquet hold text.
    field : str, default="an id"
        What messages call it.

    Returns
    -------
    text : str

    Raises
    ------
    ValueError
        If bytes are not UTF-8.

    Examples
    --------
    >>> id_text(b"q1"), id_text(7)
    ('q1', '7')
    """
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{field} must be text, or bytes in UTF-8; got {bytes(value)!r}. Decode it."
        ) from error
