"""Scores and ranks of items as functions of one of their features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from ltr.arguments import ArgumentError, check_seed, check_whole
from ltr.inspection.tables import (
    column_number,
    column_of,
    names_of,
    read_inputs,
    take_rows,
    text_table,
    with_column,
)
from ltr.model_selection.scoring import predict_lists
from ltr.queries import FloatArray, IntArray, check_rows, group_queries, is_missing

_CHUNK_ROWS = 2**18  # copies of lists in memory at a time


@dataclass(frozen=True)
class PartialDependence:
    """What :func:`partial_dependence` returns; it prints as a table.

    Attributes
    ----------
    feature : str
        Name of the column.
    grid : array of shape (n_points,)
        Values of the feature.
    rows : int array of shape (n_items,)
        Rows of ``X`` that were varied.
    changes : float array of shape (n_items, n_points)
        Score with that value less the score as it is: a curve an item (individual
        conditional expectation).
    ranks : float array of shape (n_items, n_points)
        Rank in its list with that value, 1 for the best; equal scores share the mean.
    mean_change, mean_rank : float arrays of shape (n_points,)
        Means over items: partial dependence.
    values : array of shape (n_items,)
        Values of the feature as they are.

    Examples
    --------
    >>> from ltr import LinearRanker
    >>> X = [[5.0], [2.0]]
    >>> ranker = LinearRanker(alpha=0.0, preprocess=None).fit(X, [1, 0])
    >>> partial_dependence(ranker, X, 0, grid=[0.0, 9.0]).mean_rank.tolist()
    [2.0, 1.0]
    """

    feature: str
    grid: Any
    rows: IntArray
    changes: FloatArray
    ranks: FloatArray
    mean_change: FloatArray
    mean_rank: FloatArray
    values: Any

    def __repr__(self) -> str:
        """Mean change of the score and mean rank, value by value."""
        columns = np.column_stack([self.mean_change, self.mean_rank])
        labels = [
            f"{value:.4g}" if isinstance(value, float) else str(value)
            for value in self.grid
        ]
        title = f"{self.feature}, means of {len(self.rows)} items"
        return title + "\n" + text_table(columns, labels, ["change of score", "rank"])


def partial_dependence(
    ranker: Any,
    X: Any,
    feature: int | str,
    qid: ArrayLike | None = None,
    *,
    grid: int | ArrayLike = 20,
    n_items: int = 50,
    random_state: Any = None,
) -> PartialDependence:
    """Scores and ranks of items as functions of one feature, in their lists.

    One item at a time gets another value, while the other items of its list stay as
    they are. So rankers that compare the items of a list are described, too, and the
    rank of the item says what the change is worth.

    Parameters
    ----------
    ranker : fitted estimator
        With ``predict(X)`` or ``predict(X, qid)``.
    X : array-like of shape (n_samples, n_features)
        Features.
    feature : int or str
        Column to vary.
    qid : array-like of shape (n_samples,), default=None
        Query of each row. None: one query.
    grid : int or array-like, default=20
        Values of the feature; a number: as many quantiles of its values, or all values
        if they are fewer or not numbers.
    n_items : int, default=50
        Rows to vary; drawn, if ``X`` has more.
    random_state : int, RandomState or None, default=None
        Seed of the draw.

    Returns
    -------
    dependence : PartialDependence
        Draw it with :class:`ltr.plotting.PartialDependenceDisplay`.

    Raises
    ------
    ValueError
        If an input is invalid, or ``X`` is sparse.

    Notes
    -----
    Scores are compared with the score of the same item, since most rankers give the
    lists no common level. The mean over items assumes that the feature can change while
    the others stay as they are.

    References
    ----------
    .. [1] Friedman, "Greedy function approximation", Annals of Statistics 29, 2001,
       section 8.2.
    .. [2] Goldstein et al., "Peeking inside the black box", JCGS 24, 2015.

    Examples
    --------
    >>> from ltr import LinearRanker
    >>> ranker = LinearRanker(preprocess=None).fit([[1.0], [2.0], [4.0]], [0, 1, 2])
    >>> dependence = partial_dependence(ranker, [[1.0], [2.0], [4.0]], 0, grid=[0.0, 9])
    >>> dependence.ranks.tolist()
    [[3.0, 1.0], [3.0, 1.0], [3.0, 1.0]]
    """
    check_whole("n_items", n_items, low=1)
    check_seed("random_state", random_state)
    check_rows({"X": X, "qid": qid})
    table = read_inputs(ranker, X)
    names = names_of(table)
    column = column_number(feature, names)
    queries = group_queries(qid, len(table), rows=X)
    points = _grid(column_of(table, column), grid)
    if not len(points):
        raise ArgumentError(
            f"X must have values of feature {names[column]!r}; all are missing. Pass "
            "grid=, the values to try."
        )
    rows = np.arange(len(table))
    if len(rows) > n_items:
        rng = check_random_state(random_state)
        rows = np.sort(rng.choice(rows, n_items, replace=False))
    scores = np.asarray(predict_lists(ranker, table, qid), dtype=np.float64)
    changes, ranks = (np.empty((len(rows), len(points))) for _ in range(2))
    lists = np.split(queries.order, queries.starts[1:-1])
    for i, row in enumerate(rows):
        members = lists[queries.codes[row]]
        place = int(np.flatnonzero(members == row)[0])
        of_copies = _scores_of_copies(ranker, table, column, members, place, points)
        own = of_copies[:, [place]]  # (n_points, 1)
        changes[i] = own[:, 0] - scores[row]
        better = (of_copies > own).sum(axis=1)
        ranks[i] = better + ((of_copies == own).sum(axis=1) + 1) / 2
    values = column_of(table, column)
    return PartialDependence(
        feature=names[column],
        grid=points,
        rows=rows,
        changes=changes,
        ranks=ranks,
        mean_change=changes.mean(axis=0),
        mean_rank=ranks.mean(axis=0),
        values=np.asarray(values)[rows],
    )


def _grid(values: Any, grid: int | ArrayLike) -> Any:
    """Values of the feature to try."""
    if not isinstance(grid, (int, np.integer)) or isinstance(grid, bool):
        points = np.asarray(grid)
        if points.ndim != 1 or not len(points):
            raise ArgumentError(
                f"grid must be a number of values, or values; got {grid!r:.100}."
            )
        return points
    check_whole("grid", grid, low=2)
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        distinct = {value for value in array.tolist() if not is_missing(value)}
        return np.array(sorted(distinct, key=str), dtype=array.dtype)
    array = array[~np.isnan(array)] if array.dtype.kind == "f" else array
    distinct_numbers = np.unique(array)
    if len(distinct_numbers) <= grid:
        return distinct_numbers
    return np.unique(np.quantile(array, np.linspace(0, 1, int(grid))))


def _scores_of_copies(
    ranker: Any,
    table: Any,
    column: int,
    members: IntArray,
    place: int,
    points: Any,
) -> FloatArray:
    """Scores of a list with each value at one item, shape (n_points, list_size)."""
    size = len(members)
    step = max(1, _CHUNK_ROWS // size)
    parts = []
    for start in range(0, len(points), step):
        block = points[start : start + step]
        copies = take_rows(table, np.tile(members, len(block)))
        values = column_of(copies, column)
        if hasattr(values, "iloc"):
            values = values.copy()
            values.iloc[place::size] = block
            values = values.array
        else:
            kind = np.result_type(values.dtype, block.dtype)
            copies, values = copies.astype(kind), values.astype(kind)
            values[place::size] = block
        of_copy = np.repeat(np.arange(len(block)), size)
        scores = predict_lists(ranker, with_column(copies, column, values), of_copy)
        parts.append(np.reshape(scores, (len(block), size)))
    return np.concatenate(parts).astype(np.float64)
