"""Features of LETOR files, and the tables that collect them: dense, or sparse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ltr.queries import FloatArray, IntArray

ZeroBased = bool | Literal["auto"]
_MAX_MOSTLY_ZERO = 2**27  # numbers: 1 GiB in double precision
_MAX_ZEROS_PER_VALUE = 50


@dataclass(frozen=True, eq=False)
class Features:
    """Features of a block of rows, with the indices that the file has.

    Attributes
    ----------
    low, high : int
        Lowest and highest index; ``low > high`` if no row has a feature.
    counts : int array of shape (n_rows,)
        Number of features of each row.
    indices : int array of shape (n_values,) or None
        Their indices, row by row. None: those of every row are low, …, high.
    values : float array of shape (n_values,)
        Their values.
    """

    low: int
    high: int
    counts: IntArray
    indices: IntArray | None
    values: FloatArray

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.counts)

    def entries(self) -> IntArray:
        """Indices of the values, row by row, shape (n_values,)."""
        if self.indices is not None:
            return self.indices
        return np.tile(np.arange(self.low, self.high + 1), self.n_rows)

    def put(self, table: NDArray[Any], first_index: int, start: int = 0) -> None:
        """Write the values of some rows into a contiguous table of zeros.

        Parameters
        ----------
        table : array of shape (n, width)
            Destination of the rows start, …, start + n - 1.
        first_index : int
            Index of its first column.
        start : int, default=0
            The first row.
        """
        n_rows, width = table.shape
        if self.indices is None:
            rows = self.values.reshape(self.n_rows, -1)[start : start + n_rows]
            table[:, self.low - first_index : self.high + 1 - first_index] = rows
            return
        counts = self.counts[start : start + n_rows]
        begin = int(self.counts[:start].sum())
        entries = slice(begin, begin + int(counts.sum()))
        # cell of the flattened table: row · width + column
        cells = np.repeat(np.arange(n_rows) * width - first_index, counts)
        table.reshape(-1)[cells + self.indices[entries]] = self.values[entries]


class Table(Protocol):
    """Destination of the features of all blocks."""

    first_index: int

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    def add(self, features: Features) -> None:
        """Append rows; ``first_index`` is the index of the first column."""

    def shift(self) -> None:
        """Insert a first column of zeros, for the index 0."""


class GrowingTable:
    """Rows in memory; ``resize`` lets the system move pages instead of copying them."""

    def __init__(self, width: int, dtype: type[np.floating], first_index: int) -> None:
        self.X: NDArray[Any] = np.zeros((0, width), dtype=dtype)
        self._min_width = width
        self.first_index = first_index

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.X)

    def add(self, features: Features) -> None:
        """Append rows; columns missing on the right are 0."""
        n_rows = self.n_rows
        self._widen(features.high + 1 - self.first_index)
        shape = n_rows + features.n_rows, self.X.shape[1]
        if n_rows:
            self.X.resize(shape, refcheck=False)
        else:
            self.X = np.zeros(shape, self.X.dtype)
        features.put(self.X[n_rows:], self.first_index)

    def shift(self) -> None:
        """Insert a first column of zeros, for the index 0."""
        self.first_index = 0
        n_rows, width = self.X.shape
        # the columns that n_features asked for are there: the last one moves out
        n_values = width if width > self._min_width else max(width - 1, 0)
        shifted = np.zeros((n_rows, max(self._min_width, n_values + 1)), self.X.dtype)
        shifted[:, 1 : n_values + 1] = self.X[:, :n_values]
        self.X = shifted

    def _widen(self, new_width: int) -> None:
        n_rows, width = self.X.shape
        if new_width > width:
            wider = np.zeros((n_rows, new_width), dtype=self.X.dtype)
            wider[:, :width] = self.X
            self.X = wider


class SparseTable:
    """Rows of a SciPy matrix."""

    def __init__(self, width: int, dtype: type[np.floating], first_index: int) -> None:
        self._min_width, self._dtype = width, dtype
        self._counts: list[IntArray] = []
        self._indices: list[IntArray] = []
        self._values: list[FloatArray] = []
        self.first_index = first_index
        self.n_rows = 0

    def add(self, features: Features) -> None:
        """Append rows."""
        self.n_rows += features.n_rows
        self._counts.append(features.counts)
        self._indices.append(features.entries())
        self._values.append(features.values.astype(self._dtype))

    def shift(self) -> None:
        """Insert a first column of zeros, for the index 0."""
        self.first_index = 0

    @property
    def X(self) -> Any:
        """The rows as a CSR matrix, without explicit zeros."""
        from scipy.sparse import csr_matrix

        columns = np.concatenate([np.zeros(0, np.intp), *self._indices])
        columns = columns - self.first_index
        width = max(self._min_width, int(columns.max(initial=-1)) + 1)
        ends = np.cumsum(np.concatenate([np.zeros(1, np.intp), *self._counts]))
        values = np.concatenate([np.zeros(0, self._dtype), *self._values])
        matrix = csr_matrix((values, columns, ends), shape=(self.n_rows, width))
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return matrix


def overflows(values: FloatArray, dtype: type[np.floating]) -> NDArray[np.bool_]:
    """Finite values that become infinite in a type.

    Parameters
    ----------
    values : float array
        Values in double precision.
    dtype : float type
        Such as ``numpy.float32``.

    Returns
    -------
    is_large : bool array of the same shape

    Examples
    --------
    >>> overflows(np.array([1e38, 1e39]), np.float32).tolist()
    [False, True]
    """
    if np.dtype(dtype).kind != "f" or np.finfo(dtype).max >= np.finfo(np.float64).max:
        return np.zeros(values.shape, dtype=bool)
    with np.errstate(over="ignore"):
        return np.asarray(np.isinf(values.astype(dtype)) & np.isfinite(values))


def check_room(name: str, n_rows: int, width: int, n_values: int) -> None:
    """Raise if a dense table would be large and nearly all zeros.

    Parameters
    ----------
    name : str
        The file, as messages call it.
    n_rows, width : int
        Shape of the table so far.
    n_values : int
        Number of values in the file so far.

    Raises
    ------
    ValueError
        If it has more than 2^27 numbers, and more than 50 for each value.
    """
    n_cells = n_rows * width
    if n_cells > max(_MAX_MOSTLY_ZERO, _MAX_ZEROS_PER_VALUE * n_values):
        raise ValueError(
            f"{name}: a dense table must not be large and nearly all zeros; got "
            f"{n_values:,} values for {n_rows:,} rows × {width:,} columns, which take "
            f"{n_cells * 8 / 2**30:,.1f} GiB or more. Read the file with "
            "load_letor(..., sparse=True) (--sparse on the command line), or number "
            "its features without gaps."
        )
