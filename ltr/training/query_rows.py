"""Rows on the device whose first columns are those of their query, kept once."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class QueryRows(NamedTuple):
    """Features of items and queries, joined for the rows of a mini-batch.

    Attributes
    ----------
    of_queries : array of shape (n_queries or more, n_query_features)
        Features of each query; the last row is 0, for padding.
    of_items : array of shape (n_rows, n_item_features)
        Features of each item.
    codes : int array of shape (n_rows,)
        Query of each row.
    """

    of_queries: jax.Array
    of_items: jax.Array
    codes: jax.Array

    def __getitem__(self, rows: jax.Array) -> jax.Array:  # type: ignore[override]
        """Features of a mini-batch, (b, n) to (b, n, n_features)."""
        parts = [self.of_queries[self.codes[rows]], self.of_items[rows]]
        return jnp.concatenate(parts, axis=-1)
