"""Features of pairs: one flat table, whatever the sizes of the lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.queries import BoolArray, FloatArray, IntArray, Queries

if TYPE_CHECKING:
    from ltr.training.hosts import Hosts

Array = Any  # NumPy or JAX


class PairScaling(NamedTuple):
    """Mean and standard deviation of each feature of pairs.

    Attributes
    ----------
    mean, scale : float array of shape (n_pair_features,)
        A constant feature has scale 1, so it becomes 0.
    """

    mean: FloatArray
    scale: FloatArray

    def transform(self, values: FloatArray) -> FloatArray:
        """Center and scale, shape (..., n_pair_features)."""
        return np.asarray((values - self.mean) / self.scale)


class PairTable(NamedTuple):
    """Features of all pairs of items of each list; rows can be picked like those of X.

    The pair of the items at positions p and q of a list of n items is entry
    ``offset + p n + q``, and ``base`` is ``offset + p n``.

    Attributes
    ----------
    values : array of shape (Σ n², n_pair_features)
        The features, list by list.
    base : int array of shape (n_samples,)
        Entry of the pair of each row with the first item of its list.
    position : int array of shape (n_samples,)
        Position of each row in its list.
    """

    values: Array
    base: Array
    position: Array

    @classmethod
    def of_lists(cls, lists: Sequence[FloatArray], queries: Queries) -> PairTable:
        """Make a table.

        Parameters
        ----------
        lists : sequence of array of shape (list_size, list_size, n_pair_features)
            One per list, items in the order of the rows.
        queries : Queries
            The lists.

        Returns
        -------
        table : PairTable

        Examples
        --------
        >>> from ltr.queries import group_queries
        >>> queries = group_queries([7, 8, 8], 3)
        >>> lists = [np.zeros((1, 1, 1)), np.arange(4.0).reshape(2, 2, 1)]
        >>> table = PairTable.of_lists(lists, queries)
        >>> table.block(np.array([[2, 1]]))[0, :, :, 0]
        array([[3., 2.],
               [1., 0.]])
        """
        sizes = queries.sizes
        position = np.empty(queries.n_samples, dtype=np.intp)
        position[queries.order] = np.arange(queries.n_samples) - np.repeat(
            queries.starts[:-1], sizes
        )
        offsets = np.concatenate([[0], np.cumsum(sizes**2)[:-1]])
        base = offsets[queries.codes] + position * sizes[queries.codes]
        values = np.concatenate([f.reshape(-1, f.shape[-1]) for f in lists])
        return cls(values, base, position)

    @property
    def n_features(self) -> int:
        """Number of features of a pair."""
        return int(self.values.shape[-1])

    def rows(self, index: IntArray | BoolArray) -> PairTable:
        """Pick rows, as ``X[index]`` does; the values stay."""
        return self._replace(base=self.base[index], position=self.position[index])

    def joined(self, other: PairTable) -> PairTable:
        """Rows of another table after those of this one."""
        return PairTable(
            np.concatenate([self.values, other.values]),
            np.concatenate([self.base, other.base + len(self.values)]),
            np.concatenate([self.position, other.position]),
        )

    def block(self, rows: Array) -> Array:
        """Features of all pairs of lists.

        Parameters
        ----------
        rows : int array of shape (n_lists, list_size)
            Row of each item; those of one list in each row.

        Returns
        -------
        features : array of shape (n_lists, list_size, list_size, n_pair_features)
        """
        entries = self.base[rows][:, :, None] + self.position[rows][:, None, :]
        return self.values[entries]

    def scaled(self, scaling: PairScaling | None) -> PairTable:
        """Center and scale the values."""
        if scaling is None:
            return self
        return self._replace(values=scaling.transform(self.values))


def fit_pair_scaling(
    table: PairTable, queries: Queries, hosts: Hosts | None = None
) -> PairScaling:
    """Moments of the features over all pairs of two items.

    Parameters
    ----------
    table : PairTable
        The features of the pairs of lists.
    queries : Queries
        These lists, or some of the lists of the table and its rows for them.
    hosts : Hosts, optional
        Processes with other lists: the moments are those of all pairs.

    Returns
    -------
    scaling : PairScaling

    Examples
    --------
    >>> from ltr.queries import group_queries
    >>> queries = group_queries(None, 2)
    >>> lists = [np.array([[9.0, 1.0], [3.0, 9.0]])[:, :, None]]
    >>> scaling = fit_pair_scaling(PairTable.of_lists(lists, queries), queries)
    >>> scaling.mean, scaling.scale
    (array([2.]), array([1.]))
    """
    is_used = np.zeros(len(table.values), dtype=bool)
    for rows in np.split(queries.order, queries.starts[1:-1]):
        is_used[table.base[rows][:, None] + table.position[rows]] = True
    is_used[table.base + table.position] = False  # the diagonals
    values: NDArray[np.float64] = table.values[is_used]
    if hosts is not None and hosts.n > 1:
        values = hosts.concatenated(np.asarray(values, dtype=np.float64))
    if len(values) == 0:
        return PairScaling(np.zeros(table.n_features), np.ones(table.n_features))
    # a power of two near the largest value, so that no square over- or underflows
    exponents = np.frexp(np.abs(values).max(axis=0))[1] - 1
    values = np.ldexp(values, -exponents)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    rounding = 1e-12 * np.abs(values).max(axis=0)
    varies = scale > rounding
    return PairScaling(
        np.ldexp(mean, exponents), np.where(varies, np.ldexp(scale, exponents), 1.0)
    )
