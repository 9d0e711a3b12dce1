"""Rows of the relaxations: smooth ranks, relaxed sorting, soft ranks."""

import itertools
import math

import numpy as np

from support.loss_case import LossCase


def sigmoid(x):
    return 0.5 * (1.0 + math.tanh(x / 2))


def smooth_rank(i, s, among, temperature):
    return 1 + sum(sigmoid((s[j] - s[i]) / temperature) for j in among if j != i)


def ideal_dcg(gain, k=None):
    best = sorted(gain, reverse=True)[:k]
    return sum(g / math.log2(2 + r) for r, g in enumerate(best))


def approx_ndcg(temperature=0.1):
    def value(s, y, w):
        gain = w * (2.0**y - 1)
        if len(set(y)) < 2 or not gain.any():
            return 0.0
        ranks = [smooth_rank(i, s, range(len(s)), temperature) for i in range(len(s))]
        dcg = sum(g / math.log2(1 + r) for g, r in zip(gain, ranks, strict=True))
        return -dcg / ideal_dcg(gain)

    return value


def approx_mrr(temperature=0.1):
    def value(s, y, w):
        if len(set(y)) < 2:
            return 0.0
        n = range(len(s))
        total = sum(w[i] * y[i] for i in n)
        return -sum(w[i] * y[i] / total / smooth_rank(i, s, n, temperature) for i in n)

    return value


def smooth_ap(temperature=0.01):
    def value(s, y, w):
        n = range(len(s))
        relevant = [i for i in n if y[i] > 0]
        if not relevant or len(relevant) == len(s):
            return 0.0
        precision = [
            smooth_rank(i, s, relevant, temperature) / smooth_rank(i, s, n, temperature)
            for i in relevant
        ]
        return 1 - float(np.average(precision, weights=w[relevant]))

    return value


def softmax(x):
    e = [math.exp(v - max(x)) for v in x]
    return [v / sum(e) for v in e]


def neural_sort(s, temperature=1.0):
    """Row by row, as in the paper."""
    n = len(s)
    distance = [sum(abs(a - b) for b in s) for a in s]
    return np.array(
        [
            softmax([((n + 1 - 2 * i) * s[j] - distance[j]) / temperature for j in range(n)])
            for i in range(1, n + 1)
        ]
    )  # fmt: skip


def soft_sort(s, temperature=1.0):
    return np.array(
        [softmax([-abs(a - b) / temperature for b in s]) for a in sorted(s)[::-1]]
    )


def sinkhorn(matrix, iterations, tolerance=0.0):
    for _ in range(iterations):
        matrix = matrix / matrix.sum(0)
        matrix = matrix / matrix.sum(1, keepdims=True)
        if abs(matrix.sum(0) - 1).max() < tolerance:
            break
    return matrix


def neural_ndcg(sort=neural_sort, temperature=1.0, k=None, iterations=0, tolerance=0.0):
    def value(s, y, w):
        gain = w * (2.0**y - 1)
        if len(set(y)) < 2 or not gain.any():
            return 0.0
        matrix = sinkhorn(sort(s, temperature), iterations, tolerance)
        dcg = sum(g / math.log2(2 + i) for i, g in enumerate((matrix @ gain)[:k]))
        return -dcg / ideal_dcg(gain, k)

    return value


def neural_sort_cross_entropy(temperature=1.0):
    def value(s, y, w):
        if len(set(y)) < 2:
            return 0.0
        p, q = neural_sort(y), neural_sort(s, temperature)
        terms = [
            -p[i, j] * w[j] * math.log(q[i, j])
            for i, j in itertools.product(range(len(s)), repeat=2)
        ]
        return sum(terms) / sum(w)

    return value


def soft_rank(s, strength=1.0):
    """Isotonic regression by its min-max formula."""
    n, order = len(s), np.argsort(-s, kind="stable")
    level = s[order] / strength + np.arange(n)
    mean = lambda j, k: np.mean(level[j : k + 1])
    fit = [
        min(max(mean(j, k) for k in range(i, n)) for j in range(i + 1))
        for i in range(n)
    ]
    ranks = np.empty(n)
    ranks[order] = 1 + np.array(fit) - s[order] / strength
    return ranks


def soft_spearman(strength=1.0):
    def value(s, y, w):
        if len(set(y)) < 2:
            return 0.0
        target = [(y > v).sum() + ((y == v).sum() + 1) / 2 for v in y]
        return 0.5 * float(w @ (soft_rank(s, strength) - target) ** 2)

    return value


CASES = [
    LossCase("approx_mrr", approx_mrr()),
    LossCase("approx_mrr", approx_mrr(1.0), (("temperature", 1.0),)),
    # The same noise for all items of a list is no noise.
    LossCase("gumbel_ndcg", approx_ndcg(), (("noise", ((0.0,), (0.5,))),)),
    LossCase(
        "gumbel_ndcg",
        approx_ndcg(1.0),
        (("noise", ((0.0,),)), ("gumbel_temperature", 2.0), ("temperature", 0.5)),
    ),
    LossCase("smooth_ap", smooth_ap()),
    LossCase(
        "smooth_ap",
        smooth_ap(0.5),
        (("temperature", 0.5),),
    ),
    LossCase(
        "neural_ndcg",
        neural_ndcg(iterations=50, tolerance=1e-6),
    ),
    LossCase(
        "neural_ndcg",
        neural_ndcg(iterations=20),
        (("sinkhorn_iterations", 20), ("sinkhorn_tolerance", 0.0)),
        bounds=(-1.01, 0.0),
        smooth=True,
    ),
    LossCase(
        "neural_ndcg",
        neural_ndcg(temperature=0.5, k=2),
        (("sinkhorn_iterations", 0), ("temperature", 0.5), ("k", 2)),
        bounds=(-math.inf, 0.0),
        smooth=True,
    ),
    LossCase(
        "neural_ndcg",
        neural_ndcg(soft_sort, iterations=20),
        (
            ("relaxation", "soft_sort"),
            ("sinkhorn_iterations", 20),
            ("sinkhorn_tolerance", 0.0),
        ),
        bounds=(-1.01, 0.0),
        smooth=True,
    ),
    LossCase(
        "neural_sort_cross_entropy",
        neural_sort_cross_entropy(),
    ),
    LossCase(
        "soft_spearman",
        soft_spearman(0.7),
        (("strength", 0.7),),
    ),
]
