"""Downloads that go on where they were cut and end up whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

_BLOCK_BYTES = 2**20
_TIMEOUT_S = 60.0
_WAIT_S = 2.0
_ATTEMPTS_WITHOUT_PROGRESS = 3
_CUT = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
)
Progress = Callable[[int, int | None], None]


class _DiskError(Exception):
    """A write that failed, so that it is not taken for a failure of the network."""


def download(
    url: str, target: Path, *, sha256: str | None, by_hand: str, progress: Progress
) -> str:
    """Download a file and return its SHA-256.

    What has arrived is in ``<target>.part`` until the file is whole and its checksum is
    right. A cut connection is tried again from there, in this call and in the next one;
    a part is only continued if the server says that its file is still the same
    (If-Range) or if a checksum is there to tell.

    Parameters
    ----------
    url : str
        Address, http or https.
    target : Path
        File to make; its folder exists.
    sha256 : str or None
        Expected checksum. None: not checked.
    by_hand : str
        What to do if it fails, a sentence for the message.
    progress : callable
        Gets the number of bytes there, and of all bytes or None.

    Raises
    ------
    ValueError
        If the address is not http(s), or the checksum is wrong: the file is deleted.
    ConnectionError
        If the server cannot be reached, refuses, or is cut off again and again.
    OSError
        If the disk is full: the part is deleted.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"url must begin with http:// or https://; got {url!r}.")
    part = _Part(target, may_resume_unseen=sha256 is not None)
    failures = 0
    while True:
        before = part.size()
        try:
            _receive(url, part, progress)
            break
        except _DiskError as error:
            part.delete()
            reason = error.__cause__
            assert isinstance(reason, OSError)
            raise OSError(
                reason.errno,
                f"{target} could not be written, and no part of it was kept: "
                f"{reason.strerror}",
            ) from reason
        except _CUT as error:
            refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
            failures = 1 if part.size() > before else failures + 1
            if refused or failures >= _ATTEMPTS_WITHOUT_PROGRESS:
                kept = f" {part.size():,} bytes are kept." if part.size() else ""
                raise ConnectionError(
                    f"{url} could not be downloaded: {_reason(error)}.{kept} {by_hand}"
                ) from error
            time.sleep(_WAIT_S * failures)
    found = _checksum(part.path)
    if sha256 is not None and found != sha256.lower():
        part.delete()
        raise ValueError(
            f"{url} must have the SHA-256 {sha256}; got {found}. The download was "
            f"deleted. {by_hand}"
        )
    part.path.replace(target)
    part.delete()
    return found


def report_to_stderr(name: str) -> Progress:
    """Progress as a line for every tenth of the file, or every 100 MB."""
    last = [0]

    def progress(done: int, total: int | None) -> None:
        tenth = done * 10 // total if total else done // 10**8
        if tenth != last[0]:
            last[0] = tenth
            of = f" of {total / 1e6:,.1f}" if total else ""
            sys.stderr.write(f"{name}: {done / 1e6:,.1f}{of} MB\n")

    return progress


class _Part:
    """The part of a file that has arrived, and the server's mark of the whole."""

    def __init__(self, target: Path, may_resume_unseen: bool) -> None:
        self.path = target.with_name(target.name + ".part")
        self._mark = target.with_name(target.name + ".part.mark")
        self._may_resume_unseen = may_resume_unseen

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self) -> dict[str, str]:
        """Headers that ask for the rest, or for all if that is not safe."""
        mark = self._mark.read_text() if self._mark.exists() else ""
        if not self.size() or not (mark or self._may_resume_unseen):
            return {}
        headers = {"Range": f"bytes={self.size()}-"}
        return headers | ({"If-Range": mark} if mark else {})

    def open(self, response: Any) -> Any:
        """File to write the body of the response to, at its place."""
        if response.status == 206:
            file = self.path.open("r+b")
            file.seek(self.size())
            return file
        etag = response.headers.get("ETag", "")
        strong = etag if etag and not etag.startswith("W/") else ""
        self._mark.write_text(strong or response.headers.get("Last-Modified", ""))
        return self.path.open("wb")

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)


def _receive(url: str, part: _Part, progress: Progress) -> None:
    """Ask for what is missing and write it; an error says that it was cut."""
    headers = {"User-Agent": "ltr", "Accept-Encoding": "identity"} | part.headers()
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and "Range" in headers:
            if error.headers.get("Content-Range") == f"bytes */{part.size()}":
                return  # nothing was missing
            part.delete()
            raise ConnectionError("the server has another file than before") from error
        raise
    with response:
        start = part.size() if response.status == 206 else 0
        if response.status == 206:
            sent = response.headers.get("Content-Range", "")
            if not sent.startswith(f"bytes {start}-"):
                part.delete()
                raise ConnectionError(f"the server sent {sent!r}, not what was asked")
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        _write(response, part, start, total, progress)
    if total is not None and part.size() != total:
        raise ConnectionError(
            f"the connection was cut after {part.size():,} of {total:,} bytes"
        )


def _write(
    response: Any, part: _Part, start: int, total: int | None, progress: Progress
) -> None:
    try:
        file = part.open(response)
    except OSError as error:
        raise _DiskError from error
    done = start
    try:
        while block := response.read(_BLOCK_BYTES):
            try:
                file.write(block)
            except OSError as error:
                raise _DiskError from error
            done += len(block)
            progress(done, total)
    finally:
        try:
            file.close()
        except OSError as error:
            raise _DiskError from error


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


def home_folder(folder: str | os.PathLike[str] | None) -> Path:
    """Folder for downloads: the given one, ``LTR_DATA_HOME``, or ``~/.cache/ltr``."""
    if folder is None:
        folder = os.environ.get("LTR_DATA_HOME") or Path.home() / ".cache" / "ltr"
    return Path(folder).expanduser()
