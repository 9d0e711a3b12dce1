"""Counts and problems of a data set, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import ArgumentError, plain
from ltr.datasets.counts import Counts, count, marks_of, merged, n_pairs
from ltr.datasets.ranking_data import RankingData

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
    X: Any,
    y: ArrayLike | None = None,
    qid: ArrayLike | None = None,
    *,
    other: RankingData | None = None,
) -> Description:
    """Summarize ranking data and flag problems, before training.

    Data in pieces are read once, and all numbers are exactly those of the whole: the
    median list size, too. Memory is that of a piece, of the distinct labels and list
    sizes, and of ``other``.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features), RankingData, or \
pieces of it
        Features; memory maps are read block by block, and what a sparse matrix does
        not store counts as 0. Or a RankingData; or, in pieces
        with whole lists, a sequence of RankingData, such as :func:`open_shards` opens,
        an iterator of them, or a function that returns one when it is called with 0, as
        for ``NeuralRanker.fit_stream``.
    y : array-like of shape (n_samples,), default=None
        Labels. None: ``X`` has them.
    qid : array-like of shape (n_samples,), default=None
        Query of each row. None: all rows of an array belong to one query.
    other : RankingData, default=None
        Another part, such as the test data, in which to look for repeated rows and
        lists.

    Returns
    -------
    description : Description

    Raises
    ------
    ValueError
        If lengths differ, there is no row or column, pieces or ``other`` have another
        number of features, or the rows of a query are in two neighboring pieces.
    TypeError
        If ``X`` is neither of these.

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
    if isinstance(y, RankingData):
        raise ArgumentError(
            "y must be an array; got a RankingData. To compare with another data set, "
            "pass describe(data, other=test)."
        )
    marks = None if other is None else marks_of(other.X)
    if isinstance(X, RankingData) and not (y is None and qid is None):
        raise ArgumentError(
            "a RankingData has y and qid of its own; got them beside it, too. Pass "
            "describe(data)."
        )
    if y is not None:
        return description_of(count(X, y, qid, marks))
    if qid is not None:
        raise ArgumentError("y is required with qid; got None. Pass both, or none.")
    return description_of(
        merged(count(piece.X, piece.y, piece.qid, marks) for piece in pieces_of(X))
    )


def pieces_of(source: Any) -> Iterator[RankingData]:
    """Pieces with whole lists, those without rows left out; see :func:`describe`."""
    if isinstance(source, RankingData):
        yield source
        return
    parts = source(0) if callable(source) else source
    if not isinstance(parts, Iterable) or isinstance(parts, (str, np.ndarray)):
        raise ArgumentError(
            "y is None, so X must be a RankingData, a sequence or an iterator of them, "
            f"or a function that returns one; got {type(parts).__name__}. Pass y with "
            "an array, and open a path by open_shards."
        )
    last_id: Any = None
    number = -1
    for number, piece in enumerate(parts):
        if not isinstance(piece, RankingData):
            raise ArgumentError(
                "y is None, so X must have RankingData; got "
                f"{type(piece).__name__} as piece {number}. Pass y with an array."
            )
        if not len(piece.y):
            continue
        ids = np.asarray(piece.qid[:1]), np.asarray(piece.qid[-1:])
        if isinstance(parts, Sequence) and last_id is not None and ids[0] == last_id:
            raise ValueError(
                "the rows of a query must be in one piece; query "
                f"{plain(last_id[0])!r} is in piece {number} and in the one before. "
                "Write the pieces by save_shards."
            )
        last_id = ids[1]
        yield piece


def description_of(counts: Counts) -> Description:
    """Counts in public form, with the problems."""
    sizes, n_lists_of_size = counts.sizes
    values, n_rows_of_label = counts.labels
    description = Description(
        n_lists=counts.n_lists,
        n_rows=counts.n_rows,
        n_features=len(counts.missing),
        list_sizes=(int(sizes[0]), counts.median_size(), int(sizes[-1])),
        one_item_lists=int(n_lists_of_size[sizes == 1].sum()),
        blank_lists=counts.blank_lists,
        usable_lists=counts.usable_lists,
        usable_pairs=counts.usable_pairs,
        all_pairs=int(n_lists_of_size @ n_pairs(sizes)),
        labels=dict(zip(values.tolist(), n_rows_of_label.tolist(), strict=True)),
        missing_values=int(counts.missing.sum()),
        infinite_values=counts.infinite,
        missing_features=np.flatnonzero(counts.missing).tolist(),
        constant_features=np.flatnonzero(counts.constant).tolist(),
        query_features=np.flatnonzero(counts.query & ~counts.constant).tolist(),
        repeated_rows=counts.repeated_rows,
        repeated_lists=counts.repeated_lists,
    )
    description.problems.extend(_problems(description))
    return description


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
