"""Locks between processes, and what killed processes leave behind.

Part of the ground floor that every room may import.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DEAD_AFTER_S = 24 * 3600.0


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time into the block; the others wait.

    Windows has no such lock: let a single process do the first download there.

    Parameters
    ----------
    folder : Path
        Existing folder that the processes share.
    """
    lock_file = folder / "lock"
    lock_file.touch()
    with locked(lock_file):
        yield


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool | None]:
    """Lock a file or folder.

    The operating system releases the lock when a process ends, however it ends.

    Parameters
    ----------
    path : Path
        Existing file or folder; it may be renamed or deleted while it is locked.
    wait : bool, default=True
        Whether to wait while another process or another thread has the lock.

    Yields
    ------
    is_locked : bool or None
        False: another one has the lock. None: there are no such locks, as on Windows
        and some network file systems.
    """
    if sys.platform == "win32":
        yield None
        return
    import fcntl

    # network file systems lock only what is open for writing, which no folder can be
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield _flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    finally:
        os.close(handle)


def _flock(handle: int, operation: int) -> bool | None:
    import fcntl

    try:
        fcntl.flock(handle, operation)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def sweep(folder: Path, pattern: str) -> None:
    """Delete what killed writers left behind.

    Parameters
    ----------
    folder : Path
        Where to look.
    pattern : str
        Names of files and folders, which are locked while they are written. Those that
        are not are deleted; where there are no locks, those a day old.
    """
    for leftover in folder.glob(pattern):
        try:
            _delete_if_dead(leftover)
        except OSError:
            continue  # it is gone by now, or belongs to somebody else


def _delete_if_dead(leftover: Path) -> None:
    status = leftover.lstat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return
    with locked(leftover, wait=False) as is_locked:
        is_old = time.time() - status.st_mtime > _DEAD_AFTER_S
        if is_locked or (is_locked is None and is_old):
            delete(leftover)


def delete(path: Path) -> None:
    """Delete a file or folder, if it is still there.

    Parameters
    ----------
    path : Path
        The file or folder.
    """
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
