"""Text files, decoded in one way: lines of UTF-8, numbered, with errors that name them.

Every reader of a text format takes its bytes from :func:`open_text`. What it hands out
is UTF-8 without byte-order marks and without NUL, with line feeds as the only line
ends, and no line is longer than ``MAX_LINE_BYTES``.

Part of the ground floor that every room may import.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import stat
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import ArgumentError
from ltr.files import PathLike
from ltr.queries import IntArray

MAX_LINE_BYTES = 2**26
BLANKS = " \t\v\f"  # between words; other spaces of Unicode are letters of an id
_BLOCK_BYTES = 2**20
_BOM = codecs.BOM_UTF8
_OTHER_BOMS = {  # UTF-32 first: its little-endian mark begins as that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_GZIP_MAGIC = b"\x1f\x8b"
_MAX_EXCERPT = 60
_MAX_FIXED_WIDTH_BYTES = 2**26
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_WRITER_WAIT_S = 3.0


class TextFile:
    """An open text file.

    Parameters
    ----------
    file : binary file
        Its bytes, unzipped.
    name : str
        What messages call it.
    encoding : str, default="utf-8"
        Encoding of the text.
    has_quotes : bool, default=False
        Whether line feeds may be inside quotes, so that a byte-order mark after one
        may be text: then only the mark at the start of the file is dropped.
    """

    def __init__(
        self,
        file: IO[bytes] | Any,
        name: str,
        encoding: str = "utf-8",
        *,
        has_quotes: bool = False,
    ) -> None:
        self._file, self.name, self._encoding = file, name, encoding
        self._has_quotes = has_quotes
        self._is_utf8 = check_encoding(encoding)
        self._n_lines = 0  # in the blocks so far

    def blocks(self, n_bytes: int = _BLOCK_BYTES) -> Iterator[tuple[int, bytes]]:
        """Read block by block.

        Parameters
        ----------
        n_bytes : int, default=1048576
            Approximate size of a block.

        Yields
        ------
        first_line : int
            Number of the first line of the block, from 1.
        text : bytes
            Whole lines in UTF-8; only the last line of the file may lack its line feed.

        Raises
        ------
        ValueError
            If bytes are not text in the encoding, there is a NUL, or a line is too
            long; the message has the file and line number.
        """
        for block in self._whole_lines(n_bytes):
            text = self._checked(block)
            if text:
                yield self._n_lines + 1, text
            self._n_lines += int(np.count_nonzero(np.frombuffer(text, np.uint8) == 10))

    def lines(self) -> Iterator[tuple[int, str]]:
        """Read line by line.

        Yields
        ------
        number : int
            Number of the line, from 1.
        line : str
            The line without its line feed.

        Raises
        ------
        ValueError
            As in :meth:`blocks`.
        """
        for number, block in self.blocks():
            lines = block.decode().split("\n")
            if not lines[-1]:
                lines.pop()
            yield from enumerate(lines, number)

    def error(self, line: int, expected: str, got: str, cure: str = "") -> ValueError:
        """Error about a line: see :func:`line_error`."""
        return line_error(self.name, line, expected, got, cure)

    def _whole_lines(self, n_bytes: int) -> Iterator[bytes]:
        """Blocks that end with whole lines; line feeds are the only line ends."""
        tail: list[bytes] = []  # pieces of the line that is not complete yet
        n_tail = 0
        for piece in _line_feeds(self._pieces(n_bytes)):
            cut = piece.rfind(b"\n") + 1
            if cut:
                yield b"".join([*tail, memoryview(piece)[:cut]])
                tail, n_tail = [], 0
            tail.append(piece[cut:])
            n_tail += len(piece) - cut
            if n_tail > MAX_LINE_BYTES:
                raise self.error(
                    self._n_lines + 1,
                    f"a line must have at most {MAX_LINE_BYTES:,} bytes",
                    f"more, beginning with {excerpt(tail[0])}",
                    "Is this a text file?",
                )
        if n_tail:
            yield b"".join(tail)

    def _pieces(self, n_bytes: int) -> Iterator[bytes]:
        """Bytes of the file, converted to UTF-8 if they are in another encoding."""
        if self._is_utf8:
            piece = self._read(n_bytes)
            for mark, encoding in _OTHER_BOMS.items():
                if piece.startswith(mark):
                    raise self.error(
                        1,
                        f"text must be in {self._encoding}",
                        f"a byte-order mark of {encoding}",
                        f'Pass encoding="{encoding}", or convert the file: iconv -f '
                        f"{encoding.upper()} -t UTF-8.",
                    )
            while piece:
                yield piece
                piece = self._read(n_bytes)
            return
        decoder = codecs.getincrementaldecoder(self._encoding)()
        n_lines, is_last = 0, False
        while not is_last:
            piece = self._read(n_bytes)
            is_last = not piece
            try:
                text = decoder.decode(piece, final=is_last)
            except UnicodeDecodeError as error:
                raise self._not_text(error, n_lines) from error
            except UnicodeError as error:  # UTF-16 without its mark
                raise self.error(
                    n_lines + 1, f"text must be in {self._encoding}", str(error)
                ) from error
            n_lines += text.count("\n")
            yield text.encode(errors="replace")  # UTF-7 has lone surrogates

    def _read(self, n_bytes: int) -> bytes:
        try:
            return bytes(self._file.read(n_bytes))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"{self.name} must be a complete gzip file; reading it failed: "
                f"{error}. Download or compress it again."
            ) from error

    def _checked(self, block: bytes) -> bytes:
        """Block without byte-order marks, once it is known to be text."""
        if b"\0" in block:
            *before, start = block[: block.index(b"\0")].split(b"\n")
            raise self.error(
                self._n_lines + len(before) + 1,
                "text must not have NUL bytes",
                f"one after {excerpt(start)}",
                'Is this a binary file, or text in UTF-16 (pass encoding="utf-16-le")?',
            )
        if block.isascii():
            return block
        if self._is_utf8:
            try:
                block.decode()
            except UnicodeDecodeError as error:
                raise self._not_text(error, self._n_lines) from error
        if _BOM not in block:
            return block
        if self._has_quotes:
            return block if self._n_lines else block.removeprefix(_BOM)
        # also where files with a mark were joined; a block begins with a line
        return block.replace(b"\n" + _BOM, b"\n").removeprefix(_BOM)

    def _not_text(self, error: UnicodeDecodeError, n_lines: int) -> ValueError:
        *before, start = error.object[: error.start].split(b"\n")
        byte = error.object[error.start]
        cure = 'Pass encoding= with its encoding, such as encoding="latin-1"'
        return self.error(
            n_lines + len(before) + 1,
            f"text must be in {self._encoding}",
            f"the byte 0x{byte:02x} (byte {len(start) + 1} of the line)",
            f"{cure}, or convert the file: iconv -f LATIN1 -t UTF-8.",
        )


@contextmanager
def open_text(
    path: PathLike, *, encoding: str = "utf-8", has_quotes: bool = False
) -> Iterator[TextFile]:
    r"""Open a text file, unzipping it if it is gzipped.

    Pipes are read once, from their start to their end, so that ``/dev/fd/63`` of a
    shell's ``<(…)`` works; one that nobody writes to raises after a few seconds.

    Parameters
    ----------
    path : path
        The file. It is gzipped if its name ends in ``.gz``, or if it begins as a gzip
        file does.
    encoding : str, default="utf-8"
        Its encoding.
    has_quotes : bool, default=False
        As for :class:`TextFile`.

    Yields
    ------
    file : TextFile

    Raises
    ------
    ValueError
        If a gzip file is cut off or damaged (while reading), or nothing writes to a
        pipe.
    ArgumentError
        If there is no such encoding.
    OSError
        If there is no such file, it is a folder, or it must not be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "notes.txt"
    >>> _ = path.write_bytes(b"\xef\xbb\xbffirst\r\nsecond\r")
    >>> with open_text(path) as file:
    ...     list(file.lines())
    [(1, 'first'), (2, 'second')]
    """
    check_encoding(encoding)
    with _opened(Path(path)) as plain:
        is_gzip = Path(path).suffix == ".gz" or plain.peek(2)[:2] == _GZIP_MAGIC
        file: Any = gzip.GzipFile(fileobj=plain) if is_gzip else plain
        yield TextFile(file, str(path), encoding, has_quotes=has_quotes)


def check_encoding(encoding: str) -> bool:
    """Whether an encoding is UTF-8; raises if there is no such encoding.

    Parameters
    ----------
    encoding : str
        Name of an encoding that Python has.

    Returns
    -------
    is_utf8 : bool

    Raises
    ------
    ArgumentError
        If Python has no text encoding of that name.

    Examples
    --------
    >>> check_encoding("UTF8"), check_encoding("latin-1")
    (True, False)
    """
    try:
        codec = codecs.lookup(encoding)
        "".encode(encoding)  # LookupError for codecs that are no text encodings
        b"".decode(encoding)
    except (LookupError, TypeError, ValueError):
        raise ArgumentError(
            "encoding must be a text encoding that Python knows, such as 'utf-8' or "
            f"'latin-1'; got {encoding!r}."
        ) from None
    return codec.name in ("utf-8", "utf-8-sig")


def line_error(
    file: object, line: int, expected: str, got: str, cure: str = ""
) -> ValueError:
    """Error about a line of a file, in the form that all readers share.

    Parameters
    ----------
    file : object
        The file, as messages call it.
    line : int
        Number of the line, from 1.
    expected : str
        What was expected: ``"a score must be a number"``.
    got : str
        What came.
    cure : str, default=""
        A sentence: what to do.

    Returns
    -------
    error : ValueError

    Examples
    --------
    >>> line_error("run.txt", 7, "a score must be a number", excerpt("high"))
    ValueError("run.txt, line 7: a score must be a number; got 'high'.")
    """
    end = f" {cure}" if cure else ""
    return ValueError(f"{file}, line {line}: {expected}; got {got}.{end}")


def excerpt(text: str | bytes) -> str:
    """Quote the beginning of a text for a message.

    Parameters
    ----------
    text : str or bytes
        The text; bytes are UTF-8.

    Returns
    -------
    quoted : str
        At most 60 characters between quotes, without outer spaces.

    Examples
    --------
    >>> excerpt("0.5 "), len(excerpt("7" * 1000))
    ("'0.5'", 62)
    """
    head = text[: 5 * _MAX_EXCERPT]  # four bytes a character, and some spaces
    words = (head.decode(errors="replace") if isinstance(head, bytes) else head).strip()
    if len(words) <= _MAX_EXCERPT and len(head) == len(text):
        return repr(words)
    return repr(words[: _MAX_EXCERPT - 3] + "...")


def text_array(words: Sequence[str], index: IntArray | None = None) -> NDArray[Any]:
    """Array of texts: of fixed width, or objects if one long text made it huge.

    Parameters
    ----------
    words : sequence of str
        The texts.
    index : int array of shape (n,), default=None
        Which of them each entry has. None: one after the other.

    Returns
    -------
    texts : str or object array of shape (n,)
        Objects if a fixed width would take more than 64 MiB, and more than 8 times the
        memory of the characters.

    Examples
    --------
    >>> text_array(["a", "bc"], np.array([1, 0, 1])).tolist()
    ['bc', 'a', 'bc']
    """
    lengths = np.array(list(map(len, words)), dtype=np.intp)
    if index is not None:
        lengths = lengths[index]
    n_characters = int(lengths.max(initial=1)) * len(lengths)
    is_wasteful = n_characters > 8 * int(lengths.sum())
    is_huge = n_characters * np.dtype("U1").itemsize > _MAX_FIXED_WIDTH_BYTES
    texts = np.array(words, dtype=object if is_huge and is_wasteful else np.str_)
    return texts if index is None else texts[index]


def id_array(words: Sequence[str], index: IntArray | None = None) -> NDArray[Any]:
    """Array of ids: integers if each is written as an integer is, else text.

    Parameters
    ----------
    words : sequence of str
        The ids. ``07`` and ``+7`` are text, so that they do not become the id 7.
    index : int array of shape (n,), default=None
        Which of them each entry has. None: one after the other.

    Returns
    -------
    ids : int64, str or object array of shape (n,)

    Examples
    --------
    >>> id_array(["7", "-1"]).tolist(), id_array(["7", "07"]).tolist()
    ([7, -1], ['7', '07'])
    """
    if all(map(_INTEGER.fullmatch, words)):
        numbers = list(map(int, words))
        if min(numbers, default=0) >= -(2**63) and max(numbers, default=0) < 2**63:
            ids = np.array(numbers, dtype=np.int64)
            return ids if index is None else ids[index]
    return text_array(words, index)


def _line_feeds(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Make CR LF and lone CR a line feed, also where a piece ends between the two."""
    ends_with_return = False
    for piece in pieces:
        text = b"\r" + piece if ends_with_return else piece
        ends_with_return = text.endswith(b"\r")
        if ends_with_return:
            text = text[:-1]
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield text
    if ends_with_return:
        yield b"\n"


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file, or a pipe as soon as there is a writer."""
    if not stat.S_ISFIFO(path.stat().st_mode):
        with path.open("rb") as file:
            yield file
        return
    # without O_NONBLOCK, opening a named pipe waits for a writer, forever
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        head = _first_bytes(path, handle)
        os.set_blocking(handle, True)
        yield io.BufferedReader(_Pipe(handle, head))
    finally:
        os.close(handle)


def _first_bytes(path: Path, handle: int) -> bytes:
    """First bytes of a pipe; b"" if its writer has not written any yet."""
    deadline = time.monotonic() + _WRITER_WAIT_S
    while time.monotonic() < deadline:
        try:
            head = os.read(handle, _BLOCK_BYTES)
        except BlockingIOError:
            return b""  # a writer is there
        if head:
            return head
        time.sleep(0.01)
    raise ValueError(
        f"{path} is a pipe that nothing writes to. Start its writer, or pass a file."
    )


class _Pipe(io.RawIOBase):
    """A pipe of which the first bytes have been read."""

    def __init__(self, handle: int, head: bytes) -> None:
        self._handle, self._head = handle, head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or os.read(self._handle, len(buffer))
        self._head = self._head[len(data) :]
        buffer[: len(data)] = data
        return len(data)
