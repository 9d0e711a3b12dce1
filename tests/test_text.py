"""Decoding of text files: what every reader of a text format takes for granted."""

import gzip
import os
import re
import threading

import pytest

from ltr.text import MAX_LINE_BYTES, TextFile, excerpt, open_text


def lines_of(path, data, **options):
    """Lines of a file with these bytes."""
    path.write_bytes(data)
    with open_text(path, **options) as file:
        return list(file.lines())


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_and_line_ends(tmp_path, encoding, end):
    """One file in each encoding, with each line end, with and without the last one."""
    for last in ("", end):
        data = (end.join(["é 1", "", "b"]) + last).encode(encoding)
        lines = lines_of(tmp_path / "a", data, encoding=encoding)
        assert lines == [(1, "é 1"), (2, ""), (3, "b")]


def test_byte_order_marks(tmp_path):
    """Dropped at the start of the file and where files were joined, not in a line."""
    data = "\ufeffa\n\ufeffb\nc\ufeffd\n".encode()
    assert lines_of(tmp_path / "a", data) == [(1, "a"), (2, "b"), (3, "c\ufeffd")]


@pytest.mark.parametrize("n_bytes", range(1, 9))
def test_blocks_of_any_size(tmp_path, n_bytes):
    """Blocks end with whole lines, and characters and line ends are never split."""
    path = tmp_path / "a"
    path.write_bytes("é\r\nä\rxyz\n\n€".encode())
    with open_text(path) as file:
        blocks = list(file.blocks(n_bytes))
    assert b"".join(text for _, text in blocks).decode() == "é\nä\nxyz\n\n€"
    line = 1
    for number, text in blocks:
        assert number == line
        line += text.count(b"\n")


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (
            b"a\nb\xe9\n",
            {},
            "line 2: text must be in utf-8; got the byte 0xe9 (byte 2 of the line). "
            'Pass encoding= with its encoding, such as encoding="latin-1", or convert '
            "the file: iconv -f LATIN1 -t UTF-8.",
        ),
        (
            "a".encode("utf-16"),
            {},
            "line 1: text must be in utf-8; got a byte-order mark of utf-16. Pass "
            'encoding="utf-16", or convert the file: iconv -f UTF-16 -t UTF-8.',
        ),
        (
            "a\nb".encode("utf-32"),
            {},
            "line 1: text must be in utf-8; got a byte-order mark of utf-32. Pass "
            'encoding="utf-32", or convert the file: iconv -f UTF-32 -t UTF-8.',
        ),
        (
            b"a\r2\x000.5\n",
            {},
            "line 2: text must not have NUL bytes; got one after '2'. Is this a binary "
            'file, or text in UTF-16 (pass encoding="utf-16-le")?',
        ),
        (
            b"abc",
            {"encoding": "utf-16"},
            "line 1: text must be in utf-16; got UTF-16 stream does not start with BOM.",
        ),
        (
            b"a\n\x81",
            {"encoding": "cp1252"},
            "line 2: text must be in cp1252; got the byte 0x81 (byte 1 of the line). "
            'Pass encoding= with its encoding, such as encoding="latin-1", or convert '
            "the file: iconv -f LATIN1 -t UTF-8.",
        ),
    ],
)
def test_what_is_no_text(tmp_path, data, options, message):
    """The message in full: file, line, byte, cure."""
    path = tmp_path / "a"
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}, {message}')}$"):
        lines_of(path, data, **options)


@pytest.mark.parametrize("encoding", ["rot13", "nope", "", 3])
def test_unknown_encoding(tmp_path, encoding):
    """Said before the file is opened."""
    message = (
        "encoding must be a text encoding that Python knows, such as 'utf-8' or "
        f"'latin-1'; got {encoding!r}."
    )
    with (
        pytest.raises(ValueError, match=f"^{re.escape(message)}$"),
        open_text(tmp_path / "missing", encoding=encoding),
    ):
        pass


class endless:
    """A file without an end; ``n_read`` counts what was asked for."""

    n_read = 0

    def read(self, n_bytes):
        self.n_read += n_bytes
        return b"x" * n_bytes


def test_line_without_an_end():
    """Refused once it is longer than the limit, not when memory ends."""
    file = endless()
    message = (
        "endless, line 1: a line must have at most 67,108,864 bytes; got more, "
        f"beginning with '{'x' * 57}...'. Is this a text file?"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        list(TextFile(file, "endless").lines())
    assert file.n_read < 1.1 * MAX_LINE_BYTES


def test_gzip(tmp_path):
    """By name or by its first bytes; cut, flipped and plain ones are refused."""
    whole = gzip.compress(b"a\n" * 1000)
    assert len(lines_of(tmp_path / "a.gz", whole)) == 1000
    assert len(lines_of(tmp_path / "a.txt", whole)) == 1000
    flipped = bytearray(whole)
    flipped[-6] ^= 1  # of the CRC
    for data in (whole[:-1], whole[:5], bytes(flipped), b"a\n"):
        with pytest.raises(ValueError, match=r"a\.gz must be a complete gzip file; "):
            lines_of(tmp_path / "a.gz", data)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_pipes(tmp_path, monkeypatch):
    """Read to the end if somebody writes; an error, not a hang, if nobody does."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    monkeypatch.setattr("ltr.text._WRITER_WAIT_S", 0.05)
    message = (
        f"{path} is a pipe that nothing writes to. Start its writer, or pass a file."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"), open_text(path):
        pass
    monkeypatch.setattr("ltr.text._WRITER_WAIT_S", 5.0)
    writer = threading.Thread(target=path.write_bytes, args=(b"line\n" * 100_000,))
    writer.start()
    with open_text(path) as file:
        assert sum(1 for _ in file.lines()) == 100_000
    writer.join()


def test_excerpt():
    """Short texts whole, long ones cut, bytes that are no UTF-8 replaced."""
    assert excerpt(" a\n") == "'a'"
    assert excerpt(b"\xe9") == "'\ufffd'"
    assert excerpt("ab" * 10**6) == repr("ab" * 28 + "a...")
