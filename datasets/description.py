"""What is in a data set, and what is wrong with it, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ltr.datasets.ranking_data import RankingData

_VALUES_AT_ONCE = 4_000_000
_MAX_EXP2_LABEL = 10
_MAX_LABELS_SHOWN = 12
_MAX_SHARE_REPEATED = 0.1


@dataclass(frozen=True)
class Description:
    """Counts of a data set; ``print`` shows them with what is off.

    Attributes
    ----------
    n_lists, n_rows, n_features : int
        Size.
    list_sizes : (int, float, int)
        Smallest, median and largest list.
    one_item_lists : int
        Lists with one row.
    blank_lists : int
        Lists without a label above 0.
    usable_lists : int
        Lists with two different labels: those from which a ranker learns.
    usable_pairs : int
        Pairs of rows of a list with different labels.
    all_pairs : int
        Pairs of rows of a list.
    labels : dict of float to int
        Rows with each label.
    missing_values, infinite_values : int
        NaN and infinite features.
    missing_features : list of int
        Columns that have NaN.
    constant_features : list of int
        Columns with one value in all rows.
    query_features : list of int
        Other columns with one value in each list, which cannot order it by themselves.
    repeated_rows, repeated_lists : int or None
        Rows whose features are also in the other data set, and lists of two rows or
        more, not all alike, that are there as a whole; None without one.
    problems : list of str
        What is off, in sentences.

    Examples
    --------
    >>> found = describe([[1.0], [2.0]], [1, 1])
    >>> found.usable_pairs, found.problems
    (0, ['no list has two different labels: nothing can be learned.'])
    """

    n_lists: int
    n_rows: int
    n_features: int
    list_sizes: tuple[int, float, int]
    one_item_lists: int
    blank_lists: int
    usable_lists: int
    usable_pairs: int
    all_pairs: int
    labels: dict[float, int]
    missing_values: int
    infinite_values: int
    missing_features: list[int]
    constant_features: list[int]
    query_features: list[int]
    repeated_rows: int | None = None
    repeated_lists: int | None = None
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        size = f"{self.n_lists:,} lists, {self.n_rows:,} rows, {self.n_features:,}"
        facts = (f"{name:14} {text}" for name, text in self.facts().items())
        problems = (f"! {problem}" for problem in self.problems)
        return "\n".join([f"{size} features", *facts, *problems])

    def facts(self) -> dict[str, str]:
        """What was counted, in words.

        Returns
        -------
        facts : dict of str to str
            By what they are about.
        """
        smallest, median, largest = self.list_sizes
        pairs = f"{self.usable_pairs:,} of {self.all_pairs:,} in {self.usable_lists:,}"
        facts = {
            "list size": f"{smallest} to {largest}, median {median:g}; "
            f"{self.one_item_lists:,} of one item, {self.blank_lists:,} blank",
            "usable pairs": f"{pairs} lists",
            "labels": self._labels(),
            "features": f"{len(self.constant_features)} constant, "
            f"{len(self.query_features)} the same within each list, "
            f"{len(self.missing_features)} with NaN",
        }
        if self.repeated_rows is not None:
            facts["in the other"] = (
                f"{self.repeated_rows:,} rows, {self.repeated_lists:,} whole lists"
            )
        return facts

    def _labels(self) -> str:
        if len(self.labels) > _MAX_LABELS_SHOWN:
            return (
                f"{len(self.labels):,} values from {min(self.labels):g} to "
                f"{max(self.labels):g}"
            )
        shares = (
            f"{label:g}: {count:,} ({count / self.n_rows:.1%})"
            for label, count in self.labels.items()
        )
        return ", ".join(shares)


def describe(
    X: ArrayLike,
    y: ArrayLike,
    qid: ArrayLike | None = None,
    *,
    other: RankingData | None = None,
) -> Description:
    """Count what matters before training, and say what is off.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features; a memory map is read block by block.
    y : array-like of shape (n_samples,)
        Labels.
    qid : array-like of shape (n_samples,), default=None
        Ids of the lists. None: one list.
    other : RankingData, default=None
        Another part, such as the test data, to look for the same rows and lists.

    Returns
    -------
    description : Description

    Raises
    ------
    ValueError
        If the arrays have other lengths, or there is no row or column; if ``other`` has
        another number of features.

    Examples
    --------
    >>> X = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    >>> print(describe(X, [1, 0, 0], ["a", "a", "b"]))
    2 lists, 3 rows, 2 features
    list size      1 to 2, median 1.5; 1 of one item, 1 blank
    usable pairs   1 of 1 in 1 lists
    labels         0: 2 (66.7%), 1: 1 (33.3%)
    features       1 constant, 0 the same within each list, 0 with NaN
    ! 1 of 2 lists has no label above 0: pairwise and listwise losses learn nothing \
from it, and NDCG leaves it out or counts it as 0 (empty=).
    ! 1 of 2 lists has one item: any ranker is right on it.
    ! 1 of 2 features has the same value in all rows: column 1.
    """
    table, labels = _as_numbers(X), np.asarray(y, dtype=np.float64)
    ids = np.zeros(len(table)) if qid is None else np.asarray(qid)
    of_rows = table.shape[:1]
    if table.ndim != 2 or 0 in table.shape or {labels.shape, ids.shape} != {of_rows}:
        raise ValueError(
            "X must be a table with rows and columns, and y and qid as long as it; got "
            f"shapes {table.shape}, {labels.shape} and {ids.shape}."
        )
    codes = pd.factorize(ids)[0]
    sizes = np.bincount(codes)
    values, label_codes, counts = np.unique(
        labels, return_inverse=True, return_counts=True
    )
    cells = np.unique(codes * len(values) + label_codes, return_counts=True)
    same = np.bincount(cells[0] // len(values), _pairs(cells[1]), len(sizes))
    usable = _pairs(sizes) - same
    features = _Features(table, codes)
    rows = in_both = None
    if other is not None:
        rows, in_both = _repeated(table, codes, _as_numbers(other.X))
    found = Description(
        n_lists=len(sizes),
        n_rows=len(table),
        n_features=table.shape[1],
        list_sizes=(int(sizes.min()), float(np.median(sizes)), int(sizes.max())),
        one_item_lists=int((sizes == 1).sum()),
        blank_lists=int((np.bincount(codes, labels > 0) == 0).sum()),
        usable_lists=int((usable > 0).sum()),
        usable_pairs=int(usable.sum()),
        all_pairs=int(_pairs(sizes).sum()),
        labels=dict(zip(values.tolist(), counts.tolist(), strict=True)),
        missing_values=int(features.missing.sum()),
        infinite_values=features.infinite,
        missing_features=np.flatnonzero(features.missing).tolist(),
        constant_features=np.flatnonzero(features.constant).tolist(),
        query_features=np.flatnonzero(features.query & ~features.constant).tolist(),
        repeated_rows=rows,
        repeated_lists=in_both,
    )
    found.problems.extend(_problems(found))
    return found


def _as_numbers(X: ArrayLike) -> NDArray[Any]:
    """Array of numbers; a memory map stays one."""
    table = np.asanyarray(X)
    return table if table.dtype.kind in "fiub" else table.astype(np.float64)


def _pairs(sizes: NDArray[Any]) -> NDArray[Any]:
    return sizes * (sizes - 1) // 2


class _Features:
    """What the columns hold, from blocks of rows."""

    def __init__(self, X: NDArray[Any], codes: NDArray[np.intp]) -> None:
        self.missing = np.zeros(X.shape[1], dtype=np.intp)
        self.infinite = 0
        self.constant = np.ones(X.shape[1], dtype=bool)
        self.query = np.ones(X.shape[1], dtype=bool)
        first_rows = np.zeros(int(codes.max()) + 1, dtype=np.intp)
        first_rows[codes[::-1]] = np.arange(len(codes))[::-1]
        for rows, block in _blocks(X):
            if not np.isfinite(block).all():
                self.missing += np.isnan(block).sum(axis=0)
                self.infinite += int(np.isinf(block).sum())
            heads = first_rows[codes[rows]]
            _keep_equal(self.constant, block, X, np.zeros_like(heads))
            _keep_equal(self.query, block, X, heads)


def _keep_equal(
    columns: NDArray[np.bool_],
    block: NDArray[Any],
    X: NDArray[Any],
    rows: NDArray[np.intp],
) -> None:
    """Leave those columns in which the block equals the given rows of X."""
    for column in np.flatnonzero(columns):
        a, b = block[:, column], X[rows, column]
        columns[column] = np.array_equal(a, b, equal_nan=True)


def _blocks(X: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    step = max(1, _VALUES_AT_ONCE // max(1, X.shape[1]))
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        yield rows, np.asarray(X[rows])


def _repeated(
    X: NDArray[Any], codes: NDArray[np.intp], other: NDArray[Any]
) -> tuple[int, int]:
    """Rows that are in the other table, and lists all of whose rows are there."""
    if X.shape[1] != other.shape[1]:
        raise ValueError(
            "other must have as many features as X; got "
            f"{other.shape[1]} and {X.shape[1]}."
        )
    marks = _fingerprints(X)
    found = np.isin(marks, _fingerprints(other))
    missing = np.bincount(codes, ~found)
    lowest = np.full(len(missing), np.iinfo(np.uint64).max, dtype=np.uint64)
    highest = np.zeros(len(missing), dtype=np.uint64)
    np.minimum.at(lowest, codes, marks)
    np.maximum.at(highest, codes, marks)
    return int(found.sum()), int(((missing == 0) & (lowest != highest)).sum())


def _fingerprints(X: NDArray[Any]) -> NDArray[np.uint64]:
    """A number for each row: equal rows have equal ones, others almost never."""
    keys = np.random.default_rng(0).integers(
        1, 2**63, size=(2, X.shape[1]), dtype=np.uint64
    )
    marks = np.empty(len(X), dtype=np.uint64)
    for rows, block in _blocks(X):
        bits = (block.astype(np.float64) + 0.0).view(np.uint64)  # -0.0 is 0.0
        mixed = (bits ^ keys[0]) * (keys[1] | np.uint64(1))
        mixed ^= mixed >> np.uint64(29)
        marks[rows] = (mixed * keys[0]).sum(axis=1, dtype=np.uint64)
    return marks


def _problems(found: Description) -> Iterator[str]:
    lists, columns = f"of {found.n_lists:,} lists", f"of {found.n_features:,} features"
    labels = np.array(list(found.labels))
    if not np.isfinite(labels).all():
        yield "some labels are NaN or infinite: drop those rows."
    elif found.usable_pairs == 0:
        yield "no list has two different labels: nothing can be learned."
    elif labels.min() < 0:
        yield (
            f"the lowest label is {labels.min():g}: NDCG needs labels >= 0. Shift "
            "them, or use a metric that takes any label, such as kendall_tau."
        )
    else:
        if labels.max() > _MAX_EXP2_LABEL:
            times = 2 ** min(labels.max() / 2, 1000)
            yield (
                f"the highest label is {labels.max():g}: with gain='exp2' it outweighs "
                f"the label half as high {times:,.0f} times. Use gain='linear' in the "
                "metric, and label_gain='linear' in LambdaMARTRanker."
            )
        yield from _plural(
            found.blank_lists,
            f"{lists} has no label above 0: pairwise and listwise losses learn nothing "
            "from it, and NDCG leaves it out or counts it as 0 (empty=).",
            f"{lists} have no label above 0: pairwise and listwise losses learn "
            "nothing from them, and NDCG leaves them out or counts them as 0 (empty=).",
        )
    yield from _plural(
        found.one_item_lists,
        f"{lists} has one item: any ranker is right on it.",
        f"{lists} have one item: any ranker is right on them.",
    )
    constant = _names(found.constant_features)
    yield from _plural(
        len(found.constant_features),
        f"{columns} has the same value in all rows: {constant}.",
        f"{columns} have the same value in all rows: {constant}.",
    )
    if found.missing_values:
        yield (
            f"{found.missing_values:,} NaN in {_names(found.missing_features)}: trees "
            "take them, other rankers do not."
        )
    if found.infinite_values:
        yield f"{found.infinite_values:,} infinite in X: no ranker takes them."
    yield from _repetitions(found)


def _repetitions(found: Description) -> Iterator[str]:
    yield from _plural(
        found.repeated_lists or 0,
        f"of {found.n_lists:,} lists is in the other data set row by row: what is "
        "measured there is not new to the ranker.",
        f"of {found.n_lists:,} lists are in the other data set row by row: what is "
        "measured there is not new to the ranker.",
    )
    repeated = found.repeated_rows or 0
    if not found.repeated_lists and repeated > _MAX_SHARE_REPEATED * found.n_rows:
        yield (
            f"{repeated:,} of {found.n_rows:,} rows have the features of a row of the "
            "other data set."
        )


def _plural(count: int, one: str, several: str) -> Iterator[str]:
    if count:
        yield f"{count:,} {one if count == 1 else several}"


def _names(columns: list[int]) -> str:
    shown = ", ".join(map(str, columns[:8]))
    more = f" and {len(columns) - 8} more" if len(columns) > 8 else ""
    return f"column{'s' if len(columns) > 1 else ''} {shown}{more}"
