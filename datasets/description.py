"""Counts and problems of a data set, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.datasets.ranking_data import RankingData
from ltr.queries import BoolArray, IntArray, check_rows, group_queries

_VALUES_AT_ONCE = 4_000_000
_MAX_EXP2_LABEL = 10
_MAX_EXPONENT = 30
_MAX_GAIN_LABEL = 1000  # of ltr.metrics
_MAX_LABELS_SHOWN = 12
_MAX_SHARE_REPEATED = 0.1


@dataclass(frozen=True)
class Description:
    """Counts of a data set and its problems; ``print`` shows both.

    Attributes
    ----------
    n_lists, n_rows, n_features : int
        Number of queries (each has one list), rows and columns.
    list_sizes : (int, float, int)
        Smallest, median and largest list.
    one_item_lists : int
        Queries with one row.
    blank_lists : int
        Queries without a label above 0.
    usable_lists : int
        Queries with two distinct labels, the ones that a ranker learns from.
    usable_pairs : int
        Pairs of rows of a query with distinct labels.
    all_pairs : int
        Pairs of rows of a query.
    labels : dict of float to int
        Number of rows with each label.
    missing_values, infinite_values : int
        Number of NaN and infinite feature values.
    missing_features : list of int
        Columns with NaN.
    constant_features : list of int
        Columns with the same value in all rows.
    query_features : list of int
        Other columns that are constant within every list, and so on their own rank
        nothing.
    repeated_rows, repeated_lists : int or None
        Rows whose features also occur in the other data set, and lists with at least
        two distinct rows whose rows all do; None without another data set.
    problems : list of str
        Problems, in sentences.

    Examples
    --------
    >>> description = describe([[1.0], [2.0]], [1, 1])
    >>> description.usable_pairs, description.problems
    (0, ['no query has two distinct labels: there is nothing to learn.'])
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
        size = f"{self.n_lists:,} queries, {self.n_rows:,} rows, {self.n_features:,}"
        facts = (f"{name:14} {text}" for name, text in self.facts().items())
        problems = (f"! {problem}" for problem in self.problems)
        return "\n".join([f"{size} features", *facts, *problems])

    def facts(self) -> dict[str, str]:
        """Counts in words.

        Returns
        -------
        facts : dict of str to str
            Texts by subject, such as "list size".
        """
        smallest, median, largest = self.list_sizes
        pairs = f"{self.usable_pairs:,} of {self.all_pairs:,} in {self.usable_lists:,}"
        facts = {
            "list size": f"{smallest} to {largest}, median {median:g}; "
            f"{self.one_item_lists:,} of one item, {self.blank_lists:,} blank",
            "usable pairs": f"{pairs} queries",
            "labels": self._labels(),
            "features": f"{len(self.constant_features)} constant, "
            f"{len(self.query_features)} constant within each list, "
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
    """Summarize ranking data and flag problems, before training.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features; memory maps are read block by block.
    y : array-like of shape (n_samples,)
        Labels.
    qid : array-like of shape (n_samples,), default=None
        Query of each row. None: all rows belong to one query.
    other : RankingData, default=None
        Another part, such as the test data, in which to look for repeated rows and
        lists.

    Returns
    -------
    description : Description

    Raises
    ------
    ValueError
        If lengths differ, there is no row or column, or ``other`` has another number of
        features.

    Examples
    --------
    >>> X = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    >>> print(describe(X, [1, 0, 0], ["a", "a", "b"]))
    2 queries, 3 rows, 2 features
    list size      1 to 2, median 1.5; 1 of one item, 1 blank
    usable pairs   1 of 1 in 1 queries
    labels         0: 2 (66.7%), 1: 1 (33.3%)
    features       1 constant, 0 constant within each list, 0 with NaN
    ! 1 of 2 queries has no label above 0: pairwise and listwise losses learn nothing \
from it, and NDCG skips it or counts it as 0 (empty=).
    ! 1 of 2 queries has one item: every ranker orders it correctly.
    ! 1 of 2 features has the same value in all rows: column 1.
    """
    check_rows({"X": X, "y": y, "qid": qid})
    table, labels = _as_numbers(X), np.asarray(y, dtype=np.float64)
    if table.ndim != 2 or 0 in table.shape or labels.shape != table.shape[:1]:
        raise ValueError(
            "X must have shape (n_samples, n_features), without a 0, and y shape "
            f"(n_samples,); got {table.shape} and {labels.shape}."
        )
    queries = group_queries(qid, len(table))
    codes, sizes = queries.codes, queries.sizes
    values, label_codes, counts = np.unique(
        labels, return_inverse=True, return_counts=True
    )
    # usable pairs of a list: all pairs, minus those of rows with the same label
    groups, group_sizes = np.unique(
        codes * len(values) + label_codes, return_counts=True
    )
    tied = np.bincount(groups // len(values), _pairs(group_sizes), len(sizes))
    usable = _pairs(sizes) - tied
    features = _Features(table, codes)
    n_repeated_rows = n_repeated_lists = None
    if other is not None:
        other_table = _as_numbers(other.X)
        n_repeated_rows, n_repeated_lists = _repeated(table, codes, other_table)
    description = Description(
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
        repeated_rows=n_repeated_rows,
        repeated_lists=n_repeated_lists,
    )
    description.problems.extend(_problems(description))
    return description


def _as_numbers(X: ArrayLike) -> NDArray[Any]:
    """Array of numbers; a memory map remains one."""
    if hasattr(X, "tocsr"):
        raise ValueError(
            "X must be an array; got a SciPy matrix. Pass X.toarray(), or some columns "
            "of it."
        )
    table = np.asanyarray(X)
    return table if table.dtype.kind in "fiub" else table.astype(np.float64)


def _pairs(sizes: NDArray[Any]) -> NDArray[Any]:
    return sizes * (sizes - 1) // 2


class _Features:
    """Properties of the columns, computed block by block."""

    def __init__(self, X: NDArray[Any], codes: IntArray) -> None:
        self.missing = np.zeros(X.shape[1], dtype=np.intp)
        self.infinite = 0
        self.constant = np.ones(X.shape[1], dtype=bool)
        self.query = np.ones(X.shape[1], dtype=bool)
        # a column is constant within lists if each row equals the first of its list
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
    columns: BoolArray,
    block: NDArray[Any],
    X: NDArray[Any],
    rows: IntArray,
) -> None:
    """Clear the mask of columns in which the block differs from these rows of X."""
    for column in np.flatnonzero(columns):
        a, b = block[:, column], X[rows, column]
        columns[column] = np.array_equal(a, b, equal_nan=True)


def _blocks(X: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    step = max(1, _VALUES_AT_ONCE // max(1, X.shape[1]))
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        yield rows, np.asarray(X[rows])


def _repeated(X: NDArray[Any], codes: IntArray, other: NDArray[Any]) -> tuple[int, int]:
    """Number of rows, and of entire lists, that the other table also has."""
    if X.shape[1] != other.shape[1]:
        raise ValueError(
            "other must have as many features as X; got "
            f"{other.shape[1]} and {X.shape[1]}."
        )
    marks = _fingerprints(X)
    is_repeated = np.isin(marks, _fingerprints(other))
    n_missing = np.bincount(codes, ~is_repeated)
    # lists of equal rows (lowest = highest fingerprint) recur by chance: not counted
    lowest = np.full(len(n_missing), np.iinfo(np.uint64).max, dtype=np.uint64)
    highest = np.zeros(len(n_missing), dtype=np.uint64)
    np.minimum.at(lowest, codes, marks)
    np.maximum.at(highest, codes, marks)
    in_full = (n_missing == 0) & (lowest != highest)
    return int(is_repeated.sum()), int(in_full.sum())


def _fingerprints(X: NDArray[Any]) -> NDArray[np.uint64]:
    """64-bit hash of each row: Σⱼ h(bits of xⱼ, keyⱼ) modulo 2^64."""
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


def _problems(counts: Description) -> Iterator[str]:
    queries, columns = (
        f"of {counts.n_lists:,} queries",
        f"of {counts.n_features:,} features",
    )
    labels = np.array(list(counts.labels))
    if not np.isfinite(labels).all():
        yield "some labels are NaN or infinite: drop those rows."
    elif counts.usable_pairs == 0:
        yield "no query has two distinct labels: there is nothing to learn."
    elif labels.min() < 0:
        yield (
            f"the lowest label is {labels.min():g}: NDCG needs labels >= 0. Shift "
            "them, or use a metric that accepts any label, metric='kendall_tau'."
        )
    else:
        if labels.max() > _MAX_EXP2_LABEL:
            yield _large_gain(labels.max())
        yield from _plural(
            counts.blank_lists,
            f"{queries} has no label above 0: pairwise and listwise losses learn "
            "nothing from it, and NDCG skips it or counts it as 0 (empty=).",
            f"{queries} have no label above 0: pairwise and listwise losses learn "
            "nothing from them, and NDCG skips them or counts them as 0 (empty=).",
        )
    yield from _plural(
        counts.one_item_lists,
        f"{queries} has one item: every ranker orders it correctly.",
        f"{queries} have one item: every ranker orders them correctly.",
    )
    constant = _names(counts.constant_features)
    yield from _plural(
        len(counts.constant_features),
        f"{columns} has the same value in all rows: {constant}.",
        f"{columns} have the same value in all rows: {constant}.",
    )
    if counts.missing_values:
        yield (
            f"{counts.missing_values:,} NaN in {_names(counts.missing_features)}: tree "
            "rankers accept them, others do not."
        )
    yield from _plural(
        counts.infinite_values,
        "infinite value in X: no ranker accepts it.",
        "infinite values in X: no ranker accepts them.",
    )
    yield from _repetitions(counts)


def _large_gain(label: float) -> str:
    """Problem of a highest label whose gain 2^label dwarfs all others."""
    exponent = label / 2
    ratio = f"{2**exponent:,.0f}" if exponent <= _MAX_EXPONENT else f"2^{exponent:g}"
    has_none = label > _MAX_GAIN_LABEL
    limit = f", and above {_MAX_GAIN_LABEL} there is none" if has_none else ""
    return (
        f"the highest label is {label:g}: with gain='exp2', the default of NDCG, its "
        f"gain is {ratio} times that of a label half as high{limit}. Use "
        "metric='ndcg(gain=linear)@10', and label_gain='linear' in LambdaMARTRanker."
    )


def _repetitions(counts: Description) -> Iterator[str]:
    yield from _plural(
        counts.repeated_lists or 0,
        f"of {counts.n_lists:,} queries is also in the other data set, row by row: "
        "a ranker trained on one has seen it before it is measured on the other.",
        f"of {counts.n_lists:,} queries are also in the other data set, row by row: "
        "a ranker trained on one has seen them before it is measured on the other.",
    )
    repeated = counts.repeated_rows or 0
    if not counts.repeated_lists and repeated > _MAX_SHARE_REPEATED * counts.n_rows:
        yield (
            f"{repeated:,} of {counts.n_rows:,} rows have the same features as a row "
            "of the other data set."
        )


def _plural(count: int, singular: str, plural: str) -> Iterator[str]:
    if count:
        yield f"{count:,} {singular if count == 1 else plural}"


def _names(columns: list[int]) -> str:
    listed = ", ".join(map(str, columns[:8]))
    more = f" and {len(columns) - 8} more" if len(columns) > 8 else ""
    return f"column{'s' if len(columns) > 1 else ''} {listed}{more}"
