"""Columns of a text file whose lines have equally many words, read without a loop.

Words are found by their edges and held as 8-byte integers, so ids are compared and
numbered as integers, and turned into text once each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ltr.datasets.runs.ids import Ids, hash_of
from ltr.datasets.runs.numbers import parse_numbers

_BLOCK = 2**19  # bytes of text at once: their edges stay in the cache
_MAX_PIECES = 8  # ids of up to 64 bytes
_PIECE = 8
_HIGH_BITS = np.uint64(0x8080808080808080)  # set in a byte that is not ASCII

Words = list[NDArray[np.uint64]]


class Irregular(ValueError):
    """Text that is left to a slower reader: malformed, or not of one form."""


def read_columns(
    file: IO[bytes] | Any, columns: tuple[int, int, int]
) -> tuple[Ids, Ids, NDArray[np.float64]]:
    r"""Read two columns of ids and one of numbers.

    Parameters
    ----------
    file : binary file
        Lines of words with blanks or tabs between them.
    columns : tuple of three int
        0-based columns of the two ids and of the number.

    Returns
    -------
    first, second : Ids
        Ids, numbered in order of first appearance.
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
    numbers: list[NDArray[np.float64]] = []
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
    """Whole lines, some at a time."""
    rest = b""
    while text := file.read(_BLOCK):
        cut = text.rfind(b"\n") + 1
        if cut:
            yield rest + text[:cut]
        rest = text[cut:] if cut else rest + text
    if rest.strip():
        yield rest + b"\n"


def _words(text: bytes, columns: tuple[int, int, int]) -> list[Words]:
    """Words of the columns of some whole lines, each cut into pieces of 8 bytes."""
    buffer = text + bytes(_PIECE * _MAX_PIECES)
    letters = np.frombuffer(buffer, dtype=np.uint8, count=len(text))
    is_word = letters > ord(" ")
    edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    if is_word[0]:
        edges = np.append(0, edges)
    newlines = np.flatnonzero(letters == ord("\n"))
    n_words = len(edges) // 2
    if n_words % len(newlines) or n_words // len(newlines) <= max(columns):
        raise Irregular("lines of different lengths")
    begin = edges[::2].reshape(len(newlines), -1)
    end = edges[1::2].reshape(len(newlines), -1)
    if (end[:, -1] > newlines).any() or (begin[1:, 0] < newlines[:-1]).any():
        raise Irregular("lines of different lengths")
    shape = len(buffer) - _PIECE + 1
    pieces = np.ndarray((shape,), dtype="<u8", buffer=buffer, strides=(1,))
    return [_cut(pieces, begin[:, c], end[:, c] - begin[:, c]) for c in columns]


def _cut(
    pieces: NDArray[np.uint64], begin: NDArray[np.intp], length: NDArray[np.intp]
) -> Words:
    n_pieces = -(-int(length.max()) // _PIECE)
    if n_pieces > _MAX_PIECES:
        raise Irregular("a long word")
    words = []
    for low in range(0, n_pieces * _PIECE, _PIECE):
        n_bits = 8 * np.clip(length - low, 0, _PIECE).astype(np.uint64)
        mask = (np.uint64(1) << (n_bits % np.uint64(64))) - np.uint64(1)
        mask[n_bits == 64] = np.uint64(2**64 - 1)
        place = np.minimum(begin + low, len(pieces) - 1)
        words.append(pieces[place] & mask)
    return words


def _join(blocks: list[Words]) -> Words:
    """Pieces of all blocks, missing ones 0."""
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
    """Number the ids by a hash of their pieces, and check that no two ids share one."""
    key = hash_of(words)
    heads = np.append(0, np.flatnonzero(key[1:] != key[:-1]) + 1)  # of runs of one id
    head_codes, keys = pd.factorize(key[heads])
    codes = np.repeat(head_codes, np.diff(heads, append=len(key)))
    first = np.empty(len(keys), dtype=np.intp)
    first[head_codes[::-1]] = heads[::-1]  # the first one stays
    if not all((piece[first][codes] == piece).all() for piece in words):
        raise Irregular("two ids with one key")
    names = _as_bytes([piece[first] for piece in words])
    if any((piece & _HIGH_BITS).any() for piece in words):
        try:
            np.char.decode(names, "utf-8")
        except UnicodeDecodeError as error:
            raise Irregular("not UTF-8") from error
    return Ids(codes, names)
