"""Text files in folders, zip and tar archives, read without extracting them."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ltr.datasets.letor.lines import Chunk, read_chunks
from ltr.text import TextFile

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,  # a zip archive with a password
    NotImplementedError,  # a zip archive compressed in another way
)
_HOSTILE = (ValueError, OverflowError, struct.error)  # headers that make no sense
# Text does not shrink further: what does was made to fill disks.
_MAX_RATIO = 100
_BLOCK_BYTES = 2**20
_MAX_SMALL_BYTES = 2**26


class BrokenArchiveError(ValueError):
    """An archive that is truncated or damaged."""


class MissingMemberError(ValueError):
    """An archive or a folder without the expected file."""


def read_member(
    source: Path,
    member: str,
    n_features: int,
    dtype: type[np.floating] = np.float64,
) -> Iterator[Chunk]:
    """Parse a LETOR file in a folder or archive.

    Parameters
    ----------
    source : Path
        Folder, zip or tar archive (also .tar.gz, .tar.bz2, .tar.xz).
    member : str
        Trailing part of the path of the file, such as ``"Fold1/train.txt"``.
    n_features : int
        Number of features.
    dtype : float type, default=numpy.float64
        Type in whose range they must be.

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
    with open_member(source, member) as text:
        yield from read_chunks(text, False, n_features, dtype=dtype)


@contextmanager
def open_member(
    source: Path, member: str, encoding: str = "utf-8", *, has_quotes: bool = False
) -> Iterator[TextFile]:
    """Open a text file in a folder or archive.

    Parameters
    ----------
    source : Path
        Folder, zip or tar archive.
    member : str
        Trailing part of the path of the file.
    encoding : str, default="utf-8"
        Encoding of the text.
    has_quotes : bool, default=False
        Whether line feeds may be inside quotes.

    Yields
    ------
    file : TextFile

    Raises
    ------
    ValueError
        As :func:`read_member`, but for its lines.
    FileNotFoundError
        If there is no such folder or archive.
    """
    with _opened(source) as (names, open_file):
        name = _find(names, member, source)
        with open_file(name) as file:
            yield TextFile(file, f"{source}, {name}", encoding, has_quotes=has_quotes)


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
    if source.exists() and not source.is_file():
        raise ValueError(
            f"{source} must be a folder, or a zip or tar archive on disk; got a pipe "
            "or device. Save it to a file."
        )
    with source.open("rb") as file:
        start = file.read(4)
    if start == b"Rar!":
        raise ValueError(
            f"{source} is a RAR archive, which Python cannot read. Extract it (unrar x "
            f"{source.name}) and pass path= with the folder."
        )
    is_zip = start == b"PK\x03\x04"
    with _errors_named(source), ExitStack() as stack:
        try:
            sizes, open_file = (_zip if is_zip else _tar)(source, stack)
        except _HOSTILE as error:
            raise _broken(source, error) from error
        limit = max(_MAX_SMALL_BYTES, _MAX_RATIO * source.stat().st_size)
        for name, size in sizes:
            if size > limit:
                raise BrokenArchiveError(
                    f"{source} must not hold more than {_MAX_RATIO} times its own "
                    f"size; got {size:,} bytes in {name}."
                )
        yield [name for name, _ in sizes], open_file


_Members = tuple[list[tuple[str, int]], Callable[[str], Any]]


def _zip(source: Path, stack: ExitStack) -> _Members:
    """Names and sizes of the files, and a function that opens one of them."""
    archive = stack.enter_context(zipfile.ZipFile(source))
    sizes = [(info.filename, info.file_size) for info in archive.infolist()]
    return sizes, archive.open


def _tar(source: Path, stack: ExitStack) -> _Members:
    """Names and sizes of the files, and a function that opens one of them."""
    tar = stack.enter_context(tarfile.open(source, "r:*"))  # noqa: SIM115 - the stack closes it
    limit = max(_MAX_SMALL_BYTES, _MAX_RATIO * source.stat().st_size)
    members = {}
    for member in tar:
        if member.isfile():
            members[member.name] = member
        if member.size > limit:  # before it is unpacked to find the next one
            break
    else:
        # the checksum of gzip, bzip2 and xz is at the very end of the stream
        while tar.fileobj is not None and tar.fileobj.read(_BLOCK_BYTES):
            continue
    sizes = [(name, member.size) for name, member in members.items()]
    return sizes, lambda name: tar.extractfile(members[name])


@contextmanager
def _errors_named(source: Path) -> Iterator[None]:
    """Name the archive in errors about its structure."""
    try:
        yield
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
    raise MissingMemberError(
        f"{source} must have exactly one file {member}; got {listed}. Its files: "
        f"{files or 'none'}."
    )


def _broken(source: Path, error: BaseException) -> BrokenArchiveError:
    reason = str(error).partition("\n")[0].rstrip(":") or type(error).__name__
    return BrokenArchiveError(
        f"{source} must be a complete zip or tar archive; reading it failed: {reason}."
    )
