"""Prefix quotas without a general solver: by matching, and by counting."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.solvers.assignment.problem import Gains, Rules
from ltr.solvers.core.groups import Group
from ltr.solvers.core.tolerance import EPSILON

# Steps that the dynamic program may take: about a fifth of a second.
MAX_STEPS = 20_000_000
# A problem is solved again without the losses that are too great for a better order if
# the loss of the order is less than this share of the greatest.
MUCH_LESS = 1e-3


def can_match(gains: Gains, rules: Rules) -> bool:
    """Whether :func:`solve_by_matching` is exact.

    Examples
    --------
    >>> from ltr.solvers.assignment.problem import check_gains
    >>> can_match(check_gains([2.0, 1.0], None, None), Rules({}, (), (), False))
    True
    """
    if not rules.is_simple or not all(g.is_prefix_only for g in rules.groups):
        return False
    if gains.scores is None:
        return not rules.groups
    n_groups = np.zeros(gains.n_items, dtype=np.int64)
    for group in rules.groups:
        n_groups += group.members
    # members of a group are exchanged: none may have a window of its own
    has_window = bool(n_groups[list(rules.windows)].any())
    return bool((n_groups[_free_items(gains, rules)] <= 1).all()) and not has_window


def _free_items(gains: Gains, rules: Rules) -> BoolArray:
    """Which items have no fixed slot."""
    free = np.ones(gains.n_items, dtype=bool)
    free[list(rules.fixed.values())] = False
    return free


def free_bounds(group: Group, rules: Rules, k: int) -> tuple[IntArray, IntArray]:
    """Bounds on the members without a fixed slot in the first 0, 1, …, k positions.

    Both are nondecreasing.

    Examples
    --------
    >>> group = Group(np.array([True, True]), np.array([0, 1, 2]), np.array([0, 1, 2]))
    >>> free_bounds(group, Rules({0: 1}, (), (), False), 2)
    (array([0, 0, 1]), array([0, 0, 1]))
    """
    fixed = np.zeros(k + 1, dtype=np.int64)
    for position, item in rules.fixed.items():
        fixed[position + 1 :] += group.members[item]
    # counts are nondecreasing in the prefix: a lower bound also holds for all longer
    # prefixes, an upper bound for all shorter ones
    lower = np.maximum.accumulate(np.maximum(group.lower - fixed, 0))
    upper = np.minimum.accumulate((group.upper - fixed)[::-1])[::-1]
    return lower, upper


def solve_by_matching(gains: Gains, rules: Rules) -> IntArray | None:
    """Solve quotas on disjoint groups as a linear assignment with position intervals.

    If the gain is score · discount, some best order has the members of each group best
    first (exchange two of them). Then "at least j members among the first t" means that
    the j-th best member is at one of the first t positions, and "at most j - 1" that it
    is at none of them: each item has an interval of positions. None if no assignment
    places all items within their intervals.

    Examples
    --------
    >>> from ltr.solvers.assignment.problem import check_gains
    >>> gains = check_gains([3.0, 2.0, 1.0], None, None)
    >>> solve_by_matching(gains, Rules({0: 2}, (), (), False))
    array([2, 0, 1])
    """
    k = gains.k
    earliest = np.zeros(gains.n_items, dtype=np.int64)
    latest = np.full(gains.n_items, k)  # k: the item may also stay unplaced
    is_free = _free_items(gains, rules)
    is_candidate = is_free.copy()
    if gains.scores is not None:
        best_first = np.argsort(-gains.scores, kind="stable")
        best_first = best_first[is_free[best_first]]
        is_ungrouped = is_free.copy()
        for group in rules.groups:
            lower, upper = free_bounds(group, rules, k)
            members = best_first[group.members[best_first]]
            j = 1 + np.arange(len(members))
            # the least t with upper[t] >= j, and with lower[t] >= j, 0-based
            earliest[members] = np.searchsorted(upper, j) - 1
            latest[members] = np.searchsorted(lower, j) - 1
            is_impossible = lower[-1] > len(members) or upper[0] < 0
            if is_impossible or (earliest[members] > latest[members]).any():
                return None
            is_ungrouped[members] = False
            is_candidate[members] = earliest[members] < k
        is_ungrouped[list(rules.windows)] = False
        # of the items in no group, only the k best can be placed
        is_candidate[best_first[is_ungrouped[best_first]][k:]] = False
    for item, (first, last) in rules.windows.items():
        earliest[item], latest[item] = first, last
        is_candidate[item] = first < k
    items = np.flatnonzero(is_candidate)
    positions = np.setdiff1d(np.arange(k), list(rules.fixed))
    order = np.full(k, -1, dtype=np.int64)
    for position, item in rules.fixed.items():
        order[position] = item
    is_required = latest[items] < k
    is_early = positions < earliest[items][:, None]
    is_late = positions > latest[items][:, None]
    losses = gains.losses(items)[:, positions]  # (n_candidates, n_positions)
    losses[is_early | is_late] = np.inf
    pairs = _cheapest(losses, is_required)
    if pairs is None:
        return None
    rows, columns = pairs
    order[positions[columns]] = items[rows]
    if (order < 0).any() or is_required.sum() > is_required[rows].sum():
        return None
    return order


def _cheapest(
    losses: FloatArray, is_required: BoolArray
) -> tuple[IntArray, IntArray] | None:
    """Rows and columns of a cheapest assignment to all columns; None if there is none.

    With m + 1 times the greatest loss subtracted from the rows that must be used, an
    assignment of the m columns that has all of them beats any that has not. Losses are
    >= 0, so no better assignment has a loss above the total of this one: where that is
    much less than the greatest, it is solved again without them, with less rounding.
    """
    losses = losses.copy()
    while True:
        top = float(losses[losses < np.inf].max(initial=0.0))
        costs = losses.T.copy()  # (m, n_rows)
        costs[:, is_required] -= (len(costs) + 1) * (top or 1.0)
        try:
            columns, rows = linear_sum_assignment(costs)
        except ValueError:  # no assignment fills all positions
            return None
        total = float(losses[rows, columns].sum())
        if is_required.sum() > is_required[rows].sum() or total >= MUCH_LESS * top:
            return rows, columns
        losses[losses > total * (1 + EPSILON * len(rows))] = np.inf


def count_steps(gains: Gains, rules: Rules) -> float:
    """Work of :func:`solve_by_counting`; inf if it is not exact.

    Examples
    --------
    >>> from ltr.solvers.assignment.problem import check_gains
    >>> count_steps(check_gains([2.0, 1.0], None, None), Rules({}, (), (), False))
    2
    """
    is_exact = gains.scores is not None and rules.is_simple and not rules.windows
    if not is_exact or not all(group.is_prefix_only for group in rules.groups):
        return math.inf
    classes = _classes(gains, rules)
    n_states = math.prod(len(members) + 1 for members in classes[1:])
    return n_states * len(classes) * gains.k


def _classes(gains: Gains, rules: Rules) -> list[IntArray]:
    """Classes of free items in the same groups, best first; the largest class first.

    A class is truncated to the number of its items that the upper bounds admit.
    """
    assert gains.scores is not None
    items = np.flatnonzero(_free_items(gains, rules))
    best_first = items[np.argsort(-gains.scores[items], kind="stable")]
    codes = np.zeros(len(best_first), dtype=np.int64)
    limits = np.full(len(best_first), gains.k)
    for group in rules.groups:
        is_member = group.members[best_first]
        codes = np.unique(2 * codes + is_member, return_inverse=True)[1]
        upper = free_bounds(group, rules, gains.k)[1][-1]
        limits[is_member] = np.minimum(limits[is_member], max(upper, 0))
    classes = []
    for code in range(codes.max(initial=-1) + 1):
        in_class = codes == code
        classes.append(best_first[in_class][: limits[in_class][0]])
    return sorted(classes, key=len, reverse=True)


def solve_by_counting(gains: Gains, rules: Rules) -> IntArray | None:
    """Dynamic program over the number of placed items of each class.

    Items of a class are in the same groups, so some best order has them best first, and
    the counts n = (n_0, n_1, …) of placed items say which are placed. Position by
    position,

        V(n) ← max_c V(n - e_c) + discount[t] · score of item n_c - 1 of class c,

    and V(n) = -inf where the counts of a group break its bounds. The state leaves out
    n_0 of the largest class: all counts sum to the number of free positions filled.
    None if no order keeps the quotas.

    Examples
    --------
    >>> from ltr.solvers.assignment.problem import check_gains
    >>> gains = check_gains([3.0, 2.0, 1.0], None, None)
    >>> solve_by_counting(gains, Rules({0: 2}, (), (), False))
    array([2, 0, 1])
    """
    assert gains.scores is not None
    k, classes = gains.k, _classes(gains, rules)
    if not classes:
        classes = [np.zeros(0, dtype=np.int64)]
    shape = tuple(len(members) + 1 for members in classes[1:])
    counts = np.indices(shape)  # counts[c - 1] = n_c of each state
    n_in_others = counts.sum(axis=0)  # n_1 + n_2 + …
    values = np.full(shape, -np.inf)
    values[(0,) * len(shape)] = 0.0
    scores = [gains.scores[members] for members in classes]
    choices: list[NDArray[np.int8] | None] = []  # None at a fixed slot
    n_free = 0
    for position in range(k):
        if position in rules.fixed:
            choices.append(None)
        else:
            values, choice = _place_one(
                values, gains.discount[position], scores, n_free - n_in_others
            )
            choices.append(choice)
            n_free += 1
        for group in rules.groups:
            lower, upper = free_bounds(group, rules, k)
            n_members = np.zeros(shape, dtype=np.int64)
            for c, members in enumerate(classes):
                if len(members) and group.members[members[0]]:
                    n_members += counts[c - 1] if c else n_free - n_in_others
            t = position + 1
            values[(n_members < lower[t]) | (n_members > upper[t])] = -np.inf
    return _trace_back(values, choices, classes, rules)


def _place_one(
    values: FloatArray, discount: float, scores: list[FloatArray], n_0: IntArray
) -> tuple[FloatArray, NDArray[np.int8]]:
    """One step of the recursion: V of the next position, and the class that attains it.

    ``n_0`` is the count of the largest class in each state before the step.
    """
    is_possible = (n_0 >= 0) & (n_0 < len(scores[0]))
    best = np.full(values.shape, -np.inf)
    best[is_possible] = values[is_possible] + discount * scores[0][n_0[is_possible]]
    choice = np.zeros(values.shape, dtype=np.int8)
    for c in range(1, len(scores)):
        axis = c - 1
        # from n_c to n_c + 1, along the axis of class c
        candidate = np.moveaxis(values, axis, -1)[..., :-1] + discount * scores[c]
        current = np.moveaxis(best, axis, -1)[..., 1:]  # a view
        is_better = candidate > current
        current[is_better] = candidate[is_better]
        np.moveaxis(choice, axis, -1)[..., 1:][is_better] = c
    return best, choice


def _trace_back(
    values: FloatArray,
    choices: list[NDArray[np.int8] | None],
    classes: list[IntArray],
    rules: Rules,
) -> IntArray | None:
    """Read the order off the choices, from the last position back."""
    state = [int(n) for n in np.unravel_index(int(values.argmax()), values.shape)]
    if values[tuple(state)] == -np.inf:
        return None
    order = np.empty(len(choices), dtype=np.int64)
    n_0 = sum(choice is not None for choice in choices) - sum(state)
    for position in range(len(choices) - 1, -1, -1):
        choice = choices[position]
        if choice is None:
            order[position] = rules.fixed[position]
            continue
        c = int(choice[tuple(state)])
        if c == 0:
            n_0 -= 1
            order[position] = classes[0][n_0]
        else:
            state[c - 1] -= 1
            order[position] = classes[c][state[c - 1]]
    return order
