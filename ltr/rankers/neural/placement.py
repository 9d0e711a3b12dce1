"""From checked rows to the arrays that a step of training reads, on the device."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ltr.lists import PackedLists, aligned_zeros, padded_length, with_padding_rows
from ltr.queries import BoolArray
from ltr.rankers.inputs import TrainingSet
from ltr.rankers.neural.options import TrainingOptions
from ltr.rankers.neural.scaling import Scaling, transform_into
from ltr.rankers.query_features import JoinedRows
from ltr.rankers.sparse_features import is_sparse
from ltr.training import Data
from ltr.training.pair_table import PairScaling, PairTable
from ltr.training.query_rows import QueryRows
from ltr.training.sparse_rows import SparseRows, place_rows


def place_data(
    options: TrainingOptions,
    data: TrainingSet,
    scaling: Scaling | None,
    pair_scaling: PairScaling | None,
    trained_lists: BoolArray,
    packed: PackedLists,
) -> Data:
    """Rows with their padding, on the device.

    Features are scaled into the buffer that the device then reads, if it is the CPU.

    Parameters
    ----------
    options : TrainingOptions
        Precision, and whether the rows are a piece of a stream.
    data : TrainingSet
        Checked rows.
    scaling : FeatureScaling, ListScaling or None
        What the features go through.
    pair_scaling : PairScaling or None
        What the features of pairs go through.
    trained_lists : bool array of shape (n_lists,)
        Lists whose weights have the mean 1.
    packed : PackedLists
        The same lists, in mini-batches.

    Returns
    -------
    data : Data
    """

    def put(values: NDArray[Any]) -> jax.Array:
        return jnp.asarray(
            with_padding_rows(values, options.array_dtype, options.is_stream)
        )

    def put_features() -> jax.Array | SparseRows | QueryRows:
        is_joined = isinstance(data.X, JoinedRows)
        table: Any = data.X
        if scaling is not None and (is_joined or is_sparse(table)):
            table = scaling.transform(table, data.queries)
        if is_joined:
            codes = np.full(padded_length(len(data.y)), len(table.of_queries))
            codes[: len(data.y)] = table.codes
            of_queries, of_items = put(table.of_queries), put(table.of_items)
            return QueryRows(of_queries, of_items, jnp.asarray(codes, jnp.int32))
        if is_sparse(table):
            return place_rows(
                table, packed, options.array_dtype, is_reusable=options.is_stream
            )
        n_rows = padded_length(len(data.y), options.is_stream)
        X = aligned_zeros((n_rows, data.X.shape[1]), options.array_dtype)
        transform_into(X, data.X, scaling, data.queries, data.weights)
        return jax.device_put(X, may_alias=True)

    def put_pairs(table: PairTable) -> PairTable:
        first_pair = (  # for padding: any pair will do
            jnp.asarray(with_padding_rows(column, np.int32, options.is_stream))
            for column in (table.base, table.position)
        )
        return PairTable(put(table.scaled(pair_scaling).values), *first_pair)

    list_weights = np.ones(len(trained_lists))
    if data.list_weights is not None and trained_lists.any():
        list_weights = data.list_weights / data.list_weights[trained_lists].mean()
    return Data(
        n_samples=len(data.y),
        X=put_features(),
        y=put(data.y),
        weights=None if data.weights is None else put(data.weights),
        list_weights=put(list_weights[data.queries.codes]),
        extras={name: put(values) for name, values in data.extras.items()},
        pairs=None if data.pairs is None else put_pairs(data.pairs),
    )


def values_of_row(X: Any) -> int:
    """Values of a row that a step multiplies."""
    if is_sparse(X):
        return max(1, round(X.nnz / X.shape[0]))
    return int(X.shape[1])
