"""Text files in folders, zip and tar archives, read without extracting them."""

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
from ltr.text import TextFile

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.ReadError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
)


class BrokenArchiveError(ValueError):
    """An archive that is truncated or damaged."""


def read_member(source: Path, member: str, n_features: int) -> Iterator[Chunk]:
    """Parse a LETOR file in a folder or archive.

    Parameters
    ----------
    source : Path
        Folder, zip or tar archive (also .tar.gz, .tar.bz2, .tar.xz).
    member : str
        Trailing part of the path of the file, such as ``"Fold1/train.txt"``.
    n_features : int
        Number of features.

    Yields
    ------
    chunk : Chunk

    Raises
    ------
    BrokenArchiveError
        If the archive is truncated or damaged.
    ValueError
        If it is not an archive, has no such file or several, or if a line is malformed.
    FileNotFoundError
        If there is no such folder or archive.
    """
    with _opened(source) as (names, open_member):
        name = _find(names, member, source)
        with open_member(name) as file:
            text = TextFile(file, f"{source}, {name}")
            yield from read_chunks(text, False, n_features)


@contextmanager
def _opened(
    source: Path,
) -> Iterator[tuple[Sequence[str], Callable[[str], Any]]]:
    """Names of the files, and a function that opens one of them."""
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
        # gzip and bz2 raise OSError without errno; the system always sets it
        raise _broken(source, error) from error


def _find(names: Sequence[str], member: str, source: Path) -> str:
    parts = PurePosixPath(member).parts
    matches = [n for n in names if PurePosixPath(n).parts[-len(parts) :] == parts]
    if len(matches) == 1:
        return matches[0]
    listed = f"{len(matches)}: {', '.join(matches[:5])}" if matches else "none"
    files = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    raise ValueError(
        f"{source} must have exactly one file {member}; got {listed}. Its files: "
        f"{files or 'none'}."
    )


def _broken(source: Path, error: BaseException) -> BrokenArchiveError:
    reason = str(error).partition("\n")[0].rstrip(":") or type(error).__name__
    return BrokenArchiveError(
        f"{source} must be a complete zip or tar archive; reading it failed: {reason}."
    )
