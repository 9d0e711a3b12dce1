"""Reference of text files: decoded line by line, with nothing shared with the library."""

import re


class Refused(Exception):
    """The reference parser does not accept a file."""


_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def lines_of(data, has_quotes=False):
    """Lines of a UTF-8 file; line ends are LF, CR LF or CR.

    A byte-order mark is dropped where a line begins, but if a line feed may be inside
    quotes, only where the file begins.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused from None
    if "\0" in text:
        raise Refused
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for i, line in enumerate(lines):
        lines[i] = line if has_quotes and i else line.removeprefix("\ufeff")
    return lines if lines[-1] else lines[:-1]


def words_of(line):
    """Words between spaces, tabs and other ASCII white space."""
    return [word for word in re.split(r"[ \t\v\f]+", line) if word]


def number(word):
    """A finite decimal number."""
    if not _NUMBER.fullmatch(word):
        raise Refused
    value = float(word)
    if abs(value) == float("inf"):
        raise Refused
    return value
