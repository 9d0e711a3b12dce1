"""Downloads that resume after a dropped connection, whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ltr.files import PathLike, replace
from ltr.progress import ProgressLine

_BLOCK_BYTES = 2**20
_TIMEOUT_S = 60.0
_WAIT_S = 2.0
_ATTEMPTS_WITHOUT_PROGRESS = 3
_MAX_ATTEMPTS = 100
_MAX_BYTES = 2**35
# A server that sends less than this in such a time is given up.
_SLOW_BYTES, _SLOW_S = 2**16, 60.0
_CUT = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
)
Progress = Callable[[int, int | None], None]


class _Hopeless(ConnectionError):
    """A server that will not send the file, however often it is asked."""


class _DiskError(Exception):
    """A failed write, told apart from a failure of the network."""


def download(
    url: str, target: Path, *, sha256: str | None, by_hand: str, progress: Progress
) -> str:
    """Download a file and return its SHA-256.

    Bytes go to ``<target>.part`` until the file is complete and its checksum is right.
    An interrupted download resumes from there, in this call or in the next one, but
    only if the server confirms that its file has not changed (If-Range), or if there is
    a checksum to verify the result.

    Parameters
    ----------
    url : str
        Address, http or https.
    target : Path
        File to write; its folder must exist.
    sha256 : str or None
        Expected checksum. None: not checked.
    by_hand : str
        Sentence for the message: what to do by hand if the download fails.
    progress : callable
        Called with the number of bytes received, and the total or None.

    Raises
    ------
    ValueError
        If the address is not http(s), or the checksum is wrong (the file is deleted).
    ConnectionError
        If the server cannot be reached or refuses, sends more than 32 GiB or less than
        64 KiB in a minute, or the connection keeps dropping.
    OSError
        If the disk is full (the part is deleted).
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"url must begin with http:// or https://; got {url!r}.")
    part = _Part(target, has_checksum=sha256 is not None)
    failures = n_attempts = 0
    while True:
        before = part.size()
        try:
            _receive(url, part, progress)
            break
        except _DiskError as error:
            part.delete()
            cause = error.__cause__
            assert isinstance(cause, OSError)
            raise OSError(
                cause.errno,
                f"{target} could not be written, and no part of it was kept: "
                f"{cause.strerror}",
            ) from cause
        except _CUT as error:
            refused = isinstance(error, _Hopeless) or (
                isinstance(error, urllib.error.HTTPError) and error.code < 500
            )
            n_attempts += 1
            failures = 1 if part.size() > before else failures + 1
            is_last = n_attempts >= _MAX_ATTEMPTS
            if refused or is_last or failures >= _ATTEMPTS_WITHOUT_PROGRESS:
                size = part.size()
                resume = f" The first {size:,} bytes are kept." if size else ""
                reason = _reason(error)
                raise ConnectionError(
                    f"{url} could not be downloaded: {reason}.{resume} {by_hand}"
                ) from error
            time.sleep(_WAIT_S * failures)
    digest = checksum(part.path)
    if sha256 is not None and digest != sha256.lower():
        part.delete()
        raise ValueError(
            f"{url} must have the SHA-256 {sha256}; got {digest}. The download was "
            f"deleted. {by_hand}"
        )
    replace(part.path, target)
    part.delete()
    return digest


def report_to_stderr(name: str) -> Progress:
    """Report the progress of a download on standard error from time to time."""
    line = ProgressLine()

    def progress(n_received: int, total: int | None) -> None:
        of_total = f" of {total / 1e6:,.1f}" if total else ""
        line(
            lambda: f"{name}: {n_received / 1e6:,.1f}{of_total} MB",
            last=n_received == total,
        )

    return progress


class _Part:
    """The bytes received so far, and the server's validator (ETag) of the file."""

    def __init__(self, target: Path, has_checksum: bool) -> None:
        self.path = target.with_name(target.name + ".part")
        self._validator = target.with_name(target.name + ".part.mark")
        self._has_checksum = has_checksum

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self) -> dict[str, str]:
        """Headers that request the missing bytes, or all bytes if that is not safe."""
        validator = self._validator.read_text() if self._validator.exists() else ""
        if not self.size() or not (validator or self._has_checksum):
            return {}
        headers = {"Range": f"bytes={self.size()}-"}
        return headers | ({"If-Range": validator} if validator else {})

    def has_changed(self, response: Any) -> bool:
        """Whether a partial response belongs to another version of the file."""
        validator = self._validator.read_text() if self._validator.exists() else ""
        name = "ETag" if validator.startswith('"') else "Last-Modified"
        sent = response.headers.get(name, "")
        return bool(validator and sent and sent != validator)

    def open(self, response: Any) -> Any:
        """Open the file for the body of the response, at the right position."""
        if response.status == 206:
            file = self.path.open("r+b")
            file.seek(self.size())
            return file
        etag = response.headers.get("ETag", "")
        # If-Range takes no weak validator
        strong = etag if etag and not etag.startswith("W/") else ""
        modified = response.headers.get("Last-Modified", "")
        self._validator.write_text(strong or modified)
        return self.path.open("wb")

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
        self._validator.unlink(missing_ok=True)


def _receive(url: str, part: _Part, progress: Progress) -> None:
    """Request the missing bytes and write them; raises if the connection is cut."""
    headers = {"User-Agent": "ltr", "Accept-Encoding": "identity"} | part.headers()
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and "Range" in headers:
            if error.headers.get("Content-Range") == f"bytes */{part.size()}":
                return  # nothing was missing
            part.delete()
            raise ConnectionError("the file on the server has changed") from error
        raise
    with response:
        start = part.size() if response.status == 206 else 0
        total = _whole_number(response.headers.get("Content-Length", ""))
        if response.status == 206:
            sent = response.headers.get("Content-Range", "")
            if not sent.startswith(f"bytes {start}-"):
                part.delete()
                raise ConnectionError(
                    f"the server sent {sent!r} instead of the bytes from {start}"
                )
            if part.has_changed(response):
                part.delete()
                raise ConnectionError("the file on the server has changed")
            total = _whole_number(sent.rpartition("/")[2])
        if total is not None and total > _MAX_BYTES:
            raise _Hopeless(
                f"the server announces {total:,} bytes, more than {_MAX_BYTES:,}"
            )
        _write(response, part, start, total, progress)
    if total is not None and part.size() != total:
        raise ConnectionError(
            f"the connection was cut after {part.size():,} of {total:,} bytes"
        )


def _whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _write(
    response: Any, part: _Part, start: int, total: int | None, progress: Progress
) -> None:
    try:
        file = part.open(response)
    except OSError as error:
        raise _DiskError from error
    n_received = window_start = start
    deadline = time.monotonic() + _SLOW_S
    try:
        while block := response.read1(_BLOCK_BYTES):  # what has come, not a whole block
            try:
                file.write(block)
            except OSError as error:
                raise _DiskError from error
            n_received += len(block)
            progress(n_received, total)
            if n_received > _MAX_BYTES:
                raise _Hopeless(f"the server sent more than {_MAX_BYTES:,} bytes")
            if time.monotonic() > deadline:
                if n_received - window_start < _SLOW_BYTES:
                    raise _Hopeless(
                        f"the server sent {n_received - window_start:,} bytes in "
                        f"{_SLOW_S:g} s"
                    )
                window_start, deadline = n_received, time.monotonic() + _SLOW_S
    finally:
        try:
            file.close()
        except OSError as error:
            raise _DiskError from error


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


def home_folder(folder: PathLike | None) -> Path:
    """Folder for downloads: ``folder``, ``LTR_DATA_HOME`` or ``~/.cache/ltr``."""
    if folder is None:
        folder = os.environ.get("LTR_DATA_HOME") or Path.home() / ".cache" / "ltr"
    return Path(folder).expanduser()
