"""Data sets that are larger than memory: converted once, then memory-mapped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ltr.datasets.letor.files import (
    chunks_of,
    describe_files,
    list_files,
    no_rows,
    read_rows,
)
from ltr.datasets.letor.lines import Chunk
from ltr.datasets.ranking_data import RankingData
from ltr.files import PathLike, whole_folder
from ltr.queries import FloatArray

_ABOUT = "ranking.json"


def convert_letor(
    paths: PathLike | Sequence[PathLike],
    folder: PathLike,
    *,
    n_features: int | None = None,
    zero_based: bool = False,
    dtype: type[np.floating] = np.float64,
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
    zero_based : bool, default=False
        Whether feature indices start at 0.
    dtype : float type, default=numpy.float64
        Type of ``X``.

    Returns
    -------
    data : RankingData
        The opened folder, see :func:`open_ranking`.

    Raises
    ------
    ValueError
        If a line is malformed; the message has the file and line number.
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
    with whole_folder(folder) as scratch:
        if n_features is None:
            chunks = chunks_of(files, zero_based, warn=False)
            n_features = max((chunk.values.shape[1] for chunk in chunks), default=0)
        n_rows = write_arrays(
            scratch,
            chunks_of(files, zero_based),
            n_features,
            dtype,
            describe_files(files),
        )
        if not n_rows:
            raise no_rows(files)
    return open_ranking(folder)


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
        If the folder is not one that :func:`convert_letor` wrote.

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
    about = json.loads((path / _ABOUT).read_text(encoding="utf-8"))
    arrays = {
        name: np.load(path / f"{name}.npy", mmap_mode="r") for name in about["arrays"]
    }
    return RankingData(**arrays, description=about["description"])


def write_arrays(
    folder: Path,
    chunks: Iterable[Chunk],
    n_features: int,
    dtype: type[np.floating],
    description: str,
) -> int:
    """Write what :func:`open_ranking` reads; return the number of rows."""
    with (folder / "X.npy").open("wb") as file:
        table = _TableFile(file, n_features, dtype)
        y, qid, docids = read_rows(chunks, table, n_features)
        table.finish()
    arrays: dict[str, NDArray[Any]] = {"y": y, "qid": qid}
    if docids is not None:
        arrays["docids"] = docids
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    about = {"description": description, "arrays": ["X", *arrays]}
    (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
    return len(y)


class _TableFile:
    """Writer of a .npy file that puts the number of rows into the header at the end.

    Rows are written, not mapped: on a full disk, writing to a map raises SIGBUS, which
    kills the process, whereas ``write`` raises an OSError.
    """

    def __init__(self, file: BinaryIO, width: int, dtype: type[np.floating]) -> None:
        self._file, self._width, self._dtype = file, width, np.dtype(dtype)
        self._n_rows = 0
        self._write_header()
        self._header_size = file.tell()

    def add(self, values: FloatArray) -> None:
        """Append rows; columns missing on the right are 0."""
        n_rows, width = values.shape
        rows = np.zeros((n_rows, self._width), dtype=self._dtype)
        rows[:, :width] = values
        self._file.write(rows.data)
        self._n_rows += n_rows

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
            "shape": (self._n_rows, self._width),
        }
        np.lib.format.write_array_header_1_0(self._file, about)
