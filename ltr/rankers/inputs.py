"""Training data: one checked number per row for every column that ``fit`` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ltr.queries import (
    BoolArray,
    FloatArray,
    Queries,
    check_rows,
    group_queries,
)
from ltr.rankers.warning import MANY_ROWS, warn
from ltr.row_values import check_column, check_weights, weights_of_queries

if TYPE_CHECKING:
    from ltr.training.pair_table import PairTable

NO_ORDER = (
    "No list has two distinct labels, so no order can be learned. Check y and qid: "
    "items that compete must share a qid."
)


@dataclass(frozen=True)
class TrainingSet:
    """Checked input of ``fit``, in the order of the rows.

    Attributes
    ----------
    X : array or sparse matrix of shape (n_samples, n_features)
        Features.
    y : float array of shape (n_samples,)
        Labels.
    queries : Queries
        Query of each row.
    weights : float array of shape (n_samples,) or None
        Row weights.
    list_weights : float array of shape (n_lists,) or None
        Weight of each query's list.
    extras : dict of str to float array of shape (n_samples,)
        Those of ``teacher_scores``, ``reference_scores`` and ``position`` that were
        passed.
    pairs : PairTable or None, default=None
        Features of the pairs of each list.
    """

    X: Any
    y: FloatArray
    queries: Queries
    weights: FloatArray | None
    list_weights: FloatArray | None
    extras: dict[str, FloatArray]
    pairs: PairTable | None = None

    @property
    def has_weight(self) -> BoolArray:
        """Rows that exist: weight 0 means no row, shape (n_samples,)."""
        if self.weights is None:
            return np.ones(len(self.y), dtype=bool)
        return self.weights > 0

    def lists_with_weight(self) -> BoolArray:
        """Lists with an item that counts, shape (n_lists,)."""
        codes = self.queries.codes[self.has_weight]
        return np.bincount(codes, minlength=self.queries.n_lists) > 0

    def informative_lists(
        self, learns_from: Literal["two_items", "two_labels"]
    ) -> BoolArray:
        """Lists that a loss can learn from.

        Parameters
        ----------
        learns_from : {"two_items", "two_labels"}
            What a list must have: at least two items, or at least two distinct labels.

        Returns
        -------
        informative : bool array of shape (n_lists,)
        """
        n_lists = self.queries.n_lists
        codes, labels = self.queries.codes[self.has_weight], self.y[self.has_weight]
        if learns_from == "two_items":
            return np.bincount(codes, minlength=n_lists) >= 2
        high, low = np.full(n_lists, -np.inf), np.full(n_lists, np.inf)
        np.maximum.at(high, codes, labels)
        np.minimum.at(low, codes, labels)
        return np.asarray(high > low)


def training_set(
    features: Any,
    y: ArrayLike,
    qid: ArrayLike | None,
    *,
    sample_weight: ArrayLike | None = None,
    query_weight: ArrayLike | None = None,
    extras: Mapping[str, ArrayLike | None] | None = None,
    index_of: Any = None,
) -> TrainingSet:
    """Check the columns that accompany the features.

    Parameters
    ----------
    features : array or sparse matrix of shape (n_samples, n_features)
        Checked features.
    y, qid, sample_weight, query_weight : array-like
        As in ``fit``.
    extras : mapping of str to array-like or None, default=None
        Further columns by name.
    index_of : object, default=None
        ``X`` as the user passed it, to compare the indices of pandas objects.

    Returns
    -------
    data : TrainingSet

    Raises
    ------
    ValueError
        If a column is invalid; the message says which, what was expected, what came and
        where, and what to do.

    Warns
    -----
    UserWarning
        If there are more than 1000 rows and no ``qid``.
    """
    if y is None:
        raise ValueError("fit requires y to be passed, but the target y is None.")
    check_rows(
        {"X": index_of, "y": y, "qid": qid, "sample_weight": sample_weight}
        | {"query_weight": query_weight, **(extras or {})}
    )
    n_samples = features.shape[0]
    labels = check_column(y, "y", n_samples, entry="label")
    if qid is None and n_samples > MANY_ROWS:
        warn(
            f"qid is None, so all {n_samples} rows compete in one list. Pass the "
            "query of each row as qid; if they really are one list, pass "
            "qid=np.zeros(len(X))."
        )
    queries = group_queries(qid, n_samples)
    weights = list_weights = None
    if sample_weight is not None:
        weights = check_weights(sample_weight, "sample_weight", n_samples)
        _check_range(weights, "sample_weight")
    if query_weight is not None:
        cure = "Use sample_weight to weight rows."
        list_weights = weights_of_queries(query_weight, queries, cure=cure)
        _check_range(list_weights, "query_weight")
    return TrainingSet(
        X=features,
        y=labels,
        queries=queries,
        weights=weights,
        list_weights=list_weights,
        extras={
            name: check_column(values, name, n_samples)
            for name, values in (extras or {}).items()
            if values is not None
        },
    )


def joined_sets(data: TrainingSet, validation: TrainingSet | None) -> TrainingSet:
    """Training rows, then those of validation, whose queries are other ones.

    Parameters
    ----------
    data : TrainingSet
        Training rows.
    validation : TrainingSet or None
        Validation rows, which have no weights: a row counts 1, a query as much as those
        of training on average.

    Returns
    -------
    joined : TrainingSet
    """
    if validation is None:
        return data
    weights, list_weights = data.weights, data.list_weights
    if weights is not None:
        weights = np.concatenate([weights, np.ones(len(validation.y))])
    n_lists = validation.queries.n_lists
    if list_weights is not None:
        mean = np.full(n_lists, list_weights.mean())
        list_weights = np.concatenate([list_weights, mean])
    codes = [data.queries.codes, validation.queries.codes + data.queries.n_lists]
    pairs = data.pairs
    if pairs is not None and validation.pairs is not None:
        pairs = pairs.joined(validation.pairs)
    return TrainingSet(
        X=joined_rows([data.X, validation.X]),
        y=np.concatenate([data.y, validation.y]),
        queries=Queries(
            np.concatenate(codes), np.arange(data.queries.n_lists + n_lists)
        ),
        weights=weights,
        list_weights=list_weights,
        extras=data.extras,
        pairs=pairs,
    )


def joined_rows(tables: Sequence[Any]) -> Any:
    """Rows of arrays, or of sparse matrices in the format of the first."""
    if hasattr(tables[0], "followed_by"):  # JoinedRows
        return reduce(lambda joined, table: joined.followed_by(table), tables)
    if not hasattr(tables[0], "tocsr"):
        return np.concatenate(tables)
    import scipy.sparse

    return scipy.sparse.vstack(tables).asformat(tables[0].format)


def check_refit(data: TrainingSet, validation: TrainingSet | None) -> None:
    """Raise unless a loss can learn from the validation rows, too."""
    if validation is not None and data.extras:
        raise ValueError(
            f"refit=True trains on the validation queries, too, and needs their "
            f"{min(data.extras)}, which fit does not take. Leave X_val out, so that "
            "queries are held out, or set refit=False."
        )


def warn_if_no_order(data: TrainingSet) -> None:
    """Warn if no list has two distinct labels."""
    if not data.informative_lists("two_labels").any():
        warn(NO_ORDER)


def check_single_precision(values: FloatArray, name: str, cure: str) -> None:
    """Raise if single precision overflows, or merges most of the distinct values."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    low, span = values.min(), np.ptp(values)
    # Two float32 numbers are at least this far apart near the largest magnitude.
    finest = np.spacing(np.abs(single).max())
    if np.isfinite(single).all() and (span == 0 or finest <= 1e-6 * span):
        return
    n_levels = [
        np.unique(np.round((x - low) / span, 6)).size
        for x in (values, single.astype(np.float64))
        if np.isfinite(x).all()
    ]
    if len(n_levels) < 2 or n_levels[1] <= n_levels[0] / 2:
        raise ValueError(
            f"{name} must keep its distinctions in single precision; got values from "
            f"{values.min():g} to {values.max():g}, some of which become equal or "
            f"infinite. {cure}"
        )


def _check_range(weights: FloatArray, name: str) -> None:
    """Raise if a product of weights may be no number in single precision."""
    low, high = weights[weights > 0].min(), weights.max()
    if low < 1e-15 or high > 1e15:
        raise ValueError(
            f"{name} must be 0 or between 1e-15 and 1e15, so that products of weights "
            f"are numbers in single precision; got {low:g} to {high:g}. Scale them."
        )
