"""Text files inside folders, zip and tar archives, read without unpacking them."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from ltr.datasets.letor.lines import Chunk, read_chunks

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.ReadError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
)


class BrokenArchiveError(ValueError):
    """An archive that is cut off or damaged."""


def read_member(source: Path, member: str) -> Iterator[Chunk]:
    """Parse a LETOR file of a folder or archive.

    Parameters
    ----------
    source : Path
        Folder, zip or tar archive (also .tar.gz, .tar.bz2, .tar.xz).
    member : str
        Name of the file, with its last folders, such as ``"Fold1/train.txt"``.

    Yields
    ------
    chunk : Chunk

    Raises
    ------
    BrokenArchiveError
        If the archive is cut off or damaged.
    ValueError
        If it is no archive, or has no such file, or several; or a line is malformed.
    FileNotFoundError
        If there is no such folder or archive.
    """
    with _opened(source) as (names, open_member):
        name = _find(names, member, source)
        with open_member(name) as file:
            yield from read_chunks(file, f"{source}, {name}", zero_based=False)


@contextmanager
def _opened(
    source: Path,
) -> Iterator[tuple[Sequence[str], Callable[[str], Any]]]:
    """Names of the files in it, and a function that opens one."""
    if source.is_dir():
        files = sorted(path for path in source.rglob("*") if path.is_file())
        names = [path.relative_to(source).as_posix() for path in files]
        yield names, lambda name: (source / name).open("rb")
        return
    with source.open("rb") as file:
        start = file.read(4)
    if start == b"Rar!":
        raise ValueError(
            f"{source} is a RAR archive, which Python cannot read. Extract it (unrar x "
            f"{source.name}) and pass path= with the folder."
        )
    try:
        if start == b"PK\x03\x04":
            with zipfile.ZipFile(source) as archive:
                yield archive.namelist(), archive.open
        else:
            with tarfile.open(source, "r:*") as tar:
                members = {m.name: m for m in tar.getmembers() if m.isfile()}
                yield list(members), lambda name: tar.extractfile(members[name])
    except _BROKEN as error:
        raise _broken(source, error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _broken(source, error) from error  # of gzip or bz2, not of the system


def _find(names: Sequence[str], member: str, source: Path) -> str:
    wanted = PurePosixPath(member).parts
    found = [n for n in names if PurePosixPath(n).parts[-len(wanted) :] == wanted]
    if len(found) == 1:
        return found[0]
    what = f"has {len(found)}: {', '.join(found[:5])}" if found else "has none"
    there = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    raise ValueError(
        f"{source} must have one file {member}; it {what}. Its files: "
        f"{there or 'none'}."
    )


def _broken(source: Path, error: BaseException) -> BrokenArchiveError:
    reason = str(error).partition("\n")[0].rstrip(":") or type(error).__name__
    return BrokenArchiveError(
        f"{source} must be a whole zip or tar archive; reading it failed: {reason}."
    )
