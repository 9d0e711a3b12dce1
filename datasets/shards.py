"""Data in pieces: a folder of shards, each with whole lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, overload

from numpy.typing import NDArray

from ltr.arguments import ArgumentError, check_whole
from ltr.datasets.letor.arrays import open_ranking, save_arrays
from ltr.datasets.parquet import PARQUET, ParquetRows
from ltr.datasets.ranking_data import RankingData
from ltr.datasets.tables import load_table
from ltr.files import PathLike, whole_folder
from ltr.queries import cut_lists, group_queries

_NAME = "shard-{:06}"


class Shards(Sequence[RankingData]):
    """The shards of a folder, each opened when it is asked for.

    Parameters
    ----------
    paths : sequence of Path
        A folder of arrays or a Parquet file each, in order.
    options : dict
        Of :func:`load_table`, for Parquet files.

    See Also
    --------
    open_shards, save_shards

    Examples
    --------
    >>> import tempfile
    >>> from ltr.datasets import make_ranking
    >>> folder = Path(tempfile.mkdtemp()) / "train"
    >>> shards = save_shards(make_ranking(50, random_state=0), folder, rows=400)
    >>> [len(shard.y) for shard in shards]
    [368, 389, 340]
    """

    def __init__(self, paths: Sequence[Path], options: dict[str, Any]) -> None:
        self.paths = list(paths)
        self._options = options

    def __repr__(self) -> str:
        folder = f" in {self.paths[0].parent}" if self.paths else ""
        return f"Shards({len(self)}{folder})"

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> RankingData: ...

    @overload
    def __getitem__(self, index: slice) -> Shards: ...

    def __getitem__(self, index: int | slice) -> RankingData | Shards:
        """Open one, or select some without opening them."""
        if isinstance(index, slice):
            return Shards(self.paths[index], self._options)
        path = self.paths[index]
        if path.is_dir():
            return open_ranking(path)
        return self._load(path)

    def _load(self, table: Path | ParquetRows) -> RankingData:
        return load_table(table, **{"dtype": None, **self._options})

    def rows(self, index: int, begin: int, end: int) -> RankingData:
        """Some rows of a shard; of a Parquet file, only row groups that have them.

        Parameters
        ----------
        index : int
            Number of the shard.
        begin, end : int
            First row, and the end.

        Returns
        -------
        data : RankingData
            Of a folder of arrays, parts of its memory maps.
        """
        path = self.paths[index]
        if path.is_dir():
            return open_ranking(path).take(slice(begin, end))
        return self._load(ParquetRows(path, begin, end))

    def qid(self, index: int) -> NDArray[Any]:
        """Query ids of the rows of a shard; nothing else is read.

        Parameters
        ----------
        index : int
            Number of the shard.

        Returns
        -------
        qid : array of shape (n_samples,)
        """
        path = self.paths[index]
        if path.is_dir():
            return self[index].qid
        only_ids: dict[str, Any] = {"label": None, "docid": None, "features": []}
        return load_table(path, **{**self._options, **only_ids}).qid


def open_shards(folder: PathLike, **options: Any) -> Shards:
    """Open a folder of shards, without reading them.

    Parameters
    ----------
    folder : path
        Folder of :func:`save_shards`, of folders that :func:`convert_letor` wrote, or
        of Parquet files. They are read in the order of their names. The rows of a query
        stand together, in one shard.
    **options : object
        Arguments of :func:`load_table` for Parquet files: ``label``, ``qid``,
        ``features``, ``dtype``, which is None by default.

    Returns
    -------
    shards : Shards
        A sequence of RankingData; ``shards[:-1]`` and ``shards[-1]`` are a training and
        a validation part.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If there are no shards in it.

    Notes
    -----
    Parquet files whose features have many distinct values are smaller and are read
    faster if they are written without a dictionary, which pandas and pyarrow write
    unless told otherwise: ``frame.to_parquet(path, use_dictionary=False)``. Those of
    compression ``"snappy"`` are read faster than those of ``"zstd"``.

    Examples
    --------
    >>> import tempfile
    >>> from ltr.datasets import make_ranking
    >>> folder = Path(tempfile.mkdtemp()) / "train"
    >>> _ = save_shards(make_ranking(50, random_state=0), folder, rows=400)
    >>> shards = open_shards(folder)
    >>> len(shards), shards[0]
    (3, RankingData(21 queries, 368 rows, 20 features))
    """
    path = Path(folder)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    paths = sorted(p for p in path.glob("[!.]*") if p.is_dir() or p.suffix in PARQUET)
    if not paths:
        raise ValueError(
            f"{path} must be a folder of shards: folders that ltr.datasets.save_shards "
            "or convert_letor wrote, or Parquet files; it has none."
        )
    if options and any(p.is_dir() for p in paths):
        raise ValueError(
            f"options of load_table are for Parquet files; {path} has folders of "
            f"arrays. Leave {', '.join(options)} out."
        )
    return Shards(paths, options)


def save_shards(
    data: RankingData | Iterable[RankingData],
    folder: PathLike,
    *,
    rows: int = 100_000,
) -> Shards:
    """Write data as shards of whole lists, which then can be read one by one.

    Parameters
    ----------
    data : RankingData, or iterable of RankingData
        Of an iterable, each piece becomes shards of its own, so it may be larger than
        memory. Only ``X``, ``y`` and ``qid`` are written.
    folder : path
        Folder to create; it must not exist. It appears whole or not at all.
    rows : int, default=100_000
        Rows of a shard, at most, unless a list has more.

    Returns
    -------
    shards : Shards
        The opened folder.

    Raises
    ------
    FileExistsError
        If the folder exists.
    ValueError
        If there is no data, or ids are neither whole numbers nor text.

    Examples
    --------
    A source that is read piece by piece:

    >>> import tempfile
    >>> from ltr.datasets import make_ranking
    >>> pieces = (make_ranking(10, random_state=day) for day in range(5))
    >>> folder = Path(tempfile.mkdtemp()) / "days"
    >>> len(save_shards(pieces, folder))
    5
    """
    check_whole("rows", rows, low=1)
    pieces = [data] if isinstance(data, RankingData) else data
    with whole_folder(folder) as scratch:
        n_shards = 0
        for piece in pieces:
            if not isinstance(piece, RankingData):
                raise ArgumentError(
                    "data must be a RankingData or an iterable of them; got "
                    f"{type(piece).__name__}."
                )
            queries = group_queries(piece.qid, len(piece.y))
            for begin, end in cut_lists(queries.starts, rows):
                shard = piece.take(queries.order[begin:end])
                save_arrays(shard, scratch / _NAME.format(n_shards))
                n_shards += 1
        if not n_shards:
            raise ValueError("data must have at least one row; got none.")
    return open_shards(folder)
