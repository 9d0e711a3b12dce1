"""CSV and TSV files with a header: every row must have a cell for every column."""

from __future__ import annotations

import codecs
import csv
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ltr.datasets.letor.lines import exact_floats
from ltr.queries import IntArray
from ltr.text import TextFile, excerpt, line_error, open_text

if TYPE_CHECKING:
    import pandas as pd

_BLOCK_BYTES = 2**23
_LATER_MARK = b"\n" + codecs.BOM_UTF8
_SEPARATORS = (",", "\t", ";", "|")
# The separator that the name of a file promises.
SEPARATOR_OF = {".csv": ",", ".tsv": "\t"}
# Cells without a number: those of pandas, which reads them so by default.
_MISSING = [
    *["", "nan", "NaN", "-nan", "-NaN", "NA", "N/A", "n/a", "<NA>", "#N/A", "#NA"],
    *["#N/A N/A", "NULL", "null", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"],
]


@dataclass(frozen=True, eq=False)
class Delimited:
    """The text of a table whose rows have been counted.

    Attributes
    ----------
    file : str
        The file, as messages call it.
    columns : list of str
        Names in the header; distinct.
    text : bytes
        The text, in UTF-8.
    lines : int array of shape (n_rows,)
        Number of the line on which each row begins.
    separator : str
        Between cells.
    """

    file: str
    columns: list[str]
    text: bytes
    lines: IntArray
    separator: str

    def frame(self, columns: Sequence[str], ids: Sequence[str]) -> pd.DataFrame:
        """Read some columns.

        Parameters
        ----------
        columns : sequence of str
            Those to read.
        ids : sequence of str
            Those that stay text: 7 and 07 are two ids, and NA is one.

        Returns
        -------
        frame : DataFrame
            Numbers where all cells of a column are numbers or empty, else text.
        """
        import pandas as pd

        numbers = [name for name in columns if name not in ids]
        try:
            with warnings.catch_warnings():
                # numbers here and text there in a column: said later, with the line
                warnings.simplefilter("ignore", pd.errors.DtypeWarning)
                return pd.read_csv(
                    BytesIO(self.text),
                    sep=self.separator,
                    header=0,
                    names=self.columns,
                    index_col=False,
                    usecols=list(columns),
                    dtype=dict.fromkeys(ids, object),
                    keep_default_na=False,
                    na_values=dict.fromkeys(numbers, _MISSING),
                    **exact_floats(),
                )
        except (ValueError, OverflowError) as error:
            raise ValueError(
                f"{self.file} must be a table of cells separated by "
                f"{self.separator!r}; reading it failed: {error}"
            ) from error

    def not_a_number(self, name: str, column: pd.Series[Any], cure: str) -> ValueError:
        """Error about the first cell of a column of text that is not a number."""
        cells = [str(cell) for cell in column.tolist()]
        present = column.notna().tolist()
        bad = [i for i, cell in enumerate(cells) if present[i] and not _is_number(cell)]
        row = bad[0] if bad else 0
        return line_error(
            self.file,
            int(self.lines[row]),
            f"column {name!r} must hold numbers",
            excerpt(cells[row]),
            cure,
        )

    def check_finite(self, frame: pd.DataFrame, label: str | None) -> None:
        """Raise for a number that is too large for a float, and an infinite label.

        Parameters
        ----------
        frame : DataFrame
            Columns of :meth:`frame` whose values are numbers.
        label : str or None
            The column of the labels; only features may be written as ``inf``.
        """
        if not np.isinf(frame.to_numpy(np.float64, na_value=np.nan)).any():
            return
        for name in frame.columns:
            rows = np.flatnonzero(np.isinf(frame[name].to_numpy(np.float64)))
            if not len(rows):
                continue
            cells = self.frame([name], [name])[name].tolist()
            for row in rows.tolist():
                if name == label or any(map(str.isdecimal, cells[row])):
                    raise line_error(
                        self.file,
                        int(self.lines[row]),
                        f"column {name!r} must hold "
                        + ("finite numbers" if name == label else "numbers in range"),
                        excerpt(cells[row]),
                        "Replace it, or drop the row.",
                    )

    def empty_cell(self, name: str, row: int) -> ValueError:
        """Error about a row without an id or a label."""
        return line_error(
            self.file,
            int(self.lines[row]),
            f"column {name!r} must have no empty cells",
            "one",
            "Drop such rows.",
        )


def _is_number(cell: str) -> bool:
    """Whether a cell is a number, and if it is a whole one, has 64 bits.

    In ASCII: ``float`` takes the digits of other scripts, which the parser does not.
    """
    try:
        value = float(cell)
    except ValueError:
        return False
    if not cell.isascii():
        return False
    is_long = abs(value) >= 2**63 and cell.strip().lstrip("+-").isdecimal()
    return not is_long and "_" not in cell


def read_delimited(path: Path, separator: str, encoding: str) -> Delimited:
    """Read a table, and check that each row has as many cells as the header.

    Parameters
    ----------
    path : Path
        The file, gzipped if its name ends in ``.gz``.
    separator : str
        Between cells.
    encoding : str
        Encoding of the file.

    Returns
    -------
    table : Delimited

    Raises
    ------
    ValueError
        If there is no header or it repeats a name, a row has more or fewer cells, or a
        quote is not closed; the message has the file and line number.
    """
    with open_text(path, encoding=encoding, has_quotes=True) as file:
        return parse_delimited(file, separator)


def parse_delimited(file: TextFile, separator: str) -> Delimited:
    """Read a table from an open file, see :func:`read_delimited`.

    Parameters
    ----------
    file : TextFile
        Opened with ``has_quotes=True``.
    separator : str
        Between cells.

    Returns
    -------
    table : Delimited

    Raises
    ------
    ValueError
        As :func:`read_delimited`.
    """
    path = file.name
    text = b"".join(block for _, block in file.blocks(_BLOCK_BYTES))
    _check_separator(path, text, separator)
    is_quoted = b'"' in text
    if _LATER_MARK in text:
        text = _without_marks(text, separator, is_quoted)
    count = _count_quoted if is_quoted else _count_plain
    columns, counts, lines = count(path, text, separator)
    if len(counts) < 2:
        raise ValueError(f"{path} must have a header and at least one row; got none.")
    repeated = [name for name in columns if columns.count(name) > 1]
    if repeated:
        raise line_error(
            path,
            int(lines[0]),
            "columns must have distinct names",
            f"{excerpt(repeated[0])} twice",
            "Rename one of them.",
        )
    uneven = np.flatnonzero(counts != len(columns))
    if len(uneven):
        row = int(uneven[0])
        raise line_error(
            path,
            int(lines[row]),
            f"a row must have {len(columns)} cells, as the header has",
            f"{counts[row]}",
            "Quote cells that contain the separator; is the file cut off?",
        )
    return Delimited(path, columns, text, lines[1:], separator)


def _without_marks(text: bytes, separator: str, is_quoted: bool) -> bytes:
    """Text without byte-order marks before rows; those inside quotes stay."""
    if not is_quoted:
        return text.replace(_LATER_MARK, b"\n")
    lines = text.decode().split("\n")
    is_start_of_row = True

    def source() -> Iterator[str]:
        nonlocal is_start_of_row
        for number, line in enumerate(lines):
            if is_start_of_row and number:
                lines[number] = line.removeprefix("\ufeff")
            is_start_of_row = False
            yield lines[number] + "\n"

    # the reader asks for the first line of a row after it returned the row before
    with suppress(csv.Error):  # raised again, with the line, when cells are counted
        for _ in csv.reader(source(), delimiter=separator, strict=True):
            is_start_of_row = True
    return "\n".join(lines).encode()


def _check_separator(path: str, text: bytes, separator: str) -> None:
    """Raise if the header has another separator only."""
    lines = text[:_BLOCK_BYTES].split(b"\n")
    number, header = next(
        ((i, s) for i, s in enumerate(lines, 1) if s.strip()), (1, b"")
    )
    others = [other for other in _SEPARATORS if other.encode() in header]
    if others and separator not in others:
        raise line_error(
            path,
            number,
            f"cells must be separated by {separator!r}",
            f"{excerpt(header)}, where {others[0]!r} seems to be the separator",
            f"Convert the file, or pass pandas.read_csv(..., sep={others[0]!r}).",
        )


_Counts = tuple[list[str], IntArray, IntArray]


def _count_plain(file: str, text: bytes, separator: str) -> _Counts:
    """Header, and cells and line of every row, of a text without quotes."""
    letters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    if text and not text.endswith(b"\n"):
        ends = np.append(ends, len(text))
    starts = np.append(0, ends[:-1] + 1)[: len(ends)]
    separators = np.flatnonzero(letters == ord(separator))
    # cells of a line: its separators, and one
    counts = 1 + np.diff(np.searchsorted(separators, np.append(0, ends)))
    rows = np.flatnonzero(ends > starts)
    if not len(rows):
        return [], rows, rows
    header = text[starts[rows[0]] : ends[rows[0]]].decode()
    return header.split(separator), counts[rows], rows + 1


def _count_quoted(file: str, text: bytes, separator: str) -> _Counts:
    """Header, and cells and line of every row, where cells may be quoted."""
    columns: list[str] = []
    counts: list[int] = []
    lines: list[int] = []
    source = text.decode().removesuffix("\n").split("\n")
    rows = csv.reader(
        (line + "\n" for line in source), delimiter=separator, strict=True
    )
    line = 1
    try:
        for row in rows:
            if row:
                columns = columns or row
                counts.append(len(row))
                lines.append(line)
            line = rows.line_num + 1
    except csv.Error as error:
        raise line_error(
            file,
            line,
            "a quoted cell must end with a quote before the next separator",
            excerpt(source[line - 1]),
            f"({error})",
        ) from error
    return columns, np.array(counts, np.intp), np.array(lines, np.intp)
