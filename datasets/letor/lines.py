"""Parser of the lines of LETOR files: ``label qid:id 1:value 2:value … # comment``.

A block of lines is parsed at once. Python splits off labels, ids and comments; the
features of all lines become one text with a number per line, ``1 0.5 2 0.1 …``, which
pandas' parser reads in C, rounding each to the nearest float.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.datasets.letor.features import Features, ZeroBased, overflows
from ltr.datasets.letor.group_sizes import QuerySizes, sizes_file
from ltr.queries import FloatArray, IntArray
from ltr.text import TextFile, excerpt, line_error, open_text

MAX_FEATURE_INDEX = 10_000_000
_BLOCK_BYTES = 2**23
_DIGITS = b"0123456789"
_NOT_DELIMITERS = bytes(set(range(256)) - set(b": \n"))
_ONE_PER_LINE = bytes.maketrans(b": ", b"\n\n")
_OTHER_SPACES = (b"\t", b"\v", b"\f")
_MAX_BYTES_OF_FIXED_WIDTH = 64
_BLANK = re.compile(r"[^\S\n]")


@dataclass
class Chunk:
    """A block of parsed lines.

    Attributes
    ----------
    labels : float array of shape (n_rows,)
        Labels.
    qids : bytes or object array of shape (n_rows,)
        Ids of the queries, in UTF-8.
    features : Features
        Indices and values.
    comments : list of bytes or None
        Text after "#"; None if no line has one.
    file : str
        The file, as messages call it.
    """

    labels: FloatArray
    qids: NDArray[Any]
    features: Features
    comments: list[bytes] | None
    file: str


class _Malformed(ValueError):
    """Lines that the parser cannot read."""


def exact_floats() -> dict[str, Any]:
    """Options of ``pandas.read_csv`` that round numbers to the nearest float."""
    import pandas as pd

    major, minor = (int(part) for part in pd.__version__.split(".")[:2])
    return {} if (major, minor) >= (3, 1) else {"float_precision": "round_trip"}


def read_file(
    path: Path,
    zero_based: ZeroBased,
    n_features: int | None,
    encoding: str,
    numbers: Iterator[int],
    dtype: type[np.floating],
) -> Iterator[Chunk]:
    """Parse a text file, gzipped if its name ends in .gz.

    Features must be in the range of ``dtype``. Queries of a file without ``qid``, but
    with a file of their sizes beside it, are named by ``numbers``.
    """
    beside = sizes_file(path)
    sizes = None if beside is None else QuerySizes(path, beside, numbers)
    with open_text(path, encoding=encoding) as file:
        yield from read_chunks(file, zero_based, n_features, sizes, dtype)


def read_chunks(
    file: TextFile,
    zero_based: ZeroBased,
    n_features: int | None,
    sizes: QuerySizes | None = None,
    dtype: type[np.floating] = np.float64,
) -> Iterator[Chunk]:
    """Parse the lines of an open file.

    Indices must fit into ``n_features`` columns; those of "auto" as if they started at
    1, until one is 0. Features must be in the range of ``dtype``.
    """
    for first_line, text in file.blocks(_BLOCK_BYTES):
        if text.isspace():
            continue
        if sizes is not None:
            text = sizes.insert(text)
        lines = text.split(b"\n")
        try:
            rows = _parse(lines, zero_based)
        except ValueError as error:
            raise _malformed(lines, file.name, first_line, zero_based) from error
        if rows is not None:
            first_index = 0 if zero_based is True or rows[2].low == 0 else 1
            if n_features is not None and rows[2].high >= n_features + first_index:
                raise _too_wide(lines, file.name, first_line, n_features, first_index)
            if overflows(rows[2].values, dtype).any():
                raise _too_large(lines, file.name, first_line, dtype)
            yield Chunk(*rows, file.name)
    if sizes is not None:
        sizes.check_end()


def too_wide(place: str, n_features: int, index: int, first_index: int) -> ValueError:
    """Error about an index that does not fit into the columns."""
    return ValueError(
        f"{place}: feature indices must fit into n_features={n_features} columns; got "
        f"the index {index}, counted from {first_index}. Pass a higher n_features, or "
        "none."
    )


def _too_wide(
    lines: Sequence[bytes],
    name: str,
    first_line: int,
    n_features: int,
    first_index: int,
) -> ValueError:
    """Error about the first line with an index that does not fit."""
    for number, line in enumerate(lines, start=first_line):
        rows = _parse([line], "auto")
        if rows is not None and rows[2].high >= n_features + first_index:
            place = f"{name}, line {number}"
            return too_wide(place, n_features, rows[2].high, first_index)
    raise AssertionError("one of these lines is too wide")


def _too_large(
    lines: Sequence[bytes], name: str, first_line: int, dtype: type[np.floating]
) -> ValueError:
    """Error about the first line with a feature that the type of ``X`` cannot hold."""
    for number, line in enumerate(lines, start=first_line):
        rows = _parse([line], "auto")
        if rows is None:
            continue
        features = rows[2]
        large = np.flatnonzero(overflows(features.values, dtype))
        if len(large):
            return line_error(
                name,
                number,
                f"features must be in the range of dtype={np.dtype(dtype).name}",
                f"{features.values[large[0]]:.4g} for the index "
                f"{features.entries()[large[0]]}",
                "Pass dtype=numpy.float64, or clip it.",
            )
    raise AssertionError("one of these lines has a large feature")


_Rows = tuple[FloatArray, NDArray[Any], Features, list[bytes] | None]


def _parse(lines: Iterable[bytes], zero_based: ZeroBased) -> _Rows | None:
    """Labels, ids, features and comments of the lines that are not blank."""
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
    numbers = _parse_features(features, zero_based)
    if _BLANK.search(b"\n".join(qids).decode()):
        raise _Malformed  # a no-break space may hide that features were meant
    y = np.array(list(map(float, labels)))
    if not np.isfinite(y).all() or np.isinf(numbers.values).any():
        raise _Malformed
    if b"_" in b"".join(labels):
        raise _Malformed  # Python reads 1_0 as 10
    comments_or_none = comments if any(comments) else None
    return y, _as_array(qids), numbers, comments_or_none


def _as_array(words: list[bytes]) -> NDArray[Any]:
    """Array of ids; a long one must not decide how much memory all others take."""
    is_short = max(map(len, words)) <= _MAX_BYTES_OF_FIXED_WIDTH
    return np.array(words, dtype=None if is_short else object)


def _parse_features(features: list[bytes], zero_based: ZeroBased) -> Features:
    text, counts = _joined(features)
    n_values = int(counts.sum())
    if n_values == 0:
        return Features(1, 0, counts, np.zeros(0, np.intp), np.zeros(0))
    if text.startswith(codecs.BOM_UTF8):
        raise _Malformed  # pandas would drop it
    # "1:0.5 2:0.1" and line ends alike become "1", "0.5", "2", "0.1", one a line
    text = text.translate(_ONE_PER_LINE)
    numbers = _read_numbers(text)
    if len(numbers) != 2 * n_values:
        raise _Malformed
    indices, values = numbers[::2], np.ascontiguousarray(numbers[1::2])
    width, low = int(counts[0]), indices[0]
    # dense lines, with the indices 1, …, width in order, already form a table
    if (low == 1 or (low == 0 and zero_based)) and (counts == width).all():
        in_order = np.arange(low, low + width)
        if (indices.reshape(len(counts), width) == in_order).all():
            return Features(int(low), int(low) + width - 1, counts, None, values)
    columns = _checked_indices(indices, counts, 0 if zero_based else 1)
    return Features(int(columns.min()), int(columns.max()), counts, columns, values)


def _joined(features: list[bytes]) -> tuple[bytes, IntArray]:
    """Lines of ``1:2 3:4 …`` with single spaces, and the number of their features."""
    text = b"\n".join(features)
    others = text.translate(None, _DIGITS)  # a third of the text: quick to search
    counts = None
    if not any(space in others for space in _OTHER_SPACES):
        counts = _counts(others)
    if counts is None:  # tabs or runs of spaces: normalize, then try again
        features = [b" ".join(words.split()) for words in features]
        text = b"\n".join(features)
        others = text.translate(None, _DIGITS)
        counts = _counts(others)
        if counts is None:
            raise _Malformed
    if any(features[row] for row in np.flatnonzero(counts == 0)):
        raise _Malformed  # a word without a colon
    # without digits, nothing is left of an index between a blank and its colon
    letters = np.frombuffer(others, dtype=np.uint8)
    is_blank = (letters == ord(" ")) | (letters == ord("\n"))
    if ((letters[1:] == ord(":")) > is_blank[:-1]).any():
        raise _Malformed  # 1.0 and 1e1 are no indices
    return text, counts


def _counts(text: bytes) -> IntArray | None:
    """Features of each line; None unless each is ``1:2 3:4 …`` with single spaces.

    Digits may be missing. With all other bytes removed, a line of n features alternates
    ``:`` and a space: 2n − 1 delimiters.
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


def _checked_indices(
    indices: FloatArray, counts: IntArray, lowest: int
) -> NDArray[np.intp]:
    """Indices as integers, in range and distinct within each line."""
    # a NaN is the minimum, and not in range
    if not (indices.min() >= lowest and indices.max() <= MAX_FEATURE_INDEX):
        raise _Malformed
    columns = indices.astype(np.intp)
    if (columns != indices).any():
        raise _Malformed
    # indices that ascend within each line are distinct: they descend at its start only
    descents = np.flatnonzero(columns[1:] <= columns[:-1]) + 1
    if not np.isin(descents, np.cumsum(counts)).all():
        rows = np.repeat(np.arange(len(counts)), counts)
        cells = columns + rows * (MAX_FEATURE_INDEX + 1)
        if len(np.unique(cells)) < len(cells):
            raise _Malformed  # a line repeats an index
    return columns


def _malformed(
    lines: Sequence[bytes], name: str, first_line: int, zero_based: ZeroBased
) -> ValueError:
    """Error about the first line that does not parse by itself."""
    for number, line in enumerate(lines, start=first_line):
        try:
            _parse([line], zero_based)
        except ValueError:
            return line_error(
                name,
                number,
                "a line must be 'label qid:id index:value index:value ... # comment' "
                f"with {_requirement(line, zero_based)}",
                excerpt(line),
            )
    last_line = first_line + len(lines) - 1
    return ValueError(f"{name}: lines {first_line} to {last_line} must be LETOR lines.")


def _requirement(line: bytes, zero_based: ZeroBased) -> str:
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
    if _BLANK.search(parts[1].decode()):
        return "a qid without other blanks than a space or a tab after it"
    return (
        f"distinct feature indices that are whole numbers from {int(not zero_based)} "
        f"to {MAX_FEATURE_INDEX}, and values that are finite numbers or nan"
    )
