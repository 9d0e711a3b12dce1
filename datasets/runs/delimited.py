"""Runs and judgments as tab-separated values with a header, or as JSON lines."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from itertools import chain
from typing import Any

import numpy as np

from ltr.datasets.runs.columns import Layout, read_cells
from ltr.datasets.runs.ids import Ids
from ltr.datasets.runs.json_lines import id_of, lines_of, read_objects, shown
from ltr.datasets.runs.numbers import parse_number
from ltr.datasets.runs.regular import Block, regular_json, regular_tsv
from ltr.datasets.runs.rows import Rows
from ltr.queries import IntArray
from ltr.text import excerpt, line_error

Blocks = Iterator[tuple[int, bytes]]
NAMES = {
    "qid": ("qid", "query-id", "query_id", "q_id", "topic"),
    "docid": (
        *("docid", "corpus-id", "corpus_id", "doc_id", "docno"),
        *("p_id", "pid", "doc"),
    ),
    "score": ("score",),
    "label": ("label", "relevance", "rel", "score"),
}
GOLD = "gold_ids"  # of an example of BRIGHT
# which mean a field only if no other name of it is there: a table with a docid may have
# the text of the document as "doc", and one with a label the score of a system
_WEAK_NAMES = {"score", "p_id", "pid", "doc"}


class _Columns:
    """Rows of a file, one after another."""

    def __init__(self, name: str, value: str, gold: str = GOLD) -> None:
        self.name, self.value, self.gold = name, value, gold
        self.qids: list[str] = []
        self.docids: list[str] = []
        self.values: list[float] = []
        self.lines: list[int] = []

    def extend(self, first_line: int, block: Block) -> None:
        self.qids += block.qids
        self.docids += block.docids
        self.values += block.values
        self.lines += range(first_line, first_line + len(block.values))

    def add(self, line: int, qid: str, docid: str, value: float) -> None:
        self.qids.append(qid)
        self.docids.append(docid)
        self.values.append(value)
        self.lines.append(line)

    def rows(self) -> Rows:
        if not self.values:
            raise ValueError(f"{self.name} must have at least one row; got none.")
        return Rows(
            numbered(self.qids),
            numbered(self.docids),
            np.array(self.values),
            np.array(self.lines, dtype=np.intp),
        )


def numbered(words: list[str]) -> Ids:
    """Number ids by first appearance.

    Examples
    --------
    >>> numbered(["b", "a", "b"]).codes.tolist()
    [0, 1, 0]
    """
    distinct = list(dict.fromkeys(words))
    numbers = {word: number for number, word in enumerate(distinct)}
    codes: IntArray = np.array(list(map(numbers.__getitem__, words)), dtype=np.intp)
    return Ids.from_text(codes, distinct)


def has_header(first_line: str) -> bool:
    r"""Whether the first line of a ``.tsv`` file names the column of query ids.

    Examples
    --------
    >>> has_header("query-id\tcorpus-id\tscore"), has_header("1\t0\ta\t1")
    (True, False)
    """
    return bool(set(NAMES["qid"]) & set(_cells(first_line)))


def column_of(columns: list[Any], name: str, source: str) -> Any:
    """The column of a table that holds the query, the document or the number.

    Parameters
    ----------
    columns : list
        Names of the columns.
    name : {"qid", "docid", "score", "label"}
        What it holds.
    source : str
        The table in messages.

    Returns
    -------
    column : object
        One of ``columns``.

    Raises
    ------
    ValueError
        If there is none, or more than one.

    Examples
    --------
    >>> column_of(["query-id", "corpus-id", "score"], "label", "the table")
    'score'
    """
    present = _present(columns, name)
    others = f" (or {', '.join(map(repr, NAMES[name][1:]))})" if NAMES[name][1:] else ""
    if not present:
        raise ValueError(
            f"{source} must have a column {name!r}{others}; got {columns}."
        )
    if columns.count(present[0]) > 1:
        raise ValueError(
            f"{source} must have one column {present[0]!r}; got {columns}."
        )
    if len(present) > 1:
        raise ValueError(
            f"{source} must have one column for the {name}; got "
            f"{' and '.join(map(repr, present))}. Drop or rename all but one."
        )
    return present[0]


def _present(columns: Container[Any], name: str) -> list[str]:
    """Names of a field that are there.

    Weak names count only if there is no other; beside a ``docno`` of PyTerrier,
    ``docid`` is the number of the document in its index.
    """
    present = [column for column in NAMES[name] if column in columns]
    if len(present) < 2:
        return present
    if "docno" in present:
        present = [column for column in present if column != "docid"]
    return [column for column in present if column not in _WEAK_NAMES] or present


def read_tsv(blocks: Blocks, value: str, name: str) -> Rows:
    r"""Read tab-separated values; the first line names the columns.

    Parameters
    ----------
    blocks : iterator of (int, bytes)
        Blocks of whole lines, each with the number of its first line.
    value : {"score", "label"}
        What the numbers are.
    name : str
        The file in messages.

    Returns
    -------
    rows : Rows

    Raises
    ------
    ValueError
        If a column is missing, a row has more or fewer cells than the header, an id is
        empty, a number does not parse, or there are no rows.

    Examples
    --------
    >>> text = b"query-id\tcorpus-id\tscore\n7\ta\t1\n"
    >>> read_tsv(iter([(1, text)]), "label", "test.tsv").docid.text.tolist()
    ['a']
    """
    first_line, head = next(blocks)
    number, first = next(lines_of(first_line, head))
    header = _cells(first)
    qid, docid, score = (
        header.index(column_of(header, column, f"{name}, line {number}:"))
        for column in ("qid", "docid", value)
    )
    places = qid, docid, score
    n_before = number - first_line + 1
    body = head.split(b"\n", n_before)[n_before:]
    start = number + 1

    def read_others(others: Blocks) -> Rows | None:
        columns = _Columns(name, value)
        for line, block in others:
            regular = regular_tsv(block, len(header), places)
            if regular is None:
                _read_tsv_lines(columns, line, block, len(header), places)
            else:
                columns.extend(line, regular)
        return columns.rows() if columns.values else None

    layout = Layout("\t".join(header), places, len(header), len(header))
    rest = chain(((start, text) for text in body if text), blocks)
    rows = read_cells(rest, layout, read_others)
    if rows is None:
        raise ValueError(f"{name} must have at least one row; got none.")
    return rows


def _read_tsv_lines(
    columns: _Columns,
    first_line: int,
    block: bytes,
    n_cells: int,
    places: tuple[int, int, int],
) -> None:
    """Read a block line by line, see :func:`read_tsv`."""
    name, value = columns.name, columns.value
    for number, line in lines_of(first_line, block):
        cells = line.split("\t")  # ids stay as they are written
        if len(cells) != n_cells:
            raise line_error(
                name,
                number,
                f"a row must have {n_cells} cells between tabs, as the header has",
                f"{len(cells)} in {excerpt(line)}",
            )
        qid, docid, text = (cells[place] for place in places)
        if not (qid.strip(" ") and docid.strip(" ")):
            raise line_error(name, number, "an id must not be empty", excerpt(line))
        score = parse_number(text.strip(" ").encode())
        if score is None or math.isnan(score):
            raise line_error(name, number, f"a {value} must be a number", excerpt(text))
        columns.add(number, qid, docid, score)


def read_jsonl(blocks: Blocks, value: str, name: str, gold: str = GOLD) -> Rows:
    r"""Read a JSON object per line.

    Parameters
    ----------
    blocks : iterator of (int, bytes)
        Blocks of whole lines, each with the number of its first line.
    value : {"score", "label"}
        What the numbers are.
    name : str
        The file in messages.
    gold : str, default="gold_ids"
        The field of an example of BRIGHT with the ids of its relevant documents.

    Returns
    -------
    rows : Rows

    Raises
    ------
    ValueError
        If a line is no JSON object, lacks a field, has one twice or one of another
        type, or there are no rows.

    Examples
    --------
    >>> text = b'{"qid": 7, "results": {"a": 2.5, "b": 1}}\n'
    >>> read_jsonl(iter([(1, text)]), "score", "run.jsonl").values.tolist()
    [2.5, 1.0]
    """
    columns = _Columns(name, value, gold)

    def fields_of(names: Container[str]) -> tuple[str, str, str] | None:
        fields = [_present(names, field) for field in ("qid", "docid", value)]
        if (
            "results" in names
            or gold in names
            or any(len(field) != 1 for field in fields)
        ):
            return None
        return fields[0][0], fields[1][0], fields[2][0]

    for first_line, block in blocks:
        regular = regular_json(block, fields_of)
        if regular is None:
            _read_json_lines(columns, first_line, block)
        else:
            columns.extend(first_line, regular)
    return columns.rows()


def _read_json_lines(columns: _Columns, first_line: int, block: bytes) -> None:
    """Read a block line by line, see :func:`read_jsonl`."""
    value, gold = columns.value, columns.gold
    rows = read_objects(
        first_line,
        block,
        lambda record: _items(record, value, gold),
        columns.name,
        f"'qid', 'docid' and {value!r}, or with 'qid' and 'results'",
    )
    for number, (qid, docid, score) in rows:
        columns.add(number, qid, docid, score)


def _items(
    record: dict[str, Any], value: str, gold: str
) -> Iterator[tuple[str, str, float]]:
    """Query, document and number of each result of a record."""
    if value == "label" and (gold in record or GOLD in record):
        qid = id_of(_field(record, "qid", ("id", *NAMES["qid"])), "id")
        yield from ((qid, docid, 1.0) for docid in ids_of(record, gold))
        return
    qid = id_of(_field(record, "qid"), "qid")
    if "results" not in record:
        number = _field(record, value)
        yield qid, id_of(_field(record, "docid"), "docid"), _number(number, value)
        return
    results = record["results"]
    if not isinstance(results, dict):
        raise ValueError(f"got 'results': {shown(results)}")
    for docid, number in results.items():
        yield qid, id_of(docid, "docid"), _number(number, value)


def ids_of(record: dict[str, Any], name: str) -> list[str]:
    """Distinct ids of a field of an example of BRIGHT, which writes none as "N/A".

    Examples
    --------
    >>> ids_of({"id": "7", "excluded_ids": ["N/A"]}, "excluded_ids")
    []
    """
    if name not in record:
        raise ValueError(f"got no {name!r}, but {shown(list(record))}")
    ids = record[name]
    if not isinstance(ids, list):
        raise ValueError(f"got {name!r}: {shown(ids)}")
    distinct = dict.fromkeys(id_of(word, name) for word in ids)
    return [docid for docid in distinct if docid != "N/A"]


def _field(record: dict[str, Any], name: str, names: Container[str] = ()) -> Any:
    fields = [column for column in record if column in names]
    fields = fields or _present(record, name)
    if len(fields) > 1:
        raise ValueError(f"got both {' and '.join(map(repr, fields))}")
    if fields:
        return record[fields[0]]
    raise ValueError(f"got no {name!r}, but {shown(list(record))}")


def _number(number: Any, value: str) -> float:
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise ValueError(f"got {value!r}: {shown(number)}")
    try:
        as_float = float(number)
    except OverflowError:
        as_float = math.nan
    if math.isnan(as_float):
        raise ValueError(f"got {value!r}: {shown(number)}")
    return as_float


def _cells(line: str) -> list[str]:
    """Names of columns in a header."""
    return [cell.strip(" ") for cell in line.split("\t")]
