"""Rankings in the formats that users pass, and as one table of levels.

A ranking is a sequence of item numbers, best first; tied items are an inner tuple (a
tie group). Entry [v, i] of the levels is the number of tie groups that vote v ranks
before item i, NaN if i is absent.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.arguments import check_whole
from ltr.queries import FloatArray
from ltr.solvers.core.inputs import GREATEST, to_array

# Item numbers, best first; a tie group is a collection of them.
Rankings = ArrayLike | Sequence[Sequence[int | Collection[int]]]

MAX_GIB = 4
_UNORDERED = (set, frozenset, dict)


def read_levels(rankings: Any, n_items: int | None) -> FloatArray:
    """Return the level of each item in each ranking.

    Parameters
    ----------
    rankings : array-like of int of shape (n_rankings, k), or sequence of sequences
        Item numbers, best first; tied items in an inner tuple, list or set.
    n_items : int or None
        Number of items; None: one more than the greatest item number.

    Returns
    -------
    levels : float array of shape (n_rankings, n_items)
        NaN for absent items.

    Examples
    --------
    >>> read_levels([[2, (0, 1)], [1]], None).tolist()
    [[1.0, 1.0, 0.0], [nan, 0.0, nan]]
    """
    if isinstance(rankings, _UNORDERED):
        raise TypeError(
            f"rankings must be a list of rankings; got a {type(rankings).__name__}. "
            "Pass a list of its values."
        )
    if not hasattr(rankings, "__len__") and hasattr(rankings, "__iter__"):
        rankings = list(rankings)
    table = _as_table(rankings)
    if table is not None:
        return _levels_of_table(table, n_items)
    if not hasattr(rankings, "__iter__"):
        raise TypeError(f"rankings must be a list of rankings; got {rankings!r}.")
    votes, items, levels = [], [], []
    for v, ranking in enumerate(rankings):
        if not hasattr(ranking, "__iter__") or isinstance(ranking, (str, bytes)):
            raise TypeError(
                "rankings must be a sequence of rankings, each a sequence of item "
                f"numbers; got {ranking!r} at {v}. Put a single ranking in a list."
            )
        if isinstance(ranking, _UNORDERED):
            raise TypeError(
                "a ranking must be in order, best first; got a "
                f"{type(ranking).__name__}, which has no order, at {v}. Pass a list; a "
                "set inside it holds tied items. Approvals are a bool array of shape "
                "(n_voters, n_items), for select_committee."
            )
        seen: set[int] = set()
        for level, group in enumerate(ranking):
            tied = (
                group if isinstance(group, (tuple, list, set, frozenset)) else [group]
            )
            for item in tied:
                number = _number(item, v)
                if number in seen:
                    raise ValueError(
                        f"a ranking must name each item once; rankings[{v}] names "
                        f"item {number} twice."
                    )
                seen.add(number)
                votes.append(v)
                items.append(number)
                levels.append(level)
    n = _count(max(items, default=-1), min(items, default=0), n_items)
    check_memory(len(rankings), n, "rankings")
    table = np.full((len(rankings), n), np.nan)
    table[votes, items] = levels
    return table


def _as_table(rankings: Any) -> Any:
    """The rankings as one integer array, or None if lengths differ or some are tied."""
    try:
        table = to_array(rankings, "rankings must hold item numbers", None)
    except ValueError:
        return None
    if table.ndim == 2 and table.size and table.dtype != object:
        if not np.issubdtype(table.dtype, np.integer):
            first = table[0, 0]
            _number(first if table.dtype == bool else first.item(), 0)
        return table
    return None


def _levels_of_table(table: Any, n_items: int | None) -> FloatArray:
    n_rankings, length = table.shape
    if table.min() < 0:
        v, position = np.argwhere(table < 0)[0]
        _number(table[v, position], v)
    n = _count(int(table.max()), int(table.min()), n_items)
    check_memory(n_rankings, n, "rankings")
    levels = np.full((n_rankings, n), np.nan)
    rows = np.arange(n_rankings)[:, None]
    levels[rows, table] = np.arange(length)
    # an item that is named twice has overwritten one level
    repeats = np.flatnonzero(np.isfinite(levels).sum(axis=1) < length)
    if len(repeats):
        ranking = table[repeats[0]].tolist()
        twice = next(item for item in ranking if ranking.count(item) > 1)
        raise ValueError(
            f"a ranking must name each item once; rankings[{repeats[0]}] names item "
            f"{twice} twice."
        )
    return levels


def _number(item: Any, v: int) -> int:
    try:
        number = operator.index(item)
    except TypeError:
        if isinstance(item, str):
            advice = (
                "Number names, as by {name: i for i, name in enumerate(names)}; lists "
                "of ids are fused by ltr.fusion."
            )
        elif isinstance(item, np.bool_):
            advice = "Pass approvals to select_committee, as a NumPy array."
        else:
            advice = "Turn ranks or scores into rankings by orders_from_ranks."
        raise TypeError(
            f"rankings must hold item numbers, integers from 0; got {item!r} in "
            f"rankings[{v}]. {advice}"
        ) from None
    if number < 0:
        raise ValueError(
            f"rankings must hold item numbers from 0; got {number} in rankings[{v}]. "
            "Leave absent items out."
        )
    return number


def _count(greatest: int, least: int, n_items: int | None) -> int:
    """Number of items, given the least and greatest number that rankings name."""
    if n_items is None:
        if least > 0:
            raise ValueError(
                f"items are numbered from 0; the rankings name {least}, …, {greatest} "
                "and never 0. Subtract 1, or pass n_items; if these are ranks, use "
                "orders_from_ranks."
            )
        return greatest + 1
    n_items = check_whole("n_items", n_items, low=0)
    if greatest >= n_items:
        raise ValueError(
            f"n_items must be greater than all item numbers; got {n_items}, and item "
            f"{greatest} in the rankings."
        )
    return n_items


def check_memory(n_rows: int, n_items: int, name: str) -> None:
    """Raise if a table with a row of all items takes too much memory.

    Examples
    --------
    >>> check_memory(1000, 1000, "rankings")
    """
    gib = 8 * n_rows * n_items / 2**30
    if gib > MAX_GIB:
        raise ValueError(
            f"{name} must need a table of at most {MAX_GIB} GiB; got {n_rows:,} ×"
            f" {n_items:,} numbers, {gib:,.1f} GiB, for the items 0, …, "
            f"{n_items - 1:,}. "
            "Leave out items, or number them without gaps."
        )


def check_weights(weights: ArrayLike | None, n_rows: int, what: str) -> FloatArray:
    """Return one weight >= 0 per row; None: ones.

    Examples
    --------
    >>> check_weights(None, 2, "ranking").tolist()
    [1.0, 1.0]
    """
    if weights is None:
        return np.ones(n_rows)
    array: FloatArray = to_array(weights, f"weights must be one number per {what}")
    if array.shape != (n_rows,):
        raise ValueError(
            f"weights must have shape ({n_rows},), one number per {what}; got shape "
            f"{array.shape}."
        )
    is_wrong = ~(np.isfinite(array) & (array >= 0))
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        raise ValueError(
            f"weights must be finite and >= 0; got {array[row]} at [{row}]."
        )
    if array.max(initial=0.0) > GREATEST:
        raise ValueError(
            f"weights must be at most {GREATEST:g}, as larger sums overflow; got "
            f"{array.max():g}. Scale them down."
        )
    return array
