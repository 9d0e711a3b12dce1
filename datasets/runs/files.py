"""Runs and judgments by id: TREC files, BEIR folders, JSONL, tables, dicts."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ltr.datasets.letor.lines import exact_floats
from ltr.datasets.runs.columns import Irregular, read_columns
from ltr.datasets.runs.ids import Ids
from ltr.files import PathLike, open_to_read, whole_file
from ltr.queries import FloatArray

if TYPE_CHECKING:
    import pandas as pd

Source: TypeAlias = "PathLike | pd.DataFrame | Mapping[Any, Mapping[Any, float]]"
_NAMES = {
    "qid": ("qid", "query-id", "query_id", "q_id", "topic"),
    "docid": ("docid", "corpus-id", "corpus_id", "doc_id", "docno"),
    "score": ("score",),
    "label": ("label", "relevance", "rel", "score"),
}
_TREC_RUN = "qid Q0 docid rank score tag"
_TREC_QRELS = "qid 0 docid label"
_WORDS_OF_A_RUN, _WORDS_OF_QRELS = 6, 4
_SWAPPED = "Are the run and the judgments swapped?"


def read_run(source: Source) -> pd.DataFrame:
    r"""Read a run: the documents that a system returned for each query.

    Parameters
    ----------
    source : path, DataFrame or mapping
        A TREC run file (``qid Q0 docid rank score tag``; words after the score are
        optional, and the rank is ignored, as in trec_eval); a ``.jsonl`` file with an
        object ``{"qid": …, "docid": …, "score": …}`` or ``{"qid": …, "results":
        {docid: score}}`` per line; a ``.tsv`` file with a header; each gzipped if its
        name ends in ``.gz``; a table with columns ``qid``, ``docid`` and ``score`` (or
        their names in BEIR or Terrier); or ``{qid: {docid: score}}``.

    Returns
    -------
    run : DataFrame
        Columns ``qid`` and ``docid`` (categorical text) and ``score`` (float); rows in
        the order of the source.

    Raises
    ------
    ValueError
        If a line is malformed, a score is NaN, a document is repeated for a query, or
        there are no rows.
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
    return run_rows(source).as_table("score")


def read_qrels(source: Source, *, split: str = "test") -> pd.DataFrame:
    r"""Read relevance judgments.

    Parameters
    ----------
    source : path, DataFrame or mapping
        A TREC qrels file (``qid 0 docid label``); a BEIR folder, whose
        ``qrels/<split>.tsv`` is read; a ``.tsv`` file with a header or a ``.jsonl``
        file, as for :func:`read_run`, with a ``label``, ``relevance`` or ``score``; a
        table with such columns; or ``{qid: {docid: label}}``.
    split : str, default="test"
        Split of a BEIR folder.

    Returns
    -------
    qrels : DataFrame
        Columns ``qid`` and ``docid`` (categorical text) and ``label`` (float); rows in
        the order of the source.

    Raises
    ------
    ValueError
        If a line is malformed, a label is NaN, a document is judged twice for a query,
        or there are no rows.
    FileNotFoundError
        If a file is missing.

    Examples
    --------
    >>> read_qrels({"7": {"a": 1, "b": 0}}).to_dict("list")
    {'qid': ['7', '7'], 'docid': ['a', 'b'], 'label': [1.0, 0.0]}
    """
    return qrels_rows(source, split=split).as_table("label")


def write_run(run: Source, path: PathLike, *, tag: str = "ltr") -> None:
    """Write a run as a TREC file, best score first, or as JSONL.

    Parameters
    ----------
    run : path, DataFrame or mapping
        As for :func:`read_run`.
    path : path
        File to write: gzipped if its name ends in ``.gz``; one JSON object per line if
        it ends in ``.jsonl`` before that. It appears whole or not at all.
    tag : str, default="ltr"
        Name of the system, the last word of each line.

    Raises
    ------
    ValueError
        If an id or the tag contains whitespace, which the TREC format cannot hold.

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
                if len(word.split()) != 1 or word.strip() != word:
                    raise ValueError(
                        f"a {name} must be one word in a TREC file; got {word!r}. "
                        "Write a .jsonl file instead."
                    )
        starts = np.flatnonzero(np.diff(codes, prepend=-1))  # of each query
        sizes = np.diff(starts, append=len(codes))
        rank = np.arange(len(codes)) - np.repeat(starts, sizes)
        rows = zip(table["qid"], table["docid"], rank + 1, table["score"], strict=True)
        text = "".join(f"{q} Q0 {d} {r} {float(s)!r} {tag}\n" for q, d, r, s in rows)
    data = text.encode()
    with whole_file(path) as scratch:
        scratch.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@dataclass(frozen=True)
class Rows:
    """Checked rows of a run or of judgments.

    Attributes
    ----------
    qid, docid : Ids
        Query and document of each row.
    values : float array of shape (n_rows,)
        Score or label.
    """

    qid: Ids
    docid: Ids
    values: FloatArray

    def as_table(self, value: str) -> pd.DataFrame:
        """Return a table with columns ``qid``, ``docid`` and ``value``."""
        import pandas as pd

        columns: dict[str, Any] = {
            name: pd.Categorical.from_codes(ids.codes, pd.Index(ids.text))
            for name, ids in (("qid", self.qid), ("docid", self.docid))
        }
        return pd.DataFrame({**columns, value: self.values})


def run_rows(source: Source) -> Rows:
    """Read a run as :func:`read_run` does, keeping ids as bytes.

    Parameters
    ----------
    source : path, DataFrame or mapping
        As for :func:`read_run`.

    Returns
    -------
    rows : Rows
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return _checked(
            _read_file(path, "score", _TREC_RUN, (0, 2, 4)), "score", str(path)
        )
    return _checked(_as_table(source, "score"), "score", "run")


def qrels_rows(source: Source, *, split: str = "test") -> Rows:
    """Read judgments as :func:`read_qrels` does, keeping ids as bytes.

    Parameters
    ----------
    source : path, DataFrame or mapping
        As for :func:`read_qrels`.
    split : str, default="test"
        Split of a BEIR folder.

    Returns
    -------
    rows : Rows
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.is_dir():
            path = path / "qrels" / f"{split}.tsv"
        return _checked(
            _read_file(path, "label", _TREC_QRELS, (0, 2, 3)), "label", str(path)
        )
    return _checked(_as_table(source, "label"), "label", "qrels")


def _read_file(
    path: Path, value: str, line: str, columns: tuple[int, int, int]
) -> pd.DataFrame | Rows:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    kind = path.name.removesuffix(".gz")
    if kind.endswith(".jsonl"):
        return _read_jsonl(path, value)
    try:
        if kind.endswith(".tsv"):
            table = _read_csv(path, sep="\t", dtype=str)
            if len(set(_NAMES["qid"]) & set(table.columns)):
                return _as_table(table, value)
        return _read_trec(path, value, line, columns)
    except ValueError as error:  # pandas' ParserError is one
        if str(error).startswith(str(path)):
            raise
        hint = ""
        if value == "score" and len(_first_line(path).split()) == _WORDS_OF_QRELS:
            hint = f" It looks like judgments. {_SWAPPED}"
        raise ValueError(
            f"{path} must have lines of the form '{line}'; {_first_bad(path, columns)}."
            + hint
        ) from error


def _read_trec(
    path: Path, value: str, line: str, columns: tuple[int, int, int]
) -> pd.DataFrame | Rows:
    if value == "label" and len(_first_line(path).split()) >= _WORDS_OF_A_RUN:
        raise ValueError(
            f"{path} must have lines of the form '{line}'; the first one is "
            f"{_excerpt(_first_line(path))}, as in a run. {_SWAPPED}"
        )
    with open_to_read(path) as file:
        try:
            return Rows(*read_columns(file, columns))
        except Irregular:
            pass  # malformed, or lines of different lengths, which pandas can read
    table = _read_csv(
        path,
        sep=r"\s+",
        header=None,
        usecols=list(columns),
        dtype={columns[0]: object, columns[1]: object, columns[2]: np.float64},
    )
    return table.set_axis(["qid", "docid", value], axis=1)


def _read_csv(path: Path, **options: Any) -> pd.DataFrame:
    import pandas as pd

    with open_to_read(path) as file:
        return pd.read_csv(
            file,
            keep_default_na=False,
            quoting=csv.QUOTE_NONE,
            **exact_floats(),
            **options,
        )


def _first_bad(path: Path, columns: tuple[int, int, int]) -> str:
    """Number and text of the first line that does not parse."""
    with open_to_read(path) as file:
        for number, line in enumerate(file, start=1):
            words = line.split()
            try:
                bad = bool(np.isnan(float(words[columns[2]])))
            except (IndexError, ValueError):
                bad = bool(words)
            if bad:
                return f"line {number} is {_excerpt(line.decode(errors='replace'))}"
    return "it has none"


def _first_line(path: Path) -> str:
    """First line that is not blank; "" if there is none."""
    with open_to_read(path) as file:
        line = next((line for line in file if line.strip()), b"")
    return str(line.decode(errors="replace"))


def _excerpt(line: str) -> str:
    text = line.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _read_jsonl(path: Path, value: str) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    with open_to_read(path, "rt") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                results = record.pop("results", None)
            except (ValueError, AttributeError) as error:
                raise ValueError(
                    f"{path}, line {number}: a line must be a JSON object; {error}."
                ) from error
            if results is None:
                rows.append(record)
            else:
                items = results.items()
                rows.extend({**record, "docid": d, value: v} for d, v in items)
    return _as_table(pd.DataFrame(rows), value)


def _as_table(source: Any, value: str) -> pd.DataFrame:
    """Table with columns ``qid``, ``docid`` and ``value`` from a table or mapping."""
    import pandas as pd

    if isinstance(source, Mapping):
        n_docs = [len(docs) for docs in source.values()]
        return pd.DataFrame(
            {
                "qid": np.repeat(np.array([*source, None], object)[:-1], n_docs),
                "docid": [doc for docs in source.values() for doc in docs],
                value: [v for docs in source.values() for v in docs.values()],
            }
        )
    if not isinstance(source, pd.DataFrame):
        raise TypeError(
            "expected a path, a DataFrame or {qid: {docid: value}}; got "
            f"{type(source).__name__}."
        )
    columns = {}
    for name in ("qid", "docid", value):
        present = [column for column in _NAMES[name] if column in source.columns]
        if not present:
            raise ValueError(
                f"the table must have a column {name!r} (or {_NAMES[name][1:]}); got "
                f"{list(source.columns)}."
            )
        columns[name] = source[present[0]]
    return pd.DataFrame(columns)


def _checked(table: pd.DataFrame | Rows, value: str, name: str) -> Rows:
    """Rows in which no query has a document twice."""
    import pandas as pd

    rows = table if isinstance(table, Rows) else _as_rows(table, value, name)
    # one integer per (query, document): query · n_documents + document
    pairs = rows.qid.codes.astype(np.int64) * len(rows.docid.names) + rows.docid.codes
    repeated = pd.Series(pairs).duplicated()
    if repeated.any():
        row = int(repeated.to_numpy().argmax())
        raise ValueError(
            f"{name}: duplicate document {rows.docid.of(row)!r} for query "
            f"{rows.qid.of(row)!r}. Keep one of the rows."
        )
    return rows


def _as_rows(table: pd.DataFrame, value: str, name: str) -> Rows:
    if len(table) == 0:
        raise ValueError(f"{name} must have at least one row; got none.")
    try:
        numbers = table[value].to_numpy(dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: a {value} must be a number; {error}.") from error
    bad = np.isnan(numbers)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"{name}: a {value} must be a number; got {numbers[row]} for query "
            f"{table['qid'].iloc[row]!r}, document {table['docid'].iloc[row]!r}."
        )
    return Rows(_coded(table["qid"]), _coded(table["docid"]), numbers)


def _coded(ids: pd.Series[Any]) -> Ids:
    """Ids as text, numbered by first appearance."""
    import pandas as pd

    if isinstance(ids.dtype, pd.CategoricalDtype):
        codes, categories = ids.cat.codes.to_numpy(), ids.cat.categories
    else:
        codes, categories = pd.factorize(ids)
    if (codes < 0).any():
        row = int((codes < 0).argmax())
        raise ValueError(
            f"{ids.name} must not have missing values; row {row} has none."
        )
    if isinstance(categories, pd.Index) and categories.inferred_type == "string":
        return Ids.from_text(codes.astype(np.intp), categories.tolist())
    text = [str(word) for word in categories]
    if len(set(text)) < len(text):  # 1 and "1" are one id
        text_codes, unique = pd.factorize(pd.Index(text, dtype=object))
        codes, text = text_codes[codes], list(unique)
    return Ids.from_text(codes.astype(np.intp), text)
