"""Rows of every list in ranked order, tied scores included.

All metrics start from :func:`rank_lists`. A ranked row is a *slot*; slots of one list
stand together, best score first. With ``ties="average"`` a slot knows the positions
``[tie_begin, tie_end)`` that its tie group occupies, and a metric takes its expected
value over the orders inside the group (McSherry & Najork, "Computing information
retrieval performance measures efficiently in the presence of tied scores", ECIR 2008).
With any other rule each slot has a tie group of its own.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import BoolArray, FloatArray, IntArray, Queries, group_queries

Ties = Literal["average", "first", "worst", "trec"]
Empty = Literal["skip", 0, 1]
TIES = ("average", "first", "worst", "trec")


@dataclass(frozen=True)
class RankedLists:
    """Slots of all lists, list by list, best score first.

    Attributes
    ----------
    queries : Queries
        The lists.
    labels : float array of shape (n_samples,)
        Label of each slot.
    scores : float array of shape (n_samples,)
        Score of each slot.
    rows : int array of shape (n_samples,)
        Row of each slot.
    position : int array of shape (n_samples,)
        0-based position in its list.
    tie_begin, tie_end : int arrays of shape (n_samples,)
        Positions ``[tie_begin, tie_end)`` that its tie group occupies.
    """

    queries: Queries
    labels: FloatArray
    scores: FloatArray
    rows: IntArray
    position: IntArray
    tie_begin: IntArray
    tie_end: IntArray

    @property
    def list_of_slot(self) -> IntArray:
        """Number of the list of each slot."""
        return np.repeat(np.arange(self.queries.n_lists), self.queries.sizes)

    def sum_lists(self, values: FloatArray | BoolArray) -> FloatArray:
        """Sum a value per slot over each list, shape (n_lists,)."""
        starts = self.queries.starts[:-1]
        return np.add.reduceat(values.astype(np.float64), starts)

    def expected_weight(self, weights: FloatArray) -> FloatArray:
        """Mean of a weight per position over the tie group of each slot.

        Parameters
        ----------
        weights : float array of shape (max_list_size,)
            Weight of positions 0, 1, ….

        Returns
        -------
        expected : float array of shape (n_samples,)
        """
        expected = weights[self.position]
        tied = np.flatnonzero(self.tie_end - self.tie_begin > 1)
        if len(tied):
            total = np.concatenate([[0.0], np.cumsum(weights)])
            begin, end = self.tie_begin[tied], self.tie_end[tied]
            expected[tied] = (total[end] - total[begin]) / (end - begin)
        return expected


def rank_lists(
    y_true: ArrayLike,
    y_score: ArrayLike,
    qid: ArrayLike | Queries | None,
    ties: Ties = "average",
    docids: ArrayLike | None = None,
) -> RankedLists:
    """Sort the rows of every list by score.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, finite.
    y_score : array-like of shape (n_samples,)
        Scores, higher is better; infinite is allowed, NaN is not.
    qid : array-like of shape (n_samples,), Queries or None
        List of each row. None: one list.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores: expected value over all orders; order of the rows;
        lowest label first; or trec_eval's rule, descending ``docids`` after rounding
        the scores to float32.
    docids : array-like of shape (n_samples,), optional
        Document ids, for ``ties="trec"``.

    Returns
    -------
    ranked : RankedLists

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, there are no rows, or ``ties`` needs
        ``docids`` that are not given.

    Examples
    --------
    >>> ranked = rank_lists([0, 1, 2], [0.5, 0.9, 0.5], None)
    >>> ranked.rows.tolist(), ranked.tie_begin.tolist(), ranked.tie_end.tolist()
    ([1, 0, 2], [0, 1, 1], [1, 3, 3])
    """
    if ties not in TIES:
        raise ValueError(f"ties must be one of {TIES}; got {ties!r}.")
    labels = _column(y_true, "y_true")
    scores = _column(y_score, "y_score", finite=False)
    if len(labels) != len(scores):
        raise ValueError(
            "y_true and y_score must have the same length; got "
            f"{len(labels)} labels and {len(scores)} scores."
        )
    if len(labels) == 0:
        raise ValueError("y_true must have at least one row; got an empty array.")
    queries = qid if isinstance(qid, Queries) else None
    if queries is None:
        queries = group_queries(qid, len(labels), rows_of="y_true")  # type: ignore[arg-type]
    if queries.n_samples != len(labels):
        raise ValueError(
            f"qid must have one entry per row of y_true; got {queries.n_samples} "
            f"entries for {len(labels)} rows."
        )

    rows = _sorted_rows(labels, scores, queries, ties, docids)
    sizes, starts = queries.sizes, queries.starts[:-1]
    list_start = np.repeat(starts, sizes)
    position = np.arange(len(rows)) - list_start
    ranked_scores = scores[rows]
    if ties == "average":
        new = np.ones(len(rows), dtype=bool)
        new[1:] = ranked_scores[1:] != ranked_scores[:-1]
        new[starts] = True
        begin = np.flatnonzero(new)
        length = np.diff(np.concatenate([begin, [len(rows)]]))
        tie_begin = np.repeat(begin, length) - list_start
        tie_end = tie_begin + np.repeat(length, length)
    else:
        tie_begin, tie_end = position, position + 1
    return RankedLists(
        queries, labels[rows], ranked_scores, rows, position, tie_begin, tie_end
    )


def summarize(
    values: FloatArray,
    blank: BoolArray,
    empty: Empty,
    per_query: bool,
    blank_means: str = "no list has a relevant item",
) -> FloatArray | float:
    """Apply the policy for blank lists, then average over lists if asked to.

    Parameters
    ----------
    values : float array of shape (n_lists,)
        Metric of each list.
    blank : bool array of shape (n_lists,)
        Lists for which the metric is not defined.
    empty : {"skip", 0, 1}
        Leave blank lists out, or count them with that value.
    per_query : bool
        Return all lists, skipped ones as NaN.
    blank_means : str
        What to say if every list is blank.

    Returns
    -------
    values : float array of shape (n_lists,), or float
        Mean over lists unless ``per_query``; NaN, with a warning, if all are skipped.

    Examples
    --------
    >>> summarize(np.array([0.5, 0.0]), np.array([False, True]), "skip", False)
    0.5
    """
    if empty not in ("skip", 0, 1):
        raise ValueError(f"empty must be 'skip', 0 or 1; got {empty!r}.")
    fill = np.nan if empty == "skip" else float(empty)
    values = np.where(blank, fill, values)
    if per_query:
        return values
    counted = values[~np.isnan(values)]
    if len(counted) == 0:
        warnings.warn(
            f"The mean is not defined and nan is returned: {blank_means}. "
            "Pass empty=0 or empty=1 to count such lists.",
            UserWarning,
            stacklevel=3,
        )
        return float("nan")
    return float(counted.mean())


def check_k(k: int | None) -> None:
    """Raise unless ``k`` is None or a whole number ≥ 1."""
    if k is not None and (k < 1 or k != int(k)):
        raise ValueError(f"k must be a whole number >= 1, or None; got {k!r}.")


def _column(values: ArrayLike, name: str, finite: bool = True) -> FloatArray:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional; got shape {column.shape}. "
            "Flatten it and pass the list of each row as qid."
        )
    bad = ~np.isfinite(column) if finite else np.isnan(column)
    if bad.any():
        row = int(bad.argmax())
        need = "finite" if finite else "a number, not nan"
        raise ValueError(f"{name} must be {need}; got {column[row]} at row {row}.")
    return column


def _sorted_rows(
    labels: FloatArray,
    scores: FloatArray,
    queries: Queries,
    ties: Ties,
    docids: ArrayLike | None,
) -> IntArray:
    if ties == "trec":
        if docids is None:
            raise ValueError("docids is required by ties='trec'. Pass docids=….")
        _, doc_code = np.unique(np.asarray(docids), return_inverse=True)
        if len(doc_code) != len(labels):
            raise ValueError(
                f"docids must have one entry per row of y_true; got {len(doc_code)} "
                f"entries for {len(labels)} rows."
            )
        single = scores.astype(np.float32)
        return np.lexsort((-doc_code, -single, queries.codes))
    if ties == "worst":
        return np.lexsort((labels, -scores, queries.codes))
    return np.lexsort((-scores, queries.codes))
