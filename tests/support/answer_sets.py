"""Sets of answers of judges, and what every order of the items says about them."""

import itertools
from functools import cache

import numpy as np

MAX_ITEMS = 7


@cache
def orders_before(n):
    """All orders, (n!, n), and whether i stands before j in them, (n!, n, n)."""
    orders = np.array(list(itertools.permutations(range(n)))).reshape(-1, n)
    place = np.argsort(orders, axis=1)
    return orders, place[:, :, None] < place[:, None, :]


def certificate_by_all_orders(answers, k):
    """n_against, n_against_min, is_implied and margin of the order 0, 1, 2, …"""
    n = len(answers)
    orders, before = orders_before(n)
    n_against = (before * answers.T).sum(axis=(1, 2))  # of each order
    own = int(n_against[0])  # the first permutation is 0, 1, 2, …
    # orders that contradict none of the answers which the order agrees with
    kept = np.triu(answers) > 0
    extensions = (before | ~kept).all(axis=(1, 2))
    has_same_top = np.sort(orders[:, :k], axis=1) == np.arange(k)
    has_same_top = has_same_top.all(axis=1)
    margin = None
    if k < n:
        margin = int(n_against[~has_same_top].min() - n_against.min())
    return own, int(n_against.min()), bool(has_same_top[extensions].all()), margin


def precedence_by_all_orders(answers, noise):
    """P(i before j) if each answer is wrong with a chance of ``noise``."""
    _, before = orders_before(len(answers))
    n_kept = (before * answers).sum(axis=(1, 2))
    weights = ((1 - noise) / noise) ** (n_kept - n_kept.max())
    return np.tensordot(weights / weights.sum(), before, axes=1)


def draw_answers(rng, max_items=MAX_ITEMS):
    """Counts of answers: of pairs or windows, some or all, few or many of them wrong."""
    n = int(rng.integers(2, max_items + 1))
    noise, share = rng.choice([0.0, 0.1, 0.3, 0.5]), rng.choice([0.3, 0.6, 1.0])
    answers = np.zeros((n, n), dtype=np.int64)
    is_windowed = rng.random() < 0.3
    if is_windowed:
        for _ in range(rng.integers(1, 7)):
            size = rng.integers(2, n + 1)
            window = np.sort(rng.choice(n, size, replace=False))
            if rng.random() < noise:
                window = rng.permutation(window)
            for i, j in itertools.combinations(window, 2):
                answers[i, j] += 1
    else:
        for i, j in itertools.combinations(range(n), 2):
            if rng.random() < share:
                is_wrong = rng.random() < noise
                answers[(j, i) if is_wrong else (i, j)] += 1
    # the order of the certificate need not be near the best one
    if rng.random() < 0.3:
        order = rng.permutation(n)
        answers = answers[np.ix_(order, order)]
    return answers, int(rng.integers(1, n + 1))
