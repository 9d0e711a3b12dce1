"""JSON lines: an object a line, none of whose names is there twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ltr.datasets.runs.numbers import parse_number
from ltr.text import BLANKS, excerpt

Row = TypeVar("Row")
_MAX_SHOWN = 60


def read_objects(
    first_line: int,
    block: bytes,
    parse: Callable[[dict[str, Any]], Iterable[Row]],
    name: str,
    form: str,
) -> Iterator[tuple[int, Row]]:
    r"""Read a block of lines, and turn each object into rows.

    Parameters
    ----------
    first_line : int
        Number of the first line of the block.
    block : bytes
        Whole lines.
    parse : callable
        Rows of an object; raises a ``ValueError`` that says what it got.
    name : str
        The file in messages.
    form : str
        Which names an object must have, in messages.

    Yields
    ------
    line : int
        Number of the line.
    row : object
        What ``parse`` returned.

    Raises
    ------
    ValueError
        If a line is no JSON object, has a name twice, or ``parse`` raises.

    Examples
    --------
    >>> list(read_objects(1, b'{"id": 7}\n', lambda r: [r["id"]], "a.jsonl", "'id'"))
    [(1, 7)]
    """
    # made once: json.loads makes a decoder for each line
    decode = json.JSONDecoder(object_pairs_hook=_distinct, parse_float=_float).decode
    for number, line in lines_of(first_line, block):
        try:
            record = decode(line)
            if not isinstance(record, dict):
                raise ValueError(f"got {excerpt(line)}")
            rows = list(parse(record))
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"{name}, line {number}: a line must be a JSON object with {form}; "
                f"{_reason(error)}."
            ) from error
        for row in rows:
            yield number, row


def is_object(line: str) -> bool:
    """Whether a line is an object of JSON.

    Examples
    --------
    >>> is_object('{"qid": 7}'), is_object("{7 Q0 a 1 2.5 mine"), is_object("7")
    (True, False, False)
    """
    if not line.startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "got one nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return f"got {error.object!r}, which has a surrogate"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1}"
    return str(error) if str(error).startswith("got ") else "got too long a number"


def _float(digits: str) -> float:
    """A number of JSON with a dot or an exponent; "Infinity" is not read here."""
    value = parse_number(digits.encode())
    if value is None:
        raise ValueError(f"got {excerpt(digits)}, which is too large or too long")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, none of whose names is there twice."""
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"got {twice!r} twice")
    return record


def shown(value: Any) -> str:
    """Short form of a value in messages."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def id_of(word: Any, name: str) -> str:
    """An id, which is text or a whole number."""
    if isinstance(word, bool) or not isinstance(word, (str, int)) or word == "":
        raise ValueError(f"got {name!r}: {shown(word)}")
    text = str(word)
    if "\0" in text:
        raise ValueError(f"got {shown(word)}, which has a NUL character")
    if not text.isascii():
        text.encode()  # UnicodeEncodeError, a ValueError, for a lone surrogate
    return text


def text_of(words: str) -> str:
    r"""A text without lone surrogates, such as half an emoji: no table holds one.

    Examples
    --------
    >>> print(ascii(text_of("cut \ud83d")))
    'cut \ufffd'
    """
    try:
        words.encode()
    except UnicodeEncodeError:
        words = words.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return words


def lines_of(first_line: int, block: bytes) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers."""
    for number, line in enumerate(block.decode().split("\n"), first_line):
        if line.strip(BLANKS):
            yield number, line
