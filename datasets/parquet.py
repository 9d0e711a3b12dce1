"""Parquet files: the columns and the rows that are asked for, as a DataFrame."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

PARQUET = (".parquet", ".pq")


class ParquetRows(NamedTuple):
    """Some rows of a Parquet file; ``load_table`` takes them in place of its path.

    Attributes
    ----------
    path : Path
        The file.
    begin, end : int
        First row, and the end.
    """

    path: Path
    begin: int
    end: int

    def __str__(self) -> str:
        return f"rows {self.begin} to {self.end - 1} of {self.path}"


def read_parquet(
    table: Path | ParquetRows, selection: Sequence[str] | None
) -> pd.DataFrame:
    """Read a Parquet file, or a folder of them.

    Parameters
    ----------
    table : Path or ParquetRows
        The file or folder; of some rows, the row groups that have any of them are read.
    selection : sequence of str or None
        Columns to read. None, or if one of them is not there just once: all.

    Returns
    -------
    frame : DataFrame
        At least these columns.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    ValueError
        If it is not a complete Parquet file.
    """
    check_pyarrow()
    path = table.path if isinstance(table, ParquetRows) else table
    try:
        return _read(path, table, selection)
    except FileNotFoundError:
        raise
    except (ValueError, OSError, NotImplementedError) as error:
        raise ValueError(
            f"{path} must be a complete Parquet file; reading it failed: {error}"
        ) from error


def check_pyarrow() -> None:
    """Raise unless Parquet files can be read."""
    try:
        importlib.import_module("pyarrow")
    except ImportError as error:
        raise ImportError(
            "Parquet files need pyarrow: pip install pyarrow, or use a .csv.gz file."
        ) from error


def _read(
    path: Path, table: Path | ParquetRows, selection: Sequence[str] | None
) -> pd.DataFrame:
    import pandas as pd

    if path.is_dir():
        return pd.read_parquet(path)
    pyarrow = importlib.import_module("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    with pyarrow.memory_map(str(path)) as content:  # nothing is copied to be read
        file = parquet.ParquetFile(content)
        names = file.schema_arrow.names
        columns = None
        if selection is not None and all(names.count(name) == 1 for name in selection):
            columns = list(selection)
        if isinstance(table, ParquetRows):
            rows = _rows(file, columns, table.begin, table.end)
        else:
            rows = file.read(columns)
    # a block for each column: else all are copied to stand side by side
    return rows.to_pandas(split_blocks=True)


def _rows(file: Any, columns: list[str] | None, begin: int, end: int) -> Any:
    """Rows of the row groups that have some of them."""
    groups = range(file.num_row_groups)
    ends = np.cumsum([file.metadata.row_group(i).num_rows for i in groups])
    first = int(np.searchsorted(ends, begin, side="right"))
    last = int(np.searchsorted(ends, end, side="left"))
    rows = file.read_row_groups(groups[first : last + 1], columns)
    n_before = int(ends[first - 1]) if first else 0
    return rows.slice(begin - n_before, end - begin)
