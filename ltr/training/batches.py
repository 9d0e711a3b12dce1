"""The mini-batches of an epoch: of rows that stay on the device, or that pass by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ltr.lists import PackedLists, Shape
from ltr.queries import BoolArray
from ltr.training.padding import RealItems, RealRows
from ltr.training.pair_table import PairTable
from ltr.training.query_rows import QueryRows
from ltr.training.sparse_rows import SparseItems, SparseRows

Rows = NDArray[np.int32]


class Data(NamedTuple):
    """Rows on the device; every array has at least one padding row at the end.

    Attributes
    ----------
    n_samples : int
        Number of real rows.
    X : array, SparseRows, QueryRows or RealRows of shape (n_rows, n_features)
        Features.
    y : array of shape (n_rows,)
        Labels.
    weights : array of shape (n_rows,) or None
        Row weights.
    list_weights : array of shape (n_rows,)
        Weight of the list of each row, mean 1 over the lists; 0 in the padding rows.
    extras : dict of str to array of shape (n_rows,)
        Per-row inputs of the loss.
    pairs : PairTable or None, default=None
        Features of the pairs of each list.
    """

    n_samples: Any
    X: jax.Array | SparseRows | QueryRows | RealRows
    y: jax.Array
    weights: jax.Array | None
    list_weights: jax.Array
    extras: dict[str, jax.Array]
    pairs: PairTable | None = None


class Batch(NamedTuple):
    """What a step reads of a mini-batch of b lists of n items.

    Attributes
    ----------
    where : bool array of shape (b, n)
        False for padding.
    X : array, SparseItems or RealItems of shape (b, n, n_features)
        Features.
    y : array of shape (b, n)
        Labels.
    weights : array of shape (b, n) or None
        Row weights.
    list_weights : array of shape (b,)
        Weight of each list; 0 for empty ones.
    extras : dict of str to array of shape (b, n)
        Further inputs of the loss.
    pairs : array of shape (b, n, n, k) or None
        Features of the pairs of each list.
    """

    where: jax.Array
    X: jax.Array | SparseItems | RealItems
    y: jax.Array
    weights: jax.Array | None
    list_weights: jax.Array
    extras: dict[str, jax.Array]
    pairs: jax.Array | None


def gather(data: Data, rows: jax.Array) -> Batch:
    """Gather the rows of a mini-batch.

    Parameters
    ----------
    data : Data
        The rows.
    rows : int array of shape (b, n)
        Row of each item.

    Returns
    -------
    batch : Batch
    """
    return Batch(
        where=rows < data.n_samples,
        X=data.X[rows],
        y=data.y[rows],
        weights=None if data.weights is None else data.weights[rows],
        list_weights=data.list_weights[rows[:, 0]],
        extras={name: values[rows] for name, values in data.extras.items()},
        pairs=None if data.pairs is None else data.pairs.block(rows),
    )


def gather_all(data: Data, rows: jax.Array) -> Batch:
    """Gather the rows of the parts that p processes have of a mini-batch.

    Parameters
    ----------
    data : Data
        The rows of the processes, with a first axis of length p.
    rows : int array of shape (p, b/p, n)
        Row of each item among those of its process.

    Returns
    -------
    batch : Batch
        Of all b lists.
    """
    axes = jax.tree.map(lambda _: 0, data)._replace(n_samples=None)
    parts = jax.vmap(gather, (axes, 0))(data, rows)  # (p, b/p, ...)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), parts)


def of_all_lists(
    X: Any,
    y: jax.Array,
    where: jax.Array,
    weights: jax.Array | None,
    n_query_features: int,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array | None]:
    """Give every query of a mini-batch the items of all its lists.

    Parameters
    ----------
    X : array of shape (b, n, n_features)
        Features; those of the query come first, the same for all items of a list.
    y : array of shape (b, n)
        Labels.
    where : bool array of shape (b, n)
        False for padding.
    weights : array of shape (b, n) or None
        Row weights.
    n_query_features : int
        Number of features of the query.

    Returns
    -------
    X : array of shape (b, b·n, n_features)
    y : array of shape (b, b·n)
        0 for the items of other lists.
    where : bool array of shape (b, b·n)
    weights : array of shape (b, b·n) or None
    """
    b, n = where.shape
    query = X[:, :1, :n_query_features]  # (b, 1, q)
    items = X[..., n_query_features:].reshape(1, b * n, -1)  # (1, b·n, d)
    pairs = jnp.concatenate(
        [
            jnp.broadcast_to(query, (b, b * n, n_query_features)),
            jnp.broadcast_to(items, (b, b * n, items.shape[-1])),
        ],
        axis=-1,
    )
    is_own = jnp.repeat(jnp.eye(b, dtype=bool), n, axis=1)  # (b, b·n)

    def tile(values: jax.Array) -> jax.Array:
        return jnp.broadcast_to(values.reshape(1, b * n), (b, b * n))

    labels = jnp.where(is_own, tile(y), 0.0)
    is_real = tile(where) & where[:, :1]  # an empty list scores nothing
    return pairs, labels, is_real, None if weights is None else tile(weights)


def batches_of(shapes: Sequence[tuple[int, ...]], sharding: Any = None) -> list[Any]:
    """Describe mini-batches of rows to the compiler.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Lists and list sizes; the number of processes first, if there are several.
    sharding : Sharding, optional
        How devices share them.

    Returns
    -------
    batches : list of ShapeDtypeStruct
    """
    return [jax.ShapeDtypeStruct(s, np.int32, sharding=sharding) for s in shapes]


class Lists(Protocol):
    """What an epoch visits."""

    @property
    def data(self) -> Data:
        """The rows, or those of the first buffer of a stream."""

    @property
    def packed(self) -> PackedLists:
        """Lists of these rows."""

    @property
    def batch_size(self) -> int:
        """Lists in a full mini-batch."""

    @property
    def shapes(self) -> list[Shape]:
        """Shapes of mini-batches that are known beforehand."""

    @property
    def batches(self) -> list[jax.ShapeDtypeStruct]:
        """What a mini-batch of each of these shapes looks like to the compiler."""

    @property
    def n_lists(self) -> int:
        """Lists that the last epoch has visited."""

    @property
    def steps_per_epoch(self) -> int | None:
        """Mini-batches of the first epoch; None if they are not known beforehand."""

    def epoch(
        self, number: int, rng: np.random.Generator
    ) -> Iterator[tuple[Data, Rows]]:
        """Mini-batches (batch_size, list_size) of rows, every list once."""


@dataclass(frozen=True)
class ResidentLists:
    """Lists whose rows stay on the device.

    Attributes
    ----------
    data : Data
        The rows.
    packed : PackedLists
        Their lists.
    """

    data: Data
    packed: PackedLists

    def without(self, left_out: BoolArray) -> ResidentLists:
        """Lists of which some have the weight 0.

        They stay in their mini-batches: the shapes, and so the compiled programs, are
        those of all lists.

        Parameters
        ----------
        left_out : bool array of shape (n_samples,)
            Rows of these lists.

        Returns
        -------
        lists : ResidentLists
        """
        weights = self.data.list_weights
        mask = np.ones(len(weights), dtype=weights.dtype)
        mask[: len(left_out)] = ~left_out
        return replace(self, data=self.data._replace(list_weights=weights * mask))

    @property
    def batches(self) -> list[jax.ShapeDtypeStruct]:
        """Mini-batches of all shapes."""
        return batches_of(self.shapes)

    @property
    def batch_size(self) -> int:
        """Lists in a full mini-batch."""
        return self.packed.batch_size

    @property
    def shapes(self) -> list[Shape]:
        """Shapes of all mini-batches."""
        return self.packed.shapes

    @property
    def n_lists(self) -> int:
        """Number of lists."""
        return self.packed.n_lists

    @property
    def steps_per_epoch(self) -> int:
        """Number of mini-batches."""
        return self.packed.n_batches

    def epoch(
        self, number: int, rng: np.random.Generator
    ) -> Iterator[tuple[Data, Rows]]:
        """Yield the mini-batches of an epoch, see :meth:`PackedLists.epoch`.

        Parameters
        ----------
        number : int
            Of the epoch, from 0; not read.
        rng : numpy Generator
            Source of the order.

        Yields
        ------
        data : Data
            The same in each.
        rows : int array of shape (batch_size, list_size)
        """
        return ((self.data, rows) for rows in self.packed.epoch(rng))
