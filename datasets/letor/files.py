"""LETOR files: ``label qid:id 1:value 2:value … # comment``."""

from __future__ import annotations

import gzip
import itertools
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import check_choice, check_whole
from ltr.datasets.letor.features import (
    GrowingTable,
    SparseTable,
    Table,
    ZeroBased,
    check_room,
)
from ltr.datasets.letor.lines import Chunk, read_file, too_wide
from ltr.datasets.ranking_data import RankingData
from ltr.files import PathLike, id_text, unwritable, whole_file
from ltr.queries import FloatArray
from ltr.text import check_encoding, id_array, text_array

_DOCID = re.compile(rb"docid\s*=\s*(\S+)")
_NO_WORD = re.compile(r"[\s#\0]|^$")
_BREAKS = re.compile(r"[\n\r\0]")
_ROWS_AT_ONCE = 10_000


def load_letor(
    paths: PathLike | Sequence[PathLike],
    *,
    n_features: int | None = None,
    zero_based: ZeroBased = "auto",
    dtype: type[np.floating] = np.float64,
    sparse: bool = False,
    encoding: str = "utf-8",
) -> RankingData:
    r"""Load ranking data in the LETOR (svmlight with qid) format.

    Parameters
    ----------
    paths : path or sequence of paths
        Text files, or gzipped ones, which are known by their content or the name
        ``.gz``; several are concatenated.
        Lines need no ``qid`` where a file of the same name and ``.query`` (LightGBM) or
        ``.group`` (XGBoost) has the number of rows of each query.
    n_features : int, default=None
        Number of columns. None: as many as the highest index requires. Pass it to give
        a test file the columns of its training file.
    zero_based : bool or "auto", default="auto"
        Whether feature indices start at 0. "auto": in all files if an index is 0 in any
        of them, as ``dump_svmlight_file`` of scikit-learn writes it. A file that leaves
        out its first feature, because it is 0 in all rows, cannot be told from one that
        starts at 1: pass True, or ``train.zero_based`` of the training data, with a
        test file. Files that start at different indices must be loaded one by one.
    dtype : float type, default=numpy.float64
        Type of ``X``.
    sparse : bool, default=False
        Whether ``X`` becomes a SciPy matrix, for wide files in which most features are
        absent.
    encoding : str, default="utf-8"
        Encoding of the files.

    Returns
    -------
    data : RankingData
        ``X`` is an array in which absent features are 0, or a CSR matrix; ``y`` float;
        ``qid`` integers, or strings if any is not an integer (or written as ``07``);
        ``docids`` come from the comments (the word after ``docid =``, or the whole
        comment), None without comments.

    Raises
    ------
    ValueError
        If a line is malformed, or a feature too large for ``dtype``, with the file and
        line number, or if ``X`` would be large and nearly all zeros, and ``sparse`` is
        False.
    FileNotFoundError
        If a file is missing.

    See Also
    --------
    convert_letor : For files that do not fit into memory.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "train.txt"
    >>> _ = path.write_text("2 qid:7 1:0.5 3:1 # docid = a\n0 qid:7 2:4\n")
    >>> data = load_letor(path)
    >>> data.X.tolist(), data.y.tolist(), data.qid.tolist(), data.docids.tolist()
    ([[0.5, 0.0, 1.0], [0.0, 4.0, 0.0]], [2.0, 0.0], [7, 7], ['a', ''])
    """
    files = list_files(paths)
    zero_based = checked_options(n_features, zero_based, encoding)
    kind: Any = SparseTable if sparse else GrowingTable
    table = kind(n_features or 0, dtype, first_index(zero_based))
    chunks = chunks_of(files, zero_based, n_features, encoding, dtype=dtype)
    y, qid, docids = read_rows(chunks, table, n_features, is_sparse=sparse)
    if not len(y):
        raise no_rows(files)
    return RankingData(
        X=table.X,
        y=y,
        qid=qid,
        description=describe_files(files),
        docids=docids,
        zero_based=table.first_index == 0,
    )


def save_letor(
    data: RankingData,
    path: PathLike,
    *,
    sparse: bool = False,
    zero_based: bool = False,
) -> None:
    """Write ranking data in the LETOR (svmlight with qid) format.

    Every number is written with the shortest digits that read back as the same float.
    The file appears whole or not at all.

    Parameters
    ----------
    data : RankingData
        What to write. ``docids`` become comments ``# docid = …``.
    path : path
        File to write, gzipped if it ends in ``.gz``.
    sparse : bool, default=False
        Whether to leave out features that are 0. They always are if ``X`` is a SciPy
        matrix.
    zero_based : bool, default=False
        Whether feature indices start at 0.

    Raises
    ------
    ValueError
        If a label or a feature is not finite (a feature may be NaN), a ``qid`` is not
        a single word, or a document id would not survive reading back.
    OSError
        If the disk is full.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "train.txt"
    >>> X = np.array([[0.5, 0.0], [0.0, 4.0]])
    >>> data = RankingData(X, np.array([2, 0]), np.array([7, 7]))
    >>> save_letor(data, path, sparse=True)
    >>> print(path.read_text(), end="")
    2 qid:7 1:0.5
    0 qid:7 2:4.0
    """
    _check_numbers(data)
    opener = gzip.open if Path(path).suffix == ".gz" else open
    with whole_file(path) as scratch, opener(scratch, "wt", encoding="utf-8") as file:
        for start in range(0, len(data.y), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            file.write("".join(_lines(data, rows, sparse, int(not zero_based))))


def _lines(
    data: RankingData, rows: slice, sparse: bool, first_index: int
) -> Iterator[str]:
    labels, qids = data.y[rows].tolist(), data.qid[rows].tolist()
    docids = [""] * len(labels) if data.docids is None else data.docids[rows].tolist()
    features = _entries(data.X[rows], sparse)
    for (columns, x), y, qid, docid in zip(features, labels, qids, docids, strict=True):
        indices = (columns + first_index).tolist()
        words = [f"{i}:{value}" for i, value in zip(indices, _digits(x), strict=True)]
        words += _comment(id_text(docid, "docids")) if docid else []
        word = _word(id_text(qid, "qid"))
        yield " ".join([str(y), f"qid:{word}", *words]) + "\n"


def _entries(X: Any, sparse: bool) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    """Columns and values to write of each row."""
    if _is_sparse(X):
        matrix = X.tocsr()
        for begin, end in itertools.pairwise(matrix.indptr):
            yield matrix.indices[begin:end], matrix.data[begin:end]
        return
    all_columns = np.arange(X.shape[1])
    for x in X:
        columns = np.flatnonzero(x) if sparse else all_columns
        yield columns, x[columns]


def _digits(values: NDArray[Any]) -> list[str]:
    """Shortest digits that identify each number among those of its precision."""
    if values.dtype in (np.float32, np.float16):
        return [str(value) for value in values]
    return [repr(value) for value in values.tolist()]


def _word(qid: str) -> str:
    if _NO_WORD.search(qid):
        raise ValueError(
            f"qid must be one word without '#' in a LETOR file; got {qid!r}."
        )
    _check_text("qid", qid)
    return qid


def _check_text(field: str, text: str) -> None:
    if fault := unwritable(text):
        raise ValueError(
            f"{field} must be text that a LETOR file can hold; got {text!r}, which "
            f"has {fault}. Change it."
        )


def _comment(docid: str) -> list[str]:
    comment = docid if any(map(str.isspace, docid)) else f"docid = {docid}"
    if not _BREAKS.search(docid):
        _check_text("docids", docid)
    if _BREAKS.search(docid) or _docid(comment.strip().encode()) != docid:
        raise ValueError(
            "docids must survive as comments of a LETOR file; got "
            f"{docid!r}, which does not. Remove line breaks and outer spaces."
        )
    return ["#", comment]


def _check_numbers(data: RankingData) -> None:
    bad_labels = np.flatnonzero(~np.isfinite(data.y))
    X: Any = data.X
    is_matrix = _is_sparse(X)
    is_infinite = np.isinf(X.data if is_matrix else X)
    if len(bad_labels):
        culprit = f"the label {data.y[bad_labels[0]]} in row {bad_labels[0]}"
    elif is_infinite.any():
        if is_matrix:
            entries = X.tocoo()
            entry = int(np.isinf(entries.data).argmax())
            row, column = entries.row[entry], entries.col[entry]
            value = entries.data[entry]
        else:
            row, column = np.argwhere(is_infinite)[0]
            value = X[row, column]
        culprit = f"{value} in row {row}, column {column}"
    else:
        return
    raise ValueError(
        "labels must be finite, and features finite or NaN, in a LETOR file; got "
        f"{culprit}. Replace it or drop the row."
    )


def _is_sparse(X: Any) -> bool:
    return hasattr(X, "tocsr")


def first_index(zero_based: ZeroBased) -> int:
    """Index of the first column until an index 0 appears."""
    return 0 if zero_based is True else 1


def checked_options(
    n_features: int | None, zero_based: ZeroBased, encoding: str
) -> ZeroBased:
    """Whether indices start at 0, as bool or "auto"; raise for impossible options."""
    check_whole("n_features", n_features, low=0, optional=True)
    check_choice("zero_based", zero_based, (True, False, "auto"))
    check_encoding(encoding)
    return "auto" if isinstance(zero_based, str) else bool(zero_based)


def read_rows(
    chunks: Iterable[Chunk],
    table: Table,
    n_features: int | None,
    *,
    is_sparse: bool = False,
) -> tuple[FloatArray, NDArray[Any], NDArray[Any] | None]:
    """Put the features into the table; return labels, qids and document ids."""
    labels: list[FloatArray] = []
    qids: list[NDArray[Any]] = []
    docids: list[str] = []
    n_values, high = 0, 0
    for chunk in chunks:
        features = chunk.features
        high = max(high, features.high)
        if features.low == 0 and table.first_index == 1:
            table.shift()
        width = high + 1 - table.first_index
        if n_features is not None and width > n_features:  # since an index is 0
            raise too_wide(chunk.file, n_features, high, table.first_index)
        n_values += len(features.values)
        if not is_sparse:
            n_rows = table.n_rows + features.n_rows
            check_room(chunk.file, n_rows, max(width, n_features or 0), n_values)
        table.add(features)
        labels.append(chunk.labels)
        qids.append(chunk.qids)
        docids += _docids(chunk)
    if not labels:
        return np.zeros(0), np.zeros(0, dtype=np.int64), None
    ids_or_none = text_array(docids) if any(docids) else None
    return np.concatenate(labels), _qids(np.concatenate(qids)), ids_or_none


def chunks_of(
    files: Sequence[Path],
    zero_based: ZeroBased,
    n_features: int | None,
    encoding: str,
    warn: bool = True,
    dtype: type[np.floating] = np.float64,
) -> Iterator[Chunk]:
    """Chunks of all files; warns once if two files share a qid."""
    file_of_qid: dict[bytes, Path] = {}
    warn &= len(files) > 1
    numbers = itertools.count(1)
    for file in files:
        for chunk in read_file(file, zero_based, n_features, encoding, numbers, dtype):
            yield chunk
            if warn:
                qids = set(chunk.qids.tolist())
                warn = not _warn_of_shared_qid(file_of_qid, qids, file)


def _warn_of_shared_qid(
    file_of_qid: dict[bytes, Path], qids: set[bytes], file: Path
) -> bool:
    for qid in sorted(qids):
        other = file_of_qid.setdefault(qid, file)
        if other != file:
            warnings.warn(
                f"qid {qid.decode()} is in {other} and in {file}: its "
                "rows become one query. Load the files one by one if each numbers its "
                "queries from the start.",
                UserWarning,
                stacklevel=5,
            )
            return True
    return False


def list_files(paths: PathLike | Sequence[PathLike]) -> list[Path]:
    """Return the paths as a non-empty list."""
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    files = [Path(path) for path in paths]
    if not files:
        raise ValueError("paths must name at least one file; got none.")
    return files


def no_rows(files: Sequence[Path]) -> ValueError:
    """Error for files without a row."""
    names = ", ".join(str(file) for file in files)
    return ValueError(f"LETOR files must have at least one row; got none in {names}.")


def describe_files(files: Sequence[Path]) -> str:
    """Description of data read from these files."""
    return "LETOR files: " + ", ".join(str(file) for file in files)


def _docids(chunk: Chunk) -> list[str]:
    if chunk.comments is None:
        return [""] * len(chunk.labels)
    return [_docid(comment) for comment in chunk.comments]


def _docid(comment: bytes) -> str:
    match = _DOCID.search(comment)
    return (match[1] if match else comment).decode()


def _qids(qids: NDArray[Any]) -> NDArray[Any]:
    """int64 if every id is an integer as Python writes it, else text.

    Otherwise the ids 7, 07 and +7 would become one. Ids are run-length encoded because
    the rows of a query are nearly always consecutive: each run is parsed once.
    """
    changes = np.flatnonzero(qids[1:] != qids[:-1]) + 1
    heads = np.concatenate([[0], changes])
    lengths = np.diff(np.concatenate([heads, [len(qids)]]))
    words = [qid.decode() for qid in qids[heads].tolist()]
    return id_array(words, np.repeat(np.arange(len(words)), lengths))
