"""LETOR files: ``label qid:id 1:value 2:value … # comment``."""

from __future__ import annotations

import gzip
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ltr.datasets.letor.lines import Chunk, read_file
from ltr.datasets.ranking_data import RankingData
from ltr.files import PathLike, whole_file
from ltr.queries import FloatArray

_DOCID = re.compile(rb"docid\s*=\s*(\S+)")
_NO_WORD = re.compile(r"[\s#]|^$")
_ROWS_AT_ONCE = 10_000


def load_letor(
    paths: PathLike | Sequence[PathLike],
    *,
    n_features: int | None = None,
    zero_based: bool = False,
    dtype: type[np.floating] = np.float64,
) -> RankingData:
    r"""Load ranking data in the LETOR (svmlight with qid) format.

    Parameters
    ----------
    paths : path or sequence of paths
        Text files, gzipped if their names end in ``.gz``; several are concatenated.
    n_features : int, default=None
        Number of columns. None: as many as the highest index requires. Pass it to give
        a test file the columns of its training file.
    zero_based : bool, default=False
        Whether feature indices start at 0.
    dtype : float type, default=numpy.float64
        Type of ``X``.

    Returns
    -------
    data : RankingData
        ``X`` is dense, with absent features 0; ``y`` float; ``qid`` integers, or
        strings if any is not an integer; ``docids`` come from the comments (the word
        after ``docid =``, or the whole comment), None without comments.

    Raises
    ------
    ValueError
        If a line is malformed; the message has the file and line number.
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
    table = GrowingTable(n_features or 0, dtype)
    y, qid, docids = read_rows(chunks_of(files, zero_based), table, n_features)
    if not len(y):
        raise no_rows(files)
    return RankingData(
        X=table.X, y=y, qid=qid, description=describe_files(files), docids=docids
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
        Whether to leave out features that are 0.
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
    names = [f"{i}:" for i in range(first_index, first_index + data.X.shape[1])]
    all_columns = np.arange(len(names))
    for x, y, qid, docid in zip(data.X[rows], labels, qids, docids, strict=True):
        columns = np.flatnonzero(x) if sparse else all_columns
        digits = _digits(x[columns])
        words = [names[i] + value for i, value in zip(columns, digits, strict=True)]
        words += _comment(str(docid)) if docid else []
        yield " ".join([str(y), f"qid:{_word(str(qid))}", *words]) + "\n"


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
    return qid


def _comment(docid: str) -> list[str]:
    comment = docid if any(map(str.isspace, docid)) else f"docid = {docid}"
    if "\n" in docid or _docid(comment.strip().encode()) != docid:
        raise ValueError(
            "docids must survive as comments of a LETOR file; got "
            f"{docid!r}, which does not. Remove line breaks and outer spaces."
        )
    return ["#", comment]


def _check_numbers(data: RankingData) -> None:
    bad_labels = np.flatnonzero(~np.isfinite(data.y))
    if len(bad_labels):
        culprit = f"the label {data.y[bad_labels[0]]} in row {bad_labels[0]}"
    elif np.isinf(data.X).any():
        row, column = np.argwhere(np.isinf(data.X))[0]
        culprit = f"{data.X[row, column]} in row {row}, column {column}"
    else:
        return
    raise ValueError(
        "labels must be finite, and features finite or NaN, in a LETOR file; got "
        f"{culprit}. Replace it or drop the row."
    )


class Table(Protocol):
    """Destination of the features of a chunk."""

    def add(self, values: FloatArray) -> None:
        """Append rows; columns missing on the right are 0."""


class GrowingTable:
    """Rows in memory; ``resize`` lets the system move pages instead of copying them."""

    def __init__(self, width: int, dtype: type[np.floating]) -> None:
        self.X: NDArray[Any] = np.zeros((0, width), dtype=dtype)

    def add(self, values: FloatArray) -> None:
        """Append rows; columns missing on the right are 0."""
        (n_rows, width), (n_new, new_width) = self.X.shape, values.shape
        if new_width > width:
            wider = np.zeros((n_rows, new_width), dtype=self.X.dtype)
            wider[:, :width] = self.X
            self.X, width = wider, new_width
        self.X.resize((n_rows + n_new, width), refcheck=False)
        self.X[n_rows:, :new_width] = values


def read_rows(
    chunks: Iterable[Chunk], table: Table, n_features: int | None
) -> tuple[FloatArray, NDArray[Any], NDArray[np.str_] | None]:
    """Put the features into the table; return labels, qids and document ids."""
    labels: list[FloatArray] = []
    qids: list[NDArray[np.bytes_]] = []
    docids: list[NDArray[np.str_]] = []
    for chunk in chunks:
        width = chunk.values.shape[1]
        if n_features is not None and width > n_features:
            raise ValueError(
                "n_features must be at least the highest feature index; got "
                f"n_features={n_features} and the index {width - chunk.zero_based}."
            )
        table.add(chunk.values)
        labels.append(chunk.labels)
        qids.append(chunk.qids)
        docids.append(_docids(chunk))
    if not labels:
        return np.zeros(0), np.zeros(0, dtype=np.int64), None
    ids = np.concatenate(docids)
    ids_or_none = ids if (ids != "").any() else None
    return np.concatenate(labels), _qids(np.concatenate(qids)), ids_or_none


def chunks_of(
    files: Sequence[Path], zero_based: bool, warn: bool = True
) -> Iterator[Chunk]:
    """Chunks of all files; warns once if two files share a qid."""
    file_of_qid: dict[bytes, Path] = {}
    warn &= len(files) > 1
    for file in files:
        for chunk in read_file(file, zero_based):
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
                f"qid {qid.decode(errors='replace')} is in {other} and in {file}: its "
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


def _docids(chunk: Chunk) -> NDArray[np.str_]:
    if chunk.comments is None:
        return np.zeros(len(chunk.labels), dtype="U1")
    return np.array([_docid(comment) for comment in chunk.comments])


def _docid(comment: bytes) -> str:
    match = _DOCID.search(comment)
    return (match[1] if match else comment).decode(errors="replace")


def _qids(qids: NDArray[np.bytes_]) -> NDArray[np.int64] | NDArray[np.str_]:
    """int64 if every id parses as an integer, else text.

    Ids are run-length encoded because the rows of a query are nearly always
    consecutive: each run is parsed once.
    """
    changes = np.flatnonzero(qids[1:] != qids[:-1]) + 1
    heads = np.concatenate([[0], changes])
    lengths = np.diff(np.concatenate([heads, [len(qids)]]))
    words = qids[heads].tolist()
    try:
        if any(b"_" in qid for qid in words):  # Python reads 1_0 as 10
            raise ValueError("an underscore is not part of a number")
        values = np.array([int(qid) for qid in words], dtype=np.int64)
    except (ValueError, OverflowError):
        return np.repeat([qid.decode(errors="replace") for qid in words], lengths)
    return np.repeat(values, lengths)
