"""Every order, one by one: what the solvers are compared with."""

from itertools import pairwise, permutations

import numpy as np

from ltr.solvers import FixedPosition, Precedence, Together


def keeps(order, constraint):
    """Whether an order keeps a constraint."""
    place = {item: position for position, item in enumerate(order)}
    if isinstance(constraint, Precedence):
        return place[constraint.before] < place[constraint.after]
    if isinstance(constraint, FixedPosition):
        return place[constraint.item] == constraint.position
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


def best(value, n_items, constraints=()):
    """Greatest value of an order that keeps the constraints, and one that has it."""
    found = [
        (value(order), order)
        for order in permutations(range(n_items))
        if all(keeps(order, constraint) for constraint in constraints)
    ]
    found = [pair for pair in found if pair[0] > -np.inf]
    return max(found, default=(None, None))
