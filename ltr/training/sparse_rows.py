"""Sparse features on the device: the non-zero values of all rows, one after the other.

A mini-batch of lists gathers its values into one axis of a fixed length, which depends
only on the padded size of the lists. A long row then costs what it holds: padding all
rows to the longest would cost several times the memory and time where lengths vary, as
those of texts do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import DTypeLike, NDArray

from ltr.list_sizes import round_up
from ltr.lists import PackedLists, with_padding_rows

_MAX_VALUES = 2**31 - 1  # positions are int32 on the device


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SparseRows:
    """A matrix in compressed rows, from which mini-batches gather.

    Attributes
    ----------
    starts, counts : int array of shape (n_rows,)
        Place of the first value of each row, and how many it has; 0 in padding rows.
    columns : int array of shape (n_values,)
        Column of each value.
    values : array of shape (n_values,)
        The values.
    n_columns : int
        Number of features.
    capacities : tuple of (int, int)
        Padded size of a list, and the most values in a mini-batch of such lists.
    """

    starts: jax.Array
    counts: jax.Array
    columns: jax.Array
    values: jax.Array
    n_columns: int = field(metadata={"static": True})
    capacities: tuple[tuple[int, int], ...] = field(metadata={"static": True})

    def __getitem__(self, rows: jax.Array) -> SparseItems:
        """Features of a mini-batch of rows (b, n)."""
        n_values = dict(self.capacities)[rows.shape[1]]  # t
        flat = rows.reshape(-1)  # (b·n,)
        ends = jnp.cumsum(self.counts[flat])
        starts = ends - self.counts[flat]
        # item of each value: as many begin at or before it, those without values, too
        marks = jnp.zeros(n_values, jnp.int32).at[starts].add(1, mode="drop")
        item = jnp.cumsum(marks) - 1  # (t,)
        place = jnp.arange(n_values)
        source = self.starts[flat][item] + place - starts[item]
        source = jnp.clip(source, 0, len(self.values) - 1)
        is_real = place < ends[-1]
        return SparseItems(
            (*rows.shape, self.n_columns),
            item,
            self.columns[source],
            jnp.where(is_real, self.values[source], 0.0),
        )


@dataclass(frozen=True)
class SparseItems:
    """Features of items, of which a scorer needs the product with its weights only.

    Attributes
    ----------
    shape : tuple of int
        (..., n_features), the shape of the dense array.
    item : int array of shape (n_values,)
        Number of the item of each value, ascending.
    columns : int array of shape (n_values,)
        Column of each value.
    values : array of shape (n_values,)
        The values; 0 where there is none.
    """

    shape: tuple[int, ...]
    item: jax.Array
    columns: jax.Array
    values: jax.Array

    def reshape(self, *shape: int) -> SparseItems:
        """The same items along other axes; the last one must stay."""
        n_items = int(np.prod(self.shape[:-1]))
        n_others = int(np.prod([size for size in shape[:-1] if size != -1]))
        axes = [n_items // max(n_others, 1) if s == -1 else s for s in shape[:-1]]
        return SparseItems((*axes, shape[-1]), self.item, self.columns, self.values)

    def __matmul__(self, weight: jax.Array) -> jax.Array:
        """Map (n_items, n_features) by weights (n_features, n_out)."""
        # z_i = Σ_t [item_t = i] x_t w_{column_t}; its gradient is a scatter-add
        terms = weight[self.columns] * self.values[:, None]  # (t, n_out)
        return jax.ops.segment_sum(
            terms, self.item, self.shape[0], indices_are_sorted=True
        )


def place_rows(
    X: Any, packed: PackedLists, dtype: DTypeLike, *, is_reusable: bool
) -> SparseRows:
    """Put a sparse matrix on the device.

    Parameters
    ----------
    X : CSR matrix of shape (n_samples, n_features)
        Features, scaled.
    packed : PackedLists
        Lists that mini-batches consist of.
    dtype : dtype
        Precision of the values.
    is_reusable : bool
        Whether the next piece of a stream should meet the same shapes.

    Returns
    -------
    rows : SparseRows

    Raises
    ------
    ValueError
        If it has 2³¹ values or more.
    """
    if X.nnz > _MAX_VALUES:
        raise ValueError(
            f"X must have at most 2^31 - 1 non-zero values; got {X.nnz}. Call "
            "partial_fit for parts of the queries."
        )

    def put(values: NDArray[Any], kind: DTypeLike) -> jax.Array:
        return jnp.asarray(with_padding_rows(values, kind, is_reusable))

    return SparseRows(
        starts=put(X.indptr[:-1], np.int32),
        counts=put(np.diff(X.indptr), np.int32),
        columns=put(X.indices, np.int32),
        values=put(X.data, dtype),
        n_columns=X.shape[1],
        capacities=capacities_of(X, packed, is_reusable=is_reusable),
    )


def capacities_of(
    X: Any, packed: PackedLists, *, is_reusable: bool
) -> tuple[tuple[int, int], ...]:
    """The most values in a mini-batch, for each padded size of a list.

    Parameters
    ----------
    X : CSR matrix of shape (n_samples, n_features)
        Features.
    packed : PackedLists
        Lists that mini-batches consist of.
    is_reusable : bool
        Whether to round up to a power of two, and not to the next size of the grid.

    Returns
    -------
    capacities : tuple of (int, int)
        List sizes, ascending, and numbers of values.
    """
    counts = np.append(np.diff(X.indptr), 0)  # of the padding row, too
    capacities: dict[int, int] = {}
    for bucket in packed.buckets:
        in_lists = np.sort(counts[bucket.rows].sum(axis=1))  # (n_lists,)
        n_values = int(in_lists[-bucket.batch_size :].sum())
        most = max(n_values, 1, capacities.get(bucket.list_size, 0))
        size = 1 << (most - 1).bit_length() if is_reusable else round_up(np.array(most))
        capacities[bucket.list_size] = int(size)
    return tuple(sorted(capacities.items()))
