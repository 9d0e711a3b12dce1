"""Files and folders that are written whole or not at all, and text that may be gzipped.

Part of the ground floor that every room may import.
"""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PathLike = str | os.PathLike[str]


@contextmanager
def whole_file(path: PathLike) -> Iterator[Path]:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : path
        File to make or replace; its folder must exist.

    Yields
    ------
    scratch : Path
        File beside it to write to. It is renamed to ``path`` when the block ends, and
        deleted if the block raises.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    OSError
        If the disk is full.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "notes.txt"
    >>> with whole_file(path) as scratch:
    ...     _ = scratch.write_text("all of it")
    >>> path.read_text()
    'all of it'
    """
    target = Path(path)
    check_parent(target)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        with _name_in_errors(target):
            yield scratch
        scratch.chmod(0o666 & ~_umask())
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: PathLike, *, replace: bool = False) -> Iterator[Path]:
    """Write a folder whole or not at all.

    Parameters
    ----------
    path : path
        Folder to make; its parent must exist.
    replace : bool, default=False
        Whether an existing folder is replaced. It is deleted only once the new one is
        in its place.

    Yields
    ------
    scratch : Path
        Folder beside it to write to. It is renamed to ``path`` when the block ends, and
        deleted if the block raises.

    Raises
    ------
    FileNotFoundError
        If the parent folder does not exist.
    FileExistsError
        If the folder exists and ``replace`` is False.
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
    target = Path(path)
    check_parent(target)
    if target.exists() and not replace:
        raise FileExistsError(
            f"{target} must not exist yet; delete it or choose another folder."
        )
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        with _name_in_errors(target):
            yield scratch
        scratch.chmod(0o777 & ~_umask())
        _put_in_place(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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
def open_to_read(path: PathLike, mode: str = "rb") -> Iterator[Any]:
    """Open a file to read, unzipping it if its name ends in ``.gz``.

    Parameters
    ----------
    path : path
        The file.
    mode : {"rb", "rt"}, default="rb"
        Bytes, or text in UTF-8.

    Yields
    ------
    file : file object

    Raises
    ------
    ValueError
        If a gzip file is cut off or damaged.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "notes.txt.gz"
    >>> _ = path.write_bytes(gzip.compress(b"one line"))
    >>> with open_to_read(path, "rt") as file:
    ...     file.read()
    'one line'
    """
    opener: Any = gzip.open if Path(path).suffix == ".gz" else open
    encoding = None if "b" in mode else "utf-8"
    with opener(path, mode, encoding=encoding) as file:
        try:
            yield file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"{path} must be a complete gzip file; reading it failed: {error}. "
                "Download or compress it again."
            ) from error


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time into the block; the others wait.

    The operating system releases the lock when a process ends, however it ends. Windows
    has no such lock: let a single process do the first download there.

    Parameters
    ----------
    folder : Path
        Existing folder that the processes share.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _name_in_errors(target: Path) -> Iterator[None]:
    """Name the target in an error that names no file, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(
            error.errno or errno.EIO,
            f"{target} could not be written, and no part of it was kept: {reason}",
        ) from error


def _put_in_place(scratch: Path, target: Path) -> None:
    """Rename ``scratch`` to ``target``; restore an old folder if that fails."""
    if not target.exists():
        scratch.rename(target)
        return
    # rename() replaces no folder that has files, so the old one moves aside first
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    old = aside / target.name
    try:
        target.rename(old)
        try:
            scratch.rename(target)
        except BaseException:
            old.rename(target)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    # the only portable way to read the mask is to set it
    mask = os.umask(0)
    os.umask(mask)
    return mask
