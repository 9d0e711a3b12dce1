"""Columns of a text file with equally many words per line, read without a loop.

Words are located by their edges (where a blank meets a letter) and held as pieces of
8 bytes in integers, so that ids are compared and numbered as integers; the text of each
distinct id is made once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ltr.datasets.runs.ids import Ids, hash_of
from ltr.datasets.runs.numbers import parse_numbers
from ltr.queries import FloatArray, IntArray

_BLOCK = 2**19  # bytes of text at a time: their edges stay in the cache
_MAX_PIECES = 8  # ids of up to 64 bytes
_PIECE = 8
_HIGH_BITS = np.uint64(0x8080808080808080)  # set in a byte that is not ASCII

Words = list[NDArray[np.uint64]]


class Irregular(ValueError):
    """Text for a slower reader: malformed, or lines of different lengths."""


def read_columns(
    file: IO[bytes] | Any, columns: tuple[int, int, int]
) -> tuple[Ids, Ids, FloatArray]:
    r"""Read two columns of ids and one of numbers.

    Parameters
    ----------
    file : binary file
        Lines of words separated by spaces or tabs.
    columns : tuple of three int
        0-based columns of the two ids and of the number.

    Returns
    -------
    first, second : Ids
        Ids, numbered by first appearance.
    numbers : float array of shape (n_lines,)

    Raises
    ------
    Irregular
        If the lines of a block have different numbers of words, an id has more than 64
        bytes, or a number is NaN or does not parse.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO(b"q1 Q0 a 1 2.5 x\nq1 Q0 b 2 1.5 x\n")
    >>> _, docids, scores = read_columns(file, (0, 2, 4))
    >>> docids.text.tolist(), scores.tolist()
    (['a', 'b'], [2.5, 1.5])
    """
    firsts: list[Words] = []
    seconds: list[Words] = []
    numbers: list[FloatArray] = []
    for lines in _blocks(file):
        first, second, number = _words(lines, columns)
        firsts.append(first)
        seconds.append(second)
        try:
            numbers.append(parse_numbers(number))
        except ValueError as error:
            raise Irregular(str(error)) from error
    if not numbers:
        raise Irregular("no line")
    values = np.concatenate(numbers)
    if np.isnan(values).any():
        raise Irregular("not a number")
    return _number(_join(firsts)), _number(_join(seconds)), values


def _blocks(file: IO[bytes] | Any) -> Iterator[bytes]:
    """Blocks of whole lines."""
    tail = b""
    while text := file.read(_BLOCK):
        cut = text.rfind(b"\n") + 1
        if cut:
            yield tail + text[:cut]
        tail = text[cut:] if cut else tail + text
    if tail.strip():
        yield tail + b"\n"


def _words(text: bytes, columns: tuple[int, int, int]) -> list[Words]:
    """Words of the columns of whole lines, each cut into pieces of 8 bytes."""
    buffer = text + bytes(_PIECE * _MAX_PIECES)  # pieces may reach beyond the last word
    letters = np.frombuffer(buffer, dtype=np.uint8, count=len(text))
    # edges alternate: the start of a word, the byte after it, the start of the next
    is_word = letters > ord(" ")
    edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    if is_word[0]:
        edges = np.append(0, edges)
    newlines = np.flatnonzero(letters == ord("\n"))
    n_words = len(edges) // 2
    if n_words % len(newlines) or n_words // len(newlines) <= max(columns):
        raise Irregular("lines of different lengths")
    begin = edges[::2].reshape(len(newlines), -1)  # (n_lines, n_words of a line)
    end = edges[1::2].reshape(len(newlines), -1)
    # a row is a line if its last word ends before its newline, and its first word
    # begins after the previous newline
    if (end[:, -1] > newlines).any() or (begin[1:, 0] < newlines[:-1]).any():
        raise Irregular("lines of different lengths")
    # a view of the buffer with an 8-byte integer at every byte, so that pieces[i] are
    # the bytes i, …, i + 7
    shape = len(buffer) - _PIECE + 1
    pieces = np.ndarray((shape,), dtype="<u8", buffer=buffer, strides=(1,))
    return [_cut(pieces, begin[:, c], end[:, c] - begin[:, c]) for c in columns]


def _cut(pieces: NDArray[np.uint64], begin: IntArray, length: IntArray) -> Words:
    """Pieces of words; the bytes after the end of a word are 0."""
    n_pieces = -(-int(length.max()) // _PIECE)
    if n_pieces > _MAX_PIECES:
        raise Irregular("a long word")
    words = []
    for offset in range(0, n_pieces * _PIECE, _PIECE):
        # the low n bits of a little-endian integer are its first n/8 bytes
        n_bits = 8 * np.clip(length - offset, 0, _PIECE).astype(np.uint64)
        mask = (np.uint64(1) << (n_bits % np.uint64(64))) - np.uint64(1)
        mask[n_bits == 64] = np.uint64(2**64 - 1)
        position = np.minimum(begin + offset, len(pieces) - 1)
        words.append(pieces[position] & mask)
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
        raise Irregular("two ids with one hash")
    names = _as_bytes([piece[first_rows] for piece in words])
    # ASCII is UTF-8; only other bytes need a check
    if any((piece & _HIGH_BITS).any() for piece in words):
        try:
            np.char.decode(names, "utf-8")
        except UnicodeDecodeError as error:
            raise Irregular("not UTF-8") from error
    return Ids(codes, names)
