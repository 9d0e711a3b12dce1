"""Rows of every list in ranked order, tied scores included.

All metrics start from :func:`rank_lists`. A ranked row is a *slot*; slots of one list
are adjacent, best score first. With ``ties="average"`` a slot knows the positions
``[tie_begin, tie_end)`` that its tie group occupies, and a metric takes its expected
value over the orders inside the group (McSherry & Najork, "Computing information
retrieval performance measures efficiently in the presence of tied scores", ECIR 2008).
With any other rule each slot has a tie group of its own.

A run may have missed judged documents. Their slots are the last ones of their list, not
``returned``: they count among the relevant and in the ideal order, and gain nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import ArgumentError, check_choice
from ltr.metrics.relevant import RelevantSlots
from ltr.metrics.text_keys import column_of_ids, text_keys
from ltr.queries import (
    BoolArray,
    FloatArray,
    IntArray,
    Queries,
    check_rows,
    group_queries,
)

Ties = Literal["average", "first", "worst", "trec"]
Docids = Callable[[IntArray], NDArray[Any]]
TIES = ("average", "first", "worst", "trec")
_ROWS_PER_SORT = 300  # with fewer, one sort of all rows takes less time than many


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
    average_ties : bool
        Whether equal scores of a list form one tie group.
    returned : bool array of shape (n_samples,), optional
        Whether a run returned the document. None: all of them.
    judged : bool array of shape (n_samples,), optional
        Whether the document has a judgment. None: all of them.
    unsampled : bool array of shape (n_samples,), optional
        Whether the document was in the pool but not in the sample of it that was
        judged. None: those with a label below 0.

    Examples
    --------
    >>> lists = rank_lists([0, 1, 2], [0.5, 0.9, 0.5], None)
    >>> lists.labels.tolist(), lists.tie_begin.tolist(), lists.tie_end.tolist()
    ([1.0, 0.0, 2.0], [0, 1, 1], [1, 3, 3])
    """

    queries: Queries
    labels: FloatArray
    scores: FloatArray
    rows: IntArray
    average_ties: bool
    returned: BoolArray | None = None
    judged: BoolArray | None = None
    unsampled: BoolArray | None = None
    _relevant: dict[float, RelevantSlots] = field(default_factory=dict, repr=False)

    @cached_property
    def list_of_slot(self) -> IntArray:
        """Number of the list of each slot, shape (n_samples,)."""
        return np.repeat(np.arange(self.queries.n_lists), self.queries.sizes)

    @property
    def max_size(self) -> int:
        """Slots of the longest list."""
        return int(self.queries.sizes.max())

    @cached_property
    def position(self) -> IntArray:
        """0-based position of each slot in its list, shape (n_samples,)."""
        starts, sizes = self.queries.starts[:-1], self.queries.sizes
        return np.arange(len(self.labels)) - np.repeat(starts, sizes)

    @property
    def tie_begin(self) -> IntArray:
        """First position of the tie group of each slot, shape (n_samples,)."""
        return self._tie_groups[0]

    @property
    def tie_end(self) -> IntArray:
        """Position after the last one of the tie group of each slot, (n_samples,)."""
        return self._tie_groups[1]

    @cached_property
    def tied(self) -> IntArray:
        """Slots whose tie group has more than one slot."""
        if not self.average_ties:
            return np.zeros(0, dtype=np.intp)
        equal = self._equals_previous
        return np.flatnonzero(equal | np.append(equal[1:], False))

    @cached_property
    def n_returned(self) -> IntArray:
        """Documents returned in each list, shape (n_lists,)."""
        if self.returned is None:
            return self.queries.sizes
        return self.sum_lists(self.returned).astype(np.intp)

    @cached_property
    def _equals_previous(self) -> BoolArray:
        equal = np.zeros(len(self.scores), dtype=bool)
        np.equal(self.scores[1:], self.scores[:-1], out=equal[1:])
        equal[self.queries.starts[:-1]] = False
        return equal

    @cached_property
    def _tie_groups(self) -> tuple[IntArray, IntArray]:
        if len(self.tied) == 0:
            return self.position, self.position + 1
        heads = np.flatnonzero(~self._equals_previous)
        length = np.diff(heads, append=len(self.scores))
        tie_begin = np.repeat(self.position[heads], length)
        return tie_begin, tie_begin + np.repeat(length, length)

    def sum_lists(self, values: FloatArray | BoolArray) -> FloatArray:
        """Sum a value per slot over each list.

        Parameters
        ----------
        values : array of shape (n_samples,)
            Value of each slot.

        Returns
        -------
        sums : float array of shape (n_lists,)
        """
        starts = self.queries.starts[:-1]
        return np.add.reduceat(values, starts, dtype=np.float64)

    def expected_weight(self, weights: FloatArray) -> FloatArray:
        """Mean of a weight per position over the tie group of each slot.

        Parameters
        ----------
        weights : float array of shape (max_list_size,)
            Weight of positions 0, 1, ….

        Returns
        -------
        expected : float array of shape (n_samples,)
            0 for documents that were not returned.
        """
        expected = weights[self.position]
        tied = self.tied
        if len(tied):  # an item of a group is at each of its positions equally often
            total = np.concatenate([[0.0], np.cumsum(weights)])
            begin, end = self.tie_begin[tied], self.tie_end[tied]
            expected[tied] = (total[end] - total[begin]) / (end - begin)
        return self.only_returned(expected)

    def cut(self, weights: FloatArray, k: int | None) -> FloatArray:
        """Put 0 at the positions after a cut-off.

        Parameters
        ----------
        weights : float array of shape (n_positions,)
            Weight of positions 0, 1, …; overwritten.
        k : int or None
            Positions that count. None: all.

        Returns
        -------
        weights : float array of shape (n_positions,)
            The same array.
        """
        if k is not None:
            weights[k:] = 0.0
        return weights

    def by_label(self) -> RankedLists:
        """The same lists, best label first; equal labels are tied.

        Returns
        -------
        ranked : RankedLists
            Its scores are the labels, its rows the slots of this ranking.
        """
        queries = Queries(self.list_of_slot, self.queries.ids)
        return sort_lists(queries, self.labels, self.labels)

    def only_returned(self, values: FloatArray) -> FloatArray:
        """Put 0 at the slots of documents that were not returned.

        Parameters
        ----------
        values : float array of shape (n_samples,)
            Value of each slot; overwritten.

        Returns
        -------
        values : float array of shape (n_samples,)
            The same array.
        """
        if self.returned is not None:
            values[~self.returned] = 0.0
        return values

    def relevant(self, threshold: float) -> RelevantSlots:
        """Where the relevant items stand.

        Parameters
        ----------
        threshold : float
            An item is relevant if its label is above it.

        Returns
        -------
        relevant : RelevantSlots
            Computed once for each threshold.
        """
        if threshold not in self._relevant:
            self._relevant[threshold] = self._find_relevant(threshold)
        return self._relevant[threshold]

    def _find_relevant(self, threshold: float) -> RelevantSlots:
        slot = np.flatnonzero(self.labels > threshold)
        lists = self.list_of_slot[slot]
        total = np.bincount(lists, minlength=self.queries.n_lists).astype(np.float64)
        if self.returned is not None:  # the others count in the total only
            is_returned = self.returned[slot]
            slot, lists = slot[is_returned], lists[is_returned]
        start = self.queries.starts[lists]
        if len(self.tied) == 0:  # each slot is a tie group of its own
            begin, end = slot - start, slot + 1 - start
        else:
            # Tie group g (from 1) takes the slots bounds[g − 1] … bounds[g] − 1; only
            # those of relevant slots are looked up, not tie_begin of all slots.
            is_head = ~self._equals_previous
            group = np.cumsum(is_head, dtype=np.int32)[slot]
            bounds = np.append(np.flatnonzero(is_head), len(self.labels))
            begin, end = bounds[group - 1] - start, bounds[group] - start
        return RelevantSlots.count(slot, lists, total, begin, end)


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
        Query of each row. None: one query.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores; see :mod:`ltr.metrics`.
    docids : array-like of shape (n_samples,), default=None
        Document ids, for ``ties="trec"``.

    Returns
    -------
    ranked : RankedLists

    Raises
    ------
    ValueError
        If shapes or the order of pandas indices differ, a value is not finite, there
        are no rows, or ``docids`` are missing with ``ties="trec"``.

    Examples
    --------
    >>> ranked = rank_lists([0, 1, 2], [0.5, 0.9, 0.5], None)
    >>> ranked.rows.tolist(), ranked.tie_begin.tolist(), ranked.tie_end.tolist()
    ([1, 0, 2], [0, 1, 1], [1, 3, 3])
    """
    check_choice("ties", ties, TIES)
    check_rows({"y_true": y_true, "y_score": y_score, "qid": qid, "docids": docids})
    labels = number_column(y_true, "y_true")
    scores = number_column(y_score, "y_score", finite=False)
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
    if ties != "trec":
        return sort_lists(queries, labels, scores, ties)
    if docids is None:
        raise ValueError("docids is required by ties='trec'. Pass docids=….")
    ids = column_of_ids(docids)
    if len(ids) != len(labels):
        raise ValueError(
            f"docids must have one entry per row of y_true; got {len(ids)} "
            f"entries for {len(labels)} rows."
        )
    return sort_lists(queries, labels, scores, ties, lambda rows: ids[rows])


def sort_lists(
    queries: Queries,
    labels: FloatArray,
    scores: FloatArray,
    ties: Ties = "average",
    docids: Docids | None = None,
    returned: BoolArray | None = None,
    judged: BoolArray | None = None,
    unsampled: BoolArray | None = None,
) -> RankedLists:
    """Sort checked rows; documents that were not returned come last.

    Parameters
    ----------
    queries : Queries
        Query of each row.
    labels, scores : float arrays of shape (n_samples,)
        Label and score of each row; the score of a document that was not returned is
        −inf.
    ties : {"average", "first", "worst", "trec"}, default="average"
        Order of equal scores.
    docids : callable, optional
        Document ids of an array of rows, for ``ties="trec"``.
    returned, judged, unsampled : bool arrays of shape (n_samples,), optional
        Whether the document of a row was returned, whether it has a judgment, and
        whether it was in the pool but not in the judged sample.

    Returns
    -------
    ranked : RankedLists

    Examples
    --------
    >>> queries = group_queries(None, 2)
    >>> sort_lists(queries, np.array([1.0, 0.0]), np.array([0.3, 0.4])).rows.tolist()
    [1, 0]
    """
    if not queries.is_grouped:
        labels, scores = labels[queries.order], scores[queries.order]
    # averages over ties do not depend on the order inside a tie group
    if ties == "worst":
        by_label = argsort_lists(labels, queries)
        order = by_label[argsort_lists(-scores[by_label], queries)]
    else:
        order = argsort_lists(-scores, queries, stable=ties != "average")
    if ties == "trec" and docids is not None:
        _break_ties(queries, scores[order], order, docids)
    rows = order if queries.is_grouped else queries.order[order]
    return RankedLists(
        queries,
        labels[order],
        scores[order],
        rows,
        average_ties=ties == "average",
        returned=None if returned is None else returned[rows],
        judged=None if judged is None else judged[rows],
        unsampled=None if unsampled is None else unsampled[rows],
    )


def argsort_lists(
    keys: FloatArray | NDArray[np.uint64], queries: Queries, *, stable: bool = True
) -> IntArray:
    """Sort the slots of each list; lists of one size are rows of one table.

    Parameters
    ----------
    keys : float or uint64 array of shape (n_samples,)
        Sort key of each slot, list by list; not NaN.
    queries : Queries
        The lists.
    stable : bool, default=True
        Whether equal keys keep their order, which takes twice the time.

    Returns
    -------
    order : int array of shape (n_samples,)
        Slots, list by list.

    Examples
    --------
    >>> queries = Queries(np.array([0, 0, 1, 1]), np.arange(2))
    >>> argsort_lists(np.array([2.0, 1.0, 5.0, 6.0]), queries).tolist()
    [1, 0, 2, 3]
    """
    sizes, starts = queries.sizes, queries.starts[:-1]
    by_size = np.argsort(sizes, kind="stable")
    heads = np.flatnonzero(np.diff(sizes[by_size], prepend=-1))  # one for each size
    kind: Literal["stable"] | None = "stable" if stable else None
    if len(heads) * _ROWS_PER_SORT > len(keys):
        order = np.argsort(keys, kind=kind)
        small = np.min_scalar_type(queries.n_lists)  # sorted in linear time
        lists = np.repeat(np.arange(queries.n_lists, dtype=small), sizes)[order]
        return order[np.argsort(lists, kind="stable")]
    if len(heads) == 1:
        within = np.argsort(keys.reshape(queries.n_lists, -1), axis=1, kind=kind)
        within += starts[:, None]
        return within.ravel()
    order = np.empty(len(keys), dtype=np.intp)
    for lists in np.split(by_size, heads[1:]):
        size, start = int(sizes[lists[0]]), starts[lists]
        table = sliding_window_view(keys, size)[start]  # (n_lists_of_size, size)
        within = np.argsort(table, axis=1, kind=kind)
        within += start[:, None]
        sliding_window_view(order, size, writeable=True)[start] = within
    return order


def number_column(values: ArrayLike, name: str, finite: bool = True) -> FloatArray:
    """Read a column of numbers.

    Parameters
    ----------
    values : array-like of shape (n_samples,) or (n_samples, 1)
        The numbers.
    name : str
        Name of the argument, for the error message.
    finite : bool, default=True
        Whether infinities are refused; NaN always is.

    Returns
    -------
    column : float array of shape (n_samples,)

    Raises
    ------
    ValueError
        If they are not numbers, have another shape, or one is not allowed.

    Examples
    --------
    >>> number_column([[1], [2]], "y_true")
    array([1., 2.])
    """
    if hasattr(values, "dtype") and np.asarray(values).dtype.kind in "mM":
        dtype = np.asarray(values).dtype
        raise ValueError(f"{name} must hold numbers; got dtype {dtype}.")
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentError(f"{name} must hold numbers; {error}.") from None
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional; got shape {column.shape}. "
            "Flatten it and pass the query of each row as qid."
        )
    bad = ~np.isfinite(column) if finite else np.isnan(column)
    if bad.any():
        row = int(bad.argmax())
        need = "finite" if finite else "a number, not nan"
        raise ValueError(f"{name} must be {need}; got {column[row]} at row {row}.")
    return column


def _break_ties(
    queries: Queries, scores: FloatArray, order: IntArray, docids: Docids
) -> None:
    """Put equal scores in the order of descending ids, compared as text."""
    ranked = RankedLists(queries, scores, scores, order, average_ties=True)
    tied = ranked.tied[scores[ranked.tied] > -np.inf]
    if len(tied) == 0:
        return
    keys = text_keys(docids(queries.order[order[tied]]))
    # The tie groups are sorted as lists are, descending: ~x = 2^64 − 1 − x.
    is_head = ranked.position[tied] == ranked.tie_begin[tied]
    groups = Queries(np.cumsum(is_head) - 1, np.flatnonzero(is_head))
    order[tied] = order[tied[argsort_lists(~keys, groups, stable=False)]]
