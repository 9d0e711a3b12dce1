"""Data sets that are larger than memory: converted once, then memory-mapped."""

from __future__ import annotations

import json
import tokenize
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ltr.datasets.letor.features import Features, ZeroBased
from ltr.datasets.letor.files import (
    checked_options,
    chunks_of,
    describe_files,
    first_index,
    list_files,
    no_rows,
    read_rows,
)
from ltr.datasets.letor.lines import Chunk
from ltr.datasets.ranking_data import RankingData
from ltr.files import PathLike, whole_folder
from ltr.text import excerpt

_ABOUT = "ranking.json"
_VALUES_AT_ONCE = 2**22
_MAX_ABOUT_BYTES = 2**20
# Of each array: kinds of its type, the same in words, and its dimensions.
_KINDS = {
    "X": ("f", "floats", 2),
    "y": ("f", "floats", 1),
    "qid": ("iU", "integers or text", 1),
    "docids": ("U", "text", 1),
}
_NPY_MAGIC = b"\x93NUMPY"
_NOT_AN_ARRAY = (
    ValueError,
    OSError,
    EOFError,
    OverflowError,
    SyntaxError,
    TypeError,
    RecursionError,
    MemoryError,
    tokenize.TokenError,
)


def convert_letor(
    paths: PathLike | Sequence[PathLike],
    folder: PathLike,
    *,
    n_features: int | None = None,
    zero_based: ZeroBased = "auto",
    dtype: type[np.floating] = np.float64,
    encoding: str = "utf-8",
) -> RankingData:
    r"""Convert LETOR files, however large, to a folder of arrays, and open it.

    A few megabytes of the features are in memory at a time. The folder appears whole or
    not at all.

    Parameters
    ----------
    paths : path or sequence of paths
        Text files as for :func:`load_letor`.
    folder : path
        Folder to create; it must not exist.
    n_features : int, default=None
        Number of columns. None: as many as the highest index requires, which takes a
        second pass over the files.
    zero_based : bool or "auto", default="auto"
        Whether feature indices start at 0. "auto": in all files if an index is 0 in any
        of them; see :func:`load_letor`.
    dtype : float type, default=numpy.float64
        Type of ``X``.
    encoding : str, default="utf-8"
        Encoding of the files.

    Returns
    -------
    data : RankingData
        The opened folder, see :func:`open_ranking`.

    Raises
    ------
    ValueError
        If a line is malformed, or a feature too large for ``dtype``, with the file and
        line number; if ``X`` would be large and nearly all zeros; or if an id is so
        long that the ids of all rows, which take equal room, do not fit.
    FileExistsError
        If the folder exists.
    OSError
        If the disk is full.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "train.txt").write_text("2 qid:7 1:0.5 3:1\n0 qid:7 2:4\n")
    >>> data = convert_letor(folder / "train.txt", folder / "train")
    >>> type(data.X).__name__, data.X.tolist()
    ('memmap', [[0.5, 0.0, 1.0], [0.0, 4.0, 0.0]])
    """
    files = list_files(paths)
    zero_based = checked_options(n_features, zero_based, encoding)
    with whole_folder(folder) as scratch:
        if n_features is None:
            n_features, zero_based = _shape(files, zero_based, encoding)

        def write(zero_based: ZeroBased) -> int:
            return write_arrays(
                scratch,
                chunks_of(files, zero_based, n_features, encoding, dtype=dtype),
                n_features,
                dtype,
                describe_files(files),
                first_index(zero_based),
            )

        try:
            n_rows = write(zero_based)
        except _LateZero:  # of "auto", after rows were written
            n_rows = write(True)
        if not n_rows:
            raise no_rows(files)
    return open_ranking(folder)


def _shape(
    files: Sequence[Path], zero_based: ZeroBased, encoding: str
) -> tuple[int, bool]:
    """Number of columns, and whether indices start at 0."""
    for file in files:
        if file.is_fifo():
            raise ValueError(
                f"{file} is a pipe, which can only be read once. Pass n_features= and "
                "zero_based=, or a file."
            )
    low, high = 1, 0
    for chunk in chunks_of(files, zero_based, None, encoding, warn=False):
        low, high = min(low, chunk.features.low), max(high, chunk.features.high)
    starts_at_0 = low == 0 or zero_based is True
    return high + starts_at_0, starts_at_0


def open_ranking(folder: PathLike) -> RankingData:
    """Open a folder that :func:`convert_letor` wrote, without reading it.

    Parameters
    ----------
    folder : path
        The folder.

    Returns
    -------
    data : RankingData
        Its arrays are read-only memory maps: the system loads pages on use and drops
        them when memory is short. ``data.take(rows)`` copies rows into
        memory.

    Raises
    ------
    ValueError
        If the folder is not one that :func:`convert_letor` wrote, or an array is
        missing, cut off, or of another type or length; the message has the file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "train.txt").write_text("2 qid:7 1:0.5")
    >>> _ = convert_letor(folder / "train.txt", folder / "train")
    >>> open_ranking(folder / "train")
    RankingData(1 queries, 1 rows, 1 features)
    """
    path = Path(folder)
    if not (path / _ABOUT).is_file():
        raise ValueError(
            f"{path} must be a folder that ltr.datasets.convert_letor wrote; it has no "
            f"{_ABOUT}."
        )
    description, names, zero_based = _read_about(path / _ABOUT)
    arrays = {name: _open_array(path / f"{name}.npy", name) for name in names}
    n_rows = len(arrays["X"])
    for name, array in arrays.items():
        if len(array) != n_rows:
            raise _damaged(
                path / f"{name}.npy",
                f"have one entry per row of X, {n_rows:,}",
                f"{len(array):,}",
            )
    return RankingData(
        X=arrays["X"],
        y=arrays["y"],
        qid=arrays["qid"],
        description=description,
        docids=arrays.get("docids"),
        zero_based=zero_based,
    )


def _read_about(file: Path) -> tuple[str, list[str], bool | None]:
    """Description, names of the arrays and ``zero_based``, from the JSON file."""
    size = file.stat().st_size
    if size > _MAX_ABOUT_BYTES:
        raise _damaged(file, f"have at most {_MAX_ABOUT_BYTES:,} bytes", f"{size:,}")
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _damaged(file, "be a JSON object", str(error)) from error
    if not isinstance(about, dict):
        raise _damaged(file, "be a JSON object", excerpt(repr(about)))
    description, names = about.get("description"), about.get("arrays")
    if not isinstance(description, str):
        raise _damaged(file, "have a text as 'description'", excerpt(repr(description)))
    required = ["X", "y", "qid"]
    if names not in (required, [*required, "docids"]):
        raise _damaged(
            file,
            f"have the list {required}, or with 'docids', as 'arrays'",
            excerpt(repr(names)),
        )
    zero_based = about.get("zero_based")  # 0.1 did not write it
    if not isinstance(zero_based, bool | None):
        raise _damaged(
            file, "have true or false as 'zero_based'", excerpt(repr(zero_based))
        )
    return description, list(names), zero_based


def _open_array(file: Path, name: str) -> NDArray[Any]:
    """Map an array after a check of its type, its dimensions and its length."""
    kinds, in_words, n_dims = _KINDS[name]
    if not file.is_file():
        raise _damaged(file, "be a file", "none")
    with file.open("rb") as opened:
        start = opened.read(len(_NPY_MAGIC))
    if start != _NPY_MAGIC:  # np.load opens archives and pickles, too
        raise _damaged(file, "be an array that NumPy wrote", "another kind of file")
    try:
        array = np.load(file, mmap_mode="r")
    except _NOT_AN_ARRAY as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise _damaged(file, "be an array that NumPy wrote", reason) from error
    if array.dtype.kind not in kinds or array.ndim != n_dims:
        raise _damaged(
            file,
            f"hold {in_words} in {n_dims} dimension{'s' if n_dims > 1 else ''}",
            f"shape {array.shape} and dtype {array.dtype}",
        )
    size = file.stat().st_size
    if array.offset + array.nbytes != size:
        raise _damaged(
            file,
            f"have the {array.offset + array.nbytes:,} bytes that its header announces",
            f"{size:,}",
        )
    return array


def _damaged(file: Path, expected: str, got: str) -> ValueError:
    return ValueError(
        f"{file} must {expected}; got {got}. The folder is damaged: convert the files "
        "again."
    )


def write_arrays(
    folder: Path,
    chunks: Iterable[Chunk],
    n_features: int,
    dtype: type[np.floating],
    description: str,
    first_index: int = 1,
) -> int:
    """Write what :func:`open_ranking` reads; return the number of rows."""
    with (folder / "X.npy").open("wb") as file:
        table = _TableFile(file, n_features, dtype, first_index)
        y, qid, docids = read_rows(chunks, table, n_features)
        table.finish()
    arrays: dict[str, NDArray[Any]] = {"y": y, "qid": qid}
    if docids is not None:
        arrays["docids"] = docids
    for name, array in arrays.items():
        if array.dtype == object:
            longest = max(map(len, array))
            raise ValueError(
                f"{name} must not need more than 64 MiB, mostly of padding, in mapped "
                f"data; got {len(array):,} rows and an id of {longest:,} characters. "
                "Shorten the long ids, or read the files with load_letor."
            )
        np.save(folder / f"{name}.npy", array)
    about = {
        "description": description,
        "arrays": ["X", *arrays],
        "zero_based": table.first_index == 0,
    }
    (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
    return len(y)


def save_arrays(data: RankingData, folder: Path) -> None:
    """Write features, labels and queries as :func:`open_ranking` reads them."""
    arrays = {
        "X": np.asarray(data.X),
        "y": np.asarray(data.y, dtype=np.float64),
        "qid": np.asarray(data.qid),
    }
    for name, array in arrays.items():
        kinds, in_words, n_dims = _KINDS[name]
        if array.dtype.kind not in kinds or array.ndim != n_dims:
            raise ValueError(
                f"{name} must hold {in_words}; got dtype {array.dtype}. Convert it."
            )
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    about = {
        "description": data.description,
        "arrays": list(arrays),
        "zero_based": bool(data.zero_based),
    }
    (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")


class _LateZero(Exception):
    """An index 0 after rows were written that seemed to start at 1."""


class _TableFile:
    """Writer of a .npy file that puts the number of rows into the header at the end.

    Rows are written, not mapped: on a full disk, writing to a map raises SIGBUS, which
    kills the process, whereas ``write`` raises an OSError.
    """

    def __init__(
        self, file: BinaryIO, width: int, dtype: type[np.floating], first_index: int
    ) -> None:
        self._file, self._width, self._dtype = file, width, np.dtype(dtype)
        self.first_index, self.n_rows = first_index, 0
        self._write_header()
        self._header_size = file.tell()

    def add(self, features: Features) -> None:
        """Append rows; columns missing on the right are 0."""
        step = max(1, _VALUES_AT_ONCE // max(1, self._width))
        for start in range(0, features.n_rows, step):
            n_rows = min(step, features.n_rows - start)
            rows = np.zeros((n_rows, self._width), dtype=self._dtype)
            features.put(rows, self.first_index, start)
            self._file.write(rows.data)
        self.n_rows += features.n_rows

    def shift(self) -> None:
        """Start at the index 0; rows that are written cannot be shifted."""
        if self.n_rows:
            raise _LateZero
        self.first_index = 0

    def finish(self) -> None:
        """Write the number of rows into the header, which NumPy pads for it."""
        self._file.seek(0)
        self._write_header()
        if self._file.tell() != self._header_size:
            raise RuntimeError("the header of the .npy file outgrew its padding")

    def _write_header(self) -> None:
        about = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.n_rows, self._width),
        }
        np.lib.format.write_array_header_1_0(self._file, about)
