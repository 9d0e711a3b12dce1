"""Every order, one by one, and what it must keep: the solvers are compared with it."""

from itertools import pairwise, permutations

import numpy as np

from ltr.solvers import (
    AtMost,
    ExposureShare,
    FixedPosition,
    Precedence,
    Together,
    Window,
)

DISCOUNT = 1 / np.log2(2 + np.arange(2000))


def keeps(order, constraint):
    """Whether an order keeps a constraint."""
    place = {item: position for position, item in enumerate(order)}
    if isinstance(constraint, Precedence):
        return place[constraint.before] < place[constraint.after]
    if isinstance(constraint, FixedPosition):
        return place[constraint.item] == constraint.position
    if isinstance(constraint, Window):
        last = len(order) if constraint.last is None else constraint.last
        return constraint.first <= place[constraint.item] <= last
    assert isinstance(constraint, Together)
    places = [place[item] for item in constraint.items]
    return max(places) - min(places) == len(places) - 1


def path_value(order, matrix, start=None, end=None):
    """Sum over neighbours, plus the first's start and the last's end score."""
    order = list(order)
    value = sum(matrix[i, j] for i, j in pairwise(order))
    if order and start is not None:
        value += start[order[0]]
    if order and end is not None:
        value += end[order[-1]]
    return value


def ordering_value(order, matrix):
    """Sum over all pairs of the entry of the earlier one's row."""
    order = list(order)
    return sum(
        matrix[i, j] for place, i in enumerate(order) for j in order[place + 1 :]
    )


def best(value, n_items, constraints=(), attributes=None):
    """Greatest value of an order that keeps the constraints, and one that has it."""

    def is_kept(order, constraint):
        if hasattr(constraint, "attribute"):
            return keeps_positions(order, constraint, attributes, n_items)
        return keeps(order, constraint)

    found = [
        (value(order), order)
        for order in permutations(range(n_items))
        if all(is_kept(order, constraint) for constraint in constraints)
    ]
    found = [pair for pair in found if pair[0] > -np.inf]
    return max(found, default=(None, None))


def keeps_positions(order, constraint, attributes, k):
    """Whether an order keeps a constraint, as its docstring reads."""
    place = {item: position for position, item in enumerate(order)}
    if isinstance(constraint, Precedence):
        return place.get(constraint.before, k) < place.get(constraint.after, k + 1)
    if isinstance(constraint, FixedPosition):
        return place.get(constraint.item) == constraint.position
    if isinstance(constraint, Window):
        last = 10**6 if constraint.last is None else constraint.last
        if constraint.item not in place:
            return last >= k
        return constraint.first <= place[constraint.item] <= last
    if isinstance(constraint, Together):
        places = [place[item] for item in constraint.items if item in place]
        is_whole = len(places) == len(constraint.items)
        return not places or (is_whole and max(places) - min(places) < len(places))
    values = [attributes[constraint.attribute][item] for item in order]
    if isinstance(constraint, ExposureShare):
        exposure = sum(
            d
            for d, value in zip(DISCOUNT, values, strict=False)
            if value == constraint.value
        )
        share = exposure / DISCOUNT[:k].sum()
        return constraint.lower - 1e-6 <= share <= constraint.upper + 1e-6
    top = min(constraint.top or k, k)
    if isinstance(constraint, AtMost):
        w = min(constraint.window or top, top)
        windows = [values[s : s + w] for s in range(top - w + 1)]
        return all(
            window.count(value) <= constraint.count
            for window in windows
            for value in window
            if value is not None
        )
    for t in range(1, top + 1):
        found = values[:t].count(constraint.value)
        low, high = [], []
        for bound, numbers in ((low, constraint.lower), (high, constraint.upper)):
            if isinstance(numbers, tuple):
                bound += list(numbers[t - 1 : t])
            elif t == top and numbers is not None:
                bound.append(numbers)
        low.append(np.floor(constraint.min_share * t + 1e-9))
        high.append(np.ceil(constraint.max_share * t - 1e-9))
        if found < max(low) or found > min(high):
            return False
    return True
