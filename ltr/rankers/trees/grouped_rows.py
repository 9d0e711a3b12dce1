"""Rows of a training set as LightGBM wants them: those of a query side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray, Queries, group_queries
from ltr.rankers.inputs import TrainingSet


@dataclass(frozen=True)
class GroupedRows:
    """Rows of a training set, those of a query next to each other.

    Attributes
    ----------
    X : array or sparse matrix of shape (n_rows, n_features)
        Features; the input itself if its rows are grouped already.
    y : float array of shape (n_rows,)
        Labels.
    queries : Queries
        Queries of these rows.
    row_weights, list_weights : float arrays of shape (n_rows,) or None
        Weight of each row, and of its query.
    extras : dict of str to float array of shape (n_rows,)
        Further inputs of a loss.
    """

    X: Any
    y: FloatArray
    queries: Queries
    row_weights: FloatArray | None
    list_weights: FloatArray | None
    extras: dict[str, FloatArray]

    @property
    def weights(self) -> FloatArray | None:
        """Row weights times list weights."""
        if self.row_weights is None or self.list_weights is None:
            return self.list_weights if self.row_weights is None else self.row_weights
        return self.row_weights * self.list_weights

    @property
    def position(self) -> IntArray | None:
        """Logged positions."""
        return _whole(self.extras["position"]) if "position" in self.extras else None


def group_rows(data: TrainingSet, lists: BoolArray) -> GroupedRows:
    """Sort rows by query, without a copy if they are sorted already.

    Parameters
    ----------
    data : TrainingSet
        Checked input.
    lists : bool array of shape (n_lists,)
        Lists to take.

    Returns
    -------
    grouped : GroupedRows
    """
    queries = data.queries
    if lists.all() and queries.is_grouped:
        order: IntArray | slice = slice(None)
    else:
        rows = queries.subset(lists)
        order = rows[np.argsort(queries.codes[rows], kind="stable")]
    codes = queries.codes[order]
    row_weights, list_weights = data.weights, data.list_weights
    return GroupedRows(
        X=data.X if isinstance(order, slice) else data.X[order],
        y=data.y[order],
        queries=group_queries(codes, len(codes)),
        row_weights=None if row_weights is None else row_weights[order],
        list_weights=None if list_weights is None else list_weights[codes],
        extras={name: values[order] for name, values in data.extras.items()},
    )


def _whole(position: FloatArray) -> IntArray:
    """Return positions as integers."""
    bad = (position != np.floor(position)) | (position < 0) | (position >= 2**31)
    if bad.any():
        raise ValueError(
            f"position must hold whole numbers >= 0; got {position[bad.argmax()]:g}."
        )
    return position.astype(np.intp)
