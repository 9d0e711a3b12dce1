"""Features of a stream as trees read them: three times, piece by piece, into bins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.queries import FloatArray, IntArray, group_queries
from ltr.rankers.inputs import TrainingSet, training_set
from ltr.rankers.neural.source import Piece, Source

_MAX_ROWS = 2**31 - 1

ReadTable = Callable[[Any], Any]


class StreamedTable:
    """Rows of a source, one piece of them in memory at a time.

    Parameters
    ----------
    source : Source
        The pieces; read in the same order each time.
    read : callable
        Features of a piece → checked table.
    shape : tuple of int
        Numbers of rows and columns.
    sizes : sequence of int
        Rows of each piece.
    """

    def __init__(
        self, source: Source, read: ReadTable, shape: tuple[int, int], sizes: list[int]
    ) -> None:
        self._source, self._read = source, read
        self.shape, self._sizes = shape, sizes

    def tables(self) -> Iterator[Any]:
        """Table of each piece, the rows of a query next to each other."""
        n_pieces = 0
        for piece in self._source.in_order():
            n_rows = self._sizes[n_pieces] if n_pieces < len(self._sizes) else 0
            if len(piece.y) != n_rows:  # of a function
                raise _changed(f"{len(piece.y)} rows in {piece.name} after {n_rows}")
            n_pieces += 1
            yield grouped_table(piece, self._read)
        if n_pieces < len(self._sizes):
            raise _changed(f"{n_pieces} pieces after {len(self._sizes)}")

    def sequences(self) -> list[Any]:
        """Each piece as a ``lightgbm.Sequence``."""
        import lightgbm

        lightgbm.Sequence.register(_Rows)
        cursor = _Cursor(self, len(self._sizes))
        return [_Rows(cursor, i, n_rows) for i, n_rows in enumerate(self._sizes)]

    def dataset(self, *args: Any, **options: Any) -> Any:
        """A ``lightgbm.Dataset`` of the rows, with its arguments from the labels on.

        LightGBM would draw the rows that decide the bins without the seed, unlike those
        of an array. Trees that are added to others start from their scores, for which
        it would read all features at once.
        """
        import lightgbm

        tables = self.tables

        class Dataset(lightgbm.Dataset):
            _draws_rows = False

            def get_params(self) -> dict[str, Any]:
                seed = {"seed": (self.params or {})["seed"]} if self._draws_rows else {}
                return {**super().get_params(), **seed}

            def _create_sample_indices(self, **options: Any) -> Any:
                self._draws_rows = True
                rows = super()._create_sample_indices(**options)
                self._draws_rows = False
                return rows

            def _set_init_score_by_predictor(
                self, predictor: Any, data: Any, used_indices: Any
            ) -> Any:
                scores = [
                    predictor.predict(data=table, raw_score=True) for table in tables()
                ]
                return self.set_init_score(np.concatenate(scores))

        return Dataset(self.sequences(), *args, **options)

    def varies(self) -> bool:
        """Whether a column has two values."""
        low, high = np.full(self.shape[1], np.inf), np.full(self.shape[1], -np.inf)
        for table in map(_dense, self.tables()):
            low = np.fmin(low, np.fmin.reduce(table, axis=0))
            high = np.fmax(high, np.fmax.reduce(table, axis=0))
        return bool((low < high).any())


class _Cursor:
    """Tables of the pieces, read forward; the last one is kept."""

    def __init__(self, table: StreamedTable, n_pieces: int) -> None:
        self._table, self._n_pieces = table, n_pieces
        self._tables: Iterator[Any] = iter(())
        self._number, self._current = -1, np.zeros((0, 0))

    def table(self, number: int) -> NDArray[Any]:
        """The table of a piece: that of the last call, or a later one, is read once."""
        if number < self._number or self._number < 0:
            self._tables, self._number = self._table.tables(), -1
        while self._number < number:
            self._current = np.zeros((0, 0))  # room for the next
            self._current, self._number = _dense(next(self._tables)), self._number + 1
            if self._number == self._n_pieces - 1:
                next(self._tables, None)  # there are no more, or it raises
        return self._current


class _Rows:
    """Rows of a piece, as LightGBM asks for them: one by one, and all of them."""

    def __init__(self, cursor: _Cursor, number: int, n_rows: int) -> None:
        self._cursor, self._number, self._n_rows = cursor, number, n_rows
        self.batch_size = n_rows

    def __len__(self) -> int:
        return self._n_rows

    def __getitem__(self, index: int | slice) -> NDArray[Any]:
        rows = self._cursor.table(self._number)[index]
        # LightGBM takes its sample of rows in double precision
        return rows if isinstance(index, slice) else rows.astype(np.float64)


def streamed_rows(
    source: Source, read_first: ReadTable, read: ReadTable
) -> TrainingSet:
    """Labels and queries of a source, with features that stay where they are.

    Parameters
    ----------
    source : Source
        The pieces.
    read_first : callable
        Features of the first row → checked table, whose columns are those of all.
    read : callable
        Features of a piece → checked table.

    Returns
    -------
    data : TrainingSet
        ``X`` is a StreamedTable.
    """
    labels: list[FloatArray] = []
    codes: list[IntArray] = []
    sizes: list[int] = []
    n_lists = n_features = 0
    for piece in source.in_order():
        with piece.in_errors():
            if not sizes:
                n_features = read_first(piece.rows(0, 1).X).shape[1]
            rows = training_set(piece.X, piece.y, piece.qid)
        order = rows.queries.order
        labels.append(rows.y[order])
        codes.append(rows.queries.codes[order] + n_lists)
        sizes.append(len(rows.y))
        n_lists += rows.queries.n_lists
    y, all_codes = np.concatenate(labels), np.concatenate(codes)
    if len(y) > _MAX_ROWS:
        raise ValueError(
            f"source must have at most 2^31 - 1 rows, LightGBM's limit; got {len(y)}."
        )
    table = StreamedTable(source, read, (len(y), n_features), sizes)
    queries = group_queries(all_codes, len(y))
    return TrainingSet(table, y, queries, None, None, {})


def grouped_table(piece: Piece, read: ReadTable) -> Any:
    """Checked table of a piece, the rows of a query next to each other."""
    with piece.in_errors():
        table = read(piece.X)
        queries = group_queries(piece.qid, len(piece.y))
    if queries.is_grouped:
        return table
    return table[queries.order]


def _changed(found: str) -> ValueError:
    """Error about a function that returns other rows the second time."""
    return ValueError(
        "source must return the same rows whenever it is called for epoch 0; got "
        f"{found}."
    )


def _dense(table: Any) -> NDArray[Any]:
    return table if isinstance(table, np.ndarray) else np.asarray(table.toarray())
