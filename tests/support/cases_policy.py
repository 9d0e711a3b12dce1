"""Slow references of the policy losses, and their rows for the registry."""

import itertools
import math
from functools import partial

import numpy as np

from support.loss_case import LossCase


def order_probability(s, order):
    """Plackett-Luce probability of an order of all items."""
    worths, p = np.exp(s - np.max(s)), 1.0
    for r in range(len(order)):
        p *= worths[order[r]] / sum(worths[i] for i in order[r:])
    return p


def all_orders(s):
    """Every order with its probability."""
    return [
        (order, order_probability(s, order))
        for order in itertools.permutations(range(len(s)))
    ]


def expected_reward(s, relevance, rank_weights):
    """Σ over orders of probability · Σ_r θ_r ρ."""
    theta = [*rank_weights, *[0.0] * len(s)]
    return sum(
        p * sum(theta[r] * relevance[i] for r, i in enumerate(order))
        for order, p in all_orders(s)
    )


def one_sample_gradient(s, order, relevance, rank_weights, version):
    """PL-Rank-1 and PL-Rank-2 as printed, item by item."""
    n, worths = len(s), np.exp(s)
    theta = [*rank_weights, *[0.0] * n][:n]
    to_come = [
        sum(theta[q] * relevance[order[q]] for q in range(r, n)) for r in range(n + 1)
    ]
    gradient = np.zeros(n)
    for rank, d in enumerate(order):
        gradient[d] = to_come[rank if version == 1 else rank + 1]
        for r in range(rank + 1):
            p = worths[d] / sum(worths[i] for i in order[r:])
            own = 0.0 if version == 1 else theta[r] * relevance[d]
            gradient[d] += p * (own - to_come[r])
    return gradient


def pl_rank(s, y, w, k=None, metric="ndcg"):
    """The exact expectation, which the loss estimates; a list of at most 6 items."""
    if len(set(y)) < 2:
        return 0.0
    gain = w * (2.0**y - 1)
    theta = [
        1 / math.log2(1 + r) if k is None or r <= k else 0.0
        for r in range(1, len(s) + 1)
    ]
    ideal = float(np.sort(gain)[::-1] @ theta) if metric == "ndcg" else 1.0
    return -expected_reward(s, gain, theta) / ideal if ideal > 0 else 0.0


row = partial(LossCase, "pl_rank", draws=True)
CASES = [
    row(pl_rank),
    row(partial(pl_rank, k=2), (("k", 2),)),
    row(pl_rank, (("estimator", "pl_rank_1"),)),
    row(pl_rank, (("estimator", "pl_rank_2"),)),
    row(pl_rank, (("estimator", "reinforce"), ("n_samples", 4))),
    row(
        partial(pl_rank, metric="dcg"),
        (("metric", "dcg"),),
        bounds=(-math.inf, 0.0),
    ),
]
