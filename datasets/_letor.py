"""LETOR files: ``label qid:id 1:value 2:value … # comment``."""

from __future__ import annotations

import csv
import gzip
import os
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ltr.datasets._types import RankingData

MAX_FEATURE_INDEX = 10_000_000
_CHUNK_BYTES = 8 * 2**20
_COLON_TO_SPACE = bytes.maketrans(b":", b" ")
_DOCID = re.compile(rb"docid\s*=\s*(\S+)")
PathLike = str | os.PathLike[str]


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
        Text files, gzipped if they end in ``.gz``; several are joined in order.
    n_features : int, default=None
        Number of columns. None: up to the highest index in the files; pass it to load a
        test file like its training file.
    zero_based : bool, default=False
        Whether feature indices start at 0.
    dtype : float type, default=numpy.float64
        Type of ``X``.

    Returns
    -------
    data : RankingData
        ``X`` dense, absent features 0; ``y`` float; ``qid`` integers, or strings if one
        is not a number; ``docids`` from the comments (the word after ``docid =``, or
        the whole comment), None without comments.

    Raises
    ------
    ValueError
        If a line is malformed: with file and line number.
    FileNotFoundError
        If a file is missing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "train.txt"
    >>> _ = path.write_text("2 qid:7 1:0.5 3:1 # docid = a\n0 qid:7 2:4\n")
    >>> data = load_letor(path)
    >>> data.X.tolist(), data.y.tolist(), data.qid.tolist(), data.docids.tolist()
    ([[0.5, 0.0, 1.0], [0.0, 4.0, 0.0]], [2.0, 0.0], [7, 7], ['a', ''])
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    files = [Path(path) for path in paths]
    if not files:
        raise ValueError("paths must name at least one file; got an empty sequence.")
    chunks_of = [list(_read(file, zero_based)) for file in files]
    chunks = [chunk for chunks in chunks_of for chunk in chunks]
    if not chunks:
        names = ", ".join(str(file) for file in files)
        raise ValueError(f"the files must have at least one row; got none in {names}.")
    highest = max(chunk.values.shape[1] for chunk in chunks)
    if n_features is None:
        n_features = highest
    elif highest > n_features:
        raise ValueError(
            f"n_features must be at least the highest feature index; got {n_features} "
            f"and an index of {highest - zero_based}."
        )
    _warn_of_shared_lists(files, chunks_of)
    X = np.zeros((sum(len(c.labels) for c in chunks), n_features), dtype=dtype)
    row = 0
    for chunk in chunks:
        n_rows, width = chunk.values.shape
        X[row : row + n_rows, :width] = chunk.values
        row += n_rows
    comments = [comment for chunk in chunks for comment in chunk.comments]
    docids = [_docid(comment) for comment in comments] if any(comments) else None
    return RankingData(
        X=X,
        y=np.concatenate([chunk.labels for chunk in chunks]),
        qid=_qids([qid for chunk in chunks for qid in chunk.qids]),
        feature_names=None,
        description="LETOR files: " + ", ".join(str(file) for file in files),
        docids=None if docids is None else np.array(docids),
    )


def _warn_of_shared_lists(files: list[Path], chunks_of: list[list[_Chunk]]) -> None:
    """Warn if a qid stands in two files, whose rows then are one list."""
    seen: dict[bytes, Path] = {}
    for file, chunks in zip(files, chunks_of, strict=True):
        for qid in {qid for chunk in chunks for qid in chunk.qids}:
            if qid in seen:
                warnings.warn(
                    f"qid {qid.decode(errors='replace')} is in {seen[qid]} and in "
                    f"{file}: its rows become one list. Load the files one by one if "
                    "they number their lists alike.",
                    UserWarning,
                    stacklevel=3,
                )
                return
            seen[qid] = file


@dataclass
class _Chunk:
    """Some parsed lines."""

    labels: NDArray[np.float64]
    qids: list[bytes]
    values: NDArray[np.float64]
    comments: list[bytes]


class _Malformed(ValueError):
    """A chunk that the fast parser cannot read."""


def _read(path: Path, zero_based: bool) -> Iterator[_Chunk]:
    first_line = 1
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        for text in _whole_lines(file, path):
            lines = text.split(b"\n")
            try:
                chunk = _parse(lines, zero_based)
            except ValueError:
                _find_malformed_line(lines, path, first_line, zero_based)
                raise
            if chunk is not None:
                yield chunk
            first_line += len(lines) - 1


def _whole_lines(file: IO[bytes] | gzip.GzipFile, path: Path) -> Iterator[bytes]:
    """Blocks of the file that end at the end of a line."""
    rest = b""
    try:
        while block := file.read(_CHUNK_BYTES):
            cut = block.rfind(b"\n") + 1
            if cut:
                yield rest + block[:cut]
                rest = block[cut:]
            else:
                rest += block
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path} must be a complete gzip file; reading it failed: {error}. "
            "Download or compress it again."
        ) from error
    if rest:
        yield rest


def _parse(lines: Iterable[bytes], zero_based: bool) -> _Chunk | None:
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
    values = _parse_features(features, zero_based)
    y = np.array(labels).astype(np.float64)
    if not np.isfinite(y).all() or np.isinf(values).any():
        raise _Malformed
    if any(b"_" in word for word in labels):
        raise _Malformed  # Python reads 1_0 as 10
    return _Chunk(y, qids, values, comments)


def _parse_features(features: list[bytes], zero_based: bool) -> NDArray[np.float64]:
    n_colons = np.array([text.count(b":") for text in features])
    n_spaces = np.array([text.count(b" ") for text in features])
    if not (n_spaces == np.maximum(n_colons - 1, 0)).all():  # tabs, runs of spaces, …
        features = [b" ".join(text.split()) for text in features]
        if any(
            text.count(b" ") != max(n - 1, 0)
            for text, n in zip(features, n_colons, strict=True)
        ):
            raise _Malformed
    joined = b"\n".join(features)
    alternating = b"\n".join((b": " * int(n))[:-1] for n in n_colons)
    if joined.translate(None, _NOT_DELIMITERS) != alternating:
        raise _Malformed  # 1:2:3 4 has as many of each as 1:2 3:4
    text = joined.translate(_COLON_TO_SPACE)
    if len(features) > 1 and n_colons[0] > 0 and (n_colons == n_colons[0]).all():
        values = _parse_dense(text, int(n_colons[0]), zero_based)
        if values is not None:
            return values
    return _parse_sparse(text, n_colons, zero_based)


def _parse_dense(
    text: bytes, n_features: int, zero_based: bool
) -> NDArray[np.float64] | None:
    """Read lines that hold all features in order: every second column is an index."""
    numbers = _read_table(text)
    if numbers is None or numbers.shape[1] != 2 * n_features:
        return None
    indices = np.arange(n_features) + (not zero_based)
    if not (numbers[:, ::2] == indices).all() or np.isnan(numbers[:, ::2]).any():
        return None
    return np.ascontiguousarray(numbers[:, 1::2])


def _read_table(text: bytes) -> NDArray[np.float64] | None:
    """Numbers separated by single spaces, read by pandas' parser; None if it cannot."""
    options: dict[str, Any] = (
        {} if _PANDAS_READS_EXACTLY else {"float_precision": "round_trip"}
    )
    try:
        table = pd.read_csv(
            BytesIO(text),
            sep=" ",
            header=None,
            dtype=np.float64,
            keep_default_na=False,
            quoting=csv.QUOTE_NONE,
            na_values=["nan", "NaN"],
            **options,
        )
    except ValueError:
        return None
    return table.to_numpy()


def _parse_sparse(
    text: bytes, n_colons: NDArray[np.intp], zero_based: bool
) -> NDArray[np.float64]:
    """Index and value in turn, any number of them in a line."""
    if not text.strip():
        return np.zeros((len(n_colons), 0))
    table = _read_table(text.replace(b" ", b"\n"))
    if table is None or table.shape != (2 * n_colons.sum(), 1):
        raise _Malformed
    indices, values = table[::2, 0], table[1::2, 0]
    if (
        np.isnan(indices).any()
        or (indices != np.floor(indices)).any()
        or (indices < (not zero_based)).any()
    ):
        raise _Malformed
    if (indices > MAX_FEATURE_INDEX).any():
        raise _Malformed
    columns = indices.astype(np.intp) - (not zero_based)
    rows = np.repeat(np.arange(len(n_colons)), n_colons)
    cells = rows * (MAX_FEATURE_INDEX + 1) + columns
    if (np.diff(cells) <= 0).any() and len(np.unique(cells)) < len(cells):
        raise _Malformed  # an index comes twice
    features = np.zeros((len(n_colons), int(columns.max()) + 1))
    features[rows, columns] = values
    return features


def _find_malformed_line(
    lines: list[bytes], path: Path, first_line: int, zero_based: bool
) -> None:
    """Raise with the first line that does not parse by itself, and what is wrong."""
    for number, line in enumerate(lines, start=first_line):
        try:
            _parse([line], zero_based)
        except ValueError:
            shown = line.decode(errors="replace").strip()
            shown = shown if len(shown) <= 60 else shown[:57] + "..."
            raise ValueError(
                f"{path}, line {number}: a line must be 'label qid:id index:value "
                f"index:value ... # comment' with {_what_is_wrong(line, zero_based)}; "
                f"got {shown!r}."
            ) from None


def _what_is_wrong(line: bytes, zero_based: bool) -> str:
    parts = line.partition(b"#")[0].split()
    try:
        finite = np.isfinite(float(parts[0])) and b"_" not in parts[0]
    except ValueError:
        finite = False
    if not finite:
        return "a finite number as label"
    if len(parts) < 2 or not parts[1].startswith(b"qid:") or len(parts[1]) == 4:
        return "a qid after the label"
    return (
        f"feature indices that are different whole numbers from {int(not zero_based)} "
        f"to {MAX_FEATURE_INDEX}, and finite numbers or nan as values"
    )


def _docid(comment: bytes) -> str:
    found = _DOCID.search(comment)
    return (found[1] if found else comment).decode(errors="replace")


def _qids(qids: list[bytes]) -> NDArray[np.int64] | NDArray[np.str_]:
    try:
        if any(b"_" in qid for qid in qids):
            raise ValueError("an underscore is not part of a number")
        return np.array([int(qid) for qid in qids], dtype=np.int64)
    except (ValueError, OverflowError):
        return np.array([qid.decode(errors="replace") for qid in qids])


_NOT_DELIMITERS = bytes(set(range(256)) - set(b": \n"))
_PANDAS_READS_EXACTLY = tuple(int(part) for part in pd.__version__.split(".")[:2]) >= (
    3,
    1,
)
