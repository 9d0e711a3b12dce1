"""Runs and judgments in memory: tables of several libraries, and mappings."""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ltr.arguments import ArgumentError
from ltr.datasets.runs.delimited import GOLD, column_of, ids_of
from ltr.datasets.runs.ids import Ids
from ltr.datasets.runs.numbers import parse_number
from ltr.datasets.runs.rows import Rows
from ltr.files import id_text
from ltr.queries import FloatArray

if TYPE_CHECKING:
    import pandas as pd

_FORMS = {
    "score": "a path, a table with the columns qid, docid and score (of pandas, polars "
    "or pyarrow), {qid: {docid: score}} or {qid: [docid, …]}, best first",
    "label": "a path, a table with the columns qid, docid and label (of pandas, polars "
    "or pyarrow) or {qid: {docid: label}}",
}


def is_one_run(source: object) -> bool:
    """Whether an object is a run by itself, and not several runs.

    Parameters
    ----------
    source : object
        What was passed for a sequence of runs, or for ``{name: run}``.

    Returns
    -------
    is_one : bool

    Examples
    --------
    >>> is_one_run({"q": {"a": 2.0}}), is_one_run({"bm25": {"q": {"a": 2.0}}})
    (True, False)
    """
    if isinstance(source, (str, os.PathLike)) or _columns(source) is not None:
        return True
    if not isinstance(source, Mapping) or not source:
        return False
    value = next(iter(source.values()))
    if isinstance(value, Mapping):
        return any(isinstance(score, numbers.Real) for score in value.values())
    return _is_ranking(value)


def rows_in_memory(source: object, value: str, name: str, gold: str = GOLD) -> Rows:
    """Rows of a table or mapping.

    Parameters
    ----------
    source : table or mapping
        A DataFrame of pandas or polars, a Table of pyarrow, ``{qid: {docid: value}}``
        or, for a run, ``{qid: [docid, …]}``.
    value : {"score", "label"}
        What the numbers are.
    name : str
        The source in messages.
    gold : str, default="gold_ids"
        Column of a table of examples of BRIGHT with the relevant documents.

    Returns
    -------
    rows : Rows

    Raises
    ------
    ArgumentError
        If it is something else.
    ValueError
        If a column is missing, an id is missing, a number does not parse, or there are
        no rows.

    Examples
    --------
    >>> rows_in_memory({"q": ["b", "a"]}, "score", "run").values.tolist()
    [2.0, 1.0]
    """
    if isinstance(source, Mapping):
        rows = _as_rows(*_from_mapping(source, value, name), value, name)
        has_scores = any(isinstance(docs, Mapping) for docs in source.values())
        return replace(rows, has_scores=has_scores)
    columns = _columns(source)
    if columns is None:
        raise ArgumentError(
            f"{name} must be {_FORMS[value]}; got {_kind(source)}.{_hint(source)}"
        )
    names, column = columns
    if value == "label" and gold in names and "id" in names:
        return rows_in_memory(
            _gold_labels(column("id"), column(gold), gold), value, name
        )
    qid, docid, numbers = (
        column(column_of(names, part, name)) for part in ("qid", "docid", value)
    )
    return _as_rows(qid, docid, numbers, value, name)


def _gold_labels(
    qids: pd.Series[Any], golds: pd.Series[Any], gold: str
) -> dict[Any, dict[str, float]]:
    """Judgments of examples of BRIGHT: relevant documents have the label 1."""
    labels = {}
    for qid, ids in zip(qids, golds, strict=True):
        words = ids.tolist() if isinstance(ids, np.ndarray) else ids
        labels[qid] = dict.fromkeys(ids_of({gold: words}, gold), 1.0)
    return labels


def _columns(source: Any) -> tuple[list[Any], Callable[[Any], pd.Series[Any]]] | None:
    """Names of the columns of a table, and a function that returns one; else None."""
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return list(source.columns), lambda name: source[name]
    if hasattr(source, "get_column") and hasattr(source, "columns"):
        return list(source.columns), lambda name: _series(
            source.get_column(name).to_list(), name
        )
    if hasattr(source, "column_names") and hasattr(source, "column"):
        return list(source.column_names), lambda name: _series(
            source.column(name).to_pylist(), name
        )
    return None


def _series(values: list[Any], name: str) -> pd.Series[Any]:
    """Column of Python objects: the numbers 1 and 1.0 stay different ids."""
    import pandas as pd

    # objects: pandas would store text as UTF-8, which has no surrogates
    return pd.Series(np.array([*values, None], object)[:-1], dtype=object, name=name)


def _kind(source: object) -> str:
    """Type of an object, with its library if the name alone would mislead."""
    kind = type(source)
    library = kind.__module__.split(".")[0]
    return kind.__name__ if library == "builtins" else f"{library}.{kind.__name__}"


def _hint(source: object) -> str:
    if hasattr(source, "collect"):
        return " Call its collect() first."
    return ""


def _from_mapping(
    source: Mapping[Any, Any], value: str, name: str
) -> tuple[pd.Series[Any], pd.Series[Any], pd.Series[Any]]:
    """Query, document and number of each row of a mapping."""
    qids: list[Any] = []
    docids: list[Any] = []
    values: list[Any] = []
    _check_distinct(source, name)
    for qid, docs in source.items():
        if isinstance(docs, Mapping):
            docids += docs
            values += docs.values()
        elif value == "score" and _is_ranking(docs):
            docids += _ranking(docs, qid, name)
            values += range(len(docs), 0, -1)
        else:
            ranking = " or a list of ids, best first" if value == "score" else ""
            raise ArgumentError(
                f"{name} must have {{docid: {value}}}{ranking} for each query; got "
                f"{_kind(docs)} for query {qid!r}."
            )
        qids += [qid] * len(docs)
    return _series(qids, "qid"), _series(docids, "docid"), _series(values, value)


def _check_distinct(source: Mapping[Any, Any], name: str) -> None:
    """Raise if two queries have the same id as text, such as 1 and "1"."""
    keys: dict[str, Any] = {}
    for qid in source:
        other = keys.setdefault(id_text(qid, f"{name}: a qid"), qid)
        if other is not qid:
            raise ValueError(
                f"{name}: a query must be there only once; got {other!r} and {qid!r}, "
                "which are the same id. Keep one of them."
            )


def _is_ranking(docs: object) -> bool:
    """Whether documents come without scores, in order."""
    if isinstance(docs, np.ndarray) and not isinstance(docs, np.ma.MaskedArray):
        return docs.ndim == 1
    return isinstance(docs, (list, tuple))


def _ranking(docs: Sequence[Any], qid: Any, name: str) -> list[Any]:
    """Ids of a ranking without scores."""
    for doc in docs:
        if not isinstance(doc, (str, bytes, int, np.integer)):
            raise ArgumentError(
                f"{name} must have ids, best first, in the list of a query; got "
                f"{doc!r} for query {qid!r}. Pass scores as {{docid: score}}."
            )
    return list(docs)


def _as_rows(
    qid: pd.Series[Any],
    docid: pd.Series[Any],
    numbers: pd.Series[Any],
    value: str,
    name: str,
) -> Rows:
    if len(numbers) == 0:
        raise ValueError(f"{name} must have at least one row; got none.")
    return Rows(
        _coded(qid, name), _coded(docid, name), _as_numbers(numbers, value, name)
    )


def _as_numbers(column: pd.Series[Any], value: str, name: str) -> FloatArray:
    """Scores or labels; text is read as in files, and dates are no numbers."""
    if getattr(column.dtype, "kind", "O") in "mMc":
        raise ValueError(f"{name}: a {value} must be a number; got {column.dtype}.")
    items = column.tolist() if column.dtype.kind not in "biuf" else []
    texts = [(i, item) for i, item in enumerate(items) if isinstance(item, str)]
    if texts:
        items = list(items)
        for i, text in texts:
            items[i] = parse_number(text.strip(" ").encode(errors="replace"))
            if items[i] is None:
                raise ValueError(f"{name}: a {value} must be a number; got {text!r}.")
        column = _series(items, value)
    try:
        return column.to_numpy(dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        reason = str(error).rstrip(".")
        raise ValueError(f"{name}: a {value} must be a number; {reason}.") from error


def _coded(ids: pd.Series[Any], name: str) -> Ids:
    """Ids as text, numbered by first appearance."""
    import pandas as pd

    if isinstance(ids.dtype, pd.CategoricalDtype):
        codes, categories = ids.cat.codes.to_numpy(), ids.cat.categories
    else:
        codes, categories = pd.factorize(ids)
    if (codes < 0).any():
        row = int((codes < 0).argmax())
        raise ValueError(
            f"{name}: {ids.name} must not have missing values; row {row} has none."
        )
    field = f"{name}: a {ids.name}"
    if isinstance(categories, pd.Index) and categories.inferred_type == "string":
        return Ids.from_text(codes.astype(np.intp), categories.tolist(), field)
    text = [id_text(word, field) for word in categories]
    if len(set(text)) < len(text):  # 1 and "1" are one id
        text_codes, unique = pd.factorize(pd.Index(text, dtype=object))
        codes, text = text_codes[codes], list(unique)
    return Ids.from_text(codes.astype(np.intp), text, field)
