"""Parser of the lines of LETOR files: ``label qid:id 1:value 2:value … # comment``.

A block of lines is parsed at once. Python splits off labels, ids and comments; the
features of all lines become one text with a number per line, ``1 0.5 2 0.1 …``, which
pandas' parser reads in C, rounding each to the nearest float.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.files import open_to_read
from ltr.queries import FloatArray, IntArray

MAX_FEATURE_INDEX = 10_000_000
_BLOCK_BYTES = 4 * 2**20
_NOT_DELIMITERS = bytes(set(range(256)) - set(b": \n"))
_ONE_PER_LINE = bytes.maketrans(b": ", b"\n\n")


@dataclass
class Chunk:
    """A block of parsed lines; ``comments`` is None if none of them has one."""

    labels: FloatArray
    qids: NDArray[np.bytes_]
    values: FloatArray
    comments: list[bytes] | None
    zero_based: bool


class _Malformed(ValueError):
    """Lines that the parser cannot read."""


def exact_floats() -> dict[str, Any]:
    """Options of ``pandas.read_csv`` that round numbers to the nearest float."""
    import pandas as pd

    major, minor = (int(part) for part in pd.__version__.split(".")[:2])
    return {} if (major, minor) >= (3, 1) else {"float_precision": "round_trip"}


def read_file(path: Path, zero_based: bool) -> Iterator[Chunk]:
    """Parse a text file, gzipped if its name ends in .gz."""
    with open_to_read(path) as file:
        yield from read_chunks(file, str(path), zero_based)


def read_chunks(file: Any, name: str, zero_based: bool) -> Iterator[Chunk]:
    """Parse the lines of an open file, which messages call ``name``."""
    first_line = 1
    for text in _whole_lines(file):
        lines = text.split(b"\n")
        try:
            chunk = _parse(lines, zero_based)
        except ValueError:
            _find_malformed_line(lines, name, first_line, zero_based)
            raise
        if chunk is not None:
            yield chunk
        first_line += len(lines) - 1


def _whole_lines(file: Any) -> Iterator[bytes]:
    """Blocks of the file that end with whole lines."""
    tail = b""
    while block := file.read(_BLOCK_BYTES):
        cut = block.rfind(b"\n") + 1
        if cut:
            yield tail + block[:cut]
            tail = block[cut:]
        else:
            tail += block
    if tail:
        yield tail


def _parse(lines: Iterable[bytes], zero_based: bool) -> Chunk | None:
    labels, qids, features, comments = [], [], [], []
    for line in lines:
        body, _, comment = line.partition(b"#")
        parts = body.split(None, 2)
        if not parts:
            continue
        if len(parts) < 2 or parts[1][:4] != b"qid:" or len(parts[1]) == 4:
            raise _Malformed
        labels.append(parts[0])
        qids.append(parts[1][4:])
        features.append(parts[2].rstrip() if len(parts) == 3 else b"")
        comments.append(comment.strip())
    if not labels:
        return None
    values = _parse_features(features, zero_based)
    y = np.array(labels).astype(np.float64)
    if not np.isfinite(y).all() or np.isinf(values).any():
        raise _Malformed
    if b"_" in b"".join(labels):
        raise _Malformed  # Python reads 1_0 as 10
    comments_or_none = comments if any(comments) else None
    return Chunk(y, np.array(qids), values, comments_or_none, zero_based)


def _parse_features(features: list[bytes], zero_based: bool) -> FloatArray:
    text = b"\n".join(features)
    n_features = _count_features(text)
    if n_features is None:  # tabs or runs of spaces: normalize, then try again
        text = b"\n".join(b" ".join(words.split()) for words in features)
        n_features = _count_features(text)
        if n_features is None:
            raise _Malformed
    n_rows, n_numbers = len(features), 2 * int(n_features.sum())
    if n_numbers == 0:
        return np.zeros((n_rows, 0))
    # "1:0.5 2:0.1" and line ends alike become "1", "0.5", "2", "0.1", one a line
    numbers = _read_numbers(text.translate(_ONE_PER_LINE))
    if len(numbers) != n_numbers:
        raise _Malformed
    indices, values = numbers[::2], numbers[1::2]
    width = int(n_features[0])
    # dense lines, with the indices 1, …, width in order, already form a table
    if (n_features == width).all():
        in_order = np.arange(width) + (not zero_based)
        if (indices.reshape(n_rows, width) == in_order).all():
            return np.ascontiguousarray(values).reshape(n_rows, width)
    return _scatter(indices, values, n_features, zero_based)


def _count_features(text: bytes) -> IntArray | None:
    """Features of each line; None unless each is ``1:2 3:4 …`` with single spaces.

    With all other bytes removed, a line of n features alternates ``:`` and a space:
    2n − 1 delimiters.
    """
    delimiters = text.translate(None, _NOT_DELIMITERS)
    counts = [(len(line) + 1) // 2 for line in delimiters.split(b"\n")]
    if delimiters != b"\n".join([(b": " * n)[:-1] for n in counts]):
        return None
    return np.array(counts)


def _read_numbers(text: bytes) -> FloatArray:
    """Read numbers, one a line, with pandas' parser."""
    import pandas as pd

    try:
        table = pd.read_csv(
            BytesIO(text),
            sep=" ",
            header=None,
            dtype=np.float64,
            keep_default_na=False,
            quoting=csv.QUOTE_NONE,
            na_values=["nan", "NaN"],
            **exact_floats(),
        )
    except ValueError as error:
        raise _Malformed from error
    if table.shape[1] != 1:
        raise _Malformed
    return table.to_numpy()[:, 0]


def _scatter(
    indices: FloatArray,
    values: FloatArray,
    n_features: IntArray,
    zero_based: bool,
) -> FloatArray:
    """Put the values of sparse lines into a table of zeros."""
    with np.errstate(invalid="ignore"):  # a NaN becomes an integer that differs
        columns = indices.astype(np.intp)
    if (columns != indices).any():
        raise _Malformed
    columns -= not zero_based
    if columns.min() < 0 or columns.max() + (not zero_based) > MAX_FEATURE_INDEX:
        raise _Malformed
    width = int(columns.max()) + 1
    # cell of the flattened table: row · width + column
    cells = columns + np.repeat(np.arange(len(n_features)) * width, n_features)
    if (np.diff(cells) <= 0).any() and len(np.unique(cells)) < len(cells):
        raise _Malformed  # a line repeats an index
    table = np.zeros(len(n_features) * width)
    table[cells] = values
    return table.reshape(len(n_features), width)


def _find_malformed_line(
    lines: list[bytes], name: str, first_line: int, zero_based: bool
) -> None:
    """Raise for the first line that does not parse by itself."""
    for number, line in enumerate(lines, start=first_line):
        try:
            _parse([line], zero_based)
        except ValueError:
            text = line.decode(errors="replace").strip()
            excerpt = text if len(text) <= 60 else text[:57] + "..."
            raise ValueError(
                f"{name}, line {number}: a line must be 'label qid:id index:value "
                f"index:value ... # comment' with {_requirement(line, zero_based)}; "
                f"got {excerpt!r}."
            ) from None


def _requirement(line: bytes, zero_based: bool) -> str:
    """The first requirement that this line violates."""
    parts = line.partition(b"#")[0].split()
    try:
        finite = np.isfinite(float(parts[0])) and b"_" not in parts[0]
    except ValueError:
        finite = False
    if not finite:
        return "a finite number as label"
    if len(parts) < 2 or not parts[1].startswith(b"qid:") or len(parts[1]) == 4:
        return "a qid after the label"
    return (
        f"distinct feature indices that are whole numbers from {int(not zero_based)} "
        f"to {MAX_FEATURE_INDEX}, and values that are finite numbers or nan"
    )
