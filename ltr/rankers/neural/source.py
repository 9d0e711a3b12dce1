"""Where a stream reads its pieces of whole lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.arguments import ArgumentError, plain
from ltr.queries import IntArray, cut_lists, group_queries

_SCANNED_ROWS = 2**20
_COLUMNS = ("X", "y", "qid")


class Piece(NamedTuple):
    """Rows of a source, with whole lists.

    Attributes
    ----------
    name : str
        Where they are, for messages.
    X : array or CSR matrix of shape (n_rows, n_features)
        Features; an array may be a memory map.
    y : array of shape (n_rows,)
        Labels.
    qid : array of shape (n_rows,)
        Query of each row.
    """

    name: str
    X: Any
    y: Any
    qid: Any

    @contextmanager
    def in_errors(self) -> Iterator[None]:
        """Say in errors of the block where the rows are."""
        try:
            yield
        except ValueError as error:
            raise ValueError(f"In {self.name} of source: {error}") from error

    def rows(self, begin: int, end: int) -> Piece:
        """Some of the rows."""
        rows = slice(begin, end)
        X = self.X.iloc[rows] if hasattr(self.X, "iloc") else self.X[rows]
        name = f"rows {begin} to {end - 1}{self.name}"
        return Piece(name, X, self.y[rows], self.qid[rows])


class Source:
    """Pieces of a data set, read as often as there are epochs.

    Parameters
    ----------
    source : RankingData, sequence of RankingData, or callable
        What :meth:`NeuralRanker.fit_stream` takes.
    buffer_rows : int
        Rows in memory at a time; a piece has half of them, unless a list has more.
    """

    def __init__(self, source: Any, buffer_rows: int) -> None:
        self._open: Callable[[int], Iterable[Any]] | None = None
        self._parts: Sequence[Any] = ()
        self._cuts: list[tuple[int, int, int]] = []  # part, first row, end
        self._iterator: Iterable[Any] | None = None  # of the function's last call
        if is_ranking(source):
            self._parts = [source]
        elif isinstance(source, Sequence) and not isinstance(source, str):
            self._parts = source
        elif callable(source):
            self._open = source
            return
        else:
            raise ArgumentError(
                "source must be a RankingData, as open_ranking returns, a sequence of "
                "them, as open_shards returns, or a function that takes the number of "
                "an epoch and returns an iterator of them; got "
                f"{type(source).__name__}."
                + " An iterator has only one epoch." * isinstance(source, Iterator)
                + " Open a path by ltr.datasets.open_shards."
                * isinstance(source, (str, PathLike))
            )
        last_id: Any = None
        for number in range(len(self._parts)):
            qid = self._ids(number)
            if not len(qid):
                continue
            starts, ids = _list_starts(qid, number)
            if number and ids[0] == last_id:
                raise ValueError(
                    "the rows of a query must be in one part of source; query "
                    f"{plain(last_id)!r} ends part {number - 1} and begins part "
                    f"{number}. Write the parts by ltr.datasets.save_shards."
                )
            last_id = ids[-1]
            cuts = cut_lists(starts, max(1, buffer_rows // 2))
            self._cuts += [(number, begin, end) for begin, end in cuts]
        if not self._cuts:
            raise ValueError("source must have at least one row; got none.")

    @property
    def n_rows(self) -> int | None:
        """Number of rows; None for a function, whose pieces are not known."""
        if self._open is not None:
            return None
        return sum(end - begin for _, begin, end in self._cuts)

    def sample(self, n_pieces: int) -> list[Piece]:
        """Some pieces, evenly spaced, or the first ones of a function."""
        if self._open is not None:
            pieces = self._pieces_of_function(0)
            return [piece for piece, _ in zip(pieces, range(n_pieces), strict=False)]
        places = np.linspace(0, len(self._cuts) - 1, min(n_pieces, len(self._cuts)))
        return [self._read(int(place)) for place in places]

    def epoch(self, number: int, rng: np.random.Generator) -> Iterator[list[Piece]]:
        """All pieces, two random ones at a time; those of a function one by one."""
        if self._open is not None:
            yield from ([piece] for piece in self._pieces_of_function(number))
            return
        order = rng.permutation(len(self._cuts))
        for begin in range(0, len(order), 2):
            yield [self._read(int(place)) for place in order[begin : begin + 2]]

    def in_order(self) -> Iterator[Piece]:
        """All pieces, one by one in their order; those of a function for epoch 0."""
        if self._open is not None:
            yield from self._pieces_of_function(0)
            return
        for place in range(len(self._cuts)):
            yield self._read(place)

    def _ids(self, number: int) -> Any:
        """Query ids of a part; those of a shard without its features."""
        if hasattr(self._parts, "qid"):  # Shards
            return self._parts.qid(number)
        return _piece(self._parts[number], "source", f"part {number}").qid

    def _read(self, place: int) -> Piece:
        number, begin, end = self._cuts[place]
        name = f" of part {number}" if len(self._parts) > 1 else ""
        if hasattr(self._parts, "rows"):  # Shards
            part = _piece(
                self._parts.rows(number, begin, end), "source", f"part {number}"
            )
            return part._replace(name=f"rows {begin} to {end - 1}{name}")
        part = _piece(self._parts[number], "source", f"part {number}")
        return part._replace(name=name).rows(begin, end)

    def _pieces_of_function(self, epoch: int) -> Iterator[Piece]:
        assert self._open is not None
        pieces = self._open(epoch)
        if not isinstance(pieces, Iterable):
            raise ArgumentError(
                "source must return an iterator of RankingData; got "
                f"{type(pieces).__name__} for epoch {epoch}."
            )
        if isinstance(pieces, Iterator) and pieces is self._iterator:
            raise ArgumentError(
                "source must return a new iterator for each epoch; got the one of the "
                f"last call for epoch {epoch}. Make it in the function."
            )
        self._iterator = pieces
        n_rows = 0
        for number, data in enumerate(pieces):
            piece = _piece(
                data,
                "source must return an iterator",
                f"piece {number} of epoch {epoch}",
            )
            n_rows += len(piece.y)
            if len(piece.y):
                yield piece
        if not n_rows:
            raise ValueError(
                "source must return at least one row for each epoch; got none for "
                f"epoch {epoch}."
            )


def check_validation(validation: Any, enabled: bool | str) -> None:
    """Raise unless ``fit_stream`` can stop early by this ``validation``.

    Parameters
    ----------
    validation : RankingData or None
        The argument.
    enabled : bool or "auto"
        ``early_stopping`` of the ranker.
    """
    if validation is None and enabled is True:
        raise ValueError(
            "validation is required by early_stopping=True: fit_stream holds out no "
            "queries. Pass some as validation, or set early_stopping='auto'."
        )
    if validation is not None and not is_ranking(validation):
        raise ArgumentError(
            f"validation must be a RankingData; got {type(validation).__name__}."
        )


def is_ranking(data: Any) -> bool:
    """Whether it has the columns of RankingData."""
    return all(hasattr(data, name) for name in _COLUMNS)


def _piece(data: Any, subject: str, name: str) -> Piece:
    """The columns of RankingData; labels and ids as arrays."""
    if not is_ranking(data):
        subject = subject if "return" in subject else f"{subject} must be a sequence"
        raise ArgumentError(
            f"{subject} of RankingData; got {type(data).__name__} as {name}."
        )
    X, y, qid = (getattr(data, column) for column in _COLUMNS)
    if qid is None:
        raise ArgumentError(f"source must have a qid; got None in {name}.")
    X = X if hasattr(X, "shape") else np.asarray(X)
    X = X.tocsr() if hasattr(X, "tocsr") else X  # other formats have no rows to take
    y, qid = np.asanyarray(y), np.asanyarray(qid)
    if not X.shape[0] == len(y) == len(qid):
        raise ArgumentError(
            "X, y and qid must have the same number of rows; got "
            f"{X.shape[0]}, {len(y)} and {len(qid)} in {name} of source."
        )
    return Piece(name, X, y, qid)


def stand_together(qid: Any) -> bool:
    """Whether the rows of each query are neighbors."""
    _, ids = _runs(np.asanyarray(qid))
    return group_queries(ids, len(ids)).n_lists == len(ids)


def _runs(qid: Any) -> tuple[IntArray, NDArray[Any]]:
    """First row of each run of one id, and the id.

    Ids are compared some rows at a time, since those of all rows may not fit.
    """
    starts = [np.zeros(min(len(qid), 1), dtype=np.int64)]
    for begin in range(0, len(qid) - 1, _SCANNED_ROWS):
        ids = np.asarray(qid[begin : begin + _SCANNED_ROWS + 1])
        starts.append(begin + 1 + np.flatnonzero(ids[1:] != ids[:-1]))
    rows = np.concatenate(starts)
    return rows, np.asarray(qid[rows]) if len(rows) else np.zeros(0, dtype=np.int64)


def _list_starts(qid: Any, number: int) -> tuple[IntArray, NDArray[Any]]:
    """First row of each list, and the end; the query of each list."""
    rows, ids = _runs(qid)
    queries = group_queries(ids, len(ids))
    if queries.n_lists < len(ids):
        counts = np.bincount(queries.codes)
        repeated = plain(queries.ids[counts > 1][0])
        raise ValueError(
            "the rows of a query must stand together in source; those of query "
            f"{repeated!r} are in {counts.max()} places of part {number}. Sort the "
            "rows by qid, or write them by ltr.datasets.save_shards."
        )
    return np.append(rows, len(qid)), ids
