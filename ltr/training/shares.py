"""The part that one of several processes has of the mini-batches of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ltr.list_sizes import (
    NO_SKIPPING,
    ListCost,
    Skipping,
    batch_sizes,
    cheapest_stretches,
)
from ltr.lists import (
    MAX_LIST_SIZES,
    Bucket,
    PackedLists,
    fill_batch,
    kept_rows,
    padded_rows,
    shuffled_batches,
)
from ltr.queries import BoolArray, IntArray, Queries


@dataclass(frozen=True)
class SharedBucket(Bucket):
    """Lists of several processes that share one padded size; rows of one of them.

    Attributes
    ----------
    lists : int array of shape (n_own,)
        Numbers of the lists of this process.
    rows : int array of shape (n_own, list_size)
        Row of each item.
    batch_size : int
        Lists of a process in a mini-batch, unless one of them has more.
    owners : int array of shape (n_lists,)
        Process of each list of the bucket.
    process : int
        Number of this process.
    full_size : int
        Lists of all processes in a mini-batch.
    step : int
        By how many lists a mini-batch grows in which a process has more.
    """

    owners: IntArray
    process: int
    full_size: int
    step: int

    @cached_property
    def places(self) -> IntArray:
        """Row in ``rows`` of each list of the bucket; −1 for those of others."""
        is_own = self.owners == self.process
        return np.where(is_own, np.cumsum(is_own) - 1, -1)


@dataclass(frozen=True)
class PackedShare(PackedLists):
    """The part that one of several processes has of all lists.

    Attributes
    ----------
    buckets : tuple of SharedBucket
        The same in each process, but for the rows.
    n_samples : int
        The row number that means padding.
    batch_size : int
        Lists of all processes in a full mini-batch.
    """

    buckets: tuple[SharedBucket, ...]

    @property
    def n_lists(self) -> int:
        """Number of packed lists of all processes."""
        return sum(len(bucket.owners) for bucket in self.buckets)

    @property
    def n_batches(self) -> int:
        """Number of mini-batches of an epoch."""
        return sum(-(-len(b.owners) // b.full_size) for b in self.buckets)

    def epoch(self, rng: np.random.Generator) -> Iterator[NDArray[np.int32]]:
        """Yield the own lists of the mini-batches of an epoch.

        Their shapes are the same in all processes, and their lists together are those
        of :meth:`PackedLists.epoch`.

        Parameters
        ----------
        rng : numpy Generator
            Source of the order, in the same state in all processes.

        Yields
        ------
        rows : int array of shape (n_lists, list_size)
            Rows of the items, filled with empty lists.
        """
        sizes = [(len(bucket.owners), bucket.full_size) for bucket in self.buckets]
        for number, members in shuffled_batches(sizes, rng):
            bucket = self.buckets[number]
            places = bucket.places[members]
            most = int(np.bincount(bucket.owners[members]).max())
            n_steps = max(0, -(-(most - bucket.batch_size) // bucket.step))
            room = bucket.batch_size + n_steps * bucket.step
            yield fill_batch(bucket.rows[places[places >= 0]], room, self.n_samples)


def pack_share(
    queries: Queries,
    *,
    keep: BoolArray,
    sizes: Sequence[IntArray],
    process: int,
    n_devices: int,
    padding: int,
    batch_size: int = 32,
    list_cost: ListCost = np.asarray,
    list_size_cost: float = 0.0,
    skipping: Skipping = NO_SKIPPING,
) -> PackedShare:
    """Put the lists of several processes into buckets, and keep those of one.

    The buckets and mini-batches are those that :func:`pack` would make of all lists,
    process by process.

    Parameters
    ----------
    queries : Queries
        The lists of this process.
    keep : bool array of shape (n_samples,)
        Rows to pack.
    sizes : sequence of int array
        Kept rows of each list, for each process.
    process : int
        Number of this one.
    n_devices : int
        Devices of a process, which share its part of a mini-batch evenly.
    padding : int
        Row number that means padding.
    batch_size, list_cost, list_size_cost, skipping
        As for :func:`pack`.

    Returns
    -------
    packed : PackedShare
        Its ``n_lists`` and ``n_batches`` are those of all processes, the rows of its
        mini-batches are those of this one.

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> own = group_queries([7, 7, 8], 3)
    >>> sizes = [np.array([1, 2]), own.sizes]
    >>> packed = pack_share(
    ...     own, keep=np.ones(3, dtype=bool), sizes=sizes, process=1, n_devices=1,
    ...     padding=9,
    ... )
    >>> sorted(rows.tolist() for rows in packed.epoch(np.random.default_rng(0)))
    [[[0, 1]], [[2]]]
    >>> packed.n_lists
    4
    """
    order, starts, own_sizes = kept_rows(queries, keep, padding)
    all_sizes = np.concatenate(sizes)
    owners = np.repeat(np.arange(len(sizes)), [len(part) for part in sizes])
    number = np.concatenate([np.arange(len(part)) for part in sizes])  # in its process
    by_size = np.argsort(-all_sizes, kind="stable")
    by_size = by_size[: np.count_nonzero(all_sizes)]
    stretches = cheapest_stretches(
        all_sizes[by_size],
        batch_size,
        MAX_LIST_SIZES,
        list_cost,
        list_size_cost,
        skipping,
    )
    buckets = []
    for begin, end, width, room in stretches:
        lists = by_size[begin:end]
        own = number[lists[owners[lists] == process]]
        rows = padded_rows(order, starts[own], own_sizes[own], width)
        batch = min(room, int(batch_sizes(np.array(width), batch_size)))
        share, step = _share_of(owners[lists], batch, n_devices)
        buckets.append(
            SharedBucket(own, rows, share, owners[lists], process, batch, step)
        )
    full = max(1, min(batch_size, len(by_size)))
    return PackedShare(tuple(buckets), padding, full)


def _share_of(owners: IntArray, batch: int, n_devices: int) -> tuple[int, int]:
    """Lists that a process has room for in a mini-batch, and by how many to add.

    Of a mini-batch drawn from n lists, a process that has a share q of them has a
    hypergeometric number: its mean is b q, its variance b q (1 − q) (n − b) / (n − 1).
    There is room for the mean and two standard deviations of the largest process.
    """
    n_lists = len(owners)
    b, q = min(batch, n_lists), float(np.bincount(owners).max()) / n_lists
    variance = b * q * (1.0 - q) * (n_lists - b) / max(1, n_lists - 1)
    deviation = max(1.0, variance**0.5)
    room = min(b, np.ceil(b * q + 2.0 * variance**0.5))
    return (
        n_devices * int(np.ceil(room / n_devices)),
        n_devices * int(np.ceil(deviation / n_devices)),
    )
