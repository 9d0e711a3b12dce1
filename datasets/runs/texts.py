"""Documents and queries as text, and documents that do not count for a query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ltr.arguments import ArgumentError
from ltr.datasets.runs.delimited import ids_of
from ltr.datasets.runs.files import Source, file_of, read_run
from ltr.datasets.runs.json_lines import (
    id_of,
    lines_of,
    read_objects,
    shown,
    text_of,
)
from ltr.files import PathLike, id_text
from ltr.text import excerpt, line_error, open_text

if TYPE_CHECKING:
    import pandas as pd


class _Kind(NamedTuple):
    """A file of texts: its column of ids, and the names of its fields."""

    column: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    stems: tuple[str, ...]


_CORPUS = _Kind(
    "docid",
    ("_id", "id", "docid", "doc_id", "docno", "corpus-id", "corpus_id", "p_id", "pid"),
    ("text", "contents", "content", "body", "passage"),
    ("corpus", "documents"),
)
_QUERIES = _Kind(
    "qid",
    ("_id", "id", "qid", "query-id", "query_id", "q_id"),
    ("text", "query", "question"),
    ("queries", "query", "examples"),
)


def read_corpus(path: PathLike, *, encoding: str = "utf-8") -> pd.DataFrame:
    r"""Read the documents of a collection as text.

    Parameters
    ----------
    path : path
        A ``.jsonl`` file with an object per line that has an id (``_id`` in BEIR,
        ``id`` in R2MED and BRIGHT, ``docid``, ...), a ``text`` (or ``contents``,
        ``content``, ``body``, ``passage``) and perhaps a ``title``; a ``.tsv`` file
        with these names in its first line, or with an id and a text per line; or a
        folder with ``corpus.jsonl`` or ``documents.jsonl``. Each may be gzipped.
    encoding : str, default="utf-8"
        Encoding of the file.

    Returns
    -------
    corpus : DataFrame
        Columns ``docid``, ``title`` (empty where there is none) and ``text``, in the
        order of the file.

    Raises
    ------
    ValueError
        If a line has no id or text, an id is repeated, or there is no document; with
        the line of the file and the names that came.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "corpus.jsonl"
    >>> _ = path.write_text('{"_id": "d1", "title": "Wings", "text": "Lift."}\n')
    >>> read_corpus(path).to_dict("list")
    {'docid': ['d1'], 'title': ['Wings'], 'text': ['Lift.']}
    """
    return _read_texts(Path(path), _CORPUS, encoding)


def read_queries(path: PathLike, *, encoding: str = "utf-8") -> pd.DataFrame:
    r"""Read queries as text.

    Parameters
    ----------
    path : path
        As for :func:`read_corpus`; the text may be called ``query`` or ``question``,
        too, and the file of a folder ``queries.jsonl`` (BEIR), ``query.jsonl`` (R2MED)
        or ``examples.jsonl`` (BRIGHT).
    encoding : str, default="utf-8"
        Encoding of the file.

    Returns
    -------
    queries : DataFrame
        Columns ``qid``, ``title`` and ``text``, in the order of the file.

    Raises
    ------
    ValueError
        As :func:`read_corpus`.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "queries.tsv"
    >>> _ = path.write_text("7\twhy wings lift\n")
    >>> read_queries(path)["text"].tolist()
    ['why wings lift']
    """
    return _read_texts(Path(path), _QUERIES, encoding)


def _read_texts(path: Path, kind: _Kind, encoding: str) -> pd.DataFrame:
    """Read a file of documents or queries."""
    import pandas as pd

    path = file_of(path, kind.stems) if path.is_dir() else path
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    if path.suffix in (".csv", ".parquet"):
        raise ValueError(
            f"{path} must be a .jsonl or .tsv file; got {path.suffix}. Read it "
            f"with pandas into columns {kind.column!r} and 'text'."
        )
    name = str(path)
    is_table = path.name.removesuffix(".gz").endswith(".tsv")
    lines_by_id: dict[str, int] = {}
    rows: list[tuple[str, str, str]] = []
    with open_text(path, encoding=encoding) as file:
        read = _table if is_table else _objects
        for line, row in read(file.blocks(), kind, name):
            first = lines_by_id.setdefault(row[0], line)
            if first != line:
                raise line_error(
                    name,
                    line,
                    f"a {kind.column} must be there only once",
                    f"{excerpt(row[0])} again, as in line {first}",
                    "Keep one of the lines.",
                )
            rows.append(row)
    if not rows:
        raise ValueError(f"{name} must have at least one line; got none.")
    return pd.DataFrame(rows, columns=[kind.column, "title", "text"])


_Rows = Iterator[tuple[int, tuple[str, str, str]]]


def _objects(blocks: Iterator[tuple[int, bytes]], kind: _Kind, name: str) -> _Rows:
    """Id, title and text of each line of JSON."""

    def row_of(record: dict[str, Any]) -> list[tuple[str, str, str]]:
        fields = {}
        for field, names in (("id", kind.ids), ("text", kind.texts)):
            present = [key for key in names if key in record]
            if not present:
                raise ValueError(f"got no {names[0]!r}, but {shown(list(record))}")
            fields[field] = present[0]
        text, title = record[fields["text"]], record.get("title")
        for key, words in ((fields["text"], text), ("title", title or "")):
            if not isinstance(words, str):
                raise ValueError(f"got {key!r}: {shown(words)}")
        docid = id_of(record[fields["id"]], fields["id"])
        return [(docid, text_of(title or ""), text_of(text))]

    form = f"{_names(kind.ids)} and {_names(kind.texts)}"
    for first_line, block in blocks:
        yield from read_objects(first_line, block, row_of, name, form)


def _names(names: tuple[str, ...]) -> str:
    return f"{names[0]!r} (or {', '.join(map(repr, names[1:]))})"


def _table(blocks: Iterator[tuple[int, bytes]], kind: _Kind, name: str) -> _Rows:
    """Id, title and text of each line of cells; the first line may name them."""
    header: list[str] | None = None
    for first_line, block in blocks:
        for number, line in lines_of(first_line, block):
            cells = line.split("\t")
            if header is None:
                is_named = bool({*kind.ids} & {*cells} and {*kind.texts} & {*cells})
                header = cells if is_named else [kind.ids[0], kind.texts[0]]
                if is_named:
                    continue
            if len(cells) != len(header):
                raise line_error(
                    name,
                    number,
                    f"a row must have {len(header)} cells between tabs",
                    f"{len(cells)} in {excerpt(line)}",
                )
            row = dict(zip(header, cells, strict=True))
            key = next(row[name] for name in kind.ids if name in row)
            text = next(row[name] for name in kind.texts if name in row)
            if not key.strip(" "):
                raise line_error(name, number, "an id must not be empty", excerpt(line))
            yield number, (key, row.get("title", ""), text)


def read_excluded(
    path: PathLike, *, field: str = "excluded_ids", encoding: str = "utf-8"
) -> dict[str, list[str]]:
    r"""Read which documents do not count for a query, from examples of BRIGHT.

    Parameters
    ----------
    path : path
        A ``.jsonl`` file with an object per line, ``{"id": ..., "excluded_ids":
        [docid, ...]}``, or a folder with ``examples.jsonl``; may be gzipped.
    field : str, default="excluded_ids"
        Name of the field with the documents.
    encoding : str, default="utf-8"
        Encoding of the file.

    Returns
    -------
    excluded : dict
        Document ids by query id, for :func:`exclude`; "N/A", as BRIGHT writes none, is
        no document.

    Raises
    ------
    ValueError
        If a line has no id or no list of documents; with the names that came.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "examples.jsonl"
    >>> _ = path.write_text('{"id": 7, "excluded_ids": ["a", "b"]}\n')
    >>> read_excluded(path)
    {'7': ['a', 'b']}
    """
    path = Path(path)
    path = file_of(path, ["examples"]) if path.is_dir() else path
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")

    def row_of(record: dict[str, Any]) -> list[tuple[str, list[str]]]:
        present = [key for key in _QUERIES.ids if key in record]
        if not present:
            raise ValueError(f"got no 'id', but {shown(list(record))}")
        return [(id_of(record[present[0]], present[0]), ids_of(record, field))]

    excluded: dict[str, list[str]] = {}
    with open_text(path, encoding=encoding) as file:
        for line, block in file.blocks():
            form = f"'id' and {field!r}"
            for _, (qid, docids) in read_objects(line, block, row_of, str(path), form):
                excluded[qid] = [*excluded.get(qid, []), *docids]
    return excluded


def exclude(run: Source, documents: Mapping[Any, Any] | str) -> pd.DataFrame:
    """Drop documents that do not count for a query from a run.

    Parameters
    ----------
    run : path, table or mapping
        As for :func:`read_run`.
    documents : mapping or "same_id"
        Ids of the documents to drop by query id, as :func:`read_excluded` returns them.
        "same_id": the document whose id is that of the query, as BEIR does, where the
        queries of ArguAna and Quora are documents of the collection.

    Returns
    -------
    run : DataFrame
        The other rows, as :func:`read_run` returns them.

    Raises
    ------
    ArgumentError
        If ``documents`` is neither.

    Examples
    --------
    >>> run = {"q1": {"a": 3.0, "q1": 2.0}, "q2": {"a": 1.0}}
    >>> exclude(run, "same_id").to_dict("list")
    {'qid': ['q1', 'q2'], 'docid': ['a', 'a'], 'score': [3.0, 1.0]}
    >>> exclude(run, {"q1": ["a"]})["docid"].tolist()
    ['q1', 'a']
    """
    table = read_run(run)
    qids, docids = table["qid"].astype(object), table["docid"].astype(object)
    if isinstance(documents, Mapping):
        pairs = {
            (id_text(qid), id_text(docid))
            for qid, excluded in documents.items()
            for docid in excluded
        }
        rows = zip(qids, docids, strict=True)
        dropped = np.fromiter((row in pairs for row in rows), bool, len(table))
    elif documents == "same_id":
        dropped = (qids == docids).to_numpy()
    else:
        raise ArgumentError(
            "documents must be {qid: [docid, ...]} or 'same_id'; got "
            f"{shown(documents)}."
        )
    return table[~dropped].reset_index(drop=True)
