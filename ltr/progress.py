"""Progress lines for long work, on standard error."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

SECONDS_BETWEEN_LINES = 5.0


class ProgressLine:
    r"""Write a line now and then, never more often than ``every_s``.

    Parameters
    ----------
    every_s : float, default=5.0
        Least time between two lines, in seconds. 0: every line is written.
    in_place : bool, default=False
        Whether each line overwrites the one before, as progress bars do;
        :meth:`close` ends the last one.
    stream : text file, default=None
        Where to write. None: standard error.

    Notes
    -----
    Safe to call from several threads.

    Examples
    --------
    >>> import io
    >>> stream = io.StringIO()
    >>> progress = ProgressLine(every_s=60.0, stream=stream)
    >>> progress(lambda: "tree 1/2")  # too early
    >>> progress(lambda: "tree 2/2", last=True)
    >>> stream.getvalue()
    'tree 2/2\n'
    """

    def __init__(
        self,
        every_s: float = SECONDS_BETWEEN_LINES,
        *,
        in_place: bool = False,
        stream: TextIO | None = None,
    ) -> None:
        self._every_s = every_s
        self._in_place = in_place
        self._stream = stream
        self._lock = threading.Lock()
        self._started = self._written = time.monotonic()
        self._open = False

    def __call__(self, text: Callable[[], str], *, last: bool = False) -> None:
        """Write ``text()`` if it is time for a line, or if it is the last one."""
        with self._lock:
            now = time.monotonic()
            if not last and now - self._written < self._every_s:
                return
            self._written = now
            self._open = self._in_place
            self._write(f"\r{text()}" if self._in_place else f"{text()}\n")

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self._started

    def close(self) -> None:
        """End a line that was written in place."""
        with self._lock:
            if self._open:
                self._open = False
                self._write("\n")

    def _write(self, text: str) -> None:
        stream = sys.stderr if self._stream is None else self._stream
        stream.write(text)
        stream.flush()
