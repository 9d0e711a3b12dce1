"""Ballots as a matrix of utilities, one row per voter and one column per item."""

from __future__ import annotations

import numpy as np

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.core.rankings import Rankings, read_levels

# Rules that can be computed from approvals alone.
APPROVAL_RULES = ("bloc", "cc", "pav", "monroe", "equal_shares", "phragmen")


def utilities(
    rankings: Rankings,
    k: int,
    rule: str,
    n_items: int | None,
) -> FloatArray:
    """Return the utility of each item for each voter under a rule.

    Parameters
    ----------
    rankings : array-like or sequence
        As in :func:`ltr.solvers.select_committee`.
    k : int
        Size of the committee: unless the rule is in terms of Borda points (or SNTV), a
        voter approves the first ``k``.
    rule : str
        Name of the rule.
    n_items : int or None
        Number of items. None: one more than the greatest item number.

    Returns
    -------
    values : float array of shape (n_voters, n_items)
        Borda points, multiples of 1/2; or 1 where an item is approved, else 0.

    Examples
    --------
    >>> utilities([[1, 0, 2], [(0, 1)]], 2, "borda", 3).tolist()
    [[1.0, 2.0, 0.0], [1.5, 1.5, 0.0]]
    >>> utilities([[1, 0, 2]], 1, "sntv", None).tolist()
    [[0.0, 1.0, 0.0]]
    """
    if isinstance(rankings, np.ndarray) and rankings.dtype == bool:
        return _approved(rankings, rule, n_items)
    table = read_levels(rankings, n_items)
    if table.size == 0:
        raise ValueError("rankings must hold at least one ballot that ranks an item.")
    is_ranked = ~np.isnan(table)
    levels = np.where(is_ranked, table, table.shape[1]).astype(np.int64)
    n_tied, n_upto = _level_counts(levels)
    if rule in ("cc", "monroe", "borda"):
        # one point per item below, half a point per other item of the tie group
        return np.asarray(levels.shape[1] - n_upto + (n_tied - 1) / 2)
    n_approved = 1 if rule == "sntv" else k
    is_split = is_ranked & (n_upto > n_approved) & (n_upto - n_tied < n_approved)
    if is_split.any():
        voter = int(np.argwhere(is_split)[0, 0])
        tie_group = ", ".join(str(item) for item in np.flatnonzero(is_split[voter]))
        raise ValueError(
            f"rule {rule!r} needs the first {n_approved} of each ballot; "
            f"rankings[{voter}] ties items {tie_group} across that position. Break the "
            "tie, or pass approvals, a bool array of shape (n_voters, n_items)."
        )
    return (is_ranked & (n_upto <= n_approved)).astype(np.float64)


def _level_counts(levels: IntArray) -> tuple[IntArray, IntArray]:
    """Size of each item's tie group, and number of items up to its end."""
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
        n_columns = "n_items" if n_items is None else n_items
        raise ValueError(
            "approvals must be a nonempty bool array of shape (n_voters, "
            f"{n_columns}); got shape {shape}."
        )
    if rule not in APPROVAL_RULES:
        names = ", ".join(repr(name) for name in APPROVAL_RULES)
        raise ValueError(
            f"rule {rule!r} needs rankings; got approvals, a bool array. The rules for "
            f"approvals are {names}."
        )
    return approvals.astype(np.float64)
