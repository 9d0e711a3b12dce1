"""What holds for every solution of a linear ordering."""

import numpy as np

from support.brute_force import keeps, ordering_value


def without_diagonal(matrix):
    matrix = np.array(matrix, dtype=float)
    np.fill_diagonal(matrix, 0.0)
    return matrix


def scale(matrix):
    return np.abs(without_diagonal(matrix)).max(initial=0.0) * max(1, len(matrix)) ** 2


def close(a, b, matrix):
    return abs(a - b) <= 1e-9 * scale(matrix)


def check(solution, matrix, limits=()):
    """What holds for every solution that has an order."""
    n = len(matrix)
    assert sorted(solution.order.tolist()) == list(range(n))
    assert all(keeps(solution.order, limit) for limit in limits)
    value = ordering_value(solution.order, without_diagonal(matrix))
    assert close(solution.objective, value, matrix)
    assert solution.bound >= solution.objective
