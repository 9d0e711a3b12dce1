"""Arcs that some order may have, as far as single constraints tell."""

import numpy as np

from ltr.queries import BoolArray
from ltr.solvers.core.order_rules import OrderRules


def allowed_arcs(n: int, rules: OrderRules) -> BoolArray:
    """Return the arcs i → j that no single constraint or simple implication excludes.

    An allowed arc may still be in no order that keeps all constraints.

    Returns
    -------
    allowed : bool array of shape (n + 1, n + 1)
        Node n is the depot.
    """
    allowed = np.ones((n + 1, n + 1), dtype=bool)
    before = rules.before(n)
    # with a cycle of precedences no arc is allowed
    allowed &= not before.diagonal().any()
    # not i → j if j comes before i, nor if some k must come between them
    allowed[:n, :n] &= ~before.T
    n_between = before.astype(np.float32) @ before.astype(np.float32)
    allowed[:n, :n] &= n_between == 0
    # only items without predecessors can be first, only those without successors last
    allowed[n, :n] &= ~before.any(axis=0)
    allowed[:n, n] &= ~before.any(axis=1)
    for group in rules.groups:
        allowed &= group.is_possible
        if group.pairs_apart:
            allowed[np.ix_(group.items, group.items)] = False
    if not rules.has_positions:
        return allowed
    first, last = rules.intervals(n)
    allowed &= not (first > last).any()
    # only an item that may be at position 0 follows the depot, …
    allowed[n, :n] &= first == 0
    allowed[:n, n] &= last == n - 1
    # i → j needs a position p of i such that p + 1 is one of j
    allowed[:n, :n] &= first[:, None] + 1 <= last
    allowed[:n, :n] &= first <= last[:, None] + 1
    # an item that must be first, or last, leaves the depot no other arc
    nodes = np.arange(n + 1)
    for item in np.flatnonzero(last == 0).tolist():
        allowed[n, nodes != item] = False
    for item in np.flatnonzero(first == n - 1).tolist():
        allowed[nodes != item, n] = False
    # i at position p and j at p + 1: the arc i → j excludes all others out of i, into j
    fixed = np.flatnonzero(first == last)
    is_next = first[fixed][:, None] + 1 == first[fixed]
    for i, j in fixed[np.argwhere(is_next)]:
        allowed[i, nodes != j] = False
        allowed[nodes != i, j] = False
    return allowed
