"""Positions under prefix quotas without a general solver: matching, and counting."""

import math
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ltr.solvers.assignment.problem import Gains, Group, Rules
from ltr.solvers.core.solution import BoolArray, FloatArray, IntArray

# The dynamic program is for at most this many steps: about a fifth of a second.
MAX_STEPS = 20_000_000


def can_match(gains: Gains, rules: Rules) -> bool:
    """Whether :func:`solve_by_matching` is exact.

    Examples
    --------
    >>> from ltr.solvers.assignment.problem import check_gains
    >>> can_match(check_gains([2.0, 1.0], None, None), Rules({}, (), (), False))
    True
    """
    if rules.precedences or not all(group.is_prefix_only for group in rules.groups):
        return False
    if gains.scores is None:
        return not rules.groups
    n_groups = np.zeros(gains.n_items, dtype=np.int64)
    for group in rules.groups:
        n_groups += group.members
    return bool((n_groups[_free_items(gains, rules)] <= 1).all())


def _free_items(gains: Gains, rules: Rules) -> BoolArray:
    free = np.ones(gains.n_items, dtype=bool)
    free[list(rules.fixed.values())] = False
    return free


def free_bounds(group: Group, rules: Rules, k: int) -> tuple[IntArray, IntArray]:
    """Least and greatest number of members beside the fixed ones, in each prefix.

    Neither falls from one prefix to the next.

    Examples
    --------
    >>> group = Group(np.array([True, True]), np.array([0, 1, 2]), np.array([0, 1, 2]))
    >>> free_bounds(group, Rules({0: 1}, (), (), False), 2)
    (array([0, 0, 1]), array([0, 0, 1]))
    """
    fixed = np.zeros(k + 1, dtype=np.int64)
    for position, item in rules.fixed.items():
        fixed[position + 1 :] += group.members[item]
    lower = np.maximum.accumulate(np.maximum(group.lower - fixed, 0))
    upper = np.minimum.accumulate((group.upper - fixed)[::-1])[::-1]
    return lower, upper


def solve_by_matching(gains: Gains, rules: Rules) -> IntArray | None:
    """Assign items to positions; quotas of disjoint groups are intervals of positions.

    If the gain is score · discount, the members of a group may come best first. A least
    number of j among the first t then says that the j-th member is at one of the first
    t positions, and a greatest number of j - 1 that it is not: a linear assignment
    with an interval for each item. None if there is no such order.

    Examples
    --------
    >>> from ltr.solvers.assignment.problem import check_gains
    >>> gains = check_gains([3.0, 2.0, 1.0], None, None)
    >>> solve_by_matching(gains, Rules({0: 2}, (), (), False))
    array([2, 0, 1])
    """
    k = gains.k
    first = np.zeros(gains.n_items, dtype=np.int64)
    last = np.full(gains.n_items, k)  # k: it may also be left out
    free = _free_items(gains, rules)
    wanted = free.copy()
    if gains.scores is not None:
        best_first = np.argsort(-gains.scores, kind="stable")
        best_first = best_first[free[best_first]]
        rest = free.copy()
        for group in rules.groups:
            lower, upper = free_bounds(group, rules, k)
            members = best_first[group.members[best_first]]
            count = 1 + np.arange(len(members))
            first[members] = np.searchsorted(upper, count) - 1
            last[members] = np.searchsorted(lower, count) - 1
            too_few = lower[-1] > len(members) or upper[0] < 0
            if too_few or (first[members] > last[members]).any():
                return None
            rest[members] = False
            wanted[members] = first[members] < k
        wanted[best_first[rest[best_first]][k:]] = False
    items = np.flatnonzero(wanted)
    positions = np.setdiff1d(np.arange(k), list(rules.fixed))
    order = np.full(k, -1, dtype=np.int64)
    for position, item in rules.fixed.items():
        order[position] = item
    low, high = gains.extremes()
    values = (gains.rows(items)[:, positions] - low) / (high - low or 1.0)
    must = last[items] < k
    values[must] += k + 1.0  # all of these are placed, if they can be
    outside = (positions < first[items][:, None]) | (positions > last[items][:, None])
    values[outside] = -np.inf
    try:
        place, chosen = linear_sum_assignment(values.T, maximize=True)
    except ValueError:  # some position has no item left
        return None
    order[positions[place]] = items[chosen]
    if (order < 0).any() or must.sum() > must[chosen].sum():
        return None
    return order


def count_steps(gains: Gains, rules: Rules) -> float:
    """Work of :func:`solve_by_counting`; inf where it is not exact.

    Examples
    --------
    >>> from ltr.solvers.assignment.problem import check_gains
    >>> count_steps(check_gains([2.0, 1.0], None, None), Rules({}, (), (), False))
    2
    """
    exact = gains.scores is not None and not rules.precedences
    if not exact or not all(group.is_prefix_only for group in rules.groups):
        return math.inf
    classes = _classes(gains, rules)
    states = math.prod(len(members) + 1 for members in classes[1:])
    return states * len(classes) * gains.k


def _classes(gains: Gains, rules: Rules) -> list[IntArray]:
    """Free items that are in the same groups, best first; the largest class first."""
    assert gains.scores is not None
    free = np.flatnonzero(_free_items(gains, rules))
    best_first = free[np.argsort(-gains.scores[free], kind="stable")]
    codes = np.zeros(len(best_first), dtype=np.int64)
    most = np.full(len(best_first), gains.k)
    for group in rules.groups:
        inside = group.members[best_first]
        codes = np.unique(2 * codes + inside, return_inverse=True)[1]
        upper = free_bounds(group, rules, gains.k)[1][-1]
        most[inside] = np.minimum(most[inside], max(upper, 0))
    classes = []
    for code in range(codes.max(initial=-1) + 1):
        inside = codes == code
        classes.append(best_first[inside][: most[inside][0]])
    return sorted(classes, key=len, reverse=True)


def solve_by_counting(gains: Gains, rules: Rules) -> IntArray | None:
    """Dynamic program over how many items of each class are placed.

    A class is the items that are in the same groups; within it the better item comes
    first, so that the numbers of placed items say which ones. The number of the first
    (largest) class follows from the others. None if there is no order.

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
    counts = np.indices(shape)  # counts[c - 1]: placed of class c in each state
    others = counts.sum(axis=0)
    values = np.full(shape, -np.inf)
    values[(0,) * len(shape)] = 0.0
    scores = [gains.scores[members] for members in classes]
    choices: list[IntArray | None] = []
    n_free = 0
    for position in range(k):
        if position in rules.fixed:
            choices.append(None)
        else:
            values, choice = _place_one(
                values, gains.discount[position], scores, n_free - others
            )
            choices.append(choice)
            n_free += 1
        for group in rules.groups:
            lower, upper = free_bounds(group, rules, k)
            number = np.zeros(shape, dtype=np.int64)
            for c, members in enumerate(classes):
                if len(members) and group.members[members[0]]:
                    number += counts[c - 1] if c else n_free - others
            t = position + 1
            values[(number < lower[t]) | (number > upper[t])] = -np.inf
    return _trace_back(values, choices, classes, rules)


def _place_one(
    values: FloatArray, discount: float, scores: list[FloatArray], first: IntArray
) -> tuple[FloatArray, IntArray]:
    """Add one item of each class to each state; keep the best and which it was.

    ``first`` is the number of the first class in each state, before.
    """
    fits = (first >= 0) & (first < len(scores[0]))
    best: Any = np.full(values.shape, -np.inf)
    best[fits] = values[fits] + discount * scores[0][first[fits]]
    choice: Any = np.zeros(values.shape, dtype=np.int8)
    for c in range(1, len(scores)):
        axis = c - 1
        before = np.moveaxis(values, axis, -1)[..., :-1] + discount * scores[c]
        after = np.moveaxis(best, axis, -1)[..., 1:]
        better = before > after
        after[better] = before[better]
        np.moveaxis(choice, axis, -1)[..., 1:][better] = c
    return best, choice


def _trace_back(
    values: FloatArray,
    choices: list[IntArray | None],
    classes: list[IntArray],
    rules: Rules,
) -> IntArray | None:
    state = list(np.unravel_index(int(values.argmax()), values.shape))
    if values[tuple(state)] == -np.inf:
        return None
    order = np.empty(len(choices), dtype=np.int64)
    n_first = sum(choice is not None for choice in choices) - int(sum(state))
    for position in range(len(choices) - 1, -1, -1):
        choice = choices[position]
        if choice is None:
            order[position] = rules.fixed[position]
            continue
        c = int(choice[tuple(state)])
        if c == 0:
            n_first -= 1
            order[position] = classes[0][n_first]
        else:
            state[c - 1] -= 1
            order[position] = classes[c][state[c - 1]]
    return order
