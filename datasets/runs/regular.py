"""Blocks of regular lines, checked as a whole: TSV and JSON lines without a loop.

Each function returns None for a block that it cannot vouch for, malformed or only
unusual, which :mod:`ltr.datasets.runs.delimited` then reads line by line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Container, Sequence
from typing import Any, NamedTuple

import numpy as np

from ltr.datasets.runs.numbers import MAX_CHARACTERS

_DIGITS = b"0123456789+-.eE"
_TAB, _LINE_FEED = 9, 10
# what stands at the end of a cell that is empty, or has only spaces
_EMPTY_CELLS = (b"\t\t", b"\t\n", b"\n\t", b" \t", b" \n")


class Block(NamedTuple):
    """Rows of a block, one a line."""

    qids: Sequence[str]
    docids: Sequence[str]
    values: Sequence[float]


def regular_tsv(
    block: bytes, n_cells: int, places: tuple[int, int, int]
) -> Block | None:
    r"""Read lines of tab-separated values.

    Parameters
    ----------
    block : bytes
        Whole lines.
    n_cells : int
        Cells of a line, at least 3.
    places : tuple of three int
        Which cells have the query, the document and the number.

    Returns
    -------
    rows : Block or None

    Examples
    --------
    >>> regular_tsv(b"7\ta\t1\n7\tb\t2\n", 3, (0, 1, 2))
    Block(qids=['7', '7'], docids=['a', 'b'], values=[1.0, 2.0])
    >>> regular_tsv(b"7\ta\t1\n7\tb\n", 3, (0, 1, 2))
    """
    text = block.removesuffix(b"\n") + b"\n"
    if text.startswith(b"\t") or any(edge in text for edge in _EMPTY_CELLS):
        return None
    letters = np.frombuffer(text, dtype=np.uint8)
    edges = letters[(letters == _TAB) | (letters == _LINE_FEED)]
    line = [_TAB] * (n_cells - 1) + [_LINE_FEED]
    if len(edges) % n_cells or (edges.reshape(-1, n_cells) != line).any():
        return None
    cells = text[:-1].replace(b"\n", b"\t").decode().split("\t")
    qids, docids, words = (cells[place::n_cells] for place in places)
    # float() reads nothing but plain numbers that has only these characters
    if "".join(words).encode().translate(None, _DIGITS):
        return None
    if max(map(len, words)) > MAX_CHARACTERS:
        return None
    try:
        values = list(map(float, words))
    except ValueError:
        return None
    return None if any(map(math.isinf, values)) else Block(qids, docids, values)


def regular_json(
    block: bytes,
    fields_of: Callable[[Container[str]], tuple[str, str, str] | None],
) -> Block | None:
    r"""Read lines of JSON, an object a line, all with the same names.

    Parameters
    ----------
    block : bytes
        Whole lines.
    fields_of : callable
        From the names of an object to those of the query, the document and the number;
        None if they are not there once.

    Returns
    -------
    rows : Block or None

    Examples
    --------
    >>> regular_json(b'{"q": 7, "d": "a", "s": 1}\n', lambda names: ("q", "d", "s"))
    Block(qids=['7'], docids=['a'], values=[1.0])
    """
    lines = block.decode().removesuffix("\n").split("\n")
    if not all(line.startswith("{") for line in lines):
        return None
    if '\\"' in block.decode() or max(map(len, lines)) > MAX_CHARACTERS:
        return None
    # A line feed is not allowed in a string, and "{" not after a comma in an object:
    # without lists, each of these commas is one between records, and n records of n
    # lines are one of each.
    try:
        records = json.loads("[" + ",\n".join(lines) + "]")
    except (ValueError, RecursionError):
        return None
    layout = tuple(records[0]) if isinstance(records[0], dict) else ()
    if len(records) != len(lines) or not all(type(r) is dict for r in records):
        return None
    if any(tuple(record) != layout for record in records):
        return None
    columns = {name: [record[name] for record in records] for name in layout}
    types = {name: list(map(type, column)) for name, column in columns.items()}
    fields = fields_of(layout)
    if fields is None or not set().union(*types.values()) <= {str, int, float}:
        return None
    # every string has two quotes: a name that came twice would leave some over
    n_strings = sum(column.count(str) for column in types.values())
    if block.count(b'"') != 2 * (n_strings + len(layout) * len(records)):
        return None
    for name, column in columns.items():
        if float in types[name] and not all(map(_is_finite, column)):
            return None
    qid, docid, value = fields
    qids, docids = (_ids(columns[name], types[name]) for name in (qid, docid))
    if qids is None or docids is None or str in types[value]:
        return None
    try:
        return Block(qids, docids, list(map(float, columns[value])))
    except OverflowError:
        return None


def _is_finite(value: Any) -> bool:
    return type(value) is not float or math.isfinite(value)


def _ids(words: list[Any], types: list[type]) -> list[str] | None:
    """Ids as text; None if one is empty, no id, or must be checked further."""
    if float in types:
        return None
    ids = list(map(str, words)) if int in types else words
    text = "\0".join(ids)
    if text.count("\0") != len(ids) - 1 or "" in ids:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:  # a surrogate
        return None
    return ids
