"""Tables with a row per item: CSV, TSV and Parquet files, DataFrames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import suggest
from ltr.datasets.delimited import SEPARATOR_OF, Delimited, read_delimited
from ltr.datasets.letor.features import overflows
from ltr.datasets.parquet import PARQUET, ParquetRows, check_pyarrow, read_parquet
from ltr.datasets.ranking_data import RankingData
from ltr.files import PathLike, id_text, unwritable, whole_file
from ltr.queries import FloatArray
from ltr.text import excerpt, id_array, text_array

if TYPE_CHECKING:
    import pandas as pd

_BLOCK_ROWS = 4080  # of a power of two, a row would share few lines of the cache


def load_table(
    table: PathLike | pd.DataFrame | ParquetRows,
    *,
    label: str | None = "label",
    qid: str = "qid",
    docid: str | None = None,
    features: Sequence[str] | None = None,
    dtype: type[np.floating] | None = np.float64,
    encoding: str = "utf-8",
) -> RankingData:
    """Load ranking data from a table with a row per item.

    Parameters
    ----------
    table : path, DataFrame or ParquetRows
        A ``.csv`` or ``.tsv`` file (also gzipped, ``.csv.gz``) with a header, a
        ``.parquet`` or ``.pq`` file (needs pyarrow), rows of one, or a DataFrame.
    label : str, default="label"
        Column of the labels. None: there is none, and ``y`` is NaN.
    qid : str, default="qid"
        Column of the query ids; the rows of a query need not be contiguous.
    docid : str, default=None
        Column of the document ids. None: there is none.
    features : sequence of str, default=None
        Columns of the features. None: all other columns.
    dtype : float type, default=numpy.float64
        Type of ``X``; an empty cell becomes NaN. None: ``numpy.float32`` if all feature
        columns are, else ``numpy.float64``.
    encoding : str, default="utf-8"
        Encoding of a text file.

    Returns
    -------
    data : RankingData
        Ids of a text file are integers if all are written as integers are, else text:
        7 and 07 are two ids, and NA is one.

    Raises
    ------
    ValueError
        If a column is missing, the column of labels or query ids is among the features
        or both are one, a row of a file has more or fewer cells than the header, a
        feature or label is not numeric, a number of a file is too large for a float
        (only ``inf`` is infinite) or a feature for ``dtype``, a label is infinite, a
        label or an id is missing, or the file type is unknown; for text files, the
        message has the line number.
    ImportError
        If a Parquet file is to be read and pyarrow is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"query": ["a", "a"], "clicks": [3, 0], "bm25": [1.5, 2]})
    >>> data = load_table(frame, label="clicks", qid="query")
    >>> data.X.tolist(), data.y.tolist(), data.qid.tolist(), data.feature_names
    ([[1.5], [2.0]], [3, 0], ['a', 'a'], ['bm25'])
    """
    import pandas as pd

    source = "the table" if isinstance(table, pd.DataFrame) else str(table)
    ids = [name for name in (qid, docid) if name is not None]
    special = ids if label is None else [label, *ids]
    rows: Delimited | pd.DataFrame
    if isinstance(table, pd.DataFrame):
        rows = table
    else:
        selection = None if features is None else [*special, *features]
        rows = _read(table, encoding, selection)
    names = list(rows.columns)
    if features is None:
        if "" in names:
            raise ValueError(
                f"columns must have names in {source}; got one without, perhaps the "
                "index that pandas writes. List the feature columns in features=, or "
                "write the file with to_csv(index=False)."
            )
        features = [name for name in names if name not in special]
    _check_roles(label, qid, features)
    for name in [*special, *features]:
        if name not in names:
            raise ValueError(_missing_column(name, names, source))
        if names.count(name) > 1:
            raise ValueError(
                f"columns must have distinct names in {source}; got {name!r} twice. "
                "Rename one of them."
            )
    if isinstance(rows, Delimited):
        frame = rows.frame([*special, *features], ids)
    else:
        frame = rows
    numeric = [*features] if label is None else [label, *features]
    types = frame.dtypes.to_dict()
    others = {dtype for dtype in set(types.values()) if not _is_numeric(dtype)}
    bad = [name for name in numeric if types[name] in others]
    if bad and isinstance(rows, Delimited):
        raise rows.not_a_number(bad[0], frame[bad[0]], _cure(bad[:1], label))
    if bad:
        listed = ", ".join(map(repr, bad))
        raise ValueError(
            f"labels and features must be numeric in {source}; got text or dates in "
            f"{listed}. {_cure(bad, label)}"
        )
    _check_no_missing(rows, frame, special, source)
    if isinstance(rows, Delimited):
        rows.check_finite(frame[numeric], label)
    elif label is not None:
        _check_finite(frame[label], source)
    is_text = isinstance(rows, Delimited)
    columns = [frame[name] for name in features]
    if dtype is None:
        is_single = all(column.dtype == np.float32 for column in columns)
        dtype = np.float32 if is_single else np.float64
    X, large = _matrix(columns, len(frame), dtype)
    if large is not None:
        row, column = large
        place = f"row {row} (counted from 0)"
        if isinstance(rows, Delimited):
            place = f"line {rows.lines[row]}"
        raise ValueError(
            f"features must be in the range of dtype={np.dtype(dtype).name} in "
            f"{source}; got {float(columns[column].iloc[row]):.4g} in column "
            f"{features[column]!r}, {place}. Pass dtype=numpy.float64, or clip it."
        )
    return RankingData(
        X=X,
        y=np.full(len(frame), np.nan) if label is None else _plain(frame[label]),
        qid=_ids(frame[qid], is_text),
        feature_names=[str(name) for name in features],
        description=f"table: {source}",
        docids=None if docid is None else _ids(frame[docid], is_text),
    )


def _matrix(
    columns: list[pd.Series[Any]], n_rows: int, dtype: type[np.floating]
) -> tuple[NDArray[Any], tuple[int, int] | None]:
    """Columns as a matrix; the first row with a number too large for its type.

    Columns are copied side by side, thousands of rows at a time, so that all of a block
    is in the cache when its rows are written, one after the other.
    """
    values = []
    for column in columns:
        if not isinstance(column.dtype, np.dtype):  # a type of pandas with missing ones
            values.append(column.to_numpy(dtype=np.float64, na_value=np.nan))
        else:
            is_kept = column.dtype == dtype
            values.append(column.to_numpy(dtype=dtype if is_kept else np.float64))
    X = np.empty((n_rows, len(columns)), dtype)
    overflow: tuple[int, int] | None = None
    for begin in range(0, n_rows, _BLOCK_ROWS):
        rows = slice(begin, begin + _BLOCK_ROWS)
        with np.errstate(over="ignore"):
            X[rows] = np.array([numbers[rows] for numbers in values], dtype).T
        for j, numbers in enumerate(values):
            if numbers.dtype == dtype:
                continue
            is_large = overflows(numbers[rows], dtype)
            if is_large.any():
                row = begin + int(is_large.argmax())
                overflow = min(overflow or (row, j), (row, j))
        if overflow is not None:
            break
    return X, overflow


def _check_roles(label: str | None, qid: str, features: Sequence[str]) -> None:
    """Raise if a column is to be two of label, query id and feature."""
    if label == qid:
        raise ValueError(
            f"labels and query ids must be two columns; got {label!r} for both. Pass "
            "their names as label= and qid=."
        )
    for name, role in ((label, "labels"), (qid, "query ids")):
        if name is not None and name in list(features):
            raise ValueError(
                f"features must not have the column of the {role}; got {name!r}. Drop "
                "it from features=."
            )


def _check_no_missing(
    rows: Delimited | pd.DataFrame, frame: pd.DataFrame, special: list[str], source: str
) -> None:
    """Raise if a label or an id is missing."""
    for name in special:
        missing = frame[name].isna().to_numpy()
        if isinstance(rows, Delimited):
            missing = missing | (frame[name] == "").to_numpy()
        if not missing.any():
            continue
        row = int(missing.argmax())
        if isinstance(rows, Delimited):
            raise rows.empty_cell(name, row)
        raise ValueError(
            f"column {name!r} must have no empty cells in {source}; row {row} (counted "
            "from 0) is empty. Drop such rows."
        )


def _check_finite(labels: pd.Series[Any], source: str) -> None:
    """Raise if a label of a DataFrame or Parquet file is infinite."""
    is_infinite = np.isinf(labels.to_numpy(np.float64))
    if is_infinite.any():
        row = int(is_infinite.argmax())
        raise ValueError(
            f"column {labels.name!r} must hold finite numbers in {source}; got "
            f"{labels.iloc[row]} in row {row} (counted from 0). Replace it, or drop "
            "the row."
        )


def save_table(data: RankingData, path: PathLike) -> None:
    """Write ranking data as a table with the columns label, qid, docid and features.

    The file appears whole or not at all.

    Parameters
    ----------
    data : RankingData
        What to write. Features without names become ``feature_1``, ``feature_2``, …;
        ``docid`` is omitted if there are no document ids, and ``label`` if every label
        is NaN (read such a file with ``label=None``).
    path : path
        A ``.csv``, ``.tsv``, ``.csv.gz``, ``.tsv.gz``, ``.parquet`` or ``.pq`` file.

    Raises
    ------
    ValueError
        If the file type is unknown, a feature has the name of another column or none,
        a label is not finite, an id is missing, or a text file cannot hold a name or an
        id: an empty one, or one with a carriage return, a NUL character, a surrogate or
        a byte-order mark at its start.
    ImportError
        If a Parquet file is to be written and pyarrow is not installed.
    OSError
        If the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "train.csv"
    >>> X = np.array([[0.5, 0.0], [0.0, 4.0]])
    >>> save_table(RankingData(X, np.array([2, 0]), np.array([7, 7])), path)
    >>> print(path.read_text(), end="")
    label,qid,feature_1,feature_2
    2,7,0.5,0.0
    0,7,0.0,4.0
    """
    import pandas as pd

    kind, compression = _kind(Path(path))
    labels = np.asarray(data.y, dtype=np.float64)
    is_labeled = not len(labels) or not np.isnan(labels).all()
    columns: dict[str, NDArray[Any]] = {"label": data.y} if is_labeled else {}
    columns["qid"] = _decoded(data.qid, "qid")
    if data.docids is not None:
        columns["docid"] = _decoded(data.docids, "docid")
    names = data.feature_names or [f"feature_{i + 1}" for i in range(data.X.shape[1])]
    reserved = {"label", *columns}
    repeated = [name for name in names if name in reserved or names.count(name) > 1]
    if repeated:
        raise ValueError(
            "feature_names must be distinct, and none of label, qid and docid, in a "
            f"table; got {repeated[0]!r}. Rename it."
        )
    if hasattr(data.X, "tocsr"):
        raise ValueError(
            "X must be an array in a table; got a SciPy matrix. Pass X.toarray(), or "
            "write a LETOR file with save_letor."
        )
    if is_labeled:
        _check_labels(labels)
    if "" in names:
        raise ValueError(
            f"feature_names must not be empty in a table; got {names}. Name each."
        )
    _check_texts("feature_names", names, kind)
    for name in ("qid", "docid"):
        _check_texts(name, np.asarray(columns.get(name, [])).tolist(), kind)
    features = pd.DataFrame(np.asarray(data.X), columns=names)
    frame = pd.concat([pd.DataFrame(columns), features], axis=1)
    with whole_file(path) as scratch:
        if kind in PARQUET:
            check_pyarrow()
            frame.to_parquet(scratch, index=False)
        else:
            separator = SEPARATOR_OF[kind]
            frame.to_csv(scratch, sep=separator, index=False, compression=compression)


def _check_labels(y: FloatArray) -> None:
    """Raise for labels that :func:`load_table` refuses."""
    bad = np.flatnonzero(~np.isfinite(y))
    if len(bad):
        raise ValueError(
            f"labels must be finite in a table; got {y[bad[0]]} in row {bad[0]}. "
            "Replace it or drop the row."
        )


def _check_texts(field: str, texts: Sequence[Any], kind: str) -> None:
    """Raise for a name or an id that :func:`load_table` would not read back."""
    for text in texts:
        if isinstance(text, int):
            continue
        if text is None or text != text:  # NaN
            raise ValueError(
                f"{field} must have no missing values in a table; got {text}. Drop "
                "such rows."
            )
        word = str(text)
        fault = unwritable(word)
        if kind in PARQUET:
            fault = fault if fault == "a surrogate" else ""
        elif "\r" in word:
            fault = "a carriage return"
        elif not word:
            fault = "no character"
        if fault:
            raise ValueError(
                f"{field} must be text that a {kind} file can hold; got "
                f"{excerpt(word)}, which has {fault}. Change it."
            )


def _read(
    table: PathLike | ParquetRows, encoding: str, selection: Sequence[str] | None
) -> Delimited | pd.DataFrame:
    """The table of a file; of a Parquet file, at least the selected columns."""
    if isinstance(table, ParquetRows):
        return read_parquet(table, selection)
    path = Path(table)
    kind, _ = _kind(path)
    if kind in PARQUET:
        return read_parquet(path, selection)
    return read_delimited(path, SEPARATOR_OF[kind], encoding)


def _kind(path: Path) -> tuple[str, Any]:
    """File type and compression, by the name of the file."""
    suffixes = path.suffixes
    compression = "gzip" if suffixes[-1:] == [".gz"] else None
    kind = (suffixes[-2:-1] if compression else suffixes[-1:]) or [""]
    if kind[0] not in SEPARATOR_OF and (kind[0] not in PARQUET or compression):
        raise ValueError(
            "a table must be a .csv, .tsv, .csv.gz, .tsv.gz, .parquet or .pq file; got "
            f"{path}. LETOR files are read by load_letor."
        )
    return kind[0], compression


def _is_numeric(dtype: Any) -> bool:
    from pandas.api import types

    return types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype)


def _ids(column: pd.Series[Any], is_text: bool) -> NDArray[Any]:
    """Ids; those of a text file become integers if all are written so."""
    import pandas as pd

    if not is_text:
        return _plain(column)
    codes, words = pd.factorize(column)
    return id_array([str(word) for word in words], codes)


def _plain(column: pd.Series[Any]) -> NDArray[Any]:
    """Column as a NumPy array; text as fixed-width strings, unless one is long."""
    values = _decoded(column.to_numpy(), str(column.name))
    if values.dtype == object and all(isinstance(value, str) for value in values):
        return text_array(values.tolist())
    return values


def _decoded(ids: NDArray[Any], field: str) -> NDArray[Any]:
    """Ids with text in place of bytes, as NumPy and Parquet may hold it."""
    if ids.dtype.kind not in "SO":
        return ids
    words = ids.tolist()
    if not any(isinstance(word, bytes) for word in words):
        return ids
    texts = [id_text(w, field) if isinstance(w, bytes) else w for w in words]
    decoded = np.empty(len(texts), dtype=object)
    decoded[:] = texts
    return decoded


def _cure(names: list[str], label: str | None) -> str:
    """What to do about columns of text."""
    if label in names:
        return "Encode the labels as numbers: the higher, the better."
    pronoun = "it" if len(names) == 1 else "these"
    return f"List the feature columns in features=, or encode {pronoun}."


def _missing_column(name: str, columns: list[Any], source: str) -> str:
    listed = ", ".join(repr(column) for column in columns[:10])
    more = f", and {len(columns) - 10} more" if len(columns) > 10 else ""
    hint = suggest(name, map(str, columns))
    return f"column {name!r} is not in {source}, which has {listed}{more}.{hint}"
