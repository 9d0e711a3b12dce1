"""Lists of any length → a few padded shapes for JAX, and back.

This is the only module that knows about padding, buckets and the order of rows. JAX
compiles a program for every shape, and padding all lists to the longest wastes most of
the work, so the lists are sorted by size and cut into at most eight *buckets*; all
lists of a bucket are padded to its longest, rounded up to a grid of sizes, so that
folds, seeds and refits meet shapes that are compiled already: to powers of two where a
compilation takes longer than all epochs. The cuts are optimal: a dynamic program
minimizes the cost of an epoch, partial mini-batches included.

A padded position holds the row number ``n_samples``; arrays that are gathered with it
get an extra row (:func:`with_padding_rows`), and ``rows < n_samples`` is the mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ltr.list_sizes import (
    MAX_BATCH_ROWS,
    NO_SKIPPING,
    ListCost,
    Skipping,
    Stretch,
    batch_sizes,
    cheapest_stretches,
    round_up,
)
from ltr.queries import BoolArray, IntArray, Queries

MAX_LIST_SIZES = 8
_FEW_ROWS = 2**14
_ALIGNMENT = 64  # bytes, of the arrays that XLA reads on a CPU

Shape = tuple[int, int]  # lists of a mini-batch, their padded size


@dataclass(frozen=True)
class Bucket:
    """Lists that share one padded size.

    Attributes
    ----------
    lists : int array of shape (n_lists,)
        Numbers of the lists.
    rows : int array of shape (n_lists, list_size)
        Row of each item; ``n_samples`` in padded positions.
    batch_size : int
        Lists in one mini-batch.
    """

    lists: IntArray
    rows: NDArray[np.int32]
    batch_size: int

    @property
    def list_size(self) -> int:
        """Padded size."""
        return int(self.rows.shape[1])

    @property
    def batch_shape(self) -> Shape:
        """Lists of a mini-batch, and their padded size."""
        return self.batch_size, self.list_size


@dataclass(frozen=True)
class PackedLists:
    """All lists of a data set in buckets.

    Attributes
    ----------
    buckets : tuple of Bucket
        Largest list size first. Together they hold every packed list once.
    n_samples : int
        Number of rows of the data; also the row number that means padding.
    batch_size : int
        Lists in a full mini-batch. Those of a bucket may be smaller.
    """

    buckets: tuple[Bucket, ...]
    n_samples: int
    batch_size: int

    @property
    def n_lists(self) -> int:
        """Number of packed lists."""
        return sum(len(bucket.lists) for bucket in self.buckets)

    @property
    def shapes(self) -> list[Shape]:
        """Shapes of the mini-batches, each once."""
        return list({bucket.batch_shape: None for bucket in self.buckets})

    @property
    def n_batches(self) -> int:
        """Number of mini-batches of an epoch."""
        return sum(-(-len(b.lists) // b.batch_size) for b in self.buckets)

    @property
    def padding_share(self) -> float:
        """Share of the lists' padded rows that is padding."""
        n_rows = sum(bucket.rows.size for bucket in self.buckets)
        n_items = sum(int((b.rows < self.n_samples).sum()) for b in self.buckets)
        return 1.0 - n_items / n_rows if n_rows else 0.0

    def epoch(self, rng: np.random.Generator) -> Iterator[NDArray[np.int32]]:
        """Yield the mini-batches of one epoch in random order.

        Lists are shuffled within their bucket, then the batches of all buckets are
        shuffled together. Every list is visited exactly once.

        Parameters
        ----------
        rng : numpy Generator
            Source of the order.

        Yields
        ------
        rows : int array of shape (batch_size, list_size)
            Rows of the items; the last batch of a bucket is filled with empty lists.
        """
        sizes = [(len(bucket.lists), bucket.batch_size) for bucket in self.buckets]
        for number, members in shuffled_batches(sizes, rng):
            bucket = self.buckets[number]
            yield fill_batch(bucket.rows[members], bucket.batch_size, self.n_samples)


def shuffled_batches(
    sizes: Sequence[tuple[int, int]], rng: np.random.Generator
) -> Iterator[tuple[int, IntArray]]:
    """Bucket and members of each mini-batch, in random order.

    ``sizes`` has the lists of each bucket and those of a mini-batch of it.
    """
    batches = []
    for number, (n_lists, batch_size) in enumerate(sizes):
        shuffled = rng.permutation(n_lists)
        for start in range(0, n_lists, batch_size):
            batches.append((number, shuffled[start : start + batch_size]))
    for place in rng.permutation(len(batches)):
        yield batches[place]


def fill_batch(
    rows: NDArray[np.int32], batch_size: int, padding: int
) -> NDArray[np.int32]:
    """Fill a partial batch with empty lists."""
    n_empty = batch_size - len(rows)
    if not n_empty:
        return rows
    empty = np.full((n_empty, rows.shape[1]), padding, dtype=np.int32)
    return np.concatenate([rows, empty])


def kept_rows(
    queries: Queries, keep: BoolArray | None, padding: int
) -> tuple[NDArray[np.int32], IntArray, IntArray]:
    """Rows list by list and ``padding``, where each list starts, its number of rows."""
    order, starts, sizes = queries.order, queries.starts[:-1], queries.sizes
    if keep is not None and not keep.all():
        order = order[keep[order]]
        sizes = np.bincount(queries.codes[order], minlength=queries.n_lists)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.append(order, padding).astype(np.int32), starts, sizes


def padded_rows(
    order: NDArray[np.int32], starts: IntArray, sizes: IntArray, width: int
) -> NDArray[np.int32]:
    """Rows of lists that start there in ``order``, shape (n_lists, width)."""
    position = np.arange(width)
    is_real = position < sizes[:, None]  # (n_lists, width)
    place = np.where(is_real, starts[:, None] + position, len(order) - 1)
    return order.take(place)


def pack(
    queries: Queries,
    *,
    keep: BoolArray | None = None,
    batch_size: int = 32,
    max_list_sizes: int = MAX_LIST_SIZES,
    list_cost: ListCost = np.asarray,
    list_size_cost: float = 0.0,
    skipping: Skipping = NO_SKIPPING,
    reusable_shapes: bool = False,
    widths: Sequence[int] = (),
) -> PackedLists:
    """Put lists into at most ``max_list_sizes`` buckets of equal padded size.

    Parameters
    ----------
    queries : Queries
        The lists.
    keep : bool array of shape (n_samples,), optional
        Rows to pack; the others are dropped, and so are lists without any row left.
        Default: all rows.
    batch_size : int, default=32
        Lists in a mini-batch. A bucket with fewer lists has a smaller batch, and so
        does one whose batch would exceed 2**18 padded rows.
    max_list_sizes : int, default=8
        Upper bound on the number of buckets, that is of compiled shapes.
    list_cost : callable, default=numpy.asarray
        Padded sizes of lists → cost of one list of each, in the unit of a row of the
        default network. Default: as many as it has padded rows.
    list_size_cost : float, default=0.0
        Price of one more bucket, in the same unit. In a short fit, compiling another
        shape takes more time than it saves. Padding may still not take most of a long
        epoch.
    skipping : Skipping, default=NO_SKIPPING
        What a step saves that does not compute padding. Default: nothing.
    reusable_shapes : bool, default=False
        Pad to powers of two instead of the best sizes, so that the next piece of a
        stream meets shapes that are compiled already.
    widths : sequence of int, default=()
        Padded sizes to use: those of a first piece of a stream. A list that is longer
        than all of them gets a size of its own. Mini-batches are always full, of lists
        of the next size, too.

    Returns
    -------
    packed : PackedLists
        Buckets whose epoch costs least, their price included.

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> packed = pack(group_queries([7, 7, 7, 8, 9], 5), max_list_sizes=2)
    >>> [bucket.rows.tolist() for bucket in packed.buckets]
    [[[0, 1, 2]], [[3], [4]]]
    """
    order, starts, sizes = kept_rows(queries, keep, queries.n_samples)
    by_size = np.argsort(-sizes, kind="stable")
    by_size = by_size[: np.count_nonzero(sizes)]
    by_descent = sizes[by_size]
    if widths:
        padded = _padded_sizes(by_descent, widths)
        cuts = _cuts_at_full_batches(padded, batch_size)
        stretches = Stretch.between(cuts, padded[cuts[:-1]], batch_size)
    elif reusable_shapes:
        padded = _powers_of_two(by_descent)
        cuts = _cuts_between(padded)
        rooms = _powers_of_two(np.diff(cuts))
        stretches = Stretch.between(cuts, padded[cuts[:-1]], rooms)
    else:
        stretches = cheapest_stretches(
            by_descent, batch_size, max_list_sizes, list_cost, list_size_cost, skipping
        )

    buckets = []
    for begin, end, width, room in stretches:
        lists = by_size[begin:end]
        rows = padded_rows(order, starts[lists], sizes[lists], width)
        largest = int(batch_sizes(np.array(width), batch_size))
        buckets.append(Bucket(lists, rows, min(room, largest)))
    full = max(1, batch_size if widths else min(batch_size, len(by_size)))
    return PackedLists(tuple(buckets), queries.n_samples, full)


def equal_size_blocks(
    queries: Queries, max_rows: int = MAX_BATCH_ROWS
) -> Iterator[IntArray]:
    """Yield all lists in blocks of equal size, without any padding.

    Parameters
    ----------
    queries : Queries
        The lists.
    max_rows : int, default=262144
        Rows in a block; a longer list is a block of its own.

    Yields
    ------
    rows : int array of shape (n_lists of the block, list_size)
        Rows of the items.

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> queries = group_queries([7, 7, 8, 9, 9], 5)
    >>> [rows.tolist() for rows in equal_size_blocks(queries)]
    [[[2]], [[0, 1], [3, 4]]]
    """
    for size in np.unique(queries.sizes):
        lists = np.flatnonzero(queries.sizes == size)
        step = max(1, max_rows // int(size))
        for begin in range(0, len(lists), step):
            starts = queries.starts[lists[begin : begin + step]]
            yield queries.order[starts[:, None] + np.arange(size)]


def with_padding_rows(
    values: NDArray[np.generic],
    dtype: DTypeLike = np.float64,
    reusable_shape: bool = False,
) -> NDArray[np.floating]:
    """Append the row of zeros that padded positions gather.

    Parameters
    ----------
    values : array of shape (n_samples, …)
        One entry per row.
    dtype : dtype, default=numpy.float64
        Type of the result.
    reusable_shape : bool, default=False
        Append rows until the length is a power of two, as for fewer than 16,384 rows,
        instead of a size of the grid.

    Returns
    -------
    padded : array of shape (n_samples + 1 or more, …)
        The same entries, then zeros.

    Examples
    --------
    >>> with_padding_rows(np.array([1.0, 2.0])).tolist()
    [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    length = padded_length(len(values), reusable_shape)
    padded = np.zeros((length, *values.shape[1:]), dtype)
    padded[: len(values)] = values
    return padded


def padded_length(n_samples: int, reusable_shape: bool = False) -> int:
    """Number of rows of :func:`with_padding_rows`, at least one more than there are.

    A power of two for few rows, whose memory does not count: the folds of a small data
    set, of whole queries, differ by more than a step of the grid.
    """
    if reusable_shape or n_samples < _FEW_ROWS:
        return _power_of_two(n_samples + 1)
    return int(round_up(np.array([n_samples + 1]))[0])


def aligned_zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[np.floating]:
    """Zeros at an address from which JAX reads an array without copying it."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(n_bytes + _ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + n_bytes].view(dtype).reshape(shape)


def _power_of_two(number: int) -> int:
    """Smallest power of two that is at least ``number`` and at least 8."""
    return max(8, 1 << (number - 1).bit_length())


def _powers_of_two(sizes: IntArray) -> IntArray:
    """:func:`_power_of_two` of each of the sizes."""
    return np.array([_power_of_two(int(size)) for size in sizes], dtype=np.intp)


def _padded_sizes(sizes: IntArray, widths: Sequence[int]) -> IntArray:
    """Smallest width that holds each list, or the next size of the grid."""
    ascending = np.sort(np.asarray(widths))
    place = np.searchsorted(ascending, sizes)
    fits = place < len(ascending)
    return np.where(
        fits, ascending[np.minimum(place, len(ascending) - 1)], round_up(sizes)
    )


def _cuts_between(padded: IntArray) -> IntArray:
    """Cut positions where the descending padded sizes change."""
    if len(padded) == 0:
        return np.zeros(1, dtype=np.intp)
    return np.concatenate([[0], np.flatnonzero(np.diff(padded)) + 1, [len(padded)]])


def _cuts_at_full_batches(padded: IntArray, batch_size: int) -> IntArray:
    """Cut positions where the descending padded sizes change, or a batch is full.

    A batch with empty lists takes as long as a full one, so lists of the next size have
    their places.
    """
    cuts = [0]
    while cuts[-1] < len(padded):
        width = padded[cuts[-1]]
        batch = int(batch_sizes(width, batch_size))
        n_lists = int(np.searchsorted(-padded, -width, side="right")) - cuts[-1]
        cuts.append(min(cuts[-1] + -(-n_lists // batch) * batch, len(padded)))
    return np.array(cuts)
