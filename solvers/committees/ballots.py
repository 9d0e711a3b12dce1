"""Ballots as a matrix: what each item is worth to each voter."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ltr.solvers.core.rankings import read_levels
from ltr.solvers.core.solution import BoolArray, FloatArray, IntArray

# Rules for which a set of approved items is enough.
APPROVAL_RULES = ("bloc", "cc", "pav", "monroe")


def item_values(
    rankings: ArrayLike | Sequence[Sequence[Any]],
    k: int,
    rule: str,
    n_items: int | None,
) -> FloatArray:
    """Return what each item is worth to each voter under a rule.

    Parameters
    ----------
    rankings : array-like or sequence
        As in :func:`ltr.solvers.select_committee`.
    k : int
        Size of the committee: Bloc and PAV approve the first ``k`` items.
    rule : str
        Name of the rule.
    n_items : int or None
        Number of items; None: one more than the greatest number.

    Returns
    -------
    values : float array of shape (n_voters, n_items)
        Borda points, which may be halves, or 1 where an item is approved.

    Examples
    --------
    >>> item_values([[1, 0, 2], [(0, 1)]], 2, "borda", 3).tolist()
    [[1.0, 2.0, 0.0], [1.5, 1.5, 0.0]]
    >>> item_values([[1, 0, 2]], 1, "sntv", None).tolist()
    [[0.0, 1.0, 0.0]]
    """
    if isinstance(rankings, np.ndarray) and rankings.dtype == bool:
        return _approved(rankings, rule, n_items)
    places = read_levels(rankings, n_items)
    if places.size == 0:
        raise ValueError("rankings must hold at least one ballot that ranks an item.")
    ranked = ~np.isnan(places)
    levels = np.where(ranked, places, places.shape[1]).astype(np.int64)
    n_tied, n_upto = _level_counts(levels)
    if rule in ("cc", "monroe", "borda"):
        return np.asarray(levels.shape[1] - n_upto + (n_tied - 1) / 2)
    first = 1 if rule == "sntv" else k
    torn = ranked & (n_upto > first) & (n_upto - n_tied < first)
    if torn.any():
        voter = int(np.argwhere(torn)[0, 0])
        tied = ", ".join(str(item) for item in np.flatnonzero(torn[voter]))
        raise ValueError(
            f"rule {rule!r} needs the first {first} of each ballot; rankings[{voter}] "
            f"ties items {tied} across that place. Break the tie, or pass approvals, a "
            "bool array of shape (n_voters, n_items)."
        )
    return (ranked & (n_upto <= first)).astype(np.float64)


def _level_counts(levels: IntArray) -> tuple[IntArray, IntArray]:
    """For each item of each ballot: how many are level with it, and not below it."""
    n_voters, n_items = levels.shape
    if (np.sort(levels, axis=1) == np.arange(n_items)).all():
        return np.ones_like(levels), levels + 1
    cells = levels + (n_items + 1) * np.arange(n_voters)[:, None]
    counts = np.bincount(cells.ravel(), minlength=n_voters * (n_items + 1))
    counts = counts.reshape(n_voters, n_items + 1)
    upto = np.cumsum(counts, axis=1)
    n_tied = np.take_along_axis(counts, levels, axis=1)
    return n_tied, np.take_along_axis(upto, levels, axis=1)


def _approved(approvals: BoolArray, rule: str, n_items: int | None) -> FloatArray:
    shape = approvals.shape
    if len(shape) != 2 or 0 in shape or (n_items is not None and n_items != shape[1]):
        wanted = "n_items" if n_items is None else n_items
        raise ValueError(
            "rankings as approvals must be a bool array of shape (n_voters, "
            f"{wanted}), neither number 0; got shape {shape}."
        )
    if rule not in APPROVAL_RULES:
        names = ", ".join(repr(name) for name in APPROVAL_RULES)
        raise ValueError(
            f"rule {rule!r} needs rankings; got approvals, a bool array. The rules for "
            f"approvals are {names}."
        )
    return approvals.astype(np.float64)
