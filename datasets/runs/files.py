"""Runs and judgments by id: TREC files, BEIR folders, JSONL, tables, dicts."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ltr.datasets.runs.columns import QRELS, RUN, Layout, read_columns
from ltr.datasets.runs.delimited import GOLD, has_header, read_jsonl, read_tsv
from ltr.datasets.runs.in_memory import rows_in_memory
from ltr.datasets.runs.json_lines import is_object
from ltr.datasets.runs.rows import Rows
from ltr.files import PathLike, unwritable, whole_file
from ltr.text import open_text

if TYPE_CHECKING:
    import pandas as pd

Source: TypeAlias = (
    "PathLike | pd.DataFrame | Mapping[Any, Mapping[Any, float] | Sequence[Any]]"
)
BLOCK_BYTES = 2**19  # of text at a time: the edges of its words stay in the cache


def read_run(source: Source, *, encoding: str = "utf-8") -> pd.DataFrame:
    r"""Read a run: the documents that a system returned for each query.

    Parameters
    ----------
    source : path, table or mapping
        A TREC run file (``qid Q0 docid rank score tag``; words after the score are
        optional, the rank is ignored and lines that begin with ``#`` are comments, as
        in trec_eval); a ``.jsonl`` file with an object ``{"qid": …, "docid": …,
        "score": …}`` or ``{"qid": …, "results": {docid: score}}`` per line; a ``.tsv``
        file with a header; each may be gzipped; a table of pandas, polars or pyarrow
        with columns ``qid``, ``docid`` and ``score`` (or their names in BEIR or
        Terrier); ``{qid: {docid: score}}``; or ``{qid: [docid, …]}``, best first, which
        get the scores n, n − 1, …, 1.
    encoding : str, default="utf-8"
        Encoding of a file.

    Returns
    -------
    run : DataFrame
        Columns ``qid`` and ``docid`` (categorical text) and ``score`` (float); rows in
        the order of the source.

    Raises
    ------
    ValueError
        If a line is malformed or not text in the encoding, a score is NaN, a document
        is repeated for a query, or there are no rows; with the line of a file.
    ArgumentError
        If it is none of these, a ``ValueError`` and ``TypeError``.
    FileNotFoundError
        If a file is missing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.txt"
    >>> _ = path.write_text("7 Q0 a 1 2.5 mine\n7 Q0 b 2 1.5 mine\n")
    >>> read_run(path).to_dict("list")
    {'qid': ['7', '7'], 'docid': ['a', 'b'], 'score': [2.5, 1.5]}
    """
    return run_rows(source, encoding=encoding).as_table("score")


def read_qrels(
    source: Source,
    *,
    split: str = "test",
    gold: str = GOLD,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    r"""Read relevance judgments.

    Parameters
    ----------
    source : path, table or mapping
        A TREC qrels file (``qid 0 docid label``, comments as in a run); a folder of
        BEIR (``qrels/<split>.tsv``), R2MED (``qrels.jsonl``) or BRIGHT
        (``examples.jsonl``); a ``.tsv`` file with a header or a ``.jsonl`` file, as for
        :func:`read_run`, with a ``label``, ``relevance`` or ``score``; examples of
        BRIGHT, ``{"id": …, "gold_ids": [docid, …]}``, whose documents get the label 1;
        a table with such columns; or ``{qid: {docid: label}}``.
    split : str, default="test"
        Split of a BEIR folder.
    gold : str, default="gold_ids"
        The field of an example of BRIGHT with the relevant documents; the whole
        documents are ``"gold_ids_long"``.
    encoding : str, default="utf-8"
        Encoding of a file.

    Returns
    -------
    qrels : DataFrame
        Columns ``qid`` and ``docid`` (categorical text) and ``label`` (float); rows in
        the order of the source.

    Raises
    ------
    ValueError
        If a line is malformed or not text in the encoding, a label is not finite, a
        document is judged twice for a query, or there are no rows; with the line of a
        file.
    ArgumentError
        If it is none of these, a ``ValueError`` and ``TypeError``.
    FileNotFoundError
        If a file is missing.

    Examples
    --------
    >>> read_qrels({"7": {"a": 1, "b": 0}}).to_dict("list")
    {'qid': ['7', '7'], 'docid': ['a', 'b'], 'label': [1.0, 0.0]}
    """
    rows = qrels_rows(source, split=split, gold=gold, encoding=encoding)
    return rows.as_table("label")


def write_run(run: Source, path: PathLike, *, tag: str = "ltr") -> None:
    """Write a run as a TREC file, best score first, or as JSONL.

    Parameters
    ----------
    run : path, table or mapping
        As for :func:`read_run`.
    path : path
        File to write: gzipped if its name ends in ``.gz``; one JSON object per line if
        it ends in ``.jsonl`` before that. It appears whole or not at all.
    tag : str, default="ltr"
        Name of the system, the last word of each line.

    Raises
    ------
    ValueError
        If an id or the tag contains whitespace or begins with a byte-order mark, or a
        query id begins with ``#``, which the TREC format cannot hold; if one has a
        surrogate or a NUL character.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.txt"
    >>> write_run({"7": {"b": 0.5, "a": 2}}, path)
    >>> path.read_text().splitlines()
    ['7 Q0 a 1 2.0 ltr', '7 Q0 b 2 0.5 ltr']
    """
    path = Path(path)
    table = read_run(run)
    codes = table["qid"].cat.codes.to_numpy()
    order = np.lexsort((-table["score"].to_numpy(), codes))
    table, codes = table.iloc[order], codes[order]
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        text = "".join(
            json.dumps({"qid": q, "docid": d, "score": s}, ensure_ascii=False) + "\n"
            for q, d, s in table.itertuples(index=False)
        )
    else:
        ids = {name: list(table[name].cat.categories) for name in ("qid", "docid")}
        for name, words in {**ids, "tag": [tag]}.items():
            for word in words:
                letters = word.encode(errors="replace")
                if letters.split() != [letters]:  # at blanks of ASCII, as readers do
                    raise ValueError(
                        f"a {name} must be one word in a TREC file; got {word!r}. "
                        "Write a .jsonl file instead."
                    )
                if fault := unwritable(word):
                    raise ValueError(
                        f"a {name} must be text that a TREC file can hold; got "
                        f"{word!r}, which has {fault}. Change it."
                    )
        comments = [word for word in ids["qid"] if word.startswith("#")]
        if comments:
            raise ValueError(
                "a qid must not begin with '#', which begins a comment in a TREC file; "
                f"got {comments[0]!r}. Write a .jsonl file instead."
            )
        starts = np.flatnonzero(np.diff(codes, prepend=-1))  # of each query
        sizes = np.diff(starts, append=len(codes))
        rank = np.arange(len(codes)) - np.repeat(starts, sizes)
        rows = zip(table["qid"], table["docid"], rank + 1, table["score"], strict=True)
        text = "".join(f"{q} Q0 {d} {r} {float(s)!r} {tag}\n" for q, d, r, s in rows)
    data = text.encode()
    with whole_file(path) as scratch:
        scratch.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def run_rows(source: Source, *, encoding: str = "utf-8", name: str = "run") -> Rows:
    """Read a run as :func:`~ltr.datasets.read_run` does, keeping ids as bytes.

    Parameters
    ----------
    source : path, table or mapping
        As for :func:`~ltr.datasets.read_run`.
    encoding : str, default="utf-8"
        Encoding of a file.
    name : str, default="run"
        A run in memory, in messages.

    Returns
    -------
    rows : Rows
    """
    if isinstance(source, (str, os.PathLike)):
        return _read_file(Path(source), "score", RUN, encoding)
    return rows_in_memory(source, "score", name).checked("score", name)


def qrels_rows(
    source: Source,
    *,
    split: str = "test",
    gold: str = GOLD,
    encoding: str = "utf-8",
) -> Rows:
    """Read judgments as :func:`~ltr.datasets.read_qrels` does, keeping ids as bytes.

    Parameters
    ----------
    source : path, table or mapping
        As for :func:`~ltr.datasets.read_qrels`.
    split : str, default="test"
        Split of a BEIR folder.
    gold : str, default="gold_ids"
        As for :func:`~ltr.datasets.read_qrels`.
    encoding : str, default="utf-8"
        Encoding of a file.

    Returns
    -------
    rows : Rows
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.is_dir():
            path = file_of(path, [f"qrels/{split}", "qrels", "examples"])
        return _read_file(path, "label", QRELS, encoding, gold)
    rows = rows_in_memory(source, "label", "qrels", gold)
    return rows.checked("label", "qrels")


def file_of(folder: Path, stems: Sequence[str]) -> Path:
    """The file of a folder that has one of the names, as ``.tsv`` or ``.jsonl``.

    Parameters
    ----------
    folder : Path
        The folder.
    stems : sequence of str
        Names without suffix, the likeliest first; each may be gzipped.

    Returns
    -------
    path : Path
        The first that exists.

    Raises
    ------
    FileNotFoundError
        If the folder has none of them; with the files that it has.
    """
    suffixes = (".tsv", ".jsonl", ".tsv.gz", ".jsonl.gz")
    paths = [folder / f"{stem}{suffix}" for stem in stems for suffix in suffixes]
    for path in paths:
        if path.is_file():
            return path
    names = [
        file.relative_to(folder).as_posix()
        for place in dict.fromkeys(path.parent for path in paths)
        if place.is_dir()
        for file in sorted(place.iterdir())
        if file.is_file()
    ]
    content = ", ".join(names[:5]) + ", …" * (len(names) > 5) if names else "no file"
    expected = [f"{stem}.tsv" for stem in stems]
    raise FileNotFoundError(
        f"{folder} must have a file {' or '.join(expected)} (or .jsonl, or gzipped); "
        f"it has {content}."
    )


def _read_file(
    path: Path, value: str, layout: Layout, encoding: str, gold: str = GOLD
) -> Rows:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    name, kind = str(path), path.name.removesuffix(".gz")
    with open_text(path, encoding=encoding) as file:
        blocks = file.blocks(BLOCK_BYTES)
        head = next(blocks, (1, b""))
        blocks = chain([head], blocks) if head[1] else blocks
        first_line = head[1].lstrip().partition(b"\n")[0].decode()
        if kind.endswith((".jsonl", ".ndjson")) or is_object(first_line):
            rows = read_jsonl(blocks, value, name, gold)
        elif kind.endswith(".tsv") and has_header(first_line):
            rows = read_tsv(blocks, value, name)
        else:
            rows = read_columns(blocks, layout, name)
    return rows.checked(value, name)
