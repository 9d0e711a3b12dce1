"""Preference pairs as lists of two items."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.queries import FloatArray, IntArray, check_rows


class PairLists(NamedTuple):
    """Preference pairs as lists of two, ready for ``fit``; see :func:`pairs_to_lists`.

    Attributes
    ----------
    X : array or DataFrame of shape (2 n_pairs, n_features)
        Features; row 2 i is the winner of pair i, row 2 i + 1 its loser.
    y : int array of shape (2 n_pairs,)
        1 for winners, 0 for losers.
    qid : int array of shape (2 n_pairs,)
        The pair of each row.
    query_weight : float array of shape (2 n_pairs,) or None
        Weight of the pair of each row.

    Examples
    --------
    >>> lists = pairs_to_lists([[1.0]], [[2.0]])
    >>> lists.y.tolist(), lists.qid.tolist(), lists.query_weight is None
    ([1, 0], [0, 0], True)
    """

    X: Any
    y: IntArray
    qid: IntArray
    query_weight: FloatArray | None


def pairs_to_lists(
    winners: Any,
    losers: Any,
    weights: ArrayLike | None = None,
    *,
    features: Any = None,
) -> PairLists:
    r"""Turn preference pairs into lists of two items.

    With the loss ``"ranknet"``, or any other that is logistic for two items, a ranker
    fitted to them is the Bradley-Terry model with features: the score difference of two
    items is the log odds that the first is preferred.

    Parameters
    ----------
    winners, losers : array or DataFrame of shape (n_pairs, n_features)
        Features of the preferred item of each pair, and of the other. With
        ``features``: arrays of shape (n_pairs,) that name the items.
    weights : array-like of shape (n_pairs,), default=None
        Weight of each pair, finite and ≥ 0: how often it was judged so, or how certain
        the judge was. None: 1.
    features : array or DataFrame of shape (n_items, n_features), default=None
        Features of the items, which ``winners`` and ``losers`` name by row number, or
        by index label if it is a DataFrame.

    Returns
    -------
    lists : PairLists
        ``ranker.fit(lists.X, lists.y, lists.qid, query_weight=lists.query_weight)``.

    Raises
    ------
    ValueError
        If shapes or columns differ, an item is not in ``features``, or a weight is
        negative or not finite.

    Examples
    --------
    >>> from ltr import NeuralRanker
    >>> items = np.array([[0.0], [1.0], [2.0]])
    >>> lists = pairs_to_lists([2, 1, 2, 0], [1, 0, 0, 1], [5, 3, 4, 1], features=items)
    >>> ranker = NeuralRanker("ranknet", "linear", random_state=0)
    >>> scores = ranker.fit(*lists[:3], query_weight=lists.query_weight).predict(items)
    >>> bool(scores[2] > scores[1] > scores[0])
    True
    """
    if features is not None:
        winners = _items(features, winners, "winners")
        losers = _items(features, losers, "losers")
        if len(winners) != len(losers):
            raise ValueError(
                "winners and losers must have one item per pair each; got "
                f"{len(winners)} and {len(losers)}."
            )
    check_rows({"winners": winners, "losers": losers, "weights": weights})
    if np.ndim(winners) != 2 or np.shape(winners) != np.shape(losers):
        raise ValueError(
            "winners and losers must both have shape (n_pairs, n_features); got "
            f"{np.shape(winners)} and {np.shape(losers)}. To name items, pass their "
            "features as features=."
        )
    n_pairs = len(winners)
    qid = np.repeat(np.arange(n_pairs), 2)
    labels = np.tile(np.array([1, 0], dtype=np.intp), n_pairs)
    return PairLists(
        _interleave(winners, losers), labels, qid, _pair_weights(weights, n_pairs)
    )


def _items(features: Any, names: Any, argument: str) -> Any:
    """Features of the items that a column names."""
    column = np.asarray(names)
    if column.ndim != 1:
        raise ValueError(
            f"{argument} must have shape (n_pairs,) if features is given; got shape "
            f"{column.shape}."
        )
    if hasattr(features, "iloc"):
        if not features.index.is_unique:
            item = features.index[features.index.duplicated()][0]
            raise ValueError(
                f"features must have an index of distinct items; {item!r} is repeated."
            )
        rows = features.index.get_indexer(column)
        if (rows < 0).any():
            i = int((rows < 0).argmax())
            raise ValueError(
                f"{argument} must be items of features; got {column[i]} at row {i}, "
                "which is not in its index."
            )
        return features.iloc[rows].reset_index(drop=True)
    n_items = len(features)
    is_whole = column.dtype.kind in "iu"
    bad = ~((column >= 0) & (column < n_items)) if is_whole else np.ones(1, dtype=bool)
    if len(column) and bad.any():
        i = int(bad.argmax())
        raise ValueError(
            f"{argument} must be rows of features, 0 to {n_items - 1}; got {column[i]} "
            f"at row {i}. Items of other names need a DataFrame with them as index."
        )
    return np.asarray(features)[column.astype(np.intp)]


def _interleave(winners: Any, losers: Any) -> Any:
    n_pairs = len(winners)
    order = np.arange(2 * n_pairs).reshape(2, n_pairs).T.ravel()
    if not (hasattr(winners, "iloc") or hasattr(losers, "iloc")):
        return np.concatenate([np.asarray(winners), np.asarray(losers)])[order]
    import pandas as pd

    frames = (pd.DataFrame(winners), pd.DataFrame(losers))
    if list(frames[0].columns) != list(frames[1].columns):
        raise ValueError(
            "winners and losers must have the same columns; got "
            f"{list(frames[0].columns)} and {list(frames[1].columns)}."
        )
    return pd.concat(frames, ignore_index=True).iloc[order].reset_index(drop=True)


def _pair_weights(weights: ArrayLike | None, n_pairs: int) -> NDArray[Any] | None:
    if weights is None:
        return None
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (n_pairs,):
        raise ValueError(
            f"weights must have one number per pair; got shape {values.shape} for "
            f"{n_pairs} pairs."
        )
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        i = int(bad.argmax())
        raise ValueError(
            f"weights must be finite and >= 0; got {values[i]} at pair {i}. Swap "
            "winner and loser of a pair whose weight is negative."
        )
    return np.repeat(values, 2)
