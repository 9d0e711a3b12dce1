"""TREC files, whose lines have equally many words, read without a loop.

Words are located by their edges (where a blank meets a letter) and held as pieces of
8 bytes in integers, so that ids are compared and numbered as integers; the text of each
distinct id is made once. A file whose lines differ is read line by line from the first
block where they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.datasets.runs.ids import Ids, hash_of
from ltr.datasets.runs.numbers import parse_number, parse_numbers
from ltr.datasets.runs.rows import Rows
from ltr.queries import FloatArray, IntArray
from ltr.text import excerpt, line_error

_MAX_PIECES = 8  # ids of up to 64 bytes
_PIECE = 8

Words = list[NDArray[np.uint64]]


class Layout(NamedTuple):
    """Lines of a TREC file.

    Attributes
    ----------
    form : str
        A line, as messages show it.
    columns : tuple of three int
        0-based columns of query, document and number.
    least, most : int
        Words of a line.
    """

    form: str
    columns: tuple[int, int, int]
    least: int
    most: int


RUN = Layout("qid Q0 docid rank score tag", (0, 2, 4), 5, 2**62)
QRELS = Layout("qid 0 docid label", (0, 2, 3), 4, 4)
# what stands at the end of a cell that is empty, and blanks within cells
_NO_TSV_WORDS = (b"\t\t", b"\t\n", b"\n\t", b"\n#", b" ", b"\v", b"\f")
_RANK, _WORDS_OF_A_RUN = 3, 6
# the low n bytes of a little-endian integer are its first n, for n = 0, …, 8
_LOW_BYTES = np.array([2 ** (8 * n) - 1 for n in range(_PIECE + 1)], dtype=np.uint64)
_NO_CONTROLS = b"\t\n\v\f\r" + bytes(range(ord(" "), 256))


class _Irregular(ValueError):
    """A block for the slow reader: malformed, or lines of different lengths."""


class _Block(NamedTuple):
    """Words of the lines of a block, cut into pieces, and the number of each line."""

    first: Words
    second: Words
    numbers: FloatArray
    lines: IntArray


def read_columns(
    blocks: Iterator[tuple[int, bytes]], layout: Layout, name: str
) -> Rows:
    r"""Read the lines of a TREC file.

    Blank lines, and lines that begin with ``#``, are skipped.

    Parameters
    ----------
    blocks : iterator of (int, bytes)
        Blocks of whole lines, each with the number of its first line, as
        :meth:`ltr.text.TextFile.blocks` yields them.
    layout : Layout
        Form of the lines.
    name : str
        The file in messages.

    Returns
    -------
    rows : Rows
        Ids are numbered by first appearance.

    Raises
    ------
    ValueError
        If a line has another form, or there is none.

    Examples
    --------
    >>> text = b"q1 Q0 a 1 2.5 x\nq1 Q0 b 2 1.5 x\n"
    >>> rows = read_columns(iter([(1, text)]), RUN, "run.txt")
    >>> rows.docid.text.tolist(), rows.values.tolist(), rows.lines.tolist()
    (['a', 'b'], [2.5, 1.5], [1, 2])
    """
    regular, others = _regular(blocks, partial(_read_block, layout=layout))
    rows = None
    if others is not None:
        rows = read_lines(others, layout, name, not regular)
    elif not regular:
        raise ValueError(
            f"{name} must have lines of the form '{layout.form}'; got none."
        )
    return _joined(regular, rows)


def read_cells(
    blocks: Iterator[tuple[int, bytes]],
    layout: Layout,
    read_others: Callable[[Iterator[tuple[int, bytes]]], Rows | None],
) -> Rows | None:
    r"""Read the lines of a TSV file.

    Parameters
    ----------
    blocks : iterator of (int, bytes)
        As in :func:`read_columns`, without the header.
    layout : Layout
        Form of the lines, whose words are cells.
    read_others : callable
        Reads the blocks from the first that has an empty cell, a blank in one or a
        malformed line; None if they have no rows.

    Returns
    -------
    rows : Rows or None
        None if there are none.

    Examples
    --------
    >>> layout = Layout("qid docid score", (0, 1, 2), 3, 3)
    >>> rows = read_cells(iter([(2, b"7\ta\t1\n")]), layout, lambda _: None)
    >>> rows.values.tolist(), rows.lines.tolist()
    ([1.0], [2])
    """

    def read(number: int, text: bytes) -> _Block | None:
        whole = b"\n" + text.removesuffix(b"\n") + b"\n"
        if any(edge in whole for edge in _NO_TSV_WORDS):
            raise _Irregular("cells that are not words")
        return _read_block(number, text, layout)

    regular, others = _regular(blocks, read)
    rows = None if others is None else read_others(others)
    return _joined(regular, rows) if regular else rows


def _regular(
    blocks: Iterator[tuple[int, bytes]],
    read: Callable[[int, bytes], _Block | None],
) -> tuple[list[_Block], Iterator[tuple[int, bytes]] | None]:
    """Blocks up to the first one that cannot be read, and the text from there on."""
    regular: list[_Block] = []
    for number, text in blocks:
        try:
            block = read(number, text)
        except ValueError:
            return regular, chain([(number, text)], blocks)
        if block is not None:
            regular.append(block)
    return regular, None


def _joined(regular: list[_Block], last: Rows | None) -> Rows:
    """Rows of all blocks, and those that the slow reader read after them."""
    if not regular:
        assert last is not None
        return last
    rows = Rows(
        _number(_join([block.first for block in regular])),
        _number(_join([block.second for block in regular])),
        np.concatenate([block.numbers for block in regular]),
        np.concatenate([block.lines for block in regular]),
    )
    if last is None or len(last.values) == 0:
        return rows
    return Rows(
        rows.qid.followed_by(last.qid),
        rows.docid.followed_by(last.docid),
        np.concatenate([rows.values, last.values]),
        np.concatenate([rows.lines, last.lines]),
    )


def read_lines(
    blocks: Iterator[tuple[int, bytes]], layout: Layout, name: str, is_start: bool
) -> Rows:
    """Read as :func:`read_columns` does, line by line.

    Parameters
    ----------
    blocks, layout, name
        As in :func:`read_columns`.
    is_start : bool
        Whether no line was read before, so that there must be one, and the first may
        tell that the file is of the other kind.

    Returns
    -------
    rows : Rows
    """
    codes: tuple[dict[bytes, int], dict[bytes, int]] = {}, {}
    columns: tuple[list[int], list[int]] = [], []
    values: list[float] = []
    lines: list[int] = []
    for first_line, block in blocks:
        for number, line in enumerate(block.split(b"\n"), first_line):
            words = line.split()
            if not words or words[0].startswith(b"#"):
                continue
            value = _value_of(words, layout)
            if value is None:
                raise line_error(
                    name,
                    number,
                    f"a line must have the form '{layout.form}'",
                    excerpt(line),
                    _swapped(words, layout) if is_start and not lines else "",
                )
            for column, ids, place in zip(columns, codes, layout.columns, strict=False):
                column.append(ids.setdefault(words[place], len(ids)))
            values.append(value)
            lines.append(number)
    if is_start and not lines:
        raise ValueError(
            f"{name} must have lines of the form '{layout.form}'; got none."
        )
    first, second = (
        Ids.from_bytes(np.array(column, dtype=np.intp), list(ids))
        for column, ids in zip(columns, codes, strict=True)
    )
    return Rows(first, second, np.array(values), np.array(lines, dtype=np.intp))


def _value_of(words: list[bytes], layout: Layout) -> float | None:
    """Number of a line; None if the line has another form."""
    if not layout.least <= len(words) <= layout.most:
        return None
    # words after the tag may be anything, or come from an id with a blank: there must
    # be a rank
    if len(words) > _WORDS_OF_A_RUN and parse_number(words[_RANK]) is None:
        return None
    value = parse_number(words[layout.columns[2]])
    return None if value is None or np.isnan(value) else value


def _swapped(words: list[bytes], layout: Layout) -> str:
    """A sentence if the first line looks like one of a file of the other kind."""
    kind = ""
    if layout is RUN and len(words) == QRELS.least:
        kind = "judgments"
    elif layout is QRELS and len(words) >= _WORDS_OF_A_RUN:
        kind = "a run"
    if not kind:
        return ""
    return f"It looks like {kind}. Are the run and the judgments swapped?"


def _read_block(first_line: int, text: bytes, layout: Layout) -> _Block | None:
    """Words and numbers of a block; None if all of its lines are comments."""
    if not text.endswith(b"\n"):
        text += b"\n"
    lines = None
    if b"#" in text and (text.startswith(b"#") or b"\n#" in text):
        rows = enumerate(text.split(b"\n")[:-1], first_line)
        rest = [(i, line) for i, line in rows if not line.startswith(b"#")]
        if not rest:
            return None
        lines = np.array([i for i, _ in rest], dtype=np.intp)
        text = b"\n".join([line for _, line in rest]) + b"\n"
    first, second, number = _words(text, layout)
    if ((first[0] & np.uint64(0xFF)) == ord("#")).any():
        raise _Irregular("an indented comment")
    values = parse_numbers(number)
    if not np.isfinite(values).all():
        raise _Irregular("not a finite number")
    if lines is None:
        lines = np.arange(first_line, first_line + len(values), dtype=np.intp)
    return _Block(first, second, values, lines)


def _words(text: bytes, layout: Layout) -> list[Words]:
    """Words of the columns of whole lines, each cut into pieces of 8 bytes."""
    buffer = text + bytes(_PIECE * _MAX_PIECES)  # pieces may reach beyond the last word
    letters = np.frombuffer(buffer, dtype=np.uint8, count=len(text))
    # edges alternate: the start of a word, the byte after it, the start of the next
    is_word = letters > ord(" ")
    edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    if is_word[0]:
        edges = np.append(0, edges)
    newlines = np.flatnonzero(letters == ord("\n"))
    # bytes.split() of the slow reader takes five control characters for blanks
    n_controls = np.count_nonzero(letters < ord(" "))
    if n_controls > len(newlines) and text.translate(None, _NO_CONTROLS):
        raise _Irregular("a control character")
    n_words, remainder = divmod(len(edges) // 2, len(newlines))
    most = min(layout.most, _WORDS_OF_A_RUN)
    if remainder or not layout.least <= n_words <= most:
        raise _Irregular("lines of different lengths")
    begin = edges[::2].reshape(len(newlines), -1)  # (n_lines, n_words of a line)
    end = edges[1::2].reshape(len(newlines), -1)
    # a row is a line if its last word ends before its newline, and its first word
    # begins after the previous newline
    if (end[:, -1] > newlines).any() or (begin[1:, 0] < newlines[:-1]).any():
        raise _Irregular("lines of different lengths")
    # a view of the buffer with an 8-byte integer at every byte, so that pieces[i] are
    # the bytes i, …, i + 7
    shape = len(buffer) - _PIECE + 1
    pieces = np.ndarray((shape,), dtype="<u8", buffer=buffer, strides=(1,))
    return [_cut(pieces, begin[:, c], end[:, c] - begin[:, c]) for c in layout.columns]


def _cut(pieces: NDArray[np.uint64], begin: IntArray, length: IntArray) -> Words:
    """Pieces of words; the bytes after the end of a word are 0."""
    n_pieces = -(-int(length.max()) // _PIECE)
    if n_pieces > _MAX_PIECES:
        raise _Irregular("a long word")
    words = []
    for offset in range(0, n_pieces * _PIECE, _PIECE):
        n_bytes = np.minimum(length - offset, _PIECE)
        if offset:
            n_bytes = np.maximum(n_bytes, 0)
        words.append(pieces[begin + offset] & _LOW_BYTES[n_bytes])
    return words


def _join(blocks: list[Words]) -> Words:
    """Pieces of the words of all blocks; missing pieces are 0."""
    n_pieces = max(len(words) for words in blocks)
    return [
        np.concatenate(
            [w[i] if i < len(w) else np.zeros(len(w[0]), np.uint64) for w in blocks]
        )
        for i in range(n_pieces)
    ]


def _as_bytes(words: Words) -> NDArray[np.bytes_]:
    table = np.stack(words, axis=1).astype("<u8", copy=False)
    return table.view(f"S{_PIECE * len(words)}")[:, 0]


def _number(words: Words) -> Ids:
    """Number the ids by the hash of their pieces, after a check for collisions."""
    import pandas as pd

    key = hash_of(words)
    # equal ids mostly follow one another, so only the head of each run is looked up
    heads = np.append(0, np.flatnonzero(key[1:] != key[:-1]) + 1)
    head_codes, keys = pd.factorize(key[heads])
    codes = np.repeat(head_codes, np.diff(heads, append=len(key)))
    first_rows = np.empty(len(keys), dtype=np.intp)
    first_rows[head_codes[::-1]] = heads[::-1]  # the last assignment is the first row
    if not all((piece[first_rows][codes] == piece).all() for piece in words):
        return _numbered_by_bytes(_as_bytes(words))  # two ids have one hash
    return Ids(codes, _as_bytes([piece[first_rows] for piece in words]))


def _numbered_by_bytes(names: NDArray[np.bytes_]) -> Ids:
    """Number the ids by their bytes."""
    import pandas as pd

    codes, distinct_names = pd.factorize(names.astype(object))
    return Ids(codes.astype(np.intp), distinct_names.astype(names.dtype))
