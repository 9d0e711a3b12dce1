"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PathLike = str | os.PathLike[str]


@contextmanager
def whole_file(path: PathLike) -> Iterator[Path]:
    """Path to write to; it becomes ``path`` when the block ends without an error."""
    target = Path(path)
    _check_folder(target)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        with _named_in_errors(target):
            yield scratch
        scratch.chmod(0o666 & ~_umask())
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: PathLike) -> Iterator[Path]:
    """Folder to write to; it becomes ``path`` when the block ends without an error."""
    target = Path(path)
    _check_folder(target)
    if target.exists():
        raise FileExistsError(
            f"{target} must not exist yet; delete it or choose another folder."
        )
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        with _named_in_errors(target):
            yield scratch
        scratch.chmod(0o777 & ~_umask())
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for the same folder.

    The system lifts the lock when a process ends, however it ends. Windows has no such
    lock: there, start the first download alone.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _named_in_errors(target: Path) -> Iterator[None]:
    """Say which file could not be written when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(
            error.errno or errno.EIO,
            f"{target} could not be written, and nothing of it was kept: {reason}",
        ) from error


def _check_folder(target: Path) -> None:
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"{target} cannot be written: there is no folder {target.parent}."
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
